/* SPDX-License-Identifier: MIT */
#ifndef POOL_BATCH_H
#define POOL_BATCH_H

#include "pool/query/query.h"

/* A list of statements for one round trip: copies, and where groups end. */
#define BATCH_STATEMENTS_MAX 65536

struct batch_entry {
	struct shipopt_query query;
	bool ends_group;
};

struct shipopt_batch {
	struct batch_entry *entries;
	size_t count, capacity;
	int64_t timeout_ms;
	int transaction; /* flags */
	int attempts;    /* 0: not a transaction */
};

/* Writes "BEGIN …" for the flags. NULL for flags that are not allowed. */
const char *transaction_begin_sql(int flags, char *text, size_t size);

#endif
