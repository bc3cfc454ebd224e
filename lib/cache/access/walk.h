/* SPDX-License-Identifier: MIT */
#ifndef CACHE_WALK_H
#define CACHE_WALK_H

#include "cache/cache.h"

/*
 * Walking through a cache: a segment of the index at a time is copied under the lock, and the entries are then looked
 * at without it.
 *
 * The walk references each entry and the records of its tags, so that the entry's state can be asked for outside of
 * read sections. The references are dropped with walk_release(), with no lock held. A segment that splits during the
 * walk was copied whole or not at all, so an entry that stays in the cache is seen once.
 */

/* Copies the entries of the segment at *position, up to SEGMENT_SLOTS, moves *position on as table_walk() does, and
 * returns how many. */
size_t walk_segment(shipopt_cache *cache, struct shard *shard, uint64_t *position, struct entry **ret_entries);
/* For one entry; the shard must be locked. */
void walk_keep(shipopt_cache *cache, struct entry *entry);
void walk_release(shipopt_cache *cache, struct entry *entry);

#endif
