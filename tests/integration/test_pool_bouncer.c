/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <shipopt/listen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_test.h"
#include "pgbouncer_process.h"
#include "pool_fixture.h"

/* The pool in front of a real pgbouncer in transaction mode that has fewer connections to the server than the pool to
 * it. */

static struct pgbouncer bouncer;

static int start_both(void **state)
{
	fixture_start_server(state);
	if (pgbouncer_start(&bouncer, &fixture.postgres, 3) == 0)
		return 0;
	printf("pgbouncer is not installed or did not start: these tests are skipped\n");
	fixture_stop_server(state);
	exit(77);
}

static int stop_both(void **state)
{
	pgbouncer_stop(&bouncer);
	return fixture_stop_server(state);
}

static const char *const settings[] = {"max", "8", "named_statements", "0", NULL};

static void queries_without_names_go_through(void **state)
{
	enum { CALLS = 500 };
	static shipopt_op *ops[CALLS];
	fixture_open(bouncer.conninfo, settings);
	shipopt_query *query = make_query("select $1 * 2");
	for (int i = 0; i < CALLS; i++) {
		shipopt_query_clear(query);
		shipopt_query_bind_int(query, i);
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	}
	for (int i = 0; i < CALLS; i++) {
		int64_t number = -1;
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		assert_int_equal(shipopt_rows_int(shipopt_op_rows(ops[i]), 0, 0, &number), 1);
		assert_int_equal(number, 2 * i);
		shipopt_op_unref(ops[i]);
	}
	shipopt_query_free(query);
	fixture_close();
}

static void transactions_and_batches_go_through(void **state)
{
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(bouncer.conninfo, settings);
	run_number(NULL, "create table bounced (id bigint)");
	shipopt_query *query = make_query("insert into bounced values ($1)");
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (int i = 0; i < 20; i++) {
		shipopt_query_clear(query);
		shipopt_query_bind_int(query, i);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
	}
	assert_int_equal(shipopt_batch_set_transaction(batch, 0, 3), 0);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	shipopt_query_free(query);
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	run_number(lease, "insert into bounced values (99)");
	shipopt_lease_release(lease); /* rolls back */
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	assert_int_equal(run_number(NULL, "select count(*) from bounced"), 20);
	run_number(NULL, "drop table bounced");
	fixture_close();
}

static void a_cancel_goes_through(void **state)
{
	fixture_open(bouncer.conninfo, settings);
	for (int i = 0; i < 10; i++) {
		shipopt_query *query = make_query("select pg_sleep(30)");
		shipopt_query_set_timeout_ms(query, 50);
		shipopt_op *op = run_given(NULL, query);
		assert_int_equal(shipopt_op_status(op), SHIPOPT_ETIMEDOUT);
		assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "57014");
		shipopt_op_unref(op);
		shipopt_query_free(query);
		assert_int_equal(run_number(NULL, "select 8"), 8);
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	fixture_close();
}

/* ---- LISTEN, which a pooler would swallow ---------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int told[SHIPOPT_NOTIFICATION_ENDED + 1], failure;

static void hear(void *userdata, const shipopt_notification *notification)
{
	pthread_mutex_lock(&lock);
	told[shipopt_notification_kind(notification)]++;
	if (shipopt_notification_kind(notification) == SHIPOPT_NOTIFICATION_FAILED) {
		failure = shipopt_notification_status(notification);
		assert_non_null(
			strstr(shipopt_error_message(shipopt_notification_error(notification)), "listen_conninfo"));
	}
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_told(int kind)
{
	pthread_mutex_lock(&lock);
	while (told[kind] == 0)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static void listening_through_it_is_refused_and_beside_it_works(void **state)
{
	static const char *const channels[] = {"bounced"};
	const char *const beside[] = {"listen_conninfo", fixture.postgres.conninfo, "named_statements", "0", NULL};
	shipopt_listener *listener;
	fixture_open(bouncer.conninfo, settings);
	assert_int_equal(shipopt_pool_listen(fixture.pool, channels, 1, hear, NULL, &listener, NULL), 0);
	wait_told(SHIPOPT_NOTIFICATION_FAILED);
	assert_int_equal(failure, SHIPOPT_EUNSUPPORTED);
	assert_int_equal(told[SHIPOPT_NOTIFICATION_LISTENING], 0);
	shipopt_listener_free(listener);
	wait_told(SHIPOPT_NOTIFICATION_ENDED);
	shipopt_pool *pool = fixture_pool(bouncer.conninfo, beside);
	assert_int_equal(shipopt_pool_listen(pool, channels, 1, hear, NULL, &listener, NULL), 0);
	wait_told(SHIPOPT_NOTIFICATION_LISTENING);
	run_number(NULL, "select 1 from pg_notify('bounced', '')");
	wait_told(SHIPOPT_NOTIFICATION_MESSAGE);
	shipopt_listener_free(listener);
	shipopt_pool_free(pool);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(queries_without_names_go_through),
		cmocka_unit_test(transactions_and_batches_go_through),
		cmocka_unit_test(a_cancel_goes_through),
		cmocka_unit_test(listening_through_it_is_refused_and_beside_it_works),
	};
	return cmocka_run_group_tests(tests, start_both, stop_both);
}
