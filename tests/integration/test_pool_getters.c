/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>

#include "pool_fixture.h"

/* What the pool's getters and small calls answer. */

static const char *const one[] = {"max", "1", NULL};

static int64_t affected(shipopt_lease *lease, const char *sql)
{
	shipopt_op *op = run_query(lease, sql);
	assert_int_equal(shipopt_op_status(op), 0);
	int64_t count = shipopt_rows_affected(shipopt_op_rows(op));
	shipopt_op_unref(op);
	return count;
}

static void affected_rows_are_those_that_changed_or_were_returned(void **state)
{
	fixture_open(NULL, one);
	shipopt_lease *lease = acquire();
	assert_int_equal(affected(lease, "create temp table t (id int)"), 0);
	assert_int_equal(affected(lease, "insert into t select generate_series(1, 7)"), 7);
	assert_int_equal(affected(lease, "update t set id = id + 10 where id > 4"), 3);
	assert_int_equal(affected(lease, "delete from t where id > 100"), 0);
	assert_int_equal(affected(lease, "select id from t limit 2"), 2);
	assert_int_equal(shipopt_rows_affected(NULL), 0);
	shipopt_lease_release(lease);
	fixture_close();
}

static void a_length_counts_the_bytes_of_a_value(void **state)
{
	fixture_open(NULL, one);
	shipopt_op *op = run_query(NULL, "select 'abc', '', null, 'ä', E'\\\\x0001'::bytea");
	const shipopt_rows *rows = shipopt_op_rows(op);
	assert_int_equal(shipopt_op_status(op), 0);
	assert_int_equal(shipopt_rows_length(rows, 0, 0), 3);
	assert_int_equal(shipopt_rows_length(rows, 0, 1), 0);
	assert_int_equal(shipopt_rows_length(rows, 0, 2), 0);
	assert_int_equal(shipopt_rows_length(rows, 0, 3), 2);
	assert_int_equal(shipopt_rows_length(rows, 0, 4), strlen(shipopt_rows_text(rows, 0, 4)));
	assert_int_equal(shipopt_rows_length(rows, 0, 5), 0);
	assert_int_equal(shipopt_rows_length(rows, 1, 0), 0);
	shipopt_op_unref(op);
	fixture_close();
}

static int64_t histogram_sum(int histogram)
{
	int64_t sum = 0;
	for (int bucket = 0; bucket < 32; bucket++) {
		int64_t count = -1;
		assert_int_equal(shipopt_pool_histogram(fixture.pool, histogram, bucket, &count), 0);
		assert_true(count >= 0);
		sum += count;
	}
	return sum;
}

static void histograms_count_each_wait_and_each_connect_once(void **state)
{
	int64_t count = 77;
	fixture_open(NULL, one);
	for (int i = 0; i < 5; i++)
		run_number(NULL, "select 1");
	assert_int_equal(histogram_sum(SHIPOPT_POOL_HISTOGRAM_CONNECT), 1);
	assert_int_equal(histogram_sum(SHIPOPT_POOL_HISTOGRAM_WAIT), 5);
	assert_int_equal(shipopt_pool_histogram(fixture.pool, 3, 0, &count), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_histogram(fixture.pool, SHIPOPT_POOL_HISTOGRAM_WAIT, 32, &count), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_histogram(fixture.pool, SHIPOPT_POOL_HISTOGRAM_WAIT, -1, &count), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_histogram(fixture.pool, SHIPOPT_POOL_HISTOGRAM_WAIT, 0, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_pool_histogram(NULL, SHIPOPT_POOL_HISTOGRAM_WAIT, 0, &count), SHIPOPT_EINVAL);
	assert_int_equal(count, 77);
	fixture_close();
}

static void a_query_that_must_not_be_named_leaves_no_statement_behind(void **state)
{
	fixture_open(NULL, one);
	shipopt_lease *lease = acquire();
	shipopt_query *query = make_query("select 41 + 1");
	assert_int_equal(shipopt_query_set_named(query, 0), 0);
	for (int i = 0; i < 3; i++)
		shipopt_op_unref(run_given(lease, query));
	assert_int_equal(run_number(lease,
				 "select count(*) from pg_prepared_statements where statement like '%41 + 1'"),
		0);
	assert_int_equal(shipopt_query_set_named(query, 1), 0);
	for (int i = 0; i < 3; i++)
		shipopt_op_unref(run_given(lease, query));
	assert_int_equal(run_number(lease,
				 "select count(*) from pg_prepared_statements where statement like '%41 + 1'"),
		1);
	assert_int_equal(shipopt_query_set_named(NULL, 1), SHIPOPT_EINVAL);
	shipopt_query_free(query);
	shipopt_lease_release(lease);
	fixture_close();
}

typedef int (*lease_fn)(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

static int savepoint_status(lease_fn call, shipopt_lease *lease, int number)
{
	shipopt_op *op = NULL;
	assert_int_equal(call(lease, number, NULL, NULL, &op), 0);
	int status = shipopt_op_wait(op, -1);
	shipopt_op_unref(op);
	return status;
}

static void a_released_savepoint_keeps_what_was_done_and_is_forgotten(void **state)
{
	shipopt_op *op = NULL;
	fixture_open(NULL, one);
	shipopt_lease *lease = acquire();
	affected(lease, "create temp table t (id int)");
	assert_int_equal(shipopt_lease_begin(lease, 0, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	assert_int_equal(savepoint_status(shipopt_lease_savepoint, lease, 1), 0);
	affected(lease, "insert into t values (1)");
	assert_int_equal(savepoint_status(shipopt_lease_release_savepoint, lease, 1), 0);
	assert_int_equal(run_number(lease, "select count(*) from t"), 1);
	assert_true(savepoint_status(shipopt_lease_rollback_to, lease, 1) < 0);
	assert_int_equal(shipopt_lease_rollback(lease, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(affected_rows_are_those_that_changed_or_were_returned),
		cmocka_unit_test(a_length_counts_the_bytes_of_a_value),
		cmocka_unit_test(histograms_count_each_wait_and_each_connect_once),
		cmocka_unit_test(a_query_that_must_not_be_named_leaves_no_statement_behind),
		cmocka_unit_test(a_released_savepoint_keeps_what_was_done_and_is_forgotten),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
