/* SPDX-License-Identifier: MIT */
#include "cache/policy/policy.h"

void queues_init(struct queues *queues, size_t entries_share, size_t bytes_share)
{
	list_init(&queues->small.head);
	list_init(&queues->main.head);
	queues->small_count = MAX(1, entries_share / 10);
	queues->small_bytes = MAX(1, bytes_share / 10);
	queues->ghost_max = entries_share;
}

static struct fifo *policy_fifo_of(struct queues *queues, const struct entry *entry)
{
	return entry_place(entry) == ENTRY_SMALL ? &queues->small : &queues->main;
}

void fifo_push(struct fifo *queue, struct entry *entry, unsigned place)
{
	entry_set_mark(entry, place);
	list_push_front(&queue->head, &entry->link.queue);
	queue->count++;
	queue->bytes += entry_weight(entry);
}

void queues_remove(struct queues *queues, struct entry *entry)
{
	struct fifo *queue = policy_fifo_of(queues, entry);
	list_remove(&entry->link.queue);
	queue->count--;
	queue->bytes -= entry_weight(entry);
}

void queues_replace(struct queues *queues, struct entry *old, struct entry *entry)
{
	struct fifo *queue = policy_fifo_of(queues, old);
	entry_set_mark(entry, atomic_load_explicit(&old->mark, memory_order_relaxed));
	entry_set_hits(entry, entry_hits(old));
	list_insert_after(&old->link.queue, &entry->link.queue);
	list_remove(&old->link.queue);
	queue->bytes += entry_weight(entry);
	queue->bytes -= entry_weight(old);
}
