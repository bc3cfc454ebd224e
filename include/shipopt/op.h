/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_OP_H
#define SHIPOPT_OP_H

#include <shipopt/error.h>

SHIPOPT_BEGIN_DECLS

/*
 * Operations: one asynchronous call each.
 *
 * Every asynchronous function ends in `shipopt_done_fn done, void *userdata, shipopt_op **ret_op`. If it returns 0,
 * `done` (may be NULL) runs exactly once, later, never from inside the call and never under a lock of the library, also
 * when the operation is canceled or the runtime closes. (One exception: an event taken with shipopt_queue_poll() stands for
 * `done`, which then does not run.) If it returns an error, `done` never runs. *ret_op (ret_op may be NULL) is written before
 * the operation can complete and is a reference of the caller's, to be dropped with shipopt_op_unref(); `done` borrows one for
 * the time of its call.
 *
 * Where `done` runs depends on the configuration of the handle: on a scheduler thread (default); on a queue, if
 * `…_config_set_queue` gave one (<shipopt/queue.h>); or on the event loop, if the setting deliver_inline is 1. The event
 * loop waits for such a callback, so it must be short and never block.
 *
 * Results are readable once the operation is done: in `done`, after shipopt_op_wait(), or when
 * shipopt_op_is_done() says 1. Before that getters give SHIPOPT_EAGAIN, NULL or 0. What they hand out lives as long as a
 * reference to the operation is held. All of this since 0.1.
 */
typedef struct shipopt_op shipopt_op;
struct shipopt_record; /* <shipopt/record.h> */

typedef void (*shipopt_done_fn)(void *userdata, shipopt_op *op);

/* 0 or positive for success, negative for the failure, SHIPOPT_EAGAIN while it runs. */
SHIPOPT_API int shipopt_op_status(const shipopt_op *op);
/* 1 once the results are readable. Any thread. */
SHIPOPT_API int shipopt_op_is_done(const shipopt_op *op);
/* The error of a failed operation, never NULL then. NULL while it runs and after success. Borrowed. */
SHIPOPT_API const shipopt_error *shipopt_op_error(const shipopt_op *op);
/* What the operation made, by kind of call; NULL or 0 if the call makes none. Borrowed. */
SHIPOPT_API const struct shipopt_record *shipopt_op_record(const shipopt_op *op);
SHIPOPT_API const char *shipopt_op_json(const shipopt_op *op);
SHIPOPT_API int64_t shipopt_op_value(const shipopt_op *op);
/* 1 if the result is an answer that a cache kept from an earlier call (see <shipopt/carrier.h>); else 0. */
SHIPOPT_API int shipopt_op_is_cached(const shipopt_op *op);

/*
 * Asks for an early end. 0 if the request was taken, also when it comes too late to matter. The operation completes as
 * it does without: once, with SHIPOPT_ECANCELED if nothing was sent, with SHIPOPT_EINDOUBT if a write was,
 * or with its normal result. Any thread.
 */
SHIPOPT_API int shipopt_op_cancel(shipopt_op *op);

/*
 * Waits until `done` has returned and gives the operation's status. `timeout_ms` -1 waits without end;
 * SHIPOPT_ETIMEDOUT when it passes (or as the operation's own status: shipopt_op_is_done() tells which). SHIPOPT_EINVAL,
 * SHIPOPT_EFORKED. SHIPOPT_EDEADLK on a thread of the library and inside the dispatch of the queue that the operation is
 * delivered to.
 *
 * Elsewhere it dispatches that queue meanwhile: the events that have a callback, in order, and this operation's last one, which nobody
 * gets then if it has none. Others without a callback stay for shipopt_queue_poll(). So what this operation needs of a host that polls
 * (the answer to a REQUEST, slots for the items of a run) must come from another thread.
 */
SHIPOPT_API int shipopt_op_wait(shipopt_op *op, int64_t timeout_ms);

/* Takes and drops a reference. Both accept NULL, `ref` returns its argument. Dropping the last one does not cancel. */
SHIPOPT_API shipopt_op *shipopt_op_ref(shipopt_op *op);
SHIPOPT_API void shipopt_op_unref(shipopt_op *op);

/*
 * A question to the host that it answers when it can, once, from any thread: the custom operation of a bulk run
 * (<shipopt/bulk.h>), the body of a transaction (<shipopt/pool.h>), and what else calls for host code. Answering consumes the
 * request.
 */
typedef struct shipopt_request shipopt_request;
/* Asked of the host; answered with shipopt_request_complete() or _fail(), now or later. Where it runs is the handle's delivery;
 * a queue that is polled gives an event of the kind SHIPOPT_EVENT_REQUEST instead. */
typedef void (*shipopt_request_fn)(void *userdata, shipopt_request *request);

/* Answers with success and a value. */
SHIPOPT_API void shipopt_request_complete(shipopt_request *request, int64_t value);
/* Answers with a failure: a negative code and a message (copied, may be NULL). A code that is not negative counts as
 * SHIPOPT_EINVAL. */
SHIPOPT_API void shipopt_request_fail(shipopt_request *request, int code, const char *message);
/* The record that the question is about, or NULL. Borrowed until the answer. */
SHIPOPT_API const struct shipopt_record *shipopt_request_record(const shipopt_request *request);
/* The key that the question is about (an order key), or NULL. Borrowed until the answer. */
SHIPOPT_API const char *shipopt_request_key(const shipopt_request *request);
/* The length of that key in bytes, or 0. The key of a cache's load may contain NUL bytes. Since 0.2. */
SHIPOPT_API size_t shipopt_request_key_length(const shipopt_request *request);

SHIPOPT_END_DECLS

#endif
