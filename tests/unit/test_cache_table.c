/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

enum { KEYS = BUCKET_SLOTS * 3 };

static unsigned overflow_of(shipopt_cache *cache)
{
	unsigned sum = 0;
	const struct segment *segment = directory_segment(atomic_load(&cache_shard(cache, 0)->table.directory), 0);
	for (size_t i = 0; i < SEGMENT_BUCKETS; i++)
		sum += marks_overflow(atomic_load(&segment->buckets[i].marks));
	return sum;
}

/* Buckets count the entries that went on to a later one, so that a look-up ends where none did. */
static void what_is_removed_gives_its_overflow_back(void **state)
{
	shipopt_cache_config *config = test_config();
	config->hash_mask = 0; /* all into the first bucket */
	shipopt_cache *cache = test_cache(config);
	char key[16];
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_true(put(cache, key, "value") >= 0);
	}
	assert_int_equal(overflow_of(cache), BUCKET_SLOTS + 2 * BUCKET_SLOTS);
	for (int i = 0; i < KEYS; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(shipopt_cache_remove(cache, key, strlen(key)), 1);
	}
	assert_int_equal(overflow_of(cache), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_removed_gives_its_overflow_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
