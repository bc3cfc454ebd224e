/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cache/reclaim/pin.h"

/*
 * Handles that go by a slot of their thread: whatever the order in which an entry is removed, reclaimed and given up,
 * and on whatever thread, its value lives until the last handle has gone, and goes with it.
 */
#define MANY 300

static int freed;

static void free_owned(void *userdata, void *value, size_t length)
{
	freed++;
	assert_true(
		!reader_own || (reader_own->depth == 0 && atomic_load(&reader_own->epoch) == 0)); /* it may take long */
	memset(value, 'x', length);
	free(value);
}

static shipopt_cache *make(void)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	freed = 0;
	return test_cache(config);
}

static void put_owned(shipopt_cache *cache, const char *key)
{
	char *value = malloc(strlen(key) + 1);
	memcpy(value, key, strlen(key) + 1);
	assert_int_equal(shipopt_cache_put_owned(cache, key, strlen(key), value, strlen(key) + 1, free_owned, NULL,
				 NULL),
		0);
}

static shipopt_value *take(shipopt_cache *cache, const char *key)
{
	shipopt_value *value = NULL;
	assert_int_equal(shipopt_cache_get(cache, key, strlen(key), &value), SHIPOPT_CACHE_FOUND);
	assert_string_equal(shipopt_value_data(value), key);
	return value;
}

static void discard(shipopt_cache *cache, const char *key)
{
	assert_int_equal(shipopt_cache_remove(cache, key, strlen(key)), 1);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
}

static void finish(shipopt_cache *cache)
{
	if (cache)
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void *unref_all(void *argument)
{
	for (shipopt_value **values = argument; *values; values++)
		shipopt_value_unref(*values);
	return NULL;
}

/* The list ends with NULL. */
static void unref_elsewhere(shipopt_value **values)
{
	pthread_t thread;
	assert_int_equal(pthread_create(&thread, NULL, unref_all, values), 0);
	pthread_join(thread, NULL);
}

static unsigned slots_in_use(void)
{
	unsigned count = 0;
	for (unsigned i = 0; i < READER_PINS; i++)
		count += atomic_load(&reader_own->pins[i]) != NULL;
	return count;
}

static void a_held_value_goes_with_its_last_handle(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	shipopt_value *value = take(cache, "one");
	assert_int_equal(slots_in_use(), 1);
	discard(cache, "one");
	assert_int_equal(freed, 0);
	assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES) > 0);
	assert_string_equal(shipopt_value_data(value), "one");
	shipopt_value_unref(value);
	assert_int_equal(freed, 1);
	assert_int_equal(slots_in_use(), 0);
	finish(cache);
}

static void without_a_holder_it_goes_at_once(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	shipopt_value_unref(take(cache, "one"));
	discard(cache, "one");
	assert_int_equal(freed, 1);
	finish(cache);
}

static void a_handle_given_up_elsewhere_before_the_removal_leaves_nothing(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	unref_elsewhere((shipopt_value *[]){take(cache, "one"), NULL});
	/* Its slot still stands, and counts for nothing. */
	assert_int_equal(get(cache, "one", NULL), SHIPOPT_CACHE_FOUND);
	discard(cache, "one");
	assert_int_equal(freed, 1);
	assert_int_equal(slots_in_use(), 0);
	finish(cache);
}

static void a_handle_given_up_elsewhere_after_the_removal_frees(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	shipopt_value *value = take(cache, "one");
	discard(cache, "one");
	unref_elsewhere((shipopt_value *[]){value, NULL});
	assert_int_equal(freed, 1);
	assert_int_equal(slots_in_use(), 0);
	finish(cache);
}

/* Three handles of one entry, two by slots and one by a reference: all orders of giving them up, here or elsewhere, and
 * of removing. */
static void every_order_of_giving_up_and_removing_frees_once(void **state)
{
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	for (int order = 0; order < 6; order++) {
		for (int elsewhere = 0; elsewhere < 8; elsewhere++) {
			for (int removed_at = 0; removed_at <= 3; removed_at++) {
				shipopt_cache *cache = make();
				put_owned(cache, "one");
				shipopt_value *values[3] = {take(cache, "one"), take(cache, "one"), NULL};
				values[2] = shipopt_value_ref(values[0]);
				for (int i = 0; i < 3; i++) {
					if (i == removed_at)
						discard(cache, "one");
					assert_int_equal(freed, 0);
					assert_string_equal(shipopt_value_data(values[orders[order][i]]), "one");
					if (elsewhere & 1 << i)
						unref_elsewhere((shipopt_value *[]){values[orders[order][i]], NULL});
					else
						shipopt_value_unref(values[orders[order][i]]);
				}
				if (removed_at == 3)
					discard(cache, "one");
				assert_int_equal(freed, 1);
				finish(cache);
			}
		}
	}
}

static void handles_outlive_the_cache(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	put_owned(cache, "two");
	put_owned(cache, "three");
	shipopt_value *one = take(cache, "one"), *two = take(cache, "two"), *stray = take(cache, "three");
	unref_elsewhere((shipopt_value *[]){stray, NULL});
	shipopt_cache_free(cache);
	assert_int_equal(freed, 1);
	assert_string_equal(shipopt_value_data(one), "one");
	shipopt_value_unref(one);
	assert_int_equal(freed, 2);
	unref_elsewhere((shipopt_value *[]){two, NULL});
	assert_int_equal(freed, 3);
	assert_int_equal(slots_in_use(), 0);
	finish(NULL);
}

static void more_handles_than_slots_are_all_the_same(void **state)
{
	for (int side = 0; side < 3; side++) {
		shipopt_cache *cache = make();
		shipopt_value *values[MANY + 1] = {NULL};
		char key[16];
		for (int i = 0; i < MANY; i++) {
			sprintf(key, "key%d", i);
			put_owned(cache, key);
			values[i] = take(cache, key);
		}
		assert_int_equal(shipopt_cache_clear(cache), 0);
		shipopt_cache_maintain(cache);
		assert_int_equal(freed, 0);
		for (int i = 0; i < MANY; i++) {
			sprintf(key, "key%d", i);
			assert_string_equal(shipopt_value_data(values[i]), key);
			if (side == 1 || (side == 2 && i % 3)) {
				shipopt_value_unref(values[i]);
				assert_int_equal(freed, side == 1 ? i + 1 : i - i / 3);
				values[i] = NULL;
			}
		}
		for (int i = 0, kept = 0; i < MANY; i++) {
			shipopt_value *value = values[i];
			values[i] = NULL;
			if (value)
				values[kept++] = value;
		}
		unref_elsewhere(values);
		assert_int_equal(freed, MANY);
		finish(cache);
	}
}

static void slots_whose_handles_went_elsewhere_come_back(void **state)
{
	shipopt_cache *cache = make();
	char key[16];
	for (int i = 0; i < MANY; i++) {
		sprintf(key, "key%d", i);
		put_owned(cache, key);
		unref_elsewhere((shipopt_value *[]){take(cache, key), NULL});
	}
	/* All could be full by now, had they not been emptied from time to time. */
	assert_true(slots_in_use() < READER_PINS);
	assert_int_equal(freed, 0);
	assert_int_equal(shipopt_cache_clear(cache), 0);
	shipopt_cache_maintain(cache);
	assert_int_equal(freed, MANY);
	assert_int_equal(slots_in_use(), 0);
	finish(cache);
}

/* Another thread gives up a handle, and has come as far as the count when this one makes room in its slots. */
static void a_look_up_that_makes_room_frees_nothing(void **state)
{
	shipopt_cache *cache = make();
	shipopt_value *values[MANY];
	char key[16];
	put_owned(cache, "one");
	for (int i = 0; i < MANY; i++) {
		sprintf(key, "key%d", i);
		put_owned(cache, key);
	}
	struct entry *entry = value_entry(take(cache, "one"));
	discard(cache, "one");
	unsigned before = atomic_fetch_sub(&entry->references, 1);
	for (int i = 0; i < MANY; i++) {
		sprintf(key, "key%d", i);
		values[i] = take(cache, key);
	}
	assert_true(slots_in_use() < READER_PINS);
	assert_int_equal(freed, 0);
	entry_unref_settle(entry, before);
	assert_int_equal(freed, 1);
	for (int i = 0; i < MANY; i++)
		shipopt_value_unref(values[i]);
	assert_int_equal(slots_in_use(), 0);
	finish(cache);
	assert_int_equal(freed, 1 + MANY);
}

static void free_and_call(void *userdata, void *value, size_t length)
{
	shipopt_cache *cache = userdata;
	shipopt_value *other;
	char text[8] = "";
	size_t text_length;
	freed++;
	free(value);
	assert_int_equal(shipopt_cache_put(cache, "other", 5, "2", 1, NULL), 0);
	assert_int_equal(shipopt_cache_get(cache, "other", 5, &other), SHIPOPT_CACHE_FOUND);
	shipopt_value_unref(other);
	assert_int_equal(shipopt_cache_get_copy(cache, "other", 5, text, sizeof(text), &text_length),
		SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_remove(cache, "other", 5), 1);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
}

static void a_free_function_may_call_the_cache(void **state)
{
	for (int held = 0; held < 2; held++) {
		shipopt_cache *cache = make();
		char key[16];
		shipopt_value *values[MANY] = {NULL};
		for (int i = 0; i < MANY; i++) {
			sprintf(key, "key%d", i);
			assert_int_equal(shipopt_cache_put_owned(cache, key, strlen(key), malloc(8), 8, free_and_call,
						 cache, NULL),
				0);
			if (held)
				assert_int_equal(shipopt_cache_get(cache, key, strlen(key), &values[i]),
					SHIPOPT_CACHE_FOUND);
		}
		assert_int_equal(shipopt_cache_remove_prefix(cache, "key"), 0);
		assert_int_equal(shipopt_cache_maintain(cache), 0);
		assert_int_equal(freed, held ? 0 : MANY);
		for (int i = 0; i < MANY; i++)
			shipopt_value_unref(values[i]);
		assert_int_equal(freed, MANY);
		assert_int_equal(shipopt_cache_maintain(cache), 0);
		finish(cache);
	}
}

static void *take_and_leave(void *argument)
{
	return take(argument, "one");
}

static void a_handle_outlives_the_thread_that_got_it(void **state)
{
	for (int removes_first = 0; removes_first < 2; removes_first++) {
		shipopt_cache *cache = make();
		put_owned(cache, "one");
		pthread_t thread;
		void *value;
		assert_int_equal(pthread_create(&thread, NULL, take_and_leave, cache), 0);
		pthread_join(thread, &value);
		if (removes_first)
			discard(cache, "one");
		assert_string_equal(shipopt_value_data(value), "one");
		shipopt_value_unref(value);
		assert_int_equal(freed, removes_first);
		if (!removes_first)
			discard(cache, "one");
		assert_int_equal(freed, 1);
		finish(cache);
	}
}

struct lingerer {
	shipopt_cache *cache;
	pthread_barrier_t barrier;
};

static void *take_and_wait(void *argument)
{
	struct lingerer *lingerer = argument;
	shipopt_value *value = take(lingerer->cache, "one");
	pthread_barrier_wait(&lingerer->barrier);
	/* Here the entry is removed. The thread ends with its handle, which the other gives up. */
	pthread_barrier_wait(&lingerer->barrier);
	return value;
}

static void a_thread_may_end_with_a_handle_of_what_was_removed(void **state)
{
	struct lingerer lingerer = {.cache = make()};
	put_owned(lingerer.cache, "one");
	pthread_barrier_init(&lingerer.barrier, NULL, 2);
	pthread_t thread;
	void *value;
	assert_int_equal(pthread_create(&thread, NULL, take_and_wait, &lingerer), 0);
	pthread_barrier_wait(&lingerer.barrier);
	discard(lingerer.cache, "one");
	pthread_barrier_wait(&lingerer.barrier);
	pthread_join(thread, &value);
	assert_int_equal(freed, 0);
	assert_string_equal(shipopt_value_data(value), "one");
	shipopt_value_unref(value);
	assert_int_equal(freed, 1);
	pthread_barrier_destroy(&lingerer.barrier);
	finish(lingerer.cache);
}

static void many_at_once_are_held_too(void **state)
{
	shipopt_cache *cache = make();
	const void *keys[4] = {"a", "b", "a", "c"};
	size_t lengths[4] = {1, 1, 1, 1};
	int outcomes[4];
	shipopt_value *values[4];
	put_owned(cache, "a");
	put_owned(cache, "b");
	assert_int_equal(shipopt_cache_get_many(cache, 4, keys, lengths, outcomes, values), 3);
	discard(cache, "a");
	assert_int_equal(freed, 0);
	shipopt_value_unref(values[0]);
	assert_int_equal(freed, 0);
	assert_string_equal(shipopt_value_data(values[2]), "a");
	shipopt_value_unref(values[2]);
	assert_int_equal(freed, 1);
	shipopt_value_unref(values[1]);
	assert_null(values[3]);
	finish(cache);
}

static void a_forked_child_keeps_its_handles_and_leaves_the_parents_alone(void **state)
{
	shipopt_cache *cache = make();
	put_owned(cache, "one");
	put_owned(cache, "two");
	shipopt_value *one = take(cache, "one"), *two = take(cache, "two");
	discard(cache, "two");
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		bool holds = strcmp(shipopt_value_data(one), "one") == 0 && strcmp(shipopt_value_data(two), "two") == 0;
		shipopt_value_unref(one);
		shipopt_value_unref(two);
		_exit(holds && freed == 1 ? 0 : 1);
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_string_equal(shipopt_value_data(two), "two");
	shipopt_value_unref(one);
	shipopt_value_unref(two);
	assert_int_equal(freed, 1);
	discard(cache, "one");
	assert_int_equal(freed, 2);
	finish(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_held_value_goes_with_its_last_handle),
		cmocka_unit_test(without_a_holder_it_goes_at_once),
		cmocka_unit_test(a_handle_given_up_elsewhere_before_the_removal_leaves_nothing),
		cmocka_unit_test(a_handle_given_up_elsewhere_after_the_removal_frees),
		cmocka_unit_test(every_order_of_giving_up_and_removing_frees_once),
		cmocka_unit_test(handles_outlive_the_cache),
		cmocka_unit_test(more_handles_than_slots_are_all_the_same),
		cmocka_unit_test(slots_whose_handles_went_elsewhere_come_back),
		cmocka_unit_test(a_look_up_that_makes_room_frees_nothing),
		cmocka_unit_test(a_free_function_may_call_the_cache),
		cmocka_unit_test(a_handle_outlives_the_thread_that_got_it),
		cmocka_unit_test(a_thread_may_end_with_a_handle_of_what_was_removed),
		cmocka_unit_test(many_at_once_are_held_too),
		cmocka_unit_test(a_forked_child_keeps_its_handles_and_leaves_the_parents_alone),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
