/* SPDX-License-Identifier: MIT */
#ifndef CONFIG_SETTINGS_H
#define CONFIG_SETTINGS_H

#include "base/error.h"
#include "base/macro.h"

/*
 * The table of all settings.
 *
 * Each noun that can be configured (runtime, carrier, store, source, bulk, …) has one table of settings in
 * config/tables.c: name, type, default, bounds, help. From that table come the typed public setters (the macros below
 * only name them), the text form `…_config_set(config, "timeout_ms", "60000")`, the environment form
 * (SHIPOPT_CARRIER_TIMEOUT_MS) and the documentation (tests compare the headers with it). There is no second place where a
 * default or a bound is written.
 *
 * A `struct settings` holds the values of one configuration object: it is the first member of every `…_config` struct, is
 * copied by value semantics (settings_copy), and keeps the error of the last failed setter. Secrets are cleansed when
 * freed and never appear in an error. Not thread-safe.
 */
enum setting_type { SETTING_INTEGER, SETTING_BOOLEAN, SETTING_MONEY, SETTING_TEXT, SETTING_SECRET };

struct setting {
	const char *name;
	enum setting_type type;
	int64_t default_value, minimum, maximum; /* TEXT and SECRET: bounds of the length in bytes */
	const char *default_text;
	const char *help;
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
};

int settings_init(struct settings *settings, const struct settings_table *table);
void settings_done(struct settings *settings);
/* A configuration object of `size` bytes, zero but for the settings it starts with. */
int settings_object_new(const struct settings_table *table, size_t size, struct settings **ret_settings);
void settings_object_free(struct settings *settings); /* accepts NULL */
/* `to` is uninitialised before and independent afterwards. */
int settings_copy(struct settings *to, const struct settings *from);

/* By index into the table. The detail of a failure is in settings->error. */
int settings_set_number(struct settings *settings, size_t index, int64_t value);
int settings_set_text(struct settings *settings, size_t index, const char *text); /* NULL is refused */
/* By name, from text: numbers are parsed, booleans are 0, 1, true, false, yes, no; money is "12.50". SHIPOPT_ENOTFOUND. */
int settings_set(struct settings *settings, const char *name, const char *value);
int settings_from_env(struct settings *settings);

static inline int64_t settings_number(const struct settings *settings, size_t index)
{
	return settings->numbers[index];
}

static inline const char *settings_text(const struct settings *settings, size_t index)
{
	return settings->texts[index] ? settings->texts[index] : settings->table->settings[index].default_text;
}

/*
 * The public face of a configuration, for a struct shipopt_<noun>_config that starts with `struct settings settings`.
 * SETTINGS_PUBLIC_NEW and SETTINGS_PUBLIC_FREE are for those in which nothing else needs to be made or let go.
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
#define SETTINGS_PUBLIC(noun)                                                                                   \
	int shipopt_##noun##_config_set(shipopt_##noun##_config *config, const char *name, const char *value)   \
	{                                                                                                       \
		return config && name && value ? settings_set(&config->settings, name, value) : SHIPOPT_EINVAL; \
	}                                                                                                       \
	int shipopt_##noun##_config_from_env(shipopt_##noun##_config *config)                                   \
	{                                                                                                       \
		return config ? settings_from_env(&config->settings) : SHIPOPT_EINVAL;                          \
	}                                                                                                       \
	const shipopt_error *shipopt_##noun##_config_error(const shipopt_##noun##_config *config)               \
	{                                                                                                       \
		return config ? config->settings.error : NULL;                                                  \
	}
#define SETTING_PUBLIC_NUMBER(noun, name, index)                                                       \
	int shipopt_##noun##_config_set_##name(shipopt_##noun##_config *config, int64_t value)         \
	{                                                                                              \
		return config ? settings_set_number(&config->settings, index, value) : SHIPOPT_EINVAL; \
	}
#define SETTING_PUBLIC_TEXT(noun, name, index)                                                      \
	int shipopt_##noun##_config_set_##name(shipopt_##noun##_config *config, const char *text)   \
	{                                                                                           \
		return config ? settings_set_text(&config->settings, index, text) : SHIPOPT_EINVAL; \
	}

#endif
