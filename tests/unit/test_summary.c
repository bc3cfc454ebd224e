/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "purchase/item.h"
#include "bulk/summary.h"

static void add(struct summary *summary, int status, int64_t latency_us, const char *carrier, const char *currency,
	int64_t amount)
{
	shipopt_item item = {.status = status,
		.latency_us = latency_us,
		.attempts = 2,
		.amount = amount,
		.carrier = mem_copy_text(carrier),
		.currency = mem_copy_text(currency)};
	summary_add(summary, &item, true);
	item_done(&item);
}

static int64_t stat_of(const struct summary *summary, int stat)
{
	int64_t value = -99;
	assert_int_equal(summary_stat(summary, stat, &value), 0);
	return value;
}

static void each_outcome_is_counted_once(void **state)
{
	static const int outcomes[][2] = {{0, SHIPOPT_RUN_STAT_DONE}, {1, SHIPOPT_RUN_STAT_ALREADY},
		{SHIPOPT_EINDOUBT, SHIPOPT_RUN_STAT_IN_DOUBT}, {SHIPOPT_EHELD, SHIPOPT_RUN_STAT_HELD},
		{SHIPOPT_ECANCELED, SHIPOPT_RUN_STAT_CANCELED}, {SHIPOPT_EREFUSED, SHIPOPT_RUN_STAT_FAILED}};
	struct summary summary;
	summary_init(&summary);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		for (size_t k = 0; k <= i; k++)
			add(&summary, outcomes[i][0], 1000, "USPS", "USD", 1000000);
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		assert_int_equal(stat_of(&summary, outcomes[i][1]), i + 1);
	int64_t value = 5;
	assert_int_equal(summary_stat(&summary, 0, &value), SHIPOPT_EINVAL);
	assert_int_equal(summary_stat(&summary, SHIPOPT_RUN_STAT_REQUESTS, &value), SHIPOPT_EINVAL);
	assert_int_equal(value, 5);
	summary_done(&summary);
	assert_int_equal(mem_live_count(), 0);
}

static void percentiles_are_right_to_six_percent_over_the_whole_range(void **state)
{
	static const int stats[][2] = {{SHIPOPT_RUN_STAT_P50_US, 50}, {SHIPOPT_RUN_STAT_P95_US, 95},
		{SHIPOPT_RUN_STAT_P99_US, 99}};
	for (int64_t unit = 1; unit < INT64_C(100000000000); unit *= 13) {
		struct summary summary;
		summary_init(&summary);
		for (int i = 1; i <= 100; i++)
			add(&summary, 0, i * unit, NULL, NULL, 0);
		for (size_t i = 0; i < ARRAY_SIZE(stats); i++) {
			double wanted = (double)(stats[i][1] * unit), got = (double)stat_of(&summary, stats[i][0]);
			if (got < wanted * 0.94 || got > wanted * 1.06)
				fail_msg("p%d of 1 to 100 times %lld is said to be %.0f", stats[i][1], (long long)unit,
					got);
		}
		summary_done(&summary);
	}
	struct summary summary;
	summary_init(&summary);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_P50_US), 0);
	add(&summary, SHIPOPT_EREFUSED, 5000, NULL, NULL, 0); /* a failure did no work */
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_P99_US), 0);
	add(&summary, 0, INT64_MAX, NULL, NULL, 0);
	assert_true(stat_of(&summary, SHIPOPT_RUN_STAT_P99_US) > 0);
	summary_done(&summary);
	assert_int_equal(mem_live_count(), 0);
}

static void rate_and_eta_follow_the_clock(void **state)
{
	struct summary summary;
	clock_set_virtual(true);
	summary_init(&summary);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ETA_MS), -1);
	summary.expected = 100;
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ETA_MS), -1);
	for (int i = 0; i < 20; i++)
		add(&summary, 0, 1000, NULL, NULL, 0);
	clock_advance_us(10000000);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ELAPSED_MS), 10000);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ITEMS_PER_1000_S), 2000);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ETA_MS), 40000);
	summary.ended_us = clock_now_us();
	clock_advance_us(10000000);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ELAPSED_MS), 10000);
	assert_int_equal(stat_of(&summary, SHIPOPT_RUN_STAT_ETA_MS), 0);
	summary_done(&summary);
	clock_set_virtual(false);
}

static void expect_line(struct summary *summary, size_t index, const char *carrier, const char *currency,
	int64_t labels, int64_t amount)
{
	const char *name, *unit;
	int64_t count, sum;
	assert_int_equal(summary_spend(summary, index, &name, &unit, &count, &sum), 0);
	assert_string_equal(name, carrier);
	assert_string_equal(unit, currency);
	assert_int_equal(count, labels);
	assert_true(sum == amount);
}

static void money_is_kept_by_carrier_and_currency(void **state)
{
	struct summary summary;
	const char *name, *unit;
	int64_t count, sum;
	summary_init(&summary);
	add(&summary, 0, 1, "USPS", "USD", 5000000);
	add(&summary, 0, 1, "DHL", "EUR", 7000000);
	add(&summary, 0, 1, "USPS", "USD", 1000000);
	add(&summary, 0, 1, "USPS", "CAD", 2000000);
	add(&summary, 1, 1, "USPS", "USD", 9000000); /* not bought in this run */
	add(&summary, SHIPOPT_EREFUSED, 1, "USPS", "USD", 9000000);
	add(&summary, 0, 1, NULL, NULL, -1);
	expect_line(&summary, 0, "USPS", "USD", 2, 6000000);
	expect_line(&summary, 1, "DHL", "EUR", 1, 7000000);
	expect_line(&summary, 2, "USPS", "CAD", 1, 2000000);
	expect_line(&summary, 3, "unknown", "", 1, 0);
	assert_int_equal(summary_spend(&summary, 4, &name, &unit, &count, &sum), SHIPOPT_ENOTFOUND);
	summary_done(&summary);
	assert_int_equal(mem_live_count(), 0);
}

static void more_carriers_than_lines_are_summed_under_other(void **state)
{
	struct summary summary;
	char carrier[100], longer[100];
	const char *name, *unit;
	int64_t count, sum;
	summary_init(&summary);
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	add(&summary, 0, 1, longer, "USD", 1000000);
	add(&summary, 0, 1, longer, "USD", 1000000); /* is cut, and the same line */
	for (int i = 0; i < SUMMARY_CARRIERS_MAX + 9; i++) {
		snprintf(carrier, sizeof(carrier), "carrier-%d", i);
		add(&summary, 0, 1, carrier, "USD", 1000000);
	}
	expect_line(&summary, 1, "carrier-0", "USD", 1, 1000000);
	expect_line(&summary, SUMMARY_CARRIERS_MAX, "other", "USD", 10, 10000000);
	add(&summary, 0, 1, "carrier-0", "USD", 1000000);
	expect_line(&summary, 1, "carrier-0", "USD", 2, 2000000);
	add(&summary, 0, 1, "new", "EUR", 1000000);
	expect_line(&summary, SUMMARY_CARRIERS_MAX, "other", "mixed", 11, 11000000);
	assert_int_equal(summary_spend(&summary, SUMMARY_CARRIERS_MAX + 1, &name, &unit, &count, &sum),
		SHIPOPT_ENOTFOUND);
	assert_int_equal(summary_spend(&summary, 0, &name, &unit, &count, &sum), 0);
	assert_int_equal(strlen(name), SUMMARY_NAME_SIZE - 1);
	assert_int_equal(count, 2);
	summary_done(&summary);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_outcome_is_counted_once),
		cmocka_unit_test(percentiles_are_right_to_six_percent_over_the_whole_range),
		cmocka_unit_test(rate_and_eta_follow_the_clock),
		cmocka_unit_test(money_is_kept_by_carrier_and_currency),
		cmocka_unit_test(more_carriers_than_lines_are_summed_under_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
