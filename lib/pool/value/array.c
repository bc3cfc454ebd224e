/* SPDX-License-Identifier: MIT */
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/text.h"
#include "pool/value/rows.h"
#include "pool/value/type.h"

/*
 * Arrays of one dimension, element by element, from text ("{1,NULL,"a \"b\""}") or from the binary form (dimensions,
 * has nulls, element type, and per dimension size and lower bound; then each element's length, -1 for null, and bytes).
 */
struct array_reader {
	const char *place, *end;
	bool is_binary;
	size_t left;           /* binary: elements */
	struct buffer element; /* text: without quotes */
};

static int32_t array_read_int32(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;
	return (int32_t)((uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3]);
}

static int array_reader_init(struct array_reader *reader, const struct column_value *value)
{
	*reader = (struct array_reader){.place = value->bytes,
		.end = value->bytes + value->length,
		.is_binary = value->is_binary};
	buffer_init(&reader->element, (size_t)1 << 30);
	if (!value->is_binary) {
		if (value->length < 2 || value->bytes[0] != '{' || reader->end[-1] != '}')
			return value->length && value->bytes[0] == '[' ? SHIPOPT_ETYPE : SHIPOPT_EPARSE;
		reader->place++;
		reader->end--;
		return 0;
	}
	if (value->length < 12)
		return SHIPOPT_EPARSE;
	int32_t dimensions = array_read_int32(value->bytes);
	if (dimensions == 0) {
		reader->place += 12;
		return 0;
	}
	if (dimensions != 1)
		return SHIPOPT_ETYPE;
	if (value->length < 20 || array_read_int32(value->bytes + 12) < 0)
		return SHIPOPT_EPARSE;
	reader->left = (size_t)array_read_int32(value->bytes + 12);
	reader->place += 20;
	return 0;
}

static int array_next_binary(struct array_reader *reader, const char **ret_text, size_t *ret_length)
{
	if (reader->left == 0)
		return reader->place == reader->end ? 0 : SHIPOPT_EPARSE;
	if (reader->end - reader->place < 4)
		return SHIPOPT_EPARSE;
	int32_t length = array_read_int32(reader->place);
	reader->place += 4;
	reader->left--;
	if (length > reader->end - reader->place || length < -1)
		return SHIPOPT_EPARSE;
	*ret_text = length < 0 ? NULL : reader->place;
	*ret_length = length < 0 ? 0 : (size_t)length;
	reader->place += MAX(length, 0);
	return 1;
}

static int array_read_quoted(struct array_reader *reader)
{
	for (reader->place++; reader->place < reader->end && *reader->place != '"'; reader->place++) {
		if (*reader->place == '\\' && ++reader->place == reader->end)
			return SHIPOPT_EPARSE;
		int r = buffer_append_byte(&reader->element, *reader->place);
		if (r < 0)
			return r;
	}
	return reader->place++ < reader->end ? 0 : SHIPOPT_EPARSE;
}

static int array_next_text(struct array_reader *reader, const char **ret_text, size_t *ret_length)
{
	if (reader->place >= reader->end)
		return 0;
	buffer_clear(&reader->element);
	bool is_quoted = *reader->place == '"';
	if (*reader->place == '{')
		return SHIPOPT_ETYPE;
	int r = 0;
	if (is_quoted) {
		r = array_read_quoted(reader);
	} else {
		const char *comma = memchr(reader->place, ',', (size_t)(reader->end - reader->place));
		const char *stop = comma ? comma : reader->end;
		r = buffer_append(&reader->element, reader->place, (size_t)(stop - reader->place));
		reader->place = stop;
	}
	if (r < 0)
		return r;
	if (reader->place < reader->end && (*reader->place++ != ',' || reader->place == reader->end))
		return SHIPOPT_EPARSE;
	const char *text = buffer_text(&reader->element);
	*ret_text = !is_quoted && strcasecmp(text, "NULL") == 0 ? NULL : text;
	*ret_length = *ret_text ? reader->element.length : 0;
	return 1;
}

static int array_reader_next(struct array_reader *reader, const char **ret_text, size_t *ret_length)
{
	return reader->is_binary ? array_next_binary(reader, ret_text, ret_length)
				 : array_next_text(reader, ret_text, ret_length);
}

static int array_read_int_element(Oid type, bool is_binary, const char *text, size_t length, int64_t *ret_value)
{
	Oid element = type == TYPE_INT2_ARRAY ? TYPE_INT2 : type == TYPE_INT4_ARRAY ? TYPE_INT4 : TYPE_INT8;
	struct column_value value = {.bytes = text, .length = length, .type = element, .is_binary = is_binary};
	return value_int(&value, ret_value);
}

int shipopt_rows_int_array(const shipopt_rows *rows, size_t row, size_t column, int64_t *values, unsigned char *nulls,
	size_t max, size_t *ret_count)
{
	struct column_value value;
	struct array_reader reader;
	const char *text;
	size_t length, count = 0;
	int r = rows_value(rows, row, column, &value);
	if (r <= 0)
		return r;
	if (value.type != TYPE_INT2_ARRAY && value.type != TYPE_INT4_ARRAY && value.type != TYPE_INT8_ARRAY)
		return SHIPOPT_ETYPE;
	r = array_reader_init(&reader, &value);
	while (r >= 0 && (r = array_reader_next(&reader, &text, &length)) > 0) {
		if (count < max) {
			values[count] = 0;
			if (nulls)
				nulls[count] = text == NULL;
			if (text)
				r = array_read_int_element(value.type, value.is_binary, text, length, &values[count]);
		}
		count++;
	}
	buffer_done(&reader.element);
	if (r < 0)
		return r;
	*ret_count = count;
	return count > max ? SHIPOPT_ETOOLARGE : 1;
}

int shipopt_rows_text_array(const shipopt_rows *rows, size_t row, size_t column, shipopt_element_fn each,
	void *userdata)
{
	struct column_value value;
	struct array_reader reader;
	const char *text;
	size_t length, index = 0;
	int r = each ? rows_value(rows, row, column, &value) : SHIPOPT_EINVAL;
	if (r <= 0)
		return r;
	if (value.type != TYPE_TEXT_ARRAY && value.type != TYPE_VARCHAR_ARRAY && value.type != TYPE_BPCHAR_ARRAY)
		return SHIPOPT_ETYPE;
	r = array_reader_init(&reader, &value);
	while (r >= 0 && (r = array_reader_next(&reader, &text, &length)) > 0) {
		if (value.is_binary && text) { /* a copy that ends in NUL */
			buffer_clear(&reader.element);
			r = buffer_append(&reader.element, text, length);
			text = buffer_text(&reader.element);
		}
		if (r >= 0)
			each(userdata, index++, text, length);
	}
	buffer_done(&reader.element);
	return r < 0 ? r : 1;
}
