/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "pool/connection/connection.h"

/* Making a connection: on a side thread, then into the pool. */

static void connect_connected_on_reactor(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, connect_task);
	shipopt_pool *pool = connection->pool;
	pthread_mutex_lock(&pool->lock);
	pool->connecting--;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing -= connection->is_replacement;
	connection->pg = TAKE(connection->dial.pg);
	if (connection->pg && !pool_is_stopped(pool)) {
		histogram_add(pool->connect_histogram, connection->dial.us);
		pool_count(pool, SHIPOPT_POOL_STAT_CONNECTS, 1);
		pool->connect_failures = 0;
		pool->connect_failure = (struct dial_failure){.status = 0};
		pool->retire_due += connection->is_replacement;
		connection_start(connection);
	} else {
		struct dial_failure failure = connection->dial.failure;
		connection_discard(connection);
		pool->events->connect_failed(pool, &failure);
	}
	pool_unref(pool);
}

static void connect_on_side(struct task *task)
{
	struct connection *connection = CONTAINER_OF(task, struct connection, connect_task);
	dial_run(&connection->dial);
	task->run = connect_connected_on_reactor;
	reactor_post(connection->pool->reactor, task);
}

int connection_connect(shipopt_pool *pool, bool is_replacement)
{
	struct connection *connection = mem_alloc_zero(sizeof(*connection));
	if (!connection)
		return SHIPOPT_ENOMEM;
	connection->pool = pool_ref(pool);
	connection->state = CONNECTION_CONNECTING;
	pool_dial_init(pool, &pool->conninfo, &connection->dial);
	connection->is_replacement = is_replacement;
	connection->fd = -1;
	list_init(&connection->idle_node);
	list_init(&connection->commands);
	prepared_cache_init(&connection->statements, (size_t)pool_setting(pool, POOL_STATEMENTS_MAX));
	connection->connect_task.run = connect_on_side;
	connection->timer.fire = connection_timer_fire;
	list_push_back(&pool->connections, &connection->node);
	pthread_mutex_lock(&pool->lock);
	pool->total++;
	pool->connecting++;
	connection->generation = pool->generation;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing += is_replacement;
	int r = runtime_submit_side(pool->runtime, &connection->connect_task, true);
	if (r == 0)
		return 0;
	pthread_mutex_lock(&pool->lock);
	pool->connecting--;
	pthread_mutex_unlock(&pool->lock);
	pool->replacing -= is_replacement;
	connection_close(connection);
	pool_unref(pool);
	return r;
}
