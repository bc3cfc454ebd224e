/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "pool/query/query.h"
#include "pool/value/type.h"

/* Values in the binary forms of PostgreSQL, as its …send and …recv functions write and read them: big-endian. */

/* 4714-11-24 BC, the first day of the type date, in days since 2000-01-01. */
#define DATE_DAYS_MIN (-2451545)

/* Keeps the first bind that fails, and returns its result. */
static int parameter_note(shipopt_query *query, int r)
{
	if (r < 0 && query && query->bind_status == 0) {
		query->bind_status = r;
		query->bind_number = query->count + 1;
	}
	return r;
}

static void parameter_put(char **bytes, uint64_t value, int width)
{
	for (int i = width - 1; i >= 0; i--)
		*(*bytes)++ = (char)(value >> (8 * i));
}

static int parameter_bind_word(shipopt_query *query, Oid type, uint64_t value, int width)
{
	char *bytes;
	int r = query ? query_add(query, type, 1, (size_t)width, &bytes) : SHIPOPT_EINVAL;
	if (r == 0)
		parameter_put(&bytes, value, width);
	return r;
}

static int parameter_bind_copy(shipopt_query *query, Oid type, int format, const void *value, size_t length)
{
	char *bytes;
	int r = query_add(query, type, format, length + 1, &bytes);
	if (r < 0)
		return r;
	if (length)
		memcpy(bytes, value, length);
	bytes[length] = '\0'; /* libpq takes the length of text values itself */
	query->parameters[query->count - 1].length = length;
	return 0;
}

static int parameter_bind_checked_text(shipopt_query *query, Oid type, const char *text)
{
	if (!query)
		return SHIPOPT_EINVAL;
	if (!text)
		return shipopt_query_bind_null(query);
	size_t length = strlen(text);
	return text_is_utf8(text, length, NULL) ? parameter_bind_copy(query, type, 0, text, length) : SHIPOPT_EENCODING;
}

int shipopt_query_bind_null(shipopt_query *query)
{
	char *bytes;
	int r = query ? query_add(query, 0, 0, 0, &bytes) : SHIPOPT_EINVAL;
	if (r == 0)
		query->parameters[query->count - 1].offset = SIZE_MAX;
	return parameter_note(query, r);
}

int shipopt_query_bind_text(shipopt_query *query, const char *text)
{
	return parameter_note(query, parameter_bind_checked_text(query, 0, text));
}

int shipopt_query_bind_json(shipopt_query *query, const char *json)
{
	return parameter_note(query, parameter_bind_checked_text(query, TYPE_JSONB, json));
}

int shipopt_query_bind_int(shipopt_query *query, int64_t value)
{
	return parameter_note(query, parameter_bind_word(query, TYPE_INT8, (uint64_t)value, 8));
}

int shipopt_query_bind_float(shipopt_query *query, double value)
{
	uint64_t word;
	memcpy(&word, &value, sizeof(word));
	return parameter_note(query, parameter_bind_word(query, TYPE_FLOAT8, word, 8));
}

int shipopt_query_bind_bool(shipopt_query *query, int value)
{
	return parameter_note(query, parameter_bind_word(query, TYPE_BOOL, value != 0, 1));
}

int shipopt_query_bind_decimal(shipopt_query *query, int64_t millionths)
{
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(millionths, 0, text);
	return parameter_note(query, parameter_bind_checked_text(query, TYPE_NUMERIC, text));
}

int shipopt_query_bind_time_us(shipopt_query *query, int64_t unix_us)
{
	int64_t value;
	if (__builtin_sub_overflow(unix_us, POSTGRES_EPOCH_US, &value))
		return parameter_note(query, SHIPOPT_EINVAL);
	return parameter_note(query, parameter_bind_word(query, TYPE_TIMESTAMPTZ, (uint64_t)value, 8));
}

/* The day in UTC, also of times before 1970. */
int shipopt_query_bind_date(shipopt_query *query, int64_t unix_us)
{
	int64_t days = unix_us / DAY_US - (unix_us % DAY_US < 0) - POSTGRES_EPOCH_US / DAY_US;
	if (days < DATE_DAYS_MIN)
		return parameter_note(query, SHIPOPT_EINVAL);
	return parameter_note(query, parameter_bind_word(query, TYPE_DATE, (uint64_t)days, 4));
}

int shipopt_query_bind_uuid(shipopt_query *query, const unsigned char uuid[16])
{
	return parameter_note(query,
		query && uuid ? parameter_bind_copy(query, TYPE_UUID, 1, uuid, 16) : SHIPOPT_EINVAL);
}

int shipopt_query_bind_bytes(shipopt_query *query, const void *bytes, size_t length)
{
	if (!query || (!bytes && length))
		return parameter_note(query, SHIPOPT_EINVAL);
	return parameter_note(query,
		length >= QUERY_VALUE_BYTES_MAX ? SHIPOPT_ETOOLARGE
						: parameter_bind_copy(query, TYPE_BYTEA, 1, bytes, length));
}

/* The head of an array of one dimension: dimensions, has nulls, element type, size, lower bound. */
static void parameter_put_array_head(char **bytes, Oid element, size_t count, bool has_nulls)
{
	parameter_put(bytes, count ? 1 : 0, 4);
	parameter_put(bytes, has_nulls, 4);
	parameter_put(bytes, element, 4);
	if (count) {
		parameter_put(bytes, count, 4);
		parameter_put(bytes, 1, 4);
	}
}

static size_t parameter_array_head_size(size_t count)
{
	return count ? 20 : 12;
}

int shipopt_query_bind_int_array(shipopt_query *query, const int64_t *values, const unsigned char *nulls, size_t count)
{
	char *bytes;
	size_t null_count = 0;
	if (!query || (!values && count))
		return parameter_note(query, SHIPOPT_EINVAL);
	if (count > QUERY_VALUE_BYTES_MAX / 12)
		return parameter_note(query, SHIPOPT_ETOOLARGE);
	for (size_t i = 0; nulls && i < count; i++)
		null_count += nulls[i] != 0;
	int r = query_add(query, TYPE_INT8_ARRAY, 1, parameter_array_head_size(count) + count * 12 - null_count * 8,
		&bytes);
	if (r < 0)
		return parameter_note(query, r);
	parameter_put_array_head(&bytes, TYPE_INT8, count, null_count > 0);
	for (size_t i = 0; i < count; i++) {
		bool is_null = nulls && nulls[i];
		parameter_put(&bytes, is_null ? UINT32_MAX : 8, 4);
		if (!is_null)
			parameter_put(&bytes, (uint64_t)values[i], 8);
	}
	return 0;
}

int shipopt_query_bind_text_array(shipopt_query *query, const char *const *texts, size_t count)
{
	char *bytes;
	bool has_nulls = false;
	size_t total = parameter_array_head_size(count);
	if (!query || (!texts && count))
		return parameter_note(query, SHIPOPT_EINVAL);
	if (count > QUERY_VALUE_BYTES_MAX / 4)
		return parameter_note(query, SHIPOPT_ETOOLARGE);
	for (size_t i = 0; i < count; i++) {
		size_t length = texts[i] ? strlen(texts[i]) : 0;
		has_nulls = has_nulls || !texts[i];
		if (texts[i] && !text_is_utf8(texts[i], length, NULL))
			return parameter_note(query, SHIPOPT_EENCODING);
		if (!size_add(total, length + 4, &total) || total > QUERY_VALUE_BYTES_MAX)
			return parameter_note(query, SHIPOPT_ETOOLARGE);
	}
	int r = query_add(query, TYPE_TEXT_ARRAY, 1, total, &bytes);
	if (r < 0)
		return parameter_note(query, r);
	parameter_put_array_head(&bytes, TYPE_TEXT, count, has_nulls);
	for (size_t i = 0; i < count; i++) {
		size_t length = texts[i] ? strlen(texts[i]) : 0;
		parameter_put(&bytes, texts[i] ? length : UINT32_MAX, 4);
		if (length)
			memcpy(bytes, texts[i], length);
		bytes += length;
	}
	return 0;
}
