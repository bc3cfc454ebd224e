/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_BLAME_H
#define BULK_RUN_BLAME_H

#include <shipopt/order.h>

#include "carrier/blame.h"

/*
 * Which failures of orders end their run, so that ten thousand orders are not refused one by one, but one bad order does not stop
 * the others.
 *
 *   a refusal of the account   ends the run after RUN_BLAME_ORDERS different orders in a row got the same one
 *   a wrong configuration      ends the run at once if the base URL has given no answer of the API in this run; otherwise it counts
 *                              like a refusal of the account
 *   a success                  restarts the count
 *   anything else              neither ends the run nor changes the count
 *
 * "The same" is the same SHIPOPT_E… code; a different one starts its own count. "Different orders" have different keys;
 * pieces of one order count once. Items are counted in the order in which they end.
 */
#define RUN_BLAME_ORDERS 5
#define RUN_BLAME_PREFIX "5 orders in a row met the same refusal"

struct run_blame {
	int status;                        /* of the last refusals */
	unsigned count;                    /* orders that got it since the last success */
	uint64_t orders[RUN_BLAME_ORDERS]; /* hashes of their keys */
};

/* An order ended well. */
void run_blame_success(struct run_blame *blame);
/* An order failed: `status` is the SHIPOPT_E… code of the answer whose blame is `whose`; `has_api_answered`: the API has answered in
 * this run. True: the run must end. */
bool run_blame_failure(struct run_blame *blame, const shipopt_order *order, enum blame whose, int status,
	bool has_api_answered);

#endif
