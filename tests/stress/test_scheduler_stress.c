/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "runtime/deque.h"
#include "runtime/runtime.h"

#ifdef SHIPOPT_TSAN
enum { ROUNDS = 20, TASKS = 2000, STEALS = 20000, OPS = 500 };
#else
enum { ROUNDS = 100, TASKS = 5000, STEALS = 300000, OPS = 5000 };
#endif

static atomic_size_t ran;

static void one(void *userdata)
{
	atomic_fetch_add_explicit(&ran, 1, memory_order_relaxed);
}

/* --- one owner, three thieves: nothing is lost, nothing comes twice --- */

static struct deque deque;
static struct counted {
	struct task task;
	atomic_int taken;
} items[STEALS];
static atomic_size_t taken;

static void take_item(struct task *task)
{
	atomic_fetch_add(&CONTAINER_OF(task, struct counted, task)->taken, 1);
	atomic_fetch_add(&taken, 1);
}

static void *thief(void *argument)
{
	while (atomic_load(&taken) < STEALS) {
		struct task *task = deque_steal(&deque);
		if (task)
			take_item(task);
	}
	return NULL;
}

static void thieves_and_owner_share_without_loss(void **state)
{
	pthread_t threads[3];
	struct task *task;
	deque_init(&deque);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thief, NULL), 0);
	for (size_t i = 0; i < STEALS; i++) {
		while (!deque_push(&deque, &items[i].task))
			if ((task = deque_take(&deque)))
				take_item(task);
		if (i % 3 == 0 && (task = deque_take(&deque)))
			take_item(task);
	}
	while ((task = deque_take(&deque)))
		take_item(task);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < STEALS; i++)
		assert_int_equal(atomic_load(&items[i].taken), 1);
}

/* --- submitters against sleepers: a lost wake-up would hang here --- */

static shipopt_runtime *runtime_with_workers(int64_t workers)
{
	shipopt_runtime_config *config;
	shipopt_runtime *runtime;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_WORKERS, workers), 0);
	assert_int_equal(shipopt_runtime_new(config, &runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	return runtime;
}

static void *submit_many(void *runtime)
{
	static void *nothing[50];
	for (size_t i = 0; i < TASKS / 100; i++) {
		assert_int_equal(shipopt_runtime_submit_batch(runtime, one, nothing, 50), 0);
		for (size_t j = 0; j < 50; j++)
			assert_int_equal(shipopt_runtime_submit(runtime, one, NULL), 0);
	}
	return NULL;
}

static void no_task_is_lost_between_submitters_and_sleepers(void **state)
{
	for (int round = 0; round < ROUNDS; round++) {
		shipopt_runtime *runtime = runtime_with_workers(1 + round % 4);
		pthread_t threads[2];
		atomic_store(&ran, 0);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			assert_int_equal(pthread_create(&threads[i], NULL, submit_many, runtime), 0);
		for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
			pthread_join(threads[i], NULL);
		assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
		shipopt_runtime_free(runtime);
		assert_int_equal(atomic_load(&ran), 2 * (TASKS / 100) * 100);
	}
	assert_int_equal(mem_live_count(), 0);
}

/* One task at a time: workers park between any two, so every submission is a wake-up. */
static void every_single_submission_wakes_somebody(void **state)
{
	shipopt_runtime *runtime = runtime_with_workers(3);
	static const struct op_class class = {.size = sizeof(shipopt_op)};
	struct delivery delivery = {.mode = DELIVERY_SCHEDULER};
	for (int i = 0; i < OPS; i++) {
		shipopt_op *caller = NULL, *op;
		assert_int_equal(op_new(&class, runtime, &delivery, NULL, NULL, &caller, &op), 0);
		op_complete(op, i, NULL);
		assert_int_equal(shipopt_op_wait(op, -1), i);
		shipopt_op_unref(op);
	}
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

/* --- queues: many producers, one dispatcher --- */

struct producer {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	size_t accepted;
};

static void *produce(void *argument)
{
	static const struct op_class class = {.size = sizeof(shipopt_op)};
	struct producer *producer = argument;
	struct delivery delivery = {.mode = DELIVERY_QUEUE, .queue = producer->queue};
	for (int i = 0; i < OPS; i++) {
		shipopt_op *op;
		if (op_new(&class, producer->runtime, &delivery, NULL, NULL, NULL, &op) < 0)
			continue; /* no slot */
		producer->accepted++;
		op_complete(op, 0, NULL);
	}
	return NULL;
}

static void what_a_queue_accepts_it_delivers(void **state)
{
	shipopt_runtime *runtime = runtime_with_workers(2);
	struct producer producers[3];
	pthread_t threads[3];
	size_t accepted = 0, delivered = 0;
	shipopt_queue *queue;
	shipopt_event events[16];
	assert_int_equal(shipopt_queue_new(runtime, 64, &queue), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		producers[i] = (struct producer){runtime, queue, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, produce, &producers[i]), 0);
	}
	for (int i = 0; i < OPS; i++) {
		int count = i % 2 ? shipopt_queue_poll(queue, events, 16, 0) : shipopt_queue_dispatch(queue, 5, 0);
		assert_true(count >= 0);
		delivered += (size_t)count;
		if (i % 2)
			assert_int_equal(shipopt_queue_release(queue, events, (size_t)count), 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
		pthread_join(threads[i], NULL);
		accepted += producers[i].accepted;
	}
	int rest = shipopt_queue_dispatch(queue, 0, 0);
	assert_int_equal(delivered + (size_t)rest, accepted);
	shipopt_queue_free(queue);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(thieves_and_owner_share_without_loss),
		cmocka_unit_test(no_task_is_lost_between_submitters_and_sleepers),
		cmocka_unit_test(every_single_submission_wakes_somebody),
		cmocka_unit_test(what_a_queue_accepts_it_delivers),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
