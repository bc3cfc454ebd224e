/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/text.h"
#include "record/fields.h"
#include "record/record.h"

#define FIELD(kind, field, no, codec_, child, role_, key_, column_) \
	[(no)-1] = {.number = (no),                                 \
		.codec = RECORD_CODEC_##codec_,                     \
		.role = RECORD_ROLE_##role_,                        \
		.child_kind = (child),                              \
		.key_length = sizeof(key_) - 1,                     \
		.key = (key_),                                      \
		.column = (column_)},
#define FIELD_IS_PUBLIC(kind, field, no, codec_, child, role_, key_, column_) \
	_Static_assert(SHIPOPT_##kind##_##field == (no), "record_fields.h has another number for " key_);
#define KIND_FIELDS(no, KIND, kind)                                                                     \
	_Static_assert(SHIPOPT_RECORD_##KIND == (no), "record_fields.h has another number for " #kind); \
	RECORD_FIELDS_##KIND(FIELD_IS_PUBLIC) static const struct record_field kind##_fields[] = {      \
		RECORD_FIELDS_##KIND(FIELD)};                                                           \
	_Static_assert(ARRAY_SIZE(kind##_fields) <= RECORD_FIELDS_MAX, #kind " has too many fields");
#define KIND(no, KIND, kind) [(no)-1] = {(no), #kind, kind##_fields, ARRAY_SIZE(kind##_fields)},

RECORD_KINDS(KIND_FIELDS)

static const struct record_kind kinds[] = {RECORD_KINDS(KIND)};

const struct record_kind *record_kind_find(int kind)
{
	return kind >= 1 && (size_t)kind <= ARRAY_SIZE(kinds) ? &kinds[kind - 1] : NULL;
}

const struct record_field *record_field_find(const struct record_kind *kind, int number)
{
	return kind && number >= 1 && (size_t)number <= kind->field_count ? &kind->fields[number - 1] : NULL;
}

int record_codec_type(enum record_codec codec)
{
	static const uint8_t types[] = {
		[RECORD_CODEC_TEXT] = SHIPOPT_TYPE_TEXT,
		[RECORD_CODEC_FLAT] = SHIPOPT_TYPE_TEXT,
		[RECORD_CODEC_COUNTRY] = SHIPOPT_TYPE_TEXT,
		[RECORD_CODEC_DOCUMENT] = SHIPOPT_TYPE_TEXT,
		[RECORD_CODEC_INTEGER] = SHIPOPT_TYPE_INTEGER,
		[RECORD_CODEC_DECIMAL] = SHIPOPT_TYPE_DECIMAL,
		[RECORD_CODEC_MONEY] = SHIPOPT_TYPE_MONEY,
		[RECORD_CODEC_TIME] = SHIPOPT_TYPE_TIME,
		[RECORD_CODEC_BOOLEAN] = SHIPOPT_TYPE_BOOLEAN,
		[RECORD_CODEC_JSON] = SHIPOPT_TYPE_JSON,
		[RECORD_CODEC_CHILD] = SHIPOPT_TYPE_CHILD,
		[RECORD_CODEC_LIST] = SHIPOPT_TYPE_LIST,
	};
	return types[codec];
}

size_t record_text_max(const struct record_field *field)
{
	return field->codec == RECORD_CODEC_DOCUMENT ? RECORD_DOCUMENT_MAX : RECORD_TEXT_MAX;
}

static const struct record_field *field_find(int kind, int field)
{
	return record_field_find(record_kind_find(kind), field);
}

const char *shipopt_record_kind_name(int kind)
{
	const struct record_kind *found = record_kind_find(kind);
	return found ? found->name : NULL;
}

const char *shipopt_field_name(int kind, int field)
{
	const struct record_field *found = field_find(kind, field);
	return found ? found->key : NULL;
}

/* The columns of children and of JSON fields with any name are prefixes, no headers of their own. */
static bool field_has_column(const struct record_field *field)
{
	return field->column && field->codec < RECORD_CODEC_CHILD && field->column[0] &&
		field->column[strlen(field->column) - 1] != '_';
}

const char *shipopt_field_column(int kind, int field)
{
	const struct record_field *found = field_find(kind, field);
	return found && field_has_column(found) ? found->column : NULL;
}

int shipopt_field_type(int kind, int field)
{
	const struct record_field *found = field_find(kind, field);
	return found ? record_codec_type(found->codec) : SHIPOPT_EINVAL;
}

int shipopt_field_child_kind(int kind, int field)
{
	const struct record_field *found = field_find(kind, field);
	return found ? found->child_kind : 0;
}

int shipopt_field_find(int kind, const char *name)
{
	const struct record_kind *found = record_kind_find(kind);
	for (size_t i = 0; found && name && i < found->field_count; i++)
		if (strcmp(found->fields[i].key, name) == 0)
			return found->fields[i].number;
	for (size_t i = 0; found && name && i < found->field_count; i++)
		if (field_has_column(&found->fields[i]) && strcmp(found->fields[i].column, name) == 0)
			return found->fields[i].number;
	return SHIPOPT_ENOTFOUND;
}

int shipopt_field_at(int kind, size_t index)
{
	const struct record_kind *found = record_kind_find(kind);
	return found && index < found->field_count ? found->fields[index].number : 0;
}
