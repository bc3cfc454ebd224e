/* SPDX-License-Identifier: MIT */
#ifndef CLIENT_CLIENT_H
#define CLIENT_CLIENT_H

#include <shipopt/client.h>

#include "bulk/run.h"
#include "orders/source_config.h"

/*
 * The short way: a handle that owns one of each part.
 *
 * A client adds no behaviour. It makes runtime, carrier, store and executor in this order, waits until the store is
 * open, and frees them in the opposite order. The parts hold references to each other, so freeing the client while work
 * is under way is safe. The configuration owns one configuration of each part and lends them (client_config.c). The
 * settings of sources are copied, since a source is made for each file (client_file.c).
 *
 * The members are constant after shipopt_client_open(); any thread may read them.
 */
struct shipopt_client_config {
	shipopt_runtime_config *runtime;
	shipopt_carrier_config *carrier;
	shipopt_store_config *store;
	shipopt_source_config *source;
	shipopt_bulk_config *bulk;
};

struct shipopt_client {
	shipopt_runtime *runtime;
	shipopt_carrier *carrier;
	shipopt_store *store;
	shipopt_source_config source;
	shipopt_bulk *bulk;
};

/* Ends a public call: returns `r`, and for a failure passes `error` on, or the code's own error if no part made one.
 * Consumes `error`, which may be NULL. */
int client_result(int r, shipopt_error *error, shipopt_error **ret_error);

#endif
