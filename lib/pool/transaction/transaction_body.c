/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "pool/transaction/transaction_op.h"
#include "runtime/request.h"

/* Asking the application for the body of a transaction, and what its answer leads to. */

static void transaction_answered(void *asker, int status, int64_t value, shipopt_error *error)
{
	struct transaction_op *transaction = asker;
	struct command *command = &transaction->command;
	transaction->answer_value = value;
	lease_unref(TAKE(transaction->lent));
	if (command->state == COMMAND_FINISHED) { /* it has ended without the answer */
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

void transaction_ask_body(struct transaction_op *transaction)
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

void transaction_conclude(struct transaction_op *transaction)
{
	struct command *command = &transaction->command;
	PGTransactionStatusType state = PQtransactionStatus(transaction_connection_of(transaction)->pg);
	const char *failure = command->lease->failure;
	bool has_conflict = state == PQTRANS_INERROR && sqlstate_is_conflict(failure) && !transaction->is_over;
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
				.domain = ERROR_DOMAIN,
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
