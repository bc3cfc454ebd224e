/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <shipopt/error.h>
#include <stdatomic.h>

#include "base/fault.h"
#include "base/memory.h"
#include "runtime/deque.h"
#include "runtime/runtime.h"
#include "runtime/scheduler.h"
#include "runtime/side_pool.h"

static void keep_owner(struct thread_owner *owner)
{
}

static struct thread_owner owner = {.destroy = keep_owner};

struct counted {
	struct task task;
	atomic_int runs;
	struct scheduler *scheduler;
	int again;
};

/* One gate for all tests: how many tasks have run, and whether those that wait may go on. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int ran;
	bool is_open;
} gate = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void gate_reset(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.ran = 0;
	gate.is_open = false;
	pthread_mutex_unlock(&gate.lock);
}

static void gate_count(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.ran++;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_open(void)
{
	pthread_mutex_lock(&gate.lock);
	gate.is_open = true;
	pthread_cond_broadcast(&gate.changed);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait_open(void)
{
	pthread_mutex_lock(&gate.lock);
	while (!gate.is_open)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void gate_wait_ran(int ran)
{
	pthread_mutex_lock(&gate.lock);
	while (gate.ran < ran)
		pthread_cond_wait(&gate.changed, &gate.lock);
	pthread_mutex_unlock(&gate.lock);
}

static void count(struct task *task)
{
	atomic_fetch_add(&CONTAINER_OF(task, struct counted, task)->runs, 1);
	gate_count();
}

static void block(struct task *task)
{
	gate_count();
	gate_wait_open();
}

static void block_and_count(struct task *task)
{
	block(task);
	gate_count();
}

static void count_and_repeat(struct task *task)
{
	struct counted *counted = CONTAINER_OF(task, struct counted, task);
	bool repeats = counted->again-- > 0;
	if (repeats)
		scheduler_submit(counted->scheduler, task);
	else
		gate_count();
}

static void repeat_when_open(struct task *task)
{
	gate_wait_open();
	task->run = count_and_repeat;
	count_and_repeat(task);
}

static struct scheduler *start(unsigned workers)
{
	struct scheduler *scheduler;
	gate_reset();
	reference_init(&owner.holds);
	assert_int_equal(mem_live_count(), 0);
	assert_int_equal(scheduler_new(&owner, workers, &scheduler), 0);
	assert_int_equal(scheduler_start(scheduler), 0);
	return scheduler;
}

static void end(struct scheduler *scheduler)
{
	scheduler_stop(scheduler);
	scheduler_join(scheduler);
	assert_int_equal(scheduler_thread_count(scheduler), 0);
	assert_int_equal(scheduler_drain(scheduler), 0);
	scheduler_free(scheduler);
	assert_int_equal(mem_live_count(), 0);
	assert_int_equal(atomic_load(&owner.holds.count), 1);
}

/* --- deque --- */

static void the_owner_takes_the_newest_and_a_thief_the_oldest(void **state)
{
	static struct deque deque;
	struct task tasks[3];
	deque_init(&deque);
	assert_null(deque_take(&deque));
	assert_null(deque_steal(&deque));
	for (int i = 0; i < 3; i++)
		assert_true(deque_push(&deque, &tasks[i]));
	assert_false(deque_is_empty(&deque));
	assert_int_equal(deque_space(&deque), DEQUE_SIZE - 3);
	assert_ptr_equal(deque_take(&deque), &tasks[2]);
	assert_ptr_equal(deque_steal(&deque), &tasks[0]);
	assert_ptr_equal(deque_take(&deque), &tasks[1]);
	assert_null(deque_take(&deque));
	assert_true(deque_is_empty(&deque));
}

static void a_full_deque_refuses_and_goes_round(void **state)
{
	static struct deque deque;
	static struct task tasks[DEQUE_SIZE + 1];
	deque_init(&deque);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < DEQUE_SIZE; i++)
			assert_true(deque_push(&deque, &tasks[i]));
		assert_false(deque_push(&deque, &tasks[DEQUE_SIZE]));
		for (int i = 0; i < DEQUE_SIZE / 2; i++)
			assert_ptr_equal(deque_steal(&deque), &tasks[i]);
		for (int i = DEQUE_SIZE - 1; i >= DEQUE_SIZE / 2; i--)
			assert_ptr_equal(deque_take(&deque), &tasks[i]);
	}
}

/* --- scheduler --- */

static void every_task_runs_once(void **state)
{
	enum { COUNT = 5000 };
	static struct counted tasks[COUNT];
	for (unsigned workers = 1; workers <= 4; workers++) {
		struct scheduler *scheduler = start(workers);
		struct task_list list = {0};
		for (int i = 0; i < COUNT; i++) {
			tasks[i] = (struct counted){.task.run = count};
			if (i % 2)
				task_list_push(&list, &tasks[i].task);
			else
				scheduler_submit(scheduler, &tasks[i].task);
		}
		scheduler_submit_list(scheduler, &list);
		assert_int_equal(list.count, 0);
		gate_wait_ran(COUNT);
		end(scheduler);
		for (int i = 0; i < COUNT; i++)
			assert_int_equal(atomic_load(&tasks[i].runs), 1);
	}
}

static void a_batch_reaches_all_workers_though_it_wakes_one(void **state)
{
	struct scheduler *scheduler = start(4);
	struct counted tasks[4];
	struct task_list list = {0};
	for (int round = 0; round < 300; round++) { /* in all but the first the workers sleep */
		gate_reset();
		for (int i = 0; i < 4; i++) {
			tasks[i] = (struct counted){.task.run = block_and_count};
			task_list_push(&list, &tasks[i].task);
		}
		scheduler_submit_list(scheduler, &list);
		gate_wait_ran(4); /* all four block at the same time */
		gate_open();
		gate_wait_ran(8); /* and have left */
	}
	end(scheduler);
}

struct spawner {
	struct task task;
	struct scheduler *scheduler;
	struct counted *children;
	int child_count;
};

static void spawn_and_block(struct task *task)
{
	struct spawner *spawner = CONTAINER_OF(task, struct spawner, task);
	assert_true(scheduler_is_current(spawner->scheduler));
	for (int i = 0; i < spawner->child_count; i++)
		scheduler_submit(spawner->scheduler, &spawner->children[i].task);
	gate_wait_open();
}

static void work_behind_a_blocked_worker_is_stolen(void **state)
{
	enum { COUNT = 1000 }; /* more than a deque holds */
	static struct counted children[COUNT];
	struct scheduler *scheduler = start(2);
	for (int i = 0; i < COUNT; i++)
		children[i] = (struct counted){.task.run = count};
	struct spawner spawner = {{.run = spawn_and_block}, scheduler, children, COUNT};
	scheduler_submit(scheduler, &spawner.task);
	gate_wait_ran(COUNT);
	gate_open();
	end(scheduler);
}

static void a_task_that_repeats_itself_starves_nobody(void **state)
{
	struct scheduler *scheduler = start(1);
	struct counted endless = {.task.run = repeat_when_open, .scheduler = scheduler, .again = 2000000};
	struct counted other = {.task.run = count};
	scheduler_submit(scheduler, &endless.task);
	scheduler_submit(scheduler, &other.task);
	gate_open();
	gate_wait_ran(1);
	assert_int_equal(atomic_load(&other.runs), 1);
	gate_wait_ran(2);
	end(scheduler);
}

static void the_stop_runs_what_is_queued_and_what_that_queues(void **state)
{
	struct scheduler *scheduler = start(2);
	struct counted chain = {.task.run = count_and_repeat, .scheduler = scheduler, .again = 10000};
	scheduler_submit(scheduler, &chain.task);
	end(scheduler);
	assert_int_equal(gate.ran, 1);
}

static void tasks_queued_before_the_start_wait_for_it(void **state)
{
	struct scheduler *scheduler;
	struct counted task = {.task.run = count};
	gate_reset();
	reference_init(&owner.holds);
	assert_int_equal(scheduler_new(&owner, 2, &scheduler), 0);
	scheduler_submit(scheduler, &task.task);
	assert_int_equal(scheduler_thread_count(scheduler), 0);
	assert_int_equal(scheduler_start(scheduler), 0);
	gate_wait_ran(1);
	end(scheduler);
}

#ifdef SHIPOPT_FAULTS
static void fewer_threads_than_wanted_still_work(void **state)
{
	struct scheduler *scheduler;
	struct counted task = {.task.run = count};
	gate_reset();
	reference_init(&owner.holds);
	assert_int_equal(scheduler_new(&owner, 3, &scheduler), 0);
	fault_arm(1); /* the first thread's start block passes, its creation fails */
	assert_int_equal(scheduler_start(scheduler), SHIPOPT_EAGAIN);
	fault_arm(3);
	assert_int_equal(scheduler_start(scheduler), 0);
	fault_arm(-1);
	assert_int_equal(scheduler_thread_count(scheduler), 1);
	scheduler_submit(scheduler, &task.task);
	gate_wait_ran(1);
	end(scheduler);
}
#endif

/* --- parallel_for --- */

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

enum { ITEMS = 10007 };
static atomic_uchar touched[ITEMS];

static void touch(void *userdata, size_t begin, size_t end)
{
	assert_true(begin < end && end <= ITEMS);
	assert_true(end - begin <= *(size_t *)userdata);
	for (size_t i = begin; i < end; i++)
		atomic_fetch_add(&touched[i], 1);
}

static void pieces_cover_the_range_once(void **state)
{
	static const size_t grains[] = {0, 1, 3, 1000, ITEMS, SIZE_MAX};
	shipopt_runtime *runtime = runtime_with_workers(3);
	for (size_t g = 0; g < ARRAY_SIZE(grains); g++) {
		size_t most = grains[g] ? grains[g] : ITEMS;
		for (size_t i = 0; i < ITEMS; i++)
			atomic_store(&touched[i], 0);
		assert_int_equal(shipopt_runtime_parallel_for(runtime, ITEMS, grains[g], touch, &most), 0);
		for (size_t i = 0; i < ITEMS; i++)
			assert_int_equal(atomic_load(&touched[i]), 1);
	}
	assert_int_equal(shipopt_runtime_parallel_for(runtime, 0, 0, touch, NULL), 0);
	assert_int_equal(shipopt_runtime_parallel_for(runtime, 1, 0, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	assert_int_equal(shipopt_runtime_parallel_for(runtime, 1, 0, touch, NULL), SHIPOPT_ESHUTDOWN);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_runtime *nest_runtime;
static atomic_int leaves;

static void leaf(void *userdata, size_t begin, size_t end)
{
	atomic_fetch_add(&leaves, (int)(end - begin));
}

static void nest(void *userdata, size_t begin, size_t end)
{
	for (size_t i = begin; i < end; i++)
		assert_int_equal(shipopt_runtime_parallel_for(nest_runtime, 10, 1, userdata ? nest : leaf, NULL), 0);
}

static void nest_in_task(void *userdata)
{
	assert_int_equal(shipopt_runtime_parallel_for(nest_runtime, 10, 1, nest, nest_runtime), 0);
	gate_count();
}

static void loops_nest_on_workers_that_are_all_busy(void **state)
{
	enum { TASKS = 8 };
	void *nothing[TASKS] = {NULL};
	gate_reset();
	atomic_store(&leaves, 0);
	nest_runtime = runtime_with_workers(2);
	assert_int_equal(shipopt_runtime_submit_batch(nest_runtime, nest_in_task, nothing, TASKS), 0);
	gate_wait_ran(TASKS);
	assert_int_equal(atomic_load(&leaves), TASKS * 10 * 10 * 10);
	assert_int_equal(shipopt_runtime_close(nest_runtime, -1), 0);
	shipopt_runtime_free(nest_runtime);
	assert_int_equal(mem_live_count(), 0);
}

/* --- side pool --- */

static void blocked_tasks_leave_a_thread_for_the_librarys_own(void **state)
{
	enum { COUNT = 10 };
	struct counted blockers[COUNT], own = {.task.run = count};
	struct side_pool *pool;
	gate_reset();
	reference_init(&owner.holds);
	assert_int_equal(side_pool_new(&owner, 4, &pool), 0);
	for (int i = 0; i < COUNT; i++) {
		blockers[i] = (struct counted){.task.run = block};
		assert_int_equal(side_pool_submit(pool, &blockers[i].task, false), 0);
	}
	gate_wait_ran(3);
	assert_int_equal(side_pool_submit(pool, &own.task, true), 0);
	gate_wait_ran(4);
	assert_int_equal(atomic_load(&own.runs), 1);
	assert_int_equal(side_pool_thread_count(pool), 4);
	gate_open();
	side_pool_stop(pool);
	side_pool_join(pool);
	assert_int_equal(gate.ran, COUNT + 1);
	assert_int_equal(side_pool_submit(pool, &own.task, true), SHIPOPT_ESHUTDOWN);
	side_pool_free(pool);
	assert_int_equal(mem_live_count(), 0);
}

static void only_so_many_blocking_tasks_wait(void **state)
{
	static struct counted waiting[SIDE_TASKS_MAX];
	struct counted blocker = {.task.run = block}, more = {.task.run = count};
	struct side_pool *pool;
	gate_reset();
	reference_init(&owner.holds);
	assert_int_equal(side_pool_new(&owner, 1, &pool), 0);
	assert_int_equal(side_pool_submit(pool, &blocker.task, false), 0);
	gate_wait_ran(1);
	for (int i = 0; i < SIDE_TASKS_MAX; i++) {
		waiting[i] = (struct counted){.task.run = count};
		assert_int_equal(side_pool_submit(pool, &waiting[i].task, false), 0);
	}
	assert_int_equal(side_pool_submit(pool, &more.task, false), SHIPOPT_EAGAIN);
	assert_int_equal(side_pool_submit(pool, &more.task, true), 0);
	gate_open();
	side_pool_stop(pool);
	side_pool_join(pool);
	assert_int_equal(gate.ran, SIDE_TASKS_MAX + 2);
	side_pool_free(pool);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_owner_takes_the_newest_and_a_thief_the_oldest),
		cmocka_unit_test(a_full_deque_refuses_and_goes_round),
		cmocka_unit_test(every_task_runs_once),
		cmocka_unit_test(a_batch_reaches_all_workers_though_it_wakes_one),
		cmocka_unit_test(work_behind_a_blocked_worker_is_stolen),
		cmocka_unit_test(a_task_that_repeats_itself_starves_nobody),
		cmocka_unit_test(the_stop_runs_what_is_queued_and_what_that_queues),
		cmocka_unit_test(tasks_queued_before_the_start_wait_for_it),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(fewer_threads_than_wanted_still_work),
#endif
		cmocka_unit_test(pieces_cover_the_range_once),
		cmocka_unit_test(loops_nest_on_workers_that_are_all_busy),
		cmocka_unit_test(blocked_tasks_leave_a_thread_for_the_librarys_own),
		cmocka_unit_test(only_so_many_blocking_tasks_wait),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
