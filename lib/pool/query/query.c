/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/query/query.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

static int query_sql_text_new(const char *sql, struct sql_text **ret_text, shipopt_error **ret_error)
{
	char hex[HASH_HEX_SIZE];
	size_t length = strlen(sql);
	size_t place = 0;
	if (length == 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "the text of a statement is empty");
	if (length > QUERY_SQL_BYTES_MAX)
		return error_set(ret_error, SHIPOPT_ETOOLARGE,
			"the text of a statement has %zu bytes, the maximum is %zu", length, QUERY_SQL_BYTES_MAX);
	if (!text_is_utf8(sql, length, &place))
		return error_set(ret_error, SHIPOPT_EENCODING, "the text of a statement is not UTF-8 at byte %zu",
			place);
	int r = hash_sha256_hex(sql, length, hex);
	if (r < 0)
		return r;
	struct sql_text *text = mem_alloc(sizeof(*text) + length + 1);
	if (!text)
		return SHIPOPT_ENOMEM;
	reference_init(&text->reference);
	for (size_t i = 0; i < 2; i++) {
		char part[17];
		memcpy(part, hex + 16 * i, 16);
		part[16] = '\0';
		text->key[i] = strtoull(part, NULL, 16);
	}
	text->marks = sql_read_marks(sql);
	text->length = length;
	memcpy(text->text, sql, length + 1);
	*ret_text = text;
	return 0;
}

int query_init(struct shipopt_query *query, const char *sql, shipopt_error **ret_error)
{
	struct sql_text *text = NULL;
	int r = query_sql_text_new(sql, &text, ret_error);
	if (r == 0)
		*query = (struct shipopt_query){.sql = text, .timeout_ms = -1};
	return r;
}

int query_init_copy(struct shipopt_query *query, const char *sql, unsigned mark, shipopt_error **ret_error)
{
	int r = query_init(query, sql, ret_error);
	if (r < 0 || (query->sql->marks & mark))
		return r;
	query_done(query);
	return error_set(ret_error, SHIPOPT_EINVAL, "the statement is not a COPY %s",
		mark == SQL_COPY_IN ? "from STDIN" : "to STDOUT");
}

int query_check(const struct shipopt_query *query, shipopt_error **ret_error)
{
	if (query->bind_status == 0)
		return 0;
	return error_set(ret_error, query->bind_status, "value $%zu could not be bound: %s", query->bind_number,
		shipopt_error_description(query->bind_status));
}

void query_done(struct shipopt_query *query)
{
	struct sql_text *text = TAKE(query->sql);
	if (text && reference_drop(&text->reference))
		mem_free(text);
	mem_free(TAKE(query->parameters));
	mem_free(TAKE(query->bytes));
}

int query_copy(struct shipopt_query *to, const struct shipopt_query *from)
{
	*to = *from;
	to->parameters = from->count ? mem_alloc(from->count * sizeof(*to->parameters)) : NULL;
	to->bytes = from->length ? mem_alloc(from->length) : NULL;
	to->capacity = from->count;
	to->room = from->length;
	reference_take(&to->sql->reference);
	if ((from->count && !to->parameters) || (from->length && !to->bytes)) {
		query_done(to);
		return SHIPOPT_ENOMEM;
	}
	if (from->count)
		memcpy(to->parameters, from->parameters, from->count * sizeof(*to->parameters));
	if (from->length)
		memcpy(to->bytes, from->bytes, from->length);
	return 0;
}

static int query_reserve_parameter(struct shipopt_query *query)
{
	if (query->count == QUERY_VALUES_MAX)
		return SHIPOPT_ETOOLARGE;
	if (query->count < query->capacity)
		return 0;
	size_t capacity = query->capacity ? query->capacity * 2 : 8;
	struct query_parameter *grown = mem_realloc(query->parameters, capacity * sizeof(*grown));
	if (!grown)
		return SHIPOPT_ENOMEM;
	query->parameters = grown;
	query->capacity = capacity;
	return 0;
}

static int query_reserve_bytes(struct shipopt_query *query, size_t length)
{
	if (length > QUERY_VALUE_BYTES_MAX || query->length > QUERY_VALUE_BYTES_MAX - length)
		return SHIPOPT_ETOOLARGE;
	size_t needed = query->length + length;
	if (needed <= query->room)
		return 0;
	size_t room = MAX(needed, MAX(query->room * 2, (size_t)64));
	char *grown = mem_realloc(query->bytes, room);
	if (!grown)
		return SHIPOPT_ENOMEM;
	query->bytes = grown;
	query->room = room;
	return 0;
}

int query_add(struct shipopt_query *query, Oid type, int format, size_t length, char **ret_bytes)
{
	int r = query_reserve_parameter(query);
	r = r < 0 ? r : query_reserve_bytes(query, length);
	if (r < 0)
		return r;
	query->parameters[query->count++] =
		(struct query_parameter){.type = type, .format = format, .offset = query->length, .length = length};
	*ret_bytes = query->bytes + query->length;
	query->length += length;
	return 0;
}

/* ---- public -------------------------------------------------------------------------------------------------- */

int shipopt_query_new(const char *sql, shipopt_query **ret_query, shipopt_error **ret_error)
{
	if (!sql || !ret_query)
		return error_set(ret_error, SHIPOPT_EINVAL, "query: sql and ret_query must not be NULL");
	shipopt_query *query = mem_alloc_zero(sizeof(*query));
	int r = query ? query_init(query, sql, ret_error) : SHIPOPT_ENOMEM;
	if (r == 0 && query->sql->marks & (SQL_COPY_IN | SQL_COPY_OUT)) {
		query_done(query);
		r = error_set(ret_error, SHIPOPT_EINVAL,
			"a query cannot be a COPY from STDIN or to STDOUT: use shipopt_lease_copy_in() or _copy_out()");
	}
	if (r < 0) {
		mem_free(query);
		return r;
	}
	*ret_query = query;
	return 0;
}

void shipopt_query_free(shipopt_query *query)
{
	if (!query)
		return;
	query_done(query);
	mem_free(query);
}

int shipopt_query_clear(shipopt_query *query)
{
	if (!query)
		return SHIPOPT_EINVAL;
	query->count = 0;
	query->length = 0;
	query->bind_status = 0;
	return 0;
}

int shipopt_query_set_timeout_ms(shipopt_query *query, int64_t timeout_ms)
{
	if (!query || timeout_ms < -1 || timeout_ms > 86400000)
		return SHIPOPT_EINVAL;
	query->timeout_ms = timeout_ms;
	return 0;
}

#define FLAG_SETTER(name, member, when)                               \
	int shipopt_query_set_##name(shipopt_query *query, int value) \
	{                                                             \
		if (!query)                                           \
			return SHIPOPT_EINVAL;                        \
		query->member = (value != 0) == (when);               \
		return 0;                                             \
	}
FLAG_SETTER(binary, is_binary, true)
FLAG_SETTER(read_only, is_read_only, true)
FLAG_SETTER(named, is_unnamed, false)
