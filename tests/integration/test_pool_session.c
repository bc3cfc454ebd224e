/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/macro.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/* What users leave behind in a session is found without asking, and cleaned; what leaves nothing costs no round
 * trip. */

static const char *const one[] = {"max", "1", NULL};

static int64_t resets(void)
{
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	return stat_of(SHIPOPT_POOL_STAT_RESETS);
}

/* Runs the statements on a lease, NULL at the end, failures included, and gives it back. */
static void use(const char *const *statements)
{
	shipopt_lease *lease = acquire();
	for (; *statements; statements++)
		shipopt_op_unref(run_query(lease, *statements));
	shipopt_lease_release(lease);
}

static void what_changes_a_session_is_undone(void **state)
{
	static const struct {
		const char *statements[4];
		const char *left; /* counts what is left */
	} cases[] = {
		/* by its tag */
		{{"set statement_timeout = 12345"}, "select (current_setting('statement_timeout') = '12345ms')::int"},
		{{"/* a comment */ SeT work_mem = '77MB'"}, "select (current_setting('work_mem') = '77MB')::int"},
		{{"set session characteristics as transaction read only"},
			"select (current_setting('transaction_read_only') = 'on')::int"},
		{{"set role pg_monitor"}, "select (current_user = 'pg_monitor')::int"},
		{{"listen ears"}, "select count(*) from pg_listening_channels()"},
		{{"begin", "declare held cursor with hold for select 1", "commit"},
			"select count(*) from pg_cursors where name = 'held'"},
		{{"prepare mine as select 1"}, "select count(*) from pg_prepared_statements where name = 'mine'"},
		{{"do $$ begin perform set_config('work_mem', '78MB', false); end $$"},
			"select (current_setting('work_mem') = '78MB')::int"},
		{{"do $$ begin execute 'lis' || 'ten ears'; end $$"}, "select count(*) from pg_listening_channels()"},
		{{"call changes_by_procedure()"}, "select (current_setting('work_mem') = '79MB')::int"},
		{{"begin", "set work_mem = '80MB'", "commit"}, "select (current_setting('work_mem') = '80MB')::int"},
		/* by its text */
		{{"select set_config('work_mem', '81MB', false)"},
			"select (current_setting('work_mem') = '81MB')::int"},
		{{"select pg_advisory_lock(1)"}, "select count(*) from pg_locks where locktype = 'advisory'"},
		{{"select PG_TRY_ADVISORY_LOCK_SHARED(2)"},
			"select count(*) from pg_locks where locktype = 'advisory'"},
		{{"select pg_advisory_lock(3), 1 / (random() * 0)::int"},
			"select count(*) from pg_locks where locktype = 'advisory'"},
		{{"create temp table mine (id int)"}, "select count(*) from pg_class where relname = 'mine'"},
		{{"create table pg_temp.mine (id int)"}, "select count(*) from pg_class where relname = 'mine'"},
		{{"select 1 as id into temporary mine"}, "select count(*) from pg_class where relname = 'mine'"},
		{{"create temporary view mine as select 1"}, "select count(*) from pg_class where relname = 'mine'"},
		{{"create temp sequence mine"}, "select count(*) from pg_class where relname = 'mine'"},
		/* by what the server reports */
		{{"select changes_zone()"}, "select (current_setting('timezone') = 'Asia/Tokyo')::int"},
		{{"begin", "select changes_zone()", "commit"},
			"select (current_setting('timezone') = 'Asia/Tokyo')::int"},
		{{"select 1 from becomes_another()"}, "select (current_user = 'pg_monitor')::int"},
	};
	fixture_open(NULL, one);
	side_number(
		"create procedure changes_by_procedure() language plpgsql as $$ begin execute 'set work_mem = ''79MB'''; end $$");
	side_number(
		"create function changes_zone() returns int language plpgsql as $$ begin set timezone = 'Asia/Tokyo'; return 1; end $$");
	side_number(
		"create function becomes_another() returns int language plpgsql as $$ begin set role pg_monitor; return 1; end $$");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t before = resets();
		use(cases[i].statements);
		int64_t made = resets() - before;
		int64_t left = run_number(NULL, cases[i].left);
		if (made != 1 || left != 0)
			print_error("%s: %d resets, %d left\n", cases[i].statements[0], (int)made, (int)left);
		assert_int_equal(made, 1);
		assert_int_equal(left, 0);
		resets();
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void what_leaves_nothing_costs_nothing(void **state)
{
	static const char *const cases[][5] = {
		{"select 1"},
		{"select temperature, template from (select 1 as temperature, 2 as template) contemporary"},
		{"begin", "set local work_mem = '90MB'", "commit"},
		{"begin", "set transaction isolation level serializable", "commit"},
		{"begin", "set constraints all deferred", "commit"},
		{"begin", "lock table plain", "select pg_advisory_xact_lock(1)", "commit"},
		{"begin", "declare gone cursor for select 1", NULL},
		{"begin", "set local timezone = 'Asia/Tokyo'", "select 2", "rollback"},
		{"begin isolation level repeatable read", "select changes_zone_here()", "commit"},
		{"insert into plain values (1)"},
		{"create table plainer (id int)", "drop table plainer"},
		{"notify nobody"},
		{"unlisten *"},
		{"reset work_mem"},
		{"set no_such_setting = 1"},
		{"explain select 1"},
	};
	fixture_open(NULL, one);
	side_number("create table plain (id int)");
	side_number("create function changes_zone_here() returns int language plpgsql as "
		    "$$ begin set local timezone = 'Asia/Tokyo'; return 1; end $$");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t before = resets();
		use(cases[i]);
		int64_t made = resets() - before;
		bool is_cursor = cases[i][1] && strstr(cases[i][1], "cursor"); /* whether it is held no tag tells */
		if (made != is_cursor)
			print_error("%s: %d resets\n", cases[i][0], (int)made);
		assert_int_equal(made, is_cursor);
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void a_stream_changes_a_session_too(void **state)
{
	shipopt_stream *stream;
	const shipopt_rows *rows;
	shipopt_op *op;
	static const char *const statements[] = {"listen ears", "select set_config('work_mem', '91MB', false)"};
	fixture_open(NULL, one);
	for (size_t i = 0; i < 2; i++) {
		shipopt_query *query = make_query(statements[i]);
		int64_t before = resets();
		assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op), 0);
		while (shipopt_stream_next(stream, 20000, &rows) == 1)
			;
		shipopt_stream_free(stream);
		assert_int_equal(shipopt_op_wait(op, 20000), 0);
		shipopt_op_unref(op);
		shipopt_query_free(query);
		assert_int_equal(resets() - before, 1);
	}
	assert_int_equal(run_number(NULL, "select count(*) from pg_listening_channels()"), 0);
	fixture_close();
}

static void prepared_statements_outlive_a_reset_but_not_a_deallocate_of_all(void **state)
{
	static const char *const set[] = {"set work_mem = '92MB'", NULL},
				 *const prepare[] = {"prepare mine as select 1", NULL};
	static const char *const deallocate[] = {"deallocate all", NULL}, *const discard[] = {"discard all", NULL};
	const char *const *const takers[] = {prepare, deallocate, discard};
	fixture_open(NULL, one);
	assert_int_equal(run_number(NULL, "select 5"), 5);
	use(set);
	assert_int_equal(run_number(NULL, "select 5"), 5);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), 1);
	for (size_t i = 0; i < ARRAY_SIZE(takers); i++) {
		use(takers[i]);
		resets();
		shipopt_lease *lease = acquire(); /* inside of a transaction a lost one could not be prepared again */
		run_number(lease, "begin");
		assert_int_equal(run_number(lease, "select 5"), 5);
		run_number(lease, "commit");
		shipopt_lease_release(lease);
		assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), (int)i + 2);
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 0);
	fixture_close();
}

/* The limit that is documented: such functions need reset = 2. */
static void what_nothing_tells_of_needs_a_reset_always(void **state)
{
	static const char *const settings[] = {"max", "1", "reset", "2", NULL};
	static const char *const sly[] = {"select locks_slyly()", NULL};
	for (int always = 0; always < 2; always++) {
		fixture_open(NULL, always ? settings : one);
		if (!always)
			side_number("create function locks_slyly() returns int language plpgsql as "
				    "$$ begin perform pg_advisory_lock(7); return 1; end $$");
		use(sly);
		assert_int_equal(resets(), always);
		assert_int_equal(side_number("select count(*) from pg_locks where locktype = 'advisory'"), !always);
		fixture_close();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_changes_a_session_is_undone),
		cmocka_unit_test(what_leaves_nothing_costs_nothing),
		cmocka_unit_test(a_stream_changes_a_session_too),
		cmocka_unit_test(prepared_statements_outlive_a_reset_but_not_a_deallocate_of_all),
		cmocka_unit_test(what_nothing_tells_of_needs_a_reset_always),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
