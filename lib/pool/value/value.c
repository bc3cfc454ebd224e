/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "pool/value/rows.h"
#include "pool/value/type.h"

/*
 * Values read from text or from PostgreSQL's binary forms (its …send functions): integers and floats big-endian,
 * timestamps as microseconds since 2000, dates as days since then, numeric as digits to the base 10,000 with a weight.
 */
#define MILLION INT64_C(1000000)

__extension__ typedef __int128 wide;

static uint64_t value_read_word(const char *bytes, size_t width)
{
	uint64_t word = 0;
	for (size_t i = 0; i < width; i++)
		word = word << 8 | (unsigned char)bytes[i];
	return word;
}

static bool value_is_integer(Oid type)
{
	return type == TYPE_INT2 || type == TYPE_INT4 || type == TYPE_INT8 || type == TYPE_OID;
}

static int value_binary_int(const struct column_value *value, int64_t *ret_value)
{
	size_t width = value->type == TYPE_INT8 ? 8 : value->type == TYPE_INT2 ? 2 : 4;
	if (value->length != width)
		return SHIPOPT_EPARSE;
	uint64_t word = value_read_word(value->bytes, width);
	*ret_value = width == 8           ? (int64_t)word
		: width == 2              ? (int16_t)word
		: value->type == TYPE_OID ? (int64_t)word
					  : (int32_t)word;
	return 1;
}

/* The head of a binary numeric: digits to the base 10,000, most significant first; digit i counts 10,000^(weight - i).
 * Sign 0x4000 is minus, above 0x4000 are NaN and the infinities. */
struct binary_numeric {
	size_t count;
	int weight;
	bool is_negative;
	const char *digits;
};

static int value_numeric_open(const struct column_value *value, struct binary_numeric *ret_numeric)
{
	if (value->length < 8)
		return SHIPOPT_EPARSE;
	struct binary_numeric numeric = {.count = value_read_word(value->bytes, 2),
		.weight = (int16_t)value_read_word(value->bytes + 2, 2)};
	unsigned sign = (unsigned)value_read_word(value->bytes + 4, 2);
	if (value->length != 8 + 2 * numeric.count)
		return SHIPOPT_EPARSE;
	if (sign > 0x4000)
		return SHIPOPT_ETOOLARGE;
	numeric.is_negative = sign != 0;
	numeric.digits = value->bytes + 8;
	for (size_t i = 0; i < numeric.count; i++)
		if (value_read_word(numeric.digits + 2 * i, 2) > 9999)
			return SHIPOPT_EPARSE;
	*ret_numeric = numeric;
	return 0;
}

static int value_binary_numeric_int(const struct column_value *value, int64_t *ret_value)
{
	struct binary_numeric numeric;
	int64_t number = 0; /* kept negative, as there is one more below zero */
	int r = value_numeric_open(value, &numeric);
	if (r < 0)
		return r;
	for (size_t i = 0; i < numeric.count; i++)
		if ((int)i > numeric.weight && value_read_word(numeric.digits + 2 * i, 2))
			return SHIPOPT_ETYPE;
	for (int i = 0; numeric.count && i <= numeric.weight; i++) {
		int64_t digit = (size_t)i < numeric.count ? (int64_t)value_read_word(numeric.digits + 2 * i, 2) : 0;
		if (__builtin_mul_overflow(number, 10000, &number) || __builtin_sub_overflow(number, digit, &number))
			return SHIPOPT_ETOOLARGE;
	}
	if (!numeric.is_negative && __builtin_sub_overflow(0, number, &number))
		return SHIPOPT_ETOOLARGE;
	*ret_value = number;
	return 1;
}

/* "-12", "12.000". */
static int value_text_numeric_int(const char *text, int64_t *ret_value)
{
	char whole[24];
	size_t sign = *text == '-', length = strspn(text + sign, "0123456789") + sign;
	const char *rest = text + length;
	if (strpbrk(text, "NI")) /* NaN, Infinity */
		return SHIPOPT_ETOOLARGE;
	if (length == sign || (*rest && *rest != '.'))
		return SHIPOPT_EPARSE;
	rest += *rest == '.';
	rest += strspn(rest, "0");
	if (*rest)
		return rest[strspn(rest, "0123456789")] ? SHIPOPT_EPARSE : SHIPOPT_ETYPE;
	if (length >= sizeof(whole))
		return SHIPOPT_ETOOLARGE;
	memcpy(whole, text, length);
	whole[length] = '\0';
	return text_parse_i64(whole, ret_value) < 0 ? SHIPOPT_ETOOLARGE : 1;
}

int value_int(const struct column_value *value, int64_t *ret_value)
{
	if (value_is_integer(value->type) && value->is_binary)
		return value_binary_int(value, ret_value);
	if (value_is_integer(value->type))
		return text_parse_i64(value->bytes, ret_value) < 0 ? SHIPOPT_EPARSE : 1;
	if (value->type != TYPE_NUMERIC)
		return SHIPOPT_ETYPE;
	return value->is_binary ? value_binary_numeric_int(value, ret_value)
				: value_text_numeric_int(value->bytes, ret_value);
}

static int value_binary_numeric(const struct column_value *value, int64_t *ret_millionths)
{
	struct binary_numeric numeric;
	int r = value_numeric_open(value, &numeric);
	if (r < 0)
		return r;
	/* The sum in units of 10^-8, two digits below the point, rounds exactly; a third one only breaks a tie
	 * upwards. */
	wide sum = 0;
	for (size_t i = 0; i < numeric.count; i++) {
		int power = numeric.weight - (int)i + 2;
		if (power < 0)
			break;
		wide term = (int)value_read_word(numeric.digits + 2 * i, 2);
		if (power > 7 && term)
			return SHIPOPT_ETOOLARGE;
		for (int p = 0; p < power && p < 8; p++)
			term *= 10000;
		sum += term;
	}
	sum = (sum + 50) / 100;
	if (sum > INT64_MAX)
		return SHIPOPT_ETOOLARGE;
	*ret_millionths = numeric.is_negative ? -(int64_t)sum : (int64_t)sum;
	return 1;
}

int value_numeric(const struct column_value *value, int64_t *ret_millionths)
{
	if (value_is_integer(value->type)) {
		int64_t whole;
		int r = value_int(value, &whole);
		if (r == 1 && __builtin_mul_overflow(whole, MILLION, &whole))
			return SHIPOPT_ETOOLARGE;
		if (r == 1)
			*ret_millionths = whole;
		return r;
	}
	if (value->type != TYPE_NUMERIC)
		return SHIPOPT_ETYPE;
	if (value->is_binary)
		return value_binary_numeric(value, ret_millionths);
	if (strpbrk(value->bytes, "NI")) /* NaN, Infinity */
		return SHIPOPT_ETOOLARGE;
	int r = decimal_parse(value->bytes, value->length, ret_millionths);
	return r < 0 ? r : 1;
}

/* strtod() in the "C" locale, whatever locale the application has set. */
static int value_text_float(const char *text, double *ret_value)
{
	static locale_t plain;
	locale_t known = __atomic_load_n(&plain, __ATOMIC_ACQUIRE);
	if (!known) {
		locale_t made = newlocale(LC_ALL_MASK, "C", (locale_t)0);
		if (!made)
			return SHIPOPT_ENOMEM;
		if (__atomic_compare_exchange_n(&plain, &known, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
			known = made;
		else
			freelocale(made);
	}
	char *end;
	double number = strtod_l(text, &end, known);
	if (end == text || *end)
		return SHIPOPT_EPARSE;
	*ret_value = number;
	return 1;
}

int value_float(const struct column_value *value, double *ret_value)
{
	bool is_single = value->type == TYPE_FLOAT4;
	if (is_single || value->type == TYPE_FLOAT8) {
		if (!value->is_binary)
			return value_text_float(value->bytes, ret_value);
		if (value->length != (is_single ? 4 : 8))
			return SHIPOPT_EPARSE;
		uint64_t word = value_read_word(value->bytes, value->length);
		uint32_t half = (uint32_t)word;
		float single;
		memcpy(&single, &half, sizeof(single));
		memcpy(ret_value, &word, sizeof(word));
		if (is_single)
			*ret_value = (double)single;
		return 1;
	}
	if (value->type == TYPE_NUMERIC && !value->is_binary)
		return value_text_float(value->bytes, ret_value);
	int64_t number;
	bool is_numeric = value->type == TYPE_NUMERIC;
	int r = is_numeric ? value_numeric(value, &number) : value_int(value, &number);
	if (r == 1)
		*ret_value = is_numeric ? (double)number / 1e6 : (double)number;
	return r;
}

int value_bool(const struct column_value *value, int *ret_value)
{
	if (value->type != TYPE_BOOL)
		return SHIPOPT_ETYPE;
	if (value->length != 1 || (!value->is_binary && value->bytes[0] != 't' && value->bytes[0] != 'f'))
		return SHIPOPT_EPARSE;
	*ret_value = value->is_binary ? value->bytes[0] != 0 : value->bytes[0] == 't';
	return 1;
}

/* ---- timestamps ---------------------------------------------------------------------------------------------- */

/* Days since 1970 of a date in the proleptic Gregorian calendar (Howard Hinnant, "chrono-compatible low-level date
 * algorithms", 2013). */
static int64_t value_days_from_civil(int64_t year, unsigned month, unsigned day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	unsigned of_era = (unsigned)(year - era * 400);
	unsigned of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	return era * 146097 + (int64_t)(of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719468;
}

/* `digits` digits at *text, followed by `mark` unless that is 0. */
static bool value_read_digits(const char **text, int digits_min, int digits_max, char mark, int64_t *ret_number)
{
	int64_t number = 0;
	int count = 0;
	for (; count < digits_max && **text >= '0' && **text <= '9'; count++)
		number = number * 10 + (*(*text)++ - '0');
	if (count < digits_min || (mark && *(*text)++ != mark))
		return false;
	*ret_number = number;
	return true;
}

static bool value_read_fraction(const char **text, int64_t *ret_us)
{
	int64_t us = 0;
	if (**text != '.')
		return true;
	(*text)++;
	for (int i = 0; i < 6; i++)
		us = us * 10 + (**text >= '0' && **text <= '9' ? *(*text)++ - '0' : 0);
	*ret_us = us;
	return true;
}

/* "+05", "+05:30", "-03:30:15" or nothing. */
static bool value_read_offset(const char **text, int64_t *ret_seconds)
{
	int64_t part[3] = {0};
	int sign = **text == '-' ? -1 : 1;
	if (**text != '+' && **text != '-')
		return true;
	for (int i = 0; i < 3; i++) {
		if (i > 0 && **text != ':')
			break;
		(*text)++;
		if (!value_read_digits(text, 2, 2, 0, &part[i]))
			return false;
	}
	*ret_seconds = sign * (part[0] * 3600 + part[1] * 60 + part[2]);
	return true;
}

static int value_text_timestamp(const char *text, bool has_time, int64_t *ret_unix_us)
{
	int64_t year, month, day, hour = 0, minute = 0, second = 0, fraction = 0, offset = 0;
	if (strstr(text, "infinity"))
		return SHIPOPT_ETOOLARGE;
	bool ok = value_read_digits(&text, 4, 7, '-', &year) && value_read_digits(&text, 2, 2, '-', &month) &&
		value_read_digits(&text, 2, 2, has_time ? ' ' : '\0', &day);
	if (ok && has_time)
		ok = value_read_digits(&text, 2, 2, ':', &hour) && value_read_digits(&text, 2, 2, ':', &minute) &&
			value_read_digits(&text, 2, 2, 0, &second) && value_read_fraction(&text, &fraction) &&
			value_read_offset(&text, &offset);
	if (ok && strcmp(text, " BC") == 0) {
		year = 1 - year;
		text += 3;
	}
	if (!ok || *text || month < 1 || month > 12 || day < 1 || day > 31 || hour > 24 || minute > 59 || second > 60)
		return SHIPOPT_EPARSE;
	int64_t seconds = value_days_from_civil(year, (unsigned)month, (unsigned)day) * 86400 + hour * 3600 +
		minute * 60 + second,
		us;
	if (__builtin_mul_overflow(seconds - offset, MILLION, &us) || __builtin_add_overflow(us, fraction, &us))
		return SHIPOPT_ETOOLARGE;
	*ret_unix_us = us;
	return 1;
}

int value_timestamp(const struct column_value *value, int64_t *ret_unix_us)
{
	bool is_date = value->type == TYPE_DATE;
	if (!is_date && value->type != TYPE_TIMESTAMP && value->type != TYPE_TIMESTAMPTZ)
		return SHIPOPT_ETYPE;
	if (!value->is_binary)
		return value_text_timestamp(value->bytes, !is_date, ret_unix_us);
	if (value->length != (is_date ? 4 : 8))
		return SHIPOPT_EPARSE;
	int64_t since = is_date ? (int32_t)value_read_word(value->bytes, 4) : (int64_t)value_read_word(value->bytes, 8);
	bool is_infinite =
		is_date ? since == INT32_MAX || since == INT32_MIN : since == INT64_MAX || since == INT64_MIN;
	if (is_infinite || (is_date && __builtin_mul_overflow(since, DAY_US, &since)))
		return SHIPOPT_ETOOLARGE;
	if (__builtin_add_overflow(since, POSTGRES_EPOCH_US, &since))
		return SHIPOPT_ETOOLARGE;
	*ret_unix_us = since;
	return 1;
}

/* ---- uuid and bytes ------------------------------------------------------------------------------------------ */

static int value_hex_digit(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

int value_uuid(const struct column_value *value, unsigned char ret_uuid[16])
{
	unsigned char uuid[16];
	if (value->type != TYPE_UUID)
		return SHIPOPT_ETYPE;
	if (value->is_binary) {
		if (value->length != 16)
			return SHIPOPT_EPARSE;
		memcpy(ret_uuid, value->bytes, 16);
		return 1;
	}
	const char *text = value->bytes;
	for (size_t i = 0; i < 16; i++) {
		text += *text == '-';
		int high = value_hex_digit(text[0]), low = high < 0 ? -1 : value_hex_digit(text[1]);
		if (low < 0)
			return SHIPOPT_EPARSE;
		uuid[i] = (unsigned char)(high << 4 | low);
		text += 2;
	}
	if (*text)
		return SHIPOPT_EPARSE;
	memcpy(ret_uuid, uuid, 16);
	return 1;
}

int value_bytes(const struct column_value *value, void *buffer, size_t size, size_t *ret_length)
{
	if (value->type != TYPE_BYTEA)
		return SHIPOPT_ETYPE;
	/* Text is "\x" and two digits a byte (bytea_output hex, the default). */
	if (!value->is_binary &&
		(value->length < 2 || value->bytes[0] != '\\' || value->bytes[1] != 'x' || value->length % 2))
		return SHIPOPT_EPARSE;
	size_t length = value->is_binary ? value->length : (value->length - 2) / 2;
	if (length > size) {
		*ret_length = length;
		return SHIPOPT_ETOOLARGE;
	}
	if (value->is_binary && length)
		memcpy(buffer, value->bytes, length);
	for (size_t i = 0; !value->is_binary && i < length; i++) {
		int high = value_hex_digit(value->bytes[2 + 2 * i]), low = value_hex_digit(value->bytes[3 + 2 * i]);
		if (high < 0 || low < 0)
			return SHIPOPT_EPARSE;
		((unsigned char *)buffer)[i] = (unsigned char)(high << 4 | low);
	}
	*ret_length = length;
	return 1;
}
