/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <sys/wait.h>
#include <unistd.h>

static void what_is_put_is_found_and_what_is_removed_is_not(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	assert_int_equal(get(cache, "a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(put(cache, "a", "one"), 0);
	assert_int_equal(put(cache, "b", ""), 0);
	assert_int_equal(get(cache, "a", "one"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "b", ""), SHIPOPT_CACHE_FOUND);
	assert_int_equal(put(cache, "a", "two"), 0);
	assert_int_equal(get(cache, "a", "two"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_remove(cache, "a", 1), 1);
	assert_int_equal(shipopt_cache_remove(cache, "a", 1), 0);
	assert_int_equal(get(cache, "a", NULL), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HITS), 3);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_MISSES), 2);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_REPLACED), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_REMOVED), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_STORED), 3);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void arguments_out_of_bounds_are_refused(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	static char long_key[65536];
	shipopt_value *value;
	int64_t number;
	assert_int_equal(shipopt_cache_get(cache, "", 0, &value), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_get(NULL, "a", 1, &value), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_get(cache, "a", 1, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_put(cache, long_key, 65536, "", 0, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_put(cache, long_key, 65535, "", 0, NULL), 0);
	assert_int_equal(shipopt_cache_peek(cache, long_key, 65535), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_put(cache, "a", 1, NULL, 1, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_put_if(cache, "a", 1, NULL, 1, 7, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_touch(cache, "a", 1, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_remove_tag(cache, ""), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_stat(cache, 99, &number), SHIPOPT_EINVAL);
	shipopt_cache_free(cache);
	shipopt_cache_free(NULL);
	shipopt_value_unref(NULL);
	shipopt_cache_config *config = test_config();
	assert_int_equal(shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, "fifo"), SHIPOPT_EINVAL);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_new(config, &cache, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "\"fifo\""));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, 4095), SHIPOPT_EINVAL);
	shipopt_cache_config_free(config);
	assert_int_equal(mem_live_count(), 0);
}

static void a_wrong_prefix_is_named_by_the_configuration_and_by_new(void **state)
{
	static char text[1026];
	shipopt_cache *cache = NULL;
	shipopt_error *error = NULL;
	shipopt_cache_config *config = test_config();
	memset(text, 'p', 1025);
	assert_int_equal(shipopt_cache_config_add_prefix(NULL, "rate:"), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_config_add_prefix(config, text), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(shipopt_cache_config_error(config)), "1025 bytes"));
	assert_int_equal(shipopt_cache_config_add_prefix(config, ""), SHIPOPT_EINVAL);
	/* The first error is kept, and stops the creation. */
	assert_int_equal(shipopt_cache_new(config, &cache, &error), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(error), "1025 bytes"));
	shipopt_error_unref(error);
	shipopt_cache_config_free(config);
	config = test_config();
	for (int i = 0; i < 64; i++)
		assert_int_equal(shipopt_cache_config_add_prefix(config, text + 1025 - 1 - i), 0);
	assert_int_equal(shipopt_cache_config_add_prefix(config, "one too many"), SHIPOPT_ETOOLARGE);
	shipopt_cache_config_free(config);
	assert_int_equal(mem_live_count(), 0);
}

static void a_handle_outlives_entry_and_cache(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_value *value;
	assert_int_equal(put(cache, "key", "first value"), 0);
	assert_int_equal(shipopt_cache_get(cache, "key", 3, &value), SHIPOPT_CACHE_FOUND);
	uint64_t version = shipopt_value_version(value);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
	assert_int_equal(put(cache, "key", "second"), 0);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), (int64_t)entry_weight(value_entry(value)));
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	shipopt_value *other;
	assert_int_equal(shipopt_cache_get(cache, "key", 3, &other), SHIPOPT_CACHE_FOUND);
	assert_true(shipopt_value_version(other) != version);
	shipopt_cache_free(cache);
	assert_memory_equal(shipopt_value_data(value), "first value", 11);
	assert_memory_equal(shipopt_value_key(other), "key", 3);
	assert_int_equal((uintptr_t)shipopt_value_data(other) % 8, 0);
	assert_ptr_equal(shipopt_value_ref(other), other);
	shipopt_value_unref(other);
	shipopt_value_unref(other);
	shipopt_value_unref(value);
	assert_int_equal(mem_live_count(), 0);
}

static void count_free(void *userdata, void *value, size_t length)
{
	++*(int *)userdata;
	assert_int_equal(length, 5);
	free(value);
}

static void an_owned_value_is_freed_once_when_nobody_needs_it(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	int freed = 0;
	char *bytes = malloc(5);
	memcpy(bytes, "owned", 5);
	shipopt_value *value;
	assert_int_equal(shipopt_cache_put_owned(cache, "k", 1, bytes, 5, count_free, &freed, NULL), 0);
	assert_int_equal(shipopt_cache_get(cache, "k", 1, &value), SHIPOPT_CACHE_FOUND);
	assert_ptr_equal(shipopt_value_data(value), bytes);
	assert_int_equal(shipopt_cache_remove(cache, "k", 1), 1);
	shipopt_cache_maintain(cache);
	assert_int_equal(freed, 0);
	shipopt_value_unref(value);
	assert_int_equal(freed, 1);
	/* Refused: stays the caller's. */
	char *large = calloc(1, 16 << 20);
	assert_int_equal(shipopt_cache_put_owned(cache, "k", 1, large, 16 << 20, count_free, &freed, NULL),
		SHIPOPT_ETOOLARGE);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_REFUSED), 1);
	free(large);
	shipopt_cache_free(cache);
	assert_int_equal(freed, 1);
	assert_int_equal(mem_live_count(), 0);
}

static void see_value(void *userdata, const void *value, size_t length)
{
	assert_int_equal(length, 5);
	memcpy(userdata, value, length);
}

static void values_are_copied_and_borrowed(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	put(cache, "k", "hello");
	char text[8] = "";
	size_t length = 0;
	assert_int_equal(shipopt_cache_borrow(cache, "k", 1, see_value, text), SHIPOPT_CACHE_FOUND);
	assert_string_equal(text, "hello");
	assert_int_equal(shipopt_cache_borrow(cache, "x", 1, see_value, text), SHIPOPT_CACHE_ABSENT);
	memset(text, 0, sizeof(text));
	assert_int_equal(shipopt_cache_get_copy(cache, "k", 1, text, 4, &length), SHIPOPT_ETOOLARGE);
	assert_int_equal(length, 5);
	assert_string_equal(text, "");
	assert_int_equal(shipopt_cache_get_copy(cache, "k", 1, text, 5, &length), SHIPOPT_CACHE_FOUND);
	assert_string_equal(text, "hello");
	assert_int_equal(shipopt_cache_get_copy(cache, "x", 1, text, 5, &length), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void many_keys_are_looked_up_at_once(void **state)
{
	enum { COUNT = 100 };
	shipopt_cache *cache = test_cache(test_config());
	char keys[COUNT][16];
	const void *pointers[COUNT];
	size_t lengths[COUNT];
	int outcomes[COUNT];
	shipopt_value *values[COUNT];
	for (int i = 0; i < COUNT; i++) {
		lengths[i] = (size_t)snprintf(keys[i], sizeof(keys[i]), "key:%d", i);
		pointers[i] = keys[i];
		if (i % 3 == 0)
			put(cache, keys[i], keys[i]);
		if (i % 3 == 1)
			shipopt_cache_put_not_found(cache, keys[i], lengths[i], NULL);
	}
	assert_int_equal(shipopt_cache_get_many(cache, COUNT, pointers, lengths, outcomes, values), 34);
	for (int i = 0; i < COUNT; i++) {
		assert_int_equal(outcomes[i],
			i % 3 == 0           ? SHIPOPT_CACHE_FOUND
				: i % 3 == 1 ? SHIPOPT_CACHE_NOT_FOUND
					     : SHIPOPT_CACHE_ABSENT);
		assert_true((values[i] != NULL) == (i % 3 == 0));
		if (values[i])
			assert_memory_equal(shipopt_value_data(values[i]), keys[i], lengths[i]);
		shipopt_value_unref(values[i]);
	}
	assert_int_equal(shipopt_cache_get_many(cache, 0, pointers, lengths, outcomes, values), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_NOT_FOUND_HITS), 33);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void note(void *userdata, const void *value, size_t length)
{
	*(int *)userdata = *(const char *)value;
}

/* The key stands in a block of just its size: a look-up reads no byte more. Without a time to live it is done without a
 * call. */
static void assert_key(shipopt_cache *cache, const char *key, size_t length, int expected)
{
	const void *keys[] = {key, key};
	size_t lengths[] = {length, length};
	int found = expected ? SHIPOPT_CACHE_FOUND : SHIPOPT_CACHE_ABSENT, outcomes[2], borrowed = 0;
	shipopt_value *values[3] = {NULL};
	assert_int_equal(shipopt_cache_get(cache, key, length, &values[2]), found);
	assert_int_equal(shipopt_cache_borrow(cache, key, length, note, &borrowed), found);
	assert_int_equal(borrowed, expected);
	assert_int_equal(shipopt_cache_get_many(cache, 2, keys, lengths, outcomes, values), expected ? 2 : 0);
	for (int i = 0; i < 3; i++) {
		assert_true((values[i] != NULL) == (expected != 0));
		if (values[i])
			assert_int_equal(*(const char *)shipopt_value_data(values[i]), expected);
		shipopt_value_unref(values[i]);
	}
}

static void keys_of_every_length_are_compared_to_the_last_byte(void **state)
{
	/* With hashes that agree only comparing the keys tells them apart. */
	static const uint64_t masks[] = {UINT64_MAX, 0};
	for (size_t m = 0; m < ARRAY_SIZE(masks); m++) {
		for (size_t length = 1; length <= 100; length++) {
			shipopt_cache_config *config = test_config();
			shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
			config->hash_mask = masks[m];
			shipopt_cache *cache = test_cache(config);
			char *key = malloc(length);
			memset(key, 'k', length);
			assert_int_equal(shipopt_cache_put(cache, key, length, "a", 1, NULL), 0);
			for (size_t i = 0; i < length; i++) {
				key[i] = 'x';
				assert_key(cache, key, length, 0);
				assert_int_equal(shipopt_cache_put(cache, key, length, "b", 1, NULL), 0);
				assert_key(cache, key, length, 'b');
				key[i] = 'k';
			}
			assert_key(cache, key, length, 'a');
			assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1 + length);
			free(key);
			shipopt_cache_free(cache);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void conditions_of_writing_hold(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_value *value;
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "a", 1, SHIPOPT_CACHE_VERSION_ANY, NULL), 0);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "a", 1, SHIPOPT_CACHE_VERSION_ABSENT, NULL), 1);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "b", 1, SHIPOPT_CACHE_VERSION_ABSENT, NULL), 0);
	assert_int_equal(get(cache, "k", "a"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "c", 1, SHIPOPT_CACHE_VERSION_ANY, NULL), 1);
	shipopt_cache_get(cache, "k", 1, &value);
	uint64_t version = shipopt_value_version(value);
	shipopt_value_unref(value);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "d", 1, version, NULL), 1);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "e", 1, version, NULL), 0);
	assert_int_equal(get(cache, "k", "d"), SHIPOPT_CACHE_FOUND);
	/* Expired and negative count as absent. */
	pass_ms(60000);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "f", 1, SHIPOPT_CACHE_VERSION_ANY, NULL), 0);
	assert_int_equal(shipopt_cache_put_not_found(cache, "k", 1, NULL), 0);
	assert_int_equal(shipopt_cache_put_if(cache, "k", 1, "g", 1, SHIPOPT_CACHE_VERSION_ABSENT, NULL), 1);
	assert_int_equal(get(cache, "k", "g"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct seen {
	int count;
	bool keys[1000];
	int stop_at;
};

static int see(void *userdata, shipopt_value *value)
{
	struct seen *seen = userdata;
	int index = atoi((const char *)shipopt_value_key(value));
	assert_false(seen->keys[index]);
	seen->keys[index] = true;
	return ++seen->count == seen->stop_at;
}

static void a_walk_sees_each_live_entry_once(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	char key[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		shipopt_cache_put(cache, key, strlen(key) + 1, "v", 1, NULL);
	}
	pass_ms(3000);
	struct seen seen = {0};
	assert_int_equal(shipopt_cache_visit(cache, 0, see, &seen), 1000);
	assert_int_equal(seen.count, 1000);
	struct seen ten = {0};
	assert_int_equal(shipopt_cache_visit(cache, 10, see, &ten), 10);
	struct seen stopped = {.stop_at = 3};
	assert_int_equal(shipopt_cache_visit(cache, 10, see, &stopped), 3);
	shipopt_value *value;
	for (int i = 0; i < 3; i++) {
		shipopt_cache_get(cache, "123", 4, &value);
		assert_int_equal(shipopt_value_age_ms(value, cache), 3000);
		assert_int_equal(shipopt_value_ttl_ms(value, cache), 57000);
		shipopt_value_unref(value);
	}
	struct seen hottest = {0};
	assert_int_equal(shipopt_cache_visit_hottest(cache, 1, see, &hottest), 1);
	assert_true(hottest.keys[123]);
	pass_ms(57000);
	assert_int_equal(shipopt_cache_visit(cache, 0, see, &seen), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1000);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct rewriting {
	shipopt_cache *cache;
	int visited;
};

static int rewrite(void *userdata, shipopt_value *value)
{
	struct rewriting *rewriting = userdata;
	char key[32];
	rewriting->visited++;
	if (memcmp(shipopt_value_key(value), "new", 3) == 0)
		return 0;
	for (int i = 0; i < 4; i++) {
		snprintf(key, sizeof(key), "new:%d:%d", rewriting->visited, i);
		assert_int_equal(put(rewriting->cache, key, "x"), 0);
	}
	assert_int_equal(shipopt_cache_remove(rewriting->cache, shipopt_value_key(value),
				 shipopt_value_key_length(value)),
		1);
	return 0;
}

static void a_walk_stands_writing_from_inside(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, "shards", "1");
	shipopt_cache *cache = test_cache(config);
	char key[16];
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		put(cache, key, "v");
	}
	struct rewriting rewriting = {cache, 0};
	assert_true(shipopt_cache_visit(cache, 0, rewrite, &rewriting) >= 1000);
	for (int i = 0; i < 1000; i++) {
		snprintf(key, sizeof(key), "%d", i);
		assert_int_equal(peek(cache, key), SHIPOPT_CACHE_ABSENT);
	}
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static int empty_the_cache(void *userdata, shipopt_value *value)
{
	shipopt_cache *cache = userdata;
	char key[32];
	for (int i = 0; i < 8; i++) {
		snprintf(key, sizeof(key), "tagged:%d", i);
		shipopt_cache_remove(cache, key, strlen(key));
	}
	assert_int_equal(shipopt_cache_maintain(cache), 0); /* what is not held is freed, the tags too */
	return 0;
}

static void what_a_visit_has_before_it_may_leave_with_its_tags(void **state)
{
	static const char *const policies[] = {"s3fifo", "lru"};
	for (size_t p = 0; p < 2; p++) {
		shipopt_cache_config *config = test_config();
		assert_int_equal(shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, policies[p]), 0);
		assert_int_equal(shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 100),
			0); /* in one shard */
		shipopt_cache *cache = test_cache(config);
		for (int i = 0; i < 8; i++) {
			char key[32], tag[32];
			shipopt_cache_options *options;
			snprintf(key, sizeof(key), "tagged:%d", i);
			snprintf(tag, sizeof(tag), "tag:%d", i);
			assert_int_equal(shipopt_cache_options_new(&options), 0);
			assert_int_equal(shipopt_cache_options_add_tag(options, tag), 0);
			assert_int_equal(shipopt_cache_put(cache, key, strlen(key), "1", 1, options), 0);
			shipopt_cache_options_free(options);
		}
		if (p == 0)
			assert_int_equal(shipopt_cache_visit(cache, 0, empty_the_cache, cache), 8);
		else
			assert_int_equal(shipopt_cache_visit_hottest(cache, 0, empty_the_cache, cache), 8);
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_TAGS), 0);
		shipopt_cache_free(cache);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void a_forked_child_may_not_use_the_cache(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	put(cache, "k", "v");
	shipopt_value *value;
	shipopt_cache_get(cache, "k", 1, &value);
	pid_t child = fork();
	if (child == 0) {
		shipopt_value *other = NULL;
		bool ok = shipopt_cache_get(cache, "k", 1, &other) == SHIPOPT_EFORKED && !other &&
			shipopt_cache_put(cache, "k", 1, "w", 1, NULL) == SHIPOPT_EFORKED &&
			shipopt_cache_clear(cache) == SHIPOPT_EFORKED && shipopt_value_length(value) == 1;
		shipopt_cache_free(cache);
		shipopt_cache *fresh = NULL;
		ok = ok && shipopt_cache_new(NULL, &fresh, NULL) == 0 && put(fresh, "a", "b") == 0 &&
			shipopt_cache_get(fresh, "a", 1, &other) == SHIPOPT_CACHE_FOUND;
		_exit(ok ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(get(cache, "k", "v"), SHIPOPT_CACHE_FOUND);
	shipopt_value_unref(value);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
#include "base/fault.h"

static void without_memory_calls_fail_and_change_nothing(void **state)
{
	for (long pass = 0;; pass++) {
		shipopt_cache_config *config = test_config();
		shipopt_cache_config_add_prefix(config, "a:");
		shipopt_cache_options *options;
		assert_int_equal(shipopt_cache_options_new(&options), 0);
		shipopt_cache_options_add_tag(options, "t");
		shipopt_cache *cache = NULL;
		fault_arm(pass);
		int r = shipopt_cache_new(config, &cache, NULL);
		int failures = r < 0;
		for (int i = 0; cache && i < 1500; i++) {
			char key[16];
			snprintf(key, sizeof(key), "a:%d", i);
			r = shipopt_cache_put(cache, key, strlen(key), "v", 1, i % 2 ? options : NULL);
			assert_true(r == 0 || r == SHIPOPT_ENOMEM);
			failures += r < 0;
			fault_fired();
			assert_int_equal(peek(cache, key), r == 0 ? SHIPOPT_CACHE_FOUND : SHIPOPT_CACHE_ABSENT);
		}
		bool fired = fault_fired();
		fault_arm(-1);
		assert_true(failures <= 1);
		if (cache)
			assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1500 - failures);
		shipopt_cache_free(cache);
		shipopt_cache_options_free(options);
		shipopt_cache_config_free(config);
		assert_int_equal(mem_live_count(), 0);
		if (!fired)
			break;
		if (pass > 40)
			pass += 97;
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_found_and_what_is_removed_is_not),
		cmocka_unit_test(arguments_out_of_bounds_are_refused),
		cmocka_unit_test(a_wrong_prefix_is_named_by_the_configuration_and_by_new),
		cmocka_unit_test(a_handle_outlives_entry_and_cache),
		cmocka_unit_test(an_owned_value_is_freed_once_when_nobody_needs_it),
		cmocka_unit_test(values_are_copied_and_borrowed),
		cmocka_unit_test(many_keys_are_looked_up_at_once),
		cmocka_unit_test(keys_of_every_length_are_compared_to_the_last_byte),
		cmocka_unit_test(conditions_of_writing_hold),
		cmocka_unit_test(a_walk_sees_each_live_entry_once),
		cmocka_unit_test(what_a_visit_has_before_it_may_leave_with_its_tags),
		cmocka_unit_test(a_walk_stands_writing_from_inside),
		cmocka_unit_test(a_forked_child_may_not_use_the_cache),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(without_memory_calls_fail_and_change_nothing),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
