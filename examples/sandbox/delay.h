/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_DELAY_H
#define SANDBOX_DELAY_H

#include "base/macro.h"

/*
 * Things that happen later: one thread and a binary heap of deadlines.
 *
 * A `struct delay` is embedded in what waits; the heap only points to it. Its `run` is called on the delay thread,
 * once, without the heap's lock, and may free the memory or add the delay again. Deadlines are rounded up to the
 * millisecond, so that thousands a second cost a wake a millisecond at most. `delays_stop` ends the thread and calls
 * `drop` for what is still waiting; nothing may be added afterwards.
 */
struct delay {
	int64_t deadline_us;
	void (*run)(struct delay *delay);
	void (*drop)(struct delay *delay);
};

struct delays;

int delays_start(struct delays **ret_delays); /* SHIPOPT_ENOMEM, SHIPOPT_EAGAIN: no thread */
/* Any thread. SHIPOPT_ENOMEM: not added. */
int delays_add(struct delays *delays, struct delay *delay, int64_t after_us);
void delays_stop(struct delays *delays); /* ends and frees; accepts NULL */

#endif
