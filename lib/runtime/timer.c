/* SPDX-License-Identifier: MIT */
#include "runtime/timer.h"

static bool is_before(const struct timer *a, const struct timer *b)
{
	return a->due_us != b->due_us ? a->due_us < b->due_us : a->sequence < b->sequence;
}

/* Both are roots; the later one becomes the first child of the earlier one. */
static struct timer *meld(struct timer *a, struct timer *b)
{
	if (!a || !b)
		return a ? a : b;
	if (is_before(b, a)) {
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

static struct timer *cut(struct timer *timer)
{
	timer->sibling = timer->previous = NULL;
	return timer;
}

/* Melds a list of siblings into one heap: in pairs from the left, then the pairs from the right. */
static struct timer *meld_siblings(struct timer *first)
{
	struct timer *pairs = NULL;
	while (first) {
		struct timer *a = first, *b = a->sibling;
		first = b ? b->sibling : NULL;
		struct timer *pair = meld(cut(a), b ? cut(b) : NULL);
		pair->sibling = pairs;
		pairs = pair;
	}
	struct timer *root = NULL;
	while (pairs) {
		struct timer *pair = pairs;
		pairs = pair->sibling;
		root = meld(root, cut(pair));
	}
	return root;
}

void timer_heap_insert(struct timer_heap *heap, struct timer *timer)
{
	timer->child = NULL;
	timer->sequence = heap->sequence++;
	heap->root = meld(heap->root, cut(timer));
}

void timer_heap_remove(struct timer_heap *heap, struct timer *timer)
{
	struct timer *orphans = meld_siblings(timer->child);
	if (timer == heap->root) {
		heap->root = orphans;
	} else {
		if (timer->previous->child == timer)
			timer->previous->child = timer->sibling;
		else
			timer->previous->sibling = timer->sibling;
		if (timer->sibling)
			timer->sibling->previous = timer->previous;
		heap->root = meld(heap->root, orphans);
	}
	timer->child = NULL;
	cut(timer);
}
