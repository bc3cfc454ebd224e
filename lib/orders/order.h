/* SPDX-License-Identifier: MIT */
#ifndef ORDERS_ORDER_H
#define ORDERS_ORDER_H

#include <shipopt/order.h>

#include "base/error.h"

/*
 * One order, as a source gives it and as an item carries it. A row that could not be read is an order too: with `status` and
 * `error` set and whatever key and input could be told; it becomes one failed item. Owned by one holder at a time.
 */
#define ORDER_KEY_BYTES_MAX 200
#define ORDER_PIECE_MAX 9999
#define ORDER_GENERATION_MAX 9999
#define ORDER_TEXT_BYTES_MAX 200   /* of tracking code, service and carrier */
#define ORDER_INPUT_BYTES_MAX 4096 /* what is kept of a failed row's text */

struct shipopt_order {
	char *key;
	shipopt_record *shipment;
	char *tracking_code, *service, *carrier;
	int64_t max_rate, piece;
	int64_t generation; /* 0: the newest */
	int64_t line;       /* 0: not from a file */
	uint64_t index;     /* given by the run */
	char *input;        /* the source's text, bounded; NULL if there is none */
	int status;
	shipopt_error *error;
	bool is_taken; /* by a source: handing it over again is refused */
};

/* Without a key and with piece 1, to be filled. */
int order_new_empty(shipopt_order **ret_order);
/* Sets the one spelling of a key (unicode_key()), of at most ORDER_KEY_BYTES_MAX bytes. SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE,
 * SHIPOPT_EENCODING, SHIPOPT_ENOMEM; the order keeps the key it had. */
int order_set_key(shipopt_order *order, const char *key, shipopt_error **ret_error);
int order_copy(const shipopt_order *order, shipopt_order **ret_copy);
/* A `service` or `carrier` that stands in the order's shipment becomes the order's own wish: with them in the creation of a
 * shipment the carrier would buy at once, past the ledger. If the order has another wish itself, it becomes one that could not
 * be read. Every order that is rated or bought passes here once, before any of it is sent. SHIPOPT_ENOMEM leaves the rest to be
 * taken by another call. */
int order_take_wishes(shipopt_order *order);
/* Empties a used order so that it can be filled again. */
void order_reset(shipopt_order *order);

DEFINE_CLEANUP(shipopt_order, order_free, shipopt_order_free)
#define CLEANUP_ORDER CLEANUP(order_free_cleanup)

#endif
