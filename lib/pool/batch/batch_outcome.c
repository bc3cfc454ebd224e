/* SPDX-License-Identifier: MIT */
#include "pool/batch/batch_op.h"

/* What a batch ends with: its first failure, whether it is repeated, and what the loss of the connection means. */

struct batch_item *batch_first_failure(struct batch_op *batch)
{
	struct batch_item *canceled = NULL;
	for (size_t i = 0; i < batch->count; i++) {
		struct batch_item *item = &batch->items[i];
		if (item->outcome.status < 0 && item->outcome.error)
			return item;
		if (item->outcome.status < 0 && !canceled)
			canceled = item;
	}
	return canceled;
}

void batch_set_value(struct batch_op *batch)
{
	const struct batch_item *last = &batch->items[batch->count - 1 - batch->hidden];
	if (last->is_executed)
		batch->command.op.value = shipopt_rows_affected(&last->rows);
}

/* ---- repeating ----------------------------------------------------------------------------------------------- */

/* A COMMIT of the application among the statements. Outside of a transaction also CALL, DO and what the server commits
 * itself. */
static bool batch_may_have_committed(const struct batch_op *batch)
{
	unsigned marks = batch->is_transaction ? SQL_COMMITS : SQL_ONE_SHOT;
	for (size_t i = batch->hidden; i < batch->count - batch->hidden; i++) {
		const struct batch_item *item = &batch->items[i];
		if (item->is_executed && (item->query.sql->marks & marks))
			return true;
	}
	return false;
}

enum batch_repeat batch_wants_repeat(struct batch_op *batch, const struct batch_item *failed)
{
	const struct command *command = &batch->command;
	if (!failed || command->is_canceled || command->has_timed_out || batch->limit_bytes ||
		batch_may_have_committed(batch))
		return BATCH_REPEAT_NOT;
	const char *sqlstate = shipopt_error_sqlstate(failed->outcome.error);
	if (batch->may_repeat_statement && batch->has_corrected && !batch->has_repeated_statement &&
		!batch->was_in_block && sqlstate_is_prepared_problem(sqlstate))
		return BATCH_REPEAT_STATEMENT;
	return batch->is_transaction && batch->attempts_left > 0 && sqlstate_is_conflict(sqlstate)
		? BATCH_REPEAT_TRANSACTION
		: BATCH_REPEAT_NOT;
}

/* ---- the loss of the connection ------------------------------------------------------------------------------ */

/* The end of every group is answered, or the commit that is the last statement. */
static bool batch_is_settled(const struct batch_op *batch)
{
	return batch->group_start == batch->end ||
		(batch->end == batch->count && batch->items[batch->count - 1].is_commit);
}

/* The statements of groups that are not answered, from the first that the server has not refused. */
static bool batch_can_commit(const struct batch_op *batch)
{
	size_t first = batch->group_start;
	bool is_in_block = batch->was_in_block, can_commit = false;
	if (batch->is_transaction) /* its COMMIT is the last statement */
		return batch->was_sent && batch->next == batch->count && !batch->has_refusal &&
			!batch->items[0].query.is_read_only;
	while (batch->has_refusal && first < batch->next && !batch->items[first++].ends_group)
		;
	for (size_t i = 0; i < batch->next; i++) {
		const struct shipopt_query *query = &batch->items[i].query;
		if (i >= first)
			can_commit = can_commit || outcome_can_commit(query, is_in_block);
		is_in_block = is_in_block && !(query->sql->marks & SQL_ENDS_BLOCK);
	}
	return can_commit;
}

static void batch_note_failure(struct batch_op *batch)
{
	const struct batch_item *failed = batch_first_failure(batch);
	batch_set_value(batch);
	if (failed)
		outcome_fail(&batch->outcome, failed->outcome.status,
			failed->outcome.error ? shipopt_error_ref(failed->outcome.error) : NULL);
}

/* Statements without an answer share the outcome of the loss. Those that were not sent are canceled. */
static void batch_fail_unanswered(struct batch_op *batch, int status)
{
	for (size_t i = batch->group_start; i < batch->count; i++)
		outcome_fail(&batch->items[i].outcome, i < batch->next ? status : SHIPOPT_ECANCELED, NULL);
}

struct outcome *batch_loss(struct command *command)
{
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	struct outcome *outcome = &batch->outcome;
	if (timer_is_started(&batch->pause)) { /* the attempt has failed, and the next one has not begun */
		timer_stop(&batch->pause);
		return outcome;
	}
	if (batch_is_settled(batch)) {
		outcome->is_settled = true;
		batch_note_failure(batch);
		return outcome;
	}
	outcome->may_commit = batch_can_commit(batch);
	int limit = batch->limit_bytes ? SHIPOPT_ETOOLARGE : SHIPOPT_ENETWORK;
	batch_fail_unanswered(batch, outcome->may_commit ? SHIPOPT_EINDOUBT : limit);
	outcome->is_refused = batch->has_refusal && !outcome->may_commit;
	if (outcome->is_refused)
		batch_note_failure(batch);
	else
		outcome->status = limit;
	return outcome;
}
