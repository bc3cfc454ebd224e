/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <stdio.h>

#include "base/text.h"
#include "carrier/answer.h"
#include "carrier/exchange_steps.h"
#include "record/record.h"

/* ---- reading ------------------------------------------------------------------------------------------------ */

static void exchange_parse(struct exchange *exchange)
{
	struct buffer *body = &exchange->http.response;
	if (exchange->http.status == 0 && body->length)
		json_document_parse_padded(body->data, body->length, &exchange->document, NULL);
}

struct json_value exchange_answer(const struct exchange *exchange)
{
	struct json_value value = json_root(exchange->document);
	if (exchange->call.record_member)
		json_get(value, exchange->call.record_member, &value);
	return value;
}

void exchange_forget_answer(struct exchange *exchange)
{
	json_document_free(TAKE(exchange->document));
	shipopt_record_free(TAKE(exchange->record));
	http_request_clear(&exchange->http);
}

/* Drops an answer that cannot be the answer to this request. */
static void exchange_reject(struct exchange *exchange, const char *why)
{
	char call[256];
	exchange_describe(exchange, call, sizeof(call));
	json_document_free(TAKE(exchange->document));
	shipopt_record_free(TAKE(exchange->record));
	buffer_done(&exchange->http.response);
	exchange->http.status = error_set(&exchange->http.error, SHIPOPT_EPROTOCOL, "%s: HTTP %d, but %s", call,
		exchange->http.http_status, why);
}

/* The API finds some objects by a reference or a tracking code as well. */
static void exchange_check_id(struct exchange *exchange)
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
	exchange_reject(exchange, why);
}

static void exchange_decode(struct exchange *exchange)
{
	if (!exchange->call.record_kind || !exchange->document || !exchange_is_success(exchange))
		return;
	int r = record_decode_value(exchange->call.record_kind, exchange_answer(exchange), &exchange->record);
	if (r == SHIPOPT_ENOMEM)
		exchange->http.status = r; /* not the server's fault */
	else
		exchange_check_id(exchange);
}

/* ---- what it means ------------------------------------------------------------------------------------------ */

static enum blame exchange_find_blame(const struct exchange *exchange, enum blame_body body)
{
	const struct http_request *http = &exchange->http;
	bool needs_record = exchange->call.record_kind != 0;
	if (http->status < 0)
		return blame_of_failure(http->status);
	if (exchange_is_success(exchange) && needs_record && exchange->document && !exchange->record)
		return BLAME_CARRIER; /* JSON, but not the record that the call asks for */
	return blame_of(&(struct blame_answer){.http_status = http->http_status,
		.body = body,
		.code = body == BLAME_BODY_ENVELOPE ? answer_envelope_code(json_root(exchange->document)) : NULL,
		.endpoint = blame_endpoint(exchange->call.method, buffer_text(&exchange->call.path)),
		.needs_body = needs_record});
}

/* Notes what kind of answer came and whose fault a failure is. */
static void exchange_classify(struct exchange *exchange)
{
	struct json_value root;
	if (exchange->document)
		root = json_root(exchange->document);
	enum blame_body body = answer_body(&exchange->http.response, exchange->document ? &root : NULL);
	exchange->http_status = exchange->http.http_status;
	exchange->is_envelope = exchange->http.status == 0 && body == BLAME_BODY_ENVELOPE;
	exchange->blame = exchange_find_blame(exchange, body);
}

/* Whether the answer says how the call ended. A refusal of a purchase counts only in the API's own error envelope. */
static bool exchange_is_definite(const struct exchange *exchange)
{
	bool is_believed = !exchange->call.is_purchase || exchange->is_envelope;
	if (exchange->http.status < 0)
		return false;
	switch (exchange->blame) {
	case BLAME_NONE: return true;
	case BLAME_ORDER:
	case BLAME_ACCOUNT: return is_believed;
	case BLAME_CONFIGURATION:
		return is_believed && exchange->http_status >= 400; /* a redirect may come after the work */
	case BLAME_PASSING:
		return exchange->call.is_purchase ? exchange->is_envelope && exchange->http_status == 429
						  : exchange->http_status != 408;
	case BLAME_CARRIER: break;
	}
	return false;
}

int exchange_cancel_status(const struct exchange *exchange)
{
	bool is_write = !text_equal(exchange->call.method, "GET");
	return exchange->cancel_is_doubt && is_write && exchange->maybe_sent ? SHIPOPT_EINDOUBT : SHIPOPT_ECANCELED;
}

static int exchange_final_status(const struct exchange *exchange)
{
	const struct http_request *http = &exchange->http;
	if (http->status == SHIPOPT_ECANCELED && exchange_cancel_status(exchange) == SHIPOPT_EINDOUBT)
		return SHIPOPT_EINDOUBT;
	int status = http->status < 0 ? http->status : blame_status(exchange->blame, http->http_status);
	bool may_be_done = exchange->call.repeat == REPEAT_UNSENT && !exchange_is_unsent(exchange);
	return status < 0 && may_be_done && !exchange_is_definite(exchange) ? SHIPOPT_EINDOUBT : status;
}

static void exchange_set_result(struct exchange *exchange)
{
	char call[256];
	shipopt_error_unref(TAKE(exchange->error));
	exchange->status = exchange_final_status(exchange);
	if (exchange->status == 0)
		return;
	exchange_describe(exchange, call, sizeof(call));
	struct json_value root;
	if (exchange->document)
		root = json_root(exchange->document);
	answer_error(&exchange->http, exchange->document ? &root : NULL, call, exchange->status, exchange->blame,
		&exchange->error);
	if (exchange->status == SHIPOPT_EINDOUBT)
		exchange->error = error_advise(exchange->error, exchange->call.doubt_advice);
}

/* From the parsed body to status and error. */
static void exchange_read(struct exchange *exchange)
{
	exchange_decode(exchange);
	exchange_classify(exchange);
	exchange_set_result(exchange);
}

/* A failure of the server, the network, the configuration or this host; not of the call's content. */
static bool exchange_is_problem(const struct exchange *exchange)
{
	int status = exchange->http.status;
	return exchange->blame == BLAME_CARRIER || exchange->blame == BLAME_CONFIGURATION ||
		exchange->http_status == 429 || status == SHIPOPT_EIO || status == SHIPOPT_ETLS;
}

/* Notes for the other calls what the answer says of the carrier as a whole. */
static void exchange_report(struct exchange *exchange)
{
	shipopt_carrier *carrier = exchange->carrier;
	if (exchange_is_problem(exchange)) {
		call_group_note_problem(exchange->group, exchange->error);
		carrier_log_problem(exchange);
	}
	bool is_apis_own = exchange->is_envelope ? exchange->blame != BLAME_CONFIGURATION
						 : exchange->blame == BLAME_NONE && exchange->document;
	carrier->answers += is_apis_own && !exchange->base_url;
	if (exchange->blame != BLAME_CARRIER && exchange->http_status != 429)
		return;
	closures_note(&carrier->closures, exchange->call.endpoint, exchange->error,
		exchange->http.status == 0 ? exchange->http.retry_after_ms : -1);
	exchange_wake_outlasted(carrier, exchange->call.endpoint);
}

/* ---- from the engine ---------------------------------------------------------------------------------------- */

static void exchange_read_done(struct exchange *exchange)
{
	exchange_read(exchange);
	exchange_report(exchange);
	if (!exchange_repeat(exchange))
		exchange_finish(exchange);
}

static void exchange_parsed(struct task *task)
{
	exchange_read_done(CONTAINER_OF(task, struct exchange, task));
}

static void exchange_parse_large(struct task *task)
{
	struct exchange *exchange = CONTAINER_OF(task, struct exchange, task);
	exchange_parse(exchange);
	exchange->task.run = exchange_parsed;
	reactor_post(exchange->carrier->reactor, &exchange->task);
}

static enum lane_outcome exchange_lane_outcome(const struct http_request *http)
{
	switch (http->status) {
	case 0: break;
	case SHIPOPT_ETIMEDOUT: return LANE_OVERLOADED;
	case SHIPOPT_ECANCELED:
	case SHIPOPT_ENOMEM:
	case SHIPOPT_EIO: /* this host had no descriptor */ return LANE_NEUTRAL;
	case SHIPOPT_ETOOLARGE: return LANE_OK;
	default: return LANE_FAILED;
	}
	/* The body has not been parsed yet; the lane does not depend on it. */
	switch (blame_of(&(struct blame_answer){.http_status = http->http_status, .body = BLAME_BODY_JSON})) {
	case BLAME_PASSING: return http->http_status == 429 ? LANE_RATE_LIMITED : LANE_OK;
	case BLAME_CARRIER: return http->http_status == 503 ? LANE_OVERLOADED : LANE_FAILED;
	default: return LANE_OK;
	}
}

void exchange_answered(struct http_request *http)
{
	struct exchange *exchange = CONTAINER_OF(http, struct exchange, http);
	exchange->was_handed_over = http->was_handed_over;
	if (http->status == 0 && !http->was_handed_over)
		exchange_reject(exchange, "the answer began before the request was sent whole");
	if (!exchange_is_unsent(exchange))
		exchange->maybe_sent = true;
	if (http->status == 0) {
		exchange->group->answers++;
		exchange->carrier->stats[SHIPOPT_CARRIER_STAT_ANSWERS] += !exchange->base_url;
	}
	if (exchange_is_rate_limited(exchange))
		exchange->carrier->stats[SHIPOPT_CARRIER_STAT_RATE_LIMITED]++;
	lane_leave(&exchange->ticket, exchange_lane_outcome(http), http->retry_after_ms);
	carrier_log_request(exchange);
	carrier_log_breaker(exchange->carrier);
	if (exchange->call.is_purchase)
		runtime_awaited(exchange->carrier->runtime);
	exchange->state = EXCHANGE_READING;
	if (http->response.length > EXCHANGE_INLINE_BYTES_MAX) {
		exchange->task.run = exchange_parse_large;
		runtime_submit_task(exchange->carrier->runtime, &exchange->task);
		return;
	}
	exchange_parse(exchange);
	exchange_read_done(exchange);
}

/* ---- answers that did not come from the engine -------------------------------------------------------------- */

void exchange_drop_answer(struct exchange *exchange, int status)
{
	ASSERT(!exchange_is_under_way(exchange));
	exchange_forget_answer(exchange);
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
	exchange_parse(exchange);
	exchange_read(exchange);
}
