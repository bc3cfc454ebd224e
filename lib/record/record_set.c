/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "record/record.h"

/* The setters of records. Each does its work first and then says why it failed. */

static const char *record_type_name(int type)
{
	static const char *const names[] = {[SHIPOPT_TYPE_TEXT] = "text",
		[SHIPOPT_TYPE_INTEGER] = "integer",
		[SHIPOPT_TYPE_DECIMAL] = "decimal",
		[SHIPOPT_TYPE_MONEY] = "money",
		[SHIPOPT_TYPE_TIME] = "time",
		[SHIPOPT_TYPE_BOOLEAN] = "boolean",
		[SHIPOPT_TYPE_JSON] = "JSON",
		[SHIPOPT_TYPE_CHILD] = "child",
		[SHIPOPT_TYPE_LIST] = "list"};
	return names[type];
}

/* What a setter wanted to set: for the message of its failure. */
struct attempt {
	const shipopt_record *record;
	int field, type;  /* 0: any type */
	const char *text; /* may be NULL */
	const shipopt_record *child;
	bool has_text, has_child;
};

static int record_set_report_value(const struct attempt *attempt, const struct record_field *field, int r,
	shipopt_error **ret_error)
{
	const char *kind = attempt->record->kind->name;
	const char *name = shipopt_field_name(attempt->record->kind->number, field->number);
	if ((attempt->has_text && !attempt->text) || (attempt->has_child && !attempt->child))
		return error_set(ret_error, r, "%s.%s: the %s must not be NULL", kind, name,
			attempt->has_text ? "text" : "record");
	switch (r) {
	case SHIPOPT_ETYPE:
		return error_set(ret_error, r, "%s.%s takes a record of the kind %s, not %s", kind, name,
			shipopt_record_kind_name(field->child_kind), attempt->child->kind->name);
	case SHIPOPT_EENCODING: return error_set(ret_error, r, "%s.%s: the text is not UTF-8", kind, name);
	case SHIPOPT_EPARSE:
		return error_set(ret_error, r, "%s.%s: \"%s\" is not %s", kind, name, UNICODE_SHOWN(attempt->text),
			attempt->type == SHIPOPT_TYPE_JSON ? "JSON" : "a decimal number");
	case SHIPOPT_ETOOLARGE:
		if (attempt->type == SHIPOPT_TYPE_LIST)
			return error_set(ret_error, r, "%s.%s: a list has at most %d items", kind, name,
				SHIPOPT_LIST_ITEMS_MAX);
		return error_set(ret_error, r, "%s.%s: the text has %zu bytes, at most %zu are allowed", kind, name,
			strlen(attempt->text), record_text_max(field));
	default: return error_set(ret_error, r, "%s.%s: %s", kind, name, shipopt_error_description(r));
	}
}

static int record_set_report(const struct attempt *attempt, int r, shipopt_error **ret_error)
{
	const shipopt_record *record = attempt->record;
	if (r >= 0 || !ret_error)
		return r;
	if (!record)
		return error_set(ret_error, r, "the record must not be NULL");
	const struct record_field *field = record_field_find(record->kind, attempt->field);
	if (!field)
		return error_set(ret_error, r, "%s has no field %d", record->kind->name, attempt->field);
	int type = record_codec_type(field->codec);
	if (attempt->type && attempt->type != type)
		return error_set(ret_error, r, "%s.%s has the type %s, not %s", record->kind->name,
			shipopt_field_name(record->kind->number, field->number), record_type_name(type),
			record_type_name(attempt->type));
	return record_set_report_value(attempt, field, r, ret_error);
}

#define RECORD_SET_REPORT(r, ...) record_set_report(&(struct attempt){record, field, __VA_ARGS__}, r, ret_error)

/* The value of `field`, emptied and marked, to be filled by a setter that can fail no more. */
static struct record_value *record_set_renew(shipopt_record *record, int field, int state)
{
	struct record_value *value = &record->values[field - 1];
	record_value_clear(record, value, &record->kind->fields[field - 1]);
	value->state = (uint8_t)state;
	value->changed = true;
	return value;
}

static int record_set_copy(shipopt_record *record, int field, int type, const char *text)
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
	record_set_renew(record, field, SHIPOPT_FIELD_SET)->text = copy;
	return 0;
}

int shipopt_record_set_text(shipopt_record *record, int field, const char *text, shipopt_error **ret_error)
{
	int r = record_set_copy(record, field, SHIPOPT_TYPE_TEXT, text);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_TEXT, .text = text, .has_text = true);
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

static int record_set_json(shipopt_record *record, int field, const char *json)
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
		r = record_set_copy(record, field, SHIPOPT_TYPE_JSON, json);
	if (r == 0)
		record_compact_json(record->values[field - 1].text);
	return r;
}

int shipopt_record_set_json(shipopt_record *record, int field, const char *json, shipopt_error **ret_error)
{
	int r = record_set_json(record, field, json);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_JSON, .text = json, .has_text = true);
}

static int record_set_number(shipopt_record *record, int field, int type, int64_t number)
{
	const struct record_value *value;
	int r = record_value_find(record, field, type, &value);
	if (r == 0)
		record_set_renew(record, field, SHIPOPT_FIELD_SET)->number = number;
	return r;
}

static int record_set_number_text(shipopt_record *record, int field, int type, const char *text)
{
	const struct record_value *value;
	int64_t number;
	int r = record_value_find(record, field, type, &value);
	if (r == 0)
		r = text ? decimal_parse(text, strlen(text), &number) : SHIPOPT_EINVAL;
	return r < 0 ? r : record_set_number(record, field, type, number);
}

int shipopt_record_set_int(shipopt_record *record, int field, int64_t value, shipopt_error **ret_error)
{
	int r = record_set_number(record, field, SHIPOPT_TYPE_INTEGER, value);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_INTEGER);
}

int shipopt_record_set_decimal(shipopt_record *record, int field, int64_t millionths, shipopt_error **ret_error)
{
	int r = record_set_number(record, field, SHIPOPT_TYPE_DECIMAL, millionths);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_DECIMAL);
}

int shipopt_record_set_decimal_text(shipopt_record *record, int field, const char *text, shipopt_error **ret_error)
{
	int r = record_set_number_text(record, field, SHIPOPT_TYPE_DECIMAL, text);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_DECIMAL, .text = text, .has_text = true);
}

int shipopt_record_set_money(shipopt_record *record, int field, int64_t millionths, shipopt_error **ret_error)
{
	int r = record_set_number(record, field, SHIPOPT_TYPE_MONEY, millionths);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_MONEY);
}

int shipopt_record_set_money_text(shipopt_record *record, int field, const char *text, shipopt_error **ret_error)
{
	int r = record_set_number_text(record, field, SHIPOPT_TYPE_MONEY, text);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_MONEY, .text = text, .has_text = true);
}

int shipopt_record_set_time_ms(shipopt_record *record, int field, int64_t unix_ms, shipopt_error **ret_error)
{
	int r = record_set_number(record, field, SHIPOPT_TYPE_TIME, unix_ms);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_TIME);
}

int shipopt_record_set_bool(shipopt_record *record, int field, int value, shipopt_error **ret_error)
{
	int r = record_set_number(record, field, SHIPOPT_TYPE_BOOLEAN, value != 0);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_BOOLEAN);
}

int shipopt_record_set_null(shipopt_record *record, int field, shipopt_error **ret_error)
{
	const struct record_value *value;
	int r = record_value_find(record, field, 0, &value);
	if (r == 0)
		record_set_renew(record, field, SHIPOPT_FIELD_NULL);
	return RECORD_SET_REPORT(r, 0);
}

int shipopt_record_clear(shipopt_record *record, int field, shipopt_error **ret_error)
{
	const struct record_value *value;
	int r = record_value_find(record, field, 0, &value);
	if (r == 0)
		record_set_renew(record, field, SHIPOPT_FIELD_ABSENT);
	return RECORD_SET_REPORT(r, 0);
}

/* That `child` may stand in `field`. */
static int record_set_check_child(const shipopt_record *record, int field, int type, const shipopt_record *child)
{
	const struct record_value *value;
	int r = record_value_find(record, field, type, &value);
	if (r < 0)
		return r;
	if (!child)
		return SHIPOPT_EINVAL;
	return child->kind->number == record->kind->fields[field - 1].child_kind ? 0 : SHIPOPT_ETYPE;
}

int shipopt_record_set_child(shipopt_record *record, int field, shipopt_record *child, shipopt_error **ret_error)
{
	int r = record_set_check_child(record, field, SHIPOPT_TYPE_CHILD, child);
	if (r == 0 && record->values[field - 1].child != child)
		record_set_renew(record, field, SHIPOPT_FIELD_SET)->child = child;
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_CHILD, .child = child, .has_child = true);
}

int shipopt_record_append(shipopt_record *record, int field, shipopt_record *item, shipopt_error **ret_error)
{
	int r = record_set_check_child(record, field, SHIPOPT_TYPE_LIST, item);
	if (r == 0)
		r = record_list_append(&record->values[field - 1], item);
	if (r == 0)
		record->values[field - 1].changed = true;
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_LIST, .child = item, .has_child = true);
}

static int record_set_make_child(shipopt_record *record, int field, shipopt_record **ret_child)
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
		record_set_renew(record, field, SHIPOPT_FIELD_SET)->child = child;
	}
	*ret_child = value->child;
	return 0;
}

int shipopt_record_make_child(shipopt_record *record, int field, shipopt_record **ret_child, shipopt_error **ret_error)
{
	if (!ret_child)
		return error_set(ret_error, SHIPOPT_EINVAL, "ret_child must not be NULL");
	int r = record_set_make_child(record, field, ret_child);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_CHILD);
}

static int record_set_make_item(shipopt_record *record, int field, shipopt_record **ret_item)
{
	shipopt_record *item CLEANUP_RECORD = NULL;
	struct record_value *value;
	int r = ret_item ? record_value_find_mutable(record, field, SHIPOPT_TYPE_LIST, &value) : SHIPOPT_EINVAL;
	if (r == 0)
		r = shipopt_record_new(record->kind->fields[field - 1].child_kind, &item);
	if (r == 0)
		r = shipopt_record_append(record, field, item, NULL);
	if (r < 0)
		return r;
	*ret_item = TAKE(item);
	return 0;
}

int shipopt_record_make_item(shipopt_record *record, int field, shipopt_record **ret_item, shipopt_error **ret_error)
{
	if (!ret_item)
		return error_set(ret_error, SHIPOPT_EINVAL, "ret_item must not be NULL");
	int r = record_set_make_item(record, field, ret_item);
	return RECORD_SET_REPORT(r, SHIPOPT_TYPE_LIST);
}
