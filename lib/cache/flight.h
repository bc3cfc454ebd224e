/* SPDX-License-Identifier: MIT */
#ifndef CACHE_FLIGHT_H
#define CACHE_FLIGHT_H

#include "cache/cache.h"
#include "cache/pattern.h"

static inline void flight_detach(struct shard *shard, uint64_t hash, const void *key, size_t key_length) {}
static inline void flights_detach_matching(struct shard *shard, const struct pattern *pattern, uint64_t ticket) {}
static inline void flights_maintain(shipopt_cache *cache) {}
static inline void flights_close(shipopt_cache *cache, struct shard *shard) {}
#endif
