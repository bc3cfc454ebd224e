/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_PAUSE_H
#define LANE_LANE_PAUSE_H

#include "lane/lane.h"

/*
 * Pauses: of each endpoint class, and of the lane.
 *
 * A 429 pauses its endpoint class for as long as the server asks, a day at most, or for a jittered time that grows with each
 * 429 in a row. A 429 while another class is paused by one pauses the lane as long as the longer of the two: what is limited is then
 * the credential, not the endpoint. Pauses only grow; none is ended early.
 */
#define PAUSE_MAX_US INT64_C(86400000000)

struct lane_pause {
	int64_t until_us[LANE_ENDPOINT_COUNT], lane_until_us;
	bool is_rate_limit[LANE_ENDPOINT_COUNT]; /* whether a 429 was the reason */
	unsigned in_a_row[LANE_ENDPOINT_COUNT];
};

/* `asked_ms`: -1 if the server did not say; then `own_us` is taken. */
void pause_rate_limited(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t own_us,
	int64_t now_us);
/* A 503 that says when to come back. */
void pause_asked(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t now_us);
void pause_success(struct lane_pause *pause, enum lane_endpoint endpoint);

#endif
