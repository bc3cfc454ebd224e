/* SPDX-License-Identifier: MIT */
#ifndef CACHE_GET_H
#define CACHE_GET_H

#include "cache/cache.h"

/* A counted look-up, as shipopt_cache_get(), whose arguments were checked: unless ABSENT *ret_entry is referenced. */
int cache_look(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry);

#endif
