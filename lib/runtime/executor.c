/* SPDX-License-Identifier: MIT */
#include "runtime/runtime_private.h"

/*
 * The host's executor. A task that is with it counts in executor_tasks, which the close waits for, and holds the
 * runtime's memory. Its `next` link is free meanwhile and says which runtime it belongs to.
 */
static void executor_took_back(shipopt_runtime *runtime)
{
	if (atomic_fetch_sub(&runtime->executor_tasks, 1) == 1 && atomic_load(&runtime->state) != RUNTIME_OPEN)
		runtime_notify(runtime);
	thread_owner_drop(&runtime->owner);
}

void executor_submit(shipopt_runtime *runtime, struct task *task)
{
	task->next = (struct task *)(void *)runtime;
	thread_owner_hold(&runtime->owner);
	atomic_fetch_add(&runtime->executor_tasks, 1);
	bool is_there = runtime_may_call_host(runtime);
	if (is_there && runtime->executor(runtime->executor_userdata, task) == 0)
		return;
	if (side_pool_submit(runtime->side_pool, task, true) < 0) {
		/* No thread is to be had: a worker's list keeps it until there is one, at the latest until the
		 * close. */
		scheduler_submit(runtime->scheduler, task);
		scheduler_start(runtime->scheduler);
	}
	executor_took_back(runtime);
}

void shipopt_task_run(void *argument)
{
	struct task *task = argument;
	if (!task)
		return;
	shipopt_runtime *runtime = (shipopt_runtime *)(void *)task->next;
	if (runtime_is_forked(runtime))
		return;
	bool was_marked = thread_mark(true);
	task->run(task);
	thread_mark(was_marked);
	executor_took_back(runtime);
}
