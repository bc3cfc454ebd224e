/* SPDX-License-Identifier: MIT */
#include <dlfcn.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cancel_proxy.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/*
 * The paths for functions that newer versions of libpq have: with tests/fake_libpq17.c loaded in front of the installed
 * one, or with a libpq that has them.
 */
enum { COUNT_REQUESTS, COUNT_CHUNKS, COUNT_CLOSES };

/* How often the double was used; -1: there is none, as libpq is new enough. */
static int count_of(int what)
{
	static int (*count)(int what);
	if (!count)
		*(void **)&count = dlsym(RTLD_DEFAULT, "fake_libpq_count");
	return count ? count(what) : -1;
}

static void cancels_go_through_the_newer_calls(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	int before = count_of(COUNT_REQUESTS);
	fixture_open(NULL, settings);
	for (int i = 0; i < 20; i++) {
		shipopt_query *query = make_query("select pg_sleep(30)");
		shipopt_query_set_timeout_ms(query, 10);
		shipopt_op *op = run_given(NULL, query);
		assert_int_equal(shipopt_op_status(op), SHIPOPT_ETIMEDOUT);
		assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "57014");
		shipopt_op_unref(op);
		shipopt_query_free(query);
		assert_int_equal(run_number(NULL, "select 5"), 5);
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	assert_true(before < 0 || count_of(COUNT_REQUESTS) >= before + 20);
	fixture_close();
}

static void a_swallowed_request_is_given_up_at_its_deadline(void **state)
{
	static const char *const settings[] = {"max", "2", "cancel_grace_ms", "150", NULL};
	struct cancel_proxy proxy;
	char conninfo[256];
	shipopt_op *ops[6];
	assert_int_equal(cancel_proxy_start(&proxy, fixture.postgres.port), 0);
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1 port=%d user=scram password=secret-word dbname=postgres sslmode=disable", proxy.port);
	fixture_open(conninfo, settings);
	shipopt_query *query = make_query("select pg_sleep(20)");
	shipopt_query_set_timeout_ms(query, 10);
	shipopt_query_set_read_only(query, 1);
	for (int i = 0; i < 6; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), SHIPOPT_ETIMEDOUT);
		shipopt_op_unref(ops[i]);
	}
	shipopt_query_free(query);
	assert_int_equal(run_number(NULL, "select 12"), 12);
	fixture_close(); /* no thread has anything left: each request had a deadline */
	cancel_proxy_stop(&proxy);
	side_number(
		"select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'select pg_sleep%'");
}

static void rows_come_in_chunks(void **state)
{
	const shipopt_rows *rows;
	shipopt_stream *stream;
	shipopt_op *op;
	int64_t expected = 0, number;
	int before = count_of(COUNT_CHUNKS), r;
	fixture_open(NULL, NULL);
	shipopt_query *query = make_query("select i, null::text, 7 / (9000 - i) from generate_series(0, 20000) i");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op), 0);
	while ((r = shipopt_stream_next(stream, -1, &rows)) == 1)
		for (size_t i = 0; i < shipopt_rows_count(rows); i++) {
			assert_int_equal(shipopt_rows_int(rows, i, 0, &number), 1);
			assert_int_equal(number, expected++);
			assert_true(shipopt_rows_is_null(rows, i, 1));
		}
	assert_int_equal(r, SHIPOPT_EINVAL); /* the division by zero, after the rows before it */
	assert_int_equal(expected, 9000);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	assert_true(before < 0 || count_of(COUNT_CHUNKS) > before);
	assert_int_equal(run_number(NULL, "select 5"), 5);
	fixture_close();
}

static void unwanted_statements_are_closed_by_message(void **state)
{
	static const char *const settings[] = {"max", "1", "statements_max", "4", NULL};
	int before = count_of(COUNT_CLOSES);
	char sql[64];
	fixture_open(NULL, settings);
	for (int i = 0; i < 50; i++) {
		snprintf(sql, sizeof(sql), "select %d", i % 12);
		assert_int_equal(run_number(NULL, sql), i % 12);
	}
	assert_in_range(run_number(NULL, "select count(*) from pg_prepared_statements"), 1, 6);
	assert_true(before < 0 || count_of(COUNT_CLOSES) > before);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cancels_go_through_the_newer_calls),
		cmocka_unit_test(a_swallowed_request_is_given_up_at_its_deadline),
		cmocka_unit_test(rows_come_in_chunks),
		cmocka_unit_test(unwanted_statements_are_closed_by_message),
	};
	if (!dlsym(RTLD_DEFAULT, "PQcancelStart")) {
		printf("neither a libpq of version 17 nor the double of it is loaded: skipped\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
