/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>

#include "purchase_test.h"

/* Orders that were rated in one run and are rated or bought in another: which rate counts, and what the item says about
 * it. */

#define CHEAPEST "carrier.timeout_ms=10000 carrier.settle_ms=60000 bulk.rate_choice=cheapest"
#define FASTEST "carrier.timeout_ms=10000 carrier.settle_ms=60000 bulk.rate_choice=fastest"
#define AGAIN " bulk.rate_again=1"
#define KEPT \
	"the stored rate was kept: it was chosen by \"cheapest\", and this run's rate choice \"fastest\" was not applied"

/* One order "o-0", in a process of its own with these settings. */
static int run(struct sim_process *process, sim_run_fn what, const char *settings)
{
	sim_run = what;
	sim_close(process);
	sim_open(process, settings);
	sim_buy(process, 1);
	return process->results[0].status;
}

static void begin_rated(struct sim_process *process)
{
	case_begin(process, CHEAPEST);
	sim_world.rerate_step = 100000;
	assert_int_equal(run(process, shipopt_bulk_rate, CHEAPEST), 0);
	assert_string_equal(case_row("o-0")->service, "Ground");
	assert_string_equal(case_row("o-0")->rate_choice, "cheapest");
}

static void a_stored_rate_stays_and_the_item_says_that_another_rule_was_not_applied(void **state)
{
	struct sim_process process;
	begin_rated(&process);
	assert_int_equal(run(&process, shipopt_bulk_rate, FASTEST), SHIPOPT_ALREADY);
	assert_true(case_says(&process, KEPT));
	assert_true(case_says(&process, "rate_again"));
	assert_int_equal(run(&process, shipopt_bulk_rate, CHEAPEST), SHIPOPT_ALREADY);
	assert_string_equal(process.results[0].message, "");
	assert_int_equal(run(&process, shipopt_bulk_buy, FASTEST), 0);
	assert_true(case_says(&process, KEPT));
	assert_string_equal(case_row("o-0")->service, "Ground");
	assert_int_equal(sim_world.calls[WORLD_RERATE], 0);
	case_finish(&process);
}

static void the_services_that_were_wanted_are_part_of_the_rule(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	assert_int_equal(run(&process, shipopt_bulk_rate, "bulk.rate_choice=services bulk.services=UPS/Ground"), 0);
	assert_int_equal(run(&process, shipopt_bulk_rate, "bulk.rate_choice=services bulk.services=Priority"),
		SHIPOPT_ALREADY);
	assert_true(case_says(&process, "\"services UPS/Ground\", and this run's rate choice \"services Priority\""));
	case_finish(&process);
}

static void rate_again_replaces_the_stored_rate_and_what_was_approved_with_it(void **state)
{
	struct sim_process process;
	begin_rated(&process);
	int64_t ceiling = case_row("o-0")->ceiling;
	assert_int_equal(run(&process, shipopt_bulk_rate, FASTEST AGAIN), 0);
	assert_string_equal(process.results[0].message, "");
	const struct ledger_row *row = case_row("o-0");
	assert_int_equal(row->state, LEDGER_STATE_CREATED);
	assert_string_equal(row->rate_choice, "fastest");
	assert_string_not_equal(row->service, "Ground");
	assert_true(row->ceiling > ceiling && row->approved == row->amount && row->ceiling == row->amount);
	assert_int_equal(sim_world.shipment_count, 1);
	/* From here on it is the stored one. */
	assert_int_equal(run(&process, shipopt_bulk_buy, FASTEST), 0);
	assert_string_equal(process.results[0].message, "");
	assert_int_equal(case_row("o-0")->paid, case_row("o-0")->approved);
	assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
	case_finish(&process);
}

static void a_run_that_buys_rates_again_and_buys_what_it_chose(void **state)
{
	struct sim_process process;
	begin_rated(&process);
	assert_int_equal(run(&process, shipopt_bulk_buy, FASTEST AGAIN), 0);
	assert_string_not_equal(case_row("o-0")->service, "Ground");
	assert_int_equal(case_row("o-0")->paid, case_row("o-0")->ceiling);
	assert_int_equal(sim_world.shipment_count, 1);
	/* A label that was bought is never rated again. */
	assert_int_equal(run(&process, shipopt_bulk_buy, CHEAPEST AGAIN), SHIPOPT_ALREADY);
	assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
	case_finish(&process);
}

/* The carrier does not answer, or the store does not take the new rate: what was approved is not lost. */
static void the_stored_rate_stays_until_the_new_one_is_written(void **state)
{
	for (int way = 0; way < 3; way++) {
		struct sim_process process;
		begin_rated(&process);
		int64_t ceiling = case_row("o-0")->ceiling;
		const struct database_step fails = {LEDGER_OP_CREATE, 2, DATABASE_FAILS};
		if (way == 0)
			SCRIPT_OF(RERATE(401, 0));
		if (way == 1)
			SCRIPT_OF(RERATE(HANG, 0), RERATE(HANG, 0), RERATE(HANG, 0));
		if (way == 2) {
			sim_world.rerate_step = 0; /* the carrier has rated it again */
			sim_database.script = &fails;
			sim_database.script_count = 1;
		}
		assert_true(run(&process, shipopt_bulk_rate, FASTEST AGAIN " bulk.item_timeout_ms=20000") < 0);
		assert_int_equal(case_row("o-0")->state, LEDGER_STATE_CREATED);
		assert_string_equal(case_row("o-0")->service, "Ground");
		assert_string_equal(case_row("o-0")->rate_choice, "cheapest");
		assert_int_equal(case_row("o-0")->ceiling, ceiling);
		sim_database.script_count = 0;
		assert_int_equal(run(&process, shipopt_bulk_buy, CHEAPEST), 0);
		assert_int_equal(case_row("o-0")->paid, ceiling);
		case_finish(&process);
	}
}

/* Sent, and not proven: the shipment may have a label. It is looked up, and what it has is recorded. */
static void an_order_with_an_unproven_purchase_is_never_rated_again(void **state)
{
	for (int is_by_person = 0; is_by_person < 2; is_by_person++) {
		struct sim_process process;
		begin_rated(&process);
		SCRIPT_OF(BUY(LATE, 30000));
		assert_int_equal(run(&process, shipopt_bulk_buy, CHEAPEST " bulk.item_timeout_ms=5000"),
			SHIPOPT_EINDOUBT);
		if (is_by_person) {
			assert_int_equal(memory_ledger_resolve(&sim_database.ledger, 1, LEDGER_STATE_FAILED, NULL,
						 "none"),
				0);
			assert_int_equal(case_row("o-0")->state, LEDGER_STATE_CREATED);
			assert_int_equal(case_row("o-0")->unproven, 1);
		}
		assert_int_equal(run(&process, shipopt_bulk_rate, FASTEST AGAIN), SHIPOPT_EINDOUBT);
		assert_int_equal(run(&process, shipopt_bulk_buy, FASTEST AGAIN), 0);
		assert_string_equal(case_row("o-0")->service, "Ground");
		assert_int_equal(sim_world.calls[WORLD_RERATE], 0);
		assert_int_equal(sim_world.labels, 1);
		case_finish(&process);
	}
}

/* Another shipment costs a cent more here, and what was approved stays approved. */
static void a_rule_without_a_rate_fails_the_order_and_keeps_what_was_approved(void **state)
{
	struct sim_process process;
	begin_rated(&process);
	assert_int_equal(run(&process, shipopt_bulk_rate, "bulk.rate_choice=services bulk.services=None" AGAIN),
		SHIPOPT_ENORATE);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_FAILED);
	assert_int_equal(run(&process, shipopt_bulk_buy, CHEAPEST), SHIPOPT_EHELD);
	assert_true(case_says(&process, "above the approved"));
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_stored_rate_stays_and_the_item_says_that_another_rule_was_not_applied),
		cmocka_unit_test(the_services_that_were_wanted_are_part_of_the_rule),
		cmocka_unit_test(rate_again_replaces_the_stored_rate_and_what_was_approved_with_it),
		cmocka_unit_test(a_run_that_buys_rates_again_and_buys_what_it_chose),
		cmocka_unit_test(the_stored_rate_stays_until_the_new_one_is_written),
		cmocka_unit_test(an_order_with_an_unproven_purchase_is_never_rated_again),
		cmocka_unit_test(a_rule_without_a_rate_fails_the_order_and_keeps_what_was_approved),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_stored_rate", tests, NULL, NULL);
}
