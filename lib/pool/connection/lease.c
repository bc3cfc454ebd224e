/* SPDX-License-Identifier: MIT */
#include "pool/connection/lease.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

static _Thread_local uint64_t thread_owner;

static void lease_free(shipopt_lease *lease)
{
	shipopt_pool *pool = lease->pool;
	if (lease->connection)
		runtime_log(pool->runtime, SHIPOPT_LOG_DEBUG, "pool: a connection was released: \"%s\"", lease->name);
	shipopt_error_unref(lease->cause);
	mem_free(lease);
	pool_unref(pool);
}

/* Event loop. Takes the connection from the lease. */
static void lease_return_on_reactor(struct task *task)
{
	shipopt_lease *lease = CONTAINER_OF(task, shipopt_lease, return_task);
	shipopt_pool *pool = lease->pool;
	struct connection *connection = lease->connection;
	pthread_mutex_lock(&pool->lock);
	list_remove(&lease->node);
	connection->lease = NULL;
	bool is_lost = connection->state == CONNECTION_LOST;
	if (!is_lost)
		connection->state = CONNECTION_CLEANING;
	pthread_mutex_unlock(&pool->lock);
	if (pool_setting(pool, POOL_RESET) == 2)
		connection->is_dirty = true;
	if (is_lost)
		connection_settle(connection);
	else
		connection_return(connection);
	lease_free(lease);
}

/* With the lock held. Whether the connection can go on the idle list as it is. */
static bool lease_is_returnable(const shipopt_pool *pool, const struct connection *connection)
{
	return connection->state == CONNECTION_LEASED && atomic_load(&connection->is_clean) && pool->waiting == 0 &&
		pool->total <= pool->max && !pool_is_stopped(pool) && connection->generation == pool->generation;
}

static bool lease_return_here(shipopt_lease *lease)
{
	shipopt_pool *pool = lease->pool;
	struct connection *connection = lease->connection;
	int64_t now = clock_now_us();
	pthread_mutex_lock(&pool->lock);
	bool is_done = lease_is_returnable(pool, connection) && now < connection->expires_us;
	if (is_done) {
		list_remove(&lease->node);
		connection->lease = NULL;
		connection->state = CONNECTION_IDLE;
		connection->idle_since_us = now;
		list_push_front(&pool->idle, &connection->idle_node);
		pool->idle_count++;
		pool->leased--;
	}
	pthread_mutex_unlock(&pool->lock);
	return is_done;
}

void lease_copy_name(char copy[LEASE_NAME_SIZE], const char *name)
{
	size_t length = name ? strnlen(name, LEASE_NAME_SIZE - 1) : 0;
	memcpy(copy, name ? name : "", length);
	copy[length] = '\0';
}

uint64_t lease_set_thread_owner(uint64_t owner)
{
	uint64_t before = thread_owner;
	thread_owner = owner;
	return before;
}

int lease_new(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_lease **ret_lease)
{
	shipopt_lease *lease = mem_alloc_zero(sizeof(*lease));
	if (!lease)
		return SHIPOPT_ENOMEM;
	reference_init(&lease->reference);
	list_init(&lease->node);
	lease->pool = pool_ref(pool);
	lease->owner = owner ? owner : thread_owner;
	lease->return_task.run = lease_return_on_reactor;
	lease_copy_name(lease->name, name);
	*ret_lease = lease;
	return 0;
}

void lease_bind(shipopt_lease *lease, struct connection *connection, int64_t now_us)
{
	shipopt_pool *pool = lease->pool;
	list_remove(&connection->idle_node);
	pool->idle_count--;
	pool->leased++;
	connection->state = CONNECTION_LEASED;
	connection->lease = lease;
	lease->connection = connection;
	lease->acquired_us = now_us;
	list_push_back(&pool->leases, &lease->node);
	if (pool_setting(pool, POOL_RESET) == 2)
		atomic_store(&connection->is_clean, false);
}

shipopt_lease *lease_ref(shipopt_lease *lease)
{
	reference_take(&lease->reference);
	return lease;
}

void lease_unref(shipopt_lease *lease)
{
	if (!lease || !reference_drop(&lease->reference))
		return;
	shipopt_pool *pool = lease->pool;
	if (!lease->connection) {
		lease_free(lease);
	} else if (reactor_is_current(pool->reactor)) {
		lease_return_on_reactor(&lease->return_task);
	} else if (lease_return_here(lease)) {
		lease_free(lease);
	} else if (!reactor_post_threaded(pool->reactor, &lease->return_task)) {
		/* The runtime is closed, which has done the event loop's part. */
		lease_return_on_reactor(&lease->return_task);
	}
}

void shipopt_lease_release(shipopt_lease *lease)
{
	if (lease && !runtime_is_forked(lease->pool->runtime))
		lease_unref(lease);
}

int shipopt_lease_backend_pid(const shipopt_lease *lease)
{
	if (!lease || !lease->connection)
		return 0;
	pthread_mutex_lock(&lease->pool->lock);
	int pid = lease->connection->state == CONNECTION_LOST ? 0 : lease->connection->backend_pid;
	pthread_mutex_unlock(&lease->pool->lock);
	return pid;
}

/* ---- acquiring without a wait ------------------------------------------------------------------------------- */

/* With the lock held. An idle connection that needs no ping: the one used last, if any. */
static struct connection *lease_usable(shipopt_pool *pool, int64_t now_us)
{
	struct list_node *node = pool->waiting ? NULL : list_first(&pool->idle);
	if (!node || pool_is_stopped(pool))
		return NULL;
	struct connection *connection = LIST_MEMBER(node, struct connection, idle_node);
	bool needs_ping = pool->pings_always || now_us - connection->idle_since_us > pool->ping_idle_us ||
		connection->idle_since_us < pool->suspect_before_us || connection->generation != pool->generation;
	return needs_ping || (pool->polls_acquire && connection_is_readable(connection)) ? NULL : connection;
}

int shipopt_pool_try_acquire(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_lease **ret_lease)
{
	shipopt_lease *lease;
	if (!pool || !ret_lease)
		return SHIPOPT_EINVAL;
	int r = runtime_check(pool->runtime);
	r = r < 0 ? r : lease_new(pool, name, owner, &lease);
	if (r < 0)
		return r;
	int64_t now = clock_now_us();
	pthread_mutex_lock(&pool->lock);
	struct connection *connection = lease_usable(pool, now);
	if (connection)
		lease_bind(lease, connection, now);
	pthread_mutex_unlock(&pool->lock);
	if (!connection) {
		lease_free(lease);
		return SHIPOPT_EAGAIN;
	}
	pool_count(pool, SHIPOPT_POOL_STAT_ACQUIRES, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_DEBUG, "pool: connection %d is leased: \"%s\"", connection->backend_pid,
		lease->name);
	*ret_lease = lease;
	return 0;
}
