/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/text.h"
#include "record/record.h"
#include "record/time.h"

#define MONEY_PLACES 2

/* As JSON and every carrier take it: digits, a point, no exponent. The carrier's own text is sent back only if it
 * is. */
static bool encode_is_plain_number(const char *text)
{
	const char *p = text + (*text == '-');
	if (*p < '0' || *p > '9' || (*p == '0' && p[1] >= '0' && p[1] <= '9'))
		return false;
	p += strspn(p, "0123456789");
	if (*p == '.') {
		size_t places = strspn(p + 1, "0123456789");
		if (places == 0)
			return false;
		p += 1 + places;
	}
	return *p == '\0';
}

static void encode_number(const struct record_field *field, const struct record_value *value,
	struct json_writer *writer)
{
	char text[DECIMAL_TEXT_SIZE];
	const char *number = text;
	bool money = field->codec == RECORD_CODEC_MONEY;
	if (value->source_text && encode_is_plain_number(value->source_text))
		number = value->source_text;
	else
		decimal_format(value->number, money ? MONEY_PLACES : 0, text);
	if (money)
		json_write_text(writer, number);
	else
		json_write_raw(writer, number, strlen(number));
}

static void encode_time(const struct record_value *value, struct json_writer *writer)
{
	char text[TIME_TEXT_SIZE];
	if (!value->source_text)
		time_format(value->number, text);
	json_write_text(writer, value->source_text ? value->source_text : text);
}

/* An item that stands in a list of changed fields is sent whole. */
static int encode_part_of(int what)
{
	return what == RECORD_ENCODE_CREATION ? what : SHIPOPT_ENCODE_ALL;
}

static void encode_list(const struct record_list *list, int what, struct json_writer *writer)
{
	json_begin_array(writer);
	for (size_t i = 0; list && i < list->count; i++)
		record_encode(list->items[i], encode_part_of(what), writer);
	json_end_array(writer);
}

static void encode_value(const struct record_field *field, const struct record_value *value, int what,
	struct json_writer *writer)
{
	if (value->state == SHIPOPT_FIELD_NULL) {
		json_write_null(writer);
		return;
	}
	switch ((enum record_codec)field->codec) {
	case RECORD_CODEC_TEXT:
	case RECORD_CODEC_FLAT:
	case RECORD_CODEC_COUNTRY:
	case RECORD_CODEC_DOCUMENT: json_write_text(writer, value->text); break;
	case RECORD_CODEC_INTEGER: json_write_i64(writer, value->number); break;
	case RECORD_CODEC_DECIMAL:
	case RECORD_CODEC_MONEY: encode_number(field, value, writer); break;
	case RECORD_CODEC_TIME: encode_time(value, writer); break;
	case RECORD_CODEC_BOOLEAN: json_write_bool(writer, value->number != 0); break;
	case RECORD_CODEC_JSON: json_write_raw(writer, value->text, strlen(value->text)); break;
	case RECORD_CODEC_CHILD:
		/* A child that was put in place is new as a whole. */
		record_encode(value->child, value->changed ? encode_part_of(what) : what, writer);
		break;
	case RECORD_CODEC_LIST: encode_list(value->list, what, writer); break;
	}
}

static bool encode_list_is_changed(const struct record_list *list)
{
	for (size_t i = 0; list && i < list->count; i++)
		if (record_is_changed(list->items[i]))
			return true;
	return false;
}

static bool encode_value_is_changed(const struct record_field *field, const struct record_value *value)
{
	return value->changed ||
		(field->codec == RECORD_CODEC_CHILD && value->child && record_is_changed(value->child)) ||
		(field->codec == RECORD_CODEC_LIST && encode_list_is_changed(value->list));
}

bool record_is_changed(const shipopt_record *record)
{
	for (size_t i = 0; i < record->kind->field_count; i++)
		if (encode_value_is_changed(&record->kind->fields[i], &record->values[i]))
			return true;
	return false;
}

static bool encode_is_left_out(const struct record_field *field, const struct record_value *value, int what)
{
	if (value->state == SHIPOPT_FIELD_ABSENT)
		return true;
	if (what == RECORD_ENCODE_CREATION)
		return field->role != RECORD_ROLE_REQUEST && field->role != RECORD_ROLE_IDENTITY;
	return what == SHIPOPT_ENCODE_CHANGED && !encode_value_is_changed(field, value);
}

int record_encode(const shipopt_record *record, int what, struct json_writer *writer)
{
	json_begin_object(writer);
	for (size_t i = 0; i < record->kind->field_count; i++) {
		const struct record_value *value = &record->values[i];
		const struct record_field *field = &record->kind->fields[i];
		if (encode_is_left_out(field, value, what))
			continue;
		json_write_key(writer, field->key);
		encode_value(field, value, what, writer);
	}
	json_end_object(writer);
	return writer->status;
}

int shipopt_record_encode(const shipopt_record *record, int what, char **ret_json, shipopt_error **ret_error)
{
	struct buffer buffer;
	struct json_writer writer;
	if (!record || !ret_json)
		return error_set(ret_error, SHIPOPT_EINVAL, "shipopt_record_encode: %s must not be NULL",
			record ? "ret_json" : "record");
	if (what != SHIPOPT_ENCODE_ALL && what != SHIPOPT_ENCODE_CHANGED)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"shipopt_record_encode: what is %d, not SHIPOPT_ENCODE_ALL or SHIPOPT_ENCODE_CHANGED", what);
	buffer_init(&buffer, BUFFER_LIMIT_DEFAULT);
	json_writer_init(&writer, &buffer);
	record_encode(record, what, &writer);
	int r = json_writer_finish(&writer);
	char *json = r < 0 ? NULL : buffer_take(&buffer);
	buffer_done(&buffer);
	if (r == 0 && !json)
		r = SHIPOPT_ENOMEM;
	if (r < 0)
		return error_set(ret_error, r, "%s: cannot be encoded: %s", record->kind->name,
			r == SHIPOPT_ETOOLARGE ? "the JSON is too large" : shipopt_error_description(r));
	*ret_json = json;
	return 0;
}
