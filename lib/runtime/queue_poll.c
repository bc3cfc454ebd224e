/* SPDX-License-Identifier: MIT */
#include <limits.h>

#include "runtime/queue_private.h"

/* Handing out events and taking them back. */

/* With the lock held: whether the first entry, if there is one, may be handed out. */
static bool queue_has_place(const shipopt_queue *queue)
{
	struct list_node *node = list_first(&((shipopt_queue *)(uintptr_t)queue)->entries);
	bool has_no_slot = node && LIST_MEMBER(node, struct queue_entry, node)->has_no_slot;
	if (!has_no_slot && queue->slots_out >= queue->slots)
		return false;
	return queue->first_free || queue->place_count < queue->slots + QUEUE_PLACES_EXTRA;
}

/* With the lock held. */
static void queue_place_give(shipopt_queue *queue, struct queue_entry *entry, shipopt_event *event)
{
	uint32_t index = queue->first_free ? queue->first_free - 1 : queue->place_count++;
	struct queue_place *place = &queue->places[index];
	if (queue->first_free)
		queue->first_free = place->next_free;
	queue->places_out++;
	queue->slots_out += !entry->has_no_slot;
	place->entry = entry;
	place->serial++;
	*event = entry->event;
	event->reserved[0] = index;
	event->reserved[1] = place->serial;
}

/* With the lock held: the entry that an event stands for; NULL for one that was not handed out or was given back. */
static struct queue_entry *queue_place_take(shipopt_queue *queue, const shipopt_event *event)
{
	if (event->reserved[0] >= queue->place_count)
		return NULL;
	struct queue_place *place = &queue->places[event->reserved[0]];
	struct queue_entry *entry = place->entry;
	if (!entry || place->serial != event->reserved[1])
		return NULL;
	place->entry = NULL;
	place->next_free = queue->first_free;
	queue->first_free = (uint32_t)event->reserved[0] + 1;
	queue->places_out--;
	queue->slots_out -= !entry->has_no_slot;
	return entry;
}

int shipopt_queue_poll(shipopt_queue *queue, shipopt_event *events, size_t max, int64_t timeout_ms)
{
	if (!queue || !events || max == 0)
		return SHIPOPT_EINVAL;
	int r = queue_take_begin(queue, timeout_ms);
	if (r <= 0)
		return r;
	int count = queue_has_place(queue) ? 0 : SHIPOPT_EAGAIN;
	struct queue_entry *entry;
	while (count >= 0 && (size_t)count < MIN(max, (size_t)INT_MAX) && queue_has_place(queue) &&
		(entry = queue_entry_pop(queue)))
		queue_place_give(queue, entry, &events[count++]);
	queue_take_end(queue);
	for (int i = 0; i < count; i++) {
		entry = queue->places[events[i].reserved[0]].entry;
		if (entry->taken)
			entry->taken(entry);
	}
	return count;
}

int shipopt_queue_release(shipopt_queue *queue, const shipopt_event *events, size_t count)
{
	if (!queue || (!events && count > 0))
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(queue->runtime))
		return SHIPOPT_EFORKED;
	int r = 0;
	queue_ref(queue);
	for (size_t i = 0; i < count; i++) {
		pthread_mutex_lock(&queue->lock);
		struct queue_entry *entry = queue_place_take(queue, &events[i]);
		pthread_mutex_unlock(&queue->lock);
		if (entry)
			queue_entry_finish(queue, entry);
		else
			r = SHIPOPT_EINVAL;
	}
	queue_unref(queue);
	return r;
}

void queue_release_all(shipopt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	for (uint32_t i = 0; i < queue->place_count; i++) {
		struct queue_entry *entry = TAKE(queue->places[i].entry);
		if (!entry)
			continue;
		pthread_mutex_unlock(&queue->lock);
		queue_entry_finish(queue, entry);
		pthread_mutex_lock(&queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
}
