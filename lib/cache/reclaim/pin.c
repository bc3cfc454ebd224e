/* SPDX-License-Identifier: MIT */
#include "cache/reclaim/pin.h"

#include <pthread.h>

static pthread_mutex_t pin_lock = PTHREAD_MUTEX_INITIALIZER;
static struct entry *lingering; /* linked by link.held */

static struct entry *pin_entry_in(_Atomic(struct entry *) *slot)
{
	return atomic_load_explicit(slot, memory_order_acquire);
}

static void pin_clear(_Atomic(struct entry *) *slot)
{
	atomic_store_explicit(slot, NULL, memory_order_release);
}

/* ---- with the lock held ------------------------------------------------------------------------------------ */

static unsigned pin_count_slots(const struct entry *entry)
{
	unsigned count = 0, used = reader_count();
	for (unsigned i = 0; i < used; i++)
		for (unsigned number = 0; number < PIN_SLOTS; number++)
			count += pin_entry_in(pin_slot(reader_at(i), entry, number)) == entry;
	return count;
}

static void pin_clear_slots(const struct entry *entry)
{
	unsigned used = reader_count();
	for (unsigned i = 0; i < used; i++) {
		for (unsigned number = 0; number < PIN_SLOTS; number++) {
			_Atomic(struct entry *) *slot = pin_slot(reader_at(i), entry, number);
			if (pin_entry_in(slot) == entry)
				pin_clear(slot);
		}
	}
}

static void pin_unlist(struct entry *entry)
{
	struct entry **link = &lingering;
	while (*link != entry)
		link = &(*link)->link.held.next;
	*link = entry->link.held.next;
}

/* Counts the uses of a lingering entry again. An entry that is not in use goes to `dead`. One that no slot names is
 * left to its references. */
static void pin_settle(struct entry *entry, struct entry **dead)
{
	unsigned named = pin_count_slots(entry);
	unsigned references = atomic_load_explicit(&entry->references, memory_order_acquire);
	bool is_over = references + named == ENTRY_OWNED + ENTRY_LINGERS;
	if (named && !is_over)
		return;
	pin_unlist(entry);
	if (named)
		pin_clear_slots(entry); /* their handles were dropped on other threads */
	else
		is_over = atomic_fetch_sub_explicit(&entry->references, ENTRY_OWNED + ENTRY_LINGERS,
				  memory_order_acq_rel) == ENTRY_OWNED + ENTRY_LINGERS;
	if (is_over) {
		entry->link.held.next = *dead;
		*dead = entry;
	}
}

static void pin_settle_listed(const struct entry *wanted, struct entry **dead)
{
	for (struct entry *entry = lingering; entry; entry = entry->link.held.next) {
		if (entry == wanted) {
			pin_settle(entry, dead);
			return;
		}
	}
}

static bool pin_lingers(const struct entry *entry)
{
	return atomic_load_explicit(&entry->references, memory_order_relaxed) & ENTRY_LINGERS;
}

static void pin_turn_into_reference(_Atomic(struct entry *) *slot, struct entry *entry)
{
	entry_ref(entry);
	pin_clear(slot);
}

static void pin_spill_lingering(struct reader *reader, struct entry **dead)
{
	for (unsigned i = 0; i < READER_PINS; i++) {
		struct entry *entry = pin_entry_in(&reader->pins[i]);
		if (!entry || !pin_lingers(entry))
			continue;
		pin_turn_into_reference(&reader->pins[i], entry);
		pin_settle(entry, dead);
	}
}

/* The sum of pins and references does not change, so there is nothing to settle. */
static void pin_spill_others(struct reader *reader)
{
	for (unsigned i = 0; i < READER_PINS; i++) {
		struct entry *entry = pin_entry_in(&reader->pins[i]);
		if (entry && !pin_lingers(entry))
			pin_turn_into_reference(&reader->pins[i], entry);
	}
}

/* Marks in link.limbo.tag the entries of a list that slots name, and makes the readers of these slots watch. */
static bool pin_mark_named(struct entry *entries)
{
	bool found = false;
	for (struct entry *entry = entries; entry; entry = entry->link.limbo.next) {
		entry->link.limbo.tag = 0;
		entry_set_mark(entry, ENTRY_RETIRED);
	}
	unsigned used = reader_count();
	for (unsigned i = 0; i < used; i++) {
		struct reader *reader = reader_at(i);
		for (unsigned j = 0; j < READER_PINS; j++) {
			struct entry *entry = pin_entry_in(&reader->pins[j]);
			if (!entry || !entry_is_retired(entry))
				continue;
			entry->link.limbo.tag = 1;
			atomic_store_explicit(&reader->is_watching, true, memory_order_release);
			found = true;
		}
	}
	return found;
}

static void pin_linger(struct entry *entry, struct held_account *account)
{
	entry_count_as_held(entry, account);
	entry->link.held.next = lingering;
	lingering = entry;
	atomic_fetch_add_explicit(&entry->references, ENTRY_LINGERS, memory_order_acq_rel);
}

/* ---- without the lock -------------------------------------------------------------------------------------- */

static void pin_free_all(struct entry *dead)
{
	for (struct entry *entry; (entry = dead);) {
		dead = entry->link.held.next;
		entry_free(entry);
	}
}

struct entry *pin_retire(struct entry *entries, struct held_account *account)
{
	if (!entries)
		return NULL;
	struct entry *others = NULL, *dead = NULL;
	pthread_mutex_lock(&pin_lock);
	if (!pin_mark_named(entries)) {
		pthread_mutex_unlock(&pin_lock);
		return entries;
	}
	/* Without the fence a slot that is cleared now may go unnoticed. The entry then stays listed, which is safe. */
	bool has_passed = reader_barrier();
	while (entries) {
		struct entry *entry = entries;
		entries = entry->link.limbo.next;
		if (entry->link.limbo.tag == 0) {
			entry->link.limbo.next = others;
			others = entry;
			continue;
		}
		pin_linger(entry, account);
		if (has_passed)
			pin_settle(entry, &dead);
	}
	pthread_mutex_unlock(&pin_lock);
	pin_free_all(dead);
	return others;
}

void pin_relieve(struct reader *reader)
{
	reader->crowded = 0;
	pthread_mutex_lock(&pin_lock);
	pin_spill_others(reader);
	pthread_mutex_unlock(&pin_lock);
}

void pin_drop_slow(struct entry *entry)
{
	struct reader *reader = reader_own;
	for (unsigned number = 0; reader && number < PIN_SLOTS; number++) {
		_Atomic(struct entry *) *slot = pin_slot(reader, entry, number);
		if (atomic_load_explicit(slot, memory_order_relaxed) != entry)
			continue;
#ifdef SHIPOPT_TSAN
		atomic_exchange(slot, NULL);
#else
		pin_clear(slot);
		reader_fence();
#endif
		if (atomic_load_explicit(&reader->is_watching, memory_order_acquire))
			pin_settle_own(reader, entry);
		return;
	}
	entry_unref(entry);
}

void pin_settle_own(struct reader *reader, struct entry *entry)
{
	struct entry *dead = NULL;
	pthread_mutex_lock(&pin_lock);
	pin_spill_lingering(reader, &dead);
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
	pin_settle_listed(entry, &dead);
	pthread_mutex_unlock(&pin_lock);
	pin_free_all(dead);
}

void entry_unref_settle(struct entry *entry, unsigned before)
{
	if (before == 1) {
		entry_free(entry);
		return;
	}
	struct entry *dead = NULL;
	pthread_mutex_lock(&pin_lock);
	pin_settle_listed(entry, &dead);
	pthread_mutex_unlock(&pin_lock);
	pin_free_all(dead);
}

void pin_leave(struct reader *reader)
{
	struct entry *dead = NULL;
	pthread_mutex_lock(&pin_lock);
	pin_spill_others(reader);
	pin_spill_lingering(reader, &dead);
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
	pthread_mutex_unlock(&pin_lock);
	pin_free_all(dead);
}

void pin_before_fork(void)
{
	pthread_mutex_lock(&pin_lock);
}

void pin_after_fork(void)
{
	pthread_mutex_unlock(&pin_lock);
}

/* The threads that pinned these entries do not exist, so nothing is settled. */
void pin_forget(struct reader *reader)
{
	for (unsigned i = 0; i < READER_PINS; i++) {
		struct entry *entry = pin_entry_in(&reader->pins[i]);
		if (entry)
			pin_turn_into_reference(&reader->pins[i], entry);
	}
	atomic_store_explicit(&reader->is_watching, false, memory_order_relaxed);
}
