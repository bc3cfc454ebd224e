/* SPDX-License-Identifier: MIT */
#include "lane/lane_limit.h"

void limit_init(struct lane_limit *limit, bool is_adaptive, size_t minimum, size_t initial, size_t maximum)
{
	maximum = MAX(maximum, (size_t)1);
	minimum = MIN(MAX(minimum, (size_t)1), maximum);
	initial = is_adaptive ? MIN(MAX(initial, minimum), maximum) : maximum;
	*limit = (struct lane_limit){.value = (double)initial,
		.minimum = (double)minimum,
		.maximum = (double)maximum,
		.is_adaptive = is_adaptive};
}

size_t limit_get(const struct lane_limit *limit)
{
	return (size_t)limit->value;
}

void limit_success(struct lane_limit *limit, size_t on_wire)
{
	if (limit->is_adaptive && (double)on_wire * 2 > limit->value)
		limit->value = MIN(limit->value + 1 / limit->value, limit->maximum);
}

void limit_overload(struct lane_limit *limit, uint64_t epoch)
{
	if (!limit->is_adaptive || epoch != limit->epoch)
		return;
	limit->value = MAX(limit->value * LIMIT_CUT, limit->minimum);
	limit->epoch++;
	limit->cuts++;
}
