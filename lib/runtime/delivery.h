/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_DELIVERY_H
#define RUNTIME_DELIVERY_H

#include "base/error.h"
#include "config/settings.h"
#include "runtime/queue.h"

/*
 * How the results of a handle reach the application: the one place that knows the three ways.
 *
 *   DELIVERY_SCHEDULER  a callback runs on a scheduler worker
 *   DELIVERY_INLINE     a callback runs on the reactor
 *   DELIVERY_QUEUE      the application takes an event from its queue, with its callback or without
 *
 * What is delivered is a queue entry, embedded in the object that it delivers. deliver() hands it over and never fails:
 * a slot of the queue is reserved before, when the work is admitted (delivery_reserve()). The other ways need no slot.
 *
 * The application configures a delivery with `_set_queue` or the setting deliver_inline; see DELIVERY_PUBLIC. A
 * question to the application, with its answer, is a request (runtime/request.h).
 */
enum delivery_mode { DELIVERY_SCHEDULER = 0, DELIVERY_INLINE = 1, DELIVERY_QUEUE = 2 };

struct delivery {
	int mode;             /* enum delivery_mode */
	shipopt_queue *queue; /* for DELIVERY_QUEUE; who holds the reference, its owner says */
};

struct reactor;

static inline bool delivery_is_queued(const struct delivery *delivery)
{
	return delivery->mode == DELIVERY_QUEUE;
}

static inline bool delivery_is_inline(const struct delivery *delivery)
{
	return delivery->mode == DELIVERY_INLINE;
}

/* Reserves slots of the queue, all or none: SHIPOPT_EAGAIN. Without a queue it succeeds. */
int delivery_reserve(const struct delivery *delivery, size_t count);
/* The same on behalf of a call that will return SHIPOPT_EAGAIN: the queue sends READY when there is a slot again. */
int delivery_admit(const struct delivery *delivery, size_t count);
/* Reserves a slot beyond those there are, for what a close delivers; see queue_reserve_beyond(). */
void delivery_reserve_beyond(const struct delivery *delivery);
/* Gives up reserved slots that will not be used. */
void delivery_unreserve(const struct delivery *delivery, size_t count);
/* How many slots there are in all; SIZE_MAX without a queue. */
size_t delivery_slots(const struct delivery *delivery);
/* True inside a dispatch of the delivery's queue on this thread: waiting here would wait for itself. */
bool delivery_is_dispatching(const struct delivery *delivery);

/* Delivers an entry: its event and its callback are set, its slot is reserved. With a callback it may run, and the
 * object may be gone, before the call returns. `reactor` is where DELIVERY_INLINE runs callbacks. */
void deliver(const struct delivery *delivery, shipopt_runtime *runtime, struct reactor *reactor,
	struct queue_entry *entry);
/* Runs a task on the thread where callbacks run: a scheduler worker or the reactor. For objects that call back by
 * themselves when there is no queue. */
void delivery_submit(const struct delivery *delivery, shipopt_runtime *runtime, struct reactor *reactor,
	struct task *task);

/* Takes a reference and makes the queue the mode; NULL drops it and restores the scheduler. */
int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue);
/* Checks a configuration: its settings (settings_check()), and that a queue and deliver_inline are not both set. */
int delivery_check(const struct delivery *delivery, const struct settings *settings, size_t deliver_inline,
	shipopt_error **ret_error);
/* The delivery of a handle: that of its configuration, or inline if the setting says so. Takes a reference to the
 * queue. */
void delivery_copy(struct delivery *to, const struct delivery *from, const struct settings *settings,
	size_t deliver_inline);

/* The public setter, for a struct shipopt_<noun>_config with a member `delivery`. */
#define DELIVERY_PUBLIC(noun)                                                                        \
	int shipopt_##noun##_config_set_queue(shipopt_##noun##_config *config, shipopt_queue *queue) \
	{                                                                                            \
		return config ? delivery_set_queue(&config->delivery, queue) : SHIPOPT_EINVAL;       \
	}

#endif
