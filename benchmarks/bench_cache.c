/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <pthread.h>
#include <shipopt/cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "base/list.h"
#include "base/macro.h"
#include "base/random.h"

/*
 * The speed of the cache, against two programs of the same run: an open-addressing table without any synchronisation,
 * which says what the memory allows, and the classic cache of 64 shards with a mutex and an LRU list each. Keys are 41
 * bytes of text, values 256 bytes, keys are asked for by a zipf law of 0.99, and all are there. Figures are ratios of
 * rates; each is taken as the median of interleaved rounds, as the machine is shared.
 *
 *	bench_cache                                    all figures
 *	bench_cache --keys N                           with N keys instead of a million
 *	bench_cache --ttl-ms N                         entries that can expire, and do not meanwhile: give it some minutes
 */
#define KEY_LENGTH 41
#define KEY_STRIDE 48
#define VALUE_LENGTH 256
#define REQUESTS 1000000
#define ROUNDS 5
#define MANY 16
#define BASELINE_SHARDS 64

static size_t key_count = 1000000;
static int64_t ttl_ms;
static size_t key_length; /* found out when it runs, as no table knows it when it is compiled */
static char *keys;
static uint32_t *requests;
static volatile uint64_t sink;

static double now_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *must(void *pointer)
{
	if (!pointer) {
		fprintf(stderr, "out of memory\n");
		exit(1);
	}
	return pointer;
}

static const char *key_of(size_t index)
{
	return keys + index * KEY_STRIDE;
}

/* Zipf by inversion of the sum; ranks are spread over the keys so that neighbours in memory are not neighbours in
 * rank. */
static void make_requests(void)
{
	double *sums = must(malloc(key_count * sizeof(*sums)));
	uint32_t *order = must(malloc(key_count * sizeof(*order)));
	struct random random;
	random_init(&random, 1);
	for (size_t i = 0; i < key_count; i++) {
		sums[i] = (i ? sums[i - 1] : 0) + pow((double)i + 1, -0.99);
		order[i] = (uint32_t)i;
	}
	for (size_t i = key_count - 1; i > 0; i--) {
		size_t j = random_below(&random, i + 1);
		uint32_t swapped = order[i];
		order[i] = order[j];
		order[j] = swapped;
	}
	for (size_t i = 0; i < REQUESTS; i++) {
		double x = random_unit(&random) * sums[key_count - 1];
		size_t low = 0, high = key_count - 1;
		while (low < high) {
			size_t middle = (low + high) / 2;
			if (sums[middle] < x)
				low = middle + 1;
			else
				high = middle;
		}
		requests[i] = order[low];
	}
	free(order);
	free(sums);
}

/* ---- an open-addressing table, single-threaded: the bound that memory sets ---- */
struct item {
	struct list_node lru;
	struct item *next;
	uint64_t hash;
	uint32_t key_length, value_length;
	char bytes[KEY_LENGTH + VALUE_LENGTH];
};

struct slot {
	uint64_t hash;
	struct item *item;
};
static struct slot *slots;
static size_t slot_mask;

static struct item *item_new(size_t index, uint64_t hash)
{
	struct item *item = must(malloc(sizeof(*item)));
	item->hash = hash;
	item->key_length = KEY_LENGTH;
	item->value_length = VALUE_LENGTH;
	memcpy(item->bytes, key_of(index), KEY_LENGTH);
	memset(item->bytes + KEY_LENGTH, 'v', VALUE_LENGTH);
	return item;
}

static void raw_fill(void)
{
	size_t count = 2;
	while (count < key_count * 3 / 2)
		count *= 2;
	slots = must(calloc(count, sizeof(*slots)));
	slot_mask = count - 1;
	for (size_t i = 0; i < key_count; i++) {
		uint64_t hash = hash_bytes(key_of(i), KEY_LENGTH, 42);
		size_t at = hash & slot_mask;
		while (slots[at].item)
			at = (at + 1) & slot_mask;
		slots[at] = (struct slot){hash, item_new(i, hash)};
	}
}

/* Inlined in each loop: it shall be as fast as it can. */
__attribute__((always_inline)) static inline struct item *raw_find(const char *key, size_t length)
{
	uint64_t hash = hash_bytes(key, length, 42);
	for (size_t at = hash & slot_mask; slots[at].item; at = (at + 1) & slot_mask) {
		struct item *item = slots[at].item;
		if (slots[at].hash == hash && item->key_length == length && memcmp(item->bytes, key, length) == 0)
			return item;
	}
	return NULL;
}

static void raw_free(void)
{
	for (size_t i = 0; i <= slot_mask; i++)
		free(slots[i].item);
	free(slots);
}

/* ---- the classic: 64 shards, each a mutex, a chained table and an LRU list ---- */
struct classic_shard {
	_Alignas(64) pthread_mutex_t lock;
	struct list_node lru;
	struct item **buckets;
	size_t mask;
};
static struct classic_shard classic[BASELINE_SHARDS];

static void classic_fill(void)
{
	size_t count = 2;
	while (count < key_count / BASELINE_SHARDS)
		count *= 2;
	for (size_t i = 0; i < BASELINE_SHARDS; i++) {
		pthread_mutex_init(&classic[i].lock, NULL);
		list_init(&classic[i].lru);
		classic[i].mask = count - 1;
		classic[i].buckets = must(calloc(count, sizeof(struct item *)));
	}
	for (size_t i = 0; i < key_count; i++) {
		uint64_t hash = hash_bytes(key_of(i), KEY_LENGTH, 43);
		struct classic_shard *shard = &classic[hash >> 58];
		struct item *item = item_new(i, hash);
		item->next = shard->buckets[hash & shard->mask];
		shard->buckets[hash & shard->mask] = item;
		list_push_front(&shard->lru, &item->lru);
	}
}

static unsigned classic_get(const char *key, size_t length)
{
	uint64_t hash = hash_bytes(key, length, 43);
	struct classic_shard *shard = &classic[hash >> 58];
	unsigned first = 0;
	pthread_mutex_lock(&shard->lock);
	struct item *item = shard->buckets[hash & shard->mask];
	while (item && !(item->hash == hash && item->key_length == length && memcmp(item->bytes, key, length) == 0))
		item = item->next;
	if (item) {
		list_remove(&item->lru);
		list_push_front(&shard->lru, &item->lru);
		first = (unsigned char)item->bytes[KEY_LENGTH];
	}
	pthread_mutex_unlock(&shard->lock);
	return first;
}

static void classic_free(void)
{
	for (size_t i = 0; i < BASELINE_SHARDS; i++) {
		while (!list_is_empty(&classic[i].lru)) {
			struct item *item = LIST_MEMBER(list_pop_front(&classic[i].lru), struct item, lru);
			free(item);
		}
		free(classic[i].buckets);
	}
}

/* ---- what is measured: each runs `count` requests from `first` on ---- */
static shipopt_cache *cache;

static void run_raw(size_t first, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = first; i < first + count; i++)
		sum += (unsigned char)raw_find(key_of(requests[i]), key_length)->bytes[KEY_LENGTH];
	sink += sum;
}

/* The same with 110 instructions more that do nothing, about those that a get has more: they fill the processor's
 * window of instructions, so that fewer look-ups wait for memory at once. What is missing below this is what the get
 * does. */
static void run_raw_padded(size_t first, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = first; i < first + count; i++) {
		sum += (unsigned char)raw_find(key_of(requests[i]), key_length)->bytes[KEY_LENGTH];
		__asm__ volatile(".rept 110\n nop\n .endr");
	}
	sink += sum;
}

static void run_classic(size_t first, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = first; i < first + count; i++)
		sum += classic_get(key_of(requests[i]), key_length);
	sink += sum;
}

static void run_get(size_t first, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = first; i < first + count; i++) {
		shipopt_value *value;
		if (shipopt_cache_get(cache, key_of(requests[i]), key_length, &value) != SHIPOPT_CACHE_FOUND)
			abort();
		sum += *(const unsigned char *)shipopt_value_data(value);
		shipopt_value_unref(value);
	}
	sink += sum;
}

static void add_first(void *userdata, const void *value, size_t length)
{
	*(uint64_t *)userdata += *(const unsigned char *)value;
}

static void run_borrow(size_t first, size_t count)
{
	uint64_t sum = 0;
	for (size_t i = first; i < first + count; i++)
		shipopt_cache_borrow(cache, key_of(requests[i]), key_length, add_first, &sum);
	sink += sum;
}

static void run_many(size_t first, size_t count)
{
	uint64_t sum = 0;
	const void *pointers[MANY];
	size_t lengths[MANY];
	int outcomes[MANY];
	shipopt_value *values[MANY];
	for (size_t i = 0; i < MANY; i++)
		lengths[i] = key_length;
	for (size_t i = first; i + MANY <= first + count; i += MANY) {
		for (size_t j = 0; j < MANY; j++)
			pointers[j] = key_of(requests[i + j]);
		if (shipopt_cache_get_many(cache, MANY, pointers, lengths, outcomes, values) != MANY)
			abort();
		for (size_t j = 0; j < MANY; j++) {
			sum += *(const unsigned char *)shipopt_value_data(values[j]);
			shipopt_value_unref(values[j]);
		}
	}
	sink += sum;
}

typedef void (*run_fn)(size_t first, size_t count);

struct share {
	run_fn run;
	size_t first, count;
	double processor_s;
	pthread_barrier_t *barrier;
};

static double processor_s(void)
{
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void *run_share(void *argument)
{
	struct share *share = argument;
	pthread_barrier_wait(share->barrier);
	double begin = processor_s();
	share->run(share->first, share->count);
	share->processor_s = processor_s() - begin;
	return NULL;
}

/* Requests a second of one or two threads; *ret_processor: a second of their processors' time, which says what the code
 * costs when others take the machine's. Waiting for a lock does not count there. */
static double rate(run_fn run, int threads, double *ret_processor)
{
	pthread_barrier_t barrier;
	pthread_t other[2];
	struct share shares[2];
	pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
	for (int i = 0; i < threads; i++) {
		shares[i] = (struct share){run, (size_t)i * REQUESTS / 2, REQUESTS / 2, 0, &barrier};
		pthread_create(&other[i], NULL, run_share, &shares[i]);
	}
	pthread_barrier_wait(&barrier);
	double begin = now_s();
	for (int i = 0; i < threads; i++)
		pthread_join(other[i], NULL);
	double end = now_s();
	pthread_barrier_destroy(&barrier);
	*ret_processor = 0;
	for (int i = 0; i < threads; i++)
		*ret_processor += REQUESTS / 2 / shares[i].processor_s;
	return threads * (REQUESTS / 2) / (end - begin);
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return values[count / 2];
}

enum { RAW, RAW2, PADDED, CLASSIC, CLASSIC2, GET, GET2, BORROW, BORROW2, MANY1, MANY2, MEASURES };
static const struct {
	const char *name;
	run_fn run;
	int threads;
} measures[MEASURES] = {{"raw table", run_raw, 1}, {"raw table, 2 threads", run_raw, 2},
	{"raw table, 110 idle instructions a look-up", run_raw_padded, 1}, {"mutex and LRU list", run_classic, 1},
	{"mutex and LRU list, 2 threads", run_classic, 2}, {"get", run_get, 1}, {"get, 2 threads", run_get, 2},
	{"borrow", run_borrow, 1}, {"borrow, 2 threads", run_borrow, 2}, {"get_many of 16", run_many, 1},
	{"get_many of 16, 2 threads", run_many, 2}};

static double rates[MEASURES][ROUNDS], processor_rates[MEASURES][ROUNDS];

static double median_ratio(double of[MEASURES][ROUNDS], int a, int b)
{
	double ratios[ROUNDS];
	for (int round = 0; round < ROUNDS; round++)
		ratios[round] = of[a][round] / of[b][round];
	return median(ratios, ROUNDS);
}

static void ratio(const char *name, int a, int b, double target)
{
	double value = median_ratio(rates, a, b), processor = median_ratio(processor_rates, a, b);
	printf("%-60s %6.2f %6.2f  (target %.2f)%s\n", name, value, processor, target,
		value >= target || processor >= target ? "" : "  MISSED");
}

static shipopt_cache *cache_make(const char *policy, size_t entries, size_t bytes)
{
	shipopt_cache_config *config;
	shipopt_cache *made;
	if (shipopt_cache_config_new(&config) < 0)
		exit(1);
	shipopt_cache_config_set(config, SHIPOPT_CACHE_POLICY, policy);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_ENTRIES_MAX, (int64_t)entries);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_BYTES_MAX, (int64_t)bytes);
	shipopt_cache_config_set_int(config, SHIPOPT_CACHE_TTL_MS, ttl_ms);
	if (shipopt_cache_new(config, &made, NULL) < 0)
		exit(1);
	shipopt_cache_config_free(config);
	return made;
}

static size_t resident_bytes(void)
{
	long pages = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (!file)
		return 0;
	if (fscanf(file, "%ld %ld", &pages, &resident) != 2)
		resident = 0;
	fclose(file);
	return (size_t)resident * 4096;
}

static int64_t stat_of(shipopt_cache *of, int stat)
{
	int64_t value = 0;
	shipopt_cache_stat(of, stat, &value);
	return value;
}

/* Growing from nothing: how long a single put takes, and what an entry costs. */
static void fill(void)
{
	char value[VALUE_LENGTH];
	memset(value, 'v', sizeof(value));
	double *times = must(malloc(key_count * sizeof(*times)));
	memset(times, 0, key_count * sizeof(*times)); /* touched before the counting of pages begins */
	size_t before = resident_bytes();
	cache = cache_make("s3fifo", 0, (size_t)1 << 36);
	for (size_t i = 0; i < key_count; i++) {
		double begin = now_s();
		if (shipopt_cache_put(cache, key_of(i), KEY_LENGTH, value, VALUE_LENGTH, NULL) < 0)
			abort();
		times[i] = now_s() - begin;
	}
	double used = (double)(resident_bytes() - before);
	qsort(times, key_count, sizeof(*times), compare_doubles);
	double p999 = times[key_count - key_count / 1000 - 1] * 1e6;
	printf("%-60s %6.2f  (target below 100)%s\n", "put while growing, p99.9, microseconds", p999,
		p999 < 100 ? "" : "  MISSED");
	printf("%-60s %6.2f\n", "put while growing, p50, microseconds", times[key_count / 2] * 1e6);
	printf("%-60s %6.2f\n", "put while growing, longest, microseconds", times[key_count - 1] * 1e6);
	double payload = (KEY_LENGTH + VALUE_LENGTH) * (double)key_count;
	double index = (double)stat_of(cache, SHIPOPT_CACHE_STAT_INDEX_BYTES);
	double headers = (double)stat_of(cache, SHIPOPT_CACHE_STAT_BYTES) - 20.0 * (double)key_count - payload;
	printf("%-60s %6.1f\n", "overhead of an entry: header and padding, bytes", headers / (double)key_count);
	printf("%-60s %6.1f\n", "overhead of an entry: index, bytes", index / (double)key_count);
	printf("%-60s %6.1f  (target about 60)\n", "overhead of an entry: together, bytes",
		(headers + index) / (double)key_count);
	printf("%-60s %6.1f\n", "overhead of an entry: resident memory, malloc's included",
		(used - payload) / (double)key_count);
	free(times);
}

static void speeds(void)
{
	for (int round = 0; round < ROUNDS; round++)
		for (int i = 0; i < MEASURES; i++)
			rates[i][round] = rate(measures[i].run, measures[i].threads, &processor_rates[i][round]);
	for (int i = 0; i < MEASURES; i++) {
		double copy[ROUNDS], processor[ROUNDS];
		memcpy(copy, rates[i], sizeof(copy));
		memcpy(processor, processor_rates[i], sizeof(processor));
		printf("%-60s %6.2f %6.2f\n", measures[i].name, median(copy, ROUNDS) / 1e6,
			median(processor, ROUNDS) / 1e6);
	}
	printf("(million requests a second, and a second of processor time)\n");
	ratio("get / raw table", GET, RAW, 0.85);
	printf("%-60s %6.2f %6.2f\n", "raw table with the idle instructions / raw table",
		median_ratio(rates, PADDED, RAW), median_ratio(processor_rates, PADDED, RAW));
	ratio("get / raw table with the idle instructions", GET, PADDED, 0.85);
	ratio("get, 2 threads / 1 thread", GET2, GET, 1.7);
	ratio("get, 2 threads / mutex and LRU list, 2 threads", GET2, CLASSIC2, 2.0);
	ratio("get_many of 16 / get", MANY1, GET, 2.0);
	ratio("borrow / raw table", BORROW, RAW, 0.85);
	ratio("raw table, 2 threads / 1 thread (what the machine gives)", RAW2, RAW, 1.0);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--keys") == 0)
		key_count = strtoull(argv[2], NULL, 10);
	if (argc == 3 && strcmp(argv[1], "--ttl-ms") == 0)
		ttl_ms = strtoll(argv[2], NULL, 10);
	if (key_count < 1000)
		key_count = 1000;
	keys = must(calloc(key_count, KEY_STRIDE));
	requests = must(malloc(REQUESTS * sizeof(*requests)));
	for (size_t i = 0; i < key_count; i++)
		key_length = (size_t)snprintf(keys + i * KEY_STRIDE, KEY_STRIDE, "rate:us:ground:%010u:parcel:%08u",
			(unsigned)i, (unsigned)i * 7 % 100000000);
	make_requests();
	fill();
	raw_fill();
	classic_fill();
	speeds();
	raw_free();
	classic_free();
	shipopt_cache_free(cache);
	free(requests);
	free(keys);
	return 0;
}
