/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_READER_H
#define BULK_RUN_READER_H

#include <pthread.h>

#include "orders/source.h"
#include "runtime/task.h"

/*
 * The reader of a run: how orders come in.
 *
 * The source may block before every order, for a moment (a file) or for hours (a message queue, a pipe). So a task on
 * the side pool reads it and stores each order by itself, under a short lock. The task posts to the reactor only if the
 * pump has no order to start, or when it ends. Until the reactor takes the orders the task goes on reading, so a source
 * that does not block fills whole batches. The task ends when the store is full, the source has nothing more, or the
 * run has stopped. The pump starts it again.
 *
 * The task uses the run for the last time under the lock. Once it has announced its end, the run may be freed.
 */
#define READER_BATCH 64

struct order_batch {
	shipopt_order *orders[READER_BATCH];
	size_t count, next;
};

enum reader_state {
	READER_IDLE,    /* may be started */
	READER_READING, /* its task runs, or its end was not noticed yet */
	READER_WAITING, /* a push source has no order; it will wake the run */
	READER_ENDED    /* no more orders will be read */
};

struct run_reader {
	/* the reactor's */
	shipopt_source *source;
	enum reader_state state;
	bool is_woken; /* the wake came before the task's end was noticed */
	bool has_all;  /* the source was read to its end */
	struct task read_task, report_task, wake_task;

	pthread_mutex_t lock; /* for the rest */
	struct order_batch batch;
	int status; /* of the source: SOURCE_ORDER, SOURCE_END, SHIPOPT_EAGAIN or an error */
	shipopt_error *error;
	bool has_ended;    /* the task, with `status`; until the reactor has noticed it */
	bool is_wanted;    /* the pump has nothing to start: announce the next order at once */
	bool is_announced; /* report_task is posted */
	bool is_closed;    /* the run has stopped: the task ends after the order that it reads now */
};

void run_reader_init(shipopt_run *run);
void run_reader_done(shipopt_run *run);
/* The run has taken the source. */
void run_reader_open(shipopt_run *run, shipopt_source *source);
/* Fills the run's batch when it is used up, and starts the task when the store is empty. */
void run_reader_draw(shipopt_run *run);
/* The run has stopped: ends the task and refuses the orders that were read but not started. Each still gives an
 * item. */
void run_reader_close(shipopt_run *run);

#endif
