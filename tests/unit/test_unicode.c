/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "base/unicode.h"

static void assert_trimmed(const char *text, const char *expected)
{
	size_t length = strlen(text);
	const char *begin = text;
	unicode_trim(&begin, &length);
	if (length != strlen(expected) || memcmp(begin, expected, length) != 0)
		fail_msg("\"%s\" is trimmed to \"%.*s\"", text, (int)length, begin);
}

static void white_space_and_what_has_no_width_is_trimmed_at_both_ends(void **state)
{
	static const char *const blanks[] = {" ", "\t", "\n", "\r", "\v", "\f", "\x01", "\x1f", "\x7f", "\xc2\x85",
		"\u00a0", "\u1680", "\u180e", "\u2000", "\u2001", "\u2002", "\u2003", "\u2004", "\u2005", "\u2006",
		"\u2007", "\u2008", "\u2009", "\u200a", "\u200b", "\u200c", "\u200d", "\u200e", "\u200f", "\u2028",
		"\u2029", "\u202f", "\u205f", "\u2060", "\u3000", "\ufeff"};
	for (size_t i = 0; i < ARRAY_SIZE(blanks); i++) {
		char text[64];
		snprintf(text, sizeof(text), "%s%s1 0%s1%s%s", blanks[i], blanks[i], blanks[i], blanks[i], blanks[i]);
		const char *inner = strstr(text, "1 0");
		char expected[32];
		snprintf(expected, sizeof(expected), "1 0%s1", blanks[i]);
		assert_non_null(inner);
		assert_trimmed(text, expected);
		assert_trimmed(blanks[i], "");
	}
	assert_trimmed("", "");
	assert_trimmed("x", "x");
	assert_trimmed("\u00a0 \ufeff\u200bAP\u00a0\r\n", "AP");
	assert_trimmed("\u00e9", "\u00e9");
	assert_trimmed("e\u0301", "e\u0301");
	assert_trimmed("\u202e1001\u202c", "\u202e1001\u202c"); /* what turns the direction is not taken for a blank */
	/* What is not UTF-8 stays, and hides nothing behind it. */
	assert_trimmed("\xa0x\xa0", "\xa0x\xa0");
	assert_trimmed(" \xc2", "\xc2");
	assert_trimmed("\x80\x80\x80\x80\x80 ", "\x80\x80\x80\x80\x80");
	assert_trimmed("\xe2\x80 ", "\xe2\x80");
}

static void assert_key(const char *text, const char *expected)
{
	char *key = NULL, *again = NULL;
	shipopt_error *error = NULL;
	if (unicode_key(text, strlen(text), &key, &error) != 0)
		fail_msg("\"%s\": %s", text, shipopt_error_message(error));
	assert_string_equal(key, expected);
	assert_int_equal(unicode_key(key, strlen(key), &again, NULL), 0);
	assert_string_equal(again, expected);
	mem_free(key);
	mem_free(again);
}

static void keys_that_look_the_same_are_the_same(void **state)
{
	static const char *const same[] = {"1001", "1001\u00a0", "\u200b1001", "1001\ufeff", "\u20281001\u2029",
		"\ufeff\ufeff1001", "\t1001\r\n", "\u200e1001\u200f", "\u30001001\u2060"};
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		assert_key(same[i], "1001");
	assert_key("Caf\u00e9-7", "Caf\u00e9-7");
	assert_key("Cafe\u0301-7", "Caf\u00e9-7");
	assert_key("\u1112\u1161\u11ab", "\ud55c");   /* Hangul from its parts */
	assert_key("q\u0323\u0307", "q\u0323\u0307"); /* marks in one order */
	assert_key("q\u0307\u0323", "q\u0323\u0307");
	assert_key("\u212b", "\u00c5");       /* the sign of the unit is the letter */
	assert_key("\u0344", "\u0308\u0301"); /* what NFC never writes */
	assert_key("A 1/\u0416-\U0001f4e6", "A 1/\u0416-\U0001f4e6");
	assert_key("1001.0", "1001.0"); /* seen to differ */
	assert_key("\uff11\uff10", "\uff11\uff10");
	assert_int_equal(mem_live_count(), 0);
}

static void assert_refused(const char *text, size_t length, int status, const char *message)
{
	char *key = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(unicode_key(text, length, &key, &error), status);
	assert_null(key);
	assert_string_equal(shipopt_error_message(error), message);
	shipopt_error_unref(error);
	assert_int_equal(unicode_key(text, length, &key, NULL), status);
}

#define ASSERT_REFUSED(text, status, message) assert_refused(text, sizeof(text) - 1, status, message)

static void keys_with_something_invisible_inside_are_refused_with_its_name_and_place(void **state)
{
	ASSERT_REFUSED("10\u200b01", SHIPOPT_EINVAL,
		"the key \"10\\u200b01\" has \\u200b at offset 2, a character that cannot be seen: take it out");
	ASSERT_REFUSED("\u00a0A\u00a01\u00a0", SHIPOPT_EINVAL,
		"the key \"A\\u00a01\" has \\u00a0 at offset 3, a character that cannot be seen: take it out");
	ASSERT_REFUSED("a\nb", SHIPOPT_EINVAL,
		"the key \"a\\u000ab\" has \\u000a at offset 1, a character that cannot be seen: take it out");
	ASSERT_REFUSED("a\0b", SHIPOPT_EINVAL,
		"the key \"a\\u0000b\" has \\u0000 at offset 1, a character that cannot be seen: take it out");
	ASSERT_REFUSED("a\U000e0041", SHIPOPT_EINVAL,
		"the key \"a\\U000e0041\" has \\U000e0041 at offset 1, a character that cannot be seen: take it out");
	static const char *const inside[] = {"\t", "\x7f", "\xc2\x85", "\u00ad", "\u034f", "\u061c", "\u115f", "\u1680",
		"\u17b4", "\u180b", "\u200d", "\u202a", "\u202e", "\u2028", "\u2060", "\u2066", "\u2800", "\u3000",
		"\u3164", "\ufe0f", "\ufeff", "\uffa0", "\ufff9", "\U000e0100", "\u0378"};
	for (size_t i = 0; i < ARRAY_SIZE(inside); i++) {
		char text[16], *key = NULL;
		snprintf(text, sizeof(text), "a%sb", inside[i]);
		if (unicode_key(text, strlen(text), &key, NULL) != SHIPOPT_EINVAL)
			fail_msg("case %zu is a key", i);
	}
	ASSERT_REFUSED("", SHIPOPT_EINVAL, "the key is empty");
	ASSERT_REFUSED("\u00a0\u200b\ufeff \t", SHIPOPT_EINVAL, "the key is empty");
	ASSERT_REFUSED(" a\xff", SHIPOPT_EENCODING, "byte 0xff at offset 2 of the key is not UTF-8");
	ASSERT_REFUSED("\xc3", SHIPOPT_EENCODING, "byte 0xc3 at offset 0 of the key is not UTF-8");
	ASSERT_REFUSED("\xed\xa0\x80", SHIPOPT_EENCODING, "byte 0xed at offset 0 of the key is not UTF-8");
	assert_int_equal(mem_live_count(), 0);
}

static void a_key_of_the_bound_passes_and_one_byte_more_does_not(void **state)
{
	static char text[UNICODE_KEY_BYTES_MAX + 3];
	char *key = NULL;
	memset(text, 'k', UNICODE_KEY_BYTES_MAX + 1);
	text[0] = ' ';
	assert_int_equal(unicode_key(text, UNICODE_KEY_BYTES_MAX + 1, &key, NULL), 0);
	assert_int_equal(strlen(key), UNICODE_KEY_BYTES_MAX);
	mem_free(key);
	key = NULL;
	text[0] = 'k';
	assert_refused(text, UNICODE_KEY_BYTES_MAX + 1, SHIPOPT_ETOOLARGE, "the key has 4097 bytes, the limit is 4096");
	assert_int_equal(mem_live_count(), 0);
}

static void messages_show_what_cannot_be_seen(void **state)
{
	char shown[16];
	assert_string_equal(UNICODE_SHOWN("80203\u00a0"), "80203\\u00a0");
	assert_string_equal(UNICODE_SHOWN("\ufeff\"order_key\""), "\\ufeff\"order_key\"");
	assert_string_equal(UNICODE_SHOWN("a\r\n\x1b[0m"), "a\\u000d\\u000a\\u001b[0m");
	assert_string_equal(UNICODE_SHOWN("Stra\u00dfe 5"), "Stra\u00dfe 5");
	assert_string_equal(UNICODE_SHOWN("\u202e\U000e0001"), "\\u202e\\U000e0001");
	assert_string_equal(UNICODE_SHOWN("a\xff\xc3"), "a\\xff\\xc3");
	assert_string_equal(UNICODE_SHOWN(""), "");
	/* Cut between characters, with a sign of it; what fits is whole. */
	assert_string_equal(unicode_escape("123456789012345", 15, shown, sizeof(shown)), "123456789012345");
	assert_string_equal(unicode_escape("1234567890123456", 16, shown, sizeof(shown)), "123456789012\u2026");
	assert_string_equal(unicode_escape("12345678901\u00e9x45", 16, shown, sizeof(shown)), "12345678901\u2026");
	assert_string_equal(unicode_escape("1234567\u00a0", 9, shown, sizeof(shown)), "1234567\\u00a0");
	assert_string_equal(unicode_escape("1234567\u00a0xyz", 12, shown, sizeof(shown)), "1234567\u2026");
}

/* Keys of random text: UTF-8, trimmed, stable, equal to those of the same text with blanks around it. */
static void random_keys_are_stable(void **state)
{
	static const char *const pieces[] = {"a", "e", "\u0301", "\u0323", "\u00e9", "\u1112", "\u1161", "\u11ab",
		"\u00a0", "\u200b", " ", "\u0378", "\xff", "1", "\U0001d15f", "\u212b", "\u0344", "\ufb1d"};
	struct random seeds, random;
	random_init_system(&seeds);
	uint64_t seed = random_u64(&seeds);
	print_message("seed %llu\n", (unsigned long long)seed);
	random_init(&random, seed);
	for (int i = 0; i < 20000; i++) {
		char text[80] = "", around[96], *key = NULL, *second = NULL;
		for (uint64_t n = random_below(&random, 12); n > 0; n--)
			strcat(text, pieces[random_below(&random, ARRAY_SIZE(pieces))]);
		snprintf(around, sizeof(around), "\ufeff%s\u2003", text);
		int r = unicode_key(text, strlen(text), &key, NULL);
		assert_int_equal(unicode_key(around, strlen(around), &second, NULL), r);
		if (r < 0)
			continue;
		assert_true(text_is_utf8(key, strlen(key), NULL));
		assert_string_equal(second, key);
		assert_key(key, key);
		mem_free(key);
		mem_free(second);
	}
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	for (long passes = 0;; passes++) {
		char *key = NULL;
		fault_arm(passes);
		int r = unicode_key("e\u0301", 3, &key, NULL);
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		assert_int_equal(key != NULL, !fired);
		mem_free(key);
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_int_equal(passes, 2);
			return;
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(white_space_and_what_has_no_width_is_trimmed_at_both_ends),
		cmocka_unit_test(keys_that_look_the_same_are_the_same),
		cmocka_unit_test(keys_with_something_invisible_inside_are_refused_with_its_name_and_place),
		cmocka_unit_test(a_key_of_the_bound_passes_and_one_byte_more_does_not),
		cmocka_unit_test(messages_show_what_cannot_be_seen),
		cmocka_unit_test(random_keys_are_stable),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("unicode", tests, NULL, NULL);
}
