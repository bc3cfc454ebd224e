/* SPDX-License-Identifier: MIT */
#ifndef POOL_QUERY_H
#define POOL_QUERY_H

#include <libpq-fe.h>
#include <shipopt/pool.h>

#include "base/error.h"
#include "base/reference.h"

/*
 * A statement's text and the values bound to it.
 *
 * The text is hashed once (the statement cache's key), looked at once for what it does to a session, and shared by
 * reference between copies. The values are one block of bytes and one array that says where each lies; a copy is two
 * allocations. A query that runs is a copy of the operation's own and is never changed.
 */
enum {                      /* what the text of a statement tells */
	SQL_COMMITS = 1,    /* COMMIT, END, PREPARE TRANSACTION, COMMIT PREPARED */
	SQL_DIRTIES = 2,    /* leaves something behind in the session that no command tag tells of */
	SQL_ONE_SHOT = 4,   /* transaction control and utility commands: not worth a prepared statement */
	SQL_IS_LOCAL = 8,   /* SET LOCAL, SET TRANSACTION: over with the transaction */
	SQL_COPY_IN = 16,   /* COPY with the word STDIN */
	SQL_COPY_OUT = 32,  /* COPY with the word STDOUT */
	SQL_ENDS_BLOCK = 64 /* what commits, and ROLLBACK of the whole transaction */
};

#define QUERY_SQL_BYTES_MAX ((size_t)1 << 20)
#define QUERY_VALUES_MAX 65535
#define QUERY_VALUE_BYTES_MAX ((size_t)256 << 20)

struct sql_text {
	struct reference reference;
	uint64_t key[2];
	unsigned marks;
	size_t length;
	char text[];
};

struct parameter {
	Oid type;
	int format;    /* 0 text, 1 binary */
	size_t offset; /* of the value's bytes; SIZE_MAX: null */
	size_t length;
};

struct shipopt_query {
	struct sql_text *sql;
	struct parameter *parameters;
	size_t count, capacity;
	char *bytes;
	size_t length, room;
	int64_t timeout_ms; /* -1: the pool's */
	bool is_binary, is_read_only, is_unnamed;
	bool is_prepared_only; /* in a batch: its name is made sure of, it does not run */
};

int query_init(struct shipopt_query *query, const char *sql);
int query_copy(struct shipopt_query *to, const struct shipopt_query *from);
/* Its text and the types of its values, each of them null. */
int query_copy_types(struct shipopt_query *to, const struct shipopt_query *from);
void query_done(struct shipopt_query *query);
/* One more value of `length` bytes for the caller to fill. */
int query_add(struct shipopt_query *query, Oid type, int format, size_t length, char **ret_bytes);

#endif
