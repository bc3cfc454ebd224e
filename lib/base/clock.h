/* SPDX-License-Identifier: MIT */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The two clocks: a monotonic one for durations and deadlines, and wall time for rows and dates. Both can be
 * replaced by a virtual clock, so that whatever depends on time is tested without sleeping: the virtual clock
 * stands still until it is moved (by a test, or by the simulated reactor back-end when nothing else is left to
 * do), and moves both clocks together. One for the process; switching is for tests only, before threads start.
 */
int64_t clock_now_us(void);     /* monotonic */
/* The same clock read cheaply: it may be behind by a few milliseconds. For times to live, not for measuring. */
int64_t clock_coarse_us(void);
int64_t clock_wall_ms(void);    /* since 1970-01-01 UTC */

static inline int64_t clock_now_ms(void)
{
	return clock_now_us() / 1000;
}

void clock_set_virtual(bool is_virtual); /* starts at monotonic 1 s and wall 2026-01-01T00:00:00Z */
bool clock_is_virtual(void);
void clock_advance_us(int64_t us); /* virtual clock only */

#endif
