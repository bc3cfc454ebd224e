/* SPDX-License-Identifier: MIT */
#ifndef STORE_STORE_OP_H
#define STORE_STORE_OP_H

#include "store/store.h"

/*
 * The operation of an asynchronous call of a store: a query to the back-end, and its result.
 *
 * The back-end completes the query on one of its own threads. There the JSON form of a page is written, because that
 * can take long. Then a reactor completes the operation, so that every kind of delivery is possible.
 */

/* Starts an operation for a query. Takes over nothing; copies the kind, the numbers and the texts of `query`. */
int store_op_start(shipopt_store *store, const struct backend_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);
/* Starts an operation that fails with `status` and `error`, which it takes over. */
int store_op_refuse(shipopt_store *store, int status, shipopt_error *error, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

#endif
