/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_HEALTH_H
#define CARRIER_HEALTH_H

#include <shipopt/record.h>

#include "base/macro.h"

/*
 * The health of each carrier that the API sells for. When UPS is down, every HTTP answer is of EasyPost is still fine.
 *
 * The input is the `messages[]` of type rate_error, the rates, and the outcomes of purchases. For each carrier name
 * there is an exponentially weighted share of failures; each observation moves it by HEALTH_STEP. From HEALTH_ILL on a
 * carrier is ill: a rule that wants it then waits, falls back or fails.
 *
 * The table also stores the cheapest rate of each carrier in its last answer, with the currency. It limits the price of
 * a fallback in that currency. Rates in several currencies have no cheapest one. The table has HEALTH_CARRIERS_MAX
 * names; a new name replaces the one that was not seen for the longest time. Reactor thread only.
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
/* The carrier's last seen cheapest rate in `currency` (NULL or "": in whichever it was), and its currency, which lives
 * as long as the entry; -1: not known in that currency. */
int64_t health_cheapest(const struct health *health, const char *carrier, const char *currency,
	const char **ret_currency);
bool health_is_ill(const struct health *health, const char *carrier);

#endif
