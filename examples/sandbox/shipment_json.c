/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "shipment.h"

/* How a shipment looks on the wire; shipment.c says what happens to it. */

#define SHIPMENT_BYTES 12000

/* Ten rates are two thirds of an answer: one format, as none of its texts needs an escape. */
#define RATE_FORMAT                                                                                                 \
	"{\"id\":\"%s\",\"object\":\"Rate\",\"created_at\":\"%sZ\",\"updated_at\":\"%sZ\",\"mode\":\"test\","       \
	"\"service\":\"%s\",\"carrier\":\"%s\",\"rate\":\"%s\",\"currency\":\"USD\",\"retail_rate\":\"%s\","        \
	"\"retail_currency\":\"USD\",\"list_rate\":\"%s\",\"list_currency\":\"USD\",\"billing_type\":\"easypost\"," \
	"\"delivery_days\":%d,\"delivery_date\":null,\"delivery_date_guaranteed\":false,\"est_delivery_days\":%d,"  \
	"\"shipment_id\":\"%s\",\"carrier_account_id\":\"%s\"}"

static void write_rate(const struct shipment *shipment, const struct rate *rate, struct id rate_id,
	struct json_writer *json)
{
	const struct rate_product *product = rate_product(rate);
	const char *date = answer_date_text(shipment->object.created_ms);
	int64_t price = rate_millionths(rate);
	char id[ID_TEXT_SIZE], shipment_id[ID_TEXT_SIZE], account[ID_TEXT_SIZE], text[1024];
	char charged[DECIMAL_TEXT_SIZE], retail[DECIMAL_TEXT_SIZE], list[DECIMAL_TEXT_SIZE];
	id_format("rate_", rate_id, id);
	object_format_id(&shipment->object, shipment_id);
	rate_account_id(product->carrier, account);
	decimal_format(price, 2, charged);
	decimal_format(price / 4 / 10000 * 10000 + price, 2, retail);
	decimal_format(price / 12 / 10000 * 10000 + price, 2, list);
	int length = snprintf(text, sizeof(text), RATE_FORMAT, id, date, date, product->service, product->carrier,
		charged, retail, list, rate->days, rate->days, shipment_id, account);
	ASSERT(length > 0 && (size_t)length < sizeof(text));
	json_write_raw(json, text, (size_t)length);
}

void shipment_write_rates(const struct shipment *shipment, struct json_writer *json)
{
	json_write_key(json, "rates");
	json_begin_array(json);
	for (size_t i = 0; i < shipment->rate_count; i++)
		write_rate(shipment, &shipment->rates[i], shipment_rate_id(shipment, i), json);
	json_end_array(json);
}

static void write_message(const char *carrier, const char *message, struct json_writer *json)
{
	char account[ID_TEXT_SIZE];
	rate_account_id(carrier, account);
	json_begin_object(json);
	json_member_text(json, "carrier", carrier);
	json_member_text(json, "carrier_account_id", account);
	json_member_text(json, "type", "rate_error");
	json_member_text(json, "message", message);
	json_end_object(json);
}

static void write_messages(const struct shipment *shipment, struct json_writer *json)
{
	const char *carrier;
	json_write_key(json, "messages");
	json_begin_array(json);
	for (size_t i = 0; (carrier = rate_carrier(i)); i++)
		if (shipment->down & 1u << i)
			write_message(carrier, "The carrier's service is unavailable. Please try again later.", json);
		else if (shipment->lacks_customs)
			write_message(carrier, "Customs information is required for international shipments.", json);
	json_end_array(json);
}

static void write_label_url(const struct sandbox *sandbox, const struct shipment *shipment, const char *key,
	const char *end, bool is_there, struct json_writer *json)
{
	char url[160], id[ID_TEXT_SIZE];
	id_format("pl_", shipment->label, id);
	snprintf(url, sizeof(url), "%s/labels/%s.%s", sandbox->base_url, id, end);
	json_member_text(json, key, is_there ? url : NULL);
}

static void write_label(const struct sandbox *sandbox, const struct shipment *shipment, struct json_writer *json)
{
	char id[ID_TEXT_SIZE];
	const char *type = shipment->is_zpl ? "application/zpl" : shipment->is_pdf ? "application/pdf" : "image/png";
	const char *end = shipment->is_zpl ? "zpl" : shipment->is_pdf ? "pdf" : "png";
	id_format("pl_", shipment->label, id);
	json_begin_object(json);
	json_member_text(json, "object", "PostageLabel");
	json_member_text(json, "id", id);
	answer_date(json, "created_at", shipment->bought_ms);
	answer_date(json, "updated_at", shipment->bought_ms);
	json_member_i64(json, "date_advance", 0);
	json_member_text(json, "integrated_form", "none");
	answer_date(json, "label_date", shipment->bought_ms);
	json_member_i64(json, "label_resolution", 300);
	json_member_text(json, "label_size", "4x6");
	json_member_text(json, "label_type", "default");
	json_member_text(json, "label_file_type", type);
	write_label_url(sandbox, shipment, "label_url", end, true, json);
	write_label_url(sandbox, shipment, "label_pdf_url", "pdf", shipment->has_pdf, json);
	write_label_url(sandbox, shipment, "label_zpl_url", "zpl", shipment->has_zpl, json);
	json_member_text(json, "label_epl2_url", NULL);
	json_member_text(json, "label_file", NULL);
	json_end_object(json);
}

static void write_fee(const char *type, int64_t amount, bool is_refunded, struct json_writer *json)
{
	json_begin_object(json);
	json_member_text(json, "object", "Fee");
	json_member_text(json, "type", type);
	answer_money(json, "amount", amount, 5);
	json_member_bool(json, "charged", true);
	json_member_bool(json, "refunded", is_refunded);
	json_end_object(json);
}

static void write_bought(const struct sandbox *sandbox, const struct shipment *shipment, struct json_writer *json)
{
	bool is_bought = shipment->tracker != NULL;
	json_write_key(json, "selected_rate");
	if (is_bought)
		write_rate(shipment, &shipment->selected, shipment->selected_id, json);
	else
		json_write_null(json);
	json_write_key(json, "postage_label");
	if (is_bought)
		write_label(sandbox, shipment, json);
	else
		json_write_null(json);
	json_write_key(json, "tracker");
	if (is_bought)
		tracker_write(sandbox, &shipment->tracker->object, json);
	else
		json_write_null(json);
	json_write_key(json, "fees");
	json_begin_array(json);
	if (is_bought) {
		write_fee("LabelFee", 0, false, json);
		write_fee("PostageFee", rate_millionths(&shipment->selected), false, json);
	}
	json_end_array(json);
	json_member_text(json, "refund_status", shipment->is_refund_submitted ? "submitted" : NULL);
}

static const char *const address_names[] = {"from_address", "to_address", "return_address", "buyer_address"};

/* What was given, and the members the API adds. */
static void write_options(const struct shipment *shipment, struct json_writer *json)
{
	json_write_key(json, "options");
	json_write_raw(json, shipment->options, strlen(shipment->options));
}

static void write_contents(const struct sandbox *sandbox, const struct shipment *shipment, struct json_writer *json)
{
	json_write_key(json, "customs_info");
	if (shipment->customs)
		customs_info_write(sandbox, &shipment->customs->object, json);
	else
		json_write_null(json);
	struct address *const addresses[] = {shipment->from, shipment->to, shipment->return_to, shipment->buyer};
	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		json_write_key(json, address_names[i]);
		address_write(sandbox, &addresses[i]->object, json);
	}
	json_write_key(json, "parcel");
	parcel_write(sandbox, &shipment->parcel->object, json);
	if (shipment->tax_identifiers) {
		json_write_key(json, "tax_identifiers");
		json_write_raw(json, shipment->tax_identifiers, strlen(shipment->tax_identifiers));
	}
}

void shipment_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json)
{
	const struct shipment *shipment = (const struct shipment *)object;
	char id[ID_TEXT_SIZE];
	buffer_reserve(json->buffer, SHIPMENT_BYTES); /* a hint: failure shows in what is written */
	object_format_id(object, id);
	json_begin_object(json);
	json_member_text(json, "id", id);
	answer_date(json, "created_at", object->created_ms);
	json_member_bool(json, "is_return", shipment->is_return);
	write_messages(shipment, json);
	json_member_text(json, "mode", "test");
	write_options(shipment, json);
	json_member_text(json, "reference", shipment->reference);
	json_member_text(json, "status", "unknown");
	json_member_text(json, "tracking_code", shipment->tracker ? shipment->tracker->code : NULL);
	answer_date(json, "updated_at", object->updated_ms);
	json_member_text(json, "batch_id", NULL);
	json_member_text(json, "batch_status", NULL);
	json_member_text(json, "batch_message", NULL);
	json_member_text(json, "insurance", shipment->insurance);
	json_member_text(json, "order_id", NULL);
	write_contents(sandbox, shipment, json);
	shipment_write_rates(shipment, json);
	write_bought(sandbox, shipment, json);
	json_member_text(json, "scan_form", NULL);
	if (rate_is_international(&(struct rate_request){.from_country = shipment->from->fields[ADDRESS_COUNTRY],
		    .to_country = shipment->to->fields[ADDRESS_COUNTRY]}))
		json_member_text(json, "usps_zone", NULL);
	else
		json_member_i64(json, "usps_zone", shipment->zone);
	json_write_key(json, "forms");
	json_begin_array(json);
	json_end_array(json);
	json_member_text(json, "object", "Shipment");
	json_end_object(json);
}
