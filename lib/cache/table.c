/* SPDX-License-Identifier: MIT */
#include "cache/table.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define OVERFLOW_STUCK 255
#define SEGMENT_FULL (SEGMENT_SLOTS * 7 / 8)
#define DEPTH_MAX 30
#define SPLIT_PREFETCH 8
#define SLAB_SEGMENTS_MAX 64
#define SEGMENT_STRIDE ((sizeof(struct segment) + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1))

struct slab {
	struct slab *older;
};

static bool table_add_slab(struct pool *pool)
{
	size_t count = MIN(MAX(pool->total, 1), SLAB_SEGMENTS_MAX);
	struct slab *slab = mem_alloc(sizeof(*slab) + CACHE_LINE_BYTES + count * SEGMENT_STRIDE);
	if (!slab)
		return false;
	slab->older = pool->slabs;
	pool->slabs = slab;
	pool->next = (char *)(((uintptr_t)(slab + 1) + CACHE_LINE_BYTES - 1) & ~(uintptr_t)(CACHE_LINE_BYTES - 1));
	pool->left = count;
	pool->total += count;
	return true;
}

static struct segment *table_segment_new(struct pool *pool, unsigned depth)
{
	struct segment *segment;
	if (pool->free) {
		segment = CONTAINER_OF(pool->free, struct segment, retired);
		pool->free = pool->free->next;
	} else {
		if (pool->left == 0 && !table_add_slab(pool))
			return NULL;
		segment = (struct segment *)(void *)pool->next;
		pool->next += SEGMENT_STRIDE;
		pool->left--;
	}
	memset(segment, 0, sizeof(*segment));
	segment->retired.home = &pool->free;
	segment->depth = depth;
	return segment;
}

/* One that no reader has seen. Accepts NULL. */
static void table_segment_give_back(struct pool *pool, struct segment *segment)
{
	if (!segment)
		return;
	segment->retired.next = pool->free;
	pool->free = &segment->retired;
}

static void table_pool_done(struct pool *pool)
{
	while (pool->slabs) {
		struct slab *slab = pool->slabs;
		pool->slabs = slab->older;
		mem_free(slab);
	}
	*pool = (struct pool){0};
}

static struct directory *table_directory_new(unsigned depth)
{
	struct directory *directory =
		mem_alloc_zero(sizeof(*directory) + ((size_t)1 << depth) * sizeof(directory->segments[0]));
	if (!directory)
		return NULL;
	directory->depth = depth;
	directory->shift = 64 - depth;
	return directory;
}

static size_t table_directory_bytes(unsigned depth)
{
	return sizeof(struct directory) + ((size_t)1 << depth) * sizeof(struct segment *);
}

int table_init(struct table *table, const struct hashing *hashing)
{
	struct directory *directory = table_directory_new(1);
	struct segment *segment = table_segment_new(&table->pool, 0);
	if (!directory || !segment) {
		mem_free(directory);
		table_pool_done(&table->pool);
		return SHIPOPT_ENOMEM;
	}
	atomic_init(&directory->segments[0], segment);
	atomic_init(&directory->segments[1], segment);
	atomic_init(&table->directory, directory);
	table->hashing = hashing;
	table->count = 0;
	table->bytes = table_directory_bytes(1) + sizeof(struct segment);
	return 0;
}

void table_done(struct table *table)
{
	struct directory *directory = table_directory(table);
	if (!directory)
		return;
	mem_free(directory);
	table_pool_done(&table->pool);
	atomic_store(&table->directory, NULL);
}

struct entry *table_find(struct table *table, uint64_t hash, const void *key, size_t key_length)
{
	struct segment *segment = table_segment(table, hash);
	unsigned index = hash_bucket(hash);
	for (unsigned probe = 0; probe < TABLE_PROBES_MAX; probe++) {
		struct bucket *bucket = &segment->buckets[index];
		uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_acquire);
		for (uint64_t bits = marks_match(marks, hash_mark(hash)); bits; bits &= bits - 1) {
			struct entry *entry =
				atomic_load_explicit(&bucket->slots[marks_slot(bits)], memory_order_acquire);
			entry_prefetch_tail(entry);
			if (entry && table_has_key(entry, key, key_length))
				return entry;
		}
		if (LIKELY(marks_overflow(marks) == 0))
			return NULL;
		index = (index + 1) % SEGMENT_BUCKETS;
	}
	return NULL;
}

struct entry *table_locate(struct table *table, uint64_t hash, const void *key, size_t key_length,
	struct place *ret_place)
{
	struct entry *entry = table_find(table, hash, key, key_length);
	if (entry)
		ASSERT(table_locate_entry(table, hash, entry, ret_place));
	return entry;
}

bool table_locate_entry(struct table *table, uint64_t hash, const struct entry *entry, struct place *ret_place)
{
	struct segment *segment = table_segment(table, hash);
	unsigned index = hash_bucket(hash);
	for (unsigned probe = 0; probe < TABLE_PROBES_MAX; probe++) {
		struct bucket *bucket = &segment->buckets[index];
		uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_relaxed);
		for (uint64_t bits = marks_match(marks, hash_mark(hash)); bits; bits &= bits - 1) {
			unsigned slot = marks_slot(bits);
			if (atomic_load_explicit(&bucket->slots[slot], memory_order_relaxed) == entry) {
				*ret_place = (struct place){segment, index, slot};
				return true;
			}
		}
		if (marks_overflow(marks) == 0)
			return false;
		index = (index + 1) % SEGMENT_BUCKETS;
	}
	return false;
}

/* Changes by one the overflow counts of the buckets from the home to before `last`. A count that has reached the top stays:
 * it is only a hint that costs time. */
static void table_count_overflow(struct segment *segment, uint64_t hash, unsigned last, int change)
{
	for (unsigned index = hash_bucket(hash); index != last; index = (index + 1) % SEGMENT_BUCKETS) {
		_Atomic(uint64_t) *word = &segment->buckets[index].marks;
		uint64_t marks = atomic_load_explicit(word, memory_order_relaxed);
		if (marks_overflow(marks) == OVERFLOW_STUCK)
			continue;
		marks += (uint64_t)(int64_t)change << MARKS_OVERFLOW_SHIFT;
		atomic_store_explicit(word, marks, memory_order_release);
	}
}

static bool table_segment_place(struct segment *segment, uint64_t hash, struct entry *entry)
{
	unsigned index = hash_bucket(hash);
	for (unsigned probe = 0; probe < TABLE_PROBES_MAX; probe++, index = (index + 1) % SEGMENT_BUCKETS) {
		struct bucket *bucket = &segment->buckets[index];
		uint64_t empty = marks_match(atomic_load_explicit(&bucket->marks, memory_order_relaxed), 0);
		if (!empty)
			continue;
		unsigned slot = marks_slot(empty);
		table_count_overflow(segment, hash, index, 1);
		atomic_store_explicit(&bucket->slots[slot], entry, memory_order_release);
		uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_relaxed);
		marks |= (uint64_t)hash_mark(hash) << (slot * 8);
		atomic_store_explicit(&bucket->marks, marks, memory_order_release);
		segment->count++;
		return true;
	}
	return false;
}

static size_t table_segment_entries(struct segment *segment, struct entry **ret_entries)
{
	size_t count = 0;
	for (unsigned b = 0; b < SEGMENT_BUCKETS; b++) {
		for (unsigned s = 0; s < BUCKET_SLOTS; s++) {
			struct entry *entry = atomic_load_explicit(&segment->buckets[b].slots[s], memory_order_acquire);
			if (entry)
				ret_entries[count++] = entry;
		}
	}
	return count;
}

static bool table_distribute(struct table *table, struct segment *segment, struct segment *halves[2])
{
	struct entry *entries[SEGMENT_SLOTS];
	size_t count = table_segment_entries(segment, entries);
	for (size_t i = 0; i < count; i++) {
		if (i + SPLIT_PREFETCH < count) {
			entry_prefetch_head(entries[i + SPLIT_PREFETCH]);
			entry_prefetch_tail(entries[i + SPLIT_PREFETCH]);
		}
		uint64_t hash = table_hash(table->hashing, entry_key(entries[i]), entries[i]->key_length);
		if (!table_segment_place(halves[(hash >> (63 - segment->depth)) & 1], hash, entries[i]))
			return false;
	}
	return true;
}

/* A directory far larger than the entries need is the sign of hashes that agree. */
static bool table_may_deepen(const struct table *table, unsigned depth)
{
	return depth < DEPTH_MAX && (size_t)2 << depth <= 64 + table->count / 16;
}

static int table_deepen(struct table *table, struct limbo *limbo)
{
	struct directory *old = table_directory(table);
	if (!table_may_deepen(table, old->depth))
		return SHIPOPT_EAGAIN;
	struct directory *wide = table_directory_new(old->depth + 1);
	if (!wide)
		return SHIPOPT_ENOMEM;
	for (size_t i = 0; i < (size_t)1 << old->depth; i++) {
		struct segment *segment = atomic_load_explicit(&old->segments[i], memory_order_relaxed);
		atomic_init(&wide->segments[2 * i], segment);
		atomic_init(&wide->segments[2 * i + 1], segment);
	}
	atomic_store_explicit(&table->directory, wide, memory_order_release);
	table->bytes += table_directory_bytes(wide->depth) - table_directory_bytes(old->depth);
	limbo_add_block(limbo, &old->retired);
	return 0;
}

static void table_publish(struct table *table, uint64_t hash, struct segment *halves[2])
{
	struct directory *directory = table_directory(table);
	unsigned half_bits = directory->depth - halves[0]->depth;
	size_t half = (size_t)1 << half_bits;
	size_t first = (hash >> directory->shift) & ~(2 * half - 1);
	for (size_t i = 0; i < 2 * half; i++)
		atomic_store_explicit(&directory->segments[first + i], halves[i >> half_bits], memory_order_release);
}

static int table_split(struct table *table, struct limbo *limbo, uint64_t hash)
{
	struct segment *segment = table_segment(table, hash);
	int r = segment->depth == table_directory(table)->depth ? table_deepen(table, limbo) : 0;
	if (r < 0)
		return r;
	struct segment *halves[2] = {table_segment_new(&table->pool, segment->depth + 1),
		table_segment_new(&table->pool, segment->depth + 1)};
	r = !halves[0] || !halves[1] ? SHIPOPT_ENOMEM : table_distribute(table, segment, halves) ? 0 : SHIPOPT_EAGAIN;
	if (r < 0) {
		for (int i = 0; i < 2; i++)
			table_segment_give_back(&table->pool, halves[i]);
		return r;
	}
	table_publish(table, hash, halves);
	table->bytes += sizeof(struct segment);
	limbo_add_block(limbo, &segment->retired);
	return 0;
}

int table_insert(struct table *table, struct limbo *limbo, uint64_t hash, struct entry *entry)
{
	/* Splitting early is a choice, not a need: while there is room a failure of it does no harm. */
	if (table_segment(table, hash)->count >= SEGMENT_FULL)
		table_split(table, limbo, hash);
	for (;;) {
		if (table_segment_place(table_segment(table, hash), hash, entry)) {
			table->count++;
			return 0;
		}
		int r = table_split(table, limbo, hash);
		if (r < 0)
			return r;
	}
}

void table_replace(const struct place *place, struct entry *entry)
{
	atomic_store_explicit(&place->segment->buckets[place->bucket].slots[place->slot], entry, memory_order_release);
}

void table_remove(struct table *table, uint64_t hash, const struct place *place)
{
	struct bucket *bucket = &place->segment->buckets[place->bucket];
	uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_relaxed);
	marks &= ~(UINT64_C(0xff) << (place->slot * 8));
	atomic_store_explicit(&bucket->marks, marks, memory_order_release);
	atomic_store_explicit(&bucket->slots[place->slot], NULL, memory_order_release);
	table_count_overflow(place->segment, hash, place->bucket, -1);
	place->segment->count--;
	table->count--;
}

struct entry *table_neighbour(struct table *table, uint64_t hash)
{
	struct bucket *bucket = &table_segment(table, hash)->buckets[hash_bucket(hash)];
	for (unsigned s = 0; s < BUCKET_SLOTS; s++) {
		struct entry *entry = atomic_load_explicit(&bucket->slots[s], memory_order_relaxed);
		if (entry)
			return entry;
	}
	return NULL;
}

uint64_t table_walk(struct table *table, uint64_t position, struct entry **ret_entries, size_t *ret_count)
{
	struct segment *segment = table_segment(table, position);
	*ret_count = table_segment_entries(segment, ret_entries);
	if (segment->depth == 0)
		return 0;
	uint64_t width = UINT64_C(1) << (64 - segment->depth);
	return (position & ~(width - 1)) + width;
}
