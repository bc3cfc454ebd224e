/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_SIDE_POOL_H
#define RUNTIME_SIDE_POOL_H

#include "runtime/task.h"
#include "runtime/thread.h"

/*
 * The side pool: threads for work that blocks (name look-ups, connects, files, the host's own).
 *
 * It is elastic: a thread is started when a task comes and no thread is idle, up to a maximum; one that was idle for
 * ten seconds leaves. Tasks run in the order they came, the library's own (`reserved`) before others. A quarter of the
 * threads, at least one if there are two or more, is kept free for the library's own tasks, so that blocking
 * tasks of the host cannot hold up connects and cancels.
 *
 * At most SIDE_TASKS_MAX tasks that are not reserved wait; reserved ones are bounded by the operations they belong to.
 * One lock for all: what runs here takes milliseconds. Threads hold the owner while they run. After
 * side_pool_stop() they leave once nothing waits; then either side_pool_join() or side_pool_detach() is called, once.
 */
struct side_pool;

#define SIDE_TASKS_MAX 4096
#define SIDE_THREADS_MAX 256
#define SIDE_IDLE_MS 10000

/* SHIPOPT_ENOMEM. */
int side_pool_new(struct thread_owner *owner, unsigned threads, struct side_pool **ret_pool);
/* No thread may run. Accepts NULL. */
void side_pool_free(struct side_pool *pool);
/* SHIPOPT_EAGAIN when too many wait (not for reserved ones), or when no thread could be started and none runs;
 * SHIPOPT_ESHUTDOWN after the stop. */
int side_pool_submit(struct side_pool *pool, struct task *task, bool is_reserved);
void side_pool_stop(struct side_pool *pool);
void side_pool_join(struct side_pool *pool);
void side_pool_detach(struct side_pool *pool);
unsigned side_pool_thread_count(struct side_pool *pool);

#endif
