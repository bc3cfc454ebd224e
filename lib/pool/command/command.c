/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "pool/command/command.h"

/* ---- delivery ------------------------------------------------------------------------------------------------ */

static void command_settle_lease(struct command *command, int status)
{
	shipopt_lease *lease = TAKE(command->lease);
	atomic_fetch_sub(&lease->commands, 1);
	if (status >= 0 && command->class->keeps_lease)
		atomic_store(&command->taken_lease, lease);
	else
		lease_unref(lease);
}

/* The connection goes to the next waiter before the application learns the outcome, so that no time is lost. */
void command_deliver(struct command *command, int status, shipopt_error *error)
{
	timer_stop(&command->deadline);
	command->state = COMMAND_FINISHED;
	if (command->is_pool_call)
		atomic_fetch_sub(&command->pool->pending, 1);
	if (command->class->ended)
		command->class->ended(command, status);
	if (status == SHIPOPT_ETIMEDOUT && command->has_timed_out && !error)
		error_set(&error, status, "the deadline of %lld ms passed", (long long)command->passed_ms);
	command_settle_lease(command, status);
	op_complete(&command->op, status, error);
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void command_waiter_granted(struct lease_waiter *waiter)
{
	struct command *command = CONTAINER_OF(waiter, struct command, waiter);
	command_enter(command, command->lease->connection);
}

static void command_waiter_failed(struct lease_waiter *waiter, int status, shipopt_error *error)
{
	struct command *command = CONTAINER_OF(waiter, struct command, waiter);
	command_deliver(command, status, error);
}

static void command_start_on_reactor(struct task *task)
{
	struct command *command = CONTAINER_OF(task, struct command, start_task);
	shipopt_error *error = NULL;
	if (op_is_canceled(&command->op)) {
		command_deliver(command, SHIPOPT_ECANCELED, NULL);
	} else if (atomic_load(&command->pool->state) !=
		POOL_OPEN) { /* the close may have canceled the others already */
		error_set(&error, SHIPOPT_ECANCELED, "the runtime is closing");
		command_deliver(command, SHIPOPT_ECANCELED, error);
	} else if (command->is_pool_call) {
		command->state = COMMAND_WAITING;
		wait_queue_add(command->pool, &command->waiter);
	} else {
		command_enter(command, command->lease->connection);
	}
}

static void command_cancel_running(struct command *command)
{
	if (!command->class->canceled || !command->class->canceled(command))
		connection_cancel(command->lease->connection);
}

static void command_cancel_here(struct command *command)
{
	command->is_canceled = true;
	switch (command->state) {
	case COMMAND_WAITING:
		wait_queue_remove(command->pool, &command->waiter);
		pool_count(command->pool, SHIPOPT_POOL_STAT_CANCELED_ACQUIRES, 1);
		command_deliver(command, SHIPOPT_ECANCELED, NULL);
		break;
	case COMMAND_QUEUED: command_abandon(command, SHIPOPT_ECANCELED, NULL); break;
	case COMMAND_RUNNING: command_cancel_running(command); break;
	case COMMAND_PARKED:
		if (command->class->canceled)
			command->class->canceled(command);
		break;
	default: break; /* it has not started, or it has ended */
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
	if (atomic_fetch_add(&pool->pending, 1) < (size_t)pool_setting(pool, POOL_QUEUE_MAX) + pool->total_max)
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

int command_new(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_caller, struct command **ret_command)
{
	shipopt_op *op;
	shipopt_lease *own = NULL;
	pool = lease ? lease->pool : pool;
	if (!pool)
		return SHIPOPT_EINVAL;
	delivery = delivery ? delivery : &pool->delivery;
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
	command->start_task.run = command_start_on_reactor;
	command->cancel_task.run = command_cancel_on_reactor;
	*ret_command = command;
	return 0;
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
