/* SPDX-License-Identifier: MIT */
/*
 * A program that ends while its runtime is at work, for test_runtime: its reactor fires a timer without end. Prints
 * nothing; leaves with 0 when the hook of the library has stopped the reactor before the handlers that were registered
 * earlier run, or has waited for that as long as it may and the reactor ends soon; else with 3.
 */
#include <shipopt/runtime.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "runtime/runtime.h"

static atomic_int turns;
static struct reactor *reactor;
static shipopt_runtime *runtime;
static int64_t left_us;

static void fire(struct timer *timer)
{
	atomic_fetch_add(&turns, 1);
	timer_start(reactor, timer, clock_now_us());
}

static void start_timer(void *argument)
{
	timer_start(reactor, argument, clock_now_us());
}

static void check(void)
{
	bool has_waited =
		clock_now_us() - left_us >= 100000; /* a busy machine may not let the reactor run in that time */
	bool has_ended = shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_REACTOR) == 0;
	if ((!has_ended && !has_waited) || shipopt_runtime_close(runtime, -1) != SHIPOPT_ESHUTDOWN)
		_exit(3);
	while (shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_REACTOR) != 0)
		;
}

int main(void)
{
	static struct timer timer = {.fire = fire};
	atexit(check); /* handlers run backwards: this one after the library's */
	if (shipopt_runtime_new(NULL, &runtime, NULL) < 0 || runtime_reactor(runtime, &reactor) < 0)
		return 2;
	runtime_call(reactor, start_timer, &timer);
	while (atomic_load(&turns) < 10)
		;
	left_us = clock_now_us();
	return 0;
}
