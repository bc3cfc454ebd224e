/* SPDX-License-Identifier: MIT */
#include "runtime/runtime_private.h"

/* Where tasks go: to the workers, to the application's executor, or, in a simulation, to the end of the reactor's
 * turn. */

unsigned runtime_parallelism(const shipopt_runtime *runtime)
{
	return runtime->is_simulated ? 0 : scheduler_worker_count(runtime->scheduler);
}

int runtime_start_workers(shipopt_runtime *runtime)
{
	return runtime->is_simulated || runtime->executor ? 0 : scheduler_start(runtime->scheduler);
}

static void runtime_submit_simulated(shipopt_runtime *runtime, struct task *task)
{
	if (pthread_equal(pthread_self(), runtime->simulated_thread))
		reactor_at_turn_end(runtime->reactors[0].reactor, task);
	else
		reactor_post(runtime->reactors[0].reactor, task);
}

void runtime_submit_tasks(shipopt_runtime *runtime, struct task_list *tasks)
{
	struct task *task;
	if (atomic_load(&runtime->state) != RUNTIME_CLOSED && !runtime->is_simulated && !runtime->executor) {
		scheduler_submit_list(runtime->scheduler, tasks);
		scheduler_start(runtime->scheduler);
		return;
	}
	while ((task = task_list_pop(tasks)))
		runtime_submit_task(runtime, task);
}

void runtime_submit_task(shipopt_runtime *runtime, struct task *task)
{
	if (atomic_load(&runtime->state) == RUNTIME_CLOSED && !scheduler_is_current(runtime->scheduler)) {
		task->run(task);
	} else if (runtime->is_simulated) {
		runtime_submit_simulated(runtime, task);
	} else if (runtime->executor) {
		executor_submit(runtime, task);
	} else {
		scheduler_start(runtime->scheduler);
		scheduler_submit(runtime->scheduler, task);
	}
}

int runtime_submit_side(shipopt_runtime *runtime, struct task *task, bool reserved)
{
	if (runtime_is_forked(runtime))
		return SHIPOPT_EFORKED;
	if (!runtime->is_simulated)
		return side_pool_submit(runtime->side_pool, task, reserved);
	if (atomic_load(&runtime->state) == RUNTIME_CLOSED)
		return SHIPOPT_ESHUTDOWN;
	runtime_submit_simulated(runtime, task);
	return 0;
}

void runtime_drain(shipopt_runtime *runtime)
{
	size_t ran;
	do {
		ran = scheduler_drain(runtime->scheduler);
		for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++)
			if (runtime->reactors[i].reactor)
				ran += (size_t)reactor_turn(runtime->reactors[i].reactor, 0);
	} while (ran > 0);
}
