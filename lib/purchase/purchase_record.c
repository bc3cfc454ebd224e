/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "purchase/purchase_steps.h"
#include "record/record.h"

/* Records a label that was bought, with a note on what is odd about it. */

#define RESULT_BYTES_MAX ((size_t)256 << 10)
#define STORE_RETRIES_MAX 5 /* of the write of `bought` */
#define STORE_RETRY_US 200000

static void purchase_add_note(struct buffer *note, const char *text)
{
	buffer_append_format(note, "%s%s", note->length ? "; " : "", text);
}

/* What the carrier charged; 0 if the answer does not say it credibly. */
static int64_t purchase_paid(const struct purchase *purchase, struct buffer *note)
{
	const shipopt_record *rate = shipopt_record_child(purchase->shipment, SHIPOPT_SHIPMENT_SELECTED_RATE);
	int64_t paid = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0);
	const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	bool is_price = rate && (paid > 0 || purchase->row.amount == 0) && paid <= PURCHASE_PAID_MAX;
	if (is_price && (!currency || text_equal(currency, purchase->row.currency)))
		return MAX(paid, 0);
	purchase_add_note(note, "the carrier's answer does not say what was charged: counted as the chosen rate");
	return 0;
}

static int64_t purchase_fee(const struct purchase *purchase, struct buffer *note)
{
	int64_t insured = shipopt_record_number(purchase->shipment, SHIPOPT_SHIPMENT_INSURANCE, 0);
	if (purchase->row.insurance <= insured)
		return purchase->row.fee;
	char asked[DECIMAL_TEXT_SIZE], text[128];
	decimal_format(purchase->row.insurance, 2, asked);
	snprintf(text, sizeof(text), "bought, but not insured: %s %s was asked for", asked,
		purchase->rules->insurance_currency);
	purchase_add_note(note, text);
	return insured > 0 ? purchase->row.fee : 0;
}

/* A label without its document is still bought. A note says that the document is missing. */
static const char *purchase_label_url(const struct purchase *purchase, struct buffer *note)
{
	const shipopt_record *label = shipopt_record_child(purchase->shipment, SHIPOPT_SHIPMENT_POSTAGE_LABEL);
	const char *url = shipopt_record_text(label, SHIPOPT_POSTAGE_LABEL_LABEL_URL);
	char path[RECORD_PATH_SIZE], text[RECORD_PATH_SIZE + 256];
	size_t dropped = record_find_dropped(label, path);
	bool fits = url && strlen(url) <= LEDGER_TEXT_MAX;
	if (dropped)
		snprintf(text, sizeof(text),
			"the label's %s of %zu bytes does not fit; fetch it with GET /shipments/%.64s", path, dropped,
			purchase->row.shipment_id);
	else if (url && !fits)
		snprintf(text, sizeof(text),
			"the label_url of %zu bytes is not kept in the ledger (%zu at most); fetch it with GET "
			"/shipments/%.64s",
			strlen(url), LEDGER_TEXT_MAX, purchase->row.shipment_id);
	else if (!url)
		snprintf(text, sizeof(text), "the answer has no label document; fetch it with GET /shipments/%.64s",
			purchase->row.shipment_id);
	if (dropped || !fits)
		purchase_add_note(note, text);
	return fits ? url : NULL;
}

void purchase_record(struct purchase *purchase)
{
	const struct buffer *answer = &purchase->exchange.http.response;
	struct ledger_request *request = purchase_ledger(purchase, LEDGER_OP_BOUGHT);
	struct buffer *note = &purchase->note;
	buffer_done(note);
	buffer_init(note, PURCHASE_NOTE_BYTES_MAX);
	request->tracking_code = shipopt_record_text(purchase->shipment, SHIPOPT_SHIPMENT_TRACKING_CODE);
	request->label_url = purchase_label_url(purchase, note);
	request->paid = purchase_paid(purchase, note);
	request->fee = purchase_fee(purchase, note);
	purchase_note_stored_rate(purchase, note);
	request->result = answer->length <= RESULT_BYTES_MAX ? buffer_text(answer) : NULL;
	request->reason = note->length ? buffer_text(note) : NULL;
	request->release = true;
	purchase_submit(purchase, PURCHASE_RECORDING);
}

/* A store that fails at this point must not make a bought label look like a failed order. */
void purchase_record_later(struct purchase *purchase)
{
	if (purchase->store_retries++ < STORE_RETRIES_MAX)
		purchase_wait(purchase, PURCHASE_WAITING_FOR_STORE, STORE_RETRY_US);
	else
		purchase_end(purchase, SHIPOPT_EINDOUBT, TAKE(purchase->event_error));
}
