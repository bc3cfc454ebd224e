/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "orders/source_columns.h"
#include "record/record.h"

/* Finds the known name that is closest to a wrong one. The names come from the field table of lib/record. */

struct column_search {
	const char *name;
	size_t best_distance;
	char *best;
};

static void source_suggest_consider(struct column_search *search, const char *prefix, const char *column)
{
	char candidate[COLUMN_NAME_SIZE];
	int length = snprintf(candidate, sizeof(candidate), "%s%s", prefix, column);
	if (length < 0 || (size_t)length >= sizeof(candidate))
		return;
	size_t distance = text_distance(search->name, candidate);
	if (distance < search->best_distance) {
		search->best_distance = distance;
		memcpy(search->best, candidate, (size_t)length + 1);
	}
}

static bool source_suggest_is_header(const struct record_kind *kind, const struct record_field *field)
{
	return shipopt_field_column(kind->number, field->number) != NULL;
}

static void source_suggest_consider_fields(struct column_search *search, int kind_number, const char *prefix);

static void source_suggest_consider_below(struct column_search *search, const struct record_field *field)
{
	char prefix[COLUMN_NAME_SIZE];
	size_t length = strlen(field->column);
	/* A list's name is followed by a number, such as item1_: the number of the wrong name, or 1. */
	if (field->codec == RECORD_CODEC_LIST) {
		bool same = length > 0 && text_has_prefix(search->name, field->column);
		int number = 0;
		for (const char *p = search->name + length; same && *p >= '0' && *p <= '9' && number < 10; p++)
			number = number * 10 + *p - '0';
		snprintf(prefix, sizeof(prefix), "%s%d_", field->column, number > 0 ? number : 1);
	} else {
		snprintf(prefix, sizeof(prefix), "%s", field->column);
	}
	source_suggest_consider_fields(search, field->child_kind, prefix);
}

static void source_suggest_consider_fields(struct column_search *search, int kind_number, const char *prefix)
{
	const struct record_kind *kind = record_kind_find(kind_number);
	for (size_t i = 0; i < kind->field_count; i++) {
		const struct record_field *field = &kind->fields[i];
		if (source_suggest_is_header(kind, field))
			source_suggest_consider(search, prefix, field->column);
		else if (field->child_kind && field->column)
			source_suggest_consider_below(search, field);
	}
}

bool order_column_suggest(const char *name, char ret_name[COLUMN_NAME_SIZE])
{
	static const char *const own[] = {"order_key", "service", "carrier", "max_rate", "tracking_code", "piece",
		"generation"};
	char best[COLUMN_NAME_SIZE];
	struct column_search search = {.name = name, .best_distance = SIZE_MAX, .best = best};
	if (strlen(name) >= COLUMN_NAME_SIZE)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		source_suggest_consider(&search, "", own[i]);
	source_suggest_consider_fields(&search, SHIPOPT_RECORD_SHIPMENT, "");
	if (search.best_distance > MAX(strlen(name), strlen(best)) / 2)
		return false;
	memcpy(ret_name, best, sizeof(best));
	return true;
}
