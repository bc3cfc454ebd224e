/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answer_edits.h"
#include "purchase_test.h"

/* What a purchase makes of answers that a carrier may give and the world does not. */

#define REFUSAL(code) "{\"error\":{\"code\":\"" code "\",\"message\":\"the carrier's words\",\"errors\":[]}}"

static void begin(struct sim_process *process, const char *settings)
{
	case_begin(process, settings);
	sim_world.rerate_step = 0;
}

/* ---- evidence ---------------------------------------------------------------------------------------------- */

static void an_answer_to_a_purchase_must_show_this_shipment_with_postage(void **state)
{
	static const char *const from[] = {"\"id\":\"shp_0\"", "\"tracking_code\":", "\"object\":"};
	static const char *const to[] = {"\"id\":\"shp_1\"", "\"no_code\":", "\"object\":"};
	for (size_t i = 0; i < ARRAY_SIZE(from); i++) {
		struct sim_process process;
		begin(&process, NULL);
		EDIT(WORLD_BUY, from[i], to[i]);
		EDIT(WORLD_BUY, "\"postage_label\":", i == 1 ? "\"no_label\":" : "\"postage_label\":");
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		assert_int_equal(sim_world.calls[WORLD_READ], i < 2 ? 1 : 0);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		case_finish(&process);
	}
}

static void begin_too_early(const struct world_visit *visit, struct http_request *request)
{
	if (visit->call == WORLD_BUY)
		request->was_handed_over = false;
}

static void an_answer_before_the_request_was_whole_proves_nothing(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(REFUSED, 0));
	fake_http_edit = begin_too_early;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
	assert_int_equal(case_row("o-0")->unproven, 1);
	case_finish(&process);
}

static void an_answer_before_the_request_was_whole_is_not_told_as_the_carriers_word(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.item_timeout_ms=5000");
	SCRIPT_OF(BUY(REFUSED, 0));
	fake_http_edit = begin_too_early;
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_true(case_says(&process, "the answer began before the request was sent whole"));
	assert_null(strstr(process.results[0].message, "as the script says"));
	case_finish(&process);
}

/* In the API's own words, but on no list; with a code, without one, and as a text. */
static void a_refusal_that_proves_nothing_is_for_a_person(void **state)
{
	static const char *const bodies[] = {REFUSAL("SOMETHING.NEW"),
		"{\"error\":{\"message\":\"the carrier's words\"}}", "{\"error\":\"the carrier's words\"}"};
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct sim_process process;
		begin(&process, NULL);
		SCRIPT_OF(BUY(500, 0)); /* no work is done */
		EDIT_BODY(WORLD_BUY, 1, 422, bodies[i]);
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EREFUSED);
		assert_true(case_says(&process,
			"refused, but not proven: a person must look the shipment up at the carrier"));
		assert_true(case_says(&process, "the carrier's words"));
		assert_int_equal(case_row("o-0")->state, LEDGER_STATE_IN_DOUBT);
		assert_int_equal(case_row("o-0")->unproven, 1);
		assert_int_equal(case_row("o-0")->needs_person, 1);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		/* Interrupted and taken up again, it still is. */
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EREFUSED);
		assert_int_equal(sim_world.calls[WORLD_BUY], 1);
		case_finish(&process);
	}
}

static void what_is_no_error_of_the_api_says_nothing(void **state)
{
	static const char *const bodies[] = {"{\"error\":17}",
		"{\"code\":\"SHIPMENT.POSTAGE.FAILURE\",\"message\":\"gone\"}", "[]"};
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		struct sim_process process;
		begin(&process, NULL);
		SCRIPT_OF(BUY(500, 0));
		EDIT_BODY(WORLD_BUY, 1, 422, bodies[i]);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		assert_int_equal(sim_world.calls[WORLD_BUY], 2);
		case_finish(&process);
	}
}

static void proof_about_a_repeat_lowers_the_count_by_one(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.item_timeout_ms=250000");
	/* Lost; then too many requests, in the API's words: the first one may still come. */
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(429, 0), BUY(LOST_BEFORE, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->sent, 3);
	assert_int_equal(case_row("o-0")->unproven, 2);
	case_finish(&process);
}

static void a_rate_that_expires_under_a_repeat_is_rated_again_while_in_doubt(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.item_timeout_ms=1000000");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(RATE_EXPIRED, 0));
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(sim_world.calls[WORLD_RERATE], 1);
	assert_int_equal(case_row("o-0")->sent, 3);
	assert_int_equal(sim_world.shipment_count, 1);
	case_finish(&process);
}

/* ---- ratings ----------------------------------------------------------------------------------------------- */

static void a_rerate_may_say_that_an_earlier_purchase_did_act(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.item_timeout_ms=1000000");
	sim_world.guard = true;
	/* Bought, and the answer is lost; a stale replica shows no label; then the rate is expired. */
	SCRIPT_OF(BUY(LOST_AFTER, 0));
	edits_hide_labels(WORLD_READ);
	EDIT_BODY(WORLD_BUY, 1, 422, REFUSAL("RATE.EXPIRED"));
	EDIT_BODY(WORLD_RERATE, 1, 422, REFUSAL("SHIPMENT.POSTAGE.EXISTS"));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EINDOUBT);
	assert_int_equal(case_row("o-0")->exists_seen, 1);
	assert_int_equal(case_row("o-0")->sent, 2);
	assert_int_equal(case_row("o-0")->unproven, 1);
	edits_clear();
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	assert_int_equal(case_row("o-0")->sent, 2);
	case_finish(&process);
}

static void a_rerate_must_be_about_the_shipment_that_was_asked_for(void **state)
{
	static const struct {
		const char *from, *to;
		int status;
	} cases[] = {
		{"{\"id\":\"shp_0\",", "{", 0},
		{"{\"id\":\"shp_0\",", "{\"id\":\"shp_7\",", SHIPOPT_EPROTOCOL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, NULL);
		SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		EDIT(WORLD_RERATE, cases[i].from, cases[i].to);
		assert_int_equal(case_one(&process, 1, 0, NULL), cases[i].status);
		case_finish(&process);
	}
	/* Rates alone, which say whose they are. */
	for (size_t i = 0; i < 2; i++) {
		struct sim_process process;
		begin(&process, NULL);
		SCRIPT_OF(BUY(RATE_EXPIRED, 0));
		EDIT(WORLD_RERATE, "{\"id\":\"shp_0\",", "{");
		EDIT(WORLD_RERATE, "\"delivery_days\":",
			i == 0 ? "\"shipment_id\":\"shp_0\",\"delivery_days\":"
			       : "\"shipment_id\":\"shp_7\",\"delivery_days\":");
		assert_int_equal(case_one(&process, 1, 0, NULL), i == 0 ? 0 : SHIPOPT_EPROTOCOL);
		if (i == 1)
			assert_true(case_says(&process, "the carrier answered about shipment shp_7 instead of shp_0"));
		case_finish(&process);
	}
}

/* Nothing was ever sent of it, so nothing is in doubt. */
static void postage_on_a_shipment_that_was_never_sent_is_a_refusal(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	EDIT_BODY(WORLD_CREATE, 1, 422, REFUSAL("SHIPMENT.POSTAGE.EXISTS"));
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EREFUSED);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_FAILED);
	assert_int_equal(case_row("o-0")->exists_seen, 0);
	case_finish(&process);
}

static void a_rerate_without_rates_fails_the_order(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	SCRIPT_OF(BUY(RATE_EXPIRED, 0));
	EDIT_BODY(WORLD_RERATE, 1, 200, "{\"rates\":[]}");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ENORATE);
	assert_int_equal(case_row("o-0")->state, LEDGER_STATE_FAILED);
	case_finish(&process);
}

static void a_creation_must_have_an_id_of_its_own_and_this_orders_reference(void **state)
{
	static const struct {
		const char *from, *to, *says;
	} cases[] = {
		{"{\"id\":\"shp_0\",", "{", "the carrier's answer has no shipment id"},
		{"\"reference\":\"o-0\"", "\"reference\":\"o-7\"",
			"the carrier answered about a shipment with reference \"o-7\" instead of \"o-0\""},
		{"\"reference\":\"o-0\"", "\"reference\":\"o\"",
			"instead of \"o-0\""}, /* cut, but to what is not its own */
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, NULL);
		EDIT(WORLD_CREATE, cases[i].from, cases[i].to);
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EPROTOCOL);
		assert_true(case_says(&process, cases[i].says));
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		case_finish(&process);
	}
	/* An API that gives none back cannot be checked. */
	struct sim_process process;
	begin(&process, NULL);
	EDIT(WORLD_CREATE, "\"reference\":", "\"no_reference\":");
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	case_finish(&process);
}

static void a_reference_that_the_api_cuts_is_still_the_orders(void **state)
{
	static const struct {
		const char *given;
		int status;
	} cases[] = {{"an order with a long key", 0}, {"an order with a long kez", SHIPOPT_EPROTOCOL}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		char to[96];
		begin(&process, NULL);
		snprintf(to, sizeof(to), "\"reference\":\"%s\"", cases[i].given);
		EDIT(WORLD_CREATE, "\"reference\":\"an order with a long key, longer than some APIs keep\"", to);
		shipopt_order *order = sim_order("an order with a long key, longer than some APIs keep", 1);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		assert_int_equal(sim_wait(&process), 0);
		assert_int_equal(process.results[0].status, cases[i].status);
		case_finish(&process);
	}
}

static void a_shipment_of_another_order_is_neither_kept_nor_bought(void **state)
{
	for (int rate_only = 0; rate_only < 2; rate_only++) {
		struct sim_process process;
		begin(&process, NULL);
		sim_run = shipopt_bulk_rate;
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		sim_run = rate_only ? shipopt_bulk_rate : shipopt_bulk_buy;
		EDIT(WORLD_CREATE, "shp_1", "shp_0");
		shipopt_order *order = sim_order("o-1", 1);
		assert_int_equal(sim_start(&process, &order, 1), 0);
		assert_int_equal(sim_wait(&process), 0);
		assert_int_equal(process.results[0].status, SHIPOPT_EPROTOCOL);
		assert_int_equal(sim_world.calls[WORLD_BUY], 0);
		case_finish(&process);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_to_a_purchase_must_show_this_shipment_with_postage),
		cmocka_unit_test(an_answer_before_the_request_was_whole_proves_nothing),
		cmocka_unit_test(an_answer_before_the_request_was_whole_is_not_told_as_the_carriers_word),
		cmocka_unit_test(a_refusal_that_proves_nothing_is_for_a_person),
		cmocka_unit_test(what_is_no_error_of_the_api_says_nothing),
		cmocka_unit_test(proof_about_a_repeat_lowers_the_count_by_one),
		cmocka_unit_test(a_rate_that_expires_under_a_repeat_is_rated_again_while_in_doubt),
		cmocka_unit_test(a_rerate_may_say_that_an_earlier_purchase_did_act),
		cmocka_unit_test(a_rerate_must_be_about_the_shipment_that_was_asked_for),
		cmocka_unit_test(postage_on_a_shipment_that_was_never_sent_is_a_refusal),
		cmocka_unit_test(a_rerate_without_rates_fails_the_order),
		cmocka_unit_test(a_creation_must_have_an_id_of_its_own_and_this_orders_reference),
		cmocka_unit_test(a_reference_that_the_api_cuts_is_still_the_orders),
		cmocka_unit_test(a_shipment_of_another_order_is_neither_kept_nor_bought),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_answers", tests, NULL, NULL);
}
