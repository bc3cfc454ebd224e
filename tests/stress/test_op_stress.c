/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "runtime/exit.h"
#include "runtime/runtime.h"

/*
 * Waiting, cancelling, completing, unreferencing and closing against each other. Each operation completes on the
 * reactor some time after it was started; one thread waits for it, another one cancels it, both drop their reference
 * when they like. The runtime closes while they do so. What must hold: every wait returns, every operation is destroyed
 * once, no memory is left. Run it with the thread sanitizer.
 */
#define PATIENCE_MS 60000
#define RUNTIMES 20
#define THREADS 3
#define ROUNDS 400

struct stress_op {
	shipopt_op op;
	struct task task;
	struct reactor *reactor;
};

static atomic_int started, destroyed, callbacks;

static void stress_complete(struct task *task)
{
	struct stress_op *self = CONTAINER_OF(task, struct stress_op, task);
	op_complete(&self->op, op_is_canceled(&self->op) ? SHIPOPT_ECANCELED : 1, NULL);
}

static void stress_cancel(shipopt_op *op)
{
	/* The completion is on its way already. */
}

static void stress_destroy(shipopt_op *op)
{
	atomic_fetch_add(&destroyed, 1);
}

static const struct op_class stress_class = {.size = sizeof(struct stress_op),
	.cancel = stress_cancel,
	.destroy = stress_destroy};

static void count_callback(void *userdata, shipopt_op *op)
{
	atomic_fetch_add(&callbacks, 1);
}

struct worker {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	struct reactor *reactor;
	int index;
	pthread_t thread;
};

static shipopt_op *stress_start(struct worker *worker, int round, int *ret_callbacks)
{
	static const int modes[] = {DELIVERY_SCHEDULER, DELIVERY_INLINE, DELIVERY_QUEUE};
	struct delivery delivery = {.mode = modes[round % 3], .queue = worker->queue};
	shipopt_op *caller = NULL, *op;
	bool has_done = round % 2;
	if (op_new(&stress_class, worker->runtime, &delivery, has_done ? count_callback : NULL, NULL, &caller, &op) < 0)
		return NULL; /* the runtime closes */
	atomic_fetch_add(&started, 1);
	*ret_callbacks += has_done;
	struct stress_op *self = (struct stress_op *)op;
	self->task.run = stress_complete;
	reactor_post(worker->reactor, &self->task);
	return op;
}

static void *cancel_one(void *argument)
{
	shipopt_op *op = argument;
	shipopt_op_cancel(op);
	shipopt_op_unref(op);
	return NULL;
}

static void *work(void *argument)
{
	struct worker *worker = argument;
	int expected = 0;
	for (int round = worker->index; round < ROUNDS; round++) {
		shipopt_op *op = stress_start(worker, round, &expected);
		if (!op)
			break;
		pthread_t canceler;
		bool has_canceler =
			round % 5 == 0 && pthread_create(&canceler, NULL, cancel_one, shipopt_op_ref(op)) == 0;
		int r = round % 4 == 3 ? 1 : shipopt_op_wait(op, round % 4 == 1 ? 0 : PATIENCE_MS);
		assert_true(r == 1 || r == SHIPOPT_ECANCELED || r == SHIPOPT_ETIMEDOUT);
		shipopt_op_unref(op);
		if (has_canceler)
			pthread_join(canceler, NULL);
	}
	return (void *)(intptr_t)expected;
}

static void waits_cancels_and_the_close_meet(void **state)
{
	assert_int_equal(mem_live_count(), 0);
	for (int i = 0; i < RUNTIMES; i++) {
		struct worker workers[THREADS];
		shipopt_runtime *runtime;
		shipopt_queue *queue;
		struct reactor *reactor;
		int expected = 0, begun = atomic_load(&started);
		atomic_store(&callbacks, 0);
		assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
		assert_int_equal(shipopt_queue_new(runtime, 2 * ROUNDS * THREADS, &queue), 0);
		assert_int_equal(runtime_reactor(runtime, &reactor), 0);
		for (int t = 0; t < THREADS; t++) {
			workers[t] = (struct worker){runtime, queue, reactor, .index = t};
			assert_int_equal(pthread_create(&workers[t].thread, NULL, work, &workers[t]), 0);
		}
		while (i % 2 && atomic_load(&started) < begun + 50 * i)
			sched_yield();
		if (i % 2) /* in the middle of it */
			assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
		for (int t = 0; t < THREADS; t++) {
			void *count;
			pthread_join(workers[t].thread, &count);
			expected += (int)(intptr_t)count;
		}
		assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
		shipopt_queue_free(queue);
		shipopt_runtime_free(runtime);
		assert_true(exit_wait_empty(PATIENCE_MS));
		assert_int_equal(atomic_load(&callbacks), expected);
		assert_int_equal(atomic_load(&destroyed), atomic_load(&started));
		assert_int_equal(mem_live_count(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(waits_cancels_and_the_close_meet)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
