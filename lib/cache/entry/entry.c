/* SPDX-License-Identifier: MIT */
#include "cache/entry/entry.h"

#include <string.h>

#include "base/memory.h"

_Static_assert(sizeof(struct entry) == 40, "each entry pays for the header");
_Static_assert(sizeof(struct entry_timing) % 8 == 0, "the header after it is aligned");

static size_t entry_head_size(bool is_timed)
{
	return is_timed ? sizeof(struct entry_timing) : 0;
}

static size_t entry_tags_size(unsigned count)
{
	return count ? sizeof(struct entry_tags) + count * sizeof(struct tag *) : 0;
}

static size_t entry_block_size(const struct entry_content *content)
{
	size_t body = content->is_external ? sizeof(struct entry_external) : content->value_length;
	return entry_head_size(content->is_timed) + sizeof(struct entry) + entry_key_space(content->key_length) +
		entry_tags_size(content->tag_count) + body;
}

size_t entry_weight_of(const struct entry_content *content)
{
	return entry_block_size(content) + (content->is_external ? content->value_length : 0) + ENTRY_INDEX_BYTES;
}

size_t entry_weight(const struct entry *entry)
{
	struct entry_content content = {.key_length = entry->key_length,
		.value_length = entry->value_length,
		.is_external = entry->flags & ENTRY_EXTERNAL,
		.is_timed = entry->flags & ENTRY_TIMED};
	if (entry->flags & ENTRY_TAGGED)
		content.tag_count = (unsigned)entry_tags(entry)->count;
	return entry_weight_of(&content);
}

static void entry_fill_body(struct entry *entry, const struct entry_content *content)
{
	char *body = entry_body(entry);
	if (content->is_external)
		*(struct entry_external *)(void *)body =
			(struct entry_external){content->value, content->free, content->userdata};
	else if (content->value_length)
		memcpy(body, content->value, content->value_length);
}

struct entry *entry_new(const struct entry_content *content)
{
	char *block = mem_alloc(entry_block_size(content));
	if (!block)
		return NULL;
	struct entry *entry = (struct entry *)(void *)(block + entry_head_size(content->is_timed));
	*entry = (struct entry){.value_length = (uint32_t)content->value_length,
		.key_length = (uint16_t)content->key_length,
		.flags = (uint8_t)((content->is_not_found ? ENTRY_NOT_FOUND : 0) |
			(content->is_external ? ENTRY_EXTERNAL : 0) | (content->is_timed ? ENTRY_TIMED : 0) |
			(content->tag_count ? ENTRY_TAGGED : 0))};
	atomic_init(&entry->references, 1);
	atomic_init(&entry->mark, 0);
	list_init(&entry->link.queue);
	if (content->is_timed) {
		struct entry_timing *timing = entry_timing(entry);
		list_init(&timing->wheel);
		atomic_init(&timing->expires_us, ENTRY_NEVER);
		atomic_init(&timing->soft_us, ENTRY_NEVER);
		atomic_init(&timing->hard_us, ENTRY_NEVER);
		atomic_init(&timing->access_us, 0);
	}
	entry_set_hits(entry, 0);
	memcpy((char *)(uintptr_t)entry_key(entry), content->key, content->key_length);
	if (content->tag_count) {
		struct entry_tags *tags = (struct entry_tags *)(void *)entry_tail(entry);
		tags->count = content->tag_count;
		memcpy(tags->list, content->tags, content->tag_count * sizeof(struct tag *));
	}
	entry_fill_body(entry, content);
	return entry;
}

void held_account_unref(struct held_account *account)
{
	if (atomic_fetch_sub_explicit(&account->references, 1, memory_order_acq_rel) == 1)
		mem_free(account);
}

void entry_free(struct entry *entry)
{
	if (atomic_load_explicit(&entry->mark, memory_order_relaxed) & ENTRY_HELD) {
		struct held_account *account = entry->link.held.account;
		atomic_fetch_sub(&account->bytes, (int64_t)entry_weight(entry));
		held_account_unref(account);
	}
	if (entry->flags & ENTRY_EXTERNAL) {
		const struct entry_external *external = (const struct entry_external *)(const void *)entry_body(entry);
		if (external->free)
			external->free(external->userdata, (void *)(uintptr_t)external->data, entry->value_length);
	}
	mem_free((char *)entry - entry_head_size(entry->flags & ENTRY_TIMED));
}

void entry_count_as_held(struct entry *entry, struct held_account *account)
{
	atomic_fetch_add(&account->references, 1);
	atomic_fetch_add(&account->bytes, (int64_t)entry_weight(entry));
	entry->link.held.account = account;
	entry_set_mark(entry, ENTRY_HELD);
}

void entry_release(struct entry *entry, struct held_account *account)
{
	/* No thread can find the entry any more, so a count without handles is final. The mark is written before the
	 * drop, which makes it visible to the thread that drops last. */
	if (atomic_load_explicit(&entry->references, memory_order_acquire) > ENTRY_OWNED)
		entry_count_as_held(entry, account);
	if (atomic_fetch_sub_explicit(&entry->references, ENTRY_OWNED, memory_order_acq_rel) == ENTRY_OWNED)
		entry_free(entry);
}
