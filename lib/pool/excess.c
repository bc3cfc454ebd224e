/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "base/text.h"
#include "pool/batch_op.h"

/*
 * Answers that grow beyond result_bytes.
 *
 * A byte received counts as two: libpq holds values of some hundred bytes and more in up to twice the memory, as they lie in
 * blocks of 2 KiB, and a huge one in its input buffer and in the result.
 *
 * The statement whose answer comes in when the bound is passed gets SHIPOPT_ETOOLARGE. Nothing more of the batch is sent, a
 * cancel request is, and until that is over the socket is not read, so that what is held grows no further than libpq's buffer. Then
 * the answers are read to their end, which is what the two sockets still hold, and rows are thrown away; statements
 * behind it keep an outcome of their own. A server that sends EXCESS_DRAIN_BYTES / 2 more, as it does in the middle of one
 * huge value or of rows that RETURNING tells, is not waited for: the connection is closed.
 */
#define EXCESS_DRAIN_BYTES ((int64_t)16 << 20)

static struct connection *excess_connection_of(struct batch_op *batch)
{
	return batch->command.lease->connection;
}

static long long excess_bound_of(const struct batch_op *batch)
{
	return (long long)pool_setting(batch->command.pool, POOL_RESULT_BYTES);
}

/* The statement that is being answered; `count` when nothing is but the end of a group. */
static size_t excess_answered_item(const struct batch_op *batch)
{
	for (size_t i = 0; i < batch->ring_length; i++) {
		const struct expected *expected = &batch->ring[(batch->ring_head + i) % batch->ring_size];
		if (expected->kind == EXPECT_EXECUTE)
			return expected->item;
	}
	return batch->count;
}

/* The batch ends with what was sent of it. */
static bool excess_cut_short(struct batch_op *batch)
{
	for (size_t i = batch->next; i < batch->end; i++)
		batch->items[i].status = SHIPOPT_ECANCELED;
	batch->end = batch->next;
	struct batch_item *last = &batch->items[batch->next - 1];
	if (last->ends_group)
		return true;
	last->ends_group = true;
	return batch_send_sync(batch, batch->next - 1);
}

/* False: the connection is lost already. */
static bool excess_begin_excess(struct batch_op *batch, size_t item, int64_t bytes)
{
	struct connection *connection = excess_connection_of(batch);
	shipopt_pool *pool = batch->command.pool;
	batch->excess_bytes = bytes;
	batch->excess_item = item;
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: an answer is beyond result_bytes %lld: %.1024s",
		excess_bound_of(batch), batch->items[item].query.sql->text);
	if (!excess_cut_short(batch)) {
		connection_lose(connection, "a statement could not be sent");
		return false;
	}
	if (connection_cancel(connection))
		watch_stop(&connection->watch); /* until the request is over */
	return false;
}

static bool excess_drain(struct batch_op *batch, int64_t bytes)
{
	char reason[POOL_MESSAGE_SIZE];
	if (bytes <= batch->excess_bytes + EXCESS_DRAIN_BYTES)
		return true;
	snprintf(reason, sizeof(reason),
		"the answer grew beyond result_bytes %lld: %lld bytes had come, counted twice, and the server went on",
		excess_bound_of(batch), (long long)bytes / 2);
	connection_lose(excess_connection_of(batch), reason);
	return false;
}

bool excess_look(struct batch_op *batch)
{
	struct connection *connection = excess_connection_of(batch);
	int64_t bound = pool_setting(batch->command.pool, POOL_RESULT_BYTES);
	if (bound == 0)
		return true;
	int64_t bytes = 2 * intake_look(&connection->intake, connection->fd);
	if (batch->excess_bytes)
		return excess_drain(batch, bytes);
	if (bytes <= bound)
		return true;
	size_t item = excess_answered_item(batch);
	return item == batch->count || excess_begin_excess(batch, item, bytes);
}

void excess_finish(struct batch_op *batch)
{
	struct connection *connection = excess_connection_of(batch);
	int64_t bound = pool_setting(batch->command.pool, POOL_RESULT_BYTES);
	if (bound == 0 || batch->excess_bytes || !connection->intake.source)
		return;
	int64_t bytes = 2 * intake_look(&connection->intake, connection->fd);
	size_t last = batch->count;
	while (last > 0 && PQntuples(batch->items[last - 1].rows.result) == 0)
		last--;
	if (bytes <= bound || last == 0)
		return;
	batch->excess_bytes = bytes;
	batch->excess_item = last - 1;
	struct batch_item *item = &batch->items[last - 1];
	if (excess_takes(batch, item, item->rows.result))
		PQclear(TAKE(item->rows.result));
}

bool excess_takes(struct batch_op *batch, struct batch_item *item, const PGresult *result)
{
	bool is_it = item == &batch->items[batch->excess_item];
	ExecStatusType status = PQresultStatus(result);
	bool is_canceled =
		status == PGRES_FATAL_ERROR && text_equal(PQresultErrorField(result, PG_DIAG_SQLSTATE), "57014");
	if (!batch->excess_bytes || item < &batch->items[batch->excess_item] || (!is_it && PQntuples(result) == 0) ||
		(status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK && !is_canceled))
		return false;
	char message[POOL_MESSAGE_SIZE];
	snprintf(message, sizeof(message),
		"the answers grew beyond result_bytes %lld: %lld bytes had come, counted twice; the server %s",
		excess_bound_of(batch), (long long)batch->excess_bytes / 2,
		is_canceled ? "canceled the statement" : "had finished the statement");
	struct error_detail detail = {.code = SHIPOPT_ETOOLARGE,
		.message = message,
		.sqlstate = is_canceled ? "57014" : NULL,
		.retry_after_ms = -1};
	if (is_canceled)
		command_note_failure(&batch->command, &detail);
	error_set_detail(&item->error, &detail);
	item->status = SHIPOPT_ETOOLARGE;
	return true;
}
