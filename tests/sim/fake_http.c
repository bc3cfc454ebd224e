/* SPDX-License-Identifier: MIT */
#include "fake_http.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "json/json.h"

#define ANSWER_BYTES_MAX 4096

struct world *fake_http_world;
void (*fake_http_edit)(const struct world_visit *visit, struct http_request *request);

struct http_engine {
	struct reactor *reactor;
	uint64_t requests;
	size_t in_flight;
};

struct http_transfer {
	struct http_engine *engine;
	struct http_request *request;
	struct timer timer;
	struct world_visit visit;
	int64_t started_us;
	bool is_canceled, is_timed_out;
};

int http_engine_new(struct reactor *reactor, const struct http_options *options, struct http_engine **ret_engine,
	shipopt_error **ret_error)
{
	struct http_engine *engine = mem_alloc_zero(sizeof(*engine));
	if (!engine)
		return SHIPOPT_ENOMEM;
	engine->reactor = reactor;
	*ret_engine = engine;
	return 0;
}

void http_engine_free(struct http_engine *engine)
{
	ASSERT(!engine || engine->in_flight == 0);
	mem_free(engine);
}

static void end(struct http_request *request, int status, bool was_sent, const char *what)
{
	request->status = status;
	request->sent = was_sent ? HTTP_MAYBE_SENT : HTTP_NOT_SENT;
	buffer_clear(&request->response);
	request->http_status = 0;
	if (status < 0)
		error_set(&request->error, status, "%s", what);
}

static void read_answer(struct http_transfer *transfer)
{
	struct http_request *request = transfer->request;
	struct world_answer answer;
	size_t limit = request->response_limit ? request->response_limit : HTTP_RESPONSE_LIMIT_DEFAULT;
	struct buffer whole;
	buffer_init_padded(&request->response, limit, JSON_PADDING);
	buffer_init(&whole, ANSWER_BYTES_MAX);
	/* Reserved, so that the world's own writing cannot fail in the middle. */
	bool is_whole = buffer_reserve(&whole, ANSWER_BYTES_MAX) == 0;
	world_leave(fake_http_world, &transfer->visit, &answer, &whole);
	is_whole = is_whole && buffer_append(&request->response, buffer_text(&whole), whole.length) == 0;
	buffer_done(&whole);
	request->sent = answer.was_sent ? HTTP_MAYBE_SENT : HTTP_NOT_SENT;
	request->http_status = answer.http_status;
	request->was_handed_over = answer.was_handed_over;
	request->retry_after_ms = answer.retry_after_ms;
	if (answer.status < 0)
		end(request, answer.status, answer.was_sent, "the world failed it");
	else if (!is_whole)
		end(request, SHIPOPT_ENOMEM, true, "out of memory");
	else if (fake_http_edit)
		fake_http_edit(&transfer->visit, request);
}

static void transfer_over(struct timer *timer)
{
	struct http_transfer *transfer = CONTAINER_OF(timer, struct http_transfer, timer);
	struct http_request *request = transfer->request;
	struct http_engine *engine = transfer->engine;
	request->duration_us = clock_now_us() - transfer->started_us;
	if (transfer->is_canceled)
		end(request, SHIPOPT_ECANCELED, true, "canceled");
	else if (transfer->is_timed_out)
		end(request, SHIPOPT_ETIMEDOUT, true, "no answer in time");
	else
		read_answer(transfer);
	request->transfer = NULL;
	engine->in_flight--;
	mem_free(transfer);
	request->done(request);
}

/* "http://carrier.invalid/v2/shipments" → "/shipments" */
static const char *path_of(const char *url)
{
	const char *path = strstr(url, "/v2/");
	ASSERT(path);
	return path + 3;
}

int http_send(struct http_engine *engine, struct http_request *request)
{
	struct http_transfer *transfer = mem_alloc_zero(sizeof(*transfer));
	if (!transfer)
		return SHIPOPT_ENOMEM;
	ASSERT(strcmp(request->method, "GET") == 0 || request->send_once);
	int64_t timeout_ms = request->timeout_ms ? request->timeout_ms : HTTP_TIMEOUT_MS_DEFAULT;
	int64_t until_us = clock_now_us() + timeout_ms * 1000;
	request->retry_after_ms = -1;
	transfer->engine = engine;
	transfer->request = request;
	transfer->started_us = clock_now_us();
	transfer->timer.fire = transfer_over;
	world_arrive(fake_http_world, request->method, path_of(request->url), request->body, &transfer->visit);
	transfer->is_timed_out = transfer->visit.answer_us > until_us;
	request->transfer = transfer;
	engine->in_flight++;
	engine->requests++;
	timer_start(engine->reactor, &transfer->timer, MIN(transfer->visit.answer_us, until_us));
	return 0;
}

void http_cancel(struct http_request *request)
{
	struct http_transfer *transfer = request->transfer;
	if (!transfer || transfer->is_canceled)
		return;
	transfer->is_canceled = true;
	timer_start(transfer->engine->reactor, &transfer->timer, 0);
}

void http_request_clear(struct http_request *request)
{
	ASSERT(!request->transfer);
	buffer_done(&request->response);
	shipopt_error_unref(TAKE(request->error));
}

void http_engine_statistics(const struct http_engine *engine, struct http_statistics *ret_statistics)
{
	*ret_statistics = (struct http_statistics){.requests = engine->requests, .in_flight = engine->in_flight};
}
