/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "record/record.h"

#define FINGERPRINT_FORM "request-2:"
#define PATH_SIZE_MAX 256

struct member {
	const char *key;
	size_t length;
	struct json_value value;
};

static int fingerprint_member_compare(const void *a, const void *b)
{
	const struct member *left = a, *right = b;
	int order = memcmp(left->key, right->key, MIN(left->length, right->length));
	return order ? order : (left->length > right->length) - (left->length < right->length);
}

static void fingerprint_write_normal(struct json_value value, struct json_writer *writer);

static void fingerprint_write_sorted(struct json_value object, struct json_writer *writer)
{
	struct json_iterator it;
	size_t count = 0;
	struct member *members CLEANUP_FREE = mem_alloc_array(json_count(object) + 1, sizeof(*members));
	if (!members) {
		writer->status = writer->status < 0 ? writer->status : SHIPOPT_ENOMEM;
		return;
	}
	for (json_members(object, &it); json_next(&it);)
		members[count++] = (struct member){it.key, it.key_length, it.value};
	qsort(members, count, sizeof(*members), fingerprint_member_compare);
	json_begin_object(writer);
	for (size_t i = 0; i < count; i++) {
		json_write_key(writer, members[i].key);
		fingerprint_write_normal(members[i].value, writer);
	}
	json_end_object(writer);
}

static void fingerprint_write_normal_number(struct json_value value, struct json_writer *writer)
{
	const char *text;
	size_t length;
	int64_t millionths;
	if (!json_source(value, &text, &length))
		return;
	if (decimal_parse(text, length, &millionths) == 0)
		json_write_decimal(writer, millionths);
	else
		json_write_raw(writer, text, length);
}

static void fingerprint_write_normal(struct json_value value, struct json_writer *writer)
{
	struct json_iterator it;
	const char *text;
	size_t length;
	switch (json_type(value)) {
	case JSON_OBJECT: fingerprint_write_sorted(value, writer); break;
	case JSON_ARRAY:
		json_begin_array(writer);
		for (json_items(value, &it); json_next(&it);)
			fingerprint_write_normal(it.value, writer);
		json_end_array(writer);
		break;
	case JSON_NUMBER: fingerprint_write_normal_number(value, writer); break;
	default:
		if (json_source(value, &text, &length))
			json_write_raw(writer, text, length);
	}
}

static void fingerprint_write_json(const char *text, struct json_writer *writer)
{
	json_document *document CLEANUP_JSON = NULL;
	int r = writer->status;
	if (r == 0)
		r = json_document_parse(text, strlen(text), &document, NULL);
	if (r < 0)
		writer->status = r;
	else
		fingerprint_write_normal(json_root(document), writer);
}

static bool fingerprint_text_asks(const char *text)
{
	size_t length = strlen(text);
	unicode_trim(&text, &length);
	return length > 0;
}

static bool fingerprint_json_asks(const char *text)
{
	return !text_equal(text, "{}") && !text_equal(text, "[]") && !text_equal(text, "null");
}

static const char *fingerprint_record_identity(const shipopt_record *record);
static bool fingerprint_record_asks(const shipopt_record *record);

static bool fingerprint_value_asks(const struct record_field *field, const struct record_value *value)
{
	if (field->role == RECORD_ROLE_SERVER || field->role == RECORD_ROLE_IDENTITY ||
		value->state != SHIPOPT_FIELD_SET)
		return false;
	switch ((enum record_codec)field->codec) {
	case RECORD_CODEC_TEXT:
	case RECORD_CODEC_FLAT:
	case RECORD_CODEC_COUNTRY:
	case RECORD_CODEC_DOCUMENT: return fingerprint_text_asks(value->text);
	case RECORD_CODEC_JSON: return fingerprint_json_asks(value->text);
	case RECORD_CODEC_CHILD:
		return fingerprint_record_asks(value->child) || fingerprint_record_identity(value->child);
	case RECORD_CODEC_LIST: return value->list && value->list->count;
	default: return true;
	}
}

static bool fingerprint_record_asks(const shipopt_record *record)
{
	for (size_t i = 0; i < record->kind->field_count; i++)
		if (fingerprint_value_asks(&record->kind->fields[i], &record->values[i]))
			return true;
	return false;
}

/* The id, where the record is nothing but its id. */
static const char *fingerprint_record_identity(const shipopt_record *record)
{
	if (fingerprint_record_asks(record))
		return NULL;
	for (size_t i = 0; i < record->kind->field_count; i++)
		if (record->kind->fields[i].role == RECORD_ROLE_IDENTITY)
			return record->values[i].text;
	return NULL;
}

const struct record_field *record_find_wish(const shipopt_record *record)
{
	for (size_t i = 0; i < record->kind->field_count; i++)
		if (record->kind->fields[i].role == RECORD_ROLE_WISH &&
			fingerprint_value_asks(&record->kind->fields[i], &record->values[i]))
			return &record->kind->fields[i];
	return NULL;
}

bool record_is_reference(const shipopt_record *record)
{
	return record && fingerprint_record_identity(record) != NULL;
}

static void fingerprint_write_record(const shipopt_record *record, bool nested, struct json_writer *writer);

static void fingerprint_write_trimmed(const char *text, struct json_writer *writer)
{
	size_t length = strlen(text);
	unicode_trim(&text, &length);
	json_write_bytes(writer, text, length);
}

static void fingerprint_write_value(const struct record_field *field, const struct record_value *value,
	struct json_writer *writer)
{
	switch ((enum record_codec)field->codec) {
	case RECORD_CODEC_TEXT:
	case RECORD_CODEC_FLAT:
	case RECORD_CODEC_COUNTRY:
	case RECORD_CODEC_DOCUMENT: fingerprint_write_trimmed(value->text, writer); break;
	case RECORD_CODEC_INTEGER:
	case RECORD_CODEC_TIME: json_write_i64(writer, value->number); break;
	case RECORD_CODEC_DECIMAL:
	case RECORD_CODEC_MONEY: json_write_decimal(writer, value->number); break;
	case RECORD_CODEC_BOOLEAN: json_write_bool(writer, value->number != 0); break;
	case RECORD_CODEC_JSON: fingerprint_write_json(value->text, writer); break;
	case RECORD_CODEC_CHILD: fingerprint_write_record(value->child, true, writer); break;
	case RECORD_CODEC_LIST:
		json_begin_array(writer);
		for (size_t i = 0; i < value->list->count; i++)
			fingerprint_write_record(value->list->items[i], true, writer);
		json_end_array(writer);
		break;
	}
}

static void fingerprint_write_record(const shipopt_record *record, bool nested, struct json_writer *writer)
{
	const char *identity = nested ? fingerprint_record_identity(record) : NULL;
	if (identity) {
		fingerprint_write_trimmed(identity, writer);
		return;
	}
	json_begin_object(writer);
	for (size_t i = 0; i < record->kind->field_count; i++) {
		char number[8];
		if (!fingerprint_value_asks(&record->kind->fields[i], &record->values[i]))
			continue;
		snprintf(number, sizeof(number), "%d", record->kind->fields[i].number);
		json_write_key(writer, number);
		fingerprint_write_value(&record->kind->fields[i], &record->values[i], writer);
	}
	json_end_object(writer);
}

int record_fingerprint(const shipopt_record *record, char ret_hex[HASH_HEX_SIZE])
{
	struct buffer buffer;
	struct json_writer writer;
	if (!record)
		return SHIPOPT_EINVAL;
	buffer_init(&buffer, BUFFER_LIMIT_DEFAULT);
	int r = buffer_append_text(&buffer, FINGERPRINT_FORM);
	json_writer_init(&writer, &buffer);
	if (r == 0) {
		fingerprint_write_record(record, false, &writer);
		r = json_writer_finish(&writer);
	}
	if (r == 0)
		r = hash_sha256_hex(buffer.data, buffer.length, ret_hex);
	buffer_done(&buffer);
	return r;
}

struct difference {
	struct buffer *names;
	struct buffer path;
	int count;
};

static int fingerprint_compare_records(struct difference *difference, const shipopt_record *a, const shipopt_record *b);

static int fingerprint_name_difference(struct difference *difference)
{
	int r = 0;
	if (difference->count++)
		r = buffer_append_text(difference->names, ", ");
	if (r == 0)
		r = buffer_append(difference->names, difference->path.data, difference->path.length);
	return r == SHIPOPT_ETOOLARGE ? 0 : r;
}

/* 1 if both normal forms are the same. */
static int fingerprint_values_are_equal(const struct record_field *field, const struct record_value *a,
	const struct record_value *b)
{
	const struct record_value *values[2] = {a, b};
	struct buffer buffers[2];
	int r = 0;
	for (int i = 0; i < 2; i++) {
		struct json_writer writer;
		buffer_init(&buffers[i], BUFFER_LIMIT_DEFAULT);
		json_writer_init(&writer, &buffers[i]);
		fingerprint_write_value(field, values[i], &writer);
		if (writer.status < 0)
			r = writer.status;
	}
	if (r == 0)
		r = buffers[0].length == buffers[1].length &&
			memcmp(buffers[0].data, buffers[1].data, buffers[0].length) == 0;
	buffer_done(&buffers[0]);
	buffer_done(&buffers[1]);
	return r;
}

static int fingerprint_compare_lists(struct difference *difference, const struct record_list *a,
	const struct record_list *b)
{
	int r = 0;
	size_t length = difference->path.length;
	if (a->count != b->count)
		return fingerprint_name_difference(difference);
	for (size_t i = 0; i < a->count && r == 0; i++) {
		r = buffer_append_format(&difference->path, "[%zu]", i);
		if (r == 0)
			r = fingerprint_compare_records(difference, a->items[i], b->items[i]);
		difference->path.length = length;
	}
	return r;
}

static int fingerprint_compare_values(struct difference *difference, const struct record_field *field,
	const struct record_value *a, const struct record_value *b)
{
	bool asked = fingerprint_value_asks(field, a);
	if (asked != fingerprint_value_asks(field, b))
		return fingerprint_name_difference(difference);
	if (!asked)
		return 0;
	if (field->codec == RECORD_CODEC_CHILD)
		return fingerprint_compare_records(difference, a->child, b->child);
	if (field->codec == RECORD_CODEC_LIST)
		return fingerprint_compare_lists(difference, a->list, b->list);
	int equal = fingerprint_values_are_equal(field, a, b);
	return equal < 0 ? equal : equal ? 0 : fingerprint_name_difference(difference);
}

static int fingerprint_compare_records(struct difference *difference, const shipopt_record *a, const shipopt_record *b)
{
	size_t length = difference->path.length;
	const char *left = length ? fingerprint_record_identity(a) : NULL,
		   *right = length ? fingerprint_record_identity(b) : NULL;
	if (left || right)
		return text_equal(left, right) ? 0 : fingerprint_name_difference(difference);
	int r = 0;
	for (size_t i = 0; i < a->kind->field_count && r == 0; i++) {
		const struct record_field *field = &a->kind->fields[i];
		r = buffer_append_format(&difference->path, "%s%s", length ? "." : "", field->key);
		if (r == 0)
			r = fingerprint_compare_values(difference, field, &a->values[i], &b->values[i]);
		difference->path.length = length;
	}
	return r;
}

int record_differences(const shipopt_record *a, const shipopt_record *b, struct buffer *names)
{
	if (!a || !b || a->kind != b->kind)
		return SHIPOPT_EINVAL;
	struct difference difference = {.names = names};
	buffer_init(&difference.path, PATH_SIZE_MAX);
	int r = fingerprint_compare_records(&difference, a, b);
	buffer_done(&difference.path);
	return r < 0 ? r : difference.count;
}
