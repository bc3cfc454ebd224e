/* SPDX-License-Identifier: MIT */
#include "cache/maintenance/maintenance.h"

#include "base/clock.h"
#include "base/memory.h"

static void maintenance_unref(struct maintenance *maintenance)
{
	if (!reference_drop(&maintenance->reference))
		return;
	shipopt_runtime *runtime = maintenance->runtime;
	pthread_mutex_destroy(&maintenance->lock);
	mem_free(maintenance);
	runtime_unref(runtime);
}

/* ---- the timer --------------------------------------------------------------------------------------------- */

static void maintenance_arm(struct task *task)
{
	struct maintenance *maintenance = CONTAINER_OF(task, struct maintenance, arm_task);
	pthread_mutex_lock(&maintenance->lock);
	maintenance->is_arming = false;
	if (!maintenance->is_stopped && maintenance->cache)
		timer_start(maintenance->reactor, &maintenance->timer, maintenance->due_us);
	pthread_mutex_unlock(&maintenance->lock);
	maintenance_unref(maintenance);
}

void maintenance_expect(struct maintenance *maintenance, int64_t delay_us)
{
	int64_t now = clock_now_us();
	int64_t due = delay_us > INT64_MAX - now ? INT64_MAX : now + delay_us;
	pthread_mutex_lock(&maintenance->lock);
	if (!maintenance->is_stopped && maintenance->cache && due < maintenance->due_us) {
		maintenance->due_us = due;
		/* Posted under the lock, so never after the stop: the event loop may be gone then. */
		if (!maintenance->is_arming) {
			maintenance->is_arming = true;
			reference_take(&maintenance->reference);
			reactor_post(maintenance->reactor, &maintenance->arm_task);
		}
	}
	pthread_mutex_unlock(&maintenance->lock);
}

void maintenance_wake(struct maintenance *maintenance)
{
	if (!atomic_exchange(&maintenance->is_awake, true))
		maintenance_expect(maintenance, MAINTENANCE_TICK_US);
}

static void maintenance_fire(struct timer *timer)
{
	struct maintenance *maintenance = CONTAINER_OF(timer, struct maintenance, timer);
	pthread_mutex_lock(&maintenance->lock);
	maintenance->due_us = INT64_MAX;
	maintenance->is_due = true;
	bool submits = !maintenance->is_stopped && maintenance->cache && !maintenance->is_working &&
		runtime_may_call_host(maintenance->runtime);
	if (submits) {
		maintenance->is_working = true;
		reference_take(&maintenance->reference);
	}
	pthread_mutex_unlock(&maintenance->lock);
	if (submits)
		runtime_submit_task(maintenance->runtime, &maintenance->work_task);
}

bool maintenance_is_running(const struct maintenance *maintenance)
{
	return runtime_check(maintenance->runtime) == 0;
}

/* ---- the task ---------------------------------------------------------------------------------------------- */

bool maintenance_take_due(struct maintenance *maintenance)
{
	pthread_mutex_lock(&maintenance->lock);
	bool is_due = maintenance->is_due;
	maintenance->is_due = false;
	pthread_mutex_unlock(&maintenance->lock);
	return is_due;
}

static shipopt_cache *maintenance_ref_cache(struct maintenance *maintenance)
{
	pthread_mutex_lock(&maintenance->lock);
	shipopt_cache *cache = maintenance->cache;
	if (cache && !reference_try_take(&cache->reference))
		cache = NULL;
	pthread_mutex_unlock(&maintenance->lock);
	return cache;
}

static bool maintenance_continues(struct maintenance *maintenance, const shipopt_cache *cache)
{
	pthread_mutex_lock(&maintenance->lock);
	bool continues = cache && (maintenance->is_passing || maintenance->is_due) && !maintenance->is_stopped &&
		runtime_may_call_host(maintenance->runtime);
	maintenance->is_working = continues;
	pthread_mutex_unlock(&maintenance->lock);
	return continues;
}

static void maintenance_work(struct task *task)
{
	struct maintenance *maintenance = CONTAINER_OF(task, struct maintenance, work_task);
	shipopt_cache *cache = maintenance_ref_cache(maintenance);
	for (unsigned i = 0; cache && i < MAINTENANCE_STEPS && maintenance->step(maintenance, cache); i++)
		;
	bool continues = maintenance_continues(maintenance, cache);
	if (continues)
		runtime_submit_task(maintenance->runtime, task);
	if (cache)
		cache_unref(cache);
	if (!continues)
		maintenance_unref(maintenance);
}

/* ---- begin and end ----------------------------------------------------------------------------------------- */

static void maintenance_stop_timer(void *argument)
{
	struct maintenance *maintenance = argument;
	timer_stop(&maintenance->timer);
}

static void maintenance_stop(struct runtime_member *member)
{
	struct maintenance *maintenance = CONTAINER_OF(member, struct maintenance, member);
	pthread_mutex_lock(&maintenance->lock);
	maintenance->is_stopped = true;
	pthread_mutex_unlock(&maintenance->lock);
	runtime_call(maintenance->reactor, maintenance_stop_timer, maintenance);
}

static void maintenance_end_on_worker(struct task *task)
{
	struct maintenance *maintenance = CONTAINER_OF(task, struct maintenance, end_task);
	runtime_unregister(maintenance->runtime, &maintenance->member);
	maintenance_unref(maintenance);
}

/* The event loop must not wait here: a close may be inside maintenance_stop() and wait for this very thread. */
static void maintenance_end_on_reactor(struct task *task)
{
	struct maintenance *maintenance = CONTAINER_OF(task, struct maintenance, end_task);
	timer_stop(&maintenance->timer);
	task->run = maintenance_end_on_worker;
	runtime_submit_task(maintenance->runtime, task);
}

void maintenance_end(struct maintenance *maintenance)
{
	if (!maintenance)
		return;
	pthread_mutex_lock(&maintenance->lock);
	maintenance->cache = NULL;
	pthread_mutex_unlock(&maintenance->lock);
	if (!reactor_post_threaded(maintenance->reactor, &maintenance->end_task))
		maintenance_end_on_reactor(&maintenance->end_task);
}

int maintenance_new(shipopt_cache *cache, shipopt_runtime *runtime,
	bool (*step)(struct maintenance *maintenance, shipopt_cache *cache), struct maintenance **ret_maintenance)
{
	struct reactor *reactor;
	int r = runtime_reactor(runtime, &reactor);
	struct maintenance *maintenance = r < 0 ? NULL : mem_alloc_zero(sizeof(*maintenance));
	if (!maintenance)
		return r < 0 ? r : SHIPOPT_ENOMEM;
	reference_init(&maintenance->reference);
	pthread_mutex_init(&maintenance->lock, NULL);
	list_init(&maintenance->member.node);
	maintenance->runtime = runtime_ref(runtime);
	maintenance->reactor = reactor;
	maintenance->step = step;
	maintenance->cache = cache;
	maintenance->due_us = INT64_MAX;
	maintenance->timer.fire = maintenance_fire;
	maintenance->arm_task.run = maintenance_arm;
	maintenance->work_task.run = maintenance_work;
	maintenance->end_task.run = maintenance_end_on_reactor;
	maintenance->member.stop = maintenance_stop;
	r = runtime_register(runtime, &maintenance->member);
	if (r < 0) {
		maintenance_unref(maintenance);
		return r;
	}
	*ret_maintenance = maintenance;
	return 0;
}
