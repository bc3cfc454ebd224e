/* SPDX-License-Identifier: MIT */
#include "runtime/scheduler.h"

#include <shipopt/error.h>
#include <stdio.h>

#include "base/memory.h"
#include "base/random.h"
#include "runtime/deque.h"

#define FAIRNESS_TICKS 61 /* a prime, as in Go and tokio */
#define BATCH_MAX 128     /* most tasks taken from the common list at once */
#define SPIN_ROUNDS 64    /* about 10 µs of looking around before parking */
#define SPIN_PAUSES 16
#define SHORT_SLEEP_US 50 /* a worker woken sooner than this spins before its next sleep */

struct worker {
	struct deque deque;
	struct scheduler *scheduler;
	struct random random;
	unsigned tick;
	bool is_searching;
	bool spins;
	pthread_t thread;
};

struct scheduler {
	struct thread_owner *owner;
	unsigned worker_count;
	atomic_uint started; /* workers [0, started) have or had a thread; grows only */
	atomic_uint running;
	bool is_ended; /* joined or detached */

	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct task_list injected;
	atomic_size_t injected_count; /* of the list; written under the lock */
	atomic_int searching;         /* 0 or 1 */
	atomic_uint parked;           /* written under the lock */
	unsigned wakes;               /* parked workers that were woken and do not run yet */
	atomic_bool stopping;

	struct worker workers[];
};

static _Thread_local struct worker *current;

static inline void scheduler_pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

int scheduler_new(struct thread_owner *owner, unsigned workers, struct scheduler **ret_scheduler)
{
	ASSERT(workers > 0 && workers <= SCHEDULER_WORKERS_MAX);
	struct scheduler *scheduler = mem_alloc_zero(sizeof(*scheduler) + workers * sizeof(struct worker));
	if (!scheduler)
		return SHIPOPT_ENOMEM;
	if (condition_init(&scheduler->wake) < 0) {
		mem_free(scheduler);
		return SHIPOPT_ENOMEM;
	}
	pthread_mutex_init(&scheduler->lock, NULL);
	scheduler->owner = owner;
	scheduler->worker_count = workers;
	for (unsigned i = 0; i < workers; i++) {
		struct worker *worker = &scheduler->workers[i];
		deque_init(&worker->deque);
		random_init(&worker->random, (uint64_t)(uintptr_t)worker);
		worker->scheduler = scheduler;
	}
	*ret_scheduler = scheduler;
	return 0;
}

void scheduler_free(struct scheduler *scheduler)
{
	if (!scheduler)
		return;
	pthread_cond_destroy(&scheduler->wake);
	pthread_mutex_destroy(&scheduler->lock);
	mem_free(scheduler);
}

unsigned scheduler_thread_count(const struct scheduler *scheduler)
{
	return atomic_load(&scheduler->running);
}

unsigned scheduler_worker_count(const struct scheduler *scheduler)
{
	return scheduler->worker_count;
}

bool scheduler_is_current(const struct scheduler *scheduler)
{
	return current && current->scheduler == scheduler;
}

/* --- waking --- */

/* Whether to signal `wake` after the lock is given up. The woken worker is the searcher from now on. */
static bool scheduler_wake_prepare(struct scheduler *scheduler)
{
	int none = 0;
	if (atomic_load(&scheduler->parked) <= scheduler->wakes)
		return false;
	if (!atomic_compare_exchange_strong(&scheduler->searching, &none, 1))
		return false;
	scheduler->wakes++;
	return true;
}

static void scheduler_wake_one(struct scheduler *scheduler)
{
	deque_fence(); /* what was queued before against the two reads; pairs with scheduler_park() */
	if (atomic_load(&scheduler->searching) || atomic_load(&scheduler->parked) == 0)
		return;
	pthread_mutex_lock(&scheduler->lock);
	bool wake = scheduler_wake_prepare(scheduler);
	pthread_mutex_unlock(&scheduler->lock);
	if (wake)
		pthread_cond_signal(&scheduler->wake);
}

static bool scheduler_any_deque_filled(const struct scheduler *scheduler)
{
	unsigned started = atomic_load(&scheduler->started);
	for (unsigned i = 0; i < started; i++)
		if (!deque_is_empty(&scheduler->workers[i].deque))
			return true;
	return false;
}

/* The searcher has found work: its role is free, and if there is more work, the next one takes it. */
static void scheduler_search_ended(struct worker *worker)
{
	if (!worker->is_searching)
		return;
	worker->is_searching = false;
	atomic_store(&worker->scheduler->searching, 0);
	if (atomic_load(&worker->scheduler->injected_count) || scheduler_any_deque_filled(worker->scheduler))
		scheduler_wake_one(worker->scheduler);
}

/* --- finding work --- */

/* Takes a fair share of the common list: one task to run now, the others into the own deque. */
static struct task *scheduler_take_injected(struct worker *worker, size_t most)
{
	struct scheduler *scheduler = worker->scheduler;
	struct task *batch[BATCH_MAX];
	if (atomic_load_explicit(&scheduler->injected_count, memory_order_relaxed) == 0)
		return NULL;
	most = MIN(most, deque_space(&worker->deque));
	pthread_mutex_lock(&scheduler->lock);
	size_t share = scheduler->injected.count / scheduler->worker_count + 1;
	size_t count = MIN(MIN(share, most + 1), MIN((size_t)BATCH_MAX, scheduler->injected.count));
	for (size_t i = 0; i < count; i++)
		batch[i] = task_list_pop(&scheduler->injected);
	size_t left = scheduler->injected.count;
	atomic_store(&scheduler->injected_count, left);
	pthread_mutex_unlock(&scheduler->lock);
	if (count == 0)
		return NULL;
	/* Backwards, as the own end of the deque is last in first out. */
	for (size_t i = count - 1; i > 0; i--)
		ASSERT(deque_push(&worker->deque, batch[i]));
	if (count + left > 1 && !worker->is_searching)
		scheduler_wake_one(scheduler);
	return batch[0];
}

static struct task *scheduler_take_fair(struct worker *worker)
{
	struct task *task = scheduler_take_injected(worker, 0);
	return task ? task : deque_steal(&worker->deque);
}

static struct task *scheduler_steal_round(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	unsigned started = atomic_load(&scheduler->started);
	unsigned first = (unsigned)random_below(&worker->random, started);
	for (unsigned i = 0; i < started; i++) {
		struct worker *victim = &scheduler->workers[(first + i) % started];
		struct task *task = victim == worker ? NULL : deque_steal(&victim->deque);
		if (task)
			return task;
	}
	return NULL;
}

static struct task *scheduler_search(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	int none = 0;
	if (!worker->is_searching && !atomic_compare_exchange_strong(&scheduler->searching, &none, 1))
		return NULL;
	worker->is_searching = true;
	int rounds = worker->spins ? SPIN_ROUNDS : 1;
	for (int round = 0; round < rounds; round++) {
		struct task *task = scheduler_steal_round(worker);
		if (!task)
			task = scheduler_take_injected(worker, BATCH_MAX);
		if (task)
			return task;
		for (int i = 0; i < SPIN_PAUSES && rounds > 1; i++)
			scheduler_pause_briefly();
	}
	return NULL;
}

/* --- sleeping --- */

/* What a worker does with the lock held before each sleep: true to get up. */
static bool scheduler_park_should_end(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	int none = 0;
	if (scheduler->wakes > 0) {
		scheduler->wakes--;
		worker->is_searching = true;
		return true;
	}
	if (scheduler->injected.count > 0)
		return true;
	/* Where somebody searches, the deques are looked at. */
	if (atomic_load(&scheduler->searching) || !scheduler_any_deque_filled(scheduler))
		return false;
	worker->is_searching = atomic_compare_exchange_strong(&scheduler->searching, &none, 1);
	return worker->is_searching;
}

/* Sleeps until there may be work. False when the scheduler stops and nothing is left. */
static bool scheduler_park(struct worker *worker)
{
	struct scheduler *scheduler = worker->scheduler;
	bool work = true, slept = false;
	int64_t since = condition_deadline(0);
	pthread_mutex_lock(&scheduler->lock);
	if (worker->is_searching) {
		worker->is_searching = false;
		atomic_store(&scheduler->searching, 0);
	}
	atomic_fetch_add(&scheduler->parked, 1);
	deque_fence();
	while (!scheduler_park_should_end(worker)) {
		if (atomic_load(&scheduler->stopping)) {
			work = false;
			break;
		}
		pthread_cond_wait(&scheduler->wake, &scheduler->lock);
		slept = true;
	}
	atomic_fetch_sub(&scheduler->parked, 1);
	pthread_mutex_unlock(&scheduler->lock);
	worker->spins = slept && scheduler->worker_count > 1 && condition_deadline(0) - since < SHORT_SLEEP_US;
	return work;
}

/* --- running --- */

static struct task *scheduler_next_task(struct worker *worker)
{
	for (;;) {
		struct task *task = ++worker->tick % FAIRNESS_TICKS == 0 ? scheduler_take_fair(worker) : NULL;
		if (!task)
			task = deque_take(&worker->deque);
		if (!task)
			task = scheduler_take_injected(worker, BATCH_MAX);
		if (!task)
			task = scheduler_search(worker);
		if (task) {
			scheduler_search_ended(worker);
			return task;
		}
		if (!scheduler_park(worker))
			return NULL;
	}
}

static void *scheduler_worker_main(void *argument)
{
	struct worker *worker = argument;
	struct scheduler *scheduler = worker->scheduler;
	struct thread_owner *owner = scheduler->owner;
	struct task *task;
	current = worker;
	while ((task = scheduler_next_task(worker)))
		task->run(task);
	current = NULL;
	atomic_fetch_sub(&scheduler->running, 1);
	thread_owner_drop(owner);
	return NULL;
}

int scheduler_start(struct scheduler *scheduler)
{
	if (atomic_load(&scheduler->started) == scheduler->worker_count)
		return 0;
	int r = 0;
	pthread_mutex_lock(&scheduler->lock);
	unsigned started = atomic_load(&scheduler->started);
	while (r == 0 && started < scheduler->worker_count && !atomic_load(&scheduler->stopping)) {
		char name[32];
		struct worker *worker = &scheduler->workers[started];
		snprintf(name, sizeof(name), "shipopt-w%u", started);
		thread_owner_hold(scheduler->owner);
		atomic_fetch_add(&scheduler->running, 1);
		r = thread_start(&worker->thread, name, scheduler_worker_main, worker);
		if (r == 0) {
			atomic_store(&scheduler->started, ++started);
		} else {
			atomic_fetch_sub(&scheduler->running, 1);
			thread_owner_drop(scheduler->owner);
		}
	}
	pthread_mutex_unlock(&scheduler->lock);
	return started > 0 ? 0 : r;
}

static void scheduler_inject(struct scheduler *scheduler, struct task_list *tasks)
{
	pthread_mutex_lock(&scheduler->lock);
	task_list_append(&scheduler->injected, tasks);
	atomic_store(&scheduler->injected_count, scheduler->injected.count);
	bool wake = scheduler_wake_prepare(scheduler);
	pthread_mutex_unlock(&scheduler->lock);
	if (wake)
		pthread_cond_signal(&scheduler->wake);
}

void scheduler_submit(struct scheduler *scheduler, struct task *task)
{
	if (scheduler_is_current(scheduler) && deque_push(&current->deque, task)) {
		scheduler_wake_one(scheduler);
		return;
	}
	struct task_list one = {0};
	task_list_push(&one, task);
	scheduler_inject(scheduler, &one);
}

void scheduler_submit_list(struct scheduler *scheduler, struct task_list *tasks)
{
	if (tasks->count > 0)
		scheduler_inject(scheduler, tasks);
}

bool scheduler_help(struct scheduler *scheduler)
{
	if (!scheduler_is_current(scheduler))
		return false;
	struct task *task = deque_take(&current->deque);
	if (!task)
		task = scheduler_take_injected(current, 0);
	if (!task)
		task = scheduler_steal_round(current);
	if (!task)
		return false;
	task->run(task);
	return true;
}

/* --- ending --- */

void scheduler_stop(struct scheduler *scheduler)
{
	pthread_mutex_lock(&scheduler->lock);
	atomic_store(&scheduler->stopping, true);
	pthread_cond_broadcast(&scheduler->wake);
	pthread_mutex_unlock(&scheduler->lock);
}

void scheduler_join(struct scheduler *scheduler)
{
	if (scheduler->is_ended)
		return;
	scheduler->is_ended = true;
	for (unsigned i = 0; i < atomic_load(&scheduler->started); i++)
		pthread_join(scheduler->workers[i].thread, NULL);
}

void scheduler_detach(struct scheduler *scheduler)
{
	if (scheduler->is_ended)
		return;
	scheduler->is_ended = true;
	for (unsigned i = 0; i < atomic_load(&scheduler->started); i++)
		pthread_detach(scheduler->workers[i].thread);
}

size_t scheduler_drain(struct scheduler *scheduler)
{
	size_t ran = 0;
	for (;;) {
		pthread_mutex_lock(&scheduler->lock);
		struct task *task = task_list_pop(&scheduler->injected);
		atomic_store(&scheduler->injected_count, scheduler->injected.count);
		pthread_mutex_unlock(&scheduler->lock);
		if (!task)
			return ran;
		task->run(task);
		ran++;
	}
}
