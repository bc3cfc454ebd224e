/* SPDX-License-Identifier: MIT */
#include "table.h"

#include <shipopt/error.h>

#include "base/memory.h"

#define TABLE_CAPACITY_FIRST 256

void *table_find(const struct table *table, uint64_t hash, table_match match, const void *key)
{
	if (table->capacity == 0)
		return NULL;
	size_t mask = table->capacity - 1;
	for (size_t i = hash & mask; table->slots[i].entry; i = (i + 1) & mask)
		if (table->slots[i].hash == hash && match(table->slots[i].entry, key))
			return table->slots[i].entry;
	return NULL;
}

static void table_place(struct table *table, uint64_t hash, void *entry)
{
	size_t mask = table->capacity - 1, i = hash & mask;
	while (table->slots[i].entry)
		i = (i + 1) & mask;
	table->slots[i] = (struct table_slot){hash, entry};
}

static int table_grow(struct table *table)
{
	struct table grown = {.capacity = table->capacity ? table->capacity * 2 : TABLE_CAPACITY_FIRST};
	grown.slots = mem_alloc_array(grown.capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return SHIPOPT_ENOMEM;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].entry)
			table_place(&grown, table->slots[i].hash, table->slots[i].entry);
	grown.count = table->count;
	mem_free(table->slots);
	*table = grown;
	return 0;
}

int table_add(struct table *table, uint64_t hash, void *entry)
{
	if (table->count + 1 > table->capacity / 4 * 3) {
		int r = table_grow(table);
		if (r < 0)
			return r;
	}
	table_place(table, hash, entry);
	table->count++;
	return 0;
}

void table_done(struct table *table)
{
	mem_free(table->slots);
	*table = (struct table){0};
}
