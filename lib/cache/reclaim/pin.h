/* SPDX-License-Identifier: MIT */
#ifndef CACHE_PIN_H
#define CACHE_PIN_H

#include "cache/entry/entry.h"
#include "cache/reclaim/reader.h"

/*
 * Pins: handles that cost no atomic operation on memory that threads share ("hazard slots").
 *
 * A lookup that returns an entry writes it into a free slot of the calling thread's reader record
 * (cache/reclaim/reader.h). The unref on the same thread finds it there and clears the slot. Both are plain stores. An
 * entry may be in the first slot, or in one of two that follow from its address. If all are taken, or the handle is
 * unreferenced by another thread, the entry's count of references is used. A handle may be backed by either, and the
 * code never needs to know which: an entry is in use while references + slots naming it > 0. The references alone may
 * fall below what the cache itself has (ENTRY_OWNED), when a handle was dropped on another thread and its slot was not
 * cleared.
 *
 * Who keeps an entry alive, and when (dots: only while a slot names the entry):
 *
 *                      put    lookup   section  removed  no section  last
 *                             begins   ends              can see it  unref
 *   the cache          |=================================|. . . . . .|
 *   a read section            |========|
 *   a pin or reference             |=================================|
 *   the limbo                                   |========|
 *   lingering                                            |. . . . . .|
 *
 * The read section keeps the entry alive until it is pinned. The limbo keeps a removed entry until no section can see
 * it. Then pin_retire() counts the slots that name it. Usually none does: the cache drops its references, and the
 * references of handles decide. Otherwise the entry lingers: the cache's references stay, the entry is listed here and
 * marked in its count (ENTRY_LINGERS), and the readers concerned are told to watch. A reader that clears a slot while
 * it watches, or a thread that drops a reference and finds the mark, settles the entry: it counts again and frees it if
 * it was the last. A watching reader also turns its pins of lingering entries into references, so that it pays once.
 *
 * Why that is safe:
 *
 * - A slot is written inside a section, before the end of that section is published. Whoever has seen the sections end
 *   sees the slot.
 * - Nothing is freed while it is in use. Under `pin_lock`, pins of a removed entry can only vanish, and they turn into
 *   references only under that lock. Slots are counted before the references are read. So the sum is never below the
 *   truth at that moment.
 * - Nothing is forgotten. A reader clears its slot and then reads `is_watching`. The other side writes `is_watching`
 *   and then reads the slot, with the process-wide fence (reader_barrier) in between. One of them sees the other. For
 *   references the mark is in the word that is counted down. A thread that settles has made its change before it takes
 *   the lock, so the last one sees all changes.
 * - An entry that a slot names is not freed, so it can be read under the lock.
 *
 * Without a process-wide fence, clearing a slot costs a fence of the thread. A thread's exit turns its pins into
 * references. In a forked child, so do the pins of the threads that do not exist there.
 */
#define PIN_SLOTS 3

static inline size_t pin_index(const struct entry *entry)
{
	return (uint32_t)((uintptr_t)entry >> 4) * UINT32_C(0x9e3779b1) >> (32 - READER_PINS_BITS);
}

/*
 * Returns the slot with this number, 0 to PIN_SLOTS - 1, that may name the entry. A thread that holds one handle at a
 * time uses slot 0 only. The address of slot 0 does not depend on the entry, because the processor assumes that a store
 * to an address it does not know yet does not affect later loads. With slots in one small table this would be wrong too
 * often.
 */
static inline _Atomic(struct entry *) *pin_slot(struct reader *reader, const struct entry *entry, unsigned number)
{
	return &reader->pins[number == 0 ? 0 : 1 + (pin_index(entry) ^ (number - 1))];
}

/* After so many pins without a free slot, the reader's pins are turned into references: their handles may have been
 * dropped on other threads by now. Entries that linger are left out, so that a lookup never frees anything: dropping a
 * lingering entry clears its slots. */
#define PIN_CROWDED_MAX 64
void pin_relieve(struct reader *reader);
/* For a reader that watches and has cleared a slot of `entry`, which may be freed already. */
void pin_settle_own(struct reader *reader, struct entry *entry);

/* Pins an entry that was found in the reader's section. Returns false if the slot is taken. The store is a release,
 * because a thread that finds an entry by a slot reads the entry, which a third thread may have made. */
static inline bool pin_try(struct reader *reader, struct entry *entry, unsigned number)
{
	_Atomic(struct entry *) *slot = pin_slot(reader, entry, number);
	if (atomic_load_explicit(slot, memory_order_relaxed) != NULL)
		return false;
	atomic_store_explicit(slot, entry, memory_order_release);
	return true;
}

/* Pins an entry in whichever slot is free, or else takes a reference. */
static inline void pin_take(struct reader *reader, struct entry *entry)
{
	if (pin_try(reader, entry, 0) || pin_try(reader, entry, 1) || pin_try(reader, entry, 2))
		return;
	entry_ref(entry);
	reader->crowded++;
}

/* Called after a section in which something was pinned. */
static inline void pin_after_section(struct reader *reader)
{
	if (UNLIKELY(reader && reader->crowded >= PIN_CROWDED_MAX && reader->depth == 0))
		pin_relieve(reader);
}

/* Drops a pin or a reference. */
void pin_drop_slow(struct entry *entry);

static inline void pin_drop(struct entry *entry)
{
	struct reader *reader = reader_quick;
	if (UNLIKELY(!reader)) {
		pin_drop_slow(entry);
		return;
	}
	_Atomic(struct entry *) *slot = pin_slot(reader, entry, 0);
	if (UNLIKELY(atomic_load_explicit(slot, memory_order_relaxed) != entry)) {
		slot = pin_slot(reader, entry, 1);
		if (UNLIKELY(atomic_load_explicit(slot, memory_order_relaxed) != entry)) {
			pin_drop_slow(entry);
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
		pin_settle_own(reader, entry);
}

/*
 * Takes a list (by link.limbo) of entries that no section can see. Keeps those that slots name until they are unpinned,
 * counted in `account`, and returns the others. No lock may be held. May free entries.
 */
struct entry *pin_retire(struct entry *entries, struct held_account *account);

/* Called when the reader's thread ends. */
void pin_leave(struct reader *reader);
/* Called around fork(). In the child pin_forget() is called for each reader whose thread does not exist. */
void pin_before_fork(void);
void pin_after_fork(void);
void pin_forget(struct reader *reader);

#endif
