/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#include "base/macro.h"

#define VIRTUAL_START_US 1000000
#define VIRTUAL_WALL_START_MS 1767225600000

atomic_bool clock_virtual_enabled;
static atomic_int_fast64_t virtual_us;

static int64_t read_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	if (UNLIKELY(atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed)))
		return atomic_load(&virtual_us);
	return read_us(CLOCK_MONOTONIC);
}

int64_t clock_coarse_us(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	if (!atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed))
		return read_us(CLOCK_MONOTONIC_COARSE);
#endif
	return clock_now_us();
}

int64_t clock_near_read(struct clock_near *near)
{
#ifdef CLOCK_TICKS_FRESH
	near->ticks = clock_ticks() - (clock_is_virtual() ? CLOCK_TICKS_FRESH : 0);
#endif
	return near->now_us = clock_coarse_us();
}

int64_t clock_wall_ms(void)
{
	if (UNLIKELY(atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed)))
		return VIRTUAL_WALL_START_MS + (atomic_load(&virtual_us) - VIRTUAL_START_US) / 1000;
	return read_us(CLOCK_REALTIME) / 1000;
}

void clock_set_virtual(bool is_virtual)
{
	atomic_store(&virtual_us, VIRTUAL_START_US);
	atomic_store(&clock_virtual_enabled, is_virtual);
}

bool clock_is_virtual(void)
{
	return atomic_load(&clock_virtual_enabled);
}

void clock_advance_us(int64_t us)
{
	ASSERT(us >= 0 && clock_is_virtual());
	atomic_fetch_add(&virtual_us, us);
}
