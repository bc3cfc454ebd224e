/* SPDX-License-Identifier: MIT */
#include "record/record.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"

int record_new_sized(const struct record_kind *kind, size_t texts_size, shipopt_record **ret_record, char **ret_texts)
{
	size_t values_size = kind->field_count * sizeof(struct record_value), size;
	if (!size_add(sizeof(shipopt_record) + values_size, texts_size, &size))
		return SHIPOPT_ETOOLARGE;
	shipopt_record *record = mem_alloc(size);
	if (!record)
		return SHIPOPT_ENOMEM;
	memset(record, 0, sizeof(*record) + values_size);
	record->kind = kind;
	record->texts_size = texts_size;
	if (ret_texts)
		*ret_texts = (char *)&record->values[kind->field_count];
	*ret_record = record;
	return 0;
}

int shipopt_record_new(int kind, shipopt_record **ret_record)
{
	const struct record_kind *found = record_kind_find(kind);
	return found && ret_record ? record_new_sized(found, 0, ret_record, NULL) : SHIPOPT_EINVAL;
}

static void record_text_free(const shipopt_record *record, char *text)
{
	uintptr_t begin = (uintptr_t)&record->values[record->kind->field_count], at = (uintptr_t)text;
	if (at < begin || at >= begin + record->texts_size)
		mem_free(text);
}

static void record_list_free(struct record_list *list)
{
	for (size_t i = 0; list && i < list->count; i++)
		shipopt_record_free(list->items[i]);
	mem_free(list);
}

void record_value_clear(shipopt_record *record, struct record_value *value, const struct record_field *field)
{
	switch (record_codec_type(field->codec)) {
	case SHIPOPT_TYPE_TEXT:
	case SHIPOPT_TYPE_JSON: record_text_free(record, value->text); break;
	case SHIPOPT_TYPE_CHILD: shipopt_record_free(value->child); break;
	case SHIPOPT_TYPE_LIST: record_list_free(value->list); break;
	default: break;
	}
	record_text_free(record, value->source_text);
	*value = (struct record_value){.changed = value->changed};
}

void shipopt_record_free(shipopt_record *record)
{
	if (!record)
		return;
	for (size_t i = 0; i < record->kind->field_count; i++)
		record_value_clear(record, &record->values[i], &record->kind->fields[i]);
	mem_free(record->source);
	mem_free(record);
}

int shipopt_record_kind(const shipopt_record *record)
{
	return record ? record->kind->number : 0;
}

int shipopt_record_state(const shipopt_record *record, int field)
{
	const struct record_value *value;
	return record_value_find(record, field, 0, &value) < 0 ? SHIPOPT_FIELD_ABSENT : value->state;
}

const char *shipopt_record_source(const shipopt_record *record)
{
	return record ? record->source : NULL;
}

int record_list_append(struct record_value *value, shipopt_record *item)
{
	struct record_list *list = value->list;
	size_t count = list ? list->count : 0;
	if (count == SHIPOPT_LIST_ITEMS_MAX)
		return SHIPOPT_ETOOLARGE;
	if (!list || count == list->capacity) {
		size_t capacity = MAX(count * 2, 4);
		list = mem_realloc(list, sizeof(*list) + capacity * sizeof(list->items[0]));
		if (!list)
			return SHIPOPT_ENOMEM;
		list->count = count;
		list->capacity = capacity;
		value->list = list;
	}
	list->items[list->count++] = item;
	value->state = SHIPOPT_FIELD_SET;
	return 0;
}

void shipopt_record_mark_unchanged(shipopt_record *record)
{
	for (size_t i = 0; record && i < record->kind->field_count; i++) {
		struct record_value *value = &record->values[i];
		int codec = record->kind->fields[i].codec;
		value->changed = false;
		if (codec == RECORD_CODEC_CHILD)
			shipopt_record_mark_unchanged(value->child);
		for (size_t j = 0; codec == RECORD_CODEC_LIST && value->list && j < value->list->count; j++)
			shipopt_record_mark_unchanged(value->list->items[j]);
	}
}

/* Appends to a path of `length` bytes; returns its new length. */
static size_t record_path_add(char path[RECORD_PATH_SIZE], size_t length, const char *separator, const char *name)
{
	size_t room = RECORD_PATH_SIZE - length;
	int wanted = snprintf(path + length, room, "%s%s", separator, name);
	return length + MIN((size_t)MAX(wanted, 0), room - 1);
}

static size_t record_record_find_dropped(const shipopt_record *record, char path[RECORD_PATH_SIZE], size_t length)
{
	size_t bytes = 0;
	for (size_t i = 0; bytes == 0 && i < record->kind->field_count; i++) {
		const struct record_value *value = &record->values[i];
		int codec = record->kind->fields[i].codec;
		size_t end = record_path_add(path, length, length ? "." : "", record->kind->fields[i].key);
		bytes = value->dropped_bytes;
		if (codec == RECORD_CODEC_CHILD && value->child)
			bytes = record_record_find_dropped(value->child, path, end);
		for (size_t j = 0; codec == RECORD_CODEC_LIST && value->list && bytes == 0 && j < value->list->count;
			j++) {
			char index[24];
			snprintf(index, sizeof(index), "[%zu]", j);
			bytes = record_record_find_dropped(value->list->items[j], path,
				record_path_add(path, end, "", index));
		}
	}
	return bytes;
}

size_t record_find_dropped(const shipopt_record *record, char ret_path[RECORD_PATH_SIZE])
{
	char path[RECORD_PATH_SIZE];
	size_t bytes = record ? record_record_find_dropped(record, path, 0) : 0;
	if (bytes)
		memcpy(ret_path, path, sizeof(path));
	return bytes;
}

static bool record_field_has_text(const struct record_field *field)
{
	int type = record_codec_type(field->codec);
	return type == SHIPOPT_TYPE_TEXT || type == SHIPOPT_TYPE_JSON;
}

static size_t record_texts_size(const shipopt_record *record)
{
	size_t size = 0;
	for (size_t i = 0; i < record->kind->field_count; i++) {
		const struct record_value *value = &record->values[i];
		if (record_field_has_text(&record->kind->fields[i]) && value->text)
			size += strlen(value->text) + 1;
		if (value->source_text)
			size += strlen(value->source_text) + 1;
	}
	return size;
}

static char *record_text_place(char **cursor, const char *text)
{
	if (!text)
		return NULL;
	size_t size = strlen(text) + 1;
	char *place = memcpy(*cursor, text, size);
	*cursor += size;
	return place;
}

static int record_list_copy(const struct record_list *list, struct record_value *ret_value)
{
	for (size_t i = 0; list && i < list->count; i++) {
		shipopt_record *item CLEANUP_RECORD = NULL;
		int r = shipopt_record_copy(list->items[i], &item);
		if (r == 0)
			r = record_list_append(ret_value, item);
		if (r < 0)
			return r;
		item = NULL;
	}
	return 0;
}

static int record_value_copy(const struct record_value *from, const struct record_field *field, struct record_value *to,
	char **cursor)
{
	int r = 0;
	to->changed = from->changed;
	to->dropped_bytes = from->dropped_bytes;
	if (field->codec == RECORD_CODEC_CHILD)
		r = from->child ? shipopt_record_copy(from->child, &to->child) : 0;
	else if (field->codec == RECORD_CODEC_LIST)
		r = record_list_copy(from->list, to);
	else if (record_field_has_text(field))
		to->text = record_text_place(cursor, from->text);
	else
		to->number = from->number;
	to->source_text = record_text_place(cursor, from->source_text);
	to->state = from->state;
	return r;
}

int shipopt_record_copy(const shipopt_record *record, shipopt_record **ret_copy)
{
	shipopt_record *copy CLEANUP_RECORD = NULL;
	char *cursor;
	if (!record || !ret_copy)
		return SHIPOPT_EINVAL;
	int r = record_new_sized(record->kind, record_texts_size(record), &copy, &cursor);
	for (size_t i = 0; r == 0 && i < record->kind->field_count; i++)
		r = record_value_copy(&record->values[i], &record->kind->fields[i], &copy->values[i], &cursor);
	if (r < 0)
		return r;
	if (record->source && !(copy->source = mem_copy_text(record->source)))
		return SHIPOPT_ENOMEM;
	*ret_copy = TAKE(copy);
	return 0;
}
