/* SPDX-License-Identifier: MIT */
#ifndef CACHE_READER_H
#define CACHE_READER_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/macro.h"

/*
 * Read sections: how readers walk a table that other threads change, without a lock (epoch based reclamation; K.
 * Fraser, "Practical lock-freedom", 2004).
 *
 * Each thread that reads owns one record of a process-wide array for as long as it lives. Entering a section publishes
 * the current epoch in the record. Leaving it publishes zero. A writer tags what it unlinks with reader_tag(), and
 * frees it once reader_horizon() has passed the tag: every section that began before the unlinking has then ended.
 *
 * Why that is safe: a section reads the epoch before it publishes it, and a full fence separates the publishing from
 * the first look at the table. A full fence also separates unlinking from reading the records. So either the reader
 * sees that the thing is unlinked, or the writer sees a record with an epoch not above the tag. On Linux the writer can
 * make all processors of the process run a fence (membarrier), so the readers need none. A fence in a lookup would keep
 * the processor from beginning the next one while this one waits for memory.
 *
 * Sections nest, must be short and must not block: a reader that stays inside keeps the memory of everything unlinked
 * since then from being freed. A thread's exit ends its sections and frees its record. A thread that finds all
 * READER_SLOTS records taken gets NULL, and must take the shard's lock instead. After fork() the child keeps its own
 * record only.
 *
 * The record also holds the pins of its thread (cache/reclaim/pin.h).
 */
#define READER_SLOTS 512
#define READER_PINS_BITS 6
#define READER_PINS (1 + (1 << READER_PINS_BITS))

struct entry;

struct reader {
	_Alignas(CACHE_LINE_BYTES) _Atomic(uint64_t) epoch; /* 0: outside */
	unsigned depth;                                     /* of nested sections; used by the owner only */
	unsigned index;
	atomic_bool is_taken;
	atomic_bool is_watching; /* the owner must settle an entry that it unpins */
	unsigned crowded;        /* how many pins found no slot; used by the owner only */
	struct clock_near clock; /* used by the owner only */
	/* Filled by the owner. Emptied by the owner, or under the lock of pins. */
	_Alignas(CACHE_LINE_BYTES) _Atomic(struct entry *) pins[READER_PINS];
};

extern THREAD_LOCAL_HOT struct reader *reader_own;
extern THREAD_LOCAL_HOT struct reader *reader_quick; /* the same, or NULL where readers need a fence of their own */
extern _Atomic(uint64_t) reader_epoch;
extern bool reader_has_barrier; /* set before the first slot is handed out, never changed */

/* Returns a new record for this thread, or NULL if all are taken. */
struct reader *reader_acquire(void);

#ifndef SHIPOPT_TSAN
/* The reader's half of a fence between its write and its next read. The other side calls reader_barrier(). */
static inline void reader_fence(void)
{
	if (LIKELY(reader_has_barrier))
		atomic_signal_fence(memory_order_seq_cst);
	else
		atomic_thread_fence(memory_order_seq_cst);
}
#endif

/* Begins a section of `reader_quick` in which no other begins. Returns false if the thread is inside a section. */
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

/* Turns a section that was begun into one that was entered: it ends with reader_exit(). */
static inline void reader_continue(struct reader *reader)
{
	reader->depth++;
}

/* Enters a section. Returns NULL if the thread has no record and all are taken. */
static inline struct reader *reader_enter(void)
{
	struct reader *reader = reader_own;
	if (UNLIKELY(!reader) && !(reader = reader_acquire()))
		return NULL;
	if (reader->depth++ > 0)
		return reader;
	/* Acquire: no read of the table comes before it. */
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

/* Makes every thread of the process pass a full fence. Returns false if the system refuses. */
bool reader_barrier(void);
/* Whether readers must run a fence themselves. */
bool reader_needs_fence(void);
/* Registers the process for reader_barrier(). Called once, and again in a forked child. */
bool reader_barrier_prepare(void);
/* Records at and above this index were never used. */
unsigned reader_count(void);
void reader_raise_count(unsigned count);
struct reader *reader_at(unsigned index);

/* Returns the tag for something that was just unlinked. */
uint64_t reader_tag(void);
/* Returns the horizon: what has a lower tag may be freed. */
uint64_t reader_horizon(void);

#endif
