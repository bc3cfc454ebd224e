/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "carrier/carrier.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cache/cache.h"
#include "carrier/call_op.h"
#include "carrier/exchange.h"
#include "runtime/delivery.h"

/* ---- configuration ----------------------------------------------------------------------------------------- */

SETTINGS_PUBLIC_NEW(carrier)

void shipopt_carrier_config_free(shipopt_carrier_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	shipopt_cache_free(config->cache);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(carrier)

DELIVERY_PUBLIC(carrier)

int shipopt_carrier_config_set_cache(shipopt_carrier_config *config, shipopt_cache *cache)
{
	if (!config)
		return SHIPOPT_EINVAL;
	if (cache)
		cache_ref(cache);
	shipopt_cache_free(config->cache);
	config->cache = cache;
	return 0;
}

/* ---- the handle -------------------------------------------------------------------------------------------- */

char *carrier_authorization(const char *api_key)
{
	static const char scheme[] = "Bearer ";
	size_t length = strlen(api_key);
	char *value = mem_alloc(sizeof(scheme) + length);
	if (!value)
		return NULL;
	memcpy(value, scheme, sizeof(scheme) - 1);
	memcpy(value + sizeof(scheme) - 1, api_key, length + 1);
	return value;
}

int carrier_key_forms(const char *api_key, struct secret_forms *ret_forms, shipopt_error **ret_error)
{
	secret_forms_init(ret_forms, SECRET_DATA_BYTES_MIN);
	for (size_t i = 0; api_key[i]; i++)
		if (api_key[i] < ' ' || api_key[i] > '~')
			return error_set(ret_error, SHIPOPT_EINVAL,
				"carrier setting api_key: byte %zu is not visible ASCII; copy the key again", i + 1);
	int r = secret_forms_add(ret_forms, api_key);
	return r < 0 ? r : secret_forms_add_basic(ret_forms, api_key, "");
}

static void carrier_release_reactor_parts(void *argument)
{
	shipopt_carrier *carrier = argument;
	ASSERT(list_is_empty(&carrier->exchanges) && list_is_empty(&carrier->waiting));
	http_engine_free(TAKE(carrier->engine));
	lane_free(TAKE(carrier->lane));
	closures_done(&carrier->closures);
}

static void carrier_free_memory(shipopt_carrier *carrier)
{
	shipopt_runtime *runtime = carrier->runtime;
	call_group_done(&carrier->single_calls);
	queue_unref(carrier->delivery.queue);
	if (carrier->cache) {
		tags_release(&carrier->cache->tags, carrier->list_tags, carrier->list_tag_count);
		cache_unref(carrier->cache);
	}
	settings_done(&carrier->settings);
	mem_free_secret(carrier->authorization);
	secret_forms_done(&carrier->secrets);
	mem_free(carrier->base_url);
	mem_free(carrier);
	json_stock_clear();
	runtime_unref(runtime);
}

static void carrier_free_task(struct task *task)
{
	shipopt_carrier *carrier = CONTAINER_OF(task, shipopt_carrier, destroy_task);
	runtime_unregister(carrier->runtime, &carrier->member);
	carrier_free_memory(carrier);
}

/* Reactor thread, which must not wait. A close may be inside carrier_member_stop() and wait for this very thread. So a
 * worker does the rest, which waits until the close has left it. */
static void carrier_destroy_task(struct task *task)
{
	shipopt_carrier *carrier = CONTAINER_OF(task, shipopt_carrier, destroy_task);
	carrier_release_reactor_parts(carrier);
	task->run = carrier_free_task;
	runtime_submit_task(carrier->runtime, task);
}

shipopt_carrier *carrier_ref(shipopt_carrier *carrier)
{
	if (carrier)
		reference_take(&carrier->reference);
	return carrier;
}

void carrier_unref(shipopt_carrier *carrier)
{
	if (!carrier || !reference_drop(&carrier->reference))
		return;
	/* Without a thread on the reactor (after the close, or before the first call) nothing can be in its way. */
	if (!reactor_post_threaded(carrier->reactor, &carrier->destroy_task))
		carrier_destroy_task(&carrier->destroy_task);
}

void shipopt_carrier_free(shipopt_carrier *carrier)
{
	if (carrier && !runtime_is_forked(carrier->runtime))
		carrier_unref(carrier);
}

static void carrier_cancel_task(struct task *task)
{
	shipopt_carrier *carrier = CONTAINER_OF(task, shipopt_carrier, cancel_task);
	carrier->is_closing = true;
	/* Those who wait first, so that nobody leads when a leader is canceled. */
	for (struct list_node *node; (node = list_first(&carrier->waiting));)
		cached_read_leave(LIST_MEMBER(node, struct call_op, read.node), SHIPOPT_ECANCELED,
			"canceled; nothing was sent");
	LIST_FOREACH(node, &carrier->exchanges)
		exchange_cancel(LIST_MEMBER(node, struct exchange, node));
	carrier_unref(carrier);
}

static void carrier_member_cancel(struct runtime_member *member)
{
	shipopt_carrier *carrier = CONTAINER_OF(member, shipopt_carrier, member);
	carrier_ref(carrier);
	reactor_post(carrier->reactor, &carrier->cancel_task);
}

static void carrier_member_stop(struct runtime_member *member)
{
	shipopt_carrier *carrier = CONTAINER_OF(member, shipopt_carrier, member);
	runtime_call(carrier->reactor, carrier_release_reactor_parts, carrier);
}

static void carrier_fill_lane_options(const struct settings *settings, struct lane_options *options)
{
	lane_options_default(options);
	options->is_adaptive = settings_number(settings, CARRIER_ADAPTIVE) != 0;
	options->limit_max = (size_t)settings_number(settings, CARRIER_CONCURRENCY_MAX);
	options->limit_min = MIN((size_t)settings_number(settings, CARRIER_CONCURRENCY_MIN), options->limit_max);
	options->limit_initial = (size_t)settings_number(settings, CARRIER_CONCURRENCY_START);
	options->limit_initial = MAX(options->limit_min, MIN(options->limit_initial, options->limit_max));
	double rate = (double)settings_number(settings, CARRIER_REQUESTS_PER_SECOND);
	for (size_t i = 0; i < LANE_ENDPOINT_COUNT; i++)
		options->tokens_per_second[i] = rate;
	options->tokens_per_second[LANE_ENDPOINT_LIST] = (double)settings_number(settings, CARRIER_LIST_PER_SECOND);
	options->waiting_max = (size_t)settings_number(settings, CARRIER_QUEUE_MAX);
	options->retry_base_ms = settings_number(settings, CARRIER_RETRY_BASE_MS);
	options->retry_cap_ms = settings_number(settings, CARRIER_RETRY_CAP_MS);
	options->retry_budget = settings_number(settings, CARRIER_RETRY_BUDGET);
	options->breaker_open_ms = settings_number(settings, CARRIER_BREAKER_OPEN_MS);
	options->breaker_window = settings_number(settings, CARRIER_BREAKER_WINDOW);
}

static int carrier_make_reactor_parts(shipopt_carrier *carrier, shipopt_error **ret_error)
{
	struct lane_options lane_options;
	uint64_t seed;
	struct http_options http_options = {
		.ca_file = settings_text(&carrier->settings, CARRIER_CA_FILE),
		.proxy = settings_text(&carrier->settings, CARRIER_PROXY),
		.connect_timeout_ms = settings_number(&carrier->settings, CARRIER_CONNECT_TIMEOUT_MS),
		.connections_max = (size_t)settings_number(&carrier->settings, CARRIER_CONCURRENCY_MAX),
		.trace = settings_number(&carrier->settings, CARRIER_TRACE) ? carrier_log_trace : NULL,
		.trace_userdata = carrier,
	};
	carrier_fill_lane_options(&carrier->settings, &lane_options);
	int r = random_bytes(&seed, sizeof(seed));
	r = r < 0 ? r : runtime_reactor(carrier->runtime, &carrier->reactor);
	r = r < 0 ? r : lane_new(carrier->reactor, &lane_options, seed, &carrier->lane);
	return r < 0 ? r : http_engine_new(carrier->reactor, &http_options, &carrier->engine, ret_error);
}

static int carrier_check_config(const shipopt_carrier_config *config, shipopt_error **ret_error)
{
	const char *url = settings_text(&config->settings, CARRIER_BASE_URL);
	int r = delivery_check(&config->delivery, &config->settings, CARRIER_DELIVER_INLINE, ret_error);
	if (r < 0)
		return r;
	if (!settings_text(&config->settings, CARRIER_API_KEY))
		return error_set(ret_error, SHIPOPT_EINVAL, "carrier setting api_key: it is required and was not set");
	r = http_check_url(url, ret_error); /* the setter has checked the form; libcurl knows more */
	if (r < 0) {
		if (ret_error && *ret_error)
			*ret_error = error_prefix(*ret_error, "carrier setting base_url");
		return r;
	}
	return 0;
}

/* Which books a purchase is written in: a wrong guess would buy for real what was tried out, or the other way round. */
static int carrier_choose_mode(shipopt_carrier *carrier, shipopt_error **ret_error)
{
	static const char *const modes[] = {"test", "production"};
	const char *wanted = settings_text(&carrier->settings, CARRIER_MODE);
	const char *of_key = carrier->provider->mode_of_key(settings_text(&carrier->settings, CARRIER_API_KEY));
	if (text_is_empty(wanted) && !of_key)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"carrier setting mode: the API key does not say whether it is for test or production; set mode to one of them");
	if (!text_is_empty(wanted) && of_key && !text_equal(wanted, of_key))
		return error_set(ret_error, SHIPOPT_EINVAL, "carrier setting mode: it is %s, and the API key is for %s",
			wanted, of_key);
	const char *mode = text_is_empty(wanted) ? of_key : wanted;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (text_equal(mode, modes[i]))
			carrier->mode = modes[i];
	return carrier->mode ? 0
			     : error_set(ret_error, SHIPOPT_EINVAL,
				       "carrier setting mode: \"%s\" is not test or production", wanted);
}

static int carrier_copy_config(shipopt_carrier *carrier, const shipopt_carrier_config *config,
	shipopt_error **ret_error)
{
	int r = settings_copy(&carrier->settings, &config->settings);
	if (r < 0)
		return r;
	const char *key = settings_text(&carrier->settings, CARRIER_API_KEY);
	const char *url = settings_text(&carrier->settings, CARRIER_BASE_URL);
	size_t length = strlen(url);
	while (length && url[length - 1] == '/')
		length--;
	carrier->authorization = carrier_authorization(key);
	carrier->base_url = mem_copy_bytes(url, length);
	delivery_copy(&carrier->delivery, &config->delivery, &config->settings, CARRIER_DELIVER_INLINE);
	if (config->cache) {
		carrier->cache = cache_ref(config->cache);
		carrier->list_tag_count = answer_hold_collections(carrier->cache, carrier->list_tags);
	}
	if (!carrier->authorization || !carrier->base_url)
		return SHIPOPT_ENOMEM;
	r = carrier_key_forms(key, &carrier->secrets, ret_error);
	return r < 0 ? r
		     : answer_identity(carrier->provider, carrier->base_url, carrier->authorization, carrier->identity);
}

int shipopt_carrier_new(shipopt_runtime *runtime, const shipopt_carrier_config *config, shipopt_carrier **ret_carrier,
	shipopt_error **ret_error)
{
	if (!runtime || !config || !ret_carrier)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"carrier: runtime, config and ret_carrier must not be NULL");
	int r = runtime_check(runtime);
	r = r < 0 ? r : carrier_check_config(config, ret_error);
	if (r < 0)
		return r;
	shipopt_carrier *carrier = mem_alloc_zero(sizeof(*carrier));
	if (!carrier)
		return SHIPOPT_ENOMEM;
	reference_init(&carrier->reference);
	list_init(&carrier->exchanges);
	list_init(&carrier->waiting);
	list_init(&carrier->member.node);
	call_group_init(&carrier->single_calls, 1);
	carrier->runtime = runtime_ref(runtime);
	carrier->provider = &provider_easypost;
	carrier->cancel_task.run = carrier_cancel_task;
	carrier->destroy_task.run = carrier_destroy_task;
	carrier->member.cancel = carrier_member_cancel;
	carrier->member.stop = carrier_member_stop;
	r = carrier_copy_config(carrier, config, ret_error);
	r = r < 0 ? r : carrier_choose_mode(carrier, ret_error);
	r = r < 0 ? r : carrier_make_reactor_parts(carrier, ret_error);
	r = r < 0 ? r : runtime_register(runtime, &carrier->member);
	if (r < 0) {
		/* Nothing has used the engine and the lane yet: they may go from this thread. */
		carrier_release_reactor_parts(carrier);
		carrier_free_memory(carrier);
		return r;
	}
	*ret_carrier = carrier;
	return 0;
}

/* ---- statistics -------------------------------------------------------------------------------------------- */

void carrier_publish_stats(shipopt_carrier *carrier)
{
	struct lane_statistics lane;
	struct http_statistics http;
	if (!carrier->engine)
		return;
	lane_statistics(carrier->lane, &lane);
	http_engine_statistics(carrier->engine, &http);
	carrier->stats[SHIPOPT_CARRIER_STAT_LIMIT] = (int64_t)lane.limit;
	carrier->stats[SHIPOPT_CARRIER_STAT_ON_WIRE] = (int64_t)lane.on_wire;
	carrier->stats[SHIPOPT_CARRIER_STAT_WAITING] = (int64_t)lane.waiting;
	carrier->stats[SHIPOPT_CARRIER_STAT_BREAKER_OPENED] = (int64_t)lane.breaker_opened;
	carrier->stats[SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED] = (int64_t)http.connections_opened;
	carrier->stats[SHIPOPT_CARRIER_STAT_CERTIFICATE_CACHE] = http.certificate_cache_shared;
}

bool carrier_was_reached(const shipopt_carrier *carrier)
{
	return carrier->stats[SHIPOPT_CARRIER_STAT_ANSWERS] > 0;
}

int shipopt_carrier_stat(shipopt_carrier *carrier, int stat, int64_t *ret_value)
{
	if (!carrier || !ret_value || stat < SHIPOPT_CARRIER_STAT_REQUESTS || stat > SHIPOPT_CARRIER_STAT_ANSWERS)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(carrier->runtime))
		return SHIPOPT_EFORKED;
	*ret_value = carrier->stats[stat];
	return 0;
}
