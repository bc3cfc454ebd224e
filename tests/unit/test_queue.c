/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/time.h>

#include "base/memory.h"
#include "runtime/request.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000

struct fixture {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
};

static const struct op_class plain_class = {.size = sizeof(shipopt_op)};
static atomic_int done_count;
static atomic_bool done_in_library;

static void count_done(void *userdata, shipopt_op *op)
{
	atomic_store(&done_in_library, runtime_is_library_thread());
	atomic_fetch_add(&done_count, 1);
}

static int try_start(struct fixture *fixture, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	struct delivery delivery = {.mode = DELIVERY_QUEUE, .queue = fixture->queue};
	shipopt_op *caller = NULL;
	return op_new(&plain_class, fixture->runtime, &delivery, done, userdata, &caller, ret_op);
}

static shipopt_op *start(struct fixture *fixture)
{
	shipopt_op *op = NULL;
	assert_int_equal(try_start(fixture, count_done, NULL, &op), 0);
	return op;
}

/* Without a reference of the caller's. */
static void start_completed(struct fixture *fixture, uint64_t number)
{
	shipopt_op *op = NULL;
	assert_int_equal(try_start(fixture, count_done, (void *)(uintptr_t)number, &op), 0);
	op_complete(op, (int)number, NULL);
	shipopt_op_unref(op);
}

static bool is_readable(const shipopt_queue *queue)
{
	struct pollfd entry = {.fd = shipopt_queue_fd(queue), .events = POLLIN};
	return poll(&entry, 1, 0) == 1;
}

static int begin(void **state)
{
	static struct fixture fixture;
	assert_int_equal(mem_live_count(), 0);
	atomic_store(&done_count, 0);
	assert_int_equal(shipopt_runtime_new(NULL, &fixture.runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 4, &fixture.queue), 0);
	*state = &fixture;
	return 0;
}

static int end(void **state)
{
	struct fixture *fixture = *state;
	shipopt_queue_free(fixture->queue);
	assert_int_equal(shipopt_runtime_close(fixture->runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(fixture->runtime);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void dispatch_runs_done_on_the_calling_thread(void **state)
{
	struct fixture *fixture = *state;
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, 0), 0);
	for (uint64_t i = 0; i < 3; i++)
		start_completed(fixture, i);
	assert_int_equal(atomic_load(&done_count), 0);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 2, 0), 2);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, -1), 1);
	assert_int_equal(atomic_load(&done_count), 3);
	assert_false(atomic_load(&done_in_library));
}

static void the_descriptor_is_readable_while_events_wait(void **state)
{
	struct fixture *fixture = *state;
	start_completed(fixture, 1);
	assert_true(is_readable(fixture->queue)); /* also for what came before it was asked for */
	start_completed(fixture, 2);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 1, 0), 1);
	assert_true(is_readable(fixture->queue));
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 1, 0), 1);
	assert_false(is_readable(fixture->queue));
	start_completed(fixture, 3);
	assert_true(is_readable(fixture->queue));
}

static void without_a_slot_the_call_is_refused(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *refused = NULL;
	for (uint64_t i = 0; i < 4; i++)
		start_completed(fixture, i);
	assert_int_equal(try_start(fixture, count_done, NULL, &refused), SHIPOPT_EAGAIN);
	assert_null(refused);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 1, 0), 1);
	start_completed(fixture, 4);
	assert_int_equal(try_start(fixture, count_done, NULL, &refused), SHIPOPT_EAGAIN);
}

static void poll_hands_out_batches_that_live_until_released(void **state)
{
	struct fixture *fixture = *state;
	shipopt_event events[8];
	for (uint64_t i = 1; i <= 4; i++)
		start_completed(fixture, i);
	assert_int_equal(shipopt_queue_poll(fixture->queue, events, 3, -1), 3);
	assert_int_equal(shipopt_queue_poll(fixture->queue, events + 3, 3, -1), 1);
	assert_int_equal(shipopt_queue_poll(fixture->queue, events + 4, 3, 0), 0);
	for (uint64_t i = 0; i < 4; i++) {
		assert_int_equal(events[i].userdata, i + 1);
		assert_int_equal(events[i].status, i + 1);
		assert_int_equal(events[i].kind, SHIPOPT_EVENT_OP);
		assert_int_equal(shipopt_op_status(events[i].op), i + 1);
		assert_null(shipopt_event_item(&events[i]));
		assert_null(shipopt_event_request(&events[i]));
	}
	shipopt_op *refused;
	assert_int_equal(try_start(fixture, count_done, NULL, &refused), SHIPOPT_EAGAIN);
	assert_int_equal(shipopt_queue_release(fixture->queue, events + 1, 2), 0);
	start_completed(fixture, 9);
	assert_int_equal(shipopt_queue_poll(fixture->queue, events + 1, 1, 0), 1);
	assert_int_equal(shipopt_queue_release(fixture->queue, events, 2), 0);
	assert_int_equal(shipopt_queue_release(fixture->queue, events + 3, 1), 0);
	assert_int_equal(atomic_load(&done_count), 0);
}

static void an_event_cannot_be_released_twice(void **state)
{
	struct fixture *fixture = *state;
	shipopt_event events[2], forged = {0};
	assert_int_equal(shipopt_queue_release(fixture->queue, &forged, 1), SHIPOPT_EINVAL);
	start_completed(fixture, 1);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &events[0], 1, 0), 1);
	assert_int_equal(shipopt_queue_release(fixture->queue, &events[0], 1), 0);
	start_completed(fixture, 2);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &events[1], 1, 0), 1); /* in the same place */
	assert_int_equal(shipopt_queue_release(fixture->queue, events, 2), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_release(fixture->queue, &events[1], 1), SHIPOPT_EINVAL);
}

static void an_event_is_not_released_through_one_that_had_its_place_before(void **state)
{
	struct fixture *fixture = *state;
	shipopt_event before, now;
	start_completed(fixture, 1);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &before, 1, 0), 1);
	assert_int_equal(shipopt_queue_release(fixture->queue, &before, 1), 0);
	start_completed(fixture, 2);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &now, 1, 0), 1);
	assert_int_equal(now.reserved[0], before.reserved[0]);
	assert_int_equal(shipopt_queue_release(fixture->queue, &before, 1), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_release(fixture->queue, &now, 1), 0);
}

static void waiting_for_an_operation_dispatches_its_queue(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *op = start(fixture);
	start_completed(fixture, 1);
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ETIMEDOUT);
	op_complete(op, 5, NULL);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 5);
	assert_int_equal(atomic_load(&done_count), 2);
	shipopt_op_unref(op);
}

/* Without a callback and without a reference of the caller's. */
static void start_silent(struct fixture *fixture, uint64_t number)
{
	shipopt_op *op;
	assert_int_equal(try_start(fixture, NULL, (void *)(uintptr_t)number, &op), 0);
	op_complete(op, 0, NULL);
	shipopt_op_unref(op);
}

static void assert_polled(struct fixture *fixture, uint64_t number)
{
	shipopt_event event;
	assert_int_equal(shipopt_queue_poll(fixture->queue, &event, 1, 0), 1);
	assert_int_equal(event.userdata, number);
	assert_int_equal(shipopt_queue_release(fixture->queue, &event, 1), 0);
}

static void waiting_leaves_what_has_no_callback_to_be_polled(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *op;
	start_silent(fixture, 1);
	start_completed(fixture, 2);
	start_silent(fixture, 3);
	assert_int_equal(try_start(fixture, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_op_wait(op, 1), SHIPOPT_ETIMEDOUT);
	assert_int_equal(atomic_load(&done_count), 1);
	op_complete(op, 7, NULL);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 7); /* takes the operation's own event */
	shipopt_op_unref(op);
	assert_true(is_readable(fixture->queue));
	assert_polled(fixture, 1);
	assert_polled(fixture, 3);
	assert_false(is_readable(fixture->queue));
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, 0), 0);
	for (uint64_t i = 0; i < 4; i++) /* no slot was lost */
		start_completed(fixture, i);
}

static void waiting_dispatches_callbacks_in_their_order(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *op = start(fixture);
	start_completed(fixture, 1);
	start_silent(fixture, 2);
	op_complete(op, 5, NULL);
	start_completed(fixture, 3);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 5);
	assert_int_equal(atomic_load(&done_count), 2);
	assert_polled(fixture, 2);
	assert_polled(fixture, 3); /* behind the operation: not dispatched */
	shipopt_op_unref(op);
}

/* Such as the items of a run, whose callbacks come before its end. */
static void waiting_runs_every_callback_before_its_own_end(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *op;
	assert_int_equal(try_start(fixture, NULL, NULL, &op), 0);
	start_completed(fixture, 1);
	start_completed(fixture, 2);
	op_complete(op, 5, NULL);
	start_completed(fixture, 3);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 5);
	assert_int_equal(atomic_load(&done_count), 2);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, 0), 1);
	assert_int_equal(atomic_load(&done_count), 3);
}

static void waiting_in_a_simulation_leaves_the_same(void **state)
{
	struct fixture *outer = *state, simulated = {0};
	shipopt_op *op;
	assert_int_equal(runtime_new_simulated(&simulated.runtime), 0);
	assert_int_equal(shipopt_queue_new(simulated.runtime, 4, &simulated.queue), 0);
	start_silent(&simulated, 1);
	start_completed(&simulated, 2);
	assert_int_equal(try_start(&simulated, NULL, NULL, &op), 0);
	op_complete(op, 6, NULL);
	assert_int_equal(shipopt_op_wait(op, -1), 6);
	shipopt_op_unref(op);
	op = NULL;
	assert_int_equal(try_start(&simulated, count_done, NULL, &op), 0);
	op_complete(op, 8, NULL);
	assert_int_equal(shipopt_op_wait(op, -1), 8);
	shipopt_op_unref(op);
	assert_int_equal(atomic_load(&done_count), 2);
	assert_polled(&simulated, 1);
	shipopt_queue_free(simulated.queue);
	assert_int_equal(shipopt_runtime_close(simulated.runtime, -1), 0);
	shipopt_runtime_free(simulated.runtime);
	assert_non_null(outer->queue);
}

static void *dispatch_until_closed(void *argument)
{
	int total = 0, r;
	while ((r = shipopt_queue_dispatch(argument, 0, -1)) >= 0)
		total += r;
	return (void *)(intptr_t)(r == SHIPOPT_ESHUTDOWN ? total : -1);
}

static void waiting_beside_a_dispatcher_works_and_the_close_ends_it(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;
	void *total;
	assert_int_equal(pthread_create(&thread, NULL, dispatch_until_closed, fixture->queue), 0);
	for (int i = 0; i < 100; i++) {
		shipopt_op *op = start(fixture);
		op_complete(op, i, NULL);
		assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), i);
		assert_int_equal(atomic_load(&done_count), i + 1);
		shipopt_op_unref(op);
	}
	assert_int_equal(shipopt_runtime_close(fixture->runtime, PATIENCE_MS), 0);
	pthread_join(thread, &total);
	assert_true((intptr_t)total >= 0 && (intptr_t)total <= 100);
}

struct nested {
	struct fixture *fixture;
	shipopt_op *other;
	int dispatch, wait, close;
};

static void nest(void *userdata, shipopt_op *op)
{
	struct nested *nested = userdata;
	nested->dispatch = shipopt_queue_dispatch(nested->fixture->queue, 0, 0);
	nested->wait = shipopt_op_wait(nested->other, -1);
	nested->close = shipopt_runtime_close(nested->fixture->runtime, -1);
}

static void inside_a_dispatch_waiting_for_the_same_queue_is_refused(void **state)
{
	struct fixture *fixture = *state;
	struct nested nested = {.fixture = fixture, .other = start(fixture)};
	shipopt_op *op;
	assert_int_equal(try_start(fixture, nest, &nested, &op), 0);
	op_complete(op, 0, NULL);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, 0), 1);
	assert_int_equal(nested.dispatch, SHIPOPT_EDEADLK);
	assert_int_equal(nested.wait, SHIPOPT_EDEADLK);
	assert_int_equal(nested.close, SHIPOPT_EDEADLK);
	op_complete(nested.other, 0, NULL);
	shipopt_op_unref(nested.other);
}

static void free_runs_what_waits_and_later_completions_go_to_the_scheduler(void **state)
{
	struct fixture *fixture = *state;
	shipopt_event event;
	shipopt_op *late = start(fixture);
	start_completed(fixture, 1);
	start_completed(fixture, 2);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &event, 1, 0), 1); /* never released */
	shipopt_queue_free(fixture->queue);
	fixture->queue = NULL;
	assert_int_equal(atomic_load(&done_count), 1);
	assert_false(atomic_load(&done_in_library));
	op_complete(late, 6, NULL);
	assert_int_equal(shipopt_op_wait(late, PATIENCE_MS), 6);
	assert_int_equal(atomic_load(&done_count), 2);
	assert_true(atomic_load(&done_in_library));
	shipopt_op_unref(late);
}

/* --- ending a wait --- */

static void *poll_forever(void *argument)
{
	struct fixture *fixture = argument;
	shipopt_event event;
	return (void *)(intptr_t)shipopt_queue_poll(fixture->queue, &event, 1, -1);
}

static void a_wakeup_ends_a_poll_with_no_event(void **state)
{
	struct fixture *fixture = *state;
	pthread_t thread;
	void *count;
	assert_int_equal(pthread_create(&thread, NULL, poll_forever, fixture), 0);
	shipopt_queue_wakeup(fixture->queue); /* before the wait or in it */
	pthread_join(thread, &count);
	assert_int_equal((intptr_t)count, 0);
	assert_int_equal(pthread_create(&thread, NULL, poll_forever, fixture), 0);
	start_completed(fixture, 1); /* one wakeup ended one wait */
	pthread_join(thread, &count);
	assert_int_equal((intptr_t)count, 1);
	shipopt_queue_wakeup(NULL);
}

static shipopt_queue *signal_queue;

static void wake_in_handler(int number)
{
	shipopt_queue_wakeup(signal_queue);
}

static void a_wakeup_in_a_signal_handler_ends_a_dispatch(void **state)
{
	struct fixture *fixture = *state;
	struct sigaction action = {.sa_handler = wake_in_handler}, before;
	struct itimerval soon = {.it_value = {.tv_usec = 1000}};
	signal_queue = fixture->queue;
	assert_int_equal(sigaction(SIGALRM, &action, &before), 0);
	assert_int_equal(setitimer(ITIMER_REAL, &soon, NULL), 0);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, -1), 0);
	assert_int_equal(sigaction(SIGALRM, &before, NULL), 0);
}

/* --- what nobody polls --- */

static atomic_int warning_count;

static void count_warning(void *userdata, int level, const char *message)
{
	if (level == SHIPOPT_LOG_WARNING && strstr(message, "poll"))
		atomic_fetch_add(&warning_count, 1);
}

static void open_logged(struct fixture *fixture)
{
	shipopt_runtime_config *config;
	atomic_store(&warning_count, 0);
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set(config, "log_level", "2"), 0);
	assert_int_equal(shipopt_runtime_config_set_log(config, count_warning, NULL), 0);
	assert_int_equal(shipopt_runtime_new(config, &fixture->runtime, NULL), 0);
	assert_int_equal(shipopt_queue_new(fixture->runtime, 4, &fixture->queue), 0);
	queue_set_stall_ms(fixture->queue, 50);
	shipopt_runtime_config_free(config);
}

static void close_logged(struct fixture *fixture)
{
	shipopt_queue_free(fixture->queue);
	assert_int_equal(shipopt_runtime_close(fixture->runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(fixture->runtime);
}

static void waiting_for_what_needs_a_poll_that_never_comes_ends_with_a_warning(void **state)
{
	struct fixture fixture;
	shipopt_op *op;
	open_logged(&fixture);
	assert_int_equal(try_start(&fixture, NULL, NULL, &op), 0);
	start_silent(&fixture, 1);
	atomic_store(&op->needs_slot, true); /* as a run whose items nobody takes */
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EDEADLK);
	assert_int_equal(atomic_load(&warning_count), 1);
	assert_polled(&fixture, 1);
	op_complete(op, 3, NULL);
	assert_int_equal(shipopt_op_wait(op, -1), 3);
	shipopt_op_unref(op);
	close_logged(&fixture);
}

static void ignore_answer(void *asker, int status, int64_t value, shipopt_error *error)
{
	shipopt_error_unref(error);
	op_complete(asker, (int)value, NULL);
}

static void waiting_for_a_request_that_nobody_polls_ends_too(void **state)
{
	struct fixture fixture;
	shipopt_op *op;
	shipopt_request *request;
	shipopt_event event;
	open_logged(&fixture);
	assert_int_equal(try_start(&fixture, NULL, NULL, &op), 0);
	assert_int_equal(request_new("key", NULL, NULL, ignore_answer, op, &request), 0);
	request_ask(request, op, false, NULL, NULL);
	assert_int_equal(shipopt_op_wait(op, 10), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EDEADLK);
	assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, 0), 1);
	shipopt_request_complete(shipopt_event_request(&event), 8);
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 8);
	shipopt_op_unref(op);
	close_logged(&fixture);
}

static void waiting_beside_events_of_others_goes_on(void **state)
{
	struct fixture fixture;
	shipopt_op *op;
	open_logged(&fixture);
	for (uint64_t i = 0; i < 3; i++)
		start_silent(&fixture, i);
	assert_int_equal(try_start(&fixture, NULL, NULL, &op), 0); /* the last slot: it needs nothing more */
	assert_int_equal(shipopt_op_wait(op, 200), SHIPOPT_ETIMEDOUT);
	assert_int_equal(atomic_load(&warning_count), 0);
	op_complete(op, 0, NULL);
	shipopt_op_unref(op);
	close_logged(&fixture);
}

/* --- userdata --- */

#define RACE_EVENTS 20000

static void *submit_many(void *argument)
{
	struct fixture *fixture = argument;
	for (uint64_t number = 1; number <= RACE_EVENTS;) {
		shipopt_op *op;
		if (try_start(fixture, NULL, (void *)(uintptr_t)number, &op) < 0)
			continue; /* full: the other thread makes room */
		op_complete(op, 0, NULL);
		shipopt_op_unref(op);
		number++;
	}
	return NULL;
}

static void each_polled_event_carries_its_userdata(void **state)
{
	struct fixture *fixture = *state;
	shipopt_event events[4];
	pthread_t thread;
	uint64_t next = 1;
	assert_int_equal(pthread_create(&thread, NULL, submit_many, fixture), 0);
	while (next <= RACE_EVENTS) {
		int count = shipopt_queue_poll(fixture->queue, events, 4, PATIENCE_MS);
		assert_true(count > 0);
		for (int i = 0; i < count; i++)
			assert_int_equal(events[i].userdata, next++);
		assert_int_equal(shipopt_queue_release(fixture->queue, events, (size_t)count), 0);
	}
	pthread_join(thread, NULL);
}

static void free_in_done(void *userdata, shipopt_op *op)
{
	struct fixture *fixture = userdata;
	shipopt_queue_free(fixture->queue);
	fixture->queue = NULL;
}

static void a_queue_may_be_freed_inside_its_dispatch(void **state)
{
	struct fixture *fixture = *state;
	shipopt_op *op;
	assert_int_equal(try_start(fixture, free_in_done, fixture, &op), 0);
	op_complete(op, 0, NULL);
	shipopt_op_unref(op);
	start_completed(fixture, 1);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, 0), 1);
	assert_int_equal(atomic_load(&done_count), 1);
}

static void completions_wait_in_the_queue_beyond_the_close(void **state)
{
	struct fixture *fixture = *state;
	start_completed(fixture, 1);
	assert_int_equal(shipopt_runtime_close(fixture->runtime, PATIENCE_MS), 0);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, -1), 1);
	assert_int_equal(shipopt_queue_dispatch(fixture->queue, 0, -1), SHIPOPT_ESHUTDOWN);
	shipopt_op *op;
	assert_int_equal(try_start(fixture, NULL, NULL, &op), SHIPOPT_ESHUTDOWN);
}

static void bad_arguments_are_refused(void **state)
{
	struct fixture *fixture = *state;
	shipopt_queue *queue = NULL;
	shipopt_event event;
	assert_int_equal(shipopt_queue_new(NULL, 0, &queue), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_new(fixture->runtime, 1048577, &queue), SHIPOPT_EINVAL);
	assert_null(queue);
	assert_int_equal(shipopt_queue_poll(fixture->queue, &event, 0, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_dispatch(NULL, 0, 0), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_fd(NULL), SHIPOPT_EINVAL);
	shipopt_queue_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(dispatch_runs_done_on_the_calling_thread),
		TEST(the_descriptor_is_readable_while_events_wait),
		TEST(without_a_slot_the_call_is_refused),
		TEST(poll_hands_out_batches_that_live_until_released),
		TEST(an_event_cannot_be_released_twice),
		TEST(an_event_is_not_released_through_one_that_had_its_place_before),
		TEST(waiting_for_an_operation_dispatches_its_queue),
		TEST(waiting_leaves_what_has_no_callback_to_be_polled),
		TEST(waiting_dispatches_callbacks_in_their_order),
		TEST(waiting_runs_every_callback_before_its_own_end),
		TEST(waiting_in_a_simulation_leaves_the_same),
		TEST(waiting_beside_a_dispatcher_works_and_the_close_ends_it),
		TEST(inside_a_dispatch_waiting_for_the_same_queue_is_refused),
		TEST(free_runs_what_waits_and_later_completions_go_to_the_scheduler),
		TEST(a_queue_may_be_freed_inside_its_dispatch),
		TEST(completions_wait_in_the_queue_beyond_the_close),
		TEST(a_wakeup_ends_a_poll_with_no_event),
		TEST(a_wakeup_in_a_signal_handler_ends_a_dispatch),
		TEST(waiting_for_what_needs_a_poll_that_never_comes_ends_with_a_warning),
		TEST(waiting_for_a_request_that_nobody_polls_ends_too),
		TEST(waiting_beside_events_of_others_goes_on),
		TEST(each_polled_event_carries_its_userdata),
		TEST(bad_arguments_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
