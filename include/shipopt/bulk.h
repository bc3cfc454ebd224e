/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_BULK_H
#define SHIPOPT_BULK_H

#include <shipopt/carrier.h>
#include <shipopt/op.h>
#include <shipopt/queue.h>
#include <shipopt/record.h>
#include <shipopt/store.h>

SHIPOPT_BEGIN_DECLS

/*
 * Many orders: a source gives them, an executor works on a bounded number at once, a sink and callbacks take one result
 * for each. Memory depends on the items in flight, never on the number of items. All of this since 0.1.
 *
 *   callback                 thread (by the bulk handle's delivery)       rules
 *   source next              side pool; one call at a time                may block
 *   item, progress           scheduler, reactor (inline) or queue         those of one run never overlap; items before `done`
 *   rate choice, host call   scheduler, reactor (inline) or queue         may overlap; answer with shipopt_request_…()
 *   done of the run          as any operation's                           after the last item
 */

/* ---- orders ------------------------------------------------------------------------------------------------ */

/*
 * One order: what a source gives. Texts and records handed in: text is copied, the shipment is taken over on success.
 * Used by one thread at a time.
 *
 *   key            names the order for good, 1 to 200 bytes; the ledger buys one label per key (and piece). Keys that look the
 *                  same are the same: white space and zero-width characters at the ends are taken off, the rest is kept in
 *                  Unicode's normal form C. A key with an invisible or control character inside is refused (SHIPOPT_EINVAL)
 *   shipment       to buy and rate; for verify its to_address
 *   tracking_code  for track; `carrier` then names the carrier (optional)
 *   service        wanted service, carrier: wanted carrier; both optional, compared without case. Those that stand in the
 *                  shipment (SHIPOPT_SHIPMENT_SERVICE, _CARRIER) count as the order's own; the order fails with SHIPOPT_EINVAL if
 *                  it has others itself. They are never sent when the shipment is made: the carrier would buy at once
 *   max_rate       ceiling for this order in millionths of the bulk setting `currency` (default USD); 0: none
 *   piece          1 (default) to 9,999 for orders of several parcels
 */
typedef struct shipopt_order shipopt_order;
SHIPOPT_API int shipopt_order_new(const char *key, shipopt_order **ret_order);
SHIPOPT_API void shipopt_order_free(shipopt_order *order);
SHIPOPT_API int shipopt_order_set_key(shipopt_order *order, const char *key);
SHIPOPT_API int shipopt_order_set_shipment(shipopt_order *order, shipopt_record *shipment);
SHIPOPT_API int shipopt_order_set_tracking_code(shipopt_order *order, const char *code);
SHIPOPT_API int shipopt_order_set_service(shipopt_order *order, const char *service);
SHIPOPT_API int shipopt_order_set_carrier(shipopt_order *order, const char *carrier);
SHIPOPT_API int shipopt_order_set_max_rate(shipopt_order *order, int64_t millionths);
SHIPOPT_API int shipopt_order_set_piece(shipopt_order *order, int64_t piece);
/* Buys another label for a key that has one, or whose purchase a person has given up: `generation` one above the newest in the
 * ledger; 0 (default) means the newest. SHIPOPT_EINVAL for a negative number or more than 9,999; a gap fails the order with
 * SHIPOPT_EINVAL. Since 0.1. */
SHIPOPT_API int shipopt_order_set_generation(shipopt_order *order, int64_t generation);
SHIPOPT_API const char *shipopt_order_key(const shipopt_order *order);
SHIPOPT_API const shipopt_record *shipopt_order_shipment(const shipopt_order *order);

/* ---- sources ----------------------------------------------------------------------------------------------- */

/*
 * Where orders come from. A source is used by one run, which takes it over: after a successful shipopt_bulk_…() the caller
 * must not free it (but may go on pushing). Before that the caller frees it.
 *
 * Files have a header line of our column names: order_key (required), service, carrier, max_rate, tracking_code, piece, generation,
 * and those of shipopt_shipment_set_column(). JSON lines: one object a line with the same names, or with a "shipment" member of the
 * carrier's shape. "-" reads standard input. A bad row is one failed item that names line, column and reason; the
 * rest go on. Text must be UTF-8 (a byte order mark is skipped).
 *
 * Settings (config may be NULL): line_max_bytes (default 1,048,576: a longer line is a failed item and is skipped),
 * columns_max (256), push_max (1,024 orders waiting in a push source).
 *
 * Cells and members are trimmed of white space and zero-width characters, Unicode's included. An order_key that is a JSON number
 * must be a plain integer; "1001.0", which programs make of 1001, is refused.
 *
 * Errors: SHIPOPT_EIO (file, with the system's reason), SHIPOPT_EPARSE (header: the column and what is allowed),
 * SHIPOPT_EENCODING.
 */
typedef struct shipopt_source shipopt_source;
typedef struct shipopt_source_config shipopt_source_config;
SHIPOPT_API int shipopt_source_config_new(shipopt_source_config **ret_config);
SHIPOPT_API void shipopt_source_config_free(shipopt_source_config *config);
SHIPOPT_API int shipopt_source_config_set(shipopt_source_config *config, const char *name, const char *value);
SHIPOPT_API int shipopt_source_config_from_env(shipopt_source_config *config);
SHIPOPT_API const shipopt_error *shipopt_source_config_error(const shipopt_source_config *config);

SHIPOPT_API int shipopt_source_open_csv(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);
SHIPOPT_API int shipopt_source_open_tsv(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);
SHIPOPT_API int shipopt_source_open_json_lines(const char *path, const shipopt_source_config *config,
	shipopt_source **ret_source, shipopt_error **ret_error);
/* Takes the orders over on success (the array itself stays the caller's). SHIPOPT_ESTATE if an order stands in it twice or was
 * handed over before. */
SHIPOPT_API int shipopt_source_new_array(shipopt_order *const *orders, size_t count, shipopt_source **ret_source);
/* `next` fills the order it is given and returns 1, or 0 at the end, or a negative code, which ends the run with it. It may block:
 * an order is begun when it was returned, whether or not the next one is there. A canceled run is done when `next` has returned;
 * see shipopt_runtime_close() for one that does not. */
typedef int (*shipopt_source_fn)(void *userdata, shipopt_order *order);
SHIPOPT_API int shipopt_source_new_callback(shipopt_source_fn next, void *userdata, shipopt_source **ret_source);
/* A source that the host fills while the run goes on, from any thread. `_push` takes the order over on success and gives
 * SHIPOPT_EAGAIN when push_max wait, SHIPOPT_ESTATE after `_finish` or for an order handed over before, SHIPOPT_ECANCELED when the
 * run is over (also after `_finish`). Orders that still wait in the source when a run is canceled are freed without a result. `_free` of a push
 * source given to a run drops the host's hold on it, and must be called. */
SHIPOPT_API int shipopt_source_new_push(const shipopt_source_config *config, shipopt_source **ret_source);
SHIPOPT_API int shipopt_source_push(shipopt_source *source, shipopt_order *order);
SHIPOPT_API int shipopt_source_finish(shipopt_source *source);
SHIPOPT_API void shipopt_source_free(shipopt_source *source);

/* ---- items and sinks --------------------------------------------------------------------------------------- */

/*
 * The result of one order. Borrowed for the time of the callback (or until its queue event is released).
 *
 * status: 0 done; 1 nothing to do, it was bought (for rate: rated) before; negative: what failed. SHIPOPT_EINDOUBT: a
 * purchase was sent and its outcome is not known yet: run the same source again later. SHIPOPT_EHELD: needs review.
 * SHIPOPT_ELIMIT: a spend limit or a ceiling. SHIPOPT_ECANCELED: the run was canceled first. The error may be NULL where the
 * status says it all.
 */
typedef struct shipopt_item shipopt_item;
SHIPOPT_API uint64_t shipopt_item_index(const shipopt_item *item);      /* place in the source, from 0 */
SHIPOPT_API int64_t shipopt_item_line(const shipopt_item *item);        /* of the file, from 1; 0: not from a file */
SHIPOPT_API const char *shipopt_item_key(const shipopt_item *item);     /* "" if the row had none */
SHIPOPT_API int shipopt_item_status(const shipopt_item *item);
SHIPOPT_API const shipopt_error *shipopt_item_error(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_input(const shipopt_item *item);   /* the source's text of a failed item, or NULL */
SHIPOPT_API int64_t shipopt_item_attempts(const shipopt_item *item);    /* requests sent for it */
SHIPOPT_API int64_t shipopt_item_latency_us(const shipopt_item *item);
SHIPOPT_API const shipopt_record *shipopt_item_record(const shipopt_item *item); /* shipment, tracker or address; or NULL */
SHIPOPT_API const char *shipopt_item_tracking_code(const shipopt_item *item);    /* or NULL; so the next */
SHIPOPT_API const char *shipopt_item_label_url(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_shipment_id(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_carrier(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_service(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_currency(const shipopt_item *item);
SHIPOPT_API int64_t shipopt_item_amount(const shipopt_item *item); /* chosen or paid, millionths; -1: none */
SHIPOPT_API int64_t shipopt_item_value(const shipopt_item *item);  /* of a host call; else 0 */

/* A place for results. Used by one run at a time and outlives it; the caller frees it after the run is done. Files are
 * created or cut; a failing write (SHIPOPT_EIO) stops the run. "-" is standard output. The CSV columns: index, line,
 * order_key, status, reason, tracking_code, carrier, service, amount, currency, shipment_id, label_url, attempts,
 * latency_ms. `guard_formulas` 1 puts ' before a text that a spreadsheet would run as a formula. JSON lines have the same
 * members, where there is something to say, the `value` of a host call, `input` of a failed item and the whole `record`. Status is "done", "already"
 * or the error's name. What was written is handed to the system, not forced to the disk. */
typedef struct shipopt_sink shipopt_sink;
SHIPOPT_API int shipopt_sink_open_csv(
	const char *path, int guard_formulas, shipopt_sink **ret_sink, shipopt_error **ret_error);
SHIPOPT_API int shipopt_sink_open_json_lines(const char *path, shipopt_sink **ret_sink, shipopt_error **ret_error);
/* Flushes, closes and frees; SHIPOPT_EIO if what was written may be incomplete. Accepts NULL. */
SHIPOPT_API int shipopt_sink_free(shipopt_sink *sink);

/* ---- the executor ------------------------------------------------------------------------------------------ */

typedef struct shipopt_bulk shipopt_bulk;
typedef struct shipopt_bulk_config shipopt_bulk_config;

typedef void (*shipopt_item_fn)(void *userdata, const shipopt_item *item);
typedef void (*shipopt_progress_fn)(void *userdata, shipopt_op *run);

/*
 * Settings, as in <shipopt/runtime.h>; environment SHIPOPT_BULK_….
 *
 *   max_in_flight     items at work at once; 0 (default): 16, for tracking 32; at most 4,096
 *   settling_max      items that wait for a purchase in doubt, beside those; default 10,000
 *   item_timeout_ms   an item's result comes within this time (in doubt being one), or when the purchase that is on the wire then
 *                     is answered; default 600,000
 *   lease_ms          how long a ledger row is reserved for one process; default 180,000, at least twice the carrier's
 *                     timeout_ms. After a crash, orders that were at work are taken up again when it has passed
 *   in_order          1: results in the order of the input, at most order_window (1,024) ahead
 *   rate_choice       cheapest (default), fastest, services (the first of `services` that has a rate)
 *   services          comma separated: "USPS/Priority,UPS/Ground" or "Ground"
 *   missing_carrier   the wanted carrier gives no rate now: fail (default), wait, fallback (to rate_choice, at most
 *                     fallback_percent (20) above the order's max_rate, or the carrier's last seen rate)
 *   ceiling_percent   how much an approved price may grow before the order needs review; default 0
 *   spend_limit       most to spend in `budget` (default "default"), in `currency`; 0: no limit. Kept in the store, over all
 *                     runs and processes of that budget
 *   currency          currency of spend_limit, max_rate and rate choice, three capital letters; default: USD for spend_limit and
 *                     max_rate; without these the rates' own single currency. Rates in other currencies are not compared; if there
 *                     are no others, or several and none is wanted, the order is held
 *   purpose           outbound (default), return, replacement: part of the ledger key
 *   insurance_fee_percent  what the carrier charges for insuring a shipment, in percent of the insured value; default 1.00.
 *                     Reserved in the spend limit together with the postage
 *   insurance_fee_min and at least this much; default 1.00
 *   insurance_currency   of insured values and of the fee; default USD. A rate in another currency is not bought insured
 *   progress_ms       time between progress callbacks; default 500
 */
SHIPOPT_API int shipopt_bulk_config_new(shipopt_bulk_config **ret_config);
SHIPOPT_API void shipopt_bulk_config_free(shipopt_bulk_config *config);
SHIPOPT_API int shipopt_bulk_config_set(shipopt_bulk_config *config, const char *name, const char *value);
SHIPOPT_API int shipopt_bulk_config_from_env(shipopt_bulk_config *config);
SHIPOPT_API const shipopt_error *shipopt_bulk_config_error(const shipopt_bulk_config *config);
SHIPOPT_API int shipopt_bulk_config_set_max_in_flight(shipopt_bulk_config *config, int64_t value);
SHIPOPT_API int shipopt_bulk_config_set_item_timeout_ms(shipopt_bulk_config *config, int64_t value);
SHIPOPT_API int shipopt_bulk_config_set_lease_ms(shipopt_bulk_config *config, int64_t value);
SHIPOPT_API int shipopt_bulk_config_set_in_order(shipopt_bulk_config *config, int64_t value);
SHIPOPT_API int shipopt_bulk_config_set_rate_choice(shipopt_bulk_config *config, const char *choice);
SHIPOPT_API int shipopt_bulk_config_set_services(shipopt_bulk_config *config, const char *services);
/* `millionths` of `currency` in the budget named `budget`, none of them NULL; 0 lifts the limit. A budget never resets: name a new
 * one for a new period ("2026-11"). */
SHIPOPT_API int shipopt_bulk_config_set_spend_limit(
	shipopt_bulk_config *config, const char *budget, const char *currency, int64_t millionths);
SHIPOPT_API int shipopt_bulk_config_set_delivery(shipopt_bulk_config *config, int delivery);
SHIPOPT_API int shipopt_bulk_config_set_queue(shipopt_bulk_config *config, shipopt_queue *queue);
/* Callbacks; each may be NULL. With delivery to a queue that is polled, items come as events instead, always; progress and rate
 * choices come as events if a callback is set, which is then not called. A last progress report comes after the last item. */
SHIPOPT_API int shipopt_bulk_config_set_item(shipopt_bulk_config *config, shipopt_item_fn item, void *userdata);
SHIPOPT_API int shipopt_bulk_config_set_progress(
	shipopt_bulk_config *config, shipopt_progress_fn progress, void *userdata);
/* Chooses the rate: shipopt_request_record() is the shipment with its rates; the answer's value is the index of the chosen
 * one, from 0; any other number fails the order with SHIPOPT_EINVAL. SHIPOPT_ENORATE as a failure fails the order, SHIPOPT_EHELD holds it for review. Replaces rate_choice. */
SHIPOPT_API int shipopt_bulk_config_set_choose(shipopt_bulk_config *config, shipopt_request_fn choose, void *userdata);

/* Makes an executor. `carrier` may be NULL for host calls only, `store` may be NULL for all but buying. References are kept.
 * `config` is copied and may be NULL. */
SHIPOPT_API int shipopt_bulk_new(shipopt_runtime *runtime, shipopt_carrier *carrier, shipopt_store *store,
	const shipopt_bulk_config *config, shipopt_bulk **ret_bulk, shipopt_error **ret_error);
/* Drops the caller's reference; never blocks; runs go on. Accepts NULL. */
SHIPOPT_API void shipopt_bulk_free(shipopt_bulk *bulk);

/*
 * Runs. Each takes the source over on success; `sink` may be NULL and stays the caller's. The operation completes when every
 * item has been delivered: 0, also if items failed; an error if the run itself could not go on. Every order read gives
 * one item; those that the run did not begin are canceled. SHIPOPT_EINVAL at once: no store or carrier where one is needed, or a
 * queue with fewer than 2 slots (3 where the host is asked), of which each run holds one for its own completion.
 *
 * What ends a run before its source does:
 *
 *   SHIPOPT_ECANCELED   shipopt_op_cancel()
 *   SHIPOPT_EAUTH, SHIPOPT_EPAYMENT
 *                       five different orders in a row met the same refusal of the account (HTTP 401 or 403; 402), and no order
 *                       succeeded since the first of them. Fewer fail those orders alone: the refusal may be about
 *                       one order, such as a carrier account that it names. A purchase that is in doubt stays so
 *   SHIPOPT_EPROTOCOL   what answers is not the API: a redirect, HTTP 404 or 410 for a whole collection, 405, 407, a web page.
 *                       At once if this run has had no answer of the API yet; else as above, after five orders. The message
 *                       names what to check
 *   another code        what the source or the sink failed with
 *
 * An order that the carrier refuses for what it says never ends a run.
 *
 * Canceling stops reading; purchases on the wire are waited for, everything else ends as canceled or in doubt.
 *
 * buy     through the ledger: check the order (shipopt_shipment_check()), create a shipment, choose a rate, buy it once. A run over the same store and keys goes on where an
 *         earlier one ended, whatever ended it. Orders rated before are bought at the stored rate, under its ceiling.
 * rate    create a shipment and choose a rate, to be reviewed and bought later. With a store the choice is kept there.
 * track   create or find the tracker of each tracking code. Result: tracker.
 * verify  create and verify each order's to_address. Result: address.
 * call    asks the host for each order. Result: the answer's value.
 */
SHIPOPT_API int shipopt_bulk_buy(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_run);
SHIPOPT_API int shipopt_bulk_rate(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_run);
SHIPOPT_API int shipopt_bulk_track(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_run);
SHIPOPT_API int shipopt_bulk_verify(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_run);
SHIPOPT_API int shipopt_bulk_call(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_request_fn call,
	void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_op **ret_run);

/* Stops and restarts the admission of items; items at work go on. SHIPOPT_ESTATE when the run is done. Any thread. */
SHIPOPT_API int shipopt_run_pause(shipopt_op *run);
SHIPOPT_API int shipopt_run_resume(shipopt_op *run);

/* Numbers of a run, during and after it; SHIPOPT_EINVAL for an operation that is no run or an unknown number. */
enum {
	SHIPOPT_RUN_READ = 1,      /* orders read from the source */
	SHIPOPT_RUN_DONE = 2,      /* succeeded in this run; for buy: bought, or found to be by a doubt settled in it */
	SHIPOPT_RUN_ALREADY = 3,   /* were bought before */
	SHIPOPT_RUN_FAILED = 4,
	SHIPOPT_RUN_IN_DOUBT = 5,
	SHIPOPT_RUN_HELD = 6,
	SHIPOPT_RUN_CANCELED = 7,
	SHIPOPT_RUN_IN_FLIGHT = 8,
	SHIPOPT_RUN_SETTLING = 9,        /* waiting for a purchase in doubt */
	SHIPOPT_RUN_ELAPSED_MS = 10,
	SHIPOPT_RUN_RATE_MILLIS = 11,    /* items per 1,000 seconds over the whole run */
	SHIPOPT_RUN_ETA_MS = 12,         /* -1: not known (the source's size is not) */
	SHIPOPT_RUN_P50_US = 13,         /* latency of items that did work */
	SHIPOPT_RUN_P95_US = 14,
	SHIPOPT_RUN_P99_US = 15,
	SHIPOPT_RUN_REQUESTS = 16
};
SHIPOPT_API int shipopt_run_stat(shipopt_op *run, int stat, int64_t *ret_value);
/* Money of this run by carrier and currency, in order of first use. SHIPOPT_ENOTFOUND behind the last. The name lives as long as
 * the run; amounts in millionths. */
SHIPOPT_API int shipopt_run_spend(shipopt_op *run, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount);

/*
 * Buys one order through the ledger, as a bulk run does: exactly one label for its key, whatever happened before. The order stays
 * the caller's and is copied. Result: shipopt_op_record() the bought shipment, shipopt_op_value() 1 if it was bought
 * before. Errors as an item's status.
 */
SHIPOPT_API int shipopt_purchase(shipopt_bulk *bulk, const shipopt_order *order, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
