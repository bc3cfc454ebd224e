/* SPDX-License-Identifier: MIT */
#ifndef PURCHASE_CHOICE_H
#define PURCHASE_CHOICE_H

#include <shipopt/bulk.h>

#include "base/error.h"
#include "carrier/health.h"

/*
 * Which of a shipment's rates to buy.
 *
 * A rate is suitable if it has an id and matches what the order wants (carrier, service, compared without case) and, for
 * `services`, the run's list. Amounts of different currencies are never compared: candidates are the suitable rates with a
 * readable amount in one currency, the wanted one or, if none is wanted, the one that they all are in. Rates in several
 * currencies and none wanted, or none in the wanted one (a rate that names no currency is in none), hold the order.
 *
 * Of the candidates: cheapest (the earlier delivery breaks a tie), fastest (fewest delivery days, the cheaper breaks a tie; a
 * rate without days counts as slowest) or the first service of the list that has one. What is above the order's max_rate is no
 * candidate; if that alone leaves none, the outcome says so.
 */
enum choice_rule { CHOICE_CHEAPEST, CHOICE_FASTEST, CHOICE_SERVICES };

struct choice {
	enum choice_rule rule;
	const char *services;          /* "USPS/Priority,Ground"; CHOICE_SERVICES */
	const char *carrier, *service; /* what the order wants; NULL: anything */
	int64_t max_rate;              /* 0: none */
	const char *currency;          /* of the rates and of max_rate; NULL or "": none wanted */
};

/* The name of a rule; SHIPOPT_EINVAL. */
int choice_rule_parse(const char *name, enum choice_rule *ret_rule);
const char *choice_rule_name(enum choice_rule rule);

/*
 * The wanted currency. What bounds a price has a currency, and the rates must be in it: that of the bulk setting `currency`
 * (NULL: unset), else US dollars for an order with a max_rate or a run with a spend limit (0: none). Without a bound none is
 * wanted: NULL. The result lives as long as `setting`.
 */
const char *choice_currency(const char *setting, int64_t max_rate, int64_t spend_limit);

/*
 * 0 and *ret_index, or
 *   SHIPOPT_ENORATE  no rate is suitable, or the amount of none that is can be read
 *   SHIPOPT_EHELD    the suitable rates are in several currencies and none is wanted, or none is in the wanted one
 *   SHIPOPT_ELIMIT   all candidates are above max_rate
 * with the detail: what was wanted, what was offered, in which currency, what to set, and the carriers' own messages.
 */
int choice_pick(const struct choice *choice, const shipopt_record *shipment, size_t *ret_index,
	shipopt_error **ret_error);

#endif
