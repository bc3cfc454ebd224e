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
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_STORE_….
 *
 *   url              the store that shipopt_store_open() opens if its own `url` is NULL; default sqlite:ship.db; secret, as a URL
 *                    may hold a password
 *   tenant           default "default", 1 to 64 bytes
 *   confirm_mode     test or production: the mode of rows that an earlier version of the library wrote, which guessed it from
 *                    the API key. While a file has such rows, purchases fail with SHIPOPT_ESTATE until it was opened once
 *                    with this setting. Default "": none; where no mode was guessed the setting changes nothing
 *   busy_timeout_ms  how long to wait for another process's write; default 10,000, 0 to 600,000
 *   queue_max        requests waiting for the writer; default 16,384, 16 to 1,048,576
 *   group_max        requests in one transaction; default 256, 1 to 4,096
 *   deliver_inline   1: call back on the event loop instead of a scheduler thread. The callbacks must be short and never
 *                    block. Not together with a queue; default 0
 */
SHIPOPT_API int shipopt_store_config_new(shipopt_store_config **ret_config);
SHIPOPT_API void shipopt_store_config_free(shipopt_store_config *config);
SHIPOPT_API int shipopt_store_config_set(shipopt_store_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_store_config_set_int(shipopt_store_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_store_config_from_env(shipopt_store_config *config);
SHIPOPT_API const shipopt_error *shipopt_store_config_error(const shipopt_store_config *config);
/* Delivers completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_store_config_set_queue(shipopt_store_config *config, shipopt_queue *queue);

/* Checks the URL and makes the handle; opens nothing yet. `url` NULL means the setting `url`. `config` may be NULL. SHIPOPT_EPARSE or SHIPOPT_EUNSUPPORTED
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
	SHIPOPT_LEDGER_STATE_PLANNED = 1,
	SHIPOPT_LEDGER_STATE_CREATED = 2,
	SHIPOPT_LEDGER_STATE_BUYING = 3,
	SHIPOPT_LEDGER_STATE_IN_DOUBT = 4,
	SHIPOPT_LEDGER_STATE_BOUGHT = 5,
	SHIPOPT_LEDGER_STATE_DOCUMENTED = 6,
	SHIPOPT_LEDGER_STATE_FAILED = 7,
	SHIPOPT_LEDGER_STATE_HELD = 8,
	SHIPOPT_LEDGER_STATE_VOID_REQUESTED = 9,
	SHIPOPT_LEDGER_STATE_VOIDED = 10,
	SHIPOPT_LEDGER_STATE_VOID_REFUSED = 11,
	/* No state: with shipopt_ledger_list() and shipopt_ledger_count(), the rows of any state that only a person can settle. */
	SHIPOPT_LEDGER_NEEDS_PERSON = 100
};
/* "in doubt" for SHIPOPT_LEDGER_STATE_IN_DOUBT and so on; "unknown" for other numbers. Static. */
SHIPOPT_API const char *shipopt_ledger_state_name(int state);

/*
 * A page of ledger rows of this tenant, in the order of their row id. `state`: a state, SHIPOPT_LEDGER_NEEDS_PERSON, 0 for all
 * rows. `after`: row id to start behind, 0 for the first page. `limit`: 1 to 1,000. shipopt_op_value() is the number of rows,
 * shipopt_op_json() {"rows":[{…},…],"has_more":…}. The members of a row, null where there is nothing:
 *
 *   row, order_key, piece, purpose, generation, state   which purchase it is, and where it stands
 *   provider, account, mode, base_url                   whose; mode_guessed: true until confirm_mode (above) was given
 *   shipment_id, carrier, service                       what was chosen
 *   amount, currency                                    its price; insurance, fee: the value insured and what that costs
 *   approved, approved_currency, ceiling                the price that was approved, and the most that may be paid
 *   attempts, sent, unproven                            purchases sent: of all shipments; of this one; of these, the ones that
 *                                                       may have bought a label. buying_at_ms: when the newest was sent
 *   exists_seen                                         true: the carrier said that the shipment has a label
 *   needs_person                                        true: no run sends it again; shipopt_ledger_resolve() settles it
 *   reason, refusal                                     why; the carrier's words where it refused
 *   tracking_code, label_url, paid                      the label
 *   updated_at_ms                                       times are Unix times of the database's clock
 */
SHIPOPT_API int shipopt_ledger_list(shipopt_store *store, int state, int64_t after, int64_t limit, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);
/* How many rows of this tenant are in `state` (as above): shipopt_op_value(). */
SHIPOPT_API int shipopt_ledger_count(shipopt_store *store, int state, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

/*
 * A person settles a row after looking at the carrier's own records. `row`: its id from the list. `state`: what was found.
 *
 *   state                    rows that it settles                                    they become
 *   SHIPOPT_LEDGER_STATE_BOUGHT    buying, in doubt, held, failed; created with an         bought
 *   (with `tracking_code`)   unproven purchase; planned and created with a mark
 *                            bought and what follows, with a mark                    the same, without the mark
 *   SHIPOPT_LEDGER_STATE_FAILED    buying, in doubt                                        created, see below
 *                            held; planned and created with a mark                   failed
 *                            failed with a mark                                      the same, without the mark
 *   SHIPOPT_LEDGER_STATE_PLANNED   held, failed; planned and created with a mark           planned, without a shipment: bought by the
 *                                                                                    next run
 *
 * A mark is needs_person of the list; each of these clears it. planned and created with a mark are rows that an earlier version
 * wrote, of which nothing was sent.
 *
 * BOUGHT counts the price of the rate, and the insurance's fee, as spent if the row was not bought before. A label that is
 * another one than the row's (by its tracking code) replaces it.
 *
 * FAILED of a row whose purchase was sent: the same shipment may be sent again, so the row becomes created and gives its
 * reservation back. One purchase of it stays unproven, as a carrier may still be at work when a person looks. So the next run
 * looks the shipment up before it sends it, and never buys another shipment for the order: that needs
 * shipopt_order_set_generation().
 *
 * shipopt_op_value() is the state that resulted. `actor` and `reason` (1 to 4,096 bytes) are kept in the audit table with the old
 * and the new state and the tracking code; `reason` also becomes the row's, except for PLANNED. SHIPOPT_ENOTFOUND, SHIPOPT_ESTATE
 * (names the row's state), SHIPOPT_EBUSY (a process holds the row: a live lease; one that ends more than a day ahead was written
 * by a wrong clock and counts as none).
 */
SHIPOPT_API int shipopt_ledger_resolve(shipopt_store *store, int64_t row, int state, const char *tracking_code,
	const char *actor, const char *reason, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
