/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* ---- one thing goes wrong ---------------------------------------------------------------------------------- */

#define SCRIPT(...)         \
	{                   \
		__VA_ARGS__ \
	}

static const struct scenario {
	const char *name;
	struct world_step script[8];
	size_t steps;
	int item, state;
	int64_t creates, buys, reads, rerates;
	int labels;
	int64_t least_s, most_s; /* how long it takes */
} scenarios[] = {
	{"nothing", {{0}}, 0, 0, LEDGER_STATE_BOUGHT, 1, 1, 0, 0, 1, 0, 1},
	/* Creating is free and is repeated. */
	{"create: refused connection", SCRIPT(CREATE(REFUSED_CONNECTION, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1,
		0, 2},
	{"create: lost before", SCRIPT(CREATE(LOST_BEFORE, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: lost after", SCRIPT(CREATE(LOST_AFTER, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: hang", SCRIPT(CREATE(HANG, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 60, 62},
	{"create: garbage", SCRIPT(CREATE(GARBAGE, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: empty", SCRIPT(CREATE(EMPTY, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 500", SCRIPT(CREATE(500, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 503 for 3 s", SCRIPT(CREATE(503, 3000)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 3, 5},
	{"create: 429 at once", SCRIPT(CREATE(429, 0)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 0, 2},
	{"create: 429 for 3 s", SCRIPT(CREATE(429, 3000)), 1, 0, LEDGER_STATE_BOUGHT, 2, 1, 0, 0, 1, 3, 5},
	{"create: 429 for an hour", SCRIPT(CREATE(429, 3600000)), 1, SHIPOPT_ERATELIMIT, LEDGER_STATE_PLANNED, 1, 0, 0,
		0, 0, 0, 1},
	{"create: refused", SCRIPT(CREATE(REFUSED, 0)), 1, SHIPOPT_EREFUSED, LEDGER_STATE_FAILED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 404", SCRIPT(CREATE(404, 0)), 1, SHIPOPT_EPROTOCOL, LEDGER_STATE_PLANNED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 401", SCRIPT(CREATE(401, 0)), 1, SHIPOPT_EAUTH, LEDGER_STATE_PLANNED, 1, 0, 0, 0, 0, 0, 1},
	{"create: 402", SCRIPT(CREATE(402, 0)), 1, SHIPOPT_EPAYMENT, LEDGER_STATE_PLANNED, 1, 0, 0, 0, 0, 0, 1},
	{"create: somebody else's shipment", SCRIPT(CREATE(OTHER_BODY, 0)), 1, SHIPOPT_EPROTOCOL, LEDGER_STATE_PLANNED,
		1, 0, 0, 0, 0, 0, 1},
	/* Buying is repeated only when it is certain that nothing was done. */
	{"buy: refused connection", SCRIPT(BUY(REFUSED_CONNECTION, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, 0, 0, 1, 0, 2},
	{"buy: refused connections",
		SCRIPT(BUY(REFUSED_CONNECTION, 0), BUY(REFUSED_CONNECTION, 0), BUY(REFUSED_CONNECTION, 0),
			BUY(REFUSED_CONNECTION, 0)),
		4, SHIPOPT_ECONNECT, LEDGER_STATE_CREATED, 1, 4, 0, 0, 0, 0, 5},
	{"buy: lost before", SCRIPT(BUY(LOST_BEFORE, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: lost after", SCRIPT(BUY(LOST_AFTER, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: late by 1 s", SCRIPT(BUY(LATE, 1000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 1, 4},
	{"buy: late by 90 s", SCRIPT(BUY(LATE, 90000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 90, 120},
	{"buy: hang", SCRIPT(BUY(HANG, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: hang, done after 80 s", SCRIPT(BUY(HANG_LATE, 80000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 80,
		100},
	{"buy: truncated", SCRIPT(BUY(TRUNCATED, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: garbage", SCRIPT(BUY(GARBAGE, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: empty", SCRIPT(BUY(EMPTY, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: somebody else's shipment", SCRIPT(BUY(OTHER_BODY, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: no label yet", SCRIPT(BUY(NO_LABEL, 700)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 0, 4},
	{"buy: 500", SCRIPT(BUY(500, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 500, done all the same", SCRIPT(BUY(500_AFTER, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, 1, 0, 1, 0, 2},
	{"buy: 503", SCRIPT(BUY(503, -1)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 408, done later", SCRIPT(BUY(408, 500)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 0, 4},
	{"buy: 409", SCRIPT(BUY(409, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: 429 at once", SCRIPT(BUY(429, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, 0, 0, 1, 0, 2},
	{"buy: 429 for 3 s", SCRIPT(BUY(429, 3000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, 0, 0, 1, 3, 5},
	{"buy: 429 for a minute", SCRIPT(BUY(429, 60000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, 0, 0, 1, 60, 62},
	{"buy: 429 for an hour", SCRIPT(BUY(429, 3600000)), 1, SHIPOPT_ERATELIMIT, LEDGER_STATE_CREATED, 1, 1, 0, 0, 0,
		0, 1},
	{"buy: refused", SCRIPT(BUY(REFUSED, 0)), 1, SHIPOPT_EREFUSED, LEDGER_STATE_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 401", SCRIPT(BUY(401, 0)), 1, SHIPOPT_EAUTH, LEDGER_STATE_CREATED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 402", SCRIPT(BUY(402, 0)), 1, SHIPOPT_EPAYMENT, LEDGER_STATE_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: 404", SCRIPT(BUY(404, 0)), 1, SHIPOPT_ENOTFOUND, LEDGER_STATE_FAILED, 1, 1, 0, 0, 0, 0, 1},
	{"buy: a proxy's 404", SCRIPT(BUY(BARE_404, 0)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: in progress, done", SCRIPT(BUY(IN_PROGRESS, 2000)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 2, 6},
	{"buy: in progress, never done", SCRIPT(BUY(IN_PROGRESS, -1)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120,
		122},
	{"buy: timed out, done", SCRIPT(BUY(TIMED_OUT, 100)), 1, 0, LEDGER_STATE_BOUGHT, 1, 1, -1, 0, 1, 0, 2},
	{"buy: timed out, never done", SCRIPT(BUY(TIMED_OUT, -1)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 122},
	{"buy: no response, never done", SCRIPT(BUY(NO_RESPONSE, -1)), 1, 0, LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120,
		122},
	/* An expired rate: the same shipment again, at no more than was approved. */
	{"buy: rate expired, dearer now", SCRIPT(BUY(RATE_EXPIRED, 0)), 1, SHIPOPT_EHELD, LEDGER_STATE_HELD, 1, 1, 0, 1,
		0, 0, 1},
	/* Reading back is repeated. */
	{"read: lost", SCRIPT(BUY(LOST_AFTER, 0), READ(LOST_BEFORE, 0)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1, 0,
		2},
	{"read: 500", SCRIPT(BUY(LOST_AFTER, 0), READ(500, 0)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: garbage", SCRIPT(BUY(LOST_AFTER, 0), READ(GARBAGE, 0)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1, 0, 2},
	{"read: hang", SCRIPT(BUY(LOST_AFTER, 0), READ(HANG, 0)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1, 60, 62},
	{"read: 429 for 3 s", SCRIPT(BUY(LOST_AFTER, 0), READ(429, 3000)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1, 3,
		5},
	{"read: somebody else's shipment", SCRIPT(BUY(LOST_AFTER, 0), READ(OTHER_BODY, 0)), 2, 0, LEDGER_STATE_BOUGHT,
		1, 1, 2, 0, 1, 0, 2},
	{"read: a proxy's 404", SCRIPT(BUY(LOST_AFTER, 0), READ(BARE_404, 0)), 2, 0, LEDGER_STATE_BOUGHT, 1, 1, 2, 0, 1,
		0, 2},
	{"read: 401", SCRIPT(BUY(LOST_AFTER, 0), READ(401, 0)), 2, SHIPOPT_EINDOUBT, LEDGER_STATE_IN_DOUBT, 1, 1, 1, 0,
		1, 0, 2},
	/* A second purchase of the same shipment that goes wrong too. */
	{"bought again after settling, lost again", SCRIPT(BUY(LOST_BEFORE, 0), BUY(LOST_AFTER, 0)), 2, 0,
		LEDGER_STATE_BOUGHT, 1, 2, -1, 0, 1, 120, 125},
	{"bought again after settling, refused", SCRIPT(BUY(LOST_BEFORE, 0), BUY(REFUSED, 0)), 2, SHIPOPT_EINDOUBT,
		LEDGER_STATE_IN_DOUBT, 1, 2, -1, 0, 0, 240, 245},
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

/* ---- durable before sent ----------------------------------------------------------------------------------- */

static int64_t buys_durable;

static void look_at_order(struct memory_database *database, const struct ledger_request *request)
{
	assert_int_not_equal(request->operation, LEDGER_OP_CREATE);
	if (request->operation == LEDGER_OP_BUY) {
		buys_durable++;
		assert_int_equal(sim_world.calls[WORLD_BUY], buys_durable - 1);
		assert_string_equal(request->row.shipment_id, "shp_0");
	}
}

static void what_a_call_needs_is_durable_before_it_is_sent(void **state)
{
	struct sim_process process;
	buys_durable = 0;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(HANG, 0), BUY(LOST_AFTER, 0));
	sim_database.observe = look_at_order;
	sim_database.delay_us = 300000;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(buys_durable, 3);
	assert_int_equal(case_row("o-0")->attempts, 3);
	case_finish(&process);
}

static int64_t read_us_before_buying;

static void note_last_read(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == LEDGER_OP_BUY && request->row.attempts == 2)
		read_us_before_buying = sim_world.last_call_us[WORLD_READ];
}

static void no_postage_proves_nothing_before_the_settle_time(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.settle_ms=90000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	sim_database.observe = note_last_read;
	sim_start_orders(&process, 1);
	case_turn_until(&process, LEDGER_STATE_BUYING);
	int64_t buying_us = clock_now_us();
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_true(read_us_before_buying >= buying_us + 90 * SECOND - 100000);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

/* ---- processes that stand still or die --------------------------------------------------------------------- */

static void a_purchase_that_was_held_up_before_it_was_sent_is_written_down_anew(void **state)
{
	static const int64_t seconds[] = {5, 25, 60, 100, 119, 130, 179, 200, 1000};
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		struct sim_process first, second;
		case_begin(&first, "bulk.item_timeout_ms=3600000");
		/* The answer is lost and the work is done as late as the settle time allows for. */
		SCRIPT_OF(BUY(LATE, 95000));
		sim_start_orders(&first, 1);
		case_turn_until(&first, LEDGER_STATE_BUYING);
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		clock_advance_us(seconds[i] * SECOND);
		for (int turn = 0; turn < 100 && sim_world.calls[WORLD_BUY] == 0; turn++)
			sim_turn(&first, 10000);
		/* It stands still again, and another one takes over. */
		sim_open(&second, "bulk.item_timeout_ms=3600000");
		assert_int_equal(sim_buy(&second, 1), 0);
		assert_int_equal(second.results[0].status, 0);
		sim_wait(&first);
		assert_int_equal(first.results[0].status, 1);
		assert_int_equal(sim_compare(), 0);
		assert_int_equal(sim_world.labels, 1);
		sim_close(&first);
		case_finish(&second);
	}
}

static void another_process_that_takes_over_reads_back_first(void **state)
{
	struct sim_process first, second;
	case_begin(&first, NULL);
	SCRIPT_OF(BUY(LOST_AFTER, 0));
	sim_start_orders(&first, 1);
	while (sim_world.calls[WORLD_BUY] == 0)
		sim_turn(&first, 1000);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_BUYING);
	int64_t lease_left_ms = case_row("o-0")->lease_until_ms - clock_wall_ms();
	assert_true(lease_left_ms > 100000);
	sim_open(&second, NULL);
	int64_t begin_us = clock_now_us();
	assert_int_equal(sim_buy(&second, 1), 0);
	assert_int_equal(second.results[0].status, 0);
	assert_true(clock_now_us() - begin_us >= lease_left_ms * 1000);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	assert_int_equal(sim_world.calls[WORLD_READ], 1);
	/* The first one comes back to life, and finds what the second did. */
	sim_wait(&first);
	assert_int_equal(first.results[0].status, 1);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	sim_close(&first);
	case_finish(&second);
}

/* ---- the database ------------------------------------------------------------------------------------------ */

static void a_database_that_fails_never_hides_a_purchase(void **state)
{
	static const enum ledger_operation operations[] = {LEDGER_OP_CLAIM, LEDGER_OP_CREATE, LEDGER_OP_BUY,
		LEDGER_OP_BOUGHT, LEDGER_OP_DOUBT, LEDGER_OP_RENEW, LEDGER_OP_FAIL, LEDGER_OP_REOPEN};
	for (size_t i = 0; i < ARRAY_SIZE(operations) * 3; i++) {
		struct sim_process process;
		struct database_step step = {operations[i / 3], 1, (enum database_fault)(i % 3)};
		case_begin(&process, "bulk.ceiling_percent=10"); /* another shipment may cost a cent more */
		if (step.operation == LEDGER_OP_DOUBT || step.operation == LEDGER_OP_RENEW)
			SCRIPT_OF(BUY(LOST_BEFORE, 0));
		if (step.operation == LEDGER_OP_FAIL || step.operation == LEDGER_OP_REOPEN)
			SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		sim_world.rerate_step = 0;
		sim_database.script = &step;
		sim_database.script_count = 1;
		assert_int_equal(sim_buy(&process, 1), 0);
		int first = process.results[0].status;
		/* "Failed" must not be said of what may be bought. */
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
		if (row && (row->row.state == LEDGER_STATE_BUYING || row->row.state == LEDGER_STATE_IN_DOUBT))
			assert_int_equal(first, SHIPOPT_EINDOUBT);
		assert_int_equal(sim_buy(&process, 1), 0);
		if (process.results[0].status != 0 && process.results[0].status != 1)
			fail_msg("operation %d, fault %d: %s, then %s: %s", step.operation, step.fault,
				shipopt_error_name(first), shipopt_error_name(process.results[0].status),
				process.results[0].message);
		assert_int_equal(sim_world.labels, 1);
		case_finish(&process);
	}
}

static void a_bought_label_is_written_down_though_the_database_fails_for_a_while(void **state)
{
	struct sim_process process;
	struct database_step steps[4];
	for (int i = 0; i < 4; i++)
		steps[i] = (struct database_step){LEDGER_OP_BOUGHT, i + 1, DATABASE_FAILS};
	case_begin(&process, NULL);
	sim_database.script = steps;
	sim_database.script_count = 4;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_READ], 0);
	case_finish(&process);
}

/* ---- conflicts --------------------------------------------------------------------------------------------- */

static void other_content_under_the_same_key_replaces_what_was_not_sent_and_conflicts_with_what_was(void **state)
{
	static const struct {
		struct world_step step;
		const char *settings;
		bool rate_only;
		int state, second;
	} cases[] = {
		{CREATE(401, 0), NULL, false, LEDGER_STATE_PLANNED, 0},
		{{0}, NULL, true, LEDGER_STATE_CREATED, 0},
		{BUY(REFUSED, 0), NULL, false, LEDGER_STATE_FAILED, 0},
		{BUY(RATE_EXPIRED, 0), NULL, false, LEDGER_STATE_HELD, 0},
		{BUY(LOST_BEFORE, 0), "bulk.item_timeout_ms=5000", false, LEDGER_STATE_IN_DOUBT, SHIPOPT_ECONFLICT},
		{{0}, NULL, false, LEDGER_STATE_BOUGHT, SHIPOPT_ECONFLICT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, cases[i].settings);
		if (cases[i].step.fault)
			case_script(1, &cases[i].step);
		sim_run = cases[i].rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		sim_start_orders(&process, 1);
		sim_wait(&process);
		assert_int_equal(case_row("o-0")->state, cases[i].state);
		sim_run = shipopt_bulk_buy;
		int second = case_one(&process, 99, 0, NULL);
		assert_int_equal(second, cases[i].second);
		if (second == SHIPOPT_ECONFLICT) {
			assert_int_equal(case_row("o-0")->state, cases[i].state);
			assert_non_null(strstr(process.results[0].message, "parcel.weight"));
		} else {
			assert_int_equal(sim_world.shipment_count, cases[i].state == LEDGER_STATE_PLANNED ? 1 : 2);
		}
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_single_fault_ends_as_the_rules_say),
		cmocka_unit_test(what_a_call_needs_is_durable_before_it_is_sent),
		cmocka_unit_test(no_postage_proves_nothing_before_the_settle_time),
		cmocka_unit_test(a_purchase_that_was_held_up_before_it_was_sent_is_written_down_anew),
		cmocka_unit_test(another_process_that_takes_over_reads_back_first),
		cmocka_unit_test(a_database_that_fails_never_hides_a_purchase),
		cmocka_unit_test(a_bought_label_is_written_down_though_the_database_fails_for_a_while),
		cmocka_unit_test(
			other_content_under_the_same_key_replaces_what_was_not_sent_and_conflicts_with_what_was),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase", tests, NULL, NULL);
}
