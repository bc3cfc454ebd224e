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
 * for each. Memory depends on the items in flight, not on the number of items. All of this since 0.1.
 *
 *   callback                 thread (by the bulk handle's delivery)       rules
 *   source next              side pool; one call at a time                may block
 *   item, progress           scheduler, reactor (inline) or queue         those of one run never overlap; items before `done`
 *   rate choice, host call   scheduler, reactor (inline) or queue         may overlap; answer with shipopt_request_…()
 *   done of the run          as any operation's                           after the last item
 */

/* ---- orders ------------------------------------------------------------------------------------------------ */

/*
 * One order: what a source gives. Texts are copied; the shipment is taken over on success. One thread at a time may use an order.
 *
 *   key            the order's name, which must never change, 1 to 200 bytes; the ledger buys one label for each key and piece. Keys
 *                  that look the same are the same: white space and zero-width characters at the ends are removed, and the rest is
 *                  put into Unicode's normal form C. A key with an invisible or control character inside is refused (SHIPOPT_EINVAL)
 *   shipment       to buy and to rate; for verify its to_address
 *   tracking_code  for track; `carrier` then names the carrier (optional)
 *   service        the wanted service; optional, compared without case
 *   carrier        the wanted carrier; the same. A service or carrier inside the shipment (SHIPOPT_SHIPMENT_SERVICE, _CARRIER) counts
 *                  as the order's; if the order has a different one itself, it fails with SHIPOPT_EINVAL. Neither is sent when the
 *                  shipment is created, as the carrier would then buy a label at once
 *   max_rate       the most that the postage may cost, in millionths of the bulk setting `currency` (default USD); 0: no limit
 *   piece          1 (default) to 9,999, for orders of several parcels
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
/* Asks for another label for the same key, such as after a refund: the first one is generation 1, the next 2. 0 (default): the
 * newest in the ledger. SHIPOPT_EINVAL: negative or more than 9,999. The order fails with SHIPOPT_EINVAL if a number would be left
 * out, and with SHIPOPT_ESTATE if the newest is not over: a purchase in doubt may still turn out bought, so a person settles
 * it first (shipopt_ledger_resolve()). Since 0.1. */
SHIPOPT_API int shipopt_order_set_generation(shipopt_order *order, int64_t generation);
SHIPOPT_API const char *shipopt_order_key(const shipopt_order *order);
SHIPOPT_API const shipopt_record *shipopt_order_shipment(const shipopt_order *order);

/* ---- sources ----------------------------------------------------------------------------------------------- */

/*
 * Where orders come from. One run uses a source and takes it over: after a successful shipopt_bulk_…() the caller must not free
 * it. (A push source is the exception; see there.) Without such a call the caller frees it.
 *
 * Files have a header line of our column names: order_key (required), service, carrier, max_rate, tracking_code, piece, generation,
 * and those of shipopt_record_set_column(). JSON lines: one object a line with the same names, or with a "shipment" member of the
 * carrier's shape. "-" reads standard input. A bad row becomes one failed item, which names line, column and reason; the other
 * rows go on. Text must be UTF-8 (a byte order mark is skipped).
 *
 * Settings (config may be NULL): line_max_bytes (default 1,048,576: a longer line is a failed item and is skipped),
 * columns_max (256), push_max (1,024 orders waiting in a push source).
 *
 * White space and zero-width characters, Unicode's included, are removed from the ends of cells and members. An order_key that is
 * a JSON number must be a plain integer: 1001.0 is refused.
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
/* Takes the orders over on success; the array itself stays the caller's. SHIPOPT_ESTATE: an order is in it twice or was handed
 * over before. */
SHIPOPT_API int shipopt_source_new_array(shipopt_order *const *orders, size_t count, shipopt_source **ret_source);
/* `next` fills the given order, which is empty, and returns 1, or 0 at the end, or a negative code, with which the run then ends. It may block: the run
 * starts each order as soon as `next` returns it. A canceled run ends after `next` has returned; for a `next` that does not
 * return see shipopt_runtime_close(). To fail one order and not the run, return 1 with a key and without a shipment. */
typedef int (*shipopt_source_fn)(void *userdata, shipopt_order *order);
SHIPOPT_API int shipopt_source_new_callback(shipopt_source_fn next, void *userdata, shipopt_source **ret_source);
/* A source that the host fills during the run, from any thread. `_push` takes the order over on success. SHIPOPT_EAGAIN: push_max
 * orders wait; SHIPOPT_ESTATE: after `_finish`, or an order that was handed over before; SHIPOPT_ECANCELED: the run is over, also
 * after `_finish`. Orders that still wait in the source when its run is canceled are freed without a result. The host must call
 * `_free` for a push source also after it was given to a run; that drops the host's reference. */
SHIPOPT_API int shipopt_source_new_push(const shipopt_source_config *config, shipopt_source **ret_source);
SHIPOPT_API int shipopt_source_push(shipopt_source *source, shipopt_order *order);
SHIPOPT_API int shipopt_source_finish(shipopt_source *source);
SHIPOPT_API void shipopt_source_free(shipopt_source *source);

/* ---- items and sinks --------------------------------------------------------------------------------------- */

/*
 * The result of one order. Borrowed during the callback, or until its queue event is released.
 *
 * Status:
 *
 *   0                  done. An error object is then a note, such as that the label is not insured or its document is missing
 *   1                  nothing to do: bought (for rate: rated) in an earlier run
 *   SHIPOPT_EINDOUBT   a purchase was sent and its outcome is not known. Run the same source again later; if the error says that a
 *                      person must look the shipment up, use shipopt_ledger_resolve()
 *   SHIPOPT_EREFUSED   the carrier refused the order. If its ledger row is in doubt, the refusal proves nothing, and a person must
 *                      look the shipment up
 *   SHIPOPT_EHELD      a person must review the order: its price is too high or in another currency, or its row is marked
 *   SHIPOPT_ECONFLICT  the key stands in the ledger with other content, or at another base URL
 *   SHIPOPT_ELIMIT     the spend limit would be passed and nothing was bought; or, with a tracking code, the label was bought for
 *                      more than was approved
 *   SHIPOPT_ECANCELED  the run was canceled or ended before this order
 *   other codes        what failed; nothing is in doubt
 *
 * The error is NULL if the status says everything.
 */
typedef struct shipopt_item shipopt_item;
SHIPOPT_API uint64_t shipopt_item_index(const shipopt_item *item);  /* place in the source, from 0 */
SHIPOPT_API int64_t shipopt_item_line(const shipopt_item *item);    /* of the file, from 1; 0: not from a file */
SHIPOPT_API const char *shipopt_item_key(const shipopt_item *item); /* "" if the row had none */
SHIPOPT_API int shipopt_item_status(const shipopt_item *item);
SHIPOPT_API const shipopt_error *shipopt_item_error(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_input(const shipopt_item *item); /* the source's text of a failed item, or NULL */
SHIPOPT_API int64_t shipopt_item_attempts(const shipopt_item *item);  /* requests sent for it */
SHIPOPT_API int64_t shipopt_item_latency_us(const shipopt_item *item);
SHIPOPT_API const shipopt_record *shipopt_item_record(
	const shipopt_item *item); /* shipment, tracker or address; or NULL */
SHIPOPT_API const char *shipopt_item_tracking_code(const shipopt_item *item); /* or NULL; so the next */
SHIPOPT_API const char *shipopt_item_label_url(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_shipment_id(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_carrier(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_service(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_currency(const shipopt_item *item);
SHIPOPT_API int64_t shipopt_item_amount(const shipopt_item *item); /* postage chosen or paid, millionths; -1: none */
SHIPOPT_API int64_t shipopt_item_value(const shipopt_item *item);  /* of a host call; else 0 */

/* A file for results. One run at a time may use a sink; the caller frees it after the run is done. An existing file is
 * truncated; "-" is standard output. A failed write (SHIPOPT_EIO) stops the run. CSV columns: index, line, order_key, status,
 * reason, tracking_code, carrier, service, amount, currency, shipment_id, label_url, attempts, latency_ms. `guard_formulas` 1 puts '
 * before a text that a spreadsheet would run as a formula. JSON lines have the same members, without the empty ones, and the
 * `value` of a host call, the `input` of a failed item, and the whole `record`. Status is "done", "already" or the error's name.
 * The library writes to the operating system and does not force the file to disk. */
typedef struct shipopt_sink shipopt_sink;
SHIPOPT_API int shipopt_sink_open_csv(const char *path, int guard_formulas, shipopt_sink **ret_sink,
	shipopt_error **ret_error);
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
 *   settling_max      how many items may wait for a purchase in doubt or another process's lease, besides those; default 10,000
 *   item_timeout_ms   every item gets a result within this time, "in doubt" included; only a purchase on the wire is waited for
 *                     longer, until its answer or timeout; default 600,000
 *   lease_ms          how long a ledger row is reserved for one process; default 180,000, at least twice the carrier's
 *                     timeout_ms. After a crash, the next run continues the interrupted orders once their leases have expired
 *   in_order          1: results in the order of the input, at most order_window (1,024) ahead
 *   rate_choice       cheapest (default), fastest, services (the first of `services` that has a rate)
 *   services          comma separated: "USPS/Priority,UPS/Ground" or "Ground"
 *   rate_again        1: an order that an earlier run rated, and that no run bought, is rated again: the rate chosen now replaces the
 *                     stored one and the price approved with it. Default 0: the stored rate is kept, and the item's error object
 *                     says so if another rate_choice had chosen it. An order with a purchase that may have bought a label is never
 *                     rated again
 *   missing_carrier   what happens while the wanted carrier offers no rate: fail (default), wait, or fallback (rate_choice among the
 *                     other carriers, at most fallback_percent (20) above the order's max_rate, or without one above the wanted
 *                     carrier's last seen rate)
 *   ceiling_percent   how much an approved price may grow before the order needs review; default 0. An order with a max_rate is
 *                     approved up to that
 *   spend_limit       the most to spend in `budget`, in `currency`: as text an amount ("250.00"); 0: no limit. The store counts the
 *                     spending of all runs and processes with a limit in that budget, postage and insurance
 *   budget            name of the budget that the limit belongs to; default "default"
 *   currency          currency of spend_limit, max_rate and the rate choice, three capital letters; default: USD for an order with a
 *                     max_rate or a run with a spend_limit, otherwise the one currency of all suitable rates. Amounts in different
 *                     currencies are never compared: rates in other currencies are ignored. If no suitable rate is in the
 *                     currency, or none is set and the rates are in several, the order is held
 *   purpose           outbound (default), return, replacement: part of the ledger key
 *   insurance_fee_percent  what the carrier charges for insuring a shipment, in percent of the insured value; default 1.00.
 *                     The spend limit counts it together with the postage
 *   insurance_fee_min the least that the carrier charges for it; default 1.00
 *   insurance_currency   currency of the insured values and of the fee; default USD. With a spend_limit, an insured order whose rate
 *                     is in another currency fails with SHIPOPT_ELIMIT before it is bought
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
/* `millionths` of `currency` in the budget named `budget`; neither text may be NULL; 0 removes the limit. A budget never resets: use
 * a new name for a new period ("2026-11"). */
SHIPOPT_API int shipopt_bulk_config_set_spend_limit(shipopt_bulk_config *config, const char *budget,
	const char *currency, int64_t millionths);
SHIPOPT_API int shipopt_bulk_config_set_delivery(shipopt_bulk_config *config, int delivery);
SHIPOPT_API int shipopt_bulk_config_set_queue(shipopt_bulk_config *config, shipopt_queue *queue);
/* Callbacks; each may be NULL. If the host polls its queue, it gets every item as an event instead; progress reports and rate choices
 * come as events if their callback is set, which is then not called. The last progress report comes after the last item. */
SHIPOPT_API int shipopt_bulk_config_set_item(shipopt_bulk_config *config, shipopt_item_fn item, void *userdata);
SHIPOPT_API int shipopt_bulk_config_set_progress(shipopt_bulk_config *config, shipopt_progress_fn progress,
	void *userdata);
/* Chooses the rate: shipopt_request_record() is the shipment with its rates; the answer's value is the index of the chosen
 * one, from 0; any other number fails the order with SHIPOPT_EINVAL. To choose none, fail the request: SHIPOPT_EHELD holds the order
 * for review, any other code fails it (SHIPOPT_ENORATE by convention). Replaces rate_choice. */
SHIPOPT_API int shipopt_bulk_config_set_choose(shipopt_bulk_config *config, shipopt_request_fn choose, void *userdata);

/* Makes an executor. `carrier` may be NULL for host calls only, `store` may be NULL for all but buying. References are kept.
 * `config` is copied and may be NULL. */
SHIPOPT_API int shipopt_bulk_new(shipopt_runtime *runtime, shipopt_carrier *carrier, shipopt_store *store,
	const shipopt_bulk_config *config, shipopt_bulk **ret_bulk, shipopt_error **ret_error);
/* Drops the caller's reference; never blocks; runs go on. Accepts NULL. */
SHIPOPT_API void shipopt_bulk_free(shipopt_bulk *bulk);

/*
 * Runs. Each takes the source over on success; `sink` may be NULL and stays the caller's. The operation completes when every
 * item has been delivered: with 0, also if items failed, or with an error if the run itself could not go on. Every order that was
 * read gives one item; those that the run did not start end with SHIPOPT_ECANCELED. SHIPOPT_EINVAL at once: store or carrier is
 * missing but needed, or the queue has fewer than 2 slots (3 if the host is asked), of which each run holds one for its completion.
 *
 * What ends a run before its source does:
 *
 *   SHIPOPT_ECANCELED   shipopt_op_cancel()
 *   SHIPOPT_EAUTH, SHIPOPT_EPAYMENT
 *                       five different orders met the same refusal of the account (HTTP 401 or 403; 402), and no order
 *                       succeeded in between. Fewer such refusals fail only their own orders, as each may be about that
 *                       order, such as a carrier account that it names. A purchase in doubt stays in doubt
 *   SHIPOPT_EPROTOCOL   what answers is not the API: a redirect, HTTP 404 or 410 for a whole collection, 405, 407, a web page.
 *                       At once if this run has had no answer of the API yet; otherwise after five orders, as above. The
 *                       message says what to check
 *   another code        the failure of the source or the sink
 *
 * If the carrier refuses an order for its content, the run goes on.
 *
 * Canceling stops reading. Purchases on the wire are waited for; everything else ends as canceled or in doubt.
 *
 * buy     through the ledger: check the order (shipopt_record_check_shipment()), create a shipment, choose a rate, buy it. Another run over
 *         the same store and keys continues where an earlier one ended, for whatever reason. Orders rated before are bought at the
 *         stored rate, under its ceiling. If the outcome of a purchase is not known, the shipment is looked up until it is, and sent
 *         again only if it has no postage after the settle time (carrier setting settle_ms, as kept in the row); the same
 *         shipment is sent three times at most, then a person decides.
 * rate    create a shipment and choose a rate, to be reviewed and bought later. With a store, the choice is kept there.
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
SHIPOPT_API int shipopt_bulk_verify(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_run);
SHIPOPT_API int shipopt_bulk_call(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink,
	shipopt_request_fn call, void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_op **ret_run);

/* Stops and restarts the start of items; items at work go on. SHIPOPT_ESTATE: the run is done. Any thread. */
SHIPOPT_API int shipopt_run_pause(shipopt_op *run);
SHIPOPT_API int shipopt_run_resume(shipopt_op *run);

/* Numbers of a run, during and after it; SHIPOPT_EINVAL: the operation is not a run, or the number is unknown. */
enum {
	SHIPOPT_RUN_STAT_READ = 1, /* orders read from the source */
	SHIPOPT_RUN_STAT_DONE =
		2, /* succeeded in this run; for buy: bought, or in doubt before and found to be bought */
	SHIPOPT_RUN_STAT_ALREADY = 3, /* were bought in an earlier run */
	SHIPOPT_RUN_STAT_FAILED = 4,
	SHIPOPT_RUN_STAT_IN_DOUBT = 5,
	SHIPOPT_RUN_STAT_HELD = 6,
	SHIPOPT_RUN_STAT_CANCELED = 7,
	SHIPOPT_RUN_STAT_IN_FLIGHT = 8,
	SHIPOPT_RUN_STAT_SETTLING = 9, /* waiting for a purchase in doubt */
	SHIPOPT_RUN_STAT_ELAPSED_MS = 10,
	SHIPOPT_RUN_STAT_ITEMS_PER_1000_S = 11, /* items per 1,000 seconds over the whole run */
	SHIPOPT_RUN_STAT_ETA_MS = 12,           /* -1: not known (the source's size is not) */
	SHIPOPT_RUN_P50_US = 13,                /* latency of items that did work */
	SHIPOPT_RUN_P95_US = 14,
	SHIPOPT_RUN_P99_US = 15,
	SHIPOPT_RUN_STAT_REQUESTS = 16
};
SHIPOPT_API int shipopt_run_stat(shipopt_op *run, int stat, int64_t *ret_value);
/* Money spent in this run, by carrier and currency, in order of first use. SHIPOPT_ENOTFOUND: `index` is behind the last. The texts
 * live as long as the run; amounts in millionths. */
SHIPOPT_API int shipopt_run_spend(shipopt_op *run, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount);

/*
 * Buys one order through the ledger, as a bulk run does: one label for its key, whatever happened before. The order stays the
 * caller's and is copied. Result: shipopt_op_record() is the bought shipment, shipopt_op_value() 1 if it was bought before. Errors
 * are those of an item's status.
 */
SHIPOPT_API int shipopt_bulk_purchase(shipopt_bulk *bulk, const shipopt_order *order, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
