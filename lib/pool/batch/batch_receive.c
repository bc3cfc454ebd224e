/* SPDX-License-Identifier: MIT */
#include "pool/batch/batch_op.h"
#include "pool/server/server_error.h"

/* Reading the answers to a batch, in the order of the ring. */

/* The statement may be gone, and another one in its place. Items that were sent with it must not be taken for users of
 * that. */
static void batch_forget_statement(struct batch_op *batch, size_t first, const struct prepared *statement)
{
	for (size_t i = first; i < batch->next; i++)
		if (batch->items[i].statement == statement)
			batch->items[i].statement = NULL;
}

/* The statement could not be prepared. */
static void batch_correct_prepare(struct batch_op *batch, const struct batch_answer *answered, const char *sqlstate)
{
	if (sqlstate_is(sqlstate,
		    SQLSTATE_DUPLICATE_STATEMENT)) { /* the name is made from the text: it is the same statement */
		answered->statement->is_confirmed = batch->has_corrected = true;
		return;
	}
	batch_forget_statement(batch, answered->item, answered->statement);
	prepared_cache_remove(&batch_connection_of(batch)->statements, answered->statement, false);
}

/* Brings the cache of prepared statements up to date with an error of the server. */
static void batch_correct_statements(struct batch_op *batch, const struct batch_answer *answered, const char *sqlstate)
{
	struct connection *connection = batch_connection_of(batch);
	struct batch_item *item = &batch->items[answered->item];
	bool is_outdated = sqlstate_is(sqlstate, SQLSTATE_FEATURE_NOT_SUPPORTED);
	if (answered->kind == EXPECT_PREPARE) {
		batch_correct_prepare(batch, answered, sqlstate);
	} else if (item->statement && (is_outdated || sqlstate_is(sqlstate, SQLSTATE_UNKNOWN_STATEMENT))) {
		struct prepared *known = prepared_cache_find(&connection->statements, &item->query);
		batch->has_corrected = true;
		if (known == item->statement) {
			batch_forget_statement(batch, answered->item, known);
			known->is_stale = is_outdated;
			prepared_cache_remove(&connection->statements, known, known->is_stale);
		}
	}
}

static void batch_take_error(struct batch_op *batch, const struct batch_answer *answered, const PGresult *result)
{
	struct batch_item *item = &batch->items[answered->item];
	batch->has_refusal = batch->has_refusal || server_error_is_refusal(result);
	batch_correct_statements(batch, answered, PQresultErrorField(result, PG_DIAG_SQLSTATE));
	command_take_error(&batch->command, &item->outcome, result, item->query.sql->text);
}

/* Handles the answer to the first entry of the ring. Takes the result. False for an answer that does not belong
 * there. */
static bool batch_take_result(struct batch_op *batch, const struct batch_answer *answered, PGresult *result)
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
			prepared_cache_remove(&batch_connection_of(batch)->statements, answered->statement, false);
		} else {
			outcome_fail(&item->outcome, SHIPOPT_ECANCELED, NULL);
		}
	} else if (answered->kind == EXPECT_EXECUTE && result_limit_takes(batch, item, result)) {
		/* its rows are not kept */
	} else if (status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE) {
		batch_take_error(batch, answered, result);
	} else if (answered->kind == EXPECT_PREPARE) {
		answered->statement->is_confirmed = true;
	} else if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
		item->is_commit =
			outcome_note_rollback(&item->outcome, &item->query, result) || outcome_is_commit(result);
		PQclear(item->rows.result);
		item->rows.result = TAKE(result);
		item->is_executed = true;
	} else {
		is_good = false; /* such as COPY, which has its own calls */
	}
	PQclear(result);
	return is_good;
}

static void batch_pop_answer(struct batch_op *batch)
{
	const struct batch_answer *first = &batch->ring[batch->ring_head];
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
	const struct batch_answer *first = &batch->ring[batch->ring_head];
	for (; batch->group_start <= first->item && batch->items[first->item].ends_group &&
		batch->group_start < batch->next;
		batch->group_start++)
		batch->items[batch->group_start].is_synced = true;
	batch->has_refusal = false;
	batch_pop_answer(batch);
}

/* The answer to a SYNC is an error: the group could not be committed, for example because of a deferred constraint. The
 * last statement of the group gets the error. False when the server ends the connection instead: then the commit is in
 * doubt. */
static bool batch_take_commit_error(struct batch_op *batch, size_t last, const PGresult *result)
{
	if (!server_error_is_refusal(result))
		return false;
	batch->has_refusal = true;
	for (size_t i = batch->group_start; i <= last; i++) {
		struct batch_item *item = &batch->items[i];
		PQclear(TAKE(item->rows.result));
		item->is_executed = false;
		if (i == last)
			command_take_error(&batch->command, &item->outcome, result, NULL);
		else
			outcome_fail(&item->outcome, SHIPOPT_ECANCELED, NULL);
	}
	return true;
}

enum batch_progress batch_receive(struct batch_op *batch)
{
	struct connection *connection = batch_connection_of(batch);
	while (batch->ring_length) {
		if (!connection->is_broken && PQisBusy(connection->pg))
			return BATCH_WAIT;
		const struct batch_answer *first = &batch->ring[batch->ring_head];
		PGresult *result = PQgetResult(connection->pg);
		if (connection->is_broken && !result)
			return BATCH_LOST;
		if (!result && !batch->has_answer)
			return PQstatus(connection->pg) == CONNECTION_BAD ? BATCH_LOST : BATCH_WAIT;
		if (!result) {
			if (first->kind == EXPECT_SYNC) /* the answer to the SYNC comes after the error of its commit */
				batch->has_answer = false;
			else
				batch_pop_answer(batch);
		} else if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
			PQclear(result);
			if (first->kind != EXPECT_SYNC)
				return BATCH_LOST;
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
				return BATCH_LOST;
		}
	}
	return batch->next == batch->end ? BATCH_DONE : BATCH_WAIT;
}
