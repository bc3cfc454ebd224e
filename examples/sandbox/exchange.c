/* SPDX-License-Identifier: MIT */
#include "exchange.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#define BODY_MAX ((size_t)1 << 20)
#define IN_PROGRESS_US 250000 /* how long a purchase stays at work that was answered "in progress" */

struct exchange *exchange_new(struct sandbox *sandbox, struct MHD_Connection *connection, const char *method,
	const char *path)
{
	struct exchange *exchange = mem_alloc_zero(sizeof(*exchange));
	if (!exchange)
		return NULL;
	exchange->sandbox = sandbox;
	exchange->connection = connection;
	exchange->started_us = clock_now_us();
	exchange->route = route_find(method, path, exchange->id);
	buffer_init_padded(&exchange->body, BODY_MAX, JSON_PADDING);
	answer_init(&exchange->answer);
	list_init(&exchange->node);
	return exchange;
}

void exchange_free(struct exchange *exchange)
{
	if (!exchange)
		return;
	buffer_done(&exchange->body);
	answer_done(&exchange->answer);
	mem_free(exchange);
}

static const char *query(const struct call *call, const char *name)
{
	return MHD_lookup_connection_value(call->connection, MHD_GET_ARGUMENT_KIND, name);
}

static struct call make_call(struct exchange *exchange)
{
	struct call call = {.sandbox = exchange->sandbox,
		.answer = &exchange->answer,
		.query = query,
		.connection = exchange->connection,
		.was_in_progress = exchange->was_in_progress};
	memcpy(call.id, exchange->id, sizeof(call.id));
	return call;
}

static int base64_digit(char c)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c ? strchr(digits, c) : NULL;
	return at ? (int)(at - digits) : -1;
}

/* The user name's first two characters are all that is looked at: a sandbox key begins with "EZ". */
static bool is_key_basic(const char *text)
{
	unsigned bits = 0;
	for (int i = 0; i < 4; i++) {
		int digit = base64_digit(text[i]);
		if (digit < 0)
			return false;
		bits = bits << 6 | (unsigned)digit;
	}
	return bits >> 8 == (('E' << 8) | 'Z');
}

static bool is_authorized(struct exchange *exchange)
{
	const char *text = MHD_lookup_connection_value(exchange->connection, MHD_HEADER_KIND, "Authorization");
	if (!text)
		return false;
	if (strncasecmp(text, "Bearer ", 7) == 0)
		return text_has_prefix(text + 7, "EZ");
	return strncasecmp(text, "Basic ", 6) == 0 && is_key_basic(text + 6);
}

/* A token bucket: `requests_per_second` a second, and as many in a burst. */
static bool is_within_limit(struct sandbox *sandbox)
{
	double rate = sandbox->faults.requests_per_second;
	if (rate <= 0)
		return true;
	int64_t now_us = clock_now_us();
	double tokens = sandbox->tokens + (double)(now_us - sandbox->tokens_at_us) / 1e6 * rate;
	sandbox->tokens = MIN(tokens, MAX(rate, 1));
	sandbox->tokens_at_us = now_us;
	if (sandbox->tokens < 1)
		return false;
	sandbox->tokens -= 1;
	return true;
}

static void parse_purchase(struct exchange *exchange)
{
	struct call call = make_call(exchange);
	json_document *document = NULL;
	if (json_document_parse_padded(buffer_text(&exchange->body), exchange->body.length, &document, NULL) < 0)
		return;
	call.has_body = true;
	call.body = json_root(document);
	exchange->has_purchase = shipment_read_purchase(&call, &exchange->purchase);
	json_document_free(document);
}

/* The work of a purchase whose connection is gone or was told something else. */
struct late_purchase {
	struct delay delay;
	struct sandbox *sandbox;
	struct purchase purchase;
	bool is_marked;
};

static void run_late(struct delay *delay)
{
	struct late_purchase *late = CONTAINER_OF(delay, struct late_purchase, delay);
	struct sandbox *sandbox = late->sandbox;
	pthread_mutex_lock(&sandbox->lock);
	if (late->is_marked)
		shipment_set_in_progress(sandbox, late->purchase.shipment, false);
	shipment_purchase(sandbox, &late->purchase, NULL);
	pthread_mutex_unlock(&sandbox->lock);
	mem_free(late);
}

static void drop_late(struct delay *delay)
{
	mem_free(CONTAINER_OF(delay, struct late_purchase, delay));
}

static void schedule_late(struct exchange *exchange, int64_t after_us, bool is_marked)
{
	struct late_purchase *late = exchange->has_purchase ? mem_alloc_zero(sizeof(*late)) : NULL;
	if (!late)
		return;
	*late = (struct late_purchase){.delay = {.run = run_late, .drop = drop_late},
		.sandbox = exchange->sandbox,
		.purchase = exchange->purchase,
		.is_marked = is_marked};
	if (delays_add(exchange->sandbox->delays, &late->delay, after_us) < 0)
		mem_free(late);
}

/* Decides what becomes of a counted call. Under the lock. */
static void draw_fate(struct exchange *exchange)
{
	struct sandbox *sandbox = exchange->sandbox;
	bool is_purchase = exchange->route->is_purchase;
	faults_draw(&sandbox->faults, &sandbox->random, is_purchase, &exchange->draw);
	bool is_hit = is_purchase || !sandbox->faults.only_purchases;
	if (is_hit && !is_within_limit(sandbox)) {
		exchange->draw.fate = FATE_STATUS;
		exchange->draw.status = 429;
	} else if (!is_authorized(exchange)) {
		exchange->draw.fate = FATE_STATUS;
		exchange->draw.status = 401;
	} else if (exchange->is_refused) {
		exchange->draw.fate = FATE_STATUS;
		exchange->draw.status = 411;
	} else if (is_purchase && sandbox->faults.close_kept_alive && exchange->is_kept_alive) {
		exchange->draw.fate = FATE_CLOSE;
	}
}

/* A purchase that will do its work keeps others off the shipment until it is done. */
static void mark_purchase(struct exchange *exchange)
{
	enum fate fate = exchange->draw.fate;
	if (!exchange->route->is_purchase || fate == FATE_STATUS || fate == FATE_LATE_EFFECT)
		return;
	parse_purchase(exchange);
	if (!exchange->has_purchase)
		return;
	exchange->was_in_progress = shipment_set_in_progress(exchange->sandbox, exchange->purchase.shipment, true);
	exchange->is_marked = !exchange->was_in_progress;
}

static enum exchange_verdict begin_counted(struct exchange *exchange)
{
	struct sandbox *sandbox = exchange->sandbox;
	sandbox->counts.requests[route_class(exchange->route)]++;
	draw_fate(exchange);
	switch (exchange->draw.fate) {
	case FATE_CLOSE: return VERDICT_DROP;
	case FATE_RESET: return VERDICT_RESET;
	case FATE_LATE_EFFECT:
		parse_purchase(exchange);
		schedule_late(exchange, exchange->draw.late_us, false);
		return VERDICT_DROP;
	default: break;
	}
	mark_purchase(exchange);
	return exchange->draw.latency_us > 0 ? VERDICT_WAIT : VERDICT_ANSWER;
}

enum exchange_verdict exchange_begin(struct exchange *exchange)
{
	if (exchange->route->is_free)
		return VERDICT_ANSWER;
	pthread_mutex_lock(&exchange->sandbox->lock);
	enum exchange_verdict verdict = begin_counted(exchange);
	pthread_mutex_unlock(&exchange->sandbox->lock);
	return verdict;
}

static void work(struct exchange *exchange)
{
	struct call call = make_call(exchange);
	json_document *document = NULL;
	int r = 0;
	if (exchange->is_too_large) {
		answer_status(&exchange->answer, 413);
		return;
	}
	if (exchange->body.length > 0) {
		r = json_document_parse_padded(exchange->body.data, exchange->body.length, &document, NULL);
		call.has_body = r == 0;
	}
	if (call.has_body)
		call.body = json_root(document);
	if (r < 0)
		answer_status(&exchange->answer, 400);
	else
		exchange->route->handle(&call);
	json_document_free(document);
	if (json_writer_finish(&exchange->answer.json) < 0)
		answer_status(&exchange->answer, 500);
}

static void answer_fate(struct exchange *exchange)
{
	struct answer *answer = &exchange->answer;
	struct fault_draw *draw = &exchange->draw;
	switch (draw->fate) {
	case FATE_STATUS:
		answer_status(answer, draw->status);
		if (draw->status == 429 || draw->status == 503)
			faults_retry_after(&exchange->sandbox->faults, answer->retry_after,
				sizeof(answer->retry_after));
		break;
	case FATE_IN_PROGRESS:
		exchange->was_in_progress = true;
		schedule_late(exchange, IN_PROGRESS_US, exchange->is_marked);
		exchange->is_marked = false;
		work(exchange);
		break;
	case FATE_TIMED_OUT:
		if (draw->is_done)
			work(exchange);
		answer_error(answer, 422, "SHIPMENT.POSTAGE.TIMED_OUT", "The carrier did not answer in time.", NULL, 0);
		break;
	case FATE_GARBAGE:
		work(exchange);
		answer->body.length /= 2;
		buffer_append_text(&answer->body, "]\x01}");
		answer->status = 200;
		break;
	default: work(exchange); break;
	}
}

bool exchange_finish(struct exchange *exchange)
{
	struct sandbox *sandbox = exchange->sandbox;
	pthread_mutex_lock(&sandbox->lock);
	answer_fate(exchange);
	if (exchange->is_marked)
		shipment_set_in_progress(sandbox, exchange->purchase.shipment, false);
	exchange->is_marked = false;
	pthread_mutex_unlock(&sandbox->lock);
	exchange->stage = EXCHANGE_READY;
	return exchange->draw.fate != FATE_LOST_ANSWER;
}
