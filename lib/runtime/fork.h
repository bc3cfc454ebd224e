/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_FORK_H
#define RUNTIME_FORK_H

#include <stdatomic.h>

/*
 * The guard against use in a forked child. Of all threads only the one that forked exists there, and locks may be held
 * for ever, so nothing made before may be touched: each runtime remembers the generation it was made in, and a handler
 * of pthread_atfork() starts a new one in every child. Comparing costs about a nanosecond.
 */
void fork_guard_install(void); /* once is enough, more do no harm */
extern atomic_uint fork_generation_now;

static inline unsigned fork_generation(void)
{
	return atomic_load_explicit(&fork_generation_now, memory_order_relaxed);
}

#endif
