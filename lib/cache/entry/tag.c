/* SPDX-License-Identifier: MIT */
#include "cache/entry/tag.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define BUCKETS_MIN 16

int tags_init(struct tags *tags, size_t count_max)
{
	tags->buckets = mem_alloc_array(BUCKETS_MIN, sizeof(*tags->buckets));
	if (!tags->buckets)
		return SHIPOPT_ENOMEM;
	tags->bucket_count = BUCKETS_MIN;
	tags->count_max = count_max;
	pthread_mutex_init(&tags->lock, NULL);
	return 0;
}

void tags_done(struct tags *tags)
{
	if (!tags->buckets)
		return;
	for (size_t i = 0; i < tags->bucket_count; i++) {
		while (tags->buckets[i]) {
			struct tag *tag = tags->buckets[i];
			tags->buckets[i] = tag->next;
			mem_free(tag);
		}
	}
	for (unsigned i = 0; i < tags->prefix_count; i++)
		mem_free(tags->prefixes[i].text);
	mem_free(TAKE(tags->buckets));
	pthread_mutex_destroy(&tags->lock);
}

int tags_add_prefix(struct tags *tags, const char *prefix)
{
	if (tags->prefix_count == PREFIXES_MAX)
		return SHIPOPT_ETOOLARGE;
	char *copy = mem_copy_text(prefix);
	if (!copy)
		return SHIPOPT_ENOMEM;
	struct prefix *added = &tags->prefixes[tags->prefix_count++];
	added->text = copy;
	added->length = strlen(copy);
	return 0;
}

/* Two threads may invalidate at once. The later ticket must win. */
static void tag_raise_to(_Atomic(uint64_t) *word, uint64_t ticket)
{
	uint64_t before = atomic_load(word);
	while (before < ticket && !atomic_compare_exchange_weak(word, &before, ticket))
		;
}

static struct tag **tag_find(struct tags *tags, const char *name, size_t length, uint32_t hash)
{
	struct tag **link = &tags->buckets[hash & (tags->bucket_count - 1)];
	while (*link &&
		!((*link)->hash == hash && (*link)->length == length && memcmp((*link)->name, name, length) == 0))
		link = &(*link)->next;
	return link;
}

/* Best effort: without memory the chains only get longer. */
static void tag_grow(struct tags *tags)
{
	size_t count = tags->bucket_count * 2;
	struct tag **buckets = mem_alloc_array(count, sizeof(*buckets));
	if (!buckets)
		return;
	for (size_t i = 0; i < tags->bucket_count; i++) {
		while (tags->buckets[i]) {
			struct tag *tag = tags->buckets[i];
			tags->buckets[i] = tag->next;
			tag->next = buckets[tag->hash & (count - 1)];
			buckets[tag->hash & (count - 1)] = tag;
		}
	}
	mem_free(tags->buckets);
	tags->buckets = buckets;
	tags->bucket_count = count;
}

static int tag_make(struct tags *tags, const char *name, size_t length, uint32_t hash, struct tag **ret_tag)
{
	if (tags->count >= tags->count_max)
		return SHIPOPT_EAGAIN;
	struct tag *tag = mem_alloc_zero(sizeof(*tag) + length + 1);
	if (!tag)
		return SHIPOPT_ENOMEM;
	tag->hash = hash;
	tag->length = (uint8_t)length;
	memcpy(tag->name, name, length);
	if (tags->count >= tags->bucket_count)
		tag_grow(tags);
	struct tag **link = tag_find(tags, name, length, hash);
	*link = tag;
	tags->count++;
	*ret_tag = tag;
	return 0;
}

int tags_acquire(struct tags *tags, const char *name, struct tag **ret_tag)
{
	size_t length = strlen(name);
	uint32_t hash = (uint32_t)hash_bytes(name, length, 0);
	pthread_mutex_lock(&tags->lock);
	struct tag *tag = *tag_find(tags, name, length, hash);
	int r = tag ? 0 : tag_make(tags, name, length, hash, &tag);
	if (r == 0)
		tag->references++;
	pthread_mutex_unlock(&tags->lock);
	if (r == 0)
		*ret_tag = tag;
	return r;
}

void tags_share(struct tags *tags, struct tag *const *list, size_t count)
{
	pthread_mutex_lock(&tags->lock);
	for (size_t i = 0; i < count; i++)
		list[i]->references++;
	pthread_mutex_unlock(&tags->lock);
}

void tags_release(struct tags *tags, struct tag *const *list, size_t count)
{
	if (count == 0)
		return;
	pthread_mutex_lock(&tags->lock);
	for (size_t i = 0; i < count; i++) {
		struct tag *tag = list[i];
		if (--tag->references > 0)
			continue;
		tag_raise_to(&tags->floor, atomic_load(&tag->invalidated));
		*tag_find(tags, tag->name, tag->length, tag->hash) = tag->next;
		tags->count--;
		mem_free(tag);
	}
	pthread_mutex_unlock(&tags->lock);
}

void tags_invalidate(struct tags *tags, const char *name)
{
	size_t length = strlen(name);
	uint32_t hash = (uint32_t)hash_bytes(name, length, 0);
	pthread_mutex_lock(&tags->lock);
	uint64_t ticket = tags_draw(tags);
	struct tag *tag = *tag_find(tags, name, length, hash);
	tag_raise_to(tag ? &tag->invalidated : &tags->floor, ticket);
	tag_raise_to(&tags->last_tagged, ticket);
	if (tag)
		tag_raise_to(&tags->last_sweep, ticket);
	pthread_mutex_unlock(&tags->lock);
}

bool tags_invalidate_prefix(struct tags *tags, const char *prefix, size_t length)
{
	bool is_registered = false;
	for (unsigned i = 0; i < tags->prefix_count; i++)
		is_registered |=
			tags->prefixes[i].length == length && memcmp(tags->prefixes[i].text, prefix, length) == 0;
	if (!is_registered)
		return false;
	uint64_t ticket = tags_draw(tags);
	for (unsigned i = 0; i < tags->prefix_count; i++)
		if (tags->prefixes[i].length >= length && memcmp(tags->prefixes[i].text, prefix, length) == 0)
			tag_raise_to(&tags->prefixes[i].invalidated, ticket);
	tag_raise_to(&tags->last_sweep, ticket);
	return true;
}

void tags_clear(struct tags *tags)
{
	uint64_t ticket = tags_draw(tags);
	tag_raise_to(&tags->cleared, ticket);
	tag_raise_to(&tags->last_sweep, ticket);
}

unsigned tags_prefix_of(const struct tags *tags, const char *key, size_t key_length)
{
	unsigned found = 0;
	size_t longest = 0;
	for (unsigned i = 0; i < tags->prefix_count; i++) {
		const struct prefix *prefix = &tags->prefixes[i];
		if (prefix->length <= key_length && prefix->length > longest &&
			memcmp(prefix->text, key, prefix->length) == 0) {
			longest = prefix->length;
			found = i + 1;
		}
	}
	return found;
}
