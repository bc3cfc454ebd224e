/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/command/command.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/text.h"
#include "pool/command/slow.h"

#define REPEAT_BASE_US 10000
#define REPEAT_DOUBLINGS_MAX 7

/* ---- the end of a command ------------------------------------------------------------------------------------ */

/* SQLSTATE_READ_ONLY_TRANSACTION from a server that is read-only as a whole means a failover: connections made before
 * are of no use. Called when the command has ended, because servers report changed settings last. */
static void command_note_read_only(struct connection *connection)
{
	connection->saw_read_only = false;
	const char *standby = PQparameterStatus(connection->pg, "in_hot_standby");
	const char *preset = PQparameterStatus(connection->pg, "default_transaction_read_only");
	if (standby && preset && !text_equal(standby, "on") && !text_equal(preset, "on"))
		return;
	shipopt_pool *pool = connection->pool;
	connection->is_retiring = true;
	pthread_mutex_lock(&pool->lock);
	pool->generation++;
	pthread_mutex_unlock(&pool->lock);
}

/* Updates what other threads read about the session. */
static void command_note_session(struct connection *connection)
{
	if (connection->saw_read_only)
		command_note_read_only(connection);
	if (connection->pg)
		session_state_settle(connection);
	bool is_clean = connection->pg && PQtransactionStatus(connection->pg) == PQTRANS_IDLE &&
		!connection->is_dirty && !connection->is_retiring && pool_setting(connection->pool, POOL_RESET) != 2;
	atomic_store(&connection->is_clean, is_clean);
}

static void command_report_slow(struct command *command)
{
	shipopt_pool *pool = command->pool;
	int64_t min_us = pool_setting(pool, POOL_SLOW_MS) * 1000, duration = clock_now_us() - command->started_us;
	if (min_us == 0 || duration < min_us || !command->class->sql)
		return;
	const char *sql = command->class->sql(command);
	pool_count(pool, SHIPOPT_POOL_STAT_SLOW, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: slow command, %lld ms: %.1024s",
		(long long)(duration / 1000), sql);
	slow_report(pool, sql, duration);
}

static void command_next(struct connection *connection);

/* Delivers the command that has ended. */
static void command_finish(struct connection *connection)
{
	struct command *command = TAKE(connection->ended);
	shipopt_error *error = TAKE(command->error);
	int status = command->status;
	timer_stop(&connection->timer);
	connection->cancel.deadline_us = 0;
	shipopt_pool *pool = pool_ref(command->pool);
	command_next(connection);
	command_deliver(command, status, error);
	pool_unref(pool);
}

void command_end(struct command *command, int status, shipopt_error *error)
{
	struct connection *connection = command->lease->connection;
	command_report_slow(command);
	command_note_session(connection);
	connection->command = NULL;
	connection->ended = command;
	command->state = COMMAND_ENDED;
	command->status = status;
	command->error = error;
	timer_stop(&command->deadline);
	if (!connection->cancel.job)
		command_finish(connection);
}

/* ---- on the connection --------------------------------------------------------------------------------------- */

static int64_t command_timeout_of(const struct command *command)
{
	return command->timeout_ms < 0 ? pool_setting(command->pool, POOL_COMMAND_TIMEOUT_MS) : command->timeout_ms;
}

static void command_deadline_fire(struct timer *timer)
{
	struct command *command = CONTAINER_OF(timer, struct command, deadline);
	command->has_timed_out = true;
	command->passed_ms = command_timeout_of(command);
	if (command->class->canceled && command->class->canceled(command))
		return;
	connection_cancel(command->lease->connection);
}

static void command_run(struct command *command, struct connection *connection)
{
	int64_t now = clock_now_us();
	int64_t timeout_ms = command_timeout_of(command);
	connection->command = command;
	receive_count_reset(&connection->receive_count);
	command->state = COMMAND_RUNNING;
	command->started_us = now;
	command->deadline.fire = command_deadline_fire;
	if (timeout_ms > 0)
		timer_start(command->pool->reactor, &command->deadline, now + timeout_ms * 1000);
	int r = command->class->start(command);
	if (r >= 0)
		return;
	/* Nothing was sent. */
	char message[POOL_MESSAGE_SIZE];
	shipopt_error *error = NULL;
	connection_error_text(connection, message, sizeof(message));
	if (message[0])
		error_set(&error, r, "the command could not be sent: %s", message);
	bool is_lost = PQstatus(connection->pg) == CONNECTION_BAD;
	command_note_session(connection);
	connection->command = NULL;
	lease_ref(command->lease);
	shipopt_lease *lease = command->lease;
	command_deliver(command, r, error);
	if (is_lost)
		connection_lose(connection, "a command could not be sent");
	lease_unref(lease);
}

static void command_next(struct connection *connection)
{
	connection->pins++;
	while (connection->state == CONNECTION_LEASED && !connection->command && !connection->ended) {
		struct list_node *node = list_pop_front(&connection->commands);
		if (!node)
			break;
		command_run(LIST_MEMBER(node, struct command, node), connection);
	}
	connection->pins--;
	connection_settle(connection); /* a command may have lost it */
}

static void command_queue(struct command *command, struct connection *connection)
{
	command->state = COMMAND_QUEUED;
	list_push_back(&connection->commands, &command->node);
	command_next(connection);
}

static void command_fail_lost(struct command *command, int status, const char *reason)
{
	shipopt_error *error = TAKE(command->error);
	if (command->status < 0)
		status = command->status; /* held back; the loss does not change it */
	else if (status == SHIPOPT_ETIMEDOUT && command->has_timed_out)
		error_set(&error, status, "the deadline of %lld ms passed: %s", (long long)command->passed_ms, reason);
	else
		error_set(&error, status, "%s", reason);
	command_deliver(command, status, error);
}

/* The command that runs. Its outcome may have come before the loss. */
static void command_lose_running(struct command *command, const char *reason)
{
	struct outcome *outcome = command->class->loss(command);
	int status = outcome_of_loss(outcome);
	/* A cancel that could not be delivered, or was not answered: the deadline is the reason. */
	if (status == SHIPOPT_ENETWORK && command->has_timed_out && !outcome_is_known(outcome))
		status = SHIPOPT_ETIMEDOUT;
	if (outcome_is_known(outcome))
		command_deliver(command, status, TAKE(outcome->error));
	else
		command_fail_lost(command, status, reason);
}

void command_park(struct command *command)
{
	struct connection *connection = command->lease->connection;
	timer_stop(&command->deadline);
	command->state = COMMAND_PARKED;
	connection->command = NULL;
	command_note_session(connection);
}

void command_resume(struct command *command)
{
	command_queue(command, command->lease->connection);
}

void command_abandon(struct command *command, int status, shipopt_error *error)
{
	list_remove(&command->node);
	command_deliver(command, status, error);
}

int64_t command_repeat_pause_us(shipopt_pool *pool, unsigned repeats)
{
	uint64_t top = (uint64_t)REPEAT_BASE_US << MIN(repeats, (unsigned)REPEAT_DOUBLINGS_MAX);
	return (int64_t)random_below(&pool->random, top);
}

void command_enter(struct command *command, struct connection *connection)
{
	int refusal = command->lease->refusal;
	if (refusal < 0) {
		command_fail_lost(command, refusal, "the transaction of the lease has ended");
		return;
	}
	if (connection->state == CONNECTION_LOST) {
		command_fail_lost(command, SHIPOPT_ENETWORK, "the connection of the lease is lost");
		return;
	}
	command_queue(command, connection);
}

void command_lose_all(struct connection *connection, const char *reason)
{
	struct command *running = TAKE(connection->command), *ended = TAKE(connection->ended);
	struct list_node waiting, *node;
	list_init(&waiting);
	list_splice_back(&waiting, &connection->commands);
	if (ended) {
		shipopt_error *error = TAKE(ended->error);
		command_deliver(ended, ended->status, error);
	}
	if (running)
		command_lose_running(running, reason);
	while ((node = list_pop_front(&waiting)))
		command_fail_lost(LIST_MEMBER(node, struct command, node), SHIPOPT_ENETWORK, reason);
}

void command_ready(struct connection *connection)
{
	connection->command->class->progress(connection->command);
}

void command_cancel_over(struct connection *connection)
{
	if (connection->ended)
		command_finish(connection);
	else if (connection->command && !watch_is_started(&connection->watch)) /* it reads again */
		command_ready(connection);
}
