/* SPDX-License-Identifier: MIT */
#include "../unit/cache_fixture.h"

#include <pthread.h>

#include "base/clock.h"
#include "base/random.h"

/*
 * Random operations from four threads at once; every value says which key it belongs to, and is checked wherever it
 * appears. In the end bytes, entries, listener calls and owned values must add up. `test_cache_stress SECONDS` runs
 * longer than the two seconds of a normal run, for each policy. The cache has a runtime, so that its own work is part
 * of it.
 */
#define THREADS 4
#define KEYS 4000
#define TAGS 8

static double seconds = 2;
static atomic_bool stop;
static atomic_int_fast64_t owned_made, owned_freed, told;
static atomic_uint_fast64_t load_seed;

struct worker {
	pthread_t thread;
	shipopt_cache *cache;
	uint64_t seed;
	uint64_t operations;
	int64_t stored_values;
};

static void check(const void *key, size_t key_length, const void *data, size_t length)
{
	ASSERT(length >= key_length && memcmp(key, data, key_length) == 0);
	for (size_t i = key_length; i < length; i++)
		ASSERT(((const char *)data)[i] == 'v');
}

static void on_removed(void *userdata, const void *key, size_t key_length, shipopt_value *value, int cause)
{
	check(key, key_length, shipopt_value_data(value), shipopt_value_length(value));
	atomic_fetch_add(&told, 1);
}

static void free_owned(void *userdata, void *value, size_t length)
{
	atomic_fetch_add(&owned_freed, 1);
	free(value);
}

static size_t make_key(struct random *random, char *key)
{
	/* Some keys are asked for far more often than others. */
	uint64_t bound = random_below(random, 2) ? KEYS : KEYS / 20;
	return (size_t)sprintf(key, "group%d:%d", (int)random_below(random, 3), (int)random_below(random, bound));
}

static size_t make_value(struct random *random, const char *key, size_t key_length, char *value)
{
	size_t length = key_length + random_below(random, random_below(random, 50) ? 200 : 4000);
	memcpy(value, key, key_length);
	memset(value + key_length, 'v', length - key_length);
	return length;
}

static int load(void *userdata, shipopt_load *token)
{
	/* Refreshes run on threads of the runtime, too: each load draws for itself. */
	struct random random;
	random_init(&random, atomic_fetch_add(&load_seed, 1));
	char value[8192];
	size_t length = make_value(&random, shipopt_load_key(token), shipopt_load_key_length(token), value);
	switch (random_below(&random, 12)) {
	case 0: return SHIPOPT_ENETWORK;
	case 1: return shipopt_load_not_found(token, NULL);
	case 2: shipopt_load_abandon(token); return 0;
	default: return shipopt_load_complete(token, value, length, NULL);
	}
}

static void see(void *userdata, const void *value, size_t length)
{
	check(userdata, strlen(userdata), value, length);
}

static int visit(void *userdata, shipopt_value *value)
{
	check(shipopt_value_key(value), shipopt_value_key_length(value), shipopt_value_data(value),
		shipopt_value_length(value));
	return 0;
}

static void read_many(shipopt_cache *cache, struct random *random)
{
	char keys[20][32];
	const void *pointers[20];
	size_t lengths[20];
	int outcomes[20];
	shipopt_value *values[20];
	for (int i = 0; i < 20; i++) {
		lengths[i] = make_key(random, keys[i]);
		pointers[i] = keys[i];
	}
	shipopt_cache_get_many(cache, 20, pointers, lengths, outcomes, values);
	for (int i = 0; i < 20; i++) {
		if (values[i])
			check(keys[i], lengths[i], shipopt_value_data(values[i]), shipopt_value_length(values[i]));
		shipopt_value_unref(values[i]);
	}
}

static void write_one(shipopt_cache *cache, struct random *random, const char *key, size_t key_length)
{
	char value[8192], tag[8];
	size_t length = make_value(random, key, key_length, value);
	shipopt_cache_options *options;
	if (shipopt_cache_options_new(&options) < 0)
		abort();
	if (random_below(random, 2)) {
		sprintf(tag, "t%d", (int)random_below(random, TAGS));
		shipopt_cache_options_add_tag(options, tag);
	}
	if (random_below(random, 3) == 0)
		shipopt_cache_options_set_ttl_ms(options, 1 + (int64_t)random_below(random, 300));
	if (random_below(random, 4) == 0) {
		char *owned = malloc(length);
		memcpy(owned, value, length);
		atomic_fetch_add(&owned_made, 1);
		if (shipopt_cache_put_owned(cache, key, key_length, owned, length, free_owned, NULL, options) < 0)
			abort();
	} else if (random_below(random, 4) == 0) {
		shipopt_cache_put_if(cache, key, key_length, value, length,
			random_below(random, 2) ? SHIPOPT_CACHE_VERSION_ABSENT : SHIPOPT_CACHE_VERSION_ANY, options);
	} else if (shipopt_cache_put(cache, key, key_length, value, length, options) < 0) {
		abort();
	}
	shipopt_cache_options_free(options);
}

static void invalidate(shipopt_cache *cache, struct random *random)
{
	char tag[8];
	switch (random_below(random, 40)) {
	case 0: shipopt_cache_clear(cache); break;
	case 1: shipopt_cache_remove_prefix(cache, "group1:"); break;
	case 2: shipopt_cache_remove_pattern(cache, "group2:*7", NULL); break;
	case 3: shipopt_cache_maintain(cache); break;
	case 4: shipopt_cache_visit(cache, 0, visit, NULL); break;
	case 5: shipopt_cache_visit_hottest(cache, 100, visit, NULL); break;
	default: sprintf(tag, "t%d", (int)random_below(random, TAGS)); shipopt_cache_remove_tag(cache, tag);
	}
}

static void operate(shipopt_cache *cache, struct random *random)
{
	char key[32];
	size_t length = make_key(random, key);
	shipopt_value *value = NULL;
	switch (random_below(random, 16)) {
	case 0:
	case 1:
	case 2: write_one(cache, random, key, length); break;
	case 3: shipopt_cache_remove(cache, key, length); break;
	case 4: shipopt_cache_touch(cache, key, length, 1 + (int64_t)random_below(random, 200)); break;
	case 5: read_many(cache, random); break;
	case 6: shipopt_cache_borrow(cache, key, length, see, key); break;
	case 7:
		if (random_below(random, 40) == 0)
			invalidate(cache, random);
		break;
	case 8:
	case 9: shipopt_cache_get_or_load(cache, key, length, load, NULL, NULL, &value, NULL); break;
	default: shipopt_cache_get(cache, key, length, &value);
	}
	if (value)
		check(key, length, shipopt_value_data(value), shipopt_value_length(value));
	shipopt_value_unref(value);
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct random random;
	random_init(&random, worker->seed);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		operate(worker->cache, &random);
		worker->operations++;
		if (worker->seed == 1 && worker->operations % 64 == 0)
			pass_ms(1);
	}
	return NULL;
}

/* What the bytes and entries should be, from what is in the index. */
static void check_sums(shipopt_cache *cache)
{
	size_t bytes = 0, entries = 0;
	for (unsigned i = 0; i < cache->shard_count; i++) {
		struct shard *shard = &cache->shards[i];
		uint64_t position = 0;
		do {
			struct entry *list[SEGMENT_SLOTS];
			size_t count;
			position = table_walk(&shard->table, position, list, &count);
			for (size_t j = 0; j < count; j++)
				bytes += entry_weight(list[j]);
			entries += count;
		} while (position);
		assert_int_equal(shard->queues.small.count + shard->queues.main.count, shard->table.count);
	}
	assert_int_equal(bytes, stat_of(cache, SHIPOPT_CACHE_STAT_BYTES));
	assert_int_equal(entries, stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES));
	assert_true(bytes <= cache->bytes_max && entries <= cache->entries_max);
}

static void run(const char *policy)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, policy);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 2000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, 400000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 500);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_SOFT_TTL_MS, 100);
	shipopt_cache_config_add_prefix(config, "group1:");
	shipopt_cache_config_set_removed(config, on_removed, NULL);
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	shipopt_cache_config_set_runtime(config, runtime);
	shipopt_cache *cache = test_cache(config);
	struct worker workers[THREADS];
	uint64_t operations = 0;
	atomic_store(&told, 0);
	atomic_store(&stop, false);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.cache = cache, .seed = (uint64_t)i + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	/* The duration of the run, not a wait for something to happen. */
	struct timespec duration = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};
	nanosleep(&duration, NULL);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		operations += workers[i].operations;
	}
	/* The cache's own work ends here. */
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	check_sums(cache);
	printf("%s: %llu operations, %lld bytes in %lld entries as summed, %lld stored, %lld evicted, %lld expired, %lld by tag, %lld loads, %lld coalesced\n",
		policy, (unsigned long long)operations, (long long)stat_of(cache, SHIPOPT_CACHE_STAT_BYTES),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_STORED),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_EVICTED),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_EXPIRED),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_INVALIDATED),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_LOADS),
		(long long)stat_of(cache, SHIPOPT_CACHE_STAT_COALESCED));
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
	int64_t left = 0;
	for (int stat = SHIPOPT_CACHE_STAT_EXPIRED; stat <= SHIPOPT_CACHE_STAT_INVALIDATED; stat++)
		left += stat_of(cache, stat);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_STORED) - left, stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES));
	assert_true(atomic_load(&told) <= left);
	shipopt_cache_free(cache);
	assert_int_equal(atomic_load(&owned_made), atomic_load(&owned_freed));
	assert_int_equal(mem_live_count(), 0);
}

static void random_operations_keep_s3fifo_whole(void **state)
{
	run("s3fifo");
}

static void random_operations_keep_lru_whole(void **state)
{
	run("lru");
}

/* Threads that come and go, also from inside a read section, while the index grows. */
static void end_thread(void *userdata, const void *value, size_t length)
{
	pthread_exit(NULL);
}

static void *brief(void *argument)
{
	shipopt_cache *cache = argument;
	for (int i = 0; i < 200; i++)
		shipopt_cache_peek(cache, "fixed", 5);
	shipopt_cache_borrow(cache, "fixed", 5, end_thread, NULL);
	abort();
}

static void *grow(void *argument)
{
	char key[32];
	for (int i = 0; i < 30000; i++) {
		size_t length = (size_t)sprintf(key, "grow:%d", i);
		ASSERT(shipopt_cache_put(argument, key, length, key, length, NULL) == 0);
	}
	return NULL;
}

static void threads_that_end_anywhere_do_not_stop_reclaiming(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 50000);
	shipopt_cache *cache = test_cache(config);
	shipopt_cache_put(cache, "fixed", 5, "value", 5, NULL);
	pthread_t grower, readers[4];
	assert_int_equal(pthread_create(&grower, NULL, grow, cache), 0);
	for (int round = 0; round < 50; round++) {
		for (int i = 0; i < 4; i++)
			assert_int_equal(pthread_create(&readers[i], NULL, brief, cache), 0);
		for (int i = 0; i < 4; i++)
			pthread_join(readers[i], NULL);
	}
	pthread_join(grower, NULL);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), 30001);
	shipopt_cache_clear(cache);
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_LIMBO_BYTES), 0);
	check_sums(cache);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

/* A reader may never miss a key that is there all the time, however the index grows and its neighbours come and go:
 * neither a plain one of the usual length, which is looked for without a call, nor another. */
#define FIXED 500

static size_t fixed_key(int number, char *key)
{
	return (size_t)sprintf(key, number % 4 ? "a key that stays:%d" : "%d", number % FIXED);
}

static void read_fixed_many(shipopt_cache *cache, int first)
{
	char keys[20][32];
	const void *pointers[20];
	size_t lengths[20];
	int outcomes[20];
	shipopt_value *values[20];
	for (int i = 0; i < 20; i++) {
		lengths[i] = fixed_key(first + i, keys[i]);
		pointers[i] = keys[i];
	}
	ASSERT(shipopt_cache_get_many(cache, 20, pointers, lengths, outcomes, values) == 20);
	for (int i = 0; i < 20; i++) {
		check(keys[i], lengths[i], shipopt_value_data(values[i]), shipopt_value_length(values[i]));
		shipopt_value_unref(values[i]);
	}
}

static void *read_fixed(void *argument)
{
	shipopt_cache *cache = argument;
	for (int reads = 0; !atomic_load_explicit(&stop, memory_order_relaxed); reads = (reads + 1) % FIXED) {
		char key[32];
		size_t length = fixed_key(reads, key);
		shipopt_value *value = NULL;
		ASSERT(shipopt_cache_get(cache, key, length, &value) == SHIPOPT_CACHE_FOUND);
		check(key, length, shipopt_value_data(value), shipopt_value_length(value));
		shipopt_value_unref(value);
		ASSERT(shipopt_cache_borrow(cache, key, length, see, key) == SHIPOPT_CACHE_FOUND);
		read_fixed_many(cache, reads);
	}
	return NULL;
}

static void put_fixed(shipopt_cache *cache)
{
	char key[32];
	for (int i = 0; i < FIXED; i++) {
		size_t length = fixed_key(i, key);
		assert_int_equal(shipopt_cache_put(cache, key, length, key, length, NULL), 0);
	}
}

static void a_key_that_stays_is_never_missed_while_the_index_grows(void **state)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, 100000);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	shipopt_cache *cache = test_cache(config);
	put_fixed(cache);
	atomic_store(&stop, false);
	pthread_t readers[2], growers[2];
	for (int i = 0; i < 2; i++)
		pthread_create(&readers[i], NULL, read_fixed, cache);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 2; i++)
			pthread_create(&growers[i], NULL, grow, cache);
		put_fixed(cache);
		for (int i = 0; i < 2; i++)
			pthread_join(growers[i], NULL);
		shipopt_cache_remove_pattern(cache, "grow:*", NULL);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(readers[i], NULL);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES), FIXED);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atof(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_operations_keep_s3fifo_whole),
		cmocka_unit_test(random_operations_keep_lru_whole),
		cmocka_unit_test(threads_that_end_anywhere_do_not_stop_reclaiming),
		cmocka_unit_test(a_key_that_stays_is_never_missed_while_the_index_grows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
