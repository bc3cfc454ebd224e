/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>
#include <time.h>

#include "base/macro.h"
#include "record/record.h"
#include "record/time.h"

static void every_shape_of_the_wire_is_read(void **state)
{
	static const struct {
		const char *text;
		int64_t ms; /* -1: refused */
	} cases[] = {
		{"2025-11-07T18:00:55Z", 1762538455000},
		{"2025-11-07T18:00:55+00:00", 1762538455000},
		{"2025-11-07T20:30:55+02:30", 1762538455000},
		{"2025-11-07T13:00:55-0500", 1762538455000},
		{"2025-06-14", 1749859200000},
		{"2024-08-02T22:12:53", 1722636773000},
		{"2024-08-02 22:12:53", 1722636773000},
		{"2025-01-02T03:04:05.456Z", 1735787045456},
		{"2025-01-02t03:04:05.4567899z", 1735787045456},
		{"2025-01-02T03:04:05.4Z", 1735787045400},
		{"Mon, 02 Jan 2006 15:04:05 GMT", 1136214245000},
		{"Mon, 02 jan 2006 15:04:05 -0700", 1136239445000},
		{"  2025-06-14\n", 1749859200000},
		{"1970-01-01T00:00:00Z", 0},
		{"2024-02-29", 1709164800000},
		{"2016-12-31T23:59:60Z", 1483228800000},
		{"2023-02-29", -1},
		{"2100-02-29", -1},
		{"2025-13-01", -1},
		{"2025-00-01", -1},
		{"2025-01-00", -1},
		{"2025-04-31", -1},
		{"2025-01-01T24:00:00Z", -1},
		{"2025-01-01T00:60:00Z", -1},
		{"2025-01-01T00:00:61Z", -1},
		{"2025-01-01T00:00:00.Z", -1},
		{"2025-01-01T00:00Z", -1},
		{"2025-01-01T00:00:00+24:00", -1},
		{"2025-01-01T00:00:00Zx", -1},
		{"2025-01-01T", -1},
		{"2025-1-1", -1},
		{"0000-01-01", -1},
		{"", -1},
		{"1762538455", -1},
		{"soon", -1},
		{"Mon, 02 Jan 2006 15:04:05 PST", -1},
		{"Mon, 02 Xxx 2006 15:04:05 GMT", -1},
		{"Mon, 02 Jan 2006 15:04:05 G", -1},
		{"Mon, 02 Ja", -1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t ms = -7;
		int r = time_parse(cases[i].text, strlen(cases[i].text), &ms);
		if (cases[i].ms == -1 ? r != SHIPOPT_EPARSE || ms != -7 : r != 0 || ms != cases[i].ms)
			fail_msg("\"%s\": %d, %lld", cases[i].text, r, (long long)ms);
	}
}

static void writing_and_reading_are_inverse_and_agree_with_the_system(void **state)
{
	/* Steps of 11 days and a bit cross every month end, leap day and century of 1650 to 2290. */
	for (int64_t ms = INT64_C(-10000000000000); ms < INT64_C(10000000000000); ms += 987654321) {
		char text[TIME_TEXT_SIZE], expected[TIME_TEXT_SIZE];
		int64_t back = 0, whole = ms >= 0 ? ms / 1000 : -((-ms + 999) / 1000);
		time_t seconds = (time_t)whole;
		struct tm tm;
		time_format(ms, text);
		assert_int_equal(time_parse(text, strlen(text), &back), 0);
		assert_true(back == ms);
		assert_non_null(gmtime_r(&seconds, &tm));
		assert_int_equal(strftime(expected, sizeof(expected), "%Y-%m-%dT%H:%M:%S", &tm), 19);
		assert_int_equal(strncmp(text, expected, 19), 0);
	}
	char text[TIME_TEXT_SIZE];
	time_format(1762538455000, text);
	assert_string_equal(text, "2025-11-07T18:00:55Z");
	time_format(1735787045006, text);
	assert_string_equal(text, "2025-01-02T03:04:05.006Z");
	time_format(INT64_MAX, text);
	assert_int_equal(strncmp(text, "9999-12-31", 10), 0);
	time_format(INT64_MIN, text);
	assert_int_equal(strncmp(text, "0001-01-01", 10), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_shape_of_the_wire_is_read),
		cmocka_unit_test(writing_and_reading_are_inverse_and_agree_with_the_system),
	};
	return cmocka_run_group_tests_name("time", tests, NULL, NULL);
}
