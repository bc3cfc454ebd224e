/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_REACTOR_H
#define RUNTIME_REACTOR_H

#include <shipopt/error.h>

#include "runtime/task.h"

/*
 * The event loop: descriptors, timers and posted tasks on one thread.
 *
 * Everything except reactor_post(), reactor_wake() and the counters is called on the loop's own thread (or before it
 * runs). Watches and timers are embedded in their owners; starting and stopping them never allocates, so a timer can
 * always be set and always be stopped. Watches are level-triggered, one per descriptor. Stopping a watch or timer from
 * inside any callback is allowed and takes effect at once: it will not be called again, also if it was already due in
 * this turn. Stop a watch before its descriptor is closed: a forked child may hold the open file, and the back-end
 * would go on reporting it. When a descriptor has failed or was hung up, the watch gets ERROR together with the events
 * it asked for, so that its read or write meets the failure.
 *
 * One turn: run posted tasks (those posted in this turn wait for the next one), fire due timers, wait for descriptors,
 * call ready watches, and last the turn-end tasks. The back-end (epoll, kqueue, simulated) only waits and says which
 * watches are ready: `struct reactor_backend` in runtime/backend.h. The simulated back-end has no descriptors: tests
 * script readiness, and when nothing else is left to do it moves the virtual clock to the next timer.
 */
struct reactor;
struct reactor_backend_class;

enum { REACTOR_READ = 1, REACTOR_WRITE = 2, REACTOR_ERROR = 4 }; /* ERROR is only reported, always watched */

struct watch {
	void (*ready)(struct watch *watch, unsigned events);
	int fd;
	unsigned events; /* the loop's own from here on */
	unsigned ready_events;
	struct watch *next_ready, **ready_link; /* the list of ready ones; link NULL: not in it */
	struct reactor *reactor;
};

struct timer {
	void (*fire)(struct timer *timer);
	int64_t due_us;    /* the loop's own from here on: an intrusive pairing heap */
	uint64_t sequence; /* timers due at the same time fire in the order they were started */
	struct timer *child, *sibling, *previous;
	bool is_due;             /* waits in the list of this turn, no longer in the heap */
	struct reactor *reactor; /* non-NULL while started */
};

/* `backend` NULL takes the platform's. SHIPOPT_ENOMEM, SHIPOPT_EIO. */
int reactor_new(const struct reactor_backend_class *backend, struct reactor **ret_reactor);
/* The loop must not run; no watch or timer may be started. Accepts NULL. */
void reactor_free(struct reactor *reactor);

/* Any thread, never fails. FIFO. Writes the wake descriptor only when the list was empty. */
void reactor_post(struct reactor *reactor, struct task *task);
void reactor_wake(struct reactor *reactor);
/* True on the loop's own thread, while it runs. */
bool reactor_is_current(const struct reactor *reactor);

/* Events: at least one of READ and WRITE. SHIPOPT_EIO names a descriptor the back-end cannot watch, SHIPOPT_ENOMEM. */
int watch_start(struct reactor *reactor, struct watch *watch, int fd, unsigned events);
int watch_change(struct watch *watch, unsigned events);
void watch_stop(struct watch *watch); /* does nothing when not started */
static inline bool watch_is_started(const struct watch *watch)
{
	return watch->reactor != NULL;
}

/* Starts or moves. A due time in the past fires in the next turn. Never fails. */
void timer_start(struct reactor *reactor, struct timer *timer, int64_t due_us);
void timer_stop(struct timer *timer);
static inline bool timer_is_started(const struct timer *timer)
{
	return timer->reactor != NULL;
}

/* Queues `task` for the end of this turn (again when queued from a turn-end task: next turn). Loop thread only. */
void reactor_at_turn_end(struct reactor *reactor, struct task *task);

/* One turn; waits up to `timeout_us` (-1: until something happens), not at all once a task or timer has run in it.
 * Returns the number of callbacks that ran. */
int reactor_turn(struct reactor *reactor, int64_t timeout_us);
/* To be called before a thread is started for reactor_run(). Until then, and after reactor_run() has returned, the
 * thread that calls reactor_turn() is the loop's thread. */
void reactor_set_threaded(struct reactor *reactor);
/* Posts if a thread runs the loop or is about to; false otherwise. What was posted will run. */
bool reactor_post_threaded(struct reactor *reactor, struct task *task);
/* Turns until reactor_stop(), then runs what is still posted. */
void reactor_run(struct reactor *reactor);
void reactor_stop(struct reactor *reactor); /* any thread */
/* The same while the process ends. What is posted then never runs: it would use what exit() takes down. */
void reactor_stop_at_exit(struct reactor *reactor);
/* True when nothing is posted, started or queued: without somebody else's doing, no turn will ever run a callback. */
bool reactor_is_idle(struct reactor *reactor);

#endif
