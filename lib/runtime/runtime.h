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
 * Map of this folder:
 *
 *   runtime       runtime.h, runtime_private.h (for this folder only), runtime_config.c, runtime_task.c (tasks and
 *                 executor), runtime_simulate.c, close.c, exit.c (at the end of the process), fork.c, log.c
 *   threads       scheduler (workers) with deque; side_pool (blocking work); reactor (event loop) with timer and
 *                 backend_…; thread (starting, deadlines), wake (a descriptor), cores (how many to use), submit.c and
 *                 parallel_for.c (public tasks)
 *   operations    op.c (life, delivery, cancel), op_wait.c, op_result.c, op_refuse.c (a call with wrong arguments)
 *   delivery      delivery (the one primitive), request (a question and its answer)
 *   queue         queue.c (life, slots, pushing), queue_take.c (waiting, dispatching), queue_poll.c, queue_wait.c (for
 *                 shipopt_op_wait()), event.c (public getters), notice (may get lost), ready_event ("you can go on")
 *
 * Handles (carrier clients, stores, bulk executors) hold a reference. A handle that owns things on a reactor, or
 * threads, also registers a member. A close calls on its own thread: `cancel` of each member when the time to finish is
 * over, and `stop` of each member when no operation runs any more, the latest first, while the reactors still run.
 * `cancel` must lead to the completion of all operations of the member; usually it posts to the reactor. `stop` gives
 * up what lives on the reactor; it may post a task and wait for it (runtime_call()). A member unregisters when the last
 * reference to its handle is gone; the close unregisters the others after `stop`.
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
/* Ask this before each callback of the application. False after a close has returned SHIPOPT_EBUSY: what the callback
 * refers to may be gone. True inside a dispatch. A callback that runs already goes on. */
bool runtime_may_call_host(const shipopt_runtime *runtime);
/* Around a purchase on the wire: a close waits for it beyond its time, because it is paid for and certain to end. */
void runtime_await(shipopt_runtime *runtime);
void runtime_awaited(shipopt_runtime *runtime);
/* Counts an operation, or other work that a close waits for. SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
int runtime_admit(shipopt_runtime *runtime);
/* Ends what runtime_admit() began. */
void runtime_release(shipopt_runtime *runtime);
/* SHIPOPT_ESHUTDOWN. */
int runtime_register(shipopt_runtime *runtime, struct runtime_member *member);
void runtime_unregister(shipopt_runtime *runtime, struct runtime_member *member); /* again: does nothing */

/* Gives a reactor for a new handle, in turn, and starts it if needed. SHIPOPT_ENOMEM, SHIPOPT_EIO (no thread). */
int runtime_reactor(shipopt_runtime *runtime, struct reactor **ret_reactor);
/* Runs `function(argument)` on the reactor's thread and returns when it is done; directly when already there or when no
 * thread runs the reactor. */
void runtime_call(struct reactor *reactor, void (*function)(void *argument), void *argument);
/* Runs a task on the reactor's thread, later. False when no thread runs the reactor any more: the runtime is closed. */
bool runtime_post(shipopt_runtime *runtime, struct reactor *reactor, struct task *task);
/* Starts the threads for tasks, so that a caller knows before it queues one: SHIPOPT_EAGAIN, SHIPOPT_ENOMEM if none
 * could be started. */
int runtime_start_workers(shipopt_runtime *runtime);
/* Queues a task for a worker, or for the application's executor. Never fails. After the close it runs on the calling
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
