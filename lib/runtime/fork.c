/* SPDX-License-Identifier: MIT */
#include "runtime/fork.h"

#include <pthread.h>

#include "runtime/exit.h"
#include "runtime/thread.h"

atomic_uint fork_generation_now;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void fork_in_child(void)
{
	atomic_fetch_add(&fork_generation_now, 1);
	thread_mark(false);
	exit_forget_all();
}

static void fork_install(void)
{
	/* Fails only for want of memory; then the guard is missing in children, and nothing else. */
	pthread_atfork(NULL, NULL, fork_in_child);
}

void fork_guard_install(void)
{
	pthread_once(&once, fork_install);
}
