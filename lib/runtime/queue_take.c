/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "runtime/queue_private.h"

/* Taking events: one thread at a time does. It waits on the queue's descriptors, so that a signal handler can end the
 * wait. */

/* What this thread dispatches, innermost first. */
struct queue_frame {
	const shipopt_queue *queue;
	struct queue_frame *outer;
};
static _Thread_local struct queue_frame *queue_frames;

bool queue_is_dispatching(const shipopt_queue *queue)
{
	for (struct queue_frame *frame = queue_frames; frame; frame = frame->outer)
		if (frame->queue == queue)
			return true;
	return false;
}

bool queue_is_any_dispatching(void)
{
	return queue_frames != NULL;
}

void queue_entry_run(shipopt_queue *queue, struct queue_entry *entry)
{
	struct queue_frame frame = {.queue = queue, .outer = queue_frames};
	pthread_mutex_unlock(&queue->lock);
	queue_frames = &frame;
	entry->run(entry);
	queue_entry_finish(queue, entry);
	queue_frames = frame.outer;
	pthread_mutex_lock(&queue->lock);
}

/* --- waiting for an entry --- */

enum queue_sleep { QUEUE_SLEEP_OVER, QUEUE_SLEEP_LATE, QUEUE_SLEEP_WOKEN };

static enum queue_sleep queue_poll_descriptors(shipopt_queue *queue, int64_t deadline_us)
{
	struct pollfd descriptors[] = {{.fd = queue->wake.read_fd, .events = POLLIN},
		{.fd = queue->wakeup.read_fd, .events = POLLIN}};
	int ready;
	do
		ready = poll(descriptors, 2, condition_left_ms(deadline_us));
	while (ready < 0 && errno == EINTR);
	if (descriptors[1].revents)
		return QUEUE_SLEEP_WOKEN;
	return ready > 0 ? QUEUE_SLEEP_OVER : QUEUE_SLEEP_LATE;
}

/* With the lock held, which is given up meanwhile. The queue is empty, so the descriptor is not readable yet. */
static enum queue_sleep queue_sleep(shipopt_queue *queue, int64_t deadline_us)
{
	queue->sleepers++;
	pthread_mutex_unlock(&queue->lock);
	enum queue_sleep result = queue_poll_descriptors(queue, deadline_us);
	pthread_mutex_lock(&queue->lock);
	queue->sleepers--;
	if (result == QUEUE_SLEEP_WOKEN && !queue->is_closed)
		wake_drain(&queue->wakeup);
	return result;
}

/* With the lock held: waits until there is an entry and no other thread takes. 1, or 0 when the time is over or
 * somebody ends the wait. */
static int queue_wait_entries(shipopt_queue *queue, int64_t timeout_ms)
{
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = timeout_ms != 0;
	while (list_is_empty(&queue->entries) || queue->is_taken) {
		if (queue->is_closed && list_is_empty(&queue->entries))
			return SHIPOPT_ESHUTDOWN;
		if (!in_time)
			return 0;
		if (list_is_empty(&queue->entries))
			in_time = queue_sleep(queue, deadline) == QUEUE_SLEEP_OVER;
		else
			in_time = condition_wait(&queue->changed, &queue->lock, deadline);
	}
	return 1;
}

static bool queue_has_entries(void *argument)
{
	shipopt_queue *queue = argument;
	pthread_mutex_lock(&queue->lock);
	bool has = !list_is_empty(&queue->entries) || queue->is_closed;
	pthread_mutex_unlock(&queue->lock);
	return has;
}

int queue_take_begin(shipopt_queue *queue, int64_t timeout_ms)
{
	if (runtime_is_forked(queue->runtime))
		return SHIPOPT_EFORKED;
	if (queue_is_dispatching(queue))
		return SHIPOPT_EDEADLK;
	if (queue->runtime->is_simulated && timeout_ms != 0 && !runtime_is_library_thread()) {
		runtime_simulate(queue->runtime, queue_has_entries, queue, timeout_ms);
		timeout_ms = 0;
	}
	pthread_mutex_lock(&queue->lock);
	int r = timeout_ms != 0 && runtime_is_library_thread() ? queue_wait_entries(queue, 0)
							       : queue_wait_entries(queue, timeout_ms);
	if (r == 0 && timeout_ms != 0 && runtime_is_library_thread())
		r = SHIPOPT_EDEADLK;
	if (r == 1) {
		queue->is_taken = true;
		queue->takes++;
	} else {
		pthread_mutex_unlock(&queue->lock);
	}
	return r;
}

void queue_take_end(shipopt_queue *queue)
{
	queue->is_taken = false;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* --- dispatching --- */

int shipopt_queue_dispatch(shipopt_queue *queue, size_t max, int64_t timeout_ms)
{
	if (!queue)
		return SHIPOPT_EINVAL;
	int r = queue_take_begin(queue, timeout_ms);
	if (r <= 0)
		return r;
	queue_ref(queue); /* a callback may free it */
	size_t limit = max ? MIN(max, (size_t)INT_MAX) : 0;
	LIST_FOREACH(node, &queue->entries)
		limit += max == 0; /* those that wait now: what callbacks add is for the next call */
	int count = 0;
	struct queue_entry *entry;
	while ((size_t)count < limit && (entry = queue_entry_pop(queue))) {
		queue_entry_run(queue, entry);
		count++;
	}
	queue_take_end(queue);
	queue_unref(queue);
	return count;
}
