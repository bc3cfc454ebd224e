/* SPDX-License-Identifier: MIT */
#include "cache/shard/bounds.h"

#include "cache/shard/deferred.h"

#define TRIM_BATCH 16

void bounds_trim(shipopt_cache *cache, const struct entry *keep)
{
	/* A round in which no shard could evict ends the loop: other threads are evicting then. */
	bool by_bytes;
	for (unsigned idle = 0; bounds_are_exceeded(cache, &by_bytes) && idle < cache->shard_count;) {
		unsigned next = atomic_fetch_add_explicit(&cache->trim_next, 1, memory_order_relaxed);
		struct shard *shard = &cache->shards[next & (cache->shard_count - 1)];
		struct deferred deferred = DEFERRED_INIT(deferred);
		shard_lock(shard);
		size_t evicted = shard_evict(cache, shard, keep, TRIM_BATCH, &deferred);
		shard_reclaim(cache, shard, false, &deferred);
		shard_unlock(shard);
		deferred_run(cache, &deferred);
		idle = evicted ? 0 : idle + 1;
	}
}
