/* SPDX-License-Identifier: MIT */
#ifndef CACHE_POLICY_H
#define CACHE_POLICY_H

#include "cache/entry.h"
#include "cache/ghost.h"

/*
 * What leaves when the cache is full: the two queues of a shard and the rules that move entries in them. All under the
 * shard's lock, except counting a hit.
 *
 * S3-FIFO (Yang, Zhang, Qiu, Yue, Vigfusson: "FIFO queues are all you need for cache eviction", SOSP 2023): a new entry
 * stands in the small queue, which keeps a tenth. An entry that leaves it with two hits or more moves to the main queue,
 * another leaves the cache and is remembered in the ghost; what is in the ghost when it comes back goes to the main
 * queue at once. The main queue gives an entry another round for each hit, up to three. A hit is one store to a counter that
 * is usually full already. Until the first eviction what the small queue's share cannot hold goes to the main queue.
 *
 * LRU: one queue (the main one) in order of use. A hit moves the entry to the front and so takes the lock.
 *
 * Sizes are counted in entries and bytes; which of the two decides is what the cache is full of (`by_bytes`).
 */
struct fifo {
	struct list_node head; /* newest first */
	size_t count, bytes;
};

struct queues {
	struct fifo small, main;
	struct ghost ghost;
	size_t small_count, small_bytes; /* shares of the small queue while the shard fills */
	size_t ghost_max;                /* entries of the shard's share, SIZE_MAX: unbounded */
	bool has_evicted;
};

struct policy {
	const char *name;
	bool moves_on_hit;
	void (*admit)(struct queues *queues, struct entry *entry, uint64_t hash);
	/* Under the lock; only if moves_on_hit. */
	void (*hit)(struct queues *queues, struct entry *entry);
	/* The entry that should go, still in its queue; never `keep`. `is_dead` finds those that need not be weighed. NULL if
	 * there is none. */
	struct entry *(*victim)(struct queues *queues, const struct entry *keep, bool by_bytes,
		bool (*is_dead)(void *context, const struct entry *entry), void *context);
	/* Remembers an entry that is evicted. */
	void (*forget)(struct queues *queues, const struct entry *entry, uint64_t hash);
};

extern const struct policy policy_s3fifo;
extern const struct policy policy_lru;

void queues_init(struct queues *queues, size_t entries_share, size_t bytes_share);
void fifo_push(struct fifo *queue, struct entry *entry, unsigned place);
void queues_remove(struct queues *queues, struct entry *entry);
/* `entry` takes the place of `old`, and its hits. */
void queues_replace(struct queues *queues, struct entry *old, struct entry *entry);

static inline struct entry *fifo_oldest(const struct fifo *queue)
{
	return list_is_empty(&queue->head) ? NULL : LIST_MEMBER(queue->head.previous, struct entry, link.queue);
}

/* A hit without a lock. A race with another hit loses one count, which is harmless. */
static inline void policy_count_hit(struct entry *entry)
{
	unsigned hits = entry_hits(entry);
	if (hits < ENTRY_HITS_MAX)
		entry_set_hits(entry, hits + 1);
}

#endif
