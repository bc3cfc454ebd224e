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

/* The value of `field`, emptied and marked, to be filled by a setter that can fail no more. */
static struct record_value *value_renew(shipopt_record *record, int field, int state)
{
	struct record_value *value = &record->values[field - 1];
	record_value_clear(record, value, &record->kind->fields[field - 1]);
	value->state = (uint8_t)state;
	value->changed = true;
	return value;
}

static int record_value_set_copy(shipopt_record *record, int field, int type, const char *text)
{
	const struct record_value *value;
	size_t length;
	int r = record_value_find(record, field, type, &value);
	if (r < 0)
		return r;
	if (!text)
		return SHIPOPT_EINVAL;
	length = strlen(text);
	if (length > record_text_max(&record->kind->fields[field - 1]))
		return SHIPOPT_ETOOLARGE;
	if (!text_is_utf8(text, length, NULL))
		return SHIPOPT_EENCODING;
	char *copy = mem_copy_bytes(text, length);
	if (!copy)
		return SHIPOPT_ENOMEM;
	value_renew(record, field, SHIPOPT_FIELD_SET)->text = copy;
	return 0;
}

int shipopt_record_set_text(shipopt_record *record, int field, const char *text)
{
	return record_value_set_copy(record, field, SHIPOPT_TYPE_TEXT, text);
}

void record_compact_json(char *json)
{
	char *to = json;
	bool quoted = false;
	for (const char *p = json; *p; p++) {
		if (!quoted && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r'))
			continue;
		if (*p == '"')
			quoted = !quoted;
		*to++ = *p;
		if (quoted && *p == '\\')
			*to++ = *++p;
	}
	*to = '\0';
}

int shipopt_record_set_json(shipopt_record *record, int field, const char *json)
{
	const struct record_value *value;
	json_document *document CLEANUP_JSON = NULL;
	int r = record_value_find(record, field, SHIPOPT_TYPE_JSON, &value);
	if (r < 0)
		return r;
	if (!json)
		return SHIPOPT_EINVAL;
	json += text_has_prefix(json, "\xef\xbb\xbf") ? 3 : 0; /* the parser skips it, the text must not keep it */
	if (strlen(json) > RECORD_TEXT_MAX)
		return SHIPOPT_ETOOLARGE;
	r = json_document_parse(json, strlen(json), &document, NULL);
	if (r == 0)
		r = record_value_set_copy(record, field, SHIPOPT_TYPE_JSON, json);
	if (r == 0)
		record_compact_json(record->values[field - 1].text);
	return r;
}

static int record_value_set_number(shipopt_record *record, int field, int type, int64_t number)
{
	const struct record_value *value;
	int r = record_value_find(record, field, type, &value);
	if (r == 0)
		value_renew(record, field, SHIPOPT_FIELD_SET)->number = number;
	return r;
}

static int record_value_set_number_text(shipopt_record *record, int field, int type, const char *text)
{
	const struct record_value *value;
	int64_t number;
	int r = record_value_find(record, field, type, &value);
	if (r == 0)
		r = text ? decimal_parse(text, strlen(text), &number) : SHIPOPT_EINVAL;
	return r < 0 ? r : record_value_set_number(record, field, type, number);
}

int shipopt_record_set_int(shipopt_record *record, int field, int64_t value)
{
	return record_value_set_number(record, field, SHIPOPT_TYPE_INTEGER, value);
}

int shipopt_record_set_decimal(shipopt_record *record, int field, int64_t millionths)
{
	return record_value_set_number(record, field, SHIPOPT_TYPE_DECIMAL, millionths);
}

int shipopt_record_set_decimal_text(shipopt_record *record, int field, const char *text)
{
	return record_value_set_number_text(record, field, SHIPOPT_TYPE_DECIMAL, text);
}

int shipopt_record_set_money(shipopt_record *record, int field, int64_t millionths)
{
	return record_value_set_number(record, field, SHIPOPT_TYPE_MONEY, millionths);
}

int shipopt_record_set_money_text(shipopt_record *record, int field, const char *text)
{
	return record_value_set_number_text(record, field, SHIPOPT_TYPE_MONEY, text);
}

int shipopt_record_set_time_ms(shipopt_record *record, int field, int64_t unix_ms)
{
	return record_value_set_number(record, field, SHIPOPT_TYPE_TIME, unix_ms);
}

int shipopt_record_set_bool(shipopt_record *record, int field, int value)
{
	return record_value_set_number(record, field, SHIPOPT_TYPE_BOOLEAN, value != 0);
}

int shipopt_record_set_null(shipopt_record *record, int field)
{
	const struct record_value *value;
	int r = record_value_find(record, field, 0, &value);
	if (r == 0)
		value_renew(record, field, SHIPOPT_FIELD_NULL);
	return r;
}

int shipopt_record_clear(shipopt_record *record, int field)
{
	const struct record_value *value;
	int r = record_value_find(record, field, 0, &value);
	if (r == 0)
		value_renew(record, field, SHIPOPT_FIELD_ABSENT);
	return r;
}

/* That `child` may stand in `field`. */
static int record_value_check_child(const shipopt_record *record, int field, int type, const shipopt_record *child)
{
	const struct record_value *value;
	int r = record_value_find(record, field, type, &value);
	if (r < 0)
		return r;
	if (!child)
		return SHIPOPT_EINVAL;
	return child->kind->number == record->kind->fields[field - 1].child_kind ? 0 : SHIPOPT_ETYPE;
}

int shipopt_record_set_child(shipopt_record *record, int field, shipopt_record *child)
{
	int r = record_value_check_child(record, field, SHIPOPT_TYPE_CHILD, child);
	if (r == 0 && record->values[field - 1].child != child)
		value_renew(record, field, SHIPOPT_FIELD_SET)->child = child;
	return r;
}

int shipopt_record_append(shipopt_record *record, int field, shipopt_record *item)
{
	int r = record_value_check_child(record, field, SHIPOPT_TYPE_LIST, item);
	if (r == 0)
		r = record_list_append(&record->values[field - 1], item);
	if (r == 0)
		record->values[field - 1].changed = true;
	return r;
}

int shipopt_record_make_child(shipopt_record *record, int field, shipopt_record **ret_child)
{
	struct record_value *value;
	int r = ret_child ? record_value_find_mutable(record, field, SHIPOPT_TYPE_CHILD, &value) : SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	if (!value->child) {
		shipopt_record *child;
		r = shipopt_record_new(record->kind->fields[field - 1].child_kind, &child);
		if (r < 0)
			return r;
		value_renew(record, field, SHIPOPT_FIELD_SET)->child = child;
	}
	*ret_child = value->child;
	return 0;
}

int shipopt_record_make_item(shipopt_record *record, int field, shipopt_record **ret_item)
{
	shipopt_record *item CLEANUP_RECORD = NULL;
	struct record_value *value;
	int r = ret_item ? record_value_find_mutable(record, field, SHIPOPT_TYPE_LIST, &value) : SHIPOPT_EINVAL;
	if (r == 0)
		r = shipopt_record_new(record->kind->fields[field - 1].child_kind, &item);
	if (r == 0)
		r = shipopt_record_append(record, field, item);
	if (r < 0)
		return r;
	*ret_item = TAKE(item);
	return 0;
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
