/* SPDX-License-Identifier: MIT */
#ifndef POOL_ROWS_H
#define POOL_ROWS_H

#include <libpq-fe.h>
#include <shipopt/pool.h>

#include "base/macro.h"

/*
 * Rows: either one PGresult, or the packed rows of a stream with the PGresult of its first row, which describes the
 * columns. Rows do not change after they were handed out. A NUL follows each packed value.
 */
struct packed_value {
	uint32_t offset;
	int32_t length; /* -1: null */
};

struct shipopt_rows {
	PGresult *result;
	bool is_packed;
	size_t packed_count;               /* rows */
	const struct packed_value *values; /* row after row */
	const char *bytes;
};

/* One value as it arrived. */
struct column_value {
	const char *bytes;
	size_t length;
	Oid type;
	bool is_binary;
};

/* 1 with the value, 0 for null, SHIPOPT_EINVAL outside. */
int rows_value(const struct shipopt_rows *rows, size_t row, size_t column, struct column_value *ret_value);

/* Read a value that is not null. 1, or an error as in <shipopt/pool.h>. */
int value_int(const struct column_value *value, int64_t *ret_value);
int value_float(const struct column_value *value, double *ret_value);
int value_numeric(const struct column_value *value, int64_t *ret_millionths);
int value_bool(const struct column_value *value, int *ret_value);
int value_timestamp(const struct column_value *value, int64_t *ret_unix_us);
int value_uuid(const struct column_value *value, unsigned char ret_uuid[16]);
int value_bytes(const struct column_value *value, void *buffer, size_t size, size_t *ret_length);

#endif
