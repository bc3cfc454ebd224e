/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_SOURCE_H
#define SHIPOPT_SOURCE_H

#include <shipopt/order.h>
#include <shipopt/settings.h>

SHIPOPT_BEGIN_DECLS

/*
 * Sources: where the orders of a bulk run come from. There are files, arrays, callbacks, and push sources that the
 * program fills while the run goes on.
 *
 * Ownership. The caller of the function that makes a source owns it. A call that starts a run takes over the source
 * when it returns 0, whatever the run's status is later. Do not free the source then. If the call itself fails, the
 * caller still owns it.
 *
 * A push source is the exception, because the program goes on using it. The run takes another reference, and the caller
 * always frees a push source with shipopt_source_free(). A source serves one run.
 *
 * Since 0.1; the `ret_error` of shipopt_source_new_array() and shipopt_source_new_push() since 0.2.
 */
typedef struct shipopt_source shipopt_source;
typedef struct shipopt_source_config shipopt_source_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_SOURCE_….
 *
 *   line_max_bytes  The longest line of a file, in bytes; default 1,048,576. A longer line is skipped and becomes a
 *                   failed item.
 *   columns_max     The most columns of a file; default 256.
 *   push_max        The most orders that wait in a push source; default 1,024.
 */
SHIPOPT_API int shipopt_source_config_new(shipopt_source_config **ret_config);
SHIPOPT_API void shipopt_source_config_free(shipopt_source_config *config);
SHIPOPT_API int shipopt_source_config_set(shipopt_source_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_source_config_set_int(shipopt_source_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_source_config_from_env(shipopt_source_config *config);
SHIPOPT_API const shipopt_error *shipopt_source_config_error(const shipopt_source_config *config);

/* ---- files ------------------------------------------------------------------------------------------------- */

/*
 * Open a file of orders: comma-separated values (RFC 4180), tab-separated values, or one JSON object on each line.
 *
 * `path` "-" reads standard input. `config` may be NULL for the defaults. The caller owns *ret_source. The file is read
 * while the run goes on, in blocks; memory does not depend on its size.
 *
 * A CSV or TSV file begins with a header line that names the columns: order_key (required), service, carrier, max_rate,
 * tracking_code, piece, generation, and the columns of shipopt_record_set_column(). A JSON object has members of the
 * same names, or a "shipment" member in the carrier's form. Text must be UTF-8; a byte order mark is skipped. White
 * space and zero-width characters are removed from the ends of cells and members. An order_key that is a JSON number
 * must be a plain integer: 1001.0 is refused.
 *
 * A bad row does not end the run. It becomes one failed item, whose error names line, column and reason.
 *
 *   SHIPOPT_EINVAL     `path` or `ret_source` is NULL, or a setting of `config` was refused
 *   SHIPOPT_EIO        the file cannot be opened or read; the message has the system's reason
 *   SHIPOPT_EPARSE     the header is missing, or names an unknown or repeated column
 *   SHIPOPT_EENCODING  the file is UTF-16
 *   SHIPOPT_ENOMEM
 */
SHIPOPT_API int shipopt_source_open_csv(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);
SHIPOPT_API int shipopt_source_open_tsv(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);
SHIPOPT_API int shipopt_source_open_json_lines(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);

/* ---- arrays and callbacks ---------------------------------------------------------------------------------- */

/*
 * Makes a source of `count` orders. On success the source owns the orders; the array itself still belongs to the
 * caller. On failure nothing has changed. The caller owns *ret_source.
 *
 *   SHIPOPT_EINVAL  an argument or an order is NULL
 *   SHIPOPT_ESTATE  an order is in the array twice, or another source already owns it; the message has its index
 *   SHIPOPT_ENOMEM
 */
SHIPOPT_API int shipopt_source_new_array(shipopt_order *const *orders, size_t count, shipopt_source **ret_source,
	shipopt_error **ret_error);

/*
 * Gives the next order: fills `order`, which is empty, and returns 1. Returns 0 at the end. A negative code ends the
 * run with that code. To fail one order instead of the run, return 1 with a key and without a shipment.
 *
 * Runs on the side pool, one call at a time, and may block. The run starts each order as soon as the callback has
 * returned it. A canceled run ends after the callback has returned; shipopt_runtime_close() says what happens if it
 * never does.
 */
typedef int (*shipopt_source_fn)(void *userdata, shipopt_order *order);

/* Makes a source that asks `next` for each order. The caller owns *ret_source; `userdata` must stay valid until the run
 * is done. Errors: SHIPOPT_EINVAL for a NULL argument, SHIPOPT_ENOMEM. */
SHIPOPT_API int shipopt_source_new_callback(shipopt_source_fn next, void *userdata, shipopt_source **ret_source);

/* ---- push sources ------------------------------------------------------------------------------------------ */

/*
 * Makes a source that the program fills, before or during the run. `config` may be NULL for the defaults. The caller
 * owns *ret_source and always frees it, after the last order was pushed. Errors: SHIPOPT_EINVAL if `ret_source` is NULL
 * or a setting of `config` was refused, SHIPOPT_ENOMEM.
 */
SHIPOPT_API int shipopt_source_new_push(const shipopt_source_config *config, shipopt_source **ret_source,
	shipopt_error **ret_error);

/*
 * Adds one order. On success the source owns it; on failure it still belongs to the caller. Any thread; never blocks.
 *
 *   SHIPOPT_EAGAIN     push_max orders wait already; push again later. If the run delivers to a queue that enabled
 *                      SHIPOPT_EVENT_READY, the queue says when there is room
 *   SHIPOPT_ESTATE     the source was finished, or the order belongs to a source already
 *   SHIPOPT_ECANCELED  the run is over
 *   SHIPOPT_EINVAL     an argument is NULL, or this is not a push source
 *
 * Orders that still wait in the source when its run is canceled are freed; they give no item.
 */
SHIPOPT_API int shipopt_source_push(shipopt_source *source, shipopt_order *order);

/* Ends the input of a push source: the run ends after the orders that were pushed. Repeating the call does nothing. Any
 * thread. SHIPOPT_EINVAL: this is not a push source. */
SHIPOPT_API int shipopt_source_finish(shipopt_source *source);

/* Drops the caller's reference; never blocks. A push source that was not finished is finished. Accepts NULL. */
SHIPOPT_API void shipopt_source_free(shipopt_source *source);

SHIPOPT_END_DECLS

#endif
