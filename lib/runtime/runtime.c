/* SPDX-License-Identifier: MIT */
#include "runtime/runtime.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/memory.h"
#include "config/tables.h"
#include "runtime/backend_simulated.h"
#include "runtime/cores.h"
#include "runtime/fork.h"
#include "runtime/runtime_private.h"

#define SIDE_THREADS_DEFAULT_MAX 40

/* --- life --- */

static void runtime_reactors_stop_at_exit(struct exit_entry *entry)
{
	shipopt_runtime *runtime = CONTAINER_OF(entry, shipopt_runtime, exit_entry);
	atomic_store(&runtime->is_exiting, true);
	for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++)
		if (atomic_load(&runtime->reactors[i].is_running))
			reactor_stop_at_exit(runtime->reactors[i].reactor);
}

static bool runtime_reactors_have_ended(struct exit_entry *entry)
{
	shipopt_runtime *runtime = CONTAINER_OF(entry, shipopt_runtime, exit_entry);
	for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++) {
		struct runtime_reactor *slot = &runtime->reactors[i];
		/* exit() may be called on a reactor, which cannot end before it returns. */
		if (atomic_load(&slot->is_running) && !reactor_is_current(slot->reactor))
			return false;
	}
	return true;
}

static void runtime_destroy(struct thread_owner *owner)
{
	shipopt_runtime *runtime = CONTAINER_OF(owner, shipopt_runtime, owner);
	if (runtime->scheduler)
		runtime_drain(runtime);
	for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++)
		reactor_free(runtime->reactors[i].reactor);
	scheduler_free(runtime->scheduler);
	side_pool_free(runtime->side_pool);
	pthread_mutex_destroy(&runtime->log_lock);
	pthread_mutex_destroy(&runtime->lock);
	pthread_cond_destroy(&runtime->changed);
	if (runtime->exit_entry.stop)
		exit_unregister(&runtime->exit_entry, runtime);
	else
		mem_free(runtime);
}

static int runtime_make_parts(shipopt_runtime *runtime, const shipopt_runtime_config *config)
{
	const struct settings *settings = config ? &config->settings : NULL;
	int cores = runtime->is_simulated ? 1 : cores_usable();
	int64_t workers = settings ? settings_number(settings, RUNTIME_WORKERS) : 0;
	int64_t side = settings ? settings_number(settings, RUNTIME_SIDE_THREADS) : 0;
	runtime->reactor_count = settings ? (unsigned)settings_number(settings, RUNTIME_REACTORS) : 1;
	runtime->log_level = settings ? (int)settings_number(settings, RUNTIME_LOG_LEVEL) : SHIPOPT_LOG_SILENT;
	if (config) {
		runtime->log = config->log;
		runtime->log_userdata = config->log_userdata;
		runtime->executor = config->executor;
		runtime->executor_userdata = config->executor_userdata;
	}
	workers = workers ? workers : MIN(cores, SCHEDULER_WORKERS_MAX);
	side = side ? side : MIN(2 * cores, SIDE_THREADS_DEFAULT_MAX);
	int r = scheduler_new(&runtime->owner, (unsigned)workers, &runtime->scheduler);
	return r < 0 ? r : side_pool_new(&runtime->owner, (unsigned)side, &runtime->side_pool);
}

static int runtime_make(const shipopt_runtime_config *config, bool is_simulated, shipopt_runtime **ret_runtime)
{
	fork_guard_install();
	shipopt_runtime *runtime = mem_alloc_zero(sizeof(*runtime));
	if (!runtime)
		return SHIPOPT_ENOMEM;
	if (condition_init(&runtime->changed) < 0) {
		mem_free(runtime);
		return SHIPOPT_ENOMEM;
	}
	reference_init(&runtime->reference);
	reference_init(&runtime->owner.holds);
	runtime->owner.destroy = runtime_destroy;
	runtime->generation = fork_generation();
	runtime->is_simulated = is_simulated;
	runtime->simulated_thread = pthread_self();
	pthread_mutex_init(&runtime->lock, NULL);
	pthread_mutex_init(&runtime->log_lock, NULL);
	list_init(&runtime->members);
	int r = runtime_make_parts(runtime, config);
	if (r == 0 && is_simulated)
		r = reactor_new(&reactor_backend_simulated, &runtime->reactors[0].reactor);
	if (r < 0) {
		runtime_destroy(&runtime->owner);
		return r;
	}
	runtime->exit_entry.stop = runtime_reactors_stop_at_exit;
	runtime->exit_entry.has_ended = runtime_reactors_have_ended;
	exit_register(&runtime->exit_entry);
	*ret_runtime = runtime;
	return 0;
}

int shipopt_runtime_new(const shipopt_runtime_config *config, shipopt_runtime **ret_runtime, shipopt_error **ret_error)
{
	if (!ret_runtime)
		return error_set(ret_error, SHIPOPT_EINVAL, "runtime: ret_runtime must not be NULL");
	int r = config ? settings_check(&config->settings, ret_error) : 0;
	if (r < 0)
		return r;
	r = runtime_make(config, false, ret_runtime);
	return r < 0 ? error_set(ret_error, r, "runtime: %s", shipopt_error_description(r)) : 0;
}

int runtime_new_simulated(shipopt_runtime **ret_runtime)
{
	return runtime_make(NULL, true, ret_runtime);
}

shipopt_runtime *runtime_ref(shipopt_runtime *runtime)
{
	reference_take(&runtime->reference);
	return runtime;
}

/* Nobody can reach the runtime any more; its threads finish what waits and leave. */
static void runtime_end_by_itself(shipopt_runtime *runtime)
{
	if (atomic_exchange(&runtime->has_closer, false)) {
		pthread_detach(runtime->closer); /* it has ended the threads, or will */
		return;
	}
	if (atomic_exchange(&runtime->state, RUNTIME_CLOSED) == RUNTIME_CLOSED)
		return;
	side_pool_stop(runtime->side_pool);
	scheduler_stop(runtime->scheduler);
	side_pool_detach(runtime->side_pool);
	scheduler_detach(runtime->scheduler);
	for (unsigned i = 0; i < RUNTIME_REACTORS_MAX; i++) {
		struct runtime_reactor *slot = &runtime->reactors[i];
		if (!slot->has_thread)
			continue;
		slot->has_thread = false;
		pthread_detach(slot->thread);
		reactor_stop(slot->reactor);
	}
}

void runtime_unref(shipopt_runtime *runtime)
{
	if (!runtime || runtime_is_forked(runtime) || !reference_drop(&runtime->reference))
		return;
	runtime_end_by_itself(runtime);
	thread_owner_drop(&runtime->owner);
}

void shipopt_runtime_free(shipopt_runtime *runtime)
{
	runtime_unref(runtime);
}

/* --- checks --- */

bool runtime_is_forked(const shipopt_runtime *runtime)
{
	return runtime->generation != fork_generation();
}

int runtime_check(const shipopt_runtime *runtime)
{
	if (runtime_is_forked(runtime))
		return SHIPOPT_EFORKED;
	if (atomic_load(&runtime->state) != RUNTIME_OPEN || atomic_load(&runtime->is_exiting))
		return SHIPOPT_ESHUTDOWN;
	return 0;
}

bool runtime_may_call_host(const shipopt_runtime *runtime)
{
	return !atomic_load(&runtime->is_abandoned) || queue_is_any_dispatching();
}

void runtime_await(shipopt_runtime *runtime)
{
	atomic_fetch_add(&runtime->awaited, 1);
}

void runtime_awaited(shipopt_runtime *runtime)
{
	atomic_fetch_sub(&runtime->awaited, 1);
}

int runtime_admit(shipopt_runtime *runtime)
{
	if (runtime_is_forked(runtime))
		return SHIPOPT_EFORKED;
	atomic_fetch_add(&runtime->running, 1);
	int r = runtime_check(runtime);
	if (r < 0)
		runtime_release(runtime);
	return r;
}

void runtime_release(shipopt_runtime *runtime)
{
	if (atomic_fetch_sub(&runtime->running, 1) == 1 && atomic_load(&runtime->state) != RUNTIME_OPEN)
		runtime_notify(runtime);
}

void runtime_notify(shipopt_runtime *runtime)
{
	pthread_mutex_lock(&runtime->lock);
	pthread_cond_broadcast(&runtime->changed);
	pthread_mutex_unlock(&runtime->lock);
}

int shipopt_runtime_thread_count(const shipopt_runtime *runtime, int kind)
{
	if (!runtime || runtime_is_forked(runtime))
		return 0;
	if (kind == SHIPOPT_THREADS_WORKER)
		return (int)scheduler_thread_count(runtime->scheduler);
	if (kind == SHIPOPT_THREADS_SIDE)
		return (int)side_pool_thread_count(runtime->side_pool);
	int count = 0;
	for (unsigned i = 0; kind == SHIPOPT_THREADS_REACTOR && i < RUNTIME_REACTORS_MAX; i++)
		count += atomic_load(&runtime->reactors[i].is_running);
	return count;
}

/* --- reactors --- */

static void *runtime_reactor_main(void *argument)
{
	struct runtime_reactor *slot = argument;
	struct thread_owner *owner = &slot->runtime->owner;
	reactor_run(slot->reactor);
	atomic_store(&slot->is_running, false);
	exit_notify();
	thread_owner_drop(owner);
	return NULL;
}

static int runtime_reactor_start(shipopt_runtime *runtime, unsigned index)
{
	struct runtime_reactor *slot = &runtime->reactors[index];
	char name[32];
	int r = slot->reactor ? 0 : reactor_new(NULL, &slot->reactor);
	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "shipopt-io%u", index);
	slot->runtime = runtime;
	reactor_set_threaded(slot->reactor);
	thread_owner_hold(&runtime->owner);
	atomic_store(&slot->is_running, true);
	r = thread_start(&slot->thread, name, runtime_reactor_main, slot);
	slot->has_thread = r == 0;
	if (r == 0)
		return 0;
	atomic_store(&slot->is_running, false);
	thread_owner_drop(&runtime->owner);
	return r == SHIPOPT_EAGAIN ? SHIPOPT_EIO : r;
}

int runtime_reactor(shipopt_runtime *runtime, struct reactor **ret_reactor)
{
	int r = runtime_check(runtime);
	if (r < 0)
		return r;
	pthread_mutex_lock(&runtime->lock);
	unsigned index = runtime->is_simulated ? 0 : runtime->next_reactor++ % runtime->reactor_count;
	struct runtime_reactor *slot = &runtime->reactors[index];
	/* The close looks at the threads under the lock after it has set the state. */
	if (atomic_load(&runtime->state) != RUNTIME_OPEN)
		r = SHIPOPT_ESHUTDOWN;
	else if (!runtime->is_simulated && !slot->has_thread)
		r = runtime_reactor_start(runtime, index);
	if (r == 0)
		*ret_reactor = slot->reactor;
	pthread_mutex_unlock(&runtime->lock);
	return r;
}

struct call {
	struct task task;
	void (*function)(void *argument);
	void *argument;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool is_over;
};

static void runtime_call_run(struct task *task)
{
	struct call *call = CONTAINER_OF(task, struct call, task);
	call->function(call->argument);
	pthread_mutex_lock(&call->lock);
	call->is_over = true;
	pthread_cond_signal(&call->changed);
	pthread_mutex_unlock(&call->lock);
}

void runtime_call(struct reactor *reactor, void (*function)(void *argument), void *argument)
{
	struct call call = {.task.run = runtime_call_run, .function = function, .argument = argument};
	pthread_mutex_init(&call.lock, NULL);
	pthread_cond_init(&call.changed, NULL);
	if (reactor_is_current(reactor) || !reactor_post_threaded(reactor, &call.task)) {
		function(argument);
	} else {
		pthread_mutex_lock(&call.lock);
		while (!call.is_over)
			pthread_cond_wait(&call.changed, &call.lock);
		pthread_mutex_unlock(&call.lock);
	}
	pthread_cond_destroy(&call.changed);
	pthread_mutex_destroy(&call.lock);
}

bool runtime_post(shipopt_runtime *runtime, struct reactor *reactor, struct task *task)
{
	if (!runtime->is_simulated)
		return reactor_post_threaded(reactor, task);
	reactor_post(reactor, task);
	return true;
}
