/* SPDX-License-Identifier: MIT */
#ifndef BASE_REFERENCE_H
#define BASE_REFERENCE_H

#include <stdatomic.h>

#include "base/macro.h"

/*
 * A reference count. Taking one needs no ordering: whoever takes it already holds one. Dropping releases this
 * thread's writes and the last drop acquires all of them before the object is torn down.
 */
struct reference {
	atomic_uint count;
};

static inline void reference_init(struct reference *reference)
{
	atomic_init(&reference->count, 1);
}

static inline void reference_take(struct reference *reference)
{
	unsigned before = atomic_fetch_add_explicit(&reference->count, 1, memory_order_relaxed);
	ASSERT(before > 0 && before < UINT32_MAX / 2);
}

/* Takes one only if there is still one: for whoever knows the memory to be there, but not whether its owner is. */
static inline bool reference_try_take(struct reference *reference)
{
	unsigned before = atomic_load_explicit(&reference->count, memory_order_relaxed);
	while (before > 0)
		if (atomic_compare_exchange_weak_explicit(&reference->count, &before, before + 1, memory_order_relaxed,
			    memory_order_relaxed))
			return true;
	return false;
}

/* True for the last drop: the caller frees the object. */
static inline bool reference_drop(struct reference *reference)
{
	unsigned before = atomic_fetch_sub_explicit(&reference->count, 1, memory_order_acq_rel);
	ASSERT(before > 0);
	return before == 1;
}

#endif
