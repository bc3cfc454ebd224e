/* SPDX-License-Identifier: MIT */
#include "pool/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"

void statements_init(struct statements *statements, size_t most)
{
	*statements = (struct statements){.most = most};
	list_init(&statements->recent);
	list_init(&statements->unwanted);
}

void statements_done(struct statements *statements)
{
	struct list_node *node;
	list_splice_back(&statements->recent, &statements->unwanted);
	while ((node = list_pop_front(&statements->recent)))
		mem_free(LIST_MEMBER(node, struct statement, age));
	mem_free(TAKE(statements->chains));
}

void statements_clear(struct statements *statements)
{
	size_t most = statements->most;
	statements_done(statements);
	statements_init(statements, most);
}

static void statement_make_key(const struct shipopt_query *query, uint64_t key[3])
{
	uint64_t types = query->count;
	for (size_t i = 0; i < query->count; i++) /* FNV-1a over the types: this one goes into a name */
		types = (types ^ query->parameters[i].type) * UINT64_C(0x100000001b3);
	key[0] = query->sql->key[0];
	key[1] = query->sql->key[1];
	key[2] = types;
}

static void statement_write_name(const uint64_t key[3], char name[STATEMENT_NAME_SIZE])
{
	snprintf(name, STATEMENT_NAME_SIZE, "s%016" PRIx64 "%016" PRIx64 "%016" PRIx64, key[0], key[1], key[2]);
}

void statement_name(const struct shipopt_query *query, char name[STATEMENT_NAME_SIZE])
{
	uint64_t key[3];
	statement_make_key(query, key);
	statement_write_name(key, name);
}

static struct statement **statement_chain_of(const struct statements *statements, const uint64_t key[3])
{
	return &statements->chains[(key[0] ^ key[2]) & (statements->chain_count - 1)];
}

struct statement *statements_find(struct statements *statements, const struct shipopt_query *query)
{
	uint64_t key[3];
	if (!statements->chains)
		return NULL;
	statement_make_key(query, key);
	for (struct statement *at = *statement_chain_of(statements, key); at; at = at->next) {
		if (memcmp(at->key, key, sizeof(key)) != 0)
			continue;
		list_remove(&at->age);
		list_push_front(&statements->recent, &at->age);
		return at;
	}
	return NULL;
}

static bool statement_make_chains(struct statements *statements)
{
	size_t count = 16;
	while (count < statements->most)
		count *= 2;
	statements->chains = mem_alloc_array(count, sizeof(struct statement *));
	statements->chain_count = count;
	return statements->chains != NULL;
}

static struct statement *statement_find_unwanted(struct statements *statements, const uint64_t key[3])
{
	LIST_FOREACH(node, &statements->unwanted) {
		struct statement *statement = LIST_MEMBER(node, struct statement, age);
		if (memcmp(statement->key, key, sizeof(statement->key)) == 0)
			return statement;
	}
	return NULL;
}

static void statement_enter(struct statements *statements, struct statement *statement)
{
	struct statement **chain = statement_chain_of(statements, statement->key);
	statement->next = *chain;
	*chain = statement;
	list_push_front(&statements->recent, &statement->age);
	statements->count++;
}

struct statement *statements_add(struct statements *statements, const struct shipopt_query *query)
{
	uint64_t key[3];
	if (statements->most == 0 || (!statements->chains && !statement_make_chains(statements)))
		return NULL;
	statement_make_key(query, key);
	struct statement *old = statement_find_unwanted(statements, key);
	if (old && old->is_stale)
		return NULL;
	if (statements->count == statements->most) {
		struct statement *oldest = LIST_MEMBER(statements->recent.previous, struct statement, age);
		/* One that is not confirmed is in use by this very pipeline. */
		if (statements->unwanted_count == STATEMENTS_UNWANTED_MAX || !oldest->is_confirmed)
			return NULL;
		statements_remove(statements, oldest, true);
	}
	if (old) {
		list_remove(&old->age);
		statements->unwanted_count--;
		statement_enter(statements, old);
		return old;
	}
	struct statement *statement = mem_alloc_zero(sizeof(*statement));
	if (!statement)
		return NULL;
	memcpy(statement->key, key, sizeof(key));
	statement_write_name(key, statement->name);
	statement_enter(statements, statement);
	return statement;
}

void statements_remove(struct statements *statements, struct statement *statement, bool is_known)
{
	struct statement **link = statement_chain_of(statements, statement->key);
	while (*link != statement)
		link = &(*link)->next;
	*link = statement->next;
	list_remove(&statement->age);
	statements->count--;
	if (!is_known || statements->unwanted_count == STATEMENTS_UNWANTED_MAX) {
		mem_free(statement);
		return;
	}
	list_push_back(&statements->unwanted, &statement->age);
	statements->unwanted_count++;
}

struct statement *statements_take_unwanted(struct statements *statements)
{
	struct list_node *node = list_pop_front(&statements->unwanted);
	if (!node)
		return NULL;
	statements->unwanted_count--;
	return LIST_MEMBER(node, struct statement, age);
}
