/* SPDX-License-Identifier: MIT */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/reference.h"
#include "cache/entry/tag.h"
#include "cache/shard/shard.h"
#include "cache/stats.h"
#include "runtime/fork.h"

/*
 * The cache handle, and the map of this folder.
 *
 * A key's hash selects a shard. A shard has a lock for writers, an index that readers search without the lock, the
 * eviction queues, a timer wheel for expiry and the loads in flight. The bounds belong to the cache: two counters that
 * all shards share. A writer that exceeds a bound evicts from its own shard first, then from the others in turn.
 *
 * The files, from the bottom to the top. A file uses only files above it in this list:
 *
 *   entry/        entry: key, value and times in one block; tag: tickets, tags and prefixes; wheel: finds expired
 *                 entries; state: whether an entry may be handed out; value: the public handle; pattern: matching keys
 *   reclaim/      reader: read sections; limbo: unlinked entries that a reader may still see; pin: handles without
 *                 atomics
 *   table/        table: the index of a shard
 *   policy/       policy: eviction queues, S3-FIFO, LRU; ghost: recently evicted keys
 *   options       TTLs and tags of one write or load
 *   maintenance/  maintenance: when a cache with a runtime works by itself
 *   shard/        shard: one part of the cache; removal: reports to the application; deferred: work after unlocking;
 *                 bounds: entries and bytes of the whole cache; write: making and storing an entry
 *   flight/       flight: one load of a key at a time; wait: those who wait for it; answer: how it ends
 *   access/       lookup: the steps of a lookup; get, get_many, put, touch, remove, visit; walk: a segment of entries
 *                 at a time
 *   load/         load, load_many: calling the application's loader; request: loads as events of a queue
 *   maintenance/  pass: what the maintenance does
 *   tools/        memo, scope, snapshot, warm
 *   cache         creating and destroying the handle
 *
 * The life of an entry: write_make() allocates it. shard_store() publishes it in the index and in a queue, under the
 * shard's lock. shard_unlink() takes it out for one of the causes, under the lock. deferred_run() reports it without a
 * lock. The entry then waits in the limbo until no read section can see it, and the cache drops its reference. Handles
 * may keep it longer.
 *
 * References to the handle: the caller's, and one for each load, scope, memo and slice of maintenance.
 */
struct shipopt_cache {
	struct reference reference; /* the members up to `generation` are one cache line, which every lookup reads */
	void *block;                /* the allocation */
	const struct policy *policy;
	struct hashing hashing;
	struct shard *shards; /* aligned, inside shard_block */
	void *shard_block;
	unsigned shard_count;                  /* a power of two */
	unsigned generation;                   /* fork_generation() at creation */
	void (*destroy)(shipopt_cache *cache); /* called when the last reference is dropped */
	size_t entries_max, bytes_max, weight_max;
	bool counts_held;
	size_t limbo_bytes_max; /* of one shard */
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, not_found_ttl_ms, jitter_percent;
	int64_t error_backoff_ms, load_timeout_ms, loads_max;
	shipopt_cache_clock_fn clock; /* NULL: the system's clock */
	void *clock_userdata;
	int64_t created_us;
	shipopt_cache_removed_fn removed; /* the removal callback, or NULL */
	void *removed_userdata;
	shipopt_queue *queue; /* a reference, or NULL: loads are requested there */
	struct held_account *account;
	struct maintenance *maintenance; /* NULL without a runtime */
	struct tags tags;
	struct stats stats;
	_Alignas(CACHE_LINE_BYTES) _Atomic(size_t) entries;
	_Atomic(size_t) bytes;
	atomic_uint trim_next;
	_Atomic(int64_t) load_count;
};

/* 0 if the handle and the key can be used; SHIPOPT_EINVAL, SHIPOPT_EFORKED. */
static inline int cache_check(const shipopt_cache *cache, const void *key, size_t key_length)
{
	if (UNLIKELY(!cache || !key || key_length - 1 >= ENTRY_KEY_MAX))
		return SHIPOPT_EINVAL;
	return LIKELY(cache->generation == fork_generation()) ? 0 : SHIPOPT_EFORKED;
}

/* The same for a call without a key. */
static inline int cache_check_handle(const shipopt_cache *cache)
{
	return cache_check(cache, "", 1);
}

static inline shipopt_cache *cache_ref(shipopt_cache *cache)
{
	reference_take(&cache->reference);
	return cache;
}

static inline void cache_unref(shipopt_cache *cache)
{
	if (reference_drop(&cache->reference))
		cache->destroy(cache);
}

static inline struct shard *cache_shard(shipopt_cache *cache, uint64_t hash)
{
	return &cache->shards[hash & (cache->shard_count - 1)];
}

static inline struct entry *value_entry(const shipopt_value *value)
{
	return (struct entry *)(uintptr_t)value;
}

static inline shipopt_value *entry_handle(struct entry *entry)
{
	return (shipopt_value *)entry;
}

#endif
