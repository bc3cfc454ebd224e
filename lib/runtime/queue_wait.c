/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "runtime/op.h"
#include "runtime/queue_private.h"

/*
 * shipopt_op_wait() for an operation that completes to a queue: the thread that waits dispatches what has a callback,
 * and the operation's own entry.
 *
 * An operation may need the application to poll: it has put a request into the queue that has no callback, or waits for
 * a slot that only a release frees. When no thread polls, the wait would never end. That cannot be proved, as a thread
 * might begin to poll at any moment. So the wait gives up after `stall_ms` in which the operation needed a poll, no
 * thread took events and none were out, with SHIPOPT_EDEADLK. A warning is logged after a tenth of that time.
 */
struct queue_waiter {
	shipopt_queue *queue;
	shipopt_op *op;
	uint64_t takes; /* the queue's, when the time below began */
	int64_t stalled_us;
	bool is_stalled, has_warned;
};

static bool queue_op_is_over(const struct queue_waiter *waiter)
{
	return atomic_load(&waiter->op->state) & OP_DELIVERED;
}

/* The next that the waiting thread may dispatch: the oldest with a callback, unless the operation's own is older. The
 * items of a run come before its completion. */
static struct queue_entry *queue_pop_for(struct queue_waiter *waiter)
{
	shipopt_queue *queue = waiter->queue;
	struct queue_entry *own = &waiter->op->entry;
	struct list_node *node = list_first(&queue->callable);
	struct queue_entry *entry = node ? LIST_MEMBER(node, struct queue_entry, callable_node) : NULL;
	if (!own->has_callback && list_is_linked(&own->node) && (!entry || own->sequence < entry->sequence))
		entry = own;
	return entry ? queue_entry_take(queue, entry) : NULL;
}

/* With the lock held: dispatches one entry, if there is one and no other thread takes. */
static bool queue_dispatch_for(struct queue_waiter *waiter)
{
	shipopt_queue *queue = waiter->queue;
	struct queue_entry *entry = queue->is_taken ? NULL : queue_pop_for(waiter);
	if (!entry)
		return false;
	queue->is_taken = true;
	queue_entry_run(queue, entry);
	queue->is_taken = false;
	waiter->is_stalled = false;
	pthread_cond_broadcast(&queue->changed);
	return true;
}

/* --- waits that cannot end --- */

static bool queue_op_needs_poll(const struct queue_waiter *waiter)
{
	const shipopt_queue *queue = waiter->queue;
	if (atomic_load(&waiter->op->needs_slot) && !list_is_empty(&queue->entries))
		return true;
	LIST_FOREACH(node, &queue->entries) {
		const struct queue_entry *entry = LIST_MEMBER(node, struct queue_entry, node);
		if (entry->event.kind == SHIPOPT_EVENT_REQUEST && entry->event.op == waiter->op)
			return true;
	}
	return false;
}

/* With the lock held, which a warning gives up. True: give up. */
static bool queue_check_stall(struct queue_waiter *waiter)
{
	shipopt_queue *queue = waiter->queue;
	int64_t now_us = condition_now_us();
	if (!waiter->is_stalled || waiter->takes != queue->takes) {
		waiter->is_stalled = true;
		waiter->takes = queue->takes;
		waiter->stalled_us = now_us;
	}
	waiter->is_stalled = queue->places_out == 0 && queue_op_needs_poll(waiter);
	int64_t stalled_ms = waiter->is_stalled ? (now_us - waiter->stalled_us) / 1000 : 0;
	if (!waiter->has_warned && stalled_ms >= queue->stall_ms / 10 && stalled_ms > 0) {
		waiter->has_warned = true;
		pthread_mutex_unlock(&queue->lock);
		runtime_log(queue->runtime, SHIPOPT_LOG_WARNING,
			"queue: shipopt_op_wait() waits for an operation that needs its queue to be polled, and no thread polls it; "
			"poll on another thread, or set the callbacks that answer requests and take items");
		pthread_mutex_lock(&queue->lock);
	}
	return stalled_ms >= queue->stall_ms;
}

/* --- waiting --- */

static int queue_wait_threaded(struct queue_waiter *waiter, int64_t timeout_ms)
{
	shipopt_queue *queue = waiter->queue;
	int64_t deadline = condition_deadline(timeout_ms);
	while (!queue_op_is_over(waiter)) {
		if (queue_dispatch_for(waiter))
			continue;
		if (queue_check_stall(waiter))
			return SHIPOPT_EDEADLK;
		if (queue_op_is_over(waiter))
			break;
		int64_t check = condition_deadline(MAX(queue->stall_ms / 10, 1));
		bool is_last = deadline >= 0 && deadline <= check;
		if (!condition_wait(&queue->changed, &queue->lock, is_last ? deadline : check) && is_last)
			return queue_op_is_over(waiter);
	}
	return 1;
}

static bool queue_simulated_is_over(void *argument)
{
	struct queue_waiter *waiter = argument;
	pthread_mutex_lock(&waiter->queue->lock);
	while (!queue_op_is_over(waiter) && queue_dispatch_for(waiter))
		;
	pthread_mutex_unlock(&waiter->queue->lock);
	return queue_op_is_over(waiter);
}

int queue_wait(shipopt_queue *queue, shipopt_op *op, int64_t timeout_ms)
{
	struct queue_waiter waiter = {.queue = queue, .op = op};
	if (queue->runtime->is_simulated)
		return runtime_simulate(queue->runtime, queue_simulated_is_over, &waiter, timeout_ms);
	queue_ref(queue);
	pthread_mutex_lock(&queue->lock);
	int r = queue_wait_threaded(&waiter, timeout_ms);
	pthread_mutex_unlock(&queue->lock);
	queue_unref(queue);
	return r;
}

void queue_notify(shipopt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

void queue_set_stall_ms(shipopt_queue *queue, int64_t stall_ms)
{
	queue->stall_ms = stall_ms;
}
