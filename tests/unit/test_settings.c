/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "config/tables.h"

static const struct settings_table *const tables[] = {&runtime_settings, &carrier_settings, &store_settings,
	&source_settings, &bulk_settings, &cache_settings, &pool_settings};

static bool is_number(const struct setting *setting)
{
	return setting->type != SETTING_TEXT && setting->type != SETTING_SECRET;
}

static void every_default_is_within_its_bounds_and_every_name_is_there_once(void **state)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			int64_t value = is_number(setting)
				? setting->default_value
				: (int64_t)strlen(setting->default_text ? setting->default_text : "");
			assert_true(setting->minimum <= setting->maximum);
			assert_true(value <= setting->maximum);
			assert_true(value >= setting->minimum || !(is_number(setting) || setting->default_text));
			assert_true(setting->help && *setting->help);
			for (size_t k = i + 1; k < tables[t]->count; k++)
				assert_string_not_equal(setting->name, tables[t]->settings[k].name);
		}
	}
}

static void bounds_are_kept_and_named(void **state)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		struct settings settings;
		assert_int_equal(settings_init(&settings, tables[t]), 0);
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			if (!is_number(setting))
				continue;
			assert_int_equal(settings_set_number(&settings, i, setting->minimum), 0);
			assert_int_equal(settings_set_number(&settings, i, setting->maximum), 0);
			assert_int_equal(settings_set_number(&settings, i, setting->minimum - 1), SHIPOPT_EINVAL);
			assert_non_null(strstr(shipopt_error_message(settings.error), setting->name));
			assert_non_null(strstr(shipopt_error_message(settings.error), "is not between"));
			if (setting->maximum < INT64_MAX)
				assert_int_equal(settings_set_number(&settings, i, setting->maximum + 1),
					SHIPOPT_EINVAL);
			assert_true(settings_number(&settings, i) == setting->maximum);
		}
		settings_done(&settings);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void texts_are_bounded_utf8_without_line_breaks(void **state)
{
	struct settings settings;
	char longer[600];
	memset(longer, 'x', sizeof(longer));
	longer[513] = '\0';
	assert_int_equal(settings_init(&settings, &carrier_settings), 0);
	assert_int_equal(settings_set_text(&settings, CARRIER_API_KEY, longer), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(settings.error), "513"));
	longer[512] = '\0';
	assert_int_equal(settings_set_text(&settings, CARRIER_API_KEY, longer), 0);
	assert_int_equal(settings_set_text(&settings, CARRIER_API_KEY, ""), SHIPOPT_EINVAL);
	assert_int_equal(settings_set_text(&settings, CARRIER_ACCOUNT, "\xff"), SHIPOPT_EENCODING);
	assert_int_equal(settings_set_text(&settings, CARRIER_ACCOUNT, "a\r\nX-Header: b"), SHIPOPT_EINVAL);
	assert_string_equal(settings_text(&settings, CARRIER_ACCOUNT), "default");
	assert_int_equal(settings_set_text(&settings, CARRIER_ACCOUNT, "east"), 0);
	assert_int_equal(settings_set_text(&settings, CARRIER_ACCOUNT, NULL), SHIPOPT_EINVAL);
	assert_string_equal(settings_text(&settings, CARRIER_ACCOUNT), "east");
	settings_done(&settings);
	assert_int_equal(mem_live_count(), 0);
}

static void text_forms_are_read_strictly(void **state)
{
	static const struct {
		const char *name, *value;
		int status;
		int64_t number;
	} cases[] = {
		{"max_in_flight", "32", 0, 32},
		{"max_in_flight", "32 ", SHIPOPT_EINVAL, 0},
		{"max_in_flight", "", SHIPOPT_EINVAL, 0},
		{"max_in_flight", "0x10", SHIPOPT_EINVAL, 0},
		{"max_in_flight", "-1", SHIPOPT_EINVAL, 0},
		{"max_in_flight", "99999999999999999999", SHIPOPT_EINVAL, 0},
		{"in_order", "yes", 0, 1},
		{"in_order", "FALSE", 0, 0},
		{"in_order", "2", SHIPOPT_EINVAL, 0},
		{"spend_limit", "12.50", 0, 12500000},
		{"spend_limit", "-1", SHIPOPT_EINVAL, 0},
		{"spend_limit", "much", SHIPOPT_EINVAL, 0},
		{"max_inflight", "1", SHIPOPT_ENOTFOUND, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings settings;
		assert_int_equal(settings_init(&settings, &bulk_settings), 0);
		assert_int_equal(settings_set(&settings, cases[i].name, cases[i].value), cases[i].status);
		assert_int_equal(cases[i].status != 0, settings.error != NULL);
		for (size_t k = 0; cases[i].status == 0 && k < bulk_settings.count; k++)
			if (text_equal(bulk_settings.settings[k].name, cases[i].name))
				assert_true(settings_number(&settings, k) == cases[i].number);
		settings_done(&settings);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void the_environment_sets_and_is_named_when_it_is_wrong(void **state)
{
	struct settings settings;
	assert_int_equal(settings_init(&settings, &carrier_settings), 0);
	setenv("SHIPOPT_CARRIER_TIMEOUT_MS", "1234", 1);
	setenv("SHIPOPT_CARRIER_ACCOUNT", "west", 1);
	assert_int_equal(settings_from_env(&settings), 0);
	assert_int_equal(settings_number(&settings, CARRIER_TIMEOUT_MS), 1234);
	assert_string_equal(settings_text(&settings, CARRIER_ACCOUNT), "west");
	setenv("SHIPOPT_CARRIER_TIMEOUT_MS", "soon", 1);
	assert_int_equal(settings_from_env(&settings), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(settings.error), "SHIPOPT_CARRIER_TIMEOUT_MS"));
	assert_non_null(strstr(shipopt_error_message(settings.error), "soon"));
	unsetenv("SHIPOPT_CARRIER_TIMEOUT_MS");
	unsetenv("SHIPOPT_CARRIER_ACCOUNT");
	settings_done(&settings);
	assert_int_equal(mem_live_count(), 0);
}

static void what_may_hold_a_credential_is_a_secret(void **state)
{
	static const char *const names[] = {"api_key", "proxy", "conninfo", "listen_conninfo", "url"};
	size_t found = 0;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++)
			found += tables[t]->settings[i].type == SETTING_SECRET;
	assert_int_equal(found, ARRAY_SIZE(names));
	for (size_t n = 0; n < ARRAY_SIZE(names); n++)
		for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
			for (size_t i = 0; i < tables[t]->count; i++)
				if (text_equal(tables[t]->settings[i].name, names[n]))
					assert_int_equal(tables[t]->settings[i].type, SETTING_SECRET);
}

static void check_bad_secret(const struct settings_table *table, const char *name, const char *value)
{
	struct settings settings;
	char variable[96];
	assert_int_equal(settings_init(&settings, table), 0);
	assert_true(settings_set(&settings, name, value) < 0);
	assert_non_null(strstr(shipopt_error_message(settings.error), name));
	assert_null(strstr(shipopt_error_message(settings.error), "secret"));
	snprintf(variable, sizeof(variable), "SHIPOPT_%s_%s", table->noun, name);
	for (char *p = variable; *p; p++)
		*p = (char)toupper((unsigned char)*p);
	setenv(variable, value, 1);
	assert_true(settings_from_env(&settings) < 0);
	assert_non_null(strstr(shipopt_error_message(settings.error), variable));
	assert_null(strstr(shipopt_error_message(settings.error), "secret"));
	unsetenv(variable);
	settings_done(&settings);
}

static void a_secret_is_never_part_of_an_error(void **state)
{
	static char longer[5000];
	memset(longer, 's', sizeof(longer) - 1);
	memcpy(longer, "secret", 6);
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			if (setting->type != SETTING_SECRET)
				continue;
			check_bad_secret(tables[t], setting->name, "secret\nsecret");
			check_bad_secret(tables[t], setting->name, "secret\xff");
			check_bad_secret(tables[t], setting->name, longer);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void a_copy_is_independent(void **state)
{
	struct settings from, to;
	assert_int_equal(settings_init(&from, &bulk_settings), 0);
	assert_int_equal(settings_set(&from, "services", "Ground"), 0);
	assert_int_equal(settings_set(&from, "lease_ms", "5000"), 0);
	assert_int_equal(settings_copy(&to, &from), 0);
	assert_int_equal(settings_set(&from, "services", "Priority"), 0);
	settings_done(&from);
	assert_string_equal(settings_text(&to, BULK_SERVICES), "Ground");
	assert_int_equal(settings_number(&to, BULK_LEASE_MS), 5000);
	settings_done(&to);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- the headers ------------------------------------------------------------------------------------------- */

static char *read_header(const struct settings_table *table)
{
	char path[1024];
	snprintf(path, sizeof(path), "%s/include/shipopt/%s.h", SOURCE_ROOT, table->noun);
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 17);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
	fclose(file);
	return text;
}

/* The comment in front of shipopt_<noun>_config_new() that describes the settings. */
static char *settings_comment(const struct settings_table *table, char *header)
{
	char declaration[64], *begin = NULL;
	snprintf(declaration, sizeof(declaration), "shipopt_%s_config_new(", table->noun);
	char *end = strstr(header, declaration);
	assert_non_null(end);
	*end = '\0';
	for (char *p = header; (p = strstr(p, "Settings")); p++)
		begin = p;
	assert_non_null(begin);
	return begin;
}

static const char *find_word(const char *text, const char *word)
{
	size_t length = strlen(word);
	for (const char *p = text; (p = strstr(p, word)); p++) {
		bool begins = p == text || !(isalnum((unsigned char)p[-1]) || p[-1] == '_' || p[-1] == ',');
		char after = p[length];
		bool ends = !(isalnum((unsigned char)after) || after == '_' ||
			(after == ',' && isdigit((unsigned char)p[length + 1])));
		if (begins && ends)
			return p;
	}
	return NULL;
}

/* Where an entry begins, or a name is mentioned that cannot be an ordinary word. */
static const char *find_setting(const char *text, const char *name)
{
	char entry[80];
	snprintf(entry, sizeof(entry), "\n *   %s ", name);
	const char *place = strstr(text, entry);
	return place ? place + strlen("\n *   ") : strchr(name, '_') ? find_word(text, name) : NULL;
}

/* 1048576 → "1,048,576" */
static void format_grouped(int64_t number, char *text, size_t size)
{
	char digits[32];
	size_t length = (size_t)snprintf(digits, sizeof(digits), "%lld", (long long)number), out = 0;
	for (size_t i = 0; i < length && out + 2 < size; i++) {
		if (i && (length - i) % 3 == 0)
			text[out++] = ',';
		text[out++] = digits[i];
	}
	text[out] = '\0';
}

static int check_documented(const struct settings_table *table, const struct setting *setting, const char *comment)
{
	char wanted[64] = "", entry[1024];
	const char *place = find_setting(comment, setting->name);
	place = place ? place : find_word(comment, setting->name);
	if (!place) {
		print_error("%s.h does not tell of setting %s\n", table->noun, setting->name);
		return 1;
	}
	/* Up to where the next setting begins. */
	const char *next = place + strlen(place);
	for (size_t i = 0; i < table->count; i++) {
		const char *other = find_setting(place + strlen(setting->name), table->settings[i].name);
		next = other && other < next ? other : next;
	}
	snprintf(entry, sizeof(entry), "%.*s", (int)MIN((size_t)(next - place), sizeof(entry) - 1), place);
	if (setting->type == SETTING_MONEY && setting->default_value)
		decimal_format(setting->default_value, 2, wanted);
	else if (is_number(setting) && setting->default_value)
		format_grouped(setting->default_value, wanted, sizeof(wanted));
	else if (setting->default_text)
		snprintf(wanted, sizeof(wanted), "%s", setting->default_text);
	if (!*wanted || find_word(entry, wanted))
		return 0;
	print_error("%s.h does not tell that the default of %s is %s: %s\n", table->noun, setting->name, wanted, entry);
	return 1;
}

/* " *   name   what it is" */
static int check_entries(const struct settings_table *table, char *comment)
{
	int failures = 0;
	char *line, *rest = comment;
	while ((line = strsep(&rest, "\n"))) {
		char name[64];
		int used = 0;
		if (sscanf(line, " *   %63[a-z_]%n", name, &used) != 1 || strncmp(line, " *   ", 5) != 0 ||
			line[5] == ' ' || strncmp(line + used, "  ", 2) != 0)
			continue;
		bool known = false;
		for (size_t i = 0; i < table->count; i++)
			known = known || text_equal(table->settings[i].name, name);
		if (!known) {
			print_error("%s.h tells of a setting %s that there is not\n", table->noun, name);
			failures++;
		}
	}
	return failures;
}

static void the_headers_tell_of_every_setting_with_its_default_and_of_no_other(void **state)
{
	int failures = 0;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		char *header = read_header(tables[t]);
		char *comment = settings_comment(tables[t], header);
		for (size_t i = 0; i < tables[t]->count; i++)
			failures += check_documented(tables[t], &tables[t]->settings[i], comment);
		failures += check_entries(tables[t], comment);
		free(header);
	}
	assert_int_equal(failures, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_is_within_its_bounds_and_every_name_is_there_once),
		cmocka_unit_test(bounds_are_kept_and_named),
		cmocka_unit_test(texts_are_bounded_utf8_without_line_breaks),
		cmocka_unit_test(text_forms_are_read_strictly),
		cmocka_unit_test(the_environment_sets_and_is_named_when_it_is_wrong),
		cmocka_unit_test(what_may_hold_a_credential_is_a_secret),
		cmocka_unit_test(a_secret_is_never_part_of_an_error),
		cmocka_unit_test(a_copy_is_independent),
		cmocka_unit_test(the_headers_tell_of_every_setting_with_its_default_and_of_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
