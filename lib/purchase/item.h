/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_ITEM_H
#define PURCHASE_ITEM_H

#include <shipopt/item.h>

#include "base/error.h"
#include "orders/order.h"

/*
 * The result of one order, while the order is worked on and afterwards. Its run owns it until it is delivered, and then
 * frees it. The run's own members (links, timers, requests) are in the structs of the run that embed this one first.
 */
struct shipopt_item {
	shipopt_order *order; /* owned */
	int status;
	shipopt_error *error;
	int domain; /* SHIPOPT_DOMAIN_… of a failure without an error object */
	int64_t attempts, started_us, latency_us;
	shipopt_record *record;
	char *tracking_code, *label_url, *shipment_id, *carrier, *service, *currency;
	int64_t amount; /* -1: none */
	int64_t value;
};

/* Frees what the item owns, not the item itself. */
void item_done(shipopt_item *item);

#endif
