/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RUNTIME_H
#define SHIPOPT_RUNTIME_H

#include <shipopt/error.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * A runtime owns the threads of the library. A process usually has one.
 *
 *   scheduler    one worker thread per usable core (affinity mask and cgroup quota); runs `done` callbacks and tasks
 *   event loop   one thread for all sockets and timers
 *   side pool    at most min(40, 2 × cores) threads for work that blocks
 *
 * Threads start when they are first needed. All signals are blocked in them. Their names are shipopt-w0, shipopt-io0,
 * shipopt-s0.
 *
 * Which callback runs on which thread, and what it may call:
 *
 *   callback                          thread                               may call
 *   done (default)                    scheduler worker                     anything but a wait or a close
 *   done (deliver_inline 1)           event loop                           the same; must not block
 *   done (with a queue)               the thread that dispatches           no close, no wait for this queue
 *   task of shipopt_runtime_submit()  scheduler worker                     anything but a wait or a close
 *   task of …_submit_blocking()       side pool                            may block; no wait, no close
 *   body of …_parallel_for()          the caller and scheduler workers     anything but a wait or a close
 *   body of a transaction             see <shipopt/pool.h>
 *   report of a slow query            event loop, or as done with a queue  no wait, no close; must not block
 *   log                               any thread                           nothing of this library
 *   callbacks of a bulk run           see <shipopt/bulk.h>
 *
 * A wait is any call that blocks until something has happened, such as shipopt_op_wait(). A signal handler may call
 * shipopt_queue_wakeup() and nothing else. A child process after fork() may call nothing that takes a handle made
 * before: such calls return SHIPOPT_EFORKED or do nothing.
 *
 * All of this since 0.1 unless a comment names another version.
 */
typedef struct shipopt_runtime shipopt_runtime;
typedef struct shipopt_runtime_config shipopt_runtime_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_RUNTIME_….
 *
 * This holds for every configuration of the library: `_new` creates one with all defaults, and the caller owns it. The
 * handle that is created from it copies it. `_set` and `_set_int` set by name, as text or as number. `_from_env` sets
 * what the environment has. `_error` lends the first error, NULL without one; it lives until `_free`, which accepts
 * NULL.
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
/* Gets a line of the log, without a newline. It never contains a credential. */
typedef void (*shipopt_log_fn)(void *userdata, int level, const char *message);
/* Sets the callback for log lines; NULL, the default, for none. Any thread calls it, one at a time. A queue can get the
 * lines as events, see shipopt_queue_enable(). */
SHIPOPT_API int shipopt_runtime_config_set_log(shipopt_runtime_config *config, shipopt_log_fn log, void *userdata);

/*
 * Sets an executor of the application, which runs tasks instead of the scheduler's threads. `submit` must arrange that
 * shipopt_task_run(task) is called once, later, on any thread. It must not call it itself. It returns 0, or another
 * number if it cannot take the task, which then runs on the side pool.
 */
typedef int (*shipopt_executor_fn)(void *userdata, void *task);
SHIPOPT_API int shipopt_runtime_config_set_executor(shipopt_runtime_config *config, shipopt_executor_fn submit,
	void *userdata);
/* Runs a task that an executor was given. */
SHIPOPT_API void shipopt_task_run(void *task);

/*
 * Creates a runtime. Starts no thread yet. `config` is copied and may be NULL. The caller owns *ret_runtime.
 * SHIPOPT_EINVAL for a configuration with an error, SHIPOPT_ENOMEM, SHIPOPT_EIO if there are no more descriptors.
 */
SHIPOPT_API int shipopt_runtime_new(const shipopt_runtime_config *config, shipopt_runtime **ret_runtime,
	shipopt_error **ret_error);

/*
 * Closes the runtime: refuses new operations, gives running ones up to `timeout_ms` (-1 sets no limit) to finish,
 * cancels the others, delivers every completion and ends the threads. Later calls return SHIPOPT_ESHUTDOWN; getters
 * still work. Completions in queues stay there until they are dispatched, polled or the queue is freed. A full queue
 * does not delay the close. shipopt_runtime_close_begin() in <shipopt/queue.h> closes without waiting.
 *
 * Returns 0, or SHIPOPT_ETIMEDOUT if operations had to be canceled, SHIPOPT_EBUSY if a thread is blocked (see below),
 * SHIPOPT_EDEADLK on a thread of the library and inside callbacks, SHIPOPT_EINVAL for NULL, SHIPOPT_EFORKED,
 * SHIPOPT_ESHUTDOWN when the process exits.
 *
 * The call returns within `timeout_ms` plus one second, with one exception: it waits for the answer to a purchase that
 * was sent, which comes within the carrier's timeout_ms. A thread that is still busy then is blocked: by a callback (a
 * source's next, an item, a host call), a task, a name look-up or a file. The call leaves that thread running and
 * returns SHIPOPT_EBUSY. From then on the library starts no callback, writes to no sink, and drops waiting tasks. Only
 * shipopt_queue_dispatch(), shipopt_queue_free() and shipopt_op_wait() still run callbacks, those of a queue.
 * Operations that depend on the blocked thread are not done yet, and what they use (userdata, sinks) must stay valid
 * until they are. When the thread returns, they end without a callback, and the library ends its threads and frees the
 * memory.
 *
 * The call may be repeated, on any thread. It then waits up to its own `timeout_ms` plus one second for the end of the
 * first close, and returns 0 if everything has ended, otherwise SHIPOPT_EBUSY. If the system has no thread for the
 * close, the calling thread does the work, and a blocked callback then blocks the call.
 */
SHIPOPT_API int shipopt_runtime_close(shipopt_runtime *runtime, int64_t timeout_ms);

/* Drops the caller's reference. Never blocks, and accepts NULL. Without a close, the threads end when the last handle
 * and the last operation of the runtime are gone. A program that ends first loses what is under way, so close the
 * runtime before main() returns. */
SHIPOPT_API void shipopt_runtime_free(shipopt_runtime *runtime);

/* Returns how many threads of a kind run now; 0 for an unknown kind. */
enum { SHIPOPT_THREADS_WORKER = 1, SHIPOPT_THREADS_REACTOR = 2, SHIPOPT_THREADS_SIDE = 3 };
SHIPOPT_API int shipopt_runtime_thread_count(const shipopt_runtime *runtime, int kind);

typedef void (*shipopt_task_fn)(void *userdata);

/* Runs `task` once on a scheduler thread. SHIPOPT_EINVAL, SHIPOPT_ENOMEM, SHIPOPT_EAGAIN when the system has no thread,
 * SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED; so below. */
SHIPOPT_API int shipopt_runtime_submit(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata);
/* Runs `task` `count` times, each with one of userdata_list. All or none are taken. This costs one lock and one wake
 * for all. */
SHIPOPT_API int shipopt_runtime_submit_batch(shipopt_runtime *runtime, shipopt_task_fn task, void *const *userdata_list,
	size_t count);
/* Runs `task` once on a side pool thread, where it may block. SHIPOPT_EAGAIN also when 4,096 tasks wait. */
SHIPOPT_API int shipopt_runtime_submit_blocking(shipopt_runtime *runtime, shipopt_task_fn task, void *userdata);

typedef void (*shipopt_range_fn)(void *userdata, size_t begin, size_t end);
/*
 * Calls `body` for disjoint pieces of [0, count), of at most `grain` numbers each (0: the library chooses), on all
 * workers and on the calling thread, in any order. Returns when all are done. A worker may call this too: it runs
 * pieces instead of waiting.
 */
SHIPOPT_API int shipopt_runtime_parallel_for(shipopt_runtime *runtime, size_t count, size_t grain,
	shipopt_range_fn body, void *userdata);

/* The library's version, such as "0.2.0", and as a number (major × 10,000 + minor × 100 + micro). */
SHIPOPT_API const char *shipopt_version(void);
SHIPOPT_API int shipopt_version_number(void);

SHIPOPT_END_DECLS

#endif
