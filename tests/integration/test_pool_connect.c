/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/* What a call is told when the pool cannot connect: at once where waiting does not help, else when its time has
 * passed. */

static const char *const patient[] = {"acquire_timeout_ms", "60000", NULL};
static const char *const hasty[] = {"acquire_timeout_ms", "300", "backoff_max_ms", "50", NULL};

static const char *query_fails(int status, const char *sqlstate, shipopt_op **ret_op)
{
	shipopt_op *op = run_query(NULL, "select 1");
	const shipopt_error *error = shipopt_op_error(op);
	if (shipopt_op_status(op) != status)
		print_error("%d: %s\n", shipopt_op_status(op), shipopt_error_message(error));
	assert_int_equal(shipopt_op_status(op), status);
	assert_non_null(error);
	if (sqlstate)
		assert_string_equal(shipopt_error_sqlstate(error), sqlstate);
	else
		assert_null(shipopt_error_sqlstate(error));
	*ret_op = op;
	return shipopt_error_message(error);
}

static void check_refused(const char *conninfo, int status, const char *sqlstate, const char *said)
{
	shipopt_op *op;
	fixture_open(conninfo, patient);
	int64_t begun_ms = clock_now_ms();
	for (int i = 0; i < 3; i++) { /* the second comes in the pause after the failure */
		const char *message = query_fails(status, sqlstate, &op);
		if (!strstr(message, said))
			print_error("%s\n", message);
		assert_non_null(strstr(message, said));
		assert_null(strstr(message, "LOCATION"));
		shipopt_op_unref(op);
	}
	assert_true(clock_now_ms() - begun_ms < 20000); /* not acquire_timeout_ms */
	fixture_wait_said("pool: connect failed");
	fixture_close();
}

static void a_wrong_role_database_or_password_fails_the_call_at_once(void **state)
{
	char conninfo[384];
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=nobody dbname=postgres", fixture.postgres.folder,
		fixture.postgres.port);
	check_refused(conninfo, SHIPOPT_EAUTH, "28000", "role \"nobody\" does not exist");
	snprintf(conninfo, sizeof(conninfo), "%s dbname=nothing", fixture.postgres.conninfo);
	check_refused(conninfo, SHIPOPT_ENOTFOUND, "3D000", "database \"nothing\" does not exist");
	snprintf(conninfo, sizeof(conninfo), "%s password=wrong-word", fixture.postgres.tcp);
	check_refused(conninfo, SHIPOPT_EAUTH, "28P01", "password authentication failed");
	check_refused(fixture.postgres.tcp, SHIPOPT_EAUTH, NULL, "no password supplied");
}

static void a_pool_goes_on_when_the_role_is_there(void **state)
{
	static const char *const quick[] = {"acquire_timeout_ms", "60000", "backoff_min_ms", "1", "backoff_max_ms", "1",
		NULL};
	char conninfo[384];
	shipopt_op *op;
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=latecomer dbname=postgres", fixture.postgres.folder,
		fixture.postgres.port);
	fixture_open(conninfo, quick);
	query_fails(SHIPOPT_EAUTH, "28000", &op);
	shipopt_op_unref(op);
	side_number("create role latecomer login");
	int status;
	do {
		op = run_query(NULL, "select 1");
		status = shipopt_op_status(op);
		shipopt_op_unref(op);
	} while (status == SHIPOPT_EAUTH);
	assert_int_equal(status, 0);
	fixture_close();
	side_number("drop role latecomer");
}

/* A connection that is in use may come back to the call. */
static void a_call_waits_for_the_connections_there_are(void **state)
{
	static const char *const settings[] = {"max", "2", "acquire_timeout_ms", "60000", NULL};
	char conninfo[384];
	shipopt_op *op;
	side_number("create role leaving login");
	snprintf(conninfo, sizeof(conninfo), "host=%s port=%d user=leaving dbname=postgres", fixture.postgres.folder,
		fixture.postgres.port);
	fixture_open(conninfo, settings);
	shipopt_lease *lease = acquire();
	side_number("alter role leaving nologin");
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	fixture_wait_said("pool: connect failed");
	assert_false(shipopt_op_is_done(op));
	shipopt_lease_release(lease);
	assert_int_equal(shipopt_op_wait(op, 60000), 0);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	fixture_close();
	side_number("drop role leaving");
}

static void a_refused_port_is_retried_and_the_call_says_why_it_waited(void **state)
{
	char conninfo[128];
	shipopt_op *op;
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=postgres", postgres_free_port());
	fixture_open(conninfo, hasty);
	const char *message = query_fails(SHIPOPT_ETIMEDOUT, NULL, &op);
	assert_non_null(strstr(message, "acquire_timeout_ms 300"));
	assert_non_null(strstr(message, "the last connect failed: "));
	assert_non_null(strstr(message, "Connection refused"));
	assert_true(stat_of(SHIPOPT_POOL_STAT_CONNECT_FAILURES) > 1);
	fixture_wait_said("pool: connect failed (2 in a row)");
	shipopt_op_unref(op);
	fixture_close();
}

static void a_failed_connect_is_not_repeated_before_its_pause(void **state)
{
	static const char *const slow[] = {"acquire_timeout_ms", "300", "backoff_min_ms", "20000", "backoff_max_ms",
		"20000", NULL};
	char conninfo[128];
	shipopt_op *op;
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=postgres", postgres_free_port());
	fixture_open(conninfo, slow);
	query_fails(SHIPOPT_ETIMEDOUT, NULL, &op);
	shipopt_op_unref(op);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECT_FAILURES), 1);
	fixture_close();
}

static void a_lost_connection_is_a_warning(void **state)
{
	fixture_open(NULL, NULL);
	int64_t pid = run_number(NULL, "select pg_backend_pid()");
	char sql[64];
	snprintf(sql, sizeof(sql), "select pg_terminate_backend(%lld)", (long long)pid);
	side_number(sql);
	fixture_wait_said("pool: connection lost");
	fixture_close();
}

/* ---- places of errors -------------------------------------------------------------------------------------------- */

static void a_copy_says_line_and_column_without_the_data(void **state)
{
	shipopt_copy *copy;
	shipopt_op *op;
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	run_number(lease, "create temp table labels (order_key text, amount numeric, place point)");
	assert_int_equal(shipopt_lease_copy_in(lease, "copy labels from stdin", &copy, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_copy_write(copy, "k1\t1.5\t(1,2)\nk2\tabc\t(1,2)\n", 27, -1), 0);
	assert_int_equal(shipopt_copy_finish(copy), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	assert_string_equal(message,
		"invalid input syntax for type numeric: \"abc\" (line 2, column amount of the data)");
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	fixture_close();
}

static void a_statement_says_line_and_column(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_op *op = run_query(NULL, "select 1,\n\tnothing");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)),
		"column \"nothing\" does not exist (line 2, column 2 of the statement)");
	shipopt_op_unref(op);
	fixture_close();
}

/* ---- dates ------------------------------------------------------------------------------------------------------- */

#define NOVEMBER_30_US INT64_C(1795996800000000) /* 2026-11-30T00:00:00Z */

static int64_t count_bought_on(bool is_date)
{
	int64_t count = -1;
	shipopt_query *query = make_query("select count(*) from bought where bought_on = $1");
	assert_int_equal(is_date ? shipopt_query_bind_date(query, NOVEMBER_30_US + 1)
				 : shipopt_query_bind_time_us(query, NOVEMBER_30_US),
		0);
	shipopt_op *op = run_given(NULL, query);
	assert_int_equal(shipopt_op_status(op), 0);
	assert_int_equal(shipopt_rows_int(shipopt_op_rows(op), 0, 0, &count), 1);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	return count;
}

/* A time compared with a date depends on the time zone of the session; a date does not. */
static void a_date_is_the_same_in_every_time_zone(void **state)
{
	char conninfo[384];
	snprintf(conninfo, sizeof(conninfo), "%s options='-c TimeZone=America/New_York'", fixture.postgres.conninfo);
	fixture_open(conninfo, NULL);
	side_number("create table bought as select date '2026-11-30' as bought_on");
	assert_int_equal(count_bought_on(false), 0);
	assert_int_equal(count_bought_on(true), 1);
	shipopt_query *query = make_query("select $1, $2, $3");
	assert_int_equal(shipopt_query_bind_date(query, -1), 0);
	assert_int_equal(shipopt_query_bind_date(query, 0), 0);
	assert_int_equal(shipopt_query_bind_date(query, INT64_C(86400000000)), 0);
	shipopt_op *op = run_given(NULL, query);
	assert_string_equal(shipopt_rows_text(shipopt_op_rows(op), 0, 0), "1969-12-31");
	assert_string_equal(shipopt_rows_text(shipopt_op_rows(op), 0, 1), "1970-01-01");
	assert_string_equal(shipopt_rows_text(shipopt_op_rows(op), 0, 2), "1970-01-02");
	shipopt_op_unref(op);
	assert_int_equal(shipopt_query_bind_date(query, INT64_MIN), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_date(NULL, 0), SHIPOPT_EINVAL);
	shipopt_query_free(query);
	side_number("drop table bought");
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_wrong_role_database_or_password_fails_the_call_at_once),
		cmocka_unit_test(a_pool_goes_on_when_the_role_is_there),
		cmocka_unit_test(a_call_waits_for_the_connections_there_are),
		cmocka_unit_test(a_refused_port_is_retried_and_the_call_says_why_it_waited),
		cmocka_unit_test(a_failed_connect_is_not_repeated_before_its_pause),
		cmocka_unit_test(a_lost_connection_is_a_warning),
		cmocka_unit_test(a_copy_says_line_and_column_without_the_data),
		cmocka_unit_test(a_statement_says_line_and_column),
		cmocka_unit_test(a_date_is_the_same_in_every_time_zone),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
