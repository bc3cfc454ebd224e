/* SPDX-License-Identifier: MIT */

/*
 * What the executor and the client make of a carrier that answers in 333 ms, over real HTTP: how close to the ideal,
 * and at what cost. The carrier is the sandbox (environment variable SHIPOPT_SANDBOX), whose own CPU time is printed,
 * as it must not be what is measured. One line a figure. Exit status 1 if a figure misses its bound.
 *
 *	buy       60 orders through the ledger, 16 at a time: two calls each
 *	read      trackers retrieved, N in flight, after the first wave: answers per second over N ÷ latency
 */
#include "cmocka_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "bulk_fixture.h"

#define LATENCY_MS 333
#define ORDERS 60
#define ORDERS_IN_FLIGHT 16
#define WAVES 21 /* the first is not counted */

static int misses;

static const char *check(bool holds)
{
	misses += !holds;
	return holds ? "" : "  MISSED";
}

static void measure_buy(struct bulk_fixture *fixture)
{
	struct fixture_result result;
	int64_t ideal_ms = 2 * LATENCY_MS * ((ORDERS + ORDERS_IN_FLIGHT - 1) / ORDERS_IN_FLIGHT);
	fixture_open(fixture, "bulk.max_in_flight=16");
	fixture_buy(fixture, fixture_orders(ORDERS, "order"), &result);
	assert_int_equal(result.done, ORDERS);
	double ratio = (double)result.elapsed_ms / (double)ideal_ms;
	printf("buy %d orders, %d in flight: %lld ms, ideal %lld ms, ratio %.3f (bound 1.15)%s\n", ORDERS,
		ORDERS_IN_FLIGHT, (long long)result.elapsed_ms, (long long)ideal_ms, ratio, check(ratio <= 1.15));
	fixture_close(fixture);
}

/* Reads that keep N on the wire: each answer sends the next. Inline delivery: all of it is on the reactor thread, but
 * for the wait at the end. */
struct readers {
	shipopt_carrier *carrier;
	char tracker_id[64];
	size_t in_flight, wanted, sent, answered, failed, running;
	int64_t begun_us, begun_cpu_us, ended_us, ended_cpu_us;
	pthread_mutex_t lock;
	pthread_cond_t changed;
};

static int64_t cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
		usage.ru_stime.tv_usec;
}

static void answered(void *userdata, shipopt_op *op);

static void read_one(struct readers *readers)
{
	readers->sent++;
	assert_int_equal(shipopt_carrier_tracker_retrieve(readers->carrier, readers->tracker_id, answered, readers,
				 NULL),
		0);
}

static void answered(void *userdata, shipopt_op *op)
{
	struct readers *readers = userdata;
	pthread_mutex_lock(&readers->lock);
	readers->answered++;
	readers->failed += shipopt_op_status(op) < 0;
	if (readers->answered == readers->in_flight) {
		readers->begun_us = clock_now_us();
		readers->begun_cpu_us = cpu_us();
	} else if (readers->answered == readers->wanted) {
		readers->ended_us = clock_now_us();
		readers->ended_cpu_us = cpu_us();
		pthread_cond_signal(&readers->changed);
	}
	bool goes_on = readers->ended_us == 0;
	if (!goes_on && --readers->running == 0)
		pthread_cond_signal(&readers->changed);
	pthread_mutex_unlock(&readers->lock);
	if (goes_on)
		read_one(readers);
}

static void make_tracker(struct bulk_fixture *fixture, char *ret_id, size_t size)
{
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_tracker_create(fixture->carrier, "EZ1000000001", NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	snprintf(ret_id, size, "%s", shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID));
	shipopt_op_unref(op);
}

static void measure_read(struct bulk_fixture *fixture, size_t in_flight)
{
	char settings[160];
	struct readers readers = {.in_flight = in_flight,
		.wanted = in_flight * WAVES,
		.running = in_flight,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.changed = PTHREAD_COND_INITIALIZER};
	snprintf(settings, sizeof(settings), "carrier.adaptive=0 carrier.concurrency_max=%zu", in_flight);
	fixture_open_handles(fixture, settings);
	shipopt_carrier_free(fixture->carrier);
	shipopt_carrier_config_set_int(fixture->carrier_config, SHIPOPT_CARRIER_DELIVER_INLINE, 1);
	assert_int_equal(shipopt_carrier_new(fixture->runtime, fixture->carrier_config, &fixture->carrier, NULL), 0);
	readers.carrier = fixture->carrier;
	make_tracker(fixture, readers.tracker_id, sizeof(readers.tracker_id));
	int64_t server_us = sandbox_count(&fixture->sandbox, "cpu_us"), started_us = clock_now_us();
	for (size_t i = 0; i < in_flight; i++)
		read_one(&readers);
	pthread_mutex_lock(&readers.lock);
	while (readers.running > 0)
		pthread_cond_wait(&readers.changed, &readers.lock);
	pthread_mutex_unlock(&readers.lock);
	int64_t elapsed_us = clock_now_us() - started_us;
	server_us = sandbox_count(&fixture->sandbox, "cpu_us") - server_us;
	assert_int_equal(readers.failed, 0);
	int64_t connections = 0;
	shipopt_carrier_stat(fixture->carrier, SHIPOPT_CARRIER_STAT_CONNECTIONS_OPENED, &connections);
	double seconds = (double)(readers.ended_us - readers.begun_us) / 1e6;
	double count = (double)(readers.wanted - in_flight), rate = count / seconds;
	double share = rate / ((double)in_flight * 1000 / LATENCY_MS);
	double cpu = (double)(readers.ended_cpu_us - readers.begun_cpu_us) / count;
	double server = (double)server_us / (double)elapsed_us;
	printf("read %zu in flight: %.1f/s, share of ideal %.3f (bound 0.95)%s, client CPU %.1f us/request (bound 120)%s, "
	       "server CPU %.0f %% of a core (bound 80)%s, %lld connections\n",
		in_flight, rate, share, check(share >= 0.95), cpu, check(cpu < 120), server * 100, check(server < 0.8),
		(long long)connections);
	fixture_close(fixture);
}

int main(void)
{
	static const char *const options[] = {"--latency-ms", "333", NULL};
	static const size_t levels[] = {16, 64, 256, 1000};
	struct bulk_fixture fixture;
	setvbuf(stdout, NULL, _IOLBF, 0);
	fixture_start(&fixture, options);
	measure_buy(&fixture);
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++)
		measure_read(&fixture, levels[i]);
	fixture_stop(&fixture);
	return misses ? 1 : 0;
}
