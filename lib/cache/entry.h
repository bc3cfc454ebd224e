/* SPDX-License-Identifier: MIT */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <shipopt/cache.h>
#include <stdatomic.h>

#include "base/list.h"

struct tag;

/*
 * An entry: a key, a value and what the cache knows about them, in one allocation.
 *
 *	[timing, if it can expire] [header, 40 bytes] [hits] [key] [padding to 8] [tags] [value, or where a value of the host's is]
 *
 * Entries are reference counted and immutable once published, except for what is marked below. While published an entry has
 * ENTRY_OWNED references of the cache's. They are dropped only when the entry was unlinked and no read section can see it any more,
 * so a reader inside a section takes a reference with a plain increment. A handle (shipopt_value) is an entry with a reference
 * or a slot of its thread (cache/hold.h), and outlives the cache.
 *
 * Hits are counted in the byte before the key, by plain stores of readers: a count that gets lost in a race does no harm, and
 * a locked instruction would keep the processor from beginning the next look-up while this one waits for memory. `mark` holds the
 * queue that the entry stands in; after unlinking the cause. The union belongs to the queue, then to the limbo, then to the
 * account of bytes that readers still hold. Both the queue and `timing` need the shard's lock, except for the atomic times.
 */
#define ENTRY_NEVER INT64_MAX /* a time that does not come */
#define ENTRY_TAGS_MAX 8
#define ENTRY_KEY_MAX 65535
#define ENTRY_HITS_MAX 3
/* The share of the index and the ghost in an entry's weight. */
#define ENTRY_INDEX_BYTES 20
/* In the count of references: what the cache has of a published entry, and the mark of one that lingers (cache/hold.h). */
#define ENTRY_OWNED (1u << 30)
#define ENTRY_LINGERS (1u << 31)

enum {
	ENTRY_NEGATIVE = 1,
	ENTRY_EXTERNAL = 2,
	ENTRY_TIMED = 4,
	ENTRY_TAGGED = 8,
	ENTRY_PREFIXED = 16, /* its stamp names a prefix */
	ENTRY_ORDERED = 32   /* a hit moves it */
};
enum { /* mark */
	ENTRY_PLACE = 12,
	ENTRY_SMALL = 4,
	ENTRY_MAIN = 8,
	ENTRY_RETIRED = 12,    /* in no queue: no section can see it any more */
	ENTRY_CAUSE_SHIFT = 4, /* after unlinking */
	ENTRY_HELD = 128       /* unlinked, and `account` counts it */
};

/* Bytes of unlinked entries that readers hold. Outlives the cache as long as one is held. */
struct account {
	atomic_uint references;
	_Atomic(int64_t) bytes;
};

struct entry_timing {
	struct list_node wheel;
	_Atomic(int64_t) hard_us;   /* where the access TTL cannot push it beyond */
	_Atomic(int64_t) access_us; /* 0: none */
	_Atomic(int64_t) soft_us;
	_Atomic(int64_t) expires_us;
};

/* What a look-up needs stands next to the key. */
struct entry {
	union {
		struct list_node queue;
		struct {
			struct entry *next;
			uint64_t tag;
		} limbo;
		struct {
			struct entry *next;
			struct account *account;
		} held;
	} link;
	atomic_uint references;
	uint32_t value_length;
	uint64_t stamp;     /* the ticket of its writing, shifted by 8, and its prefix */
	uint32_t created_s; /* since the cache was made */
	uint16_t key_length;
	_Atomic(uint8_t) mark;
	uint8_t flags;
};

struct entry_external {
	const void *data;
	shipopt_cache_free_fn free;
	void *userdata;
};

struct entry_tags {
	uint64_t count;
	struct tag *list[];
};

/* What an entry is made from. */
struct entry_content {
	const void *key;
	size_t key_length;
	const void *value;
	size_t value_length;
	bool is_external, is_negative, is_timed;
	shipopt_cache_free_fn free;
	void *userdata;
	unsigned tag_count;
	struct tag *const *tags;
};

/* One reference, not published, never expiring. With an external value the entry owns it from here on. NULL: out of memory. */
struct entry *entry_new(const struct entry_content *content);
void entry_free(struct entry *entry);
/* Bytes that it counts for: all of its allocation, the value, its share of the index. */
size_t entry_weight(const struct entry *entry);
size_t entry_weight_of(const struct entry_content *content);
/* Drops the cache's own references; `account` counts what readers still hold. No slot names the entry. */
void entry_release(struct entry *entry, struct account *account);
/* `account` counts it as held, until it is freed. */
void entry_hold_account(struct entry *entry, struct account *account);
void account_unref(struct account *account);

static inline void entry_ref(struct entry *entry)
{
	atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
}

/* What is left to do when a reference was dropped from a count of `before`: 1, or one with the mark. Frees or settles. */
void entry_unref_settle(struct entry *entry, unsigned before);

static inline void entry_unref(struct entry *entry)
{
	unsigned before = atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel);
	if (UNLIKELY(before == 1 || before & ENTRY_LINGERS))
		entry_unref_settle(entry, before);
}

/* The caller's reference becomes the cache's, before the entry is published; and back if it could not be. */
static inline void entry_publish(struct entry *entry)
{
	atomic_fetch_add_explicit(&entry->references, ENTRY_OWNED - 1, memory_order_relaxed);
}

static inline void entry_unpublish(struct entry *entry)
{
	atomic_fetch_sub_explicit(&entry->references, ENTRY_OWNED - 1, memory_order_relaxed);
}

static inline const char *entry_key(const struct entry *entry)
{
	return (const char *)(entry + 1) + sizeof(uint8_t);
}

static inline _Atomic(uint8_t) *entry_hits_place(const struct entry *entry)
{
	return (_Atomic(uint8_t) *)(uintptr_t)(entry + 1);
}

static inline unsigned entry_hits(const struct entry *entry)
{
	return atomic_load_explicit(entry_hits_place(entry), memory_order_relaxed);
}

static inline void entry_set_hits(struct entry *entry, unsigned hits)
{
	atomic_store_explicit(entry_hits_place(entry), (uint8_t)hits, memory_order_relaxed);
}

/* The hit count and the key, with the padding behind them. */
static inline size_t entry_key_space(size_t key_length)
{
	return (sizeof(uint8_t) + key_length + 7) & ~(size_t)7;
}

/* The two lines that a look-up reads: begun together, so that the second is on its way with the first. Of no entry at all, too:
 * such an address is none for arithmetic of pointers. */
static inline void entry_prefetch_head(const struct entry *entry)
{
	__builtin_prefetch((const void *)((uintptr_t)entry + offsetof(struct entry, references)));
}

static inline void entry_prefetch_tail(const struct entry *entry)
{
	__builtin_prefetch((const void *)((uintptr_t)entry + offsetof(struct entry, references) + CACHE_LINE_BYTES));
}

static inline char *entry_tail(const struct entry *entry)
{
	return (char *)(uintptr_t)(entry + 1) + entry_key_space(entry->key_length);
}

static inline const struct entry_tags *entry_tags(const struct entry *entry)
{
	return (const struct entry_tags *)(const void *)entry_tail(entry);
}

static inline struct entry_timing *entry_timing(const struct entry *entry)
{
	return (struct entry_timing *)(void *)((char *)(uintptr_t)entry - sizeof(struct entry_timing));
}

static inline char *entry_body(const struct entry *entry)
{
	char *tail = entry_tail(entry);
	if (UNLIKELY(entry->flags & ENTRY_TAGGED))
		tail += sizeof(struct entry_tags) + entry_tags(entry)->count * sizeof(struct tag *);
	return tail;
}

static inline const void *entry_value(const struct entry *entry)
{
	char *body = entry_body(entry);
	if (entry->flags & ENTRY_EXTERNAL)
		return ((const struct entry_external *)(const void *)body)->data;
	return body;
}

static inline uint64_t entry_stamp(const struct entry *entry)
{
	return entry->stamp >> 8;
}

static inline unsigned entry_place(const struct entry *entry)
{
	return atomic_load_explicit(&entry->mark, memory_order_relaxed) & ENTRY_PLACE;
}

static inline bool entry_is_retired(const struct entry *entry)
{
	return entry_place(entry) == ENTRY_RETIRED;
}

/* Shard's lock held. */
static inline void entry_set_mark(struct entry *entry, unsigned mark)
{
	atomic_store_explicit(&entry->mark, (uint8_t)mark, memory_order_relaxed);
}

#endif
