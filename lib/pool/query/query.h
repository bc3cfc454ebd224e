/* SPDX-License-Identifier: MIT */
#ifndef POOL_QUERY_H
#define POOL_QUERY_H

#include <libpq-fe.h>
#include <shipopt/pool.h>

#include "base/error.h"
#include "base/reference.h"
#include "pool/query/sql.h"

/*
 * The text of a statement and the values bound to it.
 *
 * The text is hashed once (the key of the cache of prepared statements), scanned once (pool/query/sql.h), and shared by
 * reference between copies. The values are one block of bytes and one array of places in it, so a copy takes two
 * allocations. A query that runs is the operation's own copy and never changes.
 */
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

struct query_parameter {
	Oid type;
	int format;    /* 0 text, 1 binary */
	size_t offset; /* of the value's bytes; SIZE_MAX: null */
	size_t length;
};

struct shipopt_query {
	struct sql_text *sql;
	struct query_parameter *parameters;
	size_t count, capacity;
	char *bytes;
	size_t length, room;
	int64_t timeout_ms; /* -1: the pool's */
	bool is_binary, is_read_only, is_unnamed;
	int bind_status; /* of the first bind that failed; 0: none */
	size_t bind_number;
};

int query_init(struct shipopt_query *query, const char *sql, shipopt_error **ret_error);
/* Makes a query for COPY; `mark` is SQL_COPY_IN or SQL_COPY_OUT. SHIPOPT_EINVAL for another statement. */
int query_init_copy(struct shipopt_query *query, const char *sql, unsigned mark, shipopt_error **ret_error);
/* The failure of a bind, as an error; 0 if there is none. */
int query_check(const struct shipopt_query *query, shipopt_error **ret_error);
int query_copy(struct shipopt_query *to, const struct shipopt_query *from);
void query_done(struct shipopt_query *query);
/* Adds a value of `length` bytes, which the caller fills. */
int query_add(struct shipopt_query *query, Oid type, int format, size_t length, char **ret_bytes);

#endif
