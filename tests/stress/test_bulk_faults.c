/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "buy_worker.h"

/*
 * Buying while everything goes wrong at once. Some orders are planted: the carrier refuses to sell for them, always,
 * and only they may fail. When the faults have stopped, one more run must leave nothing in doubt, and the books of both
 * sides must agree label by label.
 *
 * 600 and 200 orders in the normal run; SHIPOPT_LONG=1 makes it 10,000 each.
 */

static size_t long_or(size_t count)
{
	const char *value = getenv("SHIPOPT_LONG");
	return value && *value == '1' ? 10000 : count;
}

static shipopt_source *orders(size_t count)
{
	return fixture_orders_planted(count, "order", "never", BUY_WORKER_PLANTED_EVERY);
}

static void print_run(const char *name, size_t count, const struct fixture_result *result)
{
	print_message("%s of %zu: %lld ms, %lld bought, %lld already, %lld failed, %lld in doubt, %lld requests\n",
		name, count, (long long)result->elapsed_ms, (long long)result->done, (long long)result->already,
		(long long)result->failed, (long long)result->in_doubt, (long long)result->requests);
}

static void everything_goes_wrong(size_t count, bool guard_dropped)
{
	static const char *const options[] = {"--latency-ms", "10", "--unpurchasable", "never", "--seed", "7",
		"--no-exists-guard", NULL};
	static const char *const guarded[] = {"--latency-ms", "10", "--unpurchasable", "never", "--seed", "8", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	int64_t planted = (int64_t)((count + BUY_WORKER_PLANTED_EVERY - 1) / BUY_WORKER_PLANTED_EVERY),
		valid = (int64_t)count - planted;
	fixture_start(&fixture, guard_dropped ? options : guarded);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, BUY_WORKER_FAULTS), 0);
	/* Items that are not settled by then end in doubt: work for the second run. */
	fixture_open(&fixture, BUY_WORKER_SETTINGS " bulk.lease_ms=15000 bulk.item_timeout_ms=6000");
	fixture_buy(&fixture, orders(count), &result);
	print_run("under faults", count, &result);
	assert_int_equal(result.status, 0);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, BUY_WORKER_NO_FAULTS), 0);
	fixture_close(&fixture);
	fixture_open(&fixture, BUY_WORKER_SETTINGS " bulk.lease_ms=15000");
	fixture_buy(&fixture, orders(count), &result);
	print_run("resumed", count, &result);
	assert_int_equal(result.status, 0);
	/* Every order is settled: bought, proven not bought, or for a person after what the carrier did to it. */
	int64_t bought = fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_BOUGHT),
		asked = fixture_ledger_count_asked(&fixture);
	print_message("%lld bought, %lld for a person\n", (long long)bought, (long long)asked);
	assert_int_equal(fixture_ledger_count(&fixture, 0), count);
	assert_int_equal(bought, result.done + result.already);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_BUYING), 0);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_IN_DOUBT), asked);
	assert_int_equal(bought + fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_FAILED) + asked, count);
	assert_true(bought <= valid && bought >= valid - asked);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), bought);
	assert_int_equal(sandbox_duplicates(&fixture.sandbox), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void all_faults_at_once_without_the_exists_guard_lose_nothing_and_buy_nothing_twice(void **state)
{
	everything_goes_wrong(long_or(600), true);
}

static void all_faults_at_once_lose_nothing_and_buy_nothing_twice(void **state)
{
	everything_goes_wrong(long_or(200), false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_faults_at_once_without_the_exists_guard_lose_nothing_and_buy_nothing_twice),
		cmocka_unit_test(all_faults_at_once_lose_nothing_and_buy_nothing_twice),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk faults", tests, NULL, NULL);
}
