/* SPDX-License-Identifier: MIT */
#include "runtime/deque.h"

#ifdef SHIPOPT_TSAN
#define RELAXED memory_order_seq_cst
#define ACQUIRE memory_order_seq_cst
#define RELEASE_FENCE() ((void)0)
#else
#define RELAXED memory_order_relaxed
#define ACQUIRE memory_order_acquire
#define RELEASE_FENCE() atomic_thread_fence(memory_order_release)
#endif

static _Atomic(struct task *) *slot(struct deque *deque, int_fast64_t index)
{
	return &deque->slots[(uint64_t)index % DEQUE_SIZE];
}

void deque_init(struct deque *deque)
{
	atomic_init(&deque->top, 0);
	atomic_init(&deque->bottom, 0);
	for (size_t i = 0; i < DEQUE_SIZE; i++)
		atomic_init(&deque->slots[i], NULL);
}

size_t deque_space(const struct deque *deque)
{
	int_fast64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED);
	int_fast64_t top = atomic_load_explicit(&deque->top, ACQUIRE);
	return (size_t)(DEQUE_SIZE - (bottom - top));
}

bool deque_push(struct deque *deque, struct task *task)
{
	int_fast64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED);
	int_fast64_t top = atomic_load_explicit(&deque->top, ACQUIRE);
	if (bottom - top >= DEQUE_SIZE)
		return false;
	atomic_store_explicit(slot(deque, bottom), task, RELAXED);
	RELEASE_FENCE();
	atomic_store_explicit(&deque->bottom, bottom + 1, RELAXED);
	return true;
}

struct task *deque_take(struct deque *deque)
{
	int_fast64_t bottom = atomic_load_explicit(&deque->bottom, RELAXED) - 1;
	atomic_store_explicit(&deque->bottom, bottom, RELAXED);
	deque_fence();
	int_fast64_t top = atomic_load_explicit(&deque->top, RELAXED);
	if (top > bottom) {
		atomic_store_explicit(&deque->bottom, bottom + 1, RELAXED);
		return NULL;
	}
	struct task *task = atomic_load_explicit(slot(deque, bottom), RELAXED);
	if (top == bottom) { /* the last one: thieves may want it too */
		if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst, RELAXED))
			task = NULL;
		atomic_store_explicit(&deque->bottom, bottom + 1, RELAXED);
	}
	return task;
}

struct task *deque_steal(struct deque *deque)
{
	int_fast64_t top = atomic_load_explicit(&deque->top, ACQUIRE);
	deque_fence();
	int_fast64_t bottom = atomic_load_explicit(&deque->bottom, ACQUIRE);
	if (top >= bottom)
		return NULL;
	/* Read before it is claimed: afterwards the owner may reuse the slot. */
	struct task *task = atomic_load_explicit(slot(deque, top), RELAXED);
	if (!atomic_compare_exchange_strong_explicit(&deque->top, &top, top + 1, memory_order_seq_cst, RELAXED))
		return NULL;
	return task;
}

bool deque_is_empty(const struct deque *deque)
{
	int_fast64_t top = atomic_load(&deque->top);
	return atomic_load(&deque->bottom) <= top;
}
