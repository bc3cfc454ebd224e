/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* ---- prices ------------------------------------------------------------------------------------------------ */

static void an_expired_rate_is_rated_again_on_the_same_shipment_up_to_what_was_approved(void **state)
{
	static const struct {
		int64_t step;
		const char *settings;
		int item, state;
	} cases[] = {
		{0, NULL, 0, LEDGER_STATE_BOUGHT},
		{-50000, NULL, 0, LEDGER_STATE_BOUGHT},
		{10000, NULL, SHIPOPT_EHELD, LEDGER_STATE_HELD},
		{500000, "bulk.ceiling_percent=10", 0, LEDGER_STATE_BOUGHT},
		{600000, "bulk.ceiling_percent=10", SHIPOPT_EHELD, LEDGER_STATE_HELD},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process, cases[i].settings);
		SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		sim_world.rerate_step = cases[i].step;
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, cases[i].item);
		assert_int_equal(case_row("o-0")->state, cases[i].state);
		assert_int_equal(sim_world.shipment_count, 1);
		assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
		if (cases[i].state == LEDGER_STATE_BOUGHT)
			assert_int_equal(case_row("o-0")->paid, 5250000 + cases[i].step);
		case_finish(&process);
	}
}

static void a_rate_that_expires_three_times_is_a_refusal(void **state)
{
	for (int times = 1; times <= 3; times++) {
		struct sim_process process;
		case_begin(&process, NULL);
		case_script((size_t)times,
			(struct world_step[]){BUY(RATE_EXPIRED, 0), BUY(RATE_EXPIRED, 0), BUY(RATE_EXPIRED, 0)});
		sim_world.rerate_step = 0;
		sim_buy(&process, 1);
		assert_int_equal(process.results[0].status, times < 3 ? 0 : SHIPOPT_EREFUSED);
		assert_int_equal(case_row("o-0")->state, times < 3 ? LEDGER_STATE_BOUGHT : LEDGER_STATE_FAILED);
		assert_int_equal(case_row("o-0")->sent, MIN(times + 1, 3));
		assert_int_equal(sim_world.calls[WORLD_RERATE], MIN(times, 2));
		case_finish(&process);
	}
}

static void a_rerate_that_answers_about_another_shipment_is_not_believed(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.attempts_max=1"); /* the patient have eight times as many */
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), RERATE(OTHER_BODY, 0), RERATE(OTHER_BODY, 0), RERATE(OTHER_BODY, 0),
		RERATE(OTHER_BODY, 0), RERATE(OTHER_BODY, 0), RERATE(OTHER_BODY, 0), RERATE(OTHER_BODY, 0),
		RERATE(OTHER_BODY, 0));
	sim_world.rerate_step = 0;
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, SHIPOPT_EPROTOCOL);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_CREATED);
	/* The next run tries the stored rate, which is refused as before, and rates the same shipment again. */
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(case_row("o-0")->sent, 3);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
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
	assert_int_equal(case_one(&process, 1, 10000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_HELD);
	case_finish(&process);
}

static void an_order_rated_before_is_held_when_its_max_rate_is_lower_now(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	sim_run = shipopt_bulk_buy;
	assert_int_equal(case_one(&process, 1, 5000000, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	case_finish(&process);
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
		case_begin(&process, cases[i].settings);
		sim_world.hidden_carrier = "UPS";
		sim_world.hidden_visits = 2;
		sim_world.rerate_step = 0;
		assert_int_equal(case_one(&process, 1, cases[i].max_rate, "ups"), cases[i].item);
		assert_int_equal(sim_world.calls[WORLD_RERATE], cases[i].rerates);
		if (cases[i].item == 0) {
			assert_int_equal(case_row("o-0")->paid, cases[i].paid);
			assert_string_equal(process.results[0].message, "");
		}
		case_finish(&process);
	}
}

/* ---- money ------------------------------------------------------------------------------------------------- */

static void a_spend_limit_reserves_releases_and_counts(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.spend_limit=12.00 bulk.budget=spring bulk.max_in_flight=1 bulk.ceiling_percent=10");
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
	case_finish(&process);
}

/* ---- cancel and deadlines ---------------------------------------------------------------------------------- */

static void check_and_resume(struct sim_process *process, const char *what, int64_t when)
{
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, "o-0");
	int item = process->results[0].status, state = row ? row->row.state : 0;
	bool open = state == LEDGER_STATE_BUYING || state == LEDGER_STATE_IN_DOUBT;
	if (process->items && open != (item == SHIPOPT_EINDOUBT))
		fail_msg("%s at %lld: the row is %s, the item says %s", what, (long long)when, ledger_state_name(state),
			shipopt_error_name(item));
	if (process->items && state == LEDGER_STATE_BOUGHT && item < 0)
		fail_msg("%s at %lld: bought, and the item says %s", what, (long long)when, shipopt_error_name(item));
	if (row && row->row.lease_until_ms > clock_wall_ms())
		fail_msg("%s at %lld: the lease is kept", what, (long long)when);
	sim_close(process);
	sim_open(process, "bulk.ceiling_percent=10"); /* another shipment costs a cent more here */
	sim_buy(process, 1);
	if (process->results[0].status != 0 && process->results[0].status != 1)
		fail_msg("%s at %lld: the resume says %s", what, (long long)when, process->results[0].message);
	assert_int_equal(sim_world.labels, 1);
	case_finish(process);
}

static const struct world_step hard_ways[][2] = {
	{BUY(NONE, 0), READ(NONE, 0)},
	{BUY(LOST_AFTER, 0), READ(500, 0)},
	{BUY(LATE, 3000), READ(LOST_BEFORE, 0)},
	{BUY(RATE_EXPIRED, 0), RERATE(500, 0)},
	{CREATE(HANG, 0), BUY(429, 3000)},
	{BUY(REFUSED_CONNECTION, 0), READ(NONE, 0)},
};

static void a_cancel_at_any_moment_hides_no_money(void **state)
{
	for (size_t way = 0; way < ARRAY_SIZE(hard_ways); way++) {
		bool is_over = false;
		for (int turns = 0; !is_over && turns < 500; turns++) {
			struct sim_process process;
			case_begin(&process, "bulk.ceiling_percent=10");
			case_script(2, hard_ways[way]);
			sim_world.rerate_step = 0;
			sim_start_orders(&process, 1);
			for (int i = 0; i < turns && !sim_is_over(&process); i++)
				sim_turn(&process, 500000);
			is_over = sim_is_over(&process);
			shipopt_op_cancel(shipopt_run_op(process.run));
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
			char settings[96];
			snprintf(settings, sizeof(settings), "bulk.ceiling_percent=10 bulk.item_timeout_ms=%lld",
				(long long)timeout_ms);
			case_begin(&process, settings);
			case_script(2, hard_ways[way]);
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

/* The first `refused` orders are refused at this call; one order at a time, but those in doubt, which wait beside. */
static int buy_refused(struct sim_process *process, struct world_step refusal, size_t refused)
{
	static struct world_step script[40];
	size_t count = 0;
	case_begin(process, "bulk.max_in_flight=1");
	for (size_t i = 0; i < refused; i++)
		script[count++] = refusal;
	for (size_t i = 0; refusal.call == WORLD_READ && i < 20; i++)
		script[count++] = (struct world_step)BUY(LOST_AFTER, 0);
	sim_world.script = script;
	sim_world.script_count = count;
	sim_world.script_used = 0;
	return sim_buy(process, 20);
}

static const struct world_step refusals[] = {CREATE(401, 0), BUY(401, 0), READ(401, 0), CREATE(402, 0), BUY(402, 0)};

static void a_refused_account_stops_the_run(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct sim_process process;
		int status = buy_refused(&process, refusals[i], 5);
		assert_int_equal(status, refusals[i].fault == FAULT_402 ? SHIPOPT_EPAYMENT : SHIPOPT_EAUTH);
		bool is_read = refusals[i].call == WORLD_READ;
		size_t refused = 0;
		assert_true(sim_world.calls[WORLD_CREATE] == 5 || is_read);
		for (size_t j = 0; j < 20; j++)
			refused += process.results[j].status == (is_read ? SHIPOPT_EINDOUBT : status);
		assert_int_equal(refused, 5);
		assert_true(is_read || process.results[5].status == SHIPOPT_ECANCELED);
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

static void fewer_refused_orders_than_that_stop_no_run(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		struct sim_process process;
		size_t failed = 0;
		assert_int_equal(buy_refused(&process, refusals[i], 4), 0);
		for (size_t j = 0; j < 20; j++)
			failed += process.results[j].status < 0;
		assert_int_equal(failed, 4);
		assert_int_equal(sim_compare(), 0);
		sim_close(&process);
		sim_end();
		assert_int_equal(mem_live_count(), 0);
	}
}

static void a_success_between_refused_orders_begins_the_count_again(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.max_in_flight=1");
	SCRIPT_OF(CREATE(401, 0), CREATE(401, 0), CREATE(401, 0), CREATE(401, 0), CREATE(NONE, 0), CREATE(401, 0),
		CREATE(401, 0), CREATE(401, 0));
	assert_int_equal(sim_buy(&process, 20), 0);
	for (size_t j = 0; j < 20; j++)
		assert_int_equal(process.results[j].status, j < 8 && j != 4 ? SHIPOPT_EAUTH : 0);
	case_finish(&process);
}

static void a_wrong_base_url_stops_the_run_at_the_first_order(void **state)
{
	struct sim_process process;
	assert_int_equal(buy_refused(&process, (struct world_step)CREATE(BARE_404, 0), 1), SHIPOPT_EPROTOCOL);
	assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
	assert_non_null(strstr(process.results[0].message, "is the base URL right?"));
	case_finish(&process);
	/* Not once the API has answered. */
	case_begin(&process, "bulk.max_in_flight=1");
	SCRIPT_OF(BUY(NONE, 0), CREATE(NONE, 0), CREATE(BARE_404, 0));
	assert_int_equal(sim_buy(&process, 20), 0);
	for (size_t j = 0; j < 20; j++)
		assert_int_equal(process.results[j].status, j == 1 ? SHIPOPT_EPROTOCOL : 0);
	case_finish(&process);
}

static void a_short_queue_delays_orders_and_fails_none(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.queue_max=1 carrier.concurrency_max=1 bulk.max_in_flight=32");
	assert_int_equal(sim_buy(&process, 50), 0);
	for (size_t i = 0; i < 50; i++)
		assert_int_equal(process.results[i].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 50);
	case_finish(&process);
}

static void an_empty_retry_budget_delays_orders_and_fails_none(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.retry_budget=0 bulk.max_in_flight=4");
	SCRIPT_OF(CREATE(500, 0), CREATE(LOST_AFTER, 0), BUY(429, 0), BUY(LOST_AFTER, 0), READ(500, 0));
	assert_int_equal(sim_buy(&process, 5), 0);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(process.results[i].status, 0);
	case_finish(&process);
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
		cmocka_unit_test(an_expired_rate_is_rated_again_on_the_same_shipment_up_to_what_was_approved),
		cmocka_unit_test(a_rate_that_expires_three_times_is_a_refusal),
		cmocka_unit_test(a_rerate_that_answers_about_another_shipment_is_not_believed),
		cmocka_unit_test(a_hosts_choice_above_the_orders_max_rate_is_held),
		cmocka_unit_test(an_order_rated_before_is_held_when_its_max_rate_is_lower_now),
		cmocka_unit_test(a_wanted_carrier_that_is_missing_is_waited_for_replaced_or_a_failure),
		cmocka_unit_test(a_spend_limit_reserves_releases_and_counts),
		cmocka_unit_test(a_cancel_at_any_moment_hides_no_money),
		cmocka_unit_test(a_deadline_at_any_moment_gives_one_honest_result),
		cmocka_unit_test(a_refused_account_stops_the_run),
		cmocka_unit_test(fewer_refused_orders_than_that_stop_no_run),
		cmocka_unit_test(a_success_between_refused_orders_begins_the_count_again),
		cmocka_unit_test(a_wrong_base_url_stops_the_run_at_the_first_order),
		cmocka_unit_test(a_short_queue_delays_orders_and_fails_none),
		cmocka_unit_test(an_empty_retry_budget_delays_orders_and_fails_none),
		cmocka_unit_test(a_settle_time_that_a_purchase_can_outlive_is_refused),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_limits", tests, NULL, NULL);
}
