/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/shipopt.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/macro.h"
#include "base/memory.h"
#include "store_fixture.h"

/* Small public calls that no larger test uses: getters, names, options, and the queue of a handle. */

static void a_time_is_read_as_it_was_set_or_decoded(void **state)
{
	shipopt_record *record = NULL;
	int64_t time_ms = 5;
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &record), 0);
	assert_int_equal(shipopt_record_get_time_ms(record, SHIPOPT_SHIPMENT_CREATED_AT, &time_ms), 0);
	assert_int_equal(time_ms, 5);
	assert_int_equal(shipopt_record_set_time_ms(record, SHIPOPT_SHIPMENT_CREATED_AT, 1700000000123, NULL), 0);
	assert_int_equal(shipopt_record_get_time_ms(record, SHIPOPT_SHIPMENT_CREATED_AT, &time_ms), 1);
	assert_int_equal(time_ms, 1700000000123);
	assert_int_equal(shipopt_record_get_time_ms(record, SHIPOPT_SHIPMENT_REFERENCE, &time_ms), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_get_time_ms(record, 9999, &time_ms), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_time_ms(NULL, SHIPOPT_SHIPMENT_CREATED_AT, &time_ms), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_time_ms(record, SHIPOPT_SHIPMENT_CREATED_AT, NULL), SHIPOPT_EINVAL);
	shipopt_record_free(record);
	static const char json[] = "{\"created_at\":\"2023-11-14T22:13:20Z\"}";
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &record, NULL), 0);
	assert_int_equal(shipopt_record_get_time_ms(record, SHIPOPT_SHIPMENT_CREATED_AT, &time_ms), 1);
	assert_int_equal(time_ms, 1700000000000);
	shipopt_record_free(record);
	assert_int_equal(mem_live_count(), 0);
}

static void a_field_of_an_error_has_the_carriers_own_code(void **state)
{
	const struct error_field fields[] = {{.name = "zip", .message = "is wrong", .carrier_code = "E.ZIP.INVALID"},
		{.name = "city", .message = "is missing"}};
	shipopt_error *error = NULL;
	error_set_detail(&error,
		&(struct error_detail){.code = SHIPOPT_EREFUSED,
			.retry_after_ms = -1,
			.fields = fields,
			.field_count = 2});
	assert_string_equal(shipopt_error_field_carrier_code(error, 0), "E.ZIP.INVALID");
	assert_null(shipopt_error_field_carrier_code(error, 1));
	assert_null(shipopt_error_field_carrier_code(error, 2));
	assert_null(shipopt_error_field_carrier_code(NULL, 0));
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

static void every_state_of_the_ledger_has_a_name(void **state)
{
	for (int i = SHIPOPT_LEDGER_STATE_PLANNED; i <= SHIPOPT_LEDGER_STATE_VOID_REFUSED; i++) {
		assert_string_not_equal(shipopt_ledger_state_name(i), "unknown");
		for (int k = SHIPOPT_LEDGER_STATE_PLANNED; k < i; k++)
			assert_string_not_equal(shipopt_ledger_state_name(i), shipopt_ledger_state_name(k));
	}
	assert_string_equal(shipopt_ledger_state_name(SHIPOPT_LEDGER_STATE_IN_DOUBT), "in doubt");
	assert_string_equal(shipopt_ledger_state_name(0), "unknown");
	assert_string_equal(shipopt_ledger_state_name(-7), "unknown");
	assert_string_equal(shipopt_ledger_state_name(1000), "unknown");
}

/* Shortest and longest time to live of entries put with the options. */
static void measure_lives(shipopt_cache *cache, const shipopt_cache_options *options, int64_t *ret_low,
	int64_t *ret_high)
{
	*ret_low = INT64_MAX;
	*ret_high = 0;
	for (int i = 0; i < 200; i++) {
		char key[16];
		shipopt_value *value = NULL;
		int length = snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(shipopt_cache_put(cache, key, (size_t)length, "v", 1, options), 0);
		assert_int_equal(shipopt_cache_get(cache, key, (size_t)length, &value), SHIPOPT_CACHE_FOUND);
		int64_t ttl_ms = shipopt_value_ttl_ms(value, cache);
		*ret_low = MIN(*ret_low, ttl_ms);
		*ret_high = MAX(*ret_high, ttl_ms);
		shipopt_value_unref(value);
	}
}

static void an_entry_may_have_its_own_jitter(void **state)
{
	shipopt_cache *cache = NULL;
	shipopt_cache_options *options = NULL;
	int64_t low, high;
	assert_int_equal(shipopt_cache_new(NULL, &cache, NULL), 0);
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	assert_int_equal(shipopt_cache_options_set_ttl_ms(options, 10000000), 0);
	measure_lives(cache, options, &low, &high);
	assert_true(high - low < 100000); /* what the test itself takes */
	assert_int_equal(shipopt_cache_options_set_jitter_percent(options, 50), 0);
	measure_lives(cache, options, &low, &high);
	assert_true(low >= 4900000 && low < 6000000);
	assert_true(high > 9000000 && high <= 10000000);
	assert_int_equal(shipopt_cache_options_set_jitter_percent(options, 91), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_options_set_jitter_percent(options, -1), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_options_set_jitter_percent(NULL, 1), SHIPOPT_EINVAL);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

/* Takes one event and checks that it is the end of an operation of this userdata. */
static void expect_done(shipopt_queue *queue, void *userdata)
{
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 20000), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_OP);
	assert_int_equal(event.status, 0);
	assert_true(event.userdata == (uintptr_t)userdata);
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
}

static void a_store_delivers_to_its_queue(void **state)
{
	char folder[128], url[192];
	shipopt_runtime *runtime = NULL;
	shipopt_queue *queue = NULL;
	shipopt_store_config *config = NULL;
	shipopt_store *store = NULL;
	folder_make(folder, sizeof(folder));
	snprintf(url, sizeof(url), "sqlite:%s/ship.db", folder);
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(runtime, 4, &queue), 0);
	assert_int_equal(shipopt_store_config_new(&config), 0);
	assert_int_equal(shipopt_store_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_store_config_set_queue(NULL, queue), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_store_open(runtime, url, config, &store, NULL), 0);
	shipopt_store_config_free(config);
	assert_int_equal(shipopt_store_ready(store, NULL, &store, NULL), 0);
	expect_done(queue, &store);
	shipopt_store_free(store);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_queue_free(queue);
	shipopt_runtime_free(runtime);
	folder_remove(folder);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_time_is_read_as_it_was_set_or_decoded),
		cmocka_unit_test(a_field_of_an_error_has_the_carriers_own_code),
		cmocka_unit_test(every_state_of_the_ledger_has_a_name),
		cmocka_unit_test(an_entry_may_have_its_own_jitter),
		cmocka_unit_test(a_store_delivers_to_its_queue),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
