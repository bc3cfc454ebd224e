/* SPDX-License-Identifier: MIT */
#include "client/client.h"

#include "base/memory.h"

int client_result(int r, shipopt_error *error, shipopt_error **ret_error)
{
	if (r < 0 && ret_error)
		*ret_error = error ? error : error_of(ERROR_DOMAIN, r);
	else
		shipopt_error_unref(error);
	return r;
}

/* Waits until the store is open. */
static int client_open_store(shipopt_client *client, const shipopt_store_config *config, shipopt_error **ret_error)
{
	shipopt_op *op = NULL;
	int r = shipopt_store_open(client->runtime, NULL, config, &client->store, ret_error);
	r = r < 0 ? r : shipopt_store_ready(client->store, NULL, NULL, &op);
	r = r < 0 ? r : shipopt_op_wait(op, -1);
	if (r < 0 && op)
		*ret_error = shipopt_error_ref(shipopt_op_error(op));
	shipopt_op_unref(op);
	return r;
}

static int client_make(shipopt_client *client, const shipopt_client_config *config, shipopt_error **ret_error)
{
	int r = settings_check(&config->source->settings, ret_error);
	r = r < 0 ? r : settings_copy(&client->source.settings, &config->source->settings);
	r = r < 0 ? r : shipopt_runtime_new(config->runtime, &client->runtime, ret_error);
	r = r < 0 ? r : shipopt_carrier_new(client->runtime, config->carrier, &client->carrier, ret_error);
	r = r < 0 ? r : client_open_store(client, config->store, ret_error);
	return r < 0 ? r
		     : shipopt_bulk_new(client->runtime, client->carrier, client->store, config->bulk, &client->bulk,
			       ret_error);
}

static int client_open(const shipopt_client_config *config, shipopt_client **ret_client, shipopt_error **ret_error)
{
	if (runtime_is_library_thread())
		return error_set(ret_error, SHIPOPT_EDEADLK,
			"client: a store cannot be waited for on a thread of the library");
	shipopt_client *client = mem_alloc_zero(sizeof(*client));
	if (!client)
		return SHIPOPT_ENOMEM;
	int r = client_make(client, config, ret_error);
	if (r < 0) {
		/* The caller has nothing to close: the threads that were started end here. */
		if (client->runtime)
			shipopt_runtime_close(client->runtime, 0);
		shipopt_client_free(client);
	} else {
		*ret_client = client;
	}
	return r;
}

int shipopt_client_open(const shipopt_client_config *config, shipopt_client **ret_client, shipopt_error **ret_error)
{
	shipopt_client_config *defaults = NULL;
	shipopt_error *error = NULL;
	int r = ret_client ? 0 : error_set(&error, SHIPOPT_EINVAL, "client: ret_client must not be NULL");
	r = r < 0 || config ? r : shipopt_client_config_new(&defaults);
	r = r < 0 ? r : client_open(config ? config : defaults, ret_client, &error);
	shipopt_client_config_free(defaults);
	return client_result(r, error, ret_error);
}

int shipopt_client_open_from_env(shipopt_client **ret_client, shipopt_error **ret_error)
{
	shipopt_client_config *config = NULL;
	int r = shipopt_client_config_new(&config);
	if (r < 0)
		return client_result(r, NULL, ret_error);
	r = shipopt_client_config_from_env(config);
	if (r < 0)
		client_result(r, shipopt_error_ref(shipopt_client_config_error(config)), ret_error);
	else
		r = shipopt_client_open(config, ret_client, ret_error);
	shipopt_client_config_free(config);
	return r;
}

int shipopt_client_close(shipopt_client *client, int64_t timeout_ms)
{
	return client ? shipopt_runtime_close(client->runtime, timeout_ms) : SHIPOPT_EINVAL;
}

void shipopt_client_free(shipopt_client *client)
{
	if (!client)
		return;
	shipopt_bulk_free(client->bulk);
	shipopt_store_free(client->store);
	shipopt_carrier_free(client->carrier);
	shipopt_runtime_free(client->runtime);
	settings_done(&client->source.settings);
	mem_free(client);
}

shipopt_runtime *shipopt_client_runtime(shipopt_client *client)
{
	return client ? client->runtime : NULL;
}

shipopt_carrier *shipopt_client_carrier(shipopt_client *client)
{
	return client ? client->carrier : NULL;
}

shipopt_store *shipopt_client_store(shipopt_client *client)
{
	return client ? client->store : NULL;
}

shipopt_bulk *shipopt_client_bulk(shipopt_client *client)
{
	return client ? client->bulk : NULL;
}
