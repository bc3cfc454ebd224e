/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "carrier/health.h"
#include "json/json.h"

static void observe(struct health *health, const char *json)
{
	shipopt_record *shipment;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &shipment, NULL), 0);
	health_observe_shipment(health, shipment);
	shipopt_record_free(shipment);
}

static void a_carrier_falls_ill_and_recovers_by_what_is_seen_of_it(void **state)
{
	static struct health health;
	assert_false(health_is_ill(&health, "UPS"));
	assert_null(health_find(&health, "UPS"));
	int failures = 0;
	for (; !health_is_ill(&health, "UPS"); failures++)
		health_observe(&health, "UPS", true);
	assert_int_equal(failures, 4); /* 1 - 0.8^4 = 0.59 */
	assert_false(health_is_ill(&health, "USPS"));
	int successes = 0;
	for (; health_is_ill(&health, "ups"); successes++)
		health_observe(&health, "Ups", false);
	assert_int_equal(successes, 1);
	assert_int_equal(health.count, 1);
}

static void rates_and_rate_errors_are_observed(void **state)
{
	static struct health health;
	for (int i = 0; i < 5; i++)
		observe(&health,
			"{\"rates\":[{\"carrier\":\"USPS\",\"rate\":\"7.50\"},{\"carrier\":\"USPS\",\"rate\":\"6.25\"},"
			"{\"carrier\":\"DHL\"}],\"messages\":[{\"carrier\":\"UPS\",\"type\":\"rate_error\"},"
			"{\"carrier\":\"FedEx\",\"type\":\"warning\"},{\"type\":\"rate_error\"}]}");
	assert_true(health_is_ill(&health, "UPS"));
	assert_false(health_is_ill(&health, "USPS"));
	assert_null(health_find(&health, "FedEx"));
	assert_true(health_find(&health, "usps")->cheapest == 6250000);
	assert_true(health_find(&health, "DHL")->cheapest == -1);
	assert_true(health_find(&health, "UPS")->cheapest == -1);
	/* What it cost last is kept while it gives no rates. */
	observe(&health, "{\"rates\":[],\"messages\":[{\"carrier\":\"USPS\",\"type\":\"rate_error\"}]}");
	assert_true(health_find(&health, "USPS")->cheapest == 6250000);
	observe(&health, "{\"rates\":[{\"carrier\":\"USPS\",\"rate\":\"9.00\"}]}");
	assert_true(health_find(&health, "USPS")->cheapest == 9000000);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void the_cheapest_rate_has_a_currency(void **state)
{
	static struct health health;
	const char *currency = "untouched";
	assert_true(health_cheapest(&health, "USPS", NULL, &currency) == -1);
	observe(&health,
		"{\"rates\":[{\"carrier\":\"USPS\",\"rate\":\"7.50\",\"currency\":\"USD\"},"
		"{\"carrier\":\"usps\",\"rate\":\"6.25\",\"currency\":\"usd\"},"
		"{\"carrier\":\"UPS\",\"rate\":\"5.00\"},"
		"{\"carrier\":\"DHL\",\"rate\":\"900\",\"currency\":\"JPY\"},{\"carrier\":\"DHL\",\"rate\":\"25\",\"currency\":\"USD\"},"
		"{\"carrier\":\"DHL\",\"rate\":\"800\",\"currency\":\"JPY\"}]}");
	assert_true(health_cheapest(&health, "USPS", "CAD", &currency) == -1);
	assert_string_equal(currency, "untouched");
	assert_true(health_cheapest(&health, "USPS", "USD", &currency) == 6250000);
	assert_true(text_equal_ignore_case(currency, "USD"));
	assert_true(health_cheapest(&health, "USPS", "", &currency) == 6250000);
	/* One that named none bounds nothing where one is wanted. */
	assert_true(health_cheapest(&health, "UPS", "USD", &currency) == -1);
	assert_true(health_cheapest(&health, "UPS", NULL, &currency) == 5000000);
	assert_string_equal(currency, "");
	/* Rates in several currencies are not compared. */
	assert_true(health_cheapest(&health, "DHL", NULL, &currency) == -1);
	assert_true(health_cheapest(&health, "DHL", "JPY", &currency) == -1);
	observe(&health, "{\"rates\":[{\"carrier\":\"DHL\",\"rate\":\"850\",\"currency\":\"JPY\"}]}");
	assert_true(health_cheapest(&health, "DHL", "JPY", &currency) == 850000000);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void many_rates_of_a_carrier_count_once(void **state)
{
	static struct health health;
	for (int i = 0; i < 4; i++)
		health_observe(&health, "UPS", true);
	observe(&health,
		"{\"rates\":[{\"carrier\":\"UPS\",\"rate\":\"1\"},{\"carrier\":\"ups\",\"rate\":\"2\"},"
		"{\"carrier\":\"UPS\",\"rate\":\"3\"}]}");
	assert_true(
		health_find(&health, "UPS")->failure_share > 0.47 && health_find(&health, "UPS")->failure_share < 0.48);
	json_stock_clear();
}

static void the_table_is_bounded_and_forgets_the_longest_unseen(void **state)
{
	static struct health health;
	char name[HEALTH_NAME_SIZE + 8];
	clock_set_virtual(true);
	for (int i = 0; i < HEALTH_CARRIERS_MAX; i++) {
		snprintf(name, sizeof(name), "carrier-%d", i);
		health_observe(&health, name, true);
		clock_advance_us(1000);
	}
	health_observe(&health, "carrier-0", true);
	clock_advance_us(1000);
	health_observe(&health, "one more", true);
	assert_int_equal(health.count, HEALTH_CARRIERS_MAX);
	assert_non_null(health_find(&health, "carrier-0"));
	assert_null(health_find(&health, "carrier-1"));
	assert_non_null(health_find(&health, "one more"));
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	health_observe(&health, name, true);
	health_observe(&health, "", true);
	health_observe(&health, NULL, true);
	assert_int_equal(health.count, HEALTH_CARRIERS_MAX);
	assert_non_null(health_find(&health, "carrier-2"));
	clock_set_virtual(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_carrier_falls_ill_and_recovers_by_what_is_seen_of_it),
		cmocka_unit_test(rates_and_rate_errors_are_observed),
		cmocka_unit_test(the_cheapest_rate_has_a_currency),
		cmocka_unit_test(many_rates_of_a_carrier_count_once),
		cmocka_unit_test(the_table_is_bounded_and_forgets_the_longest_unseen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
