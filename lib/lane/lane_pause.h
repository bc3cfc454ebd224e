/* SPDX-License-Identifier: MIT */
#ifndef LANE_LANE_PAUSE_H
#define LANE_LANE_PAUSE_H

#include "lane/lane.h"

/*
 * Pauses of endpoint classes, and of the whole lane.
 *
 * A 429 pauses its endpoint class for as long as the server asks, a day at most. Without Retry-After the pause is a
 * jittered time that grows with each 429 in a row. If a 429 comes while another class is paused by one, the whole lane
 * is paused, until the later of the two ends. Then the credential is limited, not the endpoint. A pause only grows.
 * Nothing ends it early.
 */
#define PAUSE_MAX_US INT64_C(86400000000)

struct lane_pause {
	int64_t until_us[LANE_ENDPOINT_COUNT], lane_until_us;
	bool is_rate_limit[LANE_ENDPOINT_COUNT]; /* a 429 was the reason */
	unsigned in_a_row[LANE_ENDPOINT_COUNT];
};

/* `asked_ms`: Retry-After; -1 if it was absent, and then the pause is `own_us`. */
void pause_rate_limited(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t own_us,
	int64_t now_us);
/* A 503 with Retry-After. */
void pause_asked(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t now_us);
void pause_success(struct lane_pause *pause, enum lane_endpoint endpoint);

#endif
