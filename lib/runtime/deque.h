/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_DEQUE_H
#define RUNTIME_DEQUE_H

#include <stdatomic.h>

#include "runtime/task.h"

/*
 * The work-stealing deque of Chase and Lev in the C11 form of Lê, Pop, Cohen and Zappa Nardelli ("Correct and efficient
 * work-stealing for weak memory models", PPoPP 2013), with a ring of fixed size: what does not fit goes to the
 * scheduler's common list, so nothing is ever allocated.
 *
 * The owner pushes and takes at the bottom, last in first out; any thread steals at the top. ThreadSanitizer does not
 * model stand-alone fences, so under SHIPOPT_TSAN every access is sequentially consistent instead.
 */
#define DEQUE_SIZE 256

struct deque { /* padded, not aligned: it is allocated, and allocators only know the common alignment */
	atomic_int_fast64_t top;
	char apart[CACHE_LINE_BYTES];
	atomic_int_fast64_t bottom;
	_Atomic(struct task *) slots[DEQUE_SIZE];
};

void deque_init(struct deque *deque);
/* False when full. Owner only. */
bool deque_push(struct deque *deque, struct task *task);
/* The task pushed last, or NULL. Owner only. */
struct task *deque_take(struct deque *deque);
/* The oldest task, or NULL when there is none or another thread was faster. Any thread, the owner too. */
struct task *deque_steal(struct deque *deque);
/* A guess on any thread; exact for what was pushed before in the single order of sequentially consistent operations. */
bool deque_is_empty(const struct deque *deque);
/* How many more fit at least. Owner only. */
size_t deque_space(const struct deque *deque);

/* Orders what came before it against what follows, both ways. */
static inline void deque_fence(void)
{
#ifndef SHIPOPT_TSAN
	atomic_thread_fence(memory_order_seq_cst);
#endif
}

#endif
