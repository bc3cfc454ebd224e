/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CONFIG
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

int delivery_set_queue(struct delivery *delivery, shipopt_queue *queue)
{
	queue_ref(queue);
	queue_unref(delivery->queue);
	delivery->queue = queue;
	delivery->mode = queue ? DELIVERY_QUEUE : DELIVERY_SCHEDULER;
	return 0;
}

int delivery_check(const struct delivery *delivery, const struct settings *settings, size_t deliver_inline,
	shipopt_error **ret_error)
{
	int r = settings_check(settings, ret_error);
	if (r < 0 || !delivery->queue || !settings_number(settings, deliver_inline))
		return r;
	return error_set(ret_error, SHIPOPT_EINVAL,
		"%s setting deliver_inline: it is 1 and a queue is set; use one of them", settings->table->noun);
}

void delivery_copy(struct delivery *to, const struct delivery *from, const struct settings *settings,
	size_t deliver_inline)
{
	*to = *from;
	queue_ref(to->queue);
	if (settings_number(settings, deliver_inline))
		to->mode = DELIVERY_INLINE;
}
