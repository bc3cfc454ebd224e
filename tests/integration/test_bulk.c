/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bulk_fixture.h"

/* Nothing is lost in most tests: no time limit is to pass. */
#define QUICK "carrier.retry_base_ms=5 carrier.retry_cap_ms=100"
/* Short times for everything that a lost answer makes one wait for. */
#define SHORT QUICK " carrier.timeout_ms=1000 carrier.settle_ms=2000 bulk.lease_ms=3000"

static void every_order_is_bought_once_and_a_second_run_buys_nothing(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	fixture_buy(&fixture, fixture_orders(60, "order"), &result);
	assert_int_equal(result.status, 0);
	assert_int_equal(result.done, 60);
	assert_int_equal(result.requests, 120);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_close(&fixture);
	fixture_open(&fixture, QUICK);
	fixture_buy(&fixture, fixture_orders(60, "order"), &result);
	assert_int_equal(result.done, 0);
	assert_int_equal(result.already, 60);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 60);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_BOUGHT), 60);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void duplicate_keys_in_one_input_are_one_purchase(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_order *orders[8];
	shipopt_source *source;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	for (size_t i = 0; i < 8; i++)
		orders[i] = fixture_order("same", 1);
	assert_int_equal(shipopt_source_new_array(orders, 8, &source, NULL), 0);
	fixture_buy(&fixture, source, &result);
	assert_int_equal(result.done, 1);
	assert_int_equal(result.already, 7);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void with_faults(const char *faults, int64_t count, bool guard_dropped)
{
	static const char *const options[] = {"--no-exists-guard", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, guard_dropped ? options : NULL);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, faults), 0);
	fixture_open(&fixture, SHORT);
	fixture_buy(&fixture, fixture_orders((size_t)count, "order"), &result);
	assert_int_equal(result.status, 0);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"reset\": true}"), 0);
	struct fixture_result again;
	fixture_buy(&fixture, fixture_orders((size_t)count, "order"), &again);
	print_message("%s: first run %lld bought %lld failed %lld in doubt, second %lld bought\n", faults,
		(long long)result.done, (long long)result.failed, (long long)result.in_doubt, (long long)again.done);
	/* Three purchases that all went wrong are for a person. */
	assert_int_equal(again.done + again.already + fixture_ledger_count_asked(&fixture), count);
	assert_int_equal(sandbox_duplicates(&fixture.sandbox), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void no_fault_buys_twice(void **state)
{
	with_faults("{\"lost-answer\": 0.3}", 40, false);
	with_faults("{\"lost-answer\": 0.3}", 40, true);
	/* Long before it is settled, whatever holds up the sandbox. */
	with_faults("{\"late-effect\": \"0.3:0.1-0.5\"}", 40, false);
	with_faults("{\"late-effect\": \"0.3:0.1-0.5\"}", 40, true);
	with_faults("{\"reset\": 0.2}", 40, true);
	with_faults("{\"close\": 0.2}", 40, true);
	with_faults("{\"truncate\": 0.2}", 40, true);
	with_faults("{\"garbage\": 0.2}", 40, true);
	with_faults("{\"in-progress\": 0.3}", 40, false);
	with_faults("{\"timed-out\": 0.3}", 40, true);
	with_faults("{\"error-rate\": {\"500\": 0.1, \"503\": 0.1, \"429\": 0.1}}", 40, true);
}

static void a_refused_order_fails_with_the_carriers_reason(void **state)
{
	static const char *const options[] = {"--unpurchasable", "never", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, options);
	fixture_open(&fixture, QUICK);
	fixture_buy(&fixture, fixture_orders(5, "never"), &result);
	assert_int_equal(result.failed, 5);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_FAILED), 5);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void a_bad_key_ends_the_run_with_one_clear_error(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, "carrier.api_key=wrong carrier.mode=test " QUICK);
	fixture_buy(&fixture, fixture_orders(1000, "order"), &result);
	assert_int_equal(result.status, SHIPOPT_EAUTH);
	assert_true(result.failed < 200);
	assert_null(strstr(result.message, "wrong"));
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void an_account_without_funds_ends_the_run(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	assert_int_equal(sandbox_set_faults(&fixture.sandbox, "{\"error-rate\": {\"402\": 1}}"), 0);
	fixture_buy(&fixture, fixture_orders(1000, "order"), &result);
	assert_int_equal(result.status, SHIPOPT_EPAYMENT);
	assert_true(result.failed > 0 && result.failed < 200);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void a_spend_limit_is_never_passed(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	int64_t money;
	fixture_start(&fixture, NULL);
	fixture_open_handles(&fixture, QUICK);
	assert_int_equal(shipopt_bulk_config_set(fixture.bulk_config, SHIPOPT_BULK_BUDGET, "spring"), 0);
	assert_int_equal(shipopt_bulk_config_set(fixture.bulk_config, SHIPOPT_BULK_CURRENCY, "USD"), 0);
	assert_int_equal(shipopt_bulk_config_set(fixture.bulk_config, SHIPOPT_BULK_SPEND_LIMIT, "60.00"), 0);
	fixture_open_bulk(&fixture);
	fixture_buy(&fixture, fixture_orders(40, "order"), &result);
	assert_true(result.done > 0 && result.failed > 0);
	struct buffer counts;
	buffer_init(&counts, 1 << 20);
	assert_int_equal(sandbox_get(&fixture.sandbox, "/sandbox/counts?brief=1", &counts), 200);
	const char *charged = strstr(buffer_text(&counts), "\"charged\":");
	assert_non_null(charged);
	charged += strcspn(charged, "0123456789");
	double value = 0;
	assert_int_equal(sscanf(charged, "%lf", &value), 1);
	money = (int64_t)(value * 1e6);
	assert_true(money <= 60000000);
	buffer_done(&counts);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void orders_rated_first_are_bought_at_the_stored_rate(void **state)
{
	struct bulk_fixture fixture;
	struct fixture_result result;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	fixture_run(&fixture, shipopt_bulk_rate, fixture_orders(20, "order"), &result);
	assert_int_equal(result.done, 20);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_CREATED), 20);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	fixture_buy(&fixture, fixture_orders(20, "order"), &result);
	assert_int_equal(result.done, 20);
	assert_int_equal(result.requests, 20);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void other_content_under_a_bought_key_is_a_conflict_that_names_the_fields(void **state)
{
	struct bulk_fixture fixture;
	shipopt_op *op;
	shipopt_order *order = fixture_order("key", 1);
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 0);
	assert_non_null(shipopt_record_text(shipopt_op_record(op), SHIPOPT_SHIPMENT_TRACKING_CODE));
	shipopt_op_unref(op);
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 1);
	assert_non_null(shipopt_record_text(shipopt_op_record(op), SHIPOPT_SHIPMENT_TRACKING_CODE));
	shipopt_op_unref(op);
	shipopt_order_free(order);
	order = fixture_order("key", 2);
	assert_int_equal(shipopt_order_set_key(order, "key-1", NULL), 0);
	assert_int_equal(shipopt_bulk_purchase(fixture.bulk, order, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECONFLICT);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "parcel.weight"));
	shipopt_op_unref(op);
	shipopt_order_free(order);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 1);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static int purchase(struct bulk_fixture *fixture, const shipopt_order *order, char *message, size_t size)
{
	shipopt_op *op;
	assert_int_equal(shipopt_bulk_purchase(fixture->bulk, order, NULL, NULL, &op), 0);
	int status = shipopt_op_wait(op, -1);
	const char *text = shipopt_error_message(shipopt_op_error(op));
	snprintf(message, size, "%s", text ? text : "");
	shipopt_op_unref(op);
	return status;
}

static void a_price_above_the_orders_ceiling_is_held_until_the_ceiling_is_raised(void **state)
{
	struct bulk_fixture fixture;
	char message[256];
	shipopt_order *order = fixture_order("dear", 1);
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, QUICK);
	assert_int_equal(shipopt_order_set_max_rate(order, 10000, NULL), 0);
	assert_int_equal(purchase(&fixture, order, message, sizeof(message)), SHIPOPT_EHELD);
	assert_non_null(strstr(message, "max_rate 0.01"));
	assert_int_equal(purchase(&fixture, order, message, sizeof(message)), SHIPOPT_EHELD);
	assert_int_equal(fixture_ledger_count(&fixture, SHIPOPT_LEDGER_STATE_HELD), 1);
	assert_int_equal(shipopt_order_set_max_rate(order, 500000000, NULL), 0);
	assert_int_equal(purchase(&fixture, order, message, sizeof(message)), 0);
	assert_int_equal(fixture_compare(&fixture), 0);
	shipopt_order_free(order);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void times_that_could_buy_twice_are_refused(void **state)
{
	struct bulk_fixture fixture;
	shipopt_error *error = NULL;
	fixture_start(&fixture, NULL);
	fixture_open_handles(&fixture, "carrier.timeout_ms=1000 carrier.settle_ms=1199 bulk.lease_ms=3000");
	assert_int_equal(shipopt_bulk_new(fixture.runtime, fixture.carrier, fixture.store, fixture.bulk_config,
				 &fixture.bulk, &error),
		SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "settle_ms: 1199 is less than 1200"));
	shipopt_error_unref(TAKE(error));
	fixture_close(&fixture);
	fixture_open_handles(&fixture, "carrier.timeout_ms=1000 carrier.settle_ms=1200 bulk.lease_ms=1999");
	assert_int_equal(shipopt_bulk_new(fixture.runtime, fixture.carrier, fixture.store, fixture.bulk_config,
				 &fixture.bulk, &error),
		SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "lease_ms"));
	shipopt_error_unref(error);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void a_currency_that_is_no_code_is_refused(void **state)
{
	static const char *const currencies[] = {"usd", "US$", "Usd"};
	struct bulk_fixture fixture;
	fixture_start(&fixture, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(currencies); i++) {
		shipopt_error *error = NULL;
		fixture_open_handles(&fixture, "");
		assert_int_equal(shipopt_bulk_config_set(fixture.bulk_config, SHIPOPT_BULK_CURRENCY, currencies[i]),
			SHIPOPT_EINVAL);
		assert_int_equal(shipopt_bulk_new(fixture.runtime, fixture.carrier, fixture.store, fixture.bulk_config,
					 &fixture.bulk, &error),
			SHIPOPT_EINVAL);
		assert_non_null(strstr(shipopt_error_message(error), currencies[i]));
		assert_non_null(strstr(shipopt_error_message(error),
			"is not a currency code of three capital letters, such as USD"));
		shipopt_error_unref(error);
		fixture_close(&fixture);
	}
	fixture_open(&fixture, "bulk.currency=EUR");
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

struct seen {
	atomic_int items, inside, overlaps;
	uint64_t next_index;
	bool in_order;
};

static void see_item(void *userdata, const shipopt_item *item)
{
	struct seen *seen = userdata;
	seen->overlaps += seen->inside++ != 0;
	seen->in_order = seen->in_order && shipopt_item_index(item) == seen->next_index++;
	seen->items++;
	seen->inside--;
}

static void results_come_in_the_order_of_the_input_when_asked(void **state)
{
	static const char *const options[] = {"--latency-ms", "1-20", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	struct seen seen = {.in_order = true};
	fixture_start(&fixture, options);
	fixture_open_handles(&fixture, QUICK " bulk.in_order=1 bulk.order_window=32");
	assert_int_equal(shipopt_bulk_config_set_item(fixture.bulk_config, see_item, &seen), 0);
	fixture_open_bulk(&fixture);
	fixture_buy(&fixture, fixture_orders(100, "order"), &result);
	assert_int_equal(seen.items, 100);
	assert_int_equal(seen.overlaps, 0);
	assert_true(seen.in_order);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void a_canceled_run_ends_and_a_later_one_finishes_it(void **state)
{
	static const char *const options[] = {"--latency-ms", "30", NULL};
	struct bulk_fixture fixture;
	struct fixture_result result;
	shipopt_source *source;
	shipopt_run *run;
	fixture_start(&fixture, options);
	fixture_open(&fixture, QUICK);
	/* More orders may always come, so that the run is not over before it is canceled. */
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	for (size_t i = 0; i < 60; i++)
		assert_int_equal(shipopt_source_push(source, fixture_order("order", i)), 0);
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, source, NULL, NULL, NULL, &run), 0);
	while (sandbox_count(&fixture.sandbox, "labels") < 10)
		;
	assert_int_equal(shipopt_op_cancel(shipopt_run_op(run)), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), SHIPOPT_ECANCELED);
	shipopt_run_unref(run);
	shipopt_source_free(source);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_buy(&fixture, fixture_orders(100, "order"), &result);
	assert_int_equal(result.done + result.already, 100);
	assert_int_equal(fixture_compare(&fixture), 0);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void answer_length(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, (int64_t)strlen(shipopt_request_key(request)));
}

static void add_value(void *userdata, const shipopt_item *item)
{
	*(int64_t *)userdata += shipopt_item_value(item);
}

static void a_host_call_runs_for_every_order(void **state)
{
	struct bulk_fixture fixture;
	shipopt_run *run;
	int64_t sum = 0, done;
	fixture_start(&fixture, NULL);
	fixture_open_handles(&fixture, QUICK);
	assert_int_equal(shipopt_bulk_config_set_item(fixture.bulk_config, add_value, &sum), 0);
	fixture_open_bulk(&fixture);
	assert_int_equal(shipopt_bulk_call(fixture.bulk, fixture_orders(1000, "k"), NULL, answer_length, NULL, NULL,
				 NULL, &run),
		0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_DONE, &done), 0);
	assert_int_equal(done, 1000);
	assert_int_equal(sum, 10 * 3 + 90 * 4 + 900 * 5);
	shipopt_run_unref(run);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

static void the_whole_run_can_be_driven_through_a_polled_queue(void **state)
{
	struct bulk_fixture fixture;
	shipopt_queue *queue;
	shipopt_run *run;
	shipopt_event events[16];
	int items = 0, ended = 0;
	fixture_start(&fixture, NULL);
	fixture_open_handles(&fixture, QUICK);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 20, &queue), 0);
	assert_int_equal(shipopt_bulk_config_set_queue(fixture.bulk_config, queue), 0);
	fixture_open_bulk(&fixture);
	assert_int_equal(shipopt_bulk_buy(fixture.bulk, fixture_orders(100, "order"), NULL, NULL, &items, &run), 0);
	while (!ended) {
		int count = shipopt_queue_poll(queue, events, 16, -1);
		assert_true(count > 0);
		for (int i = 0; i < count; i++) {
			assert_true(events[i].userdata == (uint64_t)(uintptr_t)&items);
			if (events[i].kind == SHIPOPT_EVENT_ITEM) {
				const shipopt_item *item = shipopt_event_item(&events[i]);
				assert_int_equal(shipopt_item_status(item), 0);
				assert_non_null(shipopt_item_tracking_code(item));
				items++;
			} else if (events[i].kind == SHIPOPT_EVENT_OP) {
				ended++;
			}
		}
		assert_int_equal(shipopt_queue_release(queue, events, (size_t)count), 0);
	}
	assert_int_equal(items, 100);
	shipopt_run_unref(run);
	fixture_close(&fixture);
	shipopt_queue_free(queue);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_order_is_bought_once_and_a_second_run_buys_nothing),
		cmocka_unit_test(duplicate_keys_in_one_input_are_one_purchase),
		cmocka_unit_test(a_refused_order_fails_with_the_carriers_reason),
		cmocka_unit_test(a_bad_key_ends_the_run_with_one_clear_error),
		cmocka_unit_test(an_account_without_funds_ends_the_run),
		cmocka_unit_test(a_spend_limit_is_never_passed),
		cmocka_unit_test(orders_rated_first_are_bought_at_the_stored_rate),
		cmocka_unit_test(other_content_under_a_bought_key_is_a_conflict_that_names_the_fields),
		cmocka_unit_test(a_price_above_the_orders_ceiling_is_held_until_the_ceiling_is_raised),
		cmocka_unit_test(times_that_could_buy_twice_are_refused),
		cmocka_unit_test(a_currency_that_is_no_code_is_refused),
		cmocka_unit_test(results_come_in_the_order_of_the_input_when_asked),
		cmocka_unit_test(a_canceled_run_ends_and_a_later_one_finishes_it),
		cmocka_unit_test(a_host_call_runs_for_every_order),
		cmocka_unit_test(the_whole_run_can_be_driven_through_a_polled_queue),
		cmocka_unit_test(no_fault_buys_twice),
	};
	return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
