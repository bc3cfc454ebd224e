/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include "http/engine.h"

#include <pthread.h>
#include <shipopt/version.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "http/multi.h"
#include "http/socket.h"
#include "http/transfer.h"
#include "http/url.h"

#define LIBCURL_VERSION_MINIMUM 0x075700

void engine_schedule(struct http_engine *engine, int64_t due_us)
{
	if (!timer_is_started(&engine->timer) || engine->timer.due_us > due_us)
		timer_start(engine->reactor, &engine->timer, due_us);
}

/* --- transfers --- */

/* Back to the stock, where its easy handle waits for the next request. */
static void engine_transfer_give_back(struct http_transfer *transfer)
{
	struct http_engine *engine = transfer->engine;
	transfer_clear(transfer);
	list_remove(&transfer->node);
	if (engine->stock_count >= HTTP_STOCK_MAX) {
		transfer_free(transfer);
		return;
	}
	list_push_front(&engine->stock, &transfer->node);
	engine->stock_count++;
}

static int engine_transfer_take(struct http_engine *engine, struct http_transfer **ret_transfer)
{
	struct list_node *node = list_pop_front(&engine->stock);
	if (!node)
		return transfer_new(engine, ret_transfer);
	engine->stock_count--;
	*ret_transfer = LIST_MEMBER(node, struct http_transfer, node);
	return 0;
}

static int engine_transfer_add(struct http_transfer *transfer, struct http_multi *multi)
{
	struct http_engine *engine = multi->engine;
	CURLMcode code = fault_point() ? CURLM_OUT_OF_MEMORY : curl_multi_add_handle(multi->handle, transfer->easy);
	if (code != CURLM_OK)
		return code == CURLM_OUT_OF_MEMORY ? SHIPOPT_ENOMEM : SHIPOPT_EINTERNAL;
	transfer->multi = multi;
	list_push_back(&multi->transfers, &transfer->node);
	multi->in_flight++;
	engine->statistics.in_flight++;
	engine->statistics.requests++;
	return 0;
}

/* Takes it off the wire; `done` runs in the next turn. */
static void engine_transfer_finish(struct http_transfer *transfer, CURLcode code)
{
	struct http_engine *engine = transfer->engine;
	struct http_multi *multi = TAKE(transfer->multi);
	transfer_conclude(transfer, code);
	CURLMcode removed = curl_multi_remove_handle(multi->handle, transfer->easy);
	ASSERT(removed == CURLM_OK);
	list_remove(&transfer->node);
	list_push_back(&engine->finished, &transfer->node);
	multi->in_flight--;
	engine->statistics.in_flight--;
	engine_schedule(engine, 0);
}

/* For a transfer that found its connection unclean: once more, on a fresh one. Nothing was sent. */
static bool engine_transfer_replace_connection(struct http_transfer *transfer)
{
	struct http_multi *multi = transfer->multi;
	if (!transfer->is_unclean || transfer->failure)
		return false;
	CURLMcode removed = curl_multi_remove_handle(multi->handle, transfer->easy);
	ASSERT(removed == CURLM_OK);
	if (transfer_prepare_fresh(transfer) && !fault_point() &&
		curl_multi_add_handle(multi->handle, transfer->easy) == CURLM_OK)
		return true;
	transfer->failure = SHIPOPT_ENOMEM;
	return false;
}

static int engine_check_request(const struct http_request *request)
{
	static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};
	bool is_known = false;
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		is_known = is_known || text_equal(request->method, methods[i]);
	bool has_body = request->body_length > 0;
	if (!is_known || (has_body && (!request->body || text_equal(request->method, "GET"))))
		return SHIPOPT_EINVAL;
	/* A line break would let the credential end the header and begin another. */
	for (const char *c = request->authorization; c && *c; c++)
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			return SHIPOPT_EINVAL;
	return url_check(request->url, NULL) < 0 ? SHIPOPT_EINVAL : 0;
}

int http_send(struct http_engine *engine, struct http_request *request)
{
	struct http_multi *multi = NULL;
	struct http_transfer *transfer = NULL;
	ASSERT(!request->transfer);
	int r = engine_check_request(request);
	r = r < 0 ? r : multi_find(engine, &multi);
	r = r < 0 ? r : engine_transfer_take(engine, &transfer);
	if (r < 0)
		return r;
	r = transfer_prepare(transfer, request);
	r = r < 0 ? r : engine_transfer_add(transfer, multi);
	if (r < 0) {
		engine_transfer_give_back(transfer);
		return r;
	}
	request->transfer = transfer;
	return 0;
}

void http_cancel(struct http_request *request)
{
	struct http_transfer *transfer = request->transfer;
	if (!transfer || !transfer->multi)
		return;
	transfer->failure = SHIPOPT_ECANCELED;
	engine_transfer_finish(transfer, CURLE_OK);
}

void http_request_clear(struct http_request *request)
{
	ASSERT(!request->transfer);
	buffer_done(&request->response);
	shipopt_error_unref(TAKE(request->error));
	mem_free(TAKE(request->location));
	request->status = request->http_status = 0;
	request->sent = HTTP_NOT_SENT;
	request->was_handed_over = false;
	request->request_id[0] = '\0';
	request->retry_after_ms = -1;
	request->duration_us = 0;
}

/* --- the turn --- */

static void engine_collect(struct http_multi *multi)
{
	int left;
	CURLMsg *message;
	multi->is_touched = false;
	while ((message = curl_multi_info_read(multi->handle, &left))) {
		struct http_transfer *transfer = NULL;
		CURLcode code = message->data.result;
		(void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		ASSERT(message->msg == CURLMSG_DONE && transfer && transfer->multi == multi);
		if (!engine_transfer_replace_connection(transfer))
			engine_transfer_finish(transfer, code);
	}
}

static void engine_end_marked(struct http_engine *engine)
{
	engine->has_marked = false;
	for (size_t i = 0; i < engine->multi_count; i++) {
		LIST_FOREACH(node, &engine->multis[i]->transfers) {
			struct http_transfer *transfer = LIST_MEMBER(node, struct http_transfer, node);
			if (transfer->failure)
				engine_transfer_finish(transfer, CURLE_OK);
		}
	}
}

/* Transfers that finish during a callback wait for the next turn. */
static void engine_deliver(struct http_engine *engine)
{
	struct list_node finished, *node;
	list_init(&finished);
	list_splice_back(&finished, &engine->finished);
	while ((node = list_pop_front(&finished))) {
		struct http_transfer *transfer = LIST_MEMBER(node, struct http_transfer, node);
		struct http_request *request = transfer->request;
		engine_transfer_give_back(transfer);
		request->transfer = NULL;
		request->done(request);
	}
}

static void engine_turn(struct timer *timer)
{
	struct http_engine *engine = CONTAINER_OF(timer, struct http_engine, timer);
	int64_t now_us = clock_now_us(), next_us = INT64_MAX;
	for (size_t i = 0; i < engine->multi_count; i++)
		if (engine->multis[i]->due_us <= now_us)
			multi_run(engine->multis[i]);
	for (size_t i = 0; i < engine->multi_count; i++)
		if (engine->multis[i]->is_touched)
			engine_collect(engine->multis[i]);
	if (engine->has_marked)
		engine_end_marked(engine);
	engine_deliver(engine);
	for (size_t i = 0; i < engine->multi_count; i++)
		next_us = MIN(next_us, engine->multis[i]->due_us);
	if (!list_is_empty(&engine->finished))
		next_us = 0;
	if (next_us != INT64_MAX)
		engine_schedule(engine, next_us);
	else if (!engine->has_marked)
		timer_stop(&engine->timer);
}

/* --- the engine --- */

/* libcurl is set up once and never torn down: others in the process may use it. */
static int engine_library_init(shipopt_error **ret_error)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static bool is_ready;
	const curl_version_info_data *version = curl_version_info(CURLVERSION_NOW);
	if (version->version_num < LIBCURL_VERSION_MINIMUM)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED, "libcurl %s is older than 7.87", version->version);
	if (!(version->features & CURL_VERSION_THREADSAFE) || !(version->features & CURL_VERSION_SSL))
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"libcurl %s was built without TLS or without a thread-safe "
			"curl_global_init()",
			version->version);
	pthread_mutex_lock(&lock);
	if (!is_ready)
		is_ready = !fault_point() && curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
	bool ok = is_ready;
	pthread_mutex_unlock(&lock);
	return ok ? 0 : error_set(ret_error, SHIPOPT_ENOMEM, "curl_global_init() failed");
}

/* A multi with more transfers than connections to keep closes a connection after each answer. So each multi gets at
 * most as many transfers as its share of the kept connections. */
static size_t engine_transfers_per_multi(size_t connections_max)
{
	size_t multis = (connections_max + HTTP_CONNECTIONS_PER_MULTI - 1) / HTTP_CONNECTIONS_PER_MULTI;
	return multis > 1 ? (connections_max + multis - 1) / multis : HTTP_CONNECTIONS_PER_MULTI;
}

static void engine_init(struct http_engine *engine, struct reactor *reactor, const struct http_options *options)
{
	int64_t connect_ms = options->connect_timeout_ms;
	engine->reactor = reactor;
	engine->connect_timeout_ms =
		connect_ms > 0 ? MIN(connect_ms, (int64_t)INT32_MAX) : HTTP_CONNECT_TIMEOUT_MS_DEFAULT;
	engine->connections_max = options->connections_max ? options->connections_max : HTTP_CONNECTIONS_DEFAULT;
	engine->transfers_per_multi = engine_transfers_per_multi(engine->connections_max);
	engine->proxy = mem_copy_text(options->proxy ? options->proxy : "");
	engine->user_agent =
		mem_copy_text(options->user_agent ? options->user_agent : "libshipopt/" SHIPOPT_VERSION_STRING);
	engine->timer.fire = engine_turn;
	engine->trace = options->trace;
	engine->trace_userdata = options->trace_userdata;
	/* An empty "Expect:" takes away libcurl's wait for a 100. */
	engine->expect = (struct curl_slist){.data = (char *)"Expect:"};
	engine->accept = (struct curl_slist){.data = (char *)"Accept: application/json", .next = &engine->expect};
	list_init(&engine->sockets);
	list_init(&engine->sockets_spare);
	list_init(&engine->stock);
	list_init(&engine->finished);
	tcp_table_init(&engine->connections);
}

int http_engine_new(struct reactor *reactor, const struct http_options *options, struct http_engine **ret_engine,
	shipopt_error **ret_error)
{
	int r = engine_library_init(ret_error);
	if (r < 0)
		return r;
	struct http_engine *engine = mem_alloc_zero(sizeof(*engine));
	if (!engine)
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while making the HTTP engine");
	engine_init(engine, reactor, options);
	if (!engine->proxy || !engine->user_agent)
		r = error_set(ret_error, SHIPOPT_ENOMEM, "out of memory while making the HTTP engine");
	r = r < 0 ? r : url_read_proxy(engine->proxy, &engine->secrets, ret_error);
	r = r < 0 ? r : certificate_bundle_load(&engine->bundle, options->ca_file, ret_error);
	if (r < 0) {
		http_engine_free(engine);
		return r;
	}
	engine->statistics.certificate_cache_shared = engine->bundle.is_shared;
	*ret_engine = engine;
	return 0;
}

void http_engine_free(struct http_engine *engine)
{
	if (!engine)
		return;
	ASSERT(engine->statistics.in_flight == 0 && list_is_empty(&engine->finished));
	struct list_node *node;
	while ((node = list_pop_front(&engine->stock)))
		transfer_free(LIST_MEMBER(node, struct http_transfer, node));
	for (size_t i = 0; i < engine->multi_count; i++)
		multi_free(engine->multis[i]);
	tcp_table_done(&engine->connections);
	socket_free_all(&engine->sockets);
	socket_free_all(&engine->sockets_spare);
	timer_stop(&engine->timer);
	certificate_bundle_free(&engine->bundle);
	mem_free_secret(engine->proxy);
	secret_forms_done(&engine->secrets);
	mem_free(engine->user_agent);
	mem_free(engine);
}

void http_engine_statistics(const struct http_engine *engine, struct http_statistics *ret_statistics)
{
	*ret_statistics = engine->statistics;
}
