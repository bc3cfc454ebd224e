/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_SCHEDULER_H
#define RUNTIME_SCHEDULER_H

#include "runtime/task.h"
#include "runtime/thread.h"

/*
 * The scheduler: a fixed number of worker threads that run tasks.
 *
 * Tasks from other threads enter a common list under one lock; a worker takes them in batches, a fair share at a time,
 * into a deque of its own, from which idle workers steal. Tasks that a worker submits go straight to its deque. Every
 * 61st task is taken from the common list, or is the oldest of the own deque, so that nothing starves behind tasks that
 * submit more.
 *
 * Waking (the scheme of tokio's and Go's schedulers): at most one worker searches at a time. A submitter wakes a parked
 * worker only if none searches; the woken one counts as the searcher from that moment on. A searcher that finds work
 * lets the next one be woken if there is more, so a batch costs one lock and one wake, and workers join one after the
 * other. A searcher that finds nothing gives up its role first and looks again before it sleeps: whoever submitted
 * and saw a searcher is seen by that second look (both sides are sequentially consistent).
 *
 * A worker whose last sleep was short spins some microseconds before it parks again; with one worker there is no
 * spinning.
 *
 * Threads start with scheduler_start(). Each holds the owner while it runs. After scheduler_stop() they leave once
 * nothing is left to run; then either scheduler_join() or scheduler_detach() is called, once.
 */
struct scheduler;

#define SCHEDULER_WORKERS_MAX 256

/* SHIPOPT_ENOMEM. */
int scheduler_new(struct thread_owner *owner, unsigned workers, struct scheduler **ret_scheduler);
/* No thread may run; what is still queued is dropped, see scheduler_drain(). Accepts NULL. */
void scheduler_free(struct scheduler *scheduler);
/* Starts the threads, if that has not been done. Fewer than wanted is success; SHIPOPT_EAGAIN if none could be
 * started. */
int scheduler_start(struct scheduler *scheduler);
/* Any thread, never fails. Tasks wait until there is a thread. */
void scheduler_submit(struct scheduler *scheduler, struct task *task);
/* Takes all tasks of `tasks`, which is empty afterwards. */
void scheduler_submit_list(struct scheduler *scheduler, struct task_list *tasks);
/* Runs one task that waits, if called on a worker of this scheduler and there is one. */
bool scheduler_help(struct scheduler *scheduler);
void scheduler_stop(struct scheduler *scheduler);
void scheduler_join(struct scheduler *scheduler);
void scheduler_detach(struct scheduler *scheduler);
/* Runs what is left in the common list on this thread; for when no worker runs any more. Returns how many ran. */
size_t scheduler_drain(struct scheduler *scheduler);
/* Threads that run now. */
unsigned scheduler_thread_count(const struct scheduler *scheduler);
unsigned scheduler_worker_count(const struct scheduler *scheduler);
/* Whether this thread is one of its workers. */
bool scheduler_is_current(const struct scheduler *scheduler);

#endif
