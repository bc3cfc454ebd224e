/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>

#include "base/memory.h"
#include "runtime/ready_event.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000
#define SLOTS 4

static struct {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	struct ready_event ready;
	atomic_int holds;
} fixture;

static void hold(void *object)
{
	atomic_fetch_add((atomic_int *)object, 1);
}

static void drop(void *object)
{
	assert_true(atomic_fetch_sub((atomic_int *)object, 1) > 0);
}

static int make_ready(void)
{
	int r = ready_event_init(&fixture.ready, fixture.queue, &(shipopt_event){.userdata = 7, .value = 9});
	ready_event_set_object(&fixture.ready, &fixture.holds, hold, drop);
	return r;
}

static int begin(void **state)
{
	assert_int_equal(mem_live_count(), 0);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(fixture.runtime, SLOTS, &fixture.queue), 0);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_READY), 0);
	atomic_store(&fixture.holds, 0);
	return 0;
}

static int end(void **state)
{
	shipopt_queue_free(fixture.queue);
	assert_int_equal(atomic_load(&fixture.holds), 0);
	ready_event_done(&fixture.ready);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(fixture.runtime);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static shipopt_event take_ready(void)
{
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, 0), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_READY);
	return event;
}

static void assert_no_event(void)
{
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, 0), 0);
}

static void any_number_of_signals_is_one_event(void **state)
{
	assert_int_equal(make_ready(), 0);
	for (int i = 0; i < 5; i++)
		ready_event_signal(&fixture.ready);
	shipopt_event event = take_ready();
	assert_int_equal(event.userdata, 7);
	assert_int_equal(event.value, 9);
	assert_no_event();
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_no_event();
	assert_int_equal(atomic_load(&fixture.holds), 0);
}

static void a_signal_while_the_event_is_out_comes_with_its_release(void **state)
{
	assert_int_equal(make_ready(), 0);
	ready_event_signal(&fixture.ready);
	shipopt_event event = take_ready();
	ready_event_signal(&fixture.ready);
	ready_event_signal(&fixture.ready);
	assert_no_event();
	assert_int_equal(atomic_load(&fixture.holds), 1);
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	event = take_ready();
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_no_event();
}

static void its_slot_is_reserved_as_long_as_it_is_there(void **state)
{
	assert_int_equal(make_ready(), 0);
	for (int i = 1; i < SLOTS; i++)
		assert_int_equal(queue_reserve(fixture.queue), 0);
	assert_int_equal(queue_reserve(fixture.queue), SHIPOPT_EAGAIN);
	ready_event_signal(&fixture.ready);
	shipopt_event event = take_ready();
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_int_equal(queue_reserve(fixture.queue), SHIPOPT_EAGAIN);
	ready_event_done(&fixture.ready);
	assert_int_equal(queue_reserve(fixture.queue), 0);
	struct ready_event second;
	assert_int_equal(ready_event_init(&second, fixture.queue, &(shipopt_event){0}), SHIPOPT_EAGAIN);
	ready_event_done(&second);
}

static void a_host_that_did_not_ask_gets_no_event_and_loses_no_slot(void **state)
{
	shipopt_queue *plain;
	assert_int_equal(shipopt_queue_new(fixture.runtime, 1, &plain), 0);
	struct ready_event ready;
	assert_int_equal(ready_event_init(&ready, plain, &(shipopt_event){0}), 0);
	assert_int_equal(queue_reserve(plain), 0);
	ready_event_signal(&ready);
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(plain, &event, 1, 0), 0);
	ready_event_done(&ready);
	assert_int_equal(ready_event_init(&ready, NULL, &(shipopt_event){0}), 0);
	ready_event_signal(&ready);
	ready_event_done(&ready);
	shipopt_queue_free(plain);
}

static void a_queue_that_was_full_says_when_it_has_room(void **state)
{
	for (int i = 0; i < SLOTS; i++)
		assert_int_equal(queue_reserve(fixture.queue), 0);
	queue_unreserve(fixture.queue);
	assert_no_event(); /* no call was refused */
	assert_int_equal(queue_reserve(fixture.queue), 0);
	assert_int_equal(queue_admit(fixture.queue), SHIPOPT_EAGAIN);
	assert_no_event();
	queue_unreserve(fixture.queue);
	queue_unreserve(fixture.queue);
	shipopt_event event = take_ready();
	assert_int_equal(event.value, (uint64_t)(uintptr_t)fixture.queue);
	assert_null(event.op);
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_no_event();
}

static void a_dispatch_drops_it(void **state)
{
	assert_int_equal(make_ready(), 0);
	ready_event_signal(&fixture.ready);
	assert_int_equal(shipopt_queue_dispatch(fixture.queue, 0, 0), 1);
	assert_no_event();
	ready_event_signal(&fixture.ready);
	shipopt_event event = take_ready();
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
}

/* --- two threads --- */

#define SIGNALS 20000

static atomic_int produced;

static void *produce(void *argument)
{
	for (int i = 0; i < SIGNALS; i++) {
		atomic_fetch_add(&produced, 1);
		ready_event_signal(&fixture.ready);
	}
	return NULL;
}

static void whoever_looks_after_each_event_misses_nothing(void **state)
{
	pthread_t thread;
	int seen = 0;
	atomic_store(&produced, 0);
	assert_int_equal(make_ready(), 0);
	assert_int_equal(pthread_create(&thread, NULL, produce, NULL), 0);
	while (seen < SIGNALS) {
		shipopt_event event;
		assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, PATIENCE_MS), 1);
		seen = atomic_load(&produced);
		assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	}
	pthread_join(thread, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(any_number_of_signals_is_one_event),
		TEST(a_signal_while_the_event_is_out_comes_with_its_release),
		TEST(its_slot_is_reserved_as_long_as_it_is_there),
		TEST(a_host_that_did_not_ask_gets_no_event_and_loses_no_slot),
		TEST(a_queue_that_was_full_says_when_it_has_room),
		TEST(a_dispatch_drops_it),
		TEST(whoever_looks_after_each_event_misses_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
