/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/waiting/wait_queue.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"

/* ---- waiters ------------------------------------------------------------------------------------------------- */

static void wait_queue_count_served(shipopt_pool *pool, const struct lease_waiter *waiter, int64_t now)
{
	int64_t us = now - waiter->since_us;
	pool_count(pool, SHIPOPT_POOL_STAT_ACQUIRES, 1);
	pool_count(pool, SHIPOPT_POOL_STAT_ACQUIRE_US, us);
	histogram_add(pool->wait_histogram, us);
	if (!waiter->had_to_wait)
		return;
	pool_count(pool, SHIPOPT_POOL_STAT_EMPTY_ACQUIRES, 1);
	pool_count(pool, SHIPOPT_POOL_STAT_EMPTY_ACQUIRE_US, us);
}

bool wait_queue_remove(shipopt_pool *pool, struct lease_waiter *waiter)
{
	if (!list_is_linked(&waiter->node))
		return false;
	list_remove(&waiter->node);
	timer_stop(&waiter->deadline);
	pthread_mutex_lock(&pool->lock);
	pool->waiting--;
	pthread_mutex_unlock(&pool->lock);
	return true;
}

static void wait_queue_deadline_fire(struct timer *timer)
{
	struct lease_waiter *waiter = CONTAINER_OF(timer, struct lease_waiter, deadline);
	shipopt_pool *pool = waiter->pool;
	shipopt_error *error = NULL;
	pthread_mutex_lock(&pool->lock);
	size_t total = pool->total, idle = pool->idle_count, leased = pool->leased, waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	error_set(&error, SHIPOPT_ETIMEDOUT,
		"no connection within acquire_timeout_ms %lld: total %zu of %zu, idle %zu, leased %zu, connecting %zu, waiting %zu%s%s",
		(long long)pool_setting(pool, POOL_ACQUIRE_TIMEOUT_MS), total, pool->total_max, idle, leased,
		pool->connecting, waiting, pool->connect_failure.message[0] ? "; the last connect failed: " : "",
		pool->connect_failure.message);
	wait_queue_remove(pool, waiter);
	pool_count(pool, SHIPOPT_POOL_STAT_CANCELED_ACQUIRES, 1);
	waiter->failed(waiter, SHIPOPT_ETIMEDOUT, error);
}

/* With the lock held. */
static bool wait_queue_owner_waits(const shipopt_pool *pool, uint64_t owner)
{
	LIST_FOREACH(node, &pool->waiters)
		if (LIST_MEMBER(node, struct lease_waiter, node)->lease->owner == owner)
			return true;
	return false;
}

/* True if every holder of a connection would wait for another one: no connection could ever come back. */
static bool wait_queue_is_deadlock(shipopt_pool *pool, uint64_t owner)
{
	bool holds = false, all_wait = true;
	if (owner == 0)
		return false;
	pthread_mutex_lock(&pool->lock);
	bool is_full = pool->total >= pool->total_max && pool->idle_count == 0;
	LIST_FOREACH(node, &pool->leases) {
		uint64_t holder = LIST_MEMBER(node, shipopt_lease, node)->owner;
		holds = holds || holder == owner;
		all_wait = all_wait && holder != 0 && (holder == owner || wait_queue_owner_waits(pool, holder));
	}
	pthread_mutex_unlock(&pool->lock);
	return is_full && holds && all_wait;
}

/* No connect can help before the pause is over, and there is no connection that may come back. */
static bool wait_queue_is_hopeless(shipopt_pool *pool)
{
	if (!dial_failure_is_permanent(&pool->connect_failure) || !timer_is_started(&pool->backoff))
		return false;
	pthread_mutex_lock(&pool->lock);
	bool is_alone = pool->total == pool->connecting;
	pthread_mutex_unlock(&pool->lock);
	return is_alone;
}

static shipopt_error *wait_queue_error(int status, const char *message, const char *sqlstate)
{
	return error_new_detail(&(struct error_detail){.code = status,
		.message = message,
		.sqlstate = text_is_empty(sqlstate) ? NULL : sqlstate,
		.domain = ERROR_DOMAIN,
		.retry_after_ms = -1});
}

static void wait_queue_fail(struct lease_waiter *waiter, int status, const char *message, const char *sqlstate)
{
	wait_queue_remove(waiter->pool, waiter);
	waiter->failed(waiter, status, wait_queue_error(status, message, sqlstate));
}

void wait_queue_add(shipopt_pool *pool, struct lease_waiter *waiter)
{
	int64_t now = clock_now_us();
	waiter->since_us = now;
	waiter->deadline.fire = wait_queue_deadline_fire;
	if (pool_is_stopped(pool)) {
		waiter->failed(waiter, SHIPOPT_ESHUTDOWN, NULL);
		return;
	}
	if (wait_queue_is_hopeless(pool)) {
		const struct dial_failure *failure = &pool->connect_failure;
		waiter->failed(waiter, failure->status,
			wait_queue_error(failure->status, failure->message, failure->sqlstate));
		return;
	}
	if (wait_queue_is_deadlock(pool, waiter->lease->owner)) {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_EDEADLK,
			"owner %llu holds a connection and asks for another one, and each of the %zu connections is held by an owner that waits",
			(unsigned long long)waiter->lease->owner, pool->total_max);
		waiter->failed(waiter, SHIPOPT_EDEADLK, error);
		return;
	}
	list_push_back(&pool->waiters, &waiter->node);
	timer_start(pool->reactor, &waiter->deadline, now + pool_setting(pool, POOL_ACQUIRE_TIMEOUT_MS) * 1000);
	pthread_mutex_lock(&pool->lock);
	waiter->had_to_wait = pool->waiting >= pool->idle_count;
	pool->waiting++;
	pthread_mutex_unlock(&pool->lock);
	wait_queue_balance(pool); /* may serve and end the waiter */
}

void wait_queue_fail_all(shipopt_pool *pool, int status, const char *message, const char *sqlstate)
{
	struct list_node *node;
	while ((node = list_first(&pool->waiters)))
		wait_queue_fail(LIST_MEMBER(node, struct lease_waiter, node), status, message, sqlstate);
}

/* ---- matching ------------------------------------------------------------------------------------------------ */

enum wait_match { MATCH_NONE, MATCH_GRANTED, MATCH_CHECK, MATCH_CLOSE };

/* With the lock held. */
static enum wait_match wait_queue_judge(shipopt_pool *pool, const struct connection *connection, int64_t now)
{
	if (connection->generation != pool->generation)
		return MATCH_CLOSE;
	bool is_fresh = connection->checked_us > 0 && now - connection->checked_us < 1000000 &&
		connection->checked_us >= connection->idle_since_us &&
		connection->checked_us >= pool->suspect_before_us;
	if (!is_fresh &&
		(pool->pings_always || now - connection->idle_since_us > pool->ping_idle_us ||
			connection->idle_since_us < pool->suspect_before_us))
		return MATCH_CHECK;
	return pool->polls_acquire && connection_is_readable(connection) ? MATCH_CHECK : MATCH_GRANTED;
}

/* Gives one idle connection to one waiter. */
static enum wait_match wait_queue_match_one(shipopt_pool *pool)
{
	int64_t now = clock_now_us();
	enum wait_match match = MATCH_NONE;
	struct connection *connection = NULL;
	struct lease_waiter *waiter = NULL;
	pthread_mutex_lock(&pool->lock);
	struct list_node *node = list_first(&pool->idle);
	if (node && pool->waiting > pool->checking) {
		connection = LIST_MEMBER(node, struct connection, idle_node);
		match = wait_queue_judge(pool, connection, now);
	}
	if (match == MATCH_GRANTED) {
		waiter = LIST_MEMBER(list_pop_front(&pool->waiters), struct lease_waiter, node);
		pool->waiting--;
		lease_bind(waiter->lease, connection, now);
	} else if (match == MATCH_CHECK) {
		list_remove(&connection->idle_node);
		pool->idle_count--;
		pool->checking++;
		connection->state = CONNECTION_CHECKING;
	}
	pthread_mutex_unlock(&pool->lock);
	if (match == MATCH_GRANTED) {
		timer_stop(&waiter->deadline);
		wait_queue_count_served(pool, waiter, now);
		runtime_log(pool->runtime, SHIPOPT_LOG_DEBUG, "pool: connection %d is leased: \"%s\"",
			connection->backend_pid, waiter->lease->name);
		waiter->granted(waiter);
	} else if (match == MATCH_CHECK) {
		connection_check(connection);
	} else if (match == MATCH_CLOSE) {
		connection_close(connection);
	}
	return match;
}

/* ---- growth -------------------------------------------------------------------------------------------------- */

static bool wait_queue_wants_connect(shipopt_pool *pool)
{
	if (pool_is_stopped(pool) || timer_is_started(&pool->backoff) ||
		pool->connecting >= (size_t)pool_setting(pool, POOL_CONNECTS_MAX))
		return false;
	pthread_mutex_lock(&pool->lock);
	size_t coming = pool->checking + pool->connecting - pool->replacing;
	bool wants =
		(pool->waiting > coming + pool->idle_count && pool->total < pool->total_max) || pool->total < pool->min;
	pthread_mutex_unlock(&pool->lock);
	return wants;
}

static void wait_queue_grow(shipopt_pool *pool)
{
	while (wait_queue_wants_connect(pool))
		if (connection_connect(pool, false) < 0)
			wait_queue_connect_failed(pool,
				&(struct dial_failure){.status = SHIPOPT_ENOMEM,
					.message = "no memory or thread for a connect"});
}

void wait_queue_balance(shipopt_pool *pool)
{
	if (pool_is_stopped(pool))
		return;
	if (pool->is_balancing) {
		pool->balances_again = true;
		return;
	}
	pool->is_balancing = true;
	do {
		pool->balances_again = false;
		while (wait_queue_match_one(pool) != MATCH_NONE)
			;
		wait_queue_grow(pool);
	} while (pool->balances_again);
	pool->is_balancing = false;
}

static void wait_queue_log_failure(shipopt_pool *pool, const struct dial_failure *failure)
{
	pool->connect_failures++;
	pool->connect_failure = *failure;
	pool_count(pool, SHIPOPT_POOL_STAT_CONNECT_FAILURES, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: connect failed (%u in a row): %s",
		pool->connect_failures, failure->message);
}

void wait_queue_connect_failed(shipopt_pool *pool, const struct dial_failure *failure)
{
	if (pool_is_stopped(pool))
		return;
	int64_t pause_us = pool_backoff_us(pool, pool->connect_failures);
	wait_queue_log_failure(pool, failure);
	timer_start(pool->reactor, &pool->backoff, clock_now_us() + pause_us);
	if (wait_queue_is_hopeless(pool))
		wait_queue_fail_all(pool, failure->status, failure->message, failure->sqlstate);
}

void wait_queue_backoff_fire(struct timer *timer)
{
	wait_queue_balance(CONTAINER_OF(timer, shipopt_pool, backoff));
}
