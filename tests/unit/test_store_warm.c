/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <shipopt/warm.h>

#include "base/fault.h"
#include "json/json.h"
#include "runtime/runtime.h"
#include "store_fixture.h"

/* A cache filled from the SQLite store. */
#define ROWS 600 /* more than two pages */

static struct store_fixture fixture;

static void claim(const char *order_key)
{
	struct ledger_request request = fixture_request(LEDGER_OP_CLAIM, order_key, 0);
	assert_int_equal(fixture_run(&fixture, fixture.store, &request), LEDGER_OUTCOME_OK);
	fixture_forget(&request);
}

static int setup(void **state)
{
	store_fixture_init(&fixture, NULL);
	for (int i = 0; i < ROWS; i++) {
		char key[32];
		snprintf(key, sizeof(key), "order-%d", i);
		claim(key);
	}
	return 0;
}

static int teardown(void **state)
{
	store_fixture_done(&fixture);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void all_rows_of_the_ledger_come_under_their_order_keys(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	uint64_t stored = 0;
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 0, cache, NULL, NULL, NULL, &stored, NULL), 0);
	assert_int_equal(stored, ROWS);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), ROWS);
	shipopt_value *value;
	assert_int_equal(shipopt_cache_get(cache, "order-599", 9, &value), SHIPOPT_CACHE_FOUND);
	json_document *document;
	assert_int_equal(json_document_parse(shipopt_value_data(value), shipopt_value_length(value), &document, NULL),
		0);
	assert_string_equal(json_get_text(json_root(document), "order_key"), "order-599");
	assert_string_equal(json_get_text(json_root(document), "state"), "planned");
	json_document_free(document);
	shipopt_value_unref(value);
	/* Another tenant's view, and a state without rows, have none. */
	shipopt_store *view;
	assert_int_equal(shipopt_store_view(fixture.store, "other", &view, NULL), 0);
	assert_int_equal(shipopt_store_warm_cache(view, 0, cache, NULL, NULL, NULL, &stored, NULL), 0);
	assert_int_equal(stored, 0);
	shipopt_store_free(view);
	assert_int_equal(shipopt_store_warm_cache(fixture.store, SHIPOPT_LEDGER_STATE_BOUGHT, cache, NULL, NULL, NULL,
				 &stored, NULL),
		0);
	assert_int_equal(stored, 0);
	shipopt_cache_free(cache);
}

struct choosing {
	int calls, stop_after;
	shipopt_cache *cache;
};

/* Every third row with a time of its own, every third under another key, every third not at all. */
static int choose(void *userdata, const char *order_key, const char *json, size_t length,
	shipopt_cache_options *options)
{
	struct choosing *choosing = userdata;
	int number = atoi(order_key + strlen("order-"));
	assert_int_equal(number, choosing->calls);
	if (choosing->stop_after && choosing->calls == choosing->stop_after)
		return SHIPOPT_ECANCELED;
	choosing->calls++;
	assert_int_equal(json[length - 1], '}');
	if (number % 3 == 0) {
		assert_int_equal(shipopt_cache_options_set_ttl_ms(options, 1000 * (1 + number)), 0);
		return 1;
	}
	if (number % 3 == 1)
		assert_int_equal(shipopt_cache_put(choosing->cache, &number, sizeof(number), "mine", 4, NULL), 0);
	return 0;
}

static void the_host_chooses_what_is_stored_and_for_how_long(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache *cache = test_cache(config);
	struct choosing choosing = {.cache = cache};
	shipopt_cache_options *options;
	uint64_t stored = 0;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	shipopt_cache_options_add_tag(options, "warm");
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 0, cache, options, choose, &choosing, &stored, NULL),
		0);
	shipopt_cache_options_free(options);
	assert_int_equal(choosing.calls, ROWS);
	assert_int_equal(stored, ROWS / 3);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 2 * ROWS / 3);
	pass_ms(300000);
	assert_int_equal(peek(cache, "order-297"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(peek(cache, "order-300"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_remove_tag(cache, "warm"), 0);
	assert_int_equal(peek(cache, "order-300"), SHIPOPT_CACHE_ABSENT);
	int mine = 1;
	assert_int_equal(shipopt_cache_peek(cache, &mine, sizeof(mine)), SHIPOPT_CACHE_FOUND);
	/* The callback may end it. */
	choosing = (struct choosing){.cache = cache, .stop_after = 300};
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 0, cache, NULL, choose, &choosing, &stored, NULL),
		SHIPOPT_ECANCELED);
	assert_int_equal(stored, 100);
	shipopt_cache_free(cache);
}

struct misuse {
	shipopt_cache *cache;
	shipopt_op *op;
	int result;
};

static void warm_in_done(void *userdata, shipopt_op *op)
{
	struct misuse *misuse = userdata;
	misuse->result = shipopt_store_warm_cache(fixture.store, 0, misuse->cache, NULL, NULL, NULL, NULL, NULL);
}

static void wrong_arguments_threads_and_times_are_refused(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	assert_int_equal(shipopt_store_warm_cache(NULL, 0, cache, NULL, NULL, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 0, NULL, NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_store_warm_cache(fixture.store, -1, cache, NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 99, cache, NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_EINVAL);
	struct misuse misuse = {.cache = cache};
	assert_int_equal(shipopt_ledger_count(fixture.store, 0, warm_in_done, &misuse, &misuse.op), 0);
	assert_int_equal(shipopt_op_wait(misuse.op, -1), 0);
	assert_int_equal(misuse.result, SHIPOPT_EDEADLK);
	shipopt_op_unref(misuse.op);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	assert_int_equal(shipopt_store_warm_cache(fixture.store, 0, cache, NULL, NULL, NULL, NULL, NULL),
		SHIPOPT_ESHUTDOWN);
	shipopt_cache_free(cache);
}

#ifdef SHIPOPT_FAULTS
static void each_failure_of_an_allocation_or_of_sqlite_is_told_and_leaks_nothing(void **state)
{
	/* That nothing is left is seen when the store is gone. */
	shipopt_cache *cache = test_cache(test_config());
	for (long points = 0;; points++) {
		uint64_t stored = 0;
		shipopt_error *error = NULL;
		fault_arm(points);
		int r = shipopt_store_warm_cache(fixture.store, SHIPOPT_LEDGER_STATE_BOUGHT, cache, NULL, NULL, NULL,
			&stored, &error);
		bool fired = fault_fired();
		fault_arm(-1);
		shipopt_error_unref(error);
		if (!fired) {
			assert_int_equal(r, 0);
			break;
		}
		assert_true(r < 0);
	}
	shipopt_cache_free(cache);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(all_rows_of_the_ledger_come_under_their_order_keys),
		TEST(the_host_chooses_what_is_stored_and_for_how_long),
		TEST(wrong_arguments_threads_and_times_are_refused),
#ifdef SHIPOPT_FAULTS
		TEST(each_failure_of_an_allocation_or_of_sqlite_is_told_and_leaks_nothing),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
