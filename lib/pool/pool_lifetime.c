/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/pool_config.h"

#include "base/memory.h"
#include "base/text.h"
#include "pool/command/command.h"
#include "pool/listen/listen_connection.h"
#include "pool/transaction/transaction_op.h"
#include "pool/waiting/upkeep.h"
#include "pool/waiting/wait_queue.h"

/* ---- the end ------------------------------------------------------------------------------------------------- */

/* The application may still hold leases when the runtime closes. They lose their connections. */
static void pool_release_reactor_parts(void *argument)
{
	shipopt_pool *pool = argument;
	if (pool_is_stopped(pool))
		return;
	wait_queue_fail_all(pool, SHIPOPT_ESHUTDOWN, "the pool is closing", NULL);
	pthread_mutex_lock(&pool->lock);
	atomic_store(&pool->state, POOL_STOPPED);
	pthread_mutex_unlock(&pool->lock);
	timer_stop(&pool->backoff);
	timer_stop(&pool->upkeep);
	LIST_FOREACH(node, &pool->connections) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		if (connection->state == CONNECTION_CONNECTING)
			continue;
		/* After the event loop has ended, leases may end on several threads at once, so the list must not be
		 * used any more. */
		list_remove(node);
		if (connection->state != CONNECTION_LOST)
			connection_close(connection);
	}
	listen_connection_stop(pool->listening);
}

static void pool_free_memory(shipopt_pool *pool)
{
	shipopt_runtime *runtime = pool->runtime;
	queue_unref(pool->delivery.queue);
	settings_done(&pool->settings);
	conninfo_done(&pool->conninfo);
	conninfo_done(&pool->listen_conninfo);
	cancel_slots_end(pool->cancel_slots);
	listen_connection_free(pool->listening);
	pthread_mutex_destroy(&pool->lock);
	mem_free(pool);
	runtime_unref(runtime);
}

static void pool_free_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, destroy_task);
	runtime_unregister(pool->runtime, &pool->member);
	pool_free_memory(pool);
}

/* On the event loop, which must not wait: a close may be inside of pool_member_stop() and wait for this very thread.
 * The rest waits for that close, so it runs on a worker. */
static void pool_destroy_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, destroy_task);
	pool_release_reactor_parts(pool);
	task->run = pool_free_task;
	runtime_submit_task(pool->runtime, task);
}

/* Running connects hold references too. Their outcome is not needed any more. */
void shipopt_pool_free(shipopt_pool *pool)
{
	if (pool && !runtime_is_forked(pool->runtime))
		pool_unref(pool);
}

/* A callback on the event loop may release other leases, whose connections are then closed. So all connections are
 * pinned until each was handled. New connections are added at the end of the list. */
static void pool_cancel_connections(shipopt_pool *pool)
{
	size_t held = 0;
	LIST_FOREACH(node, &pool->connections) {
		LIST_MEMBER(node, struct connection, node)->pins++;
		held++;
	}
	struct list_node *first = list_first(&pool->connections), *node = first;
	for (size_t i = 0; i < held; i++, node = node->next)
		command_cancel_all(LIST_MEMBER(node, struct connection, node));
	node = first;
	for (size_t i = 0; i < held; i++) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		node = node->next;
		connection->pins--;
		connection_settle(connection);
	}
}

static void pool_cancel_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, cancel_task);
	wait_queue_fail_all(pool, SHIPOPT_ECANCELED, "the runtime is closing", NULL);
	pool_cancel_connections(pool);
	transaction_cancel_all(pool);
	pool_unref(pool);
}

static void pool_member_cancel(struct runtime_member *member)
{
	shipopt_pool *pool = CONTAINER_OF(member, shipopt_pool, member);
	int open = POOL_OPEN;
	pool_ref(pool);
	atomic_compare_exchange_strong(&pool->state, &open, POOL_CLOSING);
	reactor_post(pool->reactor, &pool->cancel_task);
}

static void pool_member_stop(struct runtime_member *member)
{
	shipopt_pool *pool = CONTAINER_OF(member, shipopt_pool, member);
	runtime_call(pool->reactor, pool_release_reactor_parts, pool);
}

static const struct connection_events pool_connection_events = {.changed = wait_queue_balance,
	.connect_failed = wait_queue_connect_failed,
	.ready = command_ready,
	.lost = command_lose_all,
	.cancel_over = command_cancel_over};

/* ---- creation --------------------------------------------------------------------------------------------------- */

static int pool_check_config(const shipopt_pool_config *config, shipopt_error **ret_error)
{
	int64_t min = settings_number(&config->settings, POOL_MIN), max = settings_number(&config->settings, POOL_MAX);
	int r = delivery_check(&config->delivery, &config->settings, POOL_DELIVER_INLINE, ret_error);
	if (r < 0)
		return r;
	if (min > max)
		return error_set(ret_error, SHIPOPT_EINVAL, "pool setting min: %lld is above max, %lld", (long long)min,
			(long long)max);
	return 0;
}

static void pool_start_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, start_task);
	if (!pool_is_stopped(pool)) {
		upkeep_start(pool);
		wait_queue_balance(pool);
	}
	pool_unref(pool);
}

static void pool_init_members(shipopt_pool *pool)
{
	reference_init(&pool->reference);
	pthread_mutex_init(&pool->lock, NULL);
	list_init(&pool->idle);
	list_init(&pool->leases);
	list_init(&pool->waiters);
	list_init(&pool->connections);
	list_init(&pool->transactions);
	list_init(&pool->member.node);
	random_init_system(&pool->random);
	pool->events = &pool_connection_events;
	pool->backoff.fire = wait_queue_backoff_fire;
	pool->upkeep.fire = upkeep_fire;
	pool->cancel_task.run = pool_cancel_task;
	pool->destroy_task.run = pool_destroy_task;
	pool->start_task.run = pool_start_task;
	pool->member.cancel = pool_member_cancel;
	pool->member.stop = pool_member_stop;
}

static int pool_copy_config(shipopt_pool *pool, const shipopt_pool_config *config, shipopt_error **ret_error)
{
	int r = settings_copy(&pool->settings, &config->settings);
	if (r < 0)
		return r;
	pool->min = (size_t)pool_setting(pool, POOL_MIN);
	pool->max = (size_t)pool_setting(pool, POOL_MAX);
	pool->total_max = pool->max + (size_t)pool_setting(pool, POOL_OVERFLOW);
	pool->polls_acquire = pool_setting(pool, POOL_POLL_ACQUIRE) != 0;
	pool->pings_always = pool_setting(pool, POOL_PRE_PING) != 0;
	pool->ping_idle_us = pool_setting(pool, POOL_PING_IDLE_MS) * 1000;
	delivery_copy(&pool->delivery, &config->delivery, &config->settings, POOL_DELIVER_INLINE);
	pool->cancel_slots = cancel_slots_new();
	pool->listening = listen_connection_new(pool);
	if (!pool->cancel_slots || !pool->listening)
		return SHIPOPT_ENOMEM;
	pool->slow_query = config->slow_query;
	pool->slow_userdata = config->slow_userdata;
	r = conninfo_init(&pool->conninfo, "conninfo", settings_text(&pool->settings, POOL_CONNINFO), ret_error);
	const char *listen_conninfo = settings_text(&pool->settings, POOL_LISTEN_CONNINFO);
	if (r < 0 || text_is_empty(listen_conninfo))
		return r;
	return conninfo_init(&pool->listen_conninfo, "listen_conninfo", listen_conninfo, ret_error);
}

int shipopt_pool_new(shipopt_runtime *runtime, const shipopt_pool_config *config, shipopt_pool **ret_pool,
	shipopt_error **ret_error)
{
	if (!runtime || !config || !ret_pool)
		return error_set(ret_error, SHIPOPT_EINVAL, "pool: runtime, config and ret_pool must not be NULL");
	int r = runtime_check(runtime);
	r = r < 0 ? r : pool_check_config(config, ret_error);
	if (r < 0)
		return r;
	shipopt_pool *pool = mem_alloc_zero(sizeof(*pool));
	if (!pool)
		return SHIPOPT_ENOMEM;
	pool_init_members(pool);
	pool->runtime = runtime_ref(runtime);
	r = pool_copy_config(pool, config, ret_error);
	r = r < 0 ? r : runtime_reactor(runtime, &pool->reactor);
	r = r < 0 ? r : runtime_register(runtime, &pool->member);
	if (r < 0) {
		pool_free_memory(pool);
		return r;
	}
	pool_ref(pool);
	*ret_pool = pool;
	if (!reactor_post_threaded(pool->reactor, &pool->start_task))
		pool_start_task(&pool->start_task); /* another thread has closed the runtime */
	return 0;
}
