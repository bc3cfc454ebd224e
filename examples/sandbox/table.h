/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_TABLE_H
#define SANDBOX_TABLE_H

#include "base/macro.h"

/*
 * A hash table of pointers, by a 64-bit hash that the caller computes.
 *
 * Open addressing with linear probing, at most three quarters full. Entries are added and found, never removed one
 * by one: the sandbox only ever forgets everything. Two entries may share a hash; the finder's predicate tells
 * them apart. The table owns its slots, not what they point to.
 */
struct table_slot {
	uint64_t hash;
	void *entry; /* NULL: free */
};

struct table {
	struct table_slot *slots;
	size_t capacity; /* a power of two, or 0 */
	size_t count;
};

typedef bool (*table_match)(const void *entry, const void *key);

void *table_find(const struct table *table, uint64_t hash, table_match match, const void *key);
int table_add(struct table *table, uint64_t hash, void *entry); /* SHIPOPT_ENOMEM */
void table_done(struct table *table);                           /* leaves it empty and usable */

#endif
