/* SPDX-License-Identifier: MIT */
#include "runtime/reactor.h"

#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/backend.h"
#include "runtime/thread.h"
#include "runtime/timer.h"

/* Turns after reactor_stop() that run what was still posted; a task that posts itself for ever is cut off. */
#define DRAIN_TURNS_MAX 1000

#ifdef __linux__
#define BACKEND_DEFAULT reactor_backend_epoll
#else
#define BACKEND_DEFAULT reactor_backend_kqueue
#endif

struct reactor {
	const struct reactor_backend_class *class;
	void *backend;
	struct timer_heap timers;
	struct timer *due; /* a list through sibling and previous: what fires in this turn */
	struct watch *ready;
	size_t watch_count;
	struct task_list turn_end;
	bool in_turn;
	atomic_bool stopped, is_exiting;

	pthread_mutex_t lock; /* only for what follows */
	struct task_list posted;
	bool is_threaded;
};

static _Thread_local struct reactor *current;

int reactor_new(const struct reactor_backend_class *backend, struct reactor **ret_reactor)
{
	struct reactor *reactor = mem_alloc_zero(sizeof(*reactor));
	if (!reactor)
		return SHIPOPT_ENOMEM;
	reactor->class = backend ? backend : &BACKEND_DEFAULT;
	atomic_init(&reactor->stopped, false);
	int r = reactor->class->create(reactor, &reactor->backend);
	if (r < 0) {
		mem_free(reactor);
		return r;
	}
	pthread_mutex_init(&reactor->lock, NULL);
	*ret_reactor = reactor;
	return 0;
}

void reactor_free(struct reactor *reactor)
{
	if (!reactor)
		return;
	ASSERT(!reactor->in_turn && !timer_heap_first(&reactor->timers) && reactor->watch_count == 0);
	reactor->class->destroy(reactor->backend);
	pthread_mutex_destroy(&reactor->lock);
	mem_free(reactor);
}

void *reactor_backend(const struct reactor *reactor)
{
	return reactor->backend;
}

bool reactor_is_current(const struct reactor *reactor)
{
	return current == reactor;
}

void reactor_wake(struct reactor *reactor)
{
	reactor->class->wake(reactor->backend);
}

void reactor_post(struct reactor *reactor, struct task *task)
{
	pthread_mutex_lock(&reactor->lock);
	bool was_empty = reactor->posted.count == 0;
	task_list_push(&reactor->posted, task);
	pthread_mutex_unlock(&reactor->lock);
	/* The loop's own thread looks at the list before it waits. */
	if (was_empty && current != reactor)
		reactor_wake(reactor);
}

void reactor_set_threaded(struct reactor *reactor)
{
	pthread_mutex_lock(&reactor->lock);
	reactor->is_threaded = true;
	pthread_mutex_unlock(&reactor->lock);
}

bool reactor_post_threaded(struct reactor *reactor, struct task *task)
{
	pthread_mutex_lock(&reactor->lock);
	bool is_threaded = reactor->is_threaded;
	if (is_threaded)
		task_list_push(&reactor->posted, task);
	pthread_mutex_unlock(&reactor->lock);
	if (is_threaded)
		reactor_wake(reactor);
	return is_threaded;
}

void reactor_at_turn_end(struct reactor *reactor, struct task *task)
{
	task_list_push(&reactor->turn_end, task);
}

/* --- watches --- */

int watch_start(struct reactor *reactor, struct watch *watch, int fd, unsigned events)
{
	ASSERT(!watch->reactor && (events & (REACTOR_READ | REACTOR_WRITE)));
	watch->fd = fd;
	watch->events = events & (REACTOR_READ | REACTOR_WRITE);
	watch->ready_events = 0;
	watch->next_ready = NULL;
	watch->ready_link = NULL;
	int r = reactor->class->add(reactor->backend, watch);
	if (r < 0)
		return r;
	watch->reactor = reactor;
	reactor->watch_count++;
	return 0;
}

int watch_change(struct watch *watch, unsigned events)
{
	ASSERT(watch->reactor && (events & (REACTOR_READ | REACTOR_WRITE)));
	events &= REACTOR_READ | REACTOR_WRITE;
	if (events == watch->events)
		return 0;
	int r = watch->reactor->class->change(watch->reactor->backend, watch, events);
	if (r < 0)
		return r;
	watch->events = events;
	return 0;
}

static void reactor_ready_unlink(struct watch *watch)
{
	if (!watch->ready_link)
		return;
	*watch->ready_link = watch->next_ready;
	if (watch->next_ready)
		watch->next_ready->ready_link = watch->ready_link;
	watch->next_ready = NULL;
	watch->ready_link = NULL;
}

void watch_stop(struct watch *watch)
{
	if (!watch->reactor)
		return;
	watch->reactor->class->remove(watch->reactor->backend, watch);
	reactor_ready_unlink(watch);
	watch->reactor->watch_count--;
	watch->reactor = NULL;
}

void reactor_report(struct reactor *reactor, struct watch *watch, unsigned events)
{
	watch->ready_events |= events;
	if (watch->ready_link)
		return;
	watch->next_ready = reactor->ready;
	if (reactor->ready)
		reactor->ready->ready_link = &watch->next_ready;
	watch->ready_link = &reactor->ready;
	reactor->ready = watch;
}

static int reactor_call_ready(struct reactor *reactor)
{
	int ran = 0;
	while (reactor->ready) {
		struct watch *watch = reactor->ready;
		reactor_ready_unlink(watch);
		/* A callback before it may have changed what this one asks for. */
		unsigned events = watch->ready_events & (watch->events | REACTOR_ERROR);
		watch->ready_events = 0;
		if (!events)
			continue;
		watch->ready(watch, events);
		ran++;
	}
	return ran;
}

/* --- timers --- */

static void reactor_due_unlink(struct reactor *reactor, struct timer *timer)
{
	if (timer->previous)
		timer->previous->sibling = timer->sibling;
	else
		reactor->due = timer->sibling;
	if (timer->sibling)
		timer->sibling->previous = timer->previous;
	timer->sibling = timer->previous = NULL;
	timer->is_due = false;
}

void timer_stop(struct timer *timer)
{
	if (!timer->reactor)
		return;
	if (timer->is_due)
		reactor_due_unlink(timer->reactor, timer);
	else
		timer_heap_remove(&timer->reactor->timers, timer);
	timer->reactor = NULL;
}

void timer_start(struct reactor *reactor, struct timer *timer, int64_t due_us)
{
	timer_stop(timer);
	timer->reactor = reactor;
	timer->due_us = due_us;
	timer->is_due = false;
	timer_heap_insert(&reactor->timers, timer);
}

/* What is due is first set aside: a timer that is started again by its own callback waits for the next turn. */
static void reactor_collect_due(struct reactor *reactor)
{
	int64_t now = clock_now_us();
	struct timer *last = NULL, *timer;
	while ((timer = timer_heap_first(&reactor->timers)) && timer->due_us <= now) {
		timer_heap_remove(&reactor->timers, timer);
		timer->is_due = true;
		timer->previous = last;
		if (last)
			last->sibling = timer;
		else
			reactor->due = timer;
		last = timer;
	}
}

static int reactor_fire_timers(struct reactor *reactor)
{
	int ran = 0;
	if (timer_heap_first(&reactor->timers))
		reactor_collect_due(reactor);
	while (reactor->due) {
		struct timer *timer = reactor->due;
		timer_stop(timer);
		timer->fire(timer);
		ran++;
	}
	return ran;
}

/* --- turns --- */

static int reactor_run_tasks(struct task_list tasks)
{
	int ran = 0;
	struct task *task;
	while ((task = task_list_pop(&tasks))) {
		task->run(task);
		ran++;
	}
	return ran;
}

static int reactor_run_posted(struct reactor *reactor)
{
	pthread_mutex_lock(&reactor->lock);
	struct task_list posted = task_list_take(&reactor->posted);
	pthread_mutex_unlock(&reactor->lock);
	return reactor_run_tasks(posted);
}

static bool reactor_has_posted(struct reactor *reactor)
{
	pthread_mutex_lock(&reactor->lock);
	bool has = reactor->posted.count > 0;
	pthread_mutex_unlock(&reactor->lock);
	return has;
}

static int64_t reactor_time_to_wait(struct reactor *reactor, int64_t timeout_us)
{
	if (timeout_us == 0 || reactor->turn_end.count || atomic_load(&reactor->stopped) || reactor_has_posted(reactor))
		return 0;
	struct timer *first = timer_heap_first(&reactor->timers);
	if (!first)
		return timeout_us;
	int64_t left = MAX(first->due_us - clock_now_us(), 0);
	return timeout_us < 0 ? left : MIN(left, timeout_us);
}

static int runtime_reactor_turn(struct reactor *reactor, int64_t timeout_us, bool waits_always)
{
	ASSERT(!reactor->in_turn);
	struct reactor *outer = current;
	bool was_marked = thread_mark(true);
	current = reactor;
	reactor->in_turn = true;
	int ran = reactor_run_posted(reactor);
	ran += reactor_fire_timers(reactor);
	reactor->class->wait(reactor->backend,
		reactor_time_to_wait(reactor, ran > 0 && !waits_always ? 0 : timeout_us));
	ran += reactor_call_ready(reactor);
	ran += reactor_run_tasks(task_list_take(&reactor->turn_end));
	reactor->in_turn = false;
	current = outer;
	thread_mark(was_marked);
	return ran;
}

int reactor_turn(struct reactor *reactor, int64_t timeout_us)
{
	return runtime_reactor_turn(reactor, timeout_us, false);
}

/* From then on nobody can post to this thread. False while something is posted. */
static bool reactor_leave(struct reactor *reactor, bool is_forced)
{
	pthread_mutex_lock(&reactor->lock);
	bool leaves = is_forced || (reactor->posted.count == 0 && reactor->turn_end.count == 0);
	if (leaves)
		reactor->is_threaded = false;
	pthread_mutex_unlock(&reactor->lock);
	return leaves;
}

void reactor_run(struct reactor *reactor)
{
	while (!atomic_load(&reactor->stopped))
		runtime_reactor_turn(reactor, -1, true);
	/* The loop counts as running for ever, so that nobody does its work on another thread instead. */
	if (atomic_load(&reactor->is_exiting))
		return;
	for (int i = 0; !reactor_leave(reactor, i == DRAIN_TURNS_MAX); i++)
		reactor_turn(reactor, 0);
}

void reactor_stop(struct reactor *reactor)
{
	atomic_store(&reactor->stopped, true);
	reactor_wake(reactor);
}

void reactor_stop_at_exit(struct reactor *reactor)
{
	atomic_store(&reactor->is_exiting, true);
	reactor_stop(reactor);
}

bool reactor_is_idle(struct reactor *reactor)
{
	return !reactor_has_posted(reactor) && !reactor->turn_end.count && !timer_heap_first(&reactor->timers) &&
		reactor->watch_count == 0;
}
