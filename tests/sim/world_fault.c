/* SPDX-License-Identifier: MIT */
#include "world.h"

#include "base/clock.h"
#include "base/macro.h"

/* What goes wrong: with a call, with a label, with prices. */

#define PERMILLE 1000
#define PERMILLE_REPEATED 500 /* of purchases that are not the first of their shipment */
#define PERMILLE_ODD 150      /* of labels and prices of an adverse world */
#define PERMILLE_STALE 250    /* of labels that replicas do not know of */

const char *world_fault_name(enum world_fault fault)
{
	static const char *const names[FAULT_COUNT] = {"none", "refused connection", "lost before", "lost after",
		"late", "hang", "hang late", "truncated", "garbage", "empty", "other body", "no label", "500",
		"500 after", "503", "408", "409", "429", "401", "402", "403", "404", "bare 404", "refused",
		"rate expired", "rate unavailable", "in progress", "timed out", "no response", "unlisted", "no code",
		"error text", "gateway's page", "gateway's JSON", "gateway's text", "429 page", "429 unlisted",
		"early refusal", "early shipment", "stale answer", "stale replica", "shared", "shared and named"};
	return names[fault];
}

int64_t world_work_delay_us(const struct world_visit *visit)
{
	switch (visit->fault) {
	case FAULT_NONE:
	case FAULT_LOST_AFTER:
	case FAULT_TRUNCATED:
	case FAULT_GARBAGE:
	case FAULT_EMPTY:
	case FAULT_OTHER_BODY:
	case FAULT_500_AFTER:
	case FAULT_SHARED:
	case FAULT_SHARED_NAMED: return 0;
	case FAULT_LATE:
	case FAULT_HANG_LATE:
	case FAULT_NO_LABEL:
	case FAULT_408: return visit->ms < 0 ? -1 : visit->ms * 1000;
	case FAULT_STALE: return -1;
	default: return visit->fault < FAULT_IN_PROGRESS || visit->ms < 0 ? -1 : visit->ms * 1000;
	}
}

/* ---- drawing ----------------------------------------------------------------------------------------------- */

/* Faults that make sense for a kind of call. */
static bool fits_call(enum world_call call, enum world_fault fault)
{
	switch (fault) {
	case FAULT_LATE:
	case FAULT_HANG_LATE:
	case FAULT_NO_LABEL:
	case FAULT_RATE_EXPIRED:
	case FAULT_UNAVAILABLE:
	case FAULT_409:
	case FAULT_IN_PROGRESS:
	case FAULT_TIMED_OUT:
	case FAULT_NO_RESPONSE:
	case FAULT_EARLY_REFUSAL:
	case FAULT_EARLY_SHIPMENT: return call == WORLD_BUY;
	case FAULT_404:
	case FAULT_REFUSED:
	case FAULT_UNLISTED:
	case FAULT_NO_CODE:
	case FAULT_ERROR_TEXT: return call == WORLD_BUY || call == WORLD_CREATE;
	case FAULT_STALE: return call == WORLD_READ || call == WORLD_RERATE;
	case FAULT_SHARED:
	case FAULT_SHARED_NAMED: return call == WORLD_CREATE;
	default: return true;
	}
}

static bool fits(struct world *world, enum world_call call, enum world_fault fault)
{
	bool ends_runs = fault == FAULT_401 || fault == FAULT_402 || fault == FAULT_403 || fault == FAULT_BARE_404 ||
		fault == FAULT_GATEWAY_PAGE;
	if (!world->guard && fault == FAULT_STALE)
		return false;
	/* Rarely, as nothing else happens after it. */
	if (ends_runs && (!world->is_adverse || random_below(&world->random, 8)))
		return false;
	return fits_call(call, fault) && (world->is_adverse || fault < FAULT_UNLISTED);
}

static bool was_sent_before(const struct world *world, const struct world_visit *visit)
{
	return visit->call == WORLD_BUY && !visit->is_stranger && world->is_adverse &&
		world->shipments[visit->shipment].buyer &&
		(world->shipments[visit->shipment].labels > 0 || world_is_buying(world, visit->shipment));
}

static int64_t draw_delay_ms(struct world *world, enum world_fault fault)
{
	int64_t ms = (int64_t)random_below(&world->random, (uint64_t)world->late_max_us / 1000);
	if (random_below(&world->random, 2))
		ms /= 100; /* soon, as often as not */
	return fault >= FAULT_IN_PROGRESS && random_below(&world->random, 3) == 0 ? -1 : ms;
}

static enum world_fault draw_fitting(struct world *world, const struct world_visit *visit, bool is_repeat)
{
	enum world_fault fault;
	/* What leads to a re-rate, which may lead to another price, while an earlier purchase is under way. */
	if (is_repeat && random_below(&world->random, 4) == 0)
		return random_below(&world->random, 2) ? FAULT_RATE_EXPIRED : FAULT_UNAVAILABLE;
	do
		fault = (enum world_fault)(1 + random_below(&world->random, FAULT_COUNT - 1));
	while (!fits(world, visit->call, fault));
	return fault;
}

static void draw_fault(struct world *world, struct world_visit *visit)
{
	static const int64_t waits[] = {-1, 0, 1, 3000, 30000, 400000, 7200000, 86400000};
	static const int statuses[] = {400, 403, 404, 407, 413, 425, 499, 502, 504, 999};
	unsigned permille = world->permille;
	bool is_repeat = permille > 0 && was_sent_before(world, visit);
	if (random_below(&world->random, PERMILLE) >= (is_repeat ? MAX(permille, PERMILLE_REPEATED) : permille))
		return;
	visit->fault = draw_fitting(world, visit, is_repeat);
	visit->ms = draw_delay_ms(world, visit->fault);
	visit->gateway_status = statuses[random_below(&world->random, ARRAY_SIZE(statuses))];
	if (visit->fault == FAULT_429 || visit->fault == FAULT_503 || visit->fault == FAULT_429_PAGE ||
		visit->fault == FAULT_429_UNLISTED)
		visit->retry_after_ms = waits[random_below(&world->random, world->is_adverse ? ARRAY_SIZE(waits) : 5)];
}

void world_choose_fault(struct world *world, struct world_visit *visit)
{
	visit->fault = FAULT_NONE;
	visit->ms = 0;
	visit->gateway_status = 502;
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
		if (visit->fault == FAULT_429 || visit->fault == FAULT_503)
			visit->retry_after_ms = visit->ms;
		return;
	}
}

/* ---- labels and prices ------------------------------------------------------------------------------------- */

static bool is_odd(struct world *world)
{
	return world->is_adverse && random_below(&world->random, PERMILLE) < PERMILLE_ODD;
}

static int64_t draw_stale_us(struct world *world)
{
	if (!world->is_adverse || !world->guard || random_below(&world->random, PERMILLE) >= PERMILLE_STALE)
		return world->stale_us;
	return random_below(&world->random, 3) == 0
		? INT64_MAX
		: (int64_t)random_below(&world->random, (uint64_t)world->late_max_us * 2);
}

void world_finish_label(struct world *world, struct world_shipment *shipment, int64_t insurance)
{
	int64_t stale_us = draw_stale_us(world);
	bool is_insured = !world->insures_nothing && !is_odd(world);
	shipment->charge =
		is_odd(world) ? (enum world_charge)random_below(&world->random, CHARGE_COUNT) : world->charge;
	shipment->document =
		is_odd(world) ? (enum world_document)random_below(&world->random, DOCUMENT_COUNT) : world->document;
	shipment->insured = is_insured && insurance > 0 ? insurance : 0;
	shipment->stale_until_us = stale_us == INT64_MAX ? INT64_MAX : clock_now_us() + stale_us;
}

void world_draw_prices(struct world *world, struct world_shipment *shipment)
{
	int64_t step =
		random_below(&world->random, 3) ? 0 : (int64_t)random_below(&world->random, 200) * 10000 - 1000000;
	bool changes_currency = is_odd(world) && random_below(&world->random, 2);
	for (size_t i = 0; i < WORLD_RATES; i++) {
		shipment->prices[i] = MAX(shipment->prices[i] + step, 1000000);
		if (changes_currency)
			shipment->currencies[i] = random_below(&world->random, 2) ? "CAD" : "USD";
	}
}
