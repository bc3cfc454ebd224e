/* SPDX-License-Identifier: MIT */
#include "pool/core/pool.h"

/* ---- references ---------------------------------------------------------------------------------------------- */

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
		pool->destroy_task.run(&pool->destroy_task);
}

/* ---- connecting ---------------------------------------------------------------------------------------------- */

void pool_dial_init(shipopt_pool *pool, const struct conninfo *conninfo, struct dial *dial)
{
	*dial = (struct dial){.conninfo = conninfo,
		.is_closing = &pool->state,
		.timeout_us = pool_setting(pool, POOL_CONNECT_TIMEOUT_MS) * 1000};
}

int64_t pool_backoff_us(shipopt_pool *pool, unsigned failures)
{
	uint64_t min = (uint64_t)pool_setting(pool, POOL_BACKOFF_MIN_MS) * 1000;
	uint64_t max = MAX((uint64_t)pool_setting(pool, POOL_BACKOFF_MAX_MS) * 1000, min);
	uint64_t top = MIN(min << MIN(failures, 20u), max);
	return (int64_t)(min + random_below(&pool->random, top - min + 1));
}

/* ---- statistics ---------------------------------------------------------------------------------------------- */

void histogram_add(atomic_int_fast64_t *buckets, int64_t us)
{
	int bucket = us <= 0 ? 0 : 64 - __builtin_clzll((unsigned long long)us);
	atomic_fetch_add_explicit(&buckets[MIN(bucket, POOL_BUCKETS - 1)], 1, memory_order_relaxed);
}

static int64_t pool_gauge(shipopt_pool *pool, int stat)
{
	int64_t value = pool->stats[stat];
	pthread_mutex_lock(&pool->lock);
	switch (stat) {
	case SHIPOPT_POOL_STAT_LEASED: value = (int64_t)pool->leased; break;
	case SHIPOPT_POOL_STAT_IDLE: value = (int64_t)pool->idle_count; break;
	case SHIPOPT_POOL_STAT_TOTAL: value = (int64_t)pool->total; break;
	case SHIPOPT_POOL_STAT_WAITING: value = (int64_t)pool->waiting; break;
	case SHIPOPT_POOL_STAT_MAX: value = (int64_t)pool->total_max; break;
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
