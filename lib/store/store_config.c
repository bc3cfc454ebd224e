/* SPDX-License-Identifier: MIT */
#include "store/store_config.h"

#include "base/memory.h"
#include "runtime/delivery.h"

SETTINGS_PUBLIC_NEW(store)

void shipopt_store_config_free(shipopt_store_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(store)
SETTING_PUBLIC_TEXT(store, tenant, STORE_TENANT)
SETTING_PUBLIC_NUMBER(store, busy_timeout_ms, STORE_BUSY_TIMEOUT_MS)
SETTING_PUBLIC_NUMBER(store, queue_max, STORE_QUEUE_MAX)
SETTING_PUBLIC_NUMBER(store, group_max, STORE_GROUP_MAX)

DELIVERY_PUBLIC(store)
