/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "purchase/insurance.h"
#include "purchase/purchase_steps.h"
#include "record/record.h"

/* The part that spends money: admission, `buying`, one request, and the verdict on its answer. */

/* A purchase has at least this long to be sent, so that a tiny settle_ms works too. */
#define ADMISSION_TIME_MIN_US 50000

/* ---- admission --------------------------------------------------------------------------------------------- */

static void purchase_answered(struct exchange *exchange);

static void purchase_admitted(struct exchange *exchange)
{
	purchase_on(purchase_of(exchange), EVENT_ADMITTED);
}

/* The rate to buy: the one chosen now, or the row's. */
static const char *purchase_rate_id(const struct purchase *purchase)
{
	if (purchase->rate_index == SIZE_MAX)
		return purchase->row.rate_id;
	const shipopt_record *rate =
		shipopt_record_item(purchase->shipment, SHIPOPT_SHIPMENT_RATES, purchase->rate_index);
	return shipopt_record_text(rate, SHIPOPT_RATE_ID);
}

/* Once a purchase was sent, a repeat sends the same body, with the insurance in the row. */
static int64_t purchase_insurance(const struct purchase *purchase)
{
	if (purchase->row.sent > 0)
		return purchase->row.insurance;
	return shipopt_record_number(purchase->order->shipment, SHIPOPT_SHIPMENT_INSURANCE, 0);
}

/* Waits for the lane first, so that `buying` is only written when the request can be sent at once. */
void purchase_admit(struct purchase *purchase)
{
	ASSERT(!purchase->rules->rate_only && !purchase->is_other);
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
		return;
	}
	const char *id = purchase->rate_index == SIZE_MAX
		? purchase->row.shipment_id
		: shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	struct carrier_call *call = purchase_new_call(purchase);
	int64_t insurance = purchase_insurance(purchase);
	int r = purchase->rules->carrier->provider->buy_shipment(call, id, purchase_rate_id(purchase),
		insurance > 0 ? insurance : -1);
	if (r < 0) {
		purchase_end(purchase, r, NULL);
		return;
	}
	purchase->exchange.admitted = purchase_admitted;
	purchase_call(purchase, PURCHASE_ADMITTING, purchase_answered);
}

/* ---- reserving --------------------------------------------------------------------------------------------- */

/* How the message of a purchase that is not sent ends. */
static const char *purchase_not_sent_text(const struct purchase *purchase)
{
	return purchase_is_open(purchase) ? "it was not sent again, and what became of it before is not known"
					  : "nothing was bought";
}

static const char *purchase_currency(const struct purchase *purchase, const struct ledger_request *request)
{
	return request->currency ? request->currency : purchase->row.currency;
}

/* Checks the currencies against the spend limit, before anything is written. */
static int purchase_check_money(const struct purchase *purchase, const struct ledger_request *request,
	shipopt_error **ret_error)
{
	const struct purchase_rules *rules = purchase->rules;
	const char *currency = purchase_currency(purchase, request);
	if (rules->spend_limit > 0 && !text_equal(currency, rules->currency))
		return error_set(ret_error, SHIPOPT_ELIMIT, "the rate is in %s and the spend limit in %s; %s",
			currency ? currency : "no currency", rules->currency, purchase_not_sent_text(purchase));
	/* The fee is reserved together with the postage, as one amount. */
	if (rules->spend_limit > 0 && request->fee > 0 && !text_equal(currency, rules->insurance_currency))
		return error_set(ret_error, SHIPOPT_ELIMIT,
			"the rate is in %s and the insurance in %s (bulk setting insurance_currency), and the spend limit counts both; "
			"%s",
			currency ? currency : "no currency", rules->insurance_currency,
			purchase_not_sent_text(purchase));
	return 0;
}

void purchase_reserve(struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_BUY);
	shipopt_error *error = NULL;
	purchase_fill_rate(purchase, request);
	request->insurance = purchase_insurance(purchase);
	request->fee = insurance_fee(request->insurance, rules->insurance_fee_percent, rules->insurance_fee_min);
	request->settle_ms = rules->settle_ms;
	request->request = purchase->request;
	request->budget = rules->spend_limit > 0 ? rules->budget : NULL;
	request->budget_limit = rules->spend_limit;
	int r = purchase->is_canceled ? SHIPOPT_ECANCELED : purchase_check_money(purchase, request, &error);
	if (r == 0) {
		purchase_submit(purchase, PURCHASE_RESERVING);
		return;
	}
	exchange_give_up(&purchase->exchange);
	purchase_end(purchase, r, error);
}

static shipopt_error *purchase_over_limit(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	char limit[DECIMAL_TEXT_SIZE], more[DECIMAL_TEXT_SIZE], used[DECIMAL_TEXT_SIZE];
	shipopt_error *error = NULL;
	decimal_format(rules->spend_limit, 2, limit);
	decimal_format(purchase->ledger.budget_more, 2, more);
	decimal_format(purchase->ledger.budget_used, 2, used);
	error_set(&error, SHIPOPT_ELIMIT,
		"%s more would pass the spend limit %s %s of budget \"%s\", of which %s is used; %s", more, limit,
		rules->currency, rules->budget, used, purchase_not_sent_text(purchase));
	return error;
}

/* The spend limit, a shipment of another order, or a failed store. Nothing was sent. */
void purchase_not_reserved(struct purchase *purchase)
{
	int status = purchase->event_status;
	shipopt_error *error = TAKE(purchase->event_error);
	exchange_give_up(&purchase->exchange);
	if (status == LEDGER_OUTCOME_OVER_LIMIT) {
		status = SHIPOPT_ELIMIT;
		shipopt_error_unref(error);
		error = purchase_over_limit(purchase);
	} else if (status == LEDGER_OUTCOME_SHARED) {
		status = SHIPOPT_EPROTOCOL;
	}
	purchase_end(purchase, status, error);
}

void purchase_reservation_taken(struct purchase *purchase)
{
	exchange_give_up(&purchase->exchange);
	purchase_claim_again(purchase);
}

/* ---- sending ----------------------------------------------------------------------------------------------- */

static int64_t purchase_send_deadline(const struct purchase *purchase)
{
	const struct purchase_rules *rules = purchase->rules;
	int64_t by_lease_us = purchase->lease_until_us - rules->timeout_ms * 1000;
	/* Counted from before `buying` was submitted. It is not sent later than this. */
	int64_t by_settle_us =
		purchase->ledger_sent_us + MAX(rules->settle_ms * 1000 / PURCHASE_SETTLE_SHARES, ADMISSION_TIME_MIN_US);
	return MIN(MIN(by_lease_us, by_settle_us), purchase->deadline_us);
}

/* `buying` is durable. */
void purchase_send(struct purchase *purchase)
{
	purchase_take_settle_time(purchase);
	purchase->look_ups = 0;
	purchase->rerate = RERATE_NONE;
	purchase->rate_index = SIZE_MAX;
	purchase->exchange.deadline_us = purchase_send_deadline(purchase);
	purchase->state = PURCHASE_BUYING;
	if (purchase->is_canceled)
		exchange_cancel(&purchase->exchange);
	exchange_go(&purchase->exchange);
}

/* ---- the verdict ------------------------------------------------------------------------------------------- */

/* Reads the answer itself. The error object may lack its code for lack of memory, and that must not count as a missing
 * code. */
static void purchase_read_words(const struct purchase *purchase, struct evidence_answer *answer)
{
	const struct exchange *exchange = &purchase->exchange;
	struct json_value error;
	if (!exchange->document || !json_get(json_root(exchange->document), "error", &error))
		return;
	/* {"error":{…}} and {"error":"…"} are the API's errors, not a gateway's. Only one with a code can be on the
	 * list. */
	answer->is_envelope = json_type(error) == JSON_OBJECT || json_type(error) == JSON_STRING;
	if (json_type(error) == JSON_OBJECT)
		answer->word = purchase->rules->carrier->provider->purchase_word(exchange->http_status,
			json_get_text(error, "code"));
}

static enum evidence purchase_judge(const struct purchase *purchase)
{
	const struct exchange *exchange = &purchase->exchange;
	const struct provider *provider = purchase->rules->carrier->provider;
	struct evidence_answer answer = {
		.was_sent = exchange->maybe_sent,
		.was_handed_over = exchange->was_handed_over,
		.http_status = exchange->http.status == 0 ? exchange->http_status : 0,
		.word = WORD_UNLISTED,
		.shows_label = exchange->status == 0 &&
			provider->has_postage(purchase->shipment, purchase->row.shipment_id) == 1,
	};
	purchase_read_words(purchase, &answer);
	return evidence_of_purchase(&answer);
}

static enum purchase_event purchase_next_event(enum evidence_next next)
{
	static const enum purchase_event events[] = {
		[NEXT_LOOK_UP] = EVENT_LOOK_UP,
		[NEXT_BOUGHT] = EVENT_BOUGHT,
		[NEXT_FAILED] = EVENT_FAILED,
		[NEXT_AGAIN] = EVENT_AGAIN,
		[NEXT_RERATE] = EVENT_RERATE,
		[NEXT_ONLY_READ] = EVENT_ONLY_READ,
		[NEXT_PERSON] = EVENT_PERSON,
	};
	return events[next];
}

/* Says what is wrong with a 2xx answer without a label. */
static shipopt_error *purchase_no_label(const struct purchase *purchase)
{
	const struct provider *provider = purchase->rules->carrier->provider;
	bool is_it = provider->has_postage(purchase->shipment, purchase->row.shipment_id) >= 0;
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_EINDOUBT, "POST /shipments/%.64s/buy: HTTP %d, but the answer %s",
		purchase->row.shipment_id, purchase->exchange.http_status,
		is_it ? "shows neither a tracking code nor a label" : "is not that shipment");
	return error;
}

static void purchase_answered(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	int status = exchange->status;
	if (purchase->state == PURCHASE_ADMITTING) {
		/* It was not admitted. Nothing was written and nothing was sent. */
		purchase_on_error(purchase, EVENT_TROUBLE, status, error);
		return;
	}
	const struct evidence_row row = {.sent = purchase->row.sent, .unproven = purchase->row.unproven};
	purchase->evidence = purchase_judge(purchase);
	if (status == 0 && !error && purchase->evidence != EVIDENCE_BOUGHT)
		error = purchase_no_label(purchase);
	if (purchase->evidence == EVIDENCE_REFUSED && status == SHIPOPT_EREFUSED)
		health_observe(&purchase->rules->carrier->health, purchase->row.carrier, true);
	purchase_blame(purchase, status);
	enum evidence_next next = evidence_after_purchase(&row, purchase->evidence);
	purchase_on_error(purchase, purchase_next_event(next), status, error);
}

/* ---- proven not done --------------------------------------------------------------------------------------- */

static const char *purchase_end_text(const struct purchase *purchase)
{
	const char *message = shipopt_error_message(purchase->end_error);
	return message ? message : shipopt_error_description(purchase->end_status);
}

/* Keeps the status and error with which the item ends after the transition. */
static void purchase_keep_end(struct purchase *purchase)
{
	shipopt_error_unref(purchase->end_error);
	purchase->end_status = purchase->event_status;
	purchase->end_error = TAKE(purchase->event_error);
}

void purchase_fail_proven(struct purchase *purchase)
{
	purchase_keep_end(purchase);
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_FAIL);
	request->reason = purchase_end_text(purchase);
	request->proven = true;
	request->release = true;
	purchase_submit(purchase, PURCHASE_FAILING);
}

/* Writes a proof (too many requests, a refused credential, not sent, an expired rate) before the shipment is sent
 * again. The row becomes created, or in doubt if an earlier purchase is unproven. */
void purchase_prove(struct purchase *purchase)
{
	purchase_keep_end(purchase);
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_PROVE);
	request->reason = purchase_end_text(purchase);
	purchase_submit(purchase, PURCHASE_PROVING);
}

/* A purchase that missed its time is sent again. A purchase that could not be sent ends the item, as does the item's
 * deadline. */
static bool purchase_goes_on(const struct purchase *purchase)
{
	bool could_not = purchase->evidence == EVIDENCE_DENIED ||
		(purchase->evidence == EVIDENCE_UNSENT && purchase->end_status != SHIPOPT_ETIMEDOUT);
	return !could_not && !purchase->is_canceled && clock_now_us() < purchase->deadline_us;
}

void purchase_proved(struct purchase *purchase)
{
	int status = purchase->is_canceled ? SHIPOPT_ECANCELED : purchase->end_status;
	if (!purchase_goes_on(purchase)) {
		if (purchase_is_open(purchase))
			purchase_end_in_doubt(purchase);
		else
			purchase_end(purchase, status, TAKE(purchase->end_error));
	} else if (purchase->evidence == EVIDENCE_EXPIRED) {
		purchase->rerate = RERATE_EXPIRED;
		purchase_rerate(purchase);
	} else {
		purchase_admit(purchase);
	}
}
