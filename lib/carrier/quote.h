/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_QUOTE_H
#define CARRIER_QUOTE_H

#include "base/hash.h"
#include "carrier/exchange.h"

/*
 * Rates to show: what a quote sends, which quotes are equal, and what is left of the answer.
 *
 * Every API of this kind gives rates by creating a shipment. That shipment belongs to nobody. Its ids are removed from
 * the answer, so that two orders that share a quote can never share a shipment, which can be bought only once.
 */

/* The content of a quote: a copy of `shipment` without its reference and its insurance, which is paid and not rated. */
int quote_content(const shipopt_record *shipment, shipopt_record **ret_content);
/* The digest of everything that decides the price. It does not depend on notation, order, and what no carrier prices.
 * Of contact texts it counts only whether they are there, because a carrier may require them. */
int quote_digest(const shipopt_record *content, char ret_hex[HASH_HEX_SIZE]);
/* Replaces a successful answer by its rates and messages, without ids. SHIPOPT_ENOMEM becomes the exchange's status. */
void quote_take_rates(struct exchange *exchange);

#endif
