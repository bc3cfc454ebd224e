/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_BLAME_H
#define BULK_RUN_BLAME_H

#include <shipopt/bulk.h>

#include "carrier/blame.h"

/*
 * When what failed an order ends its run, so that ten thousand orders are not refused one by one, and one poisoned order does
 * not hold up the others for ever.
 *
 *   a refusal of the account        ends the run when RUN_BLAME_ORDERS different orders in a row have met the same one
 *   a wrong configuration           ends the run at once if the base URL has given no answer of the API in this run; else it
 *                                   counts like a refusal of the account
 *   anything else                   never ends it, and changes no count, but for a success, which begins the count again
 *
 * "The same" is the same SHIPOPT_E… code; a different one begins its own count. "Different orders" have different keys;
 * pieces of one order are one. Items are counted in the order in which they end.
 */
#define RUN_BLAME_ORDERS 5
#define RUN_BLAME_PREFIX "5 orders in a row met the same refusal"

struct run_blame {
	int status;                         /* what the last ones met */
	unsigned count;                     /* orders that met it, since the last success */
	uint64_t orders[RUN_BLAME_ORDERS];  /* hashes of their keys */
};

/* An order ended well. */
void run_blame_success(struct run_blame *blame);
/* An order ended badly: `status` is the SHIPOPT_E… code of the answer that `whose` was found for, `has_api_answered` whether the
 * API has answered in this run. True if the run is to end by it. */
bool run_blame_failure(struct run_blame *blame, const shipopt_order *order, enum blame whose, int status,
	bool has_api_answered);

#endif
