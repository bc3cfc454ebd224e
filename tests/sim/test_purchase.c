/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "sim.h"

#define SECOND INT64_C(1000000)

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

/* ---- helpers ----------------------------------------------------------------------------------------------- */

static struct world_step script_of_test[8];

static void set_script(size_t count, const struct world_step *steps)
{
	memcpy(script_of_test, steps, count * sizeof(*steps));
	sim_world.script = script_of_test;
	sim_world.script_count = count;
	sim_world.script_used = 0;
}
#define SCRIPT_OF(...) \
	set_script(sizeof((struct world_step[]){__VA_ARGS__}) / sizeof(struct world_step), (struct world_step[]){__VA_ARGS__})

static const struct ledger_row *row_of(const char *key)
{
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
	assert_non_null(row);
	return &row->row;
}

static void begin(struct sim_process *process, const char *settings)
{
	sim_begin(1);
	sim_world.guard = false;
	sim_open(process, settings);
}

static void finish(struct sim_process *process)
{
	assert_int_equal(sim_compare(), 0);
	assert_int_equal(sim_world.strangers, 0);
	sim_close(process);
	sim_end();
	assert_int_equal(mem_live_count(), 0);
}

/* Orders "o-0"…, with fields of the test's own. */
static int buy_one(struct sim_process *process, int weight, int64_t max_rate, const char *carrier)
{
	shipopt_order *order = sim_order("o-0", weight);
	assert_int_equal(shipopt_order_set_max_rate(order, max_rate), 0);
	assert_int_equal(shipopt_order_set_carrier(order, carrier), 0);
	assert_int_equal(sim_start(process, &order, 1), 0);
	assert_int_equal(sim_wait(process), 0);
	return process->results[0].status;
}

/* Turns until the row is in that state. */
static void turn_until(struct sim_process *process, int state)
{
	for (int i = 0; i < 1000; i++) {
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
		if (row && row->row.state == state)
			return;
		sim_turn(process, 100000);
	}
	fail_msg("the row never was %s", ledger_state_name(state));
}

/* ---- durable before sent ----------------------------------------------------------------------------------- */

static int64_t creates_durable, buys_durable;

static void look_at_order(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == LEDGER_CREATE) {
		creates_durable++;
		assert_int_equal(sim_world.calls[WORLD_BUY], buys_durable);
	} else if (request->operation == LEDGER_BUY) {
		buys_durable++;
		assert_true(creates_durable > 0);
		assert_int_equal(sim_world.calls[WORLD_BUY], buys_durable - 1);
		assert_string_equal(request->row.shipment_id, "shp_0");
	}
}

static void what_a_call_needs_is_durable_before_it_is_sent(void **state)
{
	struct sim_process process;
	creates_durable = buys_durable = 0;
	begin(&process, NULL);
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(HANG, 0), BUY(LOST_AFTER, 0));
	sim_database.observe = look_at_order;
	sim_database.delay_us = 300000;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(creates_durable, 1);
	assert_int_equal(buys_durable, 3);
	assert_int_equal(row_of("o-0")->attempts, 3);
	finish(&process);
}

static int64_t read_us_before_buying;

static void note_last_read(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == LEDGER_BUY && request->row.attempts == 2)
		read_us_before_buying = sim_world.last_call_us[WORLD_READ];
}

static void no_postage_proves_nothing_before_the_settle_time(void **state)
{
	struct sim_process process;
	begin(&process, "carrier.settle_ms=90000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	sim_database.observe = note_last_read;
	sim_start_orders(&process, 1);
	turn_until(&process, LEDGER_BUYING);
	int64_t buying_us = clock_now_us();
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_true(read_us_before_buying >= buying_us + 90 * SECOND - 100000);
	assert_int_equal(sim_world.shipment_count, 1);
	finish(&process);
}

/* ---- processes that stand still or die --------------------------------------------------------------------- */

static void a_purchase_that_was_held_up_before_it_was_sent_is_written_down_anew(void **state)
{
	static const int64_t seconds[] = {5, 25, 60, 100, 119, 130, 179, 200, 1000};
	for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
		struct sim_process first, second;
		begin(&first, "bulk.item_timeout_ms=3600000");
		/* The answer is lost and the work is done as late as the settle time allows for. */
		SCRIPT_OF(BUY(LATE, 95000));
		sim_start_orders(&first, 1);
		turn_until(&first, LEDGER_BUYING);
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
		finish(&second);
	}
}

static void another_process_that_takes_over_reads_back_first(void **state)
{
	struct sim_process first, second;
	begin(&first, NULL);
	SCRIPT_OF(BUY(LOST_AFTER, 0));
	sim_start_orders(&first, 1);
	while (sim_world.calls[WORLD_BUY] == 0)
		sim_turn(&first, 1000);
	assert_int_equal(row_of("o-0")->state, LEDGER_BUYING);
	int64_t lease_left_ms = row_of("o-0")->lease_until_ms - clock_wall_ms();
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
	finish(&second);
}

/* ---- the database ------------------------------------------------------------------------------------------ */

static void a_database_that_fails_never_hides_a_purchase(void **state)
{
	static const enum ledger_operation operations[] = {LEDGER_CLAIM, LEDGER_CREATE, LEDGER_BUY, LEDGER_BOUGHT_, LEDGER_DOUBT,
		LEDGER_RENEW, LEDGER_FAIL, LEDGER_REOPEN};
	for (size_t i = 0; i < ARRAY_SIZE(operations) * 3; i++) {
		struct sim_process process;
		struct database_step step = {operations[i / 3], 1, (enum database_fault)(i % 3)};
		begin(&process, "bulk.ceiling_percent=10"); /* another shipment may cost a cent more */
		if (step.operation == LEDGER_DOUBT || step.operation == LEDGER_RENEW)
			SCRIPT_OF(BUY(LOST_BEFORE, 0));
		if (step.operation == LEDGER_FAIL || step.operation == LEDGER_REOPEN)
			SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		sim_world.rerate_step = 0;
		sim_database.script = &step;
		sim_database.script_count = 1;
		assert_int_equal(sim_buy(&process, 1), 0);
		int first = process.results[0].status;
		/* "Failed" must not be said of what may be bought. */
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
		if (row && (row->row.state == LEDGER_BUYING || row->row.state == LEDGER_IN_DOUBT))
			assert_int_equal(first, SHIPOPT_EINDOUBT);
		assert_int_equal(sim_buy(&process, 1), 0);
		if (process.results[0].status != 0 && process.results[0].status != 1)
			fail_msg("operation %d, fault %d: %s, then %s: %s", step.operation, step.fault,
				shipopt_error_name(first), shipopt_error_name(process.results[0].status),
				process.results[0].message);
		assert_int_equal(sim_world.labels, 1);
		finish(&process);
	}
}

static void a_bought_label_is_written_down_though_the_database_fails_for_a_while(void **state)
{
	struct sim_process process;
	struct database_step steps[4];
	for (int i = 0; i < 4; i++)
		steps[i] = (struct database_step){LEDGER_BOUGHT_, i + 1, DATABASE_FAILS};
	begin(&process, NULL);
	sim_database.script = steps;
	sim_database.script_count = 4;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_READ], 0);
	finish(&process);
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
		{CREATE(401, 0), NULL, false, LEDGER_PLANNED, 0},
		{{0}, NULL, true, LEDGER_CREATED, 0},
		{BUY(REFUSED, 0), NULL, false, LEDGER_FAILED, 0},
		{BUY(RATE_EXPIRED, 0), NULL, false, LEDGER_HELD, 0},
		{BUY(LOST_BEFORE, 0), "bulk.item_timeout_ms=5000", false, LEDGER_IN_DOUBT, SHIPOPT_ECONFLICT},
		{{0}, NULL, false, LEDGER_BOUGHT, SHIPOPT_ECONFLICT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, cases[i].settings);
		if (cases[i].step.fault)
			set_script(1, &cases[i].step);
		sim_run = cases[i].rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		sim_start_orders(&process, 1);
		sim_wait(&process);
		assert_int_equal(row_of("o-0")->state, cases[i].state);
		sim_run = shipopt_bulk_buy;
		int second = buy_one(&process, 99, 0, NULL);
		assert_int_equal(second, cases[i].second);
		if (second == SHIPOPT_ECONFLICT) {
			assert_int_equal(row_of("o-0")->state, cases[i].state);
			assert_non_null(strstr(process.results[0].message, "parcel.weight"));
		} else {
			assert_int_equal(sim_world.shipment_count, cases[i].state == LEDGER_PLANNED ? 1 : 2);
		}
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

/* ---- prices ------------------------------------------------------------------------------------------------ */

static void an_expired_rate_is_rated_again_on_the_same_shipment_up_to_what_was_approved(void **state)
{
	static const struct {
		int64_t step;
		const char *settings;
		int item, state;
	} cases[] = {
		{0, NULL, 0, LEDGER_BOUGHT},
		{-50000, NULL, 0, LEDGER_BOUGHT},
		{10000, NULL, SHIPOPT_EHELD, LEDGER_HELD},
		{500000, "bulk.ceiling_percent=10", 0, LEDGER_BOUGHT},
		{600000, "bulk.ceiling_percent=10", SHIPOPT_EHELD, LEDGER_HELD},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, cases[i].settings);
		SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		sim_world.rerate_step = cases[i].step;
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, cases[i].item);
		assert_int_equal(row_of("o-0")->state, cases[i].state);
		assert_int_equal(sim_world.shipment_count, 1);
		assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
		if (cases[i].state == LEDGER_BOUGHT)
			assert_int_equal(row_of("o-0")->paid, 5250000 + cases[i].step);
		finish(&process);
	}
}

static void a_rate_that_expires_twice_is_a_refusal(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), BUY(RATE_EXPIRED, 0));
	sim_world.rerate_step = 0;
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, SHIPOPT_EREFUSED);
	assert_int_equal(row_of("o-0")->state, LEDGER_FAILED);
	finish(&process);
}

static void a_rerate_that_answers_about_another_shipment_is_not_believed(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), RERATE(OTHER_BODY, 0));
	sim_world.rerate_step = 0;
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, SHIPOPT_EPROTOCOL);
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, 0);
	finish(&process);
}

static void choose_the_dearest(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, 2);
}

static void let_host_choose(struct sim_process *process)
{
	shipopt_bulk_config_set_choose(process->bulk_config, choose_the_dearest, NULL);
}

static void a_hosts_choice_above_the_orders_max_rate_is_held(void **state)
{
	struct sim_process process;
	sim_begin(1);
	sim_configure = let_host_choose;
	sim_open(&process, NULL);
	assert_int_equal(buy_one(&process, 1, 10000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	assert_int_equal(row_of("o-0")->state, LEDGER_HELD);
	finish(&process);
}

static void an_order_rated_before_is_held_when_its_max_rate_is_lower_now(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(buy_one(&process, 1, 0, NULL), 0);
	sim_run = shipopt_bulk_buy;
	assert_int_equal(buy_one(&process, 1, 5000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	finish(&process);
}

static void a_wanted_carrier_that_is_missing_is_waited_for_replaced_or_a_failure(void **state)
{
	static const struct {
		const char *settings;
		int64_t max_rate;
		int item;
		int64_t paid, rerates;
	} cases[] = {
		{"bulk.missing_carrier=fail", 0, SHIPOPT_ENORATE, 0, 0},
		{"bulk.missing_carrier=wait", 0, 0, 5250000, 2},
		{"bulk.missing_carrier=fallback", 0, SHIPOPT_ENORATE, 0, 0}, /* without a bound */
		{"bulk.missing_carrier=fallback", 8000000, 0, 7500000, 0},
		{"bulk.missing_carrier=fallback", 6500000, 0, 7500000, 0}, /* within a fifth more */
		{"bulk.missing_carrier=fallback", 6000000, SHIPOPT_EHELD, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, cases[i].settings);
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 2;
		sim_world.rerate_step = 0;
		assert_int_equal(buy_one(&process, 1, cases[i].max_rate, "ups"), cases[i].item);
		assert_int_equal(sim_world.calls[WORLD_RERATE], cases[i].rerates);
		if (cases[i].item == 0) {
			assert_int_equal(row_of("o-0")->paid, cases[i].paid);
			assert_string_equal(process.results[0].message, "");
		}
		finish(&process);
	}
}

/* ---- money ------------------------------------------------------------------------------------------------- */

static void a_spend_limit_reserves_releases_and_counts(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.spend_limit=12.00 bulk.budget=spring bulk.max_in_flight=1");
	SCRIPT_OF(BUY(NONE, 0), BUY(REFUSED, 0), BUY(LOST_BEFORE, 0));
	sim_start_orders(&process, 3);
	while (sim_world.calls[WORLD_BUY] < 3)
		sim_turn(&process, 10000);
	/* One bought, one refused, one in doubt. */
	const struct memory_budget *budget = memory_ledger_budget(&sim_database.ledger, "spring");
	assert_non_null(budget);
	assert_int_equal(budget->spent, 5250000);
	assert_int_equal(budget->reserved, 5270000);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(process.results[1].status, SHIPOPT_EREFUSED);
	assert_int_equal(process.results[2].status, 0);
	assert_int_equal(budget->spent, 10520000);
	assert_int_equal(budget->reserved, 0);
	sim_buy(&process, 4);
	assert_int_equal(process.results[1].status, SHIPOPT_ELIMIT);
	assert_int_equal(process.results[3].status, SHIPOPT_ELIMIT);
	assert_int_equal(budget->spent, 10520000);
	assert_int_equal(budget->reserved, 0);
	assert_int_equal(sim_world.labels, 2);
	finish(&process);
}

/* ---- cancel and deadlines ---------------------------------------------------------------------------------- */

static void check_and_resume(struct sim_process *process, const char *what, int64_t when)
{
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
	int item = process->results[0].status, state = row ? row->row.state : 0;
	bool open = state == LEDGER_BUYING || state == LEDGER_IN_DOUBT;
	if (process->items && open != (item == SHIPOPT_EINDOUBT))
		fail_msg("%s at %lld: the row is %s, the item says %s", what, (long long)when, ledger_state_name(state),
			shipopt_error_name(item));
	if (process->items && state == LEDGER_BOUGHT && item < 0)
		fail_msg("%s at %lld: bought, and the item says %s", what, (long long)when, shipopt_error_name(item));
	if (row && row->row.lease_until_ms > clock_wall_ms())
		fail_msg("%s at %lld: the lease is kept", what, (long long)when);
	sim_close(process);
	sim_open(process, NULL);
	sim_buy(process, 1);
	if (process->results[0].status != 0 && process->results[0].status != 1)
		fail_msg("%s at %lld: the resume says %s", what, (long long)when, process->results[0].message);
	assert_int_equal(sim_world.labels, 1);
	finish(process);
}

static const struct world_step hard_ways[][2] = {
	{BUY(NONE, 0), READ(NONE, 0)}, {BUY(LOST_AFTER, 0), READ(500, 0)}, {BUY(LATE, 3000), READ(LOST_BEFORE, 0)},
	{BUY(RATE_EXPIRED, 0), RERATE(500, 0)}, {CREATE(HANG, 0), BUY(429, 3000)}, {BUY(REFUSED_CONNECTION, 0), READ(NONE, 0)},
};

static void a_cancel_at_any_moment_hides_no_money(void **state)
{
	for (size_t way = 0; way < ARRAY_SIZE(hard_ways); way++) {
		bool is_over = false;
		for (int turns = 0; !is_over && turns < 500; turns++) {
			struct sim_process process;
			begin(&process, NULL);
			set_script(2, hard_ways[way]);
			sim_world.rerate_step = 0;
			sim_start_orders(&process, 1);
			for (int i = 0; i < turns && !sim_is_over(&process); i++)
				sim_turn(&process, 500000);
			is_over = sim_is_over(&process);
			shipopt_op_cancel(process.run);
			int64_t begin_us = clock_now_us();
			sim_wait(&process);
			/* A purchase on the wire is waited for, nothing else. */
			assert_true(clock_now_us() - begin_us <= 61 * SECOND);
			sim_world.script_used = ~UINT64_C(0);
			check_and_resume(&process, "canceled", turns);
		}
		assert_true(is_over);
	}
}

static void a_deadline_at_any_moment_gives_one_honest_result(void **state)
{
	for (size_t way = 0; way < ARRAY_SIZE(hard_ways); way++) {
		for (int64_t timeout_ms = 1; timeout_ms < 200000; timeout_ms += 1 + timeout_ms / 7) {
			struct sim_process process;
			char settings[64];
			snprintf(settings, sizeof(settings), "bulk.item_timeout_ms=%lld", (long long)timeout_ms);
			begin(&process, settings);
			set_script(2, hard_ways[way]);
			sim_world.rerate_step = 0;
			int64_t begin_us = clock_now_us();
			sim_buy(&process, 1);
			int64_t late_ms = (clock_now_us() - begin_us) / 1000 - timeout_ms;
			/* Only the ledger and an answer to a purchase are waited for. */
			if (late_ms > 100)
				fail_msg("way %zu: %lld ms after a deadline of %lld ms", way, (long long)late_ms,
					(long long)timeout_ms);
			sim_world.script_used = ~UINT64_C(0);
			check_and_resume(&process, "deadline", timeout_ms);
		}
	}
}

/* ---- runs -------------------------------------------------------------------------------------------------- */

static void a_refused_account_stops_the_run(void **state)
{
	static const struct world_step steps[] = {CREATE(401, 0), BUY(401, 0), READ(401, 0)};
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		struct sim_process process;
		begin(&process, "bulk.max_in_flight=2");
		if (steps[i].call == WORLD_READ)
			SCRIPT_OF(BUY(LOST_AFTER, 0), steps[i]);
		else
			set_script(1, &steps[i]);
		sim_start_orders(&process, 50);
		assert_int_equal(sim_wait(&process), SHIPOPT_EAUTH);
		if (sim_world.calls[WORLD_CREATE] > 15)
			fail_msg("case %zu: %lld orders were begun", i, (long long)sim_world.calls[WORLD_CREATE]);
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

static void a_short_queue_delays_orders_and_fails_none(void **state)
{
	struct sim_process process;
	begin(&process, "carrier.queue_max=1 carrier.concurrency_max=1 bulk.max_in_flight=32");
	assert_int_equal(sim_buy(&process, 50), 0);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(process.results[i].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 50);
	finish(&process);
}

static void an_empty_retry_budget_delays_orders_and_fails_none(void **state)
{
	struct sim_process process;
	begin(&process, "carrier.retry_budget=0 bulk.max_in_flight=4");
	SCRIPT_OF(CREATE(500, 0), CREATE(LOST_AFTER, 0), BUY(429, 0), BUY(LOST_AFTER, 0), READ(500, 0));
	assert_int_equal(sim_buy(&process, 5), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(process.results[i].status, 0);
	finish(&process);
}

static void a_settle_time_that_a_purchase_can_outlive_is_refused(void **state)
{
	struct sim_process process;
	sim_begin(1);
	assert_int_equal(sim_try_open(&process, "carrier.settle_ms=71990"), SHIPOPT_EINVAL);
	sim_close(&process);
	assert_int_equal(sim_try_open(&process, "carrier.settle_ms=72000"), 0);
	sim_close(&process);
	sim_end();
	assert_int_equal(mem_live_count(), 0);
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
		cmocka_unit_test(other_content_under_the_same_key_replaces_what_was_not_sent_and_conflicts_with_what_was),
		cmocka_unit_test(an_expired_rate_is_rated_again_on_the_same_shipment_up_to_what_was_approved),
		cmocka_unit_test(a_rate_that_expires_twice_is_a_refusal),
		cmocka_unit_test(a_rerate_that_answers_about_another_shipment_is_not_believed),
		cmocka_unit_test(a_hosts_choice_above_the_orders_max_rate_is_held),
		cmocka_unit_test(an_order_rated_before_is_held_when_its_max_rate_is_lower_now),
		cmocka_unit_test(a_wanted_carrier_that_is_missing_is_waited_for_replaced_or_a_failure),
		cmocka_unit_test(a_spend_limit_reserves_releases_and_counts),
		cmocka_unit_test(a_cancel_at_any_moment_hides_no_money),
		cmocka_unit_test(a_deadline_at_any_moment_gives_one_honest_result),
		cmocka_unit_test(a_refused_account_stops_the_run),
		cmocka_unit_test(a_short_queue_delays_orders_and_fails_none),
		cmocka_unit_test(an_empty_retry_budget_delays_orders_and_fails_none),
		cmocka_unit_test(a_settle_time_that_a_purchase_can_outlive_is_refused),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase", tests, NULL, NULL);
}
