/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <pthread.h>
#include <semaphore.h>

/* A loader that counts, can be held back, and answers as told. */
struct loading {
	atomic_int calls;
	sem_t *entered, *go;
	int fail;
	bool not_found, abandons, exits;
	const char *value;
	shipopt_cache *cache;
	const char *inner_key;
	int inner_result;
	const shipopt_cache_options *options;
};

static int load(void *userdata, shipopt_load *token)
{
	struct loading *loading = userdata;
	int call = atomic_fetch_add(&loading->calls, 1);
	if (loading->entered)
		sem_post(loading->entered);
	if (loading->go)
		while (sem_wait(loading->go) != 0)
			;
	if (loading->inner_key) {
		shipopt_value *value = NULL;
		struct loading inner = {.value = "inner"};
		loading->inner_result = shipopt_cache_get_or_load(loading->cache, loading->inner_key,
			strlen(loading->inner_key), load, &inner, NULL, &value, NULL);
		shipopt_value_unref(value);
	}
	if (loading->exits && call == 0)
		pthread_exit(NULL);
	if (loading->abandons && call == 0) {
		shipopt_load_abandon(token);
		return 0;
	}
	if (loading->fail)
		return loading->fail;
	if (loading->not_found)
		return shipopt_load_not_found(token, NULL);
	return shipopt_load_complete(token, loading->value, strlen(loading->value), loading->options);
}

static int get_or_load(shipopt_cache *cache, const char *key, struct loading *loading, const char *expected)
{
	shipopt_value *value = NULL;
	int r = shipopt_cache_get_or_load(cache, key, strlen(key), load, loading, NULL, &value, NULL);
	if (value && expected) {
		assert_int_equal(shipopt_value_length(value), strlen(expected));
		assert_memory_equal(shipopt_value_data(value), expected, strlen(expected));
	}
	shipopt_value_unref(value);
	return r;
}

static void a_load_fills_the_cache(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	struct loading loading = {.value = "loaded"};
	assert_int_equal(get_or_load(cache, "k", &loading, "loaded"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get_or_load(cache, "k", &loading, "loaded"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(loading.calls, 1);
	struct loading none = {.not_found = true};
	assert_int_equal(get_or_load(cache, "none", &none, NULL), SHIPOPT_CACHE_NOT_FOUND);
	assert_int_equal(get_or_load(cache, "none", &none, NULL), SHIPOPT_CACHE_NOT_FOUND);
	assert_int_equal(none.calls, 1);
	pass_ms(5000);
	assert_int_equal(get_or_load(cache, "none", &none, NULL), SHIPOPT_CACHE_NOT_FOUND);
	assert_int_equal(none.calls, 2);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LOADS), 3);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_failure_is_told_and_backed_off_from(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ERROR_BACKOFF_MS, 1000);
	shipopt_cache *cache = test_cache(config);
	struct loading failing = {.fail = SHIPOPT_ENETWORK};
	shipopt_value *value = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_cache_get_or_load(cache, "k", 1, load, &failing, NULL, &value, &error),
		SHIPOPT_ENETWORK);
	assert_int_equal(shipopt_error_code(error), SHIPOPT_ENETWORK);
	shipopt_error_unref(error);
	pass_ms(999);
	assert_int_equal(get_or_load(cache, "k", &failing, NULL), SHIPOPT_ENETWORK);
	assert_int_equal(failing.calls, 1);
	assert_int_equal(get_or_load(cache, "other", &failing, NULL), SHIPOPT_ENETWORK);
	assert_int_equal(failing.calls, 2);
	pass_ms(1);
	failing.fail = 0;
	failing.value = "good";
	assert_int_equal(get_or_load(cache, "k", &failing, "good"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(failing.calls, 3);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LOAD_FAILURES), 2);
	pass_ms(2000);
	shipopt_cache_maintain(cache);
	assert_int_equal(atomic_load(&cache->load_count), 0);
	/* One that is never asked for again goes with the cache. */
	failing.fail = SHIPOPT_EIO;
	assert_int_equal(get_or_load(cache, "x", &failing, NULL), SHIPOPT_EIO);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_stale_value_survives_a_failed_refresh(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	shipopt_cache *cache = test_cache(config);
	put(cache, "k", "old");
	struct loading loading = {.fail = SHIPOPT_ENETWORK};
	assert_int_equal(get_or_load(cache, "k", &loading, "old"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(loading.calls, 0);
	pass_ms(100);
	assert_int_equal(get_or_load(cache, "k", &loading, "old"), SHIPOPT_CACHE_STALE);
	assert_int_equal(loading.calls, 1);
	loading.fail = 0;
	loading.value = "new";
	assert_int_equal(get_or_load(cache, "k", &loading, "new"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "k", "new"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_loader_may_load_other_keys_but_not_its_own(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	struct loading same = {.value = "v", .cache = cache, .inner_key = "k"};
	assert_int_equal(get_or_load(cache, "k", &same, "v"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(same.inner_result, SHIPOPT_EDEADLK);
	struct loading other = {.value = "w", .cache = cache, .inner_key = "other"};
	assert_int_equal(get_or_load(cache, "k2", &other, "w"), SHIPOPT_CACHE_FOUND);
	assert_int_equal(other.inner_result, SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "other", "inner"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct caller {
	pthread_t thread;
	shipopt_cache *cache;
	struct loading *loading;
	const shipopt_cache_options *options;
	int outcome;
	char text[16];
};

static void *call(void *argument)
{
	struct caller *caller = argument;
	shipopt_value *value = NULL;
	caller->outcome =
		shipopt_cache_get_or_load(caller->cache, "k", 1, load, caller->loading, caller->options, &value, NULL);
	if (value)
		memcpy(caller->text, shipopt_value_data(value), shipopt_value_length(value));
	shipopt_value_unref(value);
	return NULL;
}

static void start(struct caller *caller, shipopt_cache *cache, struct loading *loading,
	const shipopt_cache_options *options)
{
	*caller = (struct caller){.cache = cache, .loading = loading, .options = options};
	assert_int_equal(pthread_create(&caller->thread, NULL, call, caller), 0);
}

/* Until so many callers have found the load in flight. */
static void await_coalesced(shipopt_cache *cache, int64_t count)
{
	while (stat_of(cache, SHIPOPT_CACHE_STAT_COALESCED) < count)
		sched_yield();
}

static void many_threads_load_once(void **state)
{
	enum { THREADS = 8 };
	sem_t entered, go;
	sem_init(&entered, 0, 0);
	sem_init(&go, 0, 0);
	shipopt_cache *cache = test_cache(test_config());
	struct loading loading = {.value = "once", .entered = &entered, .go = &go};
	struct caller callers[THREADS];
	for (int i = 0; i < THREADS; i++)
		start(&callers[i], cache, &loading, NULL);
	await_coalesced(cache, THREADS - 1);
	/* Other keys are not held up. */
	struct loading other = {.value = "other"};
	assert_int_equal(get_or_load(cache, "other", &other, "other"), SHIPOPT_CACHE_FOUND);
	sem_post(&go);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(callers[i].thread, NULL);
		assert_int_equal(callers[i].outcome, SHIPOPT_CACHE_FOUND);
		assert_string_equal(callers[i].text, "once");
	}
	assert_int_equal(loading.calls, 1);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_waiter_has_a_time_limit_of_its_own(void **state)
{
	sem_t entered, go;
	sem_init(&entered, 0, 0);
	sem_init(&go, 0, 0);
	shipopt_cache *cache = test_cache(test_config());
	struct loading loading = {.value = "late", .entered = &entered, .go = &go};
	struct caller leader, waiter;
	start(&leader, cache, &loading, NULL);
	sem_wait(&entered);
	shipopt_cache_options *hurry;
	shipopt_cache_options_new(&hurry);
	shipopt_cache_options_set_timeout_ms(hurry, 1);
	start(&waiter, cache, &loading, hurry);
	pthread_join(waiter.thread, NULL);
	assert_int_equal(waiter.outcome, SHIPOPT_ETIMEDOUT);
	sem_post(&go);
	pthread_join(leader.thread, NULL);
	assert_int_equal(leader.outcome, SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "k", "late"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_options_free(hurry);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void leader_ends(bool abandons, bool exits, int leader_outcome)
{
	sem_t entered, go;
	sem_init(&entered, 0, 0);
	sem_init(&go, 0, 0);
	shipopt_cache *cache = test_cache(test_config());
	struct loading loading = {.value = "second",
		.entered = &entered,
		.go = &go,
		.abandons = abandons,
		.exits = exits};
	struct caller leader, waiters[3];
	start(&leader, cache, &loading, NULL);
	sem_wait(&entered);
	for (int i = 0; i < 3; i++)
		start(&waiters[i], cache, &loading, NULL);
	await_coalesced(cache, 3);
	sem_post(&go);
	sem_post(&go);
	pthread_join(leader.thread, NULL);
	assert_int_equal(leader.outcome, leader_outcome);
	for (int i = 0; i < 3; i++) {
		pthread_join(waiters[i].thread, NULL);
		assert_int_equal(waiters[i].outcome, SHIPOPT_CACHE_FOUND);
		assert_string_equal(waiters[i].text, "second");
	}
	assert_int_equal(loading.calls, 2);
	assert_int_equal(atomic_load(&cache->load_count), 0);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_leader_that_gives_up_hands_over(void **state)
{
	leader_ends(true, false, SHIPOPT_ECANCELED);
}

static void a_leader_whose_thread_ends_hands_over(void **state)
{
	leader_ends(false, true, 0);
}

enum invalidation { REMOVE, TAG, TAG_OF_ANSWER, PREFIX, CLEAR, PATTERN, INVALIDATIONS };

static void invalidate(shipopt_cache *cache, enum invalidation how)
{
	switch (how) {
	case REMOVE: assert_int_equal(shipopt_cache_remove(cache, "k", 1), 0); break;
	case TAG:
	case TAG_OF_ANSWER: assert_int_equal(shipopt_cache_remove_tag(cache, "tag"), 0); break;
	case PREFIX: assert_int_equal(shipopt_cache_remove_prefix(cache, "k"), 0); break;
	case CLEAR: assert_int_equal(shipopt_cache_clear(cache), 0); break;
	default: assert_int_equal(shipopt_cache_remove_pattern(cache, "?", NULL), 0);
	}
}

/* What was invalidated while it was loaded goes to those who waited and not into the cache; who comes later loads
 * anew. */
static void a_load_overtaken_by_invalidation_is_not_stored(void **state)
{
	for (enum invalidation how = REMOVE; how < INVALIDATIONS; how++) {
		sem_t entered, go;
		sem_init(&entered, 0, 0);
		sem_init(&go, 0, 0);
		shipopt_cache_config *config = test_config();
		shipopt_cache_config_add_prefix(config, "k");
		shipopt_cache *cache = test_cache(config);
		shipopt_cache_options *options;
		shipopt_cache_options_new(&options);
		shipopt_cache_options_add_tag(options, "tag");
		struct loading old = {.value = "old",
			.entered = &entered,
			.go = &go,
			.options = how == TAG_OF_ANSWER ? options : NULL};
		struct caller leader, waiter;
		const shipopt_cache_options *asked = how == TAG ? options : NULL;
		start(&leader, cache, &old, asked);
		sem_wait(&entered);
		start(&waiter, cache, &old, asked);
		await_coalesced(cache, 1);
		invalidate(cache, how);
		struct loading fresh = {.value = "new"};
		assert_int_equal(get_or_load(cache, "k", &fresh, "new"), SHIPOPT_CACHE_FOUND);
		assert_int_equal(fresh.calls, 1);
		sem_post(&go);
		pthread_join(leader.thread, NULL);
		pthread_join(waiter.thread, NULL);
		assert_string_equal(leader.text, "old");
		assert_string_equal(waiter.text, "old");
		assert_int_equal(get(cache, "k", "new"), SHIPOPT_CACHE_FOUND);
		assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LOADS_DROPPED), 1);
		/* The same without anyone loading anew. */
		shipopt_cache_remove(cache, "k", 1);
		start(&leader, cache, &old, asked);
		sem_wait(&entered);
		invalidate(cache, how);
		sem_post(&go);
		pthread_join(leader.thread, NULL);
		assert_string_equal(leader.text, "old");
		assert_int_equal(get(cache, "k", NULL), SHIPOPT_CACHE_ABSENT);
		shipopt_cache_options_free(options);
		shipopt_cache_free(cache);
		assert_int_equal(mem_live_count(), 0);
	}
}

static void a_newer_writing_wins_over_a_load(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	shipopt_value *value = NULL;
	shipopt_load *token = NULL;
	assert_int_equal(shipopt_cache_get_or_begin(cache, "k", 1, NULL, (shipopt_cache_ready_fn)abort, NULL, &value,
				 &token),
		SHIPOPT_CACHE_LEAD);
	put(cache, "k", "written");
	assert_int_equal(shipopt_load_complete(token, "loaded", 6, NULL), 0);
	assert_int_equal(get(cache, "k", "written"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct ready {
	int calls, outcome;
	char text[16];
	shipopt_load *load;
};

static void on_ready(void *userdata, int outcome, shipopt_value *value, shipopt_load *token, const shipopt_error *error)
{
	struct ready *ready = userdata;
	ready->calls++;
	ready->outcome = outcome;
	ready->load = token;
	if (value)
		memcpy(ready->text, shipopt_value_data(value), shipopt_value_length(value));
	if (error)
		assert_string_equal(shipopt_error_message(error), "no luck");
}

static int begin(shipopt_cache *cache, struct ready *ready, shipopt_load **ret_load)
{
	shipopt_value *value = NULL;
	int r = shipopt_cache_get_or_begin(cache, "k", 1, NULL, on_ready, ready, &value, ret_load);
	shipopt_value_unref(value);
	return r;
}

static void tokens_serve_asynchronous_loads(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 1000);
	shipopt_cache *cache = test_cache(config);
	struct ready waiting[3] = {{0}};
	shipopt_load *token = NULL, *none = NULL;
	assert_int_equal(begin(cache, &waiting[0], &token), SHIPOPT_CACHE_LEAD);
	assert_memory_equal(shipopt_load_key(token), "k", shipopt_load_key_length(token));
	assert_int_equal(begin(cache, &waiting[0], &none), SHIPOPT_CACHE_WAITING);
	assert_int_equal(begin(cache, &waiting[1], &none), SHIPOPT_CACHE_WAITING);
	/* The leader gives up: the first who waits leads, the other goes on waiting. */
	shipopt_load_abandon(token);
	assert_int_equal(waiting[0].outcome, SHIPOPT_CACHE_LEAD);
	assert_int_equal(waiting[1].calls, 0);
	assert_int_equal(shipopt_load_complete(waiting[0].load, "value", 5, NULL), 0);
	assert_int_equal(waiting[1].outcome, SHIPOPT_CACHE_FOUND);
	assert_string_equal(waiting[1].text, "value");
	assert_int_equal(begin(cache, &waiting[2], &token), SHIPOPT_CACHE_FOUND);
	assert_int_equal(waiting[0].calls + waiting[1].calls + waiting[2].calls, 2);
	/* Stale: one refreshes, the others only take. */
	pass_ms(1000);
	token = none = NULL;
	assert_int_equal(begin(cache, &waiting[2], &token), SHIPOPT_CACHE_STALE);
	assert_non_null(token);
	assert_int_equal(begin(cache, &waiting[2], &none), SHIPOPT_CACHE_STALE);
	assert_null(none);
	shipopt_load_fail(token, SHIPOPT_EIO, "no luck");
	assert_int_equal(begin(cache, &waiting[2], &token), SHIPOPT_CACHE_STALE);
	shipopt_load_complete(token, "newer", 5, NULL);
	assert_int_equal(get(cache, "k", "newer"), SHIPOPT_CACHE_FOUND);
	/* Failure, and a time limit, reach a callback. */
	shipopt_cache_remove(cache, "k", 1);
	assert_int_equal(begin(cache, &waiting[0], &token), SHIPOPT_CACHE_LEAD);
	assert_int_equal(begin(cache, &waiting[1], &none), SHIPOPT_CACHE_WAITING);
	pass_ms(29999);
	shipopt_cache_maintain(cache);
	assert_int_equal(begin(cache, &waiting[2], &none), SHIPOPT_CACHE_WAITING);
	pass_ms(1);
	shipopt_cache_maintain(cache);
	assert_int_equal(waiting[1].outcome, SHIPOPT_ETIMEDOUT);
	shipopt_load_fail(token, SHIPOPT_EIO, "no luck");
	assert_int_equal(waiting[2].outcome, SHIPOPT_EIO);
	/* Nobody waits: the next caller leads. The cache outlives its handle until the token is answered. */
	assert_int_equal(begin(cache, &waiting[0], &token), SHIPOPT_CACHE_LEAD);
	shipopt_load_abandon(token);
	assert_int_equal(begin(cache, &waiting[0], &token), SHIPOPT_CACHE_LEAD);
	shipopt_cache_free(cache);
	assert_int_equal(shipopt_load_complete(token, "value", 5, NULL), 0);
	assert_int_equal(mem_live_count(), 0);
}

/* What was invalidated while the first one loaded does not concern the second, which begins behind it. */
static void a_load_that_is_taken_over_counts_from_then_on(void **state)
{
	static const enum invalidation ways[] = {TAG, PREFIX};
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		shipopt_cache_config *config = test_config();
		shipopt_cache_config_add_prefix(config, "k");
		shipopt_cache *cache = test_cache(config);
		struct ready waiting = {0};
		shipopt_load *token = NULL, *none = NULL;
		assert_int_equal(begin(cache, &waiting, &token), SHIPOPT_CACHE_LEAD);
		assert_int_equal(begin(cache, &waiting, &none), SHIPOPT_CACHE_WAITING);
		invalidate(cache, ways[i]);
		shipopt_load_abandon(token);
		assert_int_equal(waiting.outcome, SHIPOPT_CACHE_LEAD);
		assert_int_equal(shipopt_load_complete(waiting.load, "value", 5, NULL), 0);
		assert_int_equal(get(cache, "k", "value"), SHIPOPT_CACHE_FOUND);
		shipopt_cache_free(cache);
		assert_int_equal(mem_live_count(), 0);
	}
}

/* Whose load was overtaken: nobody finds it any more, but some still wait for it. */
static void a_time_limit_holds_when_the_key_is_removed_meanwhile(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ERROR_BACKOFF_MS, 1000);
	shipopt_cache *cache = test_cache(config);
	struct ready waiting[4] = {{0}};
	shipopt_load *first = NULL, *second = NULL, *none = NULL;
	assert_int_equal(begin(cache, &waiting[0], &first), SHIPOPT_CACHE_LEAD);
	assert_int_equal(begin(cache, &waiting[0], &none), SHIPOPT_CACHE_WAITING);
	shipopt_cache_remove(cache, "k", 1);
	assert_int_equal(begin(cache, &waiting[1], &second), SHIPOPT_CACHE_LEAD);
	pass_ms(1);
	assert_int_equal(begin(cache, &waiting[1], &none), SHIPOPT_CACHE_WAITING);
	assert_true(first != second);
	shipopt_cache_clear(cache);
	assert_int_equal(begin(cache, &waiting[2], &none), SHIPOPT_CACHE_LEAD);
	pass_ms(29999);
	shipopt_cache_maintain(cache);
	assert_int_equal(waiting[0].outcome, SHIPOPT_ETIMEDOUT);
	assert_int_equal(waiting[1].calls, 0);
	pass_ms(1);
	shipopt_cache_maintain(cache);
	assert_int_equal(waiting[1].outcome, SHIPOPT_ETIMEDOUT);
	/* The answers come after all: to nobody, and they are not stored. What has failed is not remembered. */
	assert_int_equal(shipopt_load_complete(first, "old", 3, NULL), 0);
	shipopt_load_fail(second, SHIPOPT_EIO, "no luck");
	assert_int_equal(atomic_load(&cache->load_count), 1);
	shipopt_load_abandon(none);
	assert_int_equal(atomic_load(&cache->load_count), 0);
	assert_int_equal(waiting[0].calls + waiting[1].calls, 2);
	assert_int_equal(get(cache, "k", NULL), SHIPOPT_CACHE_ABSENT);
	/* One whose leader gives up is inherited, still out of the cache. */
	assert_int_equal(begin(cache, &waiting[2], &first), SHIPOPT_CACHE_LEAD);
	assert_int_equal(begin(cache, &waiting[2], &none), SHIPOPT_CACHE_WAITING);
	assert_int_equal(begin(cache, &waiting[3], &none), SHIPOPT_CACHE_WAITING);
	shipopt_cache_remove(cache, "k", 1);
	shipopt_load_abandon(first);
	assert_int_equal(waiting[2].outcome, SHIPOPT_CACHE_LEAD);
	assert_int_equal(shipopt_load_complete(waiting[2].load, "late", 4, NULL), 0);
	assert_string_equal(waiting[3].text, "late");
	assert_int_equal(get(cache, "k", NULL), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void loads_in_flight_are_bounded(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, "loads_max", "2");
	shipopt_cache *cache = test_cache(config);
	shipopt_load *tokens[3];
	shipopt_value *value;
	struct ready ready = {0};
	for (int i = 0; i < 3; i++)
		assert_int_equal(shipopt_cache_get_or_begin(cache, &"abc"[i], 1, NULL, on_ready, &ready, &value,
					 &tokens[i]),
			i < 2 ? SHIPOPT_CACHE_LEAD : SHIPOPT_EAGAIN);
	shipopt_load_abandon(tokens[0]);
	assert_int_equal(shipopt_cache_get_or_begin(cache, "c", 1, NULL, on_ready, &ready, &value, &tokens[2]),
		SHIPOPT_CACHE_LEAD);
	shipopt_load_abandon(tokens[1]);
	shipopt_load_abandon(tokens[2]);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static void a_value_too_large_to_store_reaches_those_who_wait(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_VALUE_MAX_BYTES, 200);
	shipopt_cache *cache = test_cache(config);
	static char large[1000];
	memset(large, 'x', sizeof(large) - 1);
	struct loading loading = {.value = large};
	assert_int_equal(get_or_load(cache, "k", &loading, large), SHIPOPT_CACHE_FOUND);
	assert_int_equal(get(cache, "k", NULL), SHIPOPT_CACHE_ABSENT);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

struct bulk {
	int calls;
	size_t keys;
	int fail;
};

static int load_many(void *userdata, shipopt_load *const *loads, size_t count)
{
	struct bulk *bulk = userdata;
	bulk->calls++;
	bulk->keys += count;
	for (size_t i = 0; i < count; i++) {
		if (bulk->fail && i >= count / 2)
			return bulk->fail;
		shipopt_load_complete(loads[i], shipopt_load_key(loads[i]), shipopt_load_key_length(loads[i]), NULL);
	}
	return 0;
}

static void many_missing_keys_are_loaded_in_one_call(void **state)
{
	shipopt_cache *cache = test_cache(test_config());
	const void *keys[] = {"a", "b", "c", "a", "n", "d"};
	const size_t lengths[] = {1, 1, 1, 1, 1, 1};
	int outcomes[6];
	shipopt_value *values[6];
	put(cache, "b", "b");
	shipopt_cache_put_not_found(cache, "n", 1, NULL);
	struct bulk bulk = {0};
	assert_int_equal(shipopt_cache_get_or_load_many(cache, 6, keys, lengths, load_many, &bulk, NULL, outcomes,
				 values),
		5);
	assert_int_equal(bulk.calls, 1);
	assert_int_equal(bulk.keys, 3);
	for (int i = 0; i < 6; i++) {
		assert_int_equal(outcomes[i], i == 4 ? SHIPOPT_CACHE_NOT_FOUND : SHIPOPT_CACHE_FOUND);
		if (values[i])
			assert_memory_equal(shipopt_value_data(values[i]), keys[i], 1);
		shipopt_value_unref(values[i]);
	}
	shipopt_cache_clear(cache);
	bulk.fail = SHIPOPT_ENETWORK;
	const void *others[] = {"p", "q", "r", "s"};
	assert_int_equal(shipopt_cache_get_or_load_many(cache, 4, others, lengths, load_many, &bulk, NULL, outcomes,
				 values),
		2);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(outcomes[i], i < 2 ? SHIPOPT_CACHE_FOUND : SHIPOPT_ENETWORK);
		shipopt_value_unref(values[i]);
	}
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_load_fills_the_cache),
		cmocka_unit_test(a_failure_is_told_and_backed_off_from),
		cmocka_unit_test(a_stale_value_survives_a_failed_refresh),
		cmocka_unit_test(a_loader_may_load_other_keys_but_not_its_own),
		cmocka_unit_test(many_threads_load_once),
		cmocka_unit_test(a_waiter_has_a_time_limit_of_its_own),
		cmocka_unit_test(a_leader_that_gives_up_hands_over),
		cmocka_unit_test(a_leader_whose_thread_ends_hands_over),
		cmocka_unit_test(a_load_overtaken_by_invalidation_is_not_stored),
		cmocka_unit_test(a_newer_writing_wins_over_a_load),
		cmocka_unit_test(tokens_serve_asynchronous_loads),
		cmocka_unit_test(a_load_that_is_taken_over_counts_from_then_on),
		cmocka_unit_test(a_time_limit_holds_when_the_key_is_removed_meanwhile),
		cmocka_unit_test(loads_in_flight_are_bounded),
		cmocka_unit_test(a_value_too_large_to_store_reaches_those_who_wait),
		cmocka_unit_test(many_missing_keys_are_loaded_in_one_call),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
