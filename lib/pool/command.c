/* SPDX-License-Identifier: MIT */
#include "pool/command.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "pool/slow.h"

#define REPEAT_BASE_US 10000
#define REPEAT_DOUBLINGS_MAX 7

/* ---- outcome ------------------------------------------------------------------------------------------------- */

static void command_settle_lease(struct command *command, int status)
{
	shipopt_lease *lease = TAKE(command->lease);
	atomic_fetch_sub(&lease->commands, 1);
	if (status >= 0 && command->class->keeps_lease)
		atomic_store(&command->taken_lease, lease);
	else
		lease_unref(lease);
}

/* The connection is given on before the host hears of the outcome: the next waiter's query is on its way meanwhile. */
static void command_deliver(struct command *command, int status, shipopt_error *error)
{
	timer_stop(&command->deadline);
	command->is_running = false;
	command->is_finished = true;
	if (command->is_pool_call)
		atomic_fetch_sub(&command->pool->pending, 1);
	if (command->class->ended)
		command->class->ended(command, status);
	if (status == SHIPOPT_ETIMEDOUT && command->has_timed_out && !error)
		error_set(&error, status, "the deadline of %lld ms passed", (long long)command->passed_ms);
	command_settle_lease(command, status);
	op_complete(&command->op, status, error);
}

/* 25006 on a server that says it is read-only as a whole means a failover: connections made before are of no use.
 * Looked at when the command is over, as servers tell of changed settings last. */
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

/* Keeps what other threads may ask about the session. */
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
	int64_t least_us = pool_setting(pool, POOL_SLOW_MS) * 1000, duration = clock_now_us() - command->started_us;
	if (least_us == 0 || duration < least_us || !command->class->sql || command->lease->is_internal)
		return;
	const char *sql = command->class->sql(command);
	pool_count(pool, SHIPOPT_POOL_STAT_SLOW, 1);
	runtime_log(pool->runtime, SHIPOPT_LOG_WARNING, "pool: slow command, %lld ms: %.1024s",
		(long long)(duration / 1000), sql);
	slow_report(pool, sql, command->class->query ? command->class->query(command) : NULL, duration);
}

void command_finish(struct connection *connection)
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
	intake_reset(&connection->intake);
	command->is_running = true;
	command->started_us = now;
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

void command_next(struct connection *connection)
{
	connection->holds++;
	while (connection->state == CONNECTION_LEASED && !connection->command && !connection->ended) {
		struct list_node *node = list_pop_front(&connection->commands);
		if (!node)
			break;
		command_run(LIST_MEMBER(node, struct command, node), connection);
	}
	connection->holds--;
	connection_settle(connection); /* if it was lost meanwhile */
}

static void command_fail_lost(struct command *command, int status, const char *reason)
{
	shipopt_error *error = TAKE(command->error);
	if (command->status < 0)
		status = command->status; /* held back, and nothing the loss could change */
	else if (status == SHIPOPT_ETIMEDOUT && command->has_timed_out)
		error_set(&error, status, "the deadline of %lld ms passed: %s", (long long)command->passed_ms, reason);
	else if (status < 0)
		error_set(&error, status, "%s", reason);
	command_deliver(command, status, error);
}

void command_park(struct command *command)
{
	struct connection *connection = command->lease->connection;
	timer_stop(&command->deadline);
	command->is_running = false;
	connection->command = NULL;
	command_note_session(connection);
}

void command_resume(struct command *command)
{
	struct connection *connection = command->lease->connection;
	list_push_back(&connection->commands, &command->node);
	command_next(connection);
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
		command_fail_lost(command, refusal, "the transaction that the lease belongs to is over");
		return;
	}
	if (connection->state == CONNECTION_LOST) {
		command_fail_lost(command, SHIPOPT_ENETWORK, "the lease's connection is lost");
		return;
	}
	list_push_back(&connection->commands, &command->node);
	command_next(connection);
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
	if (running) {
		int status = running->class->loss(running);
		/* A cancel that could not be delivered, or was not answered: the deadline is why this ends, unless it is in doubt. */
		if (status == SHIPOPT_ENETWORK && running->has_timed_out)
			status = SHIPOPT_ETIMEDOUT;
		command_fail_lost(running, status, reason);
	}
	while ((node = list_pop_front(&waiting)))
		command_fail_lost(LIST_MEMBER(node, struct command, node), SHIPOPT_ENETWORK, reason);
}

/* ---- errors of the server ------------------------------------------------------------------------------------ */

static int command_code_of(const struct command *command, const char *sqlstate)
{
	static const struct {
		const char *prefix;
		int code;
	} codes[] = {
		{"57P", SHIPOPT_ENETWORK},
		{"08", SHIPOPT_ENETWORK},
		{"40", SHIPOPT_EBUSY},
		{"23", SHIPOPT_ECONFLICT},
		{"22", SHIPOPT_EINVAL},
		{"42501", SHIPOPT_EAUTH},
		{"42", SHIPOPT_EINVAL},
		{"28", SHIPOPT_EAUTH},
		{"25", SHIPOPT_ESTATE},
		{"0A", SHIPOPT_EUNSUPPORTED},
		{"55P03", SHIPOPT_EBUSY},
	};
	if (strcmp(sqlstate, "57014") == 0)
		return command->has_timed_out && !command->is_canceled ? SHIPOPT_ETIMEDOUT : SHIPOPT_ECANCELED;
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (text_has_prefix(sqlstate, codes[i].prefix))
			return codes[i].code;
	return SHIPOPT_EDATABASE;
}

void command_note_failure(struct command *command, const struct error_detail *detail)
{
	shipopt_lease *lease = command->lease->connection->lease;
	/* What made the transaction fail; 25P02 only says that it has. */
	if (!lease || strcmp(detail->sqlstate, "25P02") == 0)
		return;
	snprintf(lease->failure, sizeof(lease->failure), "%s", detail->sqlstate);
	shipopt_error_unref(lease->cause);
	lease->cause = error_new_detail(detail);
}

static void command_note_sqlstate(struct connection *connection, const char *sqlstate)
{
	if (strcmp(sqlstate, "25006") == 0) {
		connection->saw_read_only = true;
	} else if (text_has_prefix(sqlstate, "57P") || text_has_prefix(sqlstate, "08")) {
		shipopt_pool *pool = connection->pool;
		connection->is_retiring = true;
		pthread_mutex_lock(&pool->lock);
		pool->suspect_before_us = clock_now_us();
		pthread_mutex_unlock(&pool->lock);
	}
}

int command_result_error(struct command *command, const PGresult *result, shipopt_error **ret_error)
{
	struct connection *connection = command->lease->connection;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	char message[1024], said[960], deadline[64] = "";
	if (!sqlstate) { /* libpq's own: the connection is lost, or it is out of memory */
		connection_error_text(connection, message, sizeof(message));
		return error_set(ret_error, SHIPOPT_ENETWORK, "%s", message);
	}
	int code = command_code_of(command, sqlstate);
	if (code == SHIPOPT_ETIMEDOUT)
		snprintf(deadline, sizeof(deadline), "the deadline of %lld ms passed: ", (long long)command->passed_ms);
	/* DETAIL, HINT and CONTEXT are left out: they quote stored rows and the text of functions. */
	conninfo_copy_said(&command->pool->conninfo, connection->pg, primary ? primary : "no message", said,
		sizeof(said));
	snprintf(message, sizeof(message), "%s%s", deadline, said);
	/* A number of values that is not the statement's. Poolers use the same code for ending a connection. */
	if (strcmp(sqlstate, "08P01") == 0 && command_is_refusal(result))
		code = SHIPOPT_EINVAL;
	else
		command_note_sqlstate(connection, sqlstate);
	struct error_detail error = {.code = code, .message = message, .sqlstate = sqlstate, .retry_after_ms = -1};
	command_note_failure(command, &error);
	return error_set_detail(ret_error, &error);
}

bool command_is_refusal(const PGresult *result)
{
	return text_equal(PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED), "ERROR");
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void command_waiter_granted(struct waiter *waiter)
{
	struct command *command = CONTAINER_OF(waiter, struct command, waiter);
	command->is_waiting = false;
	command_enter(command, command->lease->connection);
}

static void command_waiter_failed(struct waiter *waiter, int status, shipopt_error *error)
{
	struct command *command = CONTAINER_OF(waiter, struct command, waiter);
	command->is_waiting = false;
	command_deliver(command, status, error);
}

static void command_start_on_reactor(struct task *task)
{
	struct command *command = CONTAINER_OF(task, struct command, start_task);
	shipopt_error *error = NULL;
	if (op_is_canceled(&command->op)) {
		command_deliver(command, SHIPOPT_ECANCELED, NULL);
	} else if (atomic_load(
			   &command->pool->is_closing)) { /* the cancel of all that runs may be over: it would run on */
		error_set(&error, SHIPOPT_ECANCELED, "the runtime is closing");
		command_deliver(command, SHIPOPT_ECANCELED, error);
	} else if (command->is_pool_call) {
		command->is_waiting = true;
		pool_wait(command->pool, &command->waiter);
	} else {
		command_enter(command, command->lease->connection);
	}
}

static void command_cancel_here(struct command *command)
{
	command->is_canceled = true;
	if (command->is_waiting) {
		command->is_waiting = false;
		pool_leave(command->pool, &command->waiter);
		pool_count(command->pool, SHIPOPT_POOL_STAT_CANCELED_ACQUIRES, 1);
		command_deliver(command, SHIPOPT_ECANCELED, NULL);
	} else if (command->is_running) {
		if (!command->class->canceled || !command->class->canceled(command))
			connection_cancel(command->lease->connection);
	} else if (list_is_linked(&command->node)) {
		list_remove(&command->node);
		command_deliver(command, SHIPOPT_ECANCELED, NULL);
	} else if (command->class->canceled) {
		command->class->canceled(command); /* parked */
	}
}

void command_cancel_all(struct connection *connection)
{
	struct list_node *node;
	while ((node = list_first(&connection->commands)))
		command_cancel_here(LIST_MEMBER(node, struct command, node));
	if (connection->command)
		command_cancel_here(connection->command);
}

static void command_cancel_on_reactor(struct task *task)
{
	struct command *command = CONTAINER_OF(task, struct command, cancel_task);
	struct connection *connection = command->is_finished ? NULL : command->lease->connection;
	if (!command->is_finished && !(connection && connection->ended == command))
		command_cancel_here(command);
	shipopt_op_unref(&command->op);
}

void command_cancel(shipopt_op *op)
{
	struct command *command = CONTAINER_OF(op, struct command, op);
	shipopt_op_ref(op);
	reactor_post(command->pool->reactor, &command->cancel_task);
}

void command_destroy(struct command *command)
{
	lease_unref(atomic_exchange(&command->taken_lease, NULL));
	lease_unref(TAKE(command->lease)); /* only there when the call was never accepted */
	shipopt_error_unref(TAKE(command->error));
	pool_unref(command->pool);
}

static int command_admit(shipopt_pool *pool, shipopt_lease *lease)
{
	if (lease) {
		if (atomic_fetch_add(&lease->commands, 1) < LEASE_COMMANDS_MAX)
			return 0;
		atomic_fetch_sub(&lease->commands, 1);
		return SHIPOPT_EAGAIN;
	}
	if (atomic_fetch_add(&pool->pending, 1) < (size_t)pool_setting(pool, POOL_QUEUE_MAX) + pool->most)
		return 0;
	atomic_fetch_sub(&pool->pending, 1);
	return SHIPOPT_EAGAIN;
}

static void command_unadmit(shipopt_pool *pool, shipopt_lease *lease)
{
	if (lease)
		atomic_fetch_sub(&lease->commands, 1);
	else
		atomic_fetch_sub(&pool->pending, 1);
}

int command_new_delivered(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_caller, struct command **ret_command)
{
	shipopt_op *op;
	shipopt_lease *own = NULL;
	int r = runtime_check(pool->runtime);
	r = r < 0 ? r : command_admit(pool, lease);
	if (r < 0)
		return r;
	if (!lease) {
		r = lease_new(pool, NULL, 0, &own);
		if (r == 0)
			atomic_store(&own->commands, 1);
	}
	r = r < 0 ? r : op_new(op_class, pool->runtime, delivery, done, userdata, ret_caller, &op);
	if (r < 0) {
		command_unadmit(pool, lease);
		lease_unref(own);
		return r;
	}
	struct command *command = CONTAINER_OF(op, struct command, op);
	op->done_is_own = delivery != &pool->delivery;
	command->class = class;
	command->pool = pool_ref(pool);
	command->lease = lease ? lease_ref(lease) : own;
	command->is_pool_call = !lease;
	command->timeout_ms = -1;
	list_init(&command->node);
	list_init(&command->waiter.node);
	command->waiter.pool = pool;
	command->waiter.lease = command->lease;
	command->waiter.granted = command_waiter_granted;
	command->waiter.failed = command_waiter_failed;
	command->deadline.fire = command_deadline_fire;
	command->start_task.run = command_start_on_reactor;
	command->cancel_task.run = command_cancel_on_reactor;
	*ret_command = command;
	return 0;
}

int command_new(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct command **ret_command)
{
	pool = lease ? lease->pool : pool;
	return pool ? command_new_delivered(op_class, class, pool, lease, &pool->delivery, done, userdata, ret_caller,
			      ret_command)
		    : SHIPOPT_EINVAL;
}

int command_submit(struct command *command, int prepared, shipopt_op **ret_op)
{
	if (prepared < 0) {
		command_unadmit(command->pool, command->is_pool_call ? NULL : command->lease);
		op_abandon(&command->op, ret_op != NULL);
		return prepared;
	}
	if (ret_op)
		*ret_op = &command->op;
	reactor_post(command->pool->reactor, &command->start_task);
	return 0;
}
