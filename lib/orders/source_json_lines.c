/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"
#include "orders/source.h"
#include "orders/source_columns.h"
#include "orders/source_config.h"
#include "orders/source_table.h"
#include "json/json.h"
#include "record/record.h"

/* JSON lines: each row is one line with one object. There is no header, so an empty file has no orders and is not an
 * error. */
struct json_lines_source {
	shipopt_source source;
	struct row_reader rows;
	size_t members_max;
	int64_t count;
};

static struct json_lines_source *lines_of(shipopt_source *source)
{
	return CONTAINER_OF(source, struct json_lines_source, source);
}

/* Gives the text that a cell of a CSV file would have: strings, numbers and booleans as they are written; nothing for
 * null. */
static int source_json_lines_member_text(const struct json_iterator *member, char **ret_text, shipopt_error **ret_error)
{
	const char *begin = "";
	size_t length = 0;
	switch (json_type(member->value)) {
	case JSON_STRING: json_text(member->value, &begin, &length); break;
	case JSON_NUMBER:
	case JSON_BOOL: json_source(member->value, &begin, &length); break;
	case JSON_NULL: break;
	default:
		return error_set(ret_error, SHIPOPT_EPARSE,
			"column \"%s\" is an object or a list, not a text or number", UNICODE_SHOWN(member->key));
	}
	if (memchr(begin, '\0', length))
		return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\" has a NUL character in its text",
			UNICODE_SHOWN(member->key));
	unicode_trim(&begin, &length);
	*ret_text = mem_copy_bytes(begin, length);
	return *ret_text ? 0 : SHIPOPT_ENOMEM;
}

/* 1001, 1001.0 and 1.001e3 are one number but three texts. So a number is a key only if it is a plain integer. */
static int source_json_lines_member_check_key(const struct json_iterator *member, shipopt_error **ret_error)
{
	enum json_type type = json_type(member->value);
	const char *token = "";
	size_t length = 0, at = 0;
	if (type != JSON_NUMBER && type != JSON_BOOL)
		return 0;
	json_source(member->value, &token, &length);
	at += length > 1 && token[0] == '-' && token[1] != '0';
	while (at < length && token[at] >= '0' && token[at] <= '9')
		at++;
	return at == length
		? 0
		: error_set(ret_error, SHIPOPT_EPARSE, "column \"order_key\": %.*s is not a text or a plain integer",
			  (int)MIN(length, (size_t)64), token);
}

static int source_json_lines_member_fill(const struct json_iterator *member, shipopt_order *order,
	shipopt_error **ret_error)
{
	char *name CLEANUP_FREE = mem_copy_text(member->key), *text CLEANUP_FREE = NULL;
	enum column_kind kind;
	if (!name)
		return SHIPOPT_ENOMEM;
	int r = order_column_find(name, &kind, ret_error);
	r = r < 0 || kind != COLUMN_ORDER_KEY ? r : source_json_lines_member_check_key(member, ret_error);
	r = r < 0 ? r : source_json_lines_member_text(member, &text, ret_error);
	return r < 0 ? r : order_column_set(order, kind, name, text, ret_error);
}

static bool source_json_lines_is_shipment(const struct json_iterator *member)
{
	return text_equal(member->key, "shipment");
}

/* With two members of one name it would be unclear which of them counts. */
static int source_json_lines_check_members(struct json_value root, size_t members_max, shipopt_error **ret_error)
{
	struct json_iterator a, b;
	if (json_count(root) > members_max)
		return error_set(ret_error, SHIPOPT_ETOOLARGE,
			"the line has %zu members, the limit is %zu (setting columns_max)", json_count(root),
			members_max);
	for (json_members(root, &a); json_next(&a);) {
		if (strlen(a.key) != a.key_length)
			return error_set(ret_error, SHIPOPT_EPARSE, "the name of a member has a NUL character");
		for (b = a; json_next(&b);)
			if (a.key_length == b.key_length && text_equal_ignore_case(a.key, b.key))
				return error_set(ret_error, SHIPOPT_EPARSE, "column \"%s\" is given twice",
					UNICODE_SHOWN(a.key));
	}
	return 0;
}

/* The shipment is read first, so that the other members can add to it, whatever their order. */
static int source_json_lines_fill_shipment(struct json_value root, shipopt_order *order, shipopt_error **ret_error)
{
	struct json_value value;
	if (!json_get(root, "shipment", &value) || json_type(value) == JSON_NULL)
		return 0;
	int r = record_decode_value(SHIPOPT_RECORD_SHIPMENT, value, &order->shipment);
	if (r < 0 && r != SHIPOPT_ENOMEM)
		return error_set(ret_error, r, "column \"shipment\": %s",
			json_type(value) == JSON_OBJECT ? shipopt_error_description(r) : "not an object");
	char path[RECORD_PATH_SIZE];
	size_t bytes = r == 0 ? record_find_dropped(order->shipment, path) : 0;
	if (bytes)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "column \"shipment\": %s has %zu bytes, the limit is %d",
			path, bytes, RECORD_TEXT_MAX);
	return r;
}

static int source_json_lines_fill_key(struct json_value root, shipopt_order *order)
{
	struct json_iterator member;
	for (json_members(root, &member); json_next(&member);) {
		char *text CLEANUP_FREE = NULL;
		if (!text_equal_ignore_case(member.key, "order_key"))
			continue;
		int r = source_json_lines_member_text(&member, &text, NULL);
		r = r < 0 ? r : shipopt_order_set_key(order, text, NULL);
		return r == SHIPOPT_ENOMEM ? r : 0;
	}
	return 0;
}

static int source_json_lines_fill_order(struct json_value root, size_t members_max, shipopt_order *order,
	shipopt_error **ret_error)
{
	struct json_iterator member;
	if (json_type(root) != JSON_OBJECT)
		return error_set(ret_error, SHIPOPT_EPARSE, "the line is not a JSON object");
	int r = source_json_lines_fill_key(root, order);
	r = r < 0 ? r : source_json_lines_check_members(root, members_max, ret_error);
	r = r < 0 ? r : source_json_lines_fill_shipment(root, order, ret_error);
	for (json_members(root, &member); r == 0 && json_next(&member);)
		if (!source_json_lines_is_shipment(&member))
			r = source_json_lines_member_fill(&member, order, ret_error);
	if (r == 0 && !order->key)
		r = error_set(ret_error, SHIPOPT_EPARSE, "column \"order_key\" is missing or empty");
	return r;
}

static int source_json_lines_line_fill(struct json_lines_source *lines, shipopt_order *order, shipopt_error **ret_error)
{
	json_document *document CLEANUP_JSON = NULL;
	int r = row_check(&lines->rows, NULL, 0, ret_error);
	if (r == 0)
		r = json_document_parse(buffer_text(&lines->rows.text), lines->rows.cells[0].length, &document,
			ret_error);
	return r < 0 ? r : source_json_lines_fill_order(json_root(document), lines->members_max, order, ret_error);
}

static int json_lines_next(shipopt_source *source, shipopt_order **ret_order, shipopt_error **ret_error)
{
	struct json_lines_source *lines = lines_of(source);
	int r = row_reader_next(&lines->rows, ret_error);
	lines->count += r > 0;
	atomic_store(&source->expected, row_reader_expected(&lines->rows, lines->count, 0, r == 0));
	if (r <= 0)
		return r;
	shipopt_order *order = NULL;
	shipopt_error *error = NULL;
	r = row_order_begin(&lines->rows, &order);
	r = r < 0 ? r : source_json_lines_line_fill(lines, order, &error);
	return row_order_end(&lines->rows, r, error, order, ret_order);
}

static void json_lines_destroy(shipopt_source *source)
{
	row_reader_close(&lines_of(source)->rows);
}

static const struct source_class json_lines_class = {.next = json_lines_next, .destroy = json_lines_destroy};

int json_lines_source_open(const char *path, size_t block_bytes, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error)
{
	if (!path || !ret_source)
		return error_set(ret_error, SHIPOPT_EINVAL, "source: path and ret_source must not be NULL");
	shipopt_source *source = NULL;
	int r = source_new(&json_lines_class, sizeof(struct json_lines_source), &source);
	if (r < 0)
		return r;
	struct json_lines_source *lines = lines_of(source);
	lines->members_max = (size_t)source_config_number(config, SOURCE_COLUMNS_MAX);
	r = row_reader_open(&lines->rows, path, FORMAT_LINES, block_bytes, config, ret_error);
	if (r < 0) {
		mem_free(source);
		return r;
	}
	*ret_source = source;
	return 0;
}

int shipopt_source_open_json_lines(const char *path, const shipopt_source_config *config, shipopt_source **ret_source,
	shipopt_error **ret_error)
{
	return json_lines_source_open(path, FILE_BLOCK_BYTES, config, ret_source, ret_error);
}
