/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/text.h"
#include "bulk/sink.h"

static const char header[] =
	"index,line,order_key,status,reason,tracking_code,carrier,service,amount,currency,shipment_id,"
	"label_url,attempts,latency_ms\r\n";

/* The row that is being written; the first failure stays. */
struct sink_csv_row {
	struct buffer *buffer;
	bool guard, has_cells;
	int status;
};

static void sink_csv_put(struct sink_csv_row *row, const char *bytes, size_t length)
{
	if (row->status == 0)
		row->status = buffer_append(row->buffer, bytes, length);
}

static void sink_csv_put_separator(struct sink_csv_row *row)
{
	if (row->has_cells)
		sink_csv_put(row, ",", 1);
	row->has_cells = true;
}

static bool sink_csv_is_formula(const char *text)
{
	return *text && strchr("=+-@\t\r", *text);
}

static bool sink_csv_needs_quotes(const char *text)
{
	return strpbrk(text, ",\"\r\n") || *text == ' ' || (*text && text[strlen(text) - 1] == ' ');
}

static void sink_csv_put_text(struct sink_csv_row *row, const char *text)
{
	sink_csv_put_separator(row);
	if (!text)
		return;
	bool quotes = sink_csv_needs_quotes(text);
	if (quotes)
		sink_csv_put(row, "\"", 1);
	if (row->guard && sink_csv_is_formula(text))
		sink_csv_put(row, "'", 1);
	for (const char *quote; quotes && (quote = strchr(text, '"')); text = quote + 1) {
		sink_csv_put(row, text, (size_t)(quote - text));
		sink_csv_put(row, "\"\"", 2);
	}
	sink_csv_put(row, text, strlen(text));
	if (quotes)
		sink_csv_put(row, "\"", 1);
}

/* White space and control characters become spaces: one error, one line. */
static void sink_csv_put_line_of_text(struct sink_csv_row *row, const char *text)
{
	struct buffer line;
	buffer_init(&line, SINK_ROW_BYTES_MAX);
	int r = text ? buffer_append_text(&line, text) : 0;
	for (size_t i = 0; i < line.length; i++)
		if ((unsigned char)line.data[i] < 0x20 || line.data[i] == 0x7f)
			line.data[i] = ' ';
	if (r < 0 && row->status == 0)
		row->status = r;
	sink_csv_put_text(row, buffer_text(&line));
	buffer_done(&line);
}

static void sink_csv_put_number(struct sink_csv_row *row, int64_t value)
{
	sink_csv_put_separator(row);
	if (row->status == 0)
		row->status = buffer_append_format(row->buffer, "%lld", (long long)value);
}

static void sink_csv_put_decimal(struct sink_csv_row *row, int64_t millionths, int places_min)
{
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(millionths, places_min, text);
	sink_csv_put_separator(row);
	sink_csv_put(row, text, strlen(text));
}

static int csv_begin(struct buffer *buffer)
{
	return buffer_append_text(buffer, header);
}

static int csv_row(struct buffer *buffer, const shipopt_item *item, bool guard)
{
	struct sink_csv_row row = {.buffer = buffer, .guard = guard};
	sink_csv_put_number(&row, (int64_t)shipopt_item_index(item));
	if (shipopt_item_line(item) > 0)
		sink_csv_put_number(&row, shipopt_item_line(item));
	else
		sink_csv_put_text(&row, NULL);
	sink_csv_put_text(&row, shipopt_item_key(item));
	sink_csv_put_text(&row, sink_status_text(item));
	sink_csv_put_line_of_text(&row, sink_reason_text(item));
	sink_csv_put_text(&row, shipopt_item_tracking_code(item));
	sink_csv_put_text(&row, shipopt_item_carrier(item));
	sink_csv_put_text(&row, shipopt_item_service(item));
	if (shipopt_item_amount(item) >= 0)
		sink_csv_put_decimal(&row, shipopt_item_amount(item), 2);
	else
		sink_csv_put_text(&row, NULL);
	sink_csv_put_text(&row, shipopt_item_currency(item));
	sink_csv_put_text(&row, shipopt_item_shipment_id(item));
	sink_csv_put_text(&row, shipopt_item_label_url(item));
	sink_csv_put_number(&row, shipopt_item_attempts(item));
	/* Microseconds are thousandths of milliseconds. */
	sink_csv_put_decimal(&row, shipopt_item_latency_us(item) * 1000, 0);
	sink_csv_put(&row, "\r\n", 2);
	return row.status;
}

static const struct sink_format csv_format = {.begin = csv_begin, .row = csv_row};

int shipopt_sink_open_csv(const char *path, int guard_formulas, shipopt_sink **ret_sink, shipopt_error **ret_error)
{
	if (guard_formulas != 0 && guard_formulas != 1)
		return error_set(ret_error, SHIPOPT_EINVAL, "guard_formulas is %d, not 0 or 1", guard_formulas);
	return sink_open(&csv_format, path, guard_formulas == 1, ret_sink, ret_error);
}
