/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

static void a_query_is_answered(void **state)
{
	fixture_open(NULL, NULL);
	assert_int_equal(run_number(NULL, "select 41 + 1"), 42);
	assert_int_equal(run_number(NULL, "select 41 + 1"), 42);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_IDLE), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_ACQUIRES), 2);
	fixture_close();
}

static void check_values(int is_binary)
{
	static const unsigned char uuid[16] = {0xa0, 0xee, 0xbc, 0x99, 0x9c, 0x0b, 0x4e, 0xf8, 0xbb, 0x6d, 1, 2, 3, 4,
		5, 255};
	static const int64_t numbers[] = {1, -2, INT64_MAX};
	static const unsigned char nulls[] = {0, 1, 0};
	static const char *const texts[] = {"plain", NULL, "with \"quotes\", {braces} and \\", "", "NULL"};
	shipopt_query *query = make_query("select $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::text, $13::int");
	assert_int_equal(shipopt_query_bind_int(query, -7), 0);
	assert_int_equal(shipopt_query_bind_float(query, 0.1), 0);
	assert_int_equal(shipopt_query_bind_decimal(query, -1234567890123456), 0);
	assert_int_equal(shipopt_query_bind_bool(query, 7), 0);
	assert_int_equal(shipopt_query_bind_time_us(query, 1700000000123456), 0);
	assert_int_equal(shipopt_query_bind_uuid(query, uuid), 0);
	assert_int_equal(shipopt_query_bind_json(query, "{\"a\": [1, 2]}"), 0);
	assert_int_equal(shipopt_query_bind_bytes(query, "\0\1\xff", 3), 0);
	assert_int_equal(shipopt_query_bind_int_array(query, numbers, nulls, 3), 0);
	assert_int_equal(shipopt_query_bind_text_array(query, texts, 5), 0);
	assert_int_equal(shipopt_query_bind_int_array(query, NULL, NULL, 0), 0);
	assert_int_equal(shipopt_query_bind_text(query, "grüß"), 0);
	assert_int_equal(shipopt_query_bind_null(query), 0);
	shipopt_query_set_binary(query, is_binary);
	shipopt_op *op = run_given(NULL, query);
	if (shipopt_op_status(op) < 0)
		print_error("%s\n", shipopt_error_message(shipopt_op_error(op)));
	assert_int_equal(shipopt_op_status(op), 0);
	const shipopt_rows *rows = shipopt_op_rows(op);
	int64_t number;
	double fraction;
	int yes;
	unsigned char back[16];
	const char *json;
	size_t length;
	assert_int_equal(shipopt_rows_int(rows, 0, 0, &number), 1);
	assert_int_equal(number, -7);
	assert_int_equal(shipopt_rows_float(rows, 0, 1, &fraction), 1);
	assert_true(fraction == 0.1);
	assert_int_equal(shipopt_rows_decimal(rows, 0, 2, &number), 1);
	assert_true(number == -1234567890123456);
	assert_int_equal(shipopt_rows_bool(rows, 0, 3, &yes), 1);
	assert_int_equal(yes, 1);
	assert_int_equal(shipopt_rows_time_us(rows, 0, 4, &number), 1);
	assert_true(number == 1700000000123456);
	assert_int_equal(shipopt_rows_uuid(rows, 0, 5, back), 1);
	assert_memory_equal(back, uuid, 16);
	assert_int_equal(shipopt_rows_json(rows, 0, 6, &json), 1);
	assert_string_equal(json, "{\"a\": [1, 2]}");
	char bytes[3];
	assert_int_equal(shipopt_rows_bytes(rows, 0, 7, bytes, 2, &length), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_rows_bytes(rows, 0, 7, bytes, 3, &length), 1);
	assert_memory_equal(bytes, "\0\1\xff", 3);
	int64_t got[3];
	unsigned char got_nulls[3];
	assert_int_equal(shipopt_rows_int_array(rows, 0, 8, got, got_nulls, 3, &length), 1);
	assert_int_equal(length, 3);
	assert_true(got[0] == 1 && got_nulls[1] == 1 && got[2] == INT64_MAX);
	assert_int_equal(shipopt_rows_int_array(rows, 0, 10, got, NULL, 3, &length), 1);
	assert_int_equal(length, 0);
	assert_string_equal(shipopt_rows_text(rows, 0, 11), "grüß");
	assert_int_equal(shipopt_rows_int(rows, 0, 12, &number), 0);
	assert_int_equal(shipopt_rows_is_null(rows, 0, 12), 1);
	assert_int_equal(shipopt_rows_is_null(rows, 0, 11), 0);
	assert_int_equal(shipopt_rows_int(rows, 0, 11, &number), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_rows_int(rows, 1, 0, &number), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_rows_int(rows, 0, 13, &number), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_query_free(query);
}

static void values_come_back_as_they_went_in_text_and_binary(void **state)
{
	fixture_open(NULL, NULL);
	check_values(0);
	check_values(1);
	fixture_close();
}

struct texts {
	char text[8][64];
	bool is_null[8];
	size_t count;
};

static void keep_element(void *userdata, size_t index, const char *text, size_t length)
{
	struct texts *texts = userdata;
	assert_int_equal(index, texts->count);
	assert_true(texts->count < 8);
	texts->is_null[index] = text == NULL;
	if (text) {
		assert_int_equal(strlen(text), length);
		snprintf(texts->text[index], sizeof(texts->text[index]), "%s", text);
	}
	texts->count++;
}

static void text_arrays_are_read_element_by_element(void **state)
{
	fixture_open(NULL, NULL);
	for (int is_binary = 0; is_binary < 2; is_binary++) {
		struct texts texts = {.count = 0};
		shipopt_query *query =
			make_query("select array['a', null, 'with \"quotes\", {}', '', 'NULL', 'back\\slash']");
		shipopt_query_set_binary(query, is_binary);
		shipopt_op *op = run_given(NULL, query);
		assert_int_equal(shipopt_rows_text_array(shipopt_op_rows(op), 0, 0, keep_element, &texts), 1);
		assert_int_equal(texts.count, 6);
		assert_string_equal(texts.text[0], "a");
		assert_true(texts.is_null[1] && !texts.is_null[4]);
		assert_string_equal(texts.text[2], "with \"quotes\", {}");
		assert_string_equal(texts.text[3], "");
		assert_string_equal(texts.text[4], "NULL");
		assert_string_equal(texts.text[5], "back\\slash");
		shipopt_op_unref(op);
		shipopt_query_free(query);
	}
	fixture_close();
}

/* The server's own reading of a value is the second opinion. */
static void check_against_server(const char *sql, int getter)
{
	for (int is_binary = 0; is_binary < 2; is_binary++) {
		shipopt_query *query = make_query(sql);
		shipopt_query_set_binary(query, is_binary);
		shipopt_op *op = run_given(NULL, query);
		const shipopt_rows *rows = shipopt_op_rows(op);
		for (size_t i = 0; i < shipopt_rows_count(rows); i++) {
			int64_t value = 0, expected = 0;
			assert_int_equal(shipopt_rows_int(rows, i, 1, &expected), 1);
			assert_int_equal(getter == 't' ? shipopt_rows_time_us(rows, i, 0, &value)
						       : shipopt_rows_decimal(rows, i, 0, &value),
				1);
			if (value != expected)
				print_error("row %zu of %s: %lld, not %lld\n", i, sql, (long long)value,
					(long long)expected);
			assert_true(value == expected);
		}
		assert_true(shipopt_rows_count(rows) > 0);
		shipopt_op_unref(op);
		shipopt_query_free(query);
	}
}

static void timestamps_and_numerics_are_what_the_server_says(void **state)
{
	fixture_open(NULL, NULL);
	check_against_server(
		"select t, (extract(epoch from t) * 1000000)::bigint from (select '1850-03-01 12:00:00.5+00'::timestamptz "
		"+ i * interval '37 days 5 hours 7 seconds 11 microseconds' t from generate_series(0, 4000) i) x",
		't');
	check_against_server(
		"select t, (extract(epoch from t) * 1000000)::bigint from unnest(array['0044-03-15 BC', '1969-12-31 "
		"23:59:59.999999', '12024-01-01 00:00:00']::timestamp[]) t",
		't');
	check_against_server(
		"select d, (extract(epoch from d) * 1000000)::bigint from (select '1599-12-31'::date + i * 113 d "
		"from generate_series(0, 2000) i) x",
		't');
	check_against_server(
		"select n, round(n * 1000000)::bigint from (select (i * 7919 * 104729::numeric - 40000000000) / power(10::numeric, i "
		"% 12) n from generate_series(0, 3000) i) x",
		'n');
	check_against_server(
		"select n, round(n * 1000000)::bigint from unnest(array[0, 0.0000005, -0.0000005, 0.00000049, 10000, "
		"9999.999999, 100000000, -1234567890.4567895]::numeric[]) n",
		'n');
	fixture_close();
}

static void errors_carry_the_sqlstate_and_a_code(void **state)
{
	static const struct {
		const char *sql, *sqlstate;
		int code;
	} cases[] = {
		{"select 1 from nowhere", "42P01", SHIPOPT_EINVAL}, {"select 1 / 0", "22012", SHIPOPT_EINVAL},
		{"insert into unique_thing values (1), (1)", "23505", SHIPOPT_ECONFLICT},
		{"do $$ begin raise exception 'x' using errcode = '40001'; end $$", "40001", SHIPOPT_EBUSY},
		{"do $$ begin raise exception 'x' using errcode = '53100'; end $$", "53100", SHIPOPT_EDATABASE},
		{"select (", "42601", SHIPOPT_EINVAL},
		{"select $1::int + 1", "08P01", SHIPOPT_EINVAL}, /* nothing is bound */
	};
	fixture_open(NULL, NULL);
	run_number(NULL, "create table unique_thing (id int primary key)");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shipopt_op *op = run_query(NULL, cases[i].sql);
		assert_int_equal(shipopt_op_status(op), cases[i].code);
		assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), cases[i].sqlstate);
		shipopt_op_unref(op);
	}
	run_number(NULL, "drop table unique_thing");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_transaction_is_kept_on_its_lease_and_rolled_back_when_dropped(void **state)
{
	fixture_open(NULL, NULL);
	run_number(NULL, "create table kept (id int)");
	shipopt_lease *lease = acquire();
	shipopt_op *op;
	assert_int_equal(shipopt_lease_begin(lease, SHIPOPT_TRANSACTION_SERIALIZABLE, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	run_number(lease, "insert into kept values (1)");
	assert_int_equal(shipopt_lease_savepoint(lease, 1, NULL, NULL, NULL), 0);
	run_number(lease, "insert into kept values (2)");
	assert_int_equal(shipopt_lease_rollback_to(lease, 1, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_lease_commit(lease, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from kept"), 1);
	run_number(lease, "begin");
	run_number(lease, "insert into kept values (3)");
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	assert_int_equal(run_number(NULL, "select count(*) from kept"), 1);
	run_number(NULL, "drop table kept");
	fixture_close();
}

static void a_commit_of_a_failed_transaction_is_not_a_success(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	shipopt_op *op;
	run_number(lease, "begin");
	shipopt_op_unref(run_query(lease, "select 1 / 0"));
	assert_int_equal(shipopt_lease_commit(lease, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ESTATE);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	fixture_close();
}

static void a_batch_is_one_round_trip_and_an_error_ends_its_group_only(void **state)
{
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(NULL, NULL);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	static const char *const sql[] = {"select 1", "select 1 / 0", "select 3", "select 4"};
	for (size_t i = 0; i < 4; i++) {
		shipopt_query *query = make_query(sql[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
		if (i == 2)
			assert_int_equal(shipopt_batch_end_group(batch), 0);
	}
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINVAL);
		assert_int_equal(shipopt_op_statement_count(op), 4);
		assert_int_equal(shipopt_op_statement_status(op, 0), 0);
		assert_int_equal(shipopt_op_statement_status(op, 1), SHIPOPT_EINVAL);
		assert_string_equal(shipopt_error_sqlstate(shipopt_op_statement_error(op, 1)), "22012");
		assert_int_equal(shipopt_op_statement_status(op, 2), SHIPOPT_ECANCELED);
		assert_int_equal(shipopt_op_statement_status(op, 3), 0);
		assert_string_equal(shipopt_rows_text(shipopt_op_statement_rows(op, 3), 0, 0), "4");
		assert_int_equal(shipopt_op_statement_status(op, 4), SHIPOPT_ENOTFOUND);
		shipopt_op_unref(op);
	}
	shipopt_batch_free(batch);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_batch_larger_than_its_window_goes_through(void **state)
{
	static const char *const settings[] = {"pipeline_statements", "7", "pipeline_bytes", "1024", NULL};
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(NULL, settings);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (int i = 0; i < 1000; i++) {
		shipopt_query *query =
			make_query(i % 2 ? "select $1::bigint" : "select $1::bigint + 0, repeat('x', 2000)");
		shipopt_query_bind_int(query, i);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
		if (i % 31 == 30)
			shipopt_batch_end_group(batch);
	}
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 60000), 0);
	for (int i = 0; i < 1000; i++) {
		int64_t number = -1;
		assert_int_equal(shipopt_rows_int(shipopt_op_statement_rows(op, (size_t)i), 0, 0, &number), 1);
		assert_int_equal(number, i);
	}
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	fixture_close();
}

static void a_command_beyond_its_deadline_is_canceled_and_its_connection_lives(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_query *query = make_query("select pg_sleep(30)");
	shipopt_query_set_timeout_ms(query, 100);
	shipopt_op *op = run_given(NULL, query);
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ETIMEDOUT);
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "57014");
	const char *message = shipopt_error_message(shipopt_op_error(op));
	assert_ptr_equal(strstr(message, "the deadline of 100 ms passed: canceling"), message);
	shipopt_op_unref(op);
	shipopt_query_set_timeout_ms(query, -1);
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	while (side_number(
		       "select count(*) from pg_stat_activity where state = 'active' and query like 'select pg_sleep%'") !=
		1)
		;
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	assert_int_equal(run_number(NULL, "select 5"), 5);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

/* The blanking of passwords went on for ever over a password of asterisks. */
static void a_password_that_the_server_repeats_is_blanked_and_that_ends(void **state)
{
	static const struct {
		const char *conninfo, *sql, *said;
	} cases[] = {
		{"%s password=*", "select count(1) * 'x'::text", "operator does not exist: bigint * text"},
		{"%s password=**", "select 1 ** 2", "operator does not exist: integer ** integer"},
		{"%s password='****' sslpassword=*", "select '****'::int",
			"invalid input syntax for type integer: \"****\""},
		{"%s password=hunter2", "select 'hunter2'::int", "invalid input syntax for type integer: \"*******\""},
		{"%s password='hun ter/2' sslpassword=other", "select 'other hun ter%2F2'::int",
			"integer: \"***** ***********\""},
		{"%s password=hunter2", "do $$begin raise exception '% %', repeat('.', 950), 'hunter2'; end$$",
			".... ****"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char conninfo[512];
		snprintf(conninfo, sizeof(conninfo), cases[i].conninfo, fixture.postgres.conninfo);
		fixture_open(conninfo, NULL);
		shipopt_op *op = run_query(NULL, cases[i].sql);
		assert_true(shipopt_op_status(op) < 0);
		const char *message = shipopt_error_message(shipopt_op_error(op));
		if (!strstr(message, cases[i].said))
			fail_msg("\"%s\" is not in \"%s\"", cases[i].said, message);
		assert_null(strstr(message, "hun"));
		shipopt_op_unref(op);
		assert_int_equal(run_number(NULL, "select 5"), 5);
		fixture_close();
		assert_null(strstr(fixture.log, "hun"));
	}
}

static void an_acquire_that_times_out_tells_why(void **state)
{
	static const char *const settings[] = {"min", "1", "max", "1", "acquire_timeout_ms", "80", NULL};
	shipopt_lease *lease;
	shipopt_op *op;
	fixture_open(NULL, settings);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_IDLE, 1));
	assert_int_equal(shipopt_pool_try_acquire(fixture.pool, "test", 0, &lease), 0); /* which has no deadline */
	assert_int_equal(shipopt_pool_acquire(fixture.pool, NULL, 0, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETIMEDOUT);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	assert_non_null(strstr(message, "total 1 of 1, idle 0, leased 1"));
	assert_non_null(strstr(message, "waiting 1"));
	assert_null(shipopt_op_take_lease(op));
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CANCELED_ACQUIRES), 1);
	fixture_close();
}

static void a_lease_can_be_had_without_waiting(void **state)
{
	static const char *const settings[] = {"max", "1", "min", "1", NULL};
	shipopt_lease *lease, *other;
	fixture_open(NULL, settings);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_IDLE, 1));
	assert_int_equal(shipopt_pool_try_acquire(fixture.pool, "first", 0, &lease), 0);
	assert_int_equal(shipopt_pool_try_acquire(fixture.pool, "second", 0, &other), SHIPOPT_EAGAIN);
	fixture_wait_said("is leased: \"first\"");
	assert_int_equal(run_number(lease, "select 3"), 3);
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_IDLE, 1));
	fixture_wait_said("was released: \"first\"");
	assert_int_equal(shipopt_pool_try_acquire(fixture.pool, NULL, 0, &lease), 0);
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_query_is_answered),
		cmocka_unit_test(values_come_back_as_they_went_in_text_and_binary),
		cmocka_unit_test(text_arrays_are_read_element_by_element),
		cmocka_unit_test(timestamps_and_numerics_are_what_the_server_says),
		cmocka_unit_test(errors_carry_the_sqlstate_and_a_code),
		cmocka_unit_test(a_transaction_is_kept_on_its_lease_and_rolled_back_when_dropped),
		cmocka_unit_test(a_commit_of_a_failed_transaction_is_not_a_success),
		cmocka_unit_test(a_batch_is_one_round_trip_and_an_error_ends_its_group_only),
		cmocka_unit_test(a_batch_larger_than_its_window_goes_through),
		cmocka_unit_test(a_command_beyond_its_deadline_is_canceled_and_its_connection_lives),
		cmocka_unit_test(a_password_that_the_server_repeats_is_blanked_and_that_ends),
		cmocka_unit_test(an_acquire_that_times_out_tells_why),
		cmocka_unit_test(a_lease_can_be_had_without_waiting),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
