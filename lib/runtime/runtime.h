/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_RUNTIME_H
#define RUNTIME_RUNTIME_H

#include <shipopt/runtime.h>

#include "base/list.h"
#include "runtime/op.h"
#include "runtime/reactor.h"
#include "runtime/task.h"
#include "runtime/thread.h"

/*
 * What the layers above see of the runtime.
 *
 * Handles (carrier clients, stores, bulk executors) hold a reference (runtime_ref) and, if they own things that live on
 * a reactor or threads of their own, register a member. Closing calls, on the closing thread: `cancel` of every member
 * once the time to finish is over (it must lead to the completion of all its operations; usually it posts to the
 * reactor), and when no operation runs any more `stop` of every member, latest registered first, with its reactor still
 * running: there the member gives up what lives on the reactor (it may post a task and wait for it: `runtime_call`). A
 * member unregisters itself when its handle's last reference is gone, or is unregistered by the close after `stop`.
 */
struct runtime_member {
	struct list_node node;
	void (*cancel)(struct runtime_member *member); /* each may be NULL */
	void (*stop)(struct runtime_member *member);
};

shipopt_runtime *runtime_ref(shipopt_runtime *runtime);
void runtime_unref(shipopt_runtime *runtime);
/* 0, SHIPOPT_ESHUTDOWN or SHIPOPT_EFORKED: the first line of every public function that takes a handle. */
int runtime_check(const shipopt_runtime *runtime);
bool runtime_is_forked(const shipopt_runtime *runtime);
/* Counts an operation in, so that a close waits for it, or refuses it: SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
int runtime_admit(shipopt_runtime *runtime);
/* Counts it out. */
void runtime_release(shipopt_runtime *runtime);
/* To be asked before each callback of the host's. False once a close has returned without waiting to the end: what the
 * callback refers to may be gone. Inside a dispatch the host is there. A callback that had begun goes on. */
bool runtime_may_call_host(const shipopt_runtime *runtime);
/* Around what a close should wait for beyond its time, because it is paid for and certain to end: a purchase on the
 * wire. */
void runtime_await(shipopt_runtime *runtime);
void runtime_awaited(shipopt_runtime *runtime);
/* SHIPOPT_ESHUTDOWN. */
int runtime_register(shipopt_runtime *runtime, struct runtime_member *member);
void runtime_unregister(shipopt_runtime *runtime, struct runtime_member *member); /* again: does nothing */

/* A reactor for a new handle (round robin), started if needed. SHIPOPT_ENOMEM, SHIPOPT_EIO (no thread). */
int runtime_reactor(shipopt_runtime *runtime, struct reactor **ret_reactor);
/* Runs `function(argument)` on the reactor's thread and returns when it is done; directly when already there or when no
 * thread runs the reactor. */
void runtime_call(struct reactor *reactor, void (*function)(void *argument), void *argument);
/* Runs a task on the reactor's thread, later. False when no thread runs the reactor any more: the runtime is closed. */
bool runtime_post(shipopt_runtime *runtime, struct reactor *reactor, struct task *task);
/* Threads for tasks, for whoever is going to queue some and wants to know before: SHIPOPT_EAGAIN, SHIPOPT_ENOMEM when
 * not one could be started. */
int runtime_start_workers(shipopt_runtime *runtime);
/* Queues a task for a worker (or for the host's executor); never fails. After the close it runs on the calling
 * thread. */
void runtime_submit_task(shipopt_runtime *runtime, struct task *task);
/* Queues a task for the side pool. `reserved`: the library's own work (name look-ups, connects, cancels), which has
 * slots kept free for it; else SHIPOPT_EAGAIN when too many wait. SHIPOPT_EAGAIN too when the system has no thread,
 * SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN after the close. */
int runtime_submit_side(shipopt_runtime *runtime, struct task *task, bool reserved);
/* True on any thread of any runtime (workers, reactors, side pool) and inside host executor tasks. */
bool runtime_is_library_thread(void);
/* Marks a thread that a layer above runs itself (the SQLite writer) as one of the library's. */
void runtime_mark_library_thread(void);

/*
 * A runtime for tests without any thread: its one reactor has the simulated back-end (runtime/backend_simulated.h) and
 * is turned by the test, on one thread; tasks for workers and for the side pool run at the end of the turn they are
 * queued in (queued by a turn-end task: in the next one). shipopt_op_wait(), shipopt_queue_dispatch(),
 * shipopt_queue_poll() and shipopt_runtime_close() turn the reactor themselves while they wait, in virtual time. Free
 * it outside of a turn.
 */
int runtime_new_simulated(shipopt_runtime **ret_runtime);
/* Sets where log lines of a simulated runtime go, which has no configuration. */
void runtime_set_log(shipopt_runtime *runtime, int level, shipopt_log_fn log, void *userdata);

/* Log lines. The level is checked before the text is formatted. Never pass a credential. */
void runtime_log(const shipopt_runtime *runtime, int level, const char *format, ...) PRINTF_LIKE(3, 4);

#endif
