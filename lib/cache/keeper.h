/* SPDX-License-Identifier: MIT */
#ifndef CACHE_KEEPER_H
#define CACHE_KEEPER_H

#include "base/list.h"
#include "cache/sweep.h"
#include "runtime/op.h"
#include "runtime/runtime.h"

/*
 * The keeper: what a cache that was given a runtime does on it, without anybody calling.
 *
 * Three things: the time limits of waiters with a callback, the memory of what is dead, and the walks of patterns (cache/sweep.h).
 * A timer on the reactor says when; the work itself is a task on a worker, or on the host's executor, because it calls the
 * listener, free functions and waiters of the host. One task at a time, in slices of at most KEEPER_STEPS steps, of which each holds
 * a lock for a few hundred entries; between two slices other tasks have their turn.
 *
 * When: any change wakes the keeper for KEEPER_TICK_US later. After each pass it looks whether anything is left that time
 * or readers will change: entries with a time, loads in flight, memory in the limbo, tags to sweep up after. If so it sets the next tick,
 * else it sleeps: an idle cache without timed entries causes no wake-ups. A waiter's deadline sets the timer to its own time.
 *
 * Lives: made with the cache, which has one reference; the task and the request to the reactor have one while they are on their way. It
 * points to the cache without a reference, so that freeing the cache does not wait for a tick: `cache` is NULL from then on, and
 * each slice takes a reference if there is still one to take. The runtime's close stops it for good (member); the cache
 * then goes on as one without a runtime. Pattern operations count as the runtime's operations, so a close comes after them.
 */
#define KEEPER_TICK_US 1000000
#define KEEPER_STEPS 16

struct shipopt_cache;

/* Work in steps: `step` is called on a worker, a number of times in each slice, until it returns false; then the job is its own again. It
 * holds a reference to the cache. */
struct keeper_job {
	struct list_node node;
	bool (*step)(struct keeper_job *job);
	void (*finish)(struct keeper_job *job); /* after the last step */
};

struct keeper {
	struct reference reference;
	shipopt_runtime *runtime; /* a reference */
	struct reactor *reactor;
	struct delivery delivery; /* of pattern operations; a reference to the queue */
	struct runtime_member member;
	struct sweeps sweeps;
	atomic_bool is_awake; /* a tick is set */

	pthread_mutex_t lock; /* for what follows */
	struct shipopt_cache *cache;
	bool is_stopped;       /* the runtime has closed */
	bool is_arming;        /* arm_task is posted */
	bool is_working;       /* work_task is queued or runs */
	bool is_due;           /* the timer has fired: a pass is to be made */
	int64_t due_us;        /* when the timer is to fire, of clock_now_us() */
	struct list_node jobs; /* struct keeper_job; the first is at work */

	struct timer timer; /* the reactor's */
	struct task arm_task, end_task, work_task;
	unsigned shard; /* the worker's: where the pass is */
	bool is_passing;
};

/* SHIPOPT_ESHUTDOWN, SHIPOPT_ENOMEM, SHIPOPT_EIO (no thread). */
int keeper_new(struct shipopt_cache *cache, shipopt_runtime *runtime, const struct delivery *delivery,
	struct keeper **ret_keeper);
/* The cache ends. Never blocks; accepts NULL. */
void keeper_end(struct keeper *keeper);
/* Something has changed that a tick should look after. Any thread, no lock of the cache's held. */
void keeper_wake(struct keeper *keeper);
/* The same, at the latest in `delay_us`. */
void keeper_expect(struct keeper *keeper, int64_t delay_us);
/* Takes a job of an operation that runs on the runtime. */
void keeper_add(struct keeper *keeper, struct keeper_job *job);
/* Can it run tasks? */
bool keeper_is_running(const struct keeper *keeper);

#endif
