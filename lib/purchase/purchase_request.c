/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "purchase/purchase_steps.h"
#include "record/record.h"

/*
 * The content of an order, as its ledger row keeps it: a fingerprint that tells whether two orders are the same, and
 * the order itself, as JSON, to name the fields that differ.
 *
 * A fingerprint begins with its version. For a row with a fingerprint of another version, the fingerprint of its stored
 * request is computed again in today's version and compared.
 */

#define REQUEST_BYTES_MAX ((size_t)64 << 10)

static void purchase_append_wishes(const shipopt_order *order, struct json_writer *writer)
{
	json_member_text(writer, "service", order->service);
	json_member_text(writer, "carrier", order->carrier);
}

/* Writes {"shipment":{…},"service":…,"carrier":…,"max_rate":…}. */
int purchase_request_write(const shipopt_order *order, char **ret_request)
{
	struct buffer text;
	struct json_writer writer;
	buffer_init(&text, REQUEST_BYTES_MAX);
	json_writer_init(&writer, &text);
	json_begin_object(&writer);
	json_write_key(&writer, "shipment");
	record_encode(order->shipment, SHIPOPT_ENCODE_ALL, &writer);
	purchase_append_wishes(order, &writer);
	json_member_i64(&writer, "max_rate", order->max_rate);
	json_end_object(&writer);
	int r = json_writer_finish(&writer);
	*ret_request = r < 0 ? NULL : buffer_take(&text);
	buffer_done(&text);
	return r < 0 ? r : *ret_request ? 0 : SHIPOPT_ENOMEM;
}

int purchase_request_fingerprint(const shipopt_order *order, char ret_fingerprint[PURCHASE_FINGERPRINT_SIZE])
{
	struct buffer text;
	struct json_writer writer;
	char shipment[HASH_HEX_SIZE];
	int r = record_fingerprint(order->shipment, shipment);
	if (r < 0)
		return r;
	buffer_init(&text, REQUEST_BYTES_MAX);
	json_writer_init(&writer, &text);
	json_begin_object(&writer);
	json_member_text(&writer, "shipment", shipment);
	purchase_append_wishes(order, &writer);
	json_end_object(&writer);
	r = json_writer_finish(&writer);
	memcpy(ret_fingerprint, PURCHASE_FINGERPRINT_VERSION, sizeof(PURCHASE_FINGERPRINT_VERSION) - 1);
	r = r < 0 ? r
		  : hash_sha256_hex(buffer_text(&text), text.length,
			    ret_fingerprint + sizeof(PURCHASE_FINGERPRINT_VERSION) - 1);
	buffer_done(&text);
	return r;
}

/* An order without a reference gets its key as reference. A stored reference gets the spelling that keys have today. */
static int purchase_respell_reference(shipopt_order *stored, const char *order_key)
{
	const char *reference = shipopt_record_text(stored->shipment, SHIPOPT_SHIPMENT_REFERENCE);
	char *key = NULL;
	if (!reference || unicode_key(reference, strlen(reference), &key, NULL) < 0)
		return 0;
	int r = text_equal(key, order_key)
		? shipopt_record_set_text(stored->shipment, SHIPOPT_SHIPMENT_REFERENCE, key, NULL)
		: 0;
	mem_free(key);
	return r;
}

static int purchase_read_stored(const struct purchase *purchase, shipopt_order **ret_order)
{
	CLEANUP_JSON json_document *document = NULL;
	CLEANUP_ORDER shipopt_order *stored = NULL;
	struct json_value member;
	const char *request = purchase->row.request;
	int r = request ? json_document_parse(request, strlen(request), &document, NULL) : SHIPOPT_EPARSE;
	r = r < 0 ? r : order_new_empty(&stored);
	if (r < 0)
		return r;
	struct json_value root = json_root(document);
	r = json_get(root, "shipment", &member)
		? record_decode_value(SHIPOPT_RECORD_SHIPMENT, member, &stored->shipment)
		: SHIPOPT_EPARSE;
	r = r < 0 ? r : shipopt_order_set_service(stored, json_get_text(root, "service"), NULL);
	r = r < 0 ? r : shipopt_order_set_carrier(stored, json_get_text(root, "carrier"), NULL);
	r = r < 0 ? r : order_adopt_service(stored); /* an earlier version left them in the shipment */
	if (r == 0)
		*ret_order = TAKE(stored);
	return r;
}

bool purchase_request_is_same(const struct purchase *purchase)
{
	CLEANUP_ORDER shipopt_order *stored = NULL;
	char fingerprint[PURCHASE_FINGERPRINT_SIZE];
	const char *of_row = purchase->row.fingerprint;
	if (!of_row || text_has_prefix(of_row, PURCHASE_FINGERPRINT_VERSION))
		return text_equal(of_row, purchase->fingerprint);
	if (purchase_read_stored(purchase, &stored) < 0)
		return false;
	return purchase_respell_reference(stored, purchase->order->key) == 0 &&
		purchase_request_fingerprint(stored, fingerprint) == 0 &&
		text_equal(fingerprint, purchase->fingerprint);
}

void purchase_request_differences(const struct purchase *purchase, struct buffer *names)
{
	CLEANUP_JSON json_document *document = NULL;
	CLEANUP_RECORD shipopt_record *stored = NULL;
	struct json_value member;
	const char *request = purchase->row.request;
	if (!request || json_document_parse(request, strlen(request), &document, NULL) < 0)
		return;
	struct json_value root = json_root(document);
	if (json_get(root, "shipment", &member) && record_decode_value(SHIPOPT_RECORD_SHIPMENT, member, &stored) == 0)
		record_differences(stored, purchase->order->shipment, names);
	if (!text_equal(json_get_text(root, "service"), purchase->order->service))
		buffer_append_format(names, "%sservice", names->length ? ", " : "");
	if (!text_equal(json_get_text(root, "carrier"), purchase->order->carrier))
		buffer_append_format(names, "%scarrier", names->length ? ", " : "");
}

/* max_rate is not part of the fingerprint: a new one approves a price that was too high. */
bool purchase_request_max_rate_changed(const struct purchase *purchase)
{
	CLEANUP_JSON json_document *document = NULL;
	struct json_value member;
	const char *request = purchase->row.request;
	int64_t stored;
	if (!request || json_document_parse(request, strlen(request), &document, NULL) < 0)
		return false;
	return json_get(json_root(document), "max_rate", &member) && json_i64(member, &stored) &&
		stored != purchase->order->max_rate;
}
