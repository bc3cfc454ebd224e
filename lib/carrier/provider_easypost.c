/* SPDX-License-Identifier: MIT */
#include "carrier/provider.h"

#include <string.h>

#include "base/text.h"
#include "record/record.h"

/*
 * The EasyPost API: paths, bodies and codes as in its public documentation and in recorded exchanges. There is no
 * idempotency key; the guard is that a shipment id is bought once (a second time gives SHIPMENT.POSTAGE.EXISTS).
 */

static const char *easypost_mode_of_key(const char *api_key)
{
	return text_has_prefix(api_key, "EZAK") ? "production" : text_has_prefix(api_key, "EZTK") ? "test" : NULL;
}

/* Ids and codes come from files and servers: whatever is not plainly a path segment is percent-encoded (RFC 3986). */
static int provider_easypost_append_segment(struct buffer *path, const char *segment)
{
	static const char digits[] = "0123456789ABCDEF";
	int r = 0;
	for (const char *p = segment; r == 0 && *p; p++) {
		unsigned char c = (unsigned char)*p;
		bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
			c == '_' || c == '~' || (c == '.' && p != segment);
		if (plain) {
			r = buffer_append_byte(path, *p);
			continue;
		}
		char encoded[3] = {'%', digits[c >> 4], digits[c & 15]};
		r = buffer_append(path, encoded, sizeof(encoded));
	}
	return r;
}

/* "/shipments/{id}/buy" from its three parts; `action` may be NULL. */
static int provider_easypost_set_path(struct carrier_call *call, const char *collection, const char *id,
	const char *action)
{
	int r = buffer_append_format(&call->path, "/%s", collection);
	if (r == 0 && id) {
		if (text_is_empty(id))
			return SHIPOPT_EINVAL;
		r = buffer_append_byte(&call->path, '/');
		r = r < 0 ? r : provider_easypost_append_segment(&call->path, id);
		r = r < 0 ? r : buffer_append_text(&call->id, id);
	}
	return r == 0 && action ? buffer_append_format(&call->path, "/%s", action) : r;
}

static void provider_easypost_set_kind(struct carrier_call *call, const char *method, enum lane_class class,
	enum lane_endpoint endpoint, enum call_repeat repeat, int record_kind)
{
	call->method = method;
	call->class = class;
	call->endpoint = endpoint;
	call->repeat = repeat;
	call->record_kind = record_kind;
	call->has_body = strcmp(method, "GET") != 0;
}

static int provider_easypost_finish_body(struct carrier_call *call, struct json_writer *writer)
{
	call->has_body = true;
	return json_writer_finish(writer);
}

static int provider_easypost_set_empty_body(struct carrier_call *call)
{
	call->has_body = true;
	return buffer_append_text(&call->body, "{}");
}

static int easypost_create_shipment(struct carrier_call *call, const shipopt_record *shipment)
{
	struct json_writer writer;
	provider_easypost_set_kind(call, "POST", LANE_CREATE, LANE_ENDPOINT_CREATE, REPEAT_UNSENT,
		SHIPOPT_RECORD_SHIPMENT);
	json_writer_init(&writer, &call->body);
	json_begin_object(&writer);
	json_write_key(&writer, "shipment");
	int r = record_encode(shipment, RECORD_ENCODE_CREATION, &writer);
	json_end_object(&writer);
	int finished = provider_easypost_finish_body(call, &writer);
	r = r < 0 ? r : finished;
	return r < 0 ? r : provider_easypost_set_path(call, "shipments", NULL, NULL);
}

static int easypost_buy_shipment(struct carrier_call *call, const char *id, const char *rate_id, int64_t insurance)
{
	struct json_writer writer;
	if (text_is_empty(rate_id))
		return SHIPOPT_EINVAL;
	provider_easypost_set_kind(call, "POST", LANE_BUY, LANE_ENDPOINT_BUY, REPEAT_UNSENT, SHIPOPT_RECORD_SHIPMENT);
	call->is_purchase = true;
	json_writer_init(&writer, &call->body);
	json_begin_object(&writer);
	json_write_key(&writer, "rate");
	json_begin_object(&writer);
	json_member_text(&writer, "id", rate_id);
	json_end_object(&writer);
	if (insurance >= 0) {
		char amount[DECIMAL_TEXT_SIZE];
		decimal_format(insurance, 2, amount);
		json_member_text(&writer, "insurance", amount);
	}
	json_end_object(&writer);
	int r = provider_easypost_finish_body(call, &writer);
	return r < 0 ? r : provider_easypost_set_path(call, "shipments", id, "buy");
}

static int easypost_retrieve_shipment(struct carrier_call *call, const char *id)
{
	provider_easypost_set_kind(call, "GET", LANE_READ, LANE_ENDPOINT_READ, REPEAT_ALWAYS, SHIPOPT_RECORD_SHIPMENT);
	return provider_easypost_set_path(call, "shipments", id, NULL);
}

static int easypost_rerate_shipment(struct carrier_call *call, const char *id)
{
	provider_easypost_set_kind(call, "POST", LANE_CREATE, LANE_ENDPOINT_CREATE, REPEAT_ALWAYS,
		SHIPOPT_RECORD_SHIPMENT);
	int r = provider_easypost_set_empty_body(call);
	return r < 0 ? r : provider_easypost_set_path(call, "shipments", id, "rerate");
}

static int easypost_refund_shipment(struct carrier_call *call, const char *id)
{
	provider_easypost_set_kind(call, "POST", LANE_CREATE, LANE_ENDPOINT_CREATE, REPEAT_UNSENT,
		SHIPOPT_RECORD_SHIPMENT);
	int r = provider_easypost_set_empty_body(call);
	return r < 0 ? r : provider_easypost_set_path(call, "shipments", id, "refund");
}

static int easypost_create_tracker(struct carrier_call *call, const char *tracking_code, const char *carrier_name)
{
	struct json_writer writer;
	if (text_is_empty(tracking_code))
		return SHIPOPT_EINVAL;
	provider_easypost_set_kind(call, "POST", LANE_READ, LANE_ENDPOINT_READ, REPEAT_ALWAYS, SHIPOPT_RECORD_TRACKER);
	json_writer_init(&writer, &call->body);
	json_begin_object(&writer);
	json_write_key(&writer, "tracker");
	json_begin_object(&writer);
	json_member_text(&writer, "tracking_code", tracking_code);
	if (!text_is_empty(carrier_name))
		json_member_text(&writer, "carrier", carrier_name);
	json_end_object(&writer);
	json_end_object(&writer);
	int r = provider_easypost_finish_body(call, &writer);
	return r < 0 ? r : provider_easypost_set_path(call, "trackers", NULL, NULL);
}

static int easypost_retrieve_tracker(struct carrier_call *call, const char *id)
{
	provider_easypost_set_kind(call, "GET", LANE_READ, LANE_ENDPOINT_READ, REPEAT_ALWAYS, SHIPOPT_RECORD_TRACKER);
	return provider_easypost_set_path(call, "trackers", id, NULL);
}

static int easypost_create_address(struct carrier_call *call, const shipopt_record *address, int verify)
{
	struct json_writer writer;
	/* An address costs nothing and a second copy harms nobody. */
	provider_easypost_set_kind(call, "POST", LANE_CREATE, LANE_ENDPOINT_CREATE, REPEAT_ALWAYS,
		SHIPOPT_RECORD_ADDRESS);
	json_writer_init(&writer, &call->body);
	json_begin_object(&writer);
	json_write_key(&writer, "address");
	int r = record_encode(address, SHIPOPT_ENCODE_ALL, &writer);
	if (verify == SHIPOPT_VERIFY_SOFT)
		json_member_bool(&writer, "verify", true);
	if (verify == SHIPOPT_VERIFY_STRICT)
		json_member_bool(&writer, "verify_strict", true);
	json_end_object(&writer);
	int finished = provider_easypost_finish_body(call, &writer);
	r = r < 0 ? r : finished;
	return r < 0 ? r : provider_easypost_set_path(call, "addresses", NULL, NULL);
}

static int easypost_verify_address(struct carrier_call *call, const char *id)
{
	provider_easypost_set_kind(call, "GET", LANE_READ, LANE_ENDPOINT_READ, REPEAT_ALWAYS, SHIPOPT_RECORD_ADDRESS);
	call->record_member = "address";
	int r = provider_easypost_set_path(call, "addresses", id, "verify");
	buffer_clear(&call->id); /* the answer is a corrected copy, with another id */
	return r;
}

static int easypost_has_postage(const shipopt_record *shipment, const char *id)
{
	if (!shipment || !text_equal(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_ID), id))
		return SHIPOPT_EPROTOCOL;
	return shipopt_record_child(shipment, SHIPOPT_SHIPMENT_POSTAGE_LABEL) ||
		!text_is_empty(shipopt_record_text(shipment, SHIPOPT_SHIPMENT_TRACKING_CODE));
}

static bool easypost_is_open(const char *path, struct json_value answer)
{
	struct json_value label;
	bool is_read = text_has_prefix(path, "/shipments/") && path[11 + strcspn(path + 11, "/?")] != '/';
	if (!is_read && !text_equal(json_get_text(answer, "object"), "Shipment"))
		return false;
	bool has_label = json_get(answer, "postage_label", &label) && json_type(label) == JSON_OBJECT;
	return !has_label && text_is_empty(json_get_text(answer, "tracking_code"));
}

/*
 * The list for the rule of evidence: codes of the public errors guide and of recorded exchanges. A code is listed as a
 * refusal only if the API cannot have started to buy when it gives it, or says that the carrier refused. Status 0: any
 * status.
 */
static const struct {
	int http_status;
	const char *code;
	enum provider_word word;
} easypost_words[] = {
	{0, "SHIPMENT.POSTAGE.EXISTS", WORD_EXISTS},
	{0, "SHIPMENT.RERATE.POSTAGE_EXISTS", WORD_EXISTS},
	{0, "SHIPMENT.PURCHASE.IN_PROGRESS", WORD_UNKNOWN},
	{0, "SHIPMENT.POSTAGE.NO_RESPONSE", WORD_UNKNOWN},
	{0, "SHIPMENT.POSTAGE.TIMED_OUT", WORD_UNKNOWN},
	{0, "SHIPMENT.PURCHASE.NO_RESPONSE", WORD_UNKNOWN},
	{0, "SHIPMENT.PURCHASE.TIMED_OUT", WORD_UNKNOWN},
	{422, "RATE.EXPIRED", WORD_EXPIRED},
	{422, "RATE.UNAVAILABLE", WORD_EXPIRED},
	{422, "SHIPMENT.RATE.EXPIRED", WORD_EXPIRED},
	{422, "SHIPMENT.RATE.UNAVAILABLE", WORD_EXPIRED},
	{422, "SHIPMENT.MISSING_RATE", WORD_EXPIRED},
	{429, "RATE_LIMITED", WORD_LIMITED},
	{429, "TOO_MANY_REQUESTS", WORD_LIMITED},
	{401, "APIKEY.INVALID", WORD_DENIED},
	{401, "UNAUTHORIZED", WORD_DENIED},
	{403, "APIKEY.INACTIVE", WORD_DENIED},
	{403, "FORBIDDEN", WORD_REFUSED},
	{402, "PAYMENT_REQUIRED", WORD_REFUSED},
	{402, "PAYMENT.REQUIRED", WORD_REFUSED},
	{402, "INSUFFICIENT_FUNDS", WORD_REFUSED},
	{404, "NOT_FOUND", WORD_REFUSED},
	{400, "BAD_REQUEST", WORD_REFUSED},
	{422, "PARAMETER.REQUIRED", WORD_REFUSED},
	{422, "PARAMETER.INVALID", WORD_REFUSED},
	{422, "ADDRESS.VERIFY.FAILURE", WORD_REFUSED},
	{422, "PARCEL.PARAMETERS.INVALID", WORD_REFUSED},
	{422, "SHIPMENT.INVALID", WORD_REFUSED},
	{422, "SHIPMENT.INVALID_PARAMS", WORD_REFUSED},
	{422, "SHIPMENT.OPTIONS.INVALID", WORD_REFUSED},
	{422, "SHIPMENT.MISSING_INFORMATION", WORD_REFUSED},
	{422, "SHIPMENT.CUSTOMS_INFO.REQUIRED", WORD_REFUSED},
	{422, "SHIPMENT.CUSTOMS_INFO.DESCRIPTION_REQUIRED", WORD_REFUSED},
	{422, "SHIPMENT.CARRIER_ACCOUNTS.CONFLICT", WORD_REFUSED},
	{422, "SHIPMENT.RATE.CARRIER_ACCOUNT_INVALID", WORD_REFUSED},
	{422, "SHIPMENT.POSTAGE.ASCII", WORD_REFUSED},
	{422, "SHIPMENT.POSTAGE.FAILURE", WORD_REFUSED},
	{422, "SHIPMENT.PURCHASE.FAILURE", WORD_REFUSED},
};

static enum provider_word easypost_purchase_word(int http_status, const char *code)
{
	for (size_t i = 0; i < ARRAY_SIZE(easypost_words); i++) {
		bool is_status = easypost_words[i].http_status == 0 || easypost_words[i].http_status == http_status;
		if (is_status && text_equal(easypost_words[i].code, code))
			return easypost_words[i].word;
	}
	return WORD_UNLISTED;
}

const struct provider provider_easypost = {
	.name = "easypost",
	.purchase_guard = GUARD_ONCE_BY_ID,
	.mode_of_key = easypost_mode_of_key,
	.create_shipment = easypost_create_shipment,
	.buy_shipment = easypost_buy_shipment,
	.retrieve_shipment = easypost_retrieve_shipment,
	.rerate_shipment = easypost_rerate_shipment,
	.refund_shipment = easypost_refund_shipment,
	.create_tracker = easypost_create_tracker,
	.retrieve_tracker = easypost_retrieve_tracker,
	.create_address = easypost_create_address,
	.verify_address = easypost_verify_address,
	.purchase_word = easypost_purchase_word,
	.has_postage = easypost_has_postage,
	.is_open = easypost_is_open,
};

void carrier_call_init(struct carrier_call *call)
{
	*call = (struct carrier_call){.method = "GET"};
	buffer_init(&call->path, CALL_PATH_BYTES_MAX);
	buffer_init(&call->body, CALL_BODY_BYTES_MAX);
	buffer_init(&call->id, CALL_PATH_BYTES_MAX);
}

void carrier_call_done(struct carrier_call *call)
{
	buffer_done(&call->path);
	buffer_done(&call->body);
	buffer_done(&call->id);
}
