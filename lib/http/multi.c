/* SPDX-License-Identifier: MIT */
#include "http/multi.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "http/socket.h"

static int multi_on_timer(CURLM *handle, long timeout_ms, void *userdata)
{
	struct http_multi *multi = userdata;
	if (timeout_ms < 0) {
		multi->due_us = INT64_MAX;
		return 0;
	}
	multi->due_us = timeout_ms == 0 ? 0 : clock_now_us() + (int64_t)timeout_ms * 1000;
	engine_schedule(multi->engine, multi->due_us);
	return 0;
}

void multi_free(struct http_multi *multi)
{
	if (!multi)
		return;
	ASSERT(list_is_empty(&multi->transfers));
	curl_multi_cleanup(multi->handle);
	mem_free(multi);
}

#define SET(option, value) (ok = ok && !fault_point() && curl_multi_setopt(multi->handle, option, value) == CURLM_OK)

static int multi_new(struct http_engine *engine, struct http_multi **ret_multi)
{
	struct http_multi *multi = mem_alloc_zero(sizeof(*multi));
	if (!multi)
		return SHIPOPT_ENOMEM;
	list_init(&multi->transfers);
	multi->engine = engine;
	multi->due_us = INT64_MAX;
	multi->handle = fault_point() ? NULL : curl_multi_init();
	bool ok = multi->handle != NULL;
	SET(CURLMOPT_SOCKETFUNCTION, socket_on_change);
	SET(CURLMOPT_SOCKETDATA, multi);
	SET(CURLMOPT_TIMERFUNCTION, multi_on_timer);
	SET(CURLMOPT_TIMERDATA, multi);
	SET(CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	if (!ok) {
		multi_free(multi);
		return SHIPOPT_ENOMEM;
	}
	*ret_multi = multi;
	return 0;
}

/* The bound on kept connections is for all multis together; it is shared out again when there is one more. */
static bool multi_share_connections(struct http_engine *engine)
{
	long each = (long)((engine->connections_max + engine->multi_count - 1) / engine->multi_count);
	bool ok = true;
	for (size_t i = 0; i < engine->multi_count; i++) {
		struct http_multi *multi = engine->multis[i];
		SET(CURLMOPT_MAXCONNECTS, each);
	}
	return ok;
}

/* The first with room: few multis with warm connections are better than many. */
int multi_find(struct http_engine *engine, struct http_multi **ret_multi)
{
	for (size_t i = 0; i < engine->multi_count; i++) {
		if (engine->multis[i]->in_flight < engine->transfers_per_multi) {
			*ret_multi = engine->multis[i];
			return 0;
		}
	}
	if (engine->multi_count == HTTP_MULTIS_MAX)
		return SHIPOPT_EAGAIN;
	struct http_multi *multi = NULL;
	int r = multi_new(engine, &multi);
	if (r < 0)
		return r;
	engine->multis[engine->multi_count++] = multi;
	if (!multi_share_connections(engine)) {
		engine->multi_count--;
		multi_free(multi);
		return SHIPOPT_ENOMEM;
	}
	*ret_multi = multi;
	return 0;
}

void multi_run(struct http_multi *multi)
{
	int running;
	multi->due_us = INT64_MAX;
	multi->is_touched = true;
	CURLMcode code = curl_multi_socket_action(multi->handle, CURL_SOCKET_TIMEOUT, 0, &running);
	ASSERT(code == CURLM_OK || code == CURLM_OUT_OF_MEMORY || code == CURLM_INTERNAL_ERROR);
	/* libcurl reports a time only when it changed. Were we a tick early by its clock, it would have done nothing
	 * and would say nothing more: so ask. */
	long timeout_ms = -1;
	if (multi->due_us == INT64_MAX && curl_multi_timeout(multi->handle, &timeout_ms) == CURLM_OK && timeout_ms >= 0)
		multi_on_timer(multi->handle, timeout_ms, multi);
}
