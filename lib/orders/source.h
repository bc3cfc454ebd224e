/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_H
#define ORDERS_SOURCE_H

#include <shipopt/source.h>
#include <stdatomic.h>

#include "base/reference.h"
#include "orders/order.h"

/*
 * A stream of orders.
 *
 * The run's reader calls source_next() on the side pool, one call at a time. It may block (files, callbacks of the
 * application). Implementations embed this struct first: tables (CSV, TSV; source_table.c), JSON lines, array,
 * callback, push.
 *
 * A bad row is not an error of the source. It is an order with a failure (see order.h), and the stream goes on. An
 * error of source_next() is one of the stream: the file cannot be read, there is no memory, the application's callback
 * failed. It ends the stream, and the run with it, so that no order is lost silently.
 *
 * Ownership: reference counted. The application gets the first reference. A run takes the source with source_take() and
 * owns one reference from then on. That is the application's reference for most classes. A push source (`keeps_host`)
 * gives the run a new one, because the application goes on using its own.
 *
 * Threads: `wake` and `room` are called with the source's lock held, so that none is on its way when source_close() has
 * returned. They must only post work and must not call the source. Any thread may call source_expected().
 */
struct source_class {
	int (*next)(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
	void (*close)(shipopt_source *source);   /* the run reads no more; may be NULL */
	void (*destroy)(shipopt_source *source); /* frees what the embedding struct holds; may be NULL */
	bool keeps_host;                         /* the host keeps its reference when a run takes the source */
};

struct shipopt_source {
	struct reference reference;
	const struct source_class *class;
	atomic_bool taken;
	void (*wake)(void *argument); /* a reader that got SHIPOPT_EAGAIN can read again */
	void (*room)(void *argument); /* a push that got SHIPOPT_EAGAIN can push again */
	void *wake_argument;
	_Atomic int64_t expected;
	int ended; /* 0: not yet; 1: at its end; negative: the error that ended it */
};

enum { SOURCE_END = 0, SOURCE_ORDER = 1 };

/* A zeroed source of `size` bytes that embeds the struct. */
int source_new(const struct source_class *class, size_t size, shipopt_source **ret_source);
/*
 * Gives the next order.
 *
 *   SOURCE_ORDER    *ret_order is the caller's; it may be a row that could not be read
 *   SOURCE_END      at the end, and on every later call
 *   SHIPOPT_EAGAIN  a push source has no order now; it calls the wake function once, on any thread, when it has one or
 *                   is finished
 *   other codes     the stream failed; the same code on every later call, with its detail the first time
 */
int source_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
/* Sets what a push source calls. Call it before the first source_next(). */
void source_set_wake(shipopt_source *source, void (*wake)(void *argument), void (*room)(void *argument),
	void *argument);
/* The run reads no more: a push source refuses and frees orders. It calls neither `wake` nor `room` afterwards. */
void source_close(shipopt_source *source);
shipopt_source *source_ref(shipopt_source *source);
void source_unref(shipopt_source *source); /* accepts NULL */
/* How many orders will come in all; -1: not known. Exact for an array; for files an estimate by bytes, exact at the
 * end. */
int64_t source_expected(const shipopt_source *source);
/* Gives the run its reference. SHIPOPT_ESTATE: another run has taken the source. */
int source_take(shipopt_source *source);

#endif
