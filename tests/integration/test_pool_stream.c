/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmocka_test.h"
#include "pool_fixture.h"

static shipopt_stream *start_stream(const char *sql, shipopt_op **ret_op)
{
	shipopt_stream *stream;
	shipopt_query *query = make_query(sql);
	shipopt_query_set_read_only(query, 1);
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, ret_op), 0);
	shipopt_query_free(query);
	return stream;
}

static void rows_come_in_order_and_all(void **state)
{
	const shipopt_rows *rows;
	shipopt_op *op;
	int64_t expected = 0, number;
	int r;
	fixture_open(NULL, NULL);
	shipopt_stream *stream =
		start_stream("select i, 'text ' || i, null::int from generate_series(0, 49999) i", &op);
	while ((r = shipopt_stream_next(stream, -1, &rows)) == 1) {
		assert_int_equal(shipopt_rows_column_count(rows), 3);
		assert_string_equal(shipopt_rows_column_name(rows, 0), "i");
		for (size_t i = 0; i < shipopt_rows_count(rows); i++) {
			char text[32];
			assert_int_equal(shipopt_rows_int(rows, i, 0, &number), 1);
			assert_int_equal(number, expected++);
			snprintf(text, sizeof(text), "text %lld", (long long)number);
			assert_string_equal(shipopt_rows_text(rows, i, 1), text);
			assert_true(shipopt_rows_is_null(rows, i, 2));
		}
	}
	assert_int_equal(r, 0);
	assert_int_equal(expected, 50000);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), 50000);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	fixture_close();
}

static void a_slow_reader_holds_the_server_back(void **state)
{
	static const char *const settings[] = {"stream_bytes", "65536", NULL};
	const shipopt_rows *rows;
	shipopt_op *op;
	int64_t count = 0;
	fixture_open(NULL, settings);
	shipopt_stream *stream = start_stream("select repeat('x', 1000), i from generate_series(1, 100000) i", &op);
	while (side_number("select count(*) from pg_stat_activity where wait_event = 'ClientWrite'") < 1)
		poll(NULL, 0, 1); /* 100 MB are on their way and nobody reads */
	assert_int_equal(shipopt_op_is_done(op), 0);
	while (shipopt_stream_next(stream, -1, &rows) == 1)
		count += (int64_t)shipopt_rows_count(rows);
	assert_int_equal(count, 100000);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	fixture_close();
}

static void a_reader_may_stop_early_and_the_connection_is_used_again(void **state)
{
	static const char *const settings[] = {"max", "1", "stream_bytes", "65536", NULL};
	const shipopt_rows *rows;
	shipopt_op *op;
	fixture_open(NULL, settings);
	for (int i = 0; i < 20; i++) {
		shipopt_stream *stream =
			start_stream("select repeat('x', 1000), i from generate_series(1, 100000) i", &op);
		for (int j = 0; j < i % 3; j++)
			assert_int_equal(shipopt_stream_next(stream, -1, &rows), 1);
		shipopt_stream_free(stream);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
		shipopt_op_unref(op);
	}
	assert_int_equal(run_number(NULL, "select 6"), 6);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void an_error_comes_after_the_rows_before_it(void **state)
{
	const shipopt_rows *rows;
	shipopt_op *op;
	int64_t count = 0;
	int r;
	fixture_open(NULL, NULL);
	shipopt_stream *stream = start_stream("select 1 / (5000 - i) from generate_series(1, 9000) i", &op);
	while ((r = shipopt_stream_next(stream, -1, &rows)) == 1)
		count += (int64_t)shipopt_rows_count(rows);
	assert_int_equal(r, SHIPOPT_EINVAL);
	assert_int_equal(count, 4999);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "22012");
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	assert_int_equal(run_number(NULL, "select 6"), 6);
	fixture_close();
}

static void copy_goes_in_and_comes_out(void **state)
{
	enum { ROWS = 20000 };
	shipopt_copy *copy;
	shipopt_stream *stream;
	shipopt_op *op;
	const shipopt_rows *rows;
	char line[64];
	int64_t sum = 0, count = 0;
	static const char *const settings[] = {"stream_bytes", "65536", NULL};
	fixture_open(NULL, settings);
	run_number(NULL, "drop table if exists copied");
	run_number(NULL, "create table copied (id int, note text)");
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, &op), 0);
	for (int i = 0; i < ROWS; i++) {
		int length = snprintf(line, sizeof(line), "%d\tnote %d\n", i, i);
		assert_int_equal(shipopt_copy_write(copy, line, (size_t)length / 2, -1), 0);
		assert_int_equal(shipopt_copy_write(copy, line + length / 2, (size_t)(length - length / 2), -1), 0);
	}
	assert_int_equal(shipopt_copy_finish(copy), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_value(op), ROWS);
	assert_int_equal(shipopt_copy_write(copy, "x", 1, 0), SHIPOPT_ESTATE);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	assert_int_equal(shipopt_lease_copy_out(lease, "copy copied to stdout", &stream, NULL, NULL, &op), 0);
	while (shipopt_stream_next(stream, -1, &rows) == 1)
		for (size_t i = 0; i < shipopt_rows_count(rows); i++, count++)
			sum += atoll(shipopt_rows_text(rows, i, 0));
	assert_int_equal(count, ROWS);
	assert_int_equal(sum, (int64_t)ROWS * (ROWS - 1) / 2);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	shipopt_lease_release(lease);
	run_number(NULL, "drop table copied");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_copy_that_fails_or_is_given_up_writes_nothing(void **state)
{
	shipopt_copy *copy;
	shipopt_op *op;
	fixture_open(NULL, NULL);
	run_number(NULL, "drop table if exists copied");
	run_number(NULL, "create table copied (id int)");
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_copy_write(copy, "1\n2\n", 4, -1), 0);
	shipopt_copy_free(copy); /* without a finish */
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_copy_write(copy, "1\nnot a number\n", 15, -1), 0);
	shipopt_copy_finish(copy);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	assert_int_equal(shipopt_lease_copy_in(lease, "copy nowhere from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_copy_write(copy, "1\n", 2, -1), SHIPOPT_ESTATE);
	shipopt_copy_free(copy);
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_copy_write(copy, "1\n", 2, -1), 0);
	shipopt_op_cancel(op);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	assert_int_equal(run_number(lease, "select count(*) from copied"), 0);
	shipopt_lease_release(lease);
	run_number(NULL, "drop table copied");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_backend_killed_during_a_copy_or_stream_is_told(void **state)
{
	shipopt_copy *copy;
	shipopt_op *op;
	const shipopt_rows *rows;
	int r;
	fixture_open(NULL, NULL);
	run_number(NULL, "drop table if exists copied");
	run_number(NULL, "create table copied (id int)");
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy copied from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_copy_write(copy, "1\n", 2, -1), 0);
	while (side_number("select count(*) from pg_stat_progress_copy") < 1)
		poll(NULL, 0, 1);
	side_number("select count(pg_terminate_backend(pid)) from pg_stat_progress_copy");
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	shipopt_stream *stream = start_stream("select repeat('x', 1000), i from generate_series(1, 1000000) i", &op);
	assert_int_equal(shipopt_stream_next(stream, -1, &rows), 1);
	side_number("select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'select repeat%'");
	while ((r = shipopt_stream_next(stream, -1, &rows)) == 1)
		;
	assert_int_equal(r, SHIPOPT_ENETWORK);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	assert_int_equal(run_number(NULL, "select count(*) from copied"), 0);
	run_number(NULL, "drop table copied");
	fixture_close();
}

static void statements_of_another_kind_are_refused(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	shipopt_stream *stream = NULL;
	shipopt_copy *copy = NULL;
	shipopt_query *query;
	shipopt_op *op;
	run_number(lease, "create temp table other_kind (n int)");
	assert_int_equal(shipopt_lease_copy_in(lease, "select 1", &copy, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_lease_copy_in(lease, "insert into other_kind values (7)", &copy, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_lease_copy_in(lease, "copy (select 1) to stdout", &copy, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_lease_copy_out(lease, "select 1", &stream, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_lease_copy_out(lease, "copy other_kind from stdin", &stream, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_new("/* all */ COPY other_kind FROM STDIN", &query, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_new("copy (select 1) to stdout", &query, NULL), SHIPOPT_EINVAL);
	assert_null(copy);
	assert_null(stream);
	assert_int_equal(run_number(lease, "select count(*) from other_kind"), 0);
	/* What cannot be told from the text: the operation ends, and nothing stands still. */
	assert_int_equal(shipopt_lease_copy_in(lease, "copy (select 'stdin') to stdout", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	lease = acquire();
	assert_int_equal(shipopt_lease_copy_out(lease, "copy pg_class from stdin -- stdout", &stream, NULL, NULL, &op),
		0);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_stream_free(stream);
	shipopt_lease_release(lease);
	assert_int_equal(run_number(NULL, "select 5"), 5);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_come_in_order_and_all),
		cmocka_unit_test(a_slow_reader_holds_the_server_back),
		cmocka_unit_test(a_reader_may_stop_early_and_the_connection_is_used_again),
		cmocka_unit_test(an_error_comes_after_the_rows_before_it),
		cmocka_unit_test(copy_goes_in_and_comes_out),
		cmocka_unit_test(a_copy_that_fails_or_is_given_up_writes_nothing),
		cmocka_unit_test(a_backend_killed_during_a_copy_or_stream_is_told),
		cmocka_unit_test(statements_of_another_kind_are_refused),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
