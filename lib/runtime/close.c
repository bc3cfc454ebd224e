/* SPDX-License-Identifier: MIT */
#include "runtime/queue_private.h"

/*
 * The close: refuse what is new, let operations finish, cancel the rest, let members give up what they have on
 * reactors, then end the threads in the order in which they hand work to each other: side pool, reactors, workers.
 *
 * All of this is done by a thread of its own, the closer; shipopt_runtime_close() waits for it as long as it was told
 * to, and CLOSE_GRACE_MS more. When the closer is not done by then, something in this process blocks: a callback of the
 * host's, a name look-up, a file. The close then gives up waiting and nothing else: the closer, the reactors and the
 * workers stay, the blocked thread finds everything it uses where it was, and when it comes back they end as they would
 * have. Only callbacks of the host are not begun any more (runtime_may_call_host()). Nothing blocks in a purchase that
 * is on the wire; its answer comes within the carrier's timeout_ms, and the close waits for it (runtime_await()).
 *
 * `closer` is joined by the close that sees it done, or detached with the last reference, whichever takes `has_closer`.
 * Without a thread for the closer, and in a simulation, the closing thread does its work itself.
 */
#define CLOSE_GRACE_MS 1000

int runtime_register(shipopt_runtime *runtime, struct runtime_member *member)
{
	pthread_mutex_lock(&runtime->lock);
	int r = atomic_load(&runtime->state) == RUNTIME_OPEN ? 0 : SHIPOPT_ESHUTDOWN;
	if (r == 0)
		list_push_back(&runtime->members, &member->node);
	else
		list_init(&member->node);
	pthread_mutex_unlock(&runtime->lock);
	return r;
}

/* With the lock held: waits until the close does not call this member on another thread. */
static void close_wait_uncalled(shipopt_runtime *runtime, const struct runtime_member *member)
{
	while (runtime->called == member && !pthread_equal(runtime->called_by, pthread_self()))
		pthread_cond_wait(&runtime->changed, &runtime->lock);
}

void runtime_unregister(shipopt_runtime *runtime, struct runtime_member *member)
{
	pthread_mutex_lock(&runtime->lock);
	close_wait_uncalled(runtime, member);
	list_remove(&member->node);
	pthread_mutex_unlock(&runtime->lock);
}

/* With the lock held, which is given up for the time of the call. */
static void close_call_member(shipopt_runtime *runtime, struct runtime_member *member,
	void (*function)(struct runtime_member *member))
{
	if (!function)
		return;
	runtime->called = member;
	runtime->called_by = pthread_self();
	pthread_mutex_unlock(&runtime->lock);
	function(member);
	pthread_mutex_lock(&runtime->lock);
	runtime->called = NULL;
	pthread_cond_broadcast(&runtime->changed);
}

static void close_cancel_members(shipopt_runtime *runtime)
{
	struct list_node waiting, *node;
	list_init(&waiting);
	pthread_mutex_lock(&runtime->lock);
	list_splice_back(&waiting, &runtime->members);
	while ((node = list_pop_front(&waiting))) {
		struct runtime_member *member = LIST_MEMBER(node, struct runtime_member, node);
		list_push_back(&runtime->members, node);
		close_call_member(runtime, member, member->cancel);
	}
	pthread_mutex_unlock(&runtime->lock);
}

static void close_stop_members(shipopt_runtime *runtime)
{
	pthread_mutex_lock(&runtime->lock);
	while (!list_is_empty(&runtime->members)) {
		struct runtime_member *member = LIST_MEMBER(runtime->members.previous, struct runtime_member, node);
		list_remove(&member->node);
		close_call_member(runtime, member, member->stop);
	}
	pthread_mutex_unlock(&runtime->lock);
}

static bool close_nothing_runs(void *argument)
{
	shipopt_runtime *runtime = argument;
	return atomic_load(&runtime->running) == 0;
}

static bool close_executor_is_empty(void *argument)
{
	shipopt_runtime *runtime = argument;
	return atomic_load(&runtime->executor_tasks) == 0;
}

static bool close_wait_until(shipopt_runtime *runtime, bool (*is_over)(void *argument), int64_t timeout_ms)
{
	if (runtime->is_simulated)
		return runtime_simulate(runtime, is_over, runtime, timeout_ms);
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = true;
	pthread_mutex_lock(&runtime->lock);
	while (!is_over(runtime) && in_time)
		in_time = condition_wait(&runtime->changed, &runtime->lock, deadline);
	pthread_mutex_unlock(&runtime->lock);
	return is_over(runtime);
}

static void close_end_reactors(shipopt_runtime *runtime)
{
	for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++) {
		struct runtime_reactor *slot = &runtime->reactors[i];
		if (!slot->has_thread)
			continue;
		reactor_stop(slot->reactor);
		pthread_join(slot->thread, NULL);
		slot->has_thread = false;
	}
}

static void close_end_threads(shipopt_runtime *runtime)
{
	side_pool_stop(runtime->side_pool);
	side_pool_join(runtime->side_pool);
	close_end_reactors(runtime);
	close_wait_until(runtime, close_executor_is_empty, -1);
	scheduler_stop(runtime->scheduler);
	scheduler_join(runtime->scheduler);
	runtime_drain(runtime);
}

static void close_send_event(shipopt_runtime *runtime);

static bool close_is_closed(void *argument)
{
	shipopt_runtime *runtime = argument;
	return atomic_load(&runtime->state) == RUNTIME_CLOSED;
}

static void close_all(shipopt_runtime *runtime)
{
	if (!close_wait_until(runtime, close_nothing_runs, runtime->close_timeout_ms)) {
		runtime->close_status = SHIPOPT_ETIMEDOUT;
		close_cancel_members(runtime);
		close_wait_until(runtime, close_nothing_runs, -1);
	}
	close_stop_members(runtime);
	close_end_threads(runtime);
	atomic_store(&runtime->state, RUNTIME_CLOSED);
	runtime_drain(runtime); /* what came before the state was seen */
	close_send_event(runtime);
	runtime_notify(runtime);
}

static void *close_closer_main(void *argument)
{
	shipopt_runtime *runtime = argument;
	pthread_mutex_lock(&runtime->lock); /* whoever starts the closer has it until all is set */
	pthread_mutex_unlock(&runtime->lock);
	close_all(runtime);
	thread_owner_drop(&runtime->owner);
	return NULL;
}

/* With the lock held. False if the system has no thread. */
static bool close_start_closer(shipopt_runtime *runtime)
{
	if (runtime->is_simulated)
		return false;
	thread_owner_hold(&runtime->owner);
	bool is_started = thread_start(&runtime->closer, "shipopt-close", close_closer_main, runtime) == 0;
	if (is_started)
		atomic_store(&runtime->has_closer, true);
	else
		thread_owner_drop(&runtime->owner);
	return is_started;
}

/* With the lock held. While a purchase is on the wire, or has just been answered, there is more time. */
static bool close_wait_closed(shipopt_runtime *runtime, int64_t timeout_ms)
{
	int64_t limit_ms = timeout_ms < 0 || timeout_ms > INT64_MAX - CLOSE_GRACE_MS ? -1 : timeout_ms + CLOSE_GRACE_MS;
	int64_t deadline = condition_deadline(limit_ms);
	bool in_time = true, had_awaited = false;
	while (!close_is_closed(runtime) && in_time) {
		in_time = condition_wait(&runtime->changed, &runtime->lock, deadline);
		if (in_time)
			continue;
		bool has_awaited = atomic_load(&runtime->awaited) > 0;
		in_time = has_awaited || had_awaited;
		had_awaited = has_awaited;
		deadline = condition_deadline(CLOSE_GRACE_MS);
	}
	return close_is_closed(runtime);
}

/* SHIPOPT_EBUSY when the time is over; for whoever began the close this is the time when it gives up. */
static int close_finish_close(shipopt_runtime *runtime, int64_t timeout_ms, bool is_first)
{
	pthread_mutex_lock(&runtime->lock);
	bool is_over = close_wait_closed(runtime, timeout_ms);
	if (!is_over && is_first)
		atomic_store(&runtime->is_abandoned, true);
	pthread_mutex_unlock(&runtime->lock);
	if (!is_over)
		return SHIPOPT_EBUSY;
	if (atomic_exchange(&runtime->has_closer, false))
		pthread_join(runtime->closer, NULL);
	return is_first ? runtime->close_status : 0;
}

static int close_check(const shipopt_runtime *runtime)
{
	if (!runtime)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(runtime))
		return SHIPOPT_EFORKED;
	return atomic_load(&runtime->is_exiting) ? SHIPOPT_ESHUTDOWN
						 : 0; /* the reactors have ended: operations would never finish */
}

/* Begins the close, unless that was done. Under the lock, so that nothing is registered or started any more once it is
 * given up. */
static bool close_begin(shipopt_runtime *runtime, int64_t timeout_ms)
{
	int open = RUNTIME_OPEN;
	bool has_closer = false;
	pthread_mutex_lock(&runtime->lock);
	bool is_first = atomic_compare_exchange_strong(&runtime->state, &open, RUNTIME_CLOSING);
	if (is_first) {
		runtime->close_timeout_ms = timeout_ms;
		has_closer = close_start_closer(runtime);
	}
	pthread_mutex_unlock(&runtime->lock);
	if (is_first && !has_closer)
		close_all(runtime);
	return is_first;
}

int shipopt_runtime_close(shipopt_runtime *runtime, int64_t timeout_ms)
{
	int r = close_check(runtime);
	if (r < 0)
		return r;
	if (runtime_is_library_thread() || queue_is_any_dispatching())
		return SHIPOPT_EDEADLK;
	runtime_ref(runtime);
	bool is_first = close_begin(runtime, timeout_ms) || atomic_exchange(&runtime->close_is_unwaited, false);
	r = close_finish_close(runtime, timeout_ms, is_first);
	runtime_unref(runtime);
	return r;
}

/* --- without waiting --- */

static void close_entry_run(struct queue_entry *entry)
{
}

bool runtime_closes_to(const shipopt_runtime *runtime, const shipopt_queue *queue)
{
	return runtime->close_queue == queue;
}

/* The queue is stopped here and not with the other members: whoever polls it gets the event first. */
static void close_send_event(shipopt_runtime *runtime)
{
	shipopt_queue *queue = runtime->close_queue;
	if (!queue)
		return;
	runtime->close_entry.event.status = runtime->close_status;
	queue_push(queue, &runtime->close_entry);
	queue_close(queue);
	queue_unref(queue);
}

/* With the lock held. */
static int close_start_unwaited(shipopt_runtime *runtime, int64_t timeout_ms, shipopt_queue *queue, void *userdata)
{
	if (atomic_load(&runtime->state) != RUNTIME_OPEN)
		return SHIPOPT_ESHUTDOWN;
	runtime->close_timeout_ms = timeout_ms;
	runtime->close_queue = queue_ref(queue);
	runtime->close_entry.keeps_slot = runtime->close_entry.has_no_slot = true;
	runtime->close_entry.run = runtime->close_entry.finish = close_entry_run;
	runtime->close_entry.event =
		(shipopt_event){.userdata = (uint64_t)(uintptr_t)userdata, .kind = SHIPOPT_EVENT_CLOSED};
	if (!runtime->is_simulated && !close_start_closer(runtime)) {
		queue_unref(TAKE(runtime->close_queue));
		return SHIPOPT_EAGAIN;
	}
	atomic_store(&runtime->close_is_unwaited, true);
	atomic_store(&runtime->state, RUNTIME_CLOSING);
	return 0;
}

int shipopt_runtime_close_begin(shipopt_runtime *runtime, int64_t timeout_ms, shipopt_queue *queue, void *userdata)
{
	int r = close_check(runtime);
	if (r < 0)
		return r;
	if (queue && queue_runtime(queue) != runtime)
		return SHIPOPT_EINVAL;
	pthread_mutex_lock(&runtime->lock);
	r = close_start_unwaited(runtime, timeout_ms, queue, userdata);
	pthread_mutex_unlock(&runtime->lock);
	if (r == 0 && runtime->is_simulated)
		close_all(runtime);
	return r;
}
