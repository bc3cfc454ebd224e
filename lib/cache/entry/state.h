/* SPDX-License-Identifier: MIT */
#ifndef CACHE_STATE_H
#define CACHE_STATE_H

#include "cache/cache.h"

/*
 * Whether an entry may be handed out now.
 *
 * An entry is LIVE or STALE (past its soft TTL, still handed out) until its time is over (EXPIRED) or until a clear,
 * its prefix or one of its tags was invalidated after it was written (INVALIDATED). The answer depends on the entry's
 * ticket and times alone, so it is the same in the index, in a reader's hands and during a load.
 */
enum entry_state { STATE_LIVE, STATE_STALE, STATE_EXPIRED, STATE_INVALIDATED };

/* The time by the cache's clock, in microseconds. */
int64_t cache_now_us(const shipopt_cache *cache);

/* The state of an entry with times that was not invalidated. */
enum entry_state entry_state_timed(const shipopt_cache *cache, const struct entry *entry);
bool entry_has_invalid_tag(const struct entry *entry);

static inline enum entry_state entry_state(const shipopt_cache *cache, const struct entry *entry)
{
	if (UNLIKELY(tags_is_invalid(&cache->tags, entry_stamp(entry), entry->stamp & 0xff)))
		return STATE_INVALIDATED;
	if (UNLIKELY(entry->flags & ENTRY_TAGGED) && entry_has_invalid_tag(entry))
		return STATE_INVALIDATED;
	return entry->flags & ENTRY_TIMED ? entry_state_timed(cache, entry) : STATE_LIVE;
}

static inline bool entry_is_usable(const shipopt_cache *cache, const struct entry *entry)
{
	return entry_state(cache, entry) <= STATE_STALE;
}

/* Why an entry really leaves: `cause`, unless it had expired or was invalidated before. */
int entry_cause(const shipopt_cache *cache, const struct entry *entry, int cause);

/* `ms` after `now_us`. Saturates at ENTRY_NEVER. */
static inline int64_t time_after_ms(int64_t now_us, int64_t ms)
{
	return ms > (INT64_MAX - MAX(now_us, 0)) / 1000 ? ENTRY_NEVER : now_us + ms * 1000;
}

/* When an entry that was read at `now_us` ends for want of another read. `access_us` 0: never. */
static inline int64_t time_idle_end(int64_t now_us, int64_t access_us)
{
	return access_us && now_us < ENTRY_NEVER - access_us ? now_us + access_us : ENTRY_NEVER;
}

#endif
