/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_ITEM_H
#define PURCHASE_ITEM_H

#include <shipopt/item.h>

#include "base/error.h"
#include "orders/order.h"

/*
 * The result of one order, while and after it is worked on. Owned by its run until delivered, then freed. The run's own fields
 * (links, timers, requests) live in the structs of the run that embed this one first.
 */
struct shipopt_item {
	shipopt_order *order; /* owned */
	int status;
	shipopt_error *error;
	int64_t attempts, started_us, latency_us;
	shipopt_record *record;
	char *tracking_code, *label_url, *shipment_id, *carrier, *service, *currency;
	int64_t amount; /* -1: none */
	int64_t value;
};

/* Frees what the item holds, not the item. */
void item_done(shipopt_item *item);

#endif
