/* SPDX-License-Identifier: MIT */
#include "config/settings.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define ENVIRONMENT_NAME_SIZE 96

static bool settings_is_text(const struct setting *setting)
{
	return setting->type == SETTING_TEXT || setting->type == SETTING_SECRET;
}

int settings_init(struct settings *settings, const struct settings_table *table)
{
	*settings = (struct settings){
		.table = table,
		.numbers = mem_alloc_array(table->count, sizeof(*settings->numbers)),
		.texts = mem_alloc_array(table->count, sizeof(*settings->texts)),
	};
	if (!settings->numbers || !settings->texts) {
		settings_done(settings);
		return SHIPOPT_ENOMEM;
	}
	for (size_t i = 0; i < table->count; i++)
		settings->numbers[i] = table->settings[i].default_value;
	return 0;
}

static void settings_free_text(struct settings *settings, size_t index)
{
	if (settings->table->settings[index].type == SETTING_SECRET)
		mem_free_secret(settings->texts[index]);
	else
		mem_free(settings->texts[index]);
	settings->texts[index] = NULL;
}

void settings_done(struct settings *settings)
{
	for (size_t i = 0; settings->texts && i < settings->table->count; i++)
		settings_free_text(settings, i);
	mem_free(TAKE(settings->texts));
	mem_free(TAKE(settings->numbers));
	shipopt_error_unref(TAKE(settings->error));
}

int settings_object_new(const struct settings_table *table, size_t size, struct settings **ret_settings)
{
	struct settings *settings = mem_alloc_zero(size);
	int r = settings ? settings_init(settings, table) : SHIPOPT_ENOMEM;
	if (r < 0) {
		mem_free(settings);
		return r;
	}
	*ret_settings = settings;
	return 0;
}

void settings_object_free(struct settings *settings)
{
	if (!settings)
		return;
	settings_done(settings);
	mem_free(settings);
}

int settings_copy(struct settings *to, const struct settings *from)
{
	int r = settings_init(to, from->table);
	if (r < 0)
		return r;
	for (size_t i = 0; i < from->table->count; i++) {
		to->numbers[i] = from->numbers[i];
		to->texts[i] = mem_copy_text(from->texts[i]);
		if (from->texts[i] && !to->texts[i]) {
			settings_done(to);
			return SHIPOPT_ENOMEM;
		}
	}
	return 0;
}

static int settings_refuse(struct settings *settings, const struct setting *setting, int code, const char *what)
{
	shipopt_error_unref(TAKE(settings->error));
	return error_set(&settings->error, code, "%s setting %s: %s", settings->table->noun, setting->name, what);
}

static void settings_bound_text(const struct setting *setting, int64_t value, char *text, size_t size)
{
	if (setting->type == SETTING_MONEY)
		decimal_format(value, 2, text);
	else
		snprintf(text, size, "%lld", (long long)value);
}

int settings_set_number(struct settings *settings, size_t index, int64_t value)
{
	const struct setting *setting = &settings->table->settings[index];
	shipopt_error_unref(TAKE(settings->error));
	if (value < setting->minimum || value > setting->maximum) {
		char given[DECIMAL_TEXT_SIZE], low[DECIMAL_TEXT_SIZE], high[DECIMAL_TEXT_SIZE], what[160];
		settings_bound_text(setting, value, given, sizeof(given));
		settings_bound_text(setting, setting->minimum, low, sizeof(low));
		settings_bound_text(setting, setting->maximum, high, sizeof(high));
		snprintf(what, sizeof(what), "%s is not between %s and %s", given, low, high);
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, what);
	}
	settings->numbers[index] = value;
	return 0;
}

int settings_set_text(struct settings *settings, size_t index, const char *text)
{
	const struct setting *setting = &settings->table->settings[index];
	shipopt_error_unref(TAKE(settings->error));
	/* Not "the default": a host whose lookup gave nothing must not end up with the production URL. */
	if (!text)
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "NULL was given");
	size_t length = strlen(text);
	if ((int64_t)length < setting->minimum || (int64_t)length > setting->maximum) {
		char what[160];
		snprintf(what, sizeof(what), "a length of %zu bytes is not between %lld and %lld", length,
			(long long)setting->minimum, (long long)setting->maximum);
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, what);
	}
	if (!text_is_utf8(text, length, NULL))
		return settings_refuse(settings, setting, SHIPOPT_EENCODING, "the text is not UTF-8");
	/* A line break in a text that ends up in an HTTP header would be a header of its own. */
	if (strpbrk(text, "\r\n"))
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "the text contains a line break");
	char *copy = mem_copy_text(text);
	if (!copy)
		return SHIPOPT_ENOMEM;
	settings_free_text(settings, index);
	settings->texts[index] = copy;
	return 0;
}

static int settings_parse_boolean(const char *value, int64_t *ret_value)
{
	static const char *const names[] = {"0", "1", "false", "true", "no", "yes"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (text_equal_ignore_case(value, names[i])) {
			*ret_value = i & 1;
			return 0;
		}
	}
	return SHIPOPT_EPARSE;
}

static int settings_set_parsed(struct settings *settings, size_t index, const char *value)
{
	const struct setting *setting = &settings->table->settings[index];
	if (settings_is_text(setting))
		return settings_set_text(settings, index, value);
	int64_t number = 0;
	int r = setting->type == SETTING_BOOLEAN ? settings_parse_boolean(value, &number)
		: setting->type == SETTING_MONEY ? decimal_parse(value, strlen(value), &number)
						 : text_parse_i64(value, &number);
	if (r < 0) {
		char what[160];
		snprintf(what, sizeof(what), "\"%.64s\" is not %s", value,
			setting->type == SETTING_BOOLEAN         ? "true or false"
				: setting->type == SETTING_MONEY ? "an amount"
								 : "an integer");
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, what);
	}
	return settings_set_number(settings, index, number);
}

int settings_set(struct settings *settings, const char *name, const char *value)
{
	for (size_t i = 0; i < settings->table->count; i++)
		if (text_equal(settings->table->settings[i].name, name))
			return settings_set_parsed(settings, i, value);
	shipopt_error_unref(TAKE(settings->error));
	return error_set(&settings->error, SHIPOPT_ENOTFOUND, "%s has no setting \"%.64s\"", settings->table->noun,
		name);
}

static void settings_environment_name(const char *noun, const char *name, char *text, size_t size)
{
	snprintf(text, size, "SHIPOPT_%s_%s", noun, name);
	for (char *p = text; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 32);
}

int settings_from_env(struct settings *settings)
{
	for (size_t i = 0; i < settings->table->count; i++) {
		char name[ENVIRONMENT_NAME_SIZE];
		settings_environment_name(settings->table->noun, settings->table->settings[i].name, name, sizeof(name));
		const char *value = getenv(name);
		int r = value ? settings_set_parsed(settings, i, value) : 0;
		if (r < 0) {
			settings->error = error_prefix(settings->error, name);
			return r;
		}
	}
	return 0;
}
