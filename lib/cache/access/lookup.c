/* SPDX-License-Identifier: MIT */
#include "cache/access/lookup.h"

/* Moves the end of an entry with an access TTL. Not at every hit: the cache line would move between processors. */
static void lookup_extend_access(const shipopt_cache *cache, struct entry *entry)
{
	struct entry_timing *timing = entry_timing(entry);
	int64_t access = atomic_load_explicit(&timing->access_us, memory_order_relaxed);
	if (access == 0)
		return;
	int64_t idle_end = time_idle_end(cache_now_us(cache), access);
	int64_t end = MIN(atomic_load_explicit(&timing->hard_us, memory_order_relaxed), idle_end);
	int64_t before = atomic_load_explicit(&timing->expires_us, memory_order_relaxed);
	if (end > before && end - before > access / 64)
		atomic_store_explicit(&timing->expires_us, end, memory_order_relaxed);
}

/* LRU keeps a strict order, which needs the lock. The entry may have left the cache before it was locked. */
static void lookup_move_up(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry)
{
	if (lookup->reader)
		shard_lock(lookup->shard);
	if (entry_place(entry))
		cache->policy->hit(&lookup->shard->queues, entry);
	if (lookup->reader)
		shard_unlock(lookup->shard);
}

int lookup_classify(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry)
{
	enum entry_state state = entry ? entry_state(cache, entry) : STATE_INVALIDATED;
	if (state > STATE_STALE) {
		stats_add(&cache->stats, lookup->reader, STAT_MISSES, 1);
		return SHIPOPT_CACHE_ABSENT;
	}
	policy_count_hit(entry);
	if (UNLIKELY(cache->policy->moves_on_hit))
		lookup_move_up(cache, lookup, entry);
	if (entry->flags & ENTRY_TIMED)
		lookup_extend_access(cache, entry);
	if (UNLIKELY(entry->flags & ENTRY_NOT_FOUND)) {
		stats_add(&cache->stats, lookup->reader, STAT_NOT_FOUND, 1);
		return SHIPOPT_CACHE_NOT_FOUND;
	}
	stats_add(&cache->stats, lookup->reader, STAT_HITS, 1);
	if (UNLIKELY(state == STATE_STALE)) {
		stats_add(&cache->stats, lookup->reader, STAT_STALE, 1);
		return SHIPOPT_CACHE_STALE;
	}
	return SHIPOPT_CACHE_FOUND;
}
