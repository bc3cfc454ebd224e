/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/queue.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "event.h"
#include "runtime/exit.h"
#include "runtime/runtime.h"

/* What shipopt_runtime_close() does about threads that do not end. */

#define PATIENCE_MS 20000
#define CLOSED_WITHIN_MS 10000 /* what would block here blocks until the test's patience is over */

static struct {
	struct event entered, release, ran;
} host;

static int begin(void **state)
{
	host = (__typeof__(host)){EVENT_INIT, EVENT_INIT, EVENT_INIT};
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void block(void *userdata)
{
	event_raise(&host.entered);
	assert_true(event_wait(&host.release, 1));
}

static void run(void *userdata)
{
	event_raise(&host.ran);
}

static shipopt_runtime *runtime_with_one_thread_each(shipopt_executor_fn executor)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_WORKERS, 1), 0);
	assert_int_equal(shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_SIDE_THREADS, 1), 0);
	if (executor)
		assert_int_equal(shipopt_runtime_config_set_executor(config, executor, NULL), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	return runtime;
}

static void expect_left_behind(shipopt_runtime *runtime)
{
	int64_t begun_us = clock_now_us();
	assert_int_equal(shipopt_runtime_close(runtime, 0), SHIPOPT_EBUSY);
	assert_true(clock_now_us() - begun_us < CLOSED_WITHIN_MS * 1000);
}

static void release_and_expect_gone(shipopt_runtime *runtime)
{
	event_raise(&host.release);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void a_blocking_task_that_blocks_is_left_behind_and_ends_later(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, block, NULL), 0);
	assert_true(event_wait(&host.entered, 1));
	expect_left_behind(runtime);
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_SIDE), 1);
	assert_int_equal(shipopt_runtime_submit(runtime, run, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_runtime_close(runtime, 0), SHIPOPT_EBUSY);
	release_and_expect_gone(runtime);
}

static void what_waits_behind_a_blocked_thread_is_dropped(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	assert_int_equal(shipopt_runtime_submit(runtime, block, NULL), 0);
	assert_true(event_wait(&host.entered, 1));
	assert_int_equal(shipopt_runtime_submit(runtime, run, NULL), 0);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, run, NULL), 0);
	assert_true(event_wait(&host.ran, 1)); /* the side pool is free */
	expect_left_behind(runtime);
	release_and_expect_gone(runtime);
	assert_int_equal(event_count(&host.ran), 1);
}

static void a_runtime_with_a_thread_left_behind_may_be_freed(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, block, NULL), 0);
	assert_true(event_wait(&host.entered, 1));
	expect_left_behind(runtime);
	shipopt_runtime_free(runtime);
	event_raise(&host.release);
	assert_true(exit_wait_empty(PATIENCE_MS));
	assert_int_equal(mem_live_count(), 0);
}

/* --- operations --- */

struct held_op {
	shipopt_op op;
	struct reactor *reactor;
	struct task task;
	struct timer timer;
};

static const struct op_class held_class = {.size = sizeof(struct held_op)};

static struct held_op *start_held(shipopt_runtime *runtime, int mode, shipopt_queue *queue, shipopt_done_fn done)
{
	struct delivery delivery = {.mode = mode, .queue = queue};
	shipopt_op *caller = NULL, *op;
	assert_int_equal(op_new(&held_class, runtime, &delivery, done, NULL, &caller, &op), 0);
	struct held_op *held = (struct held_op *)op;
	assert_int_equal(runtime_reactor(runtime, &held->reactor), 0);
	return held;
}

static void complete_on_reactor(struct task *task)
{
	op_complete(&CONTAINER_OF(task, struct held_op, task)->op, 7, NULL);
}

static void complete(struct held_op *held)
{
	held->task.run = complete_on_reactor;
	reactor_post(held->reactor, &held->task);
}

static void done_blocks(void *userdata, shipopt_op *op)
{
	block(NULL);
}

static void done_runs(void *userdata, shipopt_op *op)
{
	run(NULL);
}

static void a_callback_that_blocks_is_left_behind_on_the_reactor_and_on_a_worker(void **state)
{
	static const int modes[] = {DELIVERY_INLINE, DELIVERY_SCHEDULER};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		begin(state);
		shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
		struct held_op *held = start_held(runtime, modes[i], NULL, done_blocks);
		struct held_op *other = start_held(runtime, modes[i], NULL, done_runs);
		complete(held);
		complete(other);
		assert_true(event_wait(&host.entered, 1));
		expect_left_behind(runtime);
		assert_int_equal(shipopt_op_wait(&held->op, 0), SHIPOPT_ETIMEDOUT);
		event_raise(&host.release);
		assert_int_equal(shipopt_op_wait(&held->op, PATIENCE_MS), 7);
		assert_int_equal(shipopt_op_wait(&other->op, PATIENCE_MS), 7);
		assert_int_equal(event_count(&host.ran), 0); /* its callback had not begun */
		shipopt_op_unref(&held->op);
		shipopt_op_unref(&other->op);
		release_and_expect_gone(runtime);
	}
}

static void a_queue_still_delivers_what_was_left_behind(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	shipopt_queue *queue;
	assert_int_equal(shipopt_queue_new(runtime, 4, &queue), 0);
	struct held_op *held = start_held(runtime, DELIVERY_QUEUE, queue, done_runs);
	expect_left_behind(runtime); /* nothing cancels it */
	complete(held);
	assert_int_equal(shipopt_queue_dispatch(queue, 0, PATIENCE_MS), 1);
	assert_int_equal(event_count(&host.ran), 1);
	assert_int_equal(shipopt_op_wait(&held->op, 0), 7);
	shipopt_op_unref(&held->op);
	shipopt_queue_free(queue);
	release_and_expect_gone(runtime);
}

static void timer_completes(struct timer *timer)
{
	struct held_op *held = CONTAINER_OF(timer, struct held_op, timer);
	runtime_awaited(held->op.runtime);
	op_complete(&held->op, 7, NULL);
}

static void start_timer(struct task *task)
{
	struct held_op *held = CONTAINER_OF(task, struct held_op, task);
	held->timer.fire = timer_completes;
	timer_start(held->reactor, &held->timer, clock_now_us() + 1500000);
}

/* It ends half a second after the close would have given up. */
static void a_purchase_on_the_wire_is_waited_for(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	struct held_op *held = start_held(runtime, DELIVERY_INLINE, NULL, done_runs);
	runtime_await(runtime);
	held->task.run = start_timer;
	reactor_post(held->reactor, &held->task);
	assert_int_equal(shipopt_runtime_close(runtime, 0), SHIPOPT_ETIMEDOUT);
	assert_int_equal(event_count(&host.ran), 1);
	shipopt_op_unref(&held->op);
	release_and_expect_gone(runtime);
}

/* --- without waiting --- */

static int runtime_with_queue(shipopt_runtime **ret_runtime, shipopt_queue **ret_queue)
{
	*ret_runtime = runtime_with_one_thread_each(NULL);
	return shipopt_queue_new(*ret_runtime, 1, ret_queue);
}

static void a_close_without_waiting_ends_with_an_event(void **state)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	shipopt_event event;
	assert_int_equal(runtime_with_queue(&runtime, &queue), 0);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, block, NULL), 0);
	assert_true(event_wait(&host.entered, 1));
	assert_int_equal(shipopt_runtime_close_begin(runtime, -1, queue, &host), 0);
	assert_int_equal(shipopt_runtime_submit(runtime, run, NULL), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_runtime_close_begin(runtime, -1, queue, &host), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 0), 0);
	event_raise(&host.release);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, PATIENCE_MS), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_CLOSED);
	assert_int_equal(event.status, 0);
	assert_true(event.userdata == (uint64_t)(uintptr_t)&host);
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, -1), SHIPOPT_ESHUTDOWN);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_queue_free(queue);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void a_close_without_waiting_may_be_waited_for_and_given_up(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
	assert_int_equal(shipopt_runtime_submit_blocking(runtime, block, NULL), 0);
	assert_true(event_wait(&host.entered, 1));
	assert_int_equal(shipopt_runtime_close_begin(runtime, 0, NULL, NULL), 0);
	expect_left_behind(runtime);
	release_and_expect_gone(runtime);
}

static void close_in_done(void *userdata, shipopt_op *op)
{
	assert_int_equal(shipopt_runtime_close_begin(op->runtime, PATIENCE_MS, userdata, NULL), 0);
	event_raise(&host.ran);
}

static void a_callback_may_begin_the_close(void **state)
{
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	shipopt_event event;
	assert_int_equal(runtime_with_queue(&runtime, &queue), 0);
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	shipopt_op *op;
	static const struct op_class class = {.size = sizeof(shipopt_op)};
	assert_int_equal(op_new(&class, runtime, &delivery, close_in_done, queue, NULL, &op), 0);
	op_complete(op, 0, NULL);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, PATIENCE_MS), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_CLOSED);
	shipopt_queue_free(queue); /* with the event out */
	shipopt_runtime_free(runtime);
	assert_true(exit_wait_empty(PATIENCE_MS));
	assert_int_equal(mem_live_count(), 0);
}

static void a_close_that_cannot_begin_changes_nothing(void **state)
{
	shipopt_runtime *runtime, *other;
	shipopt_queue *queue;
	assert_int_equal(runtime_with_queue(&runtime, &queue), 0);
	other = runtime_with_one_thread_each(NULL);
	assert_int_equal(shipopt_runtime_close_begin(NULL, 0, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_runtime_close_begin(other, 0, queue, NULL), SHIPOPT_EINVAL);
#ifdef SHIPOPT_FAULTS
	fault_arm(0);
	assert_int_equal(shipopt_runtime_close_begin(runtime, 0, queue, NULL), SHIPOPT_EAGAIN);
	fault_arm(-1);
#endif
	assert_int_equal(shipopt_runtime_submit(runtime, run, NULL), 0);
	assert_true(event_wait(&host.ran, 1));
	assert_int_equal(shipopt_runtime_close(other, 0), 0);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_queue_free(queue);
	shipopt_runtime_free(other);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

/* --- the host's executor --- */

static void *_Atomic kept;

static int keep(void *userdata, void *task)
{
	kept = task;
	return 0;
}

static void a_task_that_the_hosts_executor_keeps_is_left_behind(void **state)
{
	shipopt_runtime *runtime = runtime_with_one_thread_each(keep);
	assert_int_equal(shipopt_runtime_submit(runtime, run, NULL), 0);
	expect_left_behind(runtime);
	shipopt_task_run(kept);
	release_and_expect_gone(runtime);
	assert_int_equal(event_count(&host.ran), 0);
}

/* --- without a thread for it --- */

#ifdef SHIPOPT_FAULTS
static void without_a_thread_for_the_close_the_caller_does_its_work(void **state)
{
	for (long passes = 0; passes < 3; passes++) {
		shipopt_runtime *runtime = runtime_with_one_thread_each(NULL);
		assert_int_equal(shipopt_runtime_submit_blocking(runtime, run, NULL), 0);
		assert_true(event_wait(&host.ran, (int)passes + 1));
		fault_arm(passes); /* memory, thread, neither */
		assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
		assert_int_equal(fault_fired(), passes < 2);
		fault_arm(-1);
		shipopt_runtime_free(runtime);
		assert_int_equal(mem_live_count(), 0);
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_blocking_task_that_blocks_is_left_behind_and_ends_later, begin),
		cmocka_unit_test_setup(what_waits_behind_a_blocked_thread_is_dropped, begin),
		cmocka_unit_test_setup(a_runtime_with_a_thread_left_behind_may_be_freed, begin),
		cmocka_unit_test_setup(a_callback_that_blocks_is_left_behind_on_the_reactor_and_on_a_worker, begin),
		cmocka_unit_test_setup(a_queue_still_delivers_what_was_left_behind, begin),
		cmocka_unit_test_setup(a_purchase_on_the_wire_is_waited_for, begin),
		cmocka_unit_test_setup(a_task_that_the_hosts_executor_keeps_is_left_behind, begin),
		cmocka_unit_test_setup(a_close_without_waiting_ends_with_an_event, begin),
		cmocka_unit_test_setup(a_close_without_waiting_may_be_waited_for_and_given_up, begin),
		cmocka_unit_test_setup(a_callback_may_begin_the_close, begin),
		cmocka_unit_test_setup(a_close_that_cannot_begin_changes_nothing, begin),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test_setup(without_a_thread_for_the_close_the_caller_does_its_work, begin),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
