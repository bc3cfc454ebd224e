/* SPDX-License-Identifier: MIT */
#ifndef CACHE_TAG_H
#define CACHE_TAG_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"

/*
 * Tags, prefixes and clearing: invalidation without touching the entries.
 *
 * Every write and every invalidation draws a ticket from one 64-bit counter. An entry keeps the ticket of its write
 * (for a load: of the load's beginning). A tag, a registered prefix and the cache as a whole keep the ticket of their
 * last invalidation. An entry is invalid if its ticket is lower than that of something it belongs to. It is invalid
 * from the moment that ticket is written, wherever it is: in the table, in a reader's hands, or still being loaded.
 *
 * A tag is a record shared by the entries that carry it, and freed with the last of them. A freed record must not make
 * valid a load that began before the tag's invalidation. Therefore `floor` is the highest ticket of any invalidation
 * that is not in a record. A load that is older is not stored if it brings tags that it did not name at its beginning.
 *
 * The records are protected by a mutex; tickets are atomic. Prefixes are fixed when the cache is created, at most
 * PREFIXES_MAX. An entry belongs to the longest prefix that its key begins with. Invalidating a prefix also invalidates
 * the longer ones that begin with it.
 */
#define TAG_NAME_MAX 255
#define PREFIXES_MAX 64

struct tag {
	struct tag *next;
	_Atomic(uint64_t) invalidated;
	unsigned references; /* under the mutex */
	uint32_t hash;
	uint8_t length;
	char name[];
};

struct prefix {
	char *text;
	size_t length;
	_Atomic(uint64_t) invalidated;
};

struct tags {
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) ticket; /* the last one drawn */
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) cleared;
	_Atomic(uint64_t) last_tagged; /* ticket of the last invalidation of any tag */
	_Atomic(uint64_t) last_sweep;  /* ticket of the last invalidation that left entries to free */
	_Atomic(uint64_t) floor;
	struct prefix prefixes[PREFIXES_MAX];
	unsigned prefix_count;
	pthread_mutex_t lock;
	struct tag **buckets; /* a power of two, grown under the mutex */
	size_t bucket_count, count, count_max;
};

int tags_init(struct tags *tags, size_t count_max);
void tags_done(struct tags *tags);
/* Only before the cache is used. SHIPOPT_ETOOLARGE beyond PREFIXES_MAX, SHIPOPT_ENOMEM. */
int tags_add_prefix(struct tags *tags, const char *prefix);

static inline uint64_t tags_draw(struct tags *tags)
{
	return atomic_fetch_add_explicit(&tags->ticket, 1, memory_order_acq_rel) + 1;
}

/* Takes a reference to the tag's record. SHIPOPT_EAGAIN if count_max tags are in use, SHIPOPT_ENOMEM. */
int tags_acquire(struct tags *tags, const char *name, struct tag **ret_tag);
void tags_release(struct tags *tags, struct tag *const *list, size_t count);
/* Takes the references again, for a copy of an entry. */
void tags_share(struct tags *tags, struct tag *const *list, size_t count);

void tags_invalidate(struct tags *tags, const char *name);
/* Returns false if the prefix is not registered. */
bool tags_invalidate_prefix(struct tags *tags, const char *prefix, size_t length);
void tags_clear(struct tags *tags);

/* Returns 1 + the index of the longest prefix of a key, or 0. */
unsigned tags_prefix_of(const struct tags *tags, const char *key, size_t key_length);

static inline bool tag_is_after(const struct tag *tag, uint64_t stamp)
{
	return atomic_load_explicit(&tag->invalidated, memory_order_acquire) > stamp;
}

/* Whether clearing or the prefix has invalidated what has this ticket. */
static inline bool tags_is_invalid(const struct tags *tags, uint64_t stamp, unsigned prefix)
{
	return atomic_load_explicit(&tags->cleared, memory_order_acquire) > stamp ||
		(prefix && atomic_load_explicit(&tags->prefixes[prefix - 1].invalidated, memory_order_acquire) > stamp);
}

#endif
