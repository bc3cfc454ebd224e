/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/clock.h"
#include "purchase/purchase_steps.h"

/* Sends requests to the ledger, and turns their outcomes into events. */

#define COMMITS_IN_DOUBT_MAX 3 /* how often a row is claimed again after a commit whose outcome is not known */

struct ledger_request *purchase_ledger(struct purchase *purchase, enum ledger_operation operation)
{
	const struct purchase_rules *rules = purchase->rules;
	int64_t generation = operation == LEDGER_OP_CLAIM ? purchase->order->generation : purchase->row.generation;
	purchase->ledger = (struct ledger_request){
		.operation = operation,
		.key = {.provider = rules->carrier->provider->name,
			.account = settings_text(&rules->carrier->settings, CARRIER_ACCOUNT),
			.mode = rules->carrier->mode,
			.order_key = purchase->order->key,
			.piece = purchase->order->piece,
			.purpose = rules->purpose,
			.generation = generation},
		.token = purchase->token,
		.lease_ms = rules->lease_ms,
		.reactor = purchase->reactor,
	};
	return &purchase->ledger;
}

static void purchase_take_row(struct purchase *purchase, struct ledger_request *request)
{
	ledger_row_done(&purchase->row);
	purchase->row = request->row;
	memset(&request->row, 0, sizeof(request->row));
}

void purchase_take_settle_time(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	purchase->settle_due_us = clock_now_us() + (row->buying_at_ms + row->settle_ms - row->now_ms) * 1000;
}

static void purchase_take_lease(struct purchase *purchase, const struct ledger_request *request)
{
	bool is_leased = request->operation == LEDGER_OP_CLAIM || request->operation == LEDGER_OP_RENEW ||
		request->operation == LEDGER_OP_BUY;
	/* Counted from before the request, so that our end is not later than the database's. */
	if (is_leased)
		purchase->lease_until_us = purchase->ledger_sent_us + purchase->rules->lease_ms * 1000;
	if (request->operation == LEDGER_OP_CLAIM)
		purchase->token = request->token;
	purchase->holds_lease = !request->release;
}

static enum purchase_event purchase_outcome(struct purchase *purchase, int status)
{
	switch (status) {
	case LEDGER_OUTCOME_OK: return EVENT_DONE;
	case LEDGER_OUTCOME_BUSY: return EVENT_BUSY;
	case LEDGER_OUTCOME_LOST: purchase->holds_lease = false; return EVENT_TAKEN;
	case LEDGER_OUTCOME_REFUSED: return EVENT_TAKEN;
	case LEDGER_OUTCOME_OVER_LIMIT: return EVENT_OVER_LIMIT;
	case LEDGER_OUTCOME_SHARED: return EVENT_SHARED;
	case SHIPOPT_EINDOUBT: /* of the commit: read the row before anything else */
		return ++purchase->store_retries <= COMMITS_IN_DOUBT_MAX ? EVENT_TAKEN : EVENT_STORE_FAILED;
	default: return EVENT_STORE_FAILED;
	}
}

static void purchase_ledger_done(struct ledger_request *request)
{
	struct purchase *purchase = CONTAINER_OF(request, struct purchase, ledger);
	shipopt_error *error = TAKE(request->error);
	int status = request->status;
	if (status >= 0)
		purchase_take_row(purchase, request);
	if (status == LEDGER_OUTCOME_OK)
		purchase_take_lease(purchase, request);
	ledger_row_done(&request->row);
	purchase_on_error(purchase, purchase_outcome(purchase, status), status, error);
}

void purchase_submit(struct purchase *purchase, enum purchase_state state)
{
	purchase->state = state;
	purchase->ledger_sent_us = clock_now_us();
	purchase->ledger.done = purchase_ledger_done;
	ledger_submit(purchase->rules->store, &purchase->ledger);
}
