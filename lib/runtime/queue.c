/* SPDX-License-Identifier: MIT */
#include "runtime/queue.h"

#include <errno.h>

#include "base/memory.h"
#include "runtime/queue_private.h"

#define QUEUE_SLOTS_MAX 1048576
#define QUEUE_STALL_MS 10000

_Static_assert(sizeof(shipopt_event) == 48, "the event is frozen");

/* --- life --- */

void queue_close(shipopt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	wake_signal(&queue->wakeup); /* for good: nobody sleeps on a closed queue */
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

static void queue_member_stop(struct runtime_member *member)
{
	shipopt_queue *queue = CONTAINER_OF(member, shipopt_queue, member);
	if (!runtime_closes_to(queue->runtime, queue)) /* that one is to get the event of the close first */
		queue_close(queue);
}

static void queue_hold(void *object)
{
	queue_ref(object);
}

static void queue_drop(void *object)
{
	queue_unref(object);
}

static void queue_destroy(shipopt_queue *queue)
{
	wake_close(&queue->wake);
	wake_close(&queue->wakeup);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	mem_free(queue->places);
	mem_free(queue);
}

static int queue_open_wakes(shipopt_queue *queue)
{
	int r = wake_open(&queue->wake);
	if (r < 0)
		return r;
	r = wake_open(&queue->wakeup);
	r = r < 0 ? r : condition_init(&queue->changed);
	if (r < 0) {
		wake_close(&queue->wake);
		wake_close(&queue->wakeup);
	}
	return r;
}

static int queue_make(size_t slots, shipopt_queue **ret_queue)
{
	shipopt_queue *queue = mem_alloc_zero(sizeof(*queue));
	if (!queue)
		return SHIPOPT_ENOMEM;
	queue->places = mem_alloc_array(slots + QUEUE_PLACES_EXTRA, sizeof(*queue->places));
	int r = queue->places ? queue_open_wakes(queue) : SHIPOPT_ENOMEM;
	if (r < 0) {
		mem_free(queue->places);
		mem_free(queue);
		return r;
	}
	pthread_mutex_init(&queue->lock, NULL);
	reference_init(&queue->reference);
	list_init(&queue->entries);
	list_init(&queue->callable);
	list_init(&queue->notices);
	queue->slots = slots;
	queue->stall_ms = QUEUE_STALL_MS;
	ready_event_init_own(&queue->ready, queue, &(shipopt_event){.value = (uint64_t)(uintptr_t)queue});
	queue->ready.entry.has_no_slot = true;
	ready_event_set_object(&queue->ready, queue, queue_hold, queue_drop);
	*ret_queue = queue;
	return 0;
}

int shipopt_queue_new(shipopt_runtime *runtime, size_t slots, shipopt_queue **ret_queue)
{
	shipopt_queue *queue = NULL;
	if (!runtime || !ret_queue || slots > QUEUE_SLOTS_MAX)
		return SHIPOPT_EINVAL;
	int r = runtime_check(runtime);
	if (r == 0)
		r = queue_make(slots ? slots : SHIPOPT_QUEUE_SLOTS_DEFAULT, &queue);
	if (r < 0)
		return r;
	queue->member.stop = queue_member_stop;
	r = runtime_register(runtime, &queue->member);
	if (r < 0) {
		queue_destroy(queue);
		return r;
	}
	queue->runtime = runtime_ref(runtime);
	*ret_queue = queue;
	return 0;
}

shipopt_queue *queue_ref(shipopt_queue *queue)
{
	if (queue)
		reference_take(&queue->reference);
	return queue;
}

void queue_unref(shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime) || !reference_drop(&queue->reference))
		return;
	shipopt_runtime *runtime = queue->runtime;
	runtime_unregister(runtime, &queue->member);
	queue_destroy(queue);
	runtime_unref(runtime);
}

shipopt_runtime *queue_runtime(const shipopt_queue *queue)
{
	return queue->runtime;
}

void shipopt_queue_free(shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime))
		return;
	struct queue_entry *entry;
	runtime_log_to(queue->runtime, queue, NULL);
	pthread_mutex_lock(&queue->lock);
	queue->is_freed = true;
	while ((entry = queue_entry_pop(queue)))
		queue_entry_run(queue, entry);
	pthread_mutex_unlock(&queue->lock);
	queue_release_all(queue);
	queue_unref(queue);
}

int shipopt_queue_enable(shipopt_queue *queue, int kind)
{
	if (!queue || kind < SHIPOPT_EVENT_SLOW_QUERY || kind > SHIPOPT_EVENT_REMOVAL)
		return SHIPOPT_EINVAL;
	int r = runtime_check(queue->runtime);
	if (r == 0 && kind == SHIPOPT_EVENT_LOG)
		r = runtime_log_to(queue->runtime, NULL, queue);
	if (r == 0)
		atomic_fetch_or(&queue->enabled, queue_kind_bit((uint32_t)kind));
	return r;
}

/* --- slots --- */

int queue_reserve(shipopt_queue *queue)
{
	size_t reserved = atomic_load(&queue->reserved);
	do {
		if (reserved >= queue->slots)
			return SHIPOPT_EAGAIN;
	} while (!atomic_compare_exchange_weak(&queue->reserved, &reserved, reserved + 1));
	return 0;
}

void queue_reserve_beyond(shipopt_queue *queue)
{
	atomic_fetch_add(&queue->reserved, 1);
}

size_t queue_slots(const shipopt_queue *queue)
{
	return queue->slots;
}

/* After a slot was freed, and after a refusal: whichever comes second sees the other. */
static void queue_report_room(shipopt_queue *queue)
{
	if (atomic_load(&queue->was_refused) && atomic_load(&queue->reserved) < queue->slots &&
		atomic_exchange(&queue->was_refused, false))
		ready_event_signal(&queue->ready);
}

int queue_admit(shipopt_queue *queue)
{
	int r = queue_reserve(queue);
	if (r < 0 && queue_is_enabled(queue, SHIPOPT_EVENT_READY)) {
		atomic_store(&queue->was_refused, true);
		queue_report_room(queue);
	}
	return r;
}

void queue_unreserve(shipopt_queue *queue)
{
	size_t before = atomic_fetch_sub(&queue->reserved, 1);
	ASSERT(before > 0);
	queue_report_room(queue);
}

/* --- entries --- */

void queue_entry_finish(shipopt_queue *queue, struct queue_entry *entry)
{
	bool keeps_slot = entry->keeps_slot;
	entry->finish(entry);
	if (!keeps_slot)
		queue_unreserve(queue);
}

static void queue_entry_task_run(struct task *task)
{
	struct queue_entry *entry = CONTAINER_OF(task, struct queue_entry, task);
	shipopt_queue *queue = entry->queue;
	entry->run(entry);
	queue_entry_finish(queue, entry);
	queue_unref(queue);
}

static void queue_signal(shipopt_queue *queue)
{
	if (queue->is_signaled || (!queue->wants_fd && !queue->sleepers))
		return;
	queue->is_signaled = true;
	wake_signal(&queue->wake);
}

void queue_entry_add(shipopt_queue *queue, struct queue_entry *entry)
{
	list_push_back(&queue->entries, &entry->node);
	entry->sequence = queue->added++;
	if (entry->has_callback)
		list_push_back(&queue->callable, &entry->callable_node);
	if (entry->is_notice) {
		list_push_back(&queue->notices, &entry->notice_node);
		queue->notice_count++;
	}
	queue_signal(queue);
	pthread_cond_broadcast(&queue->changed);
}

void queue_push(shipopt_queue *queue, struct queue_entry *entry)
{
	queue_ref(queue); /* the entry's own hold may be gone as soon as the lock is */
	pthread_mutex_lock(&queue->lock);
	bool is_freed = queue->is_freed;
	if (!is_freed)
		queue_entry_add(queue, entry);
	pthread_mutex_unlock(&queue->lock);
	if (is_freed) {
		entry->queue = queue;
		entry->task.run = queue_entry_task_run;
		runtime_submit_task(queue->runtime, &entry->task);
		return; /* the task drops the reference */
	}
	queue_unref(queue);
}

struct queue_entry *queue_entry_take(shipopt_queue *queue, struct queue_entry *entry)
{
	list_remove(&entry->node);
	if (entry->has_callback)
		list_remove(&entry->callable_node);
	if (entry->is_notice) {
		list_remove(&entry->notice_node);
		queue->notice_count--;
	}
	if (list_is_empty(&queue->entries) && queue->is_signaled) {
		queue->is_signaled = false;
		wake_drain(&queue->wake);
	}
	return entry;
}

struct queue_entry *queue_entry_pop(shipopt_queue *queue)
{
	struct list_node *node = list_first(&queue->entries);
	return node ? queue_entry_take(queue, LIST_MEMBER(node, struct queue_entry, node)) : NULL;
}

/* --- descriptors --- */

int shipopt_queue_fd(const shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime))
		return queue ? queue->wake.read_fd : SHIPOPT_EINVAL;
	shipopt_queue *self = (shipopt_queue *)(uintptr_t)queue;
	pthread_mutex_lock(&self->lock);
	self->wants_fd = true;
	if (!list_is_empty(&self->entries))
		queue_signal(self);
	pthread_mutex_unlock(&self->lock);
	return self->wake.read_fd;
}

void shipopt_queue_wakeup(shipopt_queue *queue)
{
	int before = errno; /* this may be a signal handler */
	if (queue && !runtime_is_forked(queue->runtime))
		wake_signal(&queue->wakeup);
	errno = before;
}
