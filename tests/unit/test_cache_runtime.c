/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <pthread.h>
#include <semaphore.h>

#include "base/clock.h"
#include "base/fault.h"
#include "runtime/runtime.h"

/*
 * What a cache does by itself on a runtime. Most tests run on a simulated one: virtual time, no thread, and nothing
 * happens before the reactor is turned.
 */
static shipopt_runtime *runtime;
static struct reactor *reactor;

static int setup(void **state)
{
	clock_set_virtual(true);
	assert_int_equal(runtime_new_simulated(&runtime), 0);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static shipopt_cache_config *runtime_config(void)
{
	shipopt_cache_config *config;
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	assert_int_equal(shipopt_cache_config_set_runtime(config, runtime), 0);
	return config;
}

/* Turns until no timer is set and no task queued; returns the number of turns. */
static int turn_until_idle(void)
{
	int turns = 0;
	while (!reactor_is_idle(reactor)) {
		reactor_turn(reactor, -1);
		turns++;
	}
	return turns;
}

static void fill(shipopt_cache *cache, const char *prefix, int count)
{
	for (int i = 0; i < count; i++) {
		char key[32];
		snprintf(key, sizeof(key), "%s%d", prefix, i);
		assert_int_equal(put(cache, key, "value"), 0);
	}
}

/* --- removals --- */

static void note_borrowed(void *userdata, const void *value, size_t length)
{
	*(bool *)userdata = true;
}

/* Looks a key up in every way there is. */
static void assert_looks(shipopt_cache *cache, const char *key, int expected)
{
	const void *keys[] = {key};
	size_t lengths[] = {strlen(key)}, length;
	char text[16];
	int outcome;
	bool is_borrowed = false;
	shipopt_value *value = NULL;
	assert_int_equal(peek(cache, key), expected);
	assert_int_equal(get(cache, key, NULL), expected);
	assert_int_equal(shipopt_cache_get_copy(cache, key, lengths[0], text, sizeof(text), &length), expected);
	assert_int_equal(shipopt_cache_borrow(cache, key, lengths[0], note_borrowed, &is_borrowed), expected);
	assert_int_equal(is_borrowed, expected == SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_get_many(cache, 1, keys, lengths, &outcome, &value),
		expected == SHIPOPT_CACHE_FOUND);
	assert_int_equal(outcome, expected);
	shipopt_value_unref(value);
}

static void every_lookup_sees_that_the_cache_was_cleared(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache *cache = test_cache(config);
	fill(cache, "a:a usual key ", 2000);
	assert_looks(cache, "a:a usual key 77", SHIPOPT_CACHE_FOUND);
	assert_int_equal(shipopt_cache_clear(cache), 0);
	/* Nothing has run yet. */
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 2000);
	assert_looks(cache, "a:a usual key 77", SHIPOPT_CACHE_ABSENT);
	assert_int_equal(shipopt_cache_touch(cache, "a:a usual key 77", 16, 1000), 0);
	assert_int_equal(shipopt_cache_put_if(cache, "a:a usual key 77", 16, "v", 1, SHIPOPT_CACHE_VERSION_ANY, NULL),
		0);
	assert_int_equal(put(cache, "a:a usual key 78", "new"), 0);
	assert_looks(cache, "a:a usual key 78", SHIPOPT_CACHE_FOUND);
	turn_until_idle();
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 1);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_INVALIDATED), 2000);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	shipopt_cache_free(cache);
}

static void never_ready(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error)
{
	fail();
}

static shipopt_load *begin_load(shipopt_cache *cache, const char *key)
{
	shipopt_load *token = NULL;
	shipopt_value *value;
	assert_int_equal(shipopt_cache_get_or_begin(cache, key, strlen(key), NULL, never_ready, NULL, &value, &token),
		SHIPOPT_CACHE_LEAD);
	return token;
}

static void a_load_overtaken_by_a_pattern_is_not_stored(void **state)
{
	shipopt_cache *cache = test_cache(runtime_config());
	shipopt_load *overtaken = begin_load(cache, "a:load"), *other = begin_load(cache, "b:other");
	assert_int_equal(shipopt_cache_remove_pattern(cache, "a:*", NULL), 0);
	shipopt_load *fresh = begin_load(cache, "a:load"); /* not joined to the old one */
	assert_int_equal(shipopt_load_complete(overtaken, "old", 3, NULL), 0);
	assert_int_equal(peek(cache, "a:load"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(shipopt_load_complete(fresh, "new", 3, NULL), 0);
	assert_int_equal(shipopt_load_complete(other, "new", 3, NULL), 0);
	assert_int_equal(get(cache, "a:load", "new"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "b:other", "new"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
}

/* --- time --- */

static void an_idle_cache_gives_everything_back_and_then_sleeps(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 5000);
	shipopt_cache *cache = test_cache(config);
	int64_t began = clock_now_us();
	fill(cache, "k", 3000);
	int turns = turn_until_idle();
	int64_t took = clock_now_us() - began;
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_EXPIRED), 3000);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	assert_in_range(took, 5000000, 9000000);
	assert_in_range(turns, 1, 100);
	shipopt_cache_free(cache);
}

static void without_anything_timed_there_is_no_wake_up(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache *cache = test_cache(config);
	assert_true(turn_until_idle() <= 1);
	int64_t began = clock_now_us();
	fill(cache, "k", 3000);
	turn_until_idle();
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 3000);
	assert_in_range(clock_now_us() - began, 0, 4000000);
	assert_true(reactor_is_idle(reactor));
	/* What tags leave behind is found without a call, too. */
	shipopt_cache_options *options;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	shipopt_cache_options_add_tag(options, "t");
	for (int i = 0; i < 1000; i++)
		assert_int_equal(shipopt_cache_put(cache, &i, sizeof(i), "v", 1, options), 0);
	shipopt_cache_options_free(options);
	turn_until_idle();
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 4000);
	assert_int_equal(shipopt_cache_remove_tag(cache, "t"), 0);
	turn_until_idle();
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 3000);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	shipopt_cache_free(cache);
}

static int64_t told_at_us;

static void note_timeout(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error)
{
	assert_int_equal(outcome, SHIPOPT_ETIMEDOUT);
	told_at_us = clock_now_us();
	++*(int *)userdata;
}

static void a_waiter_with_a_callback_is_told_on_time_without_any_call(void **state)
{
	shipopt_cache *cache = test_cache(runtime_config());
	shipopt_load *token = begin_load(cache, "k");
	static const int64_t limits_ms[] = {700, 250, 2500, 250};
	int told[4] = {0};
	int64_t began = clock_now_us();
	for (int i = 0; i < 4; i++) {
		shipopt_cache_options *options;
		shipopt_value *value;
		shipopt_load *none = NULL;
		assert_int_equal(shipopt_cache_options_new(&options), 0);
		shipopt_cache_options_set_timeout_ms(options, limits_ms[i]);
		assert_int_equal(shipopt_cache_get_or_begin(cache, "k", 1, options, note_timeout, &told[i], &value,
					 &none),
			SHIPOPT_CACHE_WAITING);
		shipopt_cache_options_free(options);
	}
	static const int order[] = {1, 0, 2};
	for (int i = 0; i < 3; i++) {
		while (!told[order[i]])
			reactor_turn(reactor, -1);
		assert_in_range(told_at_us - began, limits_ms[order[i]] * 1000, limits_ms[order[i]] * 1000 + 1000);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(told[i], 1);
	assert_int_equal(shipopt_load_complete(token, "v", 1, NULL), 0);
	assert_int_equal(get(cache, "k", "v"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
}

/* --- refresh --- */

struct refresher {
	int calls, fail;
	const char *value;
	bool is_on_library_thread;
};

static int refresh(void *userdata, shipopt_load *token)
{
	struct refresher *refresher = userdata;
	refresher->calls++;
	refresher->is_on_library_thread = runtime_is_library_thread();
	return refresher->fail ? refresher->fail
			       : shipopt_load_complete(token, refresher->value, strlen(refresher->value), NULL);
}

static int ask(shipopt_cache *cache, struct refresher *refresher, const shipopt_cache_options *options,
	const char *expected)
{
	shipopt_value *value = NULL;
	int r = shipopt_cache_get_or_load(cache, "k", 1, refresh, refresher, options, &value, NULL);
	assert_non_null(value);
	assert_memory_equal(shipopt_value_data(value), expected, strlen(expected));
	shipopt_value_unref(value);
	return r;
}

static void a_stale_value_is_handed_to_all_and_refreshed_in_the_background(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	shipopt_cache *cache = test_cache(config);
	struct refresher refresher = {.value = "new"};
	put(cache, "k", "old");
	clock_advance_us(200000);
	for (int i = 0; i < 3; i++)
		assert_int_equal(ask(cache, &refresher, NULL, "old"), SHIPOPT_CACHE_STALE);
	assert_int_equal(refresher.calls, 0);
	reactor_turn(reactor, 0);
	assert_int_equal(refresher.calls, 1);
	assert_true(refresher.is_on_library_thread);
	assert_int_equal(ask(cache, &refresher, NULL, "new"), SHIPOPT_CACHE_FOUND);
	/* One that fails leaves the stale value, and is tried again. */
	clock_advance_us(200000);
	refresher.fail = SHIPOPT_ENETWORK;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ask(cache, &refresher, NULL, "new"), SHIPOPT_CACHE_STALE);
		reactor_turn(reactor, 0);
		assert_int_equal(refresher.calls, 2 + i);
	}
	/* In the call, if asked for. */
	shipopt_cache_options *options;
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	assert_int_equal(shipopt_cache_options_set_background(NULL, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_cache_options_set_background(options, 0), 0);
	refresher = (struct refresher){.value = "newer"};
	assert_int_equal(ask(cache, &refresher, options, "newer"), SHIPOPT_CACHE_FOUND);
	assert_false(refresher.is_on_library_thread);
	shipopt_cache_options_free(options);
	/* A refresh under way keeps the cache. */
	clock_advance_us(200000);
	assert_int_equal(ask(cache, &refresher, NULL, "newer"), SHIPOPT_CACHE_STALE);
	shipopt_cache_free(cache);
	turn_until_idle();
	assert_int_equal(refresher.calls, 2);
}

static void a_stale_value_is_handed_out_while_its_refresh_is_asked_for(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	shipopt_queue *queue;
	assert_int_equal(shipopt_queue_new(runtime, 4, &queue), 0);
	shipopt_cache_config_set_queue(config, queue);
	shipopt_cache *cache = test_cache(config);
	put(cache, "k", "old");
	clock_advance_us(200000);
	for (int i = 0; i < 2; i++) {
		shipopt_value *value = NULL;
		assert_int_equal(shipopt_cache_get_or_request(cache, "k", 1, NULL, NULL, NULL, &value, NULL),
			SHIPOPT_CACHE_STALE);
		shipopt_value_unref(value);
	}
	shipopt_event events[2];
	assert_int_equal(shipopt_queue_poll(queue, events, 2, 0), 1);
	assert_int_equal(shipopt_request_load_complete(shipopt_event_request(&events[0]), "new", 3, NULL), 0);
	assert_int_equal(shipopt_queue_release(queue, events, 1), 0);
	assert_int_equal(get(cache, "k", "new"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	shipopt_queue_free(queue);
}

/* --- ends --- */

static void a_cache_outlives_the_close_of_its_runtime(void **state)
{
	shipopt_cache_config *config = runtime_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	shipopt_cache *cache = test_cache(config);
	fill(cache, "k", 100);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	put(cache, "k", "old");
	clock_advance_us(200000);
	struct refresher refresher = {.value = "new"};
	assert_int_equal(ask(cache, &refresher, NULL, "new"), SHIPOPT_CACHE_FOUND);
	uint64_t removed;
	assert_int_equal(shipopt_cache_remove_pattern(cache, "k?", &removed), 0);
	assert_int_equal(removed, 10);
	clock_advance_us(100000000);
	assert_int_equal(shipopt_cache_maintain(cache), 0);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 0);
	shipopt_cache_free(cache);
	shipopt_cache *late = NULL;
	config = runtime_config();
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_new(config, &late, &error), SHIPOPT_ESHUTDOWN);
	assert_non_null(strstr(shipopt_error_message(error), "runtime"));
	shipopt_error_unref(error);
	shipopt_cache_config_free(config);
}

static void a_cache_may_be_freed_at_any_point_of_its_own_work(void **state)
{
	for (int turns = 0; turns < 12; turns++) {
		shipopt_cache *cache = test_cache(runtime_config());
		fill(cache, "k", 500);
		for (int i = 0; i < turns; i++)
			reactor_turn(reactor, -1);
		shipopt_cache_free(cache);
		turn_until_idle();
	}
}

/* Real threads: the caller frees, the runtime closes, the maintenance works, all at once. */
static void runtime_and_cache_may_end_in_any_order(void **state)
{
	size_t before = mem_live_count();
	clock_set_virtual(false);
	for (int round = 0; round < 40; round++) {
		shipopt_runtime *own;
		shipopt_cache_config *config;
		assert_int_equal(shipopt_runtime_new(NULL, &own, NULL), 0);
		assert_int_equal(shipopt_cache_config_new(&config), 0);
		shipopt_cache_config_set_runtime(config, own);
		shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 1);
		shipopt_cache *cache = test_cache(config);
		fill(cache, "k", 200);
		bool frees_first = round % 2;
		if (frees_first)
			shipopt_cache_free(cache);
		if (round % 4 < 2) {
			assert_int_equal(shipopt_runtime_close(own, -1), 0);
			assert_int_equal(shipopt_runtime_thread_count(own, SHIPOPT_THREADS_REACTOR), 0);
		}
		shipopt_runtime_free(own);
		if (!frees_first)
			shipopt_cache_free(cache);
	}
	/* Runtimes that were not closed end by themselves. */
	while (mem_live_count() > before)
		sched_yield();
	clock_set_virtual(true);
}

static sem_t deadline_passed;

static void post_on_timeout(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error)
{
	assert_int_equal(outcome, SHIPOPT_ETIMEDOUT);
	sem_post(&deadline_passed);
}

static void deadlines_pass_on_real_threads_too(void **state)
{
	clock_set_virtual(false);
	shipopt_runtime *own;
	shipopt_cache_config *config;
	shipopt_cache_options *options;
	shipopt_value *value;
	shipopt_load *token;
	assert_int_equal(sem_init(&deadline_passed, 0, 0), 0);
	assert_int_equal(shipopt_runtime_new(NULL, &own, NULL), 0);
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	shipopt_cache_config_set_runtime(config, own);
	shipopt_cache *cache = test_cache(config);
	assert_int_equal(shipopt_cache_options_new(&options), 0);
	shipopt_cache_options_set_timeout_ms(options, 20);
	token = begin_load(cache, "k");
	assert_int_equal(shipopt_cache_get_or_begin(cache, "k", 1, options, post_on_timeout, NULL, &value, &token),
		SHIPOPT_CACHE_WAITING);
	while (sem_wait(&deadline_passed) != 0)
		;
	assert_int_equal(shipopt_load_complete(token, "v", 1, NULL), 0);
	shipopt_cache_options_free(options);
	shipopt_cache_free(cache);
	assert_int_equal(shipopt_runtime_close(own, -1), 0);
	shipopt_runtime_free(own);
	sem_destroy(&deadline_passed);
	clock_set_virtual(true);
}

/* --- bytes held by readers --- */

static void held_bytes_count_against_the_bound_if_asked_for(void **state)
{
	for (int counts = 0; counts < 2; counts++) {
		shipopt_cache_config *config = runtime_config();
		shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, 65536);
		shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 0);
		assert_int_equal(shipopt_cache_config_set(config, "count_held", counts ? "1" : "0"), 0);
		shipopt_cache *cache = test_cache(config);
		static char value[1000];
		shipopt_value *held[200] = {0};
		for (int i = 0; i < 200; i++) {
			assert_int_equal(shipopt_cache_put(cache, &i, sizeof(i), value, sizeof(value), NULL), 0);
			if (i % 4 == 0)
				assert_int_equal(shipopt_cache_get(cache, &i, sizeof(i), &held[i]),
					SHIPOPT_CACHE_FOUND);
		}
		shipopt_cache_maintain(cache);
		for (int i = 200; i < 240; i++)
			assert_int_equal(shipopt_cache_put(cache, &i, sizeof(i), value, sizeof(value), NULL), 0);
		int64_t bytes = stat_of(cache, SHIPOPT_CACHE_STAT_BYTES),
			kept = stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES);
		assert_in_range(kept, 30000, 60000);
		if (counts)
			assert_in_range(bytes + kept, 50000, 65536);
		else
			assert_in_range(bytes, 60000, 65536);
		for (int i = 0; i < 200; i++)
			shipopt_value_unref(held[i]);
		shipopt_cache_maintain(cache);
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
		for (int i = 0; i < 200; i++)
			assert_int_equal(shipopt_cache_put(cache, &i, sizeof(i), value, sizeof(value), NULL), 0);
		assert_in_range(stat_of(cache, SHIPOPT_CACHE_STAT_BYTES), 60000, 65536);
		shipopt_cache_free(cache);
	}
}

#ifdef SHIPOPT_FAULTS
/* One scenario; the first failure ends it. */
static int scenario(void)
{
	shipopt_cache_config *config;
	shipopt_cache *cache = NULL;
	int r = shipopt_cache_config_new(&config);
	if (r < 0)
		return r;
	shipopt_cache_config_set_runtime(config, runtime);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	r = shipopt_cache_new(config, &cache, NULL);
	shipopt_cache_config_free(config);
	r = r < 0 ? r : put(cache, "k", "old");
	clock_advance_us(200000);
	struct refresher refresher = {.value = "new"};
	/* A refresh that cannot begin leaves the stale value. */
	if (r == 0)
		assert_int_equal(ask(cache, &refresher, NULL, "old"), SHIPOPT_CACHE_STALE);
	if (r == 0)
		turn_until_idle();
	shipopt_cache_free(cache);
	turn_until_idle();
	return r;
}

static void without_memory_calls_fail_and_nothing_leaks(void **state)
{
	long points = 0;
	for (;; points++) {
		size_t before = mem_live_count();
		fault_arm(points);
		int r = scenario();
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(mem_live_count(), before);
		if (!fired) {
			assert_int_equal(r, 0);
			break;
		}
	}
	assert_true(points > 10);
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(every_lookup_sees_that_the_cache_was_cleared),
		TEST(a_load_overtaken_by_a_pattern_is_not_stored),
		TEST(an_idle_cache_gives_everything_back_and_then_sleeps),
		TEST(without_anything_timed_there_is_no_wake_up),
		TEST(a_waiter_with_a_callback_is_told_on_time_without_any_call),
		TEST(a_stale_value_is_handed_to_all_and_refreshed_in_the_background),
		TEST(a_stale_value_is_handed_out_while_its_refresh_is_asked_for),
		TEST(a_cache_outlives_the_close_of_its_runtime),
		TEST(a_cache_may_be_freed_at_any_point_of_its_own_work),
		TEST(runtime_and_cache_may_end_in_any_order),
		TEST(deadlines_pass_on_real_threads_too),
		TEST(held_bytes_count_against_the_bound_if_asked_for),
#ifdef SHIPOPT_FAULTS
		TEST(without_memory_calls_fail_and_nothing_leaks),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
