/* SPDX-License-Identifier: MIT */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include "cache/entry/entry.h"
#include "cache/policy/ghost.h"

/*
 * Eviction: which entry leaves when the cache is full. A shard has two queues, and a policy moves entries in them.
 * Everything here needs the shard's lock, except counting a hit.
 *
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for cache eviction", SOSP 2023): a new entry
 * goes to the small queue, which keeps a tenth of the shard. An entry that leaves it with two hits or more moves to the
 * main queue. Another one is evicted, and the ghost queue remembers its key. A key that returns while it is remembered
 * goes to the main queue at once. The main queue gives an entry one more round for each hit, up to three. A hit is a
 * store to a counter that usually is at its maximum already. Until the first eviction, what exceeds the small queue's
 * share goes to the main queue.
 *
 * LRU: one queue (the main one) in order of use. A hit moves the entry to the front, which needs the lock.
 *
 * Sizes are counted in entries and in bytes. The bound that is exceeded decides which of the two is used (`by_bytes`).
 */
struct fifo {
	struct list_node head; /* newest first */
	size_t count, bytes;
};

struct queues {
	struct fifo small, main;
	struct ghost ghost;
	size_t small_count, small_bytes; /* the share of the small queue while the shard fills */
	size_t ghost_max;                /* the shard's share of entries_max; SIZE_MAX: unbounded */
	bool has_evicted;
};

struct policy {
	const char *name;
	bool moves_on_hit;
	void (*admit)(struct queues *queues, struct entry *entry, uint64_t hash);
	/* Called only if moves_on_hit. */
	void (*hit)(struct queues *queues, struct entry *entry);
	/* Returns the entry to evict, which is still in its queue, or NULL. Never `keep`. An entry for which `is_dead`
	 * is true is returned at once. */
	struct entry *(*victim)(struct queues *queues, const struct entry *keep, bool by_bytes,
		bool (*is_dead)(void *context, const struct entry *entry), void *context);
	/* Called for an entry that is evicted. */
	void (*forget)(struct queues *queues, const struct entry *entry, uint64_t hash);
};

extern const struct policy policy_s3fifo;
extern const struct policy policy_lru;

void queues_init(struct queues *queues, size_t entries_share, size_t bytes_share);
void fifo_push(struct fifo *queue, struct entry *entry, unsigned place);
void queues_remove(struct queues *queues, struct entry *entry);
/* Puts `entry` where `old` is, with the hits of `old`. */
void queues_replace(struct queues *queues, struct entry *old, struct entry *entry);

static inline struct entry *fifo_oldest(const struct fifo *queue)
{
	return list_is_empty(&queue->head) ? NULL : LIST_MEMBER(queue->head.previous, struct entry, link.queue);
}

/* Counts a hit, without a lock. A race with another hit loses one count, which is harmless. */
static inline void policy_count_hit(struct entry *entry)
{
	unsigned hits = entry_hits(entry);
	if (hits < ENTRY_HITS_MAX)
		entry_set_hits(entry, hits + 1);
}

#endif
