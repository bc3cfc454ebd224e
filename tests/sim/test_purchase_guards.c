/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "answer_edits.h"
#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* Each guard of a purchase alone: what no other one covers, and where two cover the same, each of them. */

#define SHORT_LEASE "carrier.timeout_ms=5000 bulk.lease_ms=12000 bulk.item_timeout_ms=3600000 "

static void turn_until_sent(struct sim_process *process, int64_t buys)
{
	for (int i = 0; i < 100000 && sim_world.calls[WORLD_BUY] < buys; i++)
		sim_turn(process, 100000);
	assert_int_equal(sim_world.calls[WORLD_BUY], buys);
}

/* ---- time -------------------------------------------------------------------------------------------------- */

static void a_purchase_is_sent_only_while_its_lease_outlasts_it(void **state)
{
	/* The lease ends 30 s after it was asked for, a request takes 10 s, and the settle time would allow for 100
	 * s. */
	static const struct {
		int64_t seconds;
		bool is_sent;
	} cases[] = {{15, true}, {19, true}, {21, false}, {25, false}, {35, false}, {90, false}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		case_begin(&process,
			"carrier.timeout_ms=10000 carrier.settle_ms=600000 bulk.lease_ms=30000 bulk.item_timeout_ms=3600000");
		sim_start_orders(&process, 1);
		case_turn_until(&process, LEDGER_STATE_BUYING);
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		/* The ledger's answer comes late. */
		clock_advance_us(cases[i].seconds * SECOND);
		turn_until_sent(&process, 1);
		assert_int_equal(case_row("o-0")->sent, cases[i].is_sent ? 1 : 2);
		assert_true(case_row("o-0")->lease_until_ms - clock_wall_ms() >= 10000);
		sim_wait(&process);
		assert_int_equal(process.results[0].status, 0);
		case_finish(&process);
	}
}

static int64_t buying_us, read_us;

static void note_second_purchase(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation != LEDGER_OP_BUY)
		return;
	if (request->row.sent == 1)
		buying_us = clock_now_us();
	if (request->row.sent == 2)
		read_us = sim_world.last_call_us[WORLD_READ];
}

static void a_look_up_counts_from_when_it_was_begun(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		struct sim_process process;
		sim_begin(seed);
		sim_world.guard = false;
		sim_world.latency_us = 25 * SECOND; /* so that look-ups are under way when the settle time ends */
		sim_open(&process, "carrier.settle_ms=90000");
		SCRIPT_OF(BUY(LOST_BEFORE, 0));
		sim_database.observe = note_second_purchase;
		assert_int_equal(sim_buy(&process, 1), 0);
		assert_int_equal(process.results[0].status, 0);
		assert_int_equal(sim_world.calls[WORLD_BUY], 2);
		if (read_us - buying_us < 90 * SECOND)
			fail_msg("seed %llu: a look-up begun after %lld ms counted", (unsigned long long)seed,
				(long long)(read_us - buying_us) / 1000);
		case_finish(&process);
	}
}

static void the_settle_time_counts_from_the_newest_purchase_also_after_a_take_over(void **state)
{
	struct sim_process first, second;
	case_begin(&first, SHORT_LEASE "carrier.settle_ms=120000");
	/* The second purchase takes effect a minute later, when somebody else has taken over. */
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(LATE, 60000));
	sim_start_orders(&first, 1);
	turn_until_sent(&first, 2);
	sim_open(&second, SHORT_LEASE "carrier.settle_ms=120000");
	assert_int_equal(sim_buy(&second, 1), 0);
	assert_int_equal(second.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 2);
	sim_wait(&first);
	assert_int_equal(first.results[0].status, SHIPOPT_ALREADY);
	sim_close(&first);
	case_finish(&second);
}

static void the_settle_time_is_the_longest_under_which_a_purchase_was_sent(void **state)
{
	struct sim_process first, second;
	case_begin(&first, SHORT_LEASE "carrier.settle_ms=120000");
	SCRIPT_OF(BUY(LATE, 100000));
	sim_start_orders(&first, 1);
	turn_until_sent(&first, 1);
	sim_open(&second, SHORT_LEASE "carrier.settle_ms=6000");
	assert_int_equal(sim_buy(&second, 1), 0);
	assert_int_equal(second.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	sim_wait(&first);
	sim_close(&first);
	case_finish(&second);
}

static void the_lease_is_kept_while_a_purchase_is_looked_up(void **state)
{
	struct sim_process process;
	case_begin(&process, "carrier.timeout_ms=10000 carrier.settle_ms=200000 bulk.lease_ms=40000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	sim_start_orders(&process, 1);
	turn_until_sent(&process, 1);
	while (sim_world.calls[WORLD_BUY] < 2) {
		sim_turn(&process, SECOND);
		assert_true(case_row("o-0")->lease_until_ms > clock_wall_ms());
	}
	sim_wait(&process);
	assert_int_equal(process.results[0].status, 0);
	case_finish(&process);
}

/* ---- money ------------------------------------------------------------------------------------------------- */

static void a_spend_limit_in_another_currency_than_the_rate_buys_nothing(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	EDIT(WORLD_CREATE, "USD", "EUR");
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	sim_close(&process);
	sim_open(&process, "bulk.spend_limit=100.00 bulk.budget=spring");
	sim_run = shipopt_bulk_buy;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ELIMIT);
	assert_string_equal(process.results[0].message,
		"the rate is in EUR and the spend limit in USD; nothing was bought");
	assert_int_equal(sim_database.seen[LEDGER_OP_BUY], 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	case_finish(&process);
}

/* ---- cancel ------------------------------------------------------------------------------------------------ */

static void a_cancel_between_buying_and_sending_sends_nothing(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	sim_start_orders(&process, 1);
	case_turn_until(&process, LEDGER_STATE_BUYING);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	shipopt_op_cancel(shipopt_run_op(process.run));
	sim_wait(&process);
	assert_int_equal(process.results[0].status, SHIPOPT_ECANCELED);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	/* That nothing was sent is proof. */
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_CREATED);
	assert_int_equal(case_row("o-0")->sent, 1);
	assert_int_equal(case_row("o-0")->unproven, 0);
	case_finish(&process);
}

/* ---- two guards for one thing ------------------------------------------------------------------------------ */

/* The ledger refuses these as well (test_ledger.c): here they are not even asked for. */
static void assert_never_asked(enum ledger_operation operation, int times)
{
	assert_int_equal(sim_database.seen[operation], times);
}

static void an_order_that_may_have_been_bought_is_never_planned_again(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_one(&process, 1, 7000000, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_one(&process, 9, 0, NULL), SHIPOPT_ECONFLICT);
	assert_never_asked(LEDGER_OP_PLAN, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

static void a_price_that_went_up_fails_no_order_that_may_have_been_bought(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	/* Lost, then refused as expired, and dearer: what is unknown is the first purchase, not the price. */
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(RATE_EXPIRED, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_non_null(strstr(process.results[0].message, "above the approved 5.25 USD"));
	assert_never_asked(LEDGER_OP_FAIL, 0);
	assert_never_asked(LEDGER_OP_HOLD, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
	assert_int_equal(case_row("o-0")->unproven, 1);
	assert_int_equal(case_row("o-0")->sent, 2);
	case_finish(&process);
}

static void a_refused_repeat_fails_no_order_that_may_have_been_bought(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(REFUSED, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_never_asked(LEDGER_OP_FAIL, 0);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
	assert_int_equal(case_row("o-0")->needs_person, 1);
	/* Nor does the next run ask for another shipment, or for a third purchase. */
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_never_asked(LEDGER_OP_BUY, 2);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

static void look_at_doubt(struct memory_database *database, const struct ledger_request *request)
{
	if (request->operation == LEDGER_OP_DOUBT && request->row.sent == 2) {
		assert_int_equal(request->row.needs_person, 1);
		assert_int_equal(request->row.unproven, 1);
		assert_string_equal(request->row.refusal, request->row.reason);
	}
}

/* So that whoever takes over from here knows it. */
static void a_refused_repeat_is_marked_for_a_person_at_once(void **state)
{
	struct sim_process process;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(REFUSED, 0));
	sim_database.observe = look_at_doubt;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	case_finish(&process);
}

static void a_shipment_that_has_postage_is_only_read_from_then_on(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=1800000");
	sim_world.guard = true;
	SCRIPT_OF(BUY(LOST_AFTER, 0));
	edits_hide_labels(WORLD_READ); /* as a stale replica would */
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_never_asked(LEDGER_OP_BUY, 2);
	assert_int_equal(case_row("o-0")->exists_seen, 1);
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_never_asked(LEDGER_OP_BUY, 2);
	edits_clear();
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	case_finish(&process);
}

static void three_purchases_of_unknown_outcome_are_for_a_person(void **state)
{
	struct sim_process process;
	case_begin(&process, "bulk.item_timeout_ms=3600000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0));
	for (int run = 0; run < 2; run++) {
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
		assert_non_null(
			strstr(process.results[0].message, "a person must look the shipment up at the carrier"));
		assert_never_asked(LEDGER_OP_BUY, 3);
		assert_int_equal(case_row("o-0")->unproven, 3);
		assert_int_equal(case_row("o-0")->needs_person, 1);
	}
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_purchase_is_sent_only_while_its_lease_outlasts_it),
		cmocka_unit_test(a_look_up_counts_from_when_it_was_begun),
		cmocka_unit_test(the_settle_time_counts_from_the_newest_purchase_also_after_a_take_over),
		cmocka_unit_test(the_settle_time_is_the_longest_under_which_a_purchase_was_sent),
		cmocka_unit_test(the_lease_is_kept_while_a_purchase_is_looked_up),
		cmocka_unit_test(a_spend_limit_in_another_currency_than_the_rate_buys_nothing),
		cmocka_unit_test(a_cancel_between_buying_and_sending_sends_nothing),
		cmocka_unit_test(an_order_that_may_have_been_bought_is_never_planned_again),
		cmocka_unit_test(a_price_that_went_up_fails_no_order_that_may_have_been_bought),
		cmocka_unit_test(a_refused_repeat_fails_no_order_that_may_have_been_bought),
		cmocka_unit_test(a_refused_repeat_is_marked_for_a_person_at_once),
		cmocka_unit_test(a_shipment_that_has_postage_is_only_read_from_then_on),
		cmocka_unit_test(three_purchases_of_unknown_outcome_are_for_a_person),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_guards", tests, NULL, NULL);
}
