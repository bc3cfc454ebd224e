/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_QUEUE_H
#define RUNTIME_QUEUE_H

#include <shipopt/queue.h>

#include "base/list.h"
#include "runtime/task.h"

/*
 * The inside of a completion queue: a mutexed list of entries that are embedded in what they deliver, a descriptor
 * written only on empty to non-empty, and a count of reserved slots.
 *
 * Events handed out by poll are kept in a table of as many places as there are slots; place and serial number travel in the
 * event's reserved words, so that giving back what was not handed out is noticed.
 *
 * An entry with `has_callback` is also in a second list: a thread that waits for an operation dispatches those, in order,
 * and that operation's own entry, and leaves the others to be polled.
 *
 * An entry's slot is reserved (queue_reserve) when the thing is admitted and freed after its event was dispatched or
 * released. `run` is what dispatch calls; `taken` (may be NULL) is called instead when poll hands the event out; `finish` is
 * called once after `run`, or at release, and gives up the entry's hold on what it is embedded in. The event's userdata is
 * that of its operation, if it has one. An entry that keeps its slot may be pushed again from `finish` on, and its owner
 * gives the slot up.
 */
struct queue_entry {
	struct list_node node;
	struct list_node callable_node; /* the queue's own, as `node` */
	shipopt_event event;
	bool has_callback; /* `run` calls code of the host's */
	void (*run)(struct queue_entry *entry);
	void (*taken)(struct queue_entry *entry);
	void (*finish)(struct queue_entry *entry);
	bool keeps_slot;
	struct task task; /* the queue's own */
	shipopt_queue *queue;
};

/* SHIPOPT_EAGAIN when all slots are taken. */
int queue_reserve(shipopt_queue *queue);
/* Beyond the slots there are, for what a close delivers while nobody may be left to free a slot. The caller's bound is the
 * queue's. Poll never has more events out than there are slots. */
void queue_reserve_beyond(shipopt_queue *queue);
size_t queue_slots(const shipopt_queue *queue); /* in all */
void queue_unreserve(shipopt_queue *queue);     /* a reserved slot that will not be used */
/* Any thread; never fails, never blocks beyond a short lock. The slot must be reserved. After shipopt_queue_free() the
 * entry runs on the scheduler. */
void queue_push(shipopt_queue *queue, struct queue_entry *entry);
shipopt_runtime *queue_runtime(const shipopt_queue *queue);
shipopt_queue *queue_ref(shipopt_queue *queue);
void queue_unref(shipopt_queue *queue);
/* True inside a dispatch of this queue on this thread. */
bool queue_is_dispatching(const shipopt_queue *queue);
/* True inside a dispatch of any queue on this thread. */
bool queue_is_any_dispatching(void);
/* Dispatches `own` and entries that have a callback on this thread, or waits while another one takes, until `is_over`. False when
 * the deadline has passed. */
bool queue_wait(shipopt_queue *queue, struct queue_entry *own, bool (*is_over)(void *argument), void *argument,
	int64_t timeout_ms);
/* What `is_over` looks at has changed. */
void queue_notify(shipopt_queue *queue);

#endif
