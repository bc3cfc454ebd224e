/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_WARM_H
#define SHIPOPT_WARM_H

#include <shipopt/cache.h>
#include <shipopt/features.h>
#if SHIPOPT_HAVE_POSTGRES
#include <shipopt/pool.h>
#endif
#if SHIPOPT_HAVE_SQLITE
#include <shipopt/ledger.h>
#endif

SHIPOPT_BEGIN_DECLS

/*
 * Filling a cache from a database before it is needed. To fill one with a list of keys and a loader, see
 * shipopt_cache_warm().
 *
 * These rules hold for both functions:
 *
 * - The call blocks until all rows are in the cache. It needs constant memory, however many rows there are.
 * - A row that cannot be stored is skipped and does not end the call: its key is empty, or it is too large for the
 *   cache.
 * - If the call fails, the rows stored before stay. *ret_stored (may be NULL) is the number of rows stored, also after
 *   a failure.
 * - `ret_error` may be NULL. If the call fails, *ret_error is set to an error that the caller must unref.
 *   SHIPOPT_EINVAL for a NULL argument and SHIPOPT_ESHUTDOWN leave it unchanged.
 * - SHIPOPT_EDEADLK on a thread of the library and inside shipopt_queue_dispatch().
 *
 * Since 0.1.
 */

#if SHIPOPT_HAVE_SQLITE
/*
 * Called for each row, on the calling thread, in the order of the rows. `json` is the row as shipopt_ledger_list()
 * returns it. Both texts are borrowed for the call. `options` are a copy of those of the call; what the callback sets
 * in them, such as a TTL or tags, holds for this row only.
 *
 * Return a positive number to store `json` under the order key. Return 0 to skip the row; the callback may have stored
 * something under another key. Return a negative code to end the call with that code.
 */
typedef int (*shipopt_warm_row_fn)(void *userdata, const char *order_key, const char *json, size_t json_length,
	shipopt_cache_options *options);

/*
 * Stores the ledger rows of the store's tenant in a cache. `state` is one of SHIPOPT_LEDGER_STATE_…; 0: all states.
 * `row` chooses the rows; NULL: all rows, under their order keys. Of several rows with one order key the newest is
 * stored. `options` may be NULL.
 *
 * SHIPOPT_EINVAL if an argument is NULL or `state` is not a state, and the errors of shipopt_ledger_list().
 */
SHIPOPT_API int shipopt_store_warm_cache(shipopt_store *store, int state, shipopt_cache *cache,
	const shipopt_cache_options *options, shipopt_warm_row_fn row, void *userdata, uint64_t *ret_stored,
	shipopt_error **ret_error);
#endif

#if SHIPOPT_HAVE_POSTGRES
/*
 * Stores the rows of a query in a cache. The columns are:
 *
 *   1   the key: text, varchar, char(n), json, jsonb or bytea. The blanks at the end of a char(n) are part of the key
 *   2   the value, of one of the same types. NULL stores that the key has no value
 *   3   may be missing: the TTL in milliseconds, as smallint, integer, bigint, or a numeric without a fraction. NULL:
 *       the TTL of `options`
 *
 * A row is skipped if its key is NULL or its TTL is not positive. `options` may be NULL. If the pool delivers to a
 * queue, this thread dispatches that queue while it waits, as shipopt_op_wait() does.
 *
 * SHIPOPT_EINVAL if an argument is NULL or the query has fewer than two columns; SHIPOPT_ETYPE for a column of another
 * type (cast it: id::text); and the errors of queries.
 */
SHIPOPT_API int shipopt_pool_warm_cache(shipopt_pool *pool, const shipopt_query *query, shipopt_cache *cache,
	const shipopt_cache_options *options, uint64_t *ret_stored, shipopt_error **ret_error);
#endif

SHIPOPT_END_DECLS

#endif
