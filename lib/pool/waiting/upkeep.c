/* SPDX-License-Identifier: MIT */
#include "pool/waiting/upkeep.h"

#include <stdio.h>

#include "base/clock.h"
#include "pool/waiting/wait_queue.h"

/* ---- lifetime and idle time
 * ---------------------------------------------------------------------------------------- */

/* Takes the connection that was idle longest, if it was idle for too long and is not needed. */
static struct connection *upkeep_idle_too_long(shipopt_pool *pool, int64_t now)
{
	int64_t max_us = pool_setting(pool, POOL_IDLE_TIMEOUT_MS) * 1000;
	struct connection *found = NULL;
	pthread_mutex_lock(&pool->lock);
	if (max_us && pool->total > pool->min && !list_is_empty(&pool->idle)) {
		found = LIST_MEMBER(pool->idle.previous, struct connection, idle_node);
		if (now - found->idle_since_us < max_us)
			found = NULL;
		else
			found->is_retiring = true;
	}
	if (found) { /* from here on no call can take it */
		list_remove(&found->idle_node);
		pool->idle_count--;
		pool->checking++;
		found->state = CONNECTION_CHECKING;
	}
	pthread_mutex_unlock(&pool->lock);
	return found;
}

static struct connection *upkeep_take_expired_idle(shipopt_pool *pool, int64_t now)
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

static bool upkeep_has_expired(shipopt_pool *pool, int64_t now)
{
	LIST_FOREACH(node, &pool->connections) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		if (connection->state != CONNECTION_CONNECTING && connection->state != CONNECTION_LOST &&
			connection->expires_us <= now)
			return true;
	}
	return false;
}

static void upkeep_age(shipopt_pool *pool, int64_t now)
{
	struct connection *old;
	while ((old = upkeep_idle_too_long(pool, now))) {
		pool_count(pool, SHIPOPT_POOL_STAT_IDLE_CLOSED, 1);
		connection_close(old);
	}
	if (pool->retire_due == 0 && pool->replacing == 0 && upkeep_has_expired(pool, now)) {
		pthread_mutex_lock(&pool->lock);
		bool has_room = pool->total < pool->total_max;
		pthread_mutex_unlock(&pool->lock);
		if (!has_room || connection_connect(pool, true) < 0)
			pool->retire_due = 1; /* close it without a replacement */
	}
	if (pool->retire_due > 0 && (old = upkeep_take_expired_idle(pool, now))) {
		pool->retire_due--;
		pool_count(pool, SHIPOPT_POOL_STAT_LIFETIME_CLOSED, 1);
		connection_close(old);
	}
	if (pool->retire_due > 0 && !upkeep_has_expired(pool, now))
		pool->retire_due = 0;
}

static void upkeep_report_leaks(shipopt_pool *pool, int64_t now)
{
	int64_t max_us = pool_setting(pool, POOL_LEAK_MS) * 1000;
	char name[LEASE_NAME_SIZE];
	for (bool found = max_us > 0; found;) {
		int64_t held_us = 0;
		found = false;
		pthread_mutex_lock(&pool->lock);
		LIST_FOREACH(node, &pool->leases) {
			shipopt_lease *lease = LIST_MEMBER(node, shipopt_lease, node);
			if (found || lease->is_reported || now - lease->acquired_us < max_us)
				continue;
			found = lease->is_reported = true;
			held_us = now - lease->acquired_us;
			snprintf(name, sizeof(name), "%s", lease->name);
		}
		pthread_mutex_unlock(&pool->lock);
		if (!found)
			return;
		pool_count(pool, SHIPOPT_POOL_STAT_LEAKS, 1);
		runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: a lease has been held for %lld ms: \"%s\"",
			(long long)(held_us / 1000), name[0] ? name : "(no name)");
	}
}

static int64_t upkeep_sooner(int64_t interval_us, int64_t setting_ms, int64_t divisor)
{
	return setting_ms > 0 ? MIN(interval_us, setting_ms * 1000 / divisor) : interval_us;
}

void upkeep_start(shipopt_pool *pool)
{
	int64_t us = INT64_C(30000000);
	us = upkeep_sooner(us, pool_setting(pool, POOL_IDLE_TIMEOUT_MS), 4);
	us = upkeep_sooner(us, pool_setting(pool, POOL_LIFETIME_MS), 20);
	us = upkeep_sooner(us, pool_setting(pool, POOL_LEAK_MS), 2);
	timer_start(pool->reactor, &pool->upkeep, clock_now_us() + MAX(us, 10000));
}

void upkeep_fire(struct timer *timer)
{
	shipopt_pool *pool = CONTAINER_OF(timer, shipopt_pool, upkeep);
	int64_t now = clock_now_us();
	upkeep_age(pool, now);
	upkeep_report_leaks(pool, now);
	wait_queue_balance(pool);
	upkeep_start(pool);
}
