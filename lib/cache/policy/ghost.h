/* SPDX-License-Identifier: MIT */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ghost queue of a shard: which keys left the small queue recently. It remembers hashes, not keys.
 *
 * Knowing the last `capacity` members does not need a queue. A member carries the time when it came, counted in
 * members, and is gone when `capacity` others came after it. A member has four bytes: 16 bits of the hash and 16 bits
 * of time. Other bits of the hash choose one of the buckets of eight members; a full bucket loses its oldest. Every
 * addition also clears outdated members from one bucket, so that the 16 bits of time are never read a lap late. A
 * member costs about five bytes. The odds of a false memory are one in 8,000.
 *
 * The shard's lock protects it. It allocates when it first remembers, and again (forgetting everything) when the shard
 * has doubled. Without memory it remembers nothing, which only lowers the hit ratio.
 */
struct ghost {
	uint32_t *members;
	size_t buckets;  /* a power of two */
	size_t capacity; /* members */
	uint64_t added;  /* since allocated */
	uint64_t unit;   /* additions in one tick of the 16 bit time */
	size_t sweep;
};

/* `capacity`: how many members the shard wants remembered now. */
void ghost_add(struct ghost *ghost, uint64_t hash, size_t capacity);
/* Returns whether the hash is remembered, and forgets it. */
bool ghost_take(struct ghost *ghost, uint64_t hash, size_t capacity);
void ghost_done(struct ghost *ghost);
size_t ghost_bytes(const struct ghost *ghost);

#endif
