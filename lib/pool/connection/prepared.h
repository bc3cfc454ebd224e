/* SPDX-License-Identifier: MIT */
#ifndef POOL_STATEMENT_H
#define POOL_STATEMENT_H

#include "base/list.h"
#include "pool/query/query.h"

/*
 * The prepared statements of one connection: a hash table that evicts the least recently used statement.
 *
 * The key is made of the SHA-256 of the text (128 bits of it) and a hash of the parameter types. The name is made of
 * the key, so it is the same on every connection of every process, and a pooler that tracks names can share the plan.
 * An entry is made when the PREPARE is sent, so that the next use in the same pipeline finds it. The answer confirms or
 * drops it. Names that were evicted or are out of date wait in `unwanted` until the connection can deallocate them
 * together with other statements. Beyond PREPARED_UNWANTED_MAX of them nothing new is prepared. Event loop only.
 */
#define PREPARED_NAME_SIZE 56
#define PREPARED_UNWANTED_MAX 64

struct prepared {
	struct list_node age;  /* in statements.recent or .unwanted */
	struct prepared *next; /* in its chain */
	uint64_t key[3];
	bool is_confirmed;
	bool is_stale; /* unwanted, because its plan is out of date: its name is not used before it is deallocated */
	char name[PREPARED_NAME_SIZE];
};

struct prepared_cache {
	struct prepared **chains;
	size_t chain_count; /* a power of two */
	size_t count, max;
	struct list_node recent; /* most recently used first */
	struct list_node unwanted;
	size_t unwanted_count;
};

void prepared_cache_init(struct prepared_cache *statements, size_t max);
void prepared_cache_done(struct prepared_cache *statements);
/* Forgets all: the server has none of them any more. */
void prepared_cache_clear(struct prepared_cache *statements);
/* NULL if it is not there. Otherwise it is the most recently used one now. */
struct prepared *prepared_cache_find(struct prepared_cache *statements, const struct shipopt_query *query);
/* Adds a statement, not confirmed, or takes back one that was evicted and not deallocated yet. May evict another one.
 * NULL: the statement must run unprepared, because the cache has no room or memory is short. */
struct prepared *prepared_cache_add(struct prepared_cache *statements, const struct shipopt_query *query);
/* Forgets a statement. With `is_known` the server still has it, and it goes to `unwanted`. */
void prepared_cache_remove(struct prepared_cache *statements, struct prepared *statement, bool is_known);
/* The next one to deallocate, which the caller frees with mem_free(). NULL if there is none. */
struct prepared *prepared_cache_take_unwanted(struct prepared_cache *statements);

#endif
