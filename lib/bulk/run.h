/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_H
#define BULK_RUN_H

#include <shipopt/bulk.h>

#include "bulk/bulk.h"
#include "bulk/run_blame.h"
#include "bulk/run_delivery.h"
#include "bulk/run_item.h"
#include "bulk/run_reach.h"
#include "bulk/run_reader.h"
#include "bulk/summary.h"
#include "carrier/call_group.h"
#include "purchase/purchase.h"
#include "runtime/op.h"
#include "runtime/ready_event.h"
#include "runtime/runtime.h"

/*
 * One bulk run: source → reader → items → delivery.
 *
 *   reader    A task on the side pool. It asks the source for one order after the other and stores them for the pump
 *             (run_reader.h).
 *   pump      On the reactor. It starts an item for each order while there is room: fewer than max_in_flight items at
 *             work, not counting parked ones; fewer than settling_max parked ones; room in the delivery; a free slot in
 *             the application's queue.
 *   items     Work on the reactor, each by the kind of its run (run_item.h).
 *   delivery  Hands ended items to the sink and the application (run_delivery.h).
 *
 * Everything of a run belongs to its reactor thread. The exceptions: the reader's shared part has a lock, a batch of
 * the delivery belongs to the thread that delivers it, and the numbers are atomics. A thread hands over by posting a
 * task, which orders the memory.
 *
 * A run is an operation. Each item that waits in the application's queue holds a reference to it.
 *
 * `state` only moves forward, except between ACTIVE and PAUSED:
 *
 *   ACTIVE ⇄ PAUSED       (shipopt_run_pause, shipopt_run_resume)
 *      ↓        ↓
 *   STOPPING              `status` says why: reads no more; the items at work go on
 *      ↓
 *   CANCELED              the items at work were canceled, too
 *      ↓
 *   DONE                  every item was delivered; also reached directly at the end of the source
 *
 * With delivery to a queue a run starts an item only with a free slot. While the runtime closes, the application may
 * not free any more. The orders that were read but will not be started, fewer than three batches, then get their items
 * without a slot.
 */
#define RUN_SLOT_RETRY_US 5000
#define RUN_SLOTS_MIN \
	2 /* of a queue: the run's own completion and one item. One more for a question, and for READY events */

enum run_kind { RUN_BUY, RUN_RATE, RUN_TRACK, RUN_VERIFY, RUN_CALL };

enum run_state { RUN_ACTIVE, RUN_PAUSED, RUN_STOPPING, RUN_CANCELED, RUN_DONE };

struct shipopt_run {
	shipopt_op op;
	shipopt_bulk *bulk;
	enum run_kind kind;
	struct reactor *reactor;
	struct purchase_rules rules;
	struct call_group group;
	shipopt_request_fn call;
	void *call_userdata;
	struct runtime_member member;
	struct task start_task, cancel_task, pause_task;
	atomic_bool pause_wanted, pause_posted; /* what the application wants; pause_task is on its way */
	atomic_bool is_closing;                 /* the runtime's close has canceled the run */

	atomic_int state; /* enum run_state; written by the reactor */
	int status;       /* what ends the run early; 0: nothing so far */
	shipopt_error *error;
	uint64_t answers_before; /* by the API to the client, before the run */
	struct run_blame blame;
	struct run_reach reach;

	struct run_reader reader;
	struct ready_event room;  /* a push source has room again */
	struct order_batch batch; /* being started */
	uint64_t next_index;
	size_t max_in_flight, in_flight, settling, settling_max, active;
	struct list_node items; /* at work */
	struct timer pump_timer;

	struct run_delivery delivery;
	struct summary summary;
};

/* What a run needs to begin. A refused run ends at once with `status`, and `error`, which the run takes over. */
struct run_request {
	enum run_kind kind;
	shipopt_source *source;
	shipopt_sink *sink;
	shipopt_request_fn call;
	void *call_userdata;
	shipopt_done_fn done;
	void *userdata;
	int status;
	shipopt_error *error;
};

/* ---- run.c ---- */

/* Makes a run and posts its start. Takes over the request's error, and on success the source. */
int run_new(shipopt_bulk *bulk, const struct run_request *request, shipopt_run **ret_run);
/* Starts items while there is room, and completes the run when nothing is left to do. */
void run_pump(shipopt_run *run);
/* Stops reading; items at work go on to their end. The first reason stays. Takes over `error`. */
void run_stop(shipopt_run *run, int status, shipopt_error *error);
/* After run_stop(): cancels the items at work, too. */
void run_cancel_items(shipopt_run *run);
/* An item has ended: its item.status says how. */
void run_item_ended(struct run_item *item);
/* Called before an item that asked the carrier ends. `whose` and `status` are the blame and the code of the newest
 * refusal. The failure may end the run; see run_blame.h. */
void run_judge(shipopt_run *run, const shipopt_item *item, enum blame whose, int status);
/* An item begins or ends to wait for time to pass only; it then uses no slot of max_in_flight. */
void run_item_parked(struct run_item *item, bool is_parked);

/* ---- run_control.c ---- */

void run_control_init(shipopt_run *run);
/* The operation's cancel. */
void run_cancel(shipopt_op *op);

#endif
