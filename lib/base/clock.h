/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * The two clocks: a monotonic one for durations and deadlines, and wall time for rows and dates. Both can be
 * replaced by a virtual clock, so that whatever depends on time is tested without sleeping: the virtual clock
 * stands still until it is moved (by a test, or by the simulated reactor back-end when nothing else is left to
 * do), and moves both clocks together. One for the process; switching is for tests only, before threads start.
 */
int64_t clock_now_us(void); /* monotonic */
/* The same clock read cheaply: it may be behind by a few milliseconds. For times to live, not for measuring. */
int64_t clock_coarse_us(void);
int64_t clock_wall_ms(void); /* since 1970-01-01 UTC */

/*
 * The coarse clock for hot paths: what it said last, as long as the processor's counter has moved by less than
 * CLOCK_TICKS_FRESH since. That is a millisecond at most: on x86 where the counter runs at 1 GHz or more, on ARM at 16
 * MHz or more (from ARMv8.6 on it does at 1 GHz: Arm Architecture Reference Manual, the generic timer). Asking the
 * system costs as much as a look-up in a table. Of one thread; begins with zeroes. While the clock is virtual it is
 * asked each time.
 */
struct clock_near {
	uint64_t ticks;
	int64_t now_us;
};
#if defined(__x86_64__)
#define CLOCK_TICKS_FRESH (UINT64_C(1) << 20)
static inline uint64_t clock_ticks(void)
{
	return __builtin_ia32_rdtsc();
}
#elif defined(__aarch64__)
#define CLOCK_TICKS_FRESH (UINT64_C(1) << 14)
static inline uint64_t clock_ticks(void)
{
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
}
#endif

extern atomic_bool clock_virtual_enabled;
int64_t clock_near_read(struct clock_near *near);

static inline int64_t clock_near_us(struct clock_near *near)
{
#ifdef CLOCK_TICKS_FRESH
	if (clock_ticks() - near->ticks < CLOCK_TICKS_FRESH &&
		!atomic_load_explicit(&clock_virtual_enabled, memory_order_relaxed))
		return near->now_us;
#endif
	return clock_near_read(near);
}

static inline int64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

void clock_set_virtual(bool is_virtual); /* starts at monotonic 1 s and wall 2026-01-01T00:00:00Z */
bool clock_is_virtual(void);
void clock_advance_us(int64_t us); /* virtual clock only */
/* Virtual clock only: the wall clock is this far ahead of what the monotonic one says, as on a machine whose clock is
 * wrong. */
void clock_set_wall_offset_ms(int64_t ms);

#endif
