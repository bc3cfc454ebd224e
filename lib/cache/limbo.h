/* SPDX-License-Identifier: MIT */
#ifndef CACHE_LIMBO_H
#define CACHE_LIMBO_H

#include "cache/entry.h"

/*
 * Where unlinked things wait until no read section can see them: entries, and blocks of the index.
 *
 * Each shard has one, under its lock. Blocks either go back to a list of their owner's or are freed. Things enter tagged with the
 * reader epoch; limbo_ready() takes out what has passed. Freeing calls host code (free functions), so it is done by the caller
 * after unlocking. Readers that stay inside their section for long make a limbo grow; its bytes are in the statistics.
 */
struct retired {
	struct retired *next;
	uint64_t tag;
	struct retired **home; /* where it goes, under the shard's lock; NULL: freed */
};

struct limbo {
	struct entry *first_entry, *last_entry;
	struct retired *first_block, *last_block;
	size_t count;
	size_t bytes; /* of entries */
	size_t due;   /* the count at which trying is worth a look at all readers */
};

struct garbage {
	struct entry *entries;
	struct retired *blocks;
};

#define LIMBO_BATCH 64

void limbo_add_entry(struct limbo *limbo, struct entry *entry);
/* A block without a home begins with `retired`. */
void limbo_add_block(struct limbo *limbo, struct retired *retired);
/* True when enough has gathered. */
static inline bool limbo_is_due(const struct limbo *limbo, size_t bytes_max)
{
	return limbo->count >= limbo->due || limbo->bytes > bytes_max;
}
/* Moves what may be freed to `garbage`. */
void limbo_ready(struct limbo *limbo, struct garbage *garbage);

#endif
