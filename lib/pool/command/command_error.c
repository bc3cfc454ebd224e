/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "base/clock.h"
#include "pool/command/command.h"
#include "pool/server/server_error.h"

/* Errors of the server: the code and message for the application, and what they say about the connection. */

/* A cancel request of the deadline gives SHIPOPT_ETIMEDOUT. */
static int command_code_of(const struct command *command, const char *sqlstate)
{
	int code = sqlstate_code(sqlstate);
	return code == SHIPOPT_ECANCELED && command->has_timed_out && !command->is_canceled ? SHIPOPT_ETIMEDOUT : code;
}

void command_note_failure(struct command *command, const struct error_detail *detail)
{
	shipopt_lease *lease = command->lease->connection->lease;
	/* SQLSTATE_FAILED_TRANSACTION only says that an earlier statement has failed. */
	if (!lease || sqlstate_is(detail->sqlstate, SQLSTATE_FAILED_TRANSACTION))
		return;
	snprintf(lease->failure, sizeof(lease->failure), "%s", detail->sqlstate);
	shipopt_error_unref(lease->cause);
	lease->cause = error_new_detail(detail);
}

static void command_note_sqlstate(struct connection *connection, const char *sqlstate)
{
	if (sqlstate_is(sqlstate, SQLSTATE_READ_ONLY_TRANSACTION)) {
		connection->saw_read_only = true;
	} else if (sqlstate_ends_connection(sqlstate)) {
		shipopt_pool *pool = connection->pool;
		connection->is_retiring = true;
		pthread_mutex_lock(&pool->lock);
		pool->suspect_before_us = clock_now_us();
		pthread_mutex_unlock(&pool->lock);
	}
}

static int command_client_error(struct command *command, shipopt_error **ret_error)
{
	char message[2 * POOL_MESSAGE_SIZE];
	connection_error_text(command->lease->connection, message, sizeof(message));
	return error_set(ret_error, SHIPOPT_ENETWORK, "%s", message);
}

int command_result_error(struct command *command, const PGresult *result, const char *sql, shipopt_error **ret_error)
{
	struct connection *connection = command->lease->connection;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char message[SERVER_ERROR_SIZE + 64], said[SERVER_ERROR_SIZE], deadline[64] = "";
	if (!sqlstate) /* libpq's own: the connection is lost, or memory is short */
		return command_client_error(command, ret_error);
	int code = command_code_of(command, sqlstate);
	if (code == SHIPOPT_ETIMEDOUT)
		snprintf(deadline, sizeof(deadline), "the deadline of %lld ms passed: ", (long long)command->passed_ms);
	server_error_read(&command->pool->conninfo, connection->pg, result, sql, said);
	snprintf(message, sizeof(message), "%s%s", deadline, said);
	/* The server uses this code for a wrong number of values. Poolers use it when they end a connection. */
	if (sqlstate_is(sqlstate, SQLSTATE_PROTOCOL_VIOLATION) && server_error_is_refusal(result))
		code = SHIPOPT_EINVAL;
	else
		command_note_sqlstate(connection, sqlstate);
	struct error_detail error = {.code = code,
		.message = message,
		.sqlstate = sqlstate,
		.domain = ERROR_DOMAIN,
		.retry_after_ms = -1};
	command_note_failure(command, &error);
	return error_set_detail(ret_error, &error);
}

void command_take_error(struct command *command, struct outcome *outcome, const PGresult *result, const char *sql)
{
	shipopt_error *error = NULL;
	int code = command_result_error(command, result, sql, &error);
	outcome_fail(outcome, code, error);
	outcome->is_refused = outcome->is_refused || server_error_is_refusal(result);
}
