/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/exit.h"
#include "runtime/request.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000 /* the bound of waits that only a bug makes long */

static atomic_int done_count;
static atomic_bool done_on_library_thread;

static void count_done(void *userdata, shipopt_op *op)
{
	atomic_store(&done_on_library_thread, runtime_is_library_thread());
	assert_ptr_equal(userdata, &done_count);
	atomic_fetch_add(&done_count, 1);
}

/* An operation that completes when told, or when canceled. */
struct manual_op {
	shipopt_op op;
	atomic_int cancels;
	bool completes_on_cancel;
	bool is_destroyed;
};

static atomic_int destroyed_count;

static void manual_cancel(shipopt_op *op)
{
	struct manual_op *manual = (struct manual_op *)op;
	atomic_fetch_add(&manual->cancels, 1);
	if (manual->completes_on_cancel)
		op_complete(op, SHIPOPT_ECANCELED, NULL);
}

static void manual_destroy(shipopt_op *op)
{
	atomic_fetch_add(&destroyed_count, 1);
}

static const struct op_class manual_class = {sizeof(struct manual_op), manual_cancel, manual_destroy};

static shipopt_op *start(shipopt_runtime *runtime, int mode, shipopt_queue *queue)
{
	shipopt_op *caller = NULL, *op = NULL;
	struct delivery delivery = {.mode = mode, .queue = queue};
	assert_int_equal(op_new(&manual_class, runtime, &delivery, count_done, &done_count, &caller, &op), 0);
	return op;
}

static int begin(void **state)
{
	shipopt_runtime *runtime;
	assert_int_equal(mem_live_count(), 0);
	atomic_store(&done_count, 0);
	atomic_store(&destroyed_count, 0);
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	*state = runtime;
	return 0;
}

static int end(void **state)
{
	shipopt_runtime *runtime = *state;
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void results_are_readable_only_when_done(void **state)
{
	shipopt_op *op = start(*state, DELIVERY_SCHEDULER, NULL);
	op->value = 7;
	op->json = mem_copy_text("{}");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EAGAIN);
	assert_int_equal(shipopt_op_is_done(op), 0);
	assert_int_equal(shipopt_op_value(op), 0);
	assert_null(shipopt_op_json(op));
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ETIMEDOUT);
	op_complete(op, SHIPOPT_EREFUSED, error_new(SHIPOPT_EREFUSED, "no"));
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_EREFUSED);
	assert_int_equal(atomic_load(&done_count), 1);
	assert_true(atomic_load(&done_on_library_thread));
	assert_int_equal(shipopt_op_value(op), 7);
	assert_string_equal(shipopt_op_json(op), "{}");
	assert_string_equal(shipopt_error_message(shipopt_op_error(op)), "no");
	shipopt_op_unref(op);
}

static void *wait_for(void *argument)
{
	return (void *)(intptr_t)shipopt_op_wait(argument, PATIENCE_MS);
}

static void every_waiter_returns_after_done(void **state)
{
	shipopt_op *op = start(*state, DELIVERY_SCHEDULER, NULL);
	pthread_t threads[3];
	void *result;
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_for, op), 0);
	op_complete(op, 3, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], &result);
		assert_int_equal((intptr_t)result, 3);
		assert_int_equal(atomic_load(&done_count), 1);
	}
	shipopt_op_unref(op);
}

static void cancel_reaches_the_class_once(void **state)
{
	shipopt_op *op = start(*state, DELIVERY_SCHEDULER, NULL);
	struct manual_op *manual = (struct manual_op *)op;
	assert_false(op_is_canceled(op));
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_true(op_is_canceled(op));
	assert_int_equal(atomic_load(&manual->cancels), 1);
	op_complete(op, 0, NULL); /* came too late to matter */
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 0);
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(atomic_load(&manual->cancels), 1);
	shipopt_op_unref(op);
}

static void cancel_may_complete_at_once_in_each_delivery(void **state)
{
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		shipopt_op *op = start(*state, modes[i], NULL);
		((struct manual_op *)op)->completes_on_cancel = true;
		assert_int_equal(shipopt_op_cancel(op), 0);
		assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_ECANCELED);
		assert_int_equal(atomic_load(&done_count), i + 1);
		shipopt_op_unref(op);
	}
}

static void *complete_op(void *argument)
{
	op_complete(argument, 0, NULL);
	return NULL;
}

/* Whoever is first, `done` runs once and cancel is over before the operation is gone. */
static void cancel_and_completion_may_race(void **state)
{
	for (int round = 0; round < 300; round++) {
		shipopt_op *op = start(*state, round % 2 ? DELIVERY_SCHEDULER : DELIVERY_INLINE, NULL);
		pthread_t thread;
		assert_int_equal(pthread_create(&thread, NULL, complete_op, op), 0);
		assert_int_equal(shipopt_op_cancel(op), 0);
		assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 0);
		pthread_join(thread, NULL);
		assert_int_equal(atomic_load(&done_count), round + 1);
		shipopt_op_unref(op);
	}
}

static void an_operation_lives_until_its_last_reference(void **state)
{
	shipopt_op *op = start(*state, DELIVERY_INLINE, NULL);
	assert_ptr_equal(shipopt_op_ref(op), op);
	shipopt_op_unref(op);
	op_complete(op, 0, NULL);
	assert_int_equal(atomic_load(&destroyed_count), 0);
	shipopt_op_unref(op);
	assert_int_equal(atomic_load(&destroyed_count), 1);
	shipopt_op_unref(NULL);
	assert_null(shipopt_op_ref(NULL));
}

static void an_abandoned_operation_leaves_nothing_behind(void **state)
{
	shipopt_queue *queue;
	assert_int_equal(shipopt_queue_new(*state, 1, &queue), 0);
	for (int i = 0; i < 3; i++)
		op_abandon(start(*state, DELIVERY_QUEUE, queue), true);
	assert_int_equal(atomic_load(&destroyed_count), 3);
	assert_int_equal(atomic_load(&done_count), 0);
	shipopt_queue_free(queue);
}

static atomic_int wait_result;

static void wait_in_done(void *userdata, shipopt_op *op)
{
	atomic_store(&wait_result, shipopt_op_wait(userdata, -1));
	shipopt_op_unref(userdata);
}

static void waiting_on_a_library_thread_is_refused(void **state)
{
	shipopt_op *other = start(*state, DELIVERY_SCHEDULER, NULL), *caller = NULL, *op;
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	assert_int_equal(op_new(&manual_class, *state, &delivery, wait_in_done, shipopt_op_ref(other), &caller, &op),
		0);
	op_complete(op, 0, NULL);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), 0);
	assert_int_equal(atomic_load(&wait_result), SHIPOPT_EDEADLK);
	shipopt_op_unref(op);
	op_complete(other, 0, NULL);
	assert_int_equal(shipopt_op_wait(other, PATIENCE_MS), 0);
	shipopt_op_unref(other);
}

static void without_a_callback_the_completing_thread_delivers(void **state)
{
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE};
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct delivery delivery = {.mode = modes[i]};
		shipopt_op *caller = NULL, *op;
		assert_int_equal(op_new(&manual_class, *state, &delivery, NULL, NULL, &caller, &op), 0);
		assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ETIMEDOUT);
		op_complete(op, 4, NULL);
		assert_int_equal(shipopt_op_wait(op, 0), 4); /* no other thread was needed */
		shipopt_op_unref(op);
		assert_int_equal(atomic_load(&destroyed_count), i + 1);
	}
}

static void without_a_callback_a_cancel_in_progress_comes_first(void **state)
{
	struct delivery delivery = {.mode = DELIVERY_INLINE};
	shipopt_op *caller = NULL, *op;
	assert_int_equal(op_new(&manual_class, *state, &delivery, NULL, NULL, &caller, &op), 0);
	((struct manual_op *)op)->completes_on_cancel = true;
	assert_int_equal(shipopt_op_cancel(op), 0);
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	assert_int_equal(atomic_load(&destroyed_count), 1);
}

static void an_operation_needs_no_done_and_no_caller(void **state)
{
	shipopt_op *op;
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	assert_int_equal(op_new(&manual_class, *state, &delivery, NULL, NULL, NULL, &op), 0);
	op_complete(op, 0, NULL); /* the close in the tear-down waits for the rest */
}

struct refusal {
	atomic_int count;
	atomic_int status;
	char message[64];
};

static void note_refusal(void *userdata, shipopt_op *op)
{
	struct refusal *refusal = userdata;
	const char *message = shipopt_error_message(shipopt_op_error(op));
	snprintf(refusal->message, sizeof(refusal->message), "%s", message ? message : "");
	atomic_store(&refusal->status, shipopt_op_status(op));
	atomic_fetch_add(&refusal->count, 1);
}

static void a_refused_call_completes_like_any_other_with_its_error(void **state)
{
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE, DELIVERY_QUEUE};
	shipopt_queue *queue;
	assert_int_equal(shipopt_queue_new(*state, 1, &queue), 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct delivery delivery = {.mode = modes[i], .queue = queue};
		struct refusal refusal = {0};
		shipopt_op *op;
		shipopt_error *error = error_new(SHIPOPT_EINVAL, "method \"get\" is not one of GET, POST");
		assert_int_equal(op_refuse(*state, &delivery, note_refusal, &refusal, &op, SHIPOPT_EINVAL, error), 0);
		assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_EINVAL);
		assert_int_equal(atomic_load(&refusal.count), 1);
		assert_int_equal(atomic_load(&refusal.status), SHIPOPT_EINVAL);
		assert_string_equal(refusal.message, "method \"get\" is not one of GET, POST");
		shipopt_op_unref(op);
	}
	shipopt_queue_free(queue);
}

static void a_refused_call_that_nobody_can_hear_returns_its_status(void **state)
{
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	shipopt_error *error = error_new(SHIPOPT_EINVAL, "nobody reads this");
	assert_int_equal(op_refuse(*state, &delivery, NULL, NULL, NULL, SHIPOPT_EINVAL, error), SHIPOPT_EINVAL);
}

static void a_refused_call_needs_a_slot_like_any_other(void **state)
{
	shipopt_queue *queue;
	shipopt_op *op = NULL, *second = NULL;
	assert_int_equal(shipopt_queue_new(*state, 1, &queue), 0);
	struct delivery delivery = {.mode = DELIVERY_QUEUE, .queue = queue};
	assert_int_equal(op_refuse(*state, &delivery, NULL, NULL, &op, SHIPOPT_EINVAL, NULL), 0);
	assert_int_equal(op_refuse(*state, &delivery, NULL, NULL, &second, SHIPOPT_EINVAL,
				 error_new(SHIPOPT_EINVAL, "freed")),
		SHIPOPT_EAGAIN);
	assert_null(second);
	assert_int_equal(shipopt_op_wait(op, PATIENCE_MS), SHIPOPT_EINVAL);
	shipopt_op_unref(op);
	shipopt_queue_free(queue);
}

/* --- in simulation --- */

struct sleeper {
	shipopt_op op;
	struct timer timer;
};

static void sleeper_fire(struct timer *timer)
{
	op_complete(&CONTAINER_OF(timer, struct sleeper, timer)->op, 42, NULL);
}

static void waiting_turns_a_simulated_reactor_in_virtual_time(void **state)
{
	static const struct op_class class = {.size = sizeof(struct sleeper)};
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE, DELIVERY_QUEUE};
	shipopt_runtime *runtime;
	struct reactor *reactor;
	shipopt_queue *queue;
	clock_set_virtual(true);
	assert_int_equal(runtime_new_simulated(&runtime), 0);
	assert_int_equal(runtime_reactor(runtime, &reactor), 0);
	assert_int_equal(shipopt_queue_new(runtime, 4, &queue), 0);
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		struct delivery delivery = {.mode = modes[i], .queue = queue};
		shipopt_op *caller = NULL, *op;
		int64_t now = clock_now_us();
		assert_int_equal(op_new(&class, runtime, &delivery, count_done, &done_count, &caller, &op), 0);
		struct sleeper *sleeper = (struct sleeper *)op;
		sleeper->timer.fire = sleeper_fire;
		timer_start(reactor, &sleeper->timer, now + 86400000000);
		assert_int_equal(shipopt_op_wait(op, 1000), SHIPOPT_ETIMEDOUT);
		assert_int_equal(clock_now_us(), now + 1000000);
		assert_int_equal(shipopt_op_wait(op, -1), 42);
		assert_int_equal(clock_now_us(), now + 86400000000);
		assert_int_equal(atomic_load(&done_count), i + 1);
		shipopt_op_unref(op);
	}
	shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, 0), 0);
	shipopt_runtime_free(runtime);
	clock_set_virtual(false);
}

/* --- requests --- */

struct answer {
	int status, count;
	int64_t value;
	shipopt_error *error;
};

static void take_answer(void *userdata, int status, int64_t value, shipopt_error *error)
{
	struct answer *answer = userdata;
	*answer = (struct answer){.status = status, .count = answer->count + 1, .value = value, .error = error};
}

static void a_request_is_answered_once(void **state)
{
	struct answer answer = {0};
	shipopt_request *request;
	assert_int_equal(request_new("order-7", NULL, NULL, take_answer, &answer, &request), 0);
	assert_string_equal(shipopt_request_key(request), "order-7");
	assert_null(shipopt_request_record(request));
	shipopt_request_complete(request, 12);
	assert_int_equal(answer.count, 1);
	assert_int_equal(answer.status, 0);
	assert_int_equal(answer.value, 12);
	assert_int_equal(request_new(NULL, NULL, NULL, take_answer, &answer, &request), 0);
	shipopt_request_fail(request, 5, NULL); /* no failure at all */
	assert_int_equal(answer.status, SHIPOPT_EINVAL);
	assert_string_equal(shipopt_error_message(answer.error), shipopt_error_description(SHIPOPT_EINVAL));
	shipopt_error_unref(answer.error);
	assert_int_equal(request_new(NULL, NULL, NULL, take_answer, &answer, &request), 0);
	request_free(request);
	assert_int_equal(answer.count, 2);
	shipopt_request_complete(NULL, 0);
	shipopt_request_fail(NULL, 0, NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(results_are_readable_only_when_done),
		TEST(every_waiter_returns_after_done),
		TEST(cancel_reaches_the_class_once),
		TEST(cancel_may_complete_at_once_in_each_delivery),
		TEST(cancel_and_completion_may_race),
		TEST(an_operation_lives_until_its_last_reference),
		TEST(an_abandoned_operation_leaves_nothing_behind),
		TEST(waiting_on_a_library_thread_is_refused),
		TEST(without_a_callback_the_completing_thread_delivers),
		TEST(without_a_callback_a_cancel_in_progress_comes_first),
		TEST(an_operation_needs_no_done_and_no_caller),
		TEST(a_refused_call_completes_like_any_other_with_its_error),
		TEST(a_refused_call_that_nobody_can_hear_returns_its_status),
		TEST(a_refused_call_needs_a_slot_like_any_other),
		TEST(waiting_turns_a_simulated_reactor_in_virtual_time),
		TEST(a_request_is_answered_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
