/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_RUN
#include "bulk/bulk.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "bulk/run.h"
#include "store/store.h"

/* A lease must outlast the time of a request twice, so that a purchase never outlives its lease. */
#define LEASE_TIMEOUTS_MIN 2

SETTINGS_PUBLIC_NEW(bulk)

void shipopt_bulk_config_free(shipopt_bulk_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(bulk)

DELIVERY_PUBLIC(bulk)

int shipopt_bulk_config_set_item(shipopt_bulk_config *config, shipopt_item_fn item, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->callbacks.item = item;
	config->callbacks.item_userdata = userdata;
	return 0;
}

int shipopt_bulk_config_set_progress(shipopt_bulk_config *config, shipopt_progress_fn progress, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->callbacks.progress = progress;
	config->callbacks.progress_userdata = userdata;
	return 0;
}

int shipopt_bulk_config_set_choose(shipopt_bulk_config *config, shipopt_request_fn choose, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->callbacks.choose = choose;
	config->callbacks.choose_userdata = userdata;
	return 0;
}

/* ---- the handle -------------------------------------------------------------------------------------------- */

/* The setter has checked that it is one of these. */
static int bulk_missing_carrier(const char *name)
{
	return text_equal(name, "wait") ? MISSING_WAIT : text_equal(name, "fallback") ? MISSING_FALLBACK : MISSING_FAIL;
}

static int bulk_check(shipopt_bulk *bulk, shipopt_error **ret_error)
{
	const struct settings *settings = &bulk->settings;
	choice_rule_parse(settings_text(settings, BULK_RATE_CHOICE), &bulk->rule);
	bulk->missing_carrier = bulk_missing_carrier(settings_text(settings, BULK_MISSING_CARRIER));
	if (bulk->rule == CHOICE_SERVICES && text_is_empty(settings_text(settings, BULK_SERVICES)))
		return error_set(ret_error, SHIPOPT_EINVAL,
			"bulk setting services: rate_choice is services, and none is set");
	size_t needed = RUN_SLOTS_MIN + (bulk->callbacks.choose != NULL);
	if (delivery_slots(&bulk->delivery) < needed)
		return error_set(ret_error, SHIPOPT_EINVAL, "bulk: the queue has %zu slots, a run needs at least %zu",
			delivery_slots(&bulk->delivery), needed);
	return 0;
}

static int bulk_check_times(const shipopt_bulk *bulk, shipopt_error **ret_error)
{
	if (!bulk->carrier || !bulk->store)
		return 0;
	int64_t lease_ms = settings_number(&bulk->settings, BULK_LEASE_MS);
	int64_t least_ms = LEASE_TIMEOUTS_MIN * settings_number(&bulk->carrier->settings, CARRIER_TIMEOUT_MS);
	int64_t settle_ms = settings_number(&bulk->carrier->settings, CARRIER_SETTLE_MS);
	int64_t settle_least_ms = least_ms / LEASE_TIMEOUTS_MIN * PURCHASE_SETTLE_SHARES / (PURCHASE_SETTLE_SHARES - 1);
	if (settle_ms < settle_least_ms)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"carrier setting settle_ms: %lld is less than %lld, 1.2 times timeout_ms: a purchase could take effect after it",
			(long long)settle_ms, (long long)settle_least_ms);
	if (lease_ms >= least_ms)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL,
		"bulk setting lease_ms: %lld is less than twice the carrier's timeout_ms, %lld: a purchase could outlive its lease",
		(long long)lease_ms, (long long)least_ms);
}

static int bulk_copy_config(shipopt_bulk *bulk, const shipopt_bulk_config *config)
{
	if (!config)
		return settings_init(&bulk->settings, &bulk_settings);
	int r = settings_copy(&bulk->settings, &config->settings);
	if (r < 0)
		return r;
	bulk->callbacks = config->callbacks;
	delivery_copy(&bulk->delivery, &config->delivery, &config->settings, BULK_DELIVER_INLINE);
	return 0;
}

static void bulk_destroy(shipopt_bulk *bulk)
{
	shipopt_runtime *runtime = bulk->runtime;
	carrier_unref(bulk->carrier);
	shipopt_store_free(bulk->store);
	queue_unref(bulk->delivery.queue);
	settings_done(&bulk->settings);
	mem_free(bulk);
	runtime_unref(runtime);
}

int shipopt_bulk_new(shipopt_runtime *runtime, shipopt_carrier *carrier, shipopt_store *store,
	const shipopt_bulk_config *config, shipopt_bulk **ret_bulk, shipopt_error **ret_error)
{
	if (!runtime || !ret_bulk)
		return error_set(ret_error, SHIPOPT_EINVAL, "bulk: runtime and ret_bulk must not be NULL");
	int r = runtime_check(runtime);
	if (r == 0 && config)
		r = delivery_check(&config->delivery, &config->settings, BULK_DELIVER_INLINE, ret_error);
	if (r < 0)
		return r;
	shipopt_bulk *bulk = mem_alloc_zero(sizeof(*bulk));
	if (!bulk)
		return SHIPOPT_ENOMEM;
	reference_init(&bulk->reference);
	bulk->runtime = runtime_ref(runtime);
	bulk->carrier = carrier_ref(carrier);
	bulk->store = store ? store_ref(store) : NULL;
	r = bulk_copy_config(bulk, config);
	r = r < 0 ? r : bulk_check(bulk, ret_error);
	r = r < 0 ? r : bulk_check_times(bulk, ret_error);
	if (r < 0) {
		bulk_destroy(bulk);
		return r;
	}
	*ret_bulk = bulk;
	return 0;
}

shipopt_bulk *bulk_ref(shipopt_bulk *bulk)
{
	reference_take(&bulk->reference);
	return bulk;
}

void shipopt_bulk_free(shipopt_bulk *bulk)
{
	if (bulk && !runtime_is_forked(bulk->runtime) && reference_drop(&bulk->reference))
		bulk_destroy(bulk);
}

void bulk_rules(shipopt_bulk *bulk, struct purchase_rules *rules)
{
	const struct settings *settings = &bulk->settings;
	const char *currency = settings_text(settings, BULK_CURRENCY);
	int64_t spend_limit = settings_number(settings, BULK_SPEND_LIMIT);
	*rules = (struct purchase_rules){
		.carrier = bulk->carrier,
		.store = bulk->store,
		.choice = {.rule = bulk->rule,
			.services = settings_text(settings, BULK_SERVICES),
			.currency =
				choice_currency(currency, 0, spend_limit)}, /* an order's max_rate may want one too */
		.rate_again = settings_number(settings, BULK_RATE_AGAIN) != 0,
		.choose = bulk->callbacks.choose,
		.choose_userdata = bulk->callbacks.choose_userdata,
		.missing_carrier = bulk->missing_carrier,
		.fallback_percent = settings_number(settings, BULK_FALLBACK_PERCENT),
		.ceiling_percent = settings_number(settings, BULK_CEILING_PERCENT),
		.lease_ms = settings_number(settings, BULK_LEASE_MS),
		.purpose = settings_text(settings, BULK_PURPOSE),
		.budget = settings_text(settings, BULK_BUDGET),
		.currency = currency ? currency : "USD", /* of the spend limit */
		.spend_limit = spend_limit,
		.insurance_fee_percent = settings_number(settings, BULK_INSURANCE_FEE_PERCENT),
		.insurance_fee_min = settings_number(settings, BULK_INSURANCE_FEE_MIN),
		.insurance_currency = settings_text(settings, BULK_INSURANCE_CURRENCY),
	};
	if (bulk->carrier) {
		rules->settle_ms = settings_number(&bulk->carrier->settings, CARRIER_SETTLE_MS);
		rules->timeout_ms = settings_number(&bulk->carrier->settings, CARRIER_TIMEOUT_MS);
	}
}

int64_t bulk_item_deadline_us(const shipopt_bulk *bulk)
{
	return clock_now_us() + settings_number(&bulk->settings, BULK_ITEM_TIMEOUT_MS) * 1000;
}

/* ---- runs -------------------------------------------------------------------------------------------------- */

int bulk_check_buys(const shipopt_bulk *bulk, shipopt_error **ret_error)
{
	if (!bulk->carrier)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"bulk: this call needs a carrier: give one to shipopt_bulk_new()");
	if (!bulk->store)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"bulk: buying needs a store for the ledger: give one to shipopt_bulk_new()");
	if (bulk->carrier->provider->purchase_guard == GUARD_NONE)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"bulk: this provider cannot be asked whether a label was bought, so buying is not safe");
	return 0;
}

static int bulk_check_run(const shipopt_bulk *bulk, enum run_kind kind, shipopt_error **ret_error)
{
	if (kind == RUN_BUY)
		return bulk_check_buys(bulk, ret_error);
	if (kind != RUN_CALL && !bulk->carrier)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"bulk: this call needs a carrier: give one to shipopt_bulk_new()");
	return 0;
}

static int bulk_start(shipopt_bulk *bulk, struct run_request *request, shipopt_run **ret_run)
{
	if (!bulk || !request->source)
		return SHIPOPT_EINVAL;
	request->status = bulk_check_run(bulk, request->kind, &request->error);
	return run_new(bulk, request, ret_run);
}

int shipopt_bulk_buy(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run)
{
	struct run_request request = {.kind = RUN_BUY,
		.source = source,
		.sink = sink,
		.done = done,
		.userdata = userdata};
	return bulk_start(bulk, &request, ret_run);
}

int shipopt_bulk_rate(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run)
{
	struct run_request request = {.kind = RUN_RATE,
		.source = source,
		.sink = sink,
		.done = done,
		.userdata = userdata};
	return bulk_start(bulk, &request, ret_run);
}

int shipopt_bulk_track(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run)
{
	struct run_request request = {.kind = RUN_TRACK,
		.source = source,
		.sink = sink,
		.done = done,
		.userdata = userdata};
	return bulk_start(bulk, &request, ret_run);
}

int shipopt_bulk_verify(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run)
{
	struct run_request request = {.kind = RUN_VERIFY,
		.source = source,
		.sink = sink,
		.done = done,
		.userdata = userdata};
	return bulk_start(bulk, &request, ret_run);
}

int shipopt_bulk_call(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_request_fn call,
	void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_run **ret_run)
{
	struct run_request request = {.kind = RUN_CALL,
		.source = source,
		.sink = sink,
		.call = call,
		.call_userdata = call_userdata,
		.done = done,
		.userdata = userdata};
	return call ? bulk_start(bulk, &request, ret_run) : SHIPOPT_EINVAL;
}
