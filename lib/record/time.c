/* SPDX-License-Identifier: MIT */
#include "record/time.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/macro.h"
#include "base/text.h"

#define MS_PER_SECOND 1000
#define SECONDS_PER_DAY 86400
#define MS_PER_DAY ((int64_t)SECONDS_PER_DAY * MS_PER_SECOND)
#define DAYS_PER_ERA 146097 /* 400 years */
#define DAYS_TO_1970 719468 /* from 0000-03-01 */

struct fields {
	int year, month, day, hour, minute, second, ms, offset_minutes;
};

struct cursor {
	const char *p, *end;
};

/* Years are counted from March, so that the leap day is a year's last: with that, the days before a month are a
 * linear formula (Richards, "Calendars", in the Explanatory Supplement to the Astronomical Almanac). */
static int64_t time_days_from_date(int year, int month, int day)
{
	int y = month > 2 ? year : year - 1;
	int era = (y >= 0 ? y : y - 399) / 400;
	int year_of_era = y - era * 400;
	int day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
	int day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
	return (int64_t)era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970;
}

static void time_date_from_days(int64_t days, struct fields *fields)
{
	days += DAYS_TO_1970;
	int era = (int)((days >= 0 ? days : days - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA);
	int day_of_era = (int)(days - (int64_t)era * DAYS_PER_ERA);
	int year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	int day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	int month = (5 * day_of_year + 2) / 153;
	fields->day = day_of_year - (153 * month + 2) / 5 + 1;
	fields->month = month < 10 ? month + 3 : month - 9;
	fields->year = era * 400 + year_of_era + (fields->month <= 2);
}

static int time_days_in_month(int year, int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
	return days[month - 1] + (month == 2 && leap);
}

static bool time_skip(struct cursor *cursor, char c)
{
	if (cursor->p == cursor->end || *cursor->p != c)
		return false;
	cursor->p++;
	return true;
}

static bool time_digits(struct cursor *cursor, int count, int *ret_value)
{
	int value = 0;
	if (cursor->end - cursor->p < count)
		return false;
	for (; count > 0; count--, cursor->p++) {
		if (*cursor->p < '0' || *cursor->p > '9')
			return false;
		value = value * 10 + (*cursor->p - '0');
	}
	*ret_value = value;
	return true;
}

static bool time_parse_clock(struct cursor *cursor, struct fields *fields)
{
	if (!time_digits(cursor, 2, &fields->hour) || !time_skip(cursor, ':') ||
		!time_digits(cursor, 2, &fields->minute) || !time_skip(cursor, ':') ||
		!time_digits(cursor, 2, &fields->second))
		return false;
	if (!time_skip(cursor, '.'))
		return true;
	int scale = 100, digit;
	if (!time_digits(cursor, 1, &digit))
		return false;
	do {
		fields->ms += digit * scale;
		scale /= 10;
	} while (time_digits(cursor, 1, &digit));
	return true;
}

/* "+02:00", "+0200". */
static bool time_parse_offset(struct cursor *cursor, struct fields *fields)
{
	int sign = time_skip(cursor, '+') ? 1 : time_skip(cursor, '-') ? -1 : 0, hours, minutes;
	if (!sign || !time_digits(cursor, 2, &hours))
		return false;
	time_skip(cursor, ':');
	if (!time_digits(cursor, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	fields->offset_minutes = sign * (hours * 60 + minutes);
	return true;
}

static bool time_parse_rfc3339(struct cursor cursor, struct fields *fields)
{
	if (!time_digits(&cursor, 4, &fields->year) || !time_skip(&cursor, '-') ||
		!time_digits(&cursor, 2, &fields->month) || !time_skip(&cursor, '-') ||
		!time_digits(&cursor, 2, &fields->day))
		return false;
	if (cursor.p == cursor.end)
		return true;
	if (!time_skip(&cursor, 'T') && !time_skip(&cursor, 't') && !time_skip(&cursor, ' '))
		return false;
	if (!time_parse_clock(&cursor, fields))
		return false;
	if (cursor.p < cursor.end && !time_skip(&cursor, 'Z') && !time_skip(&cursor, 'z') &&
		!time_parse_offset(&cursor, fields))
		return false;
	return cursor.p == cursor.end;
}

static bool time_parse_month_name(struct cursor *cursor, struct fields *fields)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	if (cursor->end - cursor->p < 3)
		return false;
	for (int i = 0; i < 12; i++) {
		if (strncasecmp(cursor->p, names + (size_t)i * 3, 3) != 0)
			continue;
		fields->month = i + 1;
		cursor->p += 3;
		return true;
	}
	return false;
}

static bool time_parse_zone_name(struct cursor *cursor)
{
	static const char *const names[] = {"GMT", "UTC", "UT", "Z"};
	size_t left = (size_t)(cursor->end - cursor->p);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) != left || strncasecmp(cursor->p, names[i], left) != 0)
			continue;
		cursor->p += left;
		return true;
	}
	return false;
}

static bool time_parse_rfc1123(struct cursor cursor, struct fields *fields)
{
	const char *comma = memchr(cursor.p, ',', (size_t)(cursor.end - cursor.p));
	if (!comma || comma - cursor.p != 3)
		return false;
	cursor.p = comma + 1;
	if (!time_skip(&cursor, ' ') || !time_digits(&cursor, 2, &fields->day) || !time_skip(&cursor, ' ') ||
		!time_parse_month_name(&cursor, fields) || !time_skip(&cursor, ' ') ||
		!time_digits(&cursor, 4, &fields->year) || !time_skip(&cursor, ' ') ||
		!time_parse_clock(&cursor, fields) || !time_skip(&cursor, ' '))
		return false;
	return (time_parse_offset(&cursor, fields) || time_parse_zone_name(&cursor)) && cursor.p == cursor.end;
}

static bool time_fields_are_valid(const struct fields *fields)
{
	return fields->year >= 1 && fields->month >= 1 && fields->month <= 12 && fields->day >= 1 &&
		fields->day <= time_days_in_month(fields->year, fields->month) && fields->hour <= 23 &&
		fields->minute <= 59 && fields->second <= 60;
}

int time_parse(const char *text, size_t length, int64_t *ret_unix_ms)
{
	text_trim(&text, &length);
	struct cursor cursor = {text, text + length};
	struct fields fields = {0};
	if (!time_parse_rfc3339(cursor, &fields)) {
		fields = (struct fields){0};
		if (!time_parse_rfc1123(cursor, &fields))
			return SHIPOPT_EPARSE;
	}
	if (!time_fields_are_valid(&fields))
		return SHIPOPT_EPARSE;
	int64_t seconds = time_days_from_date(fields.year, fields.month, fields.day) * SECONDS_PER_DAY +
		fields.hour * 3600 + (fields.minute - fields.offset_minutes) * 60 + fields.second;
	*ret_unix_ms = seconds * MS_PER_SECOND + fields.ms;
	return 0;
}

void time_format(int64_t unix_ms, char ret_text[TIME_TEXT_SIZE])
{
	struct fields fields = {0};
	int64_t days = unix_ms / MS_PER_DAY, rest = unix_ms % MS_PER_DAY;
	if (rest < 0) {
		rest += MS_PER_DAY;
		days--;
	}
	/* Beyond the years 1 to 9999 there is no RFC 3339; such a time can only have been set, and stays within
	 * them. */
	days = MAX(MIN(days, time_days_from_date(9999, 12, 31)), time_days_from_date(1, 1, 1));
	time_date_from_days(days, &fields);
	int seconds = (int)(rest / MS_PER_SECOND), ms = (int)(rest % MS_PER_SECOND);
	int length = snprintf(ret_text, TIME_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", fields.year % 10000,
		fields.month % 100, fields.day % 100, seconds / 3600 % 100, seconds / 60 % 60, seconds % 60);
	if (ms)
		length += snprintf(ret_text + length, TIME_TEXT_SIZE - (size_t)length, ".%03d", ms % 1000);
	snprintf(ret_text + length, TIME_TEXT_SIZE - (size_t)length, "Z");
}
