/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_CLIENT_H
#define SHIPOPT_CLIENT_H

#include <shipopt/bulk.h>
#include <shipopt/carrier.h>
#include <shipopt/runtime.h>
#include <shipopt/ledger.h>

SHIPOPT_BEGIN_DECLS

/*
 * A client: the short way. One handle makes, connects and frees a runtime, a carrier client, a store and a bulk
 * executor.
 *
 *	shipopt_client *client = NULL;
 *	shipopt_error *error = NULL;
 *	int r = shipopt_client_open_from_env(&client, &error);
 *	if (r >= 0)
 *		r = shipopt_client_buy_file(client, "orders.csv", "labels.csv", NULL, NULL, &error);
 *	if (r < 0)
 *		fprintf(stderr, "%s\n", shipopt_error_text(error));
 *	shipopt_error_unref(error);
 *	shipopt_client_close(client, -1);
 *	shipopt_client_free(client);
 *
 * A client does nothing that a program cannot do with the parts. It lends the parts, so a program may also use its
 * carrier client or its executor directly.
 *
 * Every function may be called from any thread, but one thread at a time may use a configuration. Functions that block
 * say so; they return SHIPOPT_EDEADLK on a thread of the library and inside a callback. *ret_error may be NULL. It is
 * written whenever the call fails, also when memory is short, and the caller frees it with shipopt_error_unref(). All
 * of this since 0.2.
 */
typedef struct shipopt_client shipopt_client;
typedef struct shipopt_client_config shipopt_client_config;

/*
 * A configuration of a client holds one configuration for each part. The functions below lend a part's configuration.
 * The program sets settings, callbacks and handles there, as the part's own header describes:
 *
 *	shipopt_carrier_config_set(shipopt_client_config_carrier(config), "timeout_ms", "30000");
 *	shipopt_bulk_config_set_progress(shipopt_client_config_bulk(config), on_progress, NULL);
 *
 * `_new` makes a configuration with all defaults; the caller owns it. `_free` accepts NULL. The lent configurations
 * must not be freed; they are valid until `_free`, and NULL for NULL.
 */
SHIPOPT_API int shipopt_client_config_new(shipopt_client_config **ret_config);
SHIPOPT_API void shipopt_client_config_free(shipopt_client_config *config);
SHIPOPT_API shipopt_runtime_config *shipopt_client_config_runtime(shipopt_client_config *config);
SHIPOPT_API shipopt_carrier_config *shipopt_client_config_carrier(shipopt_client_config *config);
SHIPOPT_API shipopt_store_config *shipopt_client_config_store(shipopt_client_config *config);
SHIPOPT_API shipopt_source_config *shipopt_client_config_source(shipopt_client_config *config);
SHIPOPT_API shipopt_bulk_config *shipopt_client_config_bulk(shipopt_client_config *config);

/* Reads the environment into every part: SHIPOPT_RUNTIME_…, SHIPOPT_CARRIER_…, SHIPOPT_STORE_…, SHIPOPT_SOURCE_… and
 * SHIPOPT_BULK_…. Returns 0, or the first part's failure; `_error` has the detail. */
SHIPOPT_API int shipopt_client_config_from_env(shipopt_client_config *config);
/* Returns the first error that a part's configuration keeps, or NULL. Borrowed from that configuration. */
SHIPOPT_API const shipopt_error *shipopt_client_config_error(const shipopt_client_config *config);

/*
 * Makes the parts and opens the store, whose URL is the store setting `url` (default sqlite:ship.db). Sends nothing to
 * the carrier. Blocks until the store is open. `config` is copied; NULL means all defaults, which lack the required
 * api_key. Does not read the environment. The caller owns *ret_client. The errors are those of shipopt_runtime_new(),
 * shipopt_carrier_new(), shipopt_store_open(), shipopt_store_ready() and shipopt_bulk_new().
 */
SHIPOPT_API int shipopt_client_open(const shipopt_client_config *config, shipopt_client **ret_client,
	shipopt_error **ret_error);
/* The same with a configuration from the environment alone. SHIPOPT_CARRIER_API_KEY is required. */
SHIPOPT_API int shipopt_client_open_from_env(shipopt_client **ret_client, shipopt_error **ret_error);

/*
 * Ends all work of the client and waits for its threads to end: it calls shipopt_runtime_close() and returns its
 * result. Blocks for up to `timeout_ms` (-1: no limit) and about a second. SHIPOPT_EINVAL for NULL.
 */
SHIPOPT_API int shipopt_client_close(shipopt_client *client, int64_t timeout_ms);
/* Frees the client and its parts. Never blocks: without a close before, work and threads go on to their end. Accepts
 * NULL. */
SHIPOPT_API void shipopt_client_free(shipopt_client *client);

/* The parts. Borrowed: valid until shipopt_client_free(), and not to be freed. NULL for NULL. */
SHIPOPT_API shipopt_runtime *shipopt_client_runtime(shipopt_client *client);
SHIPOPT_API shipopt_carrier *shipopt_client_carrier(shipopt_client *client);
SHIPOPT_API shipopt_store *shipopt_client_store(shipopt_client *client);
SHIPOPT_API shipopt_bulk *shipopt_client_bulk(shipopt_client *client);

/*
 * Buys a label for each order of a file, as shipopt_bulk_buy() does, and waits until all are done. A second call with
 * the same file buys nothing twice: it reports the orders that have a label again.
 *
 *   orders_path    the file of orders. A name that ends in ".tsv" means TSV, in ".jsonl" JSON lines, any other name
 *                  CSV. "-" is standard input
 *   results_path   the file for the results, which is overwritten: JSON lines if the name ends in ".jsonl", otherwise
 *                  CSV, in which text cannot act as a formula. "-" is standard output. NULL: no file
 *   item           called for each order with `userdata`, never twice at the same time, where the bulk configuration
 *                  delivers. NULL: the item callback of the configuration, if it has one
 *
 * Returns the number of orders that have no label; 0: every order has one. A failure means that the run could not start
 * or had to end early; orders that it did not start are reported as canceled. The errors are those of the functions
 * that open sources and sinks, and of shipopt_bulk_buy().
 *
 * To end the call early, another thread calls shipopt_client_close(client, 0). The call then returns SHIPOPT_ECANCELED;
 * the client must not be freed before.
 */
SHIPOPT_API int shipopt_client_buy_file(shipopt_client *client, const char *orders_path, const char *results_path,
	shipopt_item_fn item, void *userdata, shipopt_error **ret_error);

SHIPOPT_END_DECLS

#endif
