/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/random.h"
#include "purchase/purchase_steps.h"

/*
 * The outcome of a purchase is not known: the row becomes in doubt, and the shipment is looked up until the outcome is
 * known.
 *
 * Delays between look-ups double from LOOK_UP_DELAY_FIRST_US to LOOK_UP_DELAY_MAX_US, with jitter. One look-up comes
 * right after the settle time. After LOOK_UPS_MAX of them, or at its deadline, the item ends as in doubt, and the row
 * waits for the next run or a person.
 */
#define LOOK_UP_DELAY_FIRST_US 250000
#define LOOK_UP_DELAY_MAX_US 15000000
#define LOOK_UP_SETTLED_US 20000
#define LOOK_UPS_MAX 64

/* ---- the doubt --------------------------------------------------------------------------------------------- */

/* The reason why a repeat was not sent says nothing about the purchase before it. */
static const char *purchase_doubt_text(const struct purchase *purchase)
{
	bool is_unsent = purchase->state == PURCHASE_BUYING && purchase->evidence == EVIDENCE_UNSENT && purchase->doubt;
	const char *message = shipopt_error_message(is_unsent ? purchase->doubt : purchase->event_error);
	return message ? message : PURCHASE_NOT_KNOWN;
}

/* Writes the doubt after the newest purchase, or after a new rating that says that the shipment has postage. */
void purchase_doubt(struct purchase *purchase)
{
	const struct evidence_row row = {.sent = purchase->row.sent, .unproven = purchase->row.unproven};
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_DOUBT);
	bool is_of_purchase = purchase->state == PURCHASE_BUYING;
	request->reason = purchase_doubt_text(purchase);
	request->proven = is_of_purchase && evidence_is_proof(purchase->evidence);
	request->exists_seen = purchase->evidence == EVIDENCE_EXISTS;
	request->needs_person = is_of_purchase && evidence_after_purchase(&row, purchase->evidence) == NEXT_PERSON;
	if (purchase->evidence == EVIDENCE_UNLISTED || purchase->evidence == EVIDENCE_REFUSED)
		request->refusal = request->reason;
	/* The carrier's refusal says more than an earlier lost connection. */
	purchase_keep_doubt(purchase, shipopt_error_ref(purchase->event_error), request->refusal != NULL);
	purchase_submit(purchase, PURCHASE_DOUBTING);
}

static void purchase_wait_to_look(struct purchase *purchase)
{
	int64_t now_us = clock_now_us();
	int64_t delay_us = MIN(LOOK_UP_DELAY_MAX_US, (int64_t)LOOK_UP_DELAY_FIRST_US << MIN(purchase->look_ups, 8U));
	if (++purchase->look_ups > LOOK_UPS_MAX) {
		purchase_end_in_doubt(purchase);
		return;
	}
	/* Half fixed, half jitter: purchases that failed together must not all be looked up together. */
	delay_us = delay_us / 2 + (int64_t)random_below(&purchase->random, (uint64_t)delay_us / 2 + 1);
	if (now_us < purchase->settle_due_us)
		delay_us = MIN(delay_us, purchase->settle_due_us - now_us + LOOK_UP_SETTLED_US);
	purchase_wait(purchase, PURCHASE_WAITING_TO_LOOK, delay_us);
}

void purchase_doubted(struct purchase *purchase)
{
	bool has_looked = purchase->look_up_began_us > 0 && purchase->look_up_began_us >= purchase->settle_due_us;
	if (purchase->row.needs_person && has_looked)
		purchase_end_in_doubt(purchase);
	else if (purchase->row.exists_seen && purchase->look_ups == 0)
		purchase_look_up(purchase); /* the shipment has postage: no need to wait */
	else
		purchase_wait_to_look(purchase);
}

/* ---- looking it up ----------------------------------------------------------------------------------------- */

static enum evidence_look_up purchase_look_up_says(const struct purchase *purchase)
{
	int postage = purchase->rules->carrier->provider->has_postage(purchase->shipment, purchase->row.shipment_id);
	return purchase->exchange.status != 0 || postage < 0 ? LOOK_UP_NOTHING
		: postage                                    ? LOOK_UP_POSTAGE
							     : LOOK_UP_NO_POSTAGE;
}

static void purchase_looked_up(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	const struct ledger_row *row = &purchase->row;
	const struct evidence_row facts = {.sent = row->sent,
		.unproven = row->unproven,
		.exists_seen = row->exists_seen,
		.needs_person = row->needs_person,
		.was_refused = row->refusal != NULL};
	bool is_settled = purchase->look_up_began_us >= purchase->settle_due_us;
	enum evidence_next next = evidence_after_look_up(&facts, purchase_look_up_says(purchase), is_settled);
	static const enum purchase_event events[] = {[NEXT_LOOK_UP] = EVENT_LOOK_UP,
		[NEXT_BOUGHT] = EVENT_BOUGHT,
		[NEXT_AGAIN] = EVENT_AGAIN,
		[NEXT_ONLY_READ] = EVENT_ONLY_READ,
		[NEXT_PERSON] = EVENT_PERSON};
	bool is_trouble = exchange->status == SHIPOPT_EAUTH || exchange->status == SHIPOPT_ECANCELED;
	purchase_blame(purchase, exchange->status);
	purchase_on_error(purchase, is_trouble ? EVENT_TROUBLE : events[next], exchange->status, error);
}

/* Looks the shipment up while the lease lasts. */
void purchase_read(struct purchase *purchase)
{
	if (purchase->is_canceled) {
		purchase_end_in_doubt(purchase);
		return;
	}
	struct carrier_call *call = purchase_new_call(purchase);
	int r = purchase->rules->carrier->provider->retrieve_shipment(call, purchase->row.shipment_id);
	if (r < 0) {
		purchase_end_in_doubt(purchase);
		return;
	}
	call->class = LANE_READ_BACK;
	purchase->look_up_began_us = clock_now_us();
	purchase_call(purchase, PURCHASE_LOOKING, purchase_looked_up);
}

void purchase_look_up(struct purchase *purchase)
{
	int64_t left_us = purchase->lease_until_us - clock_now_us();
	if (left_us > purchase->rules->lease_ms * 1000 / 2) {
		purchase_read(purchase);
		return;
	}
	purchase_ledger(purchase, LEDGER_OP_RENEW);
	purchase_submit(purchase, PURCHASE_RENEWING);
}

/* ---- what follows ------------------------------------------------------------------------------------------ */

/* A run that may not send leaves the row as it is after one look-up. */
static bool purchase_may_send(const struct purchase *purchase)
{
	return !purchase->rules->rate_only && !purchase->is_other;
}

/* A row that a dead process left as buying becomes in doubt first. */
static bool purchase_write_doubt(struct purchase *purchase)
{
	if (purchase->row.state == LEDGER_STATE_IN_DOUBT)
		return false;
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_DOUBT);
	request->reason = "an earlier run ended before the outcome of the purchase was known";
	purchase_submit(purchase, PURCHASE_DOUBTING);
	return true;
}

/* Nothing is known yet. The failure of a look-up becomes the reason only if there is no other reason. */
void purchase_look_again(struct purchase *purchase)
{
	purchase_keep_doubt(purchase, TAKE(purchase->event_error), false);
	if (!purchase_may_send(purchase))
		purchase_end_in_doubt(purchase);
	else if (purchase->row.state == LEDGER_STATE_CREATED || !purchase_write_doubt(purchase))
		purchase_wait_to_look(purchase);
}

void purchase_ask_person(struct purchase *purchase)
{
	if (purchase->row.needs_person || !purchase_may_send(purchase)) {
		purchase_end_in_doubt(purchase);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_DOUBT);
	request->reason = purchase->row.refusal
		? purchase->row.refusal
		: "three purchases of the shipment were sent, and their outcome is not known: "
		  "look the order up at the carrier (shipopt_ledger_resolve)";
	request->needs_person = true;
	purchase_submit(purchase, PURCHASE_DOUBTING);
}

/* The shipment may be sent again: the lease lasted all the time, and the look-up started after the settle time. */
void purchase_send_again(struct purchase *purchase)
{
	if (!purchase_may_send(purchase) || purchase->is_canceled)
		purchase_end_in_doubt(purchase);
	else
		purchase_use_kept(purchase);
}
