/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_READY_EVENT_H
#define RUNTIME_READY_EVENT_H

#include <stdatomic.h>

#include "runtime/queue.h"

/*
 * "You can go on", as an event of the kind SHIPOPT_EVENT_READY: a stream has rows again, a COPY or a push source has
 * room, a queue has a free slot. Embedded in the object it speaks of; its slot is reserved when that object is made, so
 * that it can always be sent.
 *
 * One event stands for any number of signals: while it waits in the queue, more change nothing. After poll has handed
 * it out, a signal is remembered and sent when the event is released. So an application that looks at the object after
 * it took the event misses nothing.
 *
 *   idle ──signal──▶ queued ──poll──▶ out ──release──▶ idle
 *                       ▲              │ signal
 *                       └── release ── again
 *
 * While it is not idle it holds the object (`hold`, `drop`). Where the application did not ask for READY events
 * (shipopt_queue_enable()), or there is no queue, nothing is reserved and a signal does nothing.
 */
struct ready_event {
	struct queue_entry entry;
	shipopt_queue *queue; /* a reference; NULL: not wanted */
	atomic_int state;     /* READY_… in ready_event.c */
	void *object;
	void (*hold)(void *object);
	void (*drop)(void *object);
	bool has_slot;
};

/* `queue` may be NULL. `event` is sent each time; its kind is set here. SHIPOPT_EAGAIN when the queue has no free
 * slot. */
int ready_event_init(struct ready_event *ready, shipopt_queue *queue, const shipopt_event *event);
/* The queue's own, which needs no slot and no reference. */
void ready_event_init_own(struct ready_event *ready, shipopt_queue *queue, const shipopt_event *event);
/* What keeps the object while the event is on its way; to be set before the first signal. */
static inline void ready_event_set_object(struct ready_event *ready, void *object, void (*hold)(void *object),
	void (*drop)(void *object))
{
	ready->object = object;
	ready->hold = hold;
	ready->drop = drop;
}
/* Any thread, also with locks of the object held. */
void ready_event_signal(struct ready_event *ready);
/* When the object goes: gives up the slot. Also for one that is all zero. */
void ready_event_done(struct ready_event *ready);

#endif
