/* SPDX-License-Identifier: MIT */
#include "store/store_config.h"

#include "base/memory.h"
#include "runtime/delivery.h"

int shipopt_store_config_new(shipopt_store_config **ret_config)
{
	if (!ret_config)
		return SHIPOPT_EINVAL;
	shipopt_store_config *config = mem_alloc_zero(sizeof(*config));
	int r = config ? settings_init(&config->settings, &store_settings) : SHIPOPT_ENOMEM;
	if (r < 0) {
		mem_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

void shipopt_store_config_free(shipopt_store_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	settings_done(&config->settings);
	mem_free(config);
}

SETTINGS_PUBLIC(store)
SETTING_PUBLIC_TEXT(store, tenant, STORE_TENANT)
SETTING_PUBLIC_NUMBER(store, busy_timeout_ms, STORE_BUSY_TIMEOUT_MS)
SETTING_PUBLIC_NUMBER(store, queue_max, STORE_QUEUE_MAX)
SETTING_PUBLIC_NUMBER(store, group_max, STORE_GROUP_MAX)

int shipopt_store_config_set_delivery(shipopt_store_config *config, int delivery)
{
	return config ? delivery_set_mode(&config->delivery, delivery) : SHIPOPT_EINVAL;
}

int shipopt_store_config_set_queue(shipopt_store_config *config, shipopt_queue *queue)
{
	return config ? delivery_set_queue(&config->delivery, queue) : SHIPOPT_EINVAL;
}
