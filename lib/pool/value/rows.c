/* SPDX-License-Identifier: MIT */
#include "pool/value/rows.h"

#include <string.h>

#include "base/text.h"
#include "pool/value/type.h"

int rows_value(const struct shipopt_rows *rows, size_t row, size_t column, struct column_value *ret_value)
{
	if (!rows || row >= shipopt_rows_count(rows) || column >= shipopt_rows_column_count(rows))
		return SHIPOPT_EINVAL;
	struct column_value value = {
		.type = PQftype(rows->result, (int)column),
		.is_binary = PQfformat(rows->result, (int)column) == 1,
	};
	if (rows->is_packed) {
		const struct packed_value *packed = &rows->values[row * shipopt_rows_column_count(rows) + column];
		if (packed->length < 0)
			return 0;
		value.bytes = rows->bytes + packed->offset;
		value.length = (size_t)packed->length;
	} else {
		if (PQgetisnull(rows->result, (int)row, (int)column))
			return 0;
		value.bytes = PQgetvalue(rows->result, (int)row, (int)column);
		value.length = (size_t)PQgetlength(rows->result, (int)row, (int)column);
	}
	*ret_value = value;
	return 1;
}

size_t shipopt_rows_count(const shipopt_rows *rows)
{
	if (!rows)
		return 0;
	return rows->is_packed ? rows->packed_count : rows->result ? (size_t)PQntuples(rows->result) : 0;
}

size_t shipopt_rows_column_count(const shipopt_rows *rows)
{
	return rows && rows->result ? (size_t)PQnfields(rows->result) : 0;
}

const char *shipopt_rows_column_name(const shipopt_rows *rows, size_t column)
{
	return column < shipopt_rows_column_count(rows) ? PQfname(rows->result, (int)column) : NULL;
}

uint32_t shipopt_rows_column_type(const shipopt_rows *rows, size_t column)
{
	return column < shipopt_rows_column_count(rows) ? PQftype(rows->result, (int)column) : 0;
}

int shipopt_rows_find_column(const shipopt_rows *rows, const char *name)
{
	if (!rows || !name)
		return SHIPOPT_EINVAL;
	for (size_t i = 0; i < shipopt_rows_column_count(rows); i++)
		if (strcmp(PQfname(rows->result, (int)i), name) == 0)
			return (int)i;
	return SHIPOPT_ENOTFOUND;
}

int64_t shipopt_rows_affected(const shipopt_rows *rows)
{
	int64_t count = 0;
	if (!rows || !rows->result || text_parse_i64(PQcmdTuples(rows->result), &count) < 0)
		return (int64_t)shipopt_rows_count(rows);
	return count;
}

int shipopt_rows_is_null(const shipopt_rows *rows, size_t row, size_t column)
{
	struct column_value value;
	return rows_value(rows, row, column, &value) != 1;
}

const char *shipopt_rows_text(const shipopt_rows *rows, size_t row, size_t column)
{
	struct column_value value;
	return rows_value(rows, row, column, &value) == 1 ? value.bytes : NULL;
}

size_t shipopt_rows_length(const shipopt_rows *rows, size_t row, size_t column)
{
	struct column_value value;
	return rows_value(rows, row, column, &value) == 1 ? value.length : 0;
}

/* Every typed getter: fetch, tell null apart, read. */
#define GETTER(reader, ...)                            \
	struct column_value value;                     \
	int r = rows_value(rows, row, column, &value); \
	return r <= 0 ? r : reader(&value, __VA_ARGS__)

int shipopt_rows_int(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_value)
{
	GETTER(value_int, ret_value);
}

int shipopt_rows_float(const shipopt_rows *rows, size_t row, size_t column, double *ret_value)
{
	GETTER(value_float, ret_value);
}

int shipopt_rows_decimal(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_millionths)
{
	GETTER(value_numeric, ret_millionths);
}

int shipopt_rows_bool(const shipopt_rows *rows, size_t row, size_t column, int *ret_value)
{
	GETTER(value_bool, ret_value);
}

int shipopt_rows_time_us(const shipopt_rows *rows, size_t row, size_t column, int64_t *ret_unix_us)
{
	GETTER(value_timestamp, ret_unix_us);
}

int shipopt_rows_uuid(const shipopt_rows *rows, size_t row, size_t column, unsigned char ret_uuid[16])
{
	GETTER(value_uuid, ret_uuid);
}

int shipopt_rows_bytes(const shipopt_rows *rows, size_t row, size_t column, void *buffer, size_t size,
	size_t *ret_length)
{
	GETTER(value_bytes, buffer, size, ret_length);
}

int shipopt_rows_json(const shipopt_rows *rows, size_t row, size_t column, const char **ret_json)
{
	struct column_value value;
	int r = rows_value(rows, row, column, &value);
	if (r <= 0)
		return r;
	if (value.type != TYPE_JSON && value.type != TYPE_JSONB)
		return SHIPOPT_ETYPE;
	/* Binary jsonb is a version byte, which is 1, and the text. */
	bool has_version = value.is_binary && value.type == TYPE_JSONB;
	if (has_version && (value.length == 0 || value.bytes[0] != 1))
		return SHIPOPT_EPARSE;
	*ret_json = value.bytes + has_version;
	return 1;
}
