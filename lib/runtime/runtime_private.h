/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_RUNTIME_PRIVATE_H
#define RUNTIME_RUNTIME_PRIVATE_H

#include "config/settings.h"
#include "runtime/exit.h"
#include "runtime/queue.h"
#include "runtime/runtime.h"
#include "runtime/scheduler.h"
#include "runtime/side_pool.h"

/*
 * The inside of shipopt_runtime, for the files of this folder.
 *
 * Two counts: `reference` counts the handles, operations and the caller's own; `owner` counts the threads, plus one for
 * all references together, plus one for each task that is with the host's executor. When the last reference goes, the
 * threads are told to end once their work is done; whoever drops the last hold of the owner, usually the last thread,
 * frees the memory. shipopt_runtime_close() joins instead (close.c).
 *
 * `state` only goes up. `running` counts operations from admission until their completion was delivered or lies in a
 * queue; an operation first counts itself and then looks at the state, the close first sets the state and then looks at
 * the count, so that none is missed.
 */
#define RUNTIME_REACTORS_MAX 16

struct shipopt_runtime_config {
	struct settings settings;
	shipopt_log_fn log;
	void *log_userdata;
	shipopt_executor_fn executor;
	void *executor_userdata;
};

enum runtime_state { RUNTIME_OPEN, RUNTIME_CLOSING, RUNTIME_CLOSED };

struct runtime_reactor {
	struct shipopt_runtime *runtime;
	struct reactor *reactor; /* NULL until first needed */
	pthread_t thread;
	bool has_thread; /* started and neither joined nor detached */
	atomic_bool is_running;
};

struct shipopt_runtime {
	struct thread_owner owner;
	struct reference reference;
	unsigned generation; /* of fork_generation() */
	bool is_simulated;
	pthread_t simulated_thread;
	struct exit_entry exit_entry;
	atomic_bool is_exiting;

	int log_level;
	shipopt_log_fn log;
	void *log_userdata;
	pthread_mutex_t log_lock;
	shipopt_queue
		*log_queue; /* that takes LOG events, with log_lock; borrowed: it goes out of here when it is freed */
	atomic_bool has_log_queue;
	shipopt_executor_fn executor;
	void *executor_userdata;
	atomic_size_t executor_tasks; /* with the executor now */

	struct scheduler *scheduler;
	struct side_pool *side_pool;

	atomic_int state;
	atomic_size_t running; /* operations */

	pthread_t closer;              /* see close.c */
	atomic_bool has_closer;        /* started and neither joined nor detached */
	atomic_bool is_abandoned;      /* the close has given up waiting for it */
	atomic_size_t awaited;         /* purchases on the wire */
	int64_t close_timeout_ms;      /* before the closer starts, then the closer's */
	int close_status;              /* the closer's, then whoever sees RUNTIME_CLOSED */
	atomic_bool close_is_unwaited; /* begun by shipopt_runtime_close_begin(), and nobody has waited for it */
	shipopt_queue *close_queue;    /* a reference: gets the event of the close; set before the closer starts */
	struct queue_entry close_entry;

	pthread_mutex_t lock;   /* for what follows */
	pthread_cond_t changed; /* state, running, a member's call returned */
	struct list_node members;
	struct runtime_member *called; /* the close calls it now, on thread called_by */
	pthread_t called_by;
	unsigned reactor_count, next_reactor;
	struct runtime_reactor reactors[RUNTIME_REACTORS_MAX];
};

/* The same as runtime_submit_task() for many tasks. */
void runtime_submit_tasks(shipopt_runtime *runtime, struct task_list *tasks);
/* How many threads run tasks at once, at best. */
unsigned runtime_parallelism(const shipopt_runtime *runtime);
/* Wakes whoever waits for `changed`. */
void runtime_notify(shipopt_runtime *runtime);
/* Runs on this thread what threads that have left could not take any more. */
void runtime_drain(shipopt_runtime *runtime);
/* Simulated: turns the reactor until `is_over`. False when the (virtual) time is over, or nothing can happen any
 * more. */
bool runtime_simulate(shipopt_runtime *runtime, bool (*is_over)(void *argument), void *argument, int64_t timeout_ms);
/* True if the close ends with an event in this queue. */
bool runtime_closes_to(const shipopt_runtime *runtime, const shipopt_queue *queue);
/* Makes `to` the queue that takes log lines if that is `from` now (each may be NULL). SHIPOPT_EBUSY if it is another
 * one. */
int runtime_log_to(shipopt_runtime *runtime, const shipopt_queue *from, shipopt_queue *to);
/* Forwards a task to the host's executor. */
void executor_submit(shipopt_runtime *runtime, struct task *task);

#endif
