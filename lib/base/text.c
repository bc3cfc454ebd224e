/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"

#define MILLION 1000000
#define DECIMAL_PLACES 6
#define MONEY_DIGITS_MAX 40
#define MONEY_SEPARATORS_MAX 8

static size_t text_utf8_sequence(const unsigned char *p, size_t left)
{
	static const unsigned char low[4] = {0x80, 0xa0, 0x90, 0x80};
	if (p[0] < 0x80)
		return 1;
	size_t size = p[0] >= 0xc2 && p[0] <= 0xdf ? 2
		: (p[0] & 0xf0) == 0xe0            ? 3
		: p[0] >= 0xf0 && p[0] <= 0xf4     ? 4
						   : 0;
	if (size == 0 || left < size)
		return 0;
	unsigned char first_low = p[0] == 0xe0 ? low[1] : p[0] == 0xf0 ? low[2] : low[0];
	unsigned char first_high = p[0] == 0xed ? 0x9f : p[0] == 0xf4 ? 0x8f : 0xbf;
	if (p[1] < first_low || p[1] > first_high)
		return 0;
	for (size_t i = 2; i < size; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return size;
}

bool text_is_utf8(const char *bytes, size_t length, size_t *ret_offset)
{
	for (size_t i = 0; i < length;) {
		size_t size = text_utf8_sequence((const unsigned char *)bytes + i, length - i);
		if (size == 0) {
			if (ret_offset)
				*ret_offset = i;
			return false;
		}
		i += size;
	}
	return true;
}

void text_make_utf8(char *text, size_t length)
{
	for (size_t at = 0, bad; !text_is_utf8(text + at, length - at, &bad); at += bad + 1)
		text[at + bad] = '?';
}

bool text_equal(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

static int text_lower(int c)
{
	return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

bool text_equal_ignore_case(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	for (; *a && text_lower(*a) == text_lower(*b); a++, b++)
		;
	return text_lower(*a) == text_lower(*b);
}

bool text_has_prefix(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_is_empty(const char *text)
{
	return !text || !*text;
}

static bool text_is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Levenshtein, "Binary codes capable of correcting deletions, insertions, and reversals", 1966; one row of the
 * table. */
size_t text_distance(const char *a, const char *b)
{
	size_t row[TEXT_DISTANCE_BYTES_MAX], length = strlen(b);
	if (length >= TEXT_DISTANCE_BYTES_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 0; a[i]; i++) {
		size_t diagonal = row[0];
		row[0] = i + 1;
		for (size_t j = 0; j < length; j++) {
			size_t change = diagonal + (a[i] != b[j]);
			diagonal = row[j + 1];
			row[j + 1] = MIN(change, MIN(row[j], diagonal) + 1);
		}
	}
	return row[length];
}

void text_trim(const char **begin, size_t *length)
{
	while (*length && text_is_space(**begin)) {
		(*begin)++;
		(*length)--;
	}
	while (*length && text_is_space((*begin)[*length - 1]))
		(*length)--;
}

int text_parse_i64(const char *text, int64_t *ret_value)
{
	bool negative = *text == '-';
	const char *p = text + (negative || *text == '+');
	int64_t value = 0;
	if (!*p)
		return SHIPOPT_EPARSE;
	for (; *p; p++) {
		if (*p < '0' || *p > '9' || __builtin_mul_overflow(value, 10, &value) ||
			__builtin_sub_overflow(value, *p - '0', &value))
			return SHIPOPT_EPARSE;
	}
	/* Collected as a negative number, whose range is the larger one. */
	if (!negative && value == INT64_MIN)
		return SHIPOPT_EPARSE;
	*ret_value = negative ? value : -value;
	return 0;
}

struct decimal_digits {
	int64_t value; /* digits so far, negative-free */
	int exponent;  /* power of ten of the last digit */
	int dropped;   /* the first digit that did not fit, behind the last place that counts */
	bool any, full, overflow;
};

static void text_decimal_digit(struct decimal_digits *digits, int digit, bool fraction)
{
	digits->any = true;
	int64_t value;
	if (digits->full || __builtin_mul_overflow(digits->value, 10, &value) ||
		__builtin_add_overflow(value, digit, &value)) {
		/* More digits than 64 bits hold: those behind the places that count are only good for rounding. */
		if (!digits->full && digits->exponent == -DECIMAL_PLACES)
			digits->dropped = digit;
		digits->full = true;
		digits->overflow = digits->overflow || !fraction || digits->exponent > -DECIMAL_PLACES;
		return;
	}
	digits->value = value;
	if (fraction)
		digits->exponent--;
}

static const char *text_decimal_mantissa(const char *p, const char *end, char mark, struct decimal_digits *digits)
{
	for (; p < end && *p >= '0' && *p <= '9'; p++)
		text_decimal_digit(digits, *p - '0', false);
	if (p == end || *p != mark)
		return p;
	for (p++; p < end && *p >= '0' && *p <= '9'; p++)
		text_decimal_digit(digits, *p - '0', true);
	return p;
}

static bool text_decimal_exponent(const char *p, const char *end, int *exponent)
{
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	if (p == end || end - p > 3)
		return false;
	int value = 0;
	for (; p < end; p++) {
		if (*p < '0' || *p > '9')
			return false;
		value = value * 10 + (*p - '0');
	}
	*exponent += negative ? -value : value;
	return true;
}

static int text_decimal_scale(const struct decimal_digits *digits, int64_t *ret_millionths)
{
	int64_t value = digits->value;
	int shift = digits->exponent + DECIMAL_PLACES;
	for (; shift > 0 && value; shift--)
		if (__builtin_mul_overflow(value, 10, &value))
			return SHIPOPT_ETOOLARGE;
	int rounding = shift == 0 ? digits->dropped : 0;
	for (; shift < 0; shift++) {
		rounding = (int)(value % 10);
		value /= 10;
	}
	return __builtin_add_overflow(value, rounding >= 5, ret_millionths) ? SHIPOPT_ETOOLARGE : 0;
}

static char text_decimal_mark(const char *p, size_t length)
{
	const char *comma = memchr(p, ',', length);
	size_t after = comma ? length - (size_t)(comma - p) - 1 : 0;
	return comma && !memchr(p, '.', length) && after >= 1 && after <= 2 ? ',' : '.';
}

int decimal_parse(const char *text, size_t length, int64_t *ret_millionths)
{
	const char *p = text, *end;
	text_trim(&p, &length);
	end = p + length;
	bool negative = p < end && *p == '-';
	if (p < end && (*p == '-' || *p == '+'))
		p++;
	struct decimal_digits digits = {0};
	p = text_decimal_mantissa(p, end, text_decimal_mark(p, (size_t)(end - p)), &digits);
	if (!digits.any)
		return SHIPOPT_EPARSE;
	if (p < end && (*p == 'e' || *p == 'E')) {
		if (!text_decimal_exponent(p + 1, end, &digits.exponent))
			return SHIPOPT_EPARSE;
	} else if (p < end) {
		return SHIPOPT_EPARSE;
	}
	if (digits.overflow)
		return SHIPOPT_ETOOLARGE;
	int64_t value;
	int r = text_decimal_scale(&digits, &value);
	if (r < 0)
		return r;
	*ret_millionths = negative ? -value : value;
	return 0;
}

/* An amount taken apart: its digits, and its separators with the number of digits in front of each. */
struct money {
	char digits[MONEY_DIGITS_MAX];
	size_t count;
	char separators[MONEY_SEPARATORS_MAX];
	size_t places[MONEY_SEPARATORS_MAX];
	size_t separator_count;
};

/* The size of a separator, a no-break space counting as a space; 0: it is none. */
static size_t text_money_separator(const char *p, size_t left, char *ret_separator)
{
	static const struct {
		const char *bytes;
		char separator;
	} known[] = {{".", '.'}, {",", ','}, {" ", ' '}, {"'", '\''}, {"\u00a0", ' '}, {"\u202f", ' '},
		{"\u2019", '\''}};
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		size_t size = strlen(known[i].bytes);
		if (size <= left && memcmp(p, known[i].bytes, size) == 0) {
			*ret_separator = known[i].separator;
			return size;
		}
	}
	return 0;
}

static int text_money_scan(const char *p, const char *end, struct money *money)
{
	while (p < end) {
		char separator;
		size_t size = text_money_separator(p, (size_t)(end - p), &separator);
		if (size > 0) {
			if (money->separator_count == MONEY_SEPARATORS_MAX)
				return SHIPOPT_EPARSE;
			money->separators[money->separator_count] = separator;
			money->places[money->separator_count++] = money->count;
			p += size;
		} else {
			if (*p < '0' || *p > '9')
				return SHIPOPT_EPARSE;
			if (money->count == MONEY_DIGITS_MAX)
				return SHIPOPT_ETOOLARGE;
			money->digits[money->count++] = *p++;
		}
	}
	return money->separator_count > 0 ? 0 : SHIPOPT_EPARSE;
}

/* Whether the first `groups` separators cut the first `whole` digits into groups of three. */
static bool text_money_is_grouped(const struct money *money, size_t groups, size_t whole)
{
	for (size_t i = 0; i < groups; i++) {
		size_t next = i + 1 < groups ? money->places[i + 1] : whole;
		if (money->separators[i] != money->separators[0] || next != money->places[i] + 3)
			return false;
	}
	return groups == 0 || (money->places[0] >= 1 && money->places[0] <= 3);
}

/* The digits with a point for the decimal mark, if there is one. */
static int text_money_value(const struct money *money, bool negative, int64_t *ret_millionths)
{
	size_t last = money->separator_count - 1, behind = money->count - money->places[last];
	char mark = money->separators[last], plain[MONEY_DIGITS_MAX + 3];
	bool has_mark = (mark == '.' || mark == ',') && !memchr(money->separators, mark, last);
	size_t whole = has_mark ? money->places[last] : money->count;
	if (behind == 0 || !text_money_is_grouped(money, has_mark ? last : last + 1, whole))
		return SHIPOPT_EPARSE;
	if (has_mark && mark == ',' && behind == 3)
		return SHIPOPT_EINVAL;
	int length = snprintf(plain, sizeof(plain), "%s%.*s.%.*s", negative ? "-" : "", (int)whole, money->digits,
		(int)(money->count - whole), money->digits + whole);
	return decimal_parse(plain, (size_t)length, ret_millionths);
}

int decimal_parse_money(const char *text, size_t length, int64_t *ret_millionths)
{
	struct money money = {.count = 0};
	int r = decimal_parse(text, length, ret_millionths);
	if (r != SHIPOPT_EPARSE)
		return r;
	text_trim(&text, &length);
	size_t sign = length > 0 && (*text == '-' || *text == '+');
	r = text_money_scan(text + sign, text + length, &money);
	return r < 0 ? r : text_money_value(&money, sign > 0 && *text == '-', ret_millionths);
}

void decimal_format(int64_t millionths, int places_min, char ret_text[DECIMAL_TEXT_SIZE])
{
	uint64_t magnitude = millionths < 0 ? 0 - (uint64_t)millionths : (uint64_t)millionths;
	int length = snprintf(ret_text, DECIMAL_TEXT_SIZE, "%s%llu.%06llu", millionths < 0 ? "-" : "",
		(unsigned long long)(magnitude / MILLION), (unsigned long long)(magnitude % MILLION));
	int point = length - DECIMAL_PLACES - 1;
	int places = DECIMAL_PLACES;
	while (places > places_min && ret_text[point + places] == '0')
		places--;
	ret_text[places ? point + 1 + places : point] = '\0';
}
