/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <string.h>

#include "cmocka_test.h"
#include "pool_fixture.h"

/* Streams and COPYs of a pool that delivers to a queue: an event says when rows, or room, are there again. */

static shipopt_queue *queue;
static int tag;

static void open_queued(const char *const *settings, bool is_enabled)
{
	shipopt_pool_config *config;
	fixture_open(NULL, NULL);
	shipopt_pool_free(fixture.pool);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 64, &queue), 0);
	if (is_enabled)
		assert_int_equal(shipopt_queue_enable(queue, SHIPOPT_EVENT_READY), 0);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	for (; settings && settings[0]; settings += 2)
		assert_int_equal(shipopt_pool_config_set(config, settings[0], settings[1]), 0);
	assert_int_equal(shipopt_pool_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &fixture.pool, NULL), 0);
	shipopt_pool_config_free(config);
}

static void close_queued(void)
{
	shipopt_queue_free(queue);
	fixture_close();
}

/* Waits for the descriptor, as an event loop does, and takes one event. */
static shipopt_event take_event(void)
{
	struct pollfd entry = {.fd = shipopt_queue_fd(queue), .events = POLLIN};
	shipopt_event event;
	assert_int_equal(poll(&entry, 1, 60000), 1);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 0), 1);
	return event;
}

static void release(const shipopt_event *event)
{
	assert_int_equal(shipopt_queue_release(queue, event, 1), 0);
}

/* ---- streams ----------------------------------------------------------------------------------------------------- */

/* Rows that take their time: the descriptor tells of each part, and no call waits. */
static void the_queue_tells_when_rows_are_there(void **state)
{
	shipopt_stream *stream;
	shipopt_op *op;
	size_t rows_seen = 0, early = 0;
	bool is_done = false;
	open_queued(NULL, true);
	shipopt_query *query = make_query("select repeat('x', 90000), pg_sleep(0.2) from generate_series(1, 3)");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, &tag, &op), 0);
	while (!is_done) {
		const shipopt_rows *rows;
		shipopt_event event = take_event();
		assert_int_equal(event.userdata, (uint64_t)(uintptr_t)&tag);
		assert_ptr_equal(event.op, op);
		if (event.kind == SHIPOPT_EVENT_OP) {
			is_done = true;
		} else {
			assert_int_equal(event.kind, SHIPOPT_EVENT_READY);
			assert_int_equal(event.value, (uint64_t)(uintptr_t)stream);
		}
		int r;
		while ((r = shipopt_stream_next(stream, 0, &rows)) == 1) {
			rows_seen += shipopt_rows_count(rows);
			early += !is_done;
		}
		assert_int_equal(r, is_done || r == 0 ? 0 : SHIPOPT_ETIMEDOUT);
		release(&event);
	}
	assert_int_equal(rows_seen, 3);
	assert_true(early >= 2); /* and not all at the end */
	assert_int_equal(shipopt_op_status(op), 0);
	shipopt_stream_free(stream);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	close_queued();
}

/* One event for all signals until it is released; what came while it was out is told again. */
static void events_are_joined_and_none_is_missed(void **state)
{
	static const char *const small[] = {"stream_bytes", "65536", NULL};
	shipopt_stream *stream;
	shipopt_op *op;
	int64_t rows_seen = 0, events = 0;
	bool is_done = false, is_over = false;
	open_queued(small, true);
	shipopt_query *query = make_query("select i, repeat('x', 1000) from generate_series(1, 20000) i");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, &tag, &op), 0);
	while (!is_done || !is_over) {
		const shipopt_rows *rows;
		int r;
		shipopt_event event = take_event();
		events += event.kind == SHIPOPT_EVENT_READY;
		is_done = is_done || event.kind == SHIPOPT_EVENT_OP;
		while (!is_over && (r = shipopt_stream_next(stream, 0, &rows)) != SHIPOPT_ETIMEDOUT) {
			assert_true(r >= 0);
			is_over = r == 0;
			rows_seen += r == 1 ? (int64_t)shipopt_rows_count(rows) : 0;
		}
		release(&event);
	}
	assert_int_equal(rows_seen, 20000);
	assert_true(events >= 1);
	shipopt_stream_free(stream);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	close_queued();
}

static void without_asking_there_are_no_ready_events(void **state)
{
	shipopt_stream *stream;
	const shipopt_rows *rows;
	open_queued(NULL, false);
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, &tag, NULL), 0);
	shipopt_event event = take_event();
	assert_int_equal(event.kind, SHIPOPT_EVENT_OP);
	release(&event);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 0), 0);
	assert_int_equal(shipopt_stream_next(stream, 0, &rows), 1);
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	close_queued();
}

/* The handle may go while its event is out or waits. */
static void a_stream_may_be_freed_while_its_event_is_out(void **state)
{
	shipopt_stream *stream;
	open_queued(NULL, true);
	shipopt_query *query = make_query("select repeat('x', 90000) from generate_series(1, 1000)");
	for (int is_out = 0; is_out < 2; is_out++) {
		assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, &tag, NULL), 0);
		shipopt_event ready = take_event(), done;
		assert_int_equal(ready.kind, SHIPOPT_EVENT_READY);
		if (!is_out)
			release(&ready);
		shipopt_stream_free(stream);
		do {
			done = take_event();
			release(&done);
		} while (done.kind != SHIPOPT_EVENT_OP);
		assert_int_equal(done.status, SHIPOPT_ECANCELED);
		if (is_out)
			release(&ready);
	}
	shipopt_query_free(query);
	close_queued();
}

/* ---- COPY -------------------------------------------------------------------------------------------------------- */

#define PIECE 60000
#define PIECES 200

static void the_queue_tells_when_there_is_room(void **state)
{
	static const char *const small[] = {"stream_bytes", "65536", NULL};
	static char piece[PIECE];
	shipopt_copy *copy = NULL;
	shipopt_op *op, *acquired;
	int written = 0, full = 0;
	bool is_done = false;
	memset(piece, 'x', sizeof(piece));
	for (size_t i = 99; i < sizeof(piece); i += 100)
		piece[i] = '\n';
	open_queued(small, true);
	assert_int_equal(shipopt_pool_acquire(fixture.pool, NULL, 0, NULL, NULL, &acquired), 0);
	shipopt_event event = take_event();
	release(&event);
	shipopt_lease *lease = shipopt_op_take_lease(acquired);
	shipopt_op_unref(acquired);
	side_number("create table roomy (line text)");
	assert_int_equal(shipopt_lease_copy_in(lease, "copy roomy from stdin", &copy, NULL, &tag, &op), 0);
	while (!is_done) {
		int r = 0;
		while (written < PIECES && (r = shipopt_copy_write(copy, piece, sizeof(piece), 0)) == 0)
			if (++written == PIECES)
				assert_int_equal(shipopt_copy_finish(copy), 0);
		full += r == SHIPOPT_EAGAIN;
		assert_true(r == 0 || r == SHIPOPT_EAGAIN);
		event = take_event();
		assert_int_equal(event.userdata, (uint64_t)(uintptr_t)&tag);
		if (event.kind == SHIPOPT_EVENT_READY)
			assert_int_equal(event.value, (uint64_t)(uintptr_t)copy);
		is_done = event.kind == SHIPOPT_EVENT_OP;
		release(&event);
	}
	assert_int_equal(shipopt_op_status(op), 0);
	assert_int_equal(shipopt_op_value(op), PIECES * (PIECE / 100));
	assert_true(full > 0);
	shipopt_copy_free(copy);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	side_number("drop table roomy");
	close_queued();
}

/* Its slot is one of the queue's. */
static void without_a_slot_for_the_event_the_call_says_again(void **state)
{
	shipopt_stream *stream = NULL;
	shipopt_queue *tiny;
	shipopt_pool_config *config;
	fixture_open(NULL, NULL);
	shipopt_pool_free(fixture.pool);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 1, &tiny), 0);
	assert_int_equal(shipopt_queue_enable(tiny, SHIPOPT_EVENT_READY), 0);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	assert_int_equal(shipopt_pool_config_set_queue(config, tiny), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &fixture.pool, NULL), 0);
	shipopt_pool_config_free(config);
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, NULL), SHIPOPT_EAGAIN);
	assert_null(stream);
	shipopt_query_free(query);
	shipopt_queue_free(tiny);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_queue_tells_when_rows_are_there),
		cmocka_unit_test(events_are_joined_and_none_is_missed),
		cmocka_unit_test(without_asking_there_are_no_ready_events),
		cmocka_unit_test(a_stream_may_be_freed_while_its_event_is_out),
		cmocka_unit_test(the_queue_tells_when_there_is_room),
		cmocka_unit_test(without_a_slot_for_the_event_the_call_says_again),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
