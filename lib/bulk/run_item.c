/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE
#include "base/clock.h"
#include "base/memory.h"
#include "bulk/run.h"

static const struct run_item_class *run_item_class_of(enum run_kind kind)
{
	switch (kind) {
	case RUN_BUY:
	case RUN_RATE: return &item_buy_class;
	case RUN_TRACK:
	case RUN_VERIFY: return &item_exchange_class;
	default: return &item_call_class;
	}
}

static int run_item_domain(enum run_kind kind)
{
	switch (kind) {
	case RUN_BUY:
	case RUN_RATE: return SHIPOPT_DOMAIN_PURCHASE;
	case RUN_TRACK:
	case RUN_VERIFY: return SHIPOPT_DOMAIN_CARRIER;
	default: return SHIPOPT_DOMAIN_GENERAL;
	}
}

static void run_item_end(struct task *task)
{
	run_item_ended(CONTAINER_OF(task, struct run_item, end_task));
}

struct run_item *run_item_new(shipopt_run *run, shipopt_order *order)
{
	const struct run_item_class *class = run_item_class_of(run->kind);
	if (class == &item_buy_class && order_adopt_service(order) < 0)
		return NULL;
	if (order->status < 0)
		class = &item_bad_class;
	struct run_item *item = mem_alloc_zero(class->size);
	if (!item)
		return NULL;
	item->run = run;
	item->class = class;
	item->item.order = order;
	item->item.domain = run_item_domain(run->kind);
	item->item.amount = -1;
	item->item.started_us = clock_now_us();
	item->end_task.run = run_item_end;
	list_init(&item->node);
	return item;
}

void run_item_start(struct run_item *item)
{
	item->is_started = true;
	item->class->start(item);
}

void run_item_cancel(struct run_item *item)
{
	if (item->class->cancel)
		item->class->cancel(item);
}

void run_item_end_later(struct run_item *item, int status, shipopt_error *error)
{
	item->item.status = status;
	item->item.error = error;
	reactor_post(item->run->reactor, &item->end_task);
}

void run_item_free(struct run_item *item)
{
	if (item->is_started && item->class->clear)
		item->class->clear(item);
	if (item->has_ask_slot)
		delivery_unreserve(&item->run->op.delivery, 1);
	if (item->has_slot)
		delivery_unreserve(&item->run->op.delivery, 1);
	item_done(&item->item);
	mem_free(item);
}

/* ---- rows that could not be read ----------------------------------------------------------------------------- */

static void item_bad_start(struct run_item *item)
{
	run_item_end_later(item, item->item.order->status, TAKE(item->item.order->error));
}

const struct run_item_class item_bad_class = {sizeof(struct run_item), item_bad_start, NULL, NULL};
