/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shipopt/listen.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cancel_proxy.h"
#include "cmocka_test.h"
#include "pool/batch/batch_op.h"
#include "pool_fixture.h"

/*
 * The narrow windows between two steps: between the attempts of a transaction, between the cancel of a close and what
 * is posted behind it, between a look at the state and the post that follows it. The linker puts __wrap_ functions in
 * front of the posts to a reactor, which open the window for as long as a test needs it.
 */

void __wrap_reactor_post(struct reactor *reactor, struct task *task);
void __real_reactor_post(struct reactor *reactor, struct task *task);
bool __wrap_reactor_post_threaded(struct reactor *reactor, struct task *task);
bool __real_reactor_post_threaded(struct reactor *reactor, struct task *task);
int __wrap_PQputCopyData(PGconn *connection, const char *bytes, int length);
int __real_PQputCopyData(PGconn *connection, const char *bytes, int length);
void __wrap_cancel_slots_end(struct cancel_slots *slots);
void __real_cancel_slots_end(struct cancel_slots *slots);

/* Runs in front of the next post of this thread. */
static _Thread_local void (*before_post)(void);

static void open_window(void)
{
	void (*function)(void) = before_post;
	before_post = NULL;
	if (function)
		function();
}

void __wrap_reactor_post(struct reactor *reactor, struct task *task)
{
	open_window();
	__real_reactor_post(reactor, task);
}

/* A cancel request's thread can be held in front of its post. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool holds, is_held;
} request = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static atomic_uint slots_at_end; /* that were taken when a pool ended */

static void hold_request(void)
{
	char name[16] = "";
	pthread_getname_np(pthread_self(), name, sizeof(name));
	if (strcmp(name, "shipopt-cancel") != 0)
		return;
	pthread_mutex_lock(&request.lock);
	request.is_held = request.holds;
	pthread_cond_broadcast(&request.changed);
	while (request.holds)
		pthread_cond_wait(&request.changed, &request.lock);
	pthread_mutex_unlock(&request.lock);
}

bool __wrap_reactor_post_threaded(struct reactor *reactor, struct task *task)
{
	open_window();
	hold_request();
	return __real_reactor_post_threaded(reactor, task);
}

void __wrap_cancel_slots_end(struct cancel_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	atomic_store(&slots_at_end, slots->used);
	pthread_mutex_unlock(&slots->lock);
	__real_cancel_slots_end(slots);
}

/* The piece that libpq does not take, as it does without memory; 0: it takes all. */
static atomic_int pieces_until_full;

int __wrap_PQputCopyData(PGconn *connection, const char *bytes, int length)
{
	if (atomic_load(&pieces_until_full) > 0 && atomic_fetch_sub(&pieces_until_full, 1) == 1)
		return 0;
	return __real_PQputCopyData(connection, bytes, length);
}

static void close_runtime(void)
{
	shipopt_runtime_close(fixture.runtime, 0);
}

/* Until the server is at work on it. */
static void wait_sleeping(void)
{
	while (side_number(
		       "select count(*) from pg_stat_activity where state = 'active' and query = 'select pg_sleep(60)'") !=
		1)
		poll(NULL, 0, 1);
}

static shipopt_pool *open_inline_pool(int max, int overflow)
{
	shipopt_pool_config *config;
	shipopt_pool *pool;
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	assert_int_equal(shipopt_pool_config_set_int(config, SHIPOPT_POOL_DELIVER_INLINE, 1), 0);
	assert_int_equal(shipopt_pool_config_set_int(config, SHIPOPT_POOL_MAX, max), 0);
	assert_int_equal(shipopt_pool_config_set_int(config, SHIPOPT_POOL_OVERFLOW, overflow), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &pool, NULL), 0);
	shipopt_pool_config_free(config);
	return pool;
}

/* ---- between two attempts ------------------------------------------------------------------------------------ */

/* Makes the pause between two attempts so long that it does not end by itself. */
struct lengthened {
	shipopt_pool *pool;
	bool is_there;
};

static void lengthen_pause(void *argument)
{
	struct lengthened *self = argument;
	LIST_FOREACH(node, &self->pool->connections) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		if (!connection->command || connection->command->class != &batch_class)
			continue;
		struct batch_op *batch = CONTAINER_OF(connection->command, struct batch_op, command);
		if (!timer_is_started(&batch->pause))
			continue;
		timer_start(self->pool->reactor, &batch->pause, clock_now_us() + INT64_C(3600000000));
		self->is_there = true;
	}
}

static void a_connection_lost_between_two_attempts_leaves_nothing_in_doubt(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	static const char *const sql[] = {"insert into attempted values (1)",
		"do $$ begin raise exception 'never' using errcode = '40001'; end $$"};
	struct lengthened lengthened = {0};
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table attempted (id int)");
	lengthened.pool = fixture.pool;
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (size_t i = 0; i < 2; i++) {
		shipopt_query *query = make_query(sql[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
	}
	assert_int_equal(shipopt_batch_set_transaction(batch, 0, 100), 0);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	while (!lengthened.is_there && !shipopt_op_is_done(op))
		runtime_call(fixture.pool->reactor, lengthen_pause, &lengthened);
	assert_true(lengthened.is_there);
	assert_true(side_number("select count(pg_terminate_backend(pid)) from pg_stat_activity "
				"where pid <> pg_backend_pid() and backend_type = 'client backend'") >=
		1); /* an earlier one may still be ending */
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ENETWORK);
	assert_int_equal(shipopt_error_code(shipopt_op_error(op)), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	assert_int_equal(run_number(NULL, "select count(*) from attempted"), 0);
	run_number(NULL, "drop table attempted");
	fixture_close();
}

/* ---- behind the cancel of a close ---------------------------------------------------------------------------- */

static void query_op_destroy(shipopt_op *op)
{
	struct batch_op *batch = CONTAINER_OF(op, struct batch_op, command.op);
	PQclear(batch->single.rows.result);
	shipopt_error_unref(batch->single.outcome.error);
	query_done(&batch->single.query);
	command_destroy(&batch->command);
}

/* A query that was admitted and is not posted yet. */
static shipopt_op *admit_query(const char *sql, struct command **ret_command)
{
	static const struct op_class class = {sizeof(struct batch_op), command_cancel, query_op_destroy};
	shipopt_op *op;
	assert_int_equal(command_new(&class, &batch_class, fixture.pool, NULL, NULL, NULL, NULL, &op, ret_command), 0);
	struct batch_op *batch = CONTAINER_OF(*ret_command, struct batch_op, command);
	batch->items = &batch->single;
	batch->count = 1;
	batch->ring = batch->ring_inline;
	batch->ring_size = RING_INLINE;
	batch->single.ends_group = true;
	batch_init(batch);
	assert_int_equal(query_init(&batch->single.query, sql, NULL), 0);
	return &(*ret_command)->op;
}

static void *close_on_thread(void *argument)
{
	close_runtime();
	return NULL;
}

static void what_is_posted_behind_the_cancel_of_a_close_is_canceled(void **state)
{
	static const char *const settings[] = {"max", "2", NULL};
	struct command *command;
	pthread_t closer;
	shipopt_op *running;
	fixture_open(NULL, settings);
	shipopt_query *query = make_query("select pg_sleep(60)");
	shipopt_op *late = admit_query("select pg_sleep(10)", &command), *same;
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &running), 0);
	wait_sleeping();
	assert_int_equal(pthread_create(&closer, NULL, close_on_thread, NULL), 0);
	assert_int_equal(shipopt_op_wait(running, 20000), SHIPOPT_ECANCELED); /* so the cancel has run */
	assert_int_equal(command_submit(command, 0, &same), 0);
	assert_ptr_equal(late, same);
	assert_int_equal(shipopt_op_wait(late, 60000), SHIPOPT_ECANCELED);
	pthread_join(closer, NULL);
	shipopt_op_unref(running);
	shipopt_op_unref(late);
	shipopt_query_free(query);
	fixture_close();
}

/* Released by an inline completion in the middle of the cancel. */
static void release_lease(void *userdata, shipopt_op *op)
{
	shipopt_lease **lease = userdata;
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ECANCELED);
	shipopt_lease_release(TAKE(*lease));
}

static shipopt_lease *acquire_from(shipopt_pool *pool)
{
	shipopt_op *op;
	assert_int_equal(shipopt_pool_acquire(pool, "test", 0, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 20000), 0);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	return lease;
}

static void a_lease_may_be_released_by_what_the_cancel_of_a_close_ends(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_pool *pool = open_inline_pool(1, 1);
	shipopt_query *query = make_query("select pg_sleep(60)");
	shipopt_lease *first = acquire_from(pool), *second = acquire_from(pool);
	shipopt_op *running, *waiting;
	assert_int_equal(shipopt_lease_query(first, query, NULL, NULL, &running), 0);
	assert_int_equal(shipopt_lease_query(first, query, release_lease, &second, &waiting), 0);
	wait_sleeping();
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	assert_null(second);
	assert_int_equal(shipopt_op_status(running), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_op_status(waiting), SHIPOPT_ECANCELED);
	shipopt_op_unref(running);
	shipopt_op_unref(waiting);
	shipopt_lease_release(first);
	shipopt_query_free(query);
	shipopt_pool_free(pool);
	fixture_close();
}

/* ---- behind the end of the reactor --------------------------------------------------------------------------- */

static int ended_count, ended_status;

static void hear_end(void *userdata, const shipopt_notification *notification)
{
	assert_int_equal(shipopt_notification_kind(notification), SHIPOPT_NOTIFICATION_ENDED);
	ended_status = shipopt_notification_status(notification);
	ended_count++;
}

static void a_listener_that_a_close_overtakes_is_told_once(void **state)
{
	static const char *const channels[] = {"a"};
	shipopt_listener *listener;
	fixture_open(NULL, NULL);
	shipopt_pool *pool = open_inline_pool(4, 0);
	ended_count = ended_status = 0;
	before_post = close_runtime;
	assert_int_equal(shipopt_pool_listen(pool, channels, 1, hear_end, NULL, &listener, NULL), 0);
	assert_int_equal(ended_count, 1);
	assert_int_equal(ended_status, SHIPOPT_ESHUTDOWN);
	shipopt_listener_free(listener);
	shipopt_pool_free(pool);
	fixture_close();
	assert_int_equal(ended_count, 1);
}

static void a_stream_freed_while_the_runtime_closes_leaves_nothing(void **state)
{
	const shipopt_rows *rows;
	shipopt_stream *stream;
	fixture_open(NULL, NULL);
	shipopt_query *query = make_query("select repeat('x', 1000) from generate_series(1, 100000)");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_stream_next(stream, 20000, &rows), 1);
	before_post = close_runtime;
	shipopt_stream_free(stream);
	assert_null(before_post);
	shipopt_query_free(query);
	fixture_close();
}

static void a_copy_freed_while_the_runtime_closes_leaves_nothing(void **state)
{
	shipopt_copy *copy;
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	run_number(lease, "create temporary table copied (line text)");
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_copy_write(copy, "a\n", 2, -1), 0);
	/* Its wake is over when the next is posted. */
	shipopt_op *op;
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "other", 0, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 20000), 0);
	shipopt_op_unref(op);
	before_post = close_runtime;
	shipopt_copy_free(copy);
	assert_null(before_post);
	shipopt_lease_release(lease);
	fixture_close();
}

static void a_pool_that_a_close_overtakes_leaves_nothing(void **state)
{
	fixture_open(NULL, NULL);
	before_post = close_runtime;
	shipopt_pool *pool = fixture_pool(NULL, NULL);
	assert_null(before_post);
	shipopt_pool_free(pool);
	fixture_close();
}

/* ---- cancel requests ----------------------------------------------------------------------------------------- */

static void set_holding(bool holds)
{
	pthread_mutex_lock(&request.lock);
	request.holds = holds;
	pthread_cond_broadcast(&request.changed);
	pthread_mutex_unlock(&request.lock);
}

static void wait_held(void)
{
	pthread_mutex_lock(&request.lock);
	while (!request.is_held)
		pthread_cond_wait(&request.changed, &request.lock);
	pthread_mutex_unlock(&request.lock);
}

/* The request has returned, but its thread comes to tell only when the runtime is closed: then it is the last to hold
 * the pool, whose end must not wait for this very thread. */
static void a_request_that_ends_the_pool_does_not_wait_for_itself(void **state)
{
	static const char *const settings[] = {"max", "1", "cancel_grace_ms", "100", NULL};
	shipopt_op *op;
	uint64_t live = mem_live_count();
	fixture_open(NULL, settings);
	run_number(NULL, "select 1");
	request.is_held = false;
	set_holding(true);
	atomic_store(&slots_at_end, 99);
	shipopt_query *query = make_query("select pg_sleep(60)");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	shipopt_query_free(query);
	wait_sleeping();
	shipopt_op_cancel(op);
	wait_held();
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ECANCELED); /* the grace is over, the connection closed */
	shipopt_op_unref(op);
	shipopt_pool_free(TAKE(fixture.pool));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 20000), 0);
	shipopt_runtime_free(fixture.runtime);
	assert_int_equal(atomic_load(&slots_at_end), 99);
	set_holding(false);
	while (mem_live_count() != live)
		poll(NULL, 0, 1);
	assert_int_equal(atomic_load(&slots_at_end), 0);
}

/* ---- COPY ------------------------------------------------------------------------------------------------------ */

/* The server begins with the COPY while the request to cancel it is on its way. */
static void a_copy_that_begins_behind_its_deadline_is_late(void **state)
{
	static const char *const settings[] = {"max", "1", "command_timeout_ms", "100", "cancel_grace_ms", "1000",
		NULL};
	struct cancel_proxy proxy;
	char conninfo[256];
	shipopt_copy *copy;
	shipopt_op *op;
	uint64_t live = mem_live_count();
	assert_int_equal(cancel_proxy_start(&proxy, fixture.postgres.port), 0);
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1 port=%d user=scram password=secret-word dbname=postgres sslmode=disable", proxy.port);
	PGconn *side = PQconnectdb(fixture.postgres.conninfo);
	PQclear(PQexec(side, "create table late (line text)"));
	PQclear(PQexec(side, "grant all on late to scram"));
	PQclear(PQexec(side, "begin"));
	PQclear(PQexec(side, "lock table late"));
	fixture_open(conninfo, settings);
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy late from stdin", &copy, NULL, NULL, &op), 0);
	while (atomic_load(&proxy.swallowed) < 1)
		poll(NULL, 0, 1);
	PQclear(PQexec(side, "commit"));
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ETIMEDOUT);
	assert_non_null(shipopt_error_message(shipopt_op_error(op)));
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	shipopt_pool_free(TAKE(fixture.pool));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 20000), 0);
	shipopt_runtime_free(fixture.runtime);
	PQclear(PQexec(side, "drop table late"));
	PQfinish(side);
	cancel_proxy_stop(&proxy);
	while (mem_live_count() != live) /* the thread that was stuck ends now */
		poll(NULL, 0, 1);
}

static void a_piece_that_finds_no_memory_is_not_left_out(void **state)
{
	shipopt_copy *copy;
	shipopt_op *op;
	fixture_open(NULL, NULL);
	run_number(NULL, "create table pieces (line text)");
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy pieces from stdin", &copy, NULL, NULL, &op), 0);
	atomic_store(&pieces_until_full, 2);
	for (int i = 0; i < 3; i++)
		assert_int_equal(shipopt_copy_write(copy, "line\n", 5, -1), 0);
	shipopt_copy_finish(copy);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	assert_int_equal(run_number(NULL, "select count(*) from pieces"), 0);
	run_number(NULL, "drop table pieces");
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_connection_lost_between_two_attempts_leaves_nothing_in_doubt),
		cmocka_unit_test(what_is_posted_behind_the_cancel_of_a_close_is_canceled),
		cmocka_unit_test(a_lease_may_be_released_by_what_the_cancel_of_a_close_ends),
		cmocka_unit_test(a_listener_that_a_close_overtakes_is_told_once),
		cmocka_unit_test(a_stream_freed_while_the_runtime_closes_leaves_nothing),
		cmocka_unit_test(a_copy_freed_while_the_runtime_closes_leaves_nothing),
		cmocka_unit_test(a_pool_that_a_close_overtakes_leaves_nothing),
		cmocka_unit_test(a_request_that_ends_the_pool_does_not_wait_for_itself),
		cmocka_unit_test(a_copy_that_begins_behind_its_deadline_is_late),
		cmocka_unit_test(a_piece_that_finds_no_memory_is_not_left_out),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
