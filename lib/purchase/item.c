/* SPDX-License-Identifier: MIT */
#include "purchase/item.h"

#include "base/memory.h"

void item_done(shipopt_item *item)
{
	shipopt_order_free(TAKE(item->order));
	shipopt_error_unref(TAKE(item->error));
	shipopt_record_free(TAKE(item->record));
	mem_free(TAKE(item->tracking_code));
	mem_free(TAKE(item->label_url));
	mem_free(TAKE(item->shipment_id));
	mem_free(TAKE(item->carrier));
	mem_free(TAKE(item->service));
	mem_free(TAKE(item->currency));
}

uint64_t shipopt_item_index(const shipopt_item *item)
{
	return item && item->order ? item->order->index : 0;
}

int64_t shipopt_item_line(const shipopt_item *item)
{
	return item && item->order ? item->order->line : 0;
}

const char *shipopt_item_key(const shipopt_item *item)
{
	return shipopt_order_key(item ? item->order : NULL);
}

int shipopt_item_status(const shipopt_item *item)
{
	return item ? item->status : SHIPOPT_EINVAL;
}

const shipopt_error *shipopt_item_error(const shipopt_item *item)
{
	if (!item)
		return NULL;
	return item->error || item->status >= 0 ? item->error : error_of(item->domain, item->status);
}

const char *shipopt_item_input(const shipopt_item *item)
{
	return item && item->order && item->status < 0 ? item->order->input : NULL;
}

int64_t shipopt_item_attempts(const shipopt_item *item)
{
	return item ? item->attempts : 0;
}

int64_t shipopt_item_latency_us(const shipopt_item *item)
{
	return item ? item->latency_us : 0;
}

const shipopt_record *shipopt_item_record(const shipopt_item *item)
{
	return item ? item->record : NULL;
}

const char *shipopt_item_tracking_code(const shipopt_item *item)
{
	return item ? item->tracking_code : NULL;
}

const char *shipopt_item_label_url(const shipopt_item *item)
{
	return item ? item->label_url : NULL;
}

const char *shipopt_item_shipment_id(const shipopt_item *item)
{
	return item ? item->shipment_id : NULL;
}

const char *shipopt_item_carrier(const shipopt_item *item)
{
	return item ? item->carrier : NULL;
}

const char *shipopt_item_service(const shipopt_item *item)
{
	return item ? item->service : NULL;
}

const char *shipopt_item_currency(const shipopt_item *item)
{
	return item ? item->currency : NULL;
}

int64_t shipopt_item_amount(const shipopt_item *item)
{
	return item ? item->amount : -1;
}

int64_t shipopt_item_value(const shipopt_item *item)
{
	return item ? item->value : 0;
}
