/* SPDX-License-Identifier: MIT */
#include "pool/query/batch.h"

#include <stdio.h>

#include "base/memory.h"

int shipopt_batch_new(shipopt_batch **ret_batch)
{
	shipopt_batch *batch = ret_batch ? mem_alloc_zero(sizeof(*batch)) : NULL;
	if (!batch)
		return ret_batch ? SHIPOPT_ENOMEM : SHIPOPT_EINVAL;
	batch->timeout_ms = -1;
	*ret_batch = batch;
	return 0;
}

void shipopt_batch_free(shipopt_batch *batch)
{
	if (!batch)
		return;
	for (size_t i = 0; i < batch->count; i++)
		query_done(&batch->entries[i].query);
	mem_free(batch->entries);
	mem_free(batch);
}

int shipopt_batch_add(shipopt_batch *batch, const shipopt_query *query)
{
	if (!batch || !query)
		return SHIPOPT_EINVAL;
	if (query->bind_status < 0)
		return query->bind_status;
	if (batch->count == BATCH_STATEMENTS_MAX)
		return SHIPOPT_ETOOLARGE;
	if (batch->count == batch->capacity) {
		size_t capacity = batch->capacity ? batch->capacity * 2 : 8;
		struct batch_entry *grown = mem_realloc(batch->entries, capacity * sizeof(*grown));
		if (!grown)
			return SHIPOPT_ENOMEM;
		batch->entries = grown;
		batch->capacity = capacity;
	}
	batch->entries[batch->count].ends_group = false;
	int r = query_copy(&batch->entries[batch->count].query, query);
	batch->count += r == 0;
	return r;
}

int shipopt_batch_end_group(shipopt_batch *batch)
{
	if (!batch)
		return SHIPOPT_EINVAL;
	if (batch->count == 0)
		return SHIPOPT_ESTATE;
	batch->entries[batch->count - 1].ends_group = true;
	return 0;
}

int shipopt_batch_set_timeout_ms(shipopt_batch *batch, int64_t timeout_ms)
{
	if (!batch || timeout_ms < -1 || timeout_ms > 86400000)
		return SHIPOPT_EINVAL;
	batch->timeout_ms = timeout_ms;
	return 0;
}

int shipopt_batch_set_transaction(shipopt_batch *batch, int flags, int attempts)
{
	char text[128];
	if (!batch || attempts < 1 || attempts > 100 || !transaction_begin_sql(flags, text, sizeof(text)))
		return SHIPOPT_EINVAL;
	batch->transaction = flags;
	batch->attempts = attempts;
	return 0;
}

const char *transaction_begin_sql(int flags, char *text, size_t size)
{
	static const char *const levels[] = {"", " ISOLATION LEVEL READ COMMITTED", " ISOLATION LEVEL REPEATABLE READ",
		" ISOLATION LEVEL SERIALIZABLE"};
	if (flags < 0 || flags > 15)
		return NULL;
	snprintf(text, size, "BEGIN%s%s%s", levels[flags & 3],
		flags & SHIPOPT_TRANSACTION_READ_ONLY ? " READ ONLY" : "",
		flags & SHIPOPT_TRANSACTION_DEFERRABLE ? " DEFERRABLE" : "");
	return text;
}
