/* SPDX-License-Identifier: MIT */
#include "cache/stats.h"

#include "cache/cache.h"

static const struct {
	int stat;
	unsigned counter;
} counters[] = {
	{SHIPOPT_CACHE_STAT_HITS, STAT_HITS},
	{SHIPOPT_CACHE_STAT_STALE_HITS, STAT_STALE},
	{SHIPOPT_CACHE_STAT_NOT_FOUND_HITS, STAT_NOT_FOUND},
	{SHIPOPT_CACHE_STAT_MISSES, STAT_MISSES},
	{SHIPOPT_CACHE_STAT_LOADS, STAT_LOADS},
	{SHIPOPT_CACHE_STAT_LOAD_FAILURES, STAT_LOAD_FAILURES},
	{SHIPOPT_CACHE_STAT_COALESCED, STAT_COALESCED},
	{SHIPOPT_CACHE_STAT_LOADS_DROPPED, STAT_DROPPED},
};

static int64_t stats_of_shard(struct shard *shard, int stat)
{
	if (stat == SHIPOPT_CACHE_STAT_LIMBO_BYTES)
		return (int64_t)shard->limbo.bytes;
	if (stat == SHIPOPT_CACHE_STAT_INDEX_BYTES)
		return (int64_t)(shard->table.bytes + ghost_bytes(&shard->queues.ghost));
	if (stat == SHIPOPT_CACHE_STAT_STORED)
		return (int64_t)shard->stored;
	if (stat < SHIPOPT_CACHE_STAT_EXPIRED_BYTES)
		return (int64_t)shard->left[stat - SHIPOPT_CACHE_STAT_EXPIRED + SHIPOPT_CACHE_CAUSE_EXPIRED];
	return (int64_t)shard->left_bytes[stat - SHIPOPT_CACHE_STAT_EXPIRED_BYTES + SHIPOPT_CACHE_CAUSE_EXPIRED];
}

static int64_t stats_sum_shards(shipopt_cache *cache, int stat)
{
	int64_t sum = 0;
	for (unsigned i = 0; i < cache->shard_count; i++) {
		shard_lock(&cache->shards[i]);
		sum += stats_of_shard(&cache->shards[i], stat);
		shard_unlock(&cache->shards[i]);
	}
	return sum;
}

static int64_t stats_count_tags(shipopt_cache *cache)
{
	pthread_mutex_lock(&cache->tags.lock);
	int64_t count = (int64_t)cache->tags.count;
	pthread_mutex_unlock(&cache->tags.lock);
	return count;
}

static bool stats_is_of_shards(int stat)
{
	return stat == SHIPOPT_CACHE_STAT_LIMBO_BYTES || stat == SHIPOPT_CACHE_STAT_INDEX_BYTES ||
		stat == SHIPOPT_CACHE_STAT_STORED ||
		(stat >= SHIPOPT_CACHE_STAT_EXPIRED && stat <= SHIPOPT_CACHE_STAT_INVALIDATED) ||
		(stat >= SHIPOPT_CACHE_STAT_EXPIRED_BYTES && stat <= SHIPOPT_CACHE_STAT_INVALIDATED_BYTES);
}

int shipopt_cache_stat(shipopt_cache *cache, int stat, int64_t *ret_value)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !ret_value)
		return r < 0 ? r : SHIPOPT_EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
		if (counters[i].stat == stat) {
			*ret_value = (int64_t)stats_sum(&cache->stats, counters[i].counter);
			return 0;
		}
	}
	if (stats_is_of_shards(stat))
		*ret_value = stats_sum_shards(cache, stat);
	else if (stat == SHIPOPT_CACHE_STAT_ENTRIES)
		*ret_value = (int64_t)atomic_load(&cache->entries);
	else if (stat == SHIPOPT_CACHE_STAT_BYTES)
		*ret_value = (int64_t)atomic_load(&cache->bytes);
	else if (stat == SHIPOPT_CACHE_STAT_HELD_BYTES)
		*ret_value = atomic_load(&cache->account->bytes);
	else if (stat == SHIPOPT_CACHE_STAT_SHARDS)
		*ret_value = cache->shard_count;
	else if (stat == SHIPOPT_CACHE_STAT_TAGS)
		*ret_value = stats_count_tags(cache);
	else if (stat == SHIPOPT_CACHE_STAT_REFUSED)
		*ret_value = (int64_t)atomic_load(&cache->stats.refused);
	else
		return SHIPOPT_EINVAL;
	return 0;
}
