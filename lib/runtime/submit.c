/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "runtime/runtime_private.h"

/*
 * Tasks of the host. They are the only tasks that are allocated: one block for each call, freed when the last task of
 * it has begun, so that a task may close over whatever it likes.
 */
struct submission {
	atomic_size_t left;
	shipopt_runtime *runtime; /* borrowed: the tasks are its own */
	shipopt_task_fn function;
	struct submitted {
		struct task task;
		struct submission *submission;
		void *userdata;
	} tasks[];
};

static void submit_submitted_run(struct task *task)
{
	struct submitted *submitted = CONTAINER_OF(task, struct submitted, task);
	struct submission *submission = submitted->submission;
	shipopt_task_fn function = runtime_may_call_host(submission->runtime) ? submission->function : NULL;
	void *userdata = submitted->userdata;
	if (atomic_fetch_sub(&submission->left, 1) == 1)
		mem_free(submission);
	if (function)
		function(userdata);
}

static struct submission *submit_submission_new(shipopt_runtime *runtime, shipopt_task_fn function,
	void *const *userdata_list, size_t count)
{
	size_t size;
	if (!size_multiply(count, sizeof(struct submitted), &size) || !size_add(size, sizeof(struct submission), &size))
		return NULL;
	struct submission *submission = mem_alloc(size);
	if (!submission)
		return NULL;
	atomic_init(&submission->left, count);
	submission->runtime = runtime;
	submission->function = function;
	for (size_t i = 0; i < count; i++) {
		submission->tasks[i].task.run = submit_submitted_run;
		submission->tasks[i].submission = submission;
		submission->tasks[i].userdata = userdata_list[i];
	}
	return submission;
}

/* Admitted like an operation while it is queued, so that a close on another thread comes before or after; and with a
 * reference, as the task may free the runtime before the call returns. */
static int submit_begin(shipopt_runtime *runtime)
{
	int r = runtime_admit(runtime);
	if (r == 0)
		runtime_ref(runtime);
	return r;
}

static void submit_end(shipopt_runtime *runtime)
{
	runtime_release(runtime);
	runtime_unref(runtime);
}

int shipopt_runtime_submit_batch(shipopt_runtime *runtime, shipopt_task_fn task, void *const *userdata_list,
	size_t count)
{
	if (!runtime || !task || (!userdata_list && count > 0))
		return SHIPOPT_EINVAL;
	int r = submit_begin(runtime);
	if (r < 0)
		return r;
	r = count > 0 ? runtime_start_workers(runtime) : 0;
	struct submission *submission =
		r == 0 && count > 0 ? submit_submission_new(runtime, task, userdata_list, count) : NULL;
	if (submission) {
		struct task_list tasks = {0};
		for (size_t i = 0; i < count; i++)
			task_list_push(&tasks, &submission->tasks[i].task);
		runtime_submit_tasks(runtime, &tasks);
	} else if (r == 0 && count > 0) {
		r = SHIPOPT_ENOMEM;
	}
	submit_end(runtime);
	return r;
}

int shipopt_runtime_submit(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata)
{
	return shipopt_runtime_submit_batch(runtime, task, &userdata, 1);
}

int shipopt_runtime_submit_blocking(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata)
{
	if (!runtime || !task)
		return SHIPOPT_EINVAL;
	int r = submit_begin(runtime);
	if (r < 0)
		return r;
	struct submission *submission = submit_submission_new(runtime, task, &userdata, 1);
	r = submission ? runtime_submit_side(runtime, &submission->tasks[0].task, false) : SHIPOPT_ENOMEM;
	if (r < 0)
		mem_free(submission);
	submit_end(runtime);
	return r;
}
