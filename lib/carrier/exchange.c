/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/answer_cache.h"
#include "carrier/exchange_steps.h"

#define URL_BYTES_MAX 8192
#define FAILURE_BYTES_MAX 16384 /* two messages of the carrier and one of ours */

void exchange_init(struct exchange *exchange)
{
	memset(exchange, 0, sizeof(*exchange));
	carrier_call_init(&exchange->call);
	list_init(&exchange->node);
}

void exchange_clear(struct exchange *exchange)
{
	ASSERT(!exchange_is_under_way(exchange));
	json_document_free(TAKE(exchange->document));
	shipopt_record_free(TAKE(exchange->record));
	shipopt_error_unref(TAKE(exchange->error));
	http_request_clear(&exchange->http);
	mem_free(TAKE(exchange->url));
	carrier_call_done(&exchange->call);
}

/* ---- failures ----------------------------------------------------------------------------------------------- */

void exchange_describe(const struct exchange *exchange, char *text, size_t size)
{
	snprintf(text, size, "%s %.200s", exchange->call.method, buffer_text(&exchange->call.path));
}

void exchange_set_failure(struct exchange *exchange, int status, const char *what)
{
	shipopt_carrier *carrier = exchange->carrier;
	const shipopt_error *reason =
		closures_reason(&carrier->closures, carrier->lane, exchange->call.endpoint, exchange->waiting_since_us);
	struct error_detail detail;
	struct buffer text;
	char call[256];
	exchange_describe(exchange, call, sizeof(call));
	error_get_detail(exchange->error, &detail);
	buffer_init(&text, FAILURE_BYTES_MAX);
	if (detail.message)
		buffer_append_text(&text, detail.message);
	else
		buffer_append_format(&text, "%s: nothing was sent", call);
	if (reason && !text_equal(shipopt_error_message(reason), buffer_text(&text))) {
		buffer_append_format(&text, "; another call failed: %s", shipopt_error_message(reason));
		detail.retry_after_ms = MAX(detail.retry_after_ms, shipopt_error_retry_after_ms(reason));
	}
	buffer_append_format(&text, "; %s", what);
	detail.code = status;
	detail.domain = SHIPOPT_DOMAIN_CARRIER;
	detail.advice = status == SHIPOPT_EINDOUBT ? exchange->call.doubt_advice : NULL;
	detail.message = buffer_text(&text);
	shipopt_error *error = error_new_detail(&detail);
	buffer_done(&text);
	shipopt_error_unref(exchange->error);
	exchange->error = error;
	exchange->status = status;
}

void exchange_finish(struct exchange *exchange)
{
	shipopt_carrier *carrier = exchange->carrier;
	timer_stop(&exchange->timer);
	list_remove(&exchange->node);
	bool is_write = strcmp(exchange->call.method, "GET") != 0;
	if (carrier->cache && exchange->maybe_sent && is_write && !exchange->owner_invalidates)
		answer_invalidate(carrier, exchange); /* before the application can know that the write is over */
	exchange->state = EXCHANGE_IDLE;
	exchange->carrier = NULL;
	carrier_publish_stats(carrier);
	exchange->done(exchange); /* may free the exchange */
	carrier_unref(carrier);
}

static void exchange_fail(struct exchange *exchange, int status, const char *what)
{
	exchange_set_failure(exchange, status, what);
	exchange_finish(exchange);
}

static void exchange_finish_task(struct task *task)
{
	exchange_finish(CONTAINER_OF(task, struct exchange, task));
}

/* Ends in a later turn, with the status and error that are set. */
static void exchange_end_soon(struct exchange *exchange)
{
	exchange->state = EXCHANGE_ENDING;
	exchange->task.run = exchange_finish_task;
	reactor_post(exchange->carrier->reactor, &exchange->task);
}

/* Ends in a later turn, with a failure before this request was sent. */
static void exchange_end_unsent(struct exchange *exchange, int status, const char *what)
{
	char call[256];
	exchange_describe(exchange, call, sizeof(call));
	shipopt_error_unref(TAKE(exchange->error));
	exchange->status = error_set(&exchange->error, status, "%s: %s", call, what);
	exchange_end_soon(exchange);
}

/* ---- sending ------------------------------------------------------------------------------------------------ */

/* The deadline ends a call that spends nothing. A purchase on the wire keeps its own timeout. */
static int64_t exchange_request_timeout_ms(const struct exchange *exchange)
{
	int64_t timeout_ms = exchange->timeout_ms ? exchange->timeout_ms
						  : settings_number(&exchange->carrier->settings, CARRIER_TIMEOUT_MS);
	if (!exchange->deadline_us || exchange->call.is_purchase)
		return timeout_ms;
	int64_t left_us = exchange->deadline_us - clock_now_us();
	return MAX(MIN(timeout_ms, (left_us + 999) / 1000), 1);
}

static void exchange_fill_request(struct exchange *exchange)
{
	shipopt_carrier *carrier = exchange->carrier;
	exchange->http = (struct http_request){
		.method = exchange->call.method,
		.url = exchange->url,
		.authorization = exchange->authorization ? exchange->authorization : carrier->authorization,
		.secrets = exchange->secrets ? exchange->secrets : &carrier->secrets,
		.body = exchange->call.has_body ? buffer_text(&exchange->call.body) : NULL,
		.body_length = exchange->call.has_body ? exchange->call.body.length : 0,
		.send_once = strcmp(exchange->call.method, "GET") != 0,
		.timeout_ms = exchange_request_timeout_ms(exchange),
		.response_limit = (size_t)settings_number(&carrier->settings, CARRIER_RESPONSE_MAX_BYTES),
		.done = exchange_answered,
	};
}

static void exchange_send(struct exchange *exchange)
{
	exchange_fill_request(exchange);
	exchange->state = EXCHANGE_SENDING;
	exchange->attempts++;
	exchange->carrier->stats[SHIPOPT_CARRIER_STAT_REQUESTS]++;
	exchange->group->requests++;
	if (exchange->call.is_purchase)
		runtime_await(exchange->carrier->runtime);
	int r = http_send(exchange->carrier->engine, &exchange->http);
	if (r < 0) {
		if (exchange->call.is_purchase)
			runtime_awaited(exchange->carrier->runtime);
		lane_leave(&exchange->ticket, LANE_NEUTRAL, -1);
		exchange_end_unsent(exchange, r, "the request could not be sent");
	}
}

void exchange_go(struct exchange *exchange)
{
	ASSERT(exchange->state == EXCHANGE_HELD);
	if (!exchange->is_canceled && !exchange_is_late(exchange)) {
		exchange_send(exchange);
		return;
	}
	lane_leave(&exchange->ticket, LANE_NEUTRAL, -1);
	exchange_end_unsent(exchange, exchange->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT,
		exchange->is_canceled ? "canceled; nothing was sent"
				      : "its time to be sent had passed; nothing was sent");
}

void exchange_give_up(struct exchange *exchange)
{
	ASSERT(exchange->state == EXCHANGE_HELD);
	shipopt_carrier *carrier = TAKE(exchange->carrier);
	lane_leave(&exchange->ticket, LANE_NEUTRAL, -1);
	list_remove(&exchange->node);
	exchange->state = EXCHANGE_IDLE;
	carrier_unref(carrier);
}

/* ---- admission ---------------------------------------------------------------------------------------------- */

static void exchange_admitted(struct lane_ticket *ticket)
{
	struct exchange *exchange = CONTAINER_OF(ticket, struct exchange, ticket);
	carrier_log_breaker(exchange->carrier);
	timer_stop(&exchange->timer);
	if (exchange_is_late(exchange)) {
		/* A purchase admitted too late could outlive its lease. */
		lane_leave(ticket, LANE_NEUTRAL, -1);
		exchange_fail(exchange, SHIPOPT_ETIMEDOUT, "its deadline passed before it could be sent");
	} else if (exchange->admitted && !exchange->was_held) {
		exchange->was_held = true;
		exchange->state = EXCHANGE_HELD;
		exchange->admitted(exchange);
	} else {
		exchange_send(exchange);
	}
}

static void exchange_start_queue_timer(struct exchange *exchange)
{
	int64_t queue_ms = settings_number(&exchange->carrier->settings, CARRIER_QUEUE_TIMEOUT_MS);
	int64_t due_us = queue_ms ? clock_now_us() + queue_ms * 1000 : INT64_MAX;
	if (exchange->deadline_us)
		due_us = MIN(due_us, exchange->deadline_us);
	if (due_us != INT64_MAX)
		timer_start(exchange->carrier->reactor, &exchange->timer, due_us);
}

static int exchange_try_enter(struct exchange *exchange)
{
	exchange->ticket = (struct lane_ticket){
		.class = exchange->call.class,
		.endpoint = exchange->call.endpoint,
		.group = &exchange->group->lane,
		.admitted = exchange_admitted,
	};
	exchange->state = EXCHANGE_WAITING;
	exchange->waiting_since_us = clock_now_us();
	int r = lane_enter(exchange->carrier->lane, &exchange->ticket);
	if (r == 0)
		exchange_start_queue_timer(exchange);
	return r;
}

void exchange_delay(struct exchange *exchange, int64_t delay_us)
{
	int64_t due_us = clock_now_us() + delay_us;
	if (exchange->deadline_us)
		due_us = MIN(due_us, exchange->deadline_us);
	exchange->state = EXCHANGE_DELAYED;
	timer_start(exchange->carrier->reactor, &exchange->timer, due_us);
}

/* Enters the lane again, after a delay. */
static void exchange_enter(struct exchange *exchange)
{
	if (exchange_is_outlasted(exchange)) {
		exchange_finish(exchange);
		return;
	}
	int r = exchange_try_enter(exchange);
	if (r < 0 && exchange_is_late(exchange))
		exchange_fail(exchange, SHIPOPT_ETIMEDOUT, "too many calls wait for admission");
	else if (r < 0 && exchange->patient && !exchange->is_canceled)
		exchange_delay(exchange, EXCHANGE_REENTRY_DELAY_US);
	else if (r < 0)
		exchange_fail(exchange, r, "too many calls wait for admission");
}

/* "it was not sent again within 60 s: the circuit breaker is open" */
static void exchange_describe_wait(const struct exchange *exchange, char *text, size_t size)
{
	int64_t waited_ms = (clock_now_us() - exchange->started_us) / 1000;
	const char *obstacle = lane_obstacle(exchange->carrier->lane, exchange->call.endpoint);
	bool is_short = waited_ms < 10000;
	snprintf(text, size, "it was not sent %swithin %lld %s: %s", exchange->attempts > 0 ? "again " : "",
		(long long)(is_short ? waited_ms : waited_ms / 1000), is_short ? "ms" : "s", obstacle);
}

static void exchange_timer_fired(struct timer *timer)
{
	struct exchange *exchange = CONTAINER_OF(timer, struct exchange, timer);
	char what[160];
	if (exchange->state == EXCHANGE_DELAYED) {
		exchange_enter(exchange);
		return;
	}
	lane_withdraw(&exchange->ticket);
	if (exchange_is_outlasted(exchange)) {
		exchange_finish(exchange);
		return;
	}
	exchange_describe_wait(exchange, what, sizeof(what));
	exchange_fail(exchange, SHIPOPT_ETIMEDOUT, what);
}

/* ---- starting and canceling --------------------------------------------------------------------------------- */

static char *exchange_make_url(const shipopt_carrier *carrier, const struct exchange *exchange)
{
	struct buffer url;
	buffer_init(&url, URL_BYTES_MAX);
	int r = buffer_append_text(&url, exchange->base_url ? exchange->base_url : carrier->base_url);
	r = r < 0 ? r : buffer_append(&url, buffer_text(&exchange->call.path), exchange->call.path.length);
	char *text = r < 0 ? NULL : buffer_take(&url);
	buffer_done(&url);
	return text;
}

int exchange_start(shipopt_carrier *carrier, struct exchange *exchange)
{
	ASSERT(!exchange_is_under_way(exchange));
	if (!carrier->engine)
		return SHIPOPT_ESHUTDOWN;
	exchange->url = exchange_make_url(carrier, exchange);
	if (!exchange->url)
		return SHIPOPT_ENOMEM;
	exchange->carrier = carrier;
	if (!exchange->group)
		exchange->group = &carrier->single_calls;
	exchange->timer.fire = exchange_timer_fired;
	exchange->started_us = exchange->waiting_since_us = clock_now_us();
	bool is_over = exchange_is_outlasted(exchange);
	if (!is_over && !exchange->patient && lane_breaker_open_us(carrier->lane) > 0) {
		exchange_set_failure(exchange, SHIPOPT_EUNAVAILABLE, "the carrier keeps failing");
		is_over = true;
	}
	if (is_over) {
		exchange_end_soon(exchange);
	} else {
		int r = exchange_try_enter(exchange);
		if (r == SHIPOPT_EAGAIN && exchange->patient) {
			exchange_delay(exchange, EXCHANGE_REENTRY_DELAY_US);
		} else if (r < 0) {
			exchange->state = EXCHANGE_IDLE;
			mem_free(TAKE(exchange->url));
			return r;
		}
	}
	carrier_ref(carrier);
	list_push_back(&carrier->exchanges, &exchange->node);
	return 0;
}

void exchange_cancel(struct exchange *exchange)
{
	if (!exchange_is_under_way(exchange) || exchange->is_canceled)
		return;
	exchange->is_canceled = true;
	if (exchange->state == EXCHANGE_SENDING)
		http_cancel(&exchange->http);
	if (exchange->state != EXCHANGE_WAITING && exchange->state != EXCHANGE_DELAYED)
		return;
	lane_withdraw(&exchange->ticket);
	timer_stop(&exchange->timer);
	exchange_set_failure(exchange, exchange_cancel_status(exchange), "it was canceled");
	exchange_end_soon(exchange);
}
