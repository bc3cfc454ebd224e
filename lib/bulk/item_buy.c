/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"
#include "runtime/request.h"

/* Items of runs that buy or rate: a purchase each. */

struct item_buy {
	struct run_item common;
	struct purchase purchase;
};

static struct run_item *item_buy_common(struct purchase *purchase)
{
	return &CONTAINER_OF(purchase, struct item_buy, purchase)->common;
}

static void item_buy_done(struct purchase *purchase)
{
	struct run_item *item = item_buy_common(purchase);
	run_judge(item->run, &item->item, purchase->blame, purchase->blame_status);
	run_item_ended(item);
}

static void item_buy_parked(struct purchase *purchase, bool is_parked)
{
	run_item_parked(item_buy_common(purchase), is_parked);
}

static void item_buy_ask(struct purchase *purchase, shipopt_request *request)
{
	struct run_item *item = item_buy_common(purchase);
	shipopt_run *run = item->run;
	bool has_slot = item->has_ask_slot;
	item->has_ask_slot = false; /* the question uses it up */
	request_ask(request, &run->op, has_slot, run->rules.choose, run->rules.choose_userdata);
}

static void item_buy_start(struct run_item *item)
{
	struct purchase *purchase = &CONTAINER_OF(item, struct item_buy, common)->purchase;
	shipopt_run *run = item->run;
	purchase->rules = &run->rules;
	purchase->order = item->item.order;
	purchase->item = &item->item;
	purchase->group = &run->group;
	purchase->deadline_us = bulk_item_deadline_us(run->bulk);
	purchase->done = item_buy_done;
	purchase->parked = item_buy_parked;
	purchase->ask = item_buy_ask;
	purchase_start(purchase);
}

static void item_buy_cancel(struct run_item *item)
{
	purchase_cancel(&CONTAINER_OF(item, struct item_buy, common)->purchase);
}

static void item_buy_clear(struct run_item *item)
{
	purchase_clear(&CONTAINER_OF(item, struct item_buy, common)->purchase);
}

const struct run_item_class item_buy_class = {sizeof(struct item_buy), item_buy_start, item_buy_cancel, item_buy_clear};
