/* SPDX-License-Identifier: MIT */
#include "carrier/closure.h"

#include "base/clock.h"

void closures_note(struct closures *closures, enum lane_endpoint endpoint, shipopt_error *error, int64_t retry_after_ms)
{
	struct closure *closure = &closures->last[endpoint];
	int64_t now_us = clock_now_us();
	shipopt_error_unref(closure->error);
	closure->error = shipopt_error_ref(error);
	closure->noted_us = now_us;
	closure->asked_until_us = retry_after_ms >= 0 ? now_us + retry_after_ms * 1000 : 0;
}

int64_t closures_until_us(const struct closures *closures, const struct lane *lane, enum lane_endpoint endpoint)
{
	int64_t until_us = lane_paused_until_us(lane, endpoint);
	/* After the lane's own pause the next call is sent, even if the carrier asked for a longer one. */
	return until_us > clock_now_us() ? MAX(until_us, closures->last[endpoint].asked_until_us) : until_us;
}

const shipopt_error *closures_reason(const struct closures *closures, const struct lane *lane,
	enum lane_endpoint endpoint, int64_t since_us)
{
	const struct closure *last = &closures->last[endpoint];
	bool is_own = last->error && (last->noted_us >= since_us || last->asked_until_us >= since_us);
	bool is_closed = lane_paused_until_us(lane, endpoint) >= since_us || lane_breaker_open_us(lane) > 0;
	if (is_own || !is_closed)
		return is_own ? last->error : NULL;
	/* Calls of other classes closed the whole lane: the last error says why. */
	for (int other = 0; other < LANE_ENDPOINT_COUNT; other++)
		if (closures->last[other].error && (!last->error || closures->last[other].noted_us > last->noted_us))
			last = &closures->last[other];
	return last->error;
}

void closures_done(struct closures *closures)
{
	for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++)
		shipopt_error_unref(TAKE(closures->last[endpoint].error));
}
