/* SPDX-License-Identifier: MIT */
#ifndef CACHE_REMOVAL_H
#define CACHE_REMOVAL_H

#include "cache/cache.h"
#include "runtime/notice.h"

/*
 * Reporting removals to the application.
 *
 * An operation collects the entries that it removed in a list, each with its cause in its mark. They are reported
 * without a lock, one after the other, and then go to their shard's limbo.
 *
 * A cache without a queue calls the removal callback on this thread. The callback may call the cache. What those calls
 * remove is appended to the list of the outermost operation on this thread and reported after the callback has
 * returned, so a callback that writes to a full cache does not recurse.
 *
 * A cache with a queue pushes a notice (runtime/notice.h) that holds a reference to the entry. No code of the
 * application runs here.
 */

/* Whether removals of values are reported at all. */
static inline bool removal_is_wanted(const shipopt_cache *cache)
{
	bool has_callback = cache->removed != NULL;
	return cache->queue ? notice_is_wanted(cache->queue, SHIPOPT_EVENT_REMOVAL, has_callback) : has_callback;
}

void removal_report(shipopt_cache *cache, struct list_node *removed);

#endif
