/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <shipopt/error.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/macro.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/text.h"

#define KEY "EZAK0123456789abcdefXYZ"

static struct secret_forms forms;

static void begin(size_t length_min)
{
	secret_forms_init(&forms, length_min);
}

static void finish(void)
{
	secret_forms_done(&forms);
	secret_forms_done(&forms);
	assert_int_equal(mem_live_count(), 0);
}

/* What stands between "[" and "]" must be blanked, the rest not; the text is without them. */
static void check(const char *marked)
{
	char text[512], blanked[512];
	size_t length = 0;
	bool is_inside = false;
	for (; *marked; marked++) {
		if (*marked == '[' || *marked == ']') {
			is_inside = *marked == '[';
			continue;
		}
		text[length] = *marked;
		blanked[length++] = is_inside ? '*' : *marked;
	}
	text[length] = blanked[length] = '\0';
	secret_blank_text(text, &forms);
	assert_string_equal(text, blanked);
}

static void a_key_is_found_in_every_form_in_which_it_was_sent(void **state)
{
	begin(SECRET_DATA_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, KEY), 0);
	assert_int_equal(secret_forms_add_basic(&forms, KEY, ""), 0);
	check("[" KEY "]");
	check("{\"header\":\"Bearer [" KEY "]\"}");
	check("x[" KEY KEY "]y");
	check("key=[EZAK%30123456789abcdefXYZ]&");
	check("[\\u0045ZAK0123456789abcdefXYZ]");
	check("[EZAK0123456789abcdefXY\\u005A]");
	check("EZAK01\\u00332%33\\u003456789abcdefXYZ"); /* another key */
	check("[EZAK01\\u0032%33\\u003456789abcdefXYZ].");
	/* base64 of "KEY:", with and without what is behind the last whole group */
	check("Basic [RVpBSzAxMjM0NTY3ODlhYmNkZWZYWVo6]");
	check("Basic [RVpBSzAxMjM0NTY3ODlhYmNkZWZYWVo6cGFz]c3dvcmQ=");
	check("\"EZAK0123456789abcdefXY\"");
	check("");
	finish();
}

static void json_and_percent_escapes_of_special_bytes_are_read(void **state)
{
	begin(SECRET_MESSAGE_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, "p/a\\s\"s%41\tw"), 0);
	check("<[p/a\\s\"s%41\tw]>");
	check("<[p\\/a\\\\s\\\"s%2541\\tw]>");
	check("<[p\\u002Fa\\u005cs\\u0022s\\u002541\\u0009w]>");
	check("<[p%2Fa%5cs%22s%2541%09w]>");
	check("<p/a");
	check("\\");
	check("%");
	check("%4");
	check("\\u");
	check("\\u00");
	finish();
}

static void base64_is_found_whatever_its_padding_and_escapes(void **state)
{
	begin(SECRET_DATA_BYTES_MIN);
	assert_int_equal(secret_forms_add_basic(&forms, "joe", "~?~>>~"), 0); /* am9lOn4/fj4+fg== */
	check("[am9lOn4/fj4+fg==]");
	check("[am9lOn4/fj4+fg]");
	check("[am9lOn4\\/fj4+fg==].");
	check("[am9lOn4%2Ffj4%2Bfg==].");
	check("am9lOn4");
	finish();
}

static void short_secrets_are_left_and_white_space_is_no_part_of_one(void **state)
{
	begin(SECRET_MESSAGE_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, NULL), 0);
	assert_int_equal(secret_forms_add(&forms, ""), 0);
	assert_int_equal(secret_forms_add(&forms, "   "), 0);
	assert_int_equal(secret_forms_add(&forms, "abc"), 0);
	assert_int_equal(secret_forms_add(&forms, " abc\t"), 0);
	assert_null(forms.first);
	check("abc   abc");
	assert_int_equal(secret_forms_add(&forms, "\tabcd "), 0);
	check("abc[abcd] [abcd]");
	finish();
	begin(SECRET_DATA_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, "abcdefg"), 0);
	check("abcdefg");
	finish();
	secret_blank_text((char[]){"anything"}, NULL);
	secret_blank(NULL, 0, &forms);
}

static void the_longer_of_two_secrets_goes_first(void **state)
{
	static const char *const orders[][2] = {{"abcdef", "abcdefghij"}, {"abcdefghij", "abcdef"}};
	for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
		begin(SECRET_MESSAGE_BYTES_MIN);
		assert_int_equal(secret_forms_add(&forms, orders[i][0]), 0);
		assert_int_equal(secret_forms_add(&forms, orders[i][1]), 0);
		check("[abcdefghij] [abcdef]");
		finish();
	}
}

/* An earlier version looked again at the place that it had just blanked. */
static void a_secret_of_asterisks_ends(void **state)
{
	static const char *const secrets[] = {"*", "**", "****", "********", "a***", "***a", "*a*a*a*a"};
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		begin(1);
		assert_int_equal(secret_forms_add(&forms, secrets[i]), 0);
		check("operator does not exist: bigint * text");
		char stars[65];
		memset(stars, '*', sizeof(stars) - 1);
		stars[64] = '\0';
		check(stars);
		finish();
	}
	begin(1);
	assert_int_equal(secret_forms_add(&forms, "**a*"), 0);
	check("[**a*] [**a*]*a*a* [\\u002a*a*].");
	finish();
}

static void nothing_beyond_the_length_is_read_or_written(void **state)
{
	begin(SECRET_MESSAGE_BYTES_MIN);
	assert_int_equal(secret_forms_add(&forms, "secret"), 0);
	static const char *const texts[] = {"secret", "secre%74", "secre\\u0074", "s\\u0065cret", "xx%", "xx\\",
		"\\u007", "%7"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		for (size_t length = 0; length <= strlen(texts[i]); length++) {
			char *exact = malloc(length + 1); /* a sanitizer sees the end */
			memcpy(exact, texts[i], length);
			exact[length] = '!';
			secret_blank(exact, length, &forms);
			assert_int_equal(exact[length], '!');
			if (length < strlen(texts[i]))
				assert_memory_equal(exact, texts[i], length);
			free(exact);
		}
	}
	char with_nul[] = "a\0secret\0b";
	secret_blank(with_nul, sizeof(with_nul), &forms);
	assert_memory_equal(with_nul, "a\0******\0b", sizeof(with_nul));
	finish();
}

/* ---- property ------------------------------------------------------------------------------------------------ */

static struct random source;

static size_t pick(size_t bound)
{
	return (size_t)random_below(&source, bound);
}

/* One byte in a random spelling. */
static size_t spell(char byte, char *to)
{
	unsigned char value = (unsigned char)byte;
	switch (pick(6)) {
	case 0: return (size_t)sprintf(to, pick(2) ? "%%%02X" : "%%%02x", value);
	case 1:
		if (value < 0x80)
			return (size_t)sprintf(to, pick(2) ? "\\u%04X" : "\\u%04x", value);
		break;
	case 2:
		if (!strchr("bfnrtu", byte))
			return (size_t)sprintf(to, "\\%c", byte);
		break;
	default: break;
	}
	*to = byte;
	return 1;
}

/* The plain reading of a text, by the same rules but written down another way; for the test to look for secrets in. */
static size_t decode(const char *text, size_t length, char *to)
{
	size_t count = 0;
	unsigned value;
	for (size_t i = 0; i < length;) {
		char hex[5] = "";
		if (text[i] == '%' && i + 3 <= length &&
			strspn(memcpy(hex, text + i + 1, 2), "0123456789abcdefABCDEF") == 2) {
			value = (unsigned)strtoul(hex, NULL, 16);
			i += 3;
		} else if (text[i] == '\\' && i + 6 <= length && text[i + 1] == 'u' && text[i + 2] == '0' &&
			text[i + 3] == '0' && strspn(memcpy(hex, text + i + 4, 2), "0123456789abcdefABCDEF") == 2) {
			value = (unsigned)strtoul(hex, NULL, 16);
			i += 6;
		} else if (text[i] == '\\' && i + 2 <= length) {
			static const char from[] = "bfnrt", into[] = "\b\f\n\r\t";
			const char *control = text[i + 1] ? strchr(from, text[i + 1]) : NULL;
			value = (unsigned char)(control ? into[control - from] : text[i + 1]);
			i += 2;
		} else {
			value = (unsigned char)text[i++];
		}
		to[count++] = (char)value;
	}
	return count;
}

static void fill_random(char *text, size_t length, const char *alphabet)
{
	size_t letters = strlen(alphabet);
	for (size_t i = 0; i < length; i++)
		text[i] = alphabet[pick(letters)];
	text[length] = '\0';
}

/* Secrets of few letters, so that they overlap themselves and each other, planted in random spellings among random
 * text. */
static void try_random(const char *alphabet, const char *noise, bool has_asterisk)
{
	char secrets[2][16], text[1024], before[1024], plain[1024];
	size_t length = 0;
	begin(SECRET_MESSAGE_BYTES_MIN);
	for (size_t i = 0; i < 2; i++) {
		fill_random(secrets[i], SECRET_MESSAGE_BYTES_MIN + pick(8), alphabet);
		assert_int_equal(secret_forms_add(&forms, secrets[i]), 0);
	}
	for (size_t pieces = pick(12); pieces; pieces--) {
		const char *secret = secrets[pick(2)];
		size_t letters = pick(3) ? strlen(secret) : pick(strlen(secret)); /* also a part */
		bool is_literal = pick(3) == 0;
		for (size_t i = 0; i < letters; i++)
			length += is_literal ? (size_t)sprintf(text + length, "%c", secret[i])
					     : spell(secret[i], text + length);
		size_t filling = pick(6);
		fill_random(text + length, filling, noise);
		length += filling;
	}
	memcpy(before, text, length);
	secret_blank(text, length, &forms);
	for (size_t i = 0; i < length; i++)
		assert_true(text[i] == before[i] || text[i] == '*');
	size_t count = decode(text, length, plain);
	for (size_t i = 0; i < 2 && !has_asterisk; i++) {
		if (memmem(text, length, secrets[i], strlen(secrets[i])) ||
			memmem(plain, count, secrets[i], strlen(secrets[i])))
			fail_msg("\"%s\" is left in \"%.*s\", of \"%.*s\"", secrets[i], (int)length, text, (int)length,
				before);
	}
	memcpy(before, text, length);
	secret_blank(text, length, &forms);
	if (!has_asterisk)
		assert_memory_equal(text, before, length);
	finish();
}

static void after_blanking_no_form_occurs(void **state)
{
	random_init(&source, 1);
	for (int i = 0; i < 30000; i++)
		try_random("ab", "abcx", false);
	for (int i = 0; i < 30000; i++)
		try_random("ab\"/", "ab:;,u0", false);
	for (int i = 0; i < 30000; i++)
		try_random("aZ09+/=", "aZ09 {}\\", false);
	for (int i = 0; i < 20000; i++)
		try_random("*a", "*a\\%", true); /* it ends, and writes nothing else */
	for (int i = 0; i < 20000; i++)
		try_random("%\\4", "%\\41ub", true);
}

/* ---- cost ---------------------------------------------------------------------------------------------------- */

static int64_t time_blank(char *text, size_t length, int rounds)
{
	int64_t begun_us = clock_now_us();
	for (int i = 0; i < rounds; i++)
		secret_blank(text, length, &forms);
	return clock_now_us() - begun_us;
}

/* Not asserted but for the order of magnitude: a quadratic search would take minutes. */
static void the_cost_is_linear(void **state)
{
	static char key[513];
	size_t length = 7168, large = (size_t)8 << 20;
	char *text = malloc(large);
	begin(SECRET_DATA_BYTES_MIN);
	secret_forms_add(&forms, KEY);
	secret_forms_add_basic(&forms, KEY, "");
	for (size_t i = 0; i < large; i++)
		text[i] =
			"{\"id\":\"shp_0f1e2d3c4b5a69788796a5b4c3d2e1f0\",\"rate\":\"12.50\",\"label_url\":\"https://host/path\"},"
				[i % 94];
	printf("7 KiB of JSON: %.2f us\n", (double)time_blank(text, length, 1000) / 1000);
	for (size_t i = 500; i < length; i += 700)
		memcpy(text + i, "\\u0026", 6);
	printf("the same with ten escapes: %.2f us\n", (double)time_blank(text, length, 1000) / 1000);
	finish();
	begin(SECRET_DATA_BYTES_MIN);
	memset(key, 'a', sizeof(key) - 1);
	key[511] = 'b';
	secret_forms_add(&forms, key);
	memset(text, 'a', large);
	int64_t literal_us = time_blank(text, large, 1);
	for (size_t i = 0; i + 512 < large; i += 512)
		text[i] = '%';
	int64_t escaped_us = time_blank(text, large, 1);
	for (size_t i = 0; i + 6 < large; i += 6)
		memcpy(text + i, "\\u0061", 6);
	int64_t all_us = time_blank(text, large, 1);
	printf("8 MiB made to be slow: %lld ms, with percent signs %lld ms, all escaped %lld ms\n",
		(long long)literal_us / 1000, (long long)escaped_us / 1000, (long long)all_us / 1000);
	assert_true(literal_us + escaped_us + all_us < 30000000);
	finish();
	free(text);
}

#ifdef SHIPOPT_FAULTS
static void running_out_of_memory_is_reported(void **state)
{
	int r = SHIPOPT_ENOMEM;
	for (long passes = 0; r < 0; passes++) {
		begin(SECRET_MESSAGE_BYTES_MIN);
		fault_arm(passes);
		r = secret_forms_add(&forms, KEY);
		r = r < 0 ? r : secret_forms_add_basic(&forms, "user", KEY);
		assert_int_equal(r, fault_fired() ? SHIPOPT_ENOMEM : 0);
		fault_arm(-1);
		finish();
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_found_in_every_form_in_which_it_was_sent),
		cmocka_unit_test(json_and_percent_escapes_of_special_bytes_are_read),
		cmocka_unit_test(base64_is_found_whatever_its_padding_and_escapes),
		cmocka_unit_test(short_secrets_are_left_and_white_space_is_no_part_of_one),
		cmocka_unit_test(the_longer_of_two_secrets_goes_first),
		cmocka_unit_test(a_secret_of_asterisks_ends),
		cmocka_unit_test(nothing_beyond_the_length_is_read_or_written),
		cmocka_unit_test(after_blanking_no_form_occurs),
		cmocka_unit_test(the_cost_is_linear),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(running_out_of_memory_is_reported),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
