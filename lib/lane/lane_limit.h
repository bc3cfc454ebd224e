/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_LIMIT_H
#define LANE_LANE_LIMIT_H

#include "base/macro.h"

/*
 * How many requests may be on the wire: additive increase, multiplicative decrease (Chiu and Jain, 1989).
 *
 * A success adds 1/limit, so that a full round of them adds one, but only while the limit is in use: with less than
 * half of it on the wire a success says nothing about more. An overload takes LIMIT_CUT of it, at most once per round trip: each
 * request remembers the epoch in which it was sent, a cut begins a new one, and what was sent before says nothing new.
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
