/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/macro.h"
#include "base/memory.h"
#include "cmocka_test.h"
#include "pool/query/query.h"
#include "pool/value/rows.h"
#include "pool/value/type.h"

/* Values read from both wire forms and written to them, malformed and truncated ones among them, without a server. */

#define BYTES(text) (text), (int)(sizeof(text) - 1)

static struct shipopt_rows rows;

/* One row with one column. `length` -1: null. */
static void make(Oid type, int format, const char *bytes, int length)
{
	PGresAttDesc column = {.name = (char[]){"value"},
		.typid = type,
		.format = format,
		.typlen = -1,
		.atttypmod = -1};
	char *copy = mem_copy_bytes(bytes ? bytes : "", length > 0 ? (size_t)length : 0);
	PQclear(rows.result);
	rows.result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	assert_non_null(rows.result);
	assert_int_equal(PQsetResultAttrs(rows.result, 1, &column), 1);
	assert_int_equal(PQsetvalue(rows.result, 0, 0, copy, length), 1);
	mem_free(copy);
}

static void text(Oid type, const char *value)
{
	make(type, 0, value, (int)strlen(value));
}

static void binary(Oid type, const char *bytes, int length)
{
	make(type, 1, bytes, length);
}

static int teardown(void **state)
{
	PQclear(TAKE(rows.result));
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* The status; the value too when it is 1. Outputs are untouched otherwise. */
static int read_int(int64_t *value)
{
	*value = -77;
	int r = shipopt_rows_int(&rows, 0, 0, value);
	if (r != 1)
		assert_int_equal(*value, -77);
	return r;
}

static void check_int(int64_t expected)
{
	int64_t value;
	assert_int_equal(read_int(&value), 1);
	assert_true(value == expected);
}

static void check_not_int(int status)
{
	int64_t value;
	assert_int_equal(read_int(&value), status);
}

static int read_numeric(int64_t *value)
{
	*value = -77;
	int r = shipopt_rows_decimal(&rows, 0, 0, value);
	if (r != 1)
		assert_int_equal(*value, -77);
	return r;
}

static void check_numeric(int64_t expected)
{
	int64_t value;
	int r = read_numeric(&value);
	if (r != 1 || value != expected)
		print_error("%d, %lld instead of %lld\n", r, (long long)value, (long long)expected);
	assert_int_equal(r, 1);
	assert_true(value == expected);
}

static void check_not_numeric(int status)
{
	int64_t value;
	assert_int_equal(read_numeric(&value), status);
}

/* ---- places ---------------------------------------------------------------------------------------------------- */

static void places_outside_and_nulls_are_told(void **state)
{
	int64_t number;
	size_t length = 9;
	unsigned char uuid[16];
	const char *json = NULL;
	make(TYPE_INT8, 0, NULL, -1);
	assert_int_equal(shipopt_rows_int(&rows, 0, 0, &number), 0);
	assert_int_equal(shipopt_rows_decimal(&rows, 0, 0, &number), 0);
	assert_int_equal(shipopt_rows_time_us(&rows, 0, 0, &number), 0); /* null has no type */
	assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), 0);
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), 0);
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, NULL, 0, &length), 0);
	assert_int_equal(length, 9);
	assert_null(shipopt_rows_text(&rows, 0, 0));
	assert_int_equal(shipopt_rows_is_null(&rows, 0, 0), 1);
	assert_int_equal(shipopt_rows_int(&rows, 1, 0, &number), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_rows_int(&rows, 0, 1, &number), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_rows_int(NULL, 0, 0, &number), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_rows_is_null(&rows, 7, 7), 1);
	assert_int_equal(shipopt_rows_find_column(&rows, "value"), 0);
	assert_int_equal(shipopt_rows_find_column(&rows, "Value"), SHIPOPT_ENOTFOUND);
	assert_string_equal(shipopt_rows_column_name(&rows, 0), "value");
	assert_null(shipopt_rows_column_name(&rows, 1));
	assert_int_equal(shipopt_rows_column_type(&rows, 0), TYPE_INT8);
	assert_int_equal(shipopt_rows_count(&rows), 1);
}

/* ---- integers -------------------------------------------------------------------------------------------------- */

static void integers_are_read_from_both_forms(void **state)
{
	text(TYPE_INT2, "-32768");
	check_int(-32768);
	text(TYPE_INT4, "2147483647");
	check_int(2147483647);
	text(TYPE_INT8, "-9223372036854775808");
	check_int(INT64_MIN);
	text(TYPE_OID, "4294967295");
	check_int(4294967295);
	binary(TYPE_INT2, BYTES("\x80\x00"));
	check_int(-32768);
	binary(TYPE_INT4, BYTES("\xff\xff\xff\xfe"));
	check_int(-2);
	binary(TYPE_OID, BYTES("\xff\xff\xff\xfe"));
	check_int(4294967294);
	binary(TYPE_INT8, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff"));
	check_int(INT64_MAX);
	binary(TYPE_INT8, BYTES("\x80\0\0\0\0\0\0\0"));
	check_int(INT64_MIN);
	text(TYPE_TEXT, "1");
	check_not_int(SHIPOPT_ETYPE);
	text(TYPE_BOOL, "t");
	check_not_int(SHIPOPT_ETYPE);
}

static void broken_integers_are_refused(void **state)
{
	static const char *const bad[] = {"", "-", "1x", " 1", "9223372036854775808", "0x10", "1.0"};
	static const Oid types[] = {TYPE_INT2, TYPE_INT4, TYPE_INT8, TYPE_OID};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text(TYPE_INT8, bad[i]);
		check_not_int(SHIPOPT_EPARSE);
	}
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) /* every length but the right one */
		for (int length = 0; length < 12; length++) {
			binary(types[i], "\0\0\0\0\0\0\0\0\0\0\0\0", length);
			int right = types[i] == TYPE_INT8 ? 8 : types[i] == TYPE_INT2 ? 2 : 4;
			if (length == right)
				check_int(0);
			else
				check_not_int(SHIPOPT_EPARSE);
		}
}

/* ---- numeric --------------------------------------------------------------------------------------------------- */

#define MINUS "\x40\x00"
#define PLUS "\x00\x00"
#define SCALE "\x00\x08"

static void numerics_are_read_in_millionths(void **state)
{
	text(TYPE_NUMERIC, "12.345678");
	check_numeric(12345678);
	text(TYPE_NUMERIC, "-0.0000005");
	check_numeric(-1); /* half away from zero */
	text(TYPE_NUMERIC, "0.0000004999");
	check_numeric(0);
	text(TYPE_NUMERIC, "9223372036854.775807");
	check_numeric(INT64_MAX);
	text(TYPE_NUMERIC, "9223372036854.775808");
	check_not_numeric(SHIPOPT_ETOOLARGE);
	text(TYPE_NUMERIC, "999999999999.9999999"); /* does not fit with its last digit, which rounds */
	check_numeric(INT64_C(1000000000000000000));
	text(TYPE_NUMERIC, "-0.12345678901234567890123");
	check_numeric(-123457);
	text(TYPE_INT4, "-7");
	check_numeric(-7000000);
	text(TYPE_INT8, "9223372036855");
	check_not_numeric(SHIPOPT_ETOOLARGE);
	/* digits, weight, sign, scale; then digits to the base 10,000 */
	binary(TYPE_NUMERIC,
		BYTES("\0\0"
		      "\0\0" PLUS "\0\0"));
	check_numeric(0);
	binary(TYPE_NUMERIC,
		BYTES("\0\x03"
		      "\0\0" PLUS SCALE "\0\x0c"
		      "\x0d\x80"
		      "\x1e\x78")); /* 12.34567800 */
	check_numeric(12345678);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\xff\xfe" MINUS SCALE "\0\x32")); /* -0.00000050 */
	check_numeric(-1);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\xff\xfe" MINUS SCALE "\0\x31")); /* -0.00000049 */
	check_numeric(0);
	binary(TYPE_NUMERIC,
		BYTES("\0\x02"
		      "\xff\xfe" PLUS SCALE "\0\x31"
		      "\x27\x0f")); /* 0.000000499999 */
	check_numeric(0);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\xff\xf0" PLUS SCALE "\0\x01")); /* 10^-64 */
	check_numeric(0);
	/* 9223372036854.775807 and one more; and below zero */
	binary(TYPE_NUMERIC,
		BYTES("\0\x06"
		      "\0\x03" PLUS SCALE "\x00\x09"
		      "\x08\xb9"
		      "\x1c\x23"
		      "\x1a\xc6"
		      "\x1e\x4e"
		      "\x02\xbc"));
	check_numeric(INT64_MAX);
	binary(TYPE_NUMERIC,
		BYTES("\0\x06"
		      "\0\x03" PLUS SCALE "\x00\x09"
		      "\x08\xb9"
		      "\x1c\x23"
		      "\x1a\xc6"
		      "\x1e\x4e"
		      "\x03\x20"));
	check_not_numeric(SHIPOPT_ETOOLARGE);
	binary(TYPE_NUMERIC,
		BYTES("\0\x06"
		      "\0\x03" MINUS SCALE "\x00\x09"
		      "\x08\xb9"
		      "\x1c\x23"
		      "\x1a\xc6"
		      "\x1e\x4e"
		      "\x03\x20"));
	check_not_numeric(SHIPOPT_ETOOLARGE); /* as from text */
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\x7f\xff" PLUS "\0\0"
		      "\0\x01")); /* 10,000^32767 */
	check_not_numeric(SHIPOPT_ETOOLARGE);
	text(TYPE_TEXT, "1");
	check_not_numeric(SHIPOPT_ETYPE);
}

static void numerics_that_are_no_numbers_are_told(void **state)
{
	static const char *const specials[] = {"NaN", "Infinity", "-Infinity"};
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		text(TYPE_NUMERIC, specials[i]);
		check_not_numeric(SHIPOPT_ETOOLARGE);
		check_not_int(SHIPOPT_ETOOLARGE);
	}
	binary(TYPE_NUMERIC,
		BYTES("\0\0"
		      "\0\0"
		      "\xc0\0"
		      "\0\0")); /* NaN */
	check_not_numeric(SHIPOPT_ETOOLARGE);
	check_not_int(SHIPOPT_ETOOLARGE);
	binary(TYPE_NUMERIC,
		BYTES("\0\0"
		      "\0\0"
		      "\xd0\0"
		      "\0\0")); /* infinity */
	check_not_numeric(SHIPOPT_ETOOLARGE);
	binary(TYPE_NUMERIC,
		BYTES("\0\0"
		      "\0\0"
		      "\xf0\0"
		      "\0\0")); /* minus infinity */
	check_not_numeric(SHIPOPT_ETOOLARGE);
}

static void broken_numerics_are_refused(void **state)
{
	static const char whole[] = "\0\x03"
				    "\0\0" PLUS SCALE "\0\x0c"
				    "\x0d\x80"
				    "\x1e\x78";
	for (int length = 0; length < (int)sizeof(whole) - 1; length++) { /* cut anywhere */
		binary(TYPE_NUMERIC, whole, length);
		check_not_numeric(SHIPOPT_EPARSE);
		check_not_int(SHIPOPT_EPARSE);
	}
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\0\0" PLUS SCALE "\0\x0c"
		      "\0\0")); /* longer than it says */
	check_not_numeric(SHIPOPT_EPARSE);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\0\0" PLUS SCALE "\x27\x10")); /* a digit of 10,000 */
	check_not_numeric(SHIPOPT_EPARSE);
	binary(TYPE_NUMERIC,
		BYTES("\xff\xff"
		      "\0\0" PLUS SCALE));
	check_not_numeric(SHIPOPT_EPARSE);
	text(TYPE_NUMERIC, "twelve");
	check_not_numeric(SHIPOPT_EPARSE);
	check_not_int(SHIPOPT_EPARSE);
}

static void numerics_without_a_fraction_are_integers(void **state)
{
	static const struct {
		const char *text;
		int status;
		int64_t value;
	} cases[] = {
		{"12", 1, 12},
		{"12.000", 1, 12},
		{"-12", 1, -12},
		{"0.00", 1, 0},
		{"9223372036854775807", 1, INT64_MAX},
		{"-9223372036854775808.0", 1, INT64_MIN},
		{"9223372036854775808", SHIPOPT_ETOOLARGE, 0},
		{"123456789012345678901234567890", SHIPOPT_ETOOLARGE, 0},
		{"12.5", SHIPOPT_ETYPE, 0},
		{"1.0000000000001", SHIPOPT_ETYPE, 0},
		{"", SHIPOPT_EPARSE, 0},
		{"-", SHIPOPT_EPARSE, 0},
		{"1.2.3", SHIPOPT_EPARSE, 0},
		{"1e3", SHIPOPT_EPARSE, 0},
		{".5", SHIPOPT_EPARSE, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value;
		text(TYPE_NUMERIC, cases[i].text);
		int r = read_int(&value);
		if (r != cases[i].status)
			print_error("\"%s\": %d\n", cases[i].text, r);
		assert_int_equal(r, cases[i].status);
		if (r == 1)
			assert_true(value == cases[i].value);
	}
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\0\x01" MINUS "\0\0"
		      "\0\x0c")); /* -12 0000 */
	check_int(-120000);
	binary(TYPE_NUMERIC,
		BYTES("\0\x02"
		      "\0\0" PLUS SCALE "\0\x0c"
		      "\0\0")); /* 12.0000 */
	check_int(12);
	binary(TYPE_NUMERIC,
		BYTES("\0\x02"
		      "\0\0" PLUS SCALE "\0\x0c"
		      "\0\x01"));
	check_not_int(SHIPOPT_ETYPE);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\xff\xfa" PLUS SCALE "\0\x01")); /* 10^-24 */
	check_not_int(SHIPOPT_ETYPE);
	binary(TYPE_NUMERIC,
		BYTES("\0\0"
		      "\0\x7f" PLUS SCALE));
	check_int(0);
	binary(TYPE_NUMERIC,
		BYTES("\0\x05"
		      "\0\x04" PLUS "\0\0"
		      "\x03\x9a"
		      "\x0d\x2c"
		      "\x01\x70"
		      "\x15\x65"
		      "\x16\xaf"));
	check_int(INT64_MAX);
	binary(TYPE_NUMERIC,
		BYTES("\0\x05"
		      "\0\x04" PLUS "\0\0"
		      "\x03\x9a"
		      "\x0d\x2c"
		      "\x01\x70"
		      "\x15\x65"
		      "\x16\xb0"));
	check_not_int(SHIPOPT_ETOOLARGE);
	binary(TYPE_NUMERIC,
		BYTES("\0\x05"
		      "\0\x04" MINUS "\0\0"
		      "\x03\x9a"
		      "\x0d\x2c"
		      "\x01\x70"
		      "\x15\x65"
		      "\x16\xb0"));
	check_int(INT64_MIN);
	binary(TYPE_NUMERIC,
		BYTES("\0\x01"
		      "\0\x05" PLUS "\0\0"
		      "\0\x01")); /* 10^20 */
	check_not_int(SHIPOPT_ETOOLARGE);
}

/* ---- floats and booleans --------------------------------------------------------------------------------------- */

static void check_float(double expected)
{
	double value = -77;
	assert_int_equal(shipopt_rows_float(&rows, 0, 0, &value), 1);
	assert_true(isnan(expected) ? isnan(value) : value == expected);
}

static void check_not_float(int status)
{
	double value = -77;
	assert_int_equal(shipopt_rows_float(&rows, 0, 0, &value), status);
	assert_true(value == -77);
}

static void floats_are_read_from_both_forms(void **state)
{
	text(TYPE_FLOAT8, "1.5e-3");
	check_float(0.0015);
	text(TYPE_FLOAT8, "-Infinity");
	check_float(-INFINITY);
	text(TYPE_FLOAT8, "NaN");
	check_float(NAN);
	text(TYPE_FLOAT4, "0.25");
	check_float(0.25);
	text(TYPE_NUMERIC, "0.125");
	check_float(0.125);
	text(TYPE_INT4, "7");
	check_float(7);
	binary(TYPE_FLOAT8, BYTES("\x3f\xf8\0\0\0\0\0\0"));
	check_float(1.5);
	binary(TYPE_FLOAT8, BYTES("\x7f\xf0\0\0\0\0\0\0"));
	check_float(INFINITY);
	binary(TYPE_FLOAT4, BYTES("\xbf\xc0\0\0"));
	check_float(-1.5);
	binary(TYPE_INT2, BYTES("\xff\xff"));
	check_float(-1);
	binary(TYPE_NUMERIC,
		BYTES("\0\x02"
		      "\0\0" PLUS SCALE "\0\x01"
		      "\x13\x88"));
	check_float(1.5);
	static const char *const bad[] = {"", "1.5x", "x", "1,5"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text(TYPE_FLOAT8, bad[i]);
		check_not_float(SHIPOPT_EPARSE);
	}
	for (int length = 0; length < 8; length++) {
		binary(TYPE_FLOAT8, "\0\0\0\0\0\0\0\0", length);
		check_not_float(SHIPOPT_EPARSE);
	}
	binary(TYPE_FLOAT4, BYTES("\0\0\0\0\0\0\0\0"));
	check_not_float(SHIPOPT_EPARSE);
	text(TYPE_TEXT, "1");
	check_not_float(SHIPOPT_ETYPE);
}

static void booleans_are_read_from_both_forms(void **state)
{
	static const struct {
		int format;
		const char *bytes;
		int length, status, value;
	} cases[] = {
		{0, "t", 1, 1, 1},
		{0, "f", 1, 1, 0},
		{1, "\1", 1, 1, 1},
		{1, "\0", 1, 1, 0},
		{0, "", 0, SHIPOPT_EPARSE, 0},
		{0, "true", 4, SHIPOPT_EPARSE, 0},
		{0, "x", 1, SHIPOPT_EPARSE, 0},
		{1, "", 0, SHIPOPT_EPARSE, 0},
		{1, "\0\1", 2, SHIPOPT_EPARSE, 0},
	};
	int value = -77;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		value = -77;
		make(TYPE_BOOL, cases[i].format, cases[i].bytes, cases[i].length);
		assert_int_equal(shipopt_rows_bool(&rows, 0, 0, &value), cases[i].status);
		assert_int_equal(value, cases[i].status == 1 ? cases[i].value : -77);
	}
	text(TYPE_INT4, "1");
	assert_int_equal(shipopt_rows_bool(&rows, 0, 0, &value), SHIPOPT_ETYPE);
}

/* ---- timestamps ------------------------------------------------------------------------------------------------ */

static void check_timestamp(int status, int64_t expected)
{
	int64_t value = -77;
	int r = shipopt_rows_time_us(&rows, 0, 0, &value);
	if (r != status || (r == 1 && value != expected))
		print_error("%s: %d, %lld\n", shipopt_rows_text(&rows, 0, 0), r, (long long)value);
	assert_int_equal(r, status);
	assert_true(value == (status == 1 ? expected : -77));
}

static void timestamps_are_read_from_text(void **state)
{
	static const struct {
		Oid type;
		const char *text;
		int status;
		int64_t us;
	} cases[] = {
		{TYPE_TIMESTAMPTZ, "1970-01-01 00:00:00+00", 1, 0},
		{TYPE_TIMESTAMPTZ, "2000-02-29 12:34:56.789+05:30", 1, INT64_C(951807896789000)},
		{TYPE_TIMESTAMPTZ, "1969-12-31 20:30:00-03:30", 1, 0},
		{TYPE_TIMESTAMPTZ, "1890-01-01 00:00:00+00:53:28", 1, INT64_C(-2524524808000000)},
		{TYPE_TIMESTAMP, "1970-01-01 00:00:00.000001", 1, 1},
		{TYPE_TIMESTAMP, "1969-12-31 23:59:59.999999", 1, -1},
		{TYPE_TIMESTAMP, "294276-12-31 23:59:59.999999", SHIPOPT_ETOOLARGE,
			0}, /* 2000 and not 1970 is where the server counts from */
		{TYPE_TIMESTAMP, "294246-12-31 23:59:59", 1, INT64_C(9223371244799000000)},
		{TYPE_TIMESTAMP, "4713-01-01 00:00:00 BC", 1, INT64_C(-210863520000000000)},
		{TYPE_TIMESTAMP, "infinity", SHIPOPT_ETOOLARGE, 0},
		{TYPE_TIMESTAMPTZ, "-infinity", SHIPOPT_ETOOLARGE, 0},
		{TYPE_DATE, "1970-01-02", 1, INT64_C(86400000000)},
		{TYPE_DATE, "0001-01-01 BC", 1, INT64_C(-62167219200000000)},
		{TYPE_DATE, "5874897-12-31", SHIPOPT_ETOOLARGE, 0},
		{TYPE_DATE, "infinity", SHIPOPT_ETOOLARGE, 0},
		{TYPE_DATE, "1970-01-02 00:00:00", SHIPOPT_EPARSE, 0},
		{TYPE_DATE, "1970-13-01", SHIPOPT_EPARSE, 0},
		{TYPE_DATE, "1970-00-01", SHIPOPT_EPARSE, 0},
		{TYPE_DATE, "1970-01-32", SHIPOPT_EPARSE, 0},
		{TYPE_DATE, "02/01/1970", SHIPOPT_EPARSE, 0},
		{TYPE_DATE, "", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMP, "1970-01-01", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMP, "1970-01-01 25:00:00", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMP, "1970-01-01 00:60:00", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMP, "1970-01-01 00:00:00.1234567", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMP, "1970-01-01 00:00:00 AD", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMPTZ, "1970-01-01 00:00:00+", SHIPOPT_EPARSE, 0},
		{TYPE_TIMESTAMPTZ, "1970-01-01 00:00:00+5", SHIPOPT_EPARSE, 0},
		{TYPE_TEXT, "1970-01-01 00:00:00", SHIPOPT_ETYPE, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		text(cases[i].type, cases[i].text);
		check_timestamp(cases[i].status, cases[i].us);
	}
	static const char whole[] = "2000-02-29 12:34:56";
	for (size_t length = 0; length < sizeof(whole) - 1; length++) { /* cut anywhere */
		make(TYPE_TIMESTAMP, 0, whole, (int)length);
		check_timestamp(SHIPOPT_EPARSE, 0);
	}
}

static void timestamps_are_read_from_binary(void **state)
{
	binary(TYPE_TIMESTAMPTZ, BYTES("\0\0\0\0\0\0\0\0"));
	check_timestamp(1, POSTGRES_EPOCH_US);
	binary(TYPE_TIMESTAMP, BYTES("\xff\xff\xff\xff\xff\xff\xff\xff"));
	check_timestamp(1, POSTGRES_EPOCH_US - 1);
	binary(TYPE_TIMESTAMP, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff")); /* infinity */
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	binary(TYPE_TIMESTAMP, BYTES("\x80\0\0\0\0\0\0\0"));
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	binary(TYPE_TIMESTAMP, BYTES("\x7f\xff\xff\xff\xff\xff\xff\xfe")); /* fits there and not here */
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	binary(TYPE_DATE, BYTES("\xff\xff\xff\xff"));
	check_timestamp(1, POSTGRES_EPOCH_US - INT64_C(86400000000));
	binary(TYPE_DATE, BYTES("\x7f\xff\xff\xff"));
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	binary(TYPE_DATE, BYTES("\x80\0\0\0"));
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	binary(TYPE_DATE, BYTES("\x70\0\0\0"));
	check_timestamp(SHIPOPT_ETOOLARGE, 0);
	for (int length = 0; length < 8; length++) {
		make(TYPE_TIMESTAMP, 1, "\0\0\0\0\0\0\0\0", length);
		check_timestamp(SHIPOPT_EPARSE, 0);
	}
	binary(TYPE_DATE, BYTES("\0\0\0\0\0\0\0\0"));
	check_timestamp(SHIPOPT_EPARSE, 0);
}

/* ---- uuid, json, bytes ----------------------------------------------------------------------------------------- */

static void uuids_json_and_bytes_are_read_from_both_forms(void **state)
{
	static const char *const bad_uuids[] = {"", "00112233-4455-6677-8899-aabbccddeef",
		"00112233-4455-6677-8899-aabbccddeeff0", "g0112233-4455-6677-8899-aabbccddeeff"};
	static const unsigned char expected[16] = {0, 17, 34, 51, 68, 85, 102, 119, 136, 153, 170, 187, 204, 221, 238,
		255};
	unsigned char uuid[16] = {0};
	const char *json = NULL;
	text(TYPE_UUID, "00112233-4455-6677-8899-AAbbccddeeff");
	assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), 1);
	assert_memory_equal(uuid, expected, 16);
	memset(uuid, 0, 16);
	binary(TYPE_UUID, (const char *)expected, 16);
	assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), 1);
	assert_memory_equal(uuid, expected, 16);
	binary(TYPE_UUID, (const char *)expected, 15);
	assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), SHIPOPT_EPARSE);
	for (size_t i = 0; i < ARRAY_SIZE(bad_uuids); i++) {
		text(TYPE_UUID, bad_uuids[i]);
		assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), SHIPOPT_EPARSE);
	}
	text(TYPE_TEXT, "x");
	assert_int_equal(shipopt_rows_uuid(&rows, 0, 0, uuid), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), SHIPOPT_ETYPE);
	text(TYPE_JSON, "{}");
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), 1);
	assert_string_equal(json, "{}");
	binary(TYPE_JSONB, BYTES("\1[1]"));
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), 1);
	assert_string_equal(json, "[1]");
	binary(TYPE_JSONB, BYTES("\2[1]")); /* a version to come */
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), SHIPOPT_EPARSE);
	binary(TYPE_JSONB, "", 0);
	assert_int_equal(shipopt_rows_json(&rows, 0, 0, &json), SHIPOPT_EPARSE);
}

static void bytes_are_read_from_both_forms(void **state)
{
	unsigned char buffer[4];
	size_t length = 9;
	static const char *const bad[] = {"", "\\", "\\x0", "x00", "\\xzz", "\\x0g"};
	text(TYPE_BYTEA, "\\x00fF10");
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, buffer, 4, &length), 1);
	assert_int_equal(length, 3);
	assert_memory_equal(buffer, "\x00\xff\x10", 3);
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, buffer, 2, &length), SHIPOPT_ETOOLARGE);
	assert_int_equal(length, 3);
	text(TYPE_BYTEA, "\\x");
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, NULL, 0, &length), 1);
	assert_int_equal(length, 0);
	binary(TYPE_BYTEA, BYTES("a\0b"));
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, buffer, 4, &length), 1);
	assert_int_equal(length, 3);
	binary(TYPE_BYTEA, "", 0);
	assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, NULL, 0, &length), 1);
	assert_int_equal(length, 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		length = 9;
		text(TYPE_BYTEA, bad[i]);
		assert_int_equal(shipopt_rows_bytes(&rows, 0, 0, buffer, 4, &length), SHIPOPT_EPARSE);
		assert_int_equal(length, 9);
	}
}

/* ---- arrays ---------------------------------------------------------------------------------------------------- */

static int int_array(int64_t values[4], unsigned char nulls[4], size_t max)
{
	size_t count = 99;
	int r = shipopt_rows_int_array(&rows, 0, 0, values, nulls, max, &count);
	return r == 1 ? (int)count : r;
}

static void integer_arrays_are_read_from_both_forms(void **state)
{
	int64_t values[4];
	unsigned char nulls[4];
	size_t count;
	text(TYPE_INT8_ARRAY, "{1,NULL,-3}");
	assert_int_equal(int_array(values, nulls, 4), 3);
	assert_true(values[0] == 1 && values[1] == 0 && values[2] == -3);
	assert_true(!nulls[0] && nulls[1] && !nulls[2]);
	assert_int_equal(int_array(values, NULL, 4), 3);
	assert_int_equal(shipopt_rows_int_array(&rows, 0, 0, values, nulls, 2, &count), SHIPOPT_ETOOLARGE);
	assert_int_equal(count, 3);
	assert_int_equal(shipopt_rows_int_array(&rows, 0, 0, NULL, NULL, 0, &count), SHIPOPT_ETOOLARGE);
	text(TYPE_INT4_ARRAY, "{}");
	assert_int_equal(int_array(values, nulls, 4), 0);
	binary(TYPE_INT4_ARRAY,
		BYTES("\0\0\0\0"
		      "\0\0\0\0"
		      "\0\0\0\x17")); /* empty */
	assert_int_equal(int_array(values, nulls, 4), 0);
	binary(TYPE_INT2_ARRAY,
		BYTES("\0\0\0\1"
		      "\0\0\0\1"
		      "\0\0\0\x15"
		      "\0\0\0\2"
		      "\0\0\0\1"
		      "\0\0\0\2"
		      "\xff\xfe"
		      "\xff\xff\xff\xff"));
	assert_int_equal(int_array(values, nulls, 4), 2);
	assert_true(values[0] == -2 && values[1] == 0 && nulls[1]);
	text(TYPE_TEXT_ARRAY, "{}");
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_ETYPE);
}

static void other_arrays_are_refused(void **state)
{
	int64_t values[4];
	unsigned char nulls[4];
	static const struct {
		const char *text;
		int status;
	} bad[] = {
		{"{{1,2},{3,4}}", SHIPOPT_ETYPE},
		{"[0:1]={1,2}", SHIPOPT_ETYPE},
		{"", SHIPOPT_EPARSE},
		{"{", SHIPOPT_EPARSE},
		{"}", SHIPOPT_EPARSE},
		{"{1,}", SHIPOPT_EPARSE},
		{"{,1}", SHIPOPT_EPARSE},
		{"{1 2}", SHIPOPT_EPARSE},
		{"{x}", SHIPOPT_EPARSE},
		{"{\"1}", SHIPOPT_EPARSE},
		{"{\"1\"2}", SHIPOPT_EPARSE},
		{"{\"1\\}", SHIPOPT_EPARSE},
		{"{9223372036854775808}", SHIPOPT_EPARSE},
	};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		text(TYPE_INT8_ARRAY, bad[i].text);
		int r = int_array(values, nulls, 4);
		if (r != bad[i].status)
			print_error("%s: %d\n", bad[i].text, r);
		assert_int_equal(r, bad[i].status);
	}
	static const char whole[] = "\0\0\0\1"
				    "\0\0\0\0"
				    "\0\0\0\x14"
				    "\0\0\0\2"
				    "\0\0\0\1"
				    "\0\0\0\x08"
				    "\0\0\0\0\0\0\0\1"
				    "\0\0\0\x08"
				    "\0\0\0\0\0\0\0\2";
	for (int length = 0; length < (int)sizeof(whole) - 1; length++) { /* cut anywhere */
		binary(TYPE_INT8_ARRAY, whole, length);
		assert_int_equal(int_array(values, nulls, 4), SHIPOPT_EPARSE);
	}
	binary(TYPE_INT8_ARRAY, whole, sizeof(whole)); /* with something behind it */
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_EPARSE);
	binary(TYPE_INT8_ARRAY,
		BYTES("\0\0\0\2"
		      "\0\0\0\0"
		      "\0\0\0\x14"
		      "\0\0\0\1"
		      "\0\0\0\1"
		      "\0\0\0\1"
		      "\0\0\0\1"));
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_ETYPE);
	binary(TYPE_INT8_ARRAY,
		BYTES("\xff\xff\xff\xff"
		      "\0\0\0\0"
		      "\0\0\0\x14"
		      "\0\0\0\1"
		      "\0\0\0\1"));
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_ETYPE);
	binary(TYPE_INT8_ARRAY,
		BYTES("\0\0\0\1"
		      "\0\0\0\0"
		      "\0\0\0\x14"
		      "\xff\xff\xff\xff"
		      "\0\0\0\1")); /* fewer than none */
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_EPARSE);
	binary(TYPE_INT8_ARRAY,
		BYTES("\0\0\0\1"
		      "\0\0\0\0"
		      "\0\0\0\x14"
		      "\x7f\xff\xff\xff"
		      "\0\0\0\1"
		      "\x7f\xff\xff\xff"));
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_EPARSE);
	binary(TYPE_INT8_ARRAY,
		BYTES("\0\0\0\1"
		      "\0\0\0\0"
		      "\0\0\0\x14"
		      "\0\0\0\1"
		      "\0\0\0\1"
		      "\xff\xff\xff\xfe")); /* a length of -2 */
	assert_int_equal(int_array(values, nulls, 4), SHIPOPT_EPARSE);
}

static char joined[256];

static void join(void *userdata, size_t index, const char *element, size_t length)
{
	size_t used = strlen(joined);
	assert_int_equal(length, element ? strlen(element) : 0);
	snprintf(joined + used, sizeof(joined) - used, "%s%s", index ? "|" : "", element ? element : "(null)");
}

static void text_arrays_are_read_from_both_forms(void **state)
{
	static const struct {
		const char *text;
		int status;
		const char *joined;
	} cases[] = {
		{"{a,NULL,\"NULL\",\"\",\"x \\\"y\\\" \\\\ {,}\"}", 1, "a|(null)|NULL||x \"y\" \\ {,}"},
		{"{}", 1, ""},
		{"{null}", 1, "(null)"},
		{"{{a},{b}}", SHIPOPT_ETYPE, ""},
		{"{a,}", SHIPOPT_EPARSE, ""},
		{"{\"a}", SHIPOPT_EPARSE, ""},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		joined[0] = '\0';
		text(TYPE_TEXT_ARRAY, cases[i].text);
		assert_int_equal(shipopt_rows_text_array(&rows, 0, 0, join, NULL), cases[i].status);
		if (cases[i].status == 1)
			assert_string_equal(joined, cases[i].joined);
	}
	joined[0] = '\0';
	binary(TYPE_VARCHAR_ARRAY,
		BYTES("\0\0\0\1"
		      "\0\0\0\1"
		      "\0\0\4\x13"
		      "\0\0\0\3"
		      "\0\0\0\1"
		      "\0\0\0\2"
		      "ab"
		      "\xff\xff\xff\xff"
		      "\0\0\0\0"));
	assert_int_equal(shipopt_rows_text_array(&rows, 0, 0, join, NULL), 1);
	assert_string_equal(joined, "ab|(null)|");
	assert_int_equal(shipopt_rows_text_array(&rows, 0, 0, NULL, NULL), SHIPOPT_EINVAL);
	text(TYPE_INT8_ARRAY, "{}");
	assert_int_equal(shipopt_rows_text_array(&rows, 0, 0, join, NULL), SHIPOPT_ETYPE);
}

/* ---- parameters ------------------------------------------------------------------------------------------------ */

static shipopt_query *query;

static void check_parameter(size_t index, Oid type, int format, const void *bytes, size_t length)
{
	const struct query_parameter *parameter = &query->parameters[index];
	assert_in_range(index, 0, query->count - 1);
	assert_int_equal(parameter->type, type);
	assert_int_equal(parameter->format, format);
	assert_int_equal(parameter->length, length);
	assert_memory_equal(query->bytes + parameter->offset, bytes, length);
	if (format == 0)
		assert_int_equal(query->bytes[parameter->offset + length], '\0');
}

#define CHECK(index, type, format, bytes) check_parameter(index, type, format, bytes, sizeof(bytes) - 1)

static void parameters_are_written_as_the_server_reads_them(void **state)
{
	static const unsigned char uuid[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	static const int64_t numbers[] = {-1, 5};
	static const unsigned char nulls[] = {0, 1};
	static const char *const texts[] = {"a", NULL, ""};
	assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
	assert_int_equal(shipopt_query_bind_null(query), 0);
	assert_int_equal(shipopt_query_bind_text(query, "\xc3\xbc"), 0);
	assert_int_equal(shipopt_query_bind_text(query, NULL), 0);
	assert_int_equal(shipopt_query_bind_int(query, -2), 0);
	assert_int_equal(shipopt_query_bind_float(query, 1.5), 0);
	assert_int_equal(shipopt_query_bind_decimal(query, -1500000), 0);
	assert_int_equal(shipopt_query_bind_bool(query, 5), 0);
	assert_int_equal(shipopt_query_bind_time_us(query, 0), 0);
	assert_int_equal(shipopt_query_bind_uuid(query, uuid), 0);
	assert_int_equal(shipopt_query_bind_json(query, "{}"), 0);
	assert_int_equal(shipopt_query_bind_bytes(query, "a\0b", 3), 0);
	assert_int_equal(shipopt_query_bind_bytes(query, NULL, 0), 0);
	assert_int_equal(shipopt_query_bind_int_array(query, numbers, nulls, 2), 0);
	assert_int_equal(shipopt_query_bind_int_array(query, NULL, NULL, 0), 0);
	assert_int_equal(shipopt_query_bind_text_array(query, texts, 3), 0);
	assert_int_equal(query->count, 15);
	assert_true(query->parameters[0].offset == SIZE_MAX && query->parameters[2].offset == SIZE_MAX);
	CHECK(1, 0, 0, "\xc3\xbc");
	CHECK(3, TYPE_INT8, 1, "\xff\xff\xff\xff\xff\xff\xff\xfe");
	CHECK(4, TYPE_FLOAT8, 1, "\x3f\xf8\0\0\0\0\0\0");
	CHECK(5, TYPE_NUMERIC, 0, "-1.5");
	CHECK(6, TYPE_BOOL, 1, "\1");
	CHECK(7, TYPE_TIMESTAMPTZ, 1, "\xff\xfc\xa2\xfe\xc4\xc8\x20\x00");
	check_parameter(8, TYPE_UUID, 1, uuid, 16);
	CHECK(9, TYPE_JSONB, 0, "{}");
	CHECK(10, TYPE_BYTEA, 1, "a\0b");
	CHECK(11, TYPE_BYTEA, 1, "");
	CHECK(12, TYPE_INT8_ARRAY, 1,
		"\0\0\0\1"
		"\0\0\0\1"
		"\0\0\0\x14"
		"\0\0\0\2"
		"\0\0\0\1"
		"\0\0\0\x08"
		"\xff\xff\xff\xff\xff\xff\xff\xff"
		"\xff\xff\xff\xff");
	CHECK(13, TYPE_INT8_ARRAY, 1,
		"\0\0\0\0"
		"\0\0\0\0"
		"\0\0\0\x14");
	CHECK(14, TYPE_TEXT_ARRAY, 1,
		"\0\0\0\1"
		"\0\0\0\1"
		"\0\0\0\x19"
		"\0\0\0\3"
		"\0\0\0\1"
		"\0\0\0\1"
		"a"
		"\xff\xff\xff\xff"
		"\0\0\0\0");
	shipopt_query_free(TAKE(query));
}

static void what_is_written_is_read_back(void **state)
{
	static const int64_t numbers[] = {0, 1, -1, 1234567, INT64_MAX, -INT64_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
		assert_int_equal(shipopt_query_bind_int(query, numbers[i]), 0);
		assert_int_equal(shipopt_query_bind_decimal(query, numbers[i]), 0);
		binary(TYPE_INT8, query->bytes + query->parameters[0].offset, 8);
		check_int(numbers[i]);
		text(TYPE_NUMERIC, query->bytes + query->parameters[1].offset);
		check_numeric(numbers[i]);
		shipopt_query_free(TAKE(query));
	}
	static const int64_t times[] = {0, 1, -1, INT64_C(1700000000123456), INT64_MAX};
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
		assert_int_equal(shipopt_query_bind_time_us(query, times[i]), 0);
		binary(TYPE_TIMESTAMPTZ, query->bytes + query->parameters[0].offset, 8);
		check_timestamp(1, times[i]);
		shipopt_query_free(TAKE(query));
	}
}

static void bad_parameters_are_refused_and_change_nothing(void **state)
{
	static const char *const texts[] = {"a", "\xff"};
	int64_t number = 1;
	assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
	assert_int_equal(shipopt_query_bind_text(query, "\xff"), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_query_bind_json(query, "\xc3"), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_query_bind_text_array(query, texts, 2), SHIPOPT_EENCODING);
	assert_int_equal(shipopt_query_bind_text_array(query, NULL, 2), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_text_array(query, texts, SIZE_MAX), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_query_bind_int_array(query, NULL, NULL, 1), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_int_array(query, &number, NULL, SIZE_MAX / 2), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_query_bind_bytes(query, NULL, 1), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_bytes(query, "x", SIZE_MAX), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_query_bind_uuid(query, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_time_us(query, INT64_MIN), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_bind_int(NULL, 1), SHIPOPT_EINVAL);
	assert_int_equal(query->count, 0);
	for (int i = 0; i < QUERY_VALUES_MAX; i++)
		assert_int_equal(shipopt_query_bind_bool(query, 1), 0);
	assert_int_equal(shipopt_query_bind_bool(query, 1), SHIPOPT_ETOOLARGE);
	assert_int_equal(shipopt_query_bind_null(query), SHIPOPT_ETOOLARGE);
	assert_int_equal(query->count, QUERY_VALUES_MAX);
	assert_int_equal(shipopt_query_clear(query), 0);
	assert_int_equal(shipopt_query_bind_int(query, 1), 0);
	shipopt_query_free(TAKE(query));
}

static void statements_are_checked(void **state)
{
	char *long_text = malloc(QUERY_SQL_BYTES_MAX + 2);
	memset(long_text, ' ', QUERY_SQL_BYTES_MAX + 1);
	long_text[QUERY_SQL_BYTES_MAX + 1] = '\0';
	assert_int_equal(shipopt_query_new(long_text, &query, NULL), SHIPOPT_ETOOLARGE);
	long_text[QUERY_SQL_BYTES_MAX] = '\0';
	assert_int_equal(shipopt_query_new(long_text, &query, NULL), 0);
	shipopt_query_free(TAKE(query));
	free(long_text);
	assert_int_equal(shipopt_query_new("", &query, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_new(NULL, &query, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_query_new("select '\xff'", &query, NULL), SHIPOPT_EENCODING);
	assert_null(query);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(places_outside_and_nulls_are_told),
		TEST(integers_are_read_from_both_forms),
		TEST(broken_integers_are_refused),
		TEST(numerics_are_read_in_millionths),
		TEST(numerics_that_are_no_numbers_are_told),
		TEST(broken_numerics_are_refused),
		TEST(numerics_without_a_fraction_are_integers),
		TEST(floats_are_read_from_both_forms),
		TEST(booleans_are_read_from_both_forms),
		TEST(timestamps_are_read_from_text),
		TEST(timestamps_are_read_from_binary),
		TEST(uuids_json_and_bytes_are_read_from_both_forms),
		TEST(bytes_are_read_from_both_forms),
		TEST(integer_arrays_are_read_from_both_forms),
		TEST(other_arrays_are_refused),
		TEST(text_arrays_are_read_from_both_forms),
		TEST(parameters_are_written_as_the_server_reads_them),
		TEST(what_is_written_is_read_back),
		TEST(bad_parameters_are_refused_and_change_nothing),
		TEST(statements_are_checked),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
