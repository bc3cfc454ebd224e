/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "base/text.h"
#include "pool/pool.h"

SETTINGS_PUBLIC_NEW(pool)

void shipopt_pool_config_free(shipopt_pool_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(pool)
SETTING_PUBLIC_TEXT(pool, conninfo, POOL_CONNINFO)
SETTING_PUBLIC_NUMBER(pool, min, POOL_MIN)
SETTING_PUBLIC_NUMBER(pool, max, POOL_MAX)
SETTING_PUBLIC_NUMBER(pool, overflow, POOL_OVERFLOW)
SETTING_PUBLIC_NUMBER(pool, acquire_timeout_ms, POOL_ACQUIRE_TIMEOUT_MS)
SETTING_PUBLIC_NUMBER(pool, command_timeout_ms, POOL_COMMAND_TIMEOUT_MS)

int shipopt_pool_config_set_preset(shipopt_pool_config *config, const char *name)
{
	static const struct {
		const char *name;
		int64_t min, max, overflow;
	} presets[] = {{"small", 0, 5, 10}, {"elastic", 2, 20, 0}, {"fixed", 0, 20, 0}, {"large", 0, 20, 10},
		{"huge", 0, 50, 20}};
	if (!config || !name)
		return SHIPOPT_EINVAL;
	for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
		if (!text_equal(presets[i].name, name))
			continue;
		settings_set_number(&config->settings, POOL_MIN, presets[i].min);
		settings_set_number(&config->settings, POOL_MAX, presets[i].max);
		return settings_set_number(&config->settings, POOL_OVERFLOW, presets[i].overflow);
	}
	return SHIPOPT_ENOTFOUND;
}

DELIVERY_PUBLIC(pool)

int shipopt_pool_config_set_slow_query(shipopt_pool_config *config, shipopt_slow_query_fn slow_query, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->slow_query = slow_query;
	config->slow_userdata = userdata;
	return 0;
}
