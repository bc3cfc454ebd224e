/* SPDX-License-Identifier: MIT */
#ifndef CACHE_READER_H
#define CACHE_READER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/macro.h"

/*
 * Read sections: how readers walk a table that others change, without a lock.
 *
 * Each thread that reads owns one slot of a process-wide array for as long as it lives. Entering a section publishes the
 * current epoch in the slot, leaving it publishes zero. Whoever unlinks something that a reader may still be looking at tags
 * it with reader_tag() and frees it once reader_horizon() has passed the tag: by then every section that began before
 * the unlinking has ended (epoch based reclamation; K. Fraser, "Practical lock-freedom", 2004).
 *
 * Why that is safe: a section reads the epoch before it publishes it, and a full fence stands between publishing and the
 * first look at the table. Unlinking is followed by a full fence before slots are read. So either the reader sees the
 * thing unlinked, or the other side sees the slot with an epoch not above the tag. Where the system can run a fence on all
 * processors that run this process (Linux: membarrier), readers have none of their own, as it would keep the processor from
 * beginning the next look-up while one waits for memory; whoever frees pays for all.
 *
 * Sections nest, must be short and must not block: a reader that stays inside holds back the memory of everything
 * unlinked meanwhile. Slots are freed by a thread's exit, also when it ends inside a section. There are
 * READER_SLOTS of them; a thread beyond gets NULL and has to take the lock instead.
 *
 * After fork() the child keeps its own slot only.
 */
#define READER_SLOTS 512

struct reader {
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) epoch; /* 0: outside */
	unsigned depth;                                     /* the owner's alone */
	unsigned index;
	atomic_bool is_taken;
};

extern _Thread_local struct reader *reader_own;
extern _Atomic(uint64_t) reader_epoch;
extern bool reader_has_barrier; /* set before the first slot is handed out, never changed */

/* A slot for this thread; NULL when all are taken. */
struct reader *reader_acquire(void);

static inline struct reader *reader_enter(void)
{
	struct reader *reader = reader_own;
	if (UNLIKELY(!reader) && !(reader = reader_acquire()))
		return NULL;
	if (reader->depth++ > 0)
		return reader;
	/* Acquired: no look at the table comes before it. */
	uint64_t epoch = atomic_load_explicit(&reader_epoch, memory_order_acquire);
#ifdef SHIPOPT_TSAN
	atomic_exchange(&reader->epoch, epoch);
#else
	atomic_store_explicit(&reader->epoch, epoch, memory_order_relaxed);
	if (LIKELY(reader_has_barrier))
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
#endif
	return reader;
}

/* Accepts NULL. */
static inline void reader_exit(struct reader *reader)
{
	if (LIKELY(reader != NULL) && --reader->depth == 0)
		atomic_store_explicit(&reader->epoch, 0, memory_order_release);
}

/* For something that was just unlinked. */
uint64_t reader_tag(void);
/* What has a tag below this may be freed. */
uint64_t reader_horizon(void);

#endif
