/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "shipopt/error.h"

/* What the client gets: statuses, bodies, refusals. */

static const struct {
	const char *carrier, *service;
	int days;
} products[WORLD_RATES] = {{"USPS", "Priority", 2}, {"UPS", "Ground", 4}, {"USPS", "Express", 1}};

/* ---- shipments --------------------------------------------------------------------------------------------- */

static void append_rate(struct buffer *body, const struct world_shipment *shipment, size_t index, int i)
{
	char amount[DECIMAL_TEXT_SIZE];
	decimal_format(shipment->prices[i], 2, amount);
	buffer_append_format(body,
		"{\"id\":\"rate_%zu_%d_%d_%lld_%s\",\"carrier\":\"%s\",\"service\":\"%s\",\"rate\":\"%s\",\"currency\":\"%s\","
		"\"delivery_days\":%d}",
		index, shipment->version, i, (long long)shipment->prices[i], shipment->currencies[i],
		products[i].carrier, products[i].service, amount, shipment->currencies[i], products[i].days);
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
		append_rate(body, &world->shipments[index], index, i);
		separator = ",";
	}
	buffer_append_text(body, "],\"messages\":[");
	if (hides)
		buffer_append_format(body, "{\"carrier\":\"%s\",\"type\":\"rate_error\",\"message\":\"unavailable\"}",
			world->hidden_carrier);
	buffer_append_text(body, "]");
}

static void append_charge(struct buffer *body, const struct world_shipment *shipment, size_t index)
{
	char amount[DECIMAL_TEXT_SIZE];
	int64_t paid = shipment->price;
	const char *currency = shipment->currency;
	switch (shipment->charge) {
	case CHARGE_NO_RATE: return;
	case CHARGE_MORE: paid += WORLD_CHARGE_MORE; break;
	case CHARGE_ZERO: paid = 0; break;
	case CHARGE_NEGATIVE: paid = -paid; break;
	case CHARGE_ABSURD: paid = INT64_C(9000000000000000000); break;
	case CHARGE_CURRENCY: currency = strcmp(currency, "USD") == 0 ? "CAD" : "USD"; break;
	default: break;
	}
	decimal_format(paid, 2, amount);
	buffer_append_format(body,
		",\"selected_rate\":{\"id\":\"rate_%zu_%d_%d\",\"carrier\":\"%s\",\"service\":\"%s\",%s%s%s", index,
		shipment->version, shipment->chosen, products[shipment->chosen].carrier,
		products[shipment->chosen].service, shipment->charge == CHARGE_MISSING ? "" : "\"rate\":\"",
		shipment->charge == CHARGE_MISSING ? "" : amount, shipment->charge == CHARGE_MISSING ? "" : "\",");
	buffer_append_format(body, "\"currency\":\"%s\"}", currency);
}

static void append_label(struct buffer *body, const struct world_shipment *shipment, size_t index)
{
	buffer_append_format(body, ",\"tracking_code\":\"TRK%06d\"", shipment->label_number);
	if (shipment->document != DOCUMENT_NONE)
		buffer_append_format(body, ",\"postage_label\":{\"id\":\"pl_%d\"", shipment->label_number);
	if (shipment->document == DOCUMENT_WHOLE)
		buffer_append_format(body, ",\"label_url\":\"http://l.invalid/%d\"", shipment->label_number);
	buffer_append_text(body, shipment->document == DOCUMENT_NONE ? "" : "}");
	if (shipment->insured > 0) {
		char insured[DECIMAL_TEXT_SIZE];
		decimal_format(shipment->insured, 2, insured);
		buffer_append_format(body, ",\"insurance\":\"%s\"", insured);
	}
	append_charge(body, shipment, index);
}

static void append_shipment(struct buffer *body, struct world *world, size_t index, bool rates_now, bool is_fresh)
{
	const struct world_shipment *shipment = &world->shipments[index];
	buffer_append_format(body, "{\"id\":\"shp_%zu\",\"object\":\"Shipment\",", index);
	if (*shipment->reference)
		buffer_append_format(body, "\"reference\":\"%s\",", shipment->reference);
	append_rates(body, world, index, rates_now);
	if (shipment->labels > 0 && is_fresh)
		append_label(body, shipment, index);
	buffer_append_text(body, "}");
}

/* ---- refusals ---------------------------------------------------------------------------------------------- */

static void refuse(struct world_answer *answer, struct buffer *body, int http_status, const char *code)
{
	answer->http_status = http_status;
	buffer_append_format(body, "{\"error\":{\"code\":\"%s\",\"message\":\"as the script says\",\"errors\":[]}}",
		code);
}

static void fail(struct world_answer *answer, int status, bool was_sent)
{
	answer->status = status;
	answer->was_sent = was_sent;
	answer->http_status = 0;
}

static bool is_fresh(const struct world *world, const struct world_visit *visit)
{
	return visit->fault != FAULT_STALE &&
		(visit->call == WORLD_BUY || visit->call == WORLD_CREATE ||
			clock_now_us() >= world->shipments[visit->shipment].stale_until_us);
}

static const char *refusal_of(const struct world *world, const struct world_visit *visit)
{
	if (visit->in_progress)
		return "SHIPMENT.PURCHASE.IN_PROGRESS";
	if (visit->effect != SIZE_MAX && world->effects[visit->effect].result == EFFECT_EXISTS)
		return "SHIPMENT.POSTAGE.EXISTS";
	if (visit->effect != SIZE_MAX && world->effects[visit->effect].result == EFFECT_EXPIRED)
		return "RATE.EXPIRED";
	bool is_sold = visit->call == WORLD_RERATE && world->shipments[visit->shipment].labels > 0;
	if (is_sold && world->rerates_no_label && is_fresh(world, visit))
		return "SHIPMENT.RERATE.POSTAGE_EXISTS";
	return NULL;
}

static void answer_well(struct world *world, const struct world_visit *visit, struct world_answer *answer,
	struct buffer *body)
{
	const char *refusal = visit->is_stranger ? NULL : refusal_of(world, visit);
	if (visit->is_stranger) {
		refuse(answer, body, 404, "NOT_FOUND");
	} else if (refusal) {
		refuse(answer, body, 422, refusal);
	} else {
		answer->http_status = visit->call == WORLD_CREATE ? 201 : 200;
		append_shipment(body, world, visit->shipment,
			visit->call == WORLD_CREATE || visit->call == WORLD_RERATE, is_fresh(world, visit));
	}
}

/* A creation that is answered with a shipment which was there already. */
static void answer_shared(struct world *world, const struct world_visit *visit, struct world_answer *answer,
	struct buffer *body)
{
	struct world_shipment *shipment = &world->shipments[visit->shipment];
	char first = shipment->reference[0];
	if (visit->fault == FAULT_SHARED)
		shipment->reference[0] = '\0';
	answer->http_status = 201;
	append_shipment(body, world, visit->shipment, true, true);
	shipment->reference[0] = first;
}

/* The shipment itself while there is no other. */
static void answer_stale(struct world *world, const struct world_visit *visit, struct world_answer *answer,
	struct buffer *body)
{
	size_t other = world->shipment_count > 0 ? (visit->shipment + 1) % world->shipment_count : SIZE_MAX;
	answer->http_status = 200;
	if (other != SIZE_MAX)
		append_shipment(body, world, other, false, true);
}

/* ---- failures ---------------------------------------------------------------------------------------------- */

static const struct {
	int status; /* SHIPOPT_E…; 0: an HTTP status */
	int http_status;
	const char *code, *body;
} failures[FAULT_COUNT] = {
	[FAULT_REFUSED_CONNECTION] = {SHIPOPT_ECONNECT, 0, NULL, NULL},
	[FAULT_LOST_BEFORE] = {SHIPOPT_ENETWORK, 0, NULL, NULL},
	[FAULT_LOST_AFTER] = {SHIPOPT_ENETWORK, 0, NULL, NULL},
	[FAULT_LATE] = {SHIPOPT_ENETWORK, 0, NULL, NULL},
	[FAULT_HANG] = {SHIPOPT_ETIMEDOUT, 0, NULL, NULL},
	[FAULT_HANG_LATE] = {SHIPOPT_ETIMEDOUT, 0, NULL, NULL},
	[FAULT_TRUNCATED] = {SHIPOPT_EPROTOCOL, 0, NULL, NULL},
	[FAULT_GARBAGE] = {0, 200, NULL, "<html>maintenance</html>"},
	[FAULT_EMPTY] = {0, 200, NULL, ""},
	[FAULT_OTHER_BODY] = {0, 200, NULL,
		"{\"id\":\"shp_999999\",\"reference\":\"somebody else\",\"tracking_code\":\"TRK999999\",\"rates\":[{\"id\":"
		"\"rate_999999_1_0\",\"carrier\":\"USPS\",\"service\":\"Priority\",\"rate\":\"1.00\",\"currency\":\"USD\"}]}"},
	[FAULT_500] = {0, 500, "INTERNAL_SERVER_ERROR", NULL},
	[FAULT_500_AFTER] = {0, 500, NULL, "<html>error</html>"},
	[FAULT_503] = {0, 503, NULL, "<html>overloaded</html>"},
	[FAULT_408] = {0, 408, NULL, "<html>too slow</html>"},
	[FAULT_409] = {0, 409, "CONFLICT.OF.SOME.KIND", NULL},
	[FAULT_429] = {0, 429, "RATE_LIMITED", NULL},
	[FAULT_401] = {0, 401, "APIKEY.INVALID", NULL},
	[FAULT_402] = {0, 402, "PAYMENT.REQUIRED", NULL},
	[FAULT_403] = {0, 403, "FORBIDDEN", NULL},
	[FAULT_404] = {0, 404, "NOT_FOUND", NULL},
	[FAULT_BARE_404] = {0, 404, NULL, "<html>no such page</html>"},
	[FAULT_REFUSED] = {0, 422, "SHIPMENT.POSTAGE.FAILURE", NULL},
	[FAULT_RATE_EXPIRED] = {0, 422, "RATE.EXPIRED", NULL},
	[FAULT_UNAVAILABLE] = {0, 422, "RATE.UNAVAILABLE", NULL},
	[FAULT_IN_PROGRESS] = {0, 422, "SHIPMENT.PURCHASE.IN_PROGRESS", NULL},
	[FAULT_TIMED_OUT] = {0, 422, "SHIPMENT.POSTAGE.TIMED_OUT", NULL},
	[FAULT_NO_RESPONSE] = {0, 422, "SHIPMENT.POSTAGE.NO_RESPONSE", NULL},
	[FAULT_UNLISTED] = {0, 422, "SOMETHING.NEW", NULL},
	[FAULT_NO_CODE] = {0, 422, NULL, "{\"error\":{\"message\":\"no\"}}"},
	[FAULT_ERROR_TEXT] = {0, 422, NULL, "{\"error\":\"Missing or invalid element: FromPhone\"}"},
	[FAULT_GATEWAY_PAGE] = {0, 0, NULL, "<html>gateway</html>"},
	[FAULT_GATEWAY_JSON] = {0, 0, NULL, "{\"code\":\"SHIPMENT.POSTAGE.FAILURE\",\"message\":\"no route\"}"},
	[FAULT_GATEWAY_TEXT] = {0, 0, NULL, "{\"error\":\"upstream\"}"},
	[FAULT_429_PAGE] = {0, 429, NULL, "<html>slow down</html>"},
	[FAULT_429_UNLISTED] = {0, 429, "QUOTA.OF.SOME.KIND", NULL},
	[FAULT_EARLY_REFUSAL] = {0, 422, "SHIPMENT.POSTAGE.FAILURE", NULL},
};

static void answer_failure(const struct world_visit *visit, struct world_answer *answer, struct buffer *body)
{
	int status = failures[visit->fault].status, http_status = failures[visit->fault].http_status;
	if (status < 0)
		fail(answer, status, visit->fault != FAULT_REFUSED_CONNECTION);
	else if (failures[visit->fault].code)
		refuse(answer, body, http_status, failures[visit->fault].code);
	else
		buffer_append_text(body, failures[visit->fault].body);
	if (status == 0)
		answer->http_status = http_status ? http_status : visit->gateway_status;
}

void world_leave(struct world *world, const struct world_visit *visit, struct world_answer *ret_answer,
	struct buffer *body)
{
	bool is_early = visit->fault == FAULT_EARLY_REFUSAL || visit->fault == FAULT_EARLY_SHIPMENT;
	world_catch_up(world);
	*ret_answer = (struct world_answer){.was_sent = true,
		.was_handed_over = !is_early,
		.retry_after_ms = visit->retry_after_ms};
	switch (visit->fault) {
	case FAULT_NONE:
	case FAULT_STALE: answer_well(world, visit, ret_answer, body); break;
	case FAULT_SHARED:
	case FAULT_SHARED_NAMED: answer_shared(world, visit, ret_answer, body); break;
	case FAULT_EARLY_SHIPMENT:
		ret_answer->http_status = 200;
		append_shipment(body, world, visit->shipment, false, true);
		break;
	case FAULT_STALE_ANSWER: answer_stale(world, visit, ret_answer, body); break;
	case FAULT_NO_LABEL:
		ret_answer->http_status = 200;
		buffer_append_format(body, "{\"id\":\"shp_%zu\",\"rates\":[]}", visit->shipment);
		break;
	default: answer_failure(visit, ret_answer, body);
	}
	world_note(world, (uint64_t)ret_answer->http_status << 8 | (uint8_t)-ret_answer->status);
}
