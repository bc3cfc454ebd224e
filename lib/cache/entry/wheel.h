/* SPDX-License-Identifier: MIT */
#ifndef CACHE_WHEEL_H
#define CACHE_WHEEL_H

#include "cache/entry/entry.h"

/*
 * The timer wheel of a shard. It finds expired entries, so that their memory is freed without anybody reading them.
 * Whether an entry has expired is decided by its own time when it is read. The wheel may be late by a quarter of a
 * second.
 *
 * It has eight levels of 32 slots (Varghese and Lauck, "Hashed and hierarchical timing wheels", 1987). A slot of the
 * lowest level lasts 2^18 µs; each level is sixteen times coarser, so that a slot's content always fits in the level
 * below. An entry is in the lowest level that reaches its time. When the time of its slot comes it moves down or is
 * returned. The link is part of the entry, and leaves the wheel in the locked section in which the entry leaves the
 * index. The shard's lock protects the wheel.
 */
#define WHEEL_LEVELS 8
#define WHEEL_SLOTS 32

struct wheel {
	int64_t done[WHEEL_LEVELS]; /* the last tick of the level that was emptied */
	struct list_node slots[WHEEL_LEVELS][WHEEL_SLOTS];
};

void wheel_init(struct wheel *wheel, int64_t now_us);
/* Adds an entry with times, or moves it to its new slot. An entry that never expires is taken out. */
void wheel_add(struct wheel *wheel, struct entry *entry);
void wheel_remove(struct entry *entry);
bool wheel_is_empty(const struct wheel *wheel);
/*
 * Takes the next expired entry out of the wheel and returns it. Returns NULL if there is none, or if *budget, the
 * number of entries to look at, is used up.
 */
struct entry *wheel_next(struct wheel *wheel, int64_t now_us, size_t *budget);

#endif
