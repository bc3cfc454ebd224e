/* SPDX-License-Identifier: MIT */
/*
 * A program that ends while its runtime is at work, for test_runtime: its reactor fires a timer without end. Prints nothing;
 * leaves with 0 when the hook of the library has stopped the reactor before the handlers that were registered earlier run,
 * else with 3.
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
	if (shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_REACTOR) != 0 ||
		shipopt_runtime_close(runtime, -1) != SHIPOPT_ESHUTDOWN)
		_exit(3);
}

int main(void)
{
	static struct timer timer = {.fire = fire};
	atexit(check); /* handlers run backwards: this one after the library's */
	if (shipopt_runtime_new(NULL, &runtime) < 0 || runtime_reactor(runtime, &reactor) < 0)
		return 2;
	runtime_call(reactor, start_timer, &timer);
	while (atomic_load(&turns) < 10)
		;
	return 0;
}
