/* SPDX-License-Identifier: MIT */
#include "base/fault.h"
#include "base/memory.h"
#include "pool/batch/batch_op.h"
#include "pool/query/arguments.h"

/* Sending the statements of a batch, and what the pool sends for itself: PREPARE, SYNC, DEALLOCATE and ROLLBACK. */

static struct batch_answer *batch_expect(struct batch_op *batch, enum batch_answer_kind kind, size_t item)
{
	ASSERT(batch->ring_length < batch->ring_size);
	struct batch_answer *place = &batch->ring[(batch->ring_head + batch->ring_length++) % batch->ring_size];
	*place = (struct batch_answer){.kind = kind, .item = (uint32_t)item};
	return place;
}

bool batch_send_sync(struct batch_op *batch, size_t item)
{
	if (fault_point() || !PQpipelineSync(batch_connection_of(batch)->pg))
		return false;
	batch_expect(batch, EXPECT_SYNC, item);
	return true;
}

bool batch_send_rollback(struct batch_op *batch)
{
	if (fault_point() ||
		!PQsendQueryParams(batch_connection_of(batch)->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0))
		return false;
	batch_expect(batch, EXPECT_OWN, 0);
	return batch_send_sync(batch, 0);
}

/* Finds the prepared statement to run it with, and sends the PREPARE if there is none. NULL: it runs unprepared. */
static bool batch_find_statement(struct batch_op *batch, size_t index, const Oid *types,
	struct prepared **ret_statement)
{
	struct connection *connection = batch_connection_of(batch);
	const struct shipopt_query *query = &batch->items[index].query;
	*ret_statement = NULL;
	if (query->is_unnamed || (query->sql->marks & SQL_ONE_SHOT) ||
		!pool_setting(batch->command.pool, POOL_NAMED_STATEMENTS))
		return true;
	struct prepared *statement = prepared_cache_find(&connection->statements, query);
	if (!statement) {
		statement = prepared_cache_add(&connection->statements, query);
		if (statement && !statement->is_confirmed) {
			if (fault_point() ||
				!PQsendPrepare(connection->pg, statement->name, query->sql->text, (int)query->count,
					types))
				return false;
			pool_count(batch->command.pool, SHIPOPT_POOL_STAT_PREPARES, 1);
			batch_expect(batch, EXPECT_PREPARE, index)->statement = statement;
		}
	}
	*ret_statement = statement;
	return true;
}

static bool batch_send_item(struct batch_op *batch, size_t index)
{
	struct connection *connection = batch_connection_of(batch);
	struct batch_item *item = &batch->items[index];
	const struct shipopt_query *query = &item->query;
	struct query_arguments arguments;
	if (!arguments_init(&arguments, query))
		return false;
	bool ok = batch_find_statement(batch, index, arguments.types, &item->statement) && !fault_point();
	if (ok && item->statement)
		ok = PQsendQueryPrepared(connection->pg, item->statement->name, (int)query->count, arguments.values,
			arguments.lengths, arguments.formats, query->is_binary);
	else if (ok)
		ok = PQsendQueryParams(connection->pg, query->sql->text, (int)query->count, arguments.types,
			arguments.values, arguments.lengths, arguments.formats, query->is_binary);
	arguments_done(&arguments);
	if (!ok)
		return false;
	batch_expect(batch, EXPECT_EXECUTE, index);
	batch->statements_out++;
	batch->bytes_out += query->length + (item->statement ? 0 : query->sql->length);
	batch->was_sent = true;
	return true;
}

static bool batch_has_room(const struct batch_op *batch)
{
	const shipopt_pool *pool = batch->command.pool;
	return batch->statements_out == 0 ||
		(batch->statements_out < (size_t)pool_setting(pool, POOL_PIPELINE_STATEMENTS) &&
			batch->bytes_out < (size_t)pool_setting(pool, POOL_PIPELINE_BYTES));
}

/* Deallocates names that are no longer wanted after the last group. Each has its own group, because a pooler may not
 * know it. */
static bool batch_send_deallocates(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	for (int i = 0; i < DEALLOCATES_AT_ONCE && !batch->was_in_block; i++) {
		struct prepared *statement = prepared_cache_take_unwanted(&connection->statements);
		if (!statement)
			break;
		bool ok = !fault_point() && libpq_send_close(connection->pg, statement->name);
		mem_free(statement);
		if (!ok)
			return false;
		batch_expect(batch, EXPECT_OWN, 0);
		if (!batch_send_sync(batch, batch->count - 1))
			return false;
	}
	return true;
}

bool batch_send_more(struct batch_op *batch)
{
	size_t begun = batch->next;
	while (batch->next < batch->end && batch_has_room(batch)) {
		if (!batch_send_item(batch, batch->next))
			return false;
		if (batch->items[batch->next].ends_group && !batch_send_sync(batch, batch->next))
			return false;
		batch->next++;
	}
	if (batch->next == begun)
		return true;
	if (batch->next == batch->count)
		return batch_send_deallocates(batch);
	return batch->items[batch->next - 1].ends_group || PQsendFlushRequest(batch_connection_of(batch)->pg);
}
