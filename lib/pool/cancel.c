/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "pool/command.h"

/*
 * Cancel requests.
 *
 * The request names a backend, not a query, so it must be over before the connection runs anything else: the command is
 * held as `ended` until the side thread says that the server has closed the request's connection, by when the backend has been
 * signalled. In a pipeline a cancel ends one group only, so the request is repeated every CANCEL_AGAIN_US until the
 * answers are complete. When that takes longer than the grace the connection is lost, and counted until the request has
 * returned.
 */
#define CANCEL_AGAIN_US 100000

static void cancel_done(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, cancel.task);
	shipopt_pool *pool = connection->pool;
	libpq_cancel_free(TAKE(connection->cancel.request));
	connection->cancel.is_running = false;
	if (connection->state == CONNECTION_LOST)
		connection_settle(connection);
	else if (connection->ended)
		command_finish(connection);
	pool_balance(pool);
	pool_unref(pool);
}

static void cancel_on_side(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, cancel.task);
	libpq_cancel_send(connection->cancel.request);
	task->run = cancel_done;
	reactor_post(connection->pool->reactor, task);
}

static void start_grace(struct connection *connection)
{
	int64_t now = clock_now_us();
	if (!connection->cancel.deadline_us)
		connection->cancel.deadline_us = now + pool_setting(connection->pool, POOL_CANCEL_GRACE_MS) * 1000;
	timer_start(connection->pool->reactor, &connection->timer, MIN(connection->cancel.deadline_us, now + CANCEL_AGAIN_US));
}

bool connection_cancel(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	if (connection->state == CONNECTION_LOST)
		return false;
	start_grace(connection);
	if (connection->cancel.is_running)
		return true;
	connection->cancel.request = libpq_cancel_new(connection->pg);
	connection->cancel.task.run = cancel_on_side;
	pool_ref(pool);
	if (connection->cancel.request) {
		connection->cancel.is_running = true;
		pool_count(pool, SHIPOPT_POOL_STAT_CANCELS, 1);
		if (runtime_submit_side(pool->runtime, &connection->cancel.task, true) == 0)
			return true;
		connection->cancel.is_running = false;
		libpq_cancel_free(TAKE(connection->cancel.request));
	}
	connection_lose(connection, "no cancel request could be sent");
	pool_unref(pool);
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
