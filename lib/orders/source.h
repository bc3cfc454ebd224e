/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_SOURCE_H
#define ORDERS_SOURCE_H

#include <shipopt/source.h>
#include <stdatomic.h>

#include "base/reference.h"
#include "orders/order.h"

/*
 * A stream of orders. source_next() is called by the run's reader, on the side pool (files and host callbacks may block),
 * one call at a time. Implementations embed this struct first: files of rows (CSV, TSV: source_table.c), JSON lines, array,
 * callback, push.
 *
 * What a file's row gets wrong is an order that failed (see order.h) and the stream goes on; an error of source_next() is one
 * of the stream: the file cannot be read, memory is out, the host's callback gave up. It ends the stream, so that no order can
 * be lost without a word.
 *
 * Ownership: reference counted. The host is born with one reference. A run takes the source with source_take() and owns one
 * reference from then on: the host's for most, one of its own for a push source, which the host goes on filling and frees
 * itself. Whoever owns one drops it by source_unref(); shipopt_source_free() is the host's and also ends a push source's input.
 *
 * Threads: `wake` is called with the source's lock held, so that none is on its way when source_close() has returned. It may
 * only hand on work and must not call the source. source_expected() may be asked from any thread.
 */
struct source_class {
	int (*next)(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
	void (*close)(shipopt_source *source);   /* the run is over: a push source refuses what comes; may be NULL */
	void (*destroy)(shipopt_source *source); /* frees what the embedding struct holds; may be NULL */
	bool keeps_host;                         /* the host keeps its reference when a run takes the source */
};

struct shipopt_source {
	struct reference reference;
	const struct source_class *class;
	atomic_bool taken;
	void (*wake)(void *argument);
	void *wake_argument;
	_Atomic int64_t expected;
	int ended; /* 0: not yet; 1: at its end; negative: the error that ended it */
};

enum { SOURCE_END = 0, SOURCE_ORDER = 1 };

/* A zeroed source of `size` bytes that embeds the struct. */
int source_new(const struct source_class *class, size_t size, shipopt_source **ret_source);
/* SOURCE_ORDER and an order of the caller's (perhaps one that failed to parse), SOURCE_END (again and again), SHIPOPT_EAGAIN (a
 * push source has nothing now: the wake function will be called once, from any thread), or an error that ends the run (again
 * and again, with its detail the first time). */
int source_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
/* Before the first next. */
void source_set_wake(shipopt_source *source, void (*wake)(void *argument), void *argument);
/* The run reads no more; nothing is woken afterwards. */
void source_close(shipopt_source *source);
shipopt_source *source_ref(shipopt_source *source);
void source_unref(shipopt_source *source); /* accepts NULL */
/* Orders that will come in all, or -1 (an array knows). For files an estimate from bytes read and size: total rows so far ×
 * size ÷ position. */
int64_t source_expected(const shipopt_source *source);
/* Once: SHIPOPT_ESTATE if another run has taken it. The run owns one reference afterwards. */
int source_take(shipopt_source *source);

#endif
