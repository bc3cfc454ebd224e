/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "orders/source_columns.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "record/record.h"

static const char *const own_names[] = {
	[COLUMN_ORDER_KEY] = "order_key",
	[COLUMN_SERVICE] = "service",
	[COLUMN_CARRIER] = "carrier",
	[COLUMN_MAX_RATE] = "max_rate",
	[COLUMN_TRACKING_CODE] = "tracking_code",
	[COLUMN_PIECE] = "piece",
	[COLUMN_GENERATION] = "generation",
};

/* Setting an empty text changes nothing, and fails if there is no such column. */
static int source_columns_shipment_has_column(const char *name)
{
	shipopt_record *scratch CLEANUP_RECORD = NULL;
	int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &scratch);
	return r < 0 ? r : shipopt_record_set_column(scratch, name, "", NULL);
}

static int source_columns_unknown_column(const char *name, shipopt_error **ret_error)
{
	char nearest[COLUMN_NAME_SIZE];
	if (order_column_suggest(name, nearest))
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\" is not known; did you mean \"%s\"?",
			UNICODE_SHOWN(name), nearest);
	return error_set(ret_error, SHIPOPT_EPARSE,
		"column \"%s\" is not known; known are order_key, service, carrier, max_rate, tracking_code, piece, generation and "
		"those of a shipment, such as to_name or weight_oz",
		UNICODE_SHOWN(name));
}

int order_column_find(char *name, enum column_kind *ret_kind, shipopt_error **ret_error)
{
	if (strlen(name) >= COLUMN_NAME_SIZE)
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": the name has %zu bytes, the limit is %d",
			UNICODE_SHOWN(name), strlen(name), COLUMN_NAME_SIZE - 1);
	for (char *p = name; *p; p++)
		if (*p >= 'A' && *p <= 'Z')
			*p = (char)(*p + 32);
	for (size_t i = 0; i < ARRAY_SIZE(own_names); i++) {
		if (text_equal(name, own_names[i])) {
			*ret_kind = (enum column_kind)i;
			return 0;
		}
	}
	int r = source_columns_shipment_has_column(name);
	if (r == 0)
		*ret_kind = COLUMN_SHIPMENT;
	return r == SHIPOPT_ENOTFOUND ? source_columns_unknown_column(name, ret_error) : r;
}

static int source_columns_set_shipment(shipopt_order *order, const char *name, const char *text,
	shipopt_error **ret_error)
{
	if (!order->shipment) {
		int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &order->shipment);
		if (r < 0)
			return r;
	}
	return shipopt_record_set_column(order->shipment, name, text, ret_error);
}

static int source_columns_set_amount(shipopt_order *order, const char *name, const char *text,
	shipopt_error **ret_error)
{
	int64_t value;
	if (decimal_parse(text, strlen(text), &value) < 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": \"%s\" is not an amount", name,
			UNICODE_SHOWN(text));
	if (shipopt_order_set_max_rate(order, value, NULL) < 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": %s is below 0", name, UNICODE_SHOWN(text));
	return 0;
}

static int source_columns_set_integer(shipopt_order *order, enum column_kind kind, const char *name, const char *text,
	shipopt_error **ret_error)
{
	bool is_piece = kind == COLUMN_PIECE;
	int64_t value;
	if (text_parse_i64(text, &value) < 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": \"%s\" is not an integer", name,
			UNICODE_SHOWN(text));
	if ((is_piece ? shipopt_order_set_piece(order, value, NULL)
		      : shipopt_order_set_generation(order, value, NULL)) < 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": %s is not between %d and %d", name,
			UNICODE_SHOWN(text), is_piece, is_piece ? ORDER_PIECE_MAX : ORDER_GENERATION_MAX);
	return 0;
}

/* Programs that store a column as floating-point numbers write 1001 as "1001.0". That would be another key, and so
 * another order. */
static bool source_columns_is_float_of_integer(const char *text)
{
	size_t digits = strspn(text, "0123456789");
	return digits > 0 && text[digits] == '.' && text[digits + 1 + strspn(text + digits + 1, "0")] == '\0';
}

static int source_columns_set_key(shipopt_order *order, const char *name, const char *text, shipopt_error **ret_error)
{
	shipopt_error *error CLEANUP_ERROR = NULL;
	if (source_columns_is_float_of_integer(text))
		return error_set(ret_error, SHIPOPT_EPARSE,
			"column \"%s\": \"%s\" is a whole number written as a fraction: write it without the point",
			name, UNICODE_SHOWN(text));
	int r = order_set_key(order, text, &error);
	if (!error)
		return r;
	return error_set(ret_error, r == SHIPOPT_EINVAL ? SHIPOPT_EPARSE : r, "column \"%s\": %s", name,
		shipopt_error_message(error));
}

static int source_columns_set_text(shipopt_order *order, enum column_kind kind, const char *text)
{
	switch (kind) {
	case COLUMN_SERVICE: return shipopt_order_set_service(order, text, NULL);
	case COLUMN_CARRIER: return shipopt_order_set_carrier(order, text, NULL);
	default: return shipopt_order_set_tracking_code(order, text, NULL);
	}
}

int order_column_set(shipopt_order *order, enum column_kind kind, const char *name, const char *text,
	shipopt_error **ret_error)
{
	if (!*text)
		return 0;
	if (kind == COLUMN_ORDER_KEY)
		return source_columns_set_key(order, name, text, ret_error);
	if (kind == COLUMN_SHIPMENT)
		return source_columns_set_shipment(order, name, text, ret_error);
	if (kind == COLUMN_MAX_RATE)
		return source_columns_set_amount(order, name, text, ret_error);
	if (kind == COLUMN_PIECE || kind == COLUMN_GENERATION)
		return source_columns_set_integer(order, kind, name, text, ret_error);
	int r = source_columns_set_text(order, kind, text);
	if (r == SHIPOPT_ETOOLARGE)
		return error_set(ret_error, r, "column \"%s\": the text has %zu bytes, the limit is %d", name,
			strlen(text), ORDER_TEXT_BYTES_MAX);
	return r;
}

void columns_done(struct columns *columns)
{
	for (size_t i = 0; columns->names && i < columns->count; i++)
		mem_free(columns->names[i]);
	mem_free(TAKE(columns->names));
	mem_free(TAKE(columns->kinds));
}

static int source_columns_column_parse(struct columns *columns, size_t index, const char *name,
	shipopt_error **ret_error)
{
	if (!*name)
		return error_set(ret_error, SHIPOPT_EPARSE, "column %zu has no name", index + 1);
	columns->names[index] = mem_copy_text(name);
	if (!columns->names[index])
		return SHIPOPT_ENOMEM;
	int r = order_column_find(columns->names[index], &columns->kinds[index], ret_error);
	for (size_t i = 0; i < index && r == 0; i++)
		if (text_equal(columns->names[i], columns->names[index]))
			r = error_set(ret_error, SHIPOPT_EPARSE,
				"column \"%s\" is in the header twice, as number %zu and %zu", columns->names[index],
				i + 1, index + 1);
	if (r == 0 && columns->kinds[index] == COLUMN_ORDER_KEY)
		columns->key = index;
	return r;
}

/* A file without a header line has data where the names should be: says so in the error. */
static int source_columns_add_hint(int status, const char *hint, shipopt_error **error)
{
	if (!*error)
		return status;
	shipopt_error *hinted = NULL;
	error_set(&hinted, status, "%s (%s)", shipopt_error_message(*error), hint);
	if (hinted) {
		shipopt_error_unref(*error);
		*error = hinted;
	}
	return status;
}

int columns_parse(struct columns *columns, struct row_reader *reader, shipopt_error **ret_error)
{
	shipopt_error *error = NULL;
	size_t count = reader->cells_kept;
	*columns = (struct columns){.count = count, .key = SIZE_MAX};
	int r = row_check(reader, NULL, 0, &error);
	if (r == 0) {
		columns->names = mem_alloc_array(count, sizeof(*columns->names));
		columns->kinds = mem_alloc_array(count, sizeof(*columns->kinds));
		r = columns->names && columns->kinds ? 0 : SHIPOPT_ENOMEM;
	}
	for (size_t i = 0; i < count && r == 0; i++)
		r = source_columns_column_parse(columns, i, row_cell_trimmed(reader, i), &error);
	if (r == 0 && columns->key == SIZE_MAX)
		r = error_set(&error, SHIPOPT_EPARSE, "column \"order_key\" is missing");
	if (r == SHIPOPT_EPARSE)
		source_columns_add_hint(r, "the first line must be a header that names the columns", &error);
	if (r < 0) {
		row_error(reader, r, error, ret_error);
		columns_done(columns);
	}
	return r;
}

/* Sets the key of a row that may fail later, if its cell is text. */
static int source_columns_fill_key(const struct columns *columns, struct row_reader *reader, shipopt_order *order)
{
	if (columns->key >= reader->cells_kept)
		return 0;
	const struct row_cell *cell = &reader->cells[columns->key];
	const char *bytes = reader->text.data + cell->begin;
	if (!text_is_utf8(bytes, cell->length, NULL) || memchr(bytes, '\0', cell->length))
		return 0;
	int r = shipopt_order_set_key(order, row_cell_trimmed(reader, columns->key), NULL);
	return r == SHIPOPT_ENOMEM ? r : 0;
}

int columns_fill(const struct columns *columns, struct row_reader *reader, shipopt_order *order,
	shipopt_error **ret_error)
{
	/* Checked first, because trimming writes a NUL into the cells. */
	int checked = row_check(reader, columns->names, columns->count, ret_error);
	int r = source_columns_fill_key(columns, reader, order);
	r = r < 0 ? r : checked;
	if (r < 0)
		return r;
	if (reader->cell_count != columns->count)
		return error_set(ret_error, SHIPOPT_EPARSE, "the row has %zu cells, the header has %zu",
			reader->cell_count, columns->count);
	for (size_t i = 0; i < columns->count && r == 0; i++)
		r = order_column_set(order, columns->kinds[i], columns->names[i], row_cell_trimmed(reader, i),
			ret_error);
	if (r == 0 && !order->key)
		r = error_set(ret_error, SHIPOPT_EPARSE, "column \"order_key\" is empty");
	return r;
}
