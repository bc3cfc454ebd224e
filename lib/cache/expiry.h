/* SPDX-License-Identifier: MIT */
#ifndef CACHE_EXPIRY_H
#define CACHE_EXPIRY_H

#include "cache/entry.h"

/*
 * The wheel of a shard: finds expired entries, so that their memory comes back without anyone reading them. Whether an entry
 * is expired is decided by its own time when it is read; the wheel is late by up to a quarter of a second, on purpose.
 *
 * Eight levels of 32 slots; a slot of the lowest is 2^18 µs long, each level is sixteen times coarser (Varghese and
 * Lauck, "Hashed and hierarchical timing wheels", 1987), so that a slot's content always fits in the level below. An entry
 * stands in the lowest level that reaches its time; when the time of its slot comes it moves down or is handed out. The link is part of the entry and leaves the wheel in the same
 * locked section as the entry leaves the index. Under the shard's lock.
 */
#define WHEEL_LEVELS 8
#define WHEEL_SLOTS 32

struct wheel {
	int64_t done[WHEEL_LEVELS]; /* last tick of the level that was emptied */
	struct list_node slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, int64_t now_us);
/* A timed entry; also moves one that stands in it. One that never expires leaves it. */
void wheel_add(struct wheel *wheel, struct entry *entry);
void wheel_remove(struct entry *entry);
bool wheel_is_empty(const struct wheel *wheel);
/*
 * The next expired entry, taken from the wheel; NULL when there is none or the budget of entries to look at is used up
 * (*budget is counted down). Call until NULL.
 */
struct entry *wheel_next(struct wheel *wheel, int64_t now_us, size_t *budget);

#endif
