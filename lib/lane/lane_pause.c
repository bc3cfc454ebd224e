/* SPDX-License-Identifier: MIT */
#include "lane/lane_pause.h"

static void lane_pause_extend(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t length_us, int64_t now_us)
{
	int64_t until_us = now_us + MIN(MAX(length_us, 0), PAUSE_MAX_US);
	pause->until_us[endpoint] = MAX(pause->until_us[endpoint], until_us);
}

static int64_t lane_pause_asked_us(int64_t asked_ms)
{
	return MIN(asked_ms, PAUSE_MAX_US / 1000) * 1000;
}

void pause_rate_limited(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t own_us,
	int64_t now_us)
{
	lane_pause_extend(pause, endpoint, asked_ms >= 0 ? lane_pause_asked_us(asked_ms) : own_us, now_us);
	pause->is_rate_limit[endpoint] = true;
	pause->in_a_row[endpoint]++;
	for (int other = 0; other < LANE_ENDPOINT_COUNT; other++) {
		if (other == (int)endpoint || !pause->is_rate_limit[other] || pause->until_us[other] <= now_us)
			continue;
		int64_t longer_us = MAX(pause->until_us[endpoint], pause->until_us[other]);
		pause->lane_until_us = MAX(pause->lane_until_us, longer_us);
	}
}

void pause_asked(struct lane_pause *pause, enum lane_endpoint endpoint, int64_t asked_ms, int64_t now_us)
{
	/* A pause that is over was for another reason. */
	if (pause->until_us[endpoint] <= now_us)
		pause->is_rate_limit[endpoint] = false;
	if (asked_ms >= 0)
		lane_pause_extend(pause, endpoint, lane_pause_asked_us(asked_ms), now_us);
}

void pause_success(struct lane_pause *pause, enum lane_endpoint endpoint)
{
	pause->in_a_row[endpoint] = 0;
}
