/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <shipopt/shipopt.h>

#include "base/random.h"
#include "carrier/answer_cache.h"
#include "sandbox_process.h"

/*
 * Reads of trackers that are kept in a cache, against the sandbox carrier on this machine, which answers at once: a
 * real carrier is some hundred milliseconds further away.
 *
 * "look-up" is the cache alone with the key of a read; "kept" a whole call, from the wish to the completion in a queue
 * on the same thread, the answer parsed into a record; "each of 32" asks for as many before it
 * dispatches the queue; "kept, waited for" the same through a worker and shipopt_op_wait(); "asked" a
 * call that goes to the sandbox. The streams are READS reads of TRACKERS trackers whose popularity follows Zipf's law,
 * so many a second on a clock that the benchmark moves; what counts is the share of them that sends a request.
 */
#define TRACKERS 1000
#define READS 20000
#define CALLS 20000 /* a multiple of BATCH */
#define BATCH 32
#define WAITED 5000

static char trackers[TRACKERS][64];
static int64_t host_time_us = 1000000;
static int64_t samples[CALLS];

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int64_t host_clock(void *userdata)
{
	return __atomic_load_n(&host_time_us, __ATOMIC_RELAXED);
}

static void must(int status, const char *what)
{
	if (status >= 0)
		return;
	fprintf(stderr, "%s: %s\n", what, shipopt_error_description(status));
	exit(1);
}

static int compare(const void *a, const void *b)
{
	const int64_t *left = a, *right = b;
	return (*left > *right) - (*left < *right);
}

static void report(const char *name, size_t count)
{
	qsort(samples, count, sizeof(*samples), compare);
	printf("carrier %-20s p50 %8.2f us, p99 %8.2f us\n", name, (double)samples[count / 2] / 1e3,
		(double)samples[count * 99 / 100] / 1e3);
	fflush(stdout);
}

static shipopt_carrier *open_carrier(shipopt_runtime *runtime, const struct sandbox *sandbox, shipopt_cache *cache,
	shipopt_queue *queue)
{
	char url[128];
	shipopt_carrier_config *config;
	shipopt_carrier *carrier;
	snprintf(url, sizeof(url), "%s/v2", sandbox->url);
	must(shipopt_carrier_config_new(&config), "config");
	must(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, url), "base_url");
	must(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKbenchmark"), "api_key");
	must(shipopt_carrier_config_set_cache(config, cache), "cache");
	if (queue)
		must(shipopt_carrier_config_set_queue(config, queue), "queue");
	must(shipopt_carrier_new(runtime, config, &carrier, NULL), "carrier");
	shipopt_carrier_config_free(config);
	return carrier;
}

static void make_trackers(shipopt_carrier *carrier)
{
	for (size_t i = 0; i < TRACKERS; i++) {
		shipopt_op *op;
		char code[32];
		snprintf(code, sizeof(code), "EZ1%09zu", i);
		must(shipopt_carrier_tracker_create(carrier, code, NULL, NULL, NULL, &op), "create");
		must(shipopt_op_wait(op, -1), "create");
		snprintf(trackers[i], sizeof(trackers[i]), "%s",
			shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID));
		shipopt_op_unref(op);
	}
}

static void on_done(void *userdata, shipopt_op *op)
{
	must(shipopt_op_status(op), "read");
}

static void read_waited(shipopt_carrier *carrier, const char *id)
{
	shipopt_op *op;
	must(shipopt_carrier_tracker_retrieve(carrier, id, NULL, NULL, &op), "read");
	must(shipopt_op_wait(op, -1), "read");
	shipopt_op_unref(op);
}

static void bench_latency(shipopt_carrier *direct, shipopt_carrier *queued, shipopt_carrier *plain,
	shipopt_queue *queue, shipopt_cache *cache)
{
	char path[80], key[ANSWER_KEY_SIZE];
	snprintf(path, sizeof(path), "/trackers/%s", trackers[0]);
	struct answer_question question = {.identity = direct->identity, .path = path};
	size_t length = answer_key(&question, key);
	read_waited(direct, trackers[0]);
	for (size_t i = 0; i < CALLS; i++) {
		shipopt_value *value;
		int64_t begun = now_ns();
		if (shipopt_cache_get(cache, key, length, &value) != SHIPOPT_CACHE_FOUND)
			must(SHIPOPT_ENOTFOUND, "look-up");
		shipopt_value_unref(value);
		samples[i] = now_ns() - begun;
	}
	report("look-up", CALLS);
	for (size_t i = 0; i < CALLS; i++) {
		int64_t begun = now_ns();
		must(shipopt_carrier_tracker_retrieve(queued, trackers[0], on_done, NULL, NULL), "read");
		must(shipopt_queue_dispatch(queue, 0, -1), "dispatch");
		samples[i] = now_ns() - begun;
	}
	report("kept", CALLS);
	for (size_t i = 0; i < CALLS; i += BATCH) {
		int64_t begun = now_ns();
		for (size_t k = 0; k < BATCH; k++)
			must(shipopt_carrier_tracker_retrieve(queued, trackers[0], on_done, NULL, NULL), "read");
		for (int done = 0; done < BATCH;)
			done += shipopt_queue_dispatch(queue, 0, -1);
		for (size_t k = 0; k < BATCH; k++)
			samples[i + k] = (now_ns() - begun) / BATCH;
	}
	report("kept, each of 32", CALLS);
	for (size_t i = 0; i < WAITED; i++) {
		int64_t begun = now_ns();
		read_waited(direct, trackers[0]);
		samples[i] = now_ns() - begun;
	}
	report("kept, waited for", WAITED);
	for (size_t i = 0; i < WAITED; i++) {
		int64_t begun = now_ns();
		read_waited(plain, trackers[0]);
		samples[i] = now_ns() - begun;
	}
	report("asked", WAITED);
}

static size_t draw(const double *sums, struct random *random)
{
	double at = random_unit(random) * sums[TRACKERS - 1];
	size_t low = 0, high = TRACKERS - 1;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (sums[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void bench_stream(shipopt_carrier *carrier, shipopt_queue *queue, shipopt_cache *cache, double exponent,
	int per_second)
{
	static double sums[TRACKERS];
	struct random random;
	int64_t before, after;
	random_init(&random, 7);
	for (size_t i = 0; i < TRACKERS; i++)
		sums[i] = (i ? sums[i - 1] : 0) + 1 / pow((double)i + 1, exponent);
	must(shipopt_cache_clear(cache), "clear");
	must(shipopt_carrier_stat(carrier, SHIPOPT_CARRIER_STAT_REQUESTS, &before), "stat");
	for (size_t i = 0; i < READS; i++) {
		__atomic_fetch_add(&host_time_us, 1000000 / per_second, __ATOMIC_RELAXED);
		must(shipopt_carrier_tracker_retrieve(carrier, trackers[draw(sums, &random)], on_done, NULL, NULL),
			"read");
		must(shipopt_queue_dispatch(queue, 0, -1), "dispatch");
	}
	must(shipopt_carrier_stat(carrier, SHIPOPT_CARRIER_STAT_REQUESTS, &after), "stat");
	printf("carrier stream zipf %.1f, %4d reads/s, %d trackers, 30 s: %5.1f %% of the requests saved\n", exponent,
		per_second, TRACKERS, 100.0 - 100.0 * (double)(after - before) / READS);
	fflush(stdout);
}

int main(void)
{
	struct sandbox sandbox;
	shipopt_runtime *runtime;
	shipopt_cache_config *config;
	shipopt_cache *cache;
	shipopt_queue *queue;
	if (sandbox_start(&sandbox, NULL) < 0) {
		fprintf(stderr, "the sandbox did not start; is SHIPOPT_SANDBOX set?\n");
		return 1;
	}
	must(shipopt_runtime_new(NULL, &runtime, NULL), "runtime");
	must(shipopt_queue_new(runtime, 64, &queue), "queue");
	must(shipopt_cache_config_new(&config), "cache");
	must(shipopt_cache_config_set_clock(config, host_clock, NULL), "cache");
	must(shipopt_cache_new(config, &cache, NULL), "cache");
	shipopt_cache_config_free(config);
	shipopt_carrier *direct = open_carrier(runtime, &sandbox, cache, NULL);
	shipopt_carrier *queued = open_carrier(runtime, &sandbox, cache, queue);
	shipopt_carrier *plain = open_carrier(runtime, &sandbox, NULL, NULL);
	make_trackers(plain);
	bench_latency(direct, queued, plain, queue, cache);
	bench_stream(queued, queue, cache, 0.8, 100);
	bench_stream(queued, queue, cache, 1.0, 100);
	bench_stream(queued, queue, cache, 1.0, 1000);
	shipopt_carrier_free(direct);
	shipopt_carrier_free(queued);
	shipopt_carrier_free(plain);
	shipopt_runtime_close(runtime, -1);
	shipopt_queue_free(queue);
	shipopt_runtime_free(runtime);
	shipopt_cache_free(cache);
	return sandbox_stop(&sandbox);
}
