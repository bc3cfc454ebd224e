/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LISTENER_H
#define CACHE_LISTENER_H

#include "cache/cache.h"

/*
 * Telling the host what has left.
 *
 * Entries that left carry their cause in the mark and stand in a list of the operation that removed them. The listener is called
 * with no lock held, once for each; then the entry goes to its shard's limbo. A listener may call the cache: what that removes
 * is appended to the list of the outermost operation on this thread and told after the listener has returned, so a
 * listener that writes to a full cache does not recurse.
 */
void listener_tell(shipopt_cache *cache, struct list_node *removed);

#endif
