/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_SPENDING_H
#define CARRIER_SPENDING_H

/*
 * Which raw calls spend money.
 *
 * The application writes a raw call. Its path and body are sent as they are. The library must never send a call a
 * second time that may have spent money. So such a call is treated as a purchase: one attempt, and once on the wire it
 * is waited for. In case of doubt the answer is yes; the call then only loses its retries.
 *
 *   path   a segment that is one of the API's verbs and collections that charge: buy, create_and_buy, luma, insure,
 *          insurances, charges. Percent-encoding and an extension (".json") do not hide it, the query does not count.
 *   body   a shipment, order, or batch, at the top or in the member of that name, that has a `service` or an
 *          `insurance` that is neither null, empty nor 0: the API buys at once what is created with them (one-call
 *          buying). A body that is not JSON, or that is nested too deeply to be read, may contain anything: it spends.
 *
 * A GET never spends and is not examined. The typed calls do not use this, as the provider knows what it writes.
 */

/* 1 or 0; SHIPOPT_ENOMEM. `json` may be NULL. */
int spending_find(const char *path, const char *json);

#endif
