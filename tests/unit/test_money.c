/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/money.h>
#include <string.h>

#include "base/memory.h"
#include "base/money.h"

static void an_amount_is_read_in_one_form(void **state)
{
	static const struct {
		const char *text;
		int status;
		int64_t millionths;
	} cases[] = {
		{"12.50", 0, 12500000},
		{"0.0325", 0, 32500},
		{"7", 0, 7000000},
		{"-3.00", 0, -3000000},
		{"-0.000001", 0, -1},
		{"000012", 0, 12000000},
		{"9223372036854.775807", 0, INT64_MAX},
		{"-9223372036854.775808", 0, INT64_MIN},
		{"9223372036854.775808", SHIPOPT_ETOOLARGE, 0},
		{"-9223372036854.775809", SHIPOPT_ETOOLARGE, 0},
		{"9223372036855", SHIPOPT_ETOOLARGE, 0},
		{"1.0000000", SHIPOPT_EPARSE, 0},
		{"1,000", SHIPOPT_EPARSE, 0},
		{"1,5", SHIPOPT_EPARSE, 0},
		{"1 000", SHIPOPT_EPARSE, 0},
		{"1e2", SHIPOPT_EPARSE, 0},
		{"+1", SHIPOPT_EPARSE, 0},
		{"--1", SHIPOPT_EPARSE, 0},
		{"-", SHIPOPT_EPARSE, 0},
		{"", SHIPOPT_EPARSE, 0},
		{".5", SHIPOPT_EPARSE, 0},
		{"5.", SHIPOPT_EPARSE, 0},
		{"1.2.3", SHIPOPT_EPARSE, 0},
		{" 1", SHIPOPT_EPARSE, 0},
		{"1 ", SHIPOPT_EPARSE, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t millionths = 77;
		shipopt_error *error = NULL;
		assert_int_equal(shipopt_money_parse(cases[i].text, &millionths, &error), cases[i].status);
		assert_true(millionths == (cases[i].status < 0 ? 77 : cases[i].millionths));
		assert_int_equal(cases[i].status < 0, error != NULL);
		if (error)
			assert_non_null(strstr(shipopt_error_message(error), cases[i].text));
		shipopt_error_unref(error);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void null_is_an_error_that_names_the_argument(void **state)
{
	int64_t millionths;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_money_parse(NULL, &millionths, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "text must not be NULL"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_money_parse("1", NULL, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "ret_millionths must not be NULL"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_money_parse("x", &millionths, NULL), SHIPOPT_EPARSE);
	assert_int_equal(shipopt_money_format(1, NULL, NULL, 24), SHIPOPT_EINVAL);
}

static void an_amount_is_written_without_losing_a_digit(void **state)
{
	static const struct {
		int64_t millionths;
		const char *currency, *text;
	} cases[] = {
		{12500000, "USD", "12.50"},
		{12500000, NULL, "12.50"},
		{12505000, "USD", "12.505"},
		{32500, "USD", "0.0325"},
		{-1, "USD", "-0.000001"},
		{-3000000, "EUR", "-3.00"},
		{0, "USD", "0.00"},
		{1250000000, "JPY", "1250"},
		{1500000, "JPY", "1.5"},
		{1500000, "KWD", "1.500"},
		{1500000, "CLF", "1.5000"},
		{1500000, "no such currency", "1.50"},
		{INT64_MAX, "USD", "9223372036854.775807"},
		{INT64_MIN, "USD", "-9223372036854.775808"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[SHIPOPT_MONEY_TEXT_SIZE];
		int64_t again;
		size_t length = strlen(cases[i].text);
		assert_int_equal(shipopt_money_format(cases[i].millionths, cases[i].currency, text, sizeof(text)),
			length);
		assert_string_equal(text, cases[i].text);
		assert_int_equal(shipopt_money_parse(text, &again, NULL), 0);
		assert_true(again == cases[i].millionths);
		memset(text, 'x', sizeof(text));
		assert_int_equal(shipopt_money_format(cases[i].millionths, cases[i].currency, text, length),
			SHIPOPT_ETOOLARGE);
		assert_int_equal(text[0], 'x');
		assert_int_equal(shipopt_money_format(cases[i].millionths, cases[i].currency, text, length + 1),
			length);
	}
}

static void currencies_have_their_own_number_of_digits(void **state)
{
	static const struct {
		const char *currency;
		int places;
	} cases[] = {{"USD", 2}, {"JPY", 0}, {"KRW", 0}, {"KWD", 3}, {"UYW", 4}, {NULL, 2}, {"", 2}, {"P D", 2},
		{"jpy", 2}, {"JPYX", 2}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(money_places(cases[i].currency), cases[i].places);
	assert_true(money_fits(12500000, "USD"));
	assert_false(money_fits(12500001, "USD"));
	assert_true(money_fits(12000000, "JPY"));
	assert_false(money_fits(12500000, "JPY"));
	assert_false(money_fits(-12505000, "USD"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_amount_is_read_in_one_form),
		cmocka_unit_test(null_is_an_error_that_names_the_argument),
		cmocka_unit_test(an_amount_is_written_without_losing_a_digit),
		cmocka_unit_test(currencies_have_their_own_number_of_digits),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
