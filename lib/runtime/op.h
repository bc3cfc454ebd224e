/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_OP_H
#define RUNTIME_OP_H

#include <pthread.h>
#include <shipopt/op.h>
#include <stdatomic.h>

#include "base/error.h"
#include "base/reference.h"
#include "runtime/delivery.h"

/*
 * The core of every asynchronous call.
 *
 * An operation is embedded as the first member of the struct of whoever implements it. It is born with two references:
 * the caller's (or none, see op_init) and the implementation's, which op_complete() passes on to the delivery and which
 * is dropped after `done` has returned. Its queue slot is reserved at birth. Between birth and op_complete() it counts
 * as running in the runtime, which waits for it on close.
 *
 * Life: running → (op_complete) completed → delivered (`done` has returned). Status, error and results are written by
 * the implementation before op_complete() and are immutable afterwards; op_complete() releases them to every reader.
 *
 * Cancel: shipopt_op_cancel() calls `cancel` of the class, on the caller's thread, at most once, never after
 * op_complete(). It must be quick (usually reactor_post) and leads to op_complete() some time, or calls it. With inline
 * delivery op_complete() waits for a cancel that is under way on another thread: no lock that `cancel` takes may
 * be held then (as `done` may not run under a lock anyway).
 */
struct op_class {
	size_t size;                     /* of the embedding struct */
	void (*cancel)(shipopt_op *op);  /* may be NULL: cannot be canceled */
	void (*destroy)(shipopt_op *op); /* frees what the embedding struct holds; may be NULL */
	int domain;                      /* SHIPOPT_DOMAIN_… of a failure without an error object */
};

enum op_state { /* bits of `state` */
	OP_CANCEL_ASKED = 1,
	OP_CANCELING = 2, /* the class's cancel runs */
	OP_COMPLETED = 4, /* results are readable */
	OP_DELIVERED = 8, /* `done` has returned, or there is none */
	OP_WAITED = 16    /* a thread sleeps, or is about to */
};

struct shipopt_op {
	struct reference reference;
	const struct op_class *class;
	shipopt_runtime *runtime; /* a reference */
	struct delivery delivery;
	shipopt_done_fn done;
	void *userdata;
	bool done_is_own; /* no callback of the host's: set before the operation starts */

	int status; /* written before op_complete() through it */
	shipopt_error *error;
	struct shipopt_record *record; /* results, owned; set by the implementation */
	void (*free_record)(struct shipopt_record *record);
	char *json;
	int64_t value;
	bool is_cached;
	atomic_bool needs_slot; /* it waits for a slot of its queue: shipopt_op_wait() must know, see queue_wait.c */

	atomic_int state; /* enum op_state; the operation's own from here on */
	struct queue_entry entry;
	pthread_mutex_t wait_lock; /* for `delivered`, which shipopt_op_wait() sleeps on */
	pthread_cond_t delivered;
};

/* Makes a running operation of class->size zeroed bytes. With a non-NULL ret_caller the caller's reference is counted
 * for it (*ret_caller is not written here: write it when the whole call has succeeded, before anything can complete).
 * SHIPOPT_EAGAIN without a queue slot or thread, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED, SHIPOPT_ENOMEM. */
int op_new(const struct op_class *class, shipopt_runtime *runtime, const struct delivery *delivery,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_caller, shipopt_op **ret_op);
/* Undoes op_new() when the call fails before it was accepted: no `done`, all references of it dropped. */
void op_abandon(shipopt_op *op, bool has_caller);
/* Completes, exactly once, from any thread. Consumes `error` (may be NULL). Inline delivery runs `done` on the reactor:
 * op_complete() must then be called on a reactor thread, and not from inside the asynchronous call itself. */
void op_complete(shipopt_op *op, int status, shipopt_error *error);
/*
 * For a call whose arguments are wrong in a way that the application should read about: makes an operation that fails
 * with `status` and `error`, and returns 0. It completes later, like any other. Takes over `error`, also on failure
 * (NULL where the code says it all). Returns `status` itself if there is nobody to report to (no `done`, no queue, no
 * ret_op), or the errors of op_new().
 */
int op_refuse(shipopt_runtime *runtime, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op, int status, shipopt_error *error);
/* True if op_complete() must be called on a reactor: with inline delivery and a callback. */
bool op_needs_reactor(const shipopt_op *op);
/* True once a cancel was asked for. */
bool op_is_canceled(const shipopt_op *op);

#endif
