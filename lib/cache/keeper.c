/* SPDX-License-Identifier: MIT */
#include "cache/keeper.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cache/cache.h"
#include "cache/flight.h"
#include "cache/maintain.h"

static void keeper_unref(struct keeper *keeper)
{
	if (!reference_drop(&keeper->reference))
		return;
	shipopt_runtime *runtime = keeper->runtime;
	queue_unref(keeper->delivery.queue);
	sweeps_done(&keeper->sweeps);
	pthread_mutex_destroy(&keeper->lock);
	mem_free(keeper);
	runtime_unref(runtime);
}

/* --- when --- */

static void keeper_arm(struct task *task)
{
	struct keeper *keeper = CONTAINER_OF(task, struct keeper, arm_task);
	pthread_mutex_lock(&keeper->lock);
	keeper->is_arming = false;
	if (!keeper->is_stopped && keeper->cache)
		timer_start(keeper->reactor, &keeper->timer, keeper->due_us);
	pthread_mutex_unlock(&keeper->lock);
	keeper_unref(keeper);
}

void keeper_expect(struct keeper *keeper, int64_t delay_us)
{
	int64_t now = clock_now_us();
	int64_t due = delay_us > INT64_MAX - now ? INT64_MAX : now + delay_us;
	pthread_mutex_lock(&keeper->lock);
	if (!keeper->is_stopped && keeper->cache && due < keeper->due_us) {
		keeper->due_us = due;
		/* Posted with the lock held: not after the stop, from which on the reactor may be gone. */
		if (!keeper->is_arming) {
			keeper->is_arming = true;
			reference_take(&keeper->reference);
			reactor_post(keeper->reactor, &keeper->arm_task);
		}
	}
	pthread_mutex_unlock(&keeper->lock);
}

void keeper_wake(struct keeper *keeper)
{
	if (!atomic_exchange(&keeper->is_awake, true))
		keeper_expect(keeper, KEEPER_TICK_US);
}

/* With the lock held: true if the caller has to submit the task. */
static bool keeper_begin_work(struct keeper *keeper)
{
	if (keeper->is_working)
		return false;
	keeper->is_working = true;
	reference_take(&keeper->reference);
	return true;
}

static void keeper_fire(struct timer *timer)
{
	struct keeper *keeper = CONTAINER_OF(timer, struct keeper, timer);
	pthread_mutex_lock(&keeper->lock);
	keeper->due_us = INT64_MAX;
	keeper->is_due = true;
	bool submits = !keeper->is_stopped && keeper->cache && runtime_may_call_host(keeper->runtime) &&
		keeper_begin_work(keeper);
	pthread_mutex_unlock(&keeper->lock);
	if (submits)
		runtime_submit_task(keeper->runtime, &keeper->work_task);
}

bool keeper_is_running(const struct keeper *keeper)
{
	return runtime_check(keeper->runtime) == 0;
}

/* --- the work --- */

static bool keeper_has_more(shipopt_cache *cache)
{
	bool is_idle = true;
	for (unsigned i = 0; is_idle && i < cache->shard_count; i++) {
		shard_lock(&cache->shards[i]);
		is_idle = shard_is_idle(cache, &cache->shards[i]);
		shard_unlock(&cache->shards[i]);
	}
	return !is_idle;
}

static void keeper_begin_pass(struct keeper *keeper, shipopt_cache *cache)
{
	keeper->is_passing = true;
	keeper->shard = 0;
	int64_t deadline = flights_maintain(cache);
	if (deadline != ENTRY_NEVER)
		keeper_expect(keeper, MAX(1000, deadline - cache_now(cache)));
}

/* Whoever changes something from here on finds the keeper asleep and wakes it; what was changed before is seen here. */
static void keeper_end_pass(struct keeper *keeper, shipopt_cache *cache)
{
	keeper->is_passing = false;
	atomic_store(&keeper->is_awake, false);
	if (keeper_has_more(cache))
		keeper_wake(keeper);
}

static bool keeper_step_pass(struct keeper *keeper, shipopt_cache *cache)
{
	if (!keeper->is_passing) {
		pthread_mutex_lock(&keeper->lock);
		bool is_due = keeper->is_due;
		keeper->is_due = false;
		pthread_mutex_unlock(&keeper->lock);
		if (is_due)
			keeper_begin_pass(keeper, cache);
		return is_due;
	}
	if (!cache_tidy_step(cache, &cache->shards[keeper->shard]))
		keeper->shard++;
	if (keeper->shard == cache->shard_count)
		keeper_end_pass(keeper, cache);
	return true;
}

static struct keeper_job *keeper_first_job(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	struct list_node *node = list_first(&keeper->jobs);
	pthread_mutex_unlock(&keeper->lock);
	return node ? LIST_MEMBER(node, struct keeper_job, node) : NULL;
}

static void keeper_step_job(struct keeper *keeper, struct keeper_job *job)
{
	if (job->step(job))
		return;
	pthread_mutex_lock(&keeper->lock);
	list_remove(&job->node);
	pthread_mutex_unlock(&keeper->lock);
	job->finish(job);
}

static void keeper_slice(struct keeper *keeper, shipopt_cache *cache)
{
	for (unsigned i = 0; i < KEEPER_STEPS; i++) {
		struct keeper_job *job = keeper_first_job(keeper);
		if (job)
			keeper_step_job(keeper, job);
		else if (!keeper_step_pass(keeper, cache))
			break;
	}
}

static shipopt_cache *keeper_hold_cache(struct keeper *keeper)
{
	pthread_mutex_lock(&keeper->lock);
	shipopt_cache *cache = keeper->cache;
	if (cache && !reference_try_take(&cache->reference))
		cache = NULL;
	pthread_mutex_unlock(&keeper->lock);
	return cache;
}

/* Jobs hold the cache, so without one there are none. A close waits for jobs, and not for passes. */
static bool keeper_goes_on(struct keeper *keeper, const shipopt_cache *cache)
{
	pthread_mutex_lock(&keeper->lock);
	bool wants = cache && (keeper->is_passing || keeper->is_due) && !keeper->is_stopped &&
		runtime_may_call_host(keeper->runtime);
	keeper->is_working = wants || !list_is_empty(&keeper->jobs);
	bool is_working = keeper->is_working;
	pthread_mutex_unlock(&keeper->lock);
	return is_working;
}

static void keeper_work(struct task *task)
{
	struct keeper *keeper = CONTAINER_OF(task, struct keeper, work_task);
	shipopt_cache *cache = keeper_hold_cache(keeper);
	if (cache)
		keeper_slice(keeper, cache);
	bool more = keeper_goes_on(keeper, cache);
	if (more)
		runtime_submit_task(keeper->runtime, task);
	if (cache)
		cache_unref(cache);
	if (!more)
		keeper_unref(keeper);
}

void keeper_add(struct keeper *keeper, struct keeper_job *job)
{
	pthread_mutex_lock(&keeper->lock);
	list_push_back(&keeper->jobs, &job->node);
	bool submits = keeper_begin_work(keeper);
	pthread_mutex_unlock(&keeper->lock);
	if (submits)
		runtime_submit_task(keeper->runtime, &keeper->work_task);
}

/* --- life --- */

static void keeper_stop_timer(void *argument)
{
	struct keeper *keeper = argument;
	timer_stop(&keeper->timer);
}

static void keeper_stop(struct runtime_member *member)
{
	struct keeper *keeper = CONTAINER_OF(member, struct keeper, member);
	pthread_mutex_lock(&keeper->lock);
	keeper->is_stopped = true;
	pthread_mutex_unlock(&keeper->lock);
	runtime_call(keeper->reactor, keeper_stop_timer, keeper);
}

static void keeper_end_elsewhere(struct task *task)
{
	struct keeper *keeper = CONTAINER_OF(task, struct keeper, end_task);
	runtime_unregister(keeper->runtime, &keeper->member);
	keeper_unref(keeper);
}

/* On the reactor, which must not wait: a close may be inside keeper_stop() and wait for this very thread. */
static void keeper_end_on_reactor(struct task *task)
{
	struct keeper *keeper = CONTAINER_OF(task, struct keeper, end_task);
	timer_stop(&keeper->timer);
	task->run = keeper_end_elsewhere;
	runtime_submit_task(keeper->runtime, task);
}

void keeper_end(struct keeper *keeper)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	keeper->cache = NULL;
	pthread_mutex_unlock(&keeper->lock);
	if (!reactor_post_threaded(keeper->reactor, &keeper->end_task))
		keeper_end_on_reactor(&keeper->end_task);
}

int keeper_new(shipopt_cache *cache, shipopt_runtime *runtime, const struct delivery *delivery,
	struct keeper **ret_keeper)
{
	struct reactor *reactor;
	int r = runtime_reactor(runtime, &reactor);
	struct keeper *keeper = r < 0 ? NULL : mem_alloc_zero(sizeof(*keeper));
	if (!keeper)
		return r < 0 ? r : SHIPOPT_ENOMEM;
	reference_init(&keeper->reference);
	pthread_mutex_init(&keeper->lock, NULL);
	sweeps_init(&keeper->sweeps);
	list_init(&keeper->jobs);
	list_init(&keeper->member.node);
	keeper->runtime = runtime_ref(runtime);
	keeper->reactor = reactor;
	keeper->delivery = *delivery;
	queue_ref(keeper->delivery.queue);
	keeper->cache = cache;
	keeper->due_us = INT64_MAX;
	keeper->timer.fire = keeper_fire;
	keeper->arm_task.run = keeper_arm;
	keeper->work_task.run = keeper_work;
	keeper->end_task.run = keeper_end_on_reactor;
	keeper->member.stop = keeper_stop;
	r = runtime_register(runtime, &keeper->member);
	if (r < 0) {
		keeper_unref(keeper);
		return r;
	}
	*ret_keeper = keeper;
	return 0;
}
