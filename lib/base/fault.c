/* SPDX-License-Identifier: MIT */
#include "base/fault.h"

#ifdef SHIPOPT_FAULTS

#include <limits.h>
#include <stdatomic.h>

static atomic_long fault_passed;
static atomic_long fault_target = -1;

bool fault_point(void)
{
	long target = atomic_load_explicit(&fault_target, memory_order_relaxed);
	return atomic_fetch_add_explicit(&fault_passed, 1, memory_order_relaxed) == target && target >= 0;
}

void fault_arm(long passes)
{
	atomic_store(&fault_target, passes < 0 ? -1 : passes);
	atomic_store(&fault_passed, 0);
}

long fault_count(void)
{
	return atomic_load(&fault_passed);
}

bool fault_fired(void)
{
	long target = atomic_load(&fault_target);
	return target >= 0 && atomic_load(&fault_passed) > target;
}

#else

/* A translation unit must not be empty (C11 6.9). */
typedef int fault_points_are_not_compiled_in;

#endif
