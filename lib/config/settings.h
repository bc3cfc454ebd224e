/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/error.h"
#include "base/macro.h"

/*
 * Settings: the tables that describe them and the values that a configuration object holds.
 *
 * Each noun that can be configured (runtime, carrier, store, source, bulk, …) has one table in config/tables.c: name,
 * type, default, bounds, allowed values, help. No default and no bound is written anywhere else. From the tables come
 * the public setters by name, the environment variables (SHIPOPT_CARRIER_TIMEOUT_MS), the macros in
 * <shipopt/settings.h> and docs/settings.md. config/generate.py makes the last two.
 *
 * A `struct settings` holds the values of one configuration object and is the first member of every …_config struct. A
 * setter checks type, bounds and form at once and refuses a bad value with a message that names the setting, the value
 * and the bound; the old value stays. The object keeps the error of the first setter that failed. The function that
 * creates the configured handle reports it by settings_check(), so that an application may call its setters without
 * looking at each result. Setters that come later still work.
 *
 * Secrets are cleansed when freed and never appear in an error. Not thread-safe.
 */
enum setting_type {
	SETTING_INTEGER,
	SETTING_BOOLEAN,
	SETTING_MONEY,   /* millionths of the unit of a currency */
	SETTING_DECIMAL, /* millionths */
	SETTING_TEXT,
	SETTING_SECRET /* a text that is never shown */
};

struct setting {
	const char *name;
	enum setting_type type;
	int64_t default_value, minimum, maximum; /* of a text: bounds of its length in bytes */
	const char *default_text;
	const char *help;
	const char *choices;  /* the allowed texts, as "fail|wait|fallback"; NULL: any. An empty text needs minimum 0 */
	const char *currency; /* of an amount: the setting that has its currency */
	int (*check)(const char *text, shipopt_error **ret_error); /* the form of a text; NULL: any */
};

struct settings_table {
	const char *noun;
	const struct setting *settings;
	size_t count;
};

struct settings {
	const struct settings_table *table;
	int64_t *numbers; /* one per setting */
	char **texts;     /* one per setting, owned */
	shipopt_error *error;
	const char *variable; /* the environment variable that is being read, for errors */
};

int settings_init(struct settings *settings, const struct settings_table *table);
void settings_done(struct settings *settings);
/* Makes a configuration object of `size` bytes, all zero except its settings. */
int settings_object_new(const struct settings_table *table, size_t size, struct settings **ret_settings);
void settings_object_free(struct settings *settings); /* accepts NULL */
/* `to` is not initialised before the call and is independent of `from` afterwards. The error is not copied. */
int settings_copy(struct settings *to, const struct settings *from);

/* Sets by index into the table. */
int settings_set_number(struct settings *settings, size_t index, int64_t value);
int settings_set_text(struct settings *settings, size_t index, const char *text);
/* Sets by name, from text: an integer, a boolean (0, 1, true, false, yes, no), an amount ("12.50") or the text itself.
 * SHIPOPT_ENOTFOUND for an unknown name. */
int settings_set(struct settings *settings, const char *name, const char *text);
/* Sets an integer or boolean by name. SHIPOPT_ETYPE for another type. */
int settings_set_int(struct settings *settings, const char *name, int64_t number);
/* Sets all for which there is an environment variable. Returns the code of the first one that is refused. */
int settings_from_env(struct settings *settings);
/* Refuses something else in the configuration object: keeps the error, if it is the first one. Returns `code`. */
int settings_fail(struct settings *settings, int code, const char *format, ...) PRINTF_LIKE(3, 4);
/* Reports the first error. Checks what only the whole can tell: that amounts fit their currencies. */
int settings_check(const struct settings *settings, shipopt_error **ret_error);

static inline int64_t settings_number(const struct settings *settings, size_t index)
{
	return settings->numbers[index];
}

static inline const char *settings_text(const struct settings *settings, size_t index)
{
	return settings->texts[index] ? settings->texts[index] : settings->table->settings[index].default_text;
}

/*
 * The public functions of a configuration, for a struct shipopt_<noun>_config that starts with `struct settings
 * settings`. SETTINGS_PUBLIC_NEW and SETTINGS_PUBLIC_FREE are for objects that own nothing else.
 */
#define SETTINGS_PUBLIC_NEW(noun)                                                            \
	int shipopt_##noun##_config_new(shipopt_##noun##_config **ret_config)                \
	{                                                                                    \
		struct settings *made;                                                       \
		if (!ret_config)                                                             \
			return SHIPOPT_EINVAL;                                               \
		int r = settings_object_new(&noun##_settings, sizeof(**ret_config), &made);  \
		if (r == 0)                                                                  \
			*ret_config = CONTAINER_OF(made, shipopt_##noun##_config, settings); \
		return r;                                                                    \
	}
#define SETTINGS_PUBLIC_FREE(noun)                                         \
	void shipopt_##noun##_config_free(shipopt_##noun##_config *config) \
	{                                                                  \
		if (config)                                                \
			settings_object_free(&config->settings);           \
	}
#define SETTINGS_PUBLIC(noun)                                                                                  \
	int shipopt_##noun##_config_set(shipopt_##noun##_config *config, const char *name, const char *text)   \
	{                                                                                                      \
		return config ? settings_set(&config->settings, name, text) : SHIPOPT_EINVAL;                  \
	}                                                                                                      \
	int shipopt_##noun##_config_set_int(shipopt_##noun##_config *config, const char *name, int64_t number) \
	{                                                                                                      \
		return config ? settings_set_int(&config->settings, name, number) : SHIPOPT_EINVAL;            \
	}                                                                                                      \
	int shipopt_##noun##_config_from_env(shipopt_##noun##_config *config)                                  \
	{                                                                                                      \
		return config ? settings_from_env(&config->settings) : SHIPOPT_EINVAL;                         \
	}                                                                                                      \
	const shipopt_error *shipopt_##noun##_config_error(const shipopt_##noun##_config *config)              \
	{                                                                                                      \
		return config ? config->settings.error : NULL;                                                 \
	}

#endif
