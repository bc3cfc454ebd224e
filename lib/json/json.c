/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "json/json.h"

#include <stdatomic.h>
#include <string.h>

#include "base/memory.h"
#include "json/simdjson_shim.h"

#define CAPACITY_FIRST ((size_t)16 << 10)
#define PLACE_MASK UINT32_MAX
#define COUNT_SHIFT 32
#define COUNT_MASK 0xffffffu /* simdjson's counts stop here */

struct json_document {
	struct json_parser *parser;
	struct json_tape tape;
	const char *source;
	size_t source_length;
	char *copy;       /* the source, if it was copied */
	uint32_t *places; /* of each word in the source; filled when first asked for */
	bool placed;
};

static _Atomic(struct json_parser *) stock[JSON_STOCK];

static struct json_parser *json_stock_take(size_t capacity)
{
	for (size_t i = 0; i < JSON_STOCK && capacity <= JSON_STOCK_CAPACITY; i++) {
		if (!atomic_load_explicit(&stock[i], memory_order_relaxed))
			continue;
		struct json_parser *parser = atomic_exchange(&stock[i], NULL);
		if (parser && json_parser_capacity(parser) >= capacity)
			return parser;
		json_parser_free(parser); /* too small: its successor takes the place */
	}
	return json_parser_new(capacity, JSON_DEPTH_MAX);
}

static void json_stock_put(struct json_parser *parser)
{
	if (parser && json_parser_capacity(parser) > JSON_STOCK_CAPACITY) {
		json_parser_free(parser);
		return;
	}
	for (size_t i = 0; i < JSON_STOCK && parser; i++) {
		struct json_parser *empty = NULL;
		if (atomic_compare_exchange_strong(&stock[i], &empty, parser))
			return;
	}
	json_parser_free(parser);
}

void json_stock_clear(void)
{
	for (size_t i = 0; i < JSON_STOCK; i++)
		json_parser_free(atomic_exchange(&stock[i], NULL));
}

/* The parser wants more room than the input has; powers of two make it likely to fit the next input. */
static size_t json_capacity_for(size_t length)
{
	size_t capacity = CAPACITY_FIRST;
	while (capacity <= length)
		capacity *= 2;
	return capacity;
}

static int json_parse_error(const struct json_document *document, enum json_parse_outcome outcome,
	shipopt_error **ret_error)
{
	switch (outcome) {
	case JSON_PARSE_OK: return 0;
	case JSON_PARSE_NO_MEMORY:
		return error_set(ret_error, SHIPOPT_ENOMEM, "out of memory for a JSON text of %zu bytes",
			document->source_length);
	case JSON_PARSE_NOT_UTF8:
		return error_set(ret_error, SHIPOPT_EENCODING, "JSON text of %zu bytes is not UTF-8",
			document->source_length);
	case JSON_PARSE_TOO_DEEP:
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "JSON text is nested deeper than %d", JSON_DEPTH_MAX);
	case JSON_PARSE_SYNTAX: break;
	}
	return error_set(ret_error, SHIPOPT_EPARSE, "JSON text of %zu bytes: %s", document->source_length,
		document->tape.reason);
}

static int json_json_document_parse(struct json_document *document, shipopt_error **ret_error)
{
	if (document->source_length >= 3 && memcmp(document->source, "\xef\xbb\xbf", 3) == 0) {
		document->source += 3;
		document->source_length -= 3;
	}
	if (document->source_length == 0)
		return error_set(ret_error, SHIPOPT_EPARSE, "JSON text is empty");
	document->parser = json_stock_take(json_capacity_for(document->source_length));
	if (!document->parser)
		return json_parse_error(document, JSON_PARSE_NO_MEMORY, ret_error);
	document->places = json_parser_places(document->parser);
	return json_parse_error(document,
		json_parser_parse(document->parser, document->source, document->source_length, &document->tape),
		ret_error);
}

static int json_document_new(const char *bytes, size_t length, bool copy, json_document **ret_document,
	shipopt_error **ret_error)
{
	if (length > JSON_SIZE_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "JSON text has %zu bytes, the limit is %zu", length,
			JSON_SIZE_MAX);
	json_document *document CLEANUP_JSON = mem_alloc_zero(sizeof(*document));
	if (!document)
		return SHIPOPT_ENOMEM;
	document->source = bytes;
	document->source_length = length;
	if (copy) {
		document->source = document->copy = mem_alloc(length + JSON_PADDING);
		if (!document->copy)
			return SHIPOPT_ENOMEM;
		if (length)
			memcpy(document->copy, bytes, length);
		memset(document->copy + length, 0, JSON_PADDING);
	}
	int r = json_json_document_parse(document, ret_error);
	if (r < 0)
		return r;
	*ret_document = TAKE(document);
	return 0;
}

int json_document_parse(const char *bytes, size_t length, json_document **ret_document, shipopt_error **ret_error)
{
	return json_document_new(bytes, length, true, ret_document, ret_error);
}

int json_document_parse_padded(const char *bytes, size_t length, json_document **ret_document,
	shipopt_error **ret_error)
{
	return json_document_new(bytes, length, false, ret_document, ret_error);
}

void json_document_free(json_document *document)
{
	if (!document)
		return;
	json_stock_put(document->parser);
	mem_free(document->copy);
	mem_free(document);
}

static inline uint64_t json_word_at(const json_document *document, uint32_t place)
{
	return document->tape.words[place];
}

static inline char json_word_tag(uint64_t word)
{
	return (char)(word >> 56);
}

static inline char json_value_tag(struct json_value value)
{
	return value.document ? json_word_tag(json_word_at(value.document, value.place)) : 'n';
}

/* Words that a value which is no container takes. A table, as the order of types is nothing a branch can guess. */
static const uint8_t tag_words[256] = {['"'] = 1, ['t'] = 1, ['f'] = 1, ['n'] = 1, ['l'] = 2, ['u'] = 2, ['d'] = 2};

/* The place behind the value that starts at `place`. */
static inline uint32_t json_place_behind(const json_document *document, uint32_t place)
{
	uint64_t word = json_word_at(document, place);
	uint8_t words = tag_words[word >> 56];
	return words ? place + words : (uint32_t)(word & PLACE_MASK);
}

static const char *json_string_at(const json_document *document, uint32_t place, size_t *ret_length)
{
	const uint8_t *entry = document->tape.strings + (json_word_at(document, place) & (UINT64_MAX >> 8));
	uint32_t length;
	memcpy(&length, entry, sizeof(length));
	*ret_length = length;
	return (const char *)entry + sizeof(length);
}

struct json_value json_root(json_document *document)
{
	return (struct json_value){.document = document, .place = 1};
}

enum json_type json_type(struct json_value value)
{
	static const uint8_t types[256] = {['{'] = JSON_OBJECT,
		['['] = JSON_ARRAY,
		['"'] = JSON_STRING,
		['l'] = JSON_NUMBER,
		['u'] = JSON_NUMBER,
		['d'] = JSON_NUMBER,
		['t'] = JSON_BOOL,
		['f'] = JSON_BOOL};
	return types[(uint8_t)json_value_tag(value)];
}

static void json_iterate(struct json_value value, char tag, struct json_iterator *iterator)
{
	*iterator = (struct json_iterator){.value = value, .is_object = tag == '{'};
	if (json_value_tag(value) != tag)
		return;
	iterator->next = value.place + 1;
	iterator->end = json_place_behind(value.document, value.place) - 1;
}

void json_items(struct json_value array, struct json_iterator *iterator)
{
	json_iterate(array, '[', iterator);
}

void json_members(struct json_value object, struct json_iterator *iterator)
{
	json_iterate(object, '{', iterator);
}

bool json_next(struct json_iterator *iterator)
{
	if (iterator->next == iterator->end)
		return false;
	if (iterator->is_object)
		iterator->key = json_string_at(iterator->value.document, iterator->next++, &iterator->key_length);
	iterator->value.place = iterator->next;
	iterator->next = json_place_behind(iterator->value.document, iterator->next);
	return true;
}

bool json_get(struct json_value value, const char *key, struct json_value *ret_value)
{
	struct json_iterator iterator;
	size_t length = strlen(key);
	for (json_members(value, &iterator); json_next(&iterator);) {
		if (iterator.key_length != length || memcmp(iterator.key, key, length) != 0)
			continue;
		*ret_value = iterator.value;
		return true;
	}
	return false;
}

bool json_get2(struct json_value value, const char *key, const char *key2, struct json_value *ret_value)
{
	return json_get(value, key, &value) && json_get(value, key2, ret_value);
}

bool json_text(struct json_value value, const char **ret_text, size_t *ret_length)
{
	if (json_value_tag(value) != '"')
		return false;
	size_t length;
	*ret_text = json_string_at(value.document, value.place, &length);
	if (ret_length)
		*ret_length = length;
	return true;
}

const char *json_get_text(struct json_value value, const char *key)
{
	const char *text = NULL;
	return json_get(value, key, &value) && json_text(value, &text, NULL) ? text : NULL;
}

bool json_bool(struct json_value value, bool *ret_value)
{
	char tag = json_value_tag(value);
	if (tag != 't' && tag != 'f')
		return false;
	*ret_value = tag == 't';
	return true;
}

bool json_i64(struct json_value value, int64_t *ret_value)
{
	if (json_value_tag(value) != 'l')
		return false;
	*ret_value = (int64_t)json_word_at(value.document, value.place + 1);
	return true;
}

size_t json_count(struct json_value value)
{
	char tag = json_value_tag(value);
	if (tag != '[' && tag != '{')
		return 0;
	size_t count = (json_word_at(value.document, value.place) >> COUNT_SHIFT) & COUNT_MASK;
	if (count < COUNT_MASK)
		return count;
	struct json_iterator iterator;
	json_iterate(value, tag, &iterator);
	for (count = 0; json_next(&iterator);)
		count++;
	return count;
}

/*
 * Every value and closing bracket on the tape has its structural; commas and colons have nothing on the tape, numbers
 * two words. All of that is told by the source's byte, without a look at the tape, so that the loop's only
 * dependency from round to round is an addition.
 */
static void json_document_place(json_document *document)
{
	static const uint8_t words[256] = {[','] = 0,
		[':'] = 0,
		['{'] = 1,
		['}'] = 1,
		['['] = 1,
		[']'] = 1,
		['"'] = 1,
		['t'] = 1,
		['f'] = 1,
		['n'] = 1,
		['-'] = 2,
		['0'] = 2,
		['1'] = 2,
		['2'] = 2,
		['3'] = 2,
		['4'] = 2,
		['5'] = 2,
		['6'] = 2,
		['7'] = 2,
		['8'] = 2,
		['9'] = 2};
	const struct json_tape *tape = &document->tape;
	const char *source = document->source;
	uint32_t *places = document->places, place = 1;
	for (uint32_t i = 0; i < tape->structural_count; i++) {
		uint32_t offset = tape->structurals[i];
		places[place] = offset; /* a separator's is overwritten by what follows it */
		place += words[(uint8_t)source[offset]];
	}
	document->placed = true;
}

static size_t json_number_length(const char *begin, const char *end)
{
	const char *p = begin;
	while (p < end && ((*p >= '0' && *p <= '9') || *p == '-' || *p == '+' || *p == '.' || *p == 'e' || *p == 'E'))
		p++;
	return (size_t)(p - begin);
}

/* With both quotes. */
static size_t json_string_length(const char *begin, const char *end)
{
	const char *p = begin + 1;
	while (p < end && *p != '"')
		p += *p == '\\' ? 2 : 1;
	return (size_t)(p - begin) + 1;
}

static size_t json_source_length(const json_document *document, uint32_t place, const char *begin)
{
	const char *end = document->source + document->source_length;
	switch (json_word_tag(json_word_at(document, place))) {
	case '{':
	case '[': return document->places[json_place_behind(document, place) - 1] - document->places[place] + 1;
	case '"': return json_string_length(begin, end);
	case 'f': return sizeof("false") - 1;
	case 't':
	case 'n': return sizeof("true") - 1;
	default: return json_number_length(begin, end);
	}
}

bool json_source(struct json_value value, const char **ret_bytes, size_t *ret_length)
{
	if (!value.document)
		return false;
	if (!value.document->placed)
		json_document_place(value.document);
	const char *begin = value.document->source + value.document->places[value.place];
	*ret_length = json_source_length(value.document, value.place, begin);
	*ret_bytes = begin;
	return true;
}
