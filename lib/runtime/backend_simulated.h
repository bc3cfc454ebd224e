/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_BACKEND_SIMULATED_H
#define RUNTIME_BACKEND_SIMULATED_H

#include "runtime/backend.h"

/*
 * A back-end without descriptors, for tests. A test makes a reactor with reactor_new(&reactor_backend_simulated, …),
 * switches to the virtual clock, says which descriptors (any non-negative numbers) are ready, and calls reactor_turn()
 * on its own thread.
 *
 * Readiness is level-triggered: what was set stays until it is cleared. When nothing is ready and nothing was woken, a
 * turn moves the virtual clock by the time it was to wait, which the reactor bounds by its next timer; a turn
 * that would wait without end returns at once. On the real clock it returns at once.
 */

/* What `fd` is ready for from now on: REACTOR_READ, REACTOR_WRITE, REACTOR_ERROR or 0. SHIPOPT_ENOMEM. */
int simulated_set_ready(struct reactor *reactor, int fd, unsigned events);
/* Waits, in real time, until another thread wakes the reactor; the wake is left for
 * the next turn. False when the time is over. */
bool simulated_wait_woken(struct reactor *reactor, int64_t timeout_ms);

#endif
