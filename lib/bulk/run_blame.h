/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_BLAME_H
#define BULK_RUN_BLAME_H

#include <shipopt/order.h>

#include "carrier/blame.h"

/*
 * Which failures of orders end their run. Ten thousand orders must not be refused one by one, and one bad order must
 * not stop the others.
 *
 *   a refusal of the account   ends the run after RUN_BLAME_ORDERS different orders in a row got the same one
 *   a wrong configuration      ends the run at once if the base URL has given no answer of the API in this run;
 *                              otherwise it counts like a refusal of the account
 *   a success                  restarts the count
 *   anything else              neither ends the run nor changes the count
 *
 * Two refusals are the same if their SHIPOPT_E… codes are; another code starts its own count. Two orders are different
 * if their keys are; the pieces of one order count once. Items count in the order in which they end.
 *
 * The run itself adds two rules that need no count: a failed TLS handshake before the first answer (run.c), and a
 * carrier that was never reached (run_reach.h).
 */
#define RUN_BLAME_ORDERS 5
#define RUN_BLAME_PREFIX "5 orders in a row met the same refusal"

struct run_blame {
	int status;                        /* of the last refusals */
	unsigned count;                    /* orders that got it since the last success */
	uint64_t orders[RUN_BLAME_ORDERS]; /* hashes of their keys */
};

/* An order succeeded. */
void run_blame_success(struct run_blame *blame);
/* An order failed with the code `status`, whose blame is `whose`. `has_api_answered`: the API has answered in this run.
 * True: the run must end. */
bool run_blame_failure(struct run_blame *blame, const shipopt_order *order, enum blame whose, int status,
	bool has_api_answered);

#endif
