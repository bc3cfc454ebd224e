/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "purchase/choice.h"
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
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 0}, 4},   /* as cheap as 1, a day earlier */
		{{CHOICE_CHEAPEST, NULL, "usps", NULL, 0}, 7}, /* what has no id or no amount is none */
		{{CHOICE_CHEAPEST, NULL, "USPS", "PRIORITY", 0}, 0},
		{{CHOICE_CHEAPEST, NULL, "", "", 0}, 4}, /* empty: anything */
		{{CHOICE_CHEAPEST, NULL, "UPS", "Priority", 0}, SHIPOPT_ENORATE},
		{{CHOICE_CHEAPEST, NULL, "FedEx", NULL, 0}, SHIPOPT_ENORATE},
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 5250000}, 4}, /* the bound itself is allowed */
		{{CHOICE_CHEAPEST, NULL, NULL, NULL, 5249999}, SHIPOPT_ELIMIT},
		{{CHOICE_CHEAPEST, NULL, "USPS", NULL, 5900000}, SHIPOPT_ELIMIT},
		{{CHOICE_FASTEST, NULL, NULL, NULL, 0}, 3}, /* as fast as 2, cheaper */
		{{CHOICE_FASTEST, NULL, NULL, NULL, 10000000}, 0},
		{{CHOICE_FASTEST, NULL, "USPS", "slow", 0}, 7}, /* without days: slowest, but there */
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

#define RATE(id, carrier, service, amount, currency)                                                  \
	"{\"id\":\"" id "\",\"carrier\":\"" carrier "\",\"service\":\"" service "\",\"rate\":" amount \
	",\"currency\":" currency ",\"delivery_days\":3}"
#define RATES(rates) "{\"id\":\"shp_1\",\"rates\":[" rates "]}"

static const char canada[] = RATES(RATE("r0", "CanadaPost", "RegularParcel", "\"14.00\"", "\"CAD\"") "," RATE("r1",
	"USPS", "Priority", "\"11.50\"", "\"USD\""));
static const char cheap_canada[] = RATES(RATE("r0", "CanadaPost", "RegularParcel", "\"9.00\"", "\"CAD\"") "," RATE("r1",
	"USPS", "Priority", "\"11.50\"", "\"USD\""));
static const char japan[] = RATES(RATE("r0", "JapanPost", "EMS", "\"900\"", "\"JPY\"") "," RATE("r1", "DHLExpress",
	"Worldwide", "\"25.00\"", "\"USD\""));
static const char yen_only[] = RATES(RATE("r0", "JapanPost", "EMS", "\"900\"", "\"JPY\""));
static const char kuwait[] = RATES(RATE("r0", "KPost", "EMS", "\"11.00\"", "\"KWD\""));
static const char nameless[] = RATES(RATE("r0", "USPS", "Priority", "\"7.25\"", "null"));
static const char half_named[] = RATES(
	RATE("r0", "USPS", "Priority", "\"7.25\"", "null") "," RATE("r1", "USPS", "Ground", "\"8.00\"", "\"USD\""));
static const char three[] = RATES(RATE("r0", "A", "S", "\"3.00\"", "\"EUR\"") "," RATE("r1", "B", "S", "\"2.00\"",
	"\"CAD\"") "," RATE("r2", "C", "S", "\"1.00\"", "\"USD\"") "," RATE("r3", "D", "S", "\"0.50\"", "\"cad\""));

/* `result`: an index, or a status; `message` (may be NULL) is the whole text. */
static void assert_choice(const char *json, struct choice choice, int result, const char *message)
{
	shipopt_record *shipment = shipment_of(json);
	shipopt_error *error = NULL;
	size_t index = 99;
	int r = choice_pick(&choice, shipment, &index, &error);
	int got = r < 0 ? r : (int)index;
	if (got != result)
		fail_msg("%d instead of %d: %s", got, result, error ? shipopt_error_message(error) : "");
	if (message)
		assert_string_equal(shipopt_error_message(error), message);
	shipopt_error_unref(error);
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void amounts_of_different_currencies_are_never_compared(void **state)
{
	const struct choice any = {.rule = CHOICE_CHEAPEST}, dollars = {.currency = "USD"};
	assert_choice(canada, any, SHIPOPT_EHELD,
		"the rates are in CAD and USD: set the bulk setting currency to one of them; offered: "
		"CanadaPost/RegularParcel 14.00 CAD, USPS/Priority 11.50 USD");
	assert_choice(canada, dollars, 1, NULL);
	assert_choice(canada, (struct choice){.currency = "CAD"}, 0, NULL);
	assert_choice(canada, (struct choice){.currency = "cad"}, 0, NULL);
	assert_choice(cheap_canada, dollars, 1, NULL);
	assert_choice(cheap_canada, any, SHIPOPT_EHELD, NULL);
	assert_choice(japan, any, SHIPOPT_EHELD, NULL);
	assert_choice(japan, (struct choice){.currency = ""}, SHIPOPT_EHELD, NULL);
	assert_choice(japan, dollars, 1, NULL);
	assert_choice(japan, (struct choice){.currency = "JPY"}, 0, NULL);
	assert_choice(three, any, SHIPOPT_EHELD,
		"the rates are in EUR, CAD and USD: set the bulk setting currency to one of them; offered: "
		"A/S 3.00 EUR, B/S 2.00 CAD, C/S 1.00 USD, D/S 0.50 cad");
	assert_choice(three, (struct choice){.currency = "CAD"}, 3, NULL);
	/* No rule puts one currency before another, and no max_rate hides one. */
	assert_choice(canada, (struct choice){.rule = CHOICE_FASTEST}, SHIPOPT_EHELD, NULL);
	assert_choice(canada, (struct choice){.rule = CHOICE_SERVICES, .services = "Priority,RegularParcel"},
		SHIPOPT_EHELD, NULL);
	assert_choice(canada, (struct choice){.max_rate = 12000000}, SHIPOPT_EHELD, NULL);
	/* What the order does not want does not count. */
	assert_choice(canada, (struct choice){.carrier = "USPS"}, 1, NULL);
	assert_choice(canada, (struct choice){.rule = CHOICE_SERVICES, .services = "Priority"}, 1, NULL);
}

static void one_currency_is_used_if_none_is_wanted(void **state)
{
	assert_choice(yen_only, (struct choice){.rule = CHOICE_CHEAPEST}, 0, NULL);
	assert_choice(kuwait, (struct choice){.rule = CHOICE_CHEAPEST}, 0, NULL);
	assert_choice(nameless, (struct choice){.rule = CHOICE_CHEAPEST}, 0, NULL);
	assert_choice(yen_only, (struct choice){.max_rate = 12000000, .currency = "JPY"}, SHIPOPT_ELIMIT,
		"the cheapest suitable rate 900.00 JPY is above the order's max_rate 12.00 JPY; offered: JapanPost/EMS 900.00 JPY");
}

static void rates_in_other_currencies_than_the_wanted_one_hold_the_order(void **state)
{
	const struct choice bounded = {.max_rate = 12000000, .currency = "USD"};
	assert_choice(yen_only, bounded, SHIPOPT_EHELD,
		"the rates are in JPY, the wanted currency is USD: set the bulk setting currency to that of the rates, in which "
		"max_rate and spend_limit are then; offered: JapanPost/EMS 900.00 JPY");
	assert_choice(kuwait, bounded, SHIPOPT_EHELD, NULL);
	assert_choice(nameless, bounded, SHIPOPT_EHELD,
		"the rates are in no currency, the wanted currency is USD: set the bulk setting currency to that of the rates, in which "
		"max_rate and spend_limit are then; offered: USPS/Priority 7.25 (no currency)");
	assert_choice(half_named, (struct choice){.rule = CHOICE_CHEAPEST}, SHIPOPT_EHELD,
		"the rates are in no currency and USD: set the bulk setting currency to one of them; offered: "
		"USPS/Priority 7.25 (no currency), USPS/Ground 8.00 USD");
	assert_choice(half_named, bounded, 1, NULL);
}

static void a_bound_on_the_price_wants_a_currency(void **state)
{
	assert_null(choice_currency(NULL, 0, 0));
	assert_null(choice_currency("", 0, 0));
	assert_string_equal(choice_currency(NULL, 1, 0), "USD");
	assert_string_equal(choice_currency(NULL, 0, 1), "USD");
	assert_string_equal(choice_currency("", 1, 1), "USD");
	assert_string_equal(choice_currency("EUR", 0, 0), "EUR");
	assert_string_equal(choice_currency("EUR", 1, 1), "EUR");
}

static void rates_are_read_as_carriers_write_them_or_named(void **state)
{
	const struct choice any = {.rule = CHOICE_CHEAPEST};
	assert_choice(RATES(RATE("r0", "A", "S", "\"1,234.56\"", "\"USD\"") "," RATE("r1", "B", "S", "\"1.234,50\"",
			      "\"USD\"")),
		any, 1, NULL);
	assert_choice(RATES(RATE("r0", "A", "S", "\"1 234,50\"", "\"USD\"") "," RATE("r1", "B", "S", "\"35,65\"",
			      "\"USD\"")),
		any, 1, NULL);
	assert_choice(RATES(RATE("r0", "A", "S", "1234.5", "\"USD\"") "," RATE("r1", "B", "S", "\"1,234.56\"",
			      "\"USD\"")),
		any, 0, NULL);
	assert_choice(RATES(RATE("r0", "UPS", "Ground", "\"1,234\"", "\"USD\"")), any, SHIPOPT_ENORATE,
		"the rate \"1,234\" of UPS Ground is ambiguous: the comma may stand for thousands or be the decimal mark; "
		"offered: UPS/Ground \"1,234\"");
	assert_choice(RATES(RATE("r0", "USPS", "Priority", "\"$7.25\"", "\"USD\"")), any, SHIPOPT_ENORATE,
		"the rate \"$7.25\" of USPS Priority cannot be read as an amount; offered: USPS/Priority \"$7.25\"");
	assert_choice(RATES(RATE("r0", "USPS", "Priority", "\"-7.25\"", "\"USD\"")), any, SHIPOPT_ENORATE, NULL);
	assert_choice(RATES(RATE("r0", "USPS", "Priority", "null", "\"USD\"")), any, SHIPOPT_ENORATE,
		"the rate of USPS Priority has no amount; offered: USPS/Priority without an amount");
	/* One that cannot be read does not keep the others from being bought, nor does its currency. */
	assert_choice(RATES(RATE("r0", "A", "S", "\"1,234\"", "\"CAD\"") "," RATE("r1", "B", "S", "\"8.00\"",
			      "\"USD\"")),
		any, 1, NULL);
}

static void a_failure_lists_what_was_offered(void **state)
{
	static const char fedex[] = RATES(RATE("r0", "FedExSmartPost", "SMART_POST", "\"8.34\"",
		"\"USD\"") "," RATE("r1", "FedExDefault", "FEDEX_GROUND", "\"9.34\"", "\"USD\"") "," RATE("r2",
		"UPSDAP", "Ground", "\"7.00\"", "\"USD\""));
	assert_choice(fedex, (struct choice){.carrier = "FedEx\u00a0"}, SHIPOPT_ENORATE,
		"none of the 3 rates is by carrier \"FedEx\\u00a0\" and service \"any\"; offered: FedExSmartPost/SMART_POST 8.34 USD, "
		"FedExDefault/FEDEX_GROUND 9.34 USD, UPSDAP/Ground 7.00 USD");
	assert_choice(RATES(""), (struct choice){.carrier = "FedEx"}, SHIPOPT_ENORATE, "the carrier gave no rates");
	assert_choice(
		"{\"id\":\"shp_1\",\"rates\":[],\"messages\":[{\"carrier\":\"UPS\",\"message\":\"no such zip\"}]}",
		(struct choice){.carrier = NULL}, SHIPOPT_ENORATE, "the carrier gave no rates; UPS says: no such zip");
	/* The list is bounded. */
	struct buffer json;
	buffer_init(&json, 1 << 20);
	buffer_append_text(&json, "{\"id\":\"shp_1\",\"rates\":[");
	for (int i = 0; i < 100; i++)
		buffer_append_format(&json,
			"%s{\"id\":\"r\",\"carrier\":\"%0100d\",\"service\":\"%0100d\",\"rate\":\"5\",\"currency\":\"C%02d\"}",
			i ? "," : "", 0, 0, i);
	buffer_append_text(&json, "]}");
	for (int i = 0; i < 2; i++) {
		shipopt_record *shipment = shipment_of(json.data);
		shipopt_error *error = NULL;
		size_t index;
		struct choice choice = {.carrier = i ? "UPS" : NULL};
		assert_int_equal(choice_pick(&choice, shipment, &index, &error), i ? SHIPOPT_ENORATE : SHIPOPT_EHELD);
		assert_non_null(strstr(shipopt_error_message(error), " 5.00 C07 and 92 more"));
		assert_true(strlen(shipopt_error_message(error)) < 2048);
		shipopt_error_unref(error);
		shipopt_record_free(shipment);
	}
	buffer_done(&json);
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
		cmocka_unit_test(amounts_of_different_currencies_are_never_compared),
		cmocka_unit_test(one_currency_is_used_if_none_is_wanted),
		cmocka_unit_test(rates_in_other_currencies_than_the_wanted_one_hold_the_order),
		cmocka_unit_test(a_bound_on_the_price_wants_a_currency),
		cmocka_unit_test(rates_are_read_as_carriers_write_them_or_named),
		cmocka_unit_test(a_failure_lists_what_was_offered),
		cmocka_unit_test(rules_have_names),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
