/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_RUN
#include "bulk/run_reach.h"

#include <stdio.h>

#include "base/clock.h"
#include "bulk/run.h"

#define REACH_LOOKS 10 /* in unreachable_ms */
#define REACH_LOOK_MAX_US INT64_C(1000000)

static int64_t run_reach_period_us(const shipopt_run *run)
{
	return settings_number(&run->bulk->settings, BULK_UNREACHABLE_MS) * 1000;
}

static void run_reach_plan(shipopt_run *run)
{
	int64_t look_us = MIN(MAX(run_reach_period_us(run) / REACH_LOOKS, 1000), REACH_LOOK_MAX_US);
	timer_start(run->reactor, &run->reach.timer, clock_now_us() + look_us);
}

/* Takes over `problem`. */
static void run_reach_give_up(shipopt_run *run, shipopt_error *problem)
{
	char prefix[96];
	snprintf(prefix, sizeof(prefix), "no connection to the carrier in %lld ms",
		(long long)(run_reach_period_us(run) / 1000));
	run_stop(run, SHIPOPT_ECONNECT, error_move(error_prefix(problem, prefix), SHIPOPT_DOMAIN_RUN));
	run_cancel_items(run);
	run_pump(run);
}

static void run_reach_look(struct timer *timer)
{
	shipopt_run *run = CONTAINER_OF(timer, shipopt_run, reach.timer);
	if (run->group.answers > 0 || run->state >= RUN_STOPPING)
		return;
	shipopt_error *problem = call_group_problem(&run->group, NULL);
	bool is_unreached = shipopt_error_code(problem) == SHIPOPT_ECONNECT;
	int64_t now_us = clock_now_us();
	if (!is_unreached || run->reach.since_us == 0)
		run->reach.since_us = is_unreached ? now_us : 0;
	if (is_unreached && now_us - run->reach.since_us >= run_reach_period_us(run)) {
		run_reach_give_up(run, problem);
		return;
	}
	shipopt_error_unref(problem);
	run_reach_plan(run);
}

void run_reach_start(shipopt_run *run)
{
	run->reach.timer.fire = run_reach_look;
	if (run->bulk->carrier && run->kind != RUN_CALL && run_reach_period_us(run) > 0)
		run_reach_plan(run);
}

void run_reach_stop(shipopt_run *run)
{
	timer_stop(&run->reach.timer);
}
