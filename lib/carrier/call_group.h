/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CALL_GROUP_H
#define CARRIER_CALL_GROUP_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/error.h"
#include "lane/lane.h"

/*
 * The calls of one bulk run, or all single calls of a client: their share of the lane, what they have sent, and the
 * last problem that they met.
 *
 * An exchange names its group. It counts each request and retry there when it happens, not when the call ends, so that
 * a run can show them while it waits. A problem is a failed attempt, also if a retry heals it. The reason is the
 * server, the network, the configuration, a rate limit (HTTP 429) or a shortage of sockets on this host. A call that is
 * refused for its content is not a problem.
 *
 * The reactor thread writes. Every thread may read.
 */
struct call_group {
	struct lane_group lane;
	atomic_int_fast64_t requests; /* sent, retries included */
	atomic_int_fast64_t retries;
	atomic_int_fast64_t answers; /* HTTP answers that came whole, with any status */
	pthread_mutex_t lock;        /* for the two below */
	shipopt_error *problem;      /* a reference; NULL: none yet */
	int64_t problem_ms;          /* wall clock */
};

void call_group_init(struct call_group *group, uint64_t weight);
void call_group_done(struct call_group *group);
/* Keeps a reference to `error`, which replaces the problem before it. NULL is ignored. */
void call_group_note_problem(struct call_group *group, const shipopt_error *error);
/* Returns a new reference to the last problem, or NULL if there was none. `ret_ms` is set, if not NULL, to the time of
 * the problem in milliseconds since 1970. Any thread. */
shipopt_error *call_group_problem(struct call_group *group, int64_t *ret_ms);

#endif
