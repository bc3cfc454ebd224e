/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_STORE_H
#define SHIPOPT_STORE_H

#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * A store: where shipments and the purchase ledger are kept.
 *
 * Opened by URL. "sqlite:ship.db" is an embedded file: one writer thread of the library, a write-ahead log, every commit on
 * disk before its call completes. Several processes may open the same file. While it is open SQLite keeps two more files
 * beside it, ship.db-wal and ship.db-shm; the newest purchases are in ship.db-wal. So all processes must share the folder,
 * on a local disk of one machine, and open the file by one name. For a container, mount the folder, not the file.
 *
 * The library refuses to open: a file on a network file system, a file with several hard links, a file that is mounted by
 * itself, a file that another process uses while its -wal or -shm is missing. If one of the three files is moved, deleted or
 * replaced while the store is open, or ship.db gets a hard link, every later request fails with SHIPOPT_EDATABASE and
 * nothing more is bought until the store is freed and opened again. Copy or restore the files only while no process has
 * the store open.
 *
 * All rows belong to a tenant; a store handle is a view of one tenant ("default" unless the configuration or
 * shipopt_store_view() says otherwise) and cannot see another's rows. All of this since 0.1.
 */
typedef struct shipopt_store shipopt_store;
typedef struct shipopt_store_config shipopt_store_config;

/*
 * Settings, as in <shipopt/runtime.h>; environment SHIPOPT_STORE_….
 *
 *   tenant           default "default", 1 to 64 bytes
 *   confirm_mode     test or production: the mode of rows of an earlier version of the library, which guessed it from the API key.
 *                    While a file has such rows, purchases fail with SHIPOPT_ESTATE until it was opened once with this setting
 *   busy_timeout_ms  how long to wait for another process's write; default 10,000, 0 to 600,000
 *   queue_max        requests waiting for the writer; default 16,384, 16 to 1,048,576
 *   group_max        requests in one transaction; default 256, 1 to 4,096
 */
SHIPOPT_API int shipopt_store_config_new(shipopt_store_config **ret_config);
SHIPOPT_API void shipopt_store_config_free(shipopt_store_config *config);
SHIPOPT_API int shipopt_store_config_set(shipopt_store_config *config, const char *name, const char *value);
SHIPOPT_API int shipopt_store_config_from_env(shipopt_store_config *config);
SHIPOPT_API const shipopt_error *shipopt_store_config_error(const shipopt_store_config *config);
SHIPOPT_API int shipopt_store_config_set_tenant(shipopt_store_config *config, const char *tenant);
SHIPOPT_API int shipopt_store_config_set_busy_timeout_ms(shipopt_store_config *config, int64_t value);
SHIPOPT_API int shipopt_store_config_set_queue_max(shipopt_store_config *config, int64_t value);
SHIPOPT_API int shipopt_store_config_set_group_max(shipopt_store_config *config, int64_t value);
SHIPOPT_API int shipopt_store_config_set_delivery(shipopt_store_config *config, int delivery);
SHIPOPT_API int shipopt_store_config_set_queue(shipopt_store_config *config, shipopt_queue *queue);

/* Checks the URL and makes the handle; opens nothing yet. `config` may be NULL. SHIPOPT_EPARSE or SHIPOPT_EUNSUPPORTED
 * (scheme) names the URL without its password. */
SHIPOPT_API int shipopt_store_open(shipopt_runtime *runtime, const char *url, const shipopt_store_config *config,
	shipopt_store **ret_store, shipopt_error **ret_error);
/* Opens the file, makes or migrates the schema. Every other call does the same first if needed. SHIPOPT_EDATABASE (not a
 * database, unwritable, disk full, no descriptors left, schema of a newer library), SHIPOPT_EUNSUPPORTED (a network file
 * system, several hard links, mounted by itself). */
SHIPOPT_API int shipopt_store_ready(shipopt_store *store, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);
/* A view of the same store for another tenant, freed with shipopt_store_free(). */
SHIPOPT_API int shipopt_store_view(shipopt_store *store, const char *tenant, shipopt_store **ret_view);
/* Drops the caller's reference; never blocks. Accepts NULL. */
SHIPOPT_API void shipopt_store_free(shipopt_store *store);

/*
 * States of a purchase:
 *
 *   planned          the row exists, nothing was rated
 *   created          a shipment with a rate exists at the carrier; no purchase of it is under way. A run may buy it
 *   buying           a purchase was sent or is about to be
 *   in doubt         a purchase was sent and its outcome is not known; the next run looks the shipment up
 *   bought           there is a label
 *   documented       there is a label, and its document was kept
 *   failed           proven: nothing was bought. The next run tries again with a new shipment
 *   held             a person must review the order, or correct it
 *   void requested, voided, void refused   a refund was asked for
 */
enum {
	SHIPOPT_LEDGER_PLANNED = 1,
	SHIPOPT_LEDGER_CREATED = 2,
	SHIPOPT_LEDGER_BUYING = 3,
	SHIPOPT_LEDGER_IN_DOUBT = 4,
	SHIPOPT_LEDGER_BOUGHT = 5,
	SHIPOPT_LEDGER_DOCUMENTED = 6,
	SHIPOPT_LEDGER_FAILED = 7,
	SHIPOPT_LEDGER_HELD = 8,
	SHIPOPT_LEDGER_VOID_REQUESTED = 9,
	SHIPOPT_LEDGER_VOIDED = 10,
	SHIPOPT_LEDGER_VOID_REFUSED = 11
};
/* "in doubt" for SHIPOPT_LEDGER_IN_DOUBT and so on; "unknown" for other numbers. Static. */
SHIPOPT_API const char *shipopt_ledger_state_name(int state);

/*
 * A page of ledger rows of this tenant, in the order of their row id. `state` 0: all. `after`: row id to start behind, 0 for the first
 * page. `limit`: 1 to 1,000. shipopt_op_json() is {"rows":[{"row":…,"order_key":…,"piece":…,"purpose":…,"generation":…,
 * "state":…,"shipment_id":…,"carrier":…,"service":…,"amount":…,"paid":…,"currency":…,"tracking_code":…,"label_url":…,
 * "attempts":…,"reason":…,"updated_at_ms":…},…],"has_more":…}; shipopt_op_value() the number of rows.
 */
SHIPOPT_API int shipopt_ledger_list(shipopt_store *store, int state, int64_t after, int64_t limit, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* How many rows of this tenant are in `state` (0: all): shipopt_op_value(). */
SHIPOPT_API int shipopt_ledger_count(
	shipopt_store *store, int state, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/*
 * A person settles a row that is in doubt, held or failed, after looking at the carrier's own records. `row`: its id from
 * the list. `state`: SHIPOPT_LEDGER_BOUGHT (with `tracking_code`), SHIPOPT_LEDGER_FAILED (nothing was bought) or
 * SHIPOPT_LEDGER_PLANNED (from held or failed: try again). `actor` and `reason` are required and kept in the audit table
 * with the old and new state. SHIPOPT_ENOTFOUND, SHIPOPT_ESTATE (names the row's state), SHIPOPT_EBUSY (a live lease).
 */
SHIPOPT_API int shipopt_ledger_resolve(shipopt_store *store, int64_t row, int state, const char *tracking_code,
	const char *actor, const char *reason, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
