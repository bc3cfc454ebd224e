/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "pool/batch/batch_op.h"

/*
 * The limit on the size of an answer, the setting result_bytes.
 *
 * A byte received counts twice. libpq keeps values of some hundred bytes and more in blocks of 2 KiB, which may take
 * twice their size, and it keeps a huge value both in its input buffer and in the result.
 *
 * When the limit is passed, the statement that is being answered gets SHIPOPT_ETOOLARGE. The pool sends nothing more of
 * the batch and sends a cancel request. It does not read the socket until that request is over, so memory grows no
 * further than libpq's buffer. Then it reads the answers to their end, which is what the sockets still hold, and drops
 * rows. Later statements keep their own outcome. When the server sends RESULT_LIMIT_DRAIN_BYTES / 2 more, as in the
 * middle of one huge value, the pool closes the connection.
 */
#define RESULT_LIMIT_DRAIN_BYTES ((int64_t)16 << 20)

static long long result_limit_of(const struct batch_op *batch)
{
	return (long long)pool_setting(batch->command.pool, POOL_RESULT_BYTES);
}

/* The statement that is being answered. `count` when only the end of a group is missing. */
static size_t result_limit_answered_item(const struct batch_op *batch)
{
	for (size_t i = 0; i < batch->ring_length; i++) {
		const struct batch_answer *expected = &batch->ring[(batch->ring_head + i) % batch->ring_size];
		if (expected->kind == EXPECT_EXECUTE)
			return expected->item;
	}
	return batch->count;
}

/* Ends the batch after the statements that were sent. */
static bool result_limit_cut_short(struct batch_op *batch)
{
	for (size_t i = batch->next; i < batch->end; i++)
		outcome_fail(&batch->items[i].outcome, SHIPOPT_ECANCELED, NULL);
	batch->end = batch->next;
	struct batch_item *last = &batch->items[batch->next - 1];
	if (last->ends_group)
		return true;
	last->ends_group = true;
	return batch_send_sync(batch, batch->next - 1);
}

/* Always false: the batch waits for the cancel request, or the connection is lost. */
static bool result_limit_begin(struct batch_op *batch, size_t item, int64_t bytes)
{
	struct connection *connection = batch_connection_of(batch);
	shipopt_pool *pool = batch->command.pool;
	batch->limit_bytes = bytes;
	batch->limit_item = item;
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: an answer is larger than result_bytes %lld: %.1024s",
		result_limit_of(batch), batch->items[item].query.sql->text);
	if (!result_limit_cut_short(batch)) {
		connection_lose(connection, "a statement could not be sent");
		return false;
	}
	if (connection_cancel(connection))
		watch_stop(&connection->watch); /* until the request is over */
	return false;
}

static bool result_limit_drain(struct batch_op *batch, int64_t bytes)
{
	char reason[POOL_MESSAGE_SIZE];
	if (bytes <= batch->limit_bytes + RESULT_LIMIT_DRAIN_BYTES)
		return true;
	snprintf(reason, sizeof(reason),
		"the answer is larger than result_bytes %lld: %lld bytes received, each counted twice, and the server went on sending",
		result_limit_of(batch), (long long)bytes / 2);
	connection_lose(batch_connection_of(batch), reason);
	return false;
}

bool result_limit_look(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	int64_t bound = pool_setting(batch->command.pool, POOL_RESULT_BYTES);
	if (bound == 0)
		return true;
	int64_t bytes = 2 * receive_count_look(&connection->receive_count, connection->fd);
	if (batch->limit_bytes)
		return result_limit_drain(batch, bytes);
	if (bytes <= bound)
		return true;
	size_t item = result_limit_answered_item(batch);
	return item == batch->count || result_limit_begin(batch, item, bytes);
}

void result_limit_finish(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	int64_t bound = pool_setting(batch->command.pool, POOL_RESULT_BYTES);
	if (bound == 0 || batch->limit_bytes || !connection->receive_count.source)
		return;
	int64_t bytes = 2 * receive_count_look(&connection->receive_count, connection->fd);
	size_t last = batch->count;
	while (last > 0 && PQntuples(batch->items[last - 1].rows.result) == 0)
		last--;
	if (bytes <= bound || last == 0)
		return;
	batch->limit_bytes = bytes;
	batch->limit_item = last - 1;
	struct batch_item *item = &batch->items[last - 1];
	if (result_limit_takes(batch, item, item->rows.result))
		PQclear(TAKE(item->rows.result));
}

bool result_limit_takes(struct batch_op *batch, struct batch_item *item, const PGresult *result)
{
	bool is_it = item == &batch->items[batch->limit_item];
	ExecStatusType status = PQresultStatus(result);
	bool is_canceled = status == PGRES_FATAL_ERROR &&
		sqlstate_is(PQresultErrorField(result, PG_DIAG_SQLSTATE), SQLSTATE_QUERY_CANCELED);
	if (!batch->limit_bytes || item < &batch->items[batch->limit_item] || (!is_it && PQntuples(result) == 0) ||
		(status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !is_canceled))
		return false;
	char message[POOL_MESSAGE_SIZE];
	snprintf(message, sizeof(message),
		"the answer is larger than result_bytes %lld: %lld bytes received, each counted twice; the server %s",
		result_limit_of(batch), (long long)batch->limit_bytes / 2,
		is_canceled ? "canceled the statement" : "had finished the statement");
	struct error_detail detail = {.code = SHIPOPT_ETOOLARGE,
		.message = message,
		.sqlstate = is_canceled ? SQLSTATE_QUERY_CANCELED : NULL,
		.domain = ERROR_DOMAIN,
		.retry_after_ms = -1};
	if (is_canceled)
		command_note_failure(&batch->command, &detail);
	outcome_fail(&item->outcome, SHIPOPT_ETOOLARGE, error_new_detail(&detail));
	return true;
}
