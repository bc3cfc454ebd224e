/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include "base/clock.h"
#include "base/random.h"

static void entries_expire_at_their_time(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 1000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 400);
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_options *options;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	assert_int_equal(shipopt_cache_options_set_ttl_ms(options, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_options_set_ttl_ms(options, -5), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_options_set_ttl_ms(options, SHIPOPT_CACHE_FOREVER), 0);
	assert_int_equal(shipopt_cache_options_set_soft_ttl_ms(options, SHIPOPT_CACHE_FOREVER - 1), 0);
	put(cache, "a", "1");
	assert_int_equal(shipopt_cache_put(cache, "b", 1, "2", 1, options), 0);
	assert_int_equal(shipopt_cache_put_not_found(cache, "n", 1, NULL), 0);
	pass_ms(399);
	assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_FOUND);
	pass_ms(1);
	assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_STALE);
	pass_ms(599);
	assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_STALE);
	pass_ms(1);
	assert_int_equal(get(cache, "a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "n", NULL), SHIPOPT_CACHE_NOT_FOUND);
	pass_ms(4000);
	assert_int_equal(get(cache, "n", NULL), SHIPOPT_CACHE_ABSENT);
	/* A hundred years on. */
	pass_ms(INT64_C(100) * 365 * 86400 * 1000);
	assert_int_equal(get(cache, "b", "2"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_STALE_HITS), 2);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 3);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_EXPIRED), 2);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void ignore(void *userdata, const void *value, size_t length)
{
}

/* All ways of reading, which look at the time by the near clock first. */
static int outcome_of(shipopt_cache *cache, const char *key)
{
	const void *keys[] = {key};
	const size_t lengths[] = {strlen(key)};
	shipopt_value *values[1];
	int many, r = get(cache, key, NULL);
	assert_int_equal(shipopt_cache_borrow(cache, key, strlen(key), ignore, NULL), r);
	shipopt_cache_get_many(cache, 1, keys, lengths, &many, values);
	assert_int_equal(many, r);
	shipopt_value_unref(values[0]);
	return r;
}

static void entries_expire_at_their_time_by_the_systems_clock_too(void **state)
{
	clock_set_virtual(true);
	shipopt_cache_config *config;
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 1000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 400);
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_options *options;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	assert_int_equal(shipopt_cache_options_set_access_ttl_ms(options, 300), 0);
	assert_int_equal(put(cache, "rate:1234", "1"), 0);
	assert_int_equal(shipopt_cache_put(cache, "rate:9876", 9, "2", 1, options), 0);
	assert_int_equal(outcome_of(cache, "rate:1234"), SHIPOPT_CACHE_FOUND);
	clock_advance_us(299999);
	assert_int_equal(outcome_of(cache, "rate:9876"), SHIPOPT_CACHE_FOUND); /* and lives on for that */
	clock_advance_us(100000);
	assert_int_equal(outcome_of(cache, "rate:1234"), SHIPOPT_CACHE_FOUND);
	clock_advance_us(1);
	assert_int_equal(outcome_of(cache, "rate:1234"), SHIPOPT_CACHE_STALE);
	assert_int_equal(outcome_of(cache, "rate:9876"), SHIPOPT_CACHE_STALE);
	clock_advance_us(299999);
	assert_int_equal(outcome_of(cache, "rate:9876"), SHIPOPT_CACHE_STALE);
	clock_advance_us(300001);
	assert_int_equal(outcome_of(cache, "rate:9876"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(outcome_of(cache, "rate:1234"), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
}

static void a_clock_that_goes_back_only_makes_entries_live_longer(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	pass_ms(1000000);
	put(cache, "a", "1");
	pass_ms(-900000);
	put(cache, "b", "2");
	shipopt_cache_maintain(cache);
	assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_FOUND);
	pass_ms(60000);
	shipopt_cache_maintain(cache);
	assert_int_equal(get(cache, "b", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_FOUND);
	pass_ms(900000);
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void jitter_only_shortens(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 100000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_JITTER_PERCENT, 20);
	shipopt_cache *cache = test_cache(config);
	int64_t low = INT64_MAX, high = 0;
	char key[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "v");
		shipopt_value *value;
		shipopt_cache_get(cache, key, strlen(key), &value);
		int64_t ttl = shipopt_value_ttl_ms(value, cache);
		low = MIN(low, ttl);
		high = MAX(high, ttl);
		shipopt_value_unref(value);
	}
	assert_true(low >= 80000 && low < 81000);
	assert_true(high <= 100000 && high > 99000);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void reading_keeps_an_entry_with_an_access_time_alive(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 10000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ACCESS_TTL_MS, 1000);
	shipopt_cache *cache = test_cache(config);
	put(cache, "read", "1");
	put(cache, "unread", "2");
	for (int i = 0; i < 12; i++) {
		pass_ms(800);
		shipopt_cache_maintain(cache);
		assert_int_equal(get(cache, "read", "1"), SHIPOPT_CACHE_FOUND);
	}
	assert_int_equal(peek(cache, "unread"), SHIPOPT_CACHE_ABSENT);
	pass_ms(500); /* the end of its hard time, though read */
	assert_int_equal(get(cache, "read", NULL), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void touching_gives_a_new_time(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache_config_add_prefix(config, "p:");
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_options *options;
	shipopt_cache_options_new(&options);
	shipopt_cache_options_add_tag(options, "tag");
	shipopt_cache_put(cache, "p:a", 3, "1", 1, options);
	int freed = 0;
	put(cache, "b", "2");
	assert_int_equal(shipopt_cache_touch(cache, "p:a", 3, 1000), 1);
	assert_int_equal(shipopt_cache_touch(cache, "x", 1, 1000), 0);
	assert_int_equal(shipopt_cache_touch(cache, "b", 1, SHIPOPT_CACHE_FOREVER), 1);
	pass_ms(999);
	assert_int_equal(shipopt_cache_touch(cache, "p:a", 3, 5000), 1);
	pass_ms(4999);
	assert_int_equal(get(cache, "p:a", "1"), SHIPOPT_CACHE_FOUND);
	/* Its tags are still its own. */
	shipopt_cache_remove_tag(cache, "tag");
	assert_int_equal(get(cache, "p:a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "b", "2"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(freed, 0);
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_TAGS), 0);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

/* Many times over a long span: nothing early, nothing late by more than the slots allow, and the wheel gives all
 * back. */
static void the_wheel_finds_all_that_expires(void **state)
{
	struct wheel wheel;
	enum { COUNT = 3000 };
	struct random random;
	random_init(&random, 7);
	wheel_init(&wheel, 0);
	struct entry *entries[COUNT];
	for (int i = 0; i < COUNT; i++) {
		struct entry_content content = {.key = "k", .key_length = 1, .is_timed = true};
		entries[i] = entry_new(&content);
		int64_t due = (int64_t)(random_u64(&random) >> (14 + random_below(&random, 40)));
		atomic_store(&entry_timing(entries[i])->expires_us, due);
		wheel_add(&wheel, entries[i]);
	}
	int found = 0;
	for (int64_t now = 0; now >= 0 && found < COUNT; now += now / 50 + 200000) {
		struct entry *entry;
		size_t budget = SIZE_MAX;
		while ((entry = wheel_next(&wheel, now, &budget))) {
			assert_true(entry_timing(entry)->expires_us <= now);
			assert_false(list_is_linked(&entry_timing(entry)->wheel));
			found++;
			entry->created_s = 1;
		}
		for (int i = 0; i < COUNT; i++)
			assert_true(entries[i]->created_s || entry_timing(entries[i])->expires_us > now - 300000);
	}
	assert_int_equal(found, COUNT);
	for (int i = 0; i < COUNT; i++)
		entry_unref(entries[i]);
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_cache_options *tagged(const char *a, const char *b)
{
	shipopt_cache_options *options;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	assert_int_equal(shipopt_cache_options_add_tag(options, a), 0);
	if (b)
		assert_int_equal(shipopt_cache_options_add_tag(options, b), 0);
	return options;
}

static void tags_and_prefixes_and_clear_kill_at_once(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_add_prefix(config, "rate:");
	shipopt_cache_config_add_prefix(config, "rate:us:");
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_options *both = tagged("x", "y"), *one = tagged("x", NULL);
	shipopt_cache_put(cache, "a", 1, "1", 1, both);
	shipopt_cache_put(cache, "b", 1, "2", 1, one);
	put(cache, "c", "3");
	put(cache, "rate:1", "4");
	put(cache, "rate:us:1", "5");
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_TAGS), 2);
	assert_int_equal(shipopt_cache_remove_tag(cache, "y"), 0);
	assert_int_equal(shipopt_cache_remove_tag(cache, "never seen"), 0);
	assert_int_equal(get(cache, "a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "b", "2"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_put(cache, "a", 1, "6", 1, both);
	assert_int_equal(get(cache, "a", "6"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_remove_prefix(cache, "rate:us:"), 0);
	assert_int_equal(get(cache, "rate:us:1", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "rate:1", "4"), SHIPOPT_CACHE_FOUND);
	put(cache, "rate:us:1", "7");
	assert_int_equal(shipopt_cache_remove_prefix(cache, "rate:"), 0);
	assert_int_equal(get(cache, "rate:us:1", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "rate:1", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "c", "3"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_clear(cache), 0);
	assert_int_equal(get(cache, "c", NULL), SHIPOPT_CACHE_ABSENT);
	put(cache, "c", "8");
	assert_int_equal(get(cache, "c", "8"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_TAGS), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_INVALIDATED), 7);
	shipopt_cache_options_free(both);
	shipopt_cache_options_free(one);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void tag_generations_beyond_32_bits_still_order(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_cache_options *options = tagged("t", NULL);
	atomic_store(&cache->tags.ticket, (UINT64_C(1) << 32) - 3);
	shipopt_cache_put(cache, "a", 1, "1", 1, options);
	for (int i = 0; i < 5; i++)
		assert_int_equal(get(cache, "a", "1"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_put(cache, "b", 1, "2", 1, options);
	shipopt_cache_remove_tag(cache, "t");
	shipopt_cache_put(cache, "c", 1, "3", 1, options);
	assert_true(atomic_load(&cache->tags.ticket) > UINT32_MAX);
	assert_int_equal(get(cache, "a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "b", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(get(cache, "c", "3"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void tags_are_bounded_and_forgotten_with_their_entries(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, "tags_max", "10");
	shipopt_cache *cache = test_cache(config);
	char key[16];
	for (int i = 0; i < 11; i++) {
		snprintf(key, sizeof(key), "%d", i);
		shipopt_cache_options *options = tagged(key, NULL);
		assert_int_equal(shipopt_cache_put(cache, key, strlen(key), "v", 1, options),
			i < 10 ? 0 : SHIPOPT_EAGAIN);
		shipopt_cache_options_free(options);
	}
	for (int i = 0; i < 10; i++) {
		snprintf(key, sizeof(key), "%d", i);
		shipopt_cache_remove(cache, key, strlen(key));
	}
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_TAGS), 0);
	shipopt_cache_options *many;
	shipopt_cache_options_new(&many);
	for (int i = 0; i < 9; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(shipopt_cache_options_add_tag(many, key), i < 8 ? 0 : SHIPOPT_ETOOLARGE);
	}
	assert_int_equal(shipopt_cache_options_clear_tags(many), 0);
	shipopt_cache_options_free(many);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void patterns_match(void **state)
{
	static const struct {
		const char *pattern, *key;
		bool matches;
	} rows[] = {{"shipment:*:rates", "shipment:12:rates", true}, {"shipment:*:rates", "shipment::rates", true},
		{"shipment:*:rates", "shipment:12:rate", false}, {"*", "", true}, {"", "", true}, {"", "a", false},
		{"a?c", "abc", true}, {"a?c", "ac", false}, {"*a*b*", "xxaxxbxx", true}, {"*a*b", "xxbxxaxx", false},
		{"\\*", "*", true}, {"\\*", "a", false}, {"a\\?", "a?", true}, {"a\\?", "ab", false},
		{"**", "abc", true}, {"*aaab", "aaaaaaab", true}, {"a*", "b", false}};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pattern pattern = {rows[i].pattern, strlen(rows[i].pattern), false};
		assert_int_equal(pattern_matches(&pattern, rows[i].key, strlen(rows[i].key)), rows[i].matches);
	}
}

static void a_pattern_removes_what_matches_and_says_how_many(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	char key[32];
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), i % 2 ? "shipment:%d:rates" : "shipment:%d:events", i);
		put(cache, key, "v");
	}
	uint64_t removed = 0;
	assert_int_equal(shipopt_cache_remove_pattern(cache, "shipment:*:rates", &removed), 0);
	assert_int_equal(removed, 1000);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1000);
	assert_int_equal(peek(cache, "shipment:1:rates"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(peek(cache, "shipment:2:events"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_remove_prefix(cache, "shipment:1"), 0);
	assert_int_equal(peek(cache, "shipment:10:events"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(peek(cache, "shipment:2:events"), SHIPOPT_CACHE_FOUND);
	pass_ms(60000);
	assert_int_equal(shipopt_cache_remove_pattern(cache, "*", &removed), 0);
	assert_int_equal(removed, 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static int64_t weigh(shipopt_cache *cache)
{
	int64_t sum = 0, count = 0;
	for (unsigned i = 0; i < cache->shard_count; i++) {
		struct shard *shard = &cache->shards[i];
		uint64_t position = 0;
		do {
			struct entry *entries[SEGMENT_SLOTS];
			size_t found;
			position = table_walk(&shard->table, position, entries, &found);
			for (size_t j = 0; j < found; j++)
				sum += (int64_t)entry_weight(entries[j]);
			count += (int64_t)found;
		} while (position);
		assert_int_equal(shard->queues.small.count + shard->queues.main.count, shard->table.count);
	}
	assert_int_equal(count, stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES));
	return sum;
}

static void bounds_hold_and_bytes_add_up(void **state)
{
	static const char *const policies[] = {"s3fifo", "lru"};
	for (int p = 0; p < 2; p++) {
		shipopt_cache_config *config = test_config();
		shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, policies[p]);
		shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, 1 << 20);
		shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 3000);
		shipopt_cache *cache = test_cache(config);
		struct random random;
		random_init(&random, 3);
		static char value[200000];
		for (int i = 0; i < 30000; i++) {
			char key[16];
			snprintf(key, sizeof(key), "%d", (int)random_below(&random, 6000));
			size_t length = random_below(&random, 100) == 0 ? random_below(&random, sizeof(value))
									: random_below(&random, 300);
			int r = shipopt_cache_put(cache, key, strlen(key), value, length, NULL);
			assert_true(r == 0 || (r == SHIPOPT_ETOOLARGE && length > (1 << 17) - 200));
			if (i % 7 == 0)
				shipopt_cache_remove(cache, key, strlen(key));
			assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_BYTES) <= 1 << 20);
			assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES) <= 3000);
		}
		assert_int_equal(weigh(cache), stat_of(cache, SHIPOPT_CACHE_STAT_BYTES));
		assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_EVICTED) > 0);
		assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_EVICTED_BYTES) >
			stat_of(cache, SHIPOPT_CACHE_STAT_EVICTED) * 80);
		shipopt_cache_free(cache);
		assert_int_equal(mem_live_count(), 0);
	}
}

static void a_value_as_large_as_the_bound_pushes_all_others_out(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, 1 << 20);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_VALUE_MAX_BYTES, 1 << 20);
	shipopt_cache *cache = test_cache(config);
	static char value[(1 << 20) - 300];
	char key[16];
	for (int i = 0; i < 2000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "small");
	}
	assert_int_equal(shipopt_cache_put(cache, "large", 5, value, sizeof(value), NULL), 0);
	assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_BYTES) <= 1 << 20);
	assert_int_equal(peek(cache, "large"), SHIPOPT_CACHE_FOUND);
	assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES) <= 3);
	assert_int_equal(shipopt_cache_put(cache, "larger", 6, value, sizeof(value) + 300, NULL), SHIPOPT_ETOOLARGE);
	assert_int_equal(peek(cache, "large"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void entries_held_by_readers_do_not_stop_eviction(void **state)
{
	enum { HELD = 64 };
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, HELD);
	shipopt_cache *cache = test_cache(config);
	shipopt_value *values[HELD];
	char key[16];
	for (int i = 0; i < HELD; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, key);
		assert_int_equal(shipopt_cache_get(cache, key, strlen(key), &values[i]), SHIPOPT_CACHE_FOUND);
	}
	for (int i = HELD; i < 20 * HELD; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(put(cache, key, key), 0);
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), HELD);
	}
	shipopt_cache_maintain(cache);
	int64_t held = 0;
	for (int i = 0; i < HELD; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_memory_equal(shipopt_value_data(values[i]), key, strlen(key));
		if (peek(cache, key) == SHIPOPT_CACHE_ABSENT)
			held += (int64_t)entry_weight(value_entry(values[i]));
	}
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), held);
	for (int i = 0; i < HELD; i++)
		shipopt_value_unref(values[i]);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void keys_whose_hashes_agree_are_kept_apart(void **state)
{
	static const uint64_t masks[] = {0, 0xff, UINT64_C(0xff00000000000000), UINT64_C(0x3f00)};
	for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
		shipopt_cache_config *config = test_config();
		config->hash_mask = masks[m];
		shipopt_cache *cache = test_cache(config);
		char key[16];
		int wrong = 0, present = 0;
		for (int i = 0; i < 3000; i++) {
			snprintf(key, sizeof(key), "%d", i);
			assert_int_equal(put(cache, key, key), 0);
			assert_int_equal(get(cache, key, key), SHIPOPT_CACHE_FOUND);
		}
		for (int i = 0; i < 3000; i++) {
			snprintf(key, sizeof(key), "%d", i);
			present += get(cache, key, key) == SHIPOPT_CACHE_FOUND;
		}
		assert_int_equal(wrong, 0);
		assert_int_equal(present, stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES));
		/* The index of a few agreeing hashes stays small. */
		assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_INDEX_BYTES) < 2 << 20);
		for (int i = 0; i < 3000; i++) {
			snprintf(key, sizeof(key), "%d", i);
			shipopt_cache_remove(cache, key, strlen(key));
		}
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_BYTES), 0);
		shipopt_cache_free(cache);
		assert_int_equal(mem_live_count(), 0);
	}
}

struct told {
	shipopt_cache *cache;
	int causes[8];
	int of_key[1000];
	int depth, stored;
	bool writes;
};

static void on_removed(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause)
{
	struct told *told = userdata;
	assert_int_equal(told->depth, 0);
	told->depth++;
	told->causes[cause]++;
	char text[16] = "";
	memcpy(text, key, key_length);
	told->of_key[atoi(text)]++;
	assert_int_equal(shipopt_value_length(value), 1);
	/* Writing to a full cache from here evicts again, without recursion. */
	if (told->writes && cause == SHIPOPT_CACHE_CAUSE_EVICTED && atoi(text) < 900) {
		snprintf(text, sizeof(text), "%d", atoi(text) + 100);
		assert_int_equal(put(told->cache, text, "w"), 0);
		told->stored++;
		shipopt_cache_remove_tag(told->cache, "none");
	}
	told->depth--;
}

static void the_listener_hears_of_each_value_once_with_its_cause(void **state)
{
	struct told told = {0};
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 10);
	shipopt_cache_config_set_removed(config, on_removed, &told);
	shipopt_cache *cache = test_cache(config);
	told.cache = cache;
	char key[16];
	for (int i = 0; i < 13; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "v");
	}
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_EVICTED], 3);
	put(cache, "12", "v");
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_REPLACED], 1);
	shipopt_cache_remove(cache, "12", 2);
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_REMOVED], 1);
	shipopt_cache_put_not_found(cache, "12", 2, NULL); /* not a value */
	shipopt_cache_remove(cache, "12", 2);
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_REMOVED], 1);
	shipopt_cache_clear(cache);
	shipopt_cache_maintain(cache);
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_INVALIDATED], 9);
	put(cache, "20", "v");
	pass_ms(60000);
	put(cache, "20", "v");
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_EXPIRED], 1);
	put(cache, "21", "v");
	told.writes = true;
	for (int i = 100; i < 200; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "v");
	}
	told.writes = false;
	told.stored += 13 + 1 + 3 + 100;
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 10);
	int before = told.causes[SHIPOPT_CACHE_CAUSE_CLOSED];
	shipopt_cache_free(cache);
	assert_int_equal(before, 0);
	assert_int_equal(told.causes[SHIPOPT_CACHE_CAUSE_CLOSED], 10);
	/* Each writing of a key was told of once. */
	int told_of = 0;
	for (int i = 0; i < 1000; i++)
		told_of += told.of_key[i];
	assert_int_equal(told_of, told.stored);
	assert_int_equal(mem_live_count(), 0);
}

struct remover {
	shipopt_cache *cache;
	int told, depth;
};

static void remove_others(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause)
{
	struct remover *remover = userdata;
	assert_int_equal(remover->depth++, 0);
	remover->told++;
	char other[16] = "";
	memcpy(other, key, key_length);
	snprintf(other, sizeof(other), "%d", atoi(other) + 1);
	shipopt_cache_remove(remover->cache, other, strlen(other));
	shipopt_cache_remove_pattern(remover->cache, "5*", NULL);
	remover->depth--;
}

static void a_listener_may_remove_what_is_left(void **state)
{
	struct remover remover = {0};
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_removed(config, remove_others, &remover);
	shipopt_cache *cache = test_cache(config);
	remover.cache = cache;
	for (int i = 0; i < 100; i++) {
		char key[16];
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, key);
	}
	assert_int_equal(shipopt_cache_remove(cache, "0", 1), 1);
	assert_int_equal(remover.told, 100); /* each took the next one along */
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void an_idle_cache_gives_expired_memory_back(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, "shards", "1"); /* a write tidies its own shard only */
	shipopt_cache *cache = test_cache(config);
	char key[16];
	for (int i = 0; i < 5000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "some value");
	}
	uint64_t blocks = mem_live_count();
	pass_ms(61000);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_BYTES), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	assert_true(mem_live_count() <= blocks - 5000);
	/* And one that is only written to, as well. */
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "some value");
	}
	pass_ms(61000);
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "new %d", i % 100);
		put(cache, key, "value");
	}
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_EXPIRED), 6000);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(entries_expire_at_their_time),
		cmocka_unit_test(entries_expire_at_their_time_by_the_systems_clock_too),
		cmocka_unit_test(a_clock_that_goes_back_only_makes_entries_live_longer),
		cmocka_unit_test(jitter_only_shortens),
		cmocka_unit_test(reading_keeps_an_entry_with_an_access_time_alive),
		cmocka_unit_test(touching_gives_a_new_time),
		cmocka_unit_test(the_wheel_finds_all_that_expires),
		cmocka_unit_test(tags_and_prefixes_and_clear_kill_at_once),
		cmocka_unit_test(tag_generations_beyond_32_bits_still_order),
		cmocka_unit_test(tags_are_bounded_and_forgotten_with_their_entries),
		cmocka_unit_test(patterns_match),
		cmocka_unit_test(a_pattern_removes_what_matches_and_says_how_many),
		cmocka_unit_test(bounds_hold_and_bytes_add_up),
		cmocka_unit_test(a_value_as_large_as_the_bound_pushes_all_others_out),
		cmocka_unit_test(entries_held_by_readers_do_not_stop_eviction),
		cmocka_unit_test(keys_whose_hashes_agree_are_kept_apart),
		cmocka_unit_test(the_listener_hears_of_each_value_once_with_its_cause),
		cmocka_unit_test(a_listener_may_remove_what_is_left),
		cmocka_unit_test(an_idle_cache_gives_expired_memory_back),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
