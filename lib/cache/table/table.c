/* SPDX-License-Identifier: MIT */
#include "cache/table/table.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define OVERFLOW_STUCK 255
#define SEGMENT_FULL (SEGMENT_SLOTS * 7 / 8)
#define DEPTH_MAX 30
#define SPLIT_PREFETCH 8
#define SLAB_SEGMENTS_MAX 64
#define SEGMENT_STRIDE ((sizeof(struct segment) + CACHE_LINE_BYTES - 1) & ~(size_t)(CACHE_LINE_BYTES - 1))

struct slab_block {
	struct slab_block *older;
};

static bool table_slab_grow(struct slab *slab)
{
	size_t count = MIN(MAX(slab->total, 1), SLAB_SEGMENTS_MAX);
	struct slab_block *block = mem_alloc(sizeof(*block) + CACHE_LINE_BYTES + count * SEGMENT_STRIDE);
	if (!block)
		return false;
	block->older = slab->blocks;
	slab->blocks = block;
	slab->next = (char *)(((uintptr_t)(block + 1) + CACHE_LINE_BYTES - 1) & ~(uintptr_t)(CACHE_LINE_BYTES - 1));
	slab->left = count;
	slab->total += count;
	return true;
}

static struct segment *table_segment_new(struct slab *slab, unsigned depth)
{
	struct segment *segment;
	if (slab->free) {
		segment = CONTAINER_OF(slab->free, struct segment, retired);
		slab->free = slab->free->next;
	} else {
		if (slab->left == 0 && !table_slab_grow(slab))
			return NULL;
		segment = (struct segment *)(void *)slab->next;
		slab->next += SEGMENT_STRIDE;
		slab->left--;
	}
	memset(segment, 0, sizeof(*segment));
	segment->retired.home = &slab->free;
	segment->depth = depth;
	return segment;
}

/* For a segment that no reader has seen. Accepts NULL. */
static void table_segment_give_back(struct slab *slab, struct segment *segment)
{
	if (!segment)
		return;
	segment->retired.next = slab->free;
	slab->free = &segment->retired;
}

static void table_slab_done(struct slab *slab)
{
	while (slab->blocks) {
		struct slab_block *block = slab->blocks;
		slab->blocks = block->older;
		mem_free(block);
	}
	*slab = (struct slab){0};
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
	struct segment *segment = table_segment_new(&table->slab, 0);
	if (!directory || !segment) {
		mem_free(directory);
		table_slab_done(&table->slab);
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
	table_slab_done(&table->slab);
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
	struct table_position *ret_position)
{
	struct entry *entry = table_find(table, hash, key, key_length);
	if (entry)
		ASSERT(table_locate_entry(table, hash, entry, ret_position));
	return entry;
}

bool table_locate_entry(struct table *table, uint64_t hash, const struct entry *entry,
	struct table_position *ret_position)
{
	struct segment *segment = table_segment(table, hash);
	unsigned index = hash_bucket(hash);
	for (unsigned probe = 0; probe < TABLE_PROBES_MAX; probe++) {
		struct bucket *bucket = &segment->buckets[index];
		uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_relaxed);
		for (uint64_t bits = marks_match(marks, hash_mark(hash)); bits; bits &= bits - 1) {
			unsigned slot = marks_slot(bits);
			if (atomic_load_explicit(&bucket->slots[slot], memory_order_relaxed) == entry) {
				*ret_position = (struct table_position){segment, index, slot};
				return true;
			}
		}
		if (marks_overflow(marks) == 0)
			return false;
		index = (index + 1) % SEGMENT_BUCKETS;
	}
	return false;
}

/* Changes by one the overflow counts of the buckets from the home bucket to the one before `last`. A count that has
 * reached its maximum stays there: lookups are then slower, but correct. */
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

/* A directory far larger than the entries need is a sign of colliding hashes. */
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
	struct segment *halves[2] = {table_segment_new(&table->slab, segment->depth + 1),
		table_segment_new(&table->slab, segment->depth + 1)};
	r = !halves[0] || !halves[1] ? SHIPOPT_ENOMEM : table_distribute(table, segment, halves) ? 0 : SHIPOPT_EAGAIN;
	if (r < 0) {
		for (int i = 0; i < 2; i++)
			table_segment_give_back(&table->slab, halves[i]);
		return r;
	}
	table_publish(table, hash, halves);
	table->bytes += sizeof(struct segment);
	limbo_add_block(limbo, &segment->retired);
	return 0;
}

int table_insert(struct table *table, struct limbo *limbo, uint64_t hash, struct entry *entry)
{
	/* This early split is optional: while there is room, its failure does no harm. */
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

void table_replace(const struct table_position *position, struct entry *entry)
{
	atomic_store_explicit(&position->segment->buckets[position->bucket].slots[position->slot], entry,
		memory_order_release);
}

void table_remove(struct table *table, uint64_t hash, const struct table_position *position)
{
	struct bucket *bucket = &position->segment->buckets[position->bucket];
	uint64_t marks = atomic_load_explicit(&bucket->marks, memory_order_relaxed);
	marks &= ~(UINT64_C(0xff) << (position->slot * 8));
	atomic_store_explicit(&bucket->marks, marks, memory_order_release);
	atomic_store_explicit(&bucket->slots[position->slot], NULL, memory_order_release);
	table_count_overflow(position->segment, hash, position->bucket, -1);
	position->segment->count--;
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
