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

DELIVERY_PUBLIC(store)
