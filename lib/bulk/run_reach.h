/* SPDX-License-Identifier: MIT */
#ifndef BULK_RUN_REACH_H
#define BULK_RUN_REACH_H

#include <shipopt/run.h>

#include "runtime/timer.h"

/*
 * Ends a run whose carrier was never reached.
 *
 * The items of a run wait for a carrier that is away. That is right for an outage in the middle of a run, and wrong for
 * an address that was never right: the run would show no item for as long as item_timeout_ms. So this watch ends the
 * run with SHIPOPT_ECONNECT if no answer has arrived in the run and every attempt has failed to connect for
 * unreachable_ms. With the first answer the watch ends.
 *
 * It looks at the counters of the run's calls a few times in that period; the period begins with the first look that
 * finds a failure.
 */
struct run_reach {
	struct timer timer;
	int64_t since_us; /* the first look that found every attempt failed; 0: none has */
};

void run_reach_start(shipopt_run *run);
void run_reach_stop(shipopt_run *run);

#endif
