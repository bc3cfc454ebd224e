/* SPDX-License-Identifier: MIT */
#ifndef POOL_TRANSACTION_TRANSACTION_OP_H
#define POOL_TRANSACTION_TRANSACTION_OP_H

#include "pool/command/command.h"
#include "pool/transaction/transaction_options.h"

/*
 * A transaction whose statements the application decides on one by one.
 *
 *	waiting → BEGIN → body → COMMIT → done
 *	            ↑       ├──→ ROLLBACK → done          the body failed, or the transaction was canceled or is late
 *	          pause ←───┴── COMMIT                    a conflict
 *
 * It is a command of the pool that waits for its lease like any other. It is parked while the body runs, so the
 * connection takes the commands that the body gives to the lease. The body is a request (<shipopt/op.h>). Its answer
 * may come on any thread. The event loop handles it after the commands that were given to the lease before it. From the
 * answer on, the lease refuses further commands.
 *
 * The body does not decide whether a failure was a conflict. The lease notes the SQLSTATE of the last failure, and the
 * connection says whether the transaction has failed. So a conflict that the body rolled back to a savepoint does not
 * count, and a conflict counts that the body turned into an error of its own or ignored. The pause keeps the
 * connection, as for batches.
 *
 * `limit` runs from the first BEGIN to the end. When it fires, or on a cancel, the pool cancels what the body has
 * running and refuses new commands. The body has cancel_grace_ms to answer. Without an answer the connection is closed,
 * so a body that never answers costs a connection but no place in the pool. There is no grace when the runtime closes.
 * The lease and the operation live until the answer (`lent`, and a reference for the request), however late it comes.
 */
enum transaction_phase {
	TRANSACTION_BEGIN,
	TRANSACTION_BODY,
	TRANSACTION_COMMIT,
	TRANSACTION_ROLLBACK,
	TRANSACTION_PAUSE
};

/* Whether the body was entered. A body that was not entered before the operation ends never is, as `userdata` may be
 * gone. */
enum asking { ASKING_ON_ITS_WAY, ASKING_BEGUN, ASKING_WITHDRAWN };

struct transaction_op {
	struct command command; /* its status and error hold the outcome back until the rollback is done */
	struct shipopt_transaction_options options;
	shipopt_request_fn body;
	enum transaction_phase phase;
	_Atomic int attempt;
	bool is_over;  /* canceled or late: command.status is the outcome */
	bool has_slot; /* of the queue, for the next question */
	struct timer limit, pause;
	struct list_node node; /* in pool.transactions */
	char sql[160];

	struct outcome outcome; /* of the statement that was sent last */
	bool was_conflict, was_rolled_back;

	/* the question and its answer */
	_Atomic int asking; /* enum asking */
	shipopt_lease *lent;
	int64_t answer_value;
};

static inline struct transaction_op *transaction_from(struct command *command)
{
	return CONTAINER_OF(command, struct transaction_op, command);
}

static inline struct connection *transaction_connection_of(struct transaction_op *transaction)
{
	return transaction->command.lease->connection;
}

extern const struct command_class transaction_class;
void transaction_init(struct transaction_op *transaction);
void transaction_done(struct transaction_op *transaction);
/* Sends BEGIN, COMMIT or ROLLBACK. */
void transaction_send_sql(struct transaction_op *transaction, enum transaction_phase phase, const char *sql);
/* Parks the transaction for the pause before its next attempt. */
void transaction_repeat(struct transaction_op *transaction);
bool transaction_may_repeat(const struct transaction_op *transaction);

/* ---- transaction_body.c ---- */

/* Asks the application for the body. The connection is the body's from now on. */
void transaction_ask_body(struct transaction_op *transaction);
/* Ends or repeats the transaction. All commands given to the lease before the answer have ended. */
void transaction_conclude(struct transaction_op *transaction);
/* The transaction whose body the request is. NULL for other requests. */
struct transaction_op *transaction_of(const shipopt_request *request);

/* ---- transaction_end.c ---- */

/* Sets the outcome that is held back. Consumes `error`. */
void transaction_hold(struct transaction_op *transaction, int status, shipopt_error *error);
/* Holds back the outcome of a cancel or of the deadline. */
void transaction_hold_stopped(struct transaction_op *transaction);
/* Holds back `status` with `message`, followed by the error that made the transaction fail. */
void transaction_hold_caused(struct transaction_op *transaction, int status, const char *message);
/* Ends a running transaction with the outcome that is held back. */
void transaction_end_held(struct transaction_op *transaction);
/* Ends a parked or queued one. */
void transaction_abandon_held(struct transaction_op *transaction);
int64_t transaction_limit_of(const struct transaction_op *transaction);
void transaction_limit_fire(struct timer *timer);
bool transaction_canceled(struct command *command);
/* Cancels those whose body runs or that pause, because the runtime closes. Event loop. */
void transaction_cancel_all(shipopt_pool *pool);

#endif
