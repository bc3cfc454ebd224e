/* SPDX-License-Identifier: MIT */
#ifndef CACHE_STATS_H
#define CACHE_STATS_H

#include "cache/reclaim/reader.h"

/*
 * Counters of what readers do. A reader counts in its own cache line, found by the index of its record
 * (cache/reclaim/reader.h), with a plain store. Threads without a record, or with an index beyond STRIPES, share the
 * last line and add atomically. Reading a counter adds up the lines.
 */
enum {
	STAT_HITS,
	STAT_STALE,
	STAT_NOT_FOUND,
	STAT_MISSES,
	STAT_LOADS,
	STAT_LOAD_FAILURES,
	STAT_COALESCED,
	STAT_DROPPED,
	STAT_COUNT
};

#define STRIPES 64

struct stripe {
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) counters[STAT_COUNT];
};

struct stats {
	struct stripe stripes[STRIPES];
	_Atomic(uint64_t) refused;
};

static inline void stats_add(struct stats *stats, const struct reader *reader, unsigned stat, uint64_t count)
{
	if (LIKELY(reader && reader->index < STRIPES - 1)) {
		_Atomic(uint64_t) *counter = &stats->stripes[reader->index].counters[stat];
		atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + count,
			memory_order_relaxed);
	} else {
		atomic_fetch_add_explicit(&stats->stripes[STRIPES - 1].counters[stat], count, memory_order_relaxed);
	}
}

static inline uint64_t stats_sum(struct stats *stats, unsigned stat)
{
	uint64_t sum = 0;
	for (unsigned i = 0; i < STRIPES; i++)
		sum += atomic_load_explicit(&stats->stripes[i].counters[stat], memory_order_relaxed);
	return sum;
}

#endif
