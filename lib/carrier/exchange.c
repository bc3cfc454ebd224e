/* SPDX-License-Identifier: MIT */
#include "carrier/exchange.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "carrier/answer.h"
#include "carrier/answer_cache.h"
#include "record/record.h"

/* A patient exchange repeats what shows that the server lives this many times as often as others. */
#define PATIENT_FACTOR 8
#define REENTRY_DELAY_US 50000
#define SOCKET_DELAY_DOUBLINGS 5 /* of that delay: 1.6 s at most */
#define URL_BYTES_MAX 8192
#define FAILURE_BYTES_MAX 16384 /* two messages of the carrier's and one of ours */

static void exchange_finish(struct exchange *exchange);
static void exchange_read_done(struct exchange *exchange);
static void exchange_enter(struct exchange *exchange);

void exchange_init(struct exchange *exchange)
{
	memset(exchange, 0, sizeof(*exchange));
	call_init(&exchange->call);
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
	call_done(&exchange->call);
}

static void describe(const struct exchange *exchange, char *text, size_t size)
{
	snprintf(text, size, "%s %.200s", exchange->call.method, buffer_text(&exchange->call.path));
}

/* Sets a failure of our own making. What the carrier said last is kept: to this call, or to those that closed the lane. */
static void set_failure(struct exchange *exchange, int status, const char *what)
{
	shipopt_carrier *carrier = exchange->carrier;
	const shipopt_error *reason = closures_reason(
		&carrier->closures, carrier->lane, exchange->call.endpoint, exchange->waiting_since_us);
	struct error_detail detail;
	struct buffer text;
	char call[256];
	describe(exchange, call, sizeof(call));
	error_get_detail(exchange->error, &detail);
	buffer_init(&text, FAILURE_BYTES_MAX);
	if (detail.message)
		buffer_append_text(&text, detail.message);
	else
		buffer_append_format(&text, "%s: nothing was sent", call);
	if (reason && reason != exchange->error) {
		buffer_append_format(&text, "; another call failed: %s", shipopt_error_message(reason));
		detail.retry_after_ms = MAX(detail.retry_after_ms, shipopt_error_retry_after_ms(reason));
	}
	buffer_append_format(&text, "; %s", what);
	detail.code = status;
	detail.message = buffer_text(&text);
	shipopt_error *error = error_new_detail(&detail);
	buffer_done(&text);
	shipopt_error_unref(exchange->error);
	exchange->error = error;
	exchange->status = status;
}

static void exchange_fail(struct exchange *exchange, int status, const char *what)
{
	set_failure(exchange, status, what);
	exchange_finish(exchange);
}

static void finish_task(struct task *task)
{
	exchange_finish(CONTAINER_OF(task, struct exchange, task));
}

/* In a turn of its own: with the failure that was set. */
static void end_soon(struct exchange *exchange)
{
	exchange->state = EXCHANGE_ENDING;
	exchange->task.run = finish_task;
	reactor_post(exchange->carrier->reactor, &exchange->task);
}

static void exchange_finish(struct exchange *exchange)
{
	shipopt_carrier *carrier = exchange->carrier;
	timer_stop(&exchange->timer);
	list_remove(&exchange->node);
	if (carrier->cache && exchange->maybe_sent && strcmp(exchange->call.method, "GET") != 0)
		answer_forget(exchange); /* before anybody can know that the write is over */
	exchange->state = EXCHANGE_IDLE;
	exchange->carrier = NULL;
	carrier_publish_stats(carrier);
	exchange->done(exchange); /* may free the exchange */
	carrier_unref(carrier);
}

/* ---- the answer -------------------------------------------------------------------------------------------- */

static enum lane_outcome lane_outcome_of(const struct http_request *http)
{
	switch (http->status) {
	case 0:
		break;
	case SHIPOPT_ETIMEDOUT:
		return LANE_OVERLOADED;
	case SHIPOPT_ECANCELED:
	case SHIPOPT_ENOMEM:
	case SHIPOPT_EIO: /* ours: no descriptor */
		return LANE_NEUTRAL;
	case SHIPOPT_ETOOLARGE:
		return LANE_OK;
	default:
		return LANE_FAILED;
	}
	/* The body has not been read yet; it makes no difference to these. */
	switch (blame_of(&(struct blame_answer){.http_status = http->http_status, .body = BLAME_BODY_JSON})) {
	case BLAME_PASSING:
		return http->http_status == 429 ? LANE_RATE_LIMITED : LANE_OK;
	case BLAME_CARRIER:
		return http->http_status == 503 ? LANE_OVERLOADED : LANE_FAILED;
	default:
		return LANE_OK;
	}
}

static void parse_answer(struct exchange *exchange)
{
	struct buffer *body = &exchange->http.response;
	if (exchange->http.status == 0 && body->length)
		json_document_parse_padded(body->data, body->length, &exchange->document, NULL);
}

static void parsed_task(struct task *task)
{
	exchange_read_done(CONTAINER_OF(task, struct exchange, task));
}

static void parse_task(struct task *task)
{
	struct exchange *exchange = CONTAINER_OF(task, struct exchange, task);
	parse_answer(exchange);
	exchange->task.run = parsed_task;
	reactor_post(exchange->carrier->reactor, &exchange->task);
}

static bool is_success(const struct exchange *exchange)
{
	return exchange->http.status == 0 && exchange->http.http_status >= 200 && exchange->http.http_status < 300;
}

/* A 2xx whose body is no JSON, or whose record is not there. An empty body is legal where no record is wanted. */
static bool is_garbage(const struct exchange *exchange)
{
	return is_success(exchange) && exchange->blame != BLAME_NONE;
}

static enum blame find_blame(const struct exchange *exchange, enum blame_body body)
{
	const struct http_request *http = &exchange->http;
	bool needs_record = exchange->call.record_kind != 0;
	if (http->status < 0)
		return blame_of_failure(http->status);
	if (is_success(exchange) && needs_record && exchange->document && !exchange->record)
		return BLAME_CARRIER; /* JSON, and not what was asked for */
	return blame_of(&(struct blame_answer){.http_status = http->http_status, .body = body,
		.code = body == BLAME_BODY_ENVELOPE ? answer_envelope_code(json_root(exchange->document)) : NULL,
		.endpoint = blame_endpoint(exchange->call.method, buffer_text(&exchange->call.path)),
		.needs_body = needs_record});
}

/* What came, and whose fault it is. */
static void classify(struct exchange *exchange)
{
	struct json_value root;
	if (exchange->document)
		root = json_root(exchange->document);
	enum blame_body body = answer_body(&exchange->http.response, exchange->document ? &root : NULL);
	exchange->http_status = exchange->http.http_status;
	exchange->is_envelope = exchange->http.status == 0 && body == BLAME_BODY_ENVELOPE;
	exchange->blame = find_blame(exchange, body);
}

struct json_value exchange_answer(const struct exchange *exchange)
{
	struct json_value value = json_root(exchange->document);
	if (exchange->call.record_member)
		json_get(value, exchange->call.record_member, &value);
	return value;
}

/* Takes the answer for none. */
static void reject_answer(struct exchange *exchange, const char *why)
{
	char call[256];
	describe(exchange, call, sizeof(call));
	json_document_free(TAKE(exchange->document));
	shipopt_record_free(TAKE(exchange->record));
	buffer_done(&exchange->http.response);
	exchange->http.status = error_set(&exchange->http.error, SHIPOPT_EPROTOCOL, "%s: HTTP %d, but %s", call,
		exchange->http.http_status, why);
}

/* The API finds some objects by a reference or a tracking code as well. */
static void check_id(struct exchange *exchange)
{
	static const char *const names[] = {"id", "reference", "tracking_code"};
	struct json_value answer = exchange_answer(exchange);
	const char *expected = buffer_text(&exchange->call.id), *id = json_get_text(answer, "id");
	char why[256];
	if (text_is_empty(expected) || text_is_empty(id))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text_equal(json_get_text(answer, names[i]), expected))
			return;
	snprintf(why, sizeof(why), "it is about \"%.64s\", while \"%.64s\" was asked for", id, expected);
	reject_answer(exchange, why);
}

static void decode_record(struct exchange *exchange)
{
	if (!exchange->call.record_kind || !exchange->document || !is_success(exchange))
		return;
	int r = record_decode_value(exchange->call.record_kind, exchange_answer(exchange), &exchange->record);
	if (r == SHIPOPT_ENOMEM)
		exchange->http.status = r; /* not the server's fault, and not to be taken for garbage */
	else
		check_id(exchange);
}

static bool is_unsent(const struct exchange *exchange)
{
	const struct http_request *http = &exchange->http;
	bool is_limited = http->status == 0 && http->http_status == 429;
	return http->sent == HTTP_NOT_SENT || (is_limited && !exchange->admitted);
}

static bool is_transient(const struct exchange *exchange)
{
	return exchange->blame == BLAME_CARRIER || exchange->blame == BLAME_PASSING || is_garbage(exchange);
}

static unsigned attempts_allowed(const struct exchange *exchange)
{
	unsigned allowed = exchange->attempts_max
				   ? exchange->attempts_max
				   : (unsigned)settings_number(&exchange->carrier->settings, CARRIER_ATTEMPTS_MAX);
	/* A server that cannot be reached, or is not the API, is reported soon, also to the patient: the URL may be wrong. */
	bool is_there = exchange->http.status != SHIPOPT_ECONNECT && exchange->blame != BLAME_CONFIGURATION;
	return exchange->patient && is_there ? allowed * PATIENT_FACTOR : allowed;
}

static bool may_repeat(const struct exchange *exchange)
{
	if (exchange->is_canceled || !is_transient(exchange) || exchange->attempts >= attempts_allowed(exchange))
		return false;
	if (exchange->deadline_us && clock_now_us() >= exchange->deadline_us)
		return false;
	return exchange->call.repeat == REPEAT_ALWAYS || is_unsent(exchange);
}

static void forget_answer(struct exchange *exchange)
{
	json_document_free(TAKE(exchange->document));
	shipopt_record_free(TAKE(exchange->record));
	http_request_clear(&exchange->http);
}

/* No longer than to the deadline, where the exchange ends while it waits. */
static void delay(struct exchange *exchange, int64_t delay_us)
{
	int64_t due_us = clock_now_us() + delay_us;
	if (exchange->deadline_us)
		due_us = MIN(due_us, exchange->deadline_us);
	exchange->state = EXCHANGE_DELAYED;
	timer_start(exchange->carrier->reactor, &exchange->timer, due_us);
}

/* The latest moment at which a call that waits since `waiting_since_us` can still be sent. */
static int64_t patience_end_us(const struct exchange *exchange)
{
	int64_t queue_ms = settings_number(&exchange->carrier->settings, CARRIER_QUEUE_TIMEOUT_MS);
	int64_t end_us = exchange->patience_us ? exchange->patience_us
			 : exchange->deadline_us ? exchange->deadline_us
						 : INT64_MAX;
	return queue_ms ? MIN(end_us, exchange->waiting_since_us + queue_ms * 1000) : end_us;
}

static int64_t paused_until_us(const struct exchange *exchange)
{
	return closures_until_us(&exchange->carrier->closures, exchange->carrier->lane, exchange->call.endpoint);
}

/* If the pause until then outlasts the call: sets its failure. */
static bool is_given_up(struct exchange *exchange, int64_t until_us)
{
	int64_t now_us = clock_now_us(), end_us = patience_end_us(exchange);
	const shipopt_error *reason = closures_reason(
		&exchange->carrier->closures, exchange->carrier->lane, exchange->call.endpoint, exchange->waiting_since_us);
	char what[160];
	if (until_us <= now_us || until_us <= end_us)
		return false;
	int64_t left_s = (MAX(end_us - now_us, 0) + 999999) / 1000000;
	if (shipopt_error_retry_after_ms(reason ? reason : exchange->error) > 0)
		snprintf(what, sizeof(what), "that is longer than the %lld s that this call has left", (long long)left_s);
	else
		snprintf(what, sizeof(what), "the pause of %lld ms after it is longer than the %lld s that this call has left",
			(long long)((until_us - now_us + 999) / 1000), (long long)left_s);
	bool is_rate_limit = shipopt_error_http_status(reason ? reason : exchange->error) == 429;
	set_failure(exchange, is_rate_limit ? SHIPOPT_ERATELIMIT : SHIPOPT_EUNAVAILABLE, what);
	return true;
}

/* True if the exchange goes on. */
static bool try_repeat(struct exchange *exchange)
{
	int64_t delay_us = 0, asked_us = exchange->http.status == 0 ? exchange->http.retry_after_ms * 1000 : 0;
	if (!may_repeat(exchange))
		return false;
	exchange->waiting_since_us = clock_now_us();
	if (is_given_up(exchange, MAX(paused_until_us(exchange), exchange->waiting_since_us + asked_us)))
		return false;
	/* After a 429 the lane's own pause is the delay. */
	bool rate_limited = exchange->http.status == 0 && exchange->http.http_status == 429;
	if (!lane_retry_take(exchange->carrier->lane, exchange->attempts - 1, &delay_us)) {
		if (!exchange->patient)
			return false;
		delay_us = lane_retry_wait_us(exchange->carrier->lane);
	} else if (rate_limited) {
		delay_us = 0;
	}
	if (!rate_limited)
		delay_us = MAX(delay_us, asked_us);
	exchange->carrier->stats[SHIPOPT_CARRIER_STAT_RETRIES]++;
	forget_answer(exchange);
	delay(exchange, delay_us);
	return true;
}

/* True if the exchange goes on, as no socket could be had for its request. */
static bool wait_for_socket(struct exchange *exchange)
{
	bool is_bounded = !exchange->patient || !exchange->deadline_us;
	unsigned doublings = MIN(exchange->attempts - 1, SOCKET_DELAY_DOUBLINGS);
	int64_t delay_us = (int64_t)REENTRY_DELAY_US << doublings;
	if (exchange->http.status != SHIPOPT_EIO || exchange->http.sent != HTTP_NOT_SENT || exchange->is_canceled)
		return false;
	if (is_bounded && exchange->attempts >= attempts_allowed(exchange))
		return false;
	if (exchange->deadline_us && clock_now_us() + delay_us >= exchange->deadline_us)
		return false;
	exchange->carrier->stats[SHIPOPT_CARRIER_STAT_RETRIES]++;
	forget_answer(exchange);
	delay(exchange, delay_us);
	return true;
}

/* Whether the answer tells how the call ended. A refusal of a purchase counts only in the API's own words. */
static bool is_definite(const struct exchange *exchange)
{
	bool is_believed = !exchange->call.is_purchase || exchange->is_envelope;
	if (exchange->http.status < 0)
		return false;
	switch (exchange->blame) {
	case BLAME_NONE:
		return true;
	case BLAME_ORDER:
	case BLAME_ACCOUNT:
		return is_believed;
	case BLAME_CONFIGURATION:
		return is_believed && exchange->http_status >= 400; /* a redirect may come after the work */
	case BLAME_PASSING:
		return exchange->call.is_purchase ? exchange->is_envelope && exchange->http_status == 429
						  : exchange->http_status != 408;
	case BLAME_CARRIER:
		break;
	}
	return false;
}

static int final_status(const struct exchange *exchange)
{
	const struct http_request *http = &exchange->http;
	int status = http->status < 0 ? http->status : blame_status(exchange->blame, http->http_status);
	bool unknown =
		status < 0 && exchange->call.repeat == REPEAT_UNSENT && !is_unsent(exchange) && !is_definite(exchange);
	return unknown ? SHIPOPT_EINDOUBT : status;
}

static void set_result(struct exchange *exchange)
{
	char call[256];
	shipopt_error_unref(TAKE(exchange->error));
	exchange->status = final_status(exchange);
	if (exchange->status == 0)
		return;
	describe(exchange, call, sizeof(call));
	struct json_value root;
	if (exchange->document)
		root = json_root(exchange->document);
	answer_error(&exchange->http, exchange->document ? &root : NULL, call, exchange->status, exchange->blame,
		&exchange->error);
}

void exchange_drop_answer(struct exchange *exchange, int status)
{
	ASSERT(!exchange_is_under_way(exchange));
	forget_answer(exchange);
	shipopt_error_unref(TAKE(exchange->error));
	exchange->http_status = 0;
	exchange->blame = BLAME_NONE;
	exchange->is_envelope = false;
	exchange->status = status;
}

void exchange_take_answer(struct exchange *exchange, const void *bytes, size_t length)
{
	struct buffer *body = &exchange->http.response;
	exchange_drop_answer(exchange, 0);
	exchange->http = (struct http_request){.http_status = 200, .sent = HTTP_NOT_SENT};
	buffer_init_padded(body, length, JSON_PADDING);
	if (length && buffer_append(body, bytes, length) < 0)
		exchange->http.status = SHIPOPT_ENOMEM;
	parse_answer(exchange);
	decode_record(exchange);
	classify(exchange);
	set_result(exchange);
}

/* Ends at once those whose time the pause outlasts, from their timers. */
static void wake_given_up(shipopt_carrier *carrier, enum lane_endpoint endpoint)
{
	if (lane_paused_until_us(carrier->lane, endpoint) <= clock_now_us())
		return;
	LIST_FOREACH(node, &carrier->exchanges) {
		struct exchange *exchange = LIST_MEMBER(node, struct exchange, node);
		if ((exchange->state == EXCHANGE_WAITING || exchange->state == EXCHANGE_DELAYED) &&
			paused_until_us(exchange) > MAX(patience_end_us(exchange), clock_now_us()))
			timer_start(carrier->reactor, &exchange->timer, 0);
	}
}

/* What the answer says of the carrier as a whole, for the other calls. */
static void tell_carrier(struct exchange *exchange)
{
	shipopt_carrier *carrier = exchange->carrier;
	bool is_apis_own = exchange->is_envelope ? exchange->blame != BLAME_CONFIGURATION
						 : exchange->blame == BLAME_NONE && exchange->document;
	carrier->answers += is_apis_own && !exchange->base_url;
	if (exchange->blame != BLAME_CARRIER && exchange->http_status != 429)
		return;
	closures_note(&carrier->closures, exchange->call.endpoint, exchange->error,
		exchange->http.status == 0 ? exchange->http.retry_after_ms : -1);
	wake_given_up(carrier, exchange->call.endpoint);
}

static void exchange_read_done(struct exchange *exchange)
{
	decode_record(exchange);
	classify(exchange);
	set_result(exchange);
	tell_carrier(exchange);
	if (!wait_for_socket(exchange) && !try_repeat(exchange))
		exchange_finish(exchange);
}

static void http_done(struct http_request *http)
{
	struct exchange *exchange = CONTAINER_OF(http, struct exchange, http);
	exchange->was_handed_over = http->was_handed_over;
	if (http->status == 0 && !http->was_handed_over)
		reject_answer(exchange, "the answer began before the request was sent whole");
	if (!is_unsent(exchange))
		exchange->maybe_sent = true;
	if (http->status == 0 && http->http_status == 429)
		exchange->carrier->stats[SHIPOPT_CARRIER_STAT_RATE_LIMITED]++;
	lane_leave(&exchange->ticket, lane_outcome_of(http), http->retry_after_ms);
	if (exchange->call.is_purchase)
		runtime_awaited(exchange->carrier->runtime);
	exchange->state = EXCHANGE_READING;
	if (http->response.length > EXCHANGE_INLINE_BYTES_MAX) {
		exchange->task.run = parse_task;
		runtime_submit_task(exchange->carrier->runtime, &exchange->task);
		return;
	}
	parse_answer(exchange);
	exchange_read_done(exchange);
}

/* ---- admission and sending --------------------------------------------------------------------------------- */

/* A call that spends nothing is given up when its deadline comes. A purchase on the wire is waited for. */
static int64_t request_timeout_ms(const struct exchange *exchange)
{
	int64_t timeout_ms = exchange->timeout_ms ? exchange->timeout_ms
						  : settings_number(&exchange->carrier->settings, CARRIER_TIMEOUT_MS);
	if (!exchange->deadline_us || exchange->call.is_purchase)
		return timeout_ms;
	int64_t left_us = exchange->deadline_us - clock_now_us();
	return MAX(MIN(timeout_ms, (left_us + 999) / 1000), 1);
}

static void fill_request(struct exchange *exchange)
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
		.timeout_ms = request_timeout_ms(exchange),
		.response_limit = (size_t)settings_number(&carrier->settings, CARRIER_RESPONSE_MAX_BYTES),
		.done = http_done,
	};
}

/* Ends in a turn of its own, with a failure of our own making; nothing was sent. */
static void exchange_end_soon(struct exchange *exchange, int status, const char *what)
{
	char call[256];
	describe(exchange, call, sizeof(call));
	shipopt_error_unref(TAKE(exchange->error));
	exchange->state = EXCHANGE_ENDING;
	exchange->status = error_set(&exchange->error, status, "%s: %s", call, what);
	exchange->task.run = finish_task;
	reactor_post(exchange->carrier->reactor, &exchange->task);
}

static void exchange_send(struct exchange *exchange)
{
	fill_request(exchange);
	exchange->state = EXCHANGE_SENDING;
	exchange->attempts++;
	exchange->carrier->stats[SHIPOPT_CARRIER_STAT_REQUESTS]++;
	if (exchange->call.is_purchase)
		runtime_await(exchange->carrier->runtime);
	int r = http_send(exchange->carrier->engine, &exchange->http);
	if (r < 0) {
		if (exchange->call.is_purchase)
			runtime_awaited(exchange->carrier->runtime);
		lane_leave(&exchange->ticket, LANE_NEUTRAL, -1);
		exchange_end_soon(exchange, r, "the request could not be sent");
	}
}

static void admitted(struct lane_ticket *ticket)
{
	struct exchange *exchange = CONTAINER_OF(ticket, struct exchange, ticket);
	timer_stop(&exchange->timer);
	if (exchange->deadline_us && clock_now_us() >= exchange->deadline_us) {
		/* A purchase admitted too late could outlive its lease. */
		lane_leave(ticket, LANE_NEUTRAL, -1);
		exchange_fail(exchange, SHIPOPT_ETIMEDOUT, "its deadline passed before it was admitted");
	} else if (exchange->admitted && !exchange->was_held) {
		exchange->was_held = true;
		exchange->state = EXCHANGE_HELD;
		exchange->admitted(exchange);
	} else {
		exchange_send(exchange);
	}
}

void exchange_go(struct exchange *exchange)
{
	ASSERT(exchange->state == EXCHANGE_HELD);
	bool is_late = exchange->deadline_us && clock_now_us() >= exchange->deadline_us;
	if (!exchange->is_canceled && !is_late) {
		exchange_send(exchange);
		return;
	}
	lane_leave(&exchange->ticket, LANE_NEUTRAL, -1);
	exchange_end_soon(exchange, exchange->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT,
		exchange->is_canceled ? "canceled; nothing was sent" : "its time to be sent had passed; nothing was sent");
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

static void timer_fired(struct timer *timer)
{
	struct exchange *exchange = CONTAINER_OF(timer, struct exchange, timer);
	char what[64];
	if (exchange->state == EXCHANGE_DELAYED) {
		exchange_enter(exchange);
		return;
	}
	lane_withdraw(&exchange->ticket);
	if (is_given_up(exchange, paused_until_us(exchange))) {
		exchange_finish(exchange);
		return;
	}
	snprintf(what, sizeof(what), "it waited %lld s for admission, too long",
		(long long)((clock_now_us() - exchange->waiting_since_us) / 1000000));
	exchange_fail(exchange, SHIPOPT_ETIMEDOUT, what);
}

static void start_queue_timer(struct exchange *exchange)
{
	int64_t queue_ms = settings_number(&exchange->carrier->settings, CARRIER_QUEUE_TIMEOUT_MS);
	int64_t due_us = queue_ms ? clock_now_us() + queue_ms * 1000 : INT64_MAX;
	if (exchange->deadline_us)
		due_us = MIN(due_us, exchange->deadline_us);
	if (due_us != INT64_MAX)
		timer_start(exchange->carrier->reactor, &exchange->timer, due_us);
}

static int try_enter(struct exchange *exchange)
{
	exchange->ticket = (struct lane_ticket){
		.class = exchange->call.class,
		.endpoint = exchange->call.endpoint,
		.group = exchange->group ? exchange->group : &exchange->carrier->single_calls,
		.admitted = admitted,
	};
	exchange->state = EXCHANGE_WAITING;
	exchange->waiting_since_us = clock_now_us();
	int r = lane_enter(exchange->carrier->lane, &exchange->ticket);
	if (r == 0)
		start_queue_timer(exchange);
	return r;
}

static bool is_late(const struct exchange *exchange)
{
	return exchange->deadline_us && clock_now_us() >= exchange->deadline_us;
}

/* Again, after a delay. */
static void exchange_enter(struct exchange *exchange)
{
	if (is_given_up(exchange, paused_until_us(exchange))) {
		exchange_finish(exchange);
		return;
	}
	int r = try_enter(exchange);
	if (r < 0 && is_late(exchange))
		exchange_fail(exchange, SHIPOPT_ETIMEDOUT, "too many calls wait for admission");
	else if (r < 0 && exchange->patient && !exchange->is_canceled)
		delay(exchange, REENTRY_DELAY_US);
	else if (r < 0)
		exchange_fail(exchange, r, "too many calls wait for admission");
}

static char *make_url(const shipopt_carrier *carrier, const struct exchange *exchange)
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
	exchange->url = make_url(carrier, exchange);
	if (!exchange->url)
		return SHIPOPT_ENOMEM;
	exchange->carrier = carrier;
	exchange->timer.fire = timer_fired;
	exchange->waiting_since_us = clock_now_us();
	bool is_over = is_given_up(exchange, paused_until_us(exchange));
	if (!is_over && !exchange->patient && lane_breaker_open_us(carrier->lane) > 0) {
		set_failure(exchange, SHIPOPT_EUNAVAILABLE, "the carrier keeps failing");
		is_over = true;
	}
	if (is_over) {
		end_soon(exchange);
	} else {
		int r = try_enter(exchange);
		if (r == SHIPOPT_EAGAIN && exchange->patient) {
			delay(exchange, REENTRY_DELAY_US);
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
	set_failure(exchange, SHIPOPT_ECANCELED, "it was canceled");
	end_soon(exchange);
}
