/* SPDX-License-Identifier: MIT */
#include "carrier/quote.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/call_op.h"
#include "record/record.h"

/* ---- the content ------------------------------------------------------------------------------------------- */

int quote_content(const shipopt_record *shipment, shipopt_record **ret_content)
{
	static const int fields[] = {SHIPOPT_SHIPMENT_REFERENCE, SHIPOPT_SHIPMENT_INSURANCE};
	shipopt_record *content CLEANUP_RECORD = NULL;
	int r = shipopt_record_copy(shipment, &content);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
		r = shipopt_record_clear(content, fields[i], NULL);
	if (r == 0)
		*ret_content = TAKE(content);
	return r;
}

/* ---- the digest -------------------------------------------------------------------------------------------- */

static int quote_mask_contact(shipopt_record *shipment, int address_field)
{
	static const int fields[] = {SHIPOPT_ADDRESS_NAME, SHIPOPT_ADDRESS_PHONE, SHIPOPT_ADDRESS_EMAIL};
	shipopt_record *address;
	if (!shipopt_record_child(shipment, address_field))
		return 0;
	int r = shipopt_record_make_child(shipment, address_field, &address, NULL);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(fields); i++)
		if (!text_is_empty(shipopt_record_text(address, fields[i])))
			r = shipopt_record_set_text(address, fields[i], "x", NULL);
	return r;
}

static int quote_compare_texts(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* An array of ids, in which the order says nothing. Anything else stays as it is. */
static int quote_sort_accounts(shipopt_record *shipment)
{
	json_document *document CLEANUP_JSON = NULL;
	struct buffer sorted;
	struct json_writer writer;
	struct json_iterator it;
	const char *json;
	size_t count = 0;
	if (shipopt_record_get_json(shipment, SHIPOPT_SHIPMENT_CARRIER_ACCOUNTS, &json) != 1)
		return 0;
	int r = json_document_parse(json, strlen(json), &document, NULL);
	if (r < 0)
		return r;
	const char **ids CLEANUP_FREE = mem_alloc_array(json_count(json_root(document)) + 1, sizeof(*ids));
	if (!ids)
		return SHIPOPT_ENOMEM;
	for (json_items(json_root(document), &it); json_next(&it);)
		if (!json_text(it.value, &ids[count++], NULL))
			return 0;
	if (count == 0)
		return 0;
	qsort(ids, count, sizeof(*ids), quote_compare_texts);
	buffer_init(&sorted, BUFFER_LIMIT_DEFAULT);
	json_writer_init(&writer, &sorted);
	json_begin_array(&writer);
	for (size_t i = 0; i < count; i++)
		json_write_text(&writer, ids[i]);
	json_end_array(&writer);
	r = json_writer_finish(&writer);
	r = r < 0 ? r
		  : shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_CARRIER_ACCOUNTS, buffer_text(&sorted), NULL);
	buffer_done(&sorted);
	return r;
}

/* Options that only appear on the label or the invoice. */
static bool quote_is_printed_only(const char *name)
{
	return text_has_prefix(name, "print_custom") || text_has_prefix(name, "label_") ||
		text_equal(name, "invoice_number") || text_equal(name, "po_sort");
}

static int quote_leave_out_printed(shipopt_record *shipment)
{
	json_document *document CLEANUP_JSON = NULL;
	struct buffer kept;
	struct json_writer writer;
	struct json_iterator it;
	const char *json, *bytes;
	size_t length;
	if (shipopt_record_get_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, &json) != 1)
		return 0;
	int r = json_document_parse(json, strlen(json), &document, NULL);
	if (r < 0 || json_type(json_root(document)) != JSON_OBJECT)
		return r;
	buffer_init(&kept, BUFFER_LIMIT_DEFAULT);
	json_writer_init(&writer, &kept);
	json_begin_object(&writer);
	for (json_members(json_root(document), &it); json_next(&it);) {
		if (quote_is_printed_only(it.key) || !json_source(it.value, &bytes, &length))
			continue;
		json_write_key(&writer, it.key);
		json_write_raw(&writer, bytes, length);
	}
	json_end_object(&writer);
	r = json_writer_finish(&writer);
	r = r < 0 ? r : shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, buffer_text(&kept), NULL);
	buffer_done(&kept);
	return r;
}

int quote_digest(const shipopt_record *content, char ret_hex[HASH_HEX_SIZE])
{
	static const int addresses[] = {SHIPOPT_SHIPMENT_TO_ADDRESS, SHIPOPT_SHIPMENT_FROM_ADDRESS,
		SHIPOPT_SHIPMENT_RETURN_ADDRESS, SHIPOPT_SHIPMENT_BUYER_ADDRESS};
	shipopt_record *normal CLEANUP_RECORD = NULL;
	int r = shipopt_record_copy(content, &normal);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(addresses); i++)
		r = quote_mask_contact(normal, addresses[i]);
	r = r < 0 ? r : quote_sort_accounts(normal);
	r = r < 0 ? r : quote_leave_out_printed(normal);
	return r < 0 ? r : record_fingerprint(normal, ret_hex);
}

/* ---- the answer -------------------------------------------------------------------------------------------- */

static int quote_copy_items(const shipopt_record *from, int field, shipopt_record *to)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < shipopt_record_count(from, field); i++) {
		shipopt_record *item CLEANUP_RECORD = NULL;
		r = shipopt_record_copy(shipopt_record_item(from, field, i), &item);
		if (r == 0 && field == SHIPOPT_SHIPMENT_RATES) {
			r = shipopt_record_clear(item, SHIPOPT_RATE_ID, NULL);
			r = r < 0 ? r : shipopt_record_clear(item, SHIPOPT_RATE_SHIPMENT_ID, NULL);
		}
		r = r < 0 ? r : shipopt_record_append(to, field, item, NULL);
		if (r == 0)
			item = NULL;
	}
	return r;
}

void quote_take_rates(struct exchange *exchange)
{
	const shipopt_record *answer = exchange->record;
	shipopt_record *quote CLEANUP_RECORD = NULL;
	char *json CLEANUP_FREE = NULL;
	int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &quote);
	const char *mode = shipopt_record_text(answer, SHIPOPT_SHIPMENT_MODE);
	if (r == 0 && mode)
		r = shipopt_record_set_text(quote, SHIPOPT_SHIPMENT_MODE, mode, NULL);
	r = r < 0 ? r : quote_copy_items(answer, SHIPOPT_SHIPMENT_RATES, quote);
	r = r < 0 ? r : quote_copy_items(answer, SHIPOPT_SHIPMENT_MESSAGES, quote);
	r = r < 0 ? r : shipopt_record_encode(quote, SHIPOPT_ENCODE_ALL, &json, NULL);
	if (r < 0)
		exchange_drop_answer(exchange, r);
	else
		exchange_take_answer(exchange, json, strlen(json));
}

/* ---- the call ---------------------------------------------------------------------------------------------- */

static int quote_write_quote(struct call_op *self, const shipopt_record *shipment)
{
	shipopt_record *content CLEANUP_RECORD = NULL;
	int r = quote_content(shipment, &content);
	r = r < 0 ? r : quote_digest(content, self->content);
	r = r < 0 ? r : call_op_write_shipment(self, content);
	self->is_quote = true;
	self->exchange.call.repeat = REPEAT_ALWAYS; /* at worst it leaves a second shipment that nobody uses */
	self->exchange.call.doubt_advice =
		"Ask for the quote again. At worst this leaves an unused shipment, which is not paid for.";
	return r;
}

int shipopt_carrier_shipment_quote(shipopt_carrier *carrier, const shipopt_record *shipment, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct call_op *self;
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT)
		return call_op_refuse(carrier, done, userdata, ret_op,
			"shipopt_carrier_shipment_quote: shipment must be a record of the kind SHIPOPT_RECORD_SHIPMENT");
	int r = call_op_new(carrier, done, userdata, ret_op, &self);
	return r < 0 ? r : call_op_start(self, quote_write_quote(self, shipment), ret_op);
}
