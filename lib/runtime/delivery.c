/* SPDX-License-Identifier: MIT */
#include "runtime/delivery.h"

#include <stdint.h>

#include "runtime/reactor.h"
#include "runtime/runtime.h"

/* --- slots --- */

static int delivery_take(const struct delivery *delivery, size_t count, int (*reserve)(shipopt_queue *queue))
{
	for (size_t i = 0; delivery_is_queued(delivery) && i < count; i++)
		if (reserve(delivery->queue) < 0) {
			delivery_unreserve(delivery, i);
			return SHIPOPT_EAGAIN;
		}
	return 0;
}

int delivery_reserve(const struct delivery *delivery, size_t count)
{
	return delivery_take(delivery, count, queue_reserve);
}

int delivery_admit(const struct delivery *delivery, size_t count)
{
	return delivery_take(delivery, count, queue_admit);
}

void delivery_reserve_beyond(const struct delivery *delivery)
{
	if (delivery_is_queued(delivery))
		queue_reserve_beyond(delivery->queue);
}

void delivery_unreserve(const struct delivery *delivery, size_t count)
{
	for (size_t i = 0; delivery_is_queued(delivery) && i < count; i++)
		queue_unreserve(delivery->queue);
}

size_t delivery_slots(const struct delivery *delivery)
{
	return delivery_is_queued(delivery) ? queue_slots(delivery->queue) : SIZE_MAX;
}

bool delivery_is_dispatching(const struct delivery *delivery)
{
	return delivery_is_queued(delivery) && queue_is_dispatching(delivery->queue);
}

/* --- delivering --- */

static void deliver_task(struct task *task)
{
	struct queue_entry *entry = CONTAINER_OF(task, struct queue_entry, task);
	entry->run(entry);
	entry->finish(entry);
}

void deliver(const struct delivery *delivery, shipopt_runtime *runtime, struct reactor *reactor,
	struct queue_entry *entry)
{
	if (delivery_is_queued(delivery)) {
		queue_push(delivery->queue, entry);
		return;
	}
	entry->task.run = deliver_task;
	delivery_submit(delivery, runtime, reactor, &entry->task);
}

void delivery_submit(const struct delivery *delivery, shipopt_runtime *runtime, struct reactor *reactor,
	struct task *task)
{
	if (!delivery_is_inline(delivery))
		runtime_submit_task(runtime, task);
	else if (!runtime_post(runtime, reactor, task))
		task->run(task);
}

/* --- configuration --- */

int delivery_set_mode(struct delivery *delivery, int mode)
{
	if (mode < DELIVERY_SCHEDULER || mode > DELIVERY_QUEUE)
		return SHIPOPT_EINVAL;
	delivery->mode = mode;
	return 0;
}

int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue)
{
	queue_ref(queue);
	queue_unref(delivery->queue);
	delivery->queue = queue;
	delivery->mode = queue ? DELIVERY_QUEUE : DELIVERY_SCHEDULER;
	return 0;
}

int delivery_check(const struct delivery *delivery, const char *noun, shipopt_error **ret_error)
{
	if (!delivery_is_queued(delivery) || delivery->queue)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL, "%s: delivery to a queue was asked for, and no queue was set",
		noun);
}
