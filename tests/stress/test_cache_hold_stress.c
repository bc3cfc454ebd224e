/* SPDX-License-Identifier: MIT */
#include "../unit/cache_fixture.h"

#include <pthread.h>

#include "base/random.h"
#include "cache/reclaim/pin.h"

/*
 * Handles taken, kept, passed to other threads and given up there, while entries are replaced and removed, threads come
 * and go, and caches are freed under handles that live on. A value knows its number and whether it was freed; in the
 * end each was, once. Half of the keys have values that the cache copies: only those are looked up without a call, and
 * a sanitizer sees when they are freed. `test_cache_hold_stress SECONDS` runs longer than the two seconds of a normal
 * run.
 */
#define THREADS 4
#define KEYS 64
#define KEPT 24
#define BOXES 32
#define ALIVE UINT64_C(0x1234567890abcdef)

struct payload {
	_Atomic(uint64_t) mark;
	uint32_t key;
};

static double seconds = 2;
/* Of the usual length, behind the number. */
static const char key_rest[] = "of a usual key";
#define KEY_LENGTH (sizeof(uint32_t) + sizeof(key_rest))

struct key {
	char bytes[KEY_LENGTH];
};
static atomic_bool stop;
static atomic_int_fast64_t made, freed;
static _Atomic(shipopt_value *) boxes[BOXES]; /* a handle on its way to another thread */

struct worker {
	pthread_t thread;
	shipopt_cache *cache;
	uint64_t seed;
	uint64_t operations;
};

static struct key key_of(uint32_t number)
{
	struct key key;
	memcpy(key.bytes, &number, sizeof(number));
	memcpy(key.bytes + sizeof(number), key_rest, sizeof(key_rest));
	return key;
}

static bool is_copied(uint32_t number)
{
	return number % 2;
}

static void free_payload(void *userdata, void *value, size_t length)
{
	struct payload *payload = value;
	ASSERT(atomic_exchange(&payload->mark, 0) == ALIVE);
	atomic_fetch_add(&freed, 1);
	free(payload);
}

static void check(const shipopt_value *value)
{
	const struct payload *payload = shipopt_value_data(value);
	ASSERT(atomic_load_explicit(&payload->mark, memory_order_relaxed) == ALIVE);
	struct key key = key_of(payload->key);
	ASSERT(shipopt_value_key_length(value) == KEY_LENGTH &&
		memcmp(shipopt_value_key(value), &key, KEY_LENGTH) == 0);
}

static void store(shipopt_cache *cache, uint32_t number)
{
	struct key key = key_of(number);
	if (is_copied(number)) {
		struct payload copied = {.key = number};
		atomic_init(&copied.mark, ALIVE);
		ASSERT(shipopt_cache_put(cache, &key, KEY_LENGTH, &copied, sizeof(copied), NULL) == 0);
		return;
	}
	struct payload *payload = malloc(sizeof(*payload));
	ASSERT(payload);
	atomic_init(&payload->mark, ALIVE);
	payload->key = number;
	atomic_fetch_add(&made, 1);
	ASSERT(shipopt_cache_put_owned(cache, &key, KEY_LENGTH, payload, sizeof(*payload), free_payload, NULL, NULL) ==
		0);
}

static shipopt_value *take(shipopt_cache *cache, uint32_t number)
{
	struct key key = key_of(number);
	shipopt_value *value = NULL;
	if (shipopt_cache_get(cache, &key, KEY_LENGTH, &value) != SHIPOPT_CACHE_FOUND)
		return NULL;
	check(value);
	return value;
}

static void give_up(shipopt_value *value)
{
	if (value)
		check(value);
	shipopt_value_unref(value);
}

static void take_many(shipopt_cache *cache, struct random *random)
{
	struct key keys[16];
	const void *pointers[16];
	size_t lengths[16];
	int outcomes[16];
	shipopt_value *values[16];
	for (int i = 0; i < 16; i++) {
		keys[i] = key_of((uint32_t)random_below(random, KEYS));
		pointers[i] = &keys[i];
		lengths[i] = KEY_LENGTH;
	}
	ASSERT(shipopt_cache_get_many(cache, 16, pointers, lengths, outcomes, values) >= 0);
	for (int i = 0; i < 16; i++)
		give_up(values[i]);
}

static void operate(shipopt_cache *cache, struct random *random, shipopt_value *kept[KEPT])
{
	uint32_t number = (uint32_t)random_below(random, random_below(random, 2) ? KEYS : 4);
	struct key key = key_of(number);
	shipopt_value **place = &kept[random_below(random, KEPT)];
	switch (random_below(random, 12)) {
	case 0: store(cache, number); break;
	case 1: shipopt_cache_remove(cache, &key, KEY_LENGTH); break;
	case 2:
	case 3: /* keeps one for a while */
		give_up(*place);
		*place = take(cache, number);
		break;
	case 4:
	case 5: /* passes one on, and gives up what it finds in the box */
		give_up(atomic_exchange(&boxes[random_below(random, BOXES)], take(cache, number)));
		break;
	case 6:
		if (*place)
			give_up(atomic_exchange(&boxes[random_below(random, BOXES)], shipopt_value_ref(*place)));
		break;
	case 7: take_many(cache, random); break;
	case 8:
		if (random_below(random, 20) == 0)
			shipopt_cache_maintain(cache);
		break;
	default: give_up(take(cache, number));
	}
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct random random;
	shipopt_value *kept[KEPT] = {NULL};
	random_init(&random, worker->seed);
	while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
		operate(worker->cache, &random, kept);
		worker->operations++;
	}
	for (int i = 0; i < KEPT; i++)
		give_up(kept[i]);
	return NULL;
}

/* A short life that ends with handles, which others find in the boxes. */
static void *brief(void *argument)
{
	shipopt_cache *cache = argument;
	for (int i = 0; i < BOXES; i++)
		give_up(atomic_exchange(&boxes[i], take(cache, (uint32_t)i)));
	return NULL;
}

static void empty_boxes(void)
{
	for (int i = 0; i < BOXES; i++)
		give_up(atomic_exchange(&boxes[i], NULL));
}

static shipopt_cache *make(void)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, KEYS * 3 / 4);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	return test_cache(config);
}

static void check_end(void)
{
	empty_boxes();
	assert_int_equal(atomic_load(&made), atomic_load(&freed));
	assert_int_equal(mem_live_count(), 0);
}

static int64_t count_owned(shipopt_cache *cache)
{
	int64_t count = 0;
	for (uint32_t number = 0; number < KEYS; number++) {
		struct key key = key_of(number);
		count += !is_copied(number) && shipopt_cache_peek(cache, &key, KEY_LENGTH) == SHIPOPT_CACHE_FOUND;
	}
	return count;
}

static void handles_that_wander_between_threads_are_freed_once(void **state)
{
	shipopt_cache *cache = make();
	struct worker workers[THREADS];
	uint64_t operations = 0, lives = 0;
	atomic_store(&stop, false);
	for (int i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){.cache = cache, .seed = (uint64_t)i + 1};
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, brief, cache), 0);
		pthread_join(thread, NULL);
		lives++;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - begin.tv_sec) + (double)(now.tv_nsec - begin.tv_nsec) * 1e-9 < seconds);
	atomic_store(&stop, true);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		operations += workers[i].operations;
	}
	empty_boxes();
	shipopt_cache_maintain(cache);
	assert_int_equal(stat_of(cache, SHIPOPT_CACHE_STAT_HELD_BYTES), 0);
	assert_int_equal(atomic_load(&made) - atomic_load(&freed), count_owned(cache));
	printf("%llu operations, %lld values, %llu threads\n", (unsigned long long)operations,
		(long long)atomic_load(&made), (unsigned long long)lives);
	shipopt_cache_free(cache);
	check_end();
}

/* The cache goes while its handles are in the boxes and with threads that give them up at this very moment. */
static void *give_up_boxes(void *argument)
{
	while (!atomic_load_explicit(&stop, memory_order_relaxed))
		empty_boxes();
	return NULL;
}

static void handles_are_given_up_while_their_cache_is_freed(void **state)
{
	pthread_t threads[2];
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, give_up_boxes, NULL), 0);
	for (int round = 0; round < 2000; round++) {
		shipopt_cache *cache = make();
		shipopt_value *own[4] = {NULL};
		for (uint32_t key = 0; key < 8; key++)
			store(cache, key);
		for (uint32_t key = 0; key < 8; key++)
			give_up(atomic_exchange(&boxes[key], take(cache, key)));
		for (uint32_t key = 0; key < 4; key++)
			own[key] = take(cache, key);
		if (round % 2)
			shipopt_cache_clear(cache);
		shipopt_cache_free(cache);
		for (int i = 0; i < 4; i++)
			give_up(own[i]);
	}
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	check_end();
}

int main(int argc, char **argv)
{
	if (argc > 1)
		seconds = atof(argv[1]);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handles_that_wander_between_threads_are_freed_once),
		cmocka_unit_test(handles_are_given_up_while_their_cache_is_freed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
