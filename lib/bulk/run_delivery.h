/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_DELIVERY_H
#define BULK_RUN_DELIVERY_H

#include <shipopt/bulk.h>
#include <stdatomic.h>

#include "runtime/queue.h"
#include "runtime/timer.h"

/*
 * How ended items leave a run: to the sink, to the item callback or the application's queue, in the order of the input
 * if asked.
 *
 * Ended items wait in `ended`. One batch at a time is `outgoing`, so that callbacks never overlap. The batch goes to a
 * scheduler worker if there is a sink to write or if callbacks run on workers. Otherwise it waits for the end of the
 * reactor's turn. Back on the reactor, inline callbacks run. Then each item goes to the application's queue, which
 * frees it when its event is released, or is freed here.
 *
 * Progress reports go with the batches: a report is due every progress_ms, and once after the last item.
 */
#define DELIVERY_ITEMS_MAX 1024 /* ended items that were not delivered yet; then no item is started */

struct run_delivery {
	shipopt_sink *sink;
	int sink_status; /* of the first failed write */
	shipopt_error *sink_error;

	struct list_node ended, outgoing;
	bool is_out; /* a batch is on its way */
	size_t undelivered;
	struct run_item **window; /* in_order: ended items by index modulo its size */
	size_t window_size;
	uint64_t next_index; /* in_order: of the next item to deliver */
	struct task out_task, back_task;

	bool progress_is_due, progress_is_out, has_last_progress;
	atomic_bool progress_is_queued;
	struct timer progress_timer;
	struct queue_entry progress_entry;
};

int run_delivery_init(shipopt_run *run, shipopt_sink *sink);
void run_delivery_start(shipopt_run *run);
/* No more progress reports. */
void run_delivery_stop(shipopt_run *run);
void run_delivery_done(shipopt_run *run);
bool run_delivery_has_room(const shipopt_run *run);
bool run_delivery_is_empty(const shipopt_run *run);
/* Takes an ended item. */
void run_delivery_add(shipopt_run *run, struct run_item *item);
/* After the last item: true once the last progress report was made, or if none is wanted. */
bool run_delivery_reports_end(shipopt_run *run);

#endif
