/* SPDX-License-Identifier: MIT */
#ifndef CACHE_READER_H
#define CACHE_READER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
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
 *
 * The record also has room for what its thread holds (cache/hold.h).
 */
#define READER_SLOTS 512
#define READER_HOLDS_BITS 6
#define READER_HOLDS (1 + (1 << READER_HOLDS_BITS))

struct entry;

struct reader {
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) epoch; /* 0: outside */
	unsigned depth;                                     /* the owner's alone */
	unsigned index;
	atomic_bool is_taken;
	atomic_bool is_watching; /* an entry that it holds lingers */
	unsigned crowded;        /* the owner's alone: holds for which there was no slot */
	struct clock_near clock; /* the owner's alone */
	/* Filled by the owner, emptied by it or under the lock of holds. */
	_Alignas(CACHE_LINE_BYTES) _Atomic(struct entry *) holds[READER_HOLDS];
};

extern THREAD_LOCAL_HOT struct reader *reader_own;
extern THREAD_LOCAL_HOT struct reader *reader_quick; /* the same, or NULL where readers need a fence of their own */
extern _Atomic(uint64_t) reader_epoch;
extern bool reader_has_barrier; /* set before the first slot is handed out, never changed */

/* A slot for this thread; NULL when all are taken. */
struct reader *reader_acquire(void);

#ifndef SHIPOPT_TSAN
/* Between what a reader writes and what it reads next; the other side calls reader_barrier(). */
static inline void reader_fence(void)
{
	if (LIKELY(reader_has_barrier))
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
}
#endif

/* Begins a section of `reader_quick` that has no other inside; false if it is inside one. */
static inline bool reader_begin(struct reader *reader)
{
	if (UNLIKELY(atomic_load_explicit(&reader->epoch, memory_order_relaxed) != 0))
		return false;
	uint64_t epoch = atomic_load_explicit(&reader_epoch, memory_order_acquire);
#ifdef SHIPOPT_TSAN
	atomic_exchange(&reader->epoch, epoch);
#else
	atomic_store_explicit(&reader->epoch, epoch, memory_order_relaxed);
	atomic_signal_fence(memory_order_seq_cst);
#endif
	return true;
}

static inline void reader_end(struct reader *reader)
{
	atomic_store_explicit(&reader->epoch, 0, memory_order_release);
}

/* From here on the section that was begun is one that was entered. */
static inline void reader_go_on(struct reader *reader)
{
	reader->depth++;
}

/* NULL if the thread has no record and all are taken. */
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
	reader_fence();
#endif
	return reader;
}

/* Accepts NULL. */
static inline void reader_exit(struct reader *reader)
{
	if (LIKELY(reader != NULL) && --reader->depth == 0)
		atomic_store_explicit(&reader->epoch, 0, memory_order_release);
}

/* Every thread of the process has passed a full fence when it returns true. False: the system refuses. */
bool reader_barrier(void);
/* Records that are or were in use: those below the count. */
unsigned reader_count(void);
struct reader *reader_at(unsigned index);

/* For something that was just unlinked. */
uint64_t reader_tag(void);
/* What has a tag below this may be freed. */
uint64_t reader_horizon(void);

#endif
