/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_QUOTE_H
#define CARRIER_QUOTE_H

#include "base/hash.h"
#include "carrier/exchange.h"

/*
 * Rates to show: what is asked for, by what it is known again, and what is left of the answer.
 *
 * A quote is asked for as a shipment is made, as every API of this kind has that call. The shipment that this
 * leaves at the carrier is nobody's: its ids are taken out of the answer before anybody sees it, so that two
 * orders that share a quote can never come to share a shipment, which can be bought only once.
 */

/* The request: a copy of `shipment` without what would tie it to an order, and without what is paid and not rated. */
int quote_content(const shipopt_record *shipment, shipopt_record **ret_content);
/* The digest of what rates depend on: the same for requests that differ only in notation, order or in what no carrier
 * prices. Of contact texts only counts whether they are there, as a carrier may insist on them. */
int quote_digest(const shipopt_record *content, char ret_hex[HASH_HEX_SIZE]);
/* Puts the rates and messages of a good answer in its place, without ids; SHIPOPT_ENOMEM becomes the exchange's status. */
void quote_take_rates(struct exchange *exchange);

#endif
