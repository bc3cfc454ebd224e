/* SPDX-License-Identifier: MIT */
#include "base/clock.h"
#include "runtime/backend_simulated.h"
#include "runtime/runtime_private.h"

/* Waiting in a simulation: the thread that waits turns the reactor, in virtual time. */

/* How long a wait that has nothing left to do gives other threads of the test to post something. */
#define SIMULATED_PATIENCE_MS 2000

static bool runtime_simulate_turn(shipopt_runtime *runtime, int64_t timeout_us)
{
	struct reactor *reactor = runtime->reactors[0].reactor;
	for (int i = 0; i < 2; i++) { /* the first may only have taken a wake */
		int64_t before = clock_now_us();
		if (reactor_turn(reactor, timeout_us) > 0 || clock_now_us() != before)
			return true;
	}
	return simulated_wait_woken(reactor, SIMULATED_PATIENCE_MS);
}

bool runtime_simulate(shipopt_runtime *runtime, bool (*is_over)(void *argument), void *argument, int64_t timeout_ms)
{
	int64_t end = timeout_ms < 0 ? -1 : clock_now_us() + timeout_ms * 1000;
	while (!is_over(argument)) {
		int64_t left = end < 0 ? -1 : end - clock_now_us();
		if ((end >= 0 && left <= 0) || !runtime_simulate_turn(runtime, left))
			return false;
	}
	return true;
}
