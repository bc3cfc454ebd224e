/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_CHOICE_H
#define PURCHASE_CHOICE_H

#include <shipopt/bulk.h>

#include "base/error.h"
#include "carrier/health.h"

/*
 * Which of a shipment's rates to buy.
 *
 * A rate is suitable if it has an id and matches what the order wants (carrier and service, compared without case) and,
 * for `services`, the list of the run. Amounts of different currencies are never compared. So the candidates are the
 * suitable rates with a readable amount in one currency: the wanted one, or the one that all of them are in. The order
 * is held if no currency is wanted and the rates are in several, and if no rate is in the wanted one. A rate that names
 * no currency is in none.
 *
 * Of the candidates, `cheapest` takes the lowest price (a tie goes to the earlier delivery), `fastest` the fewest
 * delivery days (a tie goes to the cheaper rate; a rate without days is the slowest), and `services` the first service
 * of the list that has a rate. A rate above the order's max_rate is no candidate. If that alone leaves none, the
 * outcome says so.
 */
enum choice_rule { CHOICE_CHEAPEST, CHOICE_FASTEST, CHOICE_SERVICES };

struct choice {
	enum choice_rule rule;
	const char *services;          /* "USPS/Priority,Ground"; CHOICE_SERVICES */
	const char *carrier, *service; /* what the order wants; NULL: anything */
	int64_t max_rate;              /* 0: none */
	const char *currency;          /* of the rates and of max_rate; NULL or "": none wanted */
};

/* The rule of a name; SHIPOPT_EINVAL for another name. */
int choice_rule_parse(const char *name, enum choice_rule *ret_rule);
const char *choice_rule_name(enum choice_rule rule);

/*
 * The wanted currency. A bound on the price has a currency, and the rates must be in it: the bulk setting `currency`
 * (NULL: unset), otherwise US dollars for an order with a max_rate or a run with a spend limit (0: none). NULL without
 * a bound: any currency. The result lives as long as `setting`.
 */
const char *choice_currency(const char *setting, int64_t max_rate, int64_t spend_limit);

/*
 * Chooses a rate. Returns 0 and *ret_index, or
 *   SHIPOPT_ENORATE  no rate is suitable, or no suitable rate has a readable amount
 *   SHIPOPT_EHELD    the suitable rates are in several currencies and none is wanted, or none is in the wanted one
 *   SHIPOPT_ELIMIT   all candidates are above max_rate
 * The error says what was wanted, what was offered, in which currency, what to set, and what the carriers said.
 */
int choice_pick(const struct choice *choice, const shipopt_record *shipment, size_t *ret_index,
	shipopt_error **ret_error);

#endif
