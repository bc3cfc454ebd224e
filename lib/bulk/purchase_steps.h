/* SPDX-License-Identifier: MIT */
#ifndef BULK_PURCHASE_STEPS_H
#define BULK_PURCHASE_STEPS_H

#include "bulk/purchase.h"

/* The steps of a purchase, shared between its files; see purchase.h for the model. */

/* The reason of a row that failed by it: what was approved for such a row still counts. */
#define PURCHASE_REASON_EXPIRED "the rate expired"

/* ---- purchase.c ---- */
/* Fills the key, token and lease of the ledger request, zeroes the rest. */
struct ledger_request *purchase_ledger(struct purchase *purchase, enum ledger_operation operation);
/* Submits it; `then` runs with status LEDGER_OK and the row taken over. Lost leases, refusals and failures of the store are
 * seen to here. */
void purchase_submit(struct purchase *purchase, void (*then)(struct purchase *purchase));
/* Its time is over while it waited: in doubt, busy, canceled or timed out. */
void purchase_deadline_passed(struct purchase *purchase);
/* Waits `delay_us`, then goes on; or ends in doubt, busy or timed out when the item's deadline comes first. */
void purchase_park(struct purchase *purchase, int64_t delay_us, void (*then)(struct purchase *purchase));
/* Ends with this result, after giving up the lease if it is held. Consumes `error`. */
void purchase_end(struct purchase *purchase, int status, shipopt_error *error);
/* Sends the exchange that was filled. */
void purchase_call(struct purchase *purchase, enum purchase_stage stage, void (*done)(struct exchange *exchange));
/* Prepares an exchange of this purchase for a new call. */
struct call *purchase_new_call(struct purchase *purchase);
/* Takes the exchange's record as the shipment and its error. */
shipopt_error *purchase_take_answer(struct purchase *purchase);
/* Copies what the row and the shipment say of the label into the item. SHIPOPT_ENOMEM. */
int purchase_fill_item(struct purchase *purchase);
struct purchase *purchase_of(struct exchange *exchange);
/* The item's status for a failed exchange, and whether the account is to blame. */
int purchase_blame(struct purchase *purchase, int status);

/* ---- purchase_request.c ---- */
int purchase_request_write(const shipopt_order *order, char **ret_request);
int purchase_request_fingerprint(const shipopt_order *order, char ret_hex[HASH_HEX_SIZE]);
/* Against the row: the names of the fields that differ; whether the price limit, which is no part of the fingerprint, does. */
void purchase_request_differences(const struct purchase *purchase, struct buffer *names);
bool purchase_request_max_rate_changed(const struct purchase *purchase);

/* ---- purchase_claim.c ---- */
void purchase_claim(struct purchase *purchase);

/* ---- purchase_plan.c ---- */
void purchase_create(struct purchase *purchase); /* planned: make the shipment */
void purchase_rerate(struct purchase *purchase); /* planned again after an expired rate, same shipment */
void purchase_buy_created(struct purchase *purchase); /* rated earlier: bought, if that is still within the order's bound */

/* ---- purchase_buy.c ---- */
void purchase_buy(struct purchase *purchase); /* created, or settled: reserve, write buying, send */
void purchase_record_bought(struct purchase *purchase); /* the shipment shows the label */

/* ---- purchase_doubt.c ---- */
void purchase_doubt(struct purchase *purchase, shipopt_error *reason); /* the outcome of a purchase is unknown; consumes */
void purchase_read_back(struct purchase *purchase);

#endif
