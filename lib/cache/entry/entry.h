/* SPDX-License-Identifier: MIT */
#ifndef CACHE_ENTRY_H
#define CACHE_ENTRY_H

#include <shipopt/cache.h>
#include <stdatomic.h>

#include "base/list.h"

struct tag;

/*
 * An entry: a key, a value, and what the cache knows about them, in one allocation.
 *
 *	[timing, if it can expire] [header, 40 bytes] [hits] [key] [padding to 8] [tags] [value, or a pointer to an external value]
 *
 * Entries are reference counted, and immutable once published, except for the members marked below. A published entry
 * has ENTRY_OWNED references of the cache. They are dropped only when the entry was unlinked and no read section can
 * see it any more, so a reader inside a section takes a reference with a plain increment. A handle (shipopt_value) is
 * an entry with a reference or with a slot of its thread (cache/reclaim/pin.h). It outlives the cache.
 *
 * Hits are counted in the byte before the key, by plain stores of readers. A race may lose a count, which does no harm.
 * A locked instruction would keep the processor from beginning the next lookup while this one waits for memory. `mark`
 * holds the queue that the entry is in, and after unlinking the cause. The union belongs first to the queue, then to
 * the limbo, then to the account of bytes that handles hold. The queue and `timing` need the shard's lock, except for
 * the atomic times.
 */
#define ENTRY_NEVER INT64_MAX /* a time that never comes */
#define ENTRY_TAGS_MAX 8
#define ENTRY_KEY_MAX 65535
#define ENTRY_HITS_MAX 3
/* The part of an entry's weight for the index and the ghost queue. */
#define ENTRY_INDEX_BYTES 20
/* In the count of references: those of the cache for a published entry, and the mark of one that lingers
 * (cache/reclaim/pin.h). */
#define ENTRY_OWNED (1u << 30)
#define ENTRY_LINGERS (1u << 31)

enum {
	ENTRY_NOT_FOUND = 1,
	ENTRY_EXTERNAL = 2,
	ENTRY_TIMED = 4,
	ENTRY_TAGGED = 8,
	ENTRY_PREFIXED = 16, /* its key has a registered prefix, which the stamp names */
	ENTRY_ORDERED = 32   /* a hit moves it in its queue */
};
enum { /* mark */
	ENTRY_PLACE = 12,
	ENTRY_SMALL = 4,
	ENTRY_MAIN = 8,
	ENTRY_RETIRED = 12,    /* in no queue, and no section can see it */
	ENTRY_CAUSE_SHIFT = 4, /* after unlinking */
	ENTRY_HELD = 128       /* unlinked, and `account` counts it */
};

/* Counts the bytes of removed entries whose handles are held. It lives until the cache and the last such entry are
 * gone. */
struct held_account {
	atomic_uint references;
	_Atomic(int64_t) bytes;
};

struct entry_timing {
	struct list_node wheel;
	_Atomic(int64_t) hard_us;   /* the end by the TTL; the access TTL cannot move it */
	_Atomic(int64_t) access_us; /* 0: none */
	_Atomic(int64_t) soft_us;
	_Atomic(int64_t) expires_us;
};

/* The members that a lookup needs are next to the key. */
struct entry {
	union {
		struct list_node queue;
		struct {
			struct entry *next;
			uint64_t tag;
		} limbo;
		struct {
			struct entry *next;
			struct held_account *account;
		} held;
	} link;
	atomic_uint references;
	uint32_t value_length;
	uint64_t stamp;     /* the ticket of its write, shifted left by 8, and its prefix */
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

/* What an entry is made of. */
struct entry_content {
	const void *key;
	size_t key_length;
	const void *value;
	size_t value_length;
	bool is_external, is_not_found, is_timed;
	shipopt_cache_free_fn free;
	void *userdata;
	unsigned tag_count;
	struct tag *const *tags;
};

/* Creates an entry with one reference, not published, that never expires. It takes over an external value. NULL: out of
 * memory. */
struct entry *entry_new(const struct entry_content *content);
void entry_free(struct entry *entry);
/* The bytes that it counts for: its allocation, the value, and its part of the index. */
size_t entry_weight(const struct entry *entry);
size_t entry_weight_of(const struct entry_content *content);
/* Drops the references of the cache. `account` counts the entry if handles still hold it. No slot may name the
 * entry. */
void entry_release(struct entry *entry, struct held_account *account);
/* Makes `account` count the entry until it is freed. */
void entry_count_as_held(struct entry *entry, struct held_account *account);
void held_account_unref(struct held_account *account);

static inline void entry_ref(struct entry *entry)
{
	atomic_fetch_add_explicit(&entry->references, 1, memory_order_relaxed);
}

/* Frees or settles the entry after a reference was dropped and the count before was `before`: 1, or a count with the
 * mark. */
void entry_unref_settle(struct entry *entry, unsigned before);

static inline void entry_unref(struct entry *entry)
{
	unsigned before = atomic_fetch_sub_explicit(&entry->references, 1, memory_order_acq_rel);
	if (UNLIKELY(before == 1 || before & ENTRY_LINGERS))
		entry_unref_settle(entry, before);
}

/* Turns the caller's reference into those of the cache, before the entry is published; and back if publishing
 * failed. */
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

/* The bytes of the hit count and the key, with the padding after them. */
static inline size_t entry_key_space(size_t key_length)
{
	return (sizeof(uint8_t) + key_length + 7) & ~(size_t)7;
}

/* Prefetch the two cache lines that a lookup reads, so that the second is fetched together with the first. `entry` may
 * be NULL, hence the uintptr_t: pointer arithmetic on NULL is undefined. */
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

/* Needs the shard's lock. */
static inline void entry_set_mark(struct entry *entry, unsigned mark)
{
	atomic_store_explicit(&entry->mark, (uint8_t)mark, memory_order_relaxed);
}

#endif
