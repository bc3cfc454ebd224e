/* SPDX-License-Identifier: MIT */
#include "pool/transaction_op.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/text.h"
#include "pool/batch.h"
#include "runtime/request.h"

static struct transaction_op *transaction_from(struct command *command)
{
	return CONTAINER_OF(command, struct transaction_op, command);
}

static struct connection *transaction_connection_of(struct transaction_op *transaction)
{
	return transaction->command.lease->connection;
}

/* ---- the outcome --------------------------------------------------------------------------------------------- */

/* What it will end with, once it is rolled back. Consumes `error`. */
static void transaction_hold(struct transaction_op *transaction, int status, shipopt_error *error)
{
	shipopt_error_unref(TAKE(transaction->command.error));
	transaction->command.status = status;
	transaction->command.error = error;
}

static void transaction_end_held(struct transaction_op *transaction)
{
	command_end(&transaction->command, transaction->command.status, TAKE(transaction->command.error));
}

/* Of one that is parked or queued. */
static void transaction_abandon_held(struct transaction_op *transaction)
{
	shipopt_pool *pool = pool_ref(transaction->command.pool);
	command_abandon(&transaction->command, transaction->command.status, TAKE(transaction->command.error));
	pool_unref(pool);
}

static void transaction_hold_stopped(struct transaction_op *transaction)
{
	shipopt_error *error = NULL;
	if (!transaction->command.is_canceled)
		error_set(&error, SHIPOPT_ETIMEDOUT, "the transaction's deadline of %lld ms passed, in attempt %d",
			(long long)transaction->command.passed_ms, (int)transaction->attempt);
	transaction_hold(transaction, transaction->command.is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, error);
}

/* Holds back `status` with `message` and what the server said to the statement that made the transaction fail. */
static void transaction_hold_caused(struct transaction_op *transaction, int status, const char *message)
{
	const shipopt_error *cause = transaction->command.lease->cause;
	char text[2 * POOL_MESSAGE_SIZE];
	shipopt_error *error = NULL;
	snprintf(text, sizeof(text), "%s%s%s", message, cause ? ": " : "", cause ? shipopt_error_message(cause) : "");
	error_set_detail(&error,
		&(struct error_detail){.code = status,
			.message = text,
			.sqlstate = shipopt_error_sqlstate(cause),
			.retry_after_ms = -1});
	transaction_hold(transaction, status, error);
}

static bool transaction_is_conflict(const char *sqlstate)
{
	return text_equal(sqlstate, "40001") || text_equal(sqlstate, "40P01");
}

static bool transaction_is_stopped(const struct transaction_op *transaction)
{
	return transaction->command.is_canceled || transaction->command.has_timed_out;
}

/* ---- statements of its own ----------------------------------------------------------------------------------- */

static void transaction_send_sql(struct transaction_op *transaction, enum transaction_phase phase, const char *sql)
{
	struct connection *connection = transaction_connection_of(transaction);
	snprintf(transaction->sql, sizeof(transaction->sql), "%s", sql);
	transaction->phase = phase;
	transaction->was_conflict = transaction->was_rolled_back = transaction->is_answered = false;
	/* What libpq does not take has not left as a whole. */
	transaction->is_sent = !fault_point() && PQsendQuery(connection->pg, transaction->sql);
	if (!transaction->is_sent || !connection_flush(connection))
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

static bool transaction_may_repeat(const struct transaction_op *transaction)
{
	return transaction->attempt < transaction->options.attempts && !transaction_is_stopped(transaction);
}

static void transaction_repeat(struct transaction_op *transaction)
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
		transaction_start_pause(transaction); /* nothing is dropped: it is asked when the host has made room */
		return;
	}
	transaction->has_slot = true;
	command_resume(&transaction->command);
}

/* ---- the body ------------------------------------------------------------------------------------------------ */

static void transaction_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	struct transaction_op *transaction = asker;
	struct command *command = &transaction->command;
	transaction->answer_value = value;
	lease_unref(TAKE(transaction->lent));
	if (command->is_finished) { /* it could not wait for this */
		shipopt_error_unref(error);
		shipopt_op_unref(&command->op);
		return;
	}
	struct connection *connection = transaction_connection_of(transaction);
	command->lease->refusal = SHIPOPT_ESTATE;
	if (transaction->is_over)
		shipopt_error_unref(error);
	else
		transaction_hold(transaction, status, error);
	if (command->status < 0)
		command_cancel_all(connection);
	if (connection->state != CONNECTION_LOST) {
		command_resume(command);
	} else {
		if (command->status >= 0)
			transaction_hold(transaction, SHIPOPT_ENETWORK, NULL);
		transaction_abandon_held(transaction);
	}
	shipopt_op_unref(&command->op);
}

struct transaction_op *transaction_of(const shipopt_request *request)
{
	return request_asker(request, transaction_answered);
}

static void transaction_run_body(void *userdata, shipopt_request *request)
{
	struct transaction_op *transaction = userdata;
	int expected = ASKING_ON_ITS_WAY;
	if (!atomic_compare_exchange_strong(&transaction->asking, &expected, ASKING_BEGUN)) {
		shipopt_request_fail(request, SHIPOPT_ESTATE, NULL);
		return;
	}
	uint64_t before = lease_set_thread_owner(transaction->options.owner);
	transaction->body(transaction->command.op.userdata, request);
	lease_set_thread_owner(before);
}

/* It has begun: the connection is the body's. */
static void transaction_ask_body(struct transaction_op *transaction)
{
	struct command *command = &transaction->command;
	shipopt_request *request;
	int r = request_new(NULL, NULL, command->pool->reactor, transaction_answered, transaction, &request);
	if (r < 0) {
		command_end(command, r, NULL);
		return;
	}
	shipopt_op_ref(&command->op); /* the request's */
	transaction->attempt++;
	transaction->phase = TRANSACTION_BODY;
	atomic_store(&transaction->asking, ASKING_ON_ITS_WAY);
	transaction->lent = lease_ref(command->lease);
	transaction->lent->refusal = 0;
	transaction->lent->failure[0] = '\0';
	shipopt_error_unref(TAKE(transaction->lent->cause));
	bool had_slot = transaction->has_slot;
	transaction->has_slot = false;
	command_park(command);
	request_ask(request, &command->op, had_slot, transaction->body ? transaction_run_body : NULL, transaction);
}

/* All that was given to the lease before the answer is over. */
static void transaction_conclude(struct transaction_op *transaction)
{
	struct command *command = &transaction->command;
	PGTransactionStatusType state = PQtransactionStatus(transaction_connection_of(transaction)->pg);
	const char *failure = command->lease->failure;
	bool has_conflict = state == PQTRANS_INERROR && transaction_is_conflict(failure) && !transaction->is_over;
	shipopt_error *error = NULL;
	if (has_conflict && transaction_may_repeat(transaction)) {
		transaction_hold(transaction, 0, NULL);
		transaction_repeat(transaction);
		return;
	}
	if (has_conflict) {
		char message[POOL_MESSAGE_SIZE];
		snprintf(message, sizeof(message), "a conflict with another transaction in attempt %d of %d",
			(int)transaction->attempt, transaction->options.attempts);
		error_set_detail(&error,
			&(struct error_detail){.code = SHIPOPT_EBUSY,
				.message = message,
				.sqlstate = failure,
				.retry_after_ms = -1});
		transaction_hold(transaction, SHIPOPT_EBUSY, error);
	} else if (command->status < 0 && state == PQTRANS_INERROR && !transaction->is_over && command->lease->cause) {
		char message[POOL_MESSAGE_SIZE];
		const char *own = shipopt_error_message(command->error);
		snprintf(message, sizeof(message), "%s", own ? own : shipopt_error_description(command->status));
		transaction_hold_caused(transaction, command->status, message);
	} else if (command->status >= 0 && state == PQTRANS_IDLE) {
		error_set(&error, SHIPOPT_ESTATE, "the body has ended the transaction by itself");
		transaction_hold(transaction, SHIPOPT_ESTATE, error);
	}
	if (command->status >= 0)
		transaction_send_sql(transaction, TRANSACTION_COMMIT, "COMMIT");
	else if (state == PQTRANS_IDLE)
		transaction_end_held(transaction);
	else
		transaction_send_sql(transaction, TRANSACTION_ROLLBACK, "ROLLBACK");
}

/* ---- as a command -------------------------------------------------------------------------------------------- */

static void transaction_limit_fire(struct timer *timer);

static int64_t transaction_limit_of(const struct transaction_op *transaction)
{
	int64_t timeout_ms = transaction->options.timeout_ms;
	return timeout_ms < 0 ? pool_setting(transaction->command.pool, POOL_COMMAND_TIMEOUT_MS) : timeout_ms;
}

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
	ExecStatusType status = PQresultStatus(result);
	if (status == PGRES_COMMAND_OK) {
		transaction->is_answered = true;
		if (transaction->phase == TRANSACTION_COMMIT)
			transaction->was_rolled_back =
				text_equal(PQcmdStatus((PGresult *)(uintptr_t)result), "ROLLBACK");
		return true;
	}
	shipopt_error *error = NULL;
	int code = command_result_error(&transaction->command, result, &error);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	if (transaction->is_answered && !command_is_refusal(result)) { /* the loss behind the answer */
		shipopt_error_unref(error);
		return false;
	}
	transaction->is_answered = command_is_refusal(result);
	transaction->was_conflict = transaction_is_conflict(sqlstate);
	shipopt_error_unref(TAKE(transaction->error));
	transaction->failure = code;
	transaction->error = error;
	return sqlstate && !text_has_prefix(sqlstate, "57P") && !text_has_prefix(sqlstate, "08");
}

static void transaction_begun(struct transaction_op *transaction)
{
	if (transaction->failure < 0 && !transaction_is_stopped(transaction))
		transaction_hold(transaction, transaction->failure, TAKE(transaction->error));
	else if (transaction_is_stopped(transaction))
		transaction_hold_stopped(transaction);
	if (transaction->command.status < 0)
		transaction_end_held(transaction);
	else
		transaction_ask_body(transaction);
}

/* What COMMIT has come to. */
static void transaction_hold_committed(struct transaction_op *transaction)
{
	if (transaction->was_rolled_back) {
		transaction_hold_caused(transaction, SHIPOPT_ESTATE,
			"a statement of the transaction had failed and the server rolled back");
	} else if (transaction->failure < 0) {
		transaction_hold(transaction, transaction->failure, TAKE(transaction->error));
	} else {
		transaction->command.op.value = transaction->answer_value;
	}
}

static void transaction_committed(struct transaction_op *transaction)
{
	if (transaction->was_conflict && transaction_may_repeat(transaction)) {
		transaction->failure = 0;
		shipopt_error_unref(TAKE(transaction->error));
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

static int transaction_loss(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	bool is_commit = transaction->phase == TRANSACTION_COMMIT;
	if (is_commit && transaction->is_answered)
		transaction_hold_committed(transaction);
	if (transaction->phase == TRANSACTION_ROLLBACK || (is_commit && transaction->is_answered))
		return command->status;
	return is_commit && transaction->is_sent && !(transaction->options.flags & SHIPOPT_TRANSACTION_READ_ONLY)
		? SHIPOPT_EINDOUBT
		: SHIPOPT_ENETWORK;
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

/* ---- ending early -------------------------------------------------------------------------------------------- */

/* No answer will be waited for any longer. */
static void transaction_revoke(struct transaction_op *transaction)
{
	shipopt_pool *pool = pool_ref(transaction->command.pool);
	int expected = ASKING_ON_ITS_WAY;
	atomic_compare_exchange_strong(&transaction->asking, &expected, ASKING_WITHDRAWN);
	connection_lose(transaction_connection_of(transaction), "the body of a transaction did not answer");
	transaction_abandon_held(transaction);
	pool_unref(pool);
}

static void transaction_stop_body(struct transaction_op *transaction)
{
	struct command *command = &transaction->command;
	shipopt_pool *pool = command->pool;
	transaction_hold_stopped(transaction);
	transaction->is_over = true;
	command->lease->refusal = command->status;
	command_cancel_all(transaction_connection_of(transaction));
	if (atomic_load(&pool->is_closing))
		transaction_revoke(transaction);
	else
		timer_start(pool->reactor, &transaction->limit,
			clock_now_us() + pool_setting(pool, POOL_CANCEL_GRACE_MS) * 1000);
}

/* Also called for the deadline of BEGIN, COMMIT or ROLLBACK, which are canceled at the server. A ROLLBACK too, although it is what
 * was asked for: the grace bounds the wait for a server that is silent. */
static bool transaction_canceled(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	if (command->is_running)
		return false;
	if (transaction->phase == TRANSACTION_PAUSE) {
		transaction_hold_stopped(transaction);
		transaction_abandon_held(transaction);
	} else if (!transaction->is_over) {
		transaction_stop_body(transaction);
	}
	return true;
}

static void transaction_limit_fire(struct timer *timer)
{
	struct transaction_op *transaction = CONTAINER_OF(timer, struct transaction_op, limit);
	struct command *command = &transaction->command;
	if (transaction->is_over && !command->is_running && !list_is_linked(&command->node)) {
		transaction_revoke(transaction);
		return;
	}
	if (command->is_running && transaction_connection_of(transaction)->command != command)
		return; /* it has ended, and waits for a cancel request to be over */
	command->has_timed_out = true;
	command->passed_ms = transaction_limit_of(transaction);
	if (list_is_linked(&command->node)) { /* behind what the body has left running */
		if (command->status >= 0)
			transaction_hold_stopped(transaction);
		transaction_abandon_held(transaction);
	} else if (!command->is_running) {
		transaction_canceled(command);
	} else {
		connection_cancel(transaction_connection_of(transaction));
	}
}

/* A parked one is told; those at work were canceled with their connection. */
void transaction_cancel_all(shipopt_pool *pool)
{
	LIST_FOREACH(node, &pool->transactions) {
		struct transaction_op *transaction = LIST_MEMBER(node, struct transaction_op, node);
		struct command *command = &transaction->command;
		bool is_parked = !command->is_running && !list_is_linked(&command->node);
		command->is_canceled = true;
		if (is_parked && transaction->is_over)
			transaction_revoke(transaction);
		else if (is_parked)
			transaction_canceled(command);
	}
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
	shipopt_error_unref(TAKE(transaction->error));
}
