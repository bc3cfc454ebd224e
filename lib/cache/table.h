/* SPDX-License-Identifier: MIT */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include "cache/entry.h"
#include "cache/limbo.h"

/*
 * The index of a shard: from key to entry, read without a lock.
 *
 * Open addressing in buckets of one cache line: seven pointers, a mark byte for each (eight bits of the hash, zero for
 * empty) and a count of entries that had to go to a later bucket, so that a look-up knows when to stop. A hit touches
 * the bucket and the entry.
 *
 * 64 buckets make a segment; a directory indexed by the top bits of the hash names the segment (extendible hashing:
 * Fagin, Nievergelt, Pippenger, Strong, "Extendible hashing", 1979). A full segment is copied into two new ones, which are
 * then published, so growing costs one segment at a time (some ten microseconds) whatever the size of the table, and
 * readers of the old copy see a state that was true when they began. The old segment goes to the limbo.
 *
 * Writers hold the shard's lock. Inside a segment an entry never moves; a mark is set after its pointer and cleared before it.
 * If splitting is of no use, because hashes agree, or memory is out, inserting says SHIPOPT_EAGAIN or SHIPOPT_ENOMEM.
 */
#define BUCKET_SLOTS 7
#define SEGMENT_BUCKETS 64
#define SEGMENT_SLOTS (BUCKET_SLOTS * SEGMENT_BUCKETS)

struct bucket {
	_Atomic(uint64_t) marks; /* the top byte counts the entries that went on */
	_Atomic(struct entry *) slots[BUCKET_SLOTS];
};

struct segment {
	struct bucket buckets[SEGMENT_BUCKETS]; /* on a cache line boundary */
	struct retired retired;
	unsigned depth;
	unsigned count;
};

/*
 * Where segments come from: slabs that double in size up to SLAB_SEGMENTS_MAX. Single allocations would be scattered between the
 * entries, and each look-up would pay for the address translation of one more far page.
 */
struct slab;
struct pool {
	struct slab *slabs;
	struct retired *free; /* segments that are given back */
	char *next;           /* the rest of the newest slab */
	size_t left, total;   /* segments */
};

struct directory {
	struct retired retired;
	unsigned depth;
	_Atomic(struct segment *) segments[];
};

/* How keys are hashed; a mask other than all ones forces collisions, for tests. */
struct hashing {
	uint64_t seed, mask;
};

struct table {
	_Atomic(struct directory *) directory;
	const struct hashing *hashing;
	struct pool pool;
	size_t count;
	size_t bytes; /* in use, those in the limbo included not */
};

/* Where an entry stands. */
struct place {
	struct segment *segment;
	unsigned bucket, slot;
};

uint64_t table_hash(const struct hashing *hashing, const void *key, size_t key_length);
int table_init(struct table *table, const struct hashing *hashing);
/* Frees the index, not the entries; nobody reads any more. */
void table_done(struct table *table);

/* In a read section or under the lock. */
struct entry *table_find(struct table *table, uint64_t hash, const void *key, size_t key_length);
/* The two halves of a look-up ahead: the bucket's line, then what is in it. */
void table_prefetch_bucket(struct table *table, uint64_t hash);
void table_prefetch_entry(struct table *table, uint64_t hash);

/* Under the lock. */
struct entry *table_locate(struct table *table, uint64_t hash, const void *key, size_t key_length, struct place *ret_place);
bool table_locate_entry(struct table *table, uint64_t hash, const struct entry *entry, struct place *ret_place);
int table_insert(struct table *table, struct limbo *limbo, uint64_t hash, struct entry *entry);
void table_replace(const struct place *place, struct entry *entry);
void table_remove(struct table *table, uint64_t hash, const struct place *place);
/* Any entry near the home of `hash`, NULL if there is none. */
struct entry *table_neighbour(struct table *table, uint64_t hash);

/*
 * Walks the table a segment at a time, in a read section or under the lock: up to SEGMENT_SLOTS entries at `position` (0 to
 * begin). Returns the next position, 0 at the end. What is in the table all the time is seen once.
 */
uint64_t table_walk(struct table *table, uint64_t position, struct entry **ret_entries, size_t *ret_count);

#endif
