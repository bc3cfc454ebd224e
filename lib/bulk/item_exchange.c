/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "base/memory.h"
#include "base/text.h"
#include "bulk/run.h"

/* Items of runs that track or verify: one call to the carrier each. */

struct item_exchange {
	struct run_item common;
	struct exchange exchange;
};

static void item_exchange_take_result(struct run_item *item, struct exchange *exchange)
{
	bool is_tracker = item->run->kind == RUN_TRACK;
	item->item.status = exchange->status;
	item->item.error = TAKE(exchange->error);
	item->item.attempts = exchange->attempts;
	item->item.record = TAKE(exchange->record);
	if (is_tracker && item->item.order->tracking_code)
		item->item.tracking_code = mem_copy_text(item->item.order->tracking_code);
	if (is_tracker && item->item.record)
		item->item.carrier = mem_copy_text(shipopt_record_text(item->item.record, SHIPOPT_TRACKER_CARRIER));
}

static void item_exchange_done(struct exchange *exchange)
{
	struct run_item *item = &CONTAINER_OF(exchange, struct item_exchange, exchange)->common;
	item_exchange_take_result(item, exchange);
	run_judge(item->run, &item->item, exchange->blame, exchange->status);
	run_item_ended(item);
}

static int item_exchange_write_call(struct item_exchange *self, shipopt_error **ret_error)
{
	const shipopt_run *run = self->common.run;
	const shipopt_order *order = self->common.item.order;
	const struct provider *provider = run->bulk->carrier->provider;
	if (run->kind == RUN_TRACK)
		return text_is_empty(order->tracking_code)
			? error_set(ret_error, SHIPOPT_EINVAL, "the order has no tracking code")
			: provider->create_tracker(&self->exchange.call, order->tracking_code, order->carrier);
	const shipopt_record *address =
		order->shipment ? shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_TO_ADDRESS) : NULL;
	return address ? provider->create_address(&self->exchange.call, address, SHIPOPT_VERIFY_STRICT)
		       : error_set(ret_error, SHIPOPT_EINVAL, "the order has no to_address");
}

static void item_exchange_start(struct run_item *item)
{
	struct item_exchange *self = CONTAINER_OF(item, struct item_exchange, common);
	struct exchange *exchange = &self->exchange;
	shipopt_error *error = NULL;
	exchange_init(exchange);
	exchange->group = &item->run->group;
	exchange->patient = true;
	exchange->cancel_is_doubt = true;
	exchange->deadline_us = bulk_item_deadline_us(item->run->bulk);
	exchange->done = item_exchange_done;
	int r = item_exchange_write_call(self, &error);
	r = r < 0 ? r : exchange_start(item->run->bulk->carrier, exchange);
	if (r < 0)
		run_item_end_later(item, r, error);
}

static void item_exchange_cancel(struct run_item *item)
{
	exchange_cancel(&CONTAINER_OF(item, struct item_exchange, common)->exchange);
}

static void item_exchange_clear(struct run_item *item)
{
	exchange_clear(&CONTAINER_OF(item, struct item_exchange, common)->exchange);
}

const struct run_item_class item_exchange_class = {sizeof(struct item_exchange), item_exchange_start,
	item_exchange_cancel, item_exchange_clear};
