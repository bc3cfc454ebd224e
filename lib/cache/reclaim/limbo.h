/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LIMBO_H
#define CACHE_LIMBO_H

#include "cache/entry/entry.h"

/*
 * The limbo of a shard: unlinked entries and blocks of the index wait here until no read section can see them. (The
 * name is the term of K. Fraser, "Practical lock-freedom", 2004, which cache/reclaim/reader.h follows.)
 *
 * It is protected by the shard's lock. Things enter it tagged with the reader epoch. limbo_ready() takes out those
 * whose tag the horizon has passed. The caller frees them after unlocking, because freeing calls functions of the
 * application. Blocks with a `home` go back to that list instead. Long read sections make a limbo grow; its bytes are
 * in the statistics.
 */
struct retired {
	struct retired *next;
	uint64_t tag;
	struct retired **home; /* the list it returns to, under the shard's lock; NULL: it is freed */
};

struct limbo {
	struct entry *first_entry, *last_entry;
	struct retired *first_block, *last_block;
	size_t count;
	size_t bytes; /* of entries */
	size_t due;   /* the count at which it is worth looking at all readers */
};

struct garbage {
	struct entry *entries;
	struct retired *blocks;
};

#define LIMBO_BATCH 64

void limbo_add_entry(struct limbo *limbo, struct entry *entry);
/* A block without a home must begin with `retired`. */
void limbo_add_block(struct limbo *limbo, struct retired *retired);
/* Whether enough has gathered. */
static inline bool limbo_is_due(const struct limbo *limbo, size_t bytes_max)
{
	return limbo->count >= limbo->due || limbo->bytes > bytes_max;
}
/* Moves to `garbage` what may be freed. */
void limbo_ready(struct limbo *limbo, struct garbage *garbage);

#endif
