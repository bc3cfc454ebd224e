/* SPDX-License-Identifier: MIT */
#include "cache/flight/answer.h"

#include "cache/entry/state.h"
#include "cache/flight/wait.h"
#include "cache/maintenance/maintenance.h"
#include "cache/shard/bounds.h"
#include "cache/shard/deferred.h"
#include "cache/shard/write.h"

/* Wakes everybody who waits and drops the token's references. The answer is read without the lock: nothing changes it
 * any more. */
static void answer_finish(struct flight *flight, enum flight_state state)
{
	shipopt_cache *cache = flight->cache;
	struct list_node waiters;
	list_init(&waiters);
	pthread_mutex_lock(&flight->lock);
	flight->state = state;
	list_splice_back(&waiters, &flight->waiters);
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
	struct entry *entry = flight->result;
	int outcome = !entry                     ? flight->status
		: entry->flags & ENTRY_NOT_FOUND ? SHIPOPT_CACHE_NOT_FOUND
						 : SHIPOPT_CACHE_FOUND;
	for (struct list_node *node; (node = list_pop_front(&waiters));)
		flight_waiter_call(LIST_MEMBER(node, struct flight_waiter, node), outcome, entry, NULL, flight->error);
	flight_unref(flight);
	cache_unref(cache);
}

void flight_complete(struct flight *flight, struct entry *entry)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	struct deferred deferred = DEFERRED_INIT(deferred);
	entry_ref(entry);
	flight->result = entry;
	int r = 0;
	shard_lock(shard);
	if (!flight->is_dropped && entry_weight(entry) <= cache->weight_max)
		r = shard_store(cache, shard, flight->hash, entry, STORE_IF_OLDER, 0, &deferred);
	bool was_listed = flight_unlist(shard, flight);
	shard_unlock(shard);
	if (r != 1) {
		stats_add(&cache->stats, NULL, STAT_DROPPED, 1);
		write_discard(cache, entry, false);
	}
	deferred_run(cache, &deferred);
	bounds_trim(cache, entry);
	if (was_listed)
		flight_unref(flight);
	answer_finish(flight, FLIGHT_ANSWERED);
}

void flight_fail(struct flight *flight, int status, shipopt_error *error)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	stats_add(&cache->stats, NULL, STAT_LOAD_FAILURES, 1);
	flight->status = status;
	flight->error = error;
	flight->retry_us = time_after_ms(cache_now_us(cache), cache->error_backoff_ms);
	shard_lock(shard);
	bool backs_off = cache->error_backoff_ms > 0 && flight->listing == FLIGHT_JOINABLE;
	bool was_listed = !backs_off && flight_unlist(shard, flight);
	shard_unlock(shard);
	if (was_listed)
		flight_unref(flight);
	maintenance_notice(cache); /* it will end the back-off */
	answer_finish(flight, FLIGHT_FAILED);
}

void flight_abandon(struct flight *flight)
{
	shipopt_cache *cache = flight->cache;
	struct shard *shard = cache_shard(cache, flight->hash);
	flight_redraw(flight);
	shard_lock(shard);
	pthread_mutex_lock(&flight->lock);
	struct list_node *heir = list_pop_front(&flight->waiters);
	bool was_listed = !heir && flight->blocked == 0 && flight_unlist(shard, flight);
	if (!heir)
		flight->state = FLIGHT_ABANDONED;
	pthread_cond_broadcast(&flight->changed);
	pthread_mutex_unlock(&flight->lock);
	shard_unlock(shard);
	if (was_listed)
		flight_unref(flight);
	if (heir) {
		/* The heir takes the token with its references. */
		flight_waiter_call(LIST_MEMBER(heir, struct flight_waiter, node), SHIPOPT_CACHE_LEAD, NULL,
			&flight->load, NULL);
		return;
	}
	flight_unref(flight);
	cache_unref(cache);
}
