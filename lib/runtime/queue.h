/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_QUEUE_H
#define RUNTIME_QUEUE_H

#include <shipopt/queue.h>

#include "base/list.h"

/*
 * The inside of a completion queue: a mutexed list of entries that are embedded in what they deliver, a descriptor
 * written only on empty to non-empty, and a count of reserved slots.
 *
 * An entry's slot is reserved (queue_reserve) when the thing is admitted and freed after its event was dispatched or
 * released. `run` is what dispatch calls; `finish` is called once after `run`, or at release, and gives up the entry's hold
 * on what it is embedded in.
 */
struct queue_entry {
	struct list_node node;
	shipopt_event event;
	void (*run)(struct queue_entry *entry);
	void (*finish)(struct queue_entry *entry);
};

/* SHIPOPT_EAGAIN when all slots are taken. */
int queue_reserve(shipopt_queue *queue);
void queue_unreserve(shipopt_queue *queue); /* a reserved slot that will not be used */
/* Any thread; never fails, never blocks beyond a short lock. The slot must be reserved. After shipopt_queue_free() the
 * entry runs on the scheduler. */
void queue_push(shipopt_queue *queue, struct queue_entry *entry);
shipopt_queue *queue_ref(shipopt_queue *queue);
void queue_unref(shipopt_queue *queue);
/* True inside a dispatch of this queue on this thread. */
bool queue_is_dispatching(const shipopt_queue *queue);

#endif
