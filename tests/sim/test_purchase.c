/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "sim.h"

#define SECOND INT64_C(1000000)
#define SETTLE_MS 120000 /* the default */

/* ---- one thing goes wrong ---------------------------------------------------------------------------------- */

#define SCRIPT(...) {__VA_ARGS__}
#define CREATE(fault, ms) {WORLD_CREATE, FAULT_##fault, ms}
#define BUY(fault, ms) {WORLD_BUY, FAULT_##fault, ms}
#define READ(fault, ms) {WORLD_READ, FAULT_##fault, ms}
#define RERATE(fault, ms) {WORLD_RERATE, FAULT_##fault, ms}

static const struct scenario {
	const char *name;
	struct world_step script[8];
	size_t steps;
	int item, state;
	int64_t creates, buys, reads, rerates;
	int labels;
	int64_t least_s, most_s; /* how long it takes */
} scenarios[] = {
	{"nothing", {{0}}, 0, 0, LEDGER_BOUGHT, 1, 1, 0, 0, 1, 0, 1},
	/* Creating is free and is repeated. */
	{"create: refused connection", SCRIPT(CREATE(REFUSED_CONNECTION, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: lost before", SCRIPT(CREATE(LOST_BEFORE, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: lost after", SCRIPT(CREATE(LOST_AFTER, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: hang", SCRIPT(CREATE(HANG, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 60, 62},
	{"create: garbage", SCRIPT(CREATE(GARBAGE, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: empty", SCRIPT(CREATE(EMPTY, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 500", SCRIPT(CREATE(500, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 503 for 3 s", SCRIPT(CREATE(503, 3000)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 3, 5},
	{"create: 429 at once", SCRIPT(CREATE(429, 0)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 429 for 3 s", SCRIPT(CREATE(429, 3000)), 1, 0, LEDGER_BOUGHT, 2, 1, 0, 0, 1, 3, 5},
	{"create: 429 for an hour", SCRIPT(CREATE(429, 3600000)), 1, SHIPOPT_ETIMEDOUT, LEDGER_PLANNED, 1, 0, 0, 0, 0, 600, 601},
	{"create: refused", SCRIPT(CREATE(REFUSED, 0)), 1, SHIPOPT_EREFUSED, LEDGER_FAILED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 404", SCRIPT(CREATE(404, 0)), 1, SHIPOPT_ENOTFOUND, LEDGER_FAILED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 401", SCRIPT(CREATE(401, 0)), 1, SHIPOPT_EAUTH, LEDGER_PLANNED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 402", SCRIPT(CREATE(402, 0)), 1, SHIPOPT_EPAYMENT, LEDGER_PLANNED, 1, 0, 0, 0, 0, 0, 1},
	{"create: somebody else's shipment", SCRIPT(CREATE(OTHER_BODY, 0)), 1, SHIPOPT_EPROTOCOL, LEDGER_PLANNED, 1, 0, 0, 0, 0,
		0, 1},
	/* Buying is repeated only when it is certain that nothing was done. */
	{"buy: refused connection", SCRIPT(BUY(REFUSED_CONNECTION, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, 0, 0, 1, 0, 2},
	{"buy: refused connections", SCRIPT(BUY(REFUSED_CONNECTION, 0), BUY(REFUSED_CONNECTION, 0), BUY(REFUSED_CONNECTION, 0),
					    BUY(REFUSED_CONNECTION, 0)),
		4, SHIPOPT_ECONNECT, LEDGER_FAILED, 1, 4, 0, 0, 0, 0, 5},
	{"buy: lost before", SCRIPT(BUY(LOST_BEFORE, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: lost after", SCRIPT(BUY(LOST_AFTER, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: late by 1 s", SCRIPT(BUY(LATE, 1000)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 1, 4},
	{"buy: late by 90 s", SCRIPT(BUY(LATE, 90000)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 90, 120},
	{"buy: hang", SCRIPT(BUY(HANG, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: hang, done after 80 s", SCRIPT(BUY(HANG_LATE, 80000)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 80, 100},
	{"buy: truncated", SCRIPT(BUY(TRUNCATED, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: garbage", SCRIPT(BUY(GARBAGE, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: empty", SCRIPT(BUY(EMPTY, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: somebody else's shipment", SCRIPT(BUY(OTHER_BODY, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: no label yet", SCRIPT(BUY(NO_LABEL, 700)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 0, 4},
	{"buy: 500", SCRIPT(BUY(500, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 500, done all the same", SCRIPT(BUY(500_AFTER, 0)), 1, 0, LEDGER_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: 503", SCRIPT(BUY(503, -1)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 408, done later", SCRIPT(BUY(408, 500)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 0, 4},
	{"buy: 409", SCRIPT(BUY(409, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 429 at once", SCRIPT(BUY(429, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, 0, 0, 1, 0, 2},
	{"buy: 429 for 3 s", SCRIPT(BUY(429, 3000)), 1, 0, LEDGER_BOUGHT, 1, 2, 0, 0, 1, 3, 5},
	{"buy: 429 for a minute", SCRIPT(BUY(429, 60000)), 1, 0, LEDGER_BOUGHT, 1, 2, 0, 0, 1, 60, 62},
	{"buy: 429 for an hour", SCRIPT(BUY(429, 3600000)), 1, SHIPOPT_ETIMEDOUT, LEDGER_FAILED, 1, 1, 0, 0, 0, 600, 601},
	{"buy: refused", SCRIPT(BUY(REFUSED, 0)), 1, SHIPOPT_EREFUSED, LEDGER_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 401", SCRIPT(BUY(401, 0)), 1, SHIPOPT_EAUTH, LEDGER_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 402", SCRIPT(BUY(402, 0)), 1, SHIPOPT_EPAYMENT, LEDGER_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 404", SCRIPT(BUY(404, 0)), 1, SHIPOPT_ENOTFOUND, LEDGER_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: a proxy's 404", SCRIPT(BUY(BARE_404, 0)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: in progress, done", SCRIPT(BUY(IN_PROGRESS, 2000)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 2, 6},
	{"buy: in progress, never done", SCRIPT(BUY(IN_PROGRESS, -1)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: timed out, done", SCRIPT(BUY(TIMED_OUT, 100)), 1, 0, LEDGER_BOUGHT, 1, 1, -1, 0, 1, 0, 2},
	{"buy: timed out, never done", SCRIPT(BUY(TIMED_OUT, -1)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: no response, never done", SCRIPT(BUY(NO_RESPONSE, -1)), 1, 0, LEDGER_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	/* An expired rate: the same shipment again, at no more than was approved. */
	{"buy: rate expired, dearer now", SCRIPT(BUY(RATE_EXPIRED, 0)), 1, SHIPOPT_EHELD, LEDGER_HELD, 1, 1, 0, 1, 0, 0, 1},
	/* Reading back is repeated. */
	{"read: lost", SCRIPT(BUY(LOST_AFTER, 0), READ(LOST_BEFORE, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: 500", SCRIPT(BUY(LOST_AFTER, 0), READ(500, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: garbage", SCRIPT(BUY(LOST_AFTER, 0), READ(GARBAGE, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: hang", SCRIPT(BUY(LOST_AFTER, 0), READ(HANG, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 60, 62},
	{"read: 429 for 3 s", SCRIPT(BUY(LOST_AFTER, 0), READ(429, 3000)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 3, 5},
	{"read: somebody else's shipment", SCRIPT(BUY(LOST_AFTER, 0), READ(OTHER_BODY, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 0,
		2},
	{"read: a proxy's 404", SCRIPT(BUY(LOST_AFTER, 0), READ(BARE_404, 0)), 2, 0, LEDGER_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: 401", SCRIPT(BUY(LOST_AFTER, 0), READ(401, 0)), 2, SHIPOPT_EINDOUBT, LEDGER_IN_DOUBT, 1, 1, 1, 0, 1, 0, 2},
	/* A second purchase of the same shipment that goes wrong too. */
	{"bought again after settling, lost again", SCRIPT(BUY(LOST_BEFORE, 0), BUY(LOST_AFTER, 0)), 2, 0, LEDGER_BOUGHT, 1, 2,
		-1, 0, 1, 120, 125},
	{"bought again after settling, refused", SCRIPT(BUY(LOST_BEFORE, 0), BUY(REFUSED, 0)), 2, SHIPOPT_EREFUSED,
		LEDGER_FAILED, 1, 2, -1, 0, 0, 120, 125},
};

static bool differs(const char *scenario, const char *what, int64_t wanted, int64_t got)
{
	if (wanted == got)
		return false;
	print_error("%s: %s should be %lld and is %lld\n", scenario, what, (long long)wanted, (long long)got);
	return true;
}

static int play(const struct scenario *scenario, bool guard)
{
	struct sim_process process;
	char name[96];
	snprintf(name, sizeof(name), "%s%s", scenario->name, guard ? "" : " (no guard)");
	sim_begin(1);
	sim_world.guard = guard;
	sim_world.script = scenario->script;
	sim_world.script_count = scenario->steps;
	sim_open(&process, NULL);
	int64_t begin_us = clock_now_us();
	sim_buy(&process, 1);
	int64_t elapsed_us = clock_now_us() - begin_us;
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
	int failures = differs(name, "the item", scenario->item, process.results[0].status);
	failures += differs(name, "the row's state", scenario->state, row ? row->row.state : 0);
	failures += differs(name, "creates", scenario->creates, sim_world.calls[WORLD_CREATE]);
	failures += differs(name, "buys", scenario->buys, sim_world.calls[WORLD_BUY]);
	if (scenario->reads >= 0)
		failures += differs(name, "reads", scenario->reads, sim_world.calls[WORLD_READ]);
	failures += differs(name, "rerates", scenario->rerates, sim_world.calls[WORLD_RERATE]);
	failures += differs(name, "labels", scenario->labels, sim_world.labels);
	failures += differs(name, "calls for shipments of others", 0, sim_world.strangers);
	if (elapsed_us < scenario->least_s * SECOND || elapsed_us > scenario->most_s * SECOND)
		failures += differs(name, "the time in ms", scenario->least_s * 1000, elapsed_us / 1000);
	if (row && row->row.lease_until_ms > clock_wall_ms())
		failures += differs(name, "the lease left", 0, row->row.lease_until_ms - clock_wall_ms());
	if (failures)
		print_error("  %s\n", process.results[0].message);
	sim_close(&process);
	sim_end();
	return failures;
}

static void each_single_fault_ends_as_the_rules_say(void **state)
{
	int failures = 0;
	for (size_t i = 0; i < ARRAY_SIZE(scenarios); i++)
		for (int guard = 0; guard < 2; guard++)
			failures += play(&scenarios[i], guard);
	assert_int_equal(failures, 0);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_single_fault_ends_as_the_rules_say),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase", tests, NULL, NULL);
}
