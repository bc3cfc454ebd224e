/* SPDX-License-Identifier: MIT */
#include "runtime/queue.h"

#include <limits.h>

#include "base/memory.h"
#include "runtime/runtime_private.h"
#include "runtime/wake.h"

#define QUEUE_SLOTS_MAX 1048576

/* An event that poll has handed out. */
struct place {
	struct queue_entry *entry; /* NULL: free */
	uint32_t serial;           /* grows with each use; never 0 while in use */
	uint32_t next_free;        /* index + 1 */
};

struct shipopt_queue {
	struct reference reference;
	shipopt_runtime *runtime; /* a reference */
	struct runtime_member member;
	struct wake wake;
	size_t slots;
	atomic_size_t reserved;

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct list_node entries;
	struct list_node callable; /* those of them that have a callback */
	bool wants_fd;             /* the descriptor was asked for: keep it up to date */
	bool is_taken;             /* a thread dispatches or polls */
	bool is_freed;
	bool is_closed;
	struct place *places;
	uint32_t place_count; /* those ever used */
	uint32_t first_free;  /* index + 1 */
};

_Static_assert(sizeof(shipopt_event) == 48, "the event is frozen");

/* What this thread dispatches, innermost first. */
struct frame {
	const shipopt_queue *queue;
	struct frame *outer;
};
static _Thread_local struct frame *frames;

bool queue_is_dispatching(const shipopt_queue *queue)
{
	for (struct frame *frame = frames; frame; frame = frame->outer)
		if (frame->queue == queue)
			return true;
	return false;
}

bool queue_is_any_dispatching(void)
{
	return frames != NULL;
}

/* --- life --- */

static void queue_member_stop(struct runtime_member *member)
{
	shipopt_queue *queue = CONTAINER_OF(member, shipopt_queue, member);
	pthread_mutex_lock(&queue->lock);
	queue->is_closed = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

static void queue_destroy(shipopt_queue *queue)
{
	wake_close(&queue->wake);
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
	mem_free(queue->places);
	mem_free(queue);
}

static int queue_make(size_t slots, shipopt_queue **ret_queue)
{
	shipopt_queue *queue = mem_alloc_zero(sizeof(*queue));
	if (!queue)
		return SHIPOPT_ENOMEM;
	queue->places = mem_alloc_array(slots, sizeof(*queue->places));
	int r = queue->places ? wake_open(&queue->wake) : SHIPOPT_ENOMEM;
	if (r == 0 && (r = condition_init(&queue->changed)) < 0)
		wake_close(&queue->wake);
	if (r < 0) {
		mem_free(queue->places);
		mem_free(queue);
		return r;
	}
	pthread_mutex_init(&queue->lock, NULL);
	reference_init(&queue->reference);
	list_init(&queue->entries);
	list_init(&queue->callable);
	queue->slots = slots;
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

shipopt_runtime *queue_runtime(const shipopt_queue *queue)
{
	return queue->runtime;
}

size_t queue_slots(const shipopt_queue *queue)
{
	return queue->slots;
}

void queue_unreserve(shipopt_queue *queue)
{
	size_t before = atomic_fetch_sub(&queue->reserved, 1);
	ASSERT(before > 0);
}

/* --- entries --- */

static void queue_entry_finish(shipopt_queue *queue, struct queue_entry *entry)
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

void queue_push(shipopt_queue *queue, struct queue_entry *entry)
{
	queue_ref(queue); /* the entry's own hold may be gone as soon as the lock is */
	pthread_mutex_lock(&queue->lock);
	bool is_freed = queue->is_freed;
	if (!is_freed) {
		if (list_is_empty(&queue->entries) && queue->wants_fd)
			wake_signal(&queue->wake);
		list_push_back(&queue->entries, &entry->node);
		if (entry->has_callback)
			list_push_back(&queue->callable, &entry->callable_node);
		pthread_cond_broadcast(&queue->changed);
	}
	pthread_mutex_unlock(&queue->lock);
	if (is_freed) {
		entry->queue = queue;
		entry->task.run = queue_entry_task_run;
		runtime_submit_task(queue->runtime, &entry->task);
		return; /* the task drops the reference */
	}
	queue_unref(queue);
}

/* With the lock held. */
static struct queue_entry *queue_entry_take(shipopt_queue *queue, struct queue_entry *entry)
{
	list_remove(&entry->node);
	if (entry->has_callback)
		list_remove(&entry->callable_node);
	if (list_is_empty(&queue->entries) && queue->wants_fd)
		wake_drain(&queue->wake);
	return entry;
}

static struct queue_entry *queue_entry_pop(shipopt_queue *queue)
{
	struct list_node *node = list_first(&queue->entries);
	return node ? queue_entry_take(queue, LIST_MEMBER(node, struct queue_entry, node)) : NULL;
}

/* With the lock held: the next that a thread which waits for `own` may dispatch. */
static struct queue_entry *queue_entry_pop_for(shipopt_queue *queue, struct queue_entry *own)
{
	if (!own->has_callback && list_is_linked(&own->node))
		return queue_entry_take(queue, own);
	struct list_node *node = list_first(&queue->callable);
	return node ? queue_entry_take(queue, LIST_MEMBER(node, struct queue_entry, callable_node)) : NULL;
}

int shipopt_queue_fd(const shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime))
		return queue ? queue->wake.read_fd : SHIPOPT_EINVAL;
	shipopt_queue *self = (shipopt_queue *)queue;
	pthread_mutex_lock(&self->lock);
	if (!self->wants_fd && !list_is_empty(&self->entries))
		wake_signal(&self->wake);
	self->wants_fd = true;
	pthread_mutex_unlock(&self->lock);
	return self->wake.read_fd;
}

/* --- taking --- */

/* With the lock held, which is given up for the time of the callback. */
static void queue_run_one(shipopt_queue *queue, struct queue_entry *entry)
{
	struct frame frame = {.queue = queue, .outer = frames};
	pthread_mutex_unlock(&queue->lock);
	frames = &frame;
	entry->run(entry);
	queue_entry_finish(queue, entry);
	frames = frame.outer;
	pthread_mutex_lock(&queue->lock);
}

static bool queue_has_entries(void *argument)
{
	shipopt_queue *queue = argument;
	pthread_mutex_lock(&queue->lock);
	bool has = !list_is_empty(&queue->entries) || queue->is_closed;
	pthread_mutex_unlock(&queue->lock);
	return has;
}

/* With the lock held: waits until there is an entry and no other thread takes. 1, or 0 when the time is over. */
static int queue_wait_entries(shipopt_queue *queue, int64_t timeout_ms)
{
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = timeout_ms != 0;
	while (list_is_empty(&queue->entries) || queue->is_taken) {
		if (queue->is_closed && list_is_empty(&queue->entries))
			return SHIPOPT_ESHUTDOWN;
		if (!in_time)
			return 0;
		in_time = condition_wait(&queue->changed, &queue->lock, deadline);
	}
	return 1;
}

/* Claims the queue for this thread. 1 with the lock held; 0 or an error without. */
static int queue_take_begin(shipopt_queue *queue, int64_t timeout_ms)
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
	if (r == 1)
		queue->is_taken = true;
	else
		pthread_mutex_unlock(&queue->lock);
	return r;
}

static void queue_take_end(shipopt_queue *queue)
{
	queue->is_taken = false;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

int shipopt_queue_dispatch(shipopt_queue *queue, size_t max, int64_t timeout_ms)
{
	if (!queue)
		return SHIPOPT_EINVAL;
	int r = queue_take_begin(queue, timeout_ms);
	if (r <= 0)
		return r;
	queue_ref(queue); /* a callback may free it */
	size_t most = max ? MIN(max, (size_t)INT_MAX) : 0;
	LIST_FOREACH(node, &queue->entries)
		most += max == 0; /* those that wait now: what callbacks add is for the next call */
	int count = 0;
	struct queue_entry *entry;
	while ((size_t)count < most && (entry = queue_entry_pop(queue))) {
		queue_run_one(queue, entry);
		count++;
	}
	queue_take_end(queue);
	queue_unref(queue);
	return count;
}

/* With the lock held. */
static bool queue_has_place(const shipopt_queue *queue)
{
	return queue->first_free || queue->place_count < queue->slots;
}

/* With the lock held. */
static void queue_place_give(shipopt_queue *queue, struct queue_entry *entry, shipopt_event *event)
{
	uint32_t index = queue->first_free ? queue->first_free - 1 : queue->place_count++;
	ASSERT(index < queue->slots);
	struct place *place = &queue->places[index];
	if (queue->first_free)
		queue->first_free = place->next_free;
	place->entry = entry;
	place->serial++;
	*event = entry->event;
	event->reserved[0] = index;
	event->reserved[1] = place->serial;
}

/* With the lock held: the entry that an event stands for; NULL for one that was not handed out or was given back. */
static struct queue_entry *queue_place_take(shipopt_queue *queue, const shipopt_event *event)
{
	if (event->reserved[0] >= queue->place_count)
		return NULL;
	struct place *place = &queue->places[event->reserved[0]];
	struct queue_entry *entry = place->entry;
	if (!entry || place->serial != event->reserved[1])
		return NULL;
	place->entry = NULL;
	place->next_free = queue->first_free;
	queue->first_free = (uint32_t)event->reserved[0] + 1;
	return entry;
}

int shipopt_queue_poll(shipopt_queue *queue, shipopt_event *events, size_t max, int64_t timeout_ms)
{
	if (!queue || !events || max == 0)
		return SHIPOPT_EINVAL;
	int r = queue_take_begin(queue, timeout_ms);
	if (r <= 0)
		return r;
	int count = queue_has_place(queue) ? 0 : SHIPOPT_EAGAIN;
	struct queue_entry *entry;
	while (count >= 0 && (size_t)count < MIN(max, (size_t)INT_MAX) && queue_has_place(queue) &&
		(entry = queue_entry_pop(queue)))
		queue_place_give(queue, entry, &events[count++]);
	queue_take_end(queue);
	for (int i = 0; i < count; i++) {
		entry = queue->places[events[i].reserved[0]].entry;
		if (entry->taken)
			entry->taken(entry);
	}
	return count;
}

int shipopt_queue_release(shipopt_queue *queue, const shipopt_event *events, size_t count)
{
	if (!queue || (!events && count > 0))
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(queue->runtime))
		return SHIPOPT_EFORKED;
	int r = 0;
	queue_ref(queue);
	for (size_t i = 0; i < count; i++) {
		pthread_mutex_lock(&queue->lock);
		struct queue_entry *entry = queue_place_take(queue, &events[i]);
		pthread_mutex_unlock(&queue->lock);
		if (entry)
			queue_entry_finish(queue, entry);
		else
			r = SHIPOPT_EINVAL;
	}
	queue_unref(queue);
	return r;
}

void shipopt_queue_free(shipopt_queue *queue)
{
	if (!queue || runtime_is_forked(queue->runtime))
		return;
	struct queue_entry *entry;
	pthread_mutex_lock(&queue->lock);
	queue->is_freed = true;
	while ((entry = queue_entry_pop(queue)))
		queue_run_one(queue, entry);
	/* Events that were handed out and not given back count as given back. */
	for (uint32_t i = 0; i < queue->place_count; i++) {
		entry = queue->places[i].entry;
		queue->places[i].entry = NULL;
		if (!entry)
			continue;
		pthread_mutex_unlock(&queue->lock);
		queue_entry_finish(queue, entry);
		pthread_mutex_lock(&queue->lock);
	}
	pthread_mutex_unlock(&queue->lock);
	queue_unref(queue);
}

/* --- for shipopt_op_wait() --- */

void queue_notify(shipopt_queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

struct queue_wait_state {
	shipopt_queue *queue;
	struct queue_entry *own;
	bool (*is_over)(void *argument);
	void *argument;
};

/* With the lock held: dispatches one entry, if there is one and no other thread takes. */
static bool queue_dispatch_for(shipopt_queue *queue, struct queue_entry *own)
{
	struct queue_entry *entry = queue->is_taken ? NULL : queue_entry_pop_for(queue, own);
	if (!entry)
		return false;
	queue->is_taken = true;
	queue_run_one(queue, entry);
	queue->is_taken = false;
	pthread_cond_broadcast(&queue->changed);
	return true;
}

static bool queue_simulated_is_over(void *argument)
{
	struct queue_wait_state *wait = argument;
	pthread_mutex_lock(&wait->queue->lock);
	while (!wait->is_over(wait->argument) && queue_dispatch_for(wait->queue, wait->own))
		;
	pthread_mutex_unlock(&wait->queue->lock);
	return wait->is_over(wait->argument);
}

bool queue_wait(shipopt_queue *queue, struct queue_entry *own, bool (*is_over)(void *argument), void *argument,
	int64_t timeout_ms)
{
	struct queue_wait_state wait = {queue, own, is_over, argument};
	if (queue->runtime->is_simulated)
		return runtime_simulate(queue->runtime, queue_simulated_is_over, &wait, timeout_ms);
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	queue_ref(queue);
	pthread_mutex_lock(&queue->lock);
	while (!is_over(argument) && in_time)
		if (!queue_dispatch_for(queue, own))
			in_time = condition_wait(&queue->changed, &queue->lock, deadline);
	pthread_mutex_unlock(&queue->lock);
	queue_unref(queue);
	return is_over(argument);
}

/* --- events --- */

struct shipopt_item;

const struct shipopt_item *shipopt_event_item(const shipopt_event *event)
{
	return event && event->kind == SHIPOPT_EVENT_ITEM ? (const struct shipopt_item *)(uintptr_t)event->value : NULL;
}

shipopt_request *shipopt_event_request(const shipopt_event *event)
{
	return event && event->kind == SHIPOPT_EVENT_REQUEST ? (shipopt_request *)(uintptr_t)event->value : NULL;
}

struct shipopt_notification;

const struct shipopt_notification *shipopt_event_notification(const shipopt_event *event)
{
	return event && event->kind == SHIPOPT_EVENT_NOTIFICATION
		? (const struct shipopt_notification *)(uintptr_t)event->value
		: NULL;
}

const struct shipopt_slow_query *shipopt_event_slow_query(const shipopt_event *event)
{
	return event && event->kind == SHIPOPT_EVENT_SLOW_QUERY
		? (const struct shipopt_slow_query *)(uintptr_t)event->value
		: NULL;
}
