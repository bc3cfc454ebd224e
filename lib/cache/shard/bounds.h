/* SPDX-License-Identifier: MIT */
#ifndef CACHE_BOUNDS_H
#define CACHE_BOUNDS_H

#include "cache/cache.h"

/*
 * The bounds of a cache: entries_max and bytes_max, counted over all shards.
 *
 * A write reserves room in the two counters, then evicts from its own shard (shard_evict). If that shard has nothing
 * left to give, bounds_trim() evicts from the others in turn. With the setting count_held, bytes of removed entries
 * that readers still hold count as well.
 */
static inline bool bounds_are_exceeded(const shipopt_cache *cache, bool *ret_by_bytes)
{
	size_t bytes = atomic_load_explicit(&cache->bytes, memory_order_relaxed);
	if (UNLIKELY(cache->counts_held))
		bytes += (size_t)MAX(0, atomic_load_explicit(&cache->account->bytes, memory_order_relaxed));
	*ret_by_bytes = bytes > cache->bytes_max;
	return *ret_by_bytes || atomic_load_explicit(&cache->entries, memory_order_relaxed) > cache->entries_max;
}

/* Evicts from all shards in turn until the bounds hold, but never `keep` (which is only compared). No lock may be
 * held. */
void bounds_trim(shipopt_cache *cache, const struct entry *keep);

#endif
