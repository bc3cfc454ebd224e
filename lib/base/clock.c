/* SPDX-License-Identifier: MIT */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "base/macro.h"

#define VIRTUAL_START_US 1000000
#define VIRTUAL_WALL_START_MS 1767225600000

atomic_bool clock_virtual_enabled;
static atomic_int_fast64_t virtual_us, virtual_wall_offset_ms;

static int64_t clock_read_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

int64_t clock_now_us(void)
{
	if (UNLIKELY(atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed)))
		return atomic_load(&virtual_us);
	return clock_read_us(CLOCK_MONOTONIC);
}

int64_t clock_coarse_us(void)
{
#ifdef CLOCK_MONOTONIC_COARSE
	if (!atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed))
		return clock_read_us(CLOCK_MONOTONIC_COARSE);
#endif
	return clock_now_us();
}

#ifdef CLOCK_TICKS_FRESH
/* Old x86 processors stop counting while they sleep; the others say so (Intel SDM vol. 3B, "Invariant TSC"). ARM's
 * never stops. */
static bool clock_counts_always(void)
{
#if defined(__x86_64__)
	static atomic_int known;
	if (atomic_load_explicit(&known, memory_order_relaxed) == 0) {
		unsigned a, b, c, d = 0;
		bool is_invariant = __get_cpuid(0x80000007, &a, &b, &c, &d) && (d & (1u << 8));
		atomic_store_explicit(&known, is_invariant ? 1 : -1, memory_order_relaxed);
	}
	return atomic_load_explicit(&known, memory_order_relaxed) > 0;
#else
	return true;
#endif
}
#endif

int64_t clock_near_read(struct clock_near *near)
{
#ifdef CLOCK_TICKS_FRESH
	bool lasts = !clock_is_virtual() && clock_counts_always();
	near->ticks = clock_ticks() - (lasts ? 0 : CLOCK_TICKS_FRESH);
#endif
	return near->now_us = clock_coarse_us();
}

int64_t clock_wall_ms(void)
{
	if (UNLIKELY(atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed)))
		return VIRTUAL_WALL_START_MS + (atomic_load(&virtual_us) - VIRTUAL_START_US) / 1000 +
			atomic_load(&virtual_wall_offset_ms);
	return clock_read_us(CLOCK_REALTIME) / 1000;
}

void clock_set_virtual(bool is_virtual)
{
	atomic_store(&virtual_us, VIRTUAL_START_US);
	atomic_store(&virtual_wall_offset_ms, 0);
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

void clock_set_wall_offset_ms(int64_t ms)
{
	ASSERT(clock_is_virtual());
	atomic_store(&virtual_wall_offset_ms, ms);
}
