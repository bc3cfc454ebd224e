/* SPDX-License-Identifier: MIT */
#include "pool/batch_op.h"

#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"

#define STACK_VALUES 32

static struct connection *batch_connection_of(struct batch_op *batch)
{
	return batch->command.lease->connection;
}

/* ---- sending ------------------------------------------------------------------------------------------------- */

static struct expected *batch_expect(struct batch_op *batch, enum expected_kind kind, size_t item)
{
	ASSERT(batch->ring_length < batch->ring_size);
	struct expected *place = &batch->ring[(batch->ring_head + batch->ring_length++) % batch->ring_size];
	*place = (struct expected){.kind = kind, .item = (uint32_t)item};
	return place;
}

bool batch_send_sync(struct batch_op *batch, size_t item)
{
	if (fault_point() || !PQpipelineSync(batch_connection_of(batch)->pg))
		return false;
	batch_expect(batch, EXPECT_SYNC, item);
	return true;
}

/* The roll-back of the attempt before; its answer does not matter. */
static bool batch_send_rollback(struct batch_op *batch)
{
	if (fault_point() ||
		!PQsendQueryParams(batch_connection_of(batch)->pg, "ROLLBACK", 0, NULL, NULL, NULL, NULL, 0))
		return false;
	batch_expect(batch, EXPECT_OWN, 0);
	return batch_send_sync(batch, 0);
}

struct value_arrays {
	const char *values[STACK_VALUES];
	int lengths[STACK_VALUES], formats[STACK_VALUES];
	Oid types[STACK_VALUES];
	const char **value;
	int *length, *format;
	Oid *type;
	void *block;
};

static bool batch_arrays_fill(struct value_arrays *arrays, const struct shipopt_query *query)
{
	arrays->block = NULL;
	arrays->value = arrays->values;
	arrays->length = arrays->lengths;
	arrays->format = arrays->formats;
	arrays->type = arrays->types;
	if (query->count > STACK_VALUES) {
		arrays->block = mem_alloc_array(query->count, sizeof(char *) + 2 * sizeof(int) + sizeof(Oid));
		if (!arrays->block)
			return false;
		arrays->value = arrays->block;
		arrays->length = (int *)(void *)(arrays->value + query->count);
		arrays->format = arrays->length + query->count;
		arrays->type = (Oid *)(arrays->format + query->count);
	}
	for (size_t i = 0; i < query->count; i++) {
		const struct parameter *parameter = &query->parameters[i];
		arrays->value[i] = parameter->offset == SIZE_MAX ? NULL : query->bytes + parameter->offset;
		arrays->length[i] = (int)parameter->length;
		arrays->format[i] = parameter->format;
		arrays->type[i] = parameter->type;
	}
	return true;
}

/* The name to run it under, prepared on the way if need be; NULL: without a name. */
static bool batch_find_statement(struct batch_op *batch, size_t index, const Oid *types,
	struct statement **ret_statement)
{
	struct connection *connection = batch_connection_of(batch);
	const struct shipopt_query *query = &batch->items[index].query;
	*ret_statement = NULL;
	if (query->is_unnamed || (query->sql->marks & SQL_ONE_SHOT) ||
		!pool_setting(batch->command.pool, POOL_NAMED_STATEMENTS))
		return true;
	struct statement *statement = statements_find(&connection->statements, query);
	if (!statement) {
		statement = statements_add(&connection->statements, query);
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
	struct value_arrays arrays;
	if (!batch_arrays_fill(&arrays, query))
		return false;
	bool ok = batch_find_statement(batch, index, arrays.type, &item->statement) && !fault_point();
	if (query->is_prepared_only) {
		mem_free(arrays.block);
		return ok;
	}
	if (ok && item->statement)
		ok = PQsendQueryPrepared(connection->pg, item->statement->name, (int)query->count, arrays.value,
			arrays.length, arrays.format, query->is_binary);
	else if (ok)
		ok = PQsendQueryParams(connection->pg, query->sql->text, (int)query->count, arrays.type, arrays.value,
			arrays.length, arrays.format, query->is_binary);
	mem_free(arrays.block);
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

/* Names that are no longer wanted go with the last group, each in a group of its own, as a pooler may not know them. */
static bool batch_send_deallocates(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	for (int i = 0; i < DEALLOCATES_AT_ONCE && !batch->was_in_block; i++) {
		struct statement *statement = statements_take_unwanted(&connection->statements);
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

static bool batch_send_more(struct batch_op *batch)
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

/* From the first statement on, or once more. */
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
	/* Half of a pipeline is of no use to anybody. */
	connection_lose(connection, "a statement could not be sent");
	return 0;
}

/* ---- receiving ----------------------------------------------------------------------------------------------- */

static void batch_item_fail(struct batch_item *item, int status, shipopt_error *error)
{
	if (item->status == 0) {
		item->status = status;
		item->error = error;
	} else {
		shipopt_error_unref(error);
	}
}

static bool batch_has_sqlstate(const shipopt_error *error, const char *sqlstate)
{
	return text_equal(shipopt_error_sqlstate(error), sqlstate);
}

/* It may be gone, and another one in its place: what was sent with it must not be taken for that. */
static void batch_forget_statement(struct batch_op *batch, size_t first, const struct statement *statement)
{
	for (size_t i = first; i < batch->next; i++)
		if (batch->items[i].statement == statement)
			batch->items[i].statement = NULL;
}

/* What an error says about the prepared statement it came from. */
static void batch_correct_statements(struct batch_op *batch, const struct expected *answered,
	const shipopt_error *error)
{
	struct connection *connection = batch_connection_of(batch);
	struct batch_item *item = &batch->items[answered->item];
	if (answered->kind == EXPECT_PREPARE) {
		if (batch_has_sqlstate(error, "42P05")) {
			answered->statement->is_confirmed = batch->has_corrected =
				true; /* the name comes from the text: it is this very one */
		} else {
			batch_forget_statement(batch, answered->item, answered->statement);
			statements_remove(&connection->statements, answered->statement, false);
		}
	} else if (item->statement && (batch_has_sqlstate(error, "0A000") || batch_has_sqlstate(error, "26000"))) {
		struct statement *known = statements_find(&connection->statements, &item->query);
		batch->has_corrected = true;
		if (known == item->statement) {
			batch_forget_statement(batch, answered->item, known);
			known->is_stale = batch_has_sqlstate(error, "0A000");
			statements_remove(&connection->statements, known, known->is_stale);
		}
	}
}

static void batch_take_error(struct batch_op *batch, const struct expected *answered, const PGresult *result)
{
	shipopt_error *error = NULL;
	int code = command_result_error(&batch->command, result, &error);
	batch->has_refusal = batch->has_refusal || command_is_refusal(result);
	batch_correct_statements(batch, answered, error);
	batch_item_fail(&batch->items[answered->item], code, error);
}

static bool batch_is_rolled_back(const struct batch_item *item, const PGresult *result)
{
	return (item->query.sql->marks & SQL_COMMITS) &&
		strcmp(PQcmdStatus((PGresult *)(uintptr_t)result), "ROLLBACK") == 0;
}

/* The answer to what is first in the ring. Takes the result. False for one that makes no sense. */
static bool batch_take_result(struct batch_op *batch, const struct expected *answered, PGresult *result)
{
	struct batch_item *item = &batch->items[answered->item];
	ExecStatusType status = PQresultStatus(result);
	bool is_good = true;
	if (answered->kind == EXPECT_EXECUTE &&
		status != PGRES_PIPELINE_ABORTED) /* a failed one may have left a lock */
		session_state_note(batch_connection_of(batch), &item->query, result);
	if (answered->kind == EXPECT_OWN) {
		/* nothing to keep */
	} else if (status == PGRES_PIPELINE_ABORTED) {
		if (answered->kind == EXPECT_PREPARE) {
			batch_forget_statement(batch, answered->item, answered->statement);
			statements_remove(&batch_connection_of(batch)->statements, answered->statement, false);
		} else {
			batch_item_fail(item, SHIPOPT_ECANCELED, NULL);
		}
	} else if (answered->kind == EXPECT_EXECUTE && excess_takes(batch, item, result)) {
		/* its rows are not kept */
	} else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		batch_take_error(batch, answered, result);
	} else if (answered->kind == EXPECT_PREPARE) {
		answered->statement->is_confirmed = true;
	} else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
		shipopt_error *error = NULL;
		if (batch_is_rolled_back(item, result)) {
			error_set(&error, SHIPOPT_ESTATE,
				"a statement of the transaction had failed: the server rolled back");
			batch_item_fail(item, SHIPOPT_ESTATE, error);
		}
		PQclear(item->rows.result);
		item->rows.result = TAKE(result);
		item->is_executed = true;
	} else {
		is_good = false; /* COPY among them: it has calls of its own */
	}
	PQclear(result);
	return is_good;
}

static void batch_pop_expected(struct batch_op *batch)
{
	const struct expected *first = &batch->ring[batch->ring_head];
	if (first->kind == EXPECT_EXECUTE) {
		const struct batch_item *item = &batch->items[first->item];
		batch->statements_out--;
		batch->bytes_out -=
			MIN(batch->bytes_out, item->query.length + (item->statement ? 0 : item->query.sql->length));
	}
	batch->ring_head = (batch->ring_head + 1) % batch->ring_size;
	batch->ring_length--;
	batch->has_answer = false;
	if (batch->statements_out == 0)
		batch->bytes_out = 0;
}

static void batch_take_sync(struct batch_op *batch)
{
	const struct expected *first = &batch->ring[batch->ring_head];
	for (; batch->group_start <= first->item && batch->items[first->item].ends_group &&
		batch->group_start < batch->next;
		batch->group_start++)
		batch->items[batch->group_start].is_synced = true;
	batch->has_refusal = false;
	batch_pop_expected(batch);
}

/* The answer to a SYNC is an error: what was done since the one before could not be committed, as of a deferred constraint. The
 * group's last statement stands for the commit. False when the server has ended instead: then the commit is in doubt. */
static bool batch_take_commit_error(struct batch_op *batch, size_t last, const PGresult *result)
{
	shipopt_error *error = NULL;
	if (!command_is_refusal(result))
		return false;
	batch->has_refusal = true;
	int code = command_result_error(&batch->command, result, &error);
	for (size_t i = batch->group_start; i <= last; i++) {
		struct batch_item *item = &batch->items[i];
		PQclear(TAKE(item->rows.result));
		item->is_executed = false;
		if (i == last)
			batch_item_fail(item, code, TAKE(error));
		else
			batch_item_fail(item, SHIPOPT_ECANCELED, NULL);
	}
	shipopt_error_unref(error);
	return true;
}

enum progress { PROGRESS_WAIT, PROGRESS_DONE, PROGRESS_LOST };

static enum progress batch_receive(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	while (batch->ring_length) {
		if (!connection->is_broken && PQisBusy(connection->pg))
			return PROGRESS_WAIT;
		const struct expected *first = &batch->ring[batch->ring_head];
		PGresult *result = PQgetResult(connection->pg);
		if (connection->is_broken && !result)
			return PROGRESS_LOST;
		if (!result && !batch->has_answer)
			return PQstatus(connection->pg) == CONNECTION_BAD ? PROGRESS_LOST : PROGRESS_WAIT;
		if (!result) {
			if (first->kind == EXPECT_SYNC) /* the SYNC's own answer comes behind an error of its commit */
				batch->has_answer = false;
			else
				batch_pop_expected(batch);
		} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			if (first->kind != EXPECT_SYNC)
				return PROGRESS_LOST;
			batch_take_sync(batch);
		} else {
			bool is_good = PQstatus(connection->pg) != CONNECTION_BAD, is_sync = first->kind == EXPECT_SYNC;
			batch->has_answer = true;
			if (is_good && is_sync)
				is_good = batch_take_commit_error(batch, first->item, result);
			else if (is_good)
				is_good = batch_take_result(batch, first, TAKE(result));
			PQclear(result);
			if (!is_good)
				return PROGRESS_LOST;
		}
	}
	return batch->next == batch->end ? PROGRESS_DONE : PROGRESS_WAIT;
}

/* ---- the end ------------------------------------------------------------------------------------------------- */

static struct batch_item *batch_first_failure(struct batch_op *batch)
{
	struct batch_item *canceled = NULL;
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];
		if (item->status < 0 && item->error)
			return item;
		if (item->status < 0 && !canceled)
			canceled = item;
	}
	return canceled;
}

static void batch_forget_answers(struct batch_op *batch)
{
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];
		PQclear(TAKE(item->rows.result));
		shipopt_error_unref(TAKE(item->error));
		item->status = 0;
		item->is_executed = item->is_synced = false;
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

/* A COMMIT among the statements; outside of a transaction also CALL, DO and what the server commits by itself. */
static bool batch_may_have_committed(const struct batch_op *batch)
{
	unsigned marks = batch->is_transaction ? SQL_COMMITS : SQL_ONE_SHOT;
	for (size_t i = 0; i < batch->count; i++) {
		const struct batch_item *item = &batch->items[i];
		if (item->is_executed && !item->is_hidden && (item->query.sql->marks & marks))
			return true;
	}
	return false;
}

static bool batch_wants_repeat(struct batch_op *batch, const struct batch_item *failed)
{
	const struct command *command = &batch->command;
	if (!failed || command->is_canceled || command->has_timed_out || batch->excess_bytes ||
		batch_may_have_committed(batch))
		return false;
	if (batch->may_repeat_statement && batch->has_corrected && !batch->has_repeated_statement &&
		!batch->was_in_block &&
		(batch_has_sqlstate(failed->error, "0A000") || batch_has_sqlstate(failed->error, "26000") ||
			batch_has_sqlstate(failed->error, "42P05"))) {
		batch->has_repeated_statement = true;
		return true;
	}
	return batch->is_transaction && batch->attempts_left > 0 &&
		(batch_has_sqlstate(failed->error, "40001") || batch_has_sqlstate(failed->error, "40P01"));
}

static void batch_repeat(struct batch_op *batch, const struct batch_item *failed)
{
	shipopt_pool *pool = batch->command.pool;
	if (!text_has_prefix(shipopt_error_sqlstate(failed->error), "40")) {
		batch_begin_again(batch);
		return;
	}
	batch->attempts_left--;
	timer_start(pool->reactor, &batch->pause, clock_now_us() + command_repeat_pause_us(pool, batch->repeats++));
}

static void batch_set_value(struct batch_op *batch)
{
	const struct batch_item *last = &batch->items[batch->count - 1 - batch->hidden];
	if (last->is_executed)
		batch->command.op.value = shipopt_rows_affected(&last->rows);
}

static void batch_finish(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	struct batch_item *failed = batch_first_failure(batch);
	if (!PQexitPipelineMode(connection->pg)) {
		connection_lose(connection, "the pipeline did not end");
		return;
	}
	if (batch_wants_repeat(batch, failed)) {
		batch_repeat(batch, failed);
		return;
	}
	batch_set_value(batch);
	command_end(&batch->command, failed ? failed->status : 0, failed ? shipopt_error_ref(failed->error) : NULL);
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
	enum progress progress = batch_receive(batch);
	if (progress == PROGRESS_DONE)
		excess_finish(batch);
	if (progress == PROGRESS_DONE)
		batch_finish(batch);
	else if (progress == PROGRESS_LOST || connection->is_broken)
		connection_lose(connection, "the connection failed during a command");
	else if (!excess_look(batch))
		return;
	else if (!batch_send_more(batch) || !connection_flush(connection))
		connection_lose(connection, "a statement could not be sent");
}

/* What was done is known: every group's end is answered, or the COMMIT that is the last statement. */
static bool batch_is_settled(const struct batch_op *batch)
{
	const struct batch_item *last = &batch->items[batch->count - 1];
	return batch->group_start == batch->end ||
		(batch->end == batch->count && last->is_executed && (last->query.sql->marks & SQL_COMMITS));
}

/* The outcome that came before the connection was lost. */
static int batch_hold_outcome(struct batch_op *batch)
{
	struct command *command = &batch->command;
	struct batch_item *failed = batch_first_failure(batch);
	batch_set_value(batch);
	if (!failed)
		return 0;
	command->status = failed->status;
	command->error = failed->error ? shipopt_error_ref(failed->error) : NULL;
	return command->status;
}

/* What may have been committed without our knowing: see <shipopt/pool.h>. */
static bool batch_is_in_doubt(const struct batch_op *batch)
{
	size_t first = batch->group_start;
	bool is_in_block = batch->was_in_block, is_in_doubt = false;
	if (batch->is_transaction)
		return batch->was_sent && batch->next == batch->count && !batch->has_refusal &&
			!batch->items[0].query.is_read_only;
	while (batch->has_refusal && first < batch->next && !batch->items[first++].ends_group)
		;
	for (size_t i = 0; i < batch->next; i++) {
		const struct shipopt_query *query = &batch->items[i].query;
		bool commits = query->sql->marks & SQL_COMMITS;
		if (i >= first)
			is_in_doubt = is_in_doubt || commits || (!is_in_block && !query->is_read_only);
		is_in_block = is_in_block && !(query->sql->marks & SQL_ENDS_BLOCK);
	}
	return is_in_doubt;
}

static int batch_loss(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	if (timer_is_started(
		    &batch->pause)) { /* the attempt has failed, so the server rolls it back; the next has not begun */
		timer_stop(&batch->pause);
		return SHIPOPT_ENETWORK;
	}
	if (batch_is_settled(batch))
		return batch_hold_outcome(batch);
	int status = batch_is_in_doubt(batch) ? SHIPOPT_EINDOUBT
		: batch->excess_bytes         ? SHIPOPT_ETOOLARGE
					      : SHIPOPT_ENETWORK;
	for (size_t i = batch->group_start; i < batch->count; i++)
		batch_item_fail(&batch->items[i], i < batch->next ? status : SHIPOPT_ECANCELED, NULL);
	return batch->has_refusal && status != SHIPOPT_EINDOUBT ? batch_hold_outcome(batch) : status;
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

static const struct shipopt_query *batch_query(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	return batch->count == 1 ? &batch->items[0].query : NULL;
}

const struct command_class batch_class = {.start = batch_start,
	.progress = batch_progress,
	.loss = batch_loss,
	.canceled = batch_canceled,
	.sql = batch_sql,
	.query = batch_query};

void batch_init(struct batch_op *batch)
{
	batch->pause.fire = batch_pause_fire;
}
