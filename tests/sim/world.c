/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "shipopt/error.h"

#define PERMILLE 1000

static const struct {
	const char *carrier, *service;
	int days;
} products[WORLD_RATES] = {{"USPS", "Priority", 2}, {"UPS", "Ground", 4}, {"USPS", "Express", 1}};

const char *world_fault_name(enum world_fault fault)
{
	static const char *const names[FAULT_COUNT] = {"none", "refused connection", "lost before", "lost after", "late", "hang",
		"hang late", "truncated", "garbage", "empty", "other body", "no label", "500", "500 after", "503", "408", "409",
		"429", "401", "402", "404", "bare 404", "refused", "in progress", "timed out", "no response", "rate expired"};
	return names[fault];
}

void world_init(struct world *world, uint64_t seed)
{
	*world = (struct world){.guard = true, .latency_us = 50000, .late_most_us = 100000000, .rerate_step = 100000};
	random_init(&world->random, seed);
}

void world_done(struct world *world)
{
	free(world->shipments);
	free(world->effects);
}

void world_note(struct world *world, uint64_t value)
{
	world->trace = (world->trace ^ value) * UINT64_C(0x100000001b3);
	world->trace ^= world->trace >> 29;
}

/* The model's own memory never fails: faults are for the library. */
static void *grown(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 16;
	void *larger = realloc(array, *capacity * size);
	if (!larger)
		abort();
	return larger;
}

/* ---- effects ----------------------------------------------------------------------------------------------- */

static void carry_out(struct world *world, struct world_effect *effect)
{
	struct world_shipment *shipment = &world->shipments[effect->shipment];
	effect->is_over = true;
	world->effects_over++;
	if (shipment->labels > 0 && world->guard) {
		effect->result = EFFECT_EXISTS;
	} else if (effect->version != shipment->version) {
		effect->result = EFFECT_EXPIRED;
	} else {
		effect->result = EFFECT_BOUGHT;
		shipment->labels++;
		shipment->chosen = effect->rate;
		shipment->paid = shipment->prices[effect->rate];
		shipment->total_paid += shipment->paid;
		shipment->label_number = ++world->labels;
	}
	world_note(world, (uint64_t)effect->result * 31 + effect->shipment);
}

void world_catch_up(struct world *world)
{
	int64_t now_us = clock_now_us();
	while (world->effects_over < world->effect_count) {
		struct world_effect *next = NULL;
		for (size_t i = 0; i < world->effect_count; i++) {
			struct world_effect *effect = &world->effects[i];
			if (!effect->is_over && effect->due_us <= now_us && (!next || effect->due_us < next->due_us))
				next = effect;
		}
		if (!next)
			return;
		carry_out(world, next);
	}
}

static bool is_being_bought(const struct world *world, size_t shipment)
{
	for (size_t i = 0; i < world->effect_count; i++)
		if (!world->effects[i].is_over && world->effects[i].shipment == shipment)
			return true;
	return false;
}

static size_t add_effect(struct world *world, size_t shipment, int version, int rate, int64_t due_us)
{
	world->effects = grown(world->effects, world->effect_count, &world->effect_capacity, sizeof(*world->effects));
	world->effects[world->effect_count] =
		(struct world_effect){.due_us = due_us, .shipment = shipment, .version = version, .rate = rate};
	return world->effect_count++;
}

/* ---- arriving ---------------------------------------------------------------------------------------------- */

static size_t add_shipment(struct world *world, const char *body)
{
	world->shipments = grown(world->shipments, world->shipment_count, &world->shipment_capacity, sizeof(*world->shipments));
	struct world_shipment *shipment = &world->shipments[world->shipment_count];
	*shipment = (struct world_shipment){.version = 1};
	/* Read without the library's parser, whose memory may be made to fail. */
	const char *reference = body ? strstr(body, "\"reference\":\"") : NULL;
	if (reference)
		sscanf(reference, "\"reference\":\"%79[^\"]", shipment->reference);
	int64_t cents = (int64_t)(world->shipment_count % 40);
	shipment->prices[0] = 7500000 + cents * 10000;
	shipment->prices[1] = 5250000 + cents * 10000;
	shipment->prices[2] = 26350000 + cents * 10000;
	return world->shipment_count++;
}

static void rerate(struct world *world, size_t index)
{
	struct world_shipment *shipment = &world->shipments[index];
	shipment->version += shipment->version % 2 == 0 ? 1 : 2; /* even: expired */
	for (size_t i = 0; i < WORLD_RATES; i++)
		shipment->prices[i] += world->rerate_step;
}

/* Faults that make sense for a kind of call. */
static bool fits(enum world_call call, enum world_fault fault)
{
	switch (fault) {
	case FAULT_LATE:
	case FAULT_HANG_LATE:
	case FAULT_NO_LABEL:
	case FAULT_IN_PROGRESS:
	case FAULT_TIMED_OUT:
	case FAULT_NO_RESPONSE:
	case FAULT_RATE_EXPIRED:
	case FAULT_409:
		return call == WORLD_BUY;
	case FAULT_401: /* ends the whole run: scenarios of their own */
	case FAULT_402:
		return false;
	case FAULT_404:
	case FAULT_REFUSED:
		return call == WORLD_BUY || call == WORLD_CREATE;
	default:
		return true;
	}
}

static void draw_fault(struct world *world, struct world_visit *visit)
{
	if (random_below(&world->random, PERMILLE) >= world->permille)
		return;
	do
		visit->fault = (enum world_fault)(1 + random_below(&world->random, FAULT_COUNT - 1));
	while (!fits(visit->call, visit->fault));
	visit->ms = (int64_t)random_below(&world->random, (uint64_t)world->late_most_us / 1000);
	if (visit->fault == FAULT_429 || visit->fault == FAULT_503) {
		static const int64_t waits[] = {-1, 0, 3000, 30000};
		visit->ms = waits[random_below(&world->random, ARRAY_SIZE(waits))];
	} else if (random_below(&world->random, 2)) {
		visit->ms /= 100; /* soon, as often as not */
	}
	if (visit->fault >= FAULT_IN_PROGRESS && random_below(&world->random, 3) == 0)
		visit->ms = -1;
}

static void choose_fault(struct world *world, struct world_visit *visit)
{
	visit->fault = FAULT_NONE;
	visit->ms = 0;
	if (!world->script) {
		draw_fault(world, visit);
		return;
	}
	for (size_t i = 0; i < world->script_count; i++) {
		if (world->script[i].call != visit->call || (world->script_used >> i & 1))
			continue;
		world->script_used |= UINT64_C(1) << i;
		visit->fault = world->script[i].fault;
		visit->ms = world->script[i].ms;
		return;
	}
}

/* Whether, and how much later, the work behind a call is done; -1: not. */
static int64_t work_delay_us(const struct world_visit *visit)
{
	switch (visit->fault) {
	case FAULT_NONE:
	case FAULT_LOST_AFTER:
	case FAULT_TRUNCATED:
	case FAULT_GARBAGE:
	case FAULT_EMPTY:
	case FAULT_OTHER_BODY:
	case FAULT_500_AFTER:
		return 0;
	case FAULT_LATE:
	case FAULT_HANG_LATE:
	case FAULT_NO_LABEL:
	case FAULT_408:
	case FAULT_IN_PROGRESS:
	case FAULT_TIMED_OUT:
	case FAULT_NO_RESPONSE:
		return visit->ms < 0 ? -1 : visit->ms * 1000;
	default:
		return -1;
	}
}

static void begin_purchase(struct world *world, const char *body, struct world_visit *visit)
{
	int number = 0, version = 0, rate = 0;
	const char *id = body ? strstr(body, "rate_") : NULL;
	if (!id || sscanf(id, "rate_%d_%d_%d", &number, &version, &rate) != 3 || (size_t)number != visit->shipment)
		abort(); /* the rate of another shipment: never */
	struct world_shipment *shipment = &world->shipments[visit->shipment];
	if (visit->fault == FAULT_RATE_EXPIRED && shipment->version % 2)
		shipment->version++;
	int64_t delay_us = work_delay_us(visit);
	if (delay_us < 0)
		return;
	if (world->guard && is_being_bought(world, visit->shipment))
		visit->in_progress = true;
	else
		visit->effect = add_effect(
			world, visit->shipment, version, rate, clock_now_us() + world->latency_us / 2 + delay_us);
}

static enum world_call call_of(const char *method, const char *path, size_t *ret_shipment)
{
	unsigned number;
	*ret_shipment = SIZE_MAX;
	if (strcmp(path, "/shipments") == 0)
		return WORLD_CREATE;
	if (sscanf(path, "/shipments/shp_%u", &number) != 1)
		abort();
	*ret_shipment = number;
	return strcmp(method, "GET") == 0 ? WORLD_READ : strstr(path, "/buy") ? WORLD_BUY : WORLD_RERATE;
}

void world_arrive(struct world *world, const char *method, const char *path, const char *body, struct world_visit *visit)
{
	world_catch_up(world);
	*visit = (struct world_visit){.effect = SIZE_MAX};
	visit->call = call_of(method, path, &visit->shipment);
	choose_fault(world, visit);
	world->calls[visit->call]++;
	world->last_call_us[visit->call] = clock_now_us();
	world_note(world, (uint64_t)clock_now_us());
	world_note(world, (uint64_t)visit->call << 32 | (uint64_t)visit->fault << 16 | (visit->shipment & 0xffff));
	bool works = work_delay_us(visit) >= 0;
	visit->is_stranger = visit->call != WORLD_CREATE && visit->shipment >= world->shipment_count;
	world->strangers += visit->is_stranger;
	if (visit->is_stranger)
		visit->fault = FAULT_NONE;
	else if (visit->call == WORLD_BUY)
		begin_purchase(world, body, visit);
	else if (visit->call == WORLD_CREATE && works)
		visit->shipment = add_shipment(world, body);
	else if (visit->call == WORLD_RERATE && works)
		rerate(world, visit->shipment);
	bool hangs = visit->fault == FAULT_HANG || visit->fault == FAULT_HANG_LATE;
	visit->answer_us = hangs ? INT64_MAX : clock_now_us() + world->latency_us;
}

/* ---- leaving ----------------------------------------------------------------------------------------------- */

static void append_rate(struct buffer *body, const struct world *world, size_t index, int i)
{
	const struct world_shipment *shipment = &world->shipments[index];
	char amount[DECIMAL_TEXT_SIZE];
	decimal_format(shipment->prices[i], 2, amount);
	buffer_append_format(body,
		"{\"id\":\"rate_%zu_%d_%d\",\"carrier\":\"%s\",\"service\":\"%s\",\"rate\":\"%s\",\"currency\":\"USD\","
		"\"delivery_days\":%d}",
		index, shipment->version, i, products[i].carrier, products[i].service, amount, products[i].days);
}

static void append_rates(struct buffer *body, struct world *world, size_t index, bool rates_now)
{
	bool hides = rates_now && world->hidden_visits > 0;
	const char *separator = "";
	world->hidden_visits -= hides;
	buffer_append_text(body, "\"rates\":[");
	for (int i = 0; i < WORLD_RATES; i++) {
		if (hides && strcmp(products[i].carrier, world->hidden_carrier) == 0)
			continue;
		buffer_append_text(body, separator);
		append_rate(body, world, index, i);
		separator = ",";
	}
	buffer_append_text(body, "],\"messages\":[");
	if (hides)
		buffer_append_format(body, "{\"carrier\":\"%s\",\"type\":\"rate_error\",\"message\":\"unavailable\"}",
			world->hidden_carrier);
	buffer_append_text(body, "]");
}

static void append_shipment(struct buffer *body, struct world *world, size_t index, bool rates_now)
{
	const struct world_shipment *shipment = &world->shipments[index];
	buffer_append_format(body, "{\"id\":\"shp_%zu\",\"object\":\"Shipment\",\"reference\":\"%s\",", index, shipment->reference);
	append_rates(body, world, index, rates_now);
	if (shipment->labels > 0) {
		char amount[DECIMAL_TEXT_SIZE];
		decimal_format(shipment->paid, 2, amount);
		buffer_append_format(body,
			",\"tracking_code\":\"TRK%06d\",\"postage_label\":{\"id\":\"pl_%d\",\"label_url\":\"http://l.invalid/%d\"},"
			"\"selected_rate\":{\"id\":\"rate_%zu_%d_%d\",\"carrier\":\"%s\",\"service\":\"%s\",\"rate\":\"%s\","
			"\"currency\":\"USD\"}",
			shipment->label_number, shipment->label_number, shipment->label_number, index, shipment->version,
			shipment->chosen, products[shipment->chosen].carrier, products[shipment->chosen].service, amount);
	}
	buffer_append_text(body, "}");
}

static void refuse(struct world_answer *answer, struct buffer *body, int http_status, const char *code)
{
	answer->http_status = http_status;
	buffer_append_format(body, "{\"error\":{\"code\":\"%s\",\"message\":\"as the script says\",\"errors\":[]}}", code);
}

static void fail(struct world_answer *answer, int status, bool was_sent)
{
	answer->status = status;
	answer->was_sent = was_sent;
	answer->http_status = 0;
}

static void answer_well(struct world *world, const struct world_visit *visit, struct world_answer *answer, struct buffer *body)
{
	if (visit->is_stranger) {
		refuse(answer, body, 404, "NOT_FOUND");
		return;
	}
	if (visit->in_progress) {
		refuse(answer, body, 422, "SHIPMENT.PURCHASE.IN_PROGRESS");
		return;
	}
	if (visit->effect != SIZE_MAX && world->effects[visit->effect].result == EFFECT_EXISTS) {
		refuse(answer, body, 422, "SHIPMENT.POSTAGE.EXISTS");
		return;
	}
	if (visit->effect != SIZE_MAX && world->effects[visit->effect].result == EFFECT_EXPIRED) {
		refuse(answer, body, 422, "RATE.EXPIRED");
		return;
	}
	if (visit->call == WORLD_RERATE && world->guard && world->shipments[visit->shipment].labels > 0) {
		refuse(answer, body, 422, "SHIPMENT.RERATE.POSTAGE_EXISTS");
		return;
	}
	answer->http_status = visit->call == WORLD_CREATE ? 201 : 200;
	append_shipment(body, world, visit->shipment, visit->call == WORLD_CREATE || visit->call == WORLD_RERATE);
}

void world_leave(struct world *world, const struct world_visit *visit, struct world_answer *ret_answer, struct buffer *body)
{
	static const char *const codes[FAULT_COUNT] = {[FAULT_409] = "CONFLICT.OF.SOME.KIND", [FAULT_401] = "APIKEY.INVALID",
		[FAULT_402] = "PAYMENT.REQUIRED", [FAULT_404] = "NOT_FOUND", [FAULT_REFUSED] = "SHIPMENT.POSTAGE.FAILURE",
		[FAULT_IN_PROGRESS] = "SHIPMENT.PURCHASE.IN_PROGRESS", [FAULT_TIMED_OUT] = "SHIPMENT.POSTAGE.TIMED_OUT",
		[FAULT_NO_RESPONSE] = "SHIPMENT.POSTAGE.NO_RESPONSE", [FAULT_RATE_EXPIRED] = "RATE.EXPIRED",
		[FAULT_500] = "INTERNAL_SERVER_ERROR", [FAULT_429] = "RATE_LIMITED"};
	static const int statuses[FAULT_COUNT] = {[FAULT_500] = 500, [FAULT_500_AFTER] = 500, [FAULT_503] = 503, [FAULT_408] = 408,
		[FAULT_409] = 409, [FAULT_429] = 429, [FAULT_401] = 401, [FAULT_402] = 402, [FAULT_404] = 404,
		[FAULT_BARE_404] = 404, [FAULT_REFUSED] = 422, [FAULT_IN_PROGRESS] = 422, [FAULT_TIMED_OUT] = 422,
		[FAULT_NO_RESPONSE] = 422, [FAULT_RATE_EXPIRED] = 422};
	world_catch_up(world);
	*ret_answer = (struct world_answer){.was_sent = true, .retry_after_ms = -1};
	switch (visit->fault) {
	case FAULT_NONE:
		answer_well(world, visit, ret_answer, body);
		break;
	case FAULT_REFUSED_CONNECTION:
		fail(ret_answer, SHIPOPT_ECONNECT, false);
		break;
	case FAULT_LOST_BEFORE:
	case FAULT_LOST_AFTER:
	case FAULT_LATE:
		fail(ret_answer, SHIPOPT_ENETWORK, true);
		break;
	case FAULT_HANG:
	case FAULT_HANG_LATE:
		fail(ret_answer, SHIPOPT_ETIMEDOUT, true);
		break;
	case FAULT_TRUNCATED:
		fail(ret_answer, SHIPOPT_EPROTOCOL, true);
		break;
	case FAULT_GARBAGE:
		ret_answer->http_status = 200;
		buffer_append_text(body, "<html>maintenance</html>");
		break;
	case FAULT_EMPTY:
		ret_answer->http_status = 200;
		break;
	case FAULT_OTHER_BODY:
		ret_answer->http_status = 200;
		buffer_append_text(body, "{\"id\":\"shp_999999\",\"reference\":\"somebody else\",\"tracking_code\":\"TRK999999\","
					 "\"rates\":[{\"id\":\"rate_999999_1_0\",\"carrier\":\"USPS\",\"service\":\"Priority\","
					 "\"rate\":\"1.00\",\"currency\":\"USD\"}]}");
		break;
	case FAULT_NO_LABEL:
		ret_answer->http_status = 200;
		buffer_append_format(body, "{\"id\":\"shp_%zu\",\"rates\":[]}", visit->shipment);
		break;
	default:
		ret_answer->http_status = statuses[visit->fault];
		if (visit->fault == FAULT_429 || visit->fault == FAULT_503)
			ret_answer->retry_after_ms = visit->ms;
		if (codes[visit->fault])
			refuse(ret_answer, body, statuses[visit->fault], codes[visit->fault]);
		else
			buffer_append_text(body, "<html>no such page</html>");
	}
	world_note(world, (uint64_t)ret_answer->http_status << 8 | (uint8_t)-ret_answer->status);
}

int world_labels(struct world *world, const char *reference, int64_t *ret_paid, char *ret_tracking_code, size_t size)
{
	int labels = 0;
	world_catch_up(world);
	for (size_t i = 0; i < world->shipment_count; i++) {
		const struct world_shipment *shipment = &world->shipments[i];
		if (shipment->labels == 0 || strcmp(shipment->reference, reference) != 0)
			continue;
		labels += shipment->labels;
		*ret_paid = shipment->paid;
		snprintf(ret_tracking_code, size, "TRK%06d", shipment->label_number);
	}
	return labels;
}
