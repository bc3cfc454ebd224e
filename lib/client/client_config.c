/* SPDX-License-Identifier: MIT */
#include "base/memory.h"
#include "client/client.h"

int shipopt_client_config_new(shipopt_client_config **ret_config)
{
	if (!ret_config)
		return SHIPOPT_EINVAL;
	shipopt_client_config *config = mem_alloc_zero(sizeof(*config));
	if (!config)
		return SHIPOPT_ENOMEM;
	int r = shipopt_runtime_config_new(&config->runtime);
	r = r < 0 ? r : shipopt_carrier_config_new(&config->carrier);
	r = r < 0 ? r : shipopt_store_config_new(&config->store);
	r = r < 0 ? r : shipopt_source_config_new(&config->source);
	r = r < 0 ? r : shipopt_bulk_config_new(&config->bulk);
	if (r < 0) {
		shipopt_client_config_free(config);
		return r;
	}
	*ret_config = config;
	return 0;
}

void shipopt_client_config_free(shipopt_client_config *config)
{
	if (!config)
		return;
	shipopt_runtime_config_free(config->runtime);
	shipopt_carrier_config_free(config->carrier);
	shipopt_store_config_free(config->store);
	shipopt_source_config_free(config->source);
	shipopt_bulk_config_free(config->bulk);
	mem_free(config);
}

int shipopt_client_config_from_env(shipopt_client_config *config)
{
	if (!config)
		return SHIPOPT_EINVAL;
	int r = shipopt_runtime_config_from_env(config->runtime);
	r = r < 0 ? r : shipopt_carrier_config_from_env(config->carrier);
	r = r < 0 ? r : shipopt_store_config_from_env(config->store);
	r = r < 0 ? r : shipopt_source_config_from_env(config->source);
	return r < 0 ? r : shipopt_bulk_config_from_env(config->bulk);
}

const shipopt_error *shipopt_client_config_error(const shipopt_client_config *config)
{
	const shipopt_error *error = config ? shipopt_runtime_config_error(config->runtime) : NULL;
	if (!config)
		return NULL;
	error = error ? error : shipopt_carrier_config_error(config->carrier);
	error = error ? error : shipopt_store_config_error(config->store);
	error = error ? error : shipopt_source_config_error(config->source);
	return error ? error : shipopt_bulk_config_error(config->bulk);
}

shipopt_runtime_config *shipopt_client_config_runtime(shipopt_client_config *config)
{
	return config ? config->runtime : NULL;
}

shipopt_carrier_config *shipopt_client_config_carrier(shipopt_client_config *config)
{
	return config ? config->carrier : NULL;
}

shipopt_store_config *shipopt_client_config_store(shipopt_client_config *config)
{
	return config ? config->store : NULL;
}

shipopt_source_config *shipopt_client_config_source(shipopt_client_config *config)
{
	return config ? config->source : NULL;
}

shipopt_bulk_config *shipopt_client_config_bulk(shipopt_client_config *config)
{
	return config ? config->bulk : NULL;
}
