/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "../memory_ledger.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "store_fixture.h"

/*
 * Two ledgers, the one in SQLite and the one in memory that the simulated runs use, are given the same requests, drawn
 * at random: they must give the same answers and end with the same rows. A seed that fails is printed.
 */
#define SEEDS 6
#define STEPS 400
#define KEYS 3

struct twins {
	struct store_fixture fixture;
	struct memory_ledger memory;
	struct random random;
	int64_t tokens[KEYS][2], stale[KEYS][2]; /* of the database, of the one in memory */
	int64_t generation[KEYS];
	uint64_t seed;
	int step;
};

static const char *pick(struct twins *twins, const char *a, const char *b, const char *c)
{
	const char *const all[] = {a, b, c};
	return all[random_below(&twins->random, 3)];
}

static struct ledger_request draw(struct twins *twins, int key)
{
	static const char *const names[KEYS] = {"a", "b", "c"};
	static const int targets[] = {0, LEDGER_STATE_PLANNED, LEDGER_STATE_CREATED};
	static const int voids[] = {LEDGER_STATE_VOID_REQUESTED, LEDGER_STATE_VOIDED, LEDGER_STATE_VOID_REFUSED};
	enum ledger_operation operation = (enum ledger_operation)(1 + random_below(&twins->random, LEDGER_OP_VOID));
	if (random_below(&twins->random, 4) == 0)
		operation = LEDGER_OP_CLAIM;
	struct ledger_request request = fixture_request(operation, names[key], 0);
	request.key.generation = twins->generation[key];
	if (operation == LEDGER_OP_CLAIM)
		request.key.generation = (int64_t)random_below(&twins->random, 3) == 0 ? twins->generation[key] + 1 : 0;
	request.fingerprint = pick(twins, "f1", "f2", "f3");
	request.request = "{}";
	request.lease_ms = 3600000; /* never over: the clocks of the two differ */
	request.shipment_id = pick(twins, "shp_1", names[key], names[key]);
	request.proven = random_below(&twins->random, 3) == 0;
	request.keep_approval = random_below(&twins->random, 2) == 0;
	request.exists_seen = random_below(&twins->random, 8) == 0;
	request.needs_person = random_below(&twins->random, 8) == 0;
	request.refusal = pick(twins, "no", NULL, "never");
	request.base_url = pick(twins, "http://a.invalid", NULL, NULL);
	request.settle_ms = (int64_t)random_below(&twins->random, 3) * 60000;
	request.insurance = (int64_t)random_below(&twins->random, 2) * 100000000;
	request.fee = (int64_t)random_below(&twins->random, 2) * 1000000;
	request.rate_id = "rate_1";
	request.rate_choice = pick(twins, "cheapest", "fastest", NULL);
	request.carrier = "USPS";
	request.service = "Priority";
	request.currency = pick(twins, "USD", "USD", NULL);
	request.amount = (int64_t)random_below(&twins->random, 3) * 4000000;
	request.ceiling = (int64_t)random_below(&twins->random, 2) * 5000000;
	request.budget = pick(twins, NULL, "spring", "summer");
	request.budget_limit = (int64_t)random_below(&twins->random, 2) * 12000000;
	request.tracking_code = "T1";
	request.label_url = "http://l.invalid/1";
	request.paid = (int64_t)random_below(&twins->random, 2) * 4500000;
	request.reason = pick(twins, "because", "why not", NULL);
	request.state = operation == LEDGER_OP_REOPEN ? targets[random_below(&twins->random, 3)]
		: operation == LEDGER_OP_VOID         ? voids[random_below(&twins->random, 3)]
						      : 0;
	request.release = random_below(&twins->random, 8) == 0;
	return request;
}

static bool rows_agree(const struct ledger_row *a, const struct ledger_row *b)
{
	return a->generation == b->generation && a->state == b->state && text_equal(a->fingerprint, b->fingerprint) &&
		text_equal(a->shipment_id, b->shipment_id) && text_equal(a->rate_id, b->rate_id) &&
		text_equal(a->carrier, b->carrier) && text_equal(a->currency, b->currency) && a->amount == b->amount &&
		a->ceiling == b->ceiling && a->approved == b->approved &&
		text_equal(a->approved_currency, b->approved_currency) && a->sent == b->sent &&
		a->unproven == b->unproven && a->settle_ms == b->settle_ms && a->exists_seen == b->exists_seen &&
		a->needs_person == b->needs_person && text_equal(a->refusal, b->refusal) &&
		text_equal(a->base_url, b->base_url) && a->insurance == b->insurance && a->fee == b->fee &&
		text_equal(a->rate_choice, b->rate_choice) && text_equal(a->request, b->request) &&
		!a->buying_at_ms == !b->buying_at_ms && a->attempts == b->attempts &&
		text_equal(a->tracking_code, b->tracking_code) && text_equal(a->label_url, b->label_url) &&
		a->paid == b->paid && text_equal(a->budget, b->budget) && text_equal(a->reason, b->reason) &&
		!a->lease_until_ms == !b->lease_until_ms;
}

static void compare(struct twins *twins, const struct ledger_request *a, const struct ledger_request *b)
{
	if (a->status == b->status && a->created_row == b->created_row && a->budget_more == b->budget_more &&
		a->budget_used == b->budget_used && rows_agree(&a->row, &b->row))
		return;
	fail_msg(
		"seed %llu, step %d: operation %d of %s: SQLite says %d and %s (%s, %lld), memory %d and %s (%s, %lld)",
		(unsigned long long)twins->seed, twins->step, (int)a->operation, a->key.order_key, a->status,
		ledger_state_name(a->row.state), a->row.reason, (long long)a->row.amount, b->status,
		ledger_state_name(b->row.state), b->row.reason, (long long)b->row.amount);
}

static void step(struct twins *twins)
{
	int key = (int)random_below(&twins->random, KEYS);
	struct ledger_request real = draw(twins, key), model = real;
	/* Mostly the token that is held, at times the one before it. */
	bool stale = random_below(&twins->random, 12) == 0;
	real.token = stale ? twins->stale[key][0] : twins->tokens[key][0];
	model.token = stale ? twins->stale[key][1] : twins->tokens[key][1];
	if (real.operation != LEDGER_OP_CLAIM && real.key.generation == 0)
		return;
	shipopt_error *error = NULL;
	assert_int_equal(ledger_request_check(&model, "default", &error), 0);
	fixture_run(&twins->fixture, twins->fixture.store, &real);
	memory_ledger_apply(&twins->memory, &model);
	compare(twins, &real, &model);
	if (real.operation == LEDGER_OP_CLAIM && real.status == LEDGER_OUTCOME_OK) {
		memcpy(twins->stale[key], twins->tokens[key], sizeof(twins->stale[key]));
		twins->tokens[key][0] = real.token;
		twins->tokens[key][1] = model.claimed_token;
		twins->generation[key] = real.row.generation;
	}
	fixture_forget(&real);
	fixture_forget(&model);
}

static void both_ledgers_answer_alike(void **state)
{
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct twins twins = {.seed = seed};
		store_fixture_init(&twins.fixture, NULL);
		memory_ledger_init(&twins.memory);
		random_init(&twins.random, seed);
		for (twins.step = 0; twins.step < STEPS; twins.step++)
			step(&twins);
		memory_ledger_done(&twins.memory);
		store_fixture_done(&twins.fixture);
	}
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(both_ledgers_answer_alike)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
