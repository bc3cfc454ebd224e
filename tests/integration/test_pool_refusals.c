/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "cmocka_test.h"
#include "pool_fixture.h"

/* What a caller got wrong is told by the operation, with the argument, the value and the bound; and what each failure
 * advises. */

static void check_refused(int r, shipopt_op **ret_op, int status, const char *said)
{
	shipopt_op *op = *ret_op;
	assert_int_equal(r, 0);
	assert_int_equal(shipopt_op_wait(op, 20000), status);
	const shipopt_error *error = shipopt_op_error(op);
	assert_non_null(error);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_DATABASE);
	if (!strstr(shipopt_error_message(error), said))
		fail_msg("\"%s\" is not in \"%s\"", said, shipopt_error_message(error));
	shipopt_op_unref(op);
}

static void a_bind_that_failed_is_told_when_the_query_runs(void **state)
{
	shipopt_op *op = NULL;
	shipopt_stream *stream;
	fixture_open(NULL, NULL);
	shipopt_query *query = make_query("select $1::text, $2::text");
	assert_int_equal(shipopt_query_bind_text(query, "good"), 0);
	assert_int_equal(shipopt_query_bind_text(query, "\xff"), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_query_bind_uuid(query, NULL), SHIPOPT_EINVAL);
	check_refused(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), &op, SHIPOPT_EENCODING, "value $2");
	check_refused(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op), &op, SHIPOPT_EENCODING,
		"value $2");
	assert_null(stream);
	shipopt_stream_free(stream);
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL),
		SHIPOPT_EENCODING); /* nobody to tell */
	assert_int_equal(shipopt_query_clear(query), 0);
	assert_int_equal(shipopt_query_bind_text(query, "good"), 0);
	assert_int_equal(shipopt_query_bind_text(query, "better"), 0);
	op = run_given(NULL, query);
	assert_int_equal(shipopt_op_status(op), 0);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	fixture_close();
}

static void a_text_that_is_no_statement_is_named(void **state)
{
	shipopt_query *query = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_query_new("select '\xff'", &query, &error), SHIPOPT_EENCODING);
	assert_non_null(strstr(shipopt_error_message(error), "byte 8"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_query_new("copy t from stdin", &query, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "shipopt_lease_copy_in"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_query_new("", &query, NULL), SHIPOPT_EINVAL);
	assert_null(query);
}

static void calls_on_a_lease_name_what_is_wrong(void **state)
{
	shipopt_op *op = NULL;
	shipopt_copy *copy;
	shipopt_stream *stream;
	shipopt_batch *batch;
	const shipopt_rows *rows;
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	check_refused(shipopt_lease_begin(lease, 99, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "99");
	check_refused(shipopt_lease_savepoint(lease, 0, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "1 to 1000000");
	check_refused(shipopt_lease_copy_in(lease, "select 1", &copy, NULL, NULL, &op), &op, SHIPOPT_EINVAL,
		"COPY from STDIN");
	assert_null(copy);
	assert_int_equal(shipopt_copy_write(copy, "", 0, 0), SHIPOPT_EINVAL);
	check_refused(shipopt_lease_copy_out(lease, "select 1", &stream, NULL, NULL, &op), &op, SHIPOPT_EINVAL,
		"COPY to STDOUT");
	assert_null(stream);
	assert_int_equal(shipopt_stream_next(stream, 0, &rows), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	check_refused(shipopt_lease_batch(lease, batch, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "no statements");
	check_refused(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "no statements");
	shipopt_query *query = make_query("select 1");
	assert_int_equal(shipopt_batch_add(batch, query), 0);
	assert_int_equal(shipopt_batch_set_transaction(batch, 0, 2), 0);
	check_refused(shipopt_lease_batch(lease, batch, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "shipopt_pool_batch()");
	check_refused(shipopt_pool_transaction(fixture.pool, NULL, NULL, NULL, NULL, &op), &op, SHIPOPT_EINVAL, "body");
	assert_int_equal(run_number(lease, "select 3"), 3);
	shipopt_query_free(query);
	shipopt_batch_free(batch);
	shipopt_lease_release(lease);
	fixture_close();
}

/* ---- advice ------------------------------------------------------------------------------------------------------ */

static void check_advice(const char *sql, int status, bool is_retriable, const char *advice)
{
	shipopt_op *op = run_query(NULL, sql);
	const shipopt_error *error = shipopt_op_error(op);
	assert_int_equal(shipopt_op_status(op), status);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_DATABASE);
	assert_int_equal(shipopt_error_is_retriable(error), is_retriable);
	if (!strstr(shipopt_error_advice(error), advice))
		fail_msg("\"%s\" is not in \"%s\"", advice, shipopt_error_advice(error));
	assert_null(strstr(shipopt_error_text(error), "order"));
	assert_null(strstr(shipopt_error_text(error), "API key"));
	shipopt_op_unref(op);
}

static void failures_of_the_database_have_advice_of_their_own(void **state)
{
	fixture_open(NULL, NULL);
	run_number(NULL, "create table advised (id int primary key)");
	run_number(NULL, "insert into advised values (1)");
	check_advice("insert into advised values (1)", SHIPOPT_ECONFLICT, false, "stored rows");
	check_advice("do $$ begin raise exception 'stop'; end $$", SHIPOPT_EDATABASE, false, "SQLSTATE");
	check_advice("do $$ begin raise exception 'x' using errcode = '40001'; end $$", SHIPOPT_EBUSY, true,
		"transaction");
	check_advice("do $$ begin raise exception 'x' using errcode = '28000'; end $$", SHIPOPT_EAUTH, false,
		"password");
	run_number(NULL, "drop table advised");
	fixture_close();
}

static void a_stream_freed_early_and_a_statement_behind_a_failure_have_an_error(void **state)
{
	shipopt_stream *stream;
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(NULL, NULL);
	shipopt_query *query = make_query("select i, repeat('x', 1000) from generate_series(1, 100000) i");
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op), 0);
	shipopt_stream_free(stream);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_error_domain(shipopt_op_error(op)), SHIPOPT_DOMAIN_DATABASE);
	assert_null(strstr(shipopt_error_text(shipopt_op_error(op)), "Nothing was sent"));
	shipopt_op_unref(op);
	shipopt_query_free(query);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	static const char *const statements[] = {"select 1 / 0", "select 2"};
	for (int i = 0; i < 2; i++) {
		query = make_query(statements[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
	}
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 20000), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_op_statement_status(op, 1), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_error_domain(shipopt_op_statement_error(op, 1)), SHIPOPT_DOMAIN_DATABASE);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bind_that_failed_is_told_when_the_query_runs),
		cmocka_unit_test(a_text_that_is_no_statement_is_named),
		cmocka_unit_test(calls_on_a_lease_name_what_is_wrong),
		cmocka_unit_test(failures_of_the_database_have_advice_of_their_own),
		cmocka_unit_test(a_stream_freed_early_and_a_statement_behind_a_failure_have_an_error),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
