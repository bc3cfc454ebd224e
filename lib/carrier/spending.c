/* SPDX-License-Identifier: MIT */
#include "carrier/spending.h"

#include <string.h>

#include "base/macro.h"
#include "base/text.h"
#include "json/json.h"

static int spending_digit(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

/* The next character of a path, decoded. */
static char spending_next_character(const char **path)
{
	const char *p = *path;
	int high = *p == '%' ? spending_digit(p[1]) : -1, low = high >= 0 ? spending_digit(p[2]) : -1;
	*path = p + (low >= 0 ? 3 : 1);
	return low >= 0 ? (char)(high * 16 + low) : *p;
}

/* Whether the segment that begins at `path` is this word, with or without an extension. */
static bool spending_segment_is(const char *path, const char *word)
{
	while (*word)
		if (spending_next_character(&path) != *word++)
			return false;
	return strchr("/?.", *path) != NULL;
}

static bool spending_in_path(const char *path)
{
	static const char *const words[] = {"buy", "create_and_buy", "luma", "insure", "insurances", "charges"};
	for (size_t end = strcspn(path, "?"), i = 0; i < end; i++)
		for (size_t j = 0; path[i] == '/' && j < ARRAY_SIZE(words); j++)
			if (spending_segment_is(path + i + 1, words[j]))
				return true;
	return false;
}

/* Neither null, blank nor zero. */
static bool spending_is_wanted(struct json_value value)
{
	const char *text;
	size_t length;
	int64_t number;
	enum json_type type = json_type(value);
	if (type == JSON_NULL)
		return false;
	if (type == JSON_STRING ? !json_text(value, &text, &length) : !json_source(value, &text, &length))
		return true;
	text_trim(&text, &length);
	return length > 0 && (decimal_parse(text, length, &number) < 0 || number != 0);
}

static bool spending_is_one_of(const char *key, const char *const *keys, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (text_equal(key, keys[i]))
			return true;
	return false;
}

/* Examines every member: of two with the same name, the API may read either. */
static bool spending_in_object(struct json_value value)
{
	static const char *const spending[] = {"service", "insurance"};
	static const char *const inside[] = {"shipment", "shipments", "order", "batch"};
	struct json_iterator it;
	for (json_items(value, &it); json_next(&it);)
		if (spending_in_object(it.value))
			return true;
	for (json_members(value, &it); json_next(&it);) {
		if (spending_is_one_of(it.key, spending, ARRAY_SIZE(spending)) && spending_is_wanted(it.value))
			return true;
		if (spending_is_one_of(it.key, inside, ARRAY_SIZE(inside)) && spending_in_object(it.value))
			return true;
	}
	return false;
}

int spending_find(const char *path, const char *json)
{
	json_document *document CLEANUP_JSON = NULL;
	if (spending_in_path(path))
		return 1;
	if (text_is_empty(json))
		return 0;
	int r = json_document_parse(json, strlen(json), &document, NULL);
	if (r == SHIPOPT_ENOMEM)
		return r;
	return r < 0 || spending_in_object(json_root(document));
}
