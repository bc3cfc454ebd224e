/* SPDX-License-Identifier: MIT */
#include "lane/lane_limit.h"

void limit_init(struct lane_limit *limit, bool is_adaptive, size_t min, size_t initial, size_t max)
{
	max = MAX(max, (size_t)1);
	min = MIN(MAX(min, (size_t)1), max);
	initial = is_adaptive ? MIN(MAX(initial, min), max) : max;
	*limit = (struct lane_limit){.value = (double)initial,
		.min = (double)min,
		.max = (double)max,
		.is_adaptive = is_adaptive};
}

size_t limit_get(const struct lane_limit *limit)
{
	return (size_t)limit->value;
}

void limit_success(struct lane_limit *limit, size_t on_wire)
{
	if (limit->is_adaptive && (double)on_wire * 2 > limit->value)
		limit->value = MIN(limit->value + 1 / limit->value, limit->max);
}

void limit_overload(struct lane_limit *limit, uint64_t epoch)
{
	if (!limit->is_adaptive || epoch != limit->epoch)
		return;
	limit->value = MAX(limit->value * LIMIT_CUT, limit->min);
	limit->epoch++;
	limit->cuts++;
}
