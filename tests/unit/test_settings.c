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
	&source_settings, &bulk_settings, &cache_settings, &pool_settings, &call_settings};

static bool is_number(const struct setting *setting)
{
	return setting->type != SETTING_TEXT && setting->type != SETTING_SECRET;
}

static bool is_decimal(const struct setting *setting)
{
	return setting->type == SETTING_MONEY || setting->type == SETTING_DECIMAL;
}

static void assert_message(const struct settings *settings, const char *part)
{
	const char *message = shipopt_error_message(settings->error);
	if (!message || !strstr(message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, message ? message : "(no error)");
	assert_int_equal(shipopt_error_domain(settings->error), SHIPOPT_DOMAIN_CONFIG);
}

/* Sets one value in a fresh configuration; for a failure the message has both parts. */
static void check_set(const struct settings_table *table, const char *name, const char *value, int status,
	const char *part, const char *other_part)
{
	struct settings settings;
	assert_int_equal(settings_init(&settings, table), 0);
	int r = settings_set(&settings, name, value);
	if (r != status)
		fail_msg("%s = \"%s\": %s", name, value, shipopt_error_name(r));
	assert_int_equal(r < 0, settings.error != NULL);
	if (part)
		assert_message(&settings, part);
	if (other_part)
		assert_message(&settings, other_part);
	settings_done(&settings);
	assert_int_equal(mem_live_count(), 0);
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
			if (!is_number(setting) && setting->default_text)
				check_set(tables[t], setting->name, setting->default_text, 0, NULL, NULL);
		}
	}
}

static void check_bound(const struct settings_table *table, size_t index, int64_t value)
{
	const struct setting *setting = &table->settings[index];
	bool is_allowed = value >= setting->minimum && value <= setting->maximum;
	struct settings settings;
	assert_int_equal(settings_init(&settings, table), 0);
	assert_int_equal(settings_set_number(&settings, index, value), is_allowed ? 0 : SHIPOPT_EINVAL);
	assert_int_equal(settings_number(&settings, index), is_allowed ? value : setting->default_value);
	if (!is_allowed) {
		assert_message(&settings, table->noun);
		assert_message(&settings, setting->name);
		assert_message(&settings, "is not between");
	}
	settings_done(&settings);
}

static void bounds_are_kept_and_named(void **state)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			if (!is_number(setting))
				continue;
			check_bound(tables[t], i, setting->minimum);
			check_bound(tables[t], i, setting->maximum);
			check_bound(tables[t], i, setting->minimum - 1);
			if (setting->maximum < INT64_MAX)
				check_bound(tables[t], i, setting->maximum + 1);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void texts_are_bounded_utf8_without_line_breaks(void **state)
{
	char longer[600];
	memset(longer, 'x', sizeof(longer));
	longer[513] = '\0';
	check_set(&carrier_settings, "api_key", longer, SHIPOPT_EINVAL, "513", "between 1 and 512");
	longer[512] = '\0';
	check_set(&carrier_settings, "api_key", longer, 0, NULL, NULL);
	check_set(&carrier_settings, "api_key", "", SHIPOPT_EINVAL, "api_key", "between 1 and 512");
	check_set(&carrier_settings, "account", "\xff", SHIPOPT_EENCODING, "carrier setting account", "UTF-8");
	check_set(&carrier_settings, "account", "a\r\nX-Header: b", SHIPOPT_EINVAL, "account", "line break");
	check_set(&carrier_settings, "account", "east", 0, NULL, NULL);
}

static void a_refused_value_leaves_the_old_one(void **state)
{
	struct settings settings;
	assert_int_equal(settings_init(&settings, &carrier_settings), 0);
	assert_int_equal(settings_set(&settings, "account", "east"), 0);
	assert_int_equal(settings_set(&settings, "account", "\xff"), SHIPOPT_EENCODING);
	assert_int_equal(settings_set(&settings, "account", NULL), SHIPOPT_EINVAL);
	assert_string_equal(settings_text(&settings, CARRIER_ACCOUNT), "east");
	assert_int_equal(settings_set(&settings, "timeout_ms", "250"), 0);
	assert_int_equal(settings_set(&settings, "timeout_ms", "0"), SHIPOPT_EINVAL);
	assert_int_equal(settings_number(&settings, CARRIER_TIMEOUT_MS), 250);
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
		{"ceiling_percent", "10%", SHIPOPT_EINVAL, 0},
		{"ceiling_percent", "10.5", SHIPOPT_EINVAL, 0},
		{"in_order", "yes", 0, 1},
		{"in_order", "FALSE", 0, 0},
		{"in_order", "2", SHIPOPT_EINVAL, 0},
		{"insurance_fee_percent", "0.125", 0, 125000},
		{"insurance_fee_percent", "1", 0, 1000000},
		{"insurance_fee_percent", "100.000001", SHIPOPT_EINVAL, 0},
		{"insurance_fee_percent", "1,5", SHIPOPT_EINVAL, 0},
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

/* ---- money ------------------------------------------------------------------------------------------------- */

static void an_amount_has_one_form(void **state)
{
	static const struct {
		const char *value;
		int64_t number; /* -1: refused */
		const char *part;
	} cases[] = {
		{"100", 100000000, NULL},
		{"100.5", 100500000, NULL},
		{"100.50", 100500000, NULL},
		{"0", 0, NULL},
		{"9223372036854.77", 9223372036854770000, NULL},
		{"1,000", -1, "\"1,000\" is not an amount"},
		{"100,50", -1, "\"100,50\" is not an amount"},
		{"1.000", -1, "\"1.000\" has more than 2 digits"},
		{"1 000", -1, "is not an amount"},
		{"1'000", -1, "is not an amount"},
		{"1,000.50", -1, "is not an amount"},
		{"1e3", -1, "is not an amount"},
		{"+1", -1, "is not an amount"},
		{" 1", -1, "is not an amount"},
		{".50", -1, "is not an amount"},
		{"5.", -1, "is not an amount"},
		{"$5", -1, "is not an amount"},
		{"", -1, "is not an amount"},
		{"-1", -1, "-1.00 is not between 0.00 and"},
		{"9223372036854.78", -1, "beyond the maximum of 9223372036854.775807"},
		{"99999999999999999999999", -1, "beyond the maximum"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings settings;
		assert_int_equal(settings_init(&settings, &bulk_settings), 0);
		int r = settings_set(&settings, "spend_limit", cases[i].value);
		assert_int_equal(r, cases[i].number < 0 ? SHIPOPT_EINVAL : 0);
		assert_int_equal(settings_number(&settings, BULK_SPEND_LIMIT), MAX(cases[i].number, 0));
		if (cases[i].part)
			assert_message(&settings, cases[i].part);
		settings_done(&settings);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void an_amount_has_the_digits_of_its_currency(void **state)
{
	static const struct {
		const char *currency, *value;
		int status;
	} cases[] = {
		{"USD", "12.50", 0},
		{"USD", "12.505", SHIPOPT_EINVAL},
		{"KWD", "12.505", 0},
		{"KWD", "12.5055", SHIPOPT_EINVAL},
		{"JPY", "1250", 0},
		{"JPY", "12.5", SHIPOPT_EINVAL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct settings settings;
		assert_int_equal(settings_init(&settings, &bulk_settings), 0);
		assert_int_equal(settings_set(&settings, "currency", cases[i].currency), 0);
		assert_int_equal(settings_set(&settings, "spend_limit", cases[i].value), cases[i].status);
		if (cases[i].status < 0)
			assert_message(&settings, cases[i].currency);
		settings_done(&settings);
	}
	/* A currency that is set after the amount. */
	struct settings settings;
	shipopt_error *error = NULL;
	assert_int_equal(settings_init(&settings, &bulk_settings), 0);
	assert_int_equal(settings_set(&settings, "spend_limit", "12.50"), 0);
	assert_int_equal(settings_check(&settings, NULL), 0);
	assert_int_equal(settings_set(&settings, "currency", "JPY"), 0);
	assert_int_equal(settings_check(&settings, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "bulk setting spend_limit: 12.50"));
	assert_non_null(strstr(shipopt_error_message(error), "JPY"));
	shipopt_error_unref(error);
	settings_done(&settings);
	assert_int_equal(mem_live_count(), 0);
}

/* ---- texts with a form ------------------------------------------------------------------------------------- */

static void a_choice_is_checked_by_its_setter(void **state)
{
	size_t choices = 0;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			if (!setting->choices)
				continue;
			choices++;
			check_set(tables[t], setting->name, "other", SHIPOPT_EINVAL, setting->name,
				"\"other\" is not ");
			check_set(tables[t], setting->name, "", setting->minimum ? SHIPOPT_EINVAL : 0, NULL, NULL);
		}
	}
	assert_true(choices >= 6);
	check_set(&bulk_settings, "rate_choice", "cheap", SHIPOPT_EINVAL,
		"bulk setting rate_choice: \"cheap\" is not cheapest, fastest or services", NULL);
	check_set(&bulk_settings, "rate_choice", "fastest", 0, NULL, NULL);
	check_set(&bulk_settings, "rate_choice", "cheapest|fastest", SHIPOPT_EINVAL, NULL, NULL);
	check_set(&bulk_settings, "missing_carrier", "Wait", SHIPOPT_EINVAL, "wait, fallback or fail", NULL);
	check_set(&bulk_settings, "purpose", "return", 0, NULL, NULL);
	check_set(&cache_settings, "policy", "lfu", SHIPOPT_EINVAL, "\"lfu\" is not s3fifo or lru", NULL);
	check_set(&carrier_settings, "mode", "prod", SHIPOPT_EINVAL, "test or production", NULL);
	check_set(&store_settings, "confirm_mode", "production", 0, NULL, NULL);
}

static void currencies_services_and_addresses_are_checked_by_their_setters(void **state)
{
	static const char *const bad_services[] = {"USPS/Priority,,", ",", "Ground,", " ", "/Priority", "USPS/",
		"USPS/ ,Ground"};
	static const char *const good_services[] = {"Ground", "USPS/Priority", "USPS/Priority, Ground ,UPS/2nd/Day",
		""};
	check_set(&bulk_settings, "currency", "usd", SHIPOPT_EINVAL, "\"usd\"", "three capital letters");
	check_set(&bulk_settings, "currency", "US$", SHIPOPT_EINVAL, "\"US$\"", "three capital letters");
	check_set(&bulk_settings, "insurance_currency", "EUR", 0, NULL, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(bad_services); i++)
		check_set(&bulk_settings, "services", bad_services[i], SHIPOPT_EINVAL, "bulk setting services: name ",
			" of the list");
	for (size_t i = 0; i < ARRAY_SIZE(good_services); i++)
		check_set(&bulk_settings, "services", good_services[i], 0, NULL, NULL);
	check_set(&carrier_settings, "base_url", "api.easypost.com/v2", SHIPOPT_EINVAL,
		"carrier setting base_url: URL must begin with https://", NULL);
	check_set(&carrier_settings, "base_url", "https://user:secret@host/v2", SHIPOPT_EINVAL, "user name or password",
		NULL);
	check_set(&carrier_settings, "base_url", "http://127.0.0.1:8080/v2", 0, NULL, NULL);
}

/* ---- names and types --------------------------------------------------------------------------------------- */

static void a_wrong_name_is_an_error_that_names_the_nearest(void **state)
{
	check_set(&bulk_settings, "spend_limt", "1", SHIPOPT_ENOTFOUND, "bulk has no setting \"spend_limt\"",
		"did you mean spend_limit?");
	check_set(&bulk_settings, "max_inflight", "1", SHIPOPT_ENOTFOUND, "did you mean max_in_flight?", NULL);
	check_set(&bulk_settings, "weather", "1", SHIPOPT_ENOTFOUND, "bulk has no setting \"weather\"", NULL);
	check_set(&bulk_settings, NULL, "1", SHIPOPT_EINVAL, "the name must not be NULL", NULL);
	check_set(&bulk_settings, "in_order", NULL, SHIPOPT_EINVAL, "bulk setting in_order",
		"the text must not be NULL");
}

static void a_number_is_taken_for_integers_and_booleans_only(void **state)
{
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct setting *setting = &tables[t]->settings[i];
			bool is_refused = !is_number(setting) || is_decimal(setting);
			struct settings settings;
			assert_int_equal(settings_init(&settings, tables[t]), 0);
			assert_int_equal(settings_set_int(&settings, setting->name, setting->maximum),
				is_refused ? SHIPOPT_ETYPE : 0);
			if (is_refused) {
				char function[64];
				snprintf(function, sizeof(function), "shipopt_%s_config_set()", tables[t]->noun);
				assert_message(&settings, setting->name);
				assert_message(&settings, function);
				assert_int_equal(setting->type == SETTING_MONEY,
					strstr(shipopt_error_message(settings.error), "12.50") != NULL);
			} else {
				assert_true(settings_number(&settings, i) == setting->maximum);
			}
			settings_done(&settings);
		}
	}
	struct settings settings;
	assert_int_equal(settings_init(&settings, &bulk_settings), 0);
	assert_int_equal(settings_set_int(&settings, "in_order", 2), SHIPOPT_EINVAL);
	assert_message(&settings, "2 is not between 0 and 1");
	assert_int_equal(settings_set_int(&settings, "lease", 2), SHIPOPT_ENOTFOUND);
	assert_int_equal(settings_set_int(&settings, NULL, 2), SHIPOPT_EINVAL);
	settings_done(&settings);
	assert_int_equal(mem_live_count(), 0);
}

static void the_first_error_is_kept_and_reported(void **state)
{
	struct settings settings;
	shipopt_error *error = NULL;
	assert_int_equal(settings_init(&settings, &bulk_settings), 0);
	assert_int_equal(settings_check(&settings, &error), 0);
	assert_null(error);
	assert_int_equal(settings_set(&settings, "spend_limt", "1"), SHIPOPT_ENOTFOUND);
	assert_int_equal(settings_set(&settings, "rate_choice", "cheap"), SHIPOPT_EINVAL);
	assert_int_equal(settings_set(&settings, "lease_ms", "5000"), 0);
	assert_int_equal(settings_number(&settings, BULK_LEASE_MS), 5000);
	assert_int_equal(settings_fail(&settings, SHIPOPT_ETOOLARGE, "%d prefixes", 65), SHIPOPT_ETOOLARGE);
	assert_message(&settings, "spend_limt");
	assert_int_equal(settings_check(&settings, NULL), SHIPOPT_ENOTFOUND);
	assert_int_equal(settings_check(&settings, &error), SHIPOPT_ENOTFOUND);
	assert_ptr_equal(error, settings.error);
	settings_done(&settings);
	assert_non_null(strstr(shipopt_error_text(error), "spend_limt")); /* the caller's reference */
	shipopt_error_unref(error);
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
	setenv("SHIPOPT_CARRIER_ACCOUNT", "south", 1);
	setenv("SHIPOPT_CARRIER_QUEUE_MAX", "0", 1);
	assert_int_equal(settings_from_env(&settings), SHIPOPT_EINVAL);
	assert_message(&settings, "SHIPOPT_CARRIER_TIMEOUT_MS");
	assert_message(&settings, "soon");
	assert_string_equal(settings_text(&settings, CARRIER_ACCOUNT), "south"); /* the others are set all the same */
	/* What is set afterwards does not come from there. */
	settings_done(&settings);
	unsetenv("SHIPOPT_CARRIER_TIMEOUT_MS");
	unsetenv("SHIPOPT_CARRIER_ACCOUNT");
	unsetenv("SHIPOPT_CARRIER_QUEUE_MAX");
	assert_int_equal(settings_init(&settings, &carrier_settings), 0);
	assert_int_equal(settings_from_env(&settings), 0);
	assert_int_equal(settings_set(&settings, "timeout_ms", "soon"), SHIPOPT_EINVAL);
	assert_null(strstr(shipopt_error_message(settings.error), "SHIPOPT_CARRIER"));
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
	assert_int_equal(found, ARRAY_SIZE(names) + 1); /* two have an api_key */
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
	settings_done(&settings);
	assert_int_equal(settings_init(&settings, table), 0);
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
	const char *name = table == &call_settings ? "carrier" : table->noun;
	snprintf(path, sizeof(path), "%s/include/shipopt/%s.h", SOURCE_ROOT, name);
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
	for (char *p = header; (p = strstr(p, "<shipopt/settings.h>")); p++)
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
	if (is_decimal(setting) && setting->default_value)
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

/* ---- what is generated ------------------------------------------------------------------------------------- */

static size_t count_text(const char *text, const char *part)
{
	size_t count = 0;
	for (const char *p = text; (p = strstr(p, part)); p++)
		count++;
	return count;
}

static char *read_file(const char *path)
{
	FILE *file = fopen(path, "r");
	assert_non_null(file);
	char *text = calloc(1, 1 << 17);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 17) - 1, file) > 0);
	fclose(file);
	return text;
}

static void the_generated_header_and_manual_have_every_setting_and_no_other(void **state)
{
	char *header = read_file(SETTINGS_HEADER), *manual = read_file(SOURCE_ROOT "/docs/settings.md");
	size_t settings = 0;
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++) {
		for (size_t i = 0; i < tables[t]->count; i++) {
			char macro[96], line[256];
			const char *name = tables[t]->settings[i].name;
			snprintf(macro, sizeof(macro), "SHIPOPT_%s_%s", tables[t]->noun, name);
			for (char *p = macro; *p; p++)
				*p = (char)toupper((unsigned char)*p);
			snprintf(line, sizeof(line), "\n#define %s \"%s\"\n", macro, name);
			if (!strstr(header, line))
				fail_msg("<shipopt/settings.h> has no%s", line);
			snprintf(line, sizeof(line), "| `%s` | `%s` |", name, macro);
			if (!strstr(manual, line))
				fail_msg("docs/settings.md has no %s", line);
			settings++;
		}
	}
	assert_int_equal(count_text(header, "\n#define SHIPOPT_"), settings + 1); /* the guard */
	assert_int_equal(count_text(manual, "\n| `"), settings);
	free(header);
	free(manual);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_default_is_within_its_bounds_and_every_name_is_there_once),
		cmocka_unit_test(bounds_are_kept_and_named),
		cmocka_unit_test(texts_are_bounded_utf8_without_line_breaks),
		cmocka_unit_test(a_refused_value_leaves_the_old_one),
		cmocka_unit_test(text_forms_are_read_strictly),
		cmocka_unit_test(an_amount_has_one_form),
		cmocka_unit_test(an_amount_has_the_digits_of_its_currency),
		cmocka_unit_test(a_choice_is_checked_by_its_setter),
		cmocka_unit_test(currencies_services_and_addresses_are_checked_by_their_setters),
		cmocka_unit_test(a_wrong_name_is_an_error_that_names_the_nearest),
		cmocka_unit_test(a_number_is_taken_for_integers_and_booleans_only),
		cmocka_unit_test(the_first_error_is_kept_and_reported),
		cmocka_unit_test(the_environment_sets_and_is_named_when_it_is_wrong),
		cmocka_unit_test(what_may_hold_a_credential_is_a_secret),
		cmocka_unit_test(a_secret_is_never_part_of_an_error),
		cmocka_unit_test(a_copy_is_independent),
		cmocka_unit_test(the_headers_tell_of_every_setting_with_its_default_and_of_no_other),
		cmocka_unit_test(the_generated_header_and_manual_have_every_setting_and_no_other),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
