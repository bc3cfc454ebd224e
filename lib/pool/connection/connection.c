/* SPDX-License-Identifier: MIT */
#include "pool/connection/connection.h"

#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "pool/server/libpq.h"

/* ---- texts --------------------------------------------------------------------------------------------------- */

void connection_error_text(struct connection *connection, char *text, size_t size)
{
	dial_error_text(&connection->dial, connection->pg, text, size);
}

/* ---- events -------------------------------------------------------------------------------------------------- */

bool connection_is_readable(const struct connection *connection)
{
	struct pollfd entry = {.fd = connection->fd, .events = POLLIN};
	return poll(&entry, 1, 0) != 0;
}

/* A lease may have run LISTEN. libpq would keep the notifications until the connection ends. */
static void connection_drop_notifications(struct connection *connection)
{
	PGnotify *notification;
	while ((notification = PQnotifies(connection->pg)))
		PQfreemem(notification);
}

/* No command runs: a notification, a changed parameter, or the end of the connection. */
static void connection_idle_readable(struct connection *connection)
{
	/* The server sends a message before it closes. libpq reports the end only when it reads the end itself. */
	if (!connection->is_broken && connection_is_readable(connection) && !PQconsumeInput(connection->pg))
		connection->is_broken = true;
	if (connection->is_broken || PQstatus(connection->pg) == CONNECTION_BAD)
		connection_lose(connection, "the server closed the connection");
}

static void connection_on_ready(struct watch *watch, unsigned events)
{
	struct connection *connection = CONTAINER_OF(watch, struct connection, watch);
	if ((events & (REACTOR_READ | REACTOR_ERROR)) && !PQconsumeInput(connection->pg))
		connection->is_broken = true;
	if (!connection->is_broken && (events & REACTOR_WRITE) && !connection_flush(connection))
		connection->is_broken = true;
	connection_drop_notifications(connection);
	/* Each of these may free the connection, so it is not used after them. */
	if (connection->command)
		connection->pool->events->ready(connection);
	else if (connection->state == CONNECTION_CHECKING || connection->state == CONNECTION_CLEANING)
		session_progress(connection);
	else
		connection_idle_readable(connection);
}

bool connection_flush(struct connection *connection)
{
	int r = PQflush(connection->pg);
	if (r < 0)
		return false;
	unsigned events = REACTOR_READ | (r ? REACTOR_WRITE : 0u);
	if (!watch_is_started(&connection->watch)) /* a stream that paused reading */
		return watch_start(connection->pool->reactor, &connection->watch, connection->fd, events) == 0;
	return watch_change(&connection->watch, events) == 0;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static int64_t connection_jittered_lifetime_us(shipopt_pool *pool)
{
	int64_t us = pool_setting(pool, POOL_LIFETIME_MS) * 1000;
	return us == 0 ? INT64_MAX / 2 : us - us / 10 + (int64_t)random_below(&pool->random, (uint64_t)(us / 5 + 1));
}

void connection_start(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	int64_t now = clock_now_us();
	connection->fd = libpq_duplicate_socket(connection->pg);
	connection->backend_pid = PQbackendPID(connection->pg);
	session_state_keep(connection);
	connection->watch.ready = connection_on_ready;
	connection->born_us = now;
	connection->expires_us = now + connection_jittered_lifetime_us(pool);
	if (connection->fd < 0 || PQsetnonblocking(connection->pg, 1) != 0 ||
		watch_start(pool->reactor, &connection->watch, connection->fd, REACTOR_READ) < 0) {
		connection_discard(connection);
		pool->events->connect_failed(pool,
			&(struct dial_failure){.status = SHIPOPT_ENETWORK, .message = "the socket cannot be watched"});
		return;
	}
	pthread_mutex_lock(&pool->lock);
	connection->state = CONNECTION_CLEANING;
	pool->leased++; /* like every connection that is being cleaned */
	pthread_mutex_unlock(&pool->lock);
	atomic_store(&connection->is_clean, true);
	connection_return(connection);
}

/* Finishes the PGconn and so closes the connection at the server. */
static void connection_finish(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	watch_stop(&connection->watch);
	if (connection->fd >= 0)
		close(connection->fd);
	connection->fd = -1;
	timer_stop(&connection->timer);
	connection_abandon_cancel(connection);
	pthread_mutex_lock(&pool->lock);
	if (connection->state == CONNECTION_IDLE) {
		list_remove(&connection->idle_node);
		pool->idle_count--;
	} else if (connection->state == CONNECTION_LEASED || connection->state == CONNECTION_CLEANING) {
		pool->leased--;
	}
	pool->checking -= connection->state == CONNECTION_CHECKING;
	connection->state = CONNECTION_LOST;
	atomic_store(&connection->is_clean, false);
	pthread_mutex_unlock(&pool->lock);
	PQfinish(TAKE(connection->pg));
}

void connection_settle(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	if (connection->state != CONNECTION_LOST || connection->pins)
		return;
	pthread_mutex_lock(&pool->lock);
	if (!connection->is_uncounted) {
		connection->is_uncounted = true;
		pool->total--;
	}
	bool is_held = connection->lease != NULL;
	pthread_mutex_unlock(&pool->lock);
	if (is_held)
		return;
	list_remove(&connection->node);
	prepared_cache_done(&connection->statements);
	mem_free(connection);
}

void connection_discard(struct connection *connection)
{
	connection_finish(connection);
	connection_settle(connection);
}

void connection_close(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	connection_discard(connection);
	pool->events->changed(pool);
}

void connection_lose(struct connection *connection, const char *reason)
{
	shipopt_pool *pool = connection->pool;
	char text[2 * POOL_MESSAGE_SIZE];
	if (connection->state == CONNECTION_LOST)
		return;
	dial_describe_loss(&connection->dial, connection->pg, reason, text, sizeof(text));
	pool_count(pool, SHIPOPT_POOL_STAT_LOST, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: connection lost: %s", text);
	pool_ref(pool);
	connection_finish(connection);
	pthread_mutex_lock(&pool->lock);
	pool->suspect_before_us = clock_now_us();
	pthread_mutex_unlock(&pool->lock);
	connection->pins++;
	pool->events->lost(connection, text);
	connection->pins--;
	connection_settle(connection);
	pool->events->changed(pool);
	pool_unref(pool);
}
