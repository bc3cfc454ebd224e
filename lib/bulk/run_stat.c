/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "bulk/run.h"

/* What the application reads of a run: any thread, at any time. */

shipopt_op *shipopt_run_op(shipopt_run *run)
{
	return run ? &run->op : NULL;
}

shipopt_run *shipopt_run_ref(shipopt_run *run)
{
	shipopt_op_ref(shipopt_run_op(run));
	return run;
}

void shipopt_run_unref(shipopt_run *run)
{
	shipopt_op_unref(shipopt_run_op(run));
}

static int64_t run_stat_problem_age_ms(shipopt_run *run)
{
	int64_t problem_ms = 0;
	shipopt_error *problem = call_group_problem(&run->group, &problem_ms);
	int64_t age_ms = problem ? MAX(clock_wall_ms() - problem_ms, 0) : -1;
	shipopt_error_unref(problem);
	return age_ms;
}

int shipopt_run_stat(shipopt_run *run, int stat, int64_t *ret_value)
{
	if (!run || !ret_value)
		return SHIPOPT_EINVAL;
	switch (stat) {
	case SHIPOPT_RUN_STAT_REQUESTS: *ret_value = run->group.requests; return 0;
	case SHIPOPT_RUN_STAT_RETRIES: *ret_value = run->group.retries; return 0;
	case SHIPOPT_RUN_STAT_PROBLEM_AGE_MS: *ret_value = run_stat_problem_age_ms(run); return 0;
	default: return summary_stat(&run->summary, stat, ret_value);
	}
}

int shipopt_run_problem(shipopt_run *run, shipopt_error **ret_problem)
{
	shipopt_error *problem = run && ret_problem ? call_group_problem(&run->group, NULL) : NULL;
	if (!problem)
		return run && ret_problem ? SHIPOPT_ENOTFOUND : SHIPOPT_EINVAL;
	*ret_problem = problem;
	return 0;
}

int shipopt_run_spend(shipopt_run *run, size_t index, const char **ret_carrier, const char **ret_currency,
	int64_t *ret_labels, int64_t *ret_amount)
{
	if (!run || !ret_carrier || !ret_currency || !ret_labels || !ret_amount)
		return SHIPOPT_EINVAL;
	return summary_spend(&run->summary, index, ret_carrier, ret_currency, ret_labels, ret_amount);
}
