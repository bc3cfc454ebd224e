/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_OP_H
#define SHIPOPT_OP_H

#include <shipopt/error.h>

SHIPOPT_BEGIN_DECLS

/*
 * An operation is one asynchronous call.
 *
 * Every asynchronous function ends in `shipopt_done_fn done, void *userdata, shipopt_op **ret_op`. `done` and `ret_op`
 * may be NULL.
 *
 * If the function returns 0, the operation completes exactly once, also when it is canceled or the runtime closes.
 * `done` runs then: later, never from inside the function and never under a lock of the library. If the function
 * returns an error, `done` never runs. The function itself returns only SHIPOPT_EINVAL for a NULL handle or when nobody
 * could read the result, SHIPOPT_EAGAIN, SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN and SHIPOPT_EFORKED. Any other mistake in
 * the arguments becomes a failed operation, whose error names the argument.
 *
 * *ret_op is written before the operation can complete. It is a reference that the caller drops with
 * shipopt_op_unref(). `done` borrows a reference for the time of its call.
 *
 * Where `done` runs depends on the configuration of the handle: on a scheduler thread (default); on a queue, if
 * `…_config_set_queue` gave one (<shipopt/queue.h>); or on the event loop, if the setting deliver_inline is 1. The
 * event loop waits for such a callback, so it must be short and never block. An event that shipopt_queue_poll() returns
 * replaces `done`, which does not run then.
 *
 * Results are readable once the operation is done: in `done`, after shipopt_op_wait(), or when shipopt_op_is_done()
 * returns 1. Before that, getters return SHIPOPT_EAGAIN, NULL or 0. What they return is borrowed and valid while a
 * reference to the operation is held. Getters accept NULL and return SHIPOPT_EINVAL, NULL or 0.
 *
 * Any thread may call these functions; a signal handler must not. It may call shipopt_queue_wakeup()
 * (<shipopt/queue.h>) and set a flag, and the thread that polls the queue cancels.
 *
 * All of this since 0.1.
 */
typedef struct shipopt_op shipopt_op;
struct shipopt_record; /* <shipopt/record.h> */

typedef void (*shipopt_done_fn)(void *userdata, shipopt_op *op);

/* Returns 0 or a positive number for success, a negative code for a failure, SHIPOPT_EAGAIN while the operation
 * runs. */
SHIPOPT_API int shipopt_op_status(const shipopt_op *op);
/* Returns 1 once the results are readable, else 0. */
SHIPOPT_API int shipopt_op_is_done(const shipopt_op *op);
/* Returns the error of a failed operation, never NULL then. NULL while it runs and after success. Borrowed. */
SHIPOPT_API const shipopt_error *shipopt_op_error(const shipopt_op *op);

/* Return what the operation made; the comment of the call says which of them. NULL or 0 if it made none. Borrowed. */
SHIPOPT_API const struct shipopt_record *shipopt_op_record(const shipopt_op *op);
SHIPOPT_API const char *shipopt_op_json(const shipopt_op *op);
SHIPOPT_API int64_t shipopt_op_value(const shipopt_op *op);

/* Returns 1 if the result is an answer that a cache kept from an earlier call (<shipopt/carrier.h>), else 0. */
SHIPOPT_API int shipopt_op_is_cached(const shipopt_op *op);

/*
 * Asks the operation to end early. It still completes once: with SHIPOPT_ECANCELED if nothing was sent, with
 * SHIPOPT_EINDOUBT if a write was sent and its outcome is unknown, or with its normal result.
 * Returns 0, also when the operation is done already. SHIPOPT_EINVAL for NULL, SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_op_cancel(shipopt_op *op);

/*
 * Waits until the operation is done and `done` has returned, up to `timeout_ms`; -1 sets no limit. Returns the
 * operation's status, or SHIPOPT_ETIMEDOUT when the time is over. As SHIPOPT_ETIMEDOUT may also be the operation's own
 * status, ask shipopt_op_is_done() which it is. SHIPOPT_EINVAL for NULL, SHIPOPT_EFORKED, and SHIPOPT_EDEADLK on a
 * thread of the library and inside a dispatch of the operation's queue.
 *
 * If the operation completes to a queue, this call dispatches that queue while it waits: it runs every event that has a
 * callback, in order, and consumes this operation's completion event, which shipopt_queue_poll() does not return then.
 * Events of others without a callback stay in the queue.
 *
 * An operation may need the application to poll: to answer a REQUEST that has no callback, or to release items of a
 * run, which free slots. Then poll on another thread. If no thread polls for 10 seconds while the operation needs it,
 * this call returns SHIPOPT_EDEADLK; after 1 second it logs a warning. The operation goes on, and polling the queue
 * completes it.
 */
SHIPOPT_API int shipopt_op_wait(shipopt_op *op, int64_t timeout_ms);

/* Take and drop a reference. Both accept NULL; `ref` returns its argument. Dropping the last reference does not
 * cancel. */
SHIPOPT_API shipopt_op *shipopt_op_ref(shipopt_op *op);
SHIPOPT_API void shipopt_op_unref(shipopt_op *op);

/*
 * A request is a question of the library that the application answers: the custom operation of a bulk run and the
 * choice of a rate (<shipopt/bulk.h>), the body of a transaction (<shipopt/pool.h>), the load of a cache
 * (<shipopt/cache.h>). The application answers it once, now or later, on any thread, with shipopt_request_complete() or
 * shipopt_request_fail(). The answer consumes the request: do not use it afterwards.
 */
typedef struct shipopt_request shipopt_request;
/* Gets a request. It runs where callbacks of the handle run. A queue that is polled gives an event of the kind
 * SHIPOPT_EVENT_REQUEST instead. */
typedef void (*shipopt_request_fn)(void *userdata, shipopt_request *request);

/* Answers with success and a value. */
SHIPOPT_API void shipopt_request_complete(shipopt_request *request, int64_t value);
/* Answers with a failure: a negative code and a message, which is copied and may be NULL. A code that is not negative
 * counts as SHIPOPT_EINVAL. */
SHIPOPT_API void shipopt_request_fail(shipopt_request *request, int code, const char *message);
/* Return the record and the key (of an order, or of a cache) that the request is about, or NULL. Borrowed until the
 * answer. */
SHIPOPT_API const struct shipopt_record *shipopt_request_record(const shipopt_request *request);
SHIPOPT_API const char *shipopt_request_key(const shipopt_request *request);
/* The length of that key in bytes, or 0. The key of a cache's load may contain NUL bytes. Since 0.2. */
SHIPOPT_API size_t shipopt_request_key_length(const shipopt_request *request);

SHIPOPT_END_DECLS

#endif
