/* SPDX-License-Identifier: MIT */
#ifndef BULK_SOURCE_H
#define BULK_SOURCE_H

#include <shipopt/bulk.h>

#include "bulk/order.h"

/*
 * A stream of orders. source_next() is called by the run's reader, on the side pool (files and host callbacks may block),
 * one call at a time. Implementations embed this struct first: file_source (CSV, TSV, JSON lines), array, callback, push.
 *
 * Reference counted, as a push source is held by its host and by the run.
 */
struct source_class {
	int (*next)(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
	void (*close)(shipopt_source *source);   /* the run is over: a push source refuses what comes; may be NULL */
	void (*destroy)(shipopt_source *source);
};

enum { SOURCE_END = 0, SOURCE_ORDER = 1 };

/* SOURCE_ORDER and an order of the caller's (perhaps one that failed to parse), SOURCE_END (again and again), SHIPOPT_EAGAIN (a
 * push source has nothing now: the wake function will be called once, from any thread), or an error that ends the run. */
int source_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error);
/* Before the first next. */
void source_set_wake(shipopt_source *source, void (*wake)(void *argument), void *argument);
void source_close(shipopt_source *source);
shipopt_source *source_ref(shipopt_source *source);
/* Orders that will come in all, or -1 (an array knows). For files an estimate from bytes read and size: total rows so far ×
 * size ÷ position. */
int64_t source_expected(const shipopt_source *source);
/* Once: SHIPOPT_ESTATE if another run has taken it. */
int source_take(shipopt_source *source);

#endif
