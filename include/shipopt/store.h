/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_STORE_H
#define SHIPOPT_STORE_H

#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * A store: the database file that keeps the purchase ledger (<shipopt/ledger.h>).
 *
 * The URL "sqlite:ship.db" names a SQLite file. The library writes it on one thread of its own, with a write-ahead log.
 * A call completes after its change is on disk.
 *
 * Several processes may open the same file. They must run on one machine, reach the folder of the file on a local disk,
 * and open the file by the same name. While the file is open, SQLite keeps two more files beside it: ship.db-wal and
 * ship.db-shm. The newest purchases are in ship.db-wal. So a container must mount the folder, not the file.
 *
 * The library refuses to open
 *   - a file on a network file system,
 *   - a file with several hard links,
 *   - a file that is a mount point itself,
 *   - a file that another process uses while its -wal or -shm file is missing.
 *
 * Do not move, delete or replace any of the three files while the store is open, and do not give ship.db a hard link.
 * After that every request fails with SHIPOPT_EDATABASE, and nothing is bought until the store is freed and opened
 * again. Copy or restore the files only while no process has the store open.
 *
 * Each row belongs to a tenant. A store handle sees and writes the rows of one tenant only: "default", or the tenant of
 * its configuration or of shipopt_store_view().
 *
 * A handle may be used from any thread. All of this since 0.1 unless a comment says otherwise.
 */
typedef struct shipopt_store shipopt_store;
typedef struct shipopt_store_config shipopt_store_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_STORE_….
 *
 *   url              The URL that shipopt_store_open() opens if its argument `url` is NULL; default sqlite:ship.db. It
 *                    is secret, because a URL can hold a password.
 *   tenant           The tenant of the handle, 1 to 64 bytes; default "default".
 *   confirm_mode     test or production; default "": none. An earlier version of the library guessed the mode of its
 *                    rows from the API key. This setting says what the mode of those rows is. While a file has such
 *                    rows, purchases fail with SHIPOPT_ESTATE until the file was opened once with this setting.
 *   busy_timeout_ms  How long a write waits for another process's write, 0 to 600,000; default 10,000.
 *   queue_max        How many requests may wait for the writer, 16 to 1,048,576; default 16,384.
 *   group_max        How many requests one transaction may hold, 1 to 4,096; default 256.
 *   deliver_inline   1: calls back on the event loop instead of a scheduler thread. Such a callback must be short and
 *                    never block. Not together with a queue. Default 0.
 */
SHIPOPT_API int shipopt_store_config_new(shipopt_store_config **ret_config);
SHIPOPT_API void shipopt_store_config_free(shipopt_store_config *config);
SHIPOPT_API int shipopt_store_config_set(shipopt_store_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_store_config_set_int(shipopt_store_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_store_config_from_env(shipopt_store_config *config);
SHIPOPT_API const shipopt_error *shipopt_store_config_error(const shipopt_store_config *config);
/* Delivers completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_store_config_set_queue(shipopt_store_config *config, shipopt_queue *queue);

/*
 * Makes a store handle. Checks the URL and the configuration, and opens no file.
 *
 * `url` NULL means the setting `url`. `config` is copied and may be NULL. *ret_error (may be NULL) says which argument
 * or setting is wrong; it never shows the password of a URL. Errors: SHIPOPT_EPARSE (not the URL of a store),
 * SHIPOPT_EUNSUPPORTED (a scheme that is not built in), SHIPOPT_EENCODING, SHIPOPT_EINVAL.
 */
SHIPOPT_API int shipopt_store_open(shipopt_runtime *runtime, const char *url, const shipopt_store_config *config,
	shipopt_store **ret_store, shipopt_error **ret_error);

/*
 * Opens the file, and creates or migrates its tables. Every other call does the same first. Call this one to see an
 * error before a run starts.
 *
 * Errors of the operation: SHIPOPT_EDATABASE (not a database, a database of another program or of a newer library, no
 * permission to write, a full disk, no free descriptor), SHIPOPT_EUNSUPPORTED (a file that the library refuses to open,
 * see above), SHIPOPT_ECANCELED, SHIPOPT_ENOMEM.
 */
SHIPOPT_API int shipopt_store_ready(shipopt_store *store, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * Makes a handle of the same store for another tenant. `tenant` is UTF-8 of 1 to 64 bytes and is copied. Free the
 * handle with shipopt_store_free(), before or after the first one. Errors: SHIPOPT_EINVAL (the length),
 * SHIPOPT_EENCODING. *ret_error may be NULL.
 */
SHIPOPT_API int shipopt_store_view(shipopt_store *store, const char *tenant, shipopt_store **ret_view,
	shipopt_error **ret_error);

/* Frees the handle. Accepts NULL and never blocks. Operations that were started complete. */
SHIPOPT_API void shipopt_store_free(shipopt_store *store);

SHIPOPT_END_DECLS

#endif
