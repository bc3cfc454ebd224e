/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LOOKUP_H
#define CACHE_LOOKUP_H

#include "cache/entry/state.h"
#include "cache/reclaim/pin.h"

/*
 * A lookup: enters a read section, finds the entry, classifies it (which also counts it) and leaves the section. A
 * thread without a reader record holds the shard's lock instead.
 *
 *   lookup_begin, lookup_end    the read section, or the lock
 *   lookup_classify             the outcome for an entry that was found, or for none
 *   lookup_find                 finding and classifying, with a short cut for simple entries
 *   lookup_take                 a handle to the entry
 *
 * The functions are inline because a lookup in a large cache waits for memory: the fewer instructions it has, the
 * sooner the processor can begin the next one.
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

/* Returns the outcome and counts it. `entry` NULL: nothing was found. */
int lookup_classify(shipopt_cache *cache, const struct lookup *lookup, struct entry *entry);

static inline bool outcome_has_value(int outcome)
{
	return outcome == SHIPOPT_CACHE_FOUND || outcome == SHIPOPT_CACHE_STALE;
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

/* `candidate` is what table_find_first() or candidate_match() returned. Hits of simple entries are counted in *hits,
 * which the caller adds to the statistics; lookup_classify() counts everything else. */
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

#endif
