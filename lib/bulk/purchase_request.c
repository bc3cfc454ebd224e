/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "bulk/purchase_steps.h"
#include "record/record.h"

/* What a purchase asks for, as its ledger row keeps it: a fingerprint to tell whether it is the same, a text to tell what differs. */

#define REQUEST_BYTES_MAX ((size_t)64 << 10)

static void append_wishes(const shipopt_order *order, struct json_writer *writer)
{
	json_member_text(writer, "service", order->service);
	json_member_text(writer, "carrier", order->carrier);
}

/* What was asked for, kept to tell differences later: {"shipment":{…},"service":…,"carrier":…,"max_rate":…}. */
int purchase_request_write(const shipopt_order *order, char **ret_request)
{
	struct buffer text;
	struct json_writer writer;
	buffer_init(&text, REQUEST_BYTES_MAX);
	json_writer_init(&writer, &text);
	json_begin_object(&writer);
	json_write_key(&writer, "shipment");
	record_encode(order->shipment, SHIPOPT_ENCODE_ALL, &writer);
	append_wishes(order, &writer);
	json_member_i64(&writer, "max_rate", order->max_rate);
	json_end_object(&writer);
	int r = json_writer_finish(&writer);
	*ret_request = r < 0 ? NULL : buffer_take(&text);
	buffer_done(&text);
	return r < 0 ? r : *ret_request ? 0 : SHIPOPT_ENOMEM;
}

int purchase_request_fingerprint(const shipopt_order *order, char ret_hex[HASH_HEX_SIZE])
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
	append_wishes(order, &writer);
	json_end_object(&writer);
	r = json_writer_finish(&writer);
	r = r < 0 ? r : hash_sha256_hex(buffer_text(&text), text.length, ret_hex);
	buffer_done(&text);
	return r;
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

/* A price that was too high may be approved by a new max_rate, which is no part of what is bought. */
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
