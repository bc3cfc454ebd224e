/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CONFIG
#include "config/settings.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/money.h"
#include "base/text.h"

#define ENVIRONMENT_NAME_SIZE 96
#define MESSAGE_SIZE 512
#define CHOICES_SIZE 160

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

/* ---- errors ------------------------------------------------------------------------------------------------ */

static int settings_keep_error(struct settings *settings, int code, shipopt_error *error)
{
	if (settings->error)
		shipopt_error_unref(error);
	else
		settings->error = error;
	return code;
}

static int settings_keep_message(struct settings *settings, int code, const char *message)
{
	shipopt_error *error = error_new(code, message);
	return settings_keep_error(settings, code,
		settings->variable ? error_prefix(error, settings->variable) : error);
}

int settings_fail(struct settings *settings, int code, const char *format, ...)
{
	char message[MESSAGE_SIZE];
	va_list list;
	va_start(list, format);
	vsnprintf(message, sizeof(message), format, list);
	va_end(list);
	return settings_keep_message(settings, code, message);
}

static int settings_refuse(struct settings *settings, const struct setting *setting, int code, const char *format, ...)
	PRINTF_LIKE(4, 5);
static int settings_refuse(struct settings *settings, const struct setting *setting, int code, const char *format, ...)
{
	char what[MESSAGE_SIZE];
	va_list list;
	va_start(list, format);
	vsnprintf(what, sizeof(what), format, list);
	va_end(list);
	return settings_fail(settings, code, "%s setting %s: %s", settings->table->noun, setting->name, what);
}

static int settings_refuse_name(struct settings *settings, const char *name)
{
	const struct settings_table *table = settings->table;
	const char *nearest = NULL;
	size_t best = SIZE_MAX;
	for (size_t i = 0; i < table->count; i++) {
		size_t distance = text_distance(name, table->settings[i].name);
		if (distance < best && distance <= strlen(table->settings[i].name) / 3) {
			best = distance;
			nearest = table->settings[i].name;
		}
	}
	return settings_fail(settings, SHIPOPT_ENOTFOUND, "%s has no setting \"%.64s\"%s%s%s", table->noun, name,
		nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

/* ---- numbers ----------------------------------------------------------------------------------------------- */

static const char *settings_currency(const struct settings *settings, const struct setting *setting)
{
	for (size_t i = 0; setting->currency && i < settings->table->count; i++)
		if (text_equal(settings->table->settings[i].name, setting->currency))
			return settings_text(settings, i);
	return NULL;
}

static void settings_format_number(const struct setting *setting, int64_t value, char text[DECIMAL_TEXT_SIZE])
{
	if (setting->type == SETTING_MONEY || setting->type == SETTING_DECIMAL)
		decimal_format(value, setting->type == SETTING_MONEY ? 2 : 0, text);
	else
		snprintf(text, DECIMAL_TEXT_SIZE, "%lld", (long long)value);
}

int settings_set_number(struct settings *settings, size_t index, int64_t value)
{
	const struct setting *setting = &settings->table->settings[index];
	if (value < setting->minimum || value > setting->maximum) {
		char given[DECIMAL_TEXT_SIZE], low[DECIMAL_TEXT_SIZE], high[DECIMAL_TEXT_SIZE];
		settings_format_number(setting, value, given);
		settings_format_number(setting, setting->minimum, low);
		settings_format_number(setting, setting->maximum, high);
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "%s is not between %s and %s", given, low,
			high);
	}
	settings->numbers[index] = value;
	return 0;
}

static int settings_set_boolean(struct settings *settings, size_t index, const char *text)
{
	static const char *const names[] = {"0", "1", "false", "true", "no", "yes"};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (text_equal_ignore_case(text, names[i]))
			return settings_set_number(settings, index, i & 1);
	return settings_refuse(settings, &settings->table->settings[index], SHIPOPT_EINVAL,
		"\"%.64s\" is not true or false", text);
}

static int settings_set_integer(struct settings *settings, size_t index, const char *text)
{
	int64_t number;
	if (text_parse_i64(text, &number) < 0)
		return settings_refuse(settings, &settings->table->settings[index], SHIPOPT_EINVAL,
			"\"%.64s\" is not an integer", text);
	return settings_set_number(settings, index, number);
}

static int settings_set_decimal(struct settings *settings, size_t index, const char *text)
{
	const struct setting *setting = &settings->table->settings[index];
	bool is_money = setting->type == SETTING_MONEY;
	const char *currency = settings_currency(settings, setting);
	int places = is_money ? money_places(currency) : MONEY_PLACES_MAX;
	int64_t number;
	char high[DECIMAL_TEXT_SIZE];
	switch (money_parse(text, places, &number)) {
	case MONEY_OK: return settings_set_number(settings, index, number);
	case MONEY_HAS_TOO_MANY_PLACES:
		return settings_refuse(settings, setting, SHIPOPT_EINVAL,
			"\"%.64s\" has more than %d digits after the point%s%s; write it without thousands separators",
			text, places, currency ? ", as many as an amount has in " : "", currency ? currency : "");
	case MONEY_IS_TOO_LARGE:
		settings_format_number(setting, setting->maximum, high);
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "\"%.64s\" is beyond the maximum of %s", text,
			high);
	default:
		return settings_refuse(settings, setting, SHIPOPT_EINVAL,
			"\"%.64s\" is not %s: write digits and a point, without separators, such as %s", text,
			is_money ? "an amount" : "a number", is_money ? "1234.50" : "1.5");
	}
}

/* ---- texts ------------------------------------------------------------------------------------------------- */

static bool settings_is_choice(const char *choices, const char *text)
{
	size_t length = strlen(text);
	for (const char *choice = choices; choice; choice = strchr(choice, '|')) {
		choice += *choice == '|';
		if (strcspn(choice, "|") == length && memcmp(choice, text, length) == 0)
			return true;
	}
	return false;
}

/* "fail|wait|fallback" is written as "fail, wait or fallback". */
static void settings_list_choices(const char *choices, char list[CHOICES_SIZE])
{
	size_t used = 0;
	for (const char *p = choices; *p && used + 8 < CHOICES_SIZE; p++) {
		const char *separator = *p != '|' ? NULL : strchr(p + 1, '|') ? ", " : " or ";
		used += (size_t)snprintf(list + used, CHOICES_SIZE - used, "%.*s", separator ? 4 : 1,
			separator ? separator : p);
	}
}

static int settings_check_form(struct settings *settings, const struct setting *setting, const char *text)
{
	char list[CHOICES_SIZE];
	if (setting->choices && *text && !settings_is_choice(setting->choices, text)) {
		settings_list_choices(setting->choices, list);
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "\"%.64s\" is not %s", text, list);
	}
	shipopt_error *error = NULL;
	int r = setting->check ? setting->check(text, &error) : 0;
	if (r < 0)
		r = settings_refuse(settings, setting, r == SHIPOPT_ENOMEM ? r : SHIPOPT_EINVAL, "%s",
			shipopt_error_message(error));
	shipopt_error_unref(error);
	return r;
}

static int settings_check_text(struct settings *settings, const struct setting *setting, const char *text)
{
	/* NULL is not the default: an application whose lookup failed must not get the production URL. */
	if (!text)
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "the text must not be NULL");
	size_t length = strlen(text);
	if ((int64_t)length < setting->minimum || (int64_t)length > setting->maximum)
		return settings_refuse(settings, setting, SHIPOPT_EINVAL,
			"a length of %zu bytes is not between %lld and %lld", length, (long long)setting->minimum,
			(long long)setting->maximum);
	if (!text_is_utf8(text, length, NULL))
		return settings_refuse(settings, setting, SHIPOPT_EENCODING, "the text is not UTF-8");
	/* A line break in a text that ends up in an HTTP header would start another header. */
	if (strpbrk(text, "\r\n"))
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "the text contains a line break");
	return settings_check_form(settings, setting, text);
}

int settings_set_text(struct settings *settings, size_t index, const char *text)
{
	int r = settings_check_text(settings, &settings->table->settings[index], text);
	if (r < 0)
		return r;
	char *copy = mem_copy_text(text);
	if (!copy)
		return settings_keep_error(settings, SHIPOPT_ENOMEM, error_of(ERROR_DOMAIN, SHIPOPT_ENOMEM));
	settings_free_text(settings, index);
	settings->texts[index] = copy;
	return 0;
}

/* ---- by name ----------------------------------------------------------------------------------------------- */

static int settings_find(struct settings *settings, const char *name, size_t *ret_index)
{
	if (!name)
		return settings_fail(settings, SHIPOPT_EINVAL, "%s setting: the name must not be NULL",
			settings->table->noun);
	for (size_t i = 0; i < settings->table->count; i++) {
		if (text_equal(settings->table->settings[i].name, name)) {
			*ret_index = i;
			return 0;
		}
	}
	return settings_refuse_name(settings, name);
}

static int settings_set_at(struct settings *settings, size_t index, const char *text)
{
	const struct setting *setting = &settings->table->settings[index];
	if (!text)
		return settings_refuse(settings, setting, SHIPOPT_EINVAL, "the text must not be NULL");
	switch (setting->type) {
	case SETTING_INTEGER: return settings_set_integer(settings, index, text);
	case SETTING_BOOLEAN: return settings_set_boolean(settings, index, text);
	case SETTING_MONEY:
	case SETTING_DECIMAL: return settings_set_decimal(settings, index, text);
	default: return settings_set_text(settings, index, text);
	}
}

int settings_set(struct settings *settings, const char *name, const char *text)
{
	size_t index;
	int r = settings_find(settings, name, &index);
	return r < 0 ? r : settings_set_at(settings, index, text);
}

int settings_set_int(struct settings *settings, const char *name, int64_t number)
{
	size_t index;
	int r = settings_find(settings, name, &index);
	if (r < 0)
		return r;
	const struct setting *setting = &settings->table->settings[index];
	if (setting->type == SETTING_INTEGER || setting->type == SETTING_BOOLEAN)
		return settings_set_number(settings, index, number);
	const char *kind = setting->type == SETTING_MONEY ? "an amount of money"
		: setting->type == SETTING_DECIMAL        ? "a decimal number"
							  : "a text";
	return settings_refuse(settings, setting, SHIPOPT_ETYPE, "it is %s: set it with shipopt_%s_config_set()%s",
		kind, settings->table->noun, setting->type == SETTING_MONEY ? " and a text such as \"12.50\"" : "");
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
	int first = 0;
	for (size_t i = 0; i < settings->table->count; i++) {
		char name[ENVIRONMENT_NAME_SIZE];
		settings_environment_name(settings->table->noun, settings->table->settings[i].name, name, sizeof(name));
		const char *value = getenv(name);
		settings->variable = name;
		int r = value ? settings_set_at(settings, i, value) : 0;
		settings->variable = NULL;
		first = first < 0 ? first : r;
	}
	return first;
}

int settings_check(const struct settings *settings, shipopt_error **ret_error)
{
	if (settings->error) {
		if (ret_error)
			*ret_error = shipopt_error_ref(settings->error);
		return shipopt_error_code(settings->error);
	}
	for (size_t i = 0; i < settings->table->count; i++) {
		const struct setting *setting = &settings->table->settings[i];
		const char *currency = settings_currency(settings, setting);
		char text[DECIMAL_TEXT_SIZE];
		if (setting->type != SETTING_MONEY || money_fits(settings->numbers[i], currency))
			continue;
		settings_format_number(setting, settings->numbers[i], text);
		return error_set(ret_error, SHIPOPT_EINVAL,
			"%s setting %s: %s has more digits after the point than an amount in %s has (%d)",
			settings->table->noun, setting->name, text, currency ? currency : "most currencies",
			money_places(currency));
	}
	return 0;
}
