/* SPDX-License-Identifier: MIT */
#include "pool/connection/cancel.h"

#include "base/clock.h"
#include "base/memory.h"
#include "pool/connection/connection.h"
#include "runtime/thread.h"

#define CANCEL_AGAIN_US 100000

enum { JOB_RUNNING, JOB_RETURNED, JOB_ABANDONED };

/* ---- slots ------------------------------------------------------------------------------------------------------ */

struct cancel_slots *cancel_slots_new(void)
{
	struct cancel_slots *slots = mem_alloc_zero(sizeof(*slots));
	if (!slots || condition_init(&slots->changed) < 0) {
		mem_free(slots);
		return NULL;
	}
	pthread_mutex_init(&slots->lock, NULL);
	return slots;
}

static void cancel_slots_free(struct cancel_slots *slots)
{
	pthread_cond_destroy(&slots->changed);
	pthread_mutex_destroy(&slots->lock);
	mem_free(slots);
}

void cancel_slots_end(struct cancel_slots *slots)
{
	if (!slots)
		return;
	int64_t deadline = condition_deadline(CANCELS_END_MS);
	pthread_mutex_lock(&slots->lock);
	for (bool in_time = true; slots->used && in_time;)
		in_time = condition_wait(&slots->changed, &slots->lock, deadline);
	slots->is_orphan = true;
	bool is_last = slots->used == 0;
	pthread_mutex_unlock(&slots->lock);
	if (is_last)
		cancel_slots_free(slots);
}

static bool cancel_take_slot(struct cancel_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	bool is_free = slots->used < CANCELS_MAX;
	slots->used += is_free;
	pthread_mutex_unlock(&slots->lock);
	return is_free;
}

static void cancel_give_slot(struct cancel_slots *slots)
{
	pthread_mutex_lock(&slots->lock);
	slots->used--;
	bool is_last = slots->used == 0 && slots->is_orphan;
	pthread_cond_signal(&slots->changed);
	pthread_mutex_unlock(&slots->lock);
	if (is_last)
		cancel_slots_free(slots);
}

static void cancel_job_free(struct cancel_job *job)
{
	libpq_cancel_free(job->request);
	mem_free(job);
}

/* ---- the end of a request -------------------------------------------------------------------------------------- */

static void cancel_done(struct task *task)
{
	struct cancel_job *job = CONTAINER_OF(task, struct cancel_job, task);
	struct connection *connection = job->connection;
	shipopt_pool *pool = job->pool;
	cancel_job_free(job);
	if (connection) {
		connection->cancel.job = NULL;
		pool->events->cancel_over(connection);
		pool->events->changed(pool);
	}
	pool_unref(pool);
}

static void *cancel_main(void *argument)
{
	struct cancel_job *job = argument;
	struct cancel_slots *slots = job->slots;
	bool is_mine = false;
	libpq_cancel_send(job->request, job->until_us);
	if (atomic_exchange(&job->state, JOB_RETURNED) == JOB_ABANDONED)
		cancel_job_free(job);
	else
		is_mine = !reactor_post_threaded(job->pool->reactor, &job->task);
	/* After the post, because the end of the pool keeps the event loop until the slot is given back. Before the
	 * last reference to the pool is dropped, because its end would wait for this very thread. */
	cancel_give_slot(slots);
	if (is_mine)
		cancel_done(&job->task); /* the runtime is closed and the connection gone */
	return NULL;
}

void connection_abandon_cancel(struct connection *connection)
{
	struct cancel_job *job = TAKE(connection->cancel.job);
	if (!job)
		return;
	shipopt_pool *pool = job->pool;
	job->connection = NULL;
	if (atomic_exchange(&job->state, JOB_ABANDONED) == JOB_RUNNING)
		pool_unref(pool);
}

/* ---- asking ---------------------------------------------------------------------------------------------------- */

static void cancel_start_grace(struct connection *connection)
{
	int64_t now = clock_now_us();
	if (!connection->cancel.deadline_us)
		connection->cancel.deadline_us = now + pool_setting(connection->pool, POOL_CANCEL_GRACE_MS) * 1000;
	timer_start(connection->pool->reactor, &connection->timer,
		MIN(connection->cancel.deadline_us, now + CANCEL_AGAIN_US));
}

/* Takes over the slot. */
static struct cancel_job *cancel_job_new(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	struct cancel_job *job = mem_alloc_zero(sizeof(*job));
	struct libpq_cancel *request = job ? libpq_cancel_new(connection->pg) : NULL;
	if (!request) {
		cancel_give_slot(pool->cancel_slots);
		mem_free(job);
		return NULL;
	}
	*job = (struct cancel_job){.task.run = cancel_done,
		.connection = connection,
		.pool = pool_ref(pool),
		.slots = pool->cancel_slots,
		.request = request,
		.until_us = connection->cancel.deadline_us};
	return job;
}

static bool cancel_job_start(struct cancel_job *job)
{
	pthread_t thread;
	shipopt_pool *pool = job->pool;
	if (thread_start(&thread, "shipopt-cancel", cancel_main, job) == 0) {
		pthread_detach(thread);
		return true;
	}
	cancel_give_slot(job->slots);
	cancel_job_free(job);
	pool_unref(pool);
	return false;
}

bool connection_cancel(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	if (connection->state == CONNECTION_LOST)
		return false;
	cancel_start_grace(connection);
	if (connection->cancel.job || !cancel_take_slot(pool->cancel_slots))
		return true;
	struct cancel_job *job = cancel_job_new(connection);
	connection->cancel.job = job;
	if (job && cancel_job_start(job)) {
		pool_count(pool, SHIPOPT_POOL_STAT_CANCELS, 1);
		return true;
	}
	connection->cancel.job = NULL;
	connection_lose(connection, "no cancel request could be sent");
	return false;
}

void connection_cancel_later(struct connection *connection)
{
	cancel_start_grace(connection);
}

void connection_timer_fire(struct timer *timer)
{
	struct connection *connection = CONTAINER_OF(timer, struct connection, timer);
	if (connection->state == CONNECTION_CHECKING || connection->state == CONNECTION_CLEANING)
		session_fire(connection);
	else if (clock_now_us() >= connection->cancel.deadline_us)
		connection_lose(connection, "the cancel was not answered within cancel_grace_ms");
	else if (connection->ended)
		cancel_start_grace(connection);
	else
		connection_cancel(connection);
}
