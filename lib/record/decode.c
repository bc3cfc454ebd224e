/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "record/fields.h"
#include "record/record.h"
#include "record/time.h"

/*
 * Reading takes two passes over an object's members: the first finds which fields are there and how much text they
 * bring, the second fills a record that was allocated in one piece. A member of an unexpected type is no
 * field: it stays in the source.
 */
struct decode {
	const struct record_kind *kind;
	struct json_value values[RECORD_FIELDS_MAX];
	bool present[RECORD_FIELDS_MAX];
	size_t texts_size;
	shipopt_record *record;
	char *cursor; /* where the next text goes */
};

/* Members come in about the order of the table, so the search starts behind the last hit. */
static const struct record_field *decode_find_key(const struct record_kind *kind, const char *key, size_t length,
	size_t *hint)
{
	size_t count = kind->field_count;
	for (size_t i = 0, at = *hint; i < count; i++, at++) {
		const struct record_field *field = &kind->fields[at < count ? at : (at = 0)];
		if (field->key_length != length || memcmp(field->key, key, length) != 0)
			continue;
		*hint = at + 1;
		return field;
	}
	return NULL;
}

/* A string's contents or a number's digits. */
static bool decode_scalar_text(struct json_value value, const char **ret_text, size_t *ret_length)
{
	if (json_type(value) == JSON_NUMBER)
		return json_source(value, ret_text, ret_length);
	if (!json_text(value, ret_text, ret_length))
		return false;
	*ret_length = strlen(*ret_text); /* not beyond a NUL */
	return true;
}

static size_t decode_text_size(const struct record_field *field, struct json_value value)
{
	const char *text;
	size_t length;
	if (field->codec == RECORD_CODEC_INTEGER || field->codec == RECORD_CODEC_BOOLEAN)
		return 0;
	bool found = field->codec == RECORD_CODEC_JSON ? json_source(value, &text, &length)
						       : decode_scalar_text(value, &text, &length);
	return found && length <= record_text_max(field) ? length + 1 : 0;
}

static void decode_collect(struct decode *decode, struct json_value object)
{
	struct json_iterator it;
	size_t hint = 0;
	for (json_members(object, &it); json_next(&it);) {
		const struct record_field *field = decode_find_key(decode->kind, it.key, it.key_length, &hint);
		if (!field || decode->present[field->number - 1])
			continue;
		decode->present[field->number - 1] = true;
		decode->values[field->number - 1] = it.value;
		if (json_type(it.value) != JSON_NULL)
			decode->texts_size += decode_text_size(field, it.value);
	}
}

static char *decode_keep_text(struct decode *decode, const char *text, size_t length)
{
	char *place = memcpy(decode->cursor, text, length);
	place[length] = '\0';
	decode->cursor += length + 1;
	return place;
}

static bool decode_text(struct decode *decode, const struct record_field *field, struct json_value value,
	struct record_value *to)
{
	const char *text;
	size_t length;
	bool found = field->codec == RECORD_CODEC_JSON ? json_source(value, &text, &length)
						       : decode_scalar_text(value, &text, &length);
	if (!found)
		return false;
	if (length > record_text_max(field)) {
		to->dropped_bytes = (uint32_t)MIN(length, UINT32_MAX);
		return false;
	}
	to->text = decode_keep_text(decode, text, length);
	if (field->codec == RECORD_CODEC_JSON)
		record_compact_json(to->text);
	return true;
}

/* The text is kept of what was read, and of an amount that could not be read: a message has to quote it. */
static bool decode_number(struct decode *decode, const struct record_field *field, struct json_value value,
	struct record_value *to)
{
	const char *text;
	size_t length;
	if (!decode_scalar_text(value, &text, &length) || length > RECORD_TEXT_MAX)
		return false;
	if (field->codec == RECORD_CODEC_TIME && json_type(value) != JSON_STRING)
		return false;
	int r = field->codec == RECORD_CODEC_TIME    ? time_parse(text, length, &to->number)
		: field->codec == RECORD_CODEC_MONEY ? decimal_parse_money(text, length, &to->number)
						     : decimal_parse(text, length, &to->number);
	if (r == 0 || field->codec == RECORD_CODEC_MONEY)
		to->source_text = decode_keep_text(decode, text, length);
	return r == 0;
}

static bool decode_integer(struct json_value value, struct record_value *to)
{
	const char *text;
	size_t length;
	int64_t millionths;
	if (json_i64(value, &to->number))
		return true;
	/* "2", 2.0 */
	if (!decode_scalar_text(value, &text, &length) || decimal_parse(text, length, &millionths) < 0 ||
		millionths % 1000000)
		return false;
	to->number = millionths / 1000000;
	return true;
}

static bool decode_boolean(struct json_value value, struct record_value *to)
{
	bool flag;
	const char *text;
	if (json_bool(value, &flag)) {
		to->number = flag;
		return true;
	}
	if (!json_text(value, &text, NULL))
		return false;
	to->number = text_equal(text, "true");
	return to->number || text_equal(text, "false");
}

/* Every text below `value`, joined by ", ". */
static int decode_flatten(struct json_value value, struct buffer *buffer)
{
	struct json_iterator it;
	const char *text;
	size_t length;
	int r = 0;
	if (decode_scalar_text(value, &text, &length)) {
		if (buffer->length)
			r = buffer_append_text(buffer, ", ");
		return r < 0 ? r : buffer_append(buffer, text, length);
	}
	if (json_type(value) == JSON_ARRAY)
		json_items(value, &it);
	else
		json_members(value, &it);
	while (r == 0 && json_next(&it))
		r = decode_flatten(it.value, buffer);
	return r;
}

/* 1 if there was text, else 0; negative only for want of memory. */
static int decode_flat(struct json_value value, struct record_value *to)
{
	struct buffer buffer;
	buffer_init(&buffer, RECORD_TEXT_MAX);
	int r = decode_flatten(value, &buffer);
	if (r == 0 && buffer.length) {
		to->text = buffer_take(&buffer);
		r = to->text ? 1 : SHIPOPT_ENOMEM;
	}
	buffer_done(&buffer);
	if (r != SHIPOPT_ETOOLARGE)
		return r;
	const char *source;
	size_t length;
	if (json_source(value, &source, &length))
		to->dropped_bytes = (uint32_t)MIN(length, UINT32_MAX);
	return 0;
}

static int decode_list(const struct record_field *field, struct json_value value, struct record_value *to)
{
	struct json_iterator it;
	if (json_count(value) > SHIPOPT_LIST_ITEMS_MAX)
		return SHIPOPT_ETOOLARGE;
	for (json_items(value, &it); json_next(&it);) {
		shipopt_record *item CLEANUP_RECORD = NULL;
		if (json_type(it.value) != JSON_OBJECT)
			continue;
		int r = record_decode_value(field->child_kind, it.value, &item);
		if (r == 0)
			r = record_list_append(to, item);
		if (r < 0)
			return r;
		item = NULL;
	}
	return 1;
}

/* 1: set, 0: not of the expected type, negative: failed. */
static int decode_field(struct decode *decode, const struct record_field *field, struct json_value value,
	struct record_value *to)
{
	enum json_type type = json_type(value);
	int r;
	switch ((enum record_codec)field->codec) {
	case RECORD_CODEC_FLAT:
		if (type == JSON_ARRAY || type == JSON_OBJECT)
			return decode_flat(value, to);
		return decode_text(decode, field, value, to);
	case RECORD_CODEC_TEXT:
	case RECORD_CODEC_COUNTRY:
	case RECORD_CODEC_DOCUMENT:
	case RECORD_CODEC_JSON: return decode_text(decode, field, value, to);
	case RECORD_CODEC_DECIMAL:
	case RECORD_CODEC_MONEY:
	case RECORD_CODEC_TIME: return decode_number(decode, field, value, to);
	case RECORD_CODEC_INTEGER: return decode_integer(value, to);
	case RECORD_CODEC_BOOLEAN: return decode_boolean(value, to);
	case RECORD_CODEC_CHILD:
		if (type != JSON_OBJECT)
			return 0;
		r = record_decode_value(field->child_kind, value, &to->child);
		return r < 0 ? r : 1;
	case RECORD_CODEC_LIST: return type == JSON_ARRAY ? decode_list(field, value, to) : 0;
	}
	return 0;
}

static int decode_fields(struct decode *decode)
{
	for (size_t i = 0; i < decode->kind->field_count; i++) {
		struct record_value *to = &decode->record->values[i];
		if (!decode->present[i])
			continue;
		if (json_type(decode->values[i]) == JSON_NULL) {
			to->state = SHIPOPT_FIELD_NULL;
			continue;
		}
		int r = decode_field(decode, &decode->kind->fields[i], decode->values[i], to);
		if (r < 0)
			return r;
		to->state = r ? SHIPOPT_FIELD_SET : SHIPOPT_FIELD_ABSENT;
	}
	return 0;
}

int record_decode_value(int kind, struct json_value value, shipopt_record **ret_record)
{
	struct decode decode;
	decode.kind = record_kind_find(kind);
	if (!decode.kind)
		return SHIPOPT_EINVAL;
	if (json_type(value) != JSON_OBJECT)
		return SHIPOPT_EPARSE;
	memset(decode.present, 0, sizeof(decode.present));
	decode.texts_size = 0;
	decode_collect(&decode, value);
	int r = record_new_sized(decode.kind, decode.texts_size, &decode.record, &decode.cursor);
	if (r < 0)
		return r;
	r = decode_fields(&decode);
	if (r < 0) {
		shipopt_record_free(decode.record);
		return r;
	}
	*ret_record = decode.record;
	return 0;
}

int record_keep_source(shipopt_record *record, struct json_value value)
{
	const char *bytes;
	size_t length;
	if (!json_source(value, &bytes, &length) || length > RECORD_SOURCE_MAX)
		return 0;
	record->source = mem_copy_bytes(bytes, length);
	return record->source ? 0 : SHIPOPT_ENOMEM;
}

static int decode_error(int kind, struct json_value value, int code, shipopt_error **ret_error)
{
	if (code == SHIPOPT_EPARSE)
		return error_set(ret_error, code, "%s: expected a JSON object", shipopt_record_kind_name(kind));
	if (code == SHIPOPT_ETOOLARGE)
		return error_set(ret_error, code, "%s: a list has more than %d items", shipopt_record_kind_name(kind),
			SHIPOPT_LIST_ITEMS_MAX);
	return code;
}

int shipopt_record_decode(int kind, const char *json, size_t length, shipopt_record **ret_record,
	shipopt_error **ret_error)
{
	json_document *document CLEANUP_JSON = NULL;
	shipopt_record *record CLEANUP_RECORD = NULL;
	if (!record_kind_find(kind) || (!json && length) || !ret_record)
		return error_set(ret_error, SHIPOPT_EINVAL, "record kind %d is unknown, or an argument is NULL", kind);
	int r = json_document_parse(json, length, &document, ret_error);
	if (r < 0)
		return r;
	r = record_decode_value(kind, json_root(document), &record);
	if (r == 0)
		r = record_keep_source(record, json_root(document));
	if (r < 0)
		return decode_error(kind, json_root(document), r, ret_error);
	*ret_record = TAKE(record);
	return 0;
}
