/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_ITEM_H
#define BULK_RUN_ITEM_H

#include "base/list.h"
#include "purchase/item.h"
#include "runtime/queue.h"
#include "runtime/task.h"

/*
 * The work on one order of a run, and its result.
 *
 * Each kind of run has a class of items, which embeds this struct first:
 *
 *   item_buy.c       buy and rate: a purchase (purchase/purchase.h)
 *   item_exchange.c  track and verify: one call to the carrier
 *   item_call.c      call: a question to the application
 *
 * A row that could not be read is an item of the class `item_bad_class`, which ends at once.
 *
 * Life: run_item_new() → run_item_start() → run_item_ended() of run.c → delivery → run_item_free(). `start` must not
 * end the item before it returns, because the pump that calls it is not reentrant; run_item_end_later() ends it in the
 * next turn.
 */
struct run_item_class {
	size_t size;                           /* of the embedding struct */
	void (*start)(struct run_item *item);  /* leads to run_item_ended() some time later */
	void (*cancel)(struct run_item *item); /* ends it as early as possible; NULL: it ends by itself */
	void (*clear)(struct run_item *item);  /* frees what the embedding struct holds, after a start; may be NULL */
};

struct run_item {
	shipopt_item item;
	shipopt_run *run;
	const struct run_item_class *class;
	struct list_node node;
	struct queue_entry entry;
	struct task end_task;
	bool is_started, is_parked;
	bool has_slot, has_ask_slot; /* of the application's queue: for the item, and for a question before it ends */
};

extern const struct run_item_class item_buy_class, item_exchange_class, item_call_class, item_bad_class;

/* Makes the item of an order and takes the order over. NULL when out of memory: the order is unchanged. */
struct run_item *run_item_new(shipopt_run *run, shipopt_order *order);
void run_item_start(struct run_item *item);
void run_item_cancel(struct run_item *item);
/* Ends an item in the next turn of the reactor. Takes over `error`. */
void run_item_end_later(struct run_item *item, int status, shipopt_error *error);
void run_item_free(struct run_item *item);

#endif
