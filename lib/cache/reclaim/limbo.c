/* SPDX-License-Identifier: MIT */
#include "cache/reclaim/limbo.h"

#include "cache/reclaim/reader.h"

void limbo_add_entry(struct limbo *limbo, struct entry *entry)
{
	entry->link.limbo.next = NULL;
	entry->link.limbo.tag = reader_tag();
	if (limbo->last_entry)
		limbo->last_entry->link.limbo.next = entry;
	else
		limbo->first_entry = entry;
	limbo->last_entry = entry;
	limbo->count++;
	limbo->bytes += entry_weight(entry);
}

void limbo_add_block(struct limbo *limbo, struct retired *retired)
{
	retired->next = NULL;
	retired->tag = reader_tag();
	if (limbo->last_block)
		limbo->last_block->next = retired;
	else
		limbo->first_block = retired;
	limbo->last_block = retired;
	limbo->count++;
}

static struct entry *limbo_pop_entry(struct limbo *limbo)
{
	struct entry *entry = limbo->first_entry;
	limbo->first_entry = entry->link.limbo.next;
	if (!limbo->first_entry)
		limbo->last_entry = NULL;
	limbo->count--;
	limbo->bytes -= entry_weight(entry);
	return entry;
}

static struct retired *limbo_pop_block(struct limbo *limbo)
{
	struct retired *block = limbo->first_block;
	limbo->first_block = block->next;
	if (!limbo->first_block)
		limbo->last_block = NULL;
	limbo->count--;
	return block;
}

void limbo_ready(struct limbo *limbo, struct garbage *garbage)
{
	uint64_t horizon = reader_horizon();
	while (limbo->first_entry && limbo->first_entry->link.limbo.tag < horizon) {
		struct entry *entry = limbo_pop_entry(limbo);
		entry->link.limbo.next = garbage->entries;
		garbage->entries = entry;
	}
	while (limbo->first_block && limbo->first_block->tag < horizon) {
		struct retired *block = limbo_pop_block(limbo);
		struct retired **list = block->home ? block->home : &garbage->blocks;
		block->next = *list;
		*list = block;
	}
	/* Entries that a long section holds back are not looked at again with every write. */
	limbo->due = limbo->count + LIMBO_BATCH;
}
