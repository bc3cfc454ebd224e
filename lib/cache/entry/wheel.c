/* SPDX-License-Identifier: MIT */
#include "cache/entry/wheel.h"

#define LEVEL_SHIFT 4
#define FIRST_SHIFT 18
#define REACH (WHEEL_SLOTS - 1) /* the slot being emptied is not filled again */

static int64_t wheel_tick(int64_t us, unsigned level)
{
	return us >> (FIRST_SHIFT + LEVEL_SHIFT * level);
}

void wheel_init(struct wheel *wheel, int64_t now_us)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		wheel->done[level] = wheel_tick(now_us, level) - 1;
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	}
}

static int64_t wheel_expires(const struct entry *entry)
{
	return atomic_load_explicit(&entry_timing(entry)->expires_us, memory_order_relaxed);
}

void wheel_add(struct wheel *wheel, struct entry *entry)
{
	struct list_node *node = &entry_timing(entry)->wheel;
	list_remove(node);
	int64_t due = wheel_expires(entry);
	if (due == ENTRY_NEVER)
		return;
	unsigned level = 0;
	while (level < WHEEL_LEVELS - 1 && wheel_tick(due, level) - wheel->done[level] > REACH)
		level++;
	/* Neither in a slot that was emptied already nor a lap ahead. */
	int64_t at = MAX(wheel_tick(due, level), wheel->done[level] + 1);
	at = MIN(at, wheel->done[level] + REACH);
	list_push_back(&wheel->slots[level][at % WHEEL_SLOTS], node);
}

void wheel_remove(struct entry *entry)
{
	list_remove(&entry_timing(entry)->wheel);
}

bool wheel_is_empty(const struct wheel *wheel)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			if (!list_is_empty(&wheel->slots[level][slot]))
				return false;
	return true;
}

static struct entry *wheel_take_slot(struct wheel *wheel, struct list_node *slot, int64_t now_us, size_t *budget)
{
	while (*budget > 0) {
		struct list_node *node = list_pop_front(slot);
		if (!node)
			return NULL;
		--*budget;
		struct entry *entry = (struct entry *)(void *)((char *)node + sizeof(struct entry_timing));
		if (wheel_expires(entry) <= now_us)
			return entry;
		wheel_add(wheel, entry);
	}
	return NULL;
}

struct entry *wheel_next(struct wheel *wheel, int64_t now_us, size_t *budget)
{
	/* The finest level first: entries that move down find the level below up to date. */
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		/* A slot of the lowest level is emptied when its time is over, a coarser one when its time begins. */
		int64_t last = wheel_tick(now_us, level) - (level == 0);
		if (last - wheel->done[level] > WHEEL_SLOTS)
			wheel->done[level] = last - WHEEL_SLOTS;
		while (wheel->done[level] < last) {
			struct list_node *slot = &wheel->slots[level][(wheel->done[level] + 1) % WHEEL_SLOTS];
			/* Entries that are not due move to later ticks, so this tick is over before its slot is
			 * emptied. */
			wheel->done[level]++;
			struct entry *entry = wheel_take_slot(wheel, slot, now_us, budget);
			if (entry || !list_is_empty(slot)) {
				wheel->done[level]--;
				return entry;
			}
		}
	}
	return NULL;
}
