/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "record/record.h"

int record_value_find(const shipopt_record *record, int field, int type, const struct record_value **ret_value)
{
	const struct record_field *found = record ? record_field_find(record->kind, field) : NULL;
	if (!found)
		return SHIPOPT_EINVAL;
	if (type && record_codec_type(found->codec) != type)
		return SHIPOPT_ETYPE;
	*ret_value = &record->values[field - 1];
	return 0;
}

int record_value_find_mutable(shipopt_record *record, int field, int type, struct record_value **ret_value)
{
	const struct record_value *value;
	int r = record_value_find(record, field, type, &value);
	if (r == 0)
		*ret_value = &record->values[field - 1];
	return r;
}

/* 1 with the value if the field is set. */
static int record_value_find_set(const shipopt_record *record, int field, int type,
	const struct record_value **ret_value)
{
	int r = record_value_find(record, field, type, ret_value);
	return r < 0 ? r : (*ret_value)->state == SHIPOPT_FIELD_SET;
}

/* The same for a getter, which needs a place for what it finds. */
static int record_value_get_value(const shipopt_record *record, int field, int type, const void *output,
	const struct record_value **ret_value)
{
	return output ? record_value_find_set(record, field, type, ret_value) : SHIPOPT_EINVAL;
}

static int record_value_get_text(const shipopt_record *record, int field, int type, const char **ret_text)
{
	const struct record_value *value;
	int r = record_value_get_value(record, field, type, ret_text, &value);
	if (r == 1)
		*ret_text = value->text;
	return r;
}

static int record_value_get_number(const shipopt_record *record, int field, int type, int64_t *ret_number)
{
	const struct record_value *value;
	int r = record_value_get_value(record, field, type, ret_number, &value);
	if (r == 1)
		*ret_number = value->number;
	return r;
}

int shipopt_record_get_text(const shipopt_record *record, int field, const char **ret_text)
{
	return record_value_get_text(record, field, SHIPOPT_TYPE_TEXT, ret_text);
}

int shipopt_record_get_json(const shipopt_record *record, int field, const char **ret_json)
{
	return record_value_get_text(record, field, SHIPOPT_TYPE_JSON, ret_json);
}

int shipopt_record_get_int(const shipopt_record *record, int field, int64_t *ret_value)
{
	return record_value_get_number(record, field, SHIPOPT_TYPE_INTEGER, ret_value);
}

int shipopt_record_get_decimal(const shipopt_record *record, int field, int64_t *ret_millionths)
{
	return record_value_get_number(record, field, SHIPOPT_TYPE_DECIMAL, ret_millionths);
}

int shipopt_record_get_money(const shipopt_record *record, int field, int64_t *ret_millionths)
{
	return record_value_get_number(record, field, SHIPOPT_TYPE_MONEY, ret_millionths);
}

int shipopt_record_get_time_ms(const shipopt_record *record, int field, int64_t *ret_unix_ms)
{
	return record_value_get_number(record, field, SHIPOPT_TYPE_TIME, ret_unix_ms);
}

int shipopt_record_get_bool(const shipopt_record *record, int field, int *ret_value)
{
	int64_t number;
	int r = ret_value ? record_value_get_number(record, field, SHIPOPT_TYPE_BOOLEAN, &number) : SHIPOPT_EINVAL;
	if (r == 1)
		*ret_value = (int)number;
	return r;
}

static bool record_value_type_has_source_text(int type)
{
	return type == SHIPOPT_TYPE_DECIMAL || type == SHIPOPT_TYPE_MONEY || type == SHIPOPT_TYPE_TIME;
}

int shipopt_record_get_source_text(const shipopt_record *record, int field, const char **ret_text)
{
	const struct record_value *value;
	int r = ret_text ? record_value_find(record, field, 0, &value) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	if (!record_value_type_has_source_text(record_codec_type(record->kind->fields[field - 1].codec)))
		return SHIPOPT_ETYPE;
	if (!value->source_text)
		return 0;
	*ret_text = value->source_text;
	return 1;
}

int shipopt_record_get_child(const shipopt_record *record, int field, const shipopt_record **ret_child)
{
	const struct record_value *value;
	int r = record_value_get_value(record, field, SHIPOPT_TYPE_CHILD, ret_child, &value);
	if (r == 1)
		*ret_child = value->child;
	return r;
}

size_t shipopt_record_count(const shipopt_record *record, int field)
{
	const struct record_value *value;
	int r = record_value_find_set(record, field, SHIPOPT_TYPE_LIST, &value);
	return r == 1 && value->list ? value->list->count : 0;
}

int shipopt_record_get_item(const shipopt_record *record, int field, size_t index, const shipopt_record **ret_item)
{
	const struct record_value *value;
	int r = record_value_get_value(record, field, SHIPOPT_TYPE_LIST, ret_item, &value);
	if (r != 1)
		return r;
	if (!value->list || index >= value->list->count)
		return 0;
	*ret_item = value->list->items[index];
	return 1;
}

const char *shipopt_record_text(const shipopt_record *record, int field)
{
	const char *text = NULL;
	if (shipopt_record_get_text(record, field, &text) == SHIPOPT_ETYPE)
		shipopt_record_get_json(record, field, &text);
	return text;
}

int64_t shipopt_record_number(const shipopt_record *record, int field, int64_t absent)
{
	const struct record_value *value;
	if (record_value_find_set(record, field, 0, &value) != 1)
		return absent;
	int type = record_codec_type(record->kind->fields[field - 1].codec);
	bool numeric =
		record_value_type_has_source_text(type) || type == SHIPOPT_TYPE_INTEGER || type == SHIPOPT_TYPE_BOOLEAN;
	return numeric ? value->number : absent;
}

const shipopt_record *shipopt_record_child(const shipopt_record *record, int field)
{
	const shipopt_record *child = NULL;
	shipopt_record_get_child(record, field, &child);
	return child;
}

const shipopt_record *shipopt_record_item(const shipopt_record *record, int field, size_t index)
{
	const shipopt_record *item = NULL;
	shipopt_record_get_item(record, field, index, &item);
	return item;
}
