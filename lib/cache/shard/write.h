/* SPDX-License-Identifier: MIT */
#ifndef CACHE_WRITE_H
#define CACHE_WRITE_H

#include "cache/options.h"

/*
 * Making and storing an entry: the two halves of every put and of every load.
 *
 * write_make() checks the size, takes the tags' records and copies the content. `ticket` is the ticket of the write; 0
 * draws a new one. The entry has one reference and holds those of its tags. With `any_size` it may be too large to be
 * stored. SHIPOPT_ETOOLARGE, SHIPOPT_EAGAIN (tags_max), SHIPOPT_ENOMEM.
 *
 * write_store() publishes the entry, evicts, and reports removals. It returns what shard_store() returns. Unless that
 * is 1 the entry stays the caller's, to be freed with write_discard().
 */
int write_make(shipopt_cache *cache, struct entry_content *content, const shipopt_cache_options *options,
	uint64_t ticket, bool any_size, struct entry **ret_entry);
int write_store(shipopt_cache *cache, uint64_t hash, struct entry *entry, enum store_when when, uint64_t version);
/* Drops the tags and the caller's reference. With `keeps_value` an external value is not freed. */
void write_discard(shipopt_cache *cache, struct entry *entry, bool keeps_value);

#endif
