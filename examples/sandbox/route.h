/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_ROUTE_H
#define SANDBOX_ROUTE_H

#include "sandbox.h"

/*
 * Which call a method and path are.
 *
 * One table: method, pattern with at most one "*" for an id, the class it is counted under, its handler. The classes of
 * GET /sandbox/counts are "METHOD /collection[/id][/action]" without the "/v2" and with "id" for an id, but for
 * actions on one shipment, which leave it out: "POST /shipments", "POST /shipments/buy", "GET /shipments",
 * "GET /shipments/id". What is no call counts as "other" and is a 404.
 */
struct route {
	const char *method, *pattern, *counted;
	void (*handle)(struct call *call);
	bool is_purchase, is_free; /* free: no key, no faults, not counted */
};

#define ROUTE_ID_SIZE ID_TEXT_SIZE

/* Never NULL. `ret_id` gets what the "*" stands for, "" for none, cut at its size. */
const struct route *route_find(const char *method, const char *path, char ret_id[ROUTE_ID_SIZE]);
/* The number of the class a route is counted under. */
size_t route_class(const struct route *route);

#endif
