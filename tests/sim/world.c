/* SPDX-License-Identifier: MIT */
#include "world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/macro.h"

void world_init(struct world *world, uint64_t seed)
{
	*world = (struct world){.guard = true, .latency_us = 50000, .late_max_us = 100000000, .rerate_step = 100000};
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

static bool is_expired(const struct world *world, const struct world_effect *effect)
{
	return !world->sells_old_rates && effect->version != world->shipments[effect->shipment].version;
}

static void carry_out(struct world *world, struct world_effect *effect)
{
	struct world_shipment *shipment = &world->shipments[effect->shipment];
	effect->is_over = true;
	world->effects_over++;
	if (shipment->labels > 0 && world->guard) {
		effect->result = EFFECT_EXISTS;
	} else if (is_expired(world, effect)) {
		effect->result = EFFECT_EXPIRED;
	} else {
		effect->result = EFFECT_BOUGHT;
		shipment->labels++;
		shipment->chosen = effect->rate;
		shipment->price = effect->price;
		shipment->currency = effect->currency;
		shipment->label_number = ++world->labels;
		world_finish_label(world, shipment, effect->insurance);
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

bool world_is_buying(const struct world *world, size_t shipment)
{
	if (world->effects_over == world->effect_count || (world->guard && world->shipments[shipment].labels > 0))
		return false;
	for (size_t i = 0; i < world->effect_count; i++) {
		const struct world_effect *effect = &world->effects[i];
		if (!effect->is_over && effect->shipment == shipment && !is_expired(world, effect))
			return true;
	}
	return false;
}

static bool is_under_way(const struct world *world, size_t shipment)
{
	for (size_t i = 0; i < world->effect_count; i++)
		if (!world->effects[i].is_over && world->effects[i].shipment == shipment)
			return true;
	return false;
}

static size_t add_effect(struct world *world, const struct world_purchase *purchase, int64_t due_us)
{
	world->effects = grown(world->effects, world->effect_count, &world->effect_capacity, sizeof(*world->effects));
	world->effects[world->effect_count] = (struct world_effect){.due_us = due_us,
		.shipment = purchase->shipment,
		.version = purchase->version,
		.rate = purchase->rate,
		.price = purchase->price,
		.currency = purchase->currency,
		.insurance = purchase->insurance};
	return world->effect_count++;
}

/* ---- arriving ---------------------------------------------------------------------------------------------- */

static size_t add_shipment(struct world *world, const char *body)
{
	world->shipments =
		grown(world->shipments, world->shipment_count, &world->shipment_capacity, sizeof(*world->shipments));
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
	for (size_t i = 0; i < WORLD_RATES; i++)
		shipment->currencies[i] = "USD";
	if (world->is_adverse)
		world_draw_prices(world, shipment);
	return world->shipment_count++;
}

static void rerate(struct world *world, size_t index)
{
	struct world_shipment *shipment = &world->shipments[index];
	shipment->version += shipment->version % 2 == 0 ? 1 : 2;
	for (size_t i = 0; i < WORLD_RATES; i++)
		shipment->prices[i] += world->rerate_step;
	if (world->is_adverse)
		world_draw_prices(world, shipment);
}

/* The carrier has the price and its currency in the rate's id, so that it can sell an old rate. */
static struct world_purchase read_purchase(const struct world *world, const struct world_visit *visit, const char *body)
{
	struct world_purchase purchase = {.shipment = visit->shipment, .insurance = -1};
	int number = 0;
	long long price = 0;
	char currency[4] = "";
	const char *id = body ? strstr(body, "rate_") : NULL,
		   *insurance = body ? strstr(body, "\"insurance\":\"") : NULL;
	int fields = id
		? sscanf(id, "rate_%d_%d_%d_%lld_%3[A-Z]", &number, &purchase.version, &purchase.rate, &price, currency)
		: 0;
	if (fields < 3 || (size_t)number != visit->shipment || purchase.rate < 0 || purchase.rate >= WORLD_RATES)
		abort(); /* the rate of another shipment: never */
	purchase.price = fields > 3 ? price : world->shipments[number].prices[purchase.rate];
	purchase.currency = strcmp(currency, "CAD") == 0 ? "CAD" : "USD";
	if (insurance)
		purchase.insurance = (int64_t)(strtod(insurance + strlen("\"insurance\":\""), NULL) * 1000000 + 0.5);
	purchase.has_left = visit->fault != FAULT_REFUSED_CONNECTION;
	return purchase;
}

static void begin_purchase(struct world *world, const char *body, struct world_visit *visit)
{
	struct world_purchase purchase = read_purchase(world, visit, body);
	struct world_shipment *shipment = &world->shipments[visit->shipment];
	if (world->on_buy)
		world->on_buy(world, &purchase);
	if (visit->fault == FAULT_RATE_EXPIRED && shipment->version % 2)
		shipment->version++;
	int64_t delay_us = world_work_delay_us(visit);
	if (delay_us < 0)
		return;
	/* An adverse carrier may take two purchases of a shipment up at once, and sell it to the faster one. */
	bool overtakes = world->is_adverse && world->guard && random_below(&world->random, 2);
	if (world->guard && !overtakes && is_under_way(world, visit->shipment))
		visit->in_progress = true;
	else
		visit->effect = add_effect(world, &purchase, clock_now_us() + world->latency_us / 2 + delay_us);
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

static void begin_creation(struct world *world, const char *body, struct world_visit *visit)
{
	bool is_shared = visit->fault == FAULT_SHARED || visit->fault == FAULT_SHARED_NAMED;
	if (is_shared && world->shipment_count > 0)
		visit->shipment = random_below(&world->random, world->shipment_count);
	else
		visit->shipment = add_shipment(world, body);
}

static void begin_work(struct world *world, const char *body, struct world_visit *visit)
{
	bool works = world_work_delay_us(visit) >= 0;
	bool is_sold =
		visit->call == WORLD_RERATE && world->rerates_no_label && world->shipments[visit->shipment].labels > 0;
	if (visit->call == WORLD_BUY)
		begin_purchase(world, body, visit);
	else if (visit->call == WORLD_CREATE && works)
		begin_creation(world, body, visit);
	else if (visit->call == WORLD_RERATE && works && !is_sold)
		rerate(world, visit->shipment);
}

void world_arrive(struct world *world, const char *method, const char *path, const char *body,
	struct world_visit *visit)
{
	world_catch_up(world);
	*visit = (struct world_visit){.effect = SIZE_MAX, .retry_after_ms = -1};
	visit->call = call_of(method, path, &visit->shipment);
	visit->is_stranger = visit->call != WORLD_CREATE && visit->shipment >= world->shipment_count;
	world_choose_fault(world, visit);
	world->calls[visit->call]++;
	world->last_call_us[visit->call] = clock_now_us();
	world_note(world, (uint64_t)clock_now_us());
	world_note(world, (uint64_t)visit->call << 32 | (uint64_t)visit->fault << 16 | (visit->shipment & 0xffff));
	world->strangers += visit->is_stranger;
	if (visit->is_stranger)
		visit->fault = FAULT_NONE;
	else
		begin_work(world, body, visit);
	world->faults[visit->fault]++;
	bool hangs = visit->fault == FAULT_HANG || visit->fault == FAULT_HANG_LATE;
	visit->answer_us = hangs ? INT64_MAX : clock_now_us() + world->latency_us;
}

/* ---- looking at it ----------------------------------------------------------------------------------------- */

const struct world_shipment *world_find(const struct world *world, const char *id)
{
	unsigned number;
	if (!id || sscanf(id, "shp_%u", &number) != 1 || number >= world->shipment_count)
		return NULL;
	return &world->shipments[number];
}

int world_labels_of(const struct world *world, int64_t buyer)
{
	int labels = 0;
	for (size_t i = 0; i < world->shipment_count; i++)
		labels += world->shipments[i].buyer == buyer ? world->shipments[i].labels : 0;
	return labels;
}

int64_t world_charged(const struct world_shipment *shipment, const char *currency)
{
	bool is_price = shipment->charge == CHARGE_RATE || shipment->charge == CHARGE_MORE;
	if (!is_price || !currency || strcmp(currency, shipment->currency) != 0)
		return 0;
	return shipment->price + (shipment->charge == CHARGE_MORE ? WORLD_CHARGE_MORE : 0);
}
