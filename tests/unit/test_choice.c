/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "bulk/choice.h"
#include "json/json.h"

static const char rates[] =
	"{\"id\":\"shp_1\",\"messages\":[{\"carrier\":\"FedEx\",\"type\":\"rate_error\",\"message\":\"account closed\"}],\"rates\":["
	"{\"id\":\"r0\",\"carrier\":\"USPS\",\"service\":\"Priority\",\"rate\":\"7.50\",\"delivery_days\":2},"
	"{\"id\":\"r1\",\"carrier\":\"UPS\",\"service\":\"Ground\",\"rate\":\"5.25\",\"delivery_days\":4},"
	"{\"id\":\"r2\",\"carrier\":\"USPS\",\"service\":\"Express\",\"rate\":\"26.35\",\"delivery_days\":1},"
	"{\"id\":\"r3\",\"carrier\":\"UPS\",\"service\":\"NextDay\",\"rate\":\"20.00\",\"delivery_days\":1},"
	"{\"id\":\"r4\",\"carrier\":\"DHL\",\"service\":\"Ground\",\"rate\":\"5.25\",\"delivery_days\":3},"
	"{\"id\":\"\",\"carrier\":\"USPS\",\"service\":\"Free\",\"rate\":\"0.01\",\"delivery_days\":1},"
	"{\"id\":\"r6\",\"carrier\":\"USPS\",\"service\":\"Odd\",\"delivery_days\":1},"
	"{\"id\":\"r7\",\"carrier\":\"USPS\",\"service\":\"Slow\",\"rate\":\"6.00\"}]}";

static shipopt_record *shipment_of(const char *json)
{
	shipopt_record *shipment;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &shipment, NULL), 0);
	return shipment;
}

static void the_rules_choose_as_they_say(void **state)
{
	static const struct {
		struct choice choice;
		int result; /* index, or a status */
	} cases[] = {
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 0}, 4},             /* as cheap as 1, a day earlier */
		{{CHOICE_CHEAPEST, NULL, "usps", NULL, 0}, 7},           /* what has no id or no amount is none */
		{{CHOICE_CHEAPEST, NULL, "USPS", "PRIORITY", 0}, 0},
		{{CHOICE_CHEAPEST, NULL, "", "", 0}, 4},                 /* empty: anything */
		{{CHOICE_CHEAPEST, NULL, "UPS", "Priority", 0}, SHIPOPT_ENORATE},
		{{CHOICE_CHEAPEST, NULL, "FedEx", NULL, 0}, SHIPOPT_ENORATE},
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 5250000}, 4},       /* the bound itself is allowed */
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 5249999}, SHIPOPT_ELIMIT},
		{{CHOICE_CHEAPEST, NULL, "USPS", NULL, 5900000}, SHIPOPT_ELIMIT},
		{{CHOICE_FASTEST, NULL, NULL, NULL, 0}, 3},              /* as fast as 2, cheaper */
		{{CHOICE_FASTEST, NULL, NULL, NULL, 10000000}, 0},
		{{CHOICE_FASTEST, NULL, "USPS", "slow", 0}, 7},          /* without days: slowest, but there */
		{{CHOICE_SERVICES, "USPS/Express,Ground", NULL, NULL, 0}, 2},
		{{CHOICE_SERVICES, " nothing , ground ", NULL, NULL, 0}, 4},
		{{CHOICE_SERVICES, "UPS/Ground", NULL, NULL, 0}, 1},
		{{CHOICE_SERVICES, "USPS/Express,Ground", NULL, NULL, 10000000}, 4},
		{{CHOICE_SERVICES, "FedEx/Ground,Nothing", NULL, NULL, 0}, SHIPOPT_ENORATE},
		{{CHOICE_SERVICES, ",,", NULL, NULL, 0}, SHIPOPT_ENORATE},
		{{CHOICE_SERVICES, "USPS/Express,Ground", "DHL", NULL, 0}, 4},
	};
	shipopt_record *shipment = shipment_of(rates);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t index = 99;
		shipopt_error *error = NULL;
		int r = choice_pick(&cases[i].choice, shipment, &index, &error);
		int got = r < 0 ? r : (int)index;
		if (got != cases[i].result)
			fail_msg("case %zu: %d instead of %d", i, got, cases[i].result);
		assert_int_equal(r < 0, error != NULL);
		assert_int_equal(r < 0, index == 99);
		shipopt_error_unref(error);
	}
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void a_failure_says_what_was_wanted_and_what_the_carrier_says(void **state)
{
	shipopt_record *shipment = shipment_of(rates);
	struct choice choice = {.rule = CHOICE_CHEAPEST, .carrier = "FedEx"};
	shipopt_error *error = NULL;
	size_t index;
	assert_int_equal(choice_pick(&choice, shipment, &index, &error), SHIPOPT_ENORATE);
	assert_non_null(strstr(shipopt_error_message(error), "\"FedEx\""));
	assert_non_null(strstr(shipopt_error_message(error), "8 rates"));
	assert_non_null(strstr(shipopt_error_message(error), "FedEx says: account closed"));
	shipopt_error_unref(error);
	choice = (struct choice){.rule = CHOICE_CHEAPEST, .max_rate = 1000000};
	error = NULL;
	assert_int_equal(choice_pick(&choice, shipment, &index, &error), SHIPOPT_ELIMIT);
	assert_non_null(strstr(shipopt_error_message(error), "5.25"));
	assert_non_null(strstr(shipopt_error_message(error), "1.00"));
	shipopt_error_unref(error);
	shipopt_record_free(shipment);
	shipment = shipment_of("{\"id\":\"shp_1\",\"rates\":[]}");
	assert_int_equal(choice_pick(&choice, shipment, &index, NULL), SHIPOPT_ENORATE);
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void rules_have_names(void **state)
{
	enum choice_rule rule = CHOICE_CHEAPEST;
	assert_int_equal(choice_rule_parse("services", &rule), 0);
	assert_int_equal(rule, CHOICE_SERVICES);
	assert_int_equal(choice_rule_parse("Fastest", &rule), SHIPOPT_EINVAL);
	assert_int_equal(choice_rule_parse("", &rule), SHIPOPT_EINVAL);
	assert_int_equal(rule, CHOICE_SERVICES);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_rules_choose_as_they_say),
		cmocka_unit_test(a_failure_says_what_was_wanted_and_what_the_carrier_says),
		cmocka_unit_test(rules_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
