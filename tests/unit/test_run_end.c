/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/bulk.h>
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "base/memory.h"
#include "event.h"

/* How runs end: refused, canceled, without a carrier; and what a program can read about it. */

#define PATIENCE_MS 20000

static struct event delivered, release;
static int items, canceled;
static char advice[256];
static bool holds_items;

struct ends {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	shipopt_carrier *carrier;
	shipopt_bulk *bulk;
};

static void on_item(void *userdata, const shipopt_item *item)
{
	items++;
	if (shipopt_item_status(item) == SHIPOPT_ECANCELED) {
		canceled++;
		snprintf(advice, sizeof(advice), "%s", shipopt_error_text(shipopt_item_error(item)));
	}
	event_raise(&delivered);
	if (holds_items)
		assert_true(event_wait(&release, 1));
}

static void on_call(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, 1);
}

/* `settings`: name, value, … of the executor, NULL at the end. `base_url` NULL: no carrier. */
static struct ends open_ends(const char *base_url, size_t slots, const char *const *settings)
{
	struct ends ends = {NULL};
	shipopt_bulk_config *config;
	assert_int_equal(mem_live_count(), 0);
	delivered = release = (struct event)EVENT_INIT;
	items = canceled = 0;
	holds_items = false;
	assert_int_equal(shipopt_runtime_new(NULL, &ends.runtime, NULL), 0);
	assert_int_equal(shipopt_bulk_config_new(&config), 0);
	for (size_t i = 0; settings && settings[i]; i += 2)
		assert_int_equal(shipopt_bulk_config_set(config, settings[i], settings[i + 1]), 0);
	if (slots) {
		assert_int_equal(shipopt_queue_new(ends.runtime, slots, &ends.queue), 0);
		assert_int_equal(shipopt_bulk_config_set_queue(config, ends.queue), 0);
	} else {
		assert_int_equal(shipopt_bulk_config_set_item(config, on_item, NULL), 0);
	}
	if (base_url) {
		shipopt_carrier_config *carrier;
		assert_int_equal(shipopt_carrier_config_new(&carrier), 0);
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_API_KEY, "EZTKtest");
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_BASE_URL, base_url);
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_RETRY_BASE_MS, "10");
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_RETRY_CAP_MS, "50");
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_BREAKER_OPEN_MS, "50");
		assert_int_equal(shipopt_carrier_new(ends.runtime, carrier, &ends.carrier, NULL), 0);
		shipopt_carrier_config_free(carrier);
	}
	assert_int_equal(shipopt_bulk_new(ends.runtime, ends.carrier, NULL, config, &ends.bulk, NULL), 0);
	shipopt_bulk_config_free(config);
	return ends;
}

static void close_ends(struct ends *ends)
{
	shipopt_carrier_free(ends->carrier);
	shipopt_bulk_free(ends->bulk);
	assert_int_equal(shipopt_runtime_close(ends->runtime, PATIENCE_MS), 0);
	shipopt_queue_free(ends->queue);
	shipopt_runtime_free(ends->runtime);
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_order *order_new(size_t number)
{
	shipopt_order *order;
	char key[32];
	snprintf(key, sizeof(key), "order-%zu", number);
	assert_int_equal(shipopt_order_new(key, &order, NULL), 0);
	assert_int_equal(shipopt_order_set_tracking_code(order, "EZ1000000001", NULL), 0);
	return order;
}

static shipopt_source *orders_new(size_t count)
{
	shipopt_order *orders[64];
	shipopt_source *source;
	for (size_t i = 0; i < count; i++)
		orders[i] = order_new(i);
	assert_int_equal(shipopt_source_new_array(orders, count, &source, NULL), 0);
	return source;
}

static void expect_error(shipopt_run *run, int code, const char *words)
{
	shipopt_op *op = shipopt_run_op(run);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), code);
	assert_int_equal(shipopt_error_code(shipopt_op_error(op)), code);
	if (!strstr(shipopt_error_message(shipopt_op_error(op)), words))
		fail_msg("\"%s\" is not in \"%s\"", words, shipopt_error_message(shipopt_op_error(op)));
}

/* ---- refused --------------------------------------------------------------------------------------------------- */

static void a_run_that_lacks_a_part_says_which_through_its_operation(void **state)
{
	struct ends ends = open_ends(NULL, 0, NULL);
	shipopt_run *run;
	int64_t value;
	assert_int_equal(shipopt_bulk_track(ends.bulk, orders_new(3), NULL, NULL, NULL, &run), 0);
	expect_error(run, SHIPOPT_EINVAL, "needs a carrier");
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_READ, &value), 0);
	assert_int_equal(value, 0);
	shipopt_run_unref(run);
	assert_int_equal(shipopt_bulk_buy(ends.bulk, orders_new(3), NULL, NULL, NULL, &run), 0);
	expect_error(run, SHIPOPT_EINVAL, "needs a carrier");
	shipopt_run_unref(run);
	assert_int_equal(items, 0);
	close_ends(&ends);
	ends = open_ends("http://127.0.0.1:1/v2", 0, NULL);
	assert_int_equal(shipopt_bulk_buy(ends.bulk, orders_new(3), NULL, NULL, NULL, &run), 0);
	expect_error(run, SHIPOPT_EINVAL, "needs a store");
	shipopt_run_unref(run);
	close_ends(&ends);
}

static void a_purchase_that_lacks_a_part_says_which_through_its_operation(void **state)
{
	struct ends ends = open_ends("http://127.0.0.1:1/v2", 0, NULL);
	shipopt_order *order = order_new(1);
	shipopt_op *op;
	assert_int_equal(shipopt_bulk_purchase(ends.bulk, order, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "needs a store"));
	shipopt_op_unref(op);
	assert_int_equal(shipopt_bulk_purchase(ends.bulk, order, NULL, NULL, NULL), SHIPOPT_EINVAL);
	shipopt_order_free(order);
	close_ends(&ends);
}

/* With nobody to report to, the call itself fails and has taken nothing. */
static void a_refusal_that_nobody_would_read_is_returned(void **state)
{
	struct ends ends = open_ends(NULL, 0, NULL);
	shipopt_source *source = orders_new(2);
	assert_int_equal(shipopt_bulk_track(ends.bulk, source, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_bulk_track(NULL, source, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_bulk_track(ends.bulk, NULL, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	shipopt_source_free(source);
	close_ends(&ends);
}

static void a_queue_that_is_too_small_is_named(void **state)
{
	struct ends ends = open_ends(NULL, 2, NULL);
	shipopt_run *run;
	shipopt_event event;
	assert_int_equal(shipopt_bulk_call(ends.bulk, orders_new(1), NULL, on_call, NULL, NULL, NULL, &run), 0);
	assert_int_equal(shipopt_queue_poll(ends.queue, &event, 1, PATIENCE_MS), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_OP);
	assert_int_equal(shipopt_queue_release(ends.queue, &event, 1), 0);
	expect_error(run, SHIPOPT_EINVAL, "the queue has 2 slots, this run needs at least 3");
	shipopt_run_unref(run);
	close_ends(&ends);
}

static void a_source_serves_one_run(void **state)
{
	struct ends ends = open_ends(NULL, 0, NULL);
	shipopt_source *source;
	shipopt_run *first, *second;
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_call(ends.bulk, source, NULL, on_call, NULL, NULL, NULL, &first), 0);
	assert_int_equal(shipopt_bulk_call(ends.bulk, source, NULL, on_call, NULL, NULL, NULL, &second), 0);
	expect_error(second, SHIPOPT_ESTATE, "another run has taken the source");
	assert_int_equal(shipopt_source_push(source, order_new(1)), 0); /* the first run still reads it */
	shipopt_source_free(source);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(first), PATIENCE_MS), 0);
	assert_int_equal(items, 1);
	shipopt_run_unref(shipopt_run_ref(first));
	shipopt_run_unref(first);
	shipopt_run_unref(second);
	close_ends(&ends);
}

/* ---- canceled -------------------------------------------------------------------------------------------------- */

static void a_cancel_after_the_last_order_was_finished_changes_nothing(void **state)
{
	struct ends ends = open_ends(NULL, 0, NULL);
	shipopt_run *run;
	holds_items = true;
	assert_int_equal(shipopt_bulk_call(ends.bulk, orders_new(1), NULL, on_call, NULL, NULL, NULL, &run), 0);
	assert_true(event_wait(&delivered, 1)); /* finished, and not yet delivered */
	assert_int_equal(shipopt_op_cancel(shipopt_run_op(run)), 0);
	event_raise(&release);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), 0);
	assert_null(shipopt_op_error(shipopt_run_op(run)));
	shipopt_run_unref(run);
	close_ends(&ends);
}

static void a_canceled_run_says_how_far_it_came(void **state)
{
	struct ends ends = open_ends(NULL, 0, (const char *const[]){"max_in_flight", "1", NULL});
	shipopt_run *run;
	shipopt_source *source;
	assert_int_equal(shipopt_source_new_push(NULL, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_call(ends.bulk, source, NULL, on_call, NULL, NULL, NULL, &run), 0);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(shipopt_source_push(source, order_new(i)), 0);
	assert_true(event_wait(&delivered, 2));
	assert_int_equal(shipopt_op_cancel(shipopt_run_op(run)), 0);
	expect_error(run, SHIPOPT_ECANCELED,
		"of 2 orders that it had read, 2 were finished, 0 in doubt, 0 not started or canceled");
	const char *text = shipopt_error_text(shipopt_op_error(shipopt_run_op(run)));
	assert_null(strstr(text, "othing was sent"));
	assert_non_null(strstr(text, "Run the same source again"));
	assert_int_equal(shipopt_run_pause(run), SHIPOPT_ESTATE);
	shipopt_run_unref(run);
	shipopt_source_free(source);
	close_ends(&ends);
}

/* ---- a carrier that was never reached --------------------------------------------------------------------------- */

static void a_run_whose_carrier_was_never_reached_ends_with_the_reason(void **state)
{
	struct ends ends = open_ends("http://127.0.0.1:1/v2", 0, (const char *const[]){"unreachable_ms", "300", NULL});
	shipopt_run *run;
	shipopt_error *problem = NULL;
	int64_t value;
	assert_int_equal(shipopt_bulk_track(ends.bulk, orders_new(40), NULL, NULL, NULL, &run), 0);
	expect_error(run, SHIPOPT_ECONNECT, "no connection to the carrier in 300 ms: ");
	expect_error(run, SHIPOPT_ECONNECT, "127.0.0.1");
	assert_int_equal(shipopt_error_domain(shipopt_op_error(shipopt_run_op(run))), SHIPOPT_DOMAIN_RUN);
	assert_int_equal(items, 40);
	assert_int_equal(canceled, 40);
	assert_null(strstr(advice, "bought")); /* nobody wanted to buy */
	assert_int_equal(shipopt_run_problem(run, &problem), 0);
	assert_int_equal(shipopt_error_code(problem), SHIPOPT_ECONNECT);
	shipopt_error_unref(problem);
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_REQUESTS, &value), 0);
	assert_true(value > 0);
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_RETRIES, &value), 0);
	assert_true(value > 0);
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_PROBLEM_AGE_MS, &value), 0);
	assert_true(value >= 0 && value < PATIENCE_MS);
	shipopt_run_unref(run);
	close_ends(&ends);
}

static void without_that_setting_the_run_waits_and_shows_why(void **state)
{
	struct ends ends = open_ends("http://127.0.0.1:1/v2", 0, (const char *const[]){"unreachable_ms", "0", NULL});
	shipopt_run *run;
	shipopt_error *problem = NULL;
	int64_t age;
	assert_int_equal(shipopt_bulk_track(ends.bulk, orders_new(2), NULL, NULL, NULL, &run), 0);
	/* The first problem is readable while the run waits. */
	for (int64_t r = SHIPOPT_ENOTFOUND; r == SHIPOPT_ENOTFOUND; r = shipopt_run_problem(run, &problem))
		(void)shipopt_op_wait(shipopt_run_op(run), 10);
	assert_non_null(strstr(shipopt_error_message(problem), "127.0.0.1"));
	shipopt_error_unref(problem);
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_PROBLEM_AGE_MS, &age), 0);
	assert_true(age >= 0);
	/* Each item ends by itself, when its attempts or its time are used up. */
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), 0);
	assert_int_equal(items, 2);
	assert_int_equal(canceled, 0);
	assert_int_equal(shipopt_run_problem(run, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_run_problem(NULL, &problem), SHIPOPT_EINVAL);
	shipopt_run_unref(run);
	close_ends(&ends);
}

/* ---- push sources and queues ------------------------------------------------------------------------------------- */

static void a_push_source_that_was_full_says_when_there_is_room(void **state)
{
	struct ends ends = open_ends(NULL, 8, NULL);
	shipopt_source_config *config;
	shipopt_source *source;
	shipopt_run *run;
	shipopt_event events[8];
	shipopt_order *order;
	size_t pushed = 0;
	int ready = 0, userdata = 0;
	bool is_done = false;
	assert_int_equal(shipopt_queue_enable(ends.queue, SHIPOPT_EVENT_READY), 0);
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, SHIPOPT_SOURCE_PUSH_MAX, "1"), 0);
	assert_int_equal(shipopt_source_new_push(config, &source, NULL), 0);
	shipopt_source_config_free(config);
	assert_int_equal(shipopt_source_push(source, order_new(pushed++)), 0);
	order = order_new(pushed);
	assert_int_equal(shipopt_source_push(source, order), SHIPOPT_EAGAIN);
	assert_int_equal(shipopt_bulk_call(ends.bulk, source, NULL, on_call, NULL, NULL, &userdata, &run), 0);
	while (!is_done) {
		int count = shipopt_queue_poll(ends.queue, events, 8, PATIENCE_MS);
		assert_true(count > 0);
		for (int i = 0; i < count; i++) {
			assert_int_equal(events[i].userdata, (uintptr_t)&userdata);
			is_done = is_done || events[i].kind == SHIPOPT_EVENT_OP;
			items += events[i].kind == SHIPOPT_EVENT_ITEM;
			if (events[i].kind == SHIPOPT_EVENT_REQUEST)
				shipopt_request_complete(shipopt_event_request(&events[i]), 1);
			if (events[i].kind != SHIPOPT_EVENT_READY)
				continue;
			ready++;
			assert_ptr_equal(events[i].op, shipopt_run_op(run));
			assert_int_equal(events[i].value, (uintptr_t)source);
			while (order && shipopt_source_push(source, order) == 0)
				order = ++pushed < 20 ? order_new(pushed) : NULL;
			if (!order)
				shipopt_source_finish(source);
		}
		assert_int_equal(shipopt_queue_release(ends.queue, events, (size_t)count), 0);
	}
	assert_int_equal(items, 20);
	assert_true(ready >= 1 && ready <= 20);
	shipopt_source_free(source);
	shipopt_run_unref(run);
	close_ends(&ends);
}

/* Waiting alone can never free the slots of the items. */
static void a_wait_for_a_run_whose_queue_nobody_polls_ends(void **state)
{
	struct ends ends = open_ends(NULL, 4, NULL);
	shipopt_run *run;
	shipopt_event event;
	int count;
	assert_int_equal(shipopt_bulk_call(ends.bulk, orders_new(40), NULL, on_call, NULL, NULL, NULL, &run), 0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_op_is_done(shipopt_run_op(run)), 0);
	for (bool is_done = false; !is_done;) {
		count = shipopt_queue_poll(ends.queue, &event, 1, PATIENCE_MS);
		assert_int_equal(count, 1);
		is_done = event.kind == SHIPOPT_EVENT_OP;
		items += event.kind == SHIPOPT_EVENT_ITEM;
		if (event.kind == SHIPOPT_EVENT_REQUEST)
			shipopt_request_complete(shipopt_event_request(&event), 1);
		assert_int_equal(shipopt_queue_release(ends.queue, &event, 1), 0);
	}
	assert_int_equal(items, 40);
	shipopt_run_unref(run);
	close_ends(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_run_that_lacks_a_part_says_which_through_its_operation),
		cmocka_unit_test(a_purchase_that_lacks_a_part_says_which_through_its_operation),
		cmocka_unit_test(a_refusal_that_nobody_would_read_is_returned),
		cmocka_unit_test(a_queue_that_is_too_small_is_named),
		cmocka_unit_test(a_source_serves_one_run),
		cmocka_unit_test(a_cancel_after_the_last_order_was_finished_changes_nothing),
		cmocka_unit_test(a_canceled_run_says_how_far_it_came),
		cmocka_unit_test(a_run_whose_carrier_was_never_reached_ends_with_the_reason),
		cmocka_unit_test(without_that_setting_the_run_waits_and_shows_why),
		cmocka_unit_test(a_push_source_that_was_full_says_when_there_is_room),
		cmocka_unit_test(a_wait_for_a_run_whose_queue_nobody_polls_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
