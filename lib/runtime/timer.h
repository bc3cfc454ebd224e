/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_TIMER_H
#define RUNTIME_TIMER_H

#include "runtime/reactor.h"

/*
 * The reactor's timers as an intrusive pairing heap (Fredman, Sedgewick, Sleator, Tarjan: "The pairing heap: a new form
 * of self-adjusting heap", Algorithmica 1986).
 *
 * Chosen because it needs no memory beyond the timers themselves: setting and stopping a timer cannot fail. Insert is
 * O(1), removal O(log n) amortised. Timers that are due at the same time leave in the order they came.
 *
 * In a timer `child` is its first child, `sibling` the next child of the same parent and `previous` the one before it,
 * or the parent of a first child. The root has neither sibling nor previous. Used by one thread.
 */
struct timer_heap {
	struct timer *root;
	uint64_t sequence;
};

/* `due_us` is set. */
void timer_heap_insert(struct timer_heap *heap, struct timer *timer);
void timer_heap_remove(struct timer_heap *heap, struct timer *timer);
static inline struct timer *timer_heap_first(const struct timer_heap *heap)
{
	return heap->root;
}

#endif
