/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/text.h"
#include "bulk/purchase_steps.h"

/* The first step: take the order's row, see where an earlier run left it, and go on from there. */

#define DIFFERENCES_BYTES_MAX 512

static void end_already(struct purchase *purchase)
{
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r < 0 ? r : 1, NULL);
}

static void end_with_row(struct purchase *purchase, int status, const char *what)
{
	shipopt_error *error = NULL;
	error_set(&error, status, "%s%s%s", what, purchase->row.reason ? ": " : "",
		purchase->row.reason ? purchase->row.reason : "");
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r < 0 ? r : status, error);
}

static void end_conflict(struct purchase *purchase)
{
	struct buffer names;
	shipopt_error *error = NULL;
	buffer_init(&names, DIFFERENCES_BYTES_MAX);
	purchase_request_differences(purchase, &names);
	error_set(&error, SHIPOPT_ECONFLICT, "the key \"%s\" is %s with other content; it differs in: %s", purchase->order->key,
		ledger_state_name(purchase->row.state), names.length ? buffer_text(&names) : "the request");
	buffer_done(&names);
	purchase_end(purchase, SHIPOPT_ECONFLICT, error);
}

static void plan_anew(struct purchase *purchase)
{
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_PLAN);
	request->fingerprint = purchase->fingerprint;
	request->request = purchase->request;
	purchase_submit(purchase, purchase_create);
}

static void go_on_from(struct purchase *purchase, bool same)
{
	switch (purchase->row.state) {
	case LEDGER_PLANNED:
		(same ? purchase_create : plan_anew)(purchase);
		break;
	case LEDGER_CREATED:
		if (!same)
			plan_anew(purchase);
		else if (purchase->rules->rate_only)
			end_already(purchase);
		else
			purchase_buy_created(purchase);
		break;
	case LEDGER_BUYING:
	case LEDGER_IN_DOUBT:
		if (same)
			purchase_read_back(purchase);
		else
			end_conflict(purchase);
		break;
	case LEDGER_BOUGHT:
	case LEDGER_DOCUMENTED:
		(same ? end_already : end_conflict)(purchase);
		break;
	case LEDGER_FAILED: /* proven: nothing was bought; asked for again, it is tried again */
		if (same && text_equal(purchase->row.reason, PURCHASE_REASON_EXPIRED))
			purchase->approved_ceiling = purchase->row.ceiling;
		plan_anew(purchase);
		break;
	case LEDGER_HELD:
		if (same && !purchase_request_max_rate_changed(purchase))
			end_with_row(purchase, SHIPOPT_EHELD, "held for review");
		else
			plan_anew(purchase); /* the correction that it waited for */
		break;
	default:
		end_with_row(purchase, SHIPOPT_ESTATE, ledger_state_name(purchase->row.state));
	}
}

static void claimed(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	/* A row that needs no lease is given none. */
	purchase->holds_lease = row->lease_until_ms > row->now_ms;
	if (row->buying_at_ms) {
		int64_t left_ms = row->buying_at_ms + purchase->rules->settle_ms - row->now_ms;
		purchase->settle_due_us = clock_now_us() + left_ms * 1000;
	}
	bool has_label = row->state == LEDGER_BOUGHT || row->state == LEDGER_DOCUMENTED;
	if (purchase->is_canceled && !has_label)
		purchase_deadline_passed(purchase);
	else
		go_on_from(purchase, text_equal(row->fingerprint, purchase->fingerprint));
}

void purchase_claim(struct purchase *purchase)
{
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_CLAIM);
	request->owner = "libshipopt";
	request->fingerprint = purchase->fingerprint;
	request->request = purchase->request;
	purchase->is_claimed = true;
	purchase_submit(purchase, claimed);
}
