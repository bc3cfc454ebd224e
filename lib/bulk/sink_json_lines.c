/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "bulk/sink.h"
#include "json/json.h"
#include "record/record.h"

static void sink_json_lines_member_if(struct json_writer *writer, const char *key, const char *text)
{
	if (text)
		json_member_text(writer, key, text);
}

/* Money is text, because many readers of JSON turn numbers into floating-point numbers. */
static void sink_json_lines_member_amount(struct json_writer *writer, const char *key, int64_t millionths)
{
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(millionths, 2, text);
	json_member_text(writer, key, text);
}

static void sink_json_lines_write_result(struct json_writer *writer, const shipopt_item *item)
{
	sink_json_lines_member_if(writer, "tracking_code", shipopt_item_tracking_code(item));
	sink_json_lines_member_if(writer, "carrier", shipopt_item_carrier(item));
	sink_json_lines_member_if(writer, "service", shipopt_item_service(item));
	if (shipopt_item_amount(item) >= 0)
		sink_json_lines_member_amount(writer, "amount", shipopt_item_amount(item));
	sink_json_lines_member_if(writer, "currency", shipopt_item_currency(item));
	sink_json_lines_member_if(writer, "shipment_id", shipopt_item_shipment_id(item));
	sink_json_lines_member_if(writer, "label_url", shipopt_item_label_url(item));
	if (shipopt_item_value(item) != 0)
		json_member_i64(writer, "value", shipopt_item_value(item));
}

/* The field errors of the carrier or of the check, such as {"field":"to_address.zip","message":"is required in US"}. */
static void sink_json_lines_write_errors(struct json_writer *writer, const shipopt_error *error)
{
	size_t count = shipopt_error_field_count(error);
	if (count == 0)
		return;
	json_write_key(writer, "errors");
	json_begin_array(writer);
	for (size_t i = 0; i < count; i++) {
		json_begin_object(writer);
		sink_json_lines_member_if(writer, "field", shipopt_error_field_name(error, i));
		const char *code = shipopt_error_field_carrier_code(error, i);
		sink_json_lines_member_if(writer, "code",
			code ? code : shipopt_error_name(shipopt_error_field_code(error, i)));
		sink_json_lines_member_if(writer, "message", shipopt_error_field_message(error, i));
		sink_json_lines_member_if(writer, "suggestion", shipopt_error_field_suggestion(error, i));
		json_end_object(writer);
	}
	json_end_array(writer);
}

static int json_row(struct buffer *buffer, const shipopt_item *item, bool guard)
{
	struct json_writer writer;
	json_writer_init(&writer, buffer);
	json_begin_object(&writer);
	json_member_i64(&writer, "index", (int64_t)shipopt_item_index(item));
	if (shipopt_item_line(item) > 0)
		json_member_i64(&writer, "line", shipopt_item_line(item));
	json_member_text(&writer, "order_key", shipopt_item_key(item));
	json_member_text(&writer, "status", sink_status_text(item));
	sink_json_lines_member_if(&writer, "reason", sink_reason_text(item));
	sink_json_lines_write_errors(&writer, shipopt_item_error(item));
	sink_json_lines_write_result(&writer, item);
	json_member_i64(&writer, "attempts", shipopt_item_attempts(item));
	json_write_key(&writer, "latency_ms");
	json_write_decimal(&writer, shipopt_item_latency_us(item) * 1000);
	sink_json_lines_member_if(&writer, "input", shipopt_item_input(item));
	if (shipopt_item_record(item)) {
		json_write_key(&writer, "record");
		record_encode(shipopt_item_record(item), SHIPOPT_ENCODE_ALL, &writer);
	}
	json_end_object(&writer);
	int r = json_writer_finish(&writer);
	return r < 0 ? r : buffer_append_byte(buffer, '\n');
}

static const struct sink_format json_lines_format = {.row = json_row};

int shipopt_sink_open_json_lines(const char *path, shipopt_sink **ret_sink, shipopt_error **ret_error)
{
	return sink_open(&json_lines_format, path, false, ret_sink, ret_error);
}
