/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_LIMIT_H
#define LANE_LANE_LIMIT_H

#include "base/macro.h"

/*
 * The limit of requests in flight: additive increase, multiplicative decrease (Chiu and Jain, 1989).
 *
 * A success adds 1/limit, so that a full round of successes adds one. It counts only while at least half of the limit
 * is in use, because a success at low load says nothing about a higher limit. An overload multiplies the limit by
 * LIMIT_CUT, at most once per round trip: each request remembers the epoch in which it was sent, and a cut starts a new
 * epoch.
 */
#define LIMIT_CUT 0.7

struct lane_limit {
	double value, min, max;
	bool is_adaptive;
	uint64_t epoch, cuts;
};

void limit_init(struct lane_limit *limit, bool is_adaptive, size_t min, size_t initial, size_t max);
size_t limit_get(const struct lane_limit *limit);
/* `on_wire` counts the request itself. */
void limit_success(struct lane_limit *limit, size_t on_wire);
void limit_overload(struct lane_limit *limit, uint64_t epoch);

#endif
