/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_BULK_H
#define SHIPOPT_BULK_H

#include <shipopt/carrier.h>
#include <shipopt/item.h>
#include <shipopt/op.h>
#include <shipopt/order.h>
#include <shipopt/queue.h>
#include <shipopt/record.h>
#include <shipopt/run.h>
#include <shipopt/sink.h>
#include <shipopt/source.h>
#include <shipopt/store.h>

SHIPOPT_BEGIN_DECLS

/*
 * The bulk executor: runs many orders, a bounded number at once.
 *
 * A source gives the orders (<shipopt/source.h>). The executor works on them. It gives one item for each order
 * (<shipopt/item.h>) to a callback or queue, and to a sink if there is one (<shipopt/sink.h>). Memory depends on the
 * items that are in flight, not on the number of orders.
 *
 *   callback                 thread                                       rules
 *   source next              side pool                                    one call at a time; may block
 *   item, progress           scheduler, event loop (inline) or queue      those of one run never overlap
 *   rate choice, host call   scheduler, event loop (inline) or queue      may overlap; answer with shipopt_request_…()
 *   done of the run          as any operation's                           after the last item and the last progress
 *                            report
 *
 * If the program polls its queue with shipopt_queue_poll(), every item arrives as an event, with or without an item
 * callback. Progress reports, rate choices and host calls arrive as events only if their callback is set; the callback
 * itself is not called.
 *
 * All of this since 0.1; shipopt_run and `unreachable_ms` since 0.2.
 */
typedef struct shipopt_bulk shipopt_bulk;
typedef struct shipopt_bulk_config shipopt_bulk_config;

/*
 * Settings, as in <shipopt/settings.h>; environment SHIPOPT_BULK_….
 *
 *   max_in_flight     Items at work at once, at most 4,096. 0 (default): 16, and 32 for tracking.
 *   settling_max      Items that may wait for a purchase in doubt or for another process's lease, in addition to those;
 *                     default 10,000.
 *   item_timeout_ms   Time limit for one item; default 600,000. An item still unresolved then ends as in doubt. A
 *                     purchase already sent is waited for.
 *   lease_ms          How long a ledger row is reserved for one process; default 180,000, at least twice the carrier's
 *                     timeout_ms. After a crash, the next run continues the interrupted orders once their leases have
 *                     expired.
 *   unreachable_ms    Ends the run with SHIPOPT_ECONNECT if the carrier was never reached: no answer has arrived in
 *                     this run, and for this long every attempt has failed to connect. Default 60,000; 0: the run goes
 *                     on until its items time out. Once any answer has arrived, the run waits for the carrier to come
 *                     back.
 *   in_order          1: gives the items in the order of the input, at most order_window (default 1,024) ahead. Default
 *                     0: each item as soon as it is finished, in no particular order.
 *   rate_choice       Which rate to buy: cheapest (default), fastest, or services (the first name in `services` that
 *                     has a rate).
 *   services          Names for rate_choice services, separated by commas: "USPS/Priority,UPS/Ground" or "Ground".
 *   rate_again        1: rates an order again that an earlier run rated and no run bought. The new rate replaces the
 *                     stored one and the price approved with it. Default 0: the stored rate is kept, and
 *                     shipopt_item_error() says so if another rate_choice chose it. An order is never rated again while
 *                     a purchase of it may have bought a label.
 *   missing_carrier   What to do while the wanted carrier offers no rate: fail (default), wait, or fallback. A fallback
 *                     takes another carrier by rate_choice, if its rate is at most fallback_percent (default 20) above
 *                     the order's max_rate. Without a max_rate, the rate last seen from the wanted carrier is the base.
 *   ceiling_percent   How much the price of an approved rate may grow before the order needs review; default 0. A rate
 *                     run approves the rate that it stores. An order with a max_rate is approved up to that amount.
 *   spend_limit       The most to spend in `budget`, an amount of `currency` such as "250.00"; 0 (default): no limit.
 *                     The store counts the spending of all runs and processes that have a limit in that budget: postage
 *                     and insurance.
 *   budget            The name of the budget that the limit belongs to; default "default". A budget never resets: use a
 *                     new name for a new period, such as "2026-11".
 *   currency          The currency of spend_limit, max_rate and the rate choice, three capital letters. Default: USD
 *                     for an order with a max_rate or a run with a spend_limit, otherwise the one currency of all
 *                     suitable rates. Amounts in different currencies are never compared: rates in other currencies are
 *                     ignored. An order is held if no suitable rate is in the currency, or if none is set and the
 *                     suitable rates are in several.
 *   purpose           Part of the ledger key: outbound (default), return or replacement.
 *   insurance_fee_percent
 *                     What the carrier charges for insuring a shipment, in percent of the insured value; default 1.00.
 *                     The spend limit counts it together with the postage.
 *   insurance_fee_min The least that the carrier charges for it; default 1.00.
 *   insurance_currency
 *                     The currency of the insured values and of the fee; default USD. With a spend_limit, an insured
 *                     order whose rate is in another currency fails with SHIPOPT_ELIMIT before it is bought.
 *   progress_ms       Time between progress reports; default 500.
 *   deliver_inline    1: call back on the event loop instead of a scheduler thread. The callbacks must be short and
 *                     never block. Not together with a queue; default 0
 */
SHIPOPT_API int shipopt_bulk_config_new(shipopt_bulk_config **ret_config);
SHIPOPT_API void shipopt_bulk_config_free(shipopt_bulk_config *config);
SHIPOPT_API int shipopt_bulk_config_set(shipopt_bulk_config *config, const char *name, const char *text);
SHIPOPT_API int shipopt_bulk_config_set_int(shipopt_bulk_config *config, const char *name, int64_t number);
SHIPOPT_API int shipopt_bulk_config_from_env(shipopt_bulk_config *config);
SHIPOPT_API const shipopt_error *shipopt_bulk_config_error(const shipopt_bulk_config *config);
/* Delivers items and completions to a queue; NULL: to scheduler threads. The handle keeps a reference to the queue. */
SHIPOPT_API int shipopt_bulk_config_set_queue(shipopt_bulk_config *config, shipopt_queue *queue);
/*
 * Set the callbacks; each may be NULL. `userdata` must stay valid until the executor and all its runs are gone.
 * SHIPOPT_EINVAL: `config` is NULL.
 *
 * item      Receives each item.
 * progress  Receives a progress report every progress_ms, and one after the last item.
 * choose    Chooses the rate; replaces rate_choice. shipopt_request_record() is the shipment with its rates. Answer
 *           with the index of the chosen rate, from 0; any other number fails the order with SHIPOPT_EINVAL. To choose
 *           none, fail the request: SHIPOPT_EHELD holds the order for review, any other code fails it (SHIPOPT_ENORATE
 *           by convention).
 */
SHIPOPT_API int shipopt_bulk_config_set_item(shipopt_bulk_config *config, shipopt_item_fn item, void *userdata);
SHIPOPT_API int shipopt_bulk_config_set_progress(shipopt_bulk_config *config, shipopt_progress_fn progress,
	void *userdata);
SHIPOPT_API int shipopt_bulk_config_set_choose(shipopt_bulk_config *config, shipopt_request_fn choose, void *userdata);

/*
 * Makes an executor. It keeps references to `carrier` and `store`. `carrier` may be NULL for call runs only; `store`
 * may be NULL for all runs but buying. `config` is copied and may be NULL. The caller owns *ret_bulk. Errors:
 * SHIPOPT_EINVAL for settings that do not fit together (the error names them), SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN,
 * SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_bulk_new(shipopt_runtime *runtime, shipopt_carrier *carrier, shipopt_store *store,
	const shipopt_bulk_config *config, shipopt_bulk **ret_bulk, shipopt_error **ret_error);

/* Drops the caller's reference; never blocks. Runs go on. Accepts NULL. */
SHIPOPT_API void shipopt_bulk_free(shipopt_bulk *bulk);

/*
 * Start a run.
 *
 *   buy     Buys a label for each order, through the ledger: checks the order (shipopt_record_check_shipment()),
 *           creates a shipment, chooses a rate and buys it. Another run over the same store and keys continues where an
 *           earlier one ended, for whatever reason. An order that was rated before is bought at the stored rate, under
 *           its ceiling. If the outcome of a purchase is not known, the shipment is looked up until it is. It is sent
 *           again only if it has no postage after the settle time (carrier setting settle_ms, as stored in the row).
 *           After three purchases of the same shipment a person decides.
 *   rate    Creates a shipment for each order and chooses a rate, to be reviewed and bought later. With a store, the
 *           choice is stored.
 *   track   Creates or finds the tracker of each tracking code. The item's record is the tracker.
 *   verify  Creates and verifies each order's to_address. The item's record is the address.
 *   call    Asks the program for each order, by `call`. The item's value is the answer.
 *
 * The run takes the source once the call has returned 0 (<shipopt/source.h>). `sink` may be NULL; it belongs to the
 * caller, who keeps it until the run is done and then closes it. `done` may be NULL; it runs after the last item was
 * delivered. *ret_run is a reference of the caller's, dropped with shipopt_run_unref(); `ret_run` may be NULL.
 *
 * Every order that was read gives one item. Orders that the run did not start give an item with SHIPOPT_ECANCELED. The
 * run's status is 0 also if items failed. If the carrier refuses an order for its content, the run goes on. What ends a
 * run before its source:
 *
 *   SHIPOPT_ECANCELED   shipopt_op_cancel(). The run stops reading, waits for purchases that were sent, and ends every
 *                       other item as canceled or in doubt. If every order had ended by then, the status is 0.
 *   SHIPOPT_EAUTH, SHIPOPT_EPAYMENT
 *                       Five different orders in a row met the same refusal of the account (HTTP 401 or 403; 402), and
 *                       no order succeeded in between. Fewer such refusals fail only their own orders, because each may
 *                       be about that order, such as a carrier account that it names. A purchase in doubt stays in
 *                       doubt.
 *   SHIPOPT_EPROTOCOL   What answers is not the API: a redirect, HTTP 404 or 410 for a whole collection, 405, 407, a
 *                       web page. The run ends at once if it has had no answer of the API yet, otherwise after five
 *                       orders, as above. The message says what to check.
 *   SHIPOPT_ETLS        A TLS handshake with the carrier failed before any answer arrived in this run.
 *   SHIPOPT_ECONNECT    The carrier was never reached; see unreachable_ms.
 *   another code        The source or the sink failed.
 *
 * A run that cannot begin ends with one of these codes; shipopt_op_error(shipopt_run_op(run)) says why:
 *
 *   SHIPOPT_EINVAL       The run needs a carrier or a store that the executor does not have. Or its queue has too few
 *                        slots: 2, one more if the program is asked, and one more for READY events of a push source.
 *   SHIPOPT_EUNSUPPORTED The provider offers no way to buy safely.
 *   SHIPOPT_ESTATE       Another run has taken the source.
 *
 * The call itself fails only with these codes; the caller then still owns the source:
 *
 *   SHIPOPT_EINVAL       `bulk`, `source` or `call` is NULL. Or the run is refused, and there is no `done`, queue or
 *                        `ret_run` to report it to.
 *   SHIPOPT_EAGAIN       The queue has no free slot.
 *   SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED
 */
SHIPOPT_API int shipopt_bulk_buy(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run);
SHIPOPT_API int shipopt_bulk_rate(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run);
SHIPOPT_API int shipopt_bulk_track(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink, shipopt_done_fn done,
	void *userdata, shipopt_run **ret_run);
SHIPOPT_API int shipopt_bulk_verify(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink,
	shipopt_done_fn done, void *userdata, shipopt_run **ret_run);
SHIPOPT_API int shipopt_bulk_call(shipopt_bulk *bulk, shipopt_source *source, shipopt_sink *sink,
	shipopt_request_fn call, void *call_userdata, shipopt_done_fn done, void *userdata, shipopt_run **ret_run);

/*
 * Buys one order through the ledger, as a buy run does: one label for its key, whatever happened before. The order is
 * copied and still belongs to the caller. max_in_flight does not count these calls: the limits of the carrier client
 * apply. Result: shipopt_op_record() is the bought shipment; shipopt_op_value() is 1
 * if an earlier call or run bought it. The operation's errors are those of an item's status, and those of a run that is
 * refused. The call itself returns SHIPOPT_EINVAL for a NULL `bulk` or `order`, or if there is no `done`, queue or
 * `ret_op`; SHIPOPT_EAGAIN, SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_bulk_purchase(shipopt_bulk *bulk, const shipopt_order *order, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op);

SHIPOPT_END_DECLS

#endif
