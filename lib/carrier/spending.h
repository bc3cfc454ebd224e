/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_SPENDING_H
#define CARRIER_SPENDING_H

/*
 * Which raw calls spend money.
 *
 * A raw call is the host's own: its path and body are sent as they are. What may have spent money must never be sent a second
 * time by the library, so such a call is taken for a purchase: one attempt, and once on the wire it is waited for. Where it
 * cannot be told, the answer is yes; all that a call loses by it is its repetitions.
 *
 *   path   a segment that is one of the API's verbs and collections that charge: buy, create_and_buy, luma, insure,
 *          insurances, charges. Percent-encoding and an extension (".json") do not hide it, the query does not count.
 *   body   a shipment, order, or batch, at the top or in the member of that name, that has a `service` or an `insurance`
 *          that is neither null, empty nor 0: the API buys at once what is created with them (one-call buying). A body that
 *          is no JSON, or that is nested too deep to be read, may hold anything: it spends.
 *
 * Only writing spends: a GET is not asked about. The typed calls do not come here, as a provider knows what it writes.
 */

/* 1 or 0; SHIPOPT_ENOMEM. `json` may be NULL. */
int spending_find(const char *path, const char *json);

#endif
