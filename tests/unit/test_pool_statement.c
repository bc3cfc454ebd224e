/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_test.h"
#include "pool/connection/prepared.h"

/* The cache of prepared statements of one connection, without a connection. */

static struct prepared_cache statements;
static uint64_t live_before;

static void open_cache(size_t most)
{
	live_before = mem_live_count();
	prepared_cache_init(&statements, most);
}

static void close_cache(void)
{
	prepared_cache_done(&statements);
	assert_int_equal(mem_live_count(), live_before);
}

static struct shipopt_query query_of(const char *sql)
{
	struct shipopt_query query;
	assert_int_equal(query_init(&query, sql, NULL), 0);
	return query;
}

static struct shipopt_query numbered(int number)
{
	char sql[64];
	snprintf(sql, sizeof(sql), "select %d", number);
	return query_of(sql);
}

static struct prepared *find(int number)
{
	struct shipopt_query query = numbered(number);
	struct prepared *statement = prepared_cache_find(&statements, &query);
	query_done(&query);
	return statement;
}

/* Made and confirmed. NULL when it is refused. */
static struct prepared *add(int number)
{
	struct shipopt_query query = numbered(number);
	struct prepared *statement = prepared_cache_add(&statements, &query);
	query_done(&query);
	if (statement)
		statement->is_confirmed = true;
	return statement;
}

static size_t take_all_unwanted(void)
{
	size_t count = 0;
	struct prepared *statement;
	for (; (statement = prepared_cache_take_unwanted(&statements)); count++)
		mem_free(statement);
	return count;
}

static void what_was_added_is_found(void **state)
{
	open_cache(4);
	assert_null(find(1)); /* in an empty one */
	struct prepared *one = add(1);
	assert_non_null(one);
	assert_ptr_equal(find(1), one);
	assert_null(find(2));
	close_cache();
}

static void a_name_is_made_of_text_and_types_alone(void **state)
{
	struct prepared_cache other;
	open_cache(8);
	prepared_cache_init(&other, 8);
	struct shipopt_query plain = query_of("select $1"), again = query_of("select $1"),
			     spaced = query_of("select  $1");
	assert_int_equal(shipopt_query_bind_int(&plain, 1), 0);
	assert_int_equal(shipopt_query_bind_int(&again, 2), 0); /* values do not count */
	assert_int_equal(shipopt_query_bind_int(&spaced, 1), 0);
	const char *name = prepared_cache_add(&statements, &plain)->name;
	assert_ptr_equal(prepared_cache_find(&statements, &again)->name, name);
	assert_string_equal(prepared_cache_add(&other, &again)->name, name); /* the same on another connection */
	assert_string_not_equal(prepared_cache_add(&statements, &spaced)->name, name);
	assert_int_equal(name[0], 's');
	assert_int_equal(strspn(name + 1, "0123456789abcdef"), 48);
	assert_int_equal(strlen(name), 49);
	assert_in_range(strlen(name), 1, PREPARED_NAME_SIZE - 1);
	shipopt_query_clear(&again);
	assert_int_equal(shipopt_query_bind_text(&again, "1"), 0);
	assert_null(prepared_cache_find(&statements, &again));
	assert_string_not_equal(prepared_cache_add(&statements, &again)->name, name);
	shipopt_query_clear(&again); /* nor without any value */
	assert_null(prepared_cache_find(&statements, &again));
	prepared_cache_done(&other);
	query_done(&plain);
	query_done(&again);
	query_done(&spaced);
	close_cache();
}

static void names_do_not_change_from_release_to_release(void **state)
{
	open_cache(1);
	struct shipopt_query query = query_of("select 1");
	/* The first half of the SHA-256 of the text, then the hash of no types. */
	assert_string_equal(prepared_cache_add(&statements, &query)->name,
		"s822ae07d4783158bc1912bb623e5107c0000000000000000");
	query_done(&query);
	close_cache();
}

static void the_one_not_used_for_longest_goes_first(void **state)
{
	open_cache(3);
	add(1);
	add(2);
	add(3);
	assert_non_null(find(1)); /* used: 2 is the oldest now */
	assert_non_null(add(4));
	assert_null(find(2));
	assert_non_null(find(1));
	assert_non_null(find(3));
	assert_non_null(find(4));
	assert_int_equal(statements.count, 3);
	struct prepared *unwanted = prepared_cache_take_unwanted(&statements);
	struct shipopt_query second = numbered(2);
	assert_non_null(unwanted);
	assert_null(prepared_cache_take_unwanted(&statements));
	prepared_cache_add(&statements, &second); /* evicts 1 */
	assert_string_equal(prepared_cache_find(&statements, &second)->name, unwanted->name);
	query_done(&second);
	mem_free(unwanted);
	close_cache();
}

static void five_hundred_are_kept_and_no_more(void **state)
{
	enum { MOST = 500 };
	open_cache(MOST);
	for (int i = 0; i < MOST; i++)
		assert_non_null(add(i));
	for (int i = 0; i < MOST; i++)
		assert_non_null(find(i));
	assert_null(prepared_cache_take_unwanted(&statements));
	for (int i = MOST; i < 3 * MOST; i++) {
		assert_non_null(add(i));
		assert_int_equal(statements.count, MOST);
		assert_int_equal(take_all_unwanted(), 1);
	}
	for (int i = 0; i < 2 * MOST; i++)
		assert_null(find(i));
	for (int i = 2 * MOST; i < 3 * MOST; i++)
		assert_non_null(find(i));
	close_cache();
}

static void an_evicted_one_that_the_server_still_has_comes_back(void **state)
{
	open_cache(1);
	struct prepared *one = add(1);
	add(2);
	assert_null(find(1));
	assert_ptr_equal(add(1), one); /* no PREPARE is needed */
	assert_true(one->is_confirmed);
	assert_int_equal(statements.unwanted_count, 1); /* 2 took its place */
	close_cache();
}

static void a_stale_one_does_not_come_back_before_it_is_deallocated(void **state)
{
	open_cache(4);
	struct prepared *one = add(1);
	one->is_stale = true;
	prepared_cache_remove(&statements, one, true);
	assert_null(find(1));
	assert_null(add(1)); /* runs without a name meanwhile */
	assert_int_equal(take_all_unwanted(), 1);
	assert_non_null(add(1));
	close_cache();
}

static void one_the_server_does_not_have_is_forgotten_at_once(void **state)
{
	open_cache(4);
	prepared_cache_remove(&statements, add(1), false);
	assert_null(find(1));
	assert_int_equal(take_all_unwanted(), 0);
	close_cache();
}

static void what_is_not_confirmed_is_not_evicted(void **state)
{
	open_cache(1);
	add(1)->is_confirmed = false; /* its PREPARE is under way */
	assert_null(add(2));
	assert_non_null(find(1));
	find(1)->is_confirmed = true;
	assert_non_null(add(2));
	close_cache();
}

static void unwanted_ones_are_bounded(void **state)
{
	open_cache(1);
	for (int i = 0; i <= PREPARED_UNWANTED_MAX; i++)
		assert_non_null(add(i));
	assert_int_equal(statements.unwanted_count, PREPARED_UNWANTED_MAX);
	assert_null(add(1000)); /* more would leak names at the server */
	assert_int_equal(take_all_unwanted(), PREPARED_UNWANTED_MAX);
	assert_non_null(add(1000));
	close_cache();
}

static void a_cache_of_none_prepares_nothing(void **state)
{
	open_cache(0);
	assert_null(add(1));
	assert_null(find(1));
	close_cache();
}

static void clearing_forgets_all_and_goes_on(void **state)
{
	open_cache(2);
	for (int i = 0; i < 4; i++)
		add(i);
	prepared_cache_clear(&statements);
	assert_int_equal(statements.count, 0);
	assert_int_equal(take_all_unwanted(), 0);
	for (int i = 0; i < 4; i++)
		assert_null(find(i));
	for (int i = 0; i < 3; i++)
		assert_non_null(add(i));
	assert_int_equal(statements.count, 2);
	close_cache();
}

/* ---- what a text tells ------------------------------------------------------------------------------------------ */

static unsigned marks_of(const char *sql)
{
	struct shipopt_query query = query_of(sql);
	unsigned marks = query.sql->marks;
	query_done(&query);
	return marks;
}

static void a_text_tells_what_it_does(void **state)
{
	static const struct {
		const char *sql;
		unsigned marks;
	} cases[] = {
		{"select 1", 0},
		{" \n(select 1)", 0},
		{"-- why\n/* and how */ WITH x AS (select 1) select * from x", 0},
		{"insert into t values (1)", 0},
		{"COMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"end", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"prepare transaction 'x'", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"commit prepared 'x'", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"committed", SQL_ONE_SHOT},
		{"rollback", SQL_ROLLS_BACK | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"Abort and chain", SQL_ROLLS_BACK | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"rollback to savepoint s1", SQL_ROLLS_BACK | SQL_ONE_SHOT},
		{"ROLLBACK WORK TO s1", SQL_ROLLS_BACK | SQL_ONE_SHOT},
		{"rollback /* to be sure */", SQL_ROLLS_BACK | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"; COMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"/* a /* b */ rollback */ COMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"-- note\rCOMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"\f\vCOMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"/* open */ /* x */COMMIT", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
		{"set work_mem = 1", SQL_ONE_SHOT},
		{"set  LOCAL work_mem = 1", SQL_ONE_SHOT | SQL_IS_LOCAL},
		{"set /* x */ transaction read only", SQL_ONE_SHOT | SQL_IS_LOCAL},
		{"set session work_mem = 1", SQL_ONE_SHOT},
		{"set localized.x = 1", SQL_ONE_SHOT},
		{"select Set_Config('a', 'b', false)", SQL_DIRTIES},
		{"select pg_advisory_lock(1)", SQL_DIRTIES},
		{"select pg_advisory_xact_lock(1)", 0},
		{"select pg_advisory_unlock(1)", 0},
		{"create temp table t ()", SQL_DIRTIES | SQL_ONE_SHOT},
		{"create TEMPORARY table t ()", SQL_DIRTIES | SQL_ONE_SHOT},
		{"create table templates ()", SQL_ONE_SHOT},
		{"select attempts, temp_c, xtemp, \xc3\xa9temp from t", 0},
		{"select temp", SQL_DIRTIES}, /* a reset too many is not too bad */
		{"select 1 into temp t", SQL_DIRTIES},
		{"create table pg_temp.t ()", SQL_DIRTIES | SQL_ONE_SHOT},
		{"/* never closed",
			SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT}, /* without a first word it may be anything */
		{"--", SQL_COMMITS | SQL_ENDS_BLOCK | SQL_ONE_SHOT},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned marks = marks_of(cases[i].sql);
		if (marks != cases[i].marks)
			print_error("%s: %u\n", cases[i].sql, marks);
		assert_int_equal(marks, cases[i].marks);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_added_is_found),
		cmocka_unit_test(a_name_is_made_of_text_and_types_alone),
		cmocka_unit_test(names_do_not_change_from_release_to_release),
		cmocka_unit_test(the_one_not_used_for_longest_goes_first),
		cmocka_unit_test(five_hundred_are_kept_and_no_more),
		cmocka_unit_test(an_evicted_one_that_the_server_still_has_comes_back),
		cmocka_unit_test(a_stale_one_does_not_come_back_before_it_is_deallocated),
		cmocka_unit_test(one_the_server_does_not_have_is_forgotten_at_once),
		cmocka_unit_test(what_is_not_confirmed_is_not_evicted),
		cmocka_unit_test(unwanted_ones_are_bounded),
		cmocka_unit_test(a_cache_of_none_prepares_nothing),
		cmocka_unit_test(clearing_forgets_all_and_goes_on),
		cmocka_unit_test(a_text_tells_what_it_does),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
