/* SPDX-License-Identifier: MIT */
#ifndef CACHE_REMOVAL_H
#define CACHE_REMOVAL_H

#include "cache/cache.h"

/*
 * Reporting removals to the application.
 *
 * An operation collects the entries that it removed in a list, each with its cause in its mark. The removal callback is
 * called without a lock, once for each entry, and the entry then goes to its shard's limbo. The callback may call the cache.
 * What those calls remove is appended to the list of the outermost operation on this thread and reported after the callback has
 * returned, so a callback that writes to a full cache does not recurse.
 */
void removal_report(shipopt_cache *cache, struct list_node *removed);

#endif
