/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bulk_fixture.h"

/* Runs that are paused, fed, told to wait, and cut off: what is on the wire meanwhile. */

#define QUICK "carrier.retry_base_ms=5 carrier.retry_cap_ms=100"
#define LOOKS 100

static int64_t number_of(shipopt_run *run, int stat)
{
	int64_t value = -1;
	assert_int_equal(shipopt_run_stat(run, stat, &value), 0);
	return value;
}

static void push_some(shipopt_source *source, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		assert_int_equal(shipopt_source_push(source, fixture_order("order", i)), 0);
}

static void a_paused_run_starts_nothing_and_goes_on_when_resumed(void **state)
{
	static const char *const options[] = {"--latency-ms", "10", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_source *source;
	shipopt_run *run;
	fixture_start(&fixture, options);
	fixture_open(&fixture, QUICK " bulk.max_in_flight=4");
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	push_some(source, 0, 20);
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, source, NULL, NULL, NULL, &run), 0);
	while (sandbox_count(&fixture.sandbox, "labels") < 5)
		;
	assert_int_equal(shipopt_run_pause(run), 0);
	while (number_of(run, SHIPOPT_RUN_STAT_IN_FLIGHT) > 0)
		;
	int64_t creations = sandbox_requests(&fixture.sandbox, "POST /shipments");
	push_some(source, 20, 60); /* whether or not it has got through the others */
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), creations);
	for (int i = 0; i < LOOKS; i++)
		assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), creations);
	assert_int_equal(shipopt_op_is_done(shipopt_run_op(run)), 0);
	assert_int_equal(shipopt_run_resume(run), 0);
	assert_int_equal(shipopt_source_finish(source), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	shipopt_source_free(source);
	assert_int_equal(shipopt_run_pause(run), SHIPOPT_ESTATE);
	fixture_collect(run, &result);
	assert_int_equal(result.done, 60);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

enum { PUSH_MAX = 4 };

struct pusher {
	shipopt_source *source;
	size_t first, count;
};

static void *push_orders(void *userdata)
{
	struct pusher *pusher = userdata;
	for (size_t i = pusher->first; i < pusher->count; i++) {
		shipopt_order *order = fixture_order("pushed", i);
		int r;
		while ((r = shipopt_source_push(pusher->source, order)) == SHIPOPT_EAGAIN)
			sched_yield();
		assert_int_equal(r, 0);
	}
	assert_int_equal(shipopt_source_finish(pusher->source), 0);
	return NULL;
}

static void orders_are_pushed_into_a_run_from_another_thread(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	struct pusher pusher = {.first = PUSH_MAX, .count = 200};
	shipopt_source_config *config;
	shipopt_run *run;
	pthread_t thread;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, "push_max", "4"), 0);
	assert_int_equal(shipopt_source_new_push(config, &pusher.source, NULL), 0);
	shipopt_source_config_free(config);
	for (size_t i = 0; i < PUSH_MAX; i++)
		assert_int_equal(shipopt_source_push(pusher.source, fixture_order("pushed", i)), 0);
	shipopt_order *fifth = fixture_order("pushed", PUSH_MAX);
	assert_int_equal(shipopt_source_push(pusher.source, fifth), SHIPOPT_EAGAIN);
	shipopt_order_free(fifth);
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, pusher.source, NULL, NULL, NULL, &run), 0);
	assert_int_equal(pthread_create(&thread, NULL, push_orders, &pusher), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	fixture_collect(run, &result);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.done, 200);
	shipopt_order *late = fixture_order("late", 1);
	assert_true(shipopt_source_push(pusher.source, late) < 0);
	shipopt_order_free(late);
	shipopt_source_free(pusher.source);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

/* Waits for the first one. Gives a time that was before it: of the last look that saw none, or `begun_us`. */
static int64_t await_purchase(struct bulk_fixture *fixture, int64_t begun_us)
{
	for (int64_t before_us = begun_us;;) {
		int64_t look_us = clock_now_us();
		if (sandbox_requests(&fixture->sandbox, "POST /shipments/buy") > 0)
			return before_us;
		before_us = look_us;
	}
}

static void a_retry_after_of_two_seconds_holds_its_calls_back_and_no_others(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_run *run;
	fixture_start(&fixture, NULL);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox,
				 "{\"error-rate\": {\"429\": 1}, \"retry-after\": \"2\", \"fault-paths\": \"buy\"}"),
		0);
	fixture_open(&fixture, "bulk.max_in_flight=40 carrier.concurrency_start=1 carrier.concurrency_max=1");
	int64_t begun_us = clock_now_us();
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, fixture_orders(40, "order"), NULL, NULL, NULL, &run), 0);
	/* One request at a time: the refusal is the answer to this one, and the next purchase knows. */
	int64_t until_us = await_purchase(&fixture, begun_us) + 2000000, created = 0;
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true}"), 0);
	for (bool is_held = true; is_held;) {
		int64_t creations = sandbox_requests(&fixture.sandbox, "POST /shipments");
		int64_t purchases = sandbox_requests(&fixture.sandbox, "POST /shipments/buy");
		is_held = clock_now_us() < until_us;
		if (is_held) {
			assert_int_equal(purchases, 1);
			created = creations;
		}
	}
	assert_true(created > 5); /* all of them, where the machine is fast enough */
	fixture_collect(run, &result);
	assert_int_equal(result.done, 40);
	assert_true(result.elapsed_ms >= 2000);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments/buy"), 41);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void a_purchase_whose_kept_connection_dies_unanswered_is_on_the_wire_once(void **state)
{
	static const char *const options[] = {"--close-kept-alive", "--no-exists-guard", NULL};
	struct bulk_fixture fixture;
	shipopt_op *op;
	shipopt_order *order = fixture_order("order", 1);
	fixture_start(&fixture, options);
	fixture_open(&fixture, QUICK " carrier.timeout_ms=1000 carrier.settle_ms=4000 bulk.lease_ms=6000");
	int64_t begun_us = clock_now_us();
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
	/* Until it has settled it may not be sent again; it is read back instead. */
	int64_t sent_us = await_purchase(&fixture, begun_us);
	while (clock_now_us() < sent_us + 900000)
		assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments/buy"), 1);
	while (sandbox_requests(&fixture.sandbox, "GET /shipments/id") == 0)
		; /* for ever, if it were not read back */
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_IN_DOUBT), 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true}"), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 0);
	shipopt_op_unref(op);
	shipopt_order_free(order);
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments/buy"), 2);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_paused_run_starts_nothing_and_goes_on_when_resumed),
		cmocka_unit_test(orders_are_pushed_into_a_run_from_another_thread),
		cmocka_unit_test(a_retry_after_of_two_seconds_holds_its_calls_back_and_no_others),
		cmocka_unit_test(a_purchase_whose_kept_connection_dies_unanswered_is_on_the_wire_once),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk control", tests, NULL, NULL);
}
