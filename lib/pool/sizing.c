/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pool/lease.h"

/*
 * How many connections there are, and who gets them.
 *
 * Waiters are served in the order they came; a connection goes straight to the first of them. Connects are made for the need
 * there is, not by whoever waits: a waiter that leaves loses nothing, and one may be served by a connection that comes
 * back while another is being made. At most connects_max at once; after a failure none until a pause of full jitter
 * between backoff_min_ms and min(backoff_max_ms, backoff_min_ms × 2^failures) is over.
 *
 * Ageing: a connection beyond its lifetime is replaced, one at a time: first its successor is connected, if there is room, then
 * the old one goes the next time it is free.
 */

/* ---- waiters ------------------------------------------------------------------------------------------------- */

void histogram_add(atomic_int_fast64_t *buckets, int64_t us)
{
	int bucket = us <= 0 ? 0 : 64 - __builtin_clzll((unsigned long long)us);
	atomic_fetch_add_explicit(&buckets[MIN(bucket, POOL_BUCKETS - 1)], 1, memory_order_relaxed);
}

static void sizing_count_served(shipopt_pool *pool, const struct waiter *waiter, int64_t now)
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

bool pool_leave(shipopt_pool *pool, struct waiter *waiter)
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

static void sizing_deadline_fire(struct timer *timer)
{
	struct waiter *waiter = CONTAINER_OF(timer, struct waiter, deadline);
	shipopt_pool *pool = waiter->pool;
	shipopt_error *error = NULL;
	pthread_mutex_lock(&pool->lock);
	size_t total = pool->total, idle = pool->idle_count, leased = pool->leased, waiting = pool->waiting;
	pthread_mutex_unlock(&pool->lock);
	error_set(&error, SHIPOPT_ETIMEDOUT,
		"no connection within acquire_timeout_ms %lld: total %zu of %zu, idle %zu, leased %zu, connecting %zu, waiting %zu%s%s",
		(long long)pool_setting(pool, POOL_ACQUIRE_TIMEOUT_MS), total, pool->most, idle, leased,
		pool->connecting, waiting, pool->connect_error[0] ? "; the last connect failed: " : "",
		pool->connect_error);
	pool_leave(pool, waiter);
	pool_count(pool, SHIPOPT_POOL_STAT_CANCELED_ACQUIRES, 1);
	waiter->failed(waiter, SHIPOPT_ETIMEDOUT, error);
}

/* With the lock held. */
static bool sizing_owner_waits(const shipopt_pool *pool, uint64_t owner)
{
	LIST_FOREACH(node, &pool->waiters)
		if (LIST_MEMBER(node, struct waiter, node)->lease->owner == owner)
			return true;
	return false;
}

/* Everybody who holds a connection would wait for another one: nobody could ever give one back. */
static bool sizing_is_deadlock(shipopt_pool *pool, uint64_t owner)
{
	bool holds = false, all_wait = true;
	if (owner == 0)
		return false;
	pthread_mutex_lock(&pool->lock);
	bool is_full = pool->total >= pool->most && pool->idle_count == 0;
	LIST_FOREACH(node, &pool->leases) {
		uint64_t holder = LIST_MEMBER(node, shipopt_lease, node)->owner;
		holds = holds || holder == owner;
		all_wait = all_wait && holder != 0 && (holder == owner || sizing_owner_waits(pool, holder));
	}
	pthread_mutex_unlock(&pool->lock);
	return is_full && holds && all_wait;
}

void pool_wait(shipopt_pool *pool, struct waiter *waiter)
{
	int64_t now = clock_now_us();
	waiter->since_us = now;
	waiter->deadline.fire = sizing_deadline_fire;
	if (pool->is_torn_down) {
		waiter->failed(waiter, SHIPOPT_ESHUTDOWN, NULL);
		return;
	}
	if (sizing_is_deadlock(pool, waiter->lease->owner)) {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_EDEADLK,
			"owner %llu holds a connection and asks for another one; all %zu are held by owners who wait",
			(unsigned long long)waiter->lease->owner, pool->most);
		waiter->failed(waiter, SHIPOPT_EDEADLK, error);
		return;
	}
	list_push_back(&pool->waiters, &waiter->node);
	timer_start(pool->reactor, &waiter->deadline, now + pool_setting(pool, POOL_ACQUIRE_TIMEOUT_MS) * 1000);
	pthread_mutex_lock(&pool->lock);
	waiter->had_to_wait = pool->waiting >= pool->idle_count;
	pool->waiting++;
	pthread_mutex_unlock(&pool->lock);
	pool_balance(pool); /* may serve it, and end it, at once */
}

void pool_fail_waiters(shipopt_pool *pool, int status, const char *message)
{
	struct list_node *node;
	while ((node = list_first(&pool->waiters))) {
		struct waiter *waiter = LIST_MEMBER(node, struct waiter, node);
		shipopt_error *error = NULL;
		error_set(&error, status, "%s", message);
		pool_leave(pool, waiter);
		waiter->failed(waiter, status, error);
	}
}

/* ---- matching ------------------------------------------------------------------------------------------------ */

enum match { MATCH_NONE, MATCH_GRANTED, MATCH_CHECK, MATCH_CLOSE };

/* With the lock held. */
static enum match sizing_judge(shipopt_pool *pool, const struct connection *connection, int64_t now)
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

/* One idle connection for one waiter. */
static enum match sizing_match_one(shipopt_pool *pool)
{
	int64_t now = clock_now_us();
	enum match match = MATCH_NONE;
	struct connection *connection = NULL;
	struct waiter *waiter = NULL;
	pthread_mutex_lock(&pool->lock);
	struct list_node *node = list_first(&pool->idle);
	if (node && pool->waiting > pool->checking) {
		connection = LIST_MEMBER(node, struct connection, idle_node);
		match = sizing_judge(pool, connection, now);
	}
	if (match == MATCH_GRANTED) {
		waiter = LIST_MEMBER(list_pop_front(&pool->waiters), struct waiter, node);
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
		sizing_count_served(pool, waiter, now);
		runtime_log(pool->runtime, SHIPOPT_LOG_DEBUG, "pool: connection %d is out: \"%s\"",
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

static bool sizing_wants_connect(shipopt_pool *pool)
{
	if (pool->is_torn_down || timer_is_started(&pool->backoff) ||
		pool->connecting >= (size_t)pool_setting(pool, POOL_CONNECTS_MAX))
		return false;
	pthread_mutex_lock(&pool->lock);
	size_t coming = pool->checking + pool->connecting - pool->replacing;
	bool wants = (pool->waiting > coming + pool->idle_count && pool->total < pool->most) || pool->total < pool->min;
	pthread_mutex_unlock(&pool->lock);
	return wants;
}

static void sizing_grow(shipopt_pool *pool)
{
	while (sizing_wants_connect(pool))
		if (connection_connect(pool, false) < 0)
			pool_note_connect_failure(pool, "no memory or thread for a connect");
}

void pool_balance(shipopt_pool *pool)
{
	if (pool->is_torn_down)
		return;
	if (pool->is_balancing) {
		pool->balances_again = true;
		return;
	}
	pool->is_balancing = true;
	do {
		pool->balances_again = false;
		while (sizing_match_one(pool) != MATCH_NONE)
			;
		sizing_grow(pool);
	} while (pool->balances_again);
	pool->is_balancing = false;
}

int64_t pool_backoff_us(shipopt_pool *pool, unsigned failures)
{
	uint64_t least = (uint64_t)pool_setting(pool, POOL_BACKOFF_MIN_MS) * 1000;
	uint64_t most = MAX((uint64_t)pool_setting(pool, POOL_BACKOFF_MAX_MS) * 1000, least);
	uint64_t top = MIN(least << MIN(failures, 20u), most);
	return (int64_t)(least + random_below(&pool->random, top - least + 1));
}

void pool_note_connect_failure(shipopt_pool *pool, const char *message)
{
	if (pool->is_torn_down)
		return;
	int64_t pause_us = pool_backoff_us(pool, pool->connect_failures);
	pool->connect_failures++;
	snprintf(pool->connect_error, sizeof(pool->connect_error), "%s", message);
	pool_count(pool, SHIPOPT_POOL_STAT_CONNECT_FAILURES, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: connect failed (%u in a row): %s",
		pool->connect_failures, message);
	timer_start(pool->reactor, &pool->backoff, clock_now_us() + pause_us);
}

void pool_backoff_fire(struct timer *timer)
{
	pool_balance(CONTAINER_OF(timer, shipopt_pool, backoff));
}

/* ---- ageing and leaks ---------------------------------------------------------------------------------------- */

/* The connection idle longest, if it is there longer than it may be and not needed. */
static struct connection *sizing_idle_too_long(shipopt_pool *pool, int64_t now)
{
	int64_t most_us = pool_setting(pool, POOL_IDLE_TIMEOUT_MS) * 1000;
	struct connection *found = NULL;
	pthread_mutex_lock(&pool->lock);
	if (most_us && pool->total > pool->min && !list_is_empty(&pool->idle)) {
		found = LIST_MEMBER(pool->idle.previous, struct connection, idle_node);
		if (now - found->idle_since_us < most_us)
			found = NULL;
		else
			found->is_retiring = true;
	}
	if (found) { /* nobody else can take it from here on */
		list_remove(&found->idle_node);
		pool->idle_count--;
		pool->checking++;
		found->state = CONNECTION_CHECKING;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

static struct connection *sizing_take_expired_idle(shipopt_pool *pool, int64_t now)
{
	struct connection *found = NULL;
	pthread_mutex_lock(&pool->lock);
	LIST_FOREACH(node, &pool->idle) {
		struct connection *connection = LIST_MEMBER(node, struct connection, idle_node);
		if (connection->expires_us <= now)
			found = connection;
	}
	if (found) {
		list_remove(&found->idle_node);
		pool->idle_count--;
		pool->checking++;
		found->state = CONNECTION_CHECKING;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

static bool sizing_has_expired(shipopt_pool *pool, int64_t now)
{
	LIST_FOREACH(node, &pool->connections) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		if (connection->state != CONNECTION_CONNECTING && connection->state != CONNECTION_LOST &&
			connection->expires_us <= now)
			return true;
	}
	return false;
}

static void sizing_age(shipopt_pool *pool, int64_t now)
{
	struct connection *old;
	while ((old = sizing_idle_too_long(pool, now))) {
		pool_count(pool, SHIPOPT_POOL_STAT_IDLE_CLOSED, 1);
		connection_close(old);
	}
	if (pool->retire_due == 0 && pool->replacing == 0 && sizing_has_expired(pool, now)) {
		pthread_mutex_lock(&pool->lock);
		bool has_room = pool->total < pool->most;
		pthread_mutex_unlock(&pool->lock);
		if (!has_room || connection_connect(pool, true) < 0)
			pool->retire_due = 1; /* without a successor then */
	}
	if (pool->retire_due > 0 && (old = sizing_take_expired_idle(pool, now))) {
		pool->retire_due--;
		pool_count(pool, SHIPOPT_POOL_STAT_LIFETIME_CLOSED, 1);
		connection_close(old);
	}
	if (pool->retire_due > 0 && !sizing_has_expired(pool, now))
		pool->retire_due = 0;
}

static void sizing_report_leaks(shipopt_pool *pool, int64_t now)
{
	int64_t most_us = pool_setting(pool, POOL_LEAK_MS) * 1000;
	char name[LEASE_NAME_SIZE];
	for (bool found = most_us > 0; found;) {
		int64_t held_us = 0;
		found = false;
		pthread_mutex_lock(&pool->lock);
		LIST_FOREACH(node, &pool->leases) {
			shipopt_lease *lease = LIST_MEMBER(node, shipopt_lease, node);
			if (found || lease->is_reported || now - lease->acquired_us < most_us)
				continue;
			found = lease->is_reported = true;
			held_us = now - lease->acquired_us;
			snprintf(name, sizeof(name), "%s", lease->name);
		}
		pthread_mutex_unlock(&pool->lock);
		if (!found)
			return;
		pool_count(pool, SHIPOPT_POOL_STAT_LEAKS, 1);
		runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: a lease is held for %lld ms: \"%s\"",
			(long long)(held_us / 1000), name[0] ? name : "without a name");
	}
}

static int64_t sizing_sooner(int64_t interval_us, int64_t setting_ms, int64_t divisor)
{
	return setting_ms > 0 ? MIN(interval_us, setting_ms * 1000 / divisor) : interval_us;
}

void pool_upkeep_start(shipopt_pool *pool)
{
	int64_t us = INT64_C(30000000);
	us = sizing_sooner(us, pool_setting(pool, POOL_IDLE_TIMEOUT_MS), 4);
	us = sizing_sooner(us, pool_setting(pool, POOL_LIFETIME_MS), 20);
	us = sizing_sooner(us, pool_setting(pool, POOL_LEAK_MS), 2);
	timer_start(pool->reactor, &pool->upkeep, clock_now_us() + MAX(us, 10000));
}

void pool_upkeep_fire(struct timer *timer)
{
	shipopt_pool *pool = CONTAINER_OF(timer, shipopt_pool, upkeep);
	int64_t now = clock_now_us();
	sizing_age(pool, now);
	sizing_report_leaks(pool, now);
	pool_balance(pool);
	pool_upkeep_start(pool);
}
