/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/warm.h>
#include <string.h>

#include "base/macro.h"
#include "pool_fixture.h"

/* A cache filled from the rows of a query. */

static int64_t now_us = 1000000;

static int64_t still_clock(void *userdata)
{
	return now_us;
}

static shipopt_cache *make_cache(void)
{
	shipopt_cache_config *config;
	shipopt_cache *cache;
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	shipopt_cache_config_set_clock(config, still_clock, NULL);
	assert_int_equal(shipopt_cache_new(config, &cache, NULL), 0);
	shipopt_cache_config_free(config);
	return cache;
}

static int warm(shipopt_cache *cache, const char *sql, uint64_t *ret_stored, shipopt_error **ret_error)
{
	shipopt_query *query = make_query(sql);
	int r = shipopt_pool_warm_cache(fixture.pool, query, cache, NULL, ret_stored, ret_error);
	shipopt_query_free(query);
	return r;
}

static void expect(shipopt_cache *cache, const char *key, const char *text, int64_t ttl_ms)
{
	shipopt_value *value;
	assert_int_equal(shipopt_cache_get(cache, key, strlen(key), &value), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_value_length(value), strlen(text));
	assert_memory_equal(shipopt_value_data(value), text, strlen(text));
	assert_int_equal(shipopt_value_ttl_ms(value, cache), ttl_ms);
	shipopt_value_unref(value);
}

static void rows_of_a_query_fill_a_cache_with_times_of_their_own(void **state)
{
	uint64_t stored = 0;
	fixture_open(NULL, NULL);
	shipopt_cache *cache = make_cache();
	assert_int_equal(warm(cache, "select 'k' || i, 'value ' || i from generate_series(1, 5000) i", &stored, NULL),
		0);
	assert_int_equal(stored, 5000);
	expect(cache, "k5000", "value 5000", 60000);
	assert_int_equal(
		warm(cache,
			"values ('json'::text, '{\"a\": 1}'::jsonb, 500::bigint), ('own', '[]', null), ('over', '[]', 0),"
			"(null, '[]', 5), ('', '[]', 5), ('none', null, 700)",
			&stored, NULL),
		0);
	assert_int_equal(stored, 3);
	expect(cache, "json", "{\"a\": 1}", 500);
	expect(cache, "own", "[]", 60000);
	assert_int_equal(shipopt_cache_peek(cache, "over", 4), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(shipopt_cache_peek(cache, "none", 4), SHIPOPT_CACHE_NOT_FOUND);
	assert_int_equal(warm(cache, "values ('\\x6162'::bytea, '\\x63'::bytea)", &stored, NULL), 0);
	assert_int_equal(stored, 1);
	expect(cache, "ab", "c", 60000);
	shipopt_cache_free(cache);
	fixture_close();
}

static void what_cannot_fill_a_cache_is_told(void **state)
{
	uint64_t stored = 7;
	shipopt_error *error = NULL;
	fixture_open(NULL, NULL);
	shipopt_cache *cache = make_cache();
	assert_int_equal(warm(cache, "select 'k'::text", &stored, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "1 columns"));
	shipopt_error_unref(TAKE(error));
	assert_int_equal(warm(cache, "select 'k'::text, 1::int", &stored, &error), SHIPOPT_ETYPE);
	assert_non_null(strstr(shipopt_error_message(error), "column 2"));
	shipopt_error_unref(TAKE(error));
	assert_int_equal(warm(cache, "select 'k'::text, 'v'::text, 'soon'::text", &stored, &error), SHIPOPT_ETYPE);
	shipopt_error_unref(TAKE(error));
	assert_int_equal(stored, 0);
	assert_int_equal(warm(cache, "select nonsense", &stored, &error), SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_sqlstate(error), "42703");
	shipopt_error_unref(TAKE(error));
	/* Rows before the failure stay. */
	assert_int_equal(warm(cache, "select 'k' || i, (10 / (i - 900))::text from generate_series(1, 2000) i", &stored,
				 &error),
		SHIPOPT_EINVAL);
	shipopt_error_unref(TAKE(error));
	assert_true(stored < 900);
	/* Two failures with one code: the first is told, and the second one's error is not lost. */
	assert_int_equal(warm(cache, "select (10 / (i - 900))::text from generate_series(1, 2000) i", &stored, &error),
		SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "1 columns"));
	shipopt_error_unref(TAKE(error));
	assert_int_equal(run_number(NULL, "select 6"), 6);
	assert_int_equal(shipopt_pool_warm_cache(NULL, NULL, cache, NULL, NULL, NULL), SHIPOPT_EINVAL);
	shipopt_cache_free(cache);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rows_of_a_query_fill_a_cache_with_times_of_their_own),
		cmocka_unit_test(what_cannot_fill_a_cache_is_told),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
