/* SPDX-License-Identifier: MIT */
#include "runtime/side_pool.h"

#include <shipopt/error.h>
#include <stdio.h>

#include "base/memory.h"

enum side_state {
	SIDE_FREE, /* no thread */
	SIDE_RUNNING,
	SIDE_LEFT /* its thread has left or is about to, and is not joined yet */
};

struct side_thread {
	struct side_pool *pool;
	pthread_t thread;
	enum side_state state;
};

struct side_pool {
	struct thread_owner *owner;
	unsigned most;          /* threads */
	unsigned most_ordinary; /* threads that may run tasks that are not reserved */

	pthread_mutex_t lock; /* for all of what follows */
	pthread_cond_t work;
	struct task_list reserved, ordinary;
	unsigned running;          /* threads */
	unsigned idle;             /* of those, how many wait for work */
	unsigned running_ordinary; /* threads at work on a task that is not reserved */
	bool stopping;
	bool is_ended; /* joined or detached */
	struct side_thread threads[];
};

int side_pool_new(struct thread_owner *owner, unsigned threads, struct side_pool **ret_pool)
{
	ASSERT(threads > 0 && threads <= SIDE_THREADS_MAX);
	struct side_pool *pool = mem_alloc_zero(sizeof(*pool) + threads * sizeof(struct side_thread));
	if (!pool)
		return SHIPOPT_ENOMEM;
	if (condition_init(&pool->work) < 0) {
		mem_free(pool);
		return SHIPOPT_ENOMEM;
	}
	pthread_mutex_init(&pool->lock, NULL);
	pool->owner = owner;
	pool->most = threads;
	pool->most_ordinary = threads - (threads > 1 ? MAX(threads / 4, 1) : 0);
	for (unsigned i = 0; i < threads; i++)
		pool->threads[i].pool = pool;
	*ret_pool = pool;
	return 0;
}

void side_pool_free(struct side_pool *pool)
{
	if (!pool)
		return;
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool);
}

unsigned side_pool_thread_count(struct side_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	unsigned running = pool->running;
	pthread_mutex_unlock(&pool->lock);
	return running;
}

/* With the lock held. */
static struct task *side_pool_pick(struct side_pool *pool, bool *ret_is_ordinary)
{
	struct task *task = task_list_pop(&pool->reserved);
	*ret_is_ordinary = !task;
	if (!task && pool->running_ordinary < pool->most_ordinary)
		task = task_list_pop(&pool->ordinary);
	return task;
}

static void side_pool_run_unlocked(struct side_pool *pool, struct task *task, bool is_ordinary)
{
	pool->running_ordinary += is_ordinary;
	pthread_mutex_unlock(&pool->lock);
	task->run(task);
	pthread_mutex_lock(&pool->lock);
	pool->running_ordinary -= is_ordinary;
}

static void *side_main(void *argument)
{
	struct side_thread *self = argument;
	struct side_pool *pool = self->pool;
	struct thread_owner *owner = pool->owner;
	int64_t deadline = condition_deadline(SIDE_IDLE_MS);
	bool in_time = true;
	pthread_mutex_lock(&pool->lock);
	for (;;) {
		bool is_ordinary;
		struct task *task = side_pool_pick(pool, &is_ordinary);
		if (task) {
			side_pool_run_unlocked(pool, task, is_ordinary);
			deadline = condition_deadline(SIDE_IDLE_MS);
			in_time = true;
			continue;
		}
		if (pool->stopping || !in_time)
			break;
		pool->idle++;
		in_time = condition_wait(&pool->work, &pool->lock, deadline);
		pool->idle--;
	}
	self->state = SIDE_LEFT;
	pool->running--;
	pthread_mutex_unlock(&pool->lock);
	thread_owner_drop(owner);
	return NULL;
}

/* With the lock held. */
static int side_pool_start_thread(struct side_pool *pool)
{
	unsigned index = 0;
	while (pool->threads[index].state == SIDE_RUNNING)
		index++;
	struct side_thread *self = &pool->threads[index];
	if (self->state == SIDE_LEFT)
		pthread_join(self->thread, NULL); /* it has given up the lock: nothing but its last steps are left */
	self->state = SIDE_FREE;
	char name[32];
	snprintf(name, sizeof(name), "shipopt-s%u", index);
	thread_owner_hold(pool->owner);
	int r = thread_start(&self->thread, name, side_main, self);
	if (r < 0) {
		thread_owner_drop(pool->owner);
		return r;
	}
	self->state = SIDE_RUNNING;
	pool->running++;
	return 0;
}

static int side_pool_submit_locked(struct side_pool *pool, struct task *task, bool is_reserved)
{
	struct task_list *list = is_reserved ? &pool->reserved : &pool->ordinary;
	if (pool->stopping)
		return SHIPOPT_ESHUTDOWN;
	if (!is_reserved && list->count >= SIDE_TASKS_MAX)
		return SHIPOPT_EAGAIN;
	size_t waiting = pool->reserved.count + pool->ordinary.count;
	if (pool->idle <= waiting && pool->running < pool->most) {
		int r = side_pool_start_thread(pool);
		if (r < 0 && pool->running == 0)
			return r;
	}
	task_list_push(list, task);
	return 0;
}

int side_pool_submit(struct side_pool *pool, struct task *task, bool is_reserved)
{
	pthread_mutex_lock(&pool->lock);
	int r = side_pool_submit_locked(pool, task, is_reserved);
	pthread_mutex_unlock(&pool->lock);
	if (r == 0)
		pthread_cond_signal(&pool->work);
	return r;
}

/* --- ending --- */

void side_pool_stop(struct side_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	pool->stopping = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
}

/* No thread starts any more, so in the table only RUNNING still turns to LEFT. */
static void side_pool_end_threads(struct side_pool *pool, int (*end)(pthread_t thread))
{
	if (pool->is_ended)
		return;
	pool->is_ended = true;
	for (unsigned i = 0; i < pool->most; i++) {
		pthread_mutex_lock(&pool->lock);
		bool had_thread = pool->threads[i].state != SIDE_FREE;
		pthread_mutex_unlock(&pool->lock);
		if (had_thread)
			end(pool->threads[i].thread);
	}
}

static int side_pool_join_thread(pthread_t thread)
{
	return pthread_join(thread, NULL);
}

void side_pool_join(struct side_pool *pool)
{
	side_pool_end_threads(pool, side_pool_join_thread);
}

void side_pool_detach(struct side_pool *pool)
{
	side_pool_end_threads(pool, pthread_detach);
}
