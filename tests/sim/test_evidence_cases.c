/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* What an answer proves of a purchase, played over several runs: carriers that are stale, mixed up, or say things of
 * their own. */

static struct sim_process process;

static void run_again(const char *settings, sim_run_fn run)
{
	sim_close(&process);
	sim_run = run;
	sim_open(&process, settings);
	assert_int_equal(sim_buy(&process, 1), 0);
	sim_run = shipopt_bulk_buy;
}

static void buy_again(const char *settings)
{
	run_again(settings, shipopt_bulk_buy);
}

static void begin_guarded(const char *settings)
{
	case_begin(&process, settings);
	sim_world.guard = true;
}

static void resolve(int state, const char *tracking_code)
{
	assert_int_equal(memory_ledger_resolve(&sim_database.ledger, case_row("o-0")->id, state, tracking_code,
				 "looked"),
		0);
}

/* ---- rate runs, other content, other URLs ------------------------------------------------------------------- */

static void a_rate_run_looks_up_what_is_in_doubt_and_buys_nothing(void **state)
{
	for (int is_bought = 0; is_bought < 2; is_bought++) {
		case_begin(&process, "bulk.item_timeout_ms=5000");
		SCRIPT_OF(BUY(LATE, is_bought ? 60000 : -1));
		assert_int_equal(sim_buy(&process, 1), 0);
		assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
		clock_advance_us(200 * SECOND);
		int64_t reads = sim_world.calls[WORLD_READ];
		run_again(NULL, shipopt_bulk_rate);
		assert_int_equal(process.results[0].status, is_bought ? SHIPOPT_ALREADY : SHIPOPT_EINDOUBT);
		assert_int_equal(case_row("o-0")->state, is_bought ? LEDGER_STATE_BOUGHT : LEDGER_STATE_IN_DOUBT);
		assert_int_equal(sim_world.calls[WORLD_READ], reads + 1);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		buy_again(NULL);
		assert_int_equal(process.results[0].status, is_bought);
		case_finish(&process);
	}
}

static void other_content_while_in_doubt_is_looked_up_and_never_sent(void **state)
{
	for (int is_bought = 0; is_bought < 2; is_bought++) {
		case_begin(&process, "bulk.item_timeout_ms=5000");
		SCRIPT_OF(BUY(LATE, is_bought ? 60000 : -1));
		assert_int_equal(sim_buy(&process, 1), 0);
		clock_advance_us(200 * SECOND);
		assert_int_equal(case_one(&process, 99, 0, NULL), SHIPOPT_ECONFLICT);
		assert_non_null(strstr(process.results[0].message, "parcel.weight"));
		assert_int_equal(case_row("o-0")->state, is_bought ? LEDGER_STATE_BOUGHT : LEDGER_STATE_IN_DOUBT);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		buy_again(NULL);
		assert_int_equal(process.results[0].status, is_bought);
		assert_int_equal(sim_world.labels, 1);
		case_finish(&process);
	}
}

static void use_another_url(struct sim_process *opened)
{
	assert_int_equal(shipopt_carrier_config_set(opened->carrier_config, SHIPOPT_CARRIER_BASE_URL,
				 "http://other.invalid/v2"),
		0);
}

static void a_row_of_another_base_url_is_a_conflict_that_names_both(void **state)
{
	case_begin(&process, "bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	int64_t reads = sim_world.calls[WORLD_READ];
	sim_configure = use_another_url;
	buy_again(NULL);
	assert_int_equal(process.results[0].status, SHIPOPT_ECONFLICT);
	assert_non_null(strstr(process.results[0].message, "http://carrier.invalid/v2"));
	assert_non_null(strstr(process.results[0].message, "http://other.invalid/v2"));
	assert_int_equal(sim_world.calls[WORLD_READ], reads);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	case_finish(&process);
}

/* ---- stale reads ------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	struct world_step second;
	bool is_refusal;
} second_refusals[] = {
	{"listed", BUY(REFUSED, 0), true},
	{"the rate", BUY(UNAVAILABLE, 0), false},
	{"unlisted", BUY(UNLISTED, -1), true},
	{"without a code", BUY(NO_CODE, -1), true},
	{"a text", BUY(ERROR_TEXT, -1), true},
	{"a gateway's page", BUY(GATEWAY_PAGE, -1), false},
	{"a gateway's JSON", BUY(GATEWAY_JSON, -1), false},
	{"EXISTS", BUY(NONE, 0), false},
};

/* The first purchase did buy, and the replica that is asked will never know. */
static void a_refused_repeat_behind_stale_reads_never_opens_a_new_shipment(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(second_refusals); i++) {
		begin_guarded("bulk.ceiling_percent=10");
		sim_world.stale_us = INT64_MAX;
		case_script(2, (struct world_step[]){BUY(LOST_AFTER, 0), second_refusals[i].second});
		for (int run = 0; run < 3; run++) {
			buy_again("bulk.ceiling_percent=10");
			const struct ledger_row *row = case_row("o-0");
			bool is_refusal = second_refusals[i].is_refusal;
			if (row->state != LEDGER_STATE_IN_DOUBT || sim_world.calls[WORLD_CREATE] != 1 ||
				process.results[0].status != SHIPOPT_EINDOUBT || row->needs_person != is_refusal ||
				row->exists_seen == is_refusal)
				fail_msg("%s, run %d: %s, %s: %s", second_refusals[i].name, run,
					ledger_state_name(row->state), shipopt_error_name(process.results[0].status),
					process.results[0].message);
		}
		assert_true(sim_world.calls[WORLD_BUY] <= 3);
		/* Once it shows, it is bought. */
		sim_world.shipments[0].stale_until_us = 0;
		buy_again(NULL);
		assert_int_equal(process.results[0].status, 0);
		case_finish(&process);
	}
}

static void a_rerate_that_says_that_postage_exists_ends_the_sending(void **state)
{
	struct world_step steps[CASE_SCRIPT_MAX] = {BUY(LOST_AFTER, 0), BUY(UNAVAILABLE, 0)};
	for (size_t i = 2; i < ARRAY_SIZE(steps); i++)
		steps[i] = (struct world_step)READ(STALE, 0);
	begin_guarded("carrier.settle_ms=72000");
	sim_world.rerates_no_label = true;
	case_script(ARRAY_SIZE(steps), steps);
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
	assert_int_equal(sim_world.calls[WORLD_BUY], 2);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

/* ---- shipments of others ----------------------------------------------------------------------------------- */

static void two_orders_never_share_a_shipment(void **state)
{
	for (int is_named = 0; is_named < 2; is_named++) {
		begin_guarded("bulk.max_in_flight=1");
		case_script(2,
			(struct world_step[]){CREATE(NONE, 0),
				{WORLD_CREATE, is_named ? FAULT_SHARED_NAMED : FAULT_SHARED, 0}});
		assert_int_equal(sim_buy(&process, 2), 0);
		assert_int_equal(process.results[0].status, 0);
		assert_int_equal(process.results[1].status, SHIPOPT_EPROTOCOL);
		assert_false(process.results[1].has_tracking_code);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		assert_int_equal(case_row("o-1")->state, LEDGER_STATE_PLANNED);
		/* The next run makes a shipment of its own. */
		assert_int_equal(sim_buy(&process, 2), 0);
		assert_int_equal(process.results[1].status, 0);
		assert_int_equal(sim_world.labels, 2);
		case_finish(&process);
	}
}

/* ---- settle times ------------------------------------------------------------------------------------------ */

static void a_reader_with_a_shorter_settle_time_waits_for_the_longer_one(void **state)
{
	static const char *const slow = "carrier.timeout_ms=20000 carrier.settle_ms=100000 bulk.item_timeout_ms=5000";
	static const char *const fast = "carrier.timeout_ms=1000 carrier.settle_ms=1200";
	case_begin(&process, slow);
	SCRIPT_OF(BUY(LATE, 80000));
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	buy_again(fast);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 1);
	assert_true(clock_now_us() >= 80 * SECOND);
	case_finish(&process);
}

static void a_repeat_under_a_shorter_settle_time_keeps_the_longer_one(void **state)
{
	case_begin(&process, "carrier.timeout_ms=20000 carrier.settle_ms=100000 bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(LOST_BEFORE, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	buy_again("carrier.timeout_ms=1000 carrier.settle_ms=1200");
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(case_row("o-0")->sent, 3);
	assert_true(clock_now_us() >= 200 * SECOND);
	case_finish(&process);
}

/* ---- refusals without proof -------------------------------------------------------------------------------- */

static const struct world_step vague_refusals[] = {BUY(ERROR_TEXT, -1), BUY(NO_CODE, -1), BUY(UNLISTED, -1)};

static void a_refusal_without_a_listed_code_ends_refused_and_is_not_sent_again(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vague_refusals); i++) {
		case_begin(&process, NULL);
		case_script(1, &vague_refusals[i]);
		assert_int_equal(sim_buy(&process, 1), 0);
		for (int run = 0; run < 2; run++) {
			assert_int_equal(process.results[0].status, SHIPOPT_EREFUSED);
			assert_non_null(strstr(process.results[0].message, "a person must look"));
			assert_non_null(strstr(process.results[0].message, "HTTP 422"));
			assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
			assert_int_equal(case_row("o-0")->needs_person, 1);
			assert_int_equal(sim_world.calls[WORLD_BUY], 1);
			buy_again(NULL);
		}
		resolve(LEDGER_STATE_FAILED, NULL);
		buy_again(NULL);
		assert_int_equal(process.results[0].status, 0);
		assert_int_equal(sim_world.calls[WORLD_CREATE], 1);
		assert_int_equal(sim_world.calls[WORLD_BUY], 2);
		case_finish(&process);
	}
}

static void a_refusal_without_a_listed_code_that_did_buy_is_found_bought(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(vague_refusals); i++) {
		case_begin(&process, NULL);
		case_script(1, &(struct world_step){WORLD_BUY, vague_refusals[i].fault, 90000});
		assert_int_equal(sim_buy(&process, 1), 0);
		assert_int_equal(process.results[0].status, 0);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		case_finish(&process);
	}
}

static const struct world_step acted[] = {BUY(GATEWAY_PAGE, 0), BUY(GATEWAY_JSON, 0), BUY(GATEWAY_TEXT, 0),
	BUY(429_PAGE, 0), BUY(429_UNLISTED, 0), BUY(EARLY_REFUSAL, 0), BUY(EARLY_SHIPMENT, 0), BUY(STALE_ANSWER, 0)};

static void what_proves_nothing_is_looked_up_also_after_the_work(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(acted); i++) {
		case_begin(&process, "bulk.max_in_flight=1");
		case_script(2, (struct world_step[]){BUY(NONE, 0), acted[i]});
		assert_int_equal(sim_buy(&process, 2), 0);
		if (process.results[1].status != 0 || sim_world.calls[WORLD_BUY] != 2 || sim_world.labels != 2)
			fail_msg("%s: %s, %d labels", world_fault_name(acted[i].fault), process.results[1].message,
				sim_world.labels);
		case_finish(&process);
	}
}

/* ---- three sends, and a person ----------------------------------------------------------------------------- */

static void after_three_purchases_of_a_shipment_a_person_decides(void **state)
{
	case_begin(&process, "bulk.item_timeout_ms=3600000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(500, 0), BUY(HANG, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	for (int run = 0; run < 3; run++) {
		assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
		assert_int_equal(case_row("o-0")->needs_person, 1);
		assert_int_equal(sim_world.calls[WORLD_BUY], 3);
		buy_again(NULL);
	}
	/* "Not bought": the same shipment again, with one purchase of it unproven for good. */
	resolve(LEDGER_STATE_FAILED, NULL);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_CREATED);
	assert_int_equal(case_row("o-0")->unproven, 1);
	buy_again(NULL);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.calls[WORLD_BUY], 4);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

static void a_person_who_was_right_only_when_looking_makes_no_second_label(void **state)
{
	begin_guarded("bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LATE, 400000), BUY(NONE, 0), BUY(REFUSED, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	clock_advance_us(200 * SECOND);
	resolve(LEDGER_STATE_FAILED, NULL);
	clock_advance_us(300 * SECOND);
	buy_again(NULL);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

static void a_refused_repeat_after_a_persons_word_is_for_a_person_again(void **state)
{
	begin_guarded("bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(LATE, 900000), BUY(REFUSED, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	clock_advance_us(200 * SECOND);
	resolve(LEDGER_STATE_FAILED, NULL);
	buy_again(NULL);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
	clock_advance_us(900 * SECOND);
	buy_again(NULL);
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

/* ---- reasons and leases ------------------------------------------------------------------------------------ */

static void the_reason_of_the_doubt_outlives_look_ups_that_fail(void **state)
{
	case_begin(&process, "bulk.item_timeout_ms=5000 carrier.attempts_max=1");
	case_script(9,
		(struct world_step[]){BUY(GARBAGE, 0), READ(HANG, 0), READ(500, 0), READ(LOST_BEFORE, 0),
			READ(503, 3600000), READ(500, 0), READ(500, 0), READ(500, 0), READ(500, 0)});
	assert_int_equal(sim_buy(&process, 1), 0);
	for (int run = 0; run < 2; run++) {
		assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
		assert_non_null(strstr(process.results[0].message, "/buy"));
		assert_null(strstr(process.results[0].message, "nothing was sent"));
		if (run == 0)
			buy_again("bulk.item_timeout_ms=1 carrier.attempts_max=1");
	}
	case_finish(&process);
}

static void an_order_in_doubt_says_why_also_where_no_answer_does(void **state)
{
	static const struct database_step commit = {LEDGER_OP_BOUGHT, 1, DATABASE_DOUBT};
	case_begin(&process, "bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(NO_LABEL, -1));
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	assert_non_null(strstr(process.results[0].message, "the answer shows neither a tracking code nor a label"));
	case_finish(&process);
	/* The commit that wrote the label down is in doubt, and there is no time left to look at the row. */
	case_begin(&process, "bulk.item_timeout_ms=108");
	sim_database.script = &commit;
	sim_database.script_count = 1;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	assert_string_equal(process.results[0].message, "the script failed the database");
	buy_again(NULL);
	assert_int_equal(process.results[0].status, SHIPOPT_ALREADY);
	case_finish(&process);
}

static void a_row_in_doubt_behind_another_lease_is_reported_in_doubt(void **state)
{
	struct sim_process second;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(HANG, 0));
	sim_start_orders(&process, 1);
	case_turn_until(&process, LEDGER_STATE_BUYING);
	sim_open(&second, "bulk.item_timeout_ms=1000");
	assert_int_equal(sim_buy(&second, 1), 0);
	assert_int_equal(second.results[0].status, SHIPOPT_EINDOUBT);
	sim_close(&second);
	sim_wait(&process);
	case_finish(&process);
}

static void a_lease_of_a_clock_that_was_years_ahead_holds_nobody_up(void **state)
{
	struct sim_process second;
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(LOST_AFTER, 0));
	clock_set_wall_offset_ms(INT64_C(315360000000));
	sim_start_orders(&process, 1);
	case_turn_until(&process, LEDGER_STATE_BUYING);
	for (int i = 0; i < 100 && sim_world.calls[WORLD_BUY] == 0; i++)
		sim_turn(&process, 1000);
	/* From here on it stands still, as if it had crashed. */
	clock_set_wall_offset_ms(0);
	int64_t begin_us = clock_now_us();
	sim_open(&second, NULL);
	assert_int_equal(sim_buy(&second, 1), 0);
	assert_int_equal(second.results[0].status, 0);
	assert_true(clock_now_us() - begin_us < 10 * SECOND);
	assert_true(case_row("o-0")->buying_at_ms <= clock_wall_ms());
	sim_close(&second);
	sim_wait(&process);
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_run_looks_up_what_is_in_doubt_and_buys_nothing),
		cmocka_unit_test(other_content_while_in_doubt_is_looked_up_and_never_sent),
		cmocka_unit_test(a_row_of_another_base_url_is_a_conflict_that_names_both),
		cmocka_unit_test(a_refused_repeat_behind_stale_reads_never_opens_a_new_shipment),
		cmocka_unit_test(a_rerate_that_says_that_postage_exists_ends_the_sending),
		cmocka_unit_test(two_orders_never_share_a_shipment),
		cmocka_unit_test(a_reader_with_a_shorter_settle_time_waits_for_the_longer_one),
		cmocka_unit_test(a_repeat_under_a_shorter_settle_time_keeps_the_longer_one),
		cmocka_unit_test(a_refusal_without_a_listed_code_ends_refused_and_is_not_sent_again),
		cmocka_unit_test(a_refusal_without_a_listed_code_that_did_buy_is_found_bought),
		cmocka_unit_test(what_proves_nothing_is_looked_up_also_after_the_work),
		cmocka_unit_test(after_three_purchases_of_a_shipment_a_person_decides),
		cmocka_unit_test(a_person_who_was_right_only_when_looking_makes_no_second_label),
		cmocka_unit_test(a_refused_repeat_after_a_persons_word_is_for_a_person_again),
		cmocka_unit_test(the_reason_of_the_doubt_outlives_look_ups_that_fail),
		cmocka_unit_test(an_order_in_doubt_says_why_also_where_no_answer_does),
		cmocka_unit_test(a_row_in_doubt_behind_another_lease_is_reported_in_doubt),
		cmocka_unit_test(a_lease_of_a_clock_that_was_years_ahead_holds_nobody_up),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("evidence_cases", tests, NULL, NULL);
}
