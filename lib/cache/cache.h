/* SPDX-License-Identifier: MIT */
#ifndef CACHE_CACHE_H
#define CACHE_CACHE_H

#include "base/reference.h"
#include "cache/keeper.h"
#include "cache/reader.h"
#include "cache/shard.h"
#include "cache/stats.h"
#include "cache/tag.h"
#include "runtime/fork.h"

/*
 * The handle.
 *
 * Keys are spread over shards by their hash. A shard (cache/shard.h) has a lock for writers, an index that is read without it
 * (cache/table.h, cache/reader.h), the queues of the policy (cache/policy.h), a wheel of times (cache/expiry.h) and the
 * loads in flight (cache/flight.h). The bounds are the cache's: two counters that all shards share, so that a cache
 * is full at exactly its bounds. Who passes them evicts from its own shard first, and from the others in turn if that
 * does not do.
 *
 * Life of an entry: made (entry_new), published in the index and a queue with the shard locked (shard_store), unlinked with the
 * shard locked for one of the causes (shard_unlink), told to the listener with no lock held, in the limbo until
 * no read section can see it, and then the cache's reference is dropped (cache_settle). Handles may keep it longer.
 *
 * References to the handle: the caller's, and one for each load, scope, memo, pattern operation and slice of the keeper's work.
 */
struct shipopt_cache {
	struct reference reference;
	void *block; /* of the allocation */
	const struct policy *policy;
	struct hashing hashing;
	struct shard *shards; /* aligned, inside shard_block */
	void *shard_block;
	unsigned shard_count; /* a power of two */
	unsigned generation;  /* of forks, when it was made */
	size_t entries_max, bytes_max, weight_max;
	bool counts_held;
	size_t limbo_bytes_max; /* of one shard */
	int64_t ttl_ms, soft_ttl_ms, access_ttl_ms, negative_ttl_ms, jitter_percent;
	int64_t error_backoff_ms, load_timeout_ms, loads_max;
	shipopt_cache_clock_fn clock; /* NULL: the system's */
	void *clock_userdata;
	int64_t born_us;
	shipopt_cache_removed_fn listener;
	void *listener_userdata;
	struct account *account;
	struct keeper *keeper; /* NULL without a runtime */
	struct tags tags;
	struct stats stats;
	_Alignas(CACHE_LINE_BYTES) _Atomic(size_t) entries;
	_Atomic(size_t) bytes;
	atomic_uint trim_next;
	_Atomic(int64_t) load_count;
};

/* SWEPT: a pattern matches that is being swept. */
enum state { STATE_LIVE, STATE_STALE, STATE_EXPIRED, STATE_DEAD, STATE_SWEPT };

/* Is the handle usable? 0 or SHIPOPT_EINVAL, SHIPOPT_EFORKED. */
static inline int cache_check(const shipopt_cache *cache, const void *key, size_t key_length)
{
	if (UNLIKELY(!cache || !key || key_length - 1 >= ENTRY_KEY_MAX))
		return SHIPOPT_EINVAL;
	return LIKELY(cache->generation == fork_generation()) ? 0 : SHIPOPT_EFORKED;
}

int64_t cache_now(const shipopt_cache *cache);
shipopt_cache *cache_ref(shipopt_cache *cache);
void cache_unref(shipopt_cache *cache);

static inline struct shard *cache_shard(shipopt_cache *cache, uint64_t hash)
{
	return &cache->shards[hash & (cache->shard_count - 1)];
}

/* What an entry is worth now. */
enum state entry_state_timed(const shipopt_cache *cache, const struct entry *entry);
bool entry_is_tag_dead(const struct entry *entry);

static inline bool entry_is_swept(const shipopt_cache *cache, const struct entry *entry)
{
	uint64_t stamp = entry_stamp(entry);
	return UNLIKELY(atomic_load_explicit(&cache->tags.last_pattern, memory_order_acquire) > stamp) &&
		sweeps_match(&cache->keeper->sweeps, entry_key(entry), entry->key_length, stamp);
}

static inline enum state entry_state(const shipopt_cache *cache, const struct entry *entry)
{
	if (UNLIKELY(tags_is_dead(&cache->tags, entry_stamp(entry), entry->stamp & 0xff)))
		return STATE_DEAD;
	if (UNLIKELY(entry->flags & ENTRY_TAGGED) && entry_is_tag_dead(entry))
		return STATE_DEAD;
	if (UNLIKELY(entry_is_swept(cache, entry)))
		return STATE_SWEPT;
	return entry->flags & ENTRY_TIMED ? entry_state_timed(cache, entry) : STATE_LIVE;
}

/* A reference to an entry and to its tags, which belong to the cache: as long as they are held its state can be asked for outside of
 * sections, too. Taken under the shard's lock; given back with no lock held. */
void cache_hold_entry(shipopt_cache *cache, struct entry *entry);
void cache_let_go(shipopt_cache *cache, struct entry *entry);
/* Those of a segment, as table_walk(). */
size_t cache_hold_segment(shipopt_cache *cache, struct shard *shard, uint64_t *position, struct entry **ret_entries);

/* Why an entry that is taken out really goes: `cause`, if it was alive. To be called once for each that goes. */
int entry_cause(shipopt_cache *cache, const struct entry *entry, int cause);

/* Saturating: ENTRY_NEVER for what lies beyond. */
static inline int64_t time_after_ms(int64_t now_us, int64_t ms)
{
	return ms > (INT64_MAX - MAX(now_us, 0)) / 1000 ? ENTRY_NEVER : now_us + ms * 1000;
}

/*
 * What an operation leaves to be done once its lock is free: entries whose removal the listener must hear of, and memory to
 * give back. Begin with AFTERMATH_INIT, end with cache_settle().
 */
struct aftermath {
	struct list_node removed;
	struct garbage garbage;
};
#define AFTERMATH_INIT(name)                                    \
	{                                                       \
		.removed = { &(name).removed, &(name).removed } \
	}
void cache_settle(shipopt_cache *cache, struct aftermath *aftermath);
/* With a runtime: time or readers will have to be looked after. cache_settle() says so itself. */
static inline void cache_changed(const shipopt_cache *cache)
{
	if (UNLIKELY(cache->keeper != NULL) && !atomic_load_explicit(&cache->keeper->is_awake, memory_order_seq_cst))
		keeper_wake(cache->keeper);
}
static inline bool cache_is_over(const shipopt_cache *cache, bool *ret_by_bytes)
{
	size_t bytes = atomic_load_explicit(&cache->bytes, memory_order_relaxed);
	if (UNLIKELY(cache->counts_held))
		bytes += (size_t)MAX(0, atomic_load_explicit(&cache->account->bytes, memory_order_relaxed));
	*ret_by_bytes = bytes > cache->bytes_max;
	return *ret_by_bytes || atomic_load_explicit(&cache->entries, memory_order_relaxed) > cache->entries_max;
}
/* Evicts, from all shards in turn and never `keep`, until the bounds hold. No lock held; `keep` is only compared. */
void cache_trim(shipopt_cache *cache, const struct entry *keep);

static inline struct entry *value_entry(const shipopt_value *value)
{
	return (struct entry *)(uintptr_t)value;
}

static inline shipopt_value *entry_handle(struct entry *entry)
{
	return (shipopt_value *)entry;
}

#endif
