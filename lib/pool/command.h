/* SPDX-License-Identifier: MIT */
#ifndef POOL_COMMAND_H
#define POOL_COMMAND_H

#include "pool/connection.h"
#include "pool/lease.h"

/*
 * What every command has in common: an operation that runs on a connection, alone, from its start until its last answer is
 * read.
 *
 * A command given to a lease waits in the connection's list; one given to the pool first waits for a lease of its own, which
 * ends with it. On the reactor its class is asked to `start` (send), to make `progress` whenever the socket has done
 * something, and told when the connection is `lost`. It says command_end() once, when the connection is free for the
 * next. The deadline runs from the start; it and shipopt_op_cancel() send a cancel request, after which the command
 * still reads until its answers are complete.
 */
struct command_class {
	/* Sends. A negative code: nothing was sent. */
	int (*start)(struct command *command);
	void (*progress)(struct command *command);
	/* The code for a loss of the connection now: SHIPOPT_EINDOUBT or SHIPOPT_ENETWORK. When the outcome had come already: 0, or a
	 * failure that is in `status` and `error` too. */
	int (*loss)(struct command *command);
	/* It is to end early. True when it has seen to that itself and no request is to be sent. May be NULL. Also called when it is
	 * parked. */
	bool (*canceled)(struct command *command);
	const char *(*sql)(struct command *command); /* for reports; may be NULL */
	const struct shipopt_query *(*query)(
		struct command *command);                   /* what may be explained; may be NULL, and give NULL */
	void (*ended)(struct command *command, int status); /* it is about to be delivered; may be NULL */
	bool keeps_lease;                                   /* the lease is the result */
};

struct command {
	shipopt_op op;
	const struct command_class *class;
	shipopt_pool *pool;   /* a reference */
	shipopt_lease *lease; /* a reference, from the start or with the grant */
	struct waiter waiter;
	struct list_node node;
	struct timer deadline;
	int64_t timeout_ms; /* -1: the pool's, 0: none */
	int64_t started_us;
	int64_t passed_ms; /* the deadline that passed, for messages */
	struct task start_task, cancel_task;
	bool is_pool_call, is_waiting, is_running, is_canceled, has_timed_out;
	bool is_finished;
	int status; /* of an outcome that is held back */
	shipopt_error *error;
	_Atomic(shipopt_lease *) taken_lease; /* the result of an acquire */
};

/* Makes the operation of op_class, which embeds a struct command first. On a lease when that is given, else on the pool. */
int command_new(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct command **ret_command);
/* The same with another delivery than the pool's. */
int command_new_delivered(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_caller, struct command **ret_command);
/* Sends it on its way, or with a negative `prepared` undoes it. */
int command_submit(struct command *command, int prepared, shipopt_op **ret_op);
/* The connection is free; the outcome is settled. Consumes `error`. */
void command_end(struct command *command, int status, shipopt_error *error);
/* For the op_class. */
void command_cancel(shipopt_op *op);
void command_destroy(struct command *command);

/*
 * A command may have other commands run between two statements of its own: from `start` or `progress` it parks, when all of its
 * answers are read, and resumes behind those that were given meanwhile, if the connection is not lost: `start` is called again. A
 * command that is parked or queued can be abandoned: it is delivered at once.
 */
void command_park(struct command *command);
void command_resume(struct command *command);
void command_abandon(struct command *command, int status, shipopt_error *error);
/* Full jitter up to 10 ms × 2^repeats, 1.28 s at most. */
int64_t command_repeat_pause_us(shipopt_pool *pool, unsigned repeats);

/* For the connection: the lists. */
void command_enter(struct command *command, struct connection *connection);
void command_next(struct connection *connection);
void command_finish(struct connection *connection); /* `ended` may be delivered now */
/* Tells commands that the connection is lost. */
void command_lose_all(struct connection *connection, const char *reason);
/* Cancels what runs and what waits there. */
void command_cancel_all(struct connection *connection);

/* Turns an error result into a code and an error object, and notes what it says about the connection. */
int command_result_error(struct command *command, const PGresult *result, shipopt_error **ret_error);
/* Keeps what made the lease's transaction fail. */
void command_note_failure(struct command *command, const struct error_detail *detail);
/* The server has told that the statement failed, and lives: it is rolled back, whatever becomes of the connection. */
bool command_is_refusal(const PGresult *result);

#endif
