/* SPDX-License-Identifier: MIT */
#include "cache_fixture.h"

#include <math.h>

#include "base/random.h"

/*
 * The policies against plain references: rings in arrays, written for being obviously right. A key is a number
 * below KEYS_MAX; both sides see the same stream of "get, and put if absent".
 */
#define KEYS_MAX 40000

struct model {
	size_t capacity;
	/* S3-FIFO: rings of keys, oldest at `head`. LRU: `when` of the last use. */
	int *small, *main, *ghost;
	size_t small_head, small_count, main_head, main_count, ghost_head, ghost_count;
	unsigned char place[KEYS_MAX], hits[KEYS_MAX];
	bool in_ghost[KEYS_MAX];
	size_t ghost_place[KEYS_MAX];
	bool has_evicted;
	uint64_t now, when[KEYS_MAX];
	size_t count;
	int newer[KEYS_MAX], older[KEYS_MAX], newest, oldest;
};

enum { OUT, SMALL, MAIN };

static struct model *reference_make(size_t capacity)
{
	struct model *r = calloc(1, sizeof(*r));
	r->capacity = capacity;
	r->small = calloc(capacity + 1, sizeof(int));
	r->main = calloc(capacity + 1, sizeof(int));
	r->ghost = calloc(capacity + 1, sizeof(int));
	r->newest = r->oldest = -1;
	return r;
}

static void reference_end(struct model *r)
{
	free(r->small);
	free(r->main);
	free(r->ghost);
	free(r);
}

static void push(struct model *r, int *ring, size_t head, size_t *count, int key)
{
	ring[(head + *count) % (r->capacity + 1)] = key;
	++*count;
}

static int pop(struct model *r, const int *ring, size_t *head, size_t *count)
{
	int key = ring[*head];
	*head = (*head + 1) % (r->capacity + 1);
	--*count;
	return key;
}

static void remember(struct model *r, int key)
{
	size_t max = r->capacity - r->capacity / 10;
	if (max == 0)
		max = 1;
	while (r->ghost_count >= max) {
		int old = pop(r, r->ghost, &r->ghost_head, &r->ghost_count);
		if (old >= 0)
			r->in_ghost[old] = false;
	}
	r->ghost_place[key] = (r->ghost_head + r->ghost_count) % (r->capacity + 1);
	push(r, r->ghost, r->ghost_head, &r->ghost_count, key);
	r->in_ghost[key] = true;
}

static void s3fifo_evict(struct model *r)
{
	r->has_evicted = true;
	for (;;) {
		if (r->small_count == 0 || r->main_count > 9 * r->small_count) {
			int key = pop(r, r->main, &r->main_head, &r->main_count);
			if (r->hits[key] == 0) {
				r->place[key] = OUT;
				return;
			}
			r->hits[key]--;
			push(r, r->main, r->main_head, &r->main_count, key);
		} else {
			int key = pop(r, r->small, &r->small_head, &r->small_count);
			if (r->hits[key] < 2) {
				r->place[key] = OUT;
				remember(r, key);
				return;
			}
			r->hits[key] = 0;
			r->place[key] = MAIN;
			push(r, r->main, r->main_head, &r->main_count, key);
		}
	}
}

static bool s3fifo_access(struct model *r, int key)
{
	if (r->place[key] != OUT) {
		if (r->hits[key] < 3)
			r->hits[key]++;
		return true;
	}
	if (r->small_count + r->main_count == r->capacity)
		s3fifo_evict(r);
	size_t share = r->capacity / 10 ? r->capacity / 10 : 1;
	bool to_main = r->in_ghost[key] || (!r->has_evicted && r->small_count >= share);
	if (r->in_ghost[key]) {
		r->in_ghost[key] = false;
		r->ghost[r->ghost_place[key]] = -1;
	}
	r->hits[key] = 0;
	r->place[key] = to_main ? MAIN : SMALL;
	if (to_main)
		push(r, r->main, r->main_head, &r->main_count, key);
	else
		push(r, r->small, r->small_head, &r->small_count, key);
	return false;
}

static void lru_unlink(struct model *r, int key)
{
	*(r->newer[key] < 0 ? &r->newest : &r->older[r->newer[key]]) = r->older[key];
	*(r->older[key] < 0 ? &r->oldest : &r->newer[r->older[key]]) = r->newer[key];
}

static bool lru_access(struct model *r, int key)
{
	bool hit = r->place[key] != OUT;
	if (hit) {
		lru_unlink(r, key);
	} else if (r->count == r->capacity) {
		int old = r->oldest;
		lru_unlink(r, old);
		r->place[old] = OUT;
	} else {
		r->count++;
	}
	r->place[key] = MAIN;
	r->newer[key] = -1;
	r->older[key] = r->newest;
	*(r->newest < 0 ? &r->oldest : &r->newer[r->newest]) = key;
	r->newest = key;
	return hit;
}

enum stream { ZIPF, SCANS, LOOP, STREAMS };
static const char *const stream_names[] = {"zipf", "zipf with scans", "loop"};

static double zipf_sum[KEYS_MAX / 2];

static int zipf(struct random *random)
{
	const size_t n = KEYS_MAX / 2;
	if (zipf_sum[n - 1] == 0)
		for (size_t i = 0; i < n; i++)
			zipf_sum[i] = (i ? zipf_sum[i - 1] : 0) + 1 / pow((double)i + 1, 0.99);
	double x = random_unit(random) * zipf_sum[n - 1];
	size_t low = 0, high = n - 1;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (zipf_sum[middle] < x)
			low = middle + 1;
		else
			high = middle;
	}
	return (int)low;
}

static int next_key(enum stream stream, struct random *random, uint64_t i, size_t capacity)
{
	if (stream == LOOP)
		return (int)(i % (capacity + capacity / 10 + 2));
	/* A scan of keys that are seen once, half of the time. */
	if (stream == SCANS && i / 2000 % 2)
		return (int)(KEYS_MAX / 2 + i % (KEYS_MAX / 2));
	return zipf(random);
}

static shipopt_cache *cache_of(const char *policy, size_t capacity, const char *shards)
{
	shipopt_cache_config *config = test_config();
	shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, policy);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, (int64_t)capacity);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, 0);
	if (shards)
		shipopt_cache_config_set(config, "shards", shards);
	config->hash_seed = 3; /* the ghost has false memories with some, and the same in every run */
	return test_cache(config);
}

static bool cache_access(shipopt_cache *cache, int key)
{
	char text[8];
	int length = snprintf(text, sizeof(text), "%d", key);
	shipopt_value *value;
	if (shipopt_cache_get(cache, text, (size_t)length, &value) == SHIPOPT_CACHE_FOUND) {
		shipopt_value_unref(value);
		return true;
	}
	assert_int_equal(shipopt_cache_put(cache, text, (size_t)length, "value", 5, NULL), 0);
	return false;
}

static void compare(const char *policy, size_t capacity, const char *shards, enum stream stream, uint64_t count)
{
	shipopt_cache *cache = cache_of(policy, capacity, shards);
	struct model *reference = reference_make(capacity);
	struct random random;
	random_init(&random, 42 + capacity);
	uint64_t hits = 0, expected = 0, different = 0;
	for (uint64_t i = 0; i < count; i++) {
		int key = next_key(stream, &random, i, capacity);
		bool hit = cache_access(cache, key);
		bool should = strcmp(policy, "lru") == 0 ? lru_access(reference, key) : s3fifo_access(reference, key);
		hits += hit;
		expected += should;
		different += hit != should;
		assert_true(stat_of(cache, SHIPOPT_CACHE_STAT_ENTRIES) <= (int64_t)capacity);
	}
	double points = 100.0 * fabs((double)hits - (double)expected) / (double)count;
	if (capacity >= 1000 || different)
		printf("%-7s %5zu entries, %2lld shards, %-16s hit ratio %.4f, reference %.4f\n", policy, capacity,
			(long long)stat_of(cache, SHIPOPT_CACHE_STAT_SHARDS), stream_names[stream],
			(double)hits / (double)count, (double)expected / (double)count);
	assert_true(points <= 0.3);
	/* One shard, no false memory: the very same decisions. */
	if (capacity <= 20)
		assert_int_equal(different, 0);
	shipopt_cache_free(cache);
	reference_end(reference);
}

static void both_policies_decide_as_their_references_at_capacities_1_to_20(void **state)
{
	for (size_t capacity = 1; capacity <= 20; capacity++) {
		for (enum stream stream = ZIPF; stream < STREAMS; stream++) {
			compare("lru", capacity, NULL, stream, 5000);
			compare("s3fifo", capacity, NULL, stream, 5000);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void hit_ratios_are_those_of_the_references(void **state)
{
	static const size_t capacities[] = {200, 1000, 2500};
	for (size_t i = 0; i < 3; i++) {
		for (enum stream stream = ZIPF; stream < STREAMS; stream++) {
			compare("lru", capacities[i], "1", stream, 150000);
			compare("s3fifo", capacities[i], "1", stream, 150000);
			compare("lru", capacities[i], NULL, stream == LOOP ? ZIPF : stream, 150000);
			compare("s3fifo", capacities[i], NULL, stream == LOOP ? ZIPF : stream, 150000);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void shards_follow_the_capacity(void **state)
{
	static const struct {
		size_t capacity;
		int64_t most;
	} rows[] = {{1, 1}, {20, 1}, {511, 1}, {512, 2}, {1000, 2}, {1024, 4}, {1000000, 64}};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		shipopt_cache *cache = cache_of("s3fifo", rows[i].capacity, NULL);
		int64_t shards = stat_of(cache, SHIPOPT_CACHE_STAT_SHARDS);
		assert_true(shards <= rows[i].most);
		assert_true(shards == 1 || (int64_t)rows[i].capacity / shards >= 250);
		shipopt_cache_free(cache);
	}
}

static void an_lru_walk_begins_with_the_last_used(void **state)
{
	shipopt_cache *cache = cache_of("lru", 3, NULL);
	for (int key = 0; key < 3; key++)
		cache_access(cache, key);
	assert_true(cache_access(cache, 0));
	cache_access(cache, 3); /* 1 goes */
	assert_int_equal(peek(cache, "1"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(peek(cache, "0"), SHIPOPT_CACHE_FOUND);
	put(cache, "2", "again");
	cache_access(cache, 4); /* 0 goes: 2 was written later */
	assert_int_equal(peek(cache, "0"), SHIPOPT_CACHE_ABSENT);
	assert_int_equal(peek(cache, "2"), SHIPOPT_CACHE_FOUND);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_policies_decide_as_their_references_at_capacities_1_to_20),
		cmocka_unit_test(hit_ratios_are_those_of_the_references),
		cmocka_unit_test(shards_follow_the_capacity),
		cmocka_unit_test(an_lru_walk_begins_with_the_last_used),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
