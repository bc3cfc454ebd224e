/* SPDX-License-Identifier: MIT */
#include "pool/connection/prepared.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void prepared_cache_init(struct prepared_cache *statements, size_t max)
{
	*statements = (struct prepared_cache){.max = max};
	list_init(&statements->recent);
	list_init(&statements->unwanted);
}

void prepared_cache_done(struct prepared_cache *statements)
{
	struct list_node *node;
	list_splice_back(&statements->recent, &statements->unwanted);
	while ((node = list_pop_front(&statements->recent)))
		mem_free(LIST_MEMBER(node, struct prepared, age));
	mem_free(TAKE(statements->chains));
}

void prepared_cache_clear(struct prepared_cache *statements)
{
	size_t max = statements->max;
	prepared_cache_done(statements);
	prepared_cache_init(statements, max);
}

static void prepared_make_key(const struct shipopt_query *query, uint64_t key[3])
{
	uint64_t types = query->count;
	for (size_t i = 0; i < query->count; i++) /* FNV-1a over the types: this one goes into a name */
		types = (types ^ query->parameters[i].type) * UINT64_C(0x100000001b3);
	key[0] = query->sql->key[0];
	key[1] = query->sql->key[1];
	key[2] = types;
}

static void prepared_write_name(const uint64_t key[3], char name[PREPARED_NAME_SIZE])
{
	snprintf(name, PREPARED_NAME_SIZE, "s%016" PRIx64 "%016" PRIx64 "%016" PRIx64, key[0], key[1], key[2]);
}

static struct prepared **prepared_chain_of(const struct prepared_cache *statements, const uint64_t key[3])
{
	return &statements->chains[(key[0] ^ key[2]) & (statements->chain_count - 1)];
}

struct prepared *prepared_cache_find(struct prepared_cache *statements, const struct shipopt_query *query)
{
	uint64_t key[3];
	if (!statements->chains)
		return NULL;
	prepared_make_key(query, key);
	for (struct prepared *at = *prepared_chain_of(statements, key); at; at = at->next) {
		if (memcmp(at->key, key, sizeof(key)) != 0)
			continue;
		list_remove(&at->age);
		list_push_front(&statements->recent, &at->age);
		return at;
	}
	return NULL;
}

static bool prepared_make_chains(struct prepared_cache *statements)
{
	size_t count = 16;
	while (count < statements->max)
		count *= 2;
	statements->chains = mem_alloc_array(count, sizeof(struct prepared *));
	statements->chain_count = count;
	return statements->chains != NULL;
}

static struct prepared *prepared_find_unwanted(struct prepared_cache *statements, const uint64_t key[3])
{
	LIST_FOREACH(node, &statements->unwanted) {
		struct prepared *statement = LIST_MEMBER(node, struct prepared, age);
		if (memcmp(statement->key, key, sizeof(statement->key)) == 0)
			return statement;
	}
	return NULL;
}

static void prepared_enter(struct prepared_cache *statements, struct prepared *statement)
{
	struct prepared **chain = prepared_chain_of(statements, statement->key);
	statement->next = *chain;
	*chain = statement;
	list_push_front(&statements->recent, &statement->age);
	statements->count++;
}

struct prepared *prepared_cache_add(struct prepared_cache *statements, const struct shipopt_query *query)
{
	uint64_t key[3];
	if (statements->max == 0 || (!statements->chains && !prepared_make_chains(statements)))
		return NULL;
	prepared_make_key(query, key);
	struct prepared *old = prepared_find_unwanted(statements, key);
	if (old && old->is_stale)
		return NULL;
	if (statements->count == statements->max) {
		struct prepared *oldest = LIST_MEMBER(statements->recent.previous, struct prepared, age);
		/* One that is not confirmed is in use by this very pipeline. */
		if (statements->unwanted_count == PREPARED_UNWANTED_MAX || !oldest->is_confirmed)
			return NULL;
		prepared_cache_remove(statements, oldest, true);
	}
	if (old) {
		list_remove(&old->age);
		statements->unwanted_count--;
		prepared_enter(statements, old);
		return old;
	}
	struct prepared *statement = mem_alloc_zero(sizeof(*statement));
	if (!statement)
		return NULL;
	memcpy(statement->key, key, sizeof(key));
	prepared_write_name(key, statement->name);
	prepared_enter(statements, statement);
	return statement;
}

void prepared_cache_remove(struct prepared_cache *statements, struct prepared *statement, bool is_known)
{
	struct prepared **link = prepared_chain_of(statements, statement->key);
	while (*link != statement)
		link = &(*link)->next;
	*link = statement->next;
	list_remove(&statement->age);
	statements->count--;
	if (!is_known || statements->unwanted_count == PREPARED_UNWANTED_MAX) {
		mem_free(statement);
		return;
	}
	list_push_back(&statements->unwanted, &statement->age);
	statements->unwanted_count++;
}

struct prepared *prepared_cache_take_unwanted(struct prepared_cache *statements)
{
	struct list_node *node = list_pop_front(&statements->unwanted);
	if (!node)
		return NULL;
	statements->unwanted_count--;
	return LIST_MEMBER(node, struct prepared, age);
}
