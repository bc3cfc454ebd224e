/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "runtime/runtime_private.h"

/*
 * shipopt_runtime_parallel_for(): a counter of pieces that the caller and one helper task per worker draw from.
 *
 * The job is allocated, as a helper may be run by a busy worker long after the caller has left; without memory the
 * caller does all pieces itself. When nothing is left to draw, the caller waits for pieces that others still work on;
 * on a worker it runs other tasks meanwhile, nested at most HELP_DEPTH_MAX deep, as each lies on the stack of the one
 * before.
 */
#define PIECES_PER_THREAD 8 /* when the grain is left to us: enough to even out, few enough to cost nothing */
#define HELP_DEPTH_MAX 8

struct job;

struct helper {
	struct task task;
	struct job *job;
};

struct job {
	struct reference reference; /* the caller and each helper */
	shipopt_range_fn body;
	void *userdata;
	size_t count, grain;
	atomic_size_t next; /* begin of the next piece */
	atomic_size_t left; /* items not done yet */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct helper helpers[];
};

static _Thread_local unsigned help_depth;

static void parallel_for_job_unref(struct job *job)
{
	if (!reference_drop(&job->reference))
		return;
	pthread_cond_destroy(&job->changed);
	pthread_mutex_destroy(&job->lock);
	mem_free(job);
}

static void parallel_for_job_work(struct job *job)
{
	for (;;) {
		size_t begin = atomic_load_explicit(&job->next, memory_order_relaxed);
		do {
			if (begin >= job->count)
				return;
		} while (
			!atomic_compare_exchange_weak(&job->next, &begin, begin + MIN(job->grain, job->count - begin)));
		size_t size = MIN(job->grain, job->count - begin);
		job->body(job->userdata, begin, begin + size);
		if (atomic_fetch_sub(&job->left, size) != size)
			continue;
		pthread_mutex_lock(&job->lock);
		pthread_cond_signal(&job->changed);
		pthread_mutex_unlock(&job->lock);
	}
}

static void parallel_for_helper_run(struct task *task)
{
	struct helper *helper = CONTAINER_OF(task, struct helper, task);
	parallel_for_job_work(helper->job);
	parallel_for_job_unref(helper->job);
}

static struct job *parallel_for_job_new(size_t helpers, size_t count, size_t grain, shipopt_range_fn body,
	void *userdata)
{
	struct job *job = mem_alloc_zero(sizeof(*job) + helpers * sizeof(struct helper));
	if (!job)
		return NULL;
	reference_init(&job->reference);
	pthread_mutex_init(&job->lock, NULL);
	pthread_cond_init(&job->changed, NULL);
	job->body = body;
	job->userdata = userdata;
	job->count = count;
	job->grain = grain;
	atomic_init(&job->next, 0);
	atomic_init(&job->left, count);
	return job;
}

static void parallel_for_send_helpers(shipopt_runtime *runtime, struct job *job, size_t helpers)
{
	struct task_list tasks = {0};
	for (size_t i = 0; i < helpers; i++) {
		job->helpers[i].task.run = parallel_for_helper_run;
		job->helpers[i].job = job;
		reference_take(&job->reference);
		task_list_push(&tasks, &job->helpers[i].task);
	}
	runtime_submit_tasks(runtime, &tasks);
}

static void parallel_for_job_wait(shipopt_runtime *runtime, struct job *job)
{
	if (help_depth < HELP_DEPTH_MAX) {
		help_depth++;
		while (atomic_load(&job->left) > 0 && scheduler_help(runtime->scheduler))
			;
		help_depth--;
	}
	pthread_mutex_lock(&job->lock);
	while (atomic_load(&job->left) > 0)
		pthread_cond_wait(&job->changed, &job->lock);
	pthread_mutex_unlock(&job->lock);
}

static void parallel_for_run_alone(size_t count, size_t grain, shipopt_range_fn body, void *userdata)
{
	for (size_t begin = 0; begin < count; begin += MIN(grain, count - begin))
		body(userdata, begin, begin + MIN(grain, count - begin));
}

int shipopt_runtime_parallel_for(shipopt_runtime *runtime, size_t count, size_t grain, shipopt_range_fn body,
	void *userdata)
{
	if (!runtime || !body)
		return SHIPOPT_EINVAL;
	int r = runtime_admit(runtime);
	if (r < 0)
		return r;
	size_t threads = runtime_parallelism(runtime);
	if (grain == 0)
		grain = MAX(count / ((threads + 1) * PIECES_PER_THREAD), 1);
	size_t pieces = count / grain + (count % grain != 0);
	size_t helpers = pieces > 1 && runtime_start_workers(runtime) == 0 ? MIN(threads, pieces - 1) : 0;
	struct job *job = helpers > 0 ? parallel_for_job_new(helpers, count, grain, body, userdata) : NULL;
	bool was_marked = thread_mark(true); /* the body may not wait, on this thread neither */
	if (job) {
		parallel_for_send_helpers(runtime, job, helpers);
		parallel_for_job_work(job);
		parallel_for_job_wait(runtime, job);
		parallel_for_job_unref(job);
	} else {
		parallel_for_run_alone(count, grain, body, userdata);
	}
	thread_mark(was_marked);
	runtime_release(runtime);
	return 0;
}
