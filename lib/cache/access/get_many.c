/* SPDX-License-Identifier: MIT */
#include "cache/access/lookup.h"

/* Looking many keys up at once. A batch starts the memory accesses of all its keys in each step before the next step
 * needs the first. */
#define MANY_BATCH 16

struct prefetched_key {
	uint64_t hash;
	struct shard *shard;
	struct bucket *bucket;
	struct entry *candidate;
};

static void get_prefetch(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	struct prefetched_key *prefetched)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t hash = table_hash(&cache->hashing, keys[i], key_lengths[i]);
		struct shard *shard = cache_shard(cache, hash);
		prefetched[i] = (struct prefetched_key){hash, shard, table_bucket(&shard->table, hash), NULL};
		__builtin_prefetch(prefetched[i].bucket);
	}
	for (size_t i = 0; i < count; i++) {
		prefetched[i].candidate = bucket_candidate(prefetched[i].bucket, prefetched[i].hash);
		entry_prefetch_head(prefetched[i].candidate);
	}
}

/* For a thread without a reader record. */
static int get_one_by_one(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *outcomes, shipopt_value **values)
{
	int found = 0;
	for (size_t i = 0; i < count; i++) {
		values[i] = NULL;
		outcomes[i] = shipopt_cache_get(cache, keys[i], key_lengths[i], &values[i]);
		found += values[i] != NULL;
	}
	return found;
}

static int get_batch(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *outcomes, shipopt_value **values)
{
	struct prefetched_key prefetched[MANY_BATCH];
	struct lookup lookup = {.reader = reader_enter()};
	unsigned hits = 0;
	int found = 0;
	if (UNLIKELY(!lookup.reader))
		return get_one_by_one(cache, count, keys, key_lengths, outcomes, values);
	get_prefetch(cache, count, keys, key_lengths, prefetched);
	for (size_t i = 0; i < count; i++) {
		struct entry *entry = candidate_match(prefetched[i].candidate, keys[i], key_lengths[i]);
		lookup.shard = prefetched[i].shard;
		outcomes[i] =
			lookup_find(cache, &lookup, entry, prefetched[i].hash, keys[i], key_lengths[i], &hits, &entry);
		values[i] = outcome_has_value(outcomes[i]) ? entry_handle(entry) : NULL;
		if (values[i]) {
			lookup_take(&lookup, entry);
			found++;
		}
	}
	stats_add(&cache->stats, lookup.reader, STAT_HITS, hits);
	reader_exit(lookup.reader);
	pin_after_section(lookup.reader);
	return found;
}

int shipopt_cache_get_many(shipopt_cache *cache, size_t count, const void *const *keys, const size_t *key_lengths,
	int *ret_outcomes, shipopt_value **ret_values)
{
	if (!cache || !keys || !key_lengths || !ret_outcomes || !ret_values || count > INT32_MAX)
		return SHIPOPT_EINVAL;
	for (size_t i = 0; i < count; i++) {
		int r = cache_check(cache, keys[i], key_lengths[i]);
		if (r < 0)
			return r;
	}
	int found = 0;
	for (size_t i = 0; i < count; i += MANY_BATCH)
		found += get_batch(cache, MIN(count - i, MANY_BATCH), keys + i, key_lengths + i, ret_outcomes + i,
			ret_values + i);
	return found;
}
