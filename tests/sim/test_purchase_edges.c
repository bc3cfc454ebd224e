/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

static struct ledger_row *row_of(const char *key)
{
	return (struct ledger_row *)case_row(key);
}

static void start_wish(struct sim_process *process, const char *carrier, const char *service)
{
	shipopt_order *order = sim_order("o-0", 1);
	assert_int_equal(shipopt_order_set_carrier(order, carrier, NULL), 0);
	assert_int_equal(shipopt_order_set_service(order, service, NULL), 0);
	assert_int_equal(sim_start(process, &order, 1), 0);
}

static void an_order_that_is_planned_again_after_a_take_over_keeps_its_wishes(void **state)
{
	struct sim_process first, second;
	case_begin(&first, "bulk.ceiling_percent=10");
	sim_world.rerate_step = 0;
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), RERATE(HANG, 0), BUY(REFUSED, 0));
	start_wish(&first, "USPS", "Express");
	while (sim_world.calls[WORLD_RERATE] == 0)
		sim_turn(&first, 1000);
	clock_advance_us(200 * SECOND);
	sim_open(&second, "bulk.ceiling_percent=10");
	start_wish(&second, "USPS", "Express");
	sim_wait(&second);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_FAILED);
	sim_wait(&first);
	assert_string_equal(case_row("o-0")->service, "Express");
	sim_close(&second);
	case_finish(&first);
}

/* Bought at the carrier by somebody else, or by a purchase whose refusal was not true. */
static void a_rerate_that_says_that_the_shipment_has_postage_opens_no_other_shipment(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.ceiling_percent=10");
	sim_world.rerates_no_label = true;
	sim_world.rerate_step = 0;
	SCRIPT_OF(BUY(RATE_EXPIRED, 0));
	sim_start_orders(&process, 1);
	while (sim_world.calls[WORLD_BUY] == 0)
		sim_turn(&process, 1000);
	struct world_shipment *shipment = &sim_world.shipments[0];
	shipment->chosen = 1;
	shipment->price = shipment->prices[1];
	shipment->currency = shipment->currencies[1];
	shipment->label_number = ++sim_world.labels;
	shipment->labels = 1;
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_BOUGHT);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, 1);
	assert_int_equal(sim_world.labels, 1);
	case_finish(&process);
}

static void a_price_of_nothing_approves_nothing(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(RATE_EXPIRED, 0));
	sim_start_orders(&process, 1);
	while (sim_world.shipment_count == 0)
		sim_turn(&process, 1000);
	sim_world.shipments[0].prices[1] = 0;
	sim_world.rerate_step = 5000000;
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	case_finish(&process);
}

static void a_voided_order_is_reported_as_such_at_another_base_url_too(void **state)
{
	static const int states[] = {LEDGER_STATE_VOIDED, LEDGER_STATE_VOID_REQUESTED, LEDGER_STATE_VOID_REFUSED};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
		struct sim_process process;
		case_begin(&process, NULL);
		sim_buy(&process, 1);
		row_of("o-0")->state = states[i];
		sim_close(&process);
		sim_open(&process, "carrier.base_url=http://other.invalid/v2");
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, SHIPOPT_ESTATE);
		assert_string_equal(process.results[0].message, ledger_state_name(states[i]));
		sim_close(&process);
		sim_end();
	}
	assert_int_equal(mem_live_count(), 0);
}

static void a_repeat_that_is_not_allowed_is_not_called_an_order_that_was_not_bought(void **state)
{
	static const char *const settings[] = {"bulk.ceiling_percent=50 bulk.spend_limit=5.30 bulk.budget=b",
		"bulk.ceiling_percent=50 bulk.spend_limit=9.00 bulk.currency=CAD"};
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		struct sim_process process;
		case_begin(&process,
			"bulk.ceiling_percent=50 bulk.spend_limit=5.30 bulk.budget=b bulk.item_timeout_ms=5000");
		SCRIPT_OF(BUY(LATE, 1000000), BUY(RATE_EXPIRED, 0));
		sim_world.rerate_step = 1000000;
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
		sim_close(&process);
		sim_open(&process, settings[i]);
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
		assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
		assert_null(strstr(process.results[0].message, "nothing was bought"));
		assert_non_null(strstr(process.results[0].message, "not sent again"));
		case_finish(&process);
	}
}

/* For the sanitizer. */
static void prices_beyond_all_bounds_do_not_overflow(void **state)
{
	static const char *const settings[] = {"bulk.ceiling_percent=10 bulk.missing_carrier=fallback",
		"bulk.ceiling_percent=10000 bulk.missing_carrier=fallback",
		"bulk.ceiling_percent=10 bulk.spend_limit=10"};
	for (size_t i = 0; i < ARRAY_SIZE(settings); i++) {
		struct sim_process process;
		case_begin(&process, settings[i]);
		shipopt_order *order = sim_order("o-0", 1);
		assert_int_equal(shipopt_order_set_max_rate(order, INT64_MAX - 7, NULL), 0);
		assert_int_equal(shipopt_order_set_carrier(order, "UPS", NULL), 0);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		while (sim_world.shipment_count == 0)
			sim_turn(&process, 1000);
		for (int rate = 0; rate < WORLD_RATES; rate++)
			sim_world.shipments[0].prices[rate] = INT64_MAX - 7;
		sim_world.charge = CHARGE_ABSURD; /* a price charged as large as that is not believed */
		sim_wait(&process);
		assert_int_equal(process.results[0].status, i == 2 ? SHIPOPT_ELIMIT : 0);
		assert_true(i == 2 || case_row("o-0")->ceiling >= INT64_MAX - 7);
		case_finish(&process);
	}
}

static void a_repeat_that_was_not_sent_leaves_the_reason_of_the_doubt(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=200000");
	SCRIPT_OF(BUY(LATE, 1000000));
	sim_start_orders(&process, 1);
	case_turn_until(&process, LEDGER_STATE_IN_DOUBT);
	/* A store so slow that the time to be sent is over when `buying` is durable. */
	sim_database.delay_us = 15 * SECOND;
	while (case_row("o-0")->sent < 2 || case_row("o-0")->state != LEDGER_STATE_IN_DOUBT)
		sim_turn(&process, SECOND);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	assert_int_equal(case_row("o-0")->unproven, 1);
	assert_null(strstr(case_row("o-0")->reason, "nothing was sent"));
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	assert_null(strstr(process.results[0].message, "nothing was sent"));
	case_finish(&process);
}

static shipopt_request *kept;

static void keep_request(void *userdata, shipopt_request *request)
{
	kept = request;
}

static void let_host_wait(struct sim_process *process)
{
	shipopt_bulk_config_set_choose(process->bulk_config, keep_request, NULL);
}

static void a_host_may_answer_when_everything_is_gone(void **state)
{
	struct sim_process process;
	sim_begin(1);
	sim_configure = let_host_wait;
	sim_open(&process, "bulk.item_timeout_ms=5000");
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, SHIPOPT_ETIMEDOUT);
	sim_close(&process);
	sim_end();
	shipopt_request_fail(kept, SHIPOPT_EHELD, "too late");
	assert_int_equal(mem_live_count(), 0);
}

static void a_shipment_that_is_made_with_postage_is_for_a_person(void **state)
{
	static const sim_run_fn runs[] = {shipopt_bulk_rate, shipopt_bulk_buy};
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		struct sim_process process;
		case_begin(&process, "bulk.ceiling_percent=50");
		sim_run = runs[i];
		sim_start_orders(&process, 1);
		while (sim_world.shipment_count == 0)
			sim_turn(&process, 1000);
		sim_world.shipments[0].labels = sim_world.shipments[0].label_number = sim_world.labels = 1;
		sim_wait(&process);
		assert_int_equal(process.results[0].status, SHIPOPT_EHELD);
		assert_non_null(strstr(process.results[0].message, "shp_0"));
		assert_int_equal(case_row("o-0")->state, LEDGER_STATE_HELD);
		assert_int_equal(case_row("o-0")->needs_person, 1);
		assert_string_equal(case_row("o-0")->shipment_id, "shp_0");
		sim_run = shipopt_bulk_buy;
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, SHIPOPT_EHELD);
		/* Nor does a changed order open another shipment. */
		assert_int_equal(case_one(&process, 1, 9000000, NULL), SHIPOPT_EHELD);
		assert_int_equal(sim_world.shipment_count, 1);
		assert_int_equal(sim_world.labels, 1);
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

static void a_repeat_without_a_limit_stays_in_the_budget_of_the_first(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.spend_limit=12.00 bulk.budget=spring bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LATE, 125000), BUY(LATE, 125000));
	sim_world.guard = true;
	sim_buy(&process, 1);
	const struct memory_budget *budget = memory_ledger_budget(&sim_database.ledger, "spring");
	assert_int_equal(budget->reserved, 5250000);
	sim_close(&process);
	sim_open(&process, NULL);
	sim_start_orders(&process, 1);
	while (case_row("o-0")->sent < 2)
		sim_turn(&process, SECOND);
	assert_int_equal(budget->reserved, 5250000);
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(budget->reserved, 0);
	assert_int_equal(budget->spent, 5250000);
	assert_int_equal(budget->limit, 12000000);
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_that_is_planned_again_after_a_take_over_keeps_its_wishes),
		cmocka_unit_test(a_rerate_that_says_that_the_shipment_has_postage_opens_no_other_shipment),
		cmocka_unit_test(a_price_of_nothing_approves_nothing),
		cmocka_unit_test(a_voided_order_is_reported_as_such_at_another_base_url_too),
		cmocka_unit_test(a_repeat_that_is_not_allowed_is_not_called_an_order_that_was_not_bought),
		cmocka_unit_test(a_host_may_answer_when_everything_is_gone),
		cmocka_unit_test(a_repeat_that_was_not_sent_leaves_the_reason_of_the_doubt),
		cmocka_unit_test(a_shipment_that_is_made_with_postage_is_for_a_person),
		cmocka_unit_test(a_repeat_without_a_limit_stays_in_the_budget_of_the_first),
		cmocka_unit_test(prices_beyond_all_bounds_do_not_overflow),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_edges", tests, NULL, NULL);
}
