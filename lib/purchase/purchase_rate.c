/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/answer.h"
#include "purchase/purchase_steps.h"
#include "record/record.h"

/* The part of a purchase that costs nothing: it creates a shipment or rates it again. */

/* Whether the carrier refused the order itself, rather than the call having failed. */
static bool purchase_is_refusal(int status)
{
	return status == SHIPOPT_EREFUSED || status == SHIPOPT_ENOTFOUND;
}

/* An API may cut a long reference. */
#define REFERENCE_CUT_MIN 24

static bool purchase_is_our_reference(const char *given, const char *wanted)
{
	return text_equal(given, wanted) ||
		(wanted && strlen(given) >= REFERENCE_CUT_MIN && text_has_prefix(wanted, given));
}

/* With an answer to another request, this order would pay for another order's shipment. So a new rating must have the
 * shipment's id, and a new shipment the reference that was sent, unless the API returns none. */
static int purchase_check_shipment(const struct purchase *purchase, shipopt_error **ret_error)
{
	const char *id = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	const char *wanted = shipopt_record_text(purchase->order->shipment, SHIPOPT_SHIPMENT_REFERENCE);
	const char *given = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_REFERENCE);
	if (text_is_empty(id))
		return error_set(ret_error, SHIPOPT_EPROTOCOL, "the carrier's answer has no shipment id");
	if (purchase->rerate_id && !text_equal(id, purchase->rerate_id))
		return error_set(ret_error, SHIPOPT_EPROTOCOL,
			"the carrier answered about shipment %.64s instead of %.64s", id, purchase->rerate_id);
	if (!purchase->rerate_id && !text_is_empty(given) && !purchase_is_our_reference(given, wanted))
		return error_set(ret_error, SHIPOPT_EPROTOCOL,
			"the carrier answered about a shipment with reference \"%.64s\" instead of \"%.64s\"", given,
			wanted ? wanted : "");
	return 0;
}

/* The answer to a re-rate has only rates, with the shipment's id. */
static int purchase_name_rerated(struct purchase *purchase)
{
	if (!purchase->rerate_id || shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID))
		return 0;
	const shipopt_record *rate = shipopt_record_item(purchase->shipment, SHIPOPT_SHIPMENT_RATES, 0);
	const char *id = rate ? shipopt_record_text(rate, SHIPOPT_RATE_SHIPMENT_ID) : NULL;
	return shipopt_record_set_text(purchase->shipment, SHIPOPT_SHIPMENT_ID, id ? id : purchase->rerate_id, NULL);
}

/* Whether a new shipment came with postage: the account buys without being asked. */
static bool purchase_is_made_with_postage(const struct purchase *purchase)
{
	const char *id = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	return !purchase->rerate_id && purchase->rules->carrier->provider->has_postage(purchase->shipment, id) == 1;
}

/* Whether the carrier says that the shipment has postage. Then an earlier purchase of it succeeded, even if each was
 * proven not to. Reads the answer itself, because the error may lack its code when memory is short. */
static bool purchase_is_bought_already(const struct purchase *purchase)
{
	const struct exchange *exchange = &purchase->exchange;
	const struct provider *provider = purchase->rules->carrier->provider;
	if (!exchange->document || !exchange->is_envelope || !purchase->rerate_id)
		return false;
	const char *code = answer_envelope_code(json_root(exchange->document));
	return provider->purchase_word(exchange->http_status, code) == WORD_EXISTS;
}

static void purchase_rated(struct exchange *exchange)
{
	struct purchase *purchase = purchase_of(exchange);
	shipopt_error *error = purchase_take_answer(purchase);
	int status = exchange->status;
	if (status == 0)
		status = purchase_name_rerated(purchase);
	if (status == 0)
		status = purchase_check_shipment(purchase, &error);
	if (status == 0 && purchase_is_made_with_postage(purchase)) {
		purchase_on(purchase, EVENT_HELD);
	} else if (status == 0) {
		shipopt_error_unref(TAKE(purchase->item->error));
		health_observe_shipment(&purchase->rules->carrier->health, purchase->shipment);
		purchase_on_error(purchase, EVENT_RATED, 0, error);
	} else if (purchase_is_bought_already(purchase)) {
		/* By a purchase of the ledger, or by the account itself. */
		purchase->evidence = EVIDENCE_EXISTS;
		purchase_on_error(purchase, purchase->row.sent > 0 ? EVENT_ONLY_READ : EVENT_HELD, status, error);
	} else {
		/* The row stays as it is, and the next run continues from here. */
		bool is_refused = purchase_is_refusal(status);
		purchase_on_error(purchase, is_refused ? EVENT_REFUSED : EVENT_TROUBLE,
			is_refused ? status : purchase_blame(purchase, status), error);
	}
}

/* The carrier refused the order, or the host refused its rates. */
void purchase_refuse_order(struct purchase *purchase)
{
	int status = purchase->event_status;
	purchase_fail(purchase, status == SHIPOPT_EHELD ? LEDGER_OP_HOLD : LEDGER_OP_FAIL, status,
		TAKE(purchase->event_error));
}

void purchase_create(struct purchase *purchase)
{
	if (purchase->is_canceled) {
		purchase_end(purchase, SHIPOPT_ECANCELED, NULL);
		return;
	}
	/* With a service or carrier in the shipment, the carrier would buy at once, without the ledger. */
	ASSERT(!record_find_wish(purchase->order->shipment));
	mem_free(TAKE(purchase->rerate_id));
	struct carrier_call *call = purchase_new_call(purchase);
	int r = purchase->rules->carrier->provider->create_shipment(call, purchase->order->shipment);
	if (r < 0) {
		purchase_end(purchase, r, NULL);
		return;
	}
	call->repeat = REPEAT_ALWAYS; /* at worst a second shipment that is never paid for */
	purchase_call(purchase, PURCHASE_RATING, purchase_rated);
}

/* The row's rate and its approval stay until the new rate is written, which replaces both. */
void purchase_replace_rate(struct purchase *purchase)
{
	ASSERT(!purchase_is_open(purchase));
	purchase->rerate = RERATE_REPLACE;
	purchase_rerate(purchase);
}

/* Rates the row's shipment again, or the new one if it has no rate of the wanted carrier. */
void purchase_rerate(struct purchase *purchase)
{
	const char *id = purchase->rerate != RERATE_NONE ? purchase->row.shipment_id
							 : shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	if (!purchase->rerate_id)
		purchase->rerate_id = mem_copy_text(id);
	struct carrier_call *call = purchase_new_call(purchase);
	int r = purchase->rerate_id ? purchase->rules->carrier->provider->rerate_shipment(call, purchase->rerate_id)
				    : SHIPOPT_ENOMEM;
	if (r < 0 && purchase_is_open(purchase))
		purchase_end_in_doubt(purchase);
	else if (r < 0)
		purchase_end(purchase, r, NULL);
	else
		purchase_call(purchase, PURCHASE_RATING, purchase_rated);
}
