/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_H
#define BULK_RUN_H

#include <pthread.h>
#include <shipopt/bulk.h>

#include "purchase/item.h"
#include "bulk/run_blame.h"
#include "orders/source.h"
#include "bulk/summary.h"
#include "config/tables.h"
#include "purchase/purchase.h"
#include "runtime/op.h"
#include "runtime/runtime.h"

/*
 * One bulk run: source → items → outlet.
 *
 *   reader   a task on the side pool, one at a time: asks the source for one order after the other and puts each into the
 *            intake, which holds RUN_BATCH; ends when the intake is full (run_intake.c)
 *   pump     on the reactor: starts items while there is a slot (max_in_flight, without the parked ones) and room among the settling
 *            ones, in the outlet and in the host's queue. When its last batch is used up it takes the whole intake, so batches are
 *            full if reading is fast; with no order left to start, it takes each order as soon as it was read
 *   items    work on the reactor, each according to its kind (run_item.c)
 *   outlet   passes ended items, in order if asked, to the sink and the host: batches on a scheduler thread, callbacks where the
 *            handle's delivery says; one batch at a time, so that callbacks never overlap (run_outlet.c)
 *
 * Everything of a run belongs to its reactor thread, except: the intake (its lock), `outgoing` while the outlet's
 * batch is out, and the summary (atomics). Hand-over is by posting a task, which orders the memory. The run is an
 * operation; items that wait in the host's queue each hold a reference to it.
 *
 * With delivery to a queue, a run starts an item only with a free slot. While the runtime closes, the host may not free any more:
 * the orders that were read but will not be started, fewer than three batches, then get their items without a slot.
 */
#define RUN_BATCH 64
#define RUN_UNDELIVERED_MAX 1024
#define RUN_SLOT_RETRY_US 5000
#define RUN_SLOTS_MIN 2 /* of a queue: the run's own completion and one item; one more where the host is asked */

enum run_kind { RUN_BUY, RUN_RATE, RUN_TRACK, RUN_VERIFY, RUN_CALL };

struct bulk_callbacks {
	shipopt_item_fn item;
	void *item_userdata;
	shipopt_progress_fn progress;
	void *progress_userdata;
	shipopt_request_fn choose;
	void *choose_userdata;
};

struct shipopt_bulk_config {
	struct settings settings;
	struct delivery delivery;
	struct bulk_callbacks callbacks;
};

struct shipopt_bulk { /* constant after creation */
	struct reference reference;
	shipopt_runtime *runtime;
	shipopt_carrier *carrier;
	shipopt_store *store;
	struct settings settings;
	struct delivery delivery;
	struct bulk_callbacks callbacks;
	enum choice_rule rule;
	int missing_carrier;
};

struct run_batch {
	shipopt_order *orders[RUN_BATCH];
	size_t count, next;
};

struct run_intake {
	pthread_mutex_t lock; /* for all of it */
	struct run_batch batch;
	int status; /* SOURCE_ORDER: more may come; SOURCE_END; SHIPOPT_EAGAIN: waits for a wake; an error */
	shipopt_error *error;
	bool has_ended;    /* the reader, with `status` */
	bool is_wanted;    /* the pump has nothing to begin: an order is announced at once */
	bool is_announced; /* read_task is posted */
	bool is_closed;    /* the run ends: the reader stops after the order that it is at */
};

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
	atomic_bool wants_pause, pause_posted, is_over, is_closing; /* closing: the runtime's close has canceled it */

	shipopt_source *source;
	struct task reader_task, read_task, wake_task;
	struct run_intake intake;
	struct run_batch batch;                  /* being admitted */
	bool is_reading, is_woken, source_ended; /* ended: the intake has the last orders */

	bool is_canceled, is_paused, is_ending;
	int status; /* what ends the run early */
	shipopt_error *error;
	struct run_blame blame;
	uint64_t answers_before; /* by the API to the client, before the run */
	uint64_t next_index;
	size_t max_in_flight, in_flight, settling, settling_max, active;
	struct list_node items; /* at work */
	struct timer pump_timer;

	shipopt_sink *sink;
	struct list_node ended, outgoing; /* waiting for the outlet; out with its batch */
	struct run_item **window;         /* in_order: ended items by index modulo its size */
	size_t window_size, undelivered;
	uint64_t next_delivered;
	bool outlet_is_out, progress_due, progress_out, last_word_said;
	int sink_status;
	shipopt_error *sink_error;
	struct task outlet_task, outlet_back_task;
	struct timer progress_timer;
	struct queue_entry progress_entry;
	atomic_bool progress_queued;
	struct summary summary;
};

struct run_item {
	shipopt_item item;
	shipopt_run *run;
	struct list_node node;
	struct queue_entry entry;
	bool has_slot, has_ask_slot, is_parked;
	void (*cancel)(struct run_item *item);
	void (*clear)(struct run_item *item); /* frees what the kind holds */
};

/* ---- run.c ---- */
int run_new(shipopt_bulk *bulk, enum run_kind kind, shipopt_source *source, shipopt_sink *sink, shipopt_request_fn call,
	void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_run **ret_run);
void run_pump(shipopt_run *run);
/* Stops reading; items at work go on to their end. The first reason stays. Consumes `error`. */
void run_stop(shipopt_run *run, int status, shipopt_error *error);
/* An item has ended: its item.status says how. */
void run_item_ended(struct run_item *item);
void run_item_parked(struct run_item *item, bool is_parked);

/* ---- run_intake.c ---- */
void run_intake_init(shipopt_run *run);
/* The run has taken the source. */
void run_intake_open(shipopt_run *run, shipopt_source *source);
void run_intake_done(shipopt_run *run);
/* Orders for the pump: fills its batch when that is used up, and begins to read when the intake is empty. */
void run_intake_draw(shipopt_run *run);
/* The run ends: stops reading and refuses the orders that were read but not started. */
void run_intake_close(shipopt_run *run);

/* ---- run_item.c ---- */
/* NULL when out of memory. Takes the order over on success. */
struct run_item *run_item_new(shipopt_run *run, shipopt_order *order);
void run_item_start(struct run_item *item);
void run_item_free(struct run_item *item);

/* ---- run_outlet.c ---- */
int run_outlet_init(shipopt_run *run);
void run_outlet_done(shipopt_run *run);
bool run_outlet_has_room(const shipopt_run *run);
void run_outlet_add(shipopt_run *run, struct run_item *item);
bool run_outlet_is_empty(const shipopt_run *run);
/* The last progress report, after all items were delivered: true once it was made or if none is wanted. */
bool run_outlet_last_word(shipopt_run *run);

/* Fills rules from a bulk handle. */
void bulk_rules(shipopt_bulk *bulk, struct purchase_rules *rules);
shipopt_bulk *bulk_ref(shipopt_bulk *bulk);

#endif
