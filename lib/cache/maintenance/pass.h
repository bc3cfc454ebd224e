/* SPDX-License-Identifier: MIT */
#ifndef CACHE_PASS_H
#define CACHE_PASS_H

#include "cache/maintenance/maintenance.h"

/*
 * A pass of the maintenance: what shipopt_cache_maintain() does in one call, and a cache with a runtime does step by
 * step.
 *
 * A pass ends waits whose time limit is over and errors whose back-off is over. It then goes through the shards and
 * frees what has expired or was invalidated.
 */

/* One step on a worker. Returns false when there is nothing to do until the next tick. */
bool pass_step(struct maintenance *maintenance, shipopt_cache *cache);

#endif
