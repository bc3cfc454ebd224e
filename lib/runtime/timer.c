/* SPDX-License-Identifier: MIT */
#include "runtime/timer.h"

static bool timer_is_before(const struct timer *a, const struct timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

/* Both are roots; the later one becomes the first child of the earlier one. */
static struct timer *timer_meld(struct timer *a, struct timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (timer_is_before(b, a)) {
		struct timer *swap = a;
		a = b;
		b = swap;
	}
	b->previous = a;
	b->sibling = a->child;
	if (a->child)
		a->child->previous = b;
	a->child = b;
	return a;
}

static struct timer *timer_cut(struct timer *timer)
{
	timer->sibling = timer->previous = NULL;
	return timer;
}

/* Melds a list of siblings into one heap: in pairs from the left, then the pairs from the right. */
static struct timer *timer_meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL;
	while (first) {
		struct timer *a = first, *b = a->sibling;
		first = b ? b->sibling : NULL;
		struct timer *pair = timer_meld(timer_cut(a), b ? timer_cut(b) : NULL);
		pair->sibling = pairs;
		pairs = pair;
	}
	struct timer *root = NULL;
	while (pairs) {
		struct timer *pair = pairs;
		pairs = pair->sibling;
		root = timer_meld(root, timer_cut(pair));
	}
	return root;
}

void timer_heap_insert(struct timer_heap *heap, struct timer *timer)
{
	timer->child = NULL;
	timer->sequence = heap->sequence++;
	heap->root = timer_meld(heap->root, timer_cut(timer));
}

void timer_heap_remove(struct timer_heap *heap, struct timer *timer)
{
	struct timer *orphans = timer_meld_siblings(timer->child);
	if (timer == heap->root) {
		heap->root = orphans;
	} else {
		if (timer->previous->child == timer)
			timer->previous->child = timer->sibling;
		else
			timer->previous->sibling = timer->sibling;
		if (timer->sibling)
			timer->sibling->previous = timer->previous;
		heap->root = timer_meld(heap->root, orphans);
	}
	timer->child = NULL;
	timer_cut(timer);
}
