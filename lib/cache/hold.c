/* SPDX-License-Identifier: MIT */
#include "cache/hold.h"

#include <pthread.h>

static pthread_mutex_t hold_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *lingering; /* by link.held */

static struct entry *hold_named_by(_Atomic(struct entry *) *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static void hold_clear(_Atomic(struct entry *) *slot)
{
	atomic_store_explicit(slot, NULL, memory_order_release);
}

/* ---- all of this with the lock held ---- */

static unsigned hold_count_slots(const struct entry *entry)
{
	unsigned count = 0, used = reader_count();
	for (unsigned i = 0; i < used; i++)
		for (unsigned number = 0; number < HOLD_PLACES; number++)
			count += hold_named_by(hold_place(reader_at(i), entry, number)) == entry;
	return count;
}

static void hold_clear_slots(const struct entry *entry)
{
	unsigned used = reader_count();
	for (unsigned i = 0; i < used; i++) {
		for (unsigned number = 0; number < HOLD_PLACES; number++) {
			_Atomic(struct entry *) *slot = hold_place(reader_at(i), entry, number);
			if (hold_named_by(slot) == entry)
				hold_clear(slot);
		}
	}
}

static void hold_unlist(struct entry *entry)
{
	struct entry **link = &lingering;
	while (*link != entry)
		link = &(*link)->link.held.next;
	*link = entry->link.held.next;
}

/* Looks again at an entry that lingers. One that nobody holds any more goes to `dead`; one that no slot names is left to
 * those who have references. */
static void hold_settle(struct entry *entry, struct entry **dead)
{
	unsigned named = hold_count_slots(entry);
	unsigned references = atomic_load_explicit(&entry->references, memory_order_acquire);
	bool is_over = references + named == ENTRY_OWNED + ENTRY_LINGERS;
	if (named && !is_over)
		return;
	hold_unlist(entry);
	if (named)
		hold_clear_slots(entry); /* their handles were given up elsewhere */
	else
		is_over = atomic_fetch_sub_explicit(&entry->references, ENTRY_OWNED + ENTRY_LINGERS,
				  memory_order_acq_rel) == ENTRY_OWNED + ENTRY_LINGERS;
	if (is_over) {
		entry->link.held.next = *dead;
		*dead = entry;
	}
}

static void hold_settle_listed(const struct entry *wanted, struct entry **dead)
{
	for (struct entry *entry = lingering; entry; entry = entry->link.held.next) {
		if (entry == wanted) {
			hold_settle(entry, dead);
			return;
		}
	}
}

static bool hold_lingers(const struct entry *entry)
{
	return atomic_load_explicit(&entry->references, memory_order_relaxed) & ENTRY_LINGERS;
}

static void hold_turn_into_reference(_Atomic(struct entry *) *slot, struct entry *entry)
{
	entry_ref(entry);
	hold_clear(slot);
}

static void hold_spill_lingering(struct reader *reader, struct entry **dead)
{
	for (unsigned i = 0; i < READER_HOLDS; i++) {
		struct entry *entry = hold_named_by(&reader->holds[i]);
		if (!entry || !hold_lingers(entry))
			continue;
		hold_turn_into_reference(&reader->holds[i], entry);
		hold_settle(entry, dead);
	}
}

/* Holds and references have the same sum as before, so there is nothing to settle. */
static void hold_spill_others(struct reader *reader)
{
	for (unsigned i = 0; i < READER_HOLDS; i++) {
		struct entry *entry = hold_named_by(&reader->holds[i]);
		if (entry && !hold_lingers(entry))
			hold_turn_into_reference(&reader->holds[i], entry);
	}
}

/* Counts in link.limbo.tag the slots that name each entry of a list, and has their readers watch. */
static bool hold_mark_named(struct entry *entries)
{
	bool found = false;
	for (struct entry *entry = entries; entry; entry = entry->link.limbo.next) {
		entry->link.limbo.tag = 0;
		entry_set_mark(entry, ENTRY_RETIRED);
	}
	unsigned used = reader_count();
	for (unsigned i = 0; i < used; i++) {
		struct reader *reader = reader_at(i);
		for (unsigned j = 0; j < READER_HOLDS; j++) {
			struct entry *entry = hold_named_by(&reader->holds[j]);
			if (!entry || !entry_is_retired(entry))
				continue;
			entry->link.limbo.tag = 1;
			atomic_store_explicit(&reader->is_watching, true, memory_order_release);
			found = true;
		}
	}
	return found;
}

static void hold_linger(struct entry *entry, struct account *account)
{
	entry_hold_account(entry, account);
	entry->link.held.next = lingering;
	lingering = entry;
	atomic_fetch_add_explicit(&entry->references, ENTRY_LINGERS, memory_order_acq_rel);
}

/* ---- without it ---- */

static void hold_free_all(struct entry *dead)
{
	for (struct entry *entry; (entry = dead);) {
		dead = entry->link.held.next;
		entry_free(entry);
	}
}

struct entry *hold_retire(struct entry *entries, struct account *account)
{
	if (!entries)
		return NULL;
	struct entry *others = NULL, *dead = NULL;
	pthread_mutex_lock(&hold_lock);
	if (!hold_mark_named(entries)) {
		pthread_mutex_unlock(&hold_lock);
		return entries;
	}
	/* Without the fence a hold that ends now may go unnoticed: the entry stays where it is then, which is safe. */
	bool has_passed = reader_barrier();
	while (entries) {
		struct entry *entry = entries;
		entries = entry->link.limbo.next;
		if (entry->link.limbo.tag == 0) {
			entry->link.limbo.next = others;
			others = entry;
			continue;
		}
		hold_linger(entry, account);
		if (has_passed)
			hold_settle(entry, &dead);
	}
	pthread_mutex_unlock(&hold_lock);
	hold_free_all(dead);
	return others;
}

void hold_relieve(struct reader *reader)
{
	reader->crowded = 0;
	pthread_mutex_lock(&hold_lock);
	hold_spill_others(reader);
	pthread_mutex_unlock(&hold_lock);
}

void hold_drop_any(struct entry *entry)
{
	struct reader *reader = reader_own;
	for (unsigned number = 0; reader && number < HOLD_PLACES; number++) {
		_Atomic(struct entry *) *slot = hold_place(reader, entry, number);
		if (atomic_load_explicit(slot, memory_order_relaxed) != entry)
			continue;
#ifdef SHIPOPT_TSAN
		atomic_exchange(slot, NULL);
#else
		hold_clear(slot);
		reader_fence();
#endif
		if (atomic_load_explicit(&reader->is_watching, memory_order_acquire))
			hold_settle_own(reader, entry);
		return;
	}
	entry_unref(entry);
}

void hold_settle_own(struct reader *reader, struct entry *entry)
{
	struct entry *dead = NULL;
	pthread_mutex_lock(&hold_lock);
	hold_spill_lingering(reader, &dead);
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
	hold_settle_listed(entry, &dead);
	pthread_mutex_unlock(&hold_lock);
	hold_free_all(dead);
}

void entry_unref_settle(struct entry *entry, unsigned before)
{
	if (before == 1) {
		entry_free(entry);
		return;
	}
	struct entry *dead = NULL;
	pthread_mutex_lock(&hold_lock);
	hold_settle_listed(entry, &dead);
	pthread_mutex_unlock(&hold_lock);
	hold_free_all(dead);
}

void hold_leave(struct reader *reader)
{
	struct entry *dead = NULL;
	pthread_mutex_lock(&hold_lock);
	hold_spill_others(reader);
	hold_spill_lingering(reader, &dead);
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
	pthread_mutex_unlock(&hold_lock);
	hold_free_all(dead);
}

void hold_before_fork(void)
{
	pthread_mutex_lock(&hold_lock);
}

void hold_after_fork(void)
{
	pthread_mutex_unlock(&hold_lock);
}

/* Its holders will never give up what they hold, so nothing is settled. */
void hold_forget(struct reader *reader)
{
	for (unsigned i = 0; i < READER_HOLDS; i++) {
		struct entry *entry = hold_named_by(&reader->holds[i]);
		if (entry)
			hold_turn_into_reference(&reader->holds[i], entry);
	}
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
}
