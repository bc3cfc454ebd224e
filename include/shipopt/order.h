/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_ORDER_H
#define SHIPOPT_ORDER_H

#include <shipopt/error.h>
#include <shipopt/record.h>

SHIPOPT_BEGIN_DECLS

/*
 * Orders: the input of a bulk run, one label each.
 *
 * A program makes orders itself, or lets a source read them from a file (<shipopt/source.h>). One thread at a time may
 * use an order.
 *
 *   key            The order's name, 1 to 200 bytes of UTF-8. It must never change: the ledger buys one label for each
 *                  key and piece. Keys that look the same are the same: white space and zero-width characters at the
 *                  ends are removed, and the rest is converted to Unicode's normal form C. A key with a control
 *                  character or an invisible character inside is refused.
 *   shipment       The shipment to buy or to rate. A verify run uses its to_address.
 *   tracking_code  The code to track. `carrier` then names the carrier and is optional.
 *   service        The wanted service. Optional, compared without case.
 *   carrier        The wanted carrier. Optional, compared without case.
 *   max_rate       The highest postage to pay, in millionths of the bulk setting `currency` (default USD). 0 (default):
 *                  no limit.
 *   piece          The number of the parcel, for orders of several parcels: 1 (default) to 9,999.
 *   generation     The number of the label, for orders that need another one, such as after a refund: 1 to 9,999. 0
 *                  (default): the newest in the ledger.
 *
 * A service or carrier inside the shipment (SHIPOPT_SHIPMENT_SERVICE, SHIPOPT_SHIPMENT_CARRIER) counts as the order's
 * own. If the order names a different one, it fails with SHIPOPT_EINVAL. Neither is sent when the shipment is created,
 * because the carrier would then buy a label at once.
 *
 * An order with a generation fails with SHIPOPT_EINVAL if a number would be left out. It fails with SHIPOPT_ESTATE if
 * the newest generation is not over. A purchase in doubt may still turn out to be bought: settle it first with
 * shipopt_ledger_resolve().
 *
 * Since 0.1; `ret_error` since 0.2.
 */
typedef struct shipopt_order shipopt_order;

/*
 * Makes an order with a copy of `key`. The caller owns *ret_order, until it gives the order to a source or frees it.
 * `ret_error` may be NULL and is written on failure only; the caller drops it with shipopt_error_unref(). Errors: those
 * of shipopt_order_set_key().
 */
SHIPOPT_API int shipopt_order_new(const char *key, shipopt_order **ret_order, shipopt_error **ret_error);

/* Frees an order that was not given to a source. Accepts NULL. */
SHIPOPT_API void shipopt_order_free(shipopt_order *order);

/*
 * Set one field each. Texts are copied; NULL or "" removes a text, except the key. On success the order owns `shipment`
 * and frees the one it had; on failure the order stays as it was. `ret_error` may be NULL; on failure it names the
 * field, the value and the bound.
 *
 *   SHIPOPT_EINVAL     the order or the shipment is NULL, the key is empty or has an invisible character inside, or a
 *                      number is outside its bounds
 *   SHIPOPT_ETOOLARGE  a text has more than 200 bytes
 *   SHIPOPT_EENCODING  a text is not UTF-8
 *   SHIPOPT_ETYPE      the record is not a shipment
 *   SHIPOPT_ENOMEM
 */
SHIPOPT_API int shipopt_order_set_key(shipopt_order *order, const char *key, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_shipment(shipopt_order *order, shipopt_record *shipment, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_tracking_code(shipopt_order *order, const char *code, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_service(shipopt_order *order, const char *service, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_carrier(shipopt_order *order, const char *carrier, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_max_rate(shipopt_order *order, int64_t millionths, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_piece(shipopt_order *order, int64_t piece, shipopt_error **ret_error);
SHIPOPT_API int shipopt_order_set_generation(shipopt_order *order, int64_t generation, shipopt_error **ret_error);

/* Return the key ("" if there is none) and the shipment (NULL if there is none). The order owns both; a setter may free
 * them. */
SHIPOPT_API const char *shipopt_order_key(const shipopt_order *order);
SHIPOPT_API const shipopt_record *shipopt_order_shipment(const shipopt_order *order);

SHIPOPT_END_DECLS

#endif
