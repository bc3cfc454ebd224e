/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_PURCHASE

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "purchase/purchase_steps.h"

/* The end of a purchase: fills the item and gives the lease up. */

#define DIFFERENCES_BYTES_MAX 512

/* An order in doubt says why, even if only an earlier run knew. */
static void purchase_explain_doubt(struct purchase *purchase)
{
	if (purchase->end_status == SHIPOPT_EINDOUBT && !purchase->end_error)
		purchase->end_error = TAKE(purchase->doubt);
	if (purchase->end_status == SHIPOPT_EINDOUBT && !purchase->end_error)
		error_set(&purchase->end_error, SHIPOPT_EINDOUBT, "%s",
			purchase->row.reason ? purchase->row.reason : PURCHASE_NOT_KNOWN);
}

/* The domain selects the advice. For a failed carrier call it is that of the order, except where only the carrier is to
 * be waited for or corrected. */
static int purchase_error_domain(int status, int domain)
{
	bool is_of_call = domain == SHIPOPT_DOMAIN_CARRIER || domain == SHIPOPT_DOMAIN_GENERAL;
	switch (status) {
	case SHIPOPT_EINDOUBT: return SHIPOPT_DOMAIN_PURCHASE;
	case SHIPOPT_ECANCELED:
	case SHIPOPT_ETIMEDOUT:
	case SHIPOPT_EINVAL:
	case SHIPOPT_EREFUSED: return is_of_call ? SHIPOPT_DOMAIN_PURCHASE : domain;
	default: return domain;
	}
}

/* The error of a failed item has the item's status as its code, whatever the error was that led to it. */
static void purchase_fit_error(struct purchase *purchase)
{
	struct error_detail detail;
	if (purchase->end_status >= 0)
		return;
	if (!purchase->end_error)
		purchase->end_error = TAKE(purchase->item->error);
	if (!purchase->end_error)
		purchase->end_error = error_of(SHIPOPT_DOMAIN_PURCHASE, purchase->end_status);
	error_get_detail(purchase->end_error, &detail);
	int domain = purchase_error_domain(purchase->end_status, detail.domain);
	if (detail.code == purchase->end_status && detail.domain == domain)
		return;
	detail.code = purchase->end_status;
	detail.domain = domain;
	shipopt_error *error = error_new_detail(&detail);
	shipopt_error_unref(purchase->end_error);
	purchase->end_error = error;
}

void purchase_finish(struct purchase *purchase)
{
	purchase_explain_doubt(purchase);
	purchase_fit_error(purchase);
	purchase->state = PURCHASE_IDLE;
	purchase->item->status = purchase->end_status;
	if (purchase->end_error) {
		shipopt_error_unref(purchase->item->error);
		purchase->item->error = TAKE(purchase->end_error);
	}
	purchase->done(purchase);
}

/* Ends with exactly this status. Only for a status that already says that a label may exist. */
static void purchase_end_as(struct purchase *purchase, int status, shipopt_error *error)
{
	purchase->end_status = status;
	shipopt_error_unref(purchase->end_error);
	purchase->end_error = error;
	if (!purchase->holds_lease) {
		purchase_finish(purchase);
		return;
	}
	purchase_ledger(purchase, LEDGER_OP_RELEASE);
	purchase->holds_lease = false;
	purchase_submit(purchase, PURCHASE_RELEASING);
}

/* While a purchase of the row is unproven, money may have been spent. Whatever ended the item, its outcome is in
 * doubt. */
void purchase_end(struct purchase *purchase, int status, shipopt_error *error)
{
	purchase_end_as(purchase, purchase_is_open(purchase) ? SHIPOPT_EINDOUBT : status, error);
}

int purchase_blame(struct purchase *purchase, int status)
{
	enum blame blame = purchase->exchange.blame;
	if (blame == BLAME_ACCOUNT || blame == BLAME_CONFIGURATION) {
		purchase->blame = blame;
		purchase->blame_status = blame_status(blame, purchase->exchange.http_status);
	}
	return status;
}

/* ---- the item ---------------------------------------------------------------------------------------------- */

static int purchase_replace_text(char **slot, const char *text)
{
	char *copy = mem_copy_text(text);
	if (text && !copy)
		return SHIPOPT_ENOMEM;
	mem_free(*slot);
	*slot = copy;
	return 0;
}

int purchase_fill_item(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	shipopt_item *item = purchase->item;
	const struct {
		char **slot;
		const char *text;
	} texts[] = {{&item->shipment_id, row->shipment_id}, {&item->carrier, row->carrier},
		{&item->service, row->service}, {&item->currency, row->currency},
		{&item->tracking_code, row->tracking_code}, {&item->label_url, row->label_url}};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(texts); i++)
		r = purchase_replace_text(texts[i].slot, texts[i].text);
	bool is_bought = row->state == LEDGER_STATE_BOUGHT || row->state == LEDGER_STATE_DOCUMENTED;
	/* If the price paid is not known, the rate counts, as in the spend limit. */
	item->amount = is_bought && row->paid > 0 ? row->paid : row->rate_id ? row->amount : -1;
	if (!item->record)
		item->record = TAKE(purchase->shipment);
	if (r == 0 && !item->record && row->result)
		r = shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, row->result, strlen(row->result), &item->record,
			NULL);
	return r == SHIPOPT_EPARSE ? 0 : r;
}

/* ---- without a label --------------------------------------------------------------------------------------- */

void purchase_end_with_event(struct purchase *purchase)
{
	bool is_shared = purchase->event_status == LEDGER_OUTCOME_SHARED;
	int status = is_shared ? SHIPOPT_EPROTOCOL : purchase->event_status;
	if (is_shared && purchase_is_open(purchase))
		purchase_keep_doubt(purchase, TAKE(purchase->event_error), true);
	if (purchase_is_open(purchase))
		purchase_end_in_doubt(purchase);
	else
		purchase_end(purchase, status, TAKE(purchase->event_error));
}

void purchase_end_failed(struct purchase *purchase)
{
	purchase->holds_lease = false; /* given up with the transition */
	int r = purchase->row.rate_id ? purchase_fill_item(purchase) : 0;
	purchase_end(purchase, r < 0 ? r : purchase->end_status, TAKE(purchase->end_error));
}

static void purchase_submit_failure(struct purchase *purchase, struct ledger_request *request, int status,
	shipopt_error *error)
{
	purchase->end_status = status;
	shipopt_error_unref(purchase->end_error);
	purchase->end_error = error;
	request->reason = error ? shipopt_error_message(error) : shipopt_error_description(status);
	request->release = true;
	purchase_submit(purchase, PURCHASE_FAILING);
}

void purchase_fail(struct purchase *purchase, enum ledger_operation operation, int status, shipopt_error *error)
{
	if (!purchase->rules->store) {
		purchase_end(purchase, status, error);
		return;
	}
	if (purchase_is_open(purchase)) {
		/* The row stays in doubt, whatever is wrong with the price or the order. */
		purchase_keep_doubt(purchase, error, true);
		purchase_end_in_doubt(purchase);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, operation);
	purchase_submit_failure(purchase, request, status, error);
}

/* The carrier created the shipment with postage, or says so when it is rated again: the account buys without being
 * asked. A person decides about the label, unless it belongs to another order. */
void purchase_hold_shipment(struct purchase *purchase)
{
	const char *id = purchase->rerate_id ? purchase->rerate_id
					     : shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_ID);
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_EHELD,
		"the carrier created shipment %.64s with postage, which was not requested: a person must void it or keep it "
		"(shipopt_ledger_resolve)",
		id);
	if (!purchase->rules->store) {
		purchase_end(purchase, SHIPOPT_EHELD, error);
		return;
	}
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_HOLD);
	request->shipment_id = id;
	request->base_url = purchase->rules->carrier->base_url;
	request->needs_person = true;
	purchase_submit_failure(purchase, request, SHIPOPT_EHELD, error);
}

static int purchase_late_status(const struct purchase *purchase)
{
	int state = purchase->row.state;
	/* Another process may have the lease. Then only the state of the row is known. */
	bool is_open = state == LEDGER_STATE_BUYING || state == LEDGER_STATE_IN_DOUBT || purchase_is_open(purchase);
	bool is_leased = state && !purchase->holds_lease && purchase->row.lease_until_ms > purchase->row.now_ms;
	return is_open                  ? SHIPOPT_EINDOUBT
		: purchase->is_canceled ? SHIPOPT_ECANCELED
		: is_leased             ? SHIPOPT_EBUSY
					: SHIPOPT_ETIMEDOUT;
}

void purchase_end_late(struct purchase *purchase)
{
	int status = purchase_late_status(purchase);
	if (purchase_is_open(purchase) && purchase->holds_lease) {
		purchase_end_in_doubt(purchase);
		return;
	}
	shipopt_error *error = TAKE(purchase->item->error);
	if (!error && status == SHIPOPT_EBUSY)
		error_set(&error, status, "another process holds the order until its lease ends");
	if (!error && status == SHIPOPT_EINDOUBT)
		error_set(&error, status,
			"another process holds the order, and its purchase is %s: run it again when that ends",
			ledger_state_name(purchase->row.state));
	if (!error && status == SHIPOPT_ETIMEDOUT)
		error_set(&error, status,
			"the time of the order (bulk setting item_timeout_ms) ended while it waited: run it again");
	purchase_end(purchase, status, error);
}

void purchase_end_store_failed(struct purchase *purchase)
{
	int status = purchase->event_status == SHIPOPT_EINDOUBT ? SHIPOPT_EDATABASE : purchase->event_status;
	purchase_end(purchase, status, TAKE(purchase->event_error));
}

/* ---- in doubt ---------------------------------------------------------------------------------------------- */

static void purchase_end_other(struct purchase *purchase)
{
	struct buffer names;
	shipopt_error *error = NULL;
	buffer_init(&names, DIFFERENCES_BYTES_MAX);
	purchase_request_differences(purchase, &names);
	error_set(&error, SHIPOPT_ECONFLICT, "the key \"%s\" is %s with other content; it differs in: %s",
		purchase->order->key, ledger_state_name(purchase->row.state),
		names.length ? buffer_text(&names) : "the request");
	buffer_done(&names);
	purchase_end_as(purchase, SHIPOPT_ECONFLICT, error);
}

/* If the only purchase was refused in a way that proves nothing, the item is refused, in the carrier's words, and a
 * person must look. After an earlier purchase, which may have bought, a refusal says nothing about the label: then the
 * item is in doubt. */
void purchase_end_in_doubt(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	bool is_refused = row->needs_person && row->refusal && row->sent == 1;
	purchase_keep_doubt(purchase, TAKE(purchase->event_error), false);
	if (purchase->is_other) {
		purchase_end_other(purchase);
		return;
	}
	shipopt_error *error = TAKE(purchase->doubt);
	if (is_refused)
		error = error_prefix(error,
			"refused, but not proven: a person must look the shipment up at the carrier (shipopt_ledger_resolve)");
	else if (row->needs_person)
		error = error_prefix(error,
			"a person must look the shipment up at the carrier (shipopt_ledger_resolve)");
	int r = purchase_fill_item(purchase);
	if (is_refused && r == 0)
		purchase_end_as(purchase, SHIPOPT_EREFUSED, error);
	else
		purchase_end(purchase, SHIPOPT_EINDOUBT, error);
}

/* ---- from the row alone ------------------------------------------------------------------------------------- */

static void purchase_end_with_row(struct purchase *purchase, int status, const char *what)
{
	shipopt_error *error = NULL;
	error_set(&error, status, "%s%s%s", what, purchase->row.reason ? ": " : "",
		purchase->row.reason ? purchase->row.reason : "");
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r < 0 ? r : status, error);
}

void purchase_end_already(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	struct buffer note;
	shipopt_error *error = NULL;
	buffer_init(&note, PURCHASE_NOTE_BYTES_MAX);
	/* The reason of a bought row is a note, such as that the label is not insured. */
	if (row->reason && row->state >= LEDGER_STATE_BOUGHT && row->state <= LEDGER_STATE_DOCUMENTED)
		error_set(&error, SHIPOPT_ALREADY, "%s", row->reason);
	else if (row->state == LEDGER_STATE_CREATED && purchase_note_stored_rate(purchase, &note))
		error_set(&error, SHIPOPT_ALREADY, "%s", buffer_text(&note));
	buffer_done(&note);
	int r = purchase_fill_item(purchase);
	purchase_end(purchase, r < 0 ? r : SHIPOPT_ALREADY, error);
}

void purchase_end_conflict(struct purchase *purchase)
{
	const char *url = purchase->row.base_url, *ours = purchase->rules->carrier->base_url;
	shipopt_error *error = NULL;
	if (!url || strcmp(url, ours) == 0) {
		purchase_end_other(purchase);
		return;
	}
	error_set(&error, SHIPOPT_ECONFLICT,
		"the key \"%s\" is %s at %s, and this client uses %s: use one base URL, or another account name for the other carrier",
		purchase->order->key, ledger_state_name(purchase->row.state), url, ours);
	purchase_end_as(purchase, SHIPOPT_ECONFLICT, error);
}

void purchase_end_held(struct purchase *purchase)
{
	purchase_end_with_row(purchase, SHIPOPT_EHELD, "held for review");
}

void purchase_end_closed(struct purchase *purchase)
{
	purchase_end_with_row(purchase, SHIPOPT_ESTATE, ledger_state_name(purchase->row.state));
}

void purchase_end_rated(struct purchase *purchase)
{
	int r = purchase->is_canceled ? SHIPOPT_ECANCELED : purchase_fill_item(purchase);
	purchase_end(purchase, r, NULL);
}

/* ---- bought ------------------------------------------------------------------------------------------------ */

static shipopt_error *purchase_overcharge(const struct ledger_row *row)
{
	char paid[DECIMAL_TEXT_SIZE], approved[DECIMAL_TEXT_SIZE];
	const char *currency = row->currency ? row->currency : "";
	shipopt_error *error = NULL;
	decimal_format(row->paid, 2, paid);
	decimal_format(row->ceiling, 2, approved);
	error_set(&error, SHIPOPT_ELIMIT, "bought, but the carrier charged %s %s where at most %s %s was approved%s%s",
		paid, currency, approved, currency, row->reason ? "; " : "", row->reason ? row->reason : "");
	return error_advise(error, "Ask the carrier about the charge.");
}

void purchase_end_bought(struct purchase *purchase)
{
	const struct ledger_row *row = &purchase->row;
	shipopt_error *error = NULL;
	shipopt_error_unref(TAKE(purchase->item->error));
	health_observe(&purchase->rules->carrier->health, row->carrier, false);
	if (row->ceiling > 0 && row->paid > row->ceiling)
		error = purchase_overcharge(row);
	else if (row->reason)
		error_set(&error, SHIPOPT_OK, "%s", row->reason);
	int r = purchase_fill_item(purchase);
	/* The label is recorded, but there is no memory for the item. The next run reports it. */
	r = r < 0 ? SHIPOPT_EINDOUBT : purchase->rules->rate_only ? SHIPOPT_ALREADY : 0;
	if (r >= 0 && purchase->is_other) {
		shipopt_error_unref(error);
		purchase_end_other(purchase);
	} else {
		purchase_end(purchase, r, error);
	}
}
