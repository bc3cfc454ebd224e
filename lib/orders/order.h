/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_ORDER_H
#define ORDERS_ORDER_H

#include <shipopt/order.h>

#include "base/error.h"

/*
 * One order: given by a source, worked on by an item. One holder owns it at a time.
 *
 * A row that could not be read is an order, too. It has `status` and `error`, and the key and the input as far as they
 * could be read. It becomes one failed item.
 */
#define ORDER_KEY_BYTES_MAX 200
#define ORDER_PIECE_MAX 9999
#define ORDER_GENERATION_MAX 9999
#define ORDER_TEXT_BYTES_MAX 200   /* of tracking code, service and carrier */
#define ORDER_INPUT_BYTES_MAX 4096 /* of a row's text that is kept for its item */

struct shipopt_order {
	char *key;
	shipopt_record *shipment;
	char *tracking_code, *service, *carrier;
	int64_t max_rate, piece;
	int64_t generation; /* 0: the newest */
	int64_t line;       /* 0: not from a file */
	uint64_t index;     /* given by the run */
	char *input;        /* what the file has for it; NULL: not from a file */
	int status;
	shipopt_error *error;
	bool is_taken; /* by a source: handing it over again is refused */
};

/* An order without a key and with piece 1, to be filled. */
int order_new_empty(shipopt_order **ret_order);
/* Sets the key in its one spelling (unicode_key()). SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING,
 * SHIPOPT_ENOMEM: the order keeps the key that it had. */
int order_set_key(shipopt_order *order, const char *key, shipopt_error **ret_error);
int order_copy(const shipopt_order *order, shipopt_order **ret_copy);
/*
 * Moves the service and the carrier that are inside the order's shipment to the order itself. With them in the request
 * that creates a shipment the carrier would buy at once, past the ledger. If the order has different ones, it gets a
 * failure as its status. Every order that is rated or bought passes here before any of it is sent. SHIPOPT_ENOMEM: call
 * it again to move the rest.
 */
int order_adopt_service(shipopt_order *order);
/* Empties a used order so that it can be filled again. */
void order_reset(shipopt_order *order);

DEFINE_CLEANUP(shipopt_order, order_free, shipopt_order_free)
#define CLEANUP_ORDER CLEANUP(order_free_cleanup)

#endif
