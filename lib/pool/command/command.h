/* SPDX-License-Identifier: MIT */
#ifndef POOL_COMMAND_COMMAND_H
#define POOL_COMMAND_COMMAND_H

#include "pool/command/outcome.h"
#include "pool/connection/lease.h"
#include "pool/waiting/wait_queue.h"

/*
 * A command: an operation that runs on a connection, alone, from its start until its last answer is read.
 *
 *   starting → waiting → queued → running → ended → finished
 *                           ↑        ↓
 *                           └──── parked
 *
 *   starting  on its way to the event loop
 *   waiting   for a lease; only a command of the pool, which ends the lease when it ends
 *   queued    in the list of its connection, after the commands given to the lease before
 *   parked    between two of its statements, while other commands use the connection
 *   ended     its outcome is known; it waits for a cancel request to be over, so that the request cannot hit another
 *             command
 *   finished  delivered
 *
 * On the event loop its class is asked to `start` (send), to make `progress` when the socket has events, and for its
 * outcome when the connection is lost. The class calls command_end() once, when the connection is free for the next
 * command. The deadline runs from the start. The deadline and shipopt_op_cancel() send a cancel request. The command
 * then reads on until its answers are complete.
 */
struct command;

struct command_class {
	/* Sends. A negative code: nothing was sent. */
	int (*start)(struct command *command);
	void (*progress)(struct command *command);
	/* The connection is lost. Says what is known of the outcome; command.c decides with outcome_of_loss(). */
	struct outcome *(*loss)(struct command *command);
	/* The command must end early. True when the class has seen to it and no cancel request must be sent. May be
	 * NULL. Also called while the command is parked. */
	bool (*canceled)(struct command *command);
	const char *(*sql)(struct command *command);        /* for reports and error messages; may be NULL */
	void (*ended)(struct command *command, int status); /* it is about to be delivered; may be NULL */
	bool keeps_lease;                                   /* the lease is the result */
};

enum command_state {
	COMMAND_STARTING,
	COMMAND_WAITING,
	COMMAND_QUEUED,
	COMMAND_RUNNING,
	COMMAND_PARKED,
	COMMAND_ENDED,
	COMMAND_FINISHED
};

struct command {
	shipopt_op op;
	const struct command_class *class;
	shipopt_pool *pool;   /* a reference */
	shipopt_lease *lease; /* a reference, from the start or with the grant */
	struct lease_waiter waiter;
	struct list_node node; /* while queued */
	struct timer deadline;
	int64_t timeout_ms; /* -1: the pool's, 0: none */
	int64_t started_us;
	int64_t passed_ms; /* the deadline that passed, for messages */
	struct task start_task, cancel_task;
	enum command_state state;
	bool is_pool_call;
	bool is_canceled, has_timed_out;
	int status; /* of an outcome that is held back */
	shipopt_error *error;
	_Atomic(shipopt_lease *) taken_lease; /* the result of an acquire */
};

/* ---- command.c ---- */

/* Makes the operation of op_class, which embeds a struct command first. It runs on the lease if that is given, else on
 * the pool. `delivery` NULL: the pool's. */
int command_new(const struct op_class *op_class, const struct command_class *class, shipopt_pool *pool,
	shipopt_lease *lease, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_caller, struct command **ret_command);
/* Starts it, or undoes command_new() when `prepared` is negative. Returns `prepared`. */
int command_submit(struct command *command, int prepared, shipopt_op **ret_op);
/* For the op_class. */
void command_cancel(shipopt_op *op);
void command_destroy(struct command *command);
/* Cancels what runs and what is queued on the connection. */
void command_cancel_all(struct connection *connection);
/* Ends the operation, whatever its state. Consumes `error`. */
void command_deliver(struct command *command, int status, shipopt_error *error);

/* ---- command_run.c ---- */

/* Queues it on the connection, or fails it if the lease or connection does not take commands any more. */
void command_enter(struct command *command, struct connection *connection);
/* The connection is free and the outcome is known. Consumes `error`. */
void command_end(struct command *command, int status, shipopt_error *error);
/* Lets other commands use the connection. Called from `start` or `progress` when all answers are read. */
void command_park(struct command *command);
/* Queues a parked command again, if the connection is not lost. `start` is called again. */
void command_resume(struct command *command);
/* Delivers a parked or queued command at once. */
void command_abandon(struct command *command, int status, shipopt_error *error);
/* The pause before a repetition: random up to 10 ms × 2^repeats, at most 1.28 s. */
int64_t command_repeat_pause_us(shipopt_pool *pool, unsigned repeats);

/* For struct connection_events. */
void command_ready(struct connection *connection);
void command_lose_all(struct connection *connection, const char *reason);
void command_cancel_over(struct connection *connection);

/* ---- command_error.c ---- */

/* Turns an error of the server into a code and an error object, and notes what it says about the connection. `sql` is
 * the statement it belongs to, or NULL. */
int command_result_error(struct command *command, const PGresult *result, const char *sql, shipopt_error **ret_error);
/* The same for an outcome. */
void command_take_error(struct command *command, struct outcome *outcome, const PGresult *result, const char *sql);
/* Keeps the failure that made the transaction of the lease fail. */
void command_note_failure(struct command *command, const struct error_detail *detail);

#endif
