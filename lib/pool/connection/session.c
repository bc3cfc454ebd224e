/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/fault.h"
#include "pool/connection/connection.h"

/*
 * What the pool itself sends between two users of a connection: a ping (the empty query), ROLLBACK, or the reset of a
 * changed session. Each is one simple query with a deadline. If it fails, the connection is closed. The reset keeps
 * prepared statements, unless a user has prepared some too. session_state.c decides whether a reset is needed.
 */
#define SESSION_TIMEOUT_US INT64_C(5000000)

#define RESET                                                                                                    \
	"CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; SELECT pg_advisory_unlock_all(); " \
	"DISCARD TEMP; DISCARD SEQUENCES"

static void session_run(struct connection *connection, enum connection_state state, const char *sql)
{
	connection->state = state;
	timer_start(connection->pool->reactor, &connection->timer, clock_now_us() + SESSION_TIMEOUT_US);
	if (fault_point() || !PQsendQuery(connection->pg, sql) || !connection_flush(connection))
		connection_lose(connection, "a ping or reset could not be sent");
}

void session_fire(struct connection *connection)
{
	connection_lose(connection, "a ping or reset was not answered");
}

static void session_reset(struct connection *connection)
{
	bool deallocates = connection->has_foreign_statements;
	connection->is_dirty = connection->has_foreign_statements = false;
	pool_count(connection->pool, SHIPOPT_POOL_STAT_RESETS, 1);
	if (deallocates)
		prepared_cache_clear(&connection->statements);
	session_run(connection, CONNECTION_CLEANING, deallocates ? RESET "; DEALLOCATE ALL" : RESET);
}

static void session_make_idle(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	int64_t now = clock_now_us();
	pthread_mutex_lock(&pool->lock);
	if (connection->state == CONNECTION_CHECKING) {
		pool->checking--;
		connection->checked_us = now;
	} else {
		pool->leased--;
	}
	connection->state = CONNECTION_IDLE;
	connection->idle_since_us = now;
	list_push_front(&pool->idle, &connection->idle_node);
	pool->idle_count++;
	pthread_mutex_unlock(&pool->lock);
	pool->events->changed(pool);
}

void session_progress(struct connection *connection)
{
	PGresult *result;
	bool is_good = true;
	while (connection->is_broken || !PQisBusy(connection->pg)) {
		result = PQgetResult(connection->pg);
		if (!result) {
			timer_stop(&connection->timer);
			session_state_keep(connection);
			if (!is_good || connection->is_broken || PQstatus(connection->pg) == CONNECTION_BAD)
				connection_lose(connection, "a ping or reset failed");
			else if (connection->state == CONNECTION_CHECKING)
				session_make_idle(connection);
			else
				connection_return(connection);
			return;
		}
		ExecStatusType status = PQresultStatus(result);
		is_good = is_good && status != PGRES_FATAL_ERROR;
		PQclear(result);
		if (!is_good && PQstatus(connection->pg) == CONNECTION_BAD) {
			connection_lose(connection, "a ping or reset failed");
			return;
		}
	}
}

void connection_check(struct connection *connection)
{
	pool_count(connection->pool, SHIPOPT_POOL_STAT_PINGS, 1);
	session_run(connection, CONNECTION_CHECKING, "");
}

/* There are more connections than the pool keeps, and no call waits for one. */
static bool session_is_surplus(shipopt_pool *pool)
{
	pthread_mutex_lock(&pool->lock);
	bool surplus = pool->total > pool->max && pool->waiting == 0;
	pthread_mutex_unlock(&pool->lock);
	return surplus;
}

static bool session_is_outdated(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	pthread_mutex_lock(&pool->lock);
	bool outdated = connection->generation != pool->generation || pool_is_stopped(pool);
	pthread_mutex_unlock(&pool->lock);
	return outdated || connection->is_retiring;
}

void connection_return(struct connection *connection)
{
	shipopt_pool *pool = connection->pool;
	PGTransactionStatusType status = PQtransactionStatus(connection->pg);
	if (session_is_outdated(connection) || status == PQTRANS_ACTIVE || status == PQTRANS_UNKNOWN) {
		connection_close(connection);
	} else if (status != PQTRANS_IDLE) {
		session_run(connection, CONNECTION_CLEANING, "ROLLBACK");
	} else if (connection->is_dirty && pool_setting(pool, POOL_RESET) > 0) {
		session_reset(connection);
	} else if (session_is_surplus(pool)) {
		connection_close(connection);
	} else if (pool->retire_due > 0 && connection->expires_us <= clock_now_us()) {
		pool->retire_due--;
		pool_count(pool, SHIPOPT_POOL_STAT_LIFETIME_CLOSED, 1);
		connection_close(connection);
	} else {
		atomic_store(&connection->is_clean, true);
		session_make_idle(connection);
	}
}
