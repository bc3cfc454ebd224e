/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "pool/pool_config.h"

SETTINGS_PUBLIC_NEW(pool)

void shipopt_pool_config_free(shipopt_pool_config *config)
{
	if (!config)
		return;
	queue_unref(config->delivery.queue);
	settings_object_free(&config->settings);
}

SETTINGS_PUBLIC(pool)

DELIVERY_PUBLIC(pool)

int shipopt_pool_config_set_slow_query(shipopt_pool_config *config, shipopt_slow_query_fn slow_query, void *userdata)
{
	if (!config)
		return SHIPOPT_EINVAL;
	config->slow_query = slow_query;
	config->slow_userdata = userdata;
	return 0;
}
