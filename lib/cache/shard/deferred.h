/* SPDX-License-Identifier: MIT */
#ifndef CACHE_DEFERRED_H
#define CACHE_DEFERRED_H

#include "cache/cache.h"

/*
 * Work that an operation leaves for after it has unlocked the shard: entries whose removal must be reported, and memory
 * to free. Both call functions of the application, which must not run under a lock.
 *
 *	struct deferred deferred = DEFERRED_INIT(deferred);
 *	shard_lock(shard);
 *	…
 *	shard_unlock(shard);
 *	deferred_run(cache, &deferred);
 */
struct deferred {
	struct list_node removed;
	struct garbage garbage;
};
#define DEFERRED_INIT(name)                                     \
	{                                                       \
		.removed = { &(name).removed, &(name).removed } \
	}

/* Reports the removals, frees the memory and wakes the maintenance. No lock may be held. */
void deferred_run(shipopt_cache *cache, struct deferred *deferred);
/* Frees entries and blocks that no reader can see. */
void deferred_free(shipopt_cache *cache, struct garbage *garbage);

#endif
