/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"

#include "base/memory.h"
#include "base/text.h"
#include "pool/command.h"
#include "pool/transaction_op.h"

/* ---- the end ------------------------------------------------------------------------------------------------- */

/* Leases may still be held when the runtime closes: their connections are lost to them. */
static void pool_release_reactor_parts(void *argument)
{
	shipopt_pool *pool = argument;
	if (pool->is_torn_down)
		return;
	pool_fail_waiters(pool, SHIPOPT_ESHUTDOWN, "the pool is closing");
	pthread_mutex_lock(&pool->lock);
	pool->is_stopped = true;
	pthread_mutex_unlock(&pool->lock);
	pool->is_torn_down = true;
	atomic_store(&pool->is_closing, true);
	timer_stop(&pool->backoff);
	timer_stop(&pool->upkeep);
	LIST_FOREACH(node, &pool->connections) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		if (connection->state == CONNECTION_CONNECTING)
			continue;
		/* Leases may end on several threads at once when the reactor is gone: the list is nobody's then. */
		list_remove(node);
		if (connection->state != CONNECTION_LOST)
			connection_close(connection);
	}
	listening_stop(&pool->listening);
}

static void pool_free_memory(shipopt_pool *pool)
{
	shipopt_runtime *runtime = pool->runtime;
	queue_unref(pool->delivery.queue);
	settings_done(&pool->settings);
	conninfo_done(&pool->conninfo);
	conninfo_done(&pool->listen_conninfo);
	cancel_slots_end(pool->cancel_slots);
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

/* On the reactor, which must not wait: a close may be inside pool_member_stop() and wait for this very thread, so the rest, which
 * waits for the close to leave there, goes to a worker. */
static void pool_destroy_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, destroy_task);
	pool_release_reactor_parts(pool);
	task->run = pool_free_task;
	runtime_submit_task(pool->runtime, task);
}

shipopt_pool *pool_ref(shipopt_pool *pool)
{
	reference_take(&pool->reference);
	return pool;
}

void pool_unref(shipopt_pool *pool)
{
	if (!pool || !reference_drop(&pool->reference))
		return;
	if (!reactor_post_threaded(pool->reactor, &pool->destroy_task))
		pool_destroy_task(&pool->destroy_task);
}

void pool_dial_init(shipopt_pool *pool, const struct conninfo *conninfo, struct dial *dial)
{
	*dial = (struct dial){.conninfo = conninfo,
		.is_closing = &pool->is_closing,
		.timeout_us = pool_setting(pool, POOL_CONNECT_TIMEOUT_MS) * 1000};
}

/* Connects under way hold references of their own, and nobody needs their outcome any more. */
void shipopt_pool_free(shipopt_pool *pool)
{
	if (pool && !runtime_is_forked(pool->runtime))
		pool_unref(pool);
}

/* What is delivered inline may release other leases, whose connections are closed then: they are held until all were seen. New
 * ones come at the end of the list. */
static void pool_cancel_connections(shipopt_pool *pool)
{
	size_t held = 0;
	LIST_FOREACH(node, &pool->connections) {
		LIST_MEMBER(node, struct connection, node)->holds++;
		held++;
	}
	struct list_node *first = list_first(&pool->connections), *node = first;
	for (size_t i = 0; i < held; i++, node = node->next)
		command_cancel_all(LIST_MEMBER(node, struct connection, node));
	node = first;
	for (size_t i = 0; i < held; i++) {
		struct connection *connection = LIST_MEMBER(node, struct connection, node);
		node = node->next;
		connection->holds--;
		connection_settle(connection);
	}
}

static void pool_cancel_task(struct task *task)
{
	shipopt_pool *pool = CONTAINER_OF(task, shipopt_pool, cancel_task);
	pool_fail_waiters(pool, SHIPOPT_ECANCELED, "the runtime is closing");
	pool_cancel_connections(pool);
	transaction_cancel_all(pool);
	pool_unref(pool);
}

static void pool_member_cancel(struct runtime_member *member)
{
	shipopt_pool *pool = CONTAINER_OF(member, shipopt_pool, member);
	pool_ref(pool);
	atomic_store(&pool->is_closing, true);
	reactor_post(pool->reactor, &pool->cancel_task);
}

static void pool_member_stop(struct runtime_member *member)
{
	shipopt_pool *pool = CONTAINER_OF(member, shipopt_pool, member);
	runtime_call(pool->reactor, pool_release_reactor_parts, pool);
}

/* ---- birth --------------------------------------------------------------------------------------------------- */

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
	if (!pool->is_torn_down) {
		pool_upkeep_start(pool);
		pool_balance(pool);
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
	listening_init(&pool->listening);
	random_init_system(&pool->random);
	pool->backoff.fire = pool_backoff_fire;
	pool->upkeep.fire = pool_upkeep_fire;
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
	pool->most = pool->max + (size_t)pool_setting(pool, POOL_OVERFLOW);
	pool->polls_acquire = pool_setting(pool, POOL_POLL_ACQUIRE) != 0;
	pool->pings_always = pool_setting(pool, POOL_PRE_PING) != 0;
	pool->ping_idle_us = pool_setting(pool, POOL_PING_IDLE_MS) * 1000;
	delivery_copy(&pool->delivery, &config->delivery, &config->settings, POOL_DELIVER_INLINE);
	pool->cancel_slots = cancel_slots_new();
	if (!pool->cancel_slots)
		return SHIPOPT_ENOMEM;
	pool->slow_query = config->slow_query;
	pool->slow_userdata = config->slow_userdata;
	pool->listening.conninfo = &pool->conninfo;
	r = conninfo_init(&pool->conninfo, "conninfo", settings_text(&pool->settings, POOL_CONNINFO), ret_error);
	const char *listen_conninfo = settings_text(&pool->settings, POOL_LISTEN_CONNINFO);
	if (r < 0 || text_is_empty(listen_conninfo))
		return r;
	pool->listening.conninfo = &pool->listen_conninfo;
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
		pool_start_task(&pool->start_task); /* a close on another thread was faster */
	return 0;
}

/* ---- statistics ---------------------------------------------------------------------------------------------- */

static int64_t pool_gauge(shipopt_pool *pool, int stat)
{
	int64_t value = pool->stats[stat];
	pthread_mutex_lock(&pool->lock);
	switch (stat) {
	case SHIPOPT_POOL_STAT_LEASED: value = (int64_t)pool->leased; break;
	case SHIPOPT_POOL_STAT_IDLE: value = (int64_t)pool->idle_count; break;
	case SHIPOPT_POOL_STAT_TOTAL: value = (int64_t)pool->total; break;
	case SHIPOPT_POOL_STAT_WAITING: value = (int64_t)pool->waiting; break;
	case SHIPOPT_POOL_STAT_MAX: value = (int64_t)pool->most; break;
	case SHIPOPT_POOL_STAT_CONNECTING: value = (int64_t)pool->connecting; break;
	default: break;
	}
	pthread_mutex_unlock(&pool->lock);
	return value;
}

int shipopt_pool_stat(shipopt_pool *pool, int stat, int64_t *ret_value)
{
	if (!pool || !ret_value || stat < SHIPOPT_POOL_STAT_ACQUIRES || stat > SHIPOPT_POOL_STAT_SLOW_DROPPED)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(pool->runtime))
		return SHIPOPT_EFORKED;
	*ret_value = pool_gauge(pool, stat);
	return 0;
}

int shipopt_pool_histogram(shipopt_pool *pool, int histogram, int bucket, int64_t *ret_count)
{
	bool is_wait = histogram == SHIPOPT_POOL_HISTOGRAM_WAIT;
	if (!pool || !ret_count || bucket < 0 || bucket >= POOL_BUCKETS ||
		(!is_wait && histogram != SHIPOPT_POOL_HISTOGRAM_CONNECT))
		return SHIPOPT_EINVAL;
	*ret_count = is_wait ? pool->wait_histogram[bucket] : pool->connect_histogram[bucket];
	return 0;
}
