/* SPDX-License-Identifier: MIT */
#ifndef CACHE_HOLD_H
#define CACHE_HOLD_H

#include "cache/entry.h"
#include "cache/reader.h"

/*
 * Holds: handles that cost no atomic operation on what threads share.
 *
 * A look-up that hands an entry out writes it into a free slot of the calling thread's reader record
 * (cache/reader.h); the unref on the same thread finds it there and clears it. Both are plain stores. An
 * entry may stand in the first slot, or in two that follow from its address. If all are taken, or the handle is
 * given up by another thread than the one that got it, the entry's count of references is used. Which of the two a handle
 * goes by is not known, nor needed: the holders of an entry are its references and the slots that name it,
 * together. References alone may go below what the cache holds itself (ENTRY_OWNED), when a handle was given
 * up elsewhere and its slot still stands.
 *
 * Freeing. hold_retire() gets entries that no section can see any more: from then on no slot begins to name
 * them. It counts the slots that do. Most entries have none, and from there on their references decide. The
 * others linger: the cache's own references stay, the entry is listed here, marked in its count
 * (ENTRY_LINGERS), and the readers concerned are told to watch. Who drops a hold and is told to watch, or
 * drops a reference and finds the mark, settles the entry: counts again. A watching reader also turns its
 * holds of lingering entries into references, so that it pays once.
 *
 * Why that is safe.
 * - A slot is written inside a section, before the end of that section is published. So whoever has seen the
 *   sections end sees the slot.
 * - Nothing is freed while it is held: under `hold_lock` holds of an unlinked entry only vanish, and turn
 *   into references under the lock only. Slots are counted before the references are read. So the sum is
 *   never below the truth at that moment.
 * - Nothing is forgotten: a reader clears its slot and then reads `is_watching`; the other side writes that
 *   and then reads the slot, with the process-wide fence in between (reader_barrier). One of them sees the
 *   other. For references the mark is in the very word that is counted down. Who settles has made its own
 *   change before it takes the lock, so the last to come sees all.
 * - An entry that a slot names is not freed, so under the lock it can be looked at.
 *
 * Where there is no process-wide fence giving up a hold costs a fence of the thread's own. A thread's exit
 * turns its holds into references; in a forked child so are those of the threads that are not there.
 */
#define HOLD_PLACES 3

static inline size_t hold_index(const struct entry *entry)
{
	return (uint32_t)((uintptr_t)entry >> 4) * UINT32_C(0x9e3779b1) >> (32 - READER_HOLDS_BITS);
}

/*
 * Where an entry may stand, by `number` from 0 to HOLD_PLACES. Who holds one entry at a time uses the first alone. Its address
 * does not wait for the entry's: the processor guesses that a store to a place not known yet does not concern
 * the loads behind it, and if they were slots of one small table it would guess wrong too often.
 */
static inline _Atomic(struct entry *) *hold_place(struct reader *reader, const struct entry *entry, unsigned number)
{
	return &reader->holds[number == 0 ? 0 : 1 + (hold_index(entry) ^ (number - 1))];
}

/* So many times no slot was free: the reader's holds are turned into references, as their handles may have been given up elsewhere
 * by now. Not those of entries that linger: whoever gives one of these up empties its slots. So nothing is freed where somebody only
 * looks something up. */
#define HOLD_CROWDED_MAX 64
void hold_relieve(struct reader *reader);
/* The reader was told to watch and has given up a hold of `entry`, which may be gone. */
void hold_settle_own(struct reader *reader, struct entry *entry);

/* In the reader's section, for an entry seen in it: false, and nothing done, if that slot is taken. Slots are written with
 * release: who finds an entry by one looks into it, and it may be a third thread's making. */
static inline bool hold_put(struct reader *reader, struct entry *entry, unsigned number)
{
	_Atomic(struct entry *) *slot = hold_place(reader, entry, number);
	if (atomic_load_explicit(slot, memory_order_relaxed) != NULL)
		return false;
	atomic_store_explicit(slot, entry, memory_order_release);
	return true;
}

/* By whichever slot is free, else by a reference. */
static inline void hold_take(struct reader *reader, struct entry *entry)
{
	if (hold_put(reader, entry, 0) || hold_put(reader, entry, 1) || hold_put(reader, entry, 2))
		return;
	entry_ref(entry);
	reader->crowded++;
}

/* Behind a section in which something was taken. */
static inline void hold_after(struct reader *reader)
{
	if (UNLIKELY(reader && reader->crowded >= HOLD_CROWDED_MAX && reader->depth == 0))
		hold_relieve(reader);
}

/* Gives up a hold or a reference. */
void hold_drop_any(struct entry *entry);

static inline void hold_drop(struct entry *entry)
{
	struct reader *reader = reader_quick;
	if (UNLIKELY(!reader)) {
		hold_drop_any(entry);
		return;
	}
	_Atomic(struct entry *) *slot = hold_place(reader, entry, 0);
	if (UNLIKELY(atomic_load_explicit(slot, memory_order_relaxed) != entry)) {
		slot = hold_place(reader, entry, 1);
		if (UNLIKELY(atomic_load_explicit(slot, memory_order_relaxed) != entry)) {
			hold_drop_any(entry);
			return;
		}
	}
#ifdef SHIPOPT_TSAN
	atomic_exchange(slot, NULL);
#else
	atomic_store_explicit(slot, NULL, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
#endif
	if (UNLIKELY(atomic_load_explicit(&reader->is_watching, memory_order_acquire)))
		hold_settle_own(reader, entry);
}

/*
 * Entries of a list by link.limbo that no section can see: keeps those that slots name, until they are given up, and
 * returns the others. `account` counts those kept. No lock held; may free entries.
 */
struct entry *hold_retire(struct entry *entries, struct account *account);

/* The reader's thread ends. */
void hold_leave(struct reader *reader);
/* Around fork(). In the child, `hold_forget` is for each reader whose thread is not there. */
void hold_before_fork(void);
void hold_after_fork(void);
void hold_forget(struct reader *reader);

#endif
