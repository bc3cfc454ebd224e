/* SPDX-License-Identifier: MIT */
#ifndef BULK_CHOICE_H
#define BULK_CHOICE_H

#include <shipopt/bulk.h>

#include "base/error.h"
#include "carrier/health.h"

/*
 * Which of a shipment's rates to buy.
 *
 * Candidates are the rates with an id and a readable amount that match what the order wants (carrier, service, compared
 * without case) and, for `services`, the run's list. Of those: cheapest (the earlier delivery breaks a tie), fastest
 * (fewest delivery days, the cheaper breaks a tie; a rate without days counts as slowest) or the first service of the list
 * that has one. A candidate above the order's max_rate is no candidate; if that alone leaves none, the outcome says so.
 */
enum choice_rule { CHOICE_CHEAPEST, CHOICE_FASTEST, CHOICE_SERVICES };

struct choice {
	enum choice_rule rule;
	const char *services; /* "USPS/Priority,Ground"; CHOICE_SERVICES */
	const char *carrier, *service; /* what the order wants; NULL: anything */
	int64_t max_rate;      /* 0: none */
};

/* The name of a rule; SHIPOPT_EINVAL. */
int choice_rule_parse(const char *name, enum choice_rule *ret_rule);

/* 0 and *ret_index, or SHIPOPT_ENORATE (nothing matches), or SHIPOPT_ELIMIT (all that match are above max_rate), with the
 * detail: what was wanted, what there was, and the carrier's own message about a carrier that gave no rate. */
int choice_pick(const struct choice *choice, const shipopt_record *shipment, size_t *ret_index, shipopt_error **ret_error);

#endif
