/* SPDX-License-Identifier: MIT */
#include "cache/maintain.h"

#include "cache/flight.h"

#define STEP_ENTRIES 256

static void maintain_reclaim(shipopt_cache *cache, struct shard *shard)
{
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	shard_reclaim(cache, shard, true, &aftermath);
	shard_unlock(shard);
	cache_settle(cache, &aftermath);
}

bool cache_tidy_step(shipopt_cache *cache, struct shard *shard)
{
	struct aftermath aftermath = AFTERMATH_INIT(aftermath);
	shard_lock(shard);
	bool more = shard_tidy(cache, shard, STEP_ENTRIES, &aftermath);
	shard_reclaim(cache, shard, true, &aftermath);
	shard_unlock(shard);
	cache_settle(cache, &aftermath);
	/* What the listener was told of has reached the limbo only now. */
	if (!more)
		maintain_reclaim(cache, shard);
	return more;
}

int shipopt_cache_maintain(shipopt_cache *cache)
{
	int r = cache_check(cache, "", 1);
	if (r < 0)
		return r;
	for (unsigned i = 0; i < cache->shard_count; i++)
		while (cache_tidy_step(cache, &cache->shards[i]))
			;
	flights_maintain(cache);
	return 0;
}
