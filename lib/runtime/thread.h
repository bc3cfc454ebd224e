/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_THREAD_H
#define RUNTIME_THREAD_H

#include <pthread.h>

#include "base/reference.h"

/*
 * Threads of the library and what keeps their world alive.
 *
 * A thread is started with all signals blocked, so that the host's handlers never run on it, and is marked as one of
 * the library's: waiting calls refuse to run there (SHIPOPT_EDEADLK). The mark is also set for a while on a host's
 * thread that runs our code (executor tasks, the caller of shipopt_runtime_parallel_for, a simulated reactor's turn).
 *
 * `struct thread_owner` is what threads work on. Each thread holds it while it runs, its creator holds it once more;
 * whoever drops the last hold destroys it. So a runtime that is freed from one of its own threads ends without anybody
 * waiting: the last thread out takes the memory with it.
 *
 * Waits on conditions use the monotonic clock of the system, never the virtual one: they are for threads that really
 * sleep.
 */
struct thread_owner {
	struct reference holds;
	void (*destroy)(struct thread_owner *owner);
};

void thread_owner_hold(struct thread_owner *owner);
void thread_owner_drop(struct thread_owner *owner);

/* A thread with all signals blocked and a name of at most 15 characters. SHIPOPT_EAGAIN when the system has none. */
int thread_start(pthread_t *ret_thread, const char *name, void *(*main)(void *argument), void *argument);

/* Marks this thread as running the library's code, or no longer; returns what it was. */
bool thread_mark(bool is_library);
bool thread_is_marked(void);

/* A condition for condition_wait(). */
int condition_init(pthread_cond_t *condition);
/* The point that is `timeout_ms` from now; -1 (never) for a negative timeout. */
int64_t condition_deadline(int64_t timeout_ms);
/* Now, on the clock of these deadlines. */
int64_t condition_now_us(void);
/* For poll(): -1 for a deadline that never comes. */
int condition_left_ms(int64_t deadline_us);
/* False once the deadline has passed. */
bool condition_wait(pthread_cond_t *condition, pthread_mutex_t *lock, int64_t deadline_us);

#endif
