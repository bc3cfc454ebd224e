/* SPDX-License-Identifier: MIT */
#include "runtime/thread.h"

#include <errno.h>
#include <limits.h>
#include <shipopt/error.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "base/fault.h"
#include "base/memory.h"
#include "runtime/runtime.h"

#define THREAD_NAME_SIZE 16

static _Thread_local bool marked;

struct start {
	void *(*main)(void *argument);
	void *argument;
	char name[THREAD_NAME_SIZE];
};

static void *thread_main(void *argument)
{
	struct start start = *(struct start *)argument;
	mem_free(argument);
#ifdef __APPLE__
	pthread_setname_np(start.name);
#else
	pthread_setname_np(pthread_self(), start.name);
#endif
	marked = true;
	return start.main(start.argument);
}

int thread_start(pthread_t *ret_thread, const char *name, void *(*main)(void *argument), void *argument)
{
	struct start *start = mem_alloc(sizeof(*start));
	if (!start)
		return SHIPOPT_ENOMEM;
	start->main = main;
	start->argument = argument;
	snprintf(start->name, sizeof(start->name), "%s", name);
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int r = fault_point() ? EAGAIN : pthread_create(ret_thread, NULL, thread_main, start);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (r == 0)
		return 0;
	mem_free(start);
	return SHIPOPT_EAGAIN;
}

bool thread_mark(bool is_library)
{
	bool before = marked;
	marked = is_library;
	return before;
}

bool thread_is_marked(void)
{
	return marked;
}

bool runtime_is_library_thread(void)
{
	return marked;
}

void runtime_mark_library_thread(void)
{
	marked = true;
}

void thread_owner_hold(struct thread_owner *owner)
{
	reference_take(&owner->holds);
}

void thread_owner_drop(struct thread_owner *owner)
{
	if (reference_drop(&owner->holds))
		owner->destroy(owner);
}

int64_t condition_now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t condition_deadline(int64_t timeout_ms)
{
	int64_t now = condition_now_us();
	if (timeout_ms < 0 || timeout_ms > (INT64_MAX - now) / 1000)
		return -1;
	return now + timeout_ms * 1000;
}

int condition_left_ms(int64_t deadline_us)
{
	if (deadline_us < 0)
		return -1;
	int64_t left_us = MAX(deadline_us - condition_now_us(), 0);
	return (int)MIN((left_us + 999) / 1000, INT_MAX);
}

#ifdef __APPLE__

int condition_init(pthread_cond_t *condition)
{
	return pthread_cond_init(condition, NULL) == 0 ? 0 : SHIPOPT_ENOMEM;
}

static int thread_timed_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_us)
{
	int64_t left = MAX(deadline_us - condition_now_us(), 0);
	struct timespec relative = {.tv_sec = left / 1000000, .tv_nsec = left % 1000000 * 1000};
	return pthread_cond_timedwait_relative_np(condition, lock, &relative);
}

#else

int condition_init(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	if (pthread_condattr_init(&attributes) != 0)
		return SHIPOPT_ENOMEM;
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	int r = pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
	return r == 0 ? 0 : SHIPOPT_ENOMEM;
}

static int thread_timed_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_us)
{
	struct timespec until = {.tv_sec = deadline_us / 1000000, .tv_nsec = deadline_us % 1000000 * 1000};
	return pthread_cond_timedwait(condition, lock, &until);
}

#endif

bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_us)
{
	if (deadline_us < 0) {
		pthread_cond_wait(condition, lock);
		return true;
	}
	return thread_timed_wait(condition, lock, deadline_us) != ETIMEDOUT;
}
