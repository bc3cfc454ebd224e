/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <shipopt/listen.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/*
 * Every allocation, thread and libpq call of a scenario fails once, one after the other. Whatever fails, each operation
 * ends, and nothing is left behind: fixture_close() counts the memory.
 */
#ifdef SHIPOPT_FAULTS

static const char *const settings[] = {"max", "2", "acquire_timeout_ms", "3000", "cancel_grace_ms", "500", NULL};

static void end(int r, shipopt_op *op)
{
	if (r < 0)
		return;
	assert_int_not_equal(shipopt_op_wait(op, 30000), SHIPOPT_EDEADLK);
	assert_true(shipopt_op_is_done(op));
	shipopt_op_unref(op);
}

/* The call is over before its operation is looked at. */
#define END(call)                \
	do {                     \
		int r_ = (call); \
		end(r_, op);     \
	} while (0)

static void query_once(shipopt_lease *lease, const char *sql)
{
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_query_new(sql, &query, NULL) < 0)
		return;
	if (shipopt_query_bind_int(query, 5) == 0)
		END(lease ? shipopt_lease_query(lease, query, NULL, NULL, &op)
			  : shipopt_pool_query(fixture.pool, query, NULL, NULL, &op));
	shipopt_query_free(query);
}

static void batch_once(void)
{
	shipopt_batch *batch;
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_batch_new(&batch) < 0)
		return;
	if (shipopt_query_new("select 1, 'x'", &query, NULL) == 0) {
		for (int i = 0; i < 3; i++)
			shipopt_batch_add(batch, query);
		shipopt_query_free(query);
	}
	shipopt_batch_set_transaction(batch, 0, 2);
	END(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op));
	shipopt_batch_free(batch);
}

static void stream_once(void)
{
	shipopt_query *query;
	shipopt_stream *stream;
	const shipopt_rows *rows;
	shipopt_op *op = NULL;
	if (shipopt_query_new("select i from generate_series(1, 100) i", &query, NULL) < 0)
		return;
	int r = shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op);
	shipopt_query_free(query);
	if (r < 0)
		return;
	while (shipopt_stream_next(stream, 30000, &rows) == 1)
		;
	shipopt_stream_free(stream);
	end(r, op);
}

static void copy_once(shipopt_lease *lease)
{
	shipopt_copy *copy;
	shipopt_op *op = NULL;
	int r = shipopt_lease_copy_in(lease, "copy tortured from stdin", &copy, NULL, NULL, &op);
	if (r < 0)
		return;
	if (shipopt_copy_write(copy, "1\n", 2, 30000) == 0)
		shipopt_copy_finish(copy);
	shipopt_copy_free(copy);
	end(r, op);
}

static void lease_once(void)
{
	shipopt_op *op = NULL;
	if (shipopt_pool_acquire(fixture.pool, "torture", 1, NULL, NULL, &op) < 0)
		return;
	shipopt_op_wait(op, 30000);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	if (!lease)
		return;
	END(shipopt_lease_begin(lease, 0, NULL, NULL, &op));
	query_once(lease, "select $1 + 1");
	copy_once(lease);
	shipopt_lease_release(lease); /* rolls back */
}

static int body_here(void *userdata, shipopt_lease *lease, int attempt)
{
	query_once(lease, "select $1 + 2");
	if (attempt == 1)
		query_once(lease, "select tortured_conflict($1)");
	return 0;
}

static void body_asked(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, 3);
}

static void transaction_once(void)
{
	shipopt_transaction_options *options;
	shipopt_op *op = NULL;
	if (shipopt_transaction_options_new(&options) < 0)
		return;
	shipopt_transaction_options_set_attempts(options, 3);
	shipopt_pool_transaction_blocking(fixture.pool, options, body_here, NULL, NULL);
	END(shipopt_pool_transaction(fixture.pool, options, body_asked, NULL, NULL, &op));
	shipopt_transaction_options_free(options);
}

static void cancel_once(void)
{
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_query_new("select pg_sleep(60)", &query, NULL) < 0)
		return;
	shipopt_query_set_timeout_ms(query, 20);
	END(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op));
	shipopt_query_free(query);
}

/* ---- listening ------------------------------------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool has_gone_through, has_missed, has_ended;

static void hear(void *userdata, const shipopt_notification *notification)
{
	int kind = shipopt_notification_kind(notification);
	pthread_mutex_lock(&lock);
	has_missed = has_missed || kind == SHIPOPT_NOTIFICATION_MISSED;
	has_ended = has_ended || kind == SHIPOPT_NOTIFICATION_ENDED;
	has_gone_through = has_gone_through || (kind == SHIPOPT_NOTIFICATION_MESSAGE && has_missed);
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_flag(const bool *flag)
{
	pthread_mutex_lock(&lock);
	while (!*flag)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

/* Whatever fails, a kill is told as a gap and a notification after it comes through, or is told as a gap of its own. */
static void listen_once(const char *first, const char *second)
{
	const char *const channels[] = {first, second};
	shipopt_listener *listener;
	has_gone_through = has_missed = has_ended = false;
	int r = shipopt_pool_listen(fixture.pool, channels, 2, hear, NULL, &listener, NULL);
	if (r < 0)
		return;
	shipopt_listener_add(listener, "third", NULL);
	for (bool is_over = false; !is_over;) {
		side_number("select count(pg_terminate_backend(pid)) from pg_stat_activity where "
			    "query like '%LISTEN%' and pid <> pg_backend_pid()");
		pthread_mutex_lock(&lock);
		is_over = has_missed;
		pthread_mutex_unlock(&lock);
	}
	for (bool is_over = false; !is_over;) {
		side_number("select count(pg_notify('second', 'x'))");
		pthread_mutex_lock(&lock);
		is_over = has_gone_through;
		pthread_mutex_unlock(&lock);
	}
	shipopt_listener_remove(listener, "second");
	shipopt_listener_free(listener);
	wait_flag(&has_ended);
}

static void whatever_fails_listening_goes_on(void **state)
{
	bool fired = true;
	int failures = 0;
	for (long passes = 0; fired; passes++) {
		static const char *const quick[] = {"backoff_max_ms", "20", NULL};
		fixture_open(NULL, quick);
		fault_arm(passes);
		listen_once("first", "second");
		fired = fault_fired();
		fault_arm(-1);
		failures += fired;
		fixture_close();
	}
	printf("torture of listening: %d failures, one at a time\n", failures);
	assert_true(failures > 15);
}

static void whatever_fails_nothing_is_lost(void **state)
{
	long passes = 0;
	bool fired = true;
	int failures = 0;
	side_number("create table tortured (id int)");
	side_number("create function tortured_conflict(bigint) returns int language plpgsql as "
		    "$$ begin raise exception 'x' using errcode = '40001'; end $$");
	for (; fired; passes++) {
		fixture_open(NULL, settings);
		fault_arm(passes);
		query_once(NULL, "select $1");
		query_once(NULL, "select $1");
		batch_once();
		stream_once();
		lease_once();
		transaction_once();
		cancel_once();
		fired = fault_fired();
		fault_arm(-1);
		failures += fired;
		assert_int_equal(run_number(NULL, "select 1"), 1);
		fixture_close();
	}
	side_number("drop table tortured");
	side_number("drop function tortured_conflict");
	printf("torture: %d failures, one at a time\n", failures);
	assert_true(failures > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_fails_nothing_is_lost),
		cmocka_unit_test(whatever_fails_listening_goes_on),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}

#else

int main(void)
{
	printf("built without -Dfaults=true: skipped\n");
	return 77;
}

#endif
