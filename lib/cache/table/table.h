/* SPDX-License-Identifier: MIT */
#ifndef CACHE_TABLE_H
#define CACHE_TABLE_H

#include <string.h>

#include "base/hash.h"
#include "cache/entry/entry.h"
#include "cache/reclaim/limbo.h"

/*
 * The index of a shard: from key to entry, read without a lock.
 *
 * It uses open addressing in buckets of one cache line. A bucket has seven pointers, a mark byte for each (seven bits
 * of the hash, zero for empty) and a count of entries that had to go to a later bucket, so that a lookup knows when to
 * stop. A hit touches the bucket and the entry.
 *
 * 64 buckets make a segment; a directory indexed by the top bits of the hash names the segment (extendible hashing:
 * Fagin, Nievergelt, Pippenger, Strong, "Extendible hashing", 1979). A full segment is copied into two new ones, which
 * are then published. So growing costs one segment at a time (about ten microseconds), whatever the size of the table.
 * A reader of the old copy sees a state that was true when it began. The old segment goes to the limbo.
 *
 * Writers hold the shard's lock. Inside a segment an entry never moves. A mark is set after its pointer and cleared
 * before it. Inserting fails with SHIPOPT_EAGAIN if hashes collide so that splitting does not help, and with
 * SHIPOPT_ENOMEM.
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
 * The slab allocator for segments. Its blocks double in size up to SLAB_SEGMENTS_MAX segments. Segments allocated one
 * by one would lie scattered between the entries, and each lookup would pay for the address translation of one more
 * page.
 */
struct slab_block;
struct slab {
	struct slab_block *blocks;
	struct retired *free; /* segments that were given back */
	char *next;           /* the unused rest of the newest block */
	size_t left, total;   /* segments */
};

struct directory {
	struct retired retired;
	unsigned depth, shift; /* 64 less the depth, which is not 0, as a shift by 64 means nothing */
	_Atomic(struct segment *) segments[];
};

/* How keys are hashed. Tests force collisions with a mask other than all ones. */
struct hashing {
	uint64_t state, mask; /* hash_state() of the seed */
};

struct table {
	_Atomic(struct directory *) directory;
	const struct hashing *hashing;
	struct slab slab;
	size_t count;
	size_t bytes; /* in use, without what is in the limbo */
};

/* Where an entry is in the table. */
struct table_position {
	struct segment *segment;
	unsigned bucket, slot;
};

int table_init(struct table *table, const struct hashing *hashing);
/* Frees the index, not the entries. No reader may be left. */
void table_done(struct table *table);

/* These need the lock. */
struct entry *table_locate(struct table *table, uint64_t hash, const void *key, size_t key_length,
	struct table_position *ret_position);
bool table_locate_entry(struct table *table, uint64_t hash, const struct entry *entry,
	struct table_position *ret_position);
int table_insert(struct table *table, struct limbo *limbo, uint64_t hash, struct entry *entry);
void table_replace(const struct table_position *position, struct entry *entry);
void table_remove(struct table *table, uint64_t hash, const struct table_position *position);
/* Returns any entry in the home bucket of `hash`, or NULL. */
struct entry *table_neighbour(struct table *table, uint64_t hash);

/*
 * Walks the table one segment at a time, in a read section or under the lock. Stores up to SEGMENT_SLOTS entries of the
 * segment at `position` (0 to begin) and returns the next position, 0 at the end. An entry that stays in the table is
 * seen once.
 */
uint64_t table_walk(struct table *table, uint64_t position, struct entry **ret_entries, size_t *ret_count);

/* ---- the lookup, inline because it is most of the cost of a hit -------------------------------------------- */
#define TABLE_PROBES_MAX 16
#define MARKS_OVERFLOW_SHIFT 56

static inline uint64_t table_hash(const struct hashing *hashing, const void *key, size_t key_length)
{
	return hash_bytes_from(key, key_length, hashing->state) & hashing->mask;
}

/* Bits 0 to 7 choose the shard, 8 to 13 the bucket, 17 to 23 are the mark, the top ones choose the segment. */
static inline unsigned hash_bucket(uint64_t hash)
{
	return (unsigned)(hash >> 8) % SEGMENT_BUCKETS;
}

static inline uint8_t hash_mark(uint64_t hash)
{
	return (uint8_t)(hash >> 16) | 1;
}

static inline struct segment *directory_segment(const struct directory *directory, uint64_t hash)
{
	return atomic_load_explicit(&directory->segments[hash >> directory->shift], memory_order_acquire);
}

/* Sets the top bit of each byte that equals `mark`. The lowest bit set is exact; above it there may be false ones. */
static inline uint64_t marks_match(uint64_t marks, uint8_t mark)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x = marks ^ (mark * ones);
	return (x - ones) & ~x & UINT64_C(0x0080808080808080);
}

static inline unsigned marks_slot(uint64_t bits)
{
	return (unsigned)__builtin_ctzll(bits) / 8;
}

static inline unsigned marks_overflow(uint64_t marks)
{
	return (unsigned)(marks >> MARKS_OVERFLOW_SHIFT);
}

static inline struct directory *table_directory(struct table *table)
{
	return atomic_load_explicit(&table->directory, memory_order_acquire);
}

static inline struct segment *table_segment(struct table *table, uint64_t hash)
{
	return directory_segment(table_directory(table), hash);
}

static inline bool table_has_key(const struct entry *entry, const void *key, size_t key_length)
{
	return entry->key_length == key_length && memcmp(entry_key(entry), key, key_length) == 0;
}

typedef uint64_t lanes __attribute__((vector_size(16)));

/* Returns the bits in which 16 bytes differ. */
static inline lanes lanes_differ(const char *a, const char *b)
{
	lanes x, y;
	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x ^ y;
}

/* The same without a call or a loop, for lengths from 8 to 64. Other lengths never compare equal. The last words
 * overlap those before. */
static inline bool table_has_usual_key(const struct entry *entry, const char *key, size_t key_length)
{
	const char *own = entry_key(entry);
	if (UNLIKELY(entry->key_length != key_length || key_length - 8 > 56))
		return false;
	if (key_length < 16) {
		uint64_t a[2], b[2];
		memcpy(&a[0], own, 8);
		memcpy(&a[1], own + key_length - 8, 8);
		memcpy(&b[0], key, 8);
		memcpy(&b[1], key + key_length - 8, 8);
		return a[0] == b[0] && a[1] == b[1];
	}
	lanes different = lanes_differ(own, key) | lanes_differ(own + key_length - 16, key + key_length - 16);
	if (key_length > 32)
		different |= lanes_differ(own + 16, key + 16);
	if (key_length > 48)
		different |= lanes_differ(own + 32, key + 32);
	return (different[0] | different[1]) == 0;
}

/* In a read section or under the lock. */
struct entry *table_find(struct table *table, uint64_t hash, const void *key, size_t key_length);

static inline struct bucket *table_bucket(struct table *table, uint64_t hash)
{
	return &table_segment(table, hash)->buckets[hash_bucket(hash)];
}

/* Returns the first entry of a bucket whose mark fits, or NULL, and prefetches its lines. */
static inline struct entry *bucket_candidate(struct bucket *bucket, uint64_t hash)
{
	uint64_t bits = marks_match(atomic_load_explicit(&bucket->marks, memory_order_acquire), hash_mark(hash));
	if (UNLIKELY(!bits))
		return NULL;
	struct entry *entry = atomic_load_explicit(&bucket->slots[marks_slot(bits)], memory_order_acquire);
	entry_prefetch_tail(entry);
	return entry;
}

/* Returns the candidate if it has the key, as for most hits. NULL: the caller must search with table_find(). */
static inline struct entry *candidate_match(struct entry *candidate, const void *key, size_t key_length)
{
	return LIKELY(candidate != NULL) && LIKELY(table_has_usual_key(candidate, key, key_length)) ? candidate : NULL;
}

static inline struct entry *table_find_first(struct table *table, uint64_t hash, const void *key, size_t key_length)
{
	return candidate_match(bucket_candidate(table_bucket(table, hash), hash), key, key_length);
}

#endif
