/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase_test.h"

/* What was approved, what is sent, and what the carrier charges, over several runs. */

static struct sim_process process;

static void buy_again(const char *settings)
{
	sim_close(&process);
	sim_open(&process, settings);
	assert_int_equal(sim_buy(&process, 1), 0);
}

/* ---- approvals --------------------------------------------------------------------------------------------- */

static void an_approval_outlives_any_number_of_interruptions(void **state)
{
	case_begin(&process, NULL);
	/* The rate expires and cannot be had again; then no shipment can be made; then everything is dearer. */
	SCRIPT_OF(BUY(RATE_EXPIRED, 0), RERATE(429, 3600000), BUY(REFUSED, 0), CREATE(NONE, 0), CREATE(429, 3600000));
	sim_world.rerate_step = 0;
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(case_row("o-0")->ceiling, 5250000);
	buy_again(NULL); /* refused: the next run plans again */
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_FAILED);
	buy_again(NULL);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_PLANNED);
	assert_int_equal(case_row("o-0")->ceiling, 5250000);
	buy_again(NULL); /* the second shipment costs a cent more */
	assert_int_equal(process.results[0].status, SHIPOPT_EHELD);
	assert_non_null(strstr(process.results[0].message, "above the approved 5.25 USD"));
	assert_int_equal(sim_world.labels, 0);
	/* A new max_rate is a new approval. */
	assert_int_equal(case_one(&process, 1, 6000000, NULL), 0);
	assert_int_equal(case_row("o-0")->ceiling, 6000000);
	case_finish(&process);
}

static void other_content_needs_an_approval_of_its_own(void **state)
{
	case_begin(&process, NULL);
	SCRIPT_OF(BUY(REFUSED, 0));
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_int_equal(case_one(&process, 99, 0, NULL), 0);
	assert_int_equal(case_row("o-0")->ceiling, 5260000);
	case_finish(&process);
}

static void a_changed_max_rate_also_counts_for_a_purchase_in_doubt(void **state)
{
	static const struct {
		int64_t max_rate;
		int status;
	} cases[] = {{5000000, SHIPOPT_EINDOUBT}, {6000000, 0}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		case_begin(&process, "bulk.item_timeout_ms=5000");
		SCRIPT_OF(BUY(LOST_BEFORE, 0));
		assert_int_equal(sim_buy(&process, 1), 0);
		clock_advance_us(200 * SECOND);
		assert_int_equal(case_one(&process, 1, cases[i].max_rate, NULL), cases[i].status);
		assert_int_equal(sim_world.labels, cases[i].status == 0);
		if (cases[i].status < 0)
			assert_non_null(strstr(process.results[0].message, "needs review"));
		case_finish(&process);
	}
}

/* ---- charges ----------------------------------------------------------------------------------------------- */

static void whatever_the_carrier_says_it_charged_the_label_is_bought_and_counted(void **state)
{
	for (enum world_charge charge = CHARGE_RATE; charge < CHARGE_COUNT; charge++) {
		int64_t said = charge == CHARGE_RATE ? 5250000
			: charge == CHARGE_MORE      ? 5250000 + WORLD_CHARGE_MORE
						     : 0;
		case_begin(&process, "bulk.spend_limit=20.00");
		sim_world.charge = charge;
		assert_int_equal(sim_buy(&process, 1), 0);
		assert_int_equal(process.results[0].status, 0);
		assert_int_equal(case_row("o-0")->state, LEDGER_STATE_BOUGHT);
		assert_int_equal(case_row("o-0")->paid, said);
		assert_int_equal(process.results[0].amount, said ? said : 5250000);
		assert_int_equal(memory_ledger_budget(&sim_database.ledger, "default")->spent, said ? said : 5250000);
		const char *note = charge == CHARGE_RATE ? ""
			: charge == CHARGE_MORE          ? "charged 10.25 USD where at most 5.25 USD was approved"
							 : "does not say what was charged";
		assert_non_null(strstr(process.results[0].message, note));
		/* The next run says the same. */
		buy_again(NULL);
		assert_int_equal(process.results[0].status, SHIPOPT_ALREADY);
		assert_int_equal(process.results[0].amount, said ? said : 5250000);
		case_finish(&process);
	}
}

/* The first purchase may still buy at its own price. */
static void a_cheaper_repeat_gives_nothing_back_while_the_dearer_one_is_unproven(void **state)
{
	case_begin(&process, "bulk.spend_limit=20.00 bulk.item_timeout_ms=200000");
	SCRIPT_OF(BUY(LATE, 300000), BUY(UNAVAILABLE, 0), BUY(500, 0));
	sim_world.guard = true;
	sim_world.rerate_step = -1000000;
	sim_world.sells_old_rates = true;
	assert_int_equal(sim_buy(&process, 1), 0);
	const struct memory_budget *budget = memory_ledger_budget(&sim_database.ledger, "default");
	assert_int_equal(case_row("o-0")->amount, 4250000);
	assert_int_equal(case_row("o-0")->unproven, 2);
	assert_int_equal(budget->reserved, 5250000);
	clock_advance_us(300 * SECOND);
	buy_again("bulk.spend_limit=20.00");
	assert_int_equal(process.results[0].status, 0);
	assert_int_equal(budget->reserved, 0);
	assert_int_equal(budget->spent, 5250000);
	case_finish(&process);
}

static void what_a_person_found_bought_costs_what_was_reserved(void **state)
{
	case_begin(&process, "bulk.item_timeout_ms=5000 bulk.spend_limit=20.00");
	SCRIPT_OF(BUY(LATE, 6000));
	assert_int_equal(sim_buy(&process, 1), 0);
	clock_advance_us(10 * SECOND);
	assert_int_equal(memory_ledger_resolve(&sim_database.ledger, 1, LEDGER_STATE_BOUGHT, "TRK000001", "looked"), 0);
	world_catch_up(&sim_world);
	buy_again(NULL);
	assert_int_equal(process.results[0].status, SHIPOPT_ALREADY);
	assert_int_equal(process.results[0].amount, 5250000);
	assert_int_equal(memory_ledger_budget(&sim_database.ledger, "default")->spent, 5250000);
	case_finish(&process);
}

static void a_label_without_its_document_says_so(void **state)
{
	for (enum world_document document = DOCUMENT_NO_URL; document < DOCUMENT_COUNT; document++) {
		case_begin(&process, NULL);
		sim_world.document = document;
		assert_int_equal(sim_buy(&process, 1), 0);
		assert_int_equal(process.results[0].status, 0);
		assert_true(process.results[0].has_tracking_code);
		assert_non_null(strstr(process.results[0].message, "fetch it with GET /shipments/shp_0"));
		case_finish(&process);
	}
}

/* ---- insurance --------------------------------------------------------------------------------------------- */

#define SENDS_MAX 4

static struct world_purchase sent[SENDS_MAX];
static size_t sent_count;

static void note_purchase(struct world *world, const struct world_purchase *purchase)
{
	assert_true(sent_count < SENDS_MAX);
	sent[sent_count++] = *purchase;
	sim_note_buyer(world, purchase);
}

static int buy_insured(int64_t value)
{
	shipopt_order *order = sim_order("o-0", 1);
	sim_insure(order, value);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	return process.results[0].status;
}

static void insurance_is_bought_with_the_label_and_its_fee_reserved(void **state)
{
	static const struct {
		const char *settings;
		int status;
	} cases[] = {{"bulk.spend_limit=7.25", 0}, {"bulk.spend_limit=7.24", SHIPOPT_ELIMIT}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		case_begin(&process, cases[i].settings);
		sent_count = 0;
		sim_world.on_buy = note_purchase;
		assert_int_equal(buy_insured(200000000), cases[i].status);
		if (cases[i].status == 0) {
			assert_int_equal(sent[0].insurance, 200000000);
			assert_int_equal(case_row("o-0")->fee, 2000000);
			assert_int_equal(memory_ledger_budget(&sim_database.ledger, "default")->spent, 7250000);
			assert_string_equal(process.results[0].message, "");
		}
		case_finish(&process);
	}
}

static void an_insured_repeat_sends_the_same_purchase(void **state)
{
	case_begin(&process, "bulk.item_timeout_ms=3600000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(429, 0));
	sent_count = 0;
	sim_world.on_buy = note_purchase;
	assert_int_equal(buy_insured(200000000), 0);
	assert_int_equal(sent_count, 3);
	for (size_t i = 1; i < sent_count; i++) {
		assert_int_equal(sent[i].insurance, 200000000);
		assert_int_equal(sent[i].version, sent[0].version);
		assert_int_equal(sent[i].rate, sent[0].rate);
	}
	case_finish(&process);
}

static void a_label_that_came_without_its_insurance_is_not_silently_done(void **state)
{
	case_begin(&process, "bulk.spend_limit=20.00");
	sim_world.insures_nothing = true;
	assert_int_equal(buy_insured(200000000), 0);
	assert_non_null(strstr(process.results[0].message, "bought, but not insured: 200.00 USD was asked for"));
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_BOUGHT);
	/* No fee for what was not insured. */
	assert_int_equal(case_row("o-0")->fee, 0);
	assert_int_equal(memory_ledger_budget(&sim_database.ledger, "default")->spent, 5250000);
	case_finish(&process);
}

static void a_ceiling_compares_the_postage_alone(void **state)
{
	case_begin(&process, NULL);
	shipopt_order *order = sim_order("o-0", 1);
	sim_insure(order, 200000000);
	assert_int_equal(shipopt_order_set_max_rate(order, 5250000, NULL), 0);
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_int_equal(process.results[0].status, 0);
	case_finish(&process);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_approval_outlives_any_number_of_interruptions),
		cmocka_unit_test(other_content_needs_an_approval_of_its_own),
		cmocka_unit_test(a_changed_max_rate_also_counts_for_a_purchase_in_doubt),
		cmocka_unit_test(whatever_the_carrier_says_it_charged_the_label_is_bought_and_counted),
		cmocka_unit_test(a_cheaper_repeat_gives_nothing_back_while_the_dearer_one_is_unproven),
		cmocka_unit_test(what_a_person_found_bought_costs_what_was_reserved),
		cmocka_unit_test(a_label_without_its_document_says_so),
		cmocka_unit_test(insurance_is_bought_with_the_label_and_its_fee_reserved),
		cmocka_unit_test(an_insured_repeat_sends_the_same_purchase),
		cmocka_unit_test(a_label_that_came_without_its_insurance_is_not_silently_done),
		cmocka_unit_test(a_ceiling_compares_the_postage_alone),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("money_cases", tests, NULL, NULL);
}
