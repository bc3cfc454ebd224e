/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "purchase/purchase_steps.h"

/* The first step: claim the order's row and continue where an earlier run left it. */

#define CLAIMS_MAX 32       /* of one row whose holder or state keeps changing */
#define BUSY_POLL_US 500000 /* longest wait between two looks at another holder's lease */

void purchase_claim(struct purchase *purchase)
{
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_CLAIM);
	request->owner = "libshipopt";
	request->fingerprint = purchase->fingerprint;
	request->request = purchase->request;
	request->base_url = purchase->rules->carrier->base_url;
	purchase_submit(purchase, PURCHASE_CLAIMING);
}

/* Claims again, with our token if we still have the lease. */
void purchase_claim_again(struct purchase *purchase)
{
	shipopt_error *error = TAKE(purchase->event_error);
	if (++purchase->claims > CLAIMS_MAX) {
		if (!error)
			error_set(&error, SHIPOPT_EBUSY, "another process keeps changing this order (%s)",
				ledger_state_name(purchase->row.state));
		purchase_end(purchase, SHIPOPT_EBUSY, error);
		return;
	}
	/* The store does not know the outcome of a commit. That is the reason if no time is left to look. */
	if (purchase_is_open(purchase))
		purchase_keep_doubt(purchase, error, false);
	else
		shipopt_error_unref(error);
	purchase_wait(purchase, PURCHASE_WAITING_FOR_LEASE, 0);
}

/* The holder may have died. The item waits until its own deadline. */
void purchase_wait_for_lease(struct purchase *purchase)
{
	int64_t left_us = (purchase->row.lease_until_ms - purchase->row.now_ms) * 1000;
	purchase_wait(purchase, PURCHASE_WAITING_FOR_LEASE, MAX(1000, MIN(left_us, BUSY_POLL_US)));
}

/* ---- what was found ---------------------------------------------------------------------------------------- */

/* Whether another carrier has the shipment. */
static bool purchase_is_elsewhere(const struct purchase *purchase)
{
	const char *base_url = purchase->row.base_url;
	return base_url && !text_equal(base_url, purchase->rules->carrier->base_url);
}

static enum purchase_event purchase_find_unsent(struct purchase *purchase, bool is_same)
{
	bool is_kept = is_same && !purchase_is_elsewhere(purchase) && !purchase_request_max_rate_changed(purchase);
	switch (purchase->row.state) {
	case LEDGER_STATE_PLANNED: return is_kept ? EVENT_FRESH : EVENT_CHANGED;
	case LEDGER_STATE_CREATED:
		if (!is_kept || purchase->row.sent >= LEDGER_SENDS_MAX)
			return EVENT_CHANGED;
		return purchase->rules->rate_again ? EVENT_RERATE : EVENT_RATED;
	case LEDGER_STATE_HELD: return is_kept ? EVENT_HELD : EVENT_CHANGED; /* the order was corrected */
	case LEDGER_STATE_FAILED: return EVENT_CHANGED; /* nothing was bought: a new run tries again */
	default: return EVENT_CLOSED;
	}
}

static enum purchase_event purchase_find_event(struct purchase *purchase, bool is_same)
{
	const struct ledger_row *row = &purchase->row;
	bool has_label = row->state == LEDGER_STATE_BOUGHT || row->state == LEDGER_STATE_DOCUMENTED;
	if (purchase_is_elsewhere(purchase) && (has_label || purchase_is_open(purchase)))
		return EVENT_CONFLICT;
	if (purchase_is_open(purchase)) {
		purchase->is_other = !is_same;
		return EVENT_OPEN;
	}
	if (row->needs_person)
		return EVENT_HELD;
	if (has_label)
		return is_same ? EVENT_HAS_LABEL : EVENT_CONFLICT;
	return purchase_find_unsent(purchase, is_same);
}

/* Takes over the reason why an earlier run left the outcome open. */
static void purchase_find_doubt(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	const char *reason = row->refusal ? row->refusal : row->reason;
	if (!purchase_is_open(purchase) || !reason || purchase->doubt)
		return;
	if (row->state == LEDGER_STATE_CREATED)
		error_set(&purchase->doubt, SHIPOPT_EINDOUBT,
			"a person found nothing bought (\"%s\"): the same shipment is sent again when a look-up finds no postage either",
			reason);
	else
		error_set(&purchase->doubt, SHIPOPT_EINDOUBT, "%s", reason);
}

/* Another holder may have changed the row, so the work on its old shipment is dropped. */
static void purchase_forget(struct purchase *purchase)
{
	mem_free(TAKE(purchase->rerate_id));
	const char *id = purchase->shipment ? shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID) : NULL;
	if (!text_equal(id, purchase->row.shipment_id))
		shipopt_record_free(TAKE(purchase->shipment));
	purchase->rate_index = SIZE_MAX;
	purchase->rerate = RERATE_NONE;
	purchase->is_other = false;
}

/* Whether the event needs time. The others are reported even when none is left. */
static bool purchase_is_work(enum purchase_event event)
{
	return event == EVENT_FRESH || event == EVENT_CHANGED || event == EVENT_RATED || event == EVENT_RERATE ||
		event == EVENT_OPEN;
}

void purchase_find(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	purchase_forget(purchase);
	/* The claim of a row that needs no lease gives none. */
	purchase->holds_lease = row->lease_until_ms > row->now_ms;
	purchase_take_settle_time(purchase);
	purchase_find_doubt(purchase);
	enum purchase_event event = purchase_find_event(purchase, purchase_request_is_same(purchase));
	purchase->state = PURCHASE_FOUND;
	purchase_on(purchase, purchase->is_canceled && purchase_is_work(event) ? EVENT_LATE : event);
}

/* The approval stays for the same content. A changed max_rate, or other content, needs a new one. */
void purchase_plan(struct purchase *purchase)
{
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_PLAN);
	request->fingerprint = purchase->fingerprint;
	request->request = purchase->request;
	request->keep_approval = purchase_request_is_same(purchase) && !purchase_request_max_rate_changed(purchase);
	purchase_submit(purchase, PURCHASE_PLANNING);
}
