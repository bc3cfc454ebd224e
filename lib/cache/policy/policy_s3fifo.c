/* SPDX-License-Identifier: MIT */
#include "cache/policy/policy.h"

#define PROMOTE_AT 2

/* The ghost queue remembers as many keys as the main queue has entries: nine tenths. A shard without a bound on entries
 * takes its present entries as its share. */
static size_t policy_s3fifo_ghost_capacity(const struct queues *queues)
{
	size_t held = queues->small.count + queues->main.count;
	size_t share = queues->ghost_max == SIZE_MAX ? held : queues->ghost_max;
	return MAX(1, share - share / 10);
}

static void policy_s3fifo_admit(struct queues *queues, struct entry *entry, uint64_t hash)
{
	bool is_back = ghost_take(&queues->ghost, hash, policy_s3fifo_ghost_capacity(queues));
	bool is_filling = !queues->has_evicted &&
		(queues->small.count >= queues->small_count || queues->small.bytes >= queues->small_bytes);
	if (is_back || is_filling)
		fifo_push(&queues->main, entry, ENTRY_MAIN);
	else
		fifo_push(&queues->small, entry, ENTRY_SMALL);
}

/* Evicts from the main queue while it has more than nine tenths. */
static bool policy_s3fifo_takes_from_main(const struct queues *queues, bool by_bytes)
{
	size_t small = by_bytes ? queues->small.bytes : queues->small.count;
	size_t main = by_bytes ? queues->main.bytes : queues->main.count;
	return queues->small.count == 0 || main > 9 * small;
}

static void policy_s3fifo_requeue(struct queues *queues, struct entry *entry, unsigned hits)
{
	queues_remove(queues, entry);
	entry_set_hits(entry, hits);
	fifo_push(&queues->main, entry, ENTRY_MAIN);
}

static struct entry *policy_s3fifo_victim(struct queues *queues, const struct entry *keep, bool by_bytes,
	bool (*is_dead)(void *context, const struct entry *entry), void *context)
{
	size_t held = queues->small.count + queues->main.count;
	const struct entry *first = fifo_oldest(queues->small.count ? &queues->small : &queues->main);
	if (held == 0 || (held == 1 && first == keep))
		return NULL;
	queues->has_evicted = true;
	for (;;) {
		/* If the main queue has only the entry to keep, the victim comes from the small queue. */
		bool main_is_kept = keep && queues->main.count == 1 && fifo_oldest(&queues->main) == keep;
		bool from_main = !main_is_kept && policy_s3fifo_takes_from_main(queues, by_bytes);
		struct entry *entry = fifo_oldest(from_main ? &queues->main : &queues->small);
		unsigned hits = entry_hits(entry);
		if (entry != keep && is_dead(context, entry))
			return entry;
		if (entry == keep)
			policy_s3fifo_requeue(queues, entry, hits);
		else if (from_main && hits > 0)
			policy_s3fifo_requeue(queues, entry, hits - 1);
		else if (!from_main && hits >= PROMOTE_AT)
			policy_s3fifo_requeue(queues, entry, 0);
		else
			return entry;
	}
}

static void policy_s3fifo_forget(struct queues *queues, const struct entry *entry, uint64_t hash)
{
	if (entry_place(entry) == ENTRY_SMALL)
		ghost_add(&queues->ghost, hash, policy_s3fifo_ghost_capacity(queues));
}

const struct policy policy_s3fifo = {.name = "s3fifo",
	.admit = policy_s3fifo_admit,
	.victim = policy_s3fifo_victim,
	.forget = policy_s3fifo_forget};
