/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_QUEUE_H
#define RUNTIME_QUEUE_H

#include <shipopt/queue.h>

#include "base/list.h"
#include "runtime/task.h"

/*
 * The inside of a completion queue, as the objects see it that deliver to one.
 *
 * A queue is a list of entries, embedded in what they deliver, and a count of reserved slots. An entry's slot is
 * reserved when the work is admitted, so that pushing never allocates, blocks or fails; it is freed after the event was
 * dispatched or released. `run` is what dispatch calls. `taken` (may be NULL) is called instead when poll hands the
 * event out. `finish` is called once, after `run` or at the release, and gives up the entry's hold on the object.
 *
 * An entry with `keeps_slot` does not free its slot: it may be pushed again from `finish` on, and its owner gives the
 * slot up.
 *
 * An entry with `has_callback` is also in a second list. A thread that waits for an operation dispatches those, in
 * order, and that operation's own entry, and leaves the others to be polled.
 *
 * Events that poll has handed out are kept in a table; place and serial number travel in the event's reserved words, so
 * that a release of an event that is not out is noticed.
 *
 * What may get lost is a notice (runtime/notice.h); what says "you can go on" is a ready event (runtime/ready_event.h).
 */
struct queue_entry {
	struct list_node node;
	struct list_node callable_node, notice_node; /* the queue's own, as `node` */
	shipopt_event event;
	bool has_callback; /* `run` calls code of the host's */
	void (*run)(struct queue_entry *entry);
	void (*taken)(struct queue_entry *entry);
	void (*finish)(struct queue_entry *entry);
	bool keeps_slot;
	bool has_no_slot;  /* and needs none: a notice, or one of the queue's own events */
	bool is_notice;    /* the queue's own */
	uint64_t sequence; /* the queue's own: its place in the order of arrival */
	struct task task;  /* the queue's own */
	shipopt_queue *queue;
};

/* SHIPOPT_EAGAIN when all slots are taken. */
int queue_reserve(shipopt_queue *queue);
/* The same on behalf of a call that will return SHIPOPT_EAGAIN: the queue sends READY when there is a slot again. */
int queue_admit(shipopt_queue *queue);
/* Beyond the slots there are, for what a close delivers while nobody may be left to free a slot. The caller's bound is
 * the queue's. */
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
/* For shipopt_op_wait(): dispatches the operation's entry and those that have a callback on this thread, or waits while
 * another thread takes, until the operation is delivered. 1, 0 when the time is over, or SHIPOPT_EDEADLK: see
 * queue_wait.c. */
int queue_wait(shipopt_queue *queue, shipopt_op *op, int64_t timeout_ms);
/* An operation of this queue was delivered. */
void queue_notify(shipopt_queue *queue);
/* For tests: how long queue_wait() waits for a poll that does not come. */
void queue_set_stall_ms(shipopt_queue *queue, int64_t stall_ms);

#endif
