/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdlib.h>
#include <string.h>

#include "answer_edits.h"
#include "purchase_test.h"

/* What the carrier charges, insures and hands over with a label. */

static void begin(struct sim_process *process, const char *settings)
{
	case_begin(process, settings);
	sim_world.rerate_step = 0;
}

/* ---- money ------------------------------------------------------------------------------------------------- */

static void what_was_charged_is_believed_only_where_it_can_be(void **state)
{
	static const char not_known[] = "the carrier's answer does not say what was charged";
	static const struct {
		const char *from, *to;
		int64_t paid, counted;
		const char *note;
	} cases[] = {
		{"\"selected_rate\":", "\"no_rate\":", 0, 5250000, not_known},
		{"\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"-5.25\",\"currency\":\"USD\"}", 0, 5250000,
			not_known},
		{"\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"0.00\",\"currency\":\"USD\"}", 0, 5250000,
			not_known},
		{"\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"1000000.01\",\"currency\":\"USD\"}", 0, 5250000,
			not_known},
		{"\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"5.20\",\"currency\":\"EUR\"}", 0, 5250000,
			not_known},
		{"\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"5.20\"}", 5200000, 5200000, ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, "bulk.spend_limit=100.00 bulk.budget=spring");
		EDIT(WORLD_BUY, cases[i].from, cases[i].to);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		assert_int_equal(case_row("o-0")->paid, cases[i].paid);
		assert_int_equal(memory_ledger_budget(&sim_database.ledger, "spring")->spent, cases[i].counted);
		assert_int_equal(process.results[0].amount, cases[i].counted);
		assert_true(case_says(&process, cases[i].note));
		/* The next run repeats the note. */
		assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ALREADY);
		assert_true(case_says(&process, cases[i].note));
		case_finish_without_books(&process);
	}
}

static void a_label_dearer_than_approved_says_so(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	EDIT(WORLD_BUY, "\"rate\":\"5.25\",\"currency\":\"USD\"}", "\"rate\":\"9.25\",\"currency\":\"USD\"}");
	assert_int_equal(case_one(&process, 1, 6000000, NULL), 0);
	assert_string_equal(process.results[0].message,
		"bought, but the carrier charged 9.25 USD where at most 6.00 USD was approved");
	assert_int_equal(process.results[0].amount, 9250000);
	EDIT(WORLD_BUY, "\"postage_label\":", "\"no_label\":"); /* without its document as well */
	shipopt_order *order = sim_order("o-1", 1);
	assert_int_equal(shipopt_order_set_max_rate(order, 6000000, NULL), 0);
	EDIT(WORLD_BUY, "\"rate\":\"5.26\",\"currency\":\"USD\"}", "\"rate\":\"9.26\",\"currency\":\"USD\"}");
	assert_int_equal(sim_start(&process, &order, 1), 0);
	assert_int_equal(sim_wait(&process), 0);
	assert_true(case_says(&process, "was approved; the answer has no label document"));
	case_finish_without_books(&process);
}

static void an_approved_price_is_compared_only_in_its_currency(void **state)
{
	struct sim_process process;
	begin(&process, NULL);
	sim_run = shipopt_bulk_rate;
	assert_int_equal(case_one(&process, 1, 0, NULL), 0);
	sim_run = shipopt_bulk_buy;
	/* Its price was approved in dollars; the rate expires, and the new ones are in another currency. */
	SCRIPT_OF(BUY(RATE_EXPIRED, 0));
	EDIT(WORLD_RERATE, "USD", "JPY");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_EHELD);
	assert_int_equal(sim_world.labels, 0);
	case_finish(&process);
}

static void choose_the_cheapest(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, 1);
}

static void let_host_choose(struct sim_process *process)
{
	shipopt_bulk_config_set_choose(process->bulk_config, choose_the_cheapest, NULL);
}

static void a_hosts_choice_in_another_currency_than_max_rate_is_held(void **state)
{
	static const struct {
		const char *to, *says;
	} cases[] = {{"\"currency\":\"JPY\"", "the price is 5.25 JPY now, above the approved 100.00 USD"},
		{"\"currency\":null", "the price is 5.25 (no currency) now, above the approved 100.00 USD"}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		sim_begin(1);
		sim_configure = let_host_choose;
		sim_open(&process, NULL);
		EDIT(WORLD_CREATE, "\"currency\":\"USD\"", cases[i].to);
		assert_int_equal(case_one(&process, 1, 100000000, NULL), SHIPOPT_EHELD);
		assert_true(case_says(&process, cases[i].says));
		case_finish(&process);
	}
}

static void a_hosts_choice_without_a_currency_is_bought_under_no_spend_limit(void **state)
{
	struct sim_process process;
	sim_begin(1);
	sim_configure = let_host_choose;
	sim_open(&process, "bulk.spend_limit=100.00 bulk.budget=spring");
	EDIT(WORLD_CREATE, "\"currency\":\"USD\"", "\"currency\":null");
	assert_int_equal(case_one(&process, 1, 0, NULL), SHIPOPT_ELIMIT);
	assert_true(case_says(&process, "the rate is in no currency and the spend limit in USD"));
	case_finish(&process);
}

static int insured(struct sim_process *process, const char *value)
{
	shipopt_order *order = sim_order("o-0", 1);
	shipopt_record *shipment = NULL;
	assert_int_equal(shipopt_record_copy(shipopt_order_shipment(order), &shipment), 0);
	assert_int_equal(shipopt_record_set_money_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, value, NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
	assert_int_equal(sim_start(process, &order, 1), 0);
	assert_int_equal(sim_wait(process), 0);
	return process->results[0].status;
}

static void insurance_is_reserved_with_the_postage_and_in_one_currency(void **state)
{
	static const struct {
		const char *settings;
		int status;
		const char *says;
	} cases[] = {
		{"bulk.budget=spring bulk.spend_limit=6.24", SHIPOPT_ELIMIT,
			"6.25 more would pass the spend limit 6.24 USD of budget \"spring\", of which 0.00 is used"},
		{"bulk.budget=spring bulk.spend_limit=6.25", 0, ""},
		{"bulk.budget=spring bulk.spend_limit=100.00 bulk.insurance_currency=EUR", SHIPOPT_ELIMIT,
			"the rate is in USD and the insurance in EUR"},
		{"bulk.insurance_currency=EUR", 0, ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, cases[i].settings);
		assert_int_equal(insured(&process, "100.00"), cases[i].status);
		assert_true(case_says(&process, cases[i].says));
		if (cases[i].status == 0) {
			assert_int_equal(case_row("o-0")->fee, 1000000);
			assert_int_equal(case_row("o-0")->insurance, 100000000);
		}
		case_finish(&process);
	}
}

/* The purchase before it keeps its reservation: only the difference is more. */
static void the_limit_message_of_a_repeat_says_what_it_would_add(void **state)
{
	struct sim_process process;
	begin(&process, "bulk.spend_limit=6.00 bulk.ceiling_percent=50");
	SCRIPT_OF(BUY(LOST_BEFORE, 0), BUY(RATE_EXPIRED, 0));
	sim_world.rerate_step = 1000000;
	sim_buy(&process, 1);
	assert_int_equal(process.results[0].status, SHIPOPT_EINDOUBT);
	assert_true(case_says(&process,
		"1.00 more would pass the spend limit 6.00 USD of budget \"default\", of which 5.25 is used; it was not sent again"));
	case_finish(&process);
}

static void a_label_without_the_insurance_asked_for_says_so(void **state)
{
	static const struct {
		const char *to;
		int64_t fee;
	} cases[] = {{"\"other\":\"", 0}, {"\"insurance\":\"50.00\",\"other\":\"", 1000000}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, NULL);
		EDIT(WORLD_BUY, "\"insurance\":\"", cases[i].to);
		assert_int_equal(insured(&process, "100.00"), 0);
		assert_string_equal(process.results[0].message, "bought, but not insured: 100.00 USD was asked for");
		assert_int_equal(case_row("o-0")->fee, cases[i].fee);
		case_finish(&process);
	}
}

/* ---- the label --------------------------------------------------------------------------------------------- */

static char *repeated(const char *begin, size_t length, const char *end)
{
	char *text = malloc(strlen(begin) + length + strlen(end) + 1);
	assert_non_null(text);
	strcpy(text, begin);
	memset(text + strlen(begin), 'x', length);
	strcpy(text + strlen(begin) + length, end);
	return text;
}

static void a_label_without_its_document_is_bought_and_says_so(void **state)
{
	char *long_url = repeated("\"label_url\":\"", 1100000, "\",\"was\":\""),
	     *long_file = repeated("\"label_file\":\"", 4500000, "\",\"was\":\"");
	const struct {
		const char *from, *to, *says;
	} cases[] = {
		{"\"postage_label\":", "\"no_label\":",
			"the answer has no label document; fetch it with GET /shipments/shp_0"},
		{"\"label_url\":\"", "\"no_url\":\"", "the answer has no label document"},
		{"\"label_url\":\"", long_url, "fetch it with GET /shipments/shp_0"},
		{"\"label_url\":\"", long_file, "fetch it with GET /shipments/shp_0"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sim_process process;
		begin(&process, NULL);
		EDIT(WORLD_BUY, cases[i].from, cases[i].to);
		assert_int_equal(case_one(&process, 1, 0, NULL), 0);
		assert_true(case_says(&process, cases[i].says));
		assert_null(case_row("o-0")->label_url);
		assert_string_equal(case_row("o-0")->tracking_code, "TRK000001");
		case_finish(&process);
	}
	free(long_url);
	free(long_file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_charged_is_believed_only_where_it_can_be),
		cmocka_unit_test(a_label_dearer_than_approved_says_so),
		cmocka_unit_test(an_approved_price_is_compared_only_in_its_currency),
		cmocka_unit_test(a_hosts_choice_in_another_currency_than_max_rate_is_held),
		cmocka_unit_test(a_hosts_choice_without_a_currency_is_bought_under_no_spend_limit),
		cmocka_unit_test(insurance_is_reserved_with_the_postage_and_in_one_currency),
		cmocka_unit_test(the_limit_message_of_a_repeat_says_what_it_would_add),
		cmocka_unit_test(a_label_without_the_insurance_asked_for_says_so),
		cmocka_unit_test(a_label_without_its_document_is_bought_and_says_so),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("purchase_charges", tests, NULL, NULL);
}
