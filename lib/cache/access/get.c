/* SPDX-License-Identifier: MIT */
#include "cache/access/get.h"

#include <string.h>

#include "cache/entry/state.h"
#include "cache/reclaim/pin.h"

/*
 * Lookups.
 *
 * Every lookup enters a read section, finds the entry, classifies it (which also counts it) and leaves the section. A thread without a
 * reader record holds the shard's lock instead. Its state is a struct lookup:
 *
 *   lookup_begin, lookup_end    the read section, or the lock
 *   lookup_classify             the outcome for an entry that was found, or for none
 *   lookup_find                 finding and classifying, with a short cut for simple entries
 *
 * shipopt_cache_get() is written out for speed. A lookup in a large cache waits for memory: the fewer instructions it has, the
 * sooner the processor can begin the next one. Most hits are a simple entry in the first slot that matches, and they
 * take this way, without a call:
 *
 *   shipopt_cache_get()         finds the entry, pins it, and ends in get_hit()
 *   get_expiring()              the same for an entry with a TTL, which needs the clock
 *   get_slow()                  everything else
 */
struct lookup {
	struct reader *reader; /* NULL: the shard is locked */
	struct shard *shard;
};

static inline void lookup_begin(struct lookup *lookup, shipopt_cache *cache, uint64_t hash)
{
	lookup->reader = reader_enter();
	lookup->shard = cache_shard(cache, hash);
	if (UNLIKELY(!lookup->reader))
		shard_lock(lookup->shard);
}

static inline void lookup_end(const struct lookup *lookup)
{
	if (UNLIKELY(!lookup->reader))
		shard_unlock(lookup->shard);
	reader_exit(lookup->reader);
}

static inline void lookup_take(const struct lookup *lookup, struct entry *entry)
{
	if (LIKELY(lookup->reader != NULL))
		pin_take(lookup->reader, entry);
	else
		entry_ref(entry);
}

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

static NOINLINE int lookup_classify(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry)
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

/* A simple entry has a value, no tag and no prefix, was not cleared, and a hit only counts it. It may have expired. */
static inline bool lookup_is_simple(const shipopt_cache *cache, const struct entry *entry)
{
	const unsigned others = ENTRY_NOT_FOUND | ENTRY_TAGGED | ENTRY_PREFIXED | ENTRY_ORDERED;
	return LIKELY(!(entry->flags & others)) &&
		LIKELY(atomic_load_explicit(&cache->tags.cleared, memory_order_acquire) <= entry_stamp(entry));
}

/* Whether an entry with times is live by the thread's own clock, and a hit does not prolong it. */
static inline bool lookup_is_fresh(const shipopt_cache *cache, struct reader *reader, const struct entry *entry)
{
	const struct entry_timing *timing = entry_timing(entry);
	if (UNLIKELY(cache->clock != NULL) || UNLIKELY(!reader))
		return false;
	int64_t now = clock_near_us(&reader->clock);
	return now < atomic_load_explicit(&timing->expires_us, memory_order_relaxed) &&
		now < atomic_load_explicit(&timing->soft_us, memory_order_relaxed) &&
		atomic_load_explicit(&timing->access_us, memory_order_relaxed) == 0;
}

/* `candidate` is what table_find_first() or candidate_match() returned. Hits of simple entries are counted in *hits, which the caller
 * adds to the statistics; lookup_classify() counts everything else. */
static inline int lookup_find(shipopt_cache *cache, const struct lookup *lookup, struct entry *candidate, uint64_t hash,
	const void *key, size_t key_length, unsigned *hits, struct entry **ret_entry)
{
	struct entry *entry = candidate;
	if (UNLIKELY(!entry))
		entry = table_find(&lookup->shard->table, hash, key, key_length);
	*ret_entry = entry;
	if (UNLIKELY(!entry || !lookup_is_simple(cache, entry)) ||
		(entry->flags & ENTRY_TIMED && UNLIKELY(!lookup_is_fresh(cache, lookup->reader, entry))))
		return lookup_classify(cache, lookup, entry);
	policy_count_hit(entry);
	++*hits;
	return SHIPOPT_CACHE_FOUND;
}

/* ---- one key ----------------------------------------------------------------------------------------------- */

int get_entry(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry)
{
	struct lookup lookup;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find(&lookup.shard->table, hash, key, key_length);
	int outcome = lookup_classify(cache, &lookup, entry);
	if (outcome != SHIPOPT_CACHE_ABSENT) {
		entry_ref(entry);
		*ret_entry = entry;
	}
	lookup_end(&lookup);
	return outcome;
}

static int get_classified(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry,
	shipopt_value **ret_value)
{
	int outcome = lookup_classify(cache, lookup, entry);
	if (outcome_has_value(outcome)) {
		lookup_take(lookup, entry);
		*ret_value = entry_handle(entry);
	}
	lookup_end(lookup);
	pin_after_section(lookup->reader);
	return outcome;
}

/* `reader` is in its section, or NULL: then the section has not begun. `entry` NULL: not searched for yet. */
static NOINLINE int get_slow(shipopt_cache *cache, struct reader *reader, struct entry *entry, uint64_t hash,
	const void *key, size_t key_length, shipopt_value **ret_value)
{
	struct lookup lookup = {reader, cache_shard(cache, hash)};
	if (reader)
		reader_continue(reader);
	else
		lookup_begin(&lookup, cache, hash);
	if (!entry)
		entry = table_find(&lookup.shard->table, hash, key, key_length);
	return get_classified(cache, &lookup, entry, ret_value);
}

/* For an entry that is pinned: counts the hit and leaves the section. */
static inline int get_hit(shipopt_cache *cache, struct reader *reader, struct entry *entry, shipopt_value **ret_value)
{
	policy_count_hit(entry);
	stats_add(&cache->stats, reader, STAT_HITS, 1);
	*ret_value = entry_handle(entry);
	reader_end(reader);
	return SHIPOPT_CACHE_FOUND;
}

static NOINLINE int get_expiring(shipopt_cache *cache, struct reader *reader, struct shard *shard, struct entry *entry,
	shipopt_value **ret_value)
{
	if (LIKELY(lookup_is_fresh(cache, reader, entry)) && LIKELY(pin_try(reader, entry, 0)))
		return get_hit(cache, reader, entry, ret_value);
	struct lookup lookup = {reader, shard};
	reader_continue(reader);
	return get_classified(cache, &lookup, entry, ret_value);
}

int shipopt_cache_get(shipopt_cache *cache, const void *key, size_t key_length, shipopt_value **ret_value)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !ret_value))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct reader *reader = reader_quick;
	if (UNLIKELY(!reader) || UNLIKELY(!reader_begin(reader)))
		return get_slow(cache, NULL, NULL, hash, key, key_length, ret_value);
	struct shard *shard = cache_shard(cache, hash);
	struct entry *entry = table_find_first(&shard->table, hash, key, key_length);
	bool is_simple = LIKELY(entry != NULL) && lookup_is_simple(cache, entry);
	if (LIKELY(is_simple) && entry->flags & ENTRY_TIMED)
		return get_expiring(cache, reader, shard, entry, ret_value);
	if (UNLIKELY(!is_simple) || UNLIKELY(!pin_try(reader, entry, 0)))
		return get_slow(cache, reader, entry, hash, key, key_length, ret_value);
	return get_hit(cache, reader, entry, ret_value);
}

int shipopt_cache_borrow(shipopt_cache *cache, const void *key, size_t key_length, shipopt_cache_borrow_fn borrow,
	void *userdata)
{
	int r = cache_check(cache, key, key_length);
	if (UNLIKELY(r < 0 || !borrow))
		return r < 0 ? r : SHIPOPT_EINVAL;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct lookup lookup;
	unsigned hits = 0;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find_first(&lookup.shard->table, hash, key, key_length);
	int outcome = lookup_find(cache, &lookup, entry, hash, key, key_length, &hits, &entry);
	stats_add(&cache->stats, lookup.reader, STAT_HITS, hits);
	if (outcome_has_value(outcome))
		borrow(userdata, entry_value(entry), entry->value_length);
	lookup_end(&lookup);
	return outcome;
}

int shipopt_cache_get_copy(shipopt_cache *cache, const void *key, size_t key_length, void *buffer, size_t buffer_size,
	size_t *ret_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0 || !ret_length || (!buffer && buffer_size))
		return r < 0 ? r : SHIPOPT_EINVAL;
	shipopt_value *value;
	r = shipopt_cache_get(cache, key, key_length, &value);
	if (!outcome_has_value(r))
		return r;
	const struct entry *entry = value_entry(value);
	*ret_length = entry->value_length;
	if (entry->value_length > buffer_size)
		r = SHIPOPT_ETOOLARGE;
	else if (entry->value_length)
		memcpy(buffer, entry_value(entry), entry->value_length);
	shipopt_value_unref(value);
	return r;
}

int shipopt_cache_peek(shipopt_cache *cache, const void *key, size_t key_length)
{
	int r = cache_check(cache, key, key_length);
	if (r < 0)
		return r;
	uint64_t hash = table_hash(&cache->hashing, key, key_length);
	struct lookup lookup;
	lookup_begin(&lookup, cache, hash);
	struct entry *entry = table_find(&lookup.shard->table, hash, key, key_length);
	enum entry_state state = entry ? entry_state(cache, entry) : STATE_INVALIDATED;
	bool is_not_found = entry && entry->flags & ENTRY_NOT_FOUND;
	lookup_end(&lookup);
	if (state > STATE_STALE)
		return SHIPOPT_CACHE_ABSENT;
	return is_not_found            ? SHIPOPT_CACHE_NOT_FOUND
		: state == STATE_STALE ? SHIPOPT_CACHE_STALE
				       : SHIPOPT_CACHE_FOUND;
}

/* ---- many keys --------------------------------------------------------------------------------------------- */

/* A batch: each step starts the memory accesses of all keys before the next step needs the first of them. */
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
