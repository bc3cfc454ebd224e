/* SPDX-License-Identifier: MIT */
#ifndef BULK_BULK_H
#define BULK_BULK_H

#include <shipopt/bulk.h>

#include "config/tables.h"
#include "purchase/purchase.h"
#include "runtime/delivery.h"
#include "runtime/op.h"

/*
 * The bulk executor's handle: a carrier, a store and how to use them. Constant after creation and shared by reference:
 * every run and every single purchase holds one.
 */
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

struct shipopt_bulk {
	struct reference reference;
	shipopt_runtime *runtime;
	shipopt_carrier *carrier; /* may be NULL */
	shipopt_store *store;     /* may be NULL */
	struct settings settings;
	struct delivery delivery;
	struct bulk_callbacks callbacks;
	enum choice_rule rule;
	int missing_carrier;
};

shipopt_bulk *bulk_ref(shipopt_bulk *bulk);
/* Fills the rules of purchases from the settings. */
void bulk_rules(shipopt_bulk *bulk, struct purchase_rules *rules);
/* When an item that starts now must have its result. */
int64_t bulk_item_deadline_us(const shipopt_bulk *bulk);
/* What buying needs and the handle lacks: SHIPOPT_EINVAL, SHIPOPT_EUNSUPPORTED. */
int bulk_check_buys(const shipopt_bulk *bulk, shipopt_error **ret_error);

#endif
