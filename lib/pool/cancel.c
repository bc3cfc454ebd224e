/* SPDX-License-Identifier: MIT */
#include "pool/cancel.h"

#include "base/clock.h"
#include "base/memory.h"
#include "pool/command.h"
#include "runtime/thread.h"

#define CANCEL_AGAIN_US 100000

enum { JOB_RUNNING, JOB_RETURNED, JOB_ABANDONED };

struct cancel_slots *cancel_slots_new(void)
{
	struct cancel_slots *slots = mem_alloc_zero(sizeof(*slots));
	if (slots)
		reference_init(&slots->reference);
	return slots;
}

void cancel_slots_unref(struct cancel_slots *slots)
{
	if (slots && reference_drop(&slots->reference))
		mem_free(slots);
}

static bool take_slot(struct cancel_slots *slots)
{
	if (atomic_fetch_add(&slots->used, 1) < CANCELS_MAX)
		return true;
	atomic_fetch_sub(&slots->used, 1);
	return false;
}

static void job_free(struct cancel_job *job)
{
	libpq_cancel_free(job->request);
	cancel_slots_unref(job->slots);
	mem_free(job);
}

/* ---- the end of a request -------------------------------------------------------------------------------------- */

static void cancel_done(struct task *task)
{
	struct cancel_job *job = CONTAINER_OF(task, struct cancel_job, task);
	struct connection *connection = job->connection;
	shipopt_pool *pool = job->pool;
	job_free(job);
	if (connection) {
		connection->cancel.job = NULL;
		if (connection->ended)
			command_finish(connection);
		else if (connection->command && !watch_is_started(&connection->watch)) /* it reads again */
			connection->command->class->progress(connection->command);
		pool_balance(pool);
	}
	pool_unref(pool);
}

static void *cancel_main(void *argument)
{
	struct cancel_job *job = argument;
	libpq_cancel_send(job->request, job->until_us);
	atomic_fetch_sub(&job->slots->used, 1);
	if (atomic_exchange(&job->state, JOB_RETURNED) == JOB_ABANDONED)
		job_free(job);
	else if (!reactor_post_threaded(job->pool->reactor, &job->task))
		cancel_done(&job->task); /* the runtime is closed, the connection gone */
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

static void start_grace(struct connection *connection)
{
	int64_t now = clock_now_us();
	if (!connection->cancel.deadline_us)
		connection->cancel.deadline_us = now + pool_setting(connection->pool, POOL_CANCEL_GRACE_MS) * 1000;
	timer_start(connection->pool->reactor, &connection->timer, MIN(connection->cancel.deadline_us, now + CANCEL_AGAIN_US));
}

/* Consumes the slot. */
static struct cancel_job *job_new(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	struct cancel_job *job = mem_alloc_zero(sizeof(*job));
	struct libpq_cancel *request = job ? libpq_cancel_new(connection->pg) : NULL;
	if (!request) {
		atomic_fetch_sub(&pool->cancel_slots->used, 1);
		mem_free(job);
		return NULL;
	}
	*job = (struct cancel_job){.task.run = cancel_done, .connection = connection, .pool = pool_ref(pool),
		.slots = pool->cancel_slots, .request = request, .until_us = connection->cancel.deadline_us};
	reference_take(&job->slots->reference);
	return job;
}

static bool job_start(struct cancel_job *job)
{
	pthread_t thread;
	shipopt_pool *pool = job->pool;
	if (thread_start(&thread, "shipopt-cancel", cancel_main, job) == 0) {
		pthread_detach(thread);
		return true;
	}
	atomic_fetch_sub(&job->slots->used, 1);
	job_free(job);
	pool_unref(pool);
	return false;
}

bool connection_cancel(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	if (connection->state == CONNECTION_LOST)
		return false;
	start_grace(connection);
	if (connection->cancel.job || !take_slot(pool->cancel_slots))
		return true;
	struct cancel_job *job = job_new(connection);
	connection->cancel.job = job;
	if (job && job_start(job)) {
		pool_count(pool, SHIPOPT_POOL_STAT_CANCELS, 1);
		return true;
	}
	connection->cancel.job = NULL;
	connection_lose(connection, "no cancel request could be sent");
	return false;
}

void connection_timer_fire(struct timer *timer)
{
	struct connection *connection = CONTAINER_OF(timer, struct connection, timer);
	if (connection->state == CONNECTION_CHECKING || connection->state == CONNECTION_CLEANING)
		session_fire(connection);
	else if (clock_now_us() >= connection->cancel.deadline_us)
		connection_lose(connection, "the cancel was not answered within cancel_grace_ms");
	else if (connection->ended)
		start_grace(connection);
	else
		connection_cancel(connection);
}
