/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "record/country.h"
#include "record/record.h"

#define DEPTH_MAX 4
#define ITEMS_MAX 20
#define MILLION 1000000

/* Where a column's value goes: down children and items from the shipment, then into a field. */
struct column {
	const char *name;
	struct {
		int field;
		size_t item; /* of lists, from 1; 0: a child */
	} steps[DEPTH_MAX];
	size_t depth;
	const struct record_field *field;
	const char *option; /* the rest of the name behind a JSON field's prefix, or NULL */
};

static bool column_find(const struct record_kind *kind, const char *name, struct column *column);

static bool column_step(const struct record_field *field, size_t item, const char *rest, struct column *column)
{
	if (column->depth == DEPTH_MAX)
		return false;
	column->steps[column->depth].field = field->number;
	column->steps[column->depth].item = item;
	column->depth++;
	if (column_find(record_kind_find(field->child_kind), rest, column))
		return true;
	column->depth--;
	return false;
}

/* "item3_value", "item_value" (the first). */
static bool column_item(const struct record_field *field, const char *rest, struct column *column)
{
	size_t item = *rest == '_' ? 1 : 0, digits = 0;
	for (; *rest >= '0' && *rest <= '9' && digits < 2; rest++, digits++)
		item = item * 10 + (size_t)(*rest - '0');
	if (*rest != '_' || item == 0 || item > ITEMS_MAX)
		return false;
	return column_step(field, item, rest + 1, column);
}

static bool column_match(const struct record_field *field, const char *name, struct column *column)
{
	size_t length = strlen(field->column);
	bool prefix = field->codec == RECORD_CODEC_JSON && field->column[length - 1] == '_';
	if (strncmp(name, field->column, length) != 0)
		return false;
	if (field->codec == RECORD_CODEC_CHILD)
		return column_step(field, 0, name + length, column);
	if (field->codec == RECORD_CODEC_LIST)
		return column_item(field, name + length, column);
	if (prefix ? !name[length] : name[length])
		return false;
	column->option = prefix ? name + length : NULL;
	column->field = field;
	return true;
}

static bool column_find(const struct record_kind *kind, const char *name, struct column *column)
{
	for (size_t i = 0; i < kind->field_count; i++)
		if (kind->fields[i].column && column_match(&kind->fields[i], name, column))
			return true;
	return false;
}

static int column_error(const struct column *column, const char *text, const char *expected, shipopt_error **ret_error)
{
	return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\": \"%s\" is not %s", column->name,
		UNICODE_SHOWN(text), expected);
}

static bool column_parse_boolean(const char *text, int64_t *ret_value)
{
	static const char *const words[] = {"false", "true", "no", "yes", "n", "y", "0", "1"};
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!text_equal_ignore_case(text, words[i]))
			continue;
		*ret_value = (int64_t)(i & 1);
		return true;
	}
	return false;
}

/* Fills *ret_number where the field holds a number and narrows *text to what is to be set. */
static int record_column_parse(const struct column *column, const char **text, int64_t *ret_number,
	shipopt_error **ret_error)
{
	const char *code, *value = *text;
	switch ((enum record_codec)column->field->codec) {
	case RECORD_CODEC_COUNTRY:
		code = country_find(value);
		if (!code)
			return column_error(column, value, "a country code or name", ret_error);
		*text = code;
		return 0;
	case RECORD_CODEC_INTEGER:
		if (decimal_parse(value, strlen(value), ret_number) < 0 || *ret_number % MILLION)
			return column_error(column, value, "a whole number", ret_error);
		*ret_number /= MILLION;
		return 0;
	case RECORD_CODEC_DECIMAL:
	case RECORD_CODEC_MONEY:
		if (decimal_parse(value, strlen(value), ret_number) < 0)
			return column_error(column, value, "a number", ret_error);
		return 0;
	case RECORD_CODEC_BOOLEAN:
		if (!column_parse_boolean(value, ret_number))
			return column_error(column, value, "true or false", ret_error);
		return 0;
	default: return 0;
	}
}

/* Goes down to the record that holds the field, making what is missing. */
static int column_walk(const struct column *column, shipopt_record *shipment, shipopt_record **ret_record)
{
	shipopt_record *record = shipment;
	for (size_t i = 0; i < column->depth; i++) {
		int field = column->steps[i].field, r = 0;
		size_t item = column->steps[i].item;
		if (item == 0) {
			r = shipopt_record_make_child(record, field, &record, NULL);
		} else {
			shipopt_record *made;
			while (r == 0 && shipopt_record_count(record, field) < item)
				r = shipopt_record_make_item(record, field, &made, NULL);
			if (r == 0)
				record = record->values[field - 1].list->items[item - 1];
		}
		if (r < 0)
			return r;
	}
	*ret_record = record;
	return 0;
}

static int column_copy_other_members(const char *json, const char *but, struct json_writer *writer)
{
	json_document *document CLEANUP_JSON = NULL;
	struct json_iterator it;
	const char *bytes;
	size_t length;
	int r = json_document_parse(json, strlen(json), &document, NULL);
	if (r < 0)
		return r;
	for (json_members(json_root(document), &it); json_next(&it);) {
		if (text_equal(it.key, but) || !json_source(it.value, &bytes, &length))
			continue;
		json_write_key(writer, it.key);
		json_write_raw(writer, bytes, length);
	}
	return 0;
}

static int column_write_option(const shipopt_record *record, const struct column *column, const char *text,
	struct json_writer *writer)
{
	const char *present;
	int r = shipopt_record_get_json(record, column->field->number, &present);
	json_begin_object(writer);
	if (r == 1)
		r = column_copy_other_members(present, column->option, writer);
	json_write_key(writer, column->option);
	if (text_equal_ignore_case(text, "true") || text_equal_ignore_case(text, "false"))
		json_write_bool(writer, text_equal_ignore_case(text, "true"));
	else
		json_write_text(writer, text);
	json_end_object(writer);
	return r;
}

static void column_write_list(const char *text, struct json_writer *writer)
{
	json_begin_array(writer);
	while (*text) {
		const char *item = text;
		size_t size = strcspn(text, ","), length = size;
		unicode_trim(&item, &length);
		if (length)
			json_write_bytes(writer, item, length);
		text += size + (text[size] == ',');
	}
	json_end_array(writer);
}

static int column_set_json(shipopt_record *record, const struct column *column, const char *text)
{
	struct buffer buffer;
	struct json_writer writer;
	int r = 0;
	buffer_init(&buffer, RECORD_TEXT_MAX);
	json_writer_init(&writer, &buffer);
	if (column->option)
		r = column_write_option(record, column, text, &writer);
	else
		column_write_list(text, &writer);
	if (r == 0)
		r = json_writer_finish(&writer);
	if (r == 0)
		r = shipopt_record_set_json(record, column->field->number, buffer_text(&buffer), NULL);
	buffer_done(&buffer);
	return r;
}

static int column_set(shipopt_record *record, const struct column *column, const char *text, int64_t number)
{
	int field = column->field->number;
	switch (record_codec_type(column->field->codec)) {
	case SHIPOPT_TYPE_TEXT: return shipopt_record_set_text(record, field, text, NULL);
	case SHIPOPT_TYPE_INTEGER: return shipopt_record_set_int(record, field, number, NULL);
	case SHIPOPT_TYPE_DECIMAL: return shipopt_record_set_decimal(record, field, number, NULL);
	case SHIPOPT_TYPE_MONEY: return shipopt_record_set_money(record, field, number, NULL);
	case SHIPOPT_TYPE_BOOLEAN: return shipopt_record_set_bool(record, field, number != 0, NULL);
	case SHIPOPT_TYPE_JSON: return column_set_json(record, column, text);
	default: return SHIPOPT_ETYPE;
	}
}

static int column_apply(const struct column *column, shipopt_record *shipment, const char *text,
	shipopt_error **ret_error)
{
	shipopt_record *record;
	int64_t number = 0;
	int r = record_column_parse(column, &text, &number, ret_error);
	if (r < 0)
		return r;
	r = column_walk(column, shipment, &record);
	if (r == 0)
		r = column_set(record, column, text, number);
	if (r == SHIPOPT_ETOOLARGE)
		return error_set(ret_error, r, "column \"%s\": the value has %zu bytes, the limit is %d", column->name,
			strlen(text), RECORD_TEXT_MAX);
	return r;
}

int shipopt_record_set_column(shipopt_record *shipment, const char *name, const char *text, shipopt_error **ret_error)
{
	struct column column = {.name = name};
	size_t length, offset;
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT || !name || !text)
		return error_set(ret_error, SHIPOPT_EINVAL, "a shipment, a column name and a text are needed");
	if (!column_find(shipment->kind, name, &column))
		return error_set(ret_error, SHIPOPT_ENOTFOUND, "column \"%s\" is unknown", UNICODE_SHOWN(name));
	length = strlen(text);
	if (!text_is_utf8(text, length, &offset))
		return error_set(ret_error, SHIPOPT_EENCODING, "column \"%s\": byte %zu of the value is not UTF-8",
			name, offset);
	unicode_trim(&text, &length);
	if (length == 0)
		return 0;
	char *trimmed CLEANUP_FREE = mem_copy_bytes(text, length);
	return trimmed ? column_apply(&column, shipment, trimmed, ret_error) : SHIPOPT_ENOMEM;
}
