/* SPDX-License-Identifier: MIT */
#include "runtime/ready_event.h"

#include "runtime/queue_private.h"

enum ready_state { READY_IDLE, READY_QUEUED, READY_OUT, READY_AGAIN };

/* Poll has handed it out, or a dispatch has come to it, which has nothing to call. */
static void ready_event_taken(struct queue_entry *entry)
{
	struct ready_event *ready = CONTAINER_OF(entry, struct ready_event, entry);
	atomic_store(&ready->state, READY_OUT);
}

static void ready_event_finish(struct queue_entry *entry)
{
	struct ready_event *ready = CONTAINER_OF(entry, struct ready_event, entry);
	int state = READY_OUT;
	if (atomic_compare_exchange_strong(&ready->state, &state, READY_IDLE)) {
		ready->drop(ready->object);
		return;
	}
	if (state == READY_AGAIN) {
		atomic_store(&ready->state, READY_QUEUED);
		queue_push(ready->queue, entry);
	}
}

int ready_event_init(struct ready_event *ready, shipopt_queue *queue, const shipopt_event *event)
{
	*ready = (struct ready_event){0};
	if (!queue || !queue_is_enabled(queue, SHIPOPT_EVENT_READY))
		return 0;
	int r = queue_admit(queue);
	if (r < 0)
		return r;
	ready_event_init_own(ready, queue_ref(queue), event);
	ready->has_slot = true;
	return 0;
}

void ready_event_init_own(struct ready_event *ready, shipopt_queue *queue, const shipopt_event *event)
{
	ready->queue = queue;
	ready->entry.event = *event;
	ready->entry.event.kind = SHIPOPT_EVENT_READY;
	ready->entry.keeps_slot = true;
	ready->entry.run = ready_event_taken;
	ready->entry.taken = ready_event_taken;
	ready->entry.finish = ready_event_finish;
}

void ready_event_signal(struct ready_event *ready)
{
	if (!ready->queue)
		return;
	int state = atomic_load(&ready->state);
	for (;;) {
		if (state == READY_QUEUED || state == READY_AGAIN)
			return;
		int next = state == READY_IDLE ? READY_QUEUED : READY_AGAIN;
		if (atomic_compare_exchange_weak(&ready->state, &state, next))
			break;
	}
	if (state != READY_IDLE)
		return;
	ready->hold(ready->object);
	queue_push(ready->queue, &ready->entry);
}

void ready_event_done(struct ready_event *ready)
{
	if (!ready->has_slot)
		return;
	queue_unreserve(ready->queue);
	queue_unref(TAKE(ready->queue));
	ready->has_slot = false;
}
