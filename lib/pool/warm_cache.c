/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <shipopt/warm.h>

#include "base/memory.h"
#include "cache/options.h"
#include "pool/core/pool.h"
#include "pool/stream/stream_op.h"
#include "pool/value/rows.h"
#include "pool/value/type.h"
#include "runtime/runtime.h"

/* Fills a cache from a stream, row by row, on the thread of the caller. */
struct warm_filling {
	shipopt_cache *cache;
	shipopt_cache_options options; /* of the row */
	int64_t ttl_ms;                /* of the call's options */
	uint64_t stored;
	shipopt_error **ret_error;
};

/* Bytes of a column; `owned` must be freed. */
struct warm_bytes {
	const char *bytes;
	size_t length;
	char *owned;
};

static int warm_cache_decode_bytea(const struct column_value *value, struct warm_bytes *span)
{
	size_t size = value->length / 2;
	span->owned = mem_alloc(MAX(1, size));
	if (!span->owned)
		return SHIPOPT_ENOMEM;
	span->bytes = span->owned;
	return value_bytes(value, span->owned, size, &span->length);
}

/* 1, 0 for null, or an error. */
static int warm_cache_read_span(const shipopt_rows *rows, size_t row, size_t column, struct warm_bytes *span)
{
	struct column_value value;
	*span = (struct warm_bytes){0};
	int r = rows_value(rows, row, column, &value);
	if (r <= 0)
		return r;
	if (value.type == TYPE_BYTEA && !value.is_binary)
		return warm_cache_decode_bytea(&value, span);
	bool has_version = value.type == TYPE_JSONB && value.is_binary;
	if (has_version && (value.length == 0 || value.bytes[0] != 1))
		return SHIPOPT_EPARSE;
	span->bytes = value.bytes + has_version;
	span->length = value.length - has_version;
	return 1;
}

static bool warm_cache_is_text_like(uint32_t type)
{
	return type == TYPE_TEXT || type == TYPE_VARCHAR || type == TYPE_BPCHAR || type == TYPE_JSON ||
		type == TYPE_JSONB || type == TYPE_BYTEA;
}

static int warm_cache_check_columns(const shipopt_rows *rows, shipopt_error **ret_error)
{
	size_t count = shipopt_rows_column_count(rows);
	if (count < 2)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"warming a cache: the query has %zu columns, not a key and a value", count);
	for (size_t i = 0; i < 2; i++)
		if (!warm_cache_is_text_like(shipopt_rows_column_type(rows, i)))
			return error_set(ret_error, SHIPOPT_ETYPE,
				"warming a cache: column %zu has type %u, not text, json, jsonb or bytea", i + 1,
				shipopt_rows_column_type(rows, i));
	return 0;
}

/* 1, 0 for a row whose time has passed already, or an error. */
static int warm_cache_read_ttl(struct warm_filling *filling, const shipopt_rows *rows, size_t row)
{
	int64_t ttl_ms;
	filling->options.ttl_ms = filling->ttl_ms;
	if (shipopt_rows_column_count(rows) < 3 || shipopt_rows_is_null(rows, row, 2))
		return 1;
	int r = shipopt_rows_int(rows, row, 2, &ttl_ms);
	if (r < 0)
		return error_set(filling->ret_error, r, "warming a cache: column 3 is no number of milliseconds");
	filling->options.ttl_ms = ttl_ms;
	return ttl_ms > 0;
}

static int warm_cache_store(struct warm_filling *filling, const struct warm_bytes *key, const struct warm_bytes *value)
{
	int r = value->bytes ? shipopt_cache_put(filling->cache, key->bytes, key->length, value->bytes, value->length,
				       &filling->options)
			     : shipopt_cache_put_not_found(filling->cache, key->bytes, key->length, &filling->options);
	if (r == 0)
		filling->stored++;
	return r == SHIPOPT_EINVAL || r == SHIPOPT_ETOOLARGE ? 0 : r;
}

static int warm_cache_take_row(struct warm_filling *filling, const shipopt_rows *rows, size_t row)
{
	struct warm_bytes key = {0}, value = {0};
	int r = warm_cache_read_ttl(filling, rows, row);
	r = r <= 0 ? r : warm_cache_read_span(rows, row, 0, &key);
	if (r > 0) {
		r = warm_cache_read_span(rows, row, 1, &value);
		r = r < 0 ? r : warm_cache_store(filling, &key, &value);
	}
	mem_free(key.owned);
	mem_free(value.owned);
	return r;
}

static int warm_cache_take_all(struct warm_filling *filling, shipopt_stream *stream)
{
	const shipopt_rows *rows;
	int r;
	while ((r = shipopt_stream_next(stream, -1, &rows)) == 1) {
		r = warm_cache_check_columns(rows, filling->ret_error);
		for (size_t i = 0; r >= 0 && i < shipopt_rows_count(rows); i++)
			r = warm_cache_take_row(filling, rows, i);
		if (r < 0)
			break;
	}
	return r;
}

int shipopt_pool_warm_cache(shipopt_pool *pool, const shipopt_query *query, shipopt_cache *cache,
	const shipopt_cache_options *options, uint64_t *ret_stored, shipopt_error **ret_error)
{
	int r = pool && query ? cache_check_handle(cache) : SHIPOPT_EINVAL;
	if (r < 0)
		return error_set(ret_error, r, "warming a cache: pool, query and cache must not be NULL");
	if (runtime_is_library_thread())
		return error_set(ret_error, SHIPOPT_EDEADLK, "warming a cache: a thread of the library cannot wait");
	shipopt_error *error = NULL;
	struct warm_filling filling = {.cache = cache, .ret_error = ret_error ? &error : NULL};
	if (options)
		filling.options = *options;
	else
		options_init(&filling.options);
	filling.ttl_ms = filling.options.ttl_ms;
	shipopt_stream *stream;
	shipopt_op *op;
	r = stream_run_query(pool, NULL, query, false, &stream, NULL, NULL, &op);
	if (r < 0)
		return r;
	r = stream ? warm_cache_take_all(&filling, stream) : 0;
	shipopt_stream_free(stream);
	/* A failure of the query is in both, a failure of this file in `r` alone. */
	int status = shipopt_op_wait(op, -1);
	r = stream ? r : status;
	if (r < 0 && status == r && ret_error && !error && shipopt_op_error(op))
		error = shipopt_error_ref(shipopt_op_error(op));
	shipopt_op_unref(op);
	if (error)
		*ret_error = error;
	if (ret_stored)
		*ret_stored = filling.stored;
	return r;
}
