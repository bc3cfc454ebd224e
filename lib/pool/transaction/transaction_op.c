/* SPDX-License-Identifier: MIT */
#include "pool/transaction/transaction_op.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "pool/query/batch.h"
#include "pool/server/server_error.h"

static bool transaction_was_stopped(const struct transaction_op *transaction)
{
	return transaction->command.is_canceled || transaction->command.has_timed_out;
}

/* ---- its own statements ----------------------------------------------------------------------------------- */

void transaction_send_sql(struct transaction_op *transaction, enum transaction_phase phase, const char *sql)
{
	struct connection *connection = transaction_connection_of(transaction);
	snprintf(transaction->sql, sizeof(transaction->sql), "%s", sql);
	transaction->phase = phase;
	transaction->was_conflict = transaction->was_rolled_back = false;
	outcome_reset(&transaction->outcome);
	/* A statement that libpq does not accept is not sent, not even in part. */
	bool is_sent = !fault_point() && PQsendQuery(connection->pg, transaction->sql);
	transaction->outcome.may_commit =
		is_sent && phase == TRANSACTION_COMMIT && !(transaction->options.flags & SHIPOPT_TRANSACTION_READ_ONLY);
	if (!is_sent || !connection_flush(connection))
		connection_lose(connection, "a statement could not be sent");
}

static void transaction_send_begin(struct transaction_op *transaction)
{
	char begin[128], sql[160];
	bool has_failed = PQtransactionStatus(transaction_connection_of(transaction)->pg) ==
		PQTRANS_INERROR; /* the attempt before */
	transaction_begin_sql(transaction->options.flags, begin, sizeof(begin));
	snprintf(sql, sizeof(sql), "%s%s", has_failed ? "ROLLBACK; " : "", begin);
	transaction_send_sql(transaction, TRANSACTION_BEGIN, sql);
}

static void transaction_start_pause(struct transaction_op *transaction)
{
	shipopt_pool *pool = transaction->command.pool;
	transaction->phase = TRANSACTION_PAUSE;
	timer_start(pool->reactor, &transaction->pause,
		clock_now_us() + command_repeat_pause_us(pool, (unsigned)transaction->attempt - 1));
}

bool transaction_may_repeat(const struct transaction_op *transaction)
{
	return transaction->attempt < transaction->options.attempts && !transaction_was_stopped(transaction);
}

void transaction_repeat(struct transaction_op *transaction)
{
	pool_count(transaction->command.pool, SHIPOPT_POOL_STAT_RETRIES, 1);
	command_park(&transaction->command);
	transaction_start_pause(transaction);
}

static void transaction_pause_fire(struct timer *timer)
{
	struct transaction_op *transaction = CONTAINER_OF(timer, struct transaction_op, pause);
	shipopt_op *op = &transaction->command.op;
	if (transaction_connection_of(transaction)->state == CONNECTION_LOST) {
		transaction_hold(transaction, SHIPOPT_ENETWORK, NULL);
		transaction_abandon_held(transaction);
		return;
	}
	bool needs_slot = !transaction->has_slot && delivery_reserve(&op->delivery, 1) < 0;
	atomic_store(&op->needs_slot, needs_slot);
	if (needs_slot) {
		transaction_start_pause(transaction); /* the question waits until the queue has a slot */
		return;
	}
	transaction->has_slot = true;
	command_resume(&transaction->command);
}

/* ---- as a command -------------------------------------------------------------------------------------------- */

static int transaction_start(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	shipopt_pool *pool = command->pool;
	if (transaction->phase == TRANSACTION_BODY) {
		transaction_conclude(transaction);
		return 0;
	}
	if (transaction->attempt == 0) {
		int64_t timeout_ms = transaction_limit_of(transaction);
		transaction->limit.fire = transaction_limit_fire;
		if (timeout_ms > 0)
			timer_start(pool->reactor, &transaction->limit, clock_now_us() + timeout_ms * 1000);
		list_push_back(&pool->transactions, &transaction->node);
	}
	transaction_send_begin(transaction);
	return 0;
}

/* False: the connection is lost. */
static bool transaction_take_result(struct transaction_op *transaction, const PGresult *result)
{
	struct outcome *outcome = &transaction->outcome;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (PQresultStatus(result) == PGRES_COMMAND_OK) {
		outcome->is_settled = true;
		transaction->was_rolled_back =
			transaction->phase == TRANSACTION_COMMIT && outcome_is_rollback(0, result);
		return true;
	}
	if (outcome->is_settled &&
		!server_error_is_refusal(result)) /* the server ends the connection after the answer */
		return false;
	outcome->is_settled = false;
	command_take_error(&transaction->command, outcome, result, NULL);
	transaction->was_conflict = sqlstate_is_conflict(sqlstate);
	return sqlstate && !sqlstate_ends_connection(sqlstate);
}

static void transaction_begun(struct transaction_op *transaction)
{
	if (transaction->outcome.status < 0 && !transaction_was_stopped(transaction))
		transaction_hold(transaction, transaction->outcome.status, TAKE(transaction->outcome.error));
	else if (transaction_was_stopped(transaction))
		transaction_hold_stopped(transaction);
	if (transaction->command.status < 0)
		transaction_end_held(transaction);
	else
		transaction_ask_body(transaction);
}

/* Holds back the outcome of COMMIT. */
static void transaction_hold_committed(struct transaction_op *transaction)
{
	if (transaction->was_rolled_back) {
		transaction_hold_caused(transaction, SHIPOPT_ESTATE,
			"the server rolled the transaction back, because a statement in it had failed");
	} else if (transaction->outcome.status < 0) {
		transaction_hold(transaction, transaction->outcome.status, TAKE(transaction->outcome.error));
	} else {
		transaction->command.op.value = transaction->answer_value;
	}
}

static void transaction_committed(struct transaction_op *transaction)
{
	if (transaction->was_conflict && transaction_may_repeat(transaction)) {
		outcome_reset(&transaction->outcome);
		transaction_repeat(transaction);
		return;
	}
	transaction_hold_committed(transaction);
	transaction_end_held(transaction);
}

static void transaction_progress(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	struct connection *connection = transaction_connection_of(transaction);
	bool is_good = true;
	while (is_good && (connection->is_broken || !PQisBusy(connection->pg))) {
		PGresult *result = PQgetResult(connection->pg);
		if (!result && !connection->is_broken && PQstatus(connection->pg) != CONNECTION_BAD) {
			if (transaction->phase == TRANSACTION_BEGIN)
				transaction_begun(transaction);
			else if (transaction->phase == TRANSACTION_COMMIT)
				transaction_committed(transaction);
			else
				transaction_end_held(transaction);
			return;
		}
		is_good = result && transaction_take_result(transaction, result) &&
			PQstatus(connection->pg) != CONNECTION_BAD;
		PQclear(result);
	}
	if (!is_good || connection->is_broken)
		connection_lose(connection, "the connection failed during a transaction");
}

static struct outcome *transaction_loss(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	struct outcome *outcome = &transaction->outcome;
	bool is_committed = transaction->phase == TRANSACTION_COMMIT && outcome_is_known(outcome);
	if (is_committed)
		transaction_hold_committed(transaction);
	if (is_committed || transaction->phase == TRANSACTION_ROLLBACK) {
		outcome_reset(outcome);
		outcome->is_settled = true;
		outcome->status = command->status;
		outcome->error = TAKE(command->error);
	} else {
		outcome->is_settled = false; /* an answered BEGIN decides nothing */
	}
	return outcome;
}

static const char *transaction_sql(struct command *command)
{
	return transaction_from(command)->sql;
}

static void transaction_ended(struct command *command, int status)
{
	struct transaction_op *transaction = transaction_from(command);
	timer_stop(&transaction->limit);
	timer_stop(&transaction->pause);
	list_remove(&transaction->node);
	if (transaction->lent) /* the body still has it */
		transaction->lent->refusal = status < 0 ? status : SHIPOPT_ESTATE;
	if (transaction->has_slot)
		delivery_unreserve(&command->op.delivery, 1);
	transaction->has_slot = false;
}

const struct command_class transaction_class = {.start = transaction_start,
	.progress = transaction_progress,
	.loss = transaction_loss,
	.canceled = transaction_canceled,
	.sql = transaction_sql,
	.ended = transaction_ended};

void transaction_init(struct transaction_op *transaction)
{
	transaction->pause.fire = transaction_pause_fire;
	list_init(&transaction->node);
}

void transaction_done(struct transaction_op *transaction)
{
	outcome_reset(&transaction->outcome);
}
