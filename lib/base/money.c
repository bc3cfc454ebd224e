/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include "base/money.h"

#include <string.h>

#include "base/text.h"

#define MONEY_MILLION 1000000

/* ISO 4217, list one: the currencies that do not have two digits after the point. */
int money_places(const char *currency)
{
	static const struct {
		const char *names;
		int places;
	} exceptions[] = {
		{"BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0},
		{"BHD IQD JOD KWD LYD OMR TND", 3},
		{"CLF UYW", 4},
	};
	for (size_t i = 0; currency && strlen(currency) == 3 && i < ARRAY_SIZE(exceptions); i++)
		if (!strchr(currency, ' ') && strstr(exceptions[i].names, currency))
			return exceptions[i].places;
	return 2;
}

bool money_fits(int64_t millionths, const char *currency)
{
	int64_t unit = MONEY_MILLION;
	for (int i = 0; i < money_places(currency); i++)
		unit /= 10;
	return millionths % unit == 0;
}

static bool money_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Adds a digit at the end. The amount is negative while it is read, so that the least one can be read, too. */
static bool money_append_digit(int64_t *negative, char digit)
{
	return !__builtin_mul_overflow(*negative, 10, negative) &&
		!__builtin_sub_overflow(*negative, digit - '0', negative);
}

static bool money_has_form(const char *text)
{
	text += *text == '-';
	if (!money_is_digit(*text))
		return false;
	while (money_is_digit(*text))
		text++;
	if (*text == '.' && !money_is_digit(*++text))
		return false;
	while (money_is_digit(*text))
		text++;
	return *text == '\0';
}

enum money_fault money_parse(const char *text, int places_max, int64_t *ret_millionths)
{
	if (!money_has_form(text))
		return MONEY_IS_NO_AMOUNT;
	const char *point = strchr(text, '.');
	size_t places = point ? strlen(point + 1) : 0;
	if (places > (size_t)places_max)
		return MONEY_HAS_TOO_MANY_PLACES;
	bool is_negative = *text == '-', fits = true;
	int64_t negative = 0;
	for (const char *p = text; *p; p++)
		fits = fits && (!money_is_digit(*p) || money_append_digit(&negative, *p));
	for (; places < MONEY_PLACES_MAX; places++)
		fits = fits && money_append_digit(&negative, '0');
	if (!fits || (!is_negative && negative == INT64_MIN))
		return MONEY_IS_TOO_LARGE;
	*ret_millionths = is_negative ? negative : -negative;
	return MONEY_OK;
}

int shipopt_money_parse(const char *text, int64_t *ret_millionths, shipopt_error **ret_error)
{
	if (!text || !ret_millionths)
		return error_set(ret_error, SHIPOPT_EINVAL, "shipopt_money_parse: %s must not be NULL",
			text ? "ret_millionths" : "text");
	switch (money_parse(text, MONEY_PLACES_MAX, ret_millionths)) {
	case MONEY_OK: return 0;
	case MONEY_HAS_TOO_MANY_PLACES:
		return error_set(ret_error, SHIPOPT_EPARSE,
			"the amount \"%.64s\" has more than %d digits after the point", text, MONEY_PLACES_MAX);
	case MONEY_IS_TOO_LARGE:
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "the amount \"%.64s\" is beyond ±9223372036854.775807",
			text);
	default:
		return error_set(ret_error, SHIPOPT_EPARSE,
			"\"%.64s\" is not an amount: write digits and a point, without separators, such as 1234.50",
			text);
	}
}

int shipopt_money_format(int64_t millionths, const char *currency, char *buffer, size_t size)
{
	char text[DECIMAL_TEXT_SIZE];
	if (!buffer)
		return SHIPOPT_EINVAL;
	decimal_format(millionths, money_places(currency), text);
	size_t length = strlen(text);
	if (length >= size)
		return SHIPOPT_ETOOLARGE;
	memcpy(buffer, text, length + 1);
	return (int)length;
}
