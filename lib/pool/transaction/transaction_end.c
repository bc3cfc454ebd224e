/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "base/clock.h"
#include "pool/transaction/transaction_op.h"

/* What a transaction ends with, and its end by a cancel or its deadline. */

/* ---- the outcome that is held back --------------------------------------------------------------------------- */

void transaction_hold(struct transaction_op *transaction, int status, shipopt_error *error)
{
	shipopt_error_unref(TAKE(transaction->command.error));
	transaction->command.status = status;
	transaction->command.error = error;
}

void transaction_end_held(struct transaction_op *transaction)
{
	command_end(&transaction->command, transaction->command.status, TAKE(transaction->command.error));
}

void transaction_abandon_held(struct transaction_op *transaction)
{
	shipopt_pool *pool = pool_ref(transaction->command.pool);
	command_abandon(&transaction->command, transaction->command.status, TAKE(transaction->command.error));
	pool_unref(pool);
}

void transaction_hold_stopped(struct transaction_op *transaction)
{
	shipopt_error *error = NULL;
	if (!transaction->command.is_canceled)
		error_set(&error, SHIPOPT_ETIMEDOUT, "the transaction's deadline of %lld ms passed, in attempt %d",
			(long long)transaction->command.passed_ms, (int)transaction->attempt);
	transaction_hold(transaction, transaction->command.is_canceled ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, error);
}

void transaction_hold_caused(struct transaction_op *transaction, int status, const char *message)
{
	const shipopt_error *cause = transaction->command.lease->cause;
	char text[2 * POOL_MESSAGE_SIZE];
	shipopt_error *error = NULL;
	snprintf(text, sizeof(text), "%s%s%s", message, cause ? ": " : "", cause ? shipopt_error_message(cause) : "");
	error_set_detail(&error,
		&(struct error_detail){.code = status,
			.message = text,
			.sqlstate = shipopt_error_sqlstate(cause),
			.domain = ERROR_DOMAIN,
			.retry_after_ms = -1});
	transaction_hold(transaction, status, error);
}

/* ---- cancel and deadline -------------------------------------------------------------------------------------- */

int64_t transaction_limit_of(const struct transaction_op *transaction)
{
	int64_t timeout_ms = transaction->options.timeout_ms;
	return timeout_ms < 0 ? pool_setting(transaction->command.pool, POOL_COMMAND_TIMEOUT_MS) : timeout_ms;
}

/* Stops waiting for the answer of the body. */
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
	if (atomic_load(&pool->state) != POOL_OPEN)
		transaction_revoke(transaction);
	else
		timer_start(pool->reactor, &transaction->limit,
			clock_now_us() + pool_setting(pool, POOL_CANCEL_GRACE_MS) * 1000);
}

/* Also called for the deadline of BEGIN, COMMIT or ROLLBACK. The server cancels those, a ROLLBACK too: the grace limits
 * the wait for a silent server. */
bool transaction_canceled(struct command *command)
{
	struct transaction_op *transaction = transaction_from(command);
	if (command->state == COMMAND_RUNNING)
		return false;
	if (transaction->phase == TRANSACTION_PAUSE) {
		transaction_hold_stopped(transaction);
		transaction_abandon_held(transaction);
	} else if (!transaction->is_over) {
		transaction_stop_body(transaction);
	}
	return true;
}

void transaction_limit_fire(struct timer *timer)
{
	struct transaction_op *transaction = CONTAINER_OF(timer, struct transaction_op, limit);
	struct command *command = &transaction->command;
	if (command->state == COMMAND_ENDED)
		return;
	if (command->state == COMMAND_PARKED && transaction->is_over) {
		transaction_revoke(transaction);
		return;
	}
	command->has_timed_out = true;
	command->passed_ms = transaction_limit_of(transaction);
	if (command->state == COMMAND_QUEUED) { /* after commands that the body has left running */
		if (command->status >= 0)
			transaction_hold_stopped(transaction);
		transaction_abandon_held(transaction);
	} else if (command->state == COMMAND_PARKED) {
		transaction_canceled(command);
	} else {
		connection_cancel(transaction_connection_of(transaction));
	}
}

/* Those whose statement runs were canceled with their connection. */
void transaction_cancel_all(shipopt_pool *pool)
{
	LIST_FOREACH(node, &pool->transactions) {
		struct transaction_op *transaction = LIST_MEMBER(node, struct transaction_op, node);
		struct command *command = &transaction->command;
		bool is_parked = command->state == COMMAND_PARKED;
		command->is_canceled = true;
		if (is_parked && transaction->is_over)
			transaction_revoke(transaction);
		else if (is_parked)
			transaction_canceled(command);
	}
}
