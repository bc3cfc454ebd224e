/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <sched.h>
#include <shipopt/bulk.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"
#include "base/memory.h"
#include "event.h"
#include "runtime/queue.h"

/* Bulk runs that a host holds up: a source that blocks, a queue that nobody takes from, callbacks that do not
 * return. */

#define PATIENCE_MS 20000
#define ORDERS_MAX 300

static struct {
	struct event called;      /* of host calls */
	struct event asked;       /* of the source's next */
	struct event given;       /* to the callback of items */
	struct event release;     /* what is held */
	size_t orders, holds_at;  /* of the source: next blocks before order `holds_at` (from 0) */
	shipopt_request *request; /* the last; unanswered when `keeps` */
	bool keeps, holds_items;
	int canceled, done; /* items and operations that were reported */
	bool seen[ORDERS_MAX];
} host;

struct fixture {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	shipopt_bulk *bulk;
};

static int next_order(void *userdata, shipopt_order *order)
{
	size_t index = (size_t)event_count(&host.asked);
	char key[32];
	event_raise(&host.asked);
	if (index == host.holds_at)
		assert_true(event_wait(&host.release, 1));
	if (index == host.orders)
		return 0;
	snprintf(key, sizeof(key), "%zu", index);
	return shipopt_order_set_key(order, key, NULL) < 0 ? -1 : 1;
}

static void call(void *userdata, shipopt_request *request)
{
	host.request = request;
	event_raise(&host.called);
	if (!host.keeps)
		shipopt_request_complete(request, 1);
}

static void item_given(void *userdata, const shipopt_item *item)
{
	size_t index = (size_t)shipopt_item_index(item);
	assert_true(index < ORDERS_MAX && !host.seen[index]);
	host.seen[index] = true;
	host.canceled += shipopt_item_status(item) == SHIPOPT_ECANCELED;
	event_raise(&host.given);
	if (host.holds_items)
		assert_true(event_wait(&host.release, 1));
}

static void run_done(void *userdata, shipopt_op *op)
{
	host.done++;
}

static struct fixture open_fixture(size_t slots, shipopt_carrier **ret_carrier)
{
	struct fixture fixture = {0};
	shipopt_bulk_config *config;
	assert_int_equal(mem_live_count(), 0);
	memset(&host, 0, sizeof(host));
	host.called = host.asked = host.given = host.release = (struct event)EVENT_INIT;
	host.holds_at = SIZE_MAX;
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(shipopt_bulk_config_new(&config), 0);
	assert_int_equal(shipopt_bulk_config_set_item(config, item_given, NULL), 0);
	assert_int_equal(shipopt_bulk_config_set_int(config, SHIPOPT_BULK_MAX_IN_FLIGHT, 1), 0);
	if (slots) {
		assert_int_equal(shipopt_queue_new(fixture.runtime, slots, &fixture.queue), 0);
		assert_int_equal(shipopt_bulk_config_set_queue(config, fixture.queue), 0);
	}
	if (ret_carrier) {
		shipopt_carrier_config *carrier;
		assert_int_equal(shipopt_carrier_config_new(&carrier), 0);
		assert_int_equal(shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
		assert_int_equal(shipopt_carrier_new(fixture.runtime, carrier, ret_carrier, NULL), 0);
		shipopt_carrier_config_free(carrier);
	}
	assert_int_equal(shipopt_bulk_new(fixture.runtime, ret_carrier ? *ret_carrier : NULL, NULL, config,
				 &fixture.bulk, NULL),
		0);
	shipopt_bulk_config_free(config);
	return fixture;
}

static shipopt_run *start_calls(struct fixture *fixture, size_t orders)
{
	shipopt_source *source;
	shipopt_run *run;
	host.orders = orders;
	assert_int_equal(shipopt_source_new_callback(next_order, NULL, &source), 0);
	assert_int_equal(shipopt_bulk_call(fixture->bulk, source, NULL, call, NULL, run_done, NULL, &run), 0);
	return run;
}

static void expect_gone(struct fixture *fixture)
{
	assert_int_equal(shipopt_runtime_close(fixture->runtime, PATIENCE_MS), 0);
	shipopt_bulk_free(fixture->bulk);
	shipopt_queue_free(fixture->queue);
	shipopt_runtime_free(fixture->runtime);
	assert_int_equal(mem_live_count(), 0);
}

/* --- sources that block --- */

static void an_order_is_begun_while_the_source_blocks_before_the_next(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	host.holds_at = 2;
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.given, 2)); /* begun and reported */
	assert_int_equal(event_count(&host.called), 2);
	event_raise(&host.release);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), 0);
	assert_int_equal(event_count(&host.called), 5);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

static void a_source_that_does_not_block_gives_every_order_once(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	shipopt_run *run = start_calls(&fixture, ORDERS_MAX);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), 0);
	assert_int_equal(event_count(&host.given), ORDERS_MAX);
	assert_int_equal(host.canceled, 0);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

static void write_line(int fd, const char *line)
{
	assert_int_equal(write(fd, line, strlen(line)), strlen(line));
}

static void a_row_from_a_pipe_is_begun_while_the_pipe_stays_open(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	shipopt_source *source;
	shipopt_run *run;
	int ends[2], input = dup(STDIN_FILENO);
	assert_int_equal(pipe(ends), 0);
	assert_true(input >= 0 && dup2(ends[0], STDIN_FILENO) == STDIN_FILENO);
	write_line(ends[1], "order_key\n");
	assert_int_equal(shipopt_source_open_csv("-", NULL, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_call(fixture.bulk, source, NULL, call, NULL, NULL, NULL, &run), 0);
	for (int i = 1; i <= 3; i++) {
		write_line(ends[1], "key\n");
		assert_true(event_wait(&host.given, i));
	}
	close(ends[1]);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), 0);
	assert_true(dup2(input, STDIN_FILENO) == STDIN_FILENO);
	close(ends[0]);
	close(input);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

/* One is at work, the next two were read, and the source blocks. */
static void orders_that_were_read_are_canceled_while_the_source_blocks(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	host.keeps = true;
	host.holds_at = 3;
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.called, 1));
	assert_true(event_wait(&host.asked, 4));
	assert_int_equal(shipopt_op_cancel(shipopt_run_op(run)), 0);
	shipopt_request_complete(host.request, 1);
	assert_true(event_wait(&host.given, 3));
	event_raise(&host.release);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), SHIPOPT_ECANCELED);
	assert_int_equal(event_count(&host.given), 4); /* the one that it gave last, too */
	assert_int_equal(host.canceled, 3);
	assert_int_equal(event_count(&host.called), 1);
	assert_int_equal(event_count(&host.asked), 4); /* and it was not asked again */
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

static void the_close_leaves_a_source_that_blocks_behind(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	host.holds_at = 2;
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.given, 2));
	assert_true(event_wait(&host.asked, 3));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_EBUSY);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), 0), SHIPOPT_ETIMEDOUT);
	event_raise(&host.release);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), SHIPOPT_ECANCELED);
	assert_int_equal(event_count(&host.given), 2); /* the host is not called any more */
	assert_int_equal(event_count(&host.asked), 3);
	assert_int_equal(host.done, 0);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

/* --- callbacks that do not return --- */

static void the_close_leaves_an_item_callback_that_blocks_behind(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	host.holds_items = true;
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.given, 1));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_EBUSY);
	event_raise(&host.release);
	assert_true(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS) != SHIPOPT_ETIMEDOUT);
	assert_int_equal(event_count(&host.given), 1);
	assert_int_equal(host.done, 0);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

static void the_close_leaves_a_host_call_without_an_answer_behind(void **state)
{
	struct fixture fixture = open_fixture(0, NULL);
	host.keeps = true;
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.called, 1));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_EBUSY);
	shipopt_request_complete(host.request, 1);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), PATIENCE_MS), SHIPOPT_ECANCELED);
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

static void the_close_leaves_a_host_call_in_a_queue_until_that_is_freed(void **state)
{
	struct fixture fixture = open_fixture(4, NULL);
	shipopt_run *run = start_calls(&fixture, 5);
	assert_true(event_wait(&host.asked, 5));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_EBUSY);
	shipopt_queue_free(TAKE(fixture.queue));
	shipopt_run_unref(run);
	expect_gone(&fixture);
}

/* --- a queue without a free slot --- */

/* Orders that fail without a request: they have no tracking code. */
static shipopt_run *start_tracks(struct fixture *fixture, size_t count)
{
	shipopt_order *orders[ORDERS_MAX];
	shipopt_source *source;
	shipopt_run *run;
	for (size_t i = 0; i < count; i++)
		assert_int_equal(shipopt_order_new("key", &orders[i], NULL), 0);
	assert_int_equal(shipopt_source_new_array(orders, count, &source, NULL), 0);
	assert_int_equal(shipopt_bulk_track(fixture->bulk, source, NULL, run_done, NULL, &run), 0);
	return run;
}

/* The run holds a slot for its own completion; the other three are taken by items that nobody takes. */
static void wait_full(struct fixture *fixture, shipopt_run *run)
{
	int64_t failed = 0;
	while (failed < 3) {
		assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_FAILED, &failed), 0);
		sched_yield();
	}
}

static size_t read_of(shipopt_run *run)
{
	int64_t read;
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_READ, &read), 0);
	return (size_t)read;
}

static void the_close_returns_though_the_queue_has_no_free_slot(void **state)
{
	shipopt_carrier *carrier;
	struct fixture fixture = open_fixture(4, &carrier);
	shipopt_run *run = start_tracks(&fixture, ORDERS_MAX);
	wait_full(&fixture, run);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	size_t items = read_of(run);
	assert_true(items >= 64 && items < ORDERS_MAX); /* what was read, and no more */
	assert_int_equal(shipopt_queue_dispatch(fixture.queue, 0, 0), items + 1);
	assert_int_equal(event_count(&host.given), items);
	assert_int_equal(host.canceled, items - 3);
	assert_int_equal(host.done, 1);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), 0), SHIPOPT_ECANCELED);
	shipopt_run_unref(run);
	shipopt_carrier_free(carrier);
	expect_gone(&fixture);
}

/* Polled, with never more out than there are slots. */
static void what_a_close_puts_into_a_full_queue_can_be_polled(void **state)
{
	shipopt_carrier *carrier;
	struct fixture fixture = open_fixture(4, &carrier);
	shipopt_run *run = start_tracks(&fixture, 20);
	shipopt_event events[8];
	wait_full(&fixture, run);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	int count, total = 0;
	while ((count = shipopt_queue_poll(fixture.queue, events, ARRAY_SIZE(events), 0)) > 0) {
		assert_true(count <= 4);
		total += count;
		if (count == 4)
			assert_int_equal(shipopt_queue_poll(fixture.queue, &events[4], 1, 0),
				total < 21 ? SHIPOPT_EAGAIN : SHIPOPT_ESHUTDOWN);
		assert_int_equal(shipopt_queue_release(fixture.queue, events, (size_t)count), 0);
	}
	assert_int_equal(count, SHIPOPT_ESHUTDOWN); /* nothing is left */
	assert_int_equal(total, 21);
	shipopt_run_unref(run);
	shipopt_carrier_free(carrier);
	expect_gone(&fixture);
}

/* Makes the bulk executor of the fixture again, without a callback for items. */
static void drop_item_callback(struct fixture *fixture, shipopt_carrier *carrier)
{
	shipopt_bulk_config *config;
	shipopt_bulk_free(fixture->bulk);
	assert_int_equal(shipopt_bulk_config_new(&config), 0);
	assert_int_equal(shipopt_bulk_config_set_queue(config, fixture->queue), 0);
	assert_int_equal(shipopt_bulk_new(fixture->runtime, carrier, NULL, config, &fixture->bulk, NULL), 0);
	shipopt_bulk_config_free(config);
}

static void waiting_for_a_run_whose_items_nobody_polls_ends(void **state)
{
	shipopt_carrier *carrier;
	struct fixture fixture = open_fixture(4, &carrier);
	drop_item_callback(&fixture, carrier);
	queue_set_stall_ms(fixture.queue, 50);
	shipopt_run *run = start_tracks(&fixture, 20);
	shipopt_event event;
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_op_is_done(shipopt_run_op(run)), 0);
	for (int i = 0; i <= 20; i++) { /* polled, it goes on */
		assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, PATIENCE_MS), 1);
		assert_int_equal(event.kind, i < 20 ? SHIPOPT_EVENT_ITEM : SHIPOPT_EVENT_OP);
		assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	}
	shipopt_run_unref(run);
	shipopt_carrier_free(carrier);
	expect_gone(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_order_is_begun_while_the_source_blocks_before_the_next),
		cmocka_unit_test(a_source_that_does_not_block_gives_every_order_once),
		cmocka_unit_test(a_row_from_a_pipe_is_begun_while_the_pipe_stays_open),
		cmocka_unit_test(orders_that_were_read_are_canceled_while_the_source_blocks),
		cmocka_unit_test(the_close_leaves_a_source_that_blocks_behind),
		cmocka_unit_test(the_close_leaves_an_item_callback_that_blocks_behind),
		cmocka_unit_test(the_close_leaves_a_host_call_without_an_answer_behind),
		cmocka_unit_test(the_close_leaves_a_host_call_in_a_queue_until_that_is_freed),
		cmocka_unit_test(the_close_returns_though_the_queue_has_no_free_slot),
		cmocka_unit_test(what_a_close_puts_into_a_full_queue_can_be_polled),
		cmocka_unit_test(waiting_for_a_run_whose_items_nobody_polls_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
