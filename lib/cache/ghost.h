/* SPDX-License-Identifier: MIT */
#ifndef CACHE_GHOST_H
#define CACHE_GHOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The ghost queue of a shard: which keys left the small queue lately. It remembers hashes, not keys.
 *
 * A queue is not needed to know what the last `capacity` members are: a member carries the time it came, counted in members, and
 * is gone when `capacity` others came after it. Members are four bytes, 16 bits of the hash and 16 of time, in buckets of
 * eight chosen by other bits; a full bucket loses its oldest. Every addition also clears outdated members from one bucket, so
 * that 16 bits of time are never read a lap late. About five bytes a member; a false memory has odds of one in 8,000.
 *
 * Under the shard's lock. It allocates when it first remembers, and anew (forgetting) when the shard has outgrown it twofold.
 * Without memory it remembers nothing, which costs hit ratio only.
 */
struct ghost {
	uint32_t *members;
	size_t buckets;  /* a power of two */
	size_t capacity; /* members */
	uint64_t added;  /* since allocated */
	uint64_t unit;   /* additions in one tick of the 16 bit time */
	size_t sweep;
};

/* `capacity`: how many the shard wants remembered now. */
void ghost_add(struct ghost *ghost, uint64_t hash, size_t capacity);
/* True, and forgets it, if it is remembered. */
bool ghost_take(struct ghost *ghost, uint64_t hash, size_t capacity);
void ghost_done(struct ghost *ghost);
size_t ghost_bytes(const struct ghost *ghost);

#endif
