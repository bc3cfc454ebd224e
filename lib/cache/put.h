/* SPDX-License-Identifier: MIT */
#ifndef CACHE_PUT_H
#define CACHE_PUT_H

#include "cache/options.h"

/*
 * Making and storing an entry, the two halves of every put and of every load.
 *
 * cache_make() checks the size, takes the tags' records and copies; `ticket` is that of the writing, 0 draws one. The entry
 * has one reference and holds those of its tags. With `any_size` it may be too large to be stored. cache_store() publishes it, evicts, tells the listener; when it does not return 1
 * the entry stays the caller's, to be given up with cache_unmake().
 */
int cache_make(shipopt_cache *cache, struct entry_content *content, const shipopt_cache_options *options,
	uint64_t ticket, bool any_size, struct entry **ret_entry);
int cache_store(shipopt_cache *cache, uint64_t hash, struct entry *entry, enum store_when when, uint64_t version);
/* Drops the tags and the caller's reference. With `keeps_value` an external value is not freed. */
void cache_unmake(shipopt_cache *cache, struct entry *entry, bool keeps_value);

#endif
