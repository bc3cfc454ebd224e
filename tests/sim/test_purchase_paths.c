/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>

#include "base/clock.h"
#include "purchase_test.h"

/* Runs that may not send, carriers without rates, other processes, a store that fails. */

/* ---- a carrier without rates ------------------------------------------------------------------------------- */

static void a_carrier_that_stays_away_is_waited_for_until_the_deadline(void **state)
{
	for (int is_canceled = 0; is_canceled < 2; is_canceled++) {
		struct sim_process process;
		case_begin(&process, "bulk.missing_carrier=wait bulk.item_timeout_ms=20000");
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 1000;
		shipopt_order *order = sim_order("o-0", 1);
		assert_int_equal(shipopt_order_set_carrier(order, "UPS", NULL), 0);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		for (int i = 0; i < 50; i++)
			sim_turn(&process, 100000);
		if (is_canceled)
			shipopt_op_cancel(shipopt_run_op(process.run));
		sim_wait(&process);
		assert_int_equal(process.results[0].status, is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT);
		assert_true(case_says(&process, "none of the 2 rates is by carrier \"UPS\""));
		case_finish(&process);
	}
}

static void a_fallback_keeps_to_the_price_that_the_wanted_carrier_had(void **state)
{
	static const struct {
		const char *settings;
		int item;
	} cases[] = {{"bulk.missing_carrier=fallback", SHIPOPT_EHELD},
		{"bulk.missing_carrier=fallback bulk.fallback_percent=50", 0},
		{"bulk.missing_carrier=fallback bulk.fallback_percent=50 bulk.currency=EUR", SHIPOPT_EHELD}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, cases[i].settings);
		assert_int_equal(case_one(&process, 1, 0, "UPS"), i < 2 ? 0 : SHIPOPT_EHELD);
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 1000;
		shipopt_order *order = sim_order("o-1", 1);
		assert_int_equal(shipopt_order_set_carrier(order, "UPS", NULL), 0);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		assert_int_equal(sim_wait(&process), 0);
		if (i < 2)
			assert_int_equal(process.results[0].status, cases[i].item);
		else
			assert_true(process.results[0].status < 0);
		case_finish(&process);
	}
}

/* ---- runs that may not send -------------------------------------------------------------------------------- */

static void a_run_that_may_not_send_looks_up_and_sends_nothing(void **state)
{
	for (int i = 0; i < 8; i++) {
		bool rate_only = i & 1, is_bought = i & 2, is_late = i & 4;
		struct sim_process process;
		case_begin(&process, "bulk.item_timeout_ms=30000");
		is_bought ? SCRIPT_OF(BUY(LATE, 60000)) : SCRIPT_OF(BUY(LOST_BEFORE, 0));
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
		clock_advance_us((is_late ? 300 : 100) * SECOND); /* is_late: behind the settle time */
		sim_run = rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		int item = case_one(&process, rate_only ? 1 : 99, 0, NULL);
		assert_int_equal(item, !rate_only ? SHIPOPT_ECONFLICT : is_bought ? SHIPOPT_ALREADY : SHIPOPT_EINDOUBT);
		assert_int_equal(case_row("o-0")->state, is_bought ? LEDGER_STATE_BOUGHT : LEDGER_STATE_IN_DOUBT);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		case_finish(&process);
	}
}

static void a_run_that_may_not_send_asks_no_person(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=3600000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0));
	sim_start_orders(&process, 1);
	while (sim_world.calls[WORLD_BUY] < 3)
		sim_turn(&process, SECOND);
	shipopt_op_cancel(shipopt_run_op(process.run));
	sim_wait(&process);
	clock_advance_us(300 * SECOND);
	assert_int_equal(case_row("o-0")->needs_person, 0);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->needs_person, 0);
	sim_run = shipopt_bulk_buy;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->needs_person, 1);
	case_finish(&process);
}

static void rates_without_a_store_are_told_and_kept_nowhere(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	shipopt_bulk_free(process.bulk);
	assert_int_equal(shipopt_bulk_new(process.runtime, process.carrier, NULL, process.bulk_config, &process.bulk,
				 NULL),
		0);
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(process.results[0].amount, 5250000);
	SCRIPT_OF(CREATE(REFUSED, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EREFUSED);
	assert_int_equal(sim_database.ledger.row_count, 0);
	case_finish(&process);
}

static void an_order_rated_before_is_neither_rated_nor_bought_by_a_second_rate_run(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ALREADY);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
	assert_int_equal(process.results[0].amount, 5250000);
	case_finish(&process);
}

/* ---- a store that fails ------------------------------------------------------------------------------------ */

static void commits_of_unknown_outcome_are_looked_at_again_a_few_times(void **state)
{
	static const struct {
		enum ledger_operation operation;
		enum database_fault fault;
		int item;
	} cases[] = {
		{LEDGER_OP_CLAIM, DATABASE_DOUBT, SHIPOPT_EDATABASE},
		{LEDGER_OP_CLAIM, DATABASE_DOUBT_UNDONE, SHIPOPT_EDATABASE},
		{LEDGER_OP_BUY, DATABASE_DOUBT_UNDONE, SHIPOPT_EINDOUBT},
		{LEDGER_OP_BOUGHT, DATABASE_DOUBT_UNDONE, SHIPOPT_EINDOUBT},
		{LEDGER_OP_BOUGHT, DATABASE_FAILS, SHIPOPT_EINDOUBT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		struct database_step steps[16];
		for (int s = 0; s < 16; s++)
			steps[s] = (struct database_step){cases[i].operation, s + 1, cases[i].fault};
		case_begin(&process, NULL);
		sim_database.script = steps;
		sim_database.script_count = ARRAY_SIZE(steps);
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].item);
		assert_true(sim_database.seen[cases[i].operation] < 12);
		sim_database.script_count = 0;
		assert_true(case_one(&process, 1, 0, NULL) >= 0);
		assert_int_equal(sim_world.labels, 1);
		case_finish(&process);
	}
}

static void look_ups_are_bounded(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.settle_ms=3600000 bulk.item_timeout_ms=36000000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(sim_world.calls[WORLD_READ], 64);
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_carrier_that_stays_away_is_waited_for_until_the_deadline),
		cmocka_unit_test(a_fallback_keeps_to_the_price_that_the_wanted_carrier_had),
		cmocka_unit_test(a_run_that_may_not_send_looks_up_and_sends_nothing),
		cmocka_unit_test(a_run_that_may_not_send_asks_no_person),
		cmocka_unit_test(rates_without_a_store_are_told_and_kept_nowhere),
		cmocka_unit_test(an_order_rated_before_is_neither_rated_nor_bought_by_a_second_rate_run),
		cmocka_unit_test(commits_of_unknown_outcome_are_looked_at_again_a_few_times),
		cmocka_unit_test(look_ups_are_bounded),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_paths", tests, NULL, NULL);
}
