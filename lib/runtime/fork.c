/* SPDX-License-Identifier: MIT */
#include "runtime/fork.h"

#include <pthread.h>
#include <stdatomic.h>

#include "runtime/exit.h"
#include "runtime/thread.h"

static atomic_uint generation;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void in_child(void)
{
	atomic_fetch_add(&generation, 1);
	thread_mark(false);
	exit_forget_all();
}

static void install(void)
{
	/* Fails only for want of memory; then the guard is missing in children, and nothing else. */
	pthread_atfork(NULL, NULL, in_child);
}

void fork_guard_install(void)
{
	pthread_once(&once, install);
}

unsigned fork_generation(void)
{
	return atomic_load_explicit(&generation, memory_order_relaxed);
}
