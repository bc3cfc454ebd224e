/* SPDX-License-Identifier: MIT */
#include "pool/batch/batch_op.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"

/* A batch as a command: its start, its progress, its repetitions and its end. */

/* Sends from the first statement on, also for a repetition. */
static bool batch_begin(struct batch_op *batch)
{
	PGconn *pg = batch_connection_of(batch)->pg;
	batch->next = batch->statements_out = batch->bytes_out = batch->group_start = 0;
	batch->end = batch->count;
	batch->ring_length = 0;
	batch->has_answer = batch->has_corrected = batch->has_refusal = false;
	batch->was_in_block = PQtransactionStatus(pg) != PQTRANS_IDLE;
	if (fault_point() || !PQenterPipelineMode(pg))
		return false;
	if (batch->is_transaction && batch->was_in_block) {
		if (!batch_send_rollback(batch))
			return false;
		batch->was_in_block = false;
	}
	return batch_send_more(batch) && connection_flush(batch_connection_of(batch));
}

static int batch_start(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	struct connection *connection = batch_connection_of(batch);
	if (batch_begin(batch))
		return 0;
	if (!batch->was_sent && batch->ring_length == 0 && PQpipelineStatus(connection->pg) == PQ_PIPELINE_OFF)
		return SHIPOPT_ENOMEM;
	/* A part of the pipeline may have been sent. */
	connection_lose(connection, "a statement could not be sent");
	return 0;
}

/* ---- repeating ----------------------------------------------------------------------------------------------- */

static void batch_forget_answers(struct batch_op *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];
		PQclear(TAKE(item->rows.result));
		outcome_reset(&item->outcome);
		item->is_executed = item->is_synced = item->is_commit = false;
		item->statement = NULL;
	}
	pool_count(batch->command.pool, SHIPOPT_POOL_STAT_RETRIES, 1);
}

static void batch_begin_again(struct batch_op *batch)
{
	batch_forget_answers(batch);
	batch->was_sent = false;
	if (!batch_begin(batch))
		connection_lose(batch_connection_of(batch), "a statement could not be sent");
}

static void batch_pause_fire(struct timer *timer)
{
	batch_begin_again(CONTAINER_OF(timer, struct batch_op, pause));
}

static void batch_repeat(struct batch_op *batch, enum batch_repeat repeat)
{
	shipopt_pool *pool = batch->command.pool;
	if (repeat == BATCH_REPEAT_STATEMENT) {
		batch->has_repeated_statement = true;
		batch_begin_again(batch);
		return;
	}
	batch->attempts_left--;
	timer_start(pool->reactor, &batch->pause, clock_now_us() + command_repeat_pause_us(pool, batch->repeats++));
}

/* ---- progress ------------------------------------------------------------------------------------------------ */

static void batch_finish(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	struct batch_item *failed = batch_first_failure(batch);
	if (!PQexitPipelineMode(connection->pg)) {
		connection_lose(connection, "the pipeline did not end");
		return;
	}
	enum batch_repeat repeat = batch_wants_repeat(batch, failed);
	if (repeat != BATCH_REPEAT_NOT) {
		batch_repeat(batch, repeat);
		return;
	}
	batch_set_value(batch);
	command_end(&batch->command, failed ? failed->outcome.status : 0,
		failed ? shipopt_error_ref(failed->outcome.error) : NULL);
}

static void batch_progress(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	struct connection *connection = batch_connection_of(batch);
	if (timer_is_started(&batch->pause)) { /* between two attempts */
		if (connection->is_broken)
			connection_lose(connection, "the server closed the connection");
		return;
	}
	enum batch_progress progress = batch_receive(batch);
	if (progress == BATCH_DONE)
		result_limit_finish(batch);
	if (progress == BATCH_DONE)
		batch_finish(batch);
	else if (progress == BATCH_LOST || connection->is_broken)
		connection_lose(connection, "the connection failed during a command");
	else if (!result_limit_look(batch))
		return;
	else if (!batch_send_more(batch) || !connection_flush(connection))
		connection_lose(connection, "a statement could not be sent");
}

static bool batch_canceled(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	if (!timer_is_started(&batch->pause))
		return false;
	timer_stop(&batch->pause);
	command_end(command, command->is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, NULL);
	return true;
}

static const char *batch_sql(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	return batch->items[batch->hidden].query.sql->text;
}

const struct command_class batch_class = {.start = batch_start,
	.progress = batch_progress,
	.loss = batch_loss,
	.canceled = batch_canceled,
	.sql = batch_sql};

void batch_init(struct batch_op *batch)
{
	batch->pause.fire = batch_pause_fire;
}
