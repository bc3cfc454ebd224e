/* SPDX-License-Identifier: MIT */
#ifndef CACHE_MAINTENANCE_H
#define CACHE_MAINTENANCE_H

#include "base/list.h"
#include "cache/cache.h"
#include "runtime/reactor.h"
#include "runtime/runtime.h"

/*
 * When a cache with a runtime works by itself. What it then does is in cache/maintenance/pass.h.
 *
 * A timer on the event loop starts a pass. The pass runs as a task on a scheduler worker (or on the application's
 * executor), because it calls functions of the application. It runs in slices of at most MAINTENANCE_STEPS steps, one
 * task at a time, so that other tasks run between two slices. A step holds a lock for a few hundred entries at most.
 *
 * Any change wakes the maintenance for MAINTENANCE_TICK_US later. A pass sets the next tick if it left anything that
 * will change with time: entries with a TTL, loads in flight, memory in the limbo. Otherwise the maintenance sleeps, so
 * an idle cache without timed entries causes no wake-ups. A waiter's deadline sets the timer to that deadline.
 *
 * Lifetime: the cache has one reference, and so have the task and the request to the event loop while they are under
 * way. `cache` is not counted, so that shipopt_cache_free() does not wait for a tick. It becomes NULL when the cache is
 * destroyed, and each slice takes a reference to the cache if one can still be taken. Closing the runtime stops the
 * maintenance for good, and the cache goes on as one without a runtime.
 */
#define MAINTENANCE_TICK_US 1000000
#define MAINTENANCE_STEPS 16

struct maintenance {
	struct reference reference;
	shipopt_runtime *runtime; /* a reference */
	struct reactor *reactor;
	struct runtime_member member;
	/* Does one step of a pass, which it begins first if none is under way. Returns false when the pass has
	 * ended. */
	bool (*step)(struct maintenance *maintenance, shipopt_cache *cache);
	atomic_bool is_awake; /* a tick is set */

	pthread_mutex_t lock; /* protects the members from here to due_us */
	shipopt_cache *cache;
	bool is_stopped; /* the runtime was closed */
	bool is_arming;  /* arm_task is posted */
	bool is_working; /* work_task is queued or runs */
	bool is_due;     /* the timer has fired, and a pass must follow */
	int64_t due_us;  /* when the timer will fire, by clock_now_us() */

	struct timer timer; /* of the event loop */
	struct task arm_task, end_task, work_task;
	bool is_passing; /* a pass is under way; the work task's alone, as the next one */
	unsigned shard;
};

/* SHIPOPT_ESHUTDOWN, SHIPOPT_ENOMEM, SHIPOPT_EIO (no thread). */
int maintenance_new(shipopt_cache *cache, shipopt_runtime *runtime,
	bool (*step)(struct maintenance *maintenance, shipopt_cache *cache), struct maintenance **ret_maintenance);
/* Called when the cache is destroyed. Never blocks. Accepts NULL. */
void maintenance_end(struct maintenance *maintenance);
/* Makes sure that a tick is set. Any thread, no lock of the cache held. */
void maintenance_wake(struct maintenance *maintenance);
/* Makes sure that a pass begins within `delay_us`. */
void maintenance_expect(struct maintenance *maintenance, int64_t delay_us);
/* Takes note of the timer's firing: true once for each. For the step. */
bool maintenance_take_due(struct maintenance *maintenance);
/* Whether tasks can be run. */
bool maintenance_is_running(const struct maintenance *maintenance);

/* The cache has changed in a way that time or readers will have to follow up. */
static inline void maintenance_notice(const shipopt_cache *cache)
{
	if (UNLIKELY(cache->maintenance != NULL) &&
		!atomic_load_explicit(&cache->maintenance->is_awake, memory_order_seq_cst))
		maintenance_wake(cache->maintenance);
}

#endif
