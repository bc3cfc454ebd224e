/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_HEALTH_H
#define CARRIER_HEALTH_H

#include <shipopt/record.h>

#include "base/macro.h"

/*
 * Health per carrier behind the API: when UPS is down behind EasyPost every HTTP answer is fine.
 *
 * Fed from `messages[]` of type rate_error, from rates that came, and from purchase outcomes. For each carrier name an
 * exponentially weighted failure share: each observation moves it by HEALTH_STEP. A carrier is ill from HEALTH_ILL on; a rule
 * that wanted it then waits, falls back or fails. Also remembers each carrier's last seen cheapest rate with its currency,
 * which bounds a fallback's price in that currency; rates in several currencies have no cheapest. Holds HEALTH_CARRIERS_MAX
 * names, the least recently seen is replaced. Reactor thread only.
 */
#define HEALTH_CARRIERS_MAX 64
#define HEALTH_NAME_SIZE 64
#define HEALTH_CURRENCY_SIZE 8
#define HEALTH_STEP 0.2
#define HEALTH_ILL 0.5

struct health_carrier {
	char name[HEALTH_NAME_SIZE];
	double failure_share;
	int64_t seen_us;
	int64_t cheapest;                    /* of the last answer that had rates of it; -1: not known */
	char currency[HEALTH_CURRENCY_SIZE]; /* of `cheapest`; "": the rates named none */
};

struct health {
	struct health_carrier carriers[HEALTH_CARRIERS_MAX];
	size_t count;
};

/* A rated shipment: its rates and its rate_error messages. */
void health_observe_shipment(struct health *health, const shipopt_record *shipment);
void health_observe(struct health *health, const char *carrier, bool failed);
/* NULL when the name was never seen. */
const struct health_carrier *health_find(const struct health *health, const char *carrier);
/* The carrier's last seen cheapest rate in `currency` (NULL or "": in whichever it was), and its currency, which lives as long
 * as the entry; -1: not known in that currency. */
int64_t health_cheapest(const struct health *health, const char *carrier, const char *currency,
	const char **ret_currency);
bool health_is_ill(const struct health *health, const char *carrier);

#endif
