/* SPDX-License-Identifier: MIT */
#ifndef POOL_STATEMENT_H
#define POOL_STATEMENT_H

#include "base/list.h"
#include "pool/query/query.h"

/*
 * The prepared statements of one connection: a hash table with the least recently used one evicted.
 *
 * The key is the SHA-256 of the text (128 bits of it) and a hash of the parameter types; the name is made of both, so it
 * is the same on every connection of every process and a pooler that tracks names can share the plan. An entry is made when the
 * PREPARE is sent, so that the next use in the same pipeline finds it, and confirmed or dropped by the answer. Evicted and
 * invalidated names wait in `unwanted` until the connection can send DEALLOCATE without a round trip of its own; beyond
 * PREPARED_UNWANTED_MAX new ones are not prepared. Reactor thread only.
 */
#define PREPARED_NAME_SIZE 56
#define PREPARED_UNWANTED_MAX 64

struct prepared {
	struct list_node age;  /* in statements.recent or .unwanted */
	struct prepared *next; /* in its chain */
	uint64_t key[3];
	bool is_confirmed;
	bool is_stale; /* unwanted as its plan is out of date: not to be used again under this name before it is gone */
	char name[PREPARED_NAME_SIZE];
};

struct prepared_cache {
	struct prepared **chains;
	size_t chain_count; /* a power of two */
	size_t count, most;
	struct list_node recent; /* most recently used first */
	struct list_node unwanted;
	size_t unwanted_count;
};

void prepared_cache_init(struct prepared_cache *statements, size_t most);
void prepared_cache_done(struct prepared_cache *statements);
/* The server has none of them any more. */
void prepared_cache_clear(struct prepared_cache *statements);
/* NULL when it is not there; else it is the most recent now. */
struct prepared *prepared_cache_find(struct prepared_cache *statements, const struct shipopt_query *query);
/* A new unconfirmed one, or a confirmed one that was evicted and not deallocated yet; may evict another. NULL when the cache holds none or memory is short: run without a name then. */
struct prepared *prepared_cache_add(struct prepared_cache *statements, const struct shipopt_query *query);
/* Forgets it; with `is_known` the server still has it, and it goes to `unwanted`. */
void prepared_cache_remove(struct prepared_cache *statements, struct prepared *statement, bool is_known);
/* The next name to deallocate, to be freed with mem_free(); NULL when there is none. */
struct prepared *prepared_cache_take_unwanted(struct prepared_cache *statements);

#endif
