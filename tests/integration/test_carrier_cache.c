/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "bulk_fixture.h"

/* Answers kept in a cache, over real HTTP against the sandbox, with real threads. */

#define TRACKERS 8
#define THREADS 4

static struct bulk_fixture fixture;
static char trackers[TRACKERS][64];
static _Atomic(int64_t) host_time_us;

static int64_t host_clock(void *userdata)
{
	return atomic_load(&host_time_us);
}

static shipopt_cache *new_cache(void)
{
	shipopt_cache_config *config;
	shipopt_cache *cache;
	assert_int_equal(shipopt_cache_config_new(&config), 0);
	assert_int_equal(shipopt_cache_config_set_clock(config, host_clock, NULL), 0);
	assert_int_equal(shipopt_cache_new(config, &cache, NULL), 0);
	shipopt_cache_config_free(config);
	return cache;
}

static void make_trackers(void)
{
	for (int i = 0; i < TRACKERS; i++) {
		shipopt_op *op;
		char code[32];
		snprintf(code, sizeof(code), "EZ%d00000000%d", 1 + i % 4, i);
		assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, code, NULL, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		snprintf(trackers[i], sizeof(trackers[i]), "%s",
			shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID));
		shipopt_op_unref(op);
	}
}

static void start(const char *const *options, const char *settings)
{
	fixture_start(&fixture, options);
	fixture.cache = new_cache();
	fixture_open_handles(&fixture, settings);
}

static void stop(void)
{
	shipopt_cache *cache = TAKE(fixture.cache);
	fixture_stop(&fixture);
	shipopt_cache_free(cache);
	assert_int_equal(mem_live_count(), 0);
}

static int64_t tracker_reads(void)
{
	return sandbox_requests(&fixture.sandbox, "GET /trackers/id");
}

static int64_t cache_stat(int stat)
{
	int64_t value = -1;
	assert_int_equal(shipopt_cache_stat(fixture.cache, stat, &value), 0);
	return value;
}

/* One read to its end; says whether it was kept. */
static int read_tracker(const char *id)
{
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, id, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_string_equal(shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID), id);
	int is_cached = shipopt_op_is_cached(op);
	shipopt_op_unref(op);
	return is_cached;
}

static void a_second_read_sends_nothing_until_its_time_is_over(void **state)
{
	start(NULL, "carrier.tracker_ttl_ms=1000");
	make_trackers();
	int64_t before = tracker_reads();
	assert_int_equal(read_tracker(trackers[0]), 0);
	assert_int_equal(read_tracker(trackers[0]), 1);
	assert_int_equal(tracker_reads(), before + 1);
	atomic_fetch_add(&host_time_us, 1001000);
	assert_int_equal(read_tracker(trackers[0]), 0);
	assert_int_equal(tracker_reads(), before + 2);
	/* A webhook's event says that it has changed. */
	char tag[80];
	snprintf(tag, sizeof(tag), "trackers/%s", trackers[0]);
	assert_int_equal(shipopt_cache_remove_tag(fixture.cache, tag), 0);
	assert_int_equal(read_tracker(trackers[0]), 0);
	stop();
}

static int64_t tracker_creations(void)
{
	return sandbox_requests(&fixture.sandbox, "POST /trackers");
}

/* Creates a tracker by its code; says whether it was answered from the cache. */
static int create_tracker(const char *code, const char *carrier_name, char id[64])
{
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, code, carrier_name, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_string_equal(shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_TRACKING_CODE), code);
	snprintf(id, 64, "%s", shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID));
	int is_cached = shipopt_op_is_cached(op);
	shipopt_op_unref(op);
	return is_cached;
}

static void a_tracker_asked_for_by_its_code_again_costs_no_request(void **state)
{
	char first[64], id[64], tag[80];
	shipopt_op *op;
	start(NULL, "carrier.tracker_ttl_ms=1000");
	assert_int_equal(create_tracker("EZ1000000001", NULL, first), 0);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 1);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 1);
	assert_string_equal(id, first);
	assert_int_equal(tracker_creations(), 1);
	/* Another code and another carrier are other questions. */
	assert_int_equal(create_tracker("EZ2000000002", NULL, id), 0);
	assert_int_equal(create_tracker("EZ1000000001", "USPS", id), 0);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 1);
	/* Its time ends, a webhook's event ends it, and so does a write to the object. */
	atomic_fetch_add(&host_time_us, 1001000);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 0);
	snprintf(tag, sizeof(tag), "trackers/%s", id);
	assert_int_equal(shipopt_cache_remove_tag(fixture.cache, tag), 0);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 0);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 1);
	snprintf(tag, sizeof(tag), "/trackers/%s", id);
	assert_int_equal(shipopt_carrier_call(fixture.carrier, "DELETE", tag, NULL, NULL, NULL, NULL, &op), 0);
	shipopt_op_wait(op, -1);
	shipopt_op_unref(op);
	assert_int_equal(create_tracker("EZ1000000001", NULL, id), 0);
	stop();
}

static void a_hundred_that_create_one_tracker_send_one_request(void **state)
{
	static const char *const options[] = {"--latency-ms", "100", NULL};
	shipopt_op *ops[100];
	start(options, NULL);
	for (int i = 0; i < 100; i++)
		assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, "EZ1000000001", NULL, NULL, NULL,
					 &ops[i]),
			0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		shipopt_op_unref(ops[i]);
	}
	assert_int_equal(tracker_creations(), 1);
	stop();
}

static void trackers_that_are_made_at_once_are_all_cached(void **state)
{
	static const char *const options[] = {"--latency-ms", "20", NULL};
	shipopt_op *ops[50];
	char code[32];
	start(options, NULL);
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 50; i++) {
			snprintf(code, sizeof(code), "EZ70000000%02d", i);
			assert_int_equal(shipopt_carrier_tracker_create(fixture.carrier, code, NULL, NULL, NULL,
						 &ops[i]),
				0);
		}
		for (int i = 0; i < 50; i++) {
			assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
			assert_int_equal(shipopt_op_is_cached(ops[i]), round);
			shipopt_op_unref(ops[i]);
		}
	}
	assert_int_equal(tracker_creations(), 50);
	stop();
}

static void a_new_tracker_ends_the_lists_that_lack_it(void **state)
{
	char id[64];
	start(NULL, NULL);
	for (int i = 0; i < 4; i++) {
		shipopt_op *op;
		if (i == 2)
			create_tracker("EZ3000000003", NULL, id);
		assert_int_equal(shipopt_carrier_call(fixture.carrier, "GET", "/trackers", NULL, NULL, NULL, NULL, &op),
			0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		assert_int_equal(shipopt_op_is_cached(op), i % 2);
		shipopt_op_unref(op);
	}
	stop();
}

static atomic_int done_count, done_good;

static void on_done(void *userdata, shipopt_op *op)
{
	const char *id = shipopt_record_text(shipopt_op_record(op), SHIPOPT_TRACKER_ID);
	if (shipopt_op_status(op) == 0 && id && strcmp(id, userdata) == 0)
		atomic_fetch_add(&done_good, 1);
	atomic_fetch_add(&done_count, 1);
}

static void a_hundred_at_once_are_one_request(void **state)
{
	static const char *const options[] = {"--latency-ms", "100", NULL};
	shipopt_op *ops[100];
	start(options, NULL);
	make_trackers();
	int64_t before = tracker_reads();
	done_count = done_good = 0;
	for (int i = 0; i < 100; i++)
		assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[1], on_done, trackers[1],
					 &ops[i]),
			0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		shipopt_op_unref(ops[i]);
	}
	assert_int_equal(done_count, 100);
	assert_int_equal(done_good, 100);
	assert_int_equal(tracker_reads(), before + 1);
	stop();
}

static void a_label_is_bought_and_refunded_with_what_was_kept_made_dead_in_time(void **state)
{
	char id[64], rate[64];
	shipopt_op *op;
	start(NULL, NULL);
	shipopt_order *order = fixture_order("cached", 1);
	assert_int_equal(shipopt_carrier_shipment_create(fixture.carrier, shipopt_order_shipment(order), NULL, NULL,
				 &op),
		0);
	shipopt_order_free(order);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	const shipopt_record *shipment = shipopt_op_record(op);
	snprintf(id, sizeof(id), "%s", shipopt_record_text(shipment, SHIPOPT_SHIPMENT_ID));
	snprintf(rate, sizeof(rate), "%s",
		shipopt_record_text(shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, 0), SHIPOPT_RATE_ID));
	shipopt_op_unref(op);
	static const char *const expected[] = {NULL, NULL, "bought", "bought", "submitted"};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (i == 2)
			assert_int_equal(shipopt_carrier_shipment_buy(fixture.carrier, id, rate, -1, NULL, NULL, &op),
				0);
		if (i == 4)
			assert_int_equal(shipopt_carrier_shipment_refund(fixture.carrier, id, NULL, NULL, &op), 0);
		if (i == 2 || i == 4) {
			assert_int_equal(shipopt_op_wait(op, -1), 0);
			shipopt_op_unref(op);
		}
		assert_int_equal(shipopt_carrier_shipment_retrieve(fixture.carrier, id, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		shipment = shipopt_op_record(op);
		assert_int_equal(shipopt_op_is_cached(op), i == 3); /* not kept before it has postage */
		assert_int_equal(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_TRACKING_CODE) != NULL, i >= 2);
		if (i == 4)
			assert_string_equal(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_REFUND_STATUS), expected[i]);
		shipopt_op_unref(op);
	}
	stop();
}

static void lists_are_kept_until_something_is_added(void **state)
{
	shipopt_op *op;
	static const int expected[] = {0, 1, 0};
	start(NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		if (i == 2)
			make_trackers();
		assert_int_equal(shipopt_carrier_call(fixture.carrier, "GET", "/trackers?page_size=5", NULL, NULL, NULL,
					 NULL, &op),
			0);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		assert_int_equal(shipopt_op_is_cached(op), expected[i]);
		shipopt_op_unref(op);
	}
	stop();
}

static void quotes_come_from_the_carrier_once(void **state)
{
	start(NULL, NULL);
	for (int i = 0; i < 3; i++) {
		shipopt_op *op;
		shipopt_order *order = fixture_order("quoted", 1);
		assert_int_equal(shipopt_carrier_shipment_quote(fixture.carrier, shipopt_order_shipment(order), NULL,
					 NULL, &op),
			0);
		shipopt_order_free(order);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		assert_true(shipopt_record_count(shipopt_op_record(op), SHIPOPT_SHIPMENT_RATES) >= 3);
		assert_null(strstr(shipopt_op_json(op), "shp_"));
		assert_int_equal(shipopt_op_is_cached(op), i > 0);
		shipopt_op_unref(op);
	}
	assert_int_equal(sandbox_requests(&fixture.sandbox, "POST /shipments"), 1);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), 0);
	stop();
}

static void open_with_delivery(bool is_inline, shipopt_queue **queue)
{
	char url[128];
	shipopt_carrier_config *config;
	snprintf(url, sizeof(url), "%s/v2", fixture.sandbox.url);
	shipopt_carrier_free(TAKE(fixture.carrier));
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, url), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set_cache(config, NULL), 0);
	assert_int_equal(shipopt_carrier_config_set_cache(config, fixture.cache), 0);
	assert_int_equal(shipopt_carrier_config_set_cache(config, fixture.cache), 0);
	if (queue) {
		assert_int_equal(shipopt_queue_new(fixture.runtime, 8, queue), 0);
		assert_int_equal(shipopt_carrier_config_set_queue(config, *queue), 0);
	} else {
		assert_int_equal(shipopt_carrier_config_set_int(config, SHIPOPT_CARRIER_DELIVER_INLINE, is_inline), 0);
	}
	assert_int_equal(shipopt_carrier_new(fixture.runtime, config, &fixture.carrier, NULL), 0);
	shipopt_carrier_config_free(config);
}

static void completions_of_kept_answers_take_the_usual_way(void **state)
{
	shipopt_queue *queue;
	start(NULL, NULL);
	make_trackers();
	assert_int_equal(read_tracker(trackers[0]), 0);
	open_with_delivery(false, &queue);
	done_count = done_good = 0;
	/* A slot for each; none completes before the queue is dispatched. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[0], on_done, trackers[0],
					 NULL),
			0);
	assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[0], on_done, trackers[0], NULL),
		SHIPOPT_EAGAIN);
	assert_int_equal(done_count, 0);
	assert_int_equal(shipopt_queue_dispatch(queue, 0, 0), 8);
	assert_int_equal(done_good, 8);
	/* Of those that wait for a load, too. */
	for (int i = 0; i < 8; i++)
		assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[1], on_done, trackers[1],
					 NULL),
			0);
	while (done_count < 16)
		assert_true(shipopt_queue_dispatch(queue, 0, 10000) > 0);
	assert_int_equal(done_good, 16);
	shipopt_carrier_free(TAKE(fixture.carrier));
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	shipopt_queue_free(queue);
	stop();
}

static int chain_left;
static sem_t chain_over;
static _Thread_local int depth;

/* Asks again from inside the completion, which must not come from inside that call. */
static void ask_again(void *userdata, shipopt_op *op)
{
	on_done(userdata, op);
	if (depth > 0)
		atomic_store(&done_good, -1000);
	depth++;
	if (--chain_left == 0)
		sem_post(&chain_over);
	else if (shipopt_carrier_tracker_retrieve(fixture.carrier, userdata, ask_again, userdata, NULL) < 0)
		abort();
	depth--;
}

static void inline_completions_never_come_from_inside_the_call(void **state)
{
	start(NULL, NULL);
	make_trackers();
	open_with_delivery(true, NULL);
	done_count = done_good = 0;
	chain_left = 200;
	assert_int_equal(sem_init(&chain_over, 0, 0), 0);
	assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[0], ask_again, trackers[0], NULL),
		0);
	assert_int_equal(sem_wait(&chain_over), 0);
	assert_int_equal(done_count, 200);
	assert_int_equal(done_good, 200);
	assert_int_equal(tracker_reads(), 1);
	sem_destroy(&chain_over);
	stop();
}

static void a_large_answer_is_read_by_a_worker(void **state)
{
	start(NULL, NULL);
	for (int i = 0; i < 60; i++) {
		shipopt_op *op;
		shipopt_order *order = fixture_order("large", (size_t)i);
		assert_int_equal(shipopt_carrier_shipment_create(fixture.carrier, shipopt_order_shipment(order), NULL,
					 NULL, &op),
			0);
		shipopt_order_free(order);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		shipopt_op_unref(op);
	}
	for (int is_inline = 0; is_inline <= 1; is_inline++) {
		open_with_delivery(is_inline, NULL);
		for (int i = 0; i < 2; i++) {
			shipopt_op *op;
			assert_int_equal(shipopt_carrier_call(fixture.carrier, "GET", "/shipments?page_size=60", NULL,
						 NULL, NULL, NULL, &op),
				0);
			assert_int_equal(shipopt_op_wait(op, -1), 0);
			assert_true(strlen(shipopt_op_json(op)) > 32768);
			assert_int_equal(shipopt_op_is_cached(op), is_inline || i > 0);
			shipopt_op_unref(op);
		}
	}
	stop();
}

static void closing_with_calls_that_wait_delivers_each(void **state)
{
	static const char *const options[] = {"--latency-ms", "3000", NULL};
	start(options, NULL);
	done_count = 0;
	for (int i = 0; i < 50; i++)
		assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, "trk_1", on_done, trackers[0], NULL),
			0);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	assert_int_equal(done_count, 50);
	stop();
}

/* Two clients on reactors of their own, one cache: a load of one is waited for by the other, whose runtime may be gone
 * when it ends. */
static void runtimes_that_share_a_cache_close_in_any_order(void **state)
{
	static const char *const options[] = {"--latency-ms", "150", NULL};
	start(options, NULL);
	make_trackers();
	for (int round = 0; round < 4; round++) {
		struct bulk_fixture other = {.sandbox = fixture.sandbox, .cache = fixture.cache};
		snprintf(other.store_url, sizeof(other.store_url), "%s", fixture.store_url);
		fixture_open_handles(&other, NULL);
		done_count = done_good = 0;
		assert_int_equal(shipopt_cache_clear(fixture.cache), 0);
		shipopt_op *op;
		assert_int_equal(shipopt_carrier_tracker_retrieve(fixture.carrier, trackers[2], on_done, trackers[2],
					 &op),
			0);
		for (int i = 1; i < 10; i++)
			assert_int_equal(shipopt_carrier_tracker_retrieve(other.carrier, trackers[2], on_done,
						 trackers[2], NULL),
				0);
		if (round % 2) { /* most likely while they wait */
			int r = shipopt_runtime_close(other.runtime, 0);
			assert_true(r == 0 || r == SHIPOPT_ETIMEDOUT);
			assert_true(done_count >= 9);
		}
		fixture_close(&other);
		assert_int_equal(shipopt_op_wait(op, -1), 0);
		shipopt_op_unref(op);
		assert_int_equal(done_count, 10);
		assert_true(round % 2 || done_good == 10);
	}
	stop();
}

static void *ask_cancel_and_forget(void *argument)
{
	unsigned seed = *(unsigned *)argument;
	for (int i = 0; i < 300; i++) {
		shipopt_op *op;
		seed = seed * 1103515245 + 12345;
		const char *id = trackers[(seed >> 16) % TRACKERS];
		if (shipopt_carrier_tracker_retrieve(fixture.carrier, id, on_done, (void *)(uintptr_t)id, &op) < 0)
			abort();
		if ((seed >> 20) % 5 == 0)
			shipopt_op_cancel(op);
		if ((seed >> 22) % 7 == 0) {
			char tag[80];
			snprintf(tag, sizeof(tag), "trackers/%s", id);
			shipopt_cache_remove_tag(fixture.cache, tag);
		}
		if ((seed >> 24) % 3 == 0)
			shipopt_op_wait(op, -1);
		shipopt_op_unref(op);
	}
	return NULL;
}

static void threads_ask_cancel_and_forget_and_each_call_completes_once(void **state)
{
	static const char *const options[] = {"--latency-ms", "2", NULL};
	pthread_t threads[THREADS];
	unsigned seeds[THREADS];
	start(options, NULL);
	make_trackers();
	done_count = done_good = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		seeds[i] = i + 1;
		assert_int_equal(pthread_create(&threads[i], NULL, ask_cancel_and_forget, &seeds[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, -1), 0);
	assert_int_equal(done_count, THREADS * 300);
	assert_true(done_good > THREADS * 200);
	assert_true(cache_stat(SHIPOPT_CACHE_STAT_HITS) > 0);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_read_sends_nothing_until_its_time_is_over),
		cmocka_unit_test(a_tracker_asked_for_by_its_code_again_costs_no_request),
		cmocka_unit_test(a_hundred_that_create_one_tracker_send_one_request),
		cmocka_unit_test(trackers_that_are_made_at_once_are_all_cached),
		cmocka_unit_test(a_new_tracker_ends_the_lists_that_lack_it),
		cmocka_unit_test(a_hundred_at_once_are_one_request),
		cmocka_unit_test(a_label_is_bought_and_refunded_with_what_was_kept_made_dead_in_time),
		cmocka_unit_test(lists_are_kept_until_something_is_added),
		cmocka_unit_test(quotes_come_from_the_carrier_once),
		cmocka_unit_test(completions_of_kept_answers_take_the_usual_way),
		cmocka_unit_test(inline_completions_never_come_from_inside_the_call),
		cmocka_unit_test(a_large_answer_is_read_by_a_worker),
		cmocka_unit_test(closing_with_calls_that_wait_delivers_each),
		cmocka_unit_test(runtimes_that_share_a_cache_close_in_any_order),
		cmocka_unit_test(threads_ask_cancel_and_forget_and_each_call_completes_once),
	};
	return cmocka_run_group_tests_name("carrier cache", tests, NULL, NULL);
}
