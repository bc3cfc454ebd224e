/* SPDX-License-Identifier: MIT */
#include "pool/command/command.h"

/* Acquiring a lease: a command of the pool that ends as soon as it has its connection. Its result is the lease. */
static void acquire_destroy(shipopt_op *op)
{
	command_destroy(CONTAINER_OF(op, struct command, op));
}

static int acquire_start(struct command *command)
{
	command_end(command, 0, NULL);
	return 0;
}

static const struct op_class acquire_op_class = {sizeof(struct command), command_cancel, acquire_destroy,
	SHIPOPT_DOMAIN_DATABASE};
static const struct command_class acquire_class = {.start = acquire_start, .keeps_lease = true};

int shipopt_pool_acquire(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	struct command *command;
	int r = command_new(&acquire_op_class, &acquire_class, pool, NULL, NULL, done, userdata, ret_op, &command);
	if (r < 0)
		return r;
	if (owner)
		command->lease->owner = owner;
	lease_copy_name(command->lease->name, name);
	return command_submit(command, 0, ret_op);
}

shipopt_lease *shipopt_op_take_lease(shipopt_op *op)
{
	if (!op || op->class != &acquire_op_class || !shipopt_op_is_done(op) || op->status < 0)
		return NULL;
	struct command *command = CONTAINER_OF(op, struct command, op);
	return atomic_exchange(&command->taken_lease, NULL);
}
