/* SPDX-License-Identifier: MIT */
#include "cache/policy/policy.h"

static void policy_lru_admit(struct queues *queues, struct entry *entry, uint64_t hash)
{
	fifo_push(&queues->main, entry, ENTRY_MAIN);
}

static void policy_lru_hit(struct queues *queues, struct entry *entry)
{
	list_remove(&entry->link.queue);
	list_push_front(&queues->main.head, &entry->link.queue);
}

static struct entry *policy_lru_victim(struct queues *queues, const struct entry *keep, bool by_bytes,
	bool (*is_dead)(void *context, const struct entry *entry), void *context)
{
	struct entry *entry = fifo_oldest(&queues->main);
	if (entry && entry == keep) {
		policy_lru_hit(queues, entry);
		entry = fifo_oldest(&queues->main);
	}
	return entry == keep ? NULL : entry;
}

static void policy_lru_forget(struct queues *queues, const struct entry *entry, uint64_t hash)
{
}

const struct policy policy_lru = {.name = "lru",
	.moves_on_hit = true,
	.admit = policy_lru_admit,
	.hit = policy_lru_hit,
	.victim = policy_lru_victim,
	.forget = policy_lru_forget};
