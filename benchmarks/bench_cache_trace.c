/* SPDX-License-Identifier: MIT */
#include <shipopt/cache.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"

/*
 * The hit ratios of both policies for a recorded stream of requests: each key is asked for, and put when absent. A file
 * whose name ends in .u32 holds one little-endian 32-bit key after the other, any other one key a line.
 *
 *	bench_cache_trace FILE CAPACITY [SHARDS]
 */
struct trace {
	FILE *file;
	bool is_binary;
	char *key;
	size_t size;
};

static bool trace_open(struct trace *trace, const char *path)
{
	size_t length = strlen(path);
	*trace = (struct trace){.file = fopen(path, "r"),
		.is_binary = length > 4 && strcmp(path + length - 4, ".u32") == 0};
	if (trace->is_binary) {
		trace->size = 4;
		trace->key = malloc(trace->size);
	}
	return trace->file && (!trace->is_binary || trace->key);
}

/* The length of the next key; 0 at the end. */
static size_t trace_next(struct trace *trace)
{
	if (trace->is_binary)
		return fread(trace->key, 4, 1, trace->file) == 1 ? 4 : 0;
	for (ssize_t length; (length = getline(&trace->key, &trace->size, trace->file)) >= 0;) {
		if (length && trace->key[length - 1] == '\n')
			length--;
		if (length)
			return (size_t)length;
	}
	return 0;
}

static void trace_close(struct trace *trace)
{
	free(trace->key);
	if (trace->file)
		fclose(trace->file);
}

static shipopt_cache *cache_make(const char *policy, const char *capacity, const char *shards)
{
	const char *const settings[][2] = {{"policy", policy}, {"entries_max", capacity}, {"shards", shards},
		{"bytes_max", "1099511627776"}, {"ttl_ms", "0"}};
	shipopt_cache_config *config;
	shipopt_cache *cache = NULL;
	if (shipopt_cache_config_new(&config) < 0)
		return NULL;
	int r = 0;
	for (size_t i = 0; i < ARRAY_SIZE(settings) && r == 0; i++)
		r = shipopt_cache_config_set(config, settings[i][0], settings[i][1]);
	if (r < 0)
		fprintf(stderr, "%s\n", shipopt_error_message(shipopt_cache_config_error(config)));
	else
		shipopt_cache_new(config, &cache, NULL);
	shipopt_cache_config_free(config);
	return cache;
}

static int replay(struct trace *trace, shipopt_cache *cache, uint64_t *ret_hits, uint64_t *ret_requests)
{
	*ret_hits = *ret_requests = 0;
	for (size_t length; (length = trace_next(trace)) > 0; ++*ret_requests) {
		shipopt_value *value;
		int r = shipopt_cache_get(cache, trace->key, length, &value);
		if (r == SHIPOPT_CACHE_FOUND) {
			++*ret_hits;
			shipopt_value_unref(value);
		} else {
			r = shipopt_cache_put(cache, trace->key, length, "", 0, NULL);
		}
		if (r < 0)
			return r;
	}
	return 0;
}

static int run(const char *path, const char *policy, const char *capacity, const char *shards)
{
	struct trace trace = {0};
	uint64_t hits, requests;
	shipopt_cache *cache = cache_make(policy, capacity, shards);
	int r = cache && trace_open(&trace, path) ? replay(&trace, cache, &hits, &requests) : SHIPOPT_EINVAL;
	if (r < 0)
		fprintf(stderr, "%s: cannot be replayed: %s\n", path, shipopt_error_name(r));
	else
		printf("%-7s capacity %s, requests %llu, hit ratio %.4f\n", policy, capacity,
			(unsigned long long)requests, requests ? (double)hits / (double)requests : 0);
	trace_close(&trace);
	shipopt_cache_free(cache);
	return r;
}

int main(int argc, char **argv)
{
	if (argc < 3 || argc > 4) {
		fprintf(stderr, "bench_cache_trace FILE CAPACITY [SHARDS]\n");
		return 2;
	}
	const char *shards = argc > 3 ? argv[3] : "0";
	return run(argv[1], "lru", argv[2], shards) < 0 || run(argv[1], "s3fifo", argv[2], shards) < 0;
}
