/* SPDX-License-Identifier: MIT */
#include "carrier/call_group.h"

#include "base/clock.h"

void call_group_init(struct call_group *group, uint64_t weight)
{
	*group = (struct call_group){.problem = NULL};
	pthread_mutex_init(&group->lock, NULL);
	lane_group_init(&group->lane, weight);
}

void call_group_done(struct call_group *group)
{
	shipopt_error_unref(TAKE(group->problem));
	pthread_mutex_destroy(&group->lock);
}

void call_group_note_problem(struct call_group *group, const shipopt_error *error)
{
	if (!error)
		return;
	pthread_mutex_lock(&group->lock);
	shipopt_error_unref(group->problem);
	group->problem = shipopt_error_ref((shipopt_error *)(uintptr_t)error);
	group->problem_ms = clock_wall_ms();
	pthread_mutex_unlock(&group->lock);
}

shipopt_error *call_group_problem(struct call_group *group, int64_t *ret_ms)
{
	pthread_mutex_lock(&group->lock);
	shipopt_error *problem = shipopt_error_ref(group->problem);
	if (problem && ret_ms)
		*ret_ms = group->problem_ms;
	pthread_mutex_unlock(&group->lock);
	return problem;
}
