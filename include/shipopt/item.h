/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_ITEM_H
#define SHIPOPT_ITEM_H

#include <shipopt/error.h>
#include <shipopt/record.h>

SHIPOPT_BEGIN_DECLS

/*
 * Items: the results of a bulk run. Every order that was read gives exactly one item.
 *
 * An item is borrowed. It is valid while its callback runs, or until its queue event is released. Texts and records of
 * an item live as long as the item.
 *
 * Status:
 *
 *   SHIPOPT_OK (0)     Done. An error object is then a note, such as that the label is not insured or its document is
 *                      missing.
 *   SHIPOPT_ALREADY    Nothing was left to do: an earlier run bought the label (a rate run: rated the order).
 *   SHIPOPT_EINDOUBT   A purchase was sent and its outcome is not known. Run the same source again later. If the error
 *                      says that a person must look the shipment up, settle it with shipopt_ledger_resolve(). In a
 *                      track or verify run: the call was canceled after it was sent. A repeat is harmless.
 *   SHIPOPT_EREFUSED   The carrier refused the order. If its ledger row is in doubt, the refusal proves nothing, and a
 *                      person must look the shipment up.
 *   SHIPOPT_EHELD      A person must review the order: its price is too high or in another currency, or its row is
 *                      marked.
 *   SHIPOPT_ECONFLICT  The ledger has the key with other content, or from another base URL.
 *   SHIPOPT_ELIMIT     The purchase would pass the spend limit and was not made. An item with a tracking code was
 *                      bought for more than was approved.
 *   SHIPOPT_ECANCELED  The run was canceled or ended before this order was finished. No purchase was sent for it. A
 *                      shipment without postage may be left at the carrier.
 *   other codes        What failed. Nothing is in doubt.
 *
 * Since 0.1.
 */
typedef struct shipopt_item shipopt_item;

/* Receives one item. The callbacks of one run never overlap, and all of them come before the run's `done`.
 * <shipopt/bulk.h> says on which thread. */
typedef void (*shipopt_item_fn)(void *userdata, const shipopt_item *item);

/*
 * Return where the item comes from.
 *
 *   index  Its number in the source, from 0.
 *   line   The line of the file, from 1; 0: not from a file.
 *   key    The order's key; "": the row had none.
 *   input  What the file had for an item that failed, at most 4,096 bytes; NULL: it succeeded, or is not from a file.
 */
SHIPOPT_API uint64_t shipopt_item_index(const shipopt_item *item);
SHIPOPT_API int64_t shipopt_item_line(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_key(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_input(const shipopt_item *item);

/* Return how the item ended. The error is NULL only for an item that succeeded without a note. */
SHIPOPT_API int shipopt_item_status(const shipopt_item *item);
SHIPOPT_API const shipopt_error *shipopt_item_error(const shipopt_item *item);

/* Return how many requests were sent for the item, and the time from its start to its end in microseconds. */
SHIPOPT_API int64_t shipopt_item_attempts(const shipopt_item *item);
SHIPOPT_API int64_t shipopt_item_latency_us(const shipopt_item *item);

/* Returns the shipment, tracker or address that the carrier answered with, or NULL. */
SHIPOPT_API const shipopt_record *shipopt_item_record(const shipopt_item *item);

/* Return single facts of the label, tracker or rate; NULL where there is none. */
SHIPOPT_API const char *shipopt_item_tracking_code(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_label_url(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_shipment_id(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_carrier(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_service(const shipopt_item *item);
SHIPOPT_API const char *shipopt_item_currency(const shipopt_item *item);

/* Returns the postage that was chosen or paid, in millionths of shipopt_item_currency(); -1: none. */
SHIPOPT_API int64_t shipopt_item_amount(const shipopt_item *item);

/* Returns the value that the program answered in a call run; 0 in other runs. */
SHIPOPT_API int64_t shipopt_item_value(const shipopt_item *item);

SHIPOPT_END_DECLS

#endif
