/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "runtime/runtime.h"
#include "store/ledger.h"
#include "store_fixture.h"

/*
 * Every fault point of the store and of the ledger is made to fail once: allocations, SQLite calls, the writer's
 * thread. What was acknowledged is there afterwards, what failed without doubt is not, and nothing leaks.
 */
#ifdef SHIPOPT_FAULTS

enum { POINTS_MAX = 5000 };

static const struct {
	const char *order_key;
	enum ledger_operation operation;
	int after; /* the row's state */
} steps[] = {
	{"a", LEDGER_OP_CLAIM, LEDGER_STATE_PLANNED},
	{"a", LEDGER_OP_CREATE, LEDGER_STATE_CREATED},
	{"a", LEDGER_OP_BUY, LEDGER_STATE_BUYING},
	{"a", LEDGER_OP_DOUBT, LEDGER_STATE_IN_DOUBT},
	{"a", LEDGER_OP_BUY, LEDGER_STATE_BUYING},
	{"a", LEDGER_OP_BOUGHT, LEDGER_STATE_BOUGHT},
	{"a", LEDGER_OP_DOCUMENT, LEDGER_STATE_DOCUMENTED},
	{"b", LEDGER_OP_CLAIM, LEDGER_STATE_PLANNED},
	{"b", LEDGER_OP_PLAN, LEDGER_STATE_PLANNED},
	{"b", LEDGER_OP_CREATE, LEDGER_STATE_CREATED},
	{"b", LEDGER_OP_BUY, LEDGER_STATE_BUYING},
	{"b", LEDGER_OP_FAIL, LEDGER_STATE_FAILED},
	{"b", LEDGER_OP_REOPEN, LEDGER_STATE_PLANNED},
	{"b", LEDGER_OP_HOLD, LEDGER_STATE_HELD},
};

struct progress {
	size_t steps;
	int64_t tokens[2], row;
	bool is_in_doubt;
	int state[2]; /* of the rows a and b, as acknowledged */
};

static int run_steps(struct store_fixture *fixture, struct progress *progress)
{
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		int which = steps[i].order_key[0] - 'a';
		struct ledger_request request =
			fixture_request(steps[i].operation, steps[i].order_key, progress->tokens[which]);
		request.budget = "all";
		request.currency = "USD";
		request.amount = 5000000;
		request.proven = request.operation == LEDGER_OP_FAIL;
		request.release = i + 1 == ARRAY_SIZE(steps);
		int r = fixture_run(fixture, fixture->store, &request);
		progress->tokens[which] = request.token;
		progress->row = request.row.id;
		fixture_forget(&request);
		progress->is_in_doubt = r == SHIPOPT_EINDOUBT;
		if (r < 0)
			return r;
		assert_int_equal(r, LEDGER_OUTCOME_OK);
		progress->state[which] = steps[i].after;
		progress->steps++;
	}
	return 0;
}

/* `op` is written by the call whose result is `r`, so it is taken by address. */
static int wait_for(int r, shipopt_op **op)
{
	if (r < 0)
		return r;
	r = shipopt_op_wait(*op, -1);
	shipopt_op_unref(*op);
	return r;
}

static int run_queries(struct store_fixture *fixture, struct progress *progress)
{
	shipopt_op *op = NULL;
	int r = shipopt_ledger_list(fixture->store, 0, 0, 10, NULL, NULL, &op);
	r = wait_for(r, &op);
	r = r < 0 ? r : wait_for(shipopt_ledger_count(fixture->store, LEDGER_STATE_HELD, NULL, NULL, &op), &op);
	if (r < 0)
		return r;
	r = shipopt_ledger_resolve(fixture->store, progress->row, LEDGER_STATE_FAILED, NULL, "kim", "never mind", NULL,
		NULL, &op);
	r = wait_for(r, &op);
	progress->is_in_doubt = r == SHIPOPT_EINDOUBT;
	if (r == 0)
		progress->state[1] = LEDGER_STATE_FAILED;
	return r;
}

static int run_all(struct store_fixture *fixture, struct progress *progress)
{
	shipopt_op *op = NULL;
	shipopt_store_free(TAKE(fixture->store));
	int r = shipopt_store_open(fixture->runtime, fixture->url, NULL, &fixture->store, NULL);
	if (r < 0)
		return r;
	r = wait_for(shipopt_store_ready(fixture->store, NULL, NULL, &op), &op);
	r = r < 0 ? r : run_steps(fixture, progress);
	return r < 0 ? r : run_queries(fixture, progress);
}

static void check(struct store_fixture *fixture, const struct progress *progress)
{
	shipopt_store_free(TAKE(fixture->store));
	assert_int_equal(shipopt_store_open(fixture->runtime, fixture->url, NULL, &fixture->store, NULL), 0);
	for (int i = 0; i < 2; i++) {
		struct ledger_request request =
			fixture_request(LEDGER_OP_CLAIM, i == 0 ? "a" : "b", progress->tokens[i]);
		int r = fixture_run(fixture, fixture->store, &request);
		assert_true(r == LEDGER_OUTCOME_OK || r == LEDGER_OUTCOME_BUSY);
		int expected = progress->state[i] ? progress->state[i] : LEDGER_STATE_PLANNED;
		if (!progress->is_in_doubt && request.row.state != expected)
			fail_msg("row %c: %s was acknowledged, the file has %s", 'a' + i, ledger_state_name(expected),
				ledger_state_name(request.row.state));
		assert_int_equal(request.created_row, progress->state[i] == 0 && !progress->is_in_doubt);
		fixture_forget(&request);
	}
}

static void each_failure_is_reported_and_leaves_what_was_acknowledged(void **state)
{
	int failures = 0;
	long point = 0;
	for (bool fired = true; fired && point < POINTS_MAX; point++) {
		struct store_fixture fixture;
		struct progress progress = {0};
		store_fixture_init(&fixture, NULL);
		fault_arm(point);
		int r = run_all(&fixture, &progress);
		fired = fault_fired();
		fault_arm(-1);
		failures += r < 0;
		if (!fired)
			assert_int_equal(r, 0);
		check(&fixture, &progress);
		store_fixture_done(&fixture);
		assert_int_equal(mem_live_count(), 0);
	}
	print_message("%ld points, %d failures\n", point, failures);
	assert_true(point < POINTS_MAX);
	assert_true(failures > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_failure_is_reported_and_leaves_what_was_acknowledged)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	print_message("skipped: built without -Dfaults=true\n");
	return 77;
}

#endif
