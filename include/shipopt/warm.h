/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_WARM_H
#define SHIPOPT_WARM_H

#include <shipopt/cache.h>
#include <shipopt/features.h>
#if SHIPOPT_HAVE_POSTGRES
#include <shipopt/pool.h>
#endif
#if SHIPOPT_HAVE_SQLITE
#include <shipopt/store.h>
#endif

SHIPOPT_BEGIN_DECLS

/*
 * Filling a cache from a database before it is needed; from a list of keys and a loader: shipopt_cache_warm().
 *
 * Both calls read page by page or row by row in constant memory, and return when all is in the cache: they block. On a thread of the
 * library and inside a dispatch they are SHIPOPT_EDEADLK. A row that cannot be kept (an empty key, too large) is left out and does not end
 * it. What was stored before a failure stays. *ret_stored (may be NULL) is how many rows were put, also on failure; *ret_error
 * may be NULL, and is the caller's to unref. All of this since 0.1.
 */

#if SHIPOPT_HAVE_SQLITE
/*
 * Called for one row, on the calling thread, in the order of the rows. `json` is what shipopt_ledger_list() tells of it; both texts are
 * borrowed. `options` are those of the call, made anew for each row: what is set in them (a time to live, tags) holds for this row.
 * Positive: `json` is put under the order key. 0: it is not; the callback may have put something else under a key of its own. Negative: ends the
 * call with that code.
 */
typedef int (*shipopt_warm_row_fn)(void *userdata, const char *order_key, const char *json, size_t json_length,
	shipopt_cache_options *options);

/*
 * Puts the ledger rows of this store's tenant that are in `state` (SHIPOPT_LEDGER_…, 0: all) into a cache. `row` NULL: all under their
 * order keys, of several rows with the same key the newest. `options` may be NULL. The errors of shipopt_ledger_list().
 */
SHIPOPT_API int shipopt_store_warm_cache(shipopt_store *store, int state, shipopt_cache *cache,
	const shipopt_cache_options *options, shipopt_warm_row_fn row, void *userdata, uint64_t *ret_stored,
	shipopt_error **ret_error);
#endif

#if SHIPOPT_HAVE_POSTGRES
/*
 * Puts the rows of a query into a cache: the first column is the key, the second the value, a third (may be missing) the time to live in
 * milliseconds, null for that of `options` (may be NULL). Key and value are text, varchar, char(n) (with its blanks), json, jsonb or bytea; the third is
 * smallint, integer, bigint or a numeric without a fraction. SHIPOPT_ETYPE for others (cast them: id::text), SHIPOPT_EINVAL for fewer than
 * two columns. A null value is stored as "there is no such thing"; a row whose key is null or whose time to live
 * is not positive is left out. The errors of queries. With delivery to a queue this thread dispatches it, as in shipopt_op_wait().
 */
SHIPOPT_API int shipopt_pool_warm_cache(shipopt_pool *pool, const shipopt_query *query, shipopt_cache *cache,
	const shipopt_cache_options *options, uint64_t *ret_stored, shipopt_error **ret_error);
#endif

SHIPOPT_END_DECLS

#endif
