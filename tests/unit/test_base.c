/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/memory.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"

static void error_codes_have_their_own_names(void **state)
{
	for (int code = SHIPOPT_EINTERNAL; code <= 0; code++) {
		assert_string_not_equal(shipopt_error_name(code), "SHIPOPT_E?");
		for (int other = SHIPOPT_EINTERNAL; other < code; other++)
			assert_string_not_equal(shipopt_error_name(code), shipopt_error_name(other));
	}
	assert_string_equal(shipopt_error_name(SHIPOPT_EINVAL), "SHIPOPT_EINVAL");
	assert_string_equal(shipopt_error_name(SHIPOPT_ENORATE), "SHIPOPT_ENORATE");
	assert_string_equal(shipopt_error_name(SHIPOPT_EINTERNAL), "SHIPOPT_EINTERNAL");
	assert_string_equal(shipopt_error_name(SHIPOPT_ALREADY), "SHIPOPT_ALREADY");
	assert_string_equal(shipopt_error_name(2), "SHIPOPT_E?");
	assert_string_equal(shipopt_error_name(-1000), "SHIPOPT_E?");
	assert_non_null(shipopt_error_description(-1000));
}

static void error_object_keeps_its_detail(void **state)
{
	struct error_field fields[2] = {{"zip", "is required", NULL}, {NULL, "plain", "try this"}};
	struct error_detail detail = {.code = SHIPOPT_EREFUSED,
		.http_status = 422,
		.retry_after_ms = 1500,
		.message = "refused",
		.carrier_code = "PARAMETER.REQUIRED",
		.request_id = "abc",
		.fields = fields,
		.field_count = 2};
	shipopt_error *error = NULL;
	assert_int_equal(error_set_detail(&error, &detail), SHIPOPT_EREFUSED);
	error = error_prefix(error, "order 7");
	assert_int_equal(shipopt_error_code(error), SHIPOPT_EREFUSED);
	assert_string_equal(shipopt_error_message(error), "order 7: refused");
	assert_int_equal(shipopt_error_http_status(error), 422);
	assert_int_equal(shipopt_error_retry_after_ms(error), 1500);
	assert_string_equal(shipopt_error_carrier_code(error), "PARAMETER.REQUIRED");
	assert_int_equal(shipopt_error_field_count(error), 2);
	assert_string_equal(shipopt_error_field_name(error, 0), "zip");
	assert_null(shipopt_error_field_name(error, 1));
	assert_string_equal(shipopt_error_field_suggestion(error, 1), "try this");
	assert_null(shipopt_error_field_message(error, 2));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_error_retry_after_ms(NULL), -1);
	assert_int_equal(mem_live_count(), 0);
}

static void error_texts_are_utf8_whatever_was_quoted_and_wherever_it_was_cut(void **state)
{
	char longest[5000];
	shipopt_error *error = NULL;
	error_set(&error, SHIPOPT_EIO, "cannot open \"%s\"", "caf\xe9.csv");
	assert_string_equal(shipopt_error_message(error), "cannot open \"caf?.csv\"");
	shipopt_error_unref(error);
	error_set(&error, SHIPOPT_EPARSE, "\"%.4s\"", "abc\xc3\xa9");
	assert_string_equal(shipopt_error_message(error), "\"abc?\"");
	shipopt_error_unref(error);
	for (size_t i = 0; i < sizeof(longest) - 2; i += 2)
		memcpy(longest + i, "\xc3\xa9", 3);
	error_set(&error, SHIPOPT_EREFUSED, "%s", longest);
	const char *message = shipopt_error_message(error);
	assert_true(strlen(message) < strlen(longest));
	assert_true(text_is_utf8(message, strlen(message), NULL));
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

static void buffer_stops_at_its_limit_and_keeps_its_content(void **state)
{
	struct buffer buffer;
	buffer_init_padded(&buffer, 10, 64);
	assert_int_equal(buffer_append_text(&buffer, "12345678"), 0);
	assert_int_equal(buffer_append_text(&buffer, "abc"), SHIPOPT_ETOOLARGE);
	assert_string_equal(buffer_text(&buffer), "12345678");
	assert_int_equal(buffer_append_format(&buffer, "%d", 90), 0);
	assert_int_equal(buffer_append_format(&buffer, "%d", 1), SHIPOPT_ETOOLARGE);
	assert_string_equal(buffer_text(&buffer), "1234567890");
	for (int i = 0; i < 64; i++)
		assert_int_equal(buffer.data[buffer.length + 1 + (size_t)i], 0);
	char *taken = buffer_take(&buffer);
	assert_string_equal(taken, "1234567890");
	mem_free(taken);
	assert_string_equal(buffer_text(&buffer), "");
	buffer_done(&buffer);
}

static void a_failed_assertion_says_where_it_stands(void **state)
{
	int ends[2], status;
	char text[512] = "";
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	if (child == 0) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		ASSERT(ends[0] == ends[1]);
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "shipopt: assertion failed: "));
	assert_non_null(strstr(text, "tests/unit/test_base.c:"));
	assert_non_null(strstr(text, ": ends[0] == ends[1]\n"));
}

static void decimals(void **state)
{
	static const struct {
		const char *text;
		int status;
		int64_t value;
	} cases[] = {
		{"5.21", 0, 5210000},
		{"6.07000", 0, 6070000},
		{"0.0325", 0, 32500},
		{"35,65", 0, 35650000},
		{" 12 ", 0, 12000000},
		{"-1.5", 0, -1500000},
		{"1e2", 0, 100000000},
		{"1.5E-1", 0, 150000},
		{"0.0000005", 0, 1},
		{"0.0000004", 0, 0},
		{"34.15", 0, 34150000},
		{".5", 0, 500000},
		{"5.", 0, 5000000},
		{"9223372036854.775807", 0, INT64_MAX},
		{"9300000000000", SHIPOPT_ETOOLARGE, 0},
		{"", SHIPOPT_EPARSE, 0},
		{"abc", SHIPOPT_EPARSE, 0},
		{"1,234.5", SHIPOPT_EPARSE, 0},
		{"1,234", SHIPOPT_EPARSE, 0},
		{"1.2.3", SHIPOPT_EPARSE, 0},
		{"1e", SHIPOPT_EPARSE, 0},
		{"99999999999999999999", SHIPOPT_ETOOLARGE, 0},
		{"0.99999999999999999999", 0, 1000000},
		{"-", SHIPOPT_EPARSE, 0},
		{"1e400", SHIPOPT_ETOOLARGE, 0},
		{"0e400", 0, 0},
		{"1e-400", 0, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = 0;
		int r = decimal_parse(cases[i].text, strlen(cases[i].text), &value);
		if (r != cases[i].status || value != cases[i].value)
			fail_msg("\"%s\" gave %d, %lld", cases[i].text, r, (long long)value);
	}
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(12500000, 2, text);
	assert_string_equal(text, "12.50");
	decimal_format(-1, 2, text);
	assert_string_equal(text, "-0.000001");
	decimal_format(7000000, 0, text);
	assert_string_equal(text, "7");
	decimal_format(INT64_MIN, 0, text);
	assert_string_equal(text, "-9223372036854.775808");
}

static void money_is_read_as_carriers_write_it_or_refused(void **state)
{
	static const struct {
		const char *text;
		int status;
		int64_t value;
	} cases[] = {
		/* What decimal_parse() takes. */
		{"7.25", 0, 7250000},
		{"35,65", 0, 35650000},
		{"1.05e1", 0, 10500000},
		{" 12 ", 0, 12000000},
		{"-1.5", 0, -1500000},
		{"1.234", 0, 1234000},
		{"11.000", 0, 11000000},
		{"0", 0, 0},
		/* Groups of three, the last separator being the decimal mark. */
		{"1,234.56", 0, 1234560000},
		{"1.234,56", 0, 1234560000},
		{"1 234,50", 0, 1234500000},
		{"1 234.5", 0, 1234500000},
		{"1\u00a0234,50", 0, 1234500000},
		{"1\u202f234,50", 0, 1234500000},
		{"1'234.50", 0, 1234500000},
		{"1\u2019234.50", 0, 1234500000},
		{"-1,234.56", 0, -1234560000},
		{"+1,234.56", 0, 1234560000},
		{" 1,234.56\r\n", 0, 1234560000},
		{"12,345,678.90", 0, 12345678900000},
		{"12.345.678,9", 0, 12345678900000},
		{"1,234.567", 0, 1234567000},
		{"1,2345", 0, 1234500},
		{"1,234.5678", 0, 1234567800},
		{"0,0325", 0, 32500},
		{"1,234,567", 0, 1234567000000},
		{"1.234.567", 0, 1234567000000},
		{"1 234", 0, 1234000000},
		{"1'234", 0, 1234000000},
		/* Thousands or thousandths. */
		{"1,234", SHIPOPT_EINVAL, 0},
		{"0,123", SHIPOPT_EINVAL, 0},
		{"-12,345", SHIPOPT_EINVAL, 0},
		{"1.234,567", SHIPOPT_EINVAL, 0},
		{"1234,567", SHIPOPT_EINVAL, 0},
		/* No amount. */
		{"", SHIPOPT_EPARSE, 0},
		{"$7.25", SHIPOPT_EPARSE, 0},
		{"7.25 USD", SHIPOPT_EPARSE, 0},
		{"free", SHIPOPT_EPARSE, 0},
		{"1,23,456.00", SHIPOPT_EPARSE, 0},
		{"12,34", 0, 12340000},
		{"1,234,56", SHIPOPT_EPARSE, 0},
		{"1234,567.89", SHIPOPT_EPARSE, 0},
		{"1,234.", SHIPOPT_EPARSE, 0},
		{"1.234,", SHIPOPT_EPARSE, 0},
		{",234.50", SHIPOPT_EPARSE, 0},
		{"1 234.567,89", SHIPOPT_EPARSE, 0},
		{"1.234 567", SHIPOPT_EPARSE, 0},
		{"1.2.3", SHIPOPT_EPARSE, 0},
		{"1..2", SHIPOPT_EPARSE, 0},
		{"--1,234.50", SHIPOPT_EPARSE, 0},
		{"1 ", 0, 1000000},
		{"1,234.5e1", SHIPOPT_EPARSE, 0},
		{"-", SHIPOPT_EPARSE, 0},
		{"1,1,1,1,1,1,1,1,1,1", SHIPOPT_EPARSE, 0},
		{"9,300,000,000,000.00", SHIPOPT_ETOOLARGE, 0},
		{"1,23456789012345678901234567890123456789012345", SHIPOPT_ETOOLARGE, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int64_t value = 0;
		int r = decimal_parse_money(cases[i].text, strlen(cases[i].text), &value);
		if (r != cases[i].status || value != cases[i].value)
			fail_msg("\"%s\" gave %d, %lld", cases[i].text, r, (long long)value);
	}
}

static void integers(void **state)
{
	int64_t value;
	assert_int_equal(text_parse_i64("-9223372036854775808", &value), 0);
	assert_true(value == INT64_MIN);
	assert_int_equal(text_parse_i64("9223372036854775807", &value), 0);
	assert_true(value == INT64_MAX);
	assert_int_equal(text_parse_i64("9223372036854775808", &value), SHIPOPT_EPARSE);
	assert_int_equal(text_parse_i64("-9223372036854775809", &value), SHIPOPT_EPARSE);
	assert_int_equal(text_parse_i64("", &value), SHIPOPT_EPARSE);
	assert_int_equal(text_parse_i64("12a", &value), SHIPOPT_EPARSE);
}

static void utf8(void **state)
{
	static const char *good[] = {"", "abc", "é", "€", "\xf0\x9f\x93\xa6", "\xed\x9f\xbf", "\xf4\x8f\xbf\xbf"};
	static const char *bad[] = {"\x80", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff",
		"\xc3"};
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_true(text_is_utf8(good[i], strlen(good[i]), NULL));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_false(text_is_utf8(bad[i], strlen(bad[i]), NULL));
	size_t offset = 0;
	assert_false(text_is_utf8("ab\xff", 3, &offset));
	assert_int_equal(offset, 2);
}

struct member {
	int number;
	struct list_node node;
};

static void lists(void **state)
{
	struct list_node head, other;
	struct member members[4] = {{.number = 0}, {.number = 1}, {.number = 2}, {.number = 3}};
	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 4; i++)
		list_push_back(i < 2 ? &head : &other, &members[i].node);
	list_splice_back(&head, &other);
	assert_true(list_is_empty(&other));
	int expected = 0;
	LIST_FOREACH(node, &head) {
		assert_int_equal(LIST_MEMBER(node, struct member, node)->number, expected++);
		list_remove(node);
	}
	assert_int_equal(expected, 4);
	assert_null(list_pop_front(&head));
}

static void hashes(void **state)
{
	char hex[HASH_HEX_SIZE];
	assert_int_equal(hash_sha256_hex("abc", 3, hex), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"); /* FIPS 180-4 */
	assert_true(hash_bytes("a", 1, 1) != hash_bytes("a", 1, 2));
	assert_true(hash_bytes("a", 1, 1) != hash_bytes("a\0", 2, 1));
	unsigned buckets[256] = {0};
	for (unsigned i = 0; i < 65536; i++)
		buckets[hash_bytes(&i, sizeof(i), 7) & 255]++;
	for (size_t i = 0; i < 256; i++)
		assert_in_range(buckets[i], 150, 370); /* 256 ± 7 standard deviations */
}

/* Of blocks of just that size, so that a sanitizer sees a byte too many. */
static void each_byte_of_a_text_counts_in_its_hash(void **state)
{
	for (size_t length = 1; length <= 100; length++) {
		unsigned char *text = malloc(length);
		memset(text, 'k', length);
		uint64_t hash = hash_bytes(text, length, 7);
		for (size_t i = 0; i < length; i++) {
			text[i] ^= 1;
			assert_true(hash_bytes(text, length, 7) != hash);
			text[i] ^= 1;
		}
		assert_true(hash_bytes(text, length, 7) == hash);
		assert_true(length == 1 || hash_bytes(text, length - 1, 7) != hash);
		free(text);
	}
}

static void random_numbers(void **state)
{
	struct random a, b;
	random_init(&a, 42);
	random_init(&b, 42);
	for (int i = 0; i < 1000; i++) {
		uint64_t value = random_below(&a, 10);
		assert_true(value < 10 && value == random_below(&b, 10));
		double unit = random_unit(&a);
		assert_true(unit >= 0 && unit < 1 && unit == random_unit(&b));
	}
	assert_true(random_below(&a, 0) == 0);
}

static void virtual_clock(void **state)
{
	clock_set_virtual(true);
	int64_t now = clock_now_us(), wall = clock_wall_ms();
	clock_advance_us(2500000);
	assert_int_equal(clock_now_us() - now, 2500000);
	assert_int_equal(clock_wall_ms() - wall, 2500);
	clock_set_virtual(false);
}

static void near_clock_follows_the_real_one_and_the_virtual_one(void **state)
{
	struct clock_near near = {0};
	int64_t begun = clock_near_us(&near);
	assert_true(begun > 0 && begun <= clock_now_us());
	while (clock_near_us(&near) == begun)
		assert_true(near.now_us <= clock_now_us()); /* for ever, if it stood still */
	assert_true(near.now_us > begun);
	clock_set_virtual(true);
	assert_int_equal(clock_near_us(&near), clock_now_us());
	clock_advance_us(1);
	assert_int_equal(clock_near_us(&near), clock_now_us());
	clock_set_virtual(false);
	assert_true(clock_near_us(&near) > begun);
}

static int allocations;

static void *counting_malloc(size_t size, void *userdata)
{
	allocations++;
	return malloc(size);
}

static void *counting_realloc(void *pointer, size_t size, void *userdata)
{
	return realloc(pointer, size);
}

static void counting_free(void *pointer, void *userdata)
{
	free(pointer);
}

static void allocator_is_replaced_only_while_nothing_is_held(void **state)
{
	assert_int_equal(shipopt_allocator_set(counting_malloc, NULL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_allocator_set(counting_malloc, counting_realloc, counting_free, NULL), 0);
	void *block = mem_alloc_array(3, 5);
	assert_int_equal(allocations, 1);
	assert_int_equal(shipopt_allocator_set(NULL, NULL, NULL, NULL), SHIPOPT_EBUSY);
	shipopt_free(block);
	assert_int_equal(shipopt_allocator_set(NULL, NULL, NULL, NULL), 0);
	assert_null(mem_alloc_array(SIZE_MAX / 2, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(error_codes_have_their_own_names),
		cmocka_unit_test(error_object_keeps_its_detail),
		cmocka_unit_test(error_texts_are_utf8_whatever_was_quoted_and_wherever_it_was_cut),
		cmocka_unit_test(buffer_stops_at_its_limit_and_keeps_its_content),
		cmocka_unit_test(a_failed_assertion_says_where_it_stands),
		cmocka_unit_test(decimals),
		cmocka_unit_test(money_is_read_as_carriers_write_it_or_refused),
		cmocka_unit_test(integers),
		cmocka_unit_test(utf8),
		cmocka_unit_test(lists),
		cmocka_unit_test(hashes),
		cmocka_unit_test(each_byte_of_a_text_counts_in_its_hash),
		cmocka_unit_test(random_numbers),
		cmocka_unit_test(virtual_clock),
		cmocka_unit_test(near_clock_follows_the_real_one_and_the_virtual_one),
		cmocka_unit_test(allocator_is_replaced_only_while_nothing_is_held),
	};
	return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
