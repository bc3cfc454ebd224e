/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RUNTIME_H
#define SHIPOPT_RUNTIME_H

#include <shipopt/error.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * The runtime: the threads that everything else runs on. A process usually has one.
 *
 *   scheduler   one worker per usable core (affinity mask and cgroup quota), work stealing; runs `done` callbacks and tasks
 *   reactor     one event loop thread: all sockets and timers
 *   side pool   at most min(40, 2 × cores) threads for work that blocks
 *
 * Threads are started when first needed. Signals are blocked in all of them. Names: shipopt-w0, shipopt-io0, shipopt-s0.
 *
 * Which callback runs where:
 *
 *   callback                        thread                                   may call
 *   done (delivery scheduler)       scheduler worker                         anything but wait and close
 *   done (delivery inline)          reactor                                  the same, and must not block
 *   done (delivery queue)           the thread that dispatches the queue     anything but close, and wait for this queue
 *   task of shipopt_runtime_submit  scheduler worker                         anything but wait and close
 *   task of ..._submit_blocking     side pool                                may block; not wait or close
 *   body of shipopt_runtime_parallel_for    the caller and scheduler workers         anything but wait and close
 *   body of a transaction           see <shipopt/pool.h>
 *   slow query report               reactor, or as done (delivery queue)     anything but wait and close, and must not block
 *   log                             any thread of the library or the caller  nothing of this library
 *   bulk callbacks                  see <shipopt/bulk.h>
 *
 * All of this since 0.1.
 */
typedef struct shipopt_runtime shipopt_runtime;
typedef struct shipopt_runtime_config shipopt_runtime_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_RUNTIME_….
 *
 * This holds for every configuration of the library: `_new` creates one with all defaults, and the caller owns it. The handle
 * that is created from it copies it. `_set` and `_set_int` set by name, as text or as number. `_from_env` sets what the
 * environment has. `_error` lends the first error, NULL without one; it lives until `_free`, which accepts NULL.
 *
 *   workers          scheduler threads; 0 (default): one per usable core; at most 256
 *   side_threads     most side pool threads; 0 (default): min(40, 2 × cores); at most 256
 *   reactors         event loop threads; default 1, at most 16
 *   log_level        0 silent (default), 1 error, 2 warning, 3 info, 4 debug
 */
SHIPOPT_API int shipopt_runtime_config_new(shipopt_runtime_config **ret_config);
SHIPOPT_API void shipopt_runtime_config_free(shipopt_runtime_config *config);
SHIPOPT_API int shipopt_runtime_config_set(shipopt_runtime_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_runtime_config_set_int(shipopt_runtime_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_runtime_config_from_env(shipopt_runtime_config *config);
SHIPOPT_API const shipopt_error *shipopt_runtime_config_error(const shipopt_runtime_config *config);

enum {
	SHIPOPT_LOG_SILENT = 0,
	SHIPOPT_LOG_ERROR = 1,
	SHIPOPT_LOG_WARNING = 2,
	SHIPOPT_LOG_INFO = 3,
	SHIPOPT_LOG_DEBUG = 4
};
/* `message` is one line without a newline; it never contains a credential. */
typedef void (*shipopt_log_fn)(void *userdata, int level, const char *message);
/* Where log lines go; NULL (default): nowhere. Called from any thread, one call at a time. */
SHIPOPT_API int shipopt_runtime_config_set_log(shipopt_runtime_config *config, shipopt_log_fn log, void *userdata);

/*
 * A host with its own executor may use it instead of the scheduler's threads. `submit` must arrange that
 * shipopt_executor_run(task) is called once, later, on any thread, and must not call it itself; it returns 0, or non-zero
 * if it cannot, in which case the task runs on the side pool.
 */
typedef int (*shipopt_executor_fn)(void *userdata, void *task);
SHIPOPT_API int shipopt_runtime_config_set_executor(shipopt_runtime_config *config, shipopt_executor_fn submit,
	void *userdata);
SHIPOPT_API void shipopt_executor_run(void *task);

/*
 * Creates a runtime. Starts no thread yet. `config` is copied and may be NULL. The caller owns *ret_runtime.
 * SHIPOPT_EINVAL for a configuration with an error, SHIPOPT_ENOMEM, SHIPOPT_EIO if there are no more descriptors.
 */
SHIPOPT_API int shipopt_runtime_new(const shipopt_runtime_config *config, shipopt_runtime **ret_runtime,
	shipopt_error **ret_error);

/*
 * Ends everything: refuses new operations, gives running ones up to `timeout_ms` (-1: no limit) to finish, cancels the rest,
 * delivers every completion, joins the threads. Afterwards calls return SHIPOPT_ESHUTDOWN; getters stay valid. Returns 0, or
 * SHIPOPT_ETIMEDOUT if operations had to be canceled, or SHIPOPT_EBUSY (below), or SHIPOPT_EDEADLK on a thread of the library and
 * inside callbacks. Completions in queues stay there until they are dispatched or the queue is freed; a full queue does not delay
 * the close.
 *
 * It returns within `timeout_ms` plus one second, with one exception: it waits for the answer to a purchase on the wire, which
 * comes within the carrier's timeout_ms. If a thread is still busy then, something blocks it: a callback (a source's next, an
 * item, a host call), a blocking task, a name look-up, a file. The close leaves that thread running and returns SHIPOPT_EBUSY.
 * From then on the library starts no callback, writes to no sink, and drops waiting tasks; only shipopt_queue_dispatch(),
 * shipopt_queue_free() and shipopt_op_wait() still run callbacks, those of a queue. Operations that depend on the blocked thread
 * are not done yet, and what they use (userdata, sinks) must stay valid until they are. When the thread returns they end without a
 * callback, and the library ends its threads and frees the memory.
 *
 * May be called again, also on another thread: it then waits up to its own `timeout_ms` plus one second for the end of the first
 * close, and returns 0 if everything has ended, otherwise SHIPOPT_EBUSY. If the system has no thread for the close, the calling
 * thread does its work, and a blocked callback then blocks the call.
 */
SHIPOPT_API int shipopt_runtime_close(shipopt_runtime *runtime, int64_t timeout_ms);

/* Drops the caller's reference; never blocks. Without a close before, the threads end by themselves when the last
 * handle and operation is gone. Accepts NULL. */
SHIPOPT_API void shipopt_runtime_free(shipopt_runtime *runtime);

/* How many threads of this kind run now; 0 for an unknown kind. */
enum { SHIPOPT_THREADS_WORKER = 1, SHIPOPT_THREADS_REACTOR = 2, SHIPOPT_THREADS_SIDE = 3 };
SHIPOPT_API int shipopt_runtime_thread_count(const shipopt_runtime *runtime, int kind);

typedef void (*shipopt_task_fn)(void *userdata);

/* Runs `task` once on a scheduler thread. SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_runtime_submit(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata);
/* The same for `count` tasks, each with userdata_list[i]; one lock and one wake for all. All or none are taken. */
SHIPOPT_API int shipopt_runtime_submit_batch(shipopt_runtime *runtime, shipopt_task_fn task, void *const *userdata_list,
	size_t count);
/* Runs `task` once on a side pool thread, where it may block. SHIPOPT_EAGAIN when 4,096 tasks wait. */
SHIPOPT_API int shipopt_runtime_submit_blocking(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata);

typedef void (*shipopt_range_fn)(void *userdata, size_t begin, size_t end);
/*
 * Calls `body` for pieces of [0, count) of at most `grain` (0: chosen) on all workers and on the calling thread, and
 * returns when all are done. May be called on a worker too: it helps instead of waiting. Pieces are disjoint, their order is
 * not fixed.
 */
SHIPOPT_API int shipopt_runtime_parallel_for(shipopt_runtime *runtime, size_t count, size_t grain,
	shipopt_range_fn body, void *userdata);

/* The library's version, such as "0.1.0", and as a number (major × 10,000 + minor × 100 + micro). */
SHIPOPT_API const char *shipopt_version(void);
SHIPOPT_API int shipopt_version_number(void);

SHIPOPT_END_DECLS

#endif
