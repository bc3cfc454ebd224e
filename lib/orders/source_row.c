/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "orders/source.h"
#include "orders/source_csv.h"

/* What a row becomes: cells, errors, an order. */

char *row_cell_trimmed(struct row_reader *reader, size_t index)
{
	ASSERT(index < reader->cells_kept);
	const struct row_cell *cell = &reader->cells[index];
	const char *begin = reader->text.data + cell->begin;
	size_t length = cell->length;
	unicode_trim(&begin, &length);
	char *text = reader->text.data + (begin - reader->text.data);
	text[length] = '\0';
	return text;
}

static int source_row_problem_error(const struct row_reader *reader, shipopt_error **ret_error)
{
	switch (reader->problem) {
	case ROW_TOO_LONG:
		return error_set(ret_error, SHIPOPT_ETOOLARGE,
			"the row has %lld bytes, the limit is %zu (setting line_max_bytes)",
			(long long)reader->row_bytes, reader->row_max);
	case ROW_TOO_MANY_CELLS:
		return error_set(ret_error, SHIPOPT_ETOOLARGE,
			"the row has %zu cells, the limit is %zu (setting columns_max)", reader->cell_count,
			reader->cells_max);
	case ROW_NUL:
		return error_set(ret_error, SHIPOPT_EPARSE, "a NUL byte at offset %lld of the file",
			(long long)reader->problem_offset);
	case ROW_TEXT_AFTER_QUOTE:
		return error_set(ret_error, SHIPOPT_EPARSE,
			"text after the closing quote of cell %zu, at offset %lld of the file",
			reader->problem_cell + 1, (long long)reader->problem_offset);
	case ROW_QUOTE_OPEN:
		return error_set(ret_error, SHIPOPT_EPARSE,
			"the quote that opens cell %zu in line %lld is never closed: the rest of the file belongs to that cell",
			reader->problem_cell + 1, (long long)reader->quote_line);
	case ROW_FINE: break;
	}
	return 0;
}

/* A quote inside a quoted cell takes two bytes of the file. */
static int64_t source_row_offset_in_file(const struct row_cell *cell, const char *text, size_t index)
{
	int64_t offset = cell->offset + (int64_t)index + (cell->is_quoted ? 1 : 0);
	for (size_t i = 0; cell->is_quoted && i < index; i++)
		offset += text[i] == '"';
	return offset;
}

static int source_row_encoding_error(const struct row_reader *reader, size_t index, size_t bad, const char *column,
	shipopt_error **ret_error)
{
	const struct row_cell *cell = &reader->cells[index];
	const char *text = reader->text.data + cell->begin;
	unsigned byte = (unsigned char)text[bad];
	long long offset = (long long)source_row_offset_in_file(cell, text, bad);
	if (column)
		return error_set(ret_error, SHIPOPT_EENCODING,
			"column \"%s\": byte 0x%02x at offset %lld of the file is not UTF-8", column, byte, offset);
	return error_set(ret_error, SHIPOPT_EENCODING, "byte 0x%02x at offset %lld of the file is not UTF-8", byte,
		offset);
}

int row_check(const struct row_reader *reader, char *const *names, size_t name_count, shipopt_error **ret_error)
{
	int r = source_row_problem_error(reader, ret_error);
	for (size_t i = 0; i < reader->cells_kept && r == 0; i++) {
		const struct row_cell *cell = &reader->cells[i];
		size_t bad;
		if (!text_is_utf8(reader->text.data + cell->begin, cell->length, &bad))
			r = source_row_encoding_error(reader, i, bad, i < name_count ? names[i] : NULL, ret_error);
	}
	return r;
}

int row_error(const struct row_reader *reader, int status, shipopt_error *error, shipopt_error **ret_error)
{
	const char *message = shipopt_error_message(error);
	if (!message)
		message = shipopt_error_description(status);
	error_set(ret_error, status, "%s line %lld%s%s", reader->file.name, (long long)reader->row_line,
		text_has_prefix(message, "column ") ? ", " : ": ", message);
	shipopt_error_unref(error);
	return status;
}

/* A cut may have gone through the last character: leaves it out. */
static size_t source_row_whole_characters(const char *bytes, size_t length)
{
	size_t end = length;
	while (end > 0 && length - end < 3 && ((unsigned char)bytes[end - 1] & 0xc0) == 0x80)
		end--;
	return end > 0 && (unsigned char)bytes[end - 1] >= 0xc0 ? end - 1 : length;
}

/* Returns the row's first bytes as text. In a row that was not checked, bytes that are not text become question
 * marks. */
static char *source_row_input_text(const struct row_reader *reader, bool is_checked)
{
	size_t length = reader->input_length;
	if (reader->row_bytes > (int64_t)length)
		length = source_row_whole_characters(reader->input, length);
	char *text = mem_copy_bytes(reader->input, length);
	if (!text || is_checked)
		return text;
	text_make_utf8(text, length);
	for (size_t i = 0; i < length; i++)
		if (text[i] == '\0')
			text[i] = '?';
	return text;
}

int row_order_begin(const struct row_reader *reader, shipopt_order **ret_order)
{
	shipopt_order *order = NULL;
	int r = order_new_empty(&order);
	if (r < 0)
		return r;
	order->line = reader->row_line;
	*ret_order = order;
	return 0;
}

int row_order_end(const struct row_reader *reader, int status, shipopt_error *error, shipopt_order *order,
	shipopt_order **ret_order)
{
	if (status != SHIPOPT_ENOMEM) {
		if (status < 0)
			order->status = row_error(reader, status, TAKE(error), &order->error);
		order->input = source_row_input_text(reader, status == 0);
		status = order->input ? 0 : SHIPOPT_ENOMEM;
	}
	if (status < 0) {
		shipopt_error_unref(error);
		shipopt_order_free(order);
		return status;
	}
	*ret_order = order;
	return SOURCE_ORDER;
}

int64_t row_reader_expected(const struct row_reader *reader, int64_t rows, int64_t skip_bytes, bool is_ended)
{
	int64_t done = file_reader_position(&reader->file) - skip_bytes, all = reader->file.size - skip_bytes;
	if (is_ended)
		return rows;
	if (reader->file.size < 0 || done <= 0)
		return -1;
	return MAX(rows, (int64_t)((double)rows * (double)all / (double)done));
}
