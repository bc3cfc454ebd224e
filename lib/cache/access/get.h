/* SPDX-License-Identifier: MIT */
#ifndef CACHE_GET_H
#define CACHE_GET_H

#include "cache/cache.h"

/*
 * Looks a key up, as shipopt_cache_get() does, for callers that have checked their arguments. Unless the outcome is
 * ABSENT, *ret_entry is a counted reference.
 */
int get_entry(shipopt_cache *cache, uint64_t hash, const void *key, size_t key_length, struct entry **ret_entry);

#endif
