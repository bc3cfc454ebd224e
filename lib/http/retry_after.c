/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/text.h"
#include "http/http.h"

/*
 * Retry-After: seconds, or one of the three dates of RFC 9110 §5.6.7. Read strictly: a header that is nearly a date is
 * treated as absent rather than guessed at. The value is passed on up to RETRY_AFTER_MAX_MS, so that an error can say
 * it; a lane pauses for a day at most.
 */
#define DAY_MS INT64_C(86400000)
#define RETRY_AFTER_MAX_MS (36525 * DAY_MS)

static const char month_names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
static const char *const day_names[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

static bool retry_after_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool retry_after_take_text(const char **cursor, const char *text)
{
	if (!text_has_prefix(*cursor, text))
		return false;
	*cursor += strlen(text);
	return true;
}

static bool retry_after_take_number(const char **cursor, int digits, int *ret_number)
{
	int number = 0;
	for (int i = 0; i < digits; i++) {
		char c = (*cursor)[i];
		if (!retry_after_is_digit(c))
			return false;
		number = number * 10 + (c - '0');
	}
	*cursor += digits;
	*ret_number = number;
	return true;
}

/* Counts from 1. */
static bool retry_after_take_month(const char **cursor, int *ret_month)
{
	for (int month = 1; month <= 12; month++) {
		if (strncmp(*cursor, month_names + (month - 1) * 3, 3) == 0) {
			*cursor += 3;
			*ret_month = month;
			return true;
		}
	}
	return false;
}

static bool retry_after_take_day_name(const char **cursor, bool *ret_is_long)
{
	for (size_t i = 0; i < ARRAY_SIZE(day_names); i++) {
		*ret_is_long = retry_after_take_text(cursor, day_names[i]);
		if (*ret_is_long)
			return true;
		if (strncmp(*cursor, day_names[i], 3) == 0) {
			*cursor += 3;
			return true;
		}
	}
	return false;
}

struct date {
	int year, month, day, hour, minute, second;
};

static bool retry_after_take_time(const char **cursor, struct date *date)
{
	return retry_after_take_number(cursor, 2, &date->hour) && retry_after_take_text(cursor, ":") &&
		retry_after_take_number(cursor, 2, &date->minute) && retry_after_take_text(cursor, ":") &&
		retry_after_take_number(cursor, 2, &date->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool retry_after_take_fixdate(const char **cursor, struct date *date)
{
	return retry_after_take_text(cursor, ", ") && retry_after_take_number(cursor, 2, &date->day) &&
		retry_after_take_text(cursor, " ") && retry_after_take_month(cursor, &date->month) &&
		retry_after_take_text(cursor, " ") && retry_after_take_number(cursor, 4, &date->year) &&
		retry_after_take_text(cursor, " ") && retry_after_take_time(cursor, date) &&
		retry_after_take_text(cursor, " GMT");
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": a year more than 50 years ahead is one of the past century. */
static bool retry_after_take_rfc850(const char **cursor, struct date *date, int year_now)
{
	if (!(retry_after_take_text(cursor, ", ") && retry_after_take_number(cursor, 2, &date->day) &&
		    retry_after_take_text(cursor, "-") && retry_after_take_month(cursor, &date->month) &&
		    retry_after_take_text(cursor, "-") && retry_after_take_number(cursor, 2, &date->year) &&
		    retry_after_take_text(cursor, " ") && retry_after_take_time(cursor, date) &&
		    retry_after_take_text(cursor, " GMT")))
		return false;
	date->year += year_now - year_now % 100;
	if (date->year > year_now + 50)
		date->year -= 100;
	return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool retry_after_take_asctime(const char **cursor, struct date *date)
{
	if (!retry_after_take_text(cursor, " ") || !retry_after_take_month(cursor, &date->month) ||
		!retry_after_take_text(cursor, " "))
		return false;
	bool has_day = retry_after_take_text(cursor, " ") ? retry_after_take_number(cursor, 1, &date->day)
							  : retry_after_take_number(cursor, 2, &date->day);
	return has_day && retry_after_take_text(cursor, " ") && retry_after_take_time(cursor, date) &&
		retry_after_take_text(cursor, " ") && retry_after_take_number(cursor, 4, &date->year);
}

/* Days from 1970-01-01 in the Gregorian calendar; March starts the year, so that the leap day is its last. */
static int64_t retry_after_days_from_date(const struct date *date)
{
	int64_t year = date->year - (date->month <= 2);
	int64_t era_year = year % 400, era = year / 400;
	int64_t day_of_year = (153 * (date->month + (date->month > 2 ? -3 : 9)) + 2) / 5 + date->day - 1;
	return era * 146097 + era_year * 365 + era_year / 4 - era_year / 100 + day_of_year - 719468;
}

static int retry_after_parse_date(const char *value, int64_t now_ms, int64_t *ret_at_ms)
{
	struct date date;
	bool is_long = false;
	const char *rest = value, *name_end;
	if (!retry_after_take_day_name(&rest, &is_long))
		return SHIPOPT_EPARSE;
	name_end = rest;
	int year_now = (int)(1970 + now_ms / (DAY_MS * 146097 / 400));
	bool ok = is_long ? retry_after_take_rfc850(&rest, &date, year_now) : retry_after_take_fixdate(&rest, &date);
	if (!ok && !is_long) {
		rest = name_end;
		ok = retry_after_take_asctime(&rest, &date);
	}
	if (!ok || *rest || date.day < 1 || date.day > 31 || date.hour > 23 || date.minute > 59 || date.second > 60)
		return SHIPOPT_EPARSE;
	int64_t seconds = date.hour * 3600 + date.minute * 60 + date.second;
	*ret_at_ms = retry_after_days_from_date(&date) * DAY_MS + seconds * 1000;
	return 0;
}

static int retry_after_parse_seconds(const char *value, int64_t *ret_ms)
{
	int64_t seconds = 0;
	for (; retry_after_is_digit(*value); value++)
		seconds = MIN(seconds * 10 + (*value - '0'), RETRY_AFTER_MAX_MS / 1000);
	if (*value)
		return SHIPOPT_EPARSE;
	*ret_ms = seconds * 1000;
	return 0;
}

int http_parse_retry_after(const char *value, int64_t now_ms, int64_t *ret_ms)
{
	char text[64];
	size_t length = strlen(value);
	text_trim(&value, &length);
	if (length == 0 || length >= sizeof(text))
		return SHIPOPT_EPARSE;
	memcpy(text, value, length);
	text[length] = '\0';
	if (retry_after_is_digit(text[0]))
		return retry_after_parse_seconds(text, ret_ms);
	int64_t at_ms;
	int r = retry_after_parse_date(text, now_ms, &at_ms);
	if (r == 0)
		*ret_ms = MIN(MAX(at_ms - now_ms, 0), RETRY_AFTER_MAX_MS);
	return r;
}
