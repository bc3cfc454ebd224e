/* SPDX-License-Identifier: MIT */
#include "cache/entry/state.h"

#include "base/clock.h"

int64_t cache_now_us(const shipopt_cache *cache)
{
	return cache->clock ? cache->clock(cache->clock_userdata) : clock_coarse_us();
}

bool entry_has_invalid_tag(const struct entry *entry)
{
	const struct entry_tags *tags = entry_tags(entry);
	for (uint64_t i = 0; i < tags->count; i++)
		if (tag_is_after(tags->list[i], entry_stamp(entry)))
			return true;
	return false;
}

enum entry_state entry_state_timed(const shipopt_cache *cache, const struct entry *entry)
{
	const struct entry_timing *timing = entry_timing(entry);
	int64_t now = cache_now_us(cache);
	if (now >= atomic_load_explicit(&timing->expires_us, memory_order_relaxed))
		return STATE_EXPIRED;
	return now >= atomic_load_explicit(&timing->soft_us, memory_order_relaxed) ? STATE_STALE : STATE_LIVE;
}

int entry_cause(const shipopt_cache *cache, const struct entry *entry, int cause)
{
	switch (entry_state(cache, entry)) {
	case STATE_EXPIRED: return SHIPOPT_CACHE_CAUSE_EXPIRED;
	case STATE_INVALIDATED: return SHIPOPT_CACHE_CAUSE_INVALIDATED;
	default: return cause;
	}
}
