/* SPDX-License-Identifier: MIT */
#ifndef CACHE_MAINTAIN_H
#define CACHE_MAINTAIN_H

#include "cache/cache.h"

/* One step of giving back what is dead in a shard, at most a few hundred entries. False when there was nothing more to find. No lock
 * held; tells the listener. */
bool cache_tidy_step(shipopt_cache *cache, struct shard *shard);

#endif
