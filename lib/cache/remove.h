/* SPDX-License-Identifier: MIT */
#ifndef CACHE_REMOVE_H
#define CACHE_REMOVE_H

#include "cache/cache.h"

/*
 * One step of removing what matches a pattern and is older than `ticket`: the entries of one segment of the shard, and, with
 * *position 0, its loads in flight. *position is 0 again when the shard is done. Returns how many live entries it removed. No lock held.
 */
uint64_t cache_remove_step(shipopt_cache *cache, struct shard *shard, const struct pattern *pattern, uint64_t ticket,
	uint64_t *position);

#endif
