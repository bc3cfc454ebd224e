/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "bulk/purchase_steps.h"

/* The part that spends money: reserve, write `buying`, send once, and read the verdict. */

#define RESULT_BYTES_MAX ((size_t)256 << 10)
/* A purchase has this long to get onto the wire also where settle_ms is tiny, so that it is sent at all. */
#define ADMISSION_LEAST_US 50000

static void bought(struct purchase *purchase);

/* ---- bought ------------------------------------------------------------------------------------------------ */

static int64_t paid_amount(const struct purchase *purchase)
{
	const shipopt_record *rate = shipopt_record_child(purchase->shipment, SHIPOPT_SHIPMENT_SELECTED_RATE);
	return shipopt_record_number(rate, SHIPOPT_RATE_RATE, purchase->row.amount);
}

void purchase_record_bought(struct purchase *purchase)
{
	const shipopt_record *label = shipopt_record_child(purchase->shipment, SHIPOPT_SHIPMENT_POSTAGE_LABEL);
	const struct buffer *answer = &purchase->exchange.http.response;
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_BOUGHT_);
	request->tracking_code = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_TRACKING_CODE);
	request->label_url = shipopt_record_text(label, SHIPOPT_POSTAGE_LABEL_LABEL_URL);
	request->paid = paid_amount(purchase);
	request->result = answer->length <= RESULT_BYTES_MAX ? buffer_text(answer) : NULL;
	request->release = true;
	purchase_submit(purchase, bought);
}

static void bought(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	shipopt_error *error = NULL;
	shipopt_error_unref(TAKE(purchase->item->error));
	health_observe(&purchase->rules->carrier->health, row->carrier, false);
	if (row->ceiling > 0 && row->paid > row->ceiling) {
		char paid[DECIMAL_TEXT_SIZE], approved[DECIMAL_TEXT_SIZE];
		decimal_format(row->paid, 2, paid);
		decimal_format(row->ceiling, 2, approved);
		error_set(&error, SHIPOPT_ELIMIT, "bought, but the carrier charged %s where at most %s was approved", paid, approved);
	}
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r, error);
}

/* ---- not bought -------------------------------------------------------------------------------------------- */

static void proven_failed(struct purchase *purchase)
{
	purchase->holds_lease = false;
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r < 0 ? r : purchase->end_status, TAKE(purchase->end_error));
}

static void refused(struct purchase *purchase, int status, shipopt_error *error)
{
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_FAIL);
	purchase->end_status = purchase_blame(purchase, status);
	purchase->end_error = error;
	request->reason = error ? shipopt_error_message(error) : shipopt_strerror(status);
	request->release = true;
	purchase_submit(purchase, proven_failed);
}

/* An expired rate is proof that nothing was bought with it. The row says so and keeps what was approved until the new rate is
 * written down: after a crash in between, the next run still knows the ceiling. */
static void failed_by_rate(struct purchase *purchase)
{
	if (purchase->is_canceled)
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
	else
		purchase_rerate(purchase);
}

static void rate_expired(struct purchase *purchase, shipopt_error *error)
{
	if (purchase->approved_service) { /* a second time: there is something else the matter */
		refused(purchase, SHIPOPT_EREFUSED, error);
		return;
	}
	shipopt_error_unref(error);
	purchase->approved_carrier = mem_copy_text(purchase->row.carrier);
	purchase->approved_service = mem_copy_text(purchase->row.service);
	mem_free(purchase->rerate_id);
	purchase->rerate_id = mem_copy_text(purchase->row.shipment_id);
	purchase->approved_ceiling = purchase->row.ceiling ? purchase->row.ceiling : purchase->row.amount;
	if (!purchase->approved_carrier || !purchase->approved_service || !purchase->rerate_id) {
		refused(purchase, SHIPOPT_ENOMEM, NULL);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_FAIL);
	request->reason = PURCHASE_REASON_EXPIRED;
	purchase_submit(purchase, failed_by_rate);
}

/* ---- the verdict ------------------------------------------------------------------------------------------- */

/* It never got onto the wire in its time (a long pause for rate limits): nothing was sent, so it may be begun anew. */
static bool may_begin_anew(const struct purchase *purchase)
{
	return purchase->exchange.status == SHIPOPT_ETIMEDOUT && !purchase->exchange.maybe_sent && !purchase->is_canceled &&
	       clock_now_us() < purchase->deadline_us;
}

static void answered(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	int status = exchange->status;
	enum purchase_verdict verdict = purchase->rules->carrier->provider->judge_purchase(
		status, error, status == 0 ? purchase->shipment : NULL, purchase->row.shipment_id);
	if (may_begin_anew(purchase)) {
		shipopt_error_unref(error);
		purchase_buy(purchase);
		return;
	}
	switch (verdict) {
	case PURCHASE_BOUGHT:
		shipopt_error_unref(error);
		purchase_record_bought(purchase);
		break;
	case PURCHASE_EXISTS:
		shipopt_error_unref(error);
		purchase_read_back(purchase);
		break;
	case PURCHASE_REFUSED:
		if (status == SHIPOPT_EREFUSED)
			health_observe(&purchase->rules->carrier->health, purchase->row.carrier, true);
		refused(purchase, status, error);
		break;
	case PURCHASE_RATE_EXPIRED:
		rate_expired(purchase, error);
		break;
	case PURCHASE_UNKNOWN:
		purchase_doubt(purchase, error);
		break;
	}
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

static int64_t send_deadline(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	int64_t by_lease_us = purchase->lease_until_us - rules->timeout_ms * 1000;
	/* Counted from before `buying` was asked for. Later than that it is written down anew: see may_begin_anew(). */
	int64_t by_settle_us =
		purchase->ledger_sent_us + MAX(rules->settle_ms * 1000 / PURCHASE_SETTLE_SHARES, ADMISSION_LEAST_US);
	return MIN(MIN(by_lease_us, by_settle_us), purchase->deadline_us);
}

static void send_purchase(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	int64_t left_ms = row->buying_at_ms + purchase->rules->settle_ms - row->now_ms;
	purchase->settle_due_us = clock_now_us() + left_ms * 1000;
	purchase->read_backs = 0;
	if (purchase->is_canceled) {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_ECANCELED, "canceled before the purchase was sent; nothing was bought");
		refused(purchase, SHIPOPT_ECANCELED, error);
		return;
	}
	struct call *call = purchase_new_call(purchase);
	int r = purchase->rules->carrier->provider->buy_shipment(call, row->shipment_id, row->rate_id, -1);
	if (r < 0) {
		refused(purchase, r, NULL);
		return;
	}
	purchase->exchange.deadline_us = send_deadline(purchase);
	purchase->was_sent = true;
	purchase_call(purchase, STAGE_BUY, answered);
}

void purchase_buy(struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	struct ledger_row *row = &purchase->row;
	if (rules->spend_limit > 0 && !text_equal(row->currency, rules->currency)) {
		shipopt_error *error = NULL;
		error_set(&error, SHIPOPT_ELIMIT, "the rate is in %s and the spend limit in %s; nothing was bought",
			row->currency ? row->currency : "no currency", rules->currency);
		purchase_end(purchase, SHIPOPT_ELIMIT, error);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_BUY);
	request->shipment_id = row->shipment_id;
	request->amount = row->amount;
	request->currency = row->currency;
	request->budget = rules->spend_limit > 0 ? rules->budget : NULL;
	request->budget_limit = rules->spend_limit;
	purchase_submit(purchase, send_purchase);
}
