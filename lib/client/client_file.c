/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <string.h>

#include "base/text.h"
#include "client/client.h"

/* A file of orders, bought while the caller waits. */

static bool client_path_ends_in(const char *path, const char *ending)
{
	size_t length = strlen(path), tail = strlen(ending);
	return length > tail && text_equal(path + length - tail, ending);
}

static int client_open_orders(shipopt_client *client, const char *path, shipopt_source **ret_source,
	shipopt_error **ret_error)
{
	if (client_path_ends_in(path, ".tsv"))
		return shipopt_source_open_tsv(path, &client->source, ret_source, ret_error);
	if (client_path_ends_in(path, ".jsonl"))
		return shipopt_source_open_json_lines(path, &client->source, ret_source, ret_error);
	return shipopt_source_open_csv(path, &client->source, ret_source, ret_error);
}

static int client_open_results(const char *path, shipopt_sink **ret_sink, shipopt_error **ret_error)
{
	if (client_path_ends_in(path, ".jsonl"))
		return shipopt_sink_open_json_lines(path, ret_sink, ret_error);
	return shipopt_sink_open_csv(path, 1, ret_sink, ret_error);
}

/* An executor as the client's, but with the call's own item callback. The configuration borrows what the client's
 * executor holds; shipopt_bulk_new() copies it. */
static int client_new_bulk(shipopt_client *client, shipopt_item_fn item, void *userdata, shipopt_bulk **ret_bulk,
	shipopt_error **ret_error)
{
	shipopt_bulk_config config = {
		.settings = client->bulk->settings,
		.delivery = client->bulk->delivery,
		.callbacks = client->bulk->callbacks,
	};
	if (item) {
		config.callbacks.item = item;
		config.callbacks.item_userdata = userdata;
	}
	return shipopt_bulk_new(client->runtime, client->carrier, client->store, &config, ret_bulk, ret_error);
}

static int client_count_unlabeled(shipopt_run *run)
{
	static const int stats[] = {SHIPOPT_RUN_STAT_FAILED, SHIPOPT_RUN_STAT_IN_DOUBT, SHIPOPT_RUN_STAT_HELD,
		SHIPOPT_RUN_STAT_CANCELED};
	int64_t sum = 0, count;
	for (size_t i = 0; i < ARRAY_SIZE(stats); i++)
		sum += shipopt_run_stat(run, stats[i], &count) == 0 ? count : 0;
	return sum < INT_MAX ? (int)sum : INT_MAX;
}

/* Runs a source that it takes over, also on failure. */
static int client_buy(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_error **ret_error)
{
	shipopt_run *run = NULL;
	int r = shipopt_bulk_buy(bulk, source, sink, NULL, NULL, &run);
	if (r < 0) {
		shipopt_source_free(source);
		return r;
	}
	r = shipopt_op_wait(shipopt_run_op(run), -1);
	if (r < 0)
		*ret_error = shipopt_error_ref(shipopt_op_error(shipopt_run_op(run)));
	else
		r = client_count_unlabeled(run);
	shipopt_run_unref(run);
	return r;
}

static int client_buy_file(shipopt_client *client, const char *orders_path, const char *results_path,
	shipopt_item_fn item, void *userdata, shipopt_error **ret_error)
{
	shipopt_source *source = NULL;
	shipopt_sink *sink = NULL;
	shipopt_bulk *bulk = NULL;
	int r = client_open_orders(client, orders_path, &source, ret_error);
	r = r < 0 || !results_path ? r : client_open_results(results_path, &sink, ret_error);
	r = r < 0 ? r : client_new_bulk(client, item, userdata, &bulk, ret_error);
	if (r < 0)
		shipopt_source_free(source);
	else
		r = client_buy(bulk, source, sink, ret_error);
	int closed = r >= 0 && sink ? shipopt_sink_close(sink, ret_error) : 0;
	shipopt_sink_free(sink);
	shipopt_bulk_free(bulk);
	return closed < 0 ? closed : r;
}

int shipopt_client_buy_file(shipopt_client *client, const char *orders_path, const char *results_path,
	shipopt_item_fn item, void *userdata, shipopt_error **ret_error)
{
	shipopt_error *error = NULL;
	int r;
	if (!client || !orders_path)
		r = error_set(&error, SHIPOPT_EINVAL, "client: %s must not be NULL", client ? "orders_path" : "client");
	else if (runtime_is_library_thread() || queue_is_dispatching(client->bulk->delivery.queue))
		r = error_set(&error, SHIPOPT_EDEADLK,
			"client: a file of orders cannot be waited for on a thread of the library or inside a callback");
	else
		r = client_buy_file(client, orders_path, results_path, item, userdata, &error);
	return client_result(r, error, ret_error);
}
