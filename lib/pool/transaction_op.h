/* SPDX-License-Identifier: MIT */
#ifndef POOL_TRANSACTION_OP_H
#define POOL_TRANSACTION_OP_H

#include "pool/command.h"

/*
 * A transaction whose statements the host decides on one by one.
 *
 *	waiting → BEGIN → body → COMMIT → done
 *	            ↑       ├──→ ROLLBACK → done          the body failed, or the whole was canceled or is late
 *	          pause ←───┴── COMMIT                    serialization failure or deadlock
 *
 * It is a command of the pool that waits for its lease like any other and is parked while the body runs: then the connection takes
 * what the body gives to the lease. The body is a request (<shipopt/op.h>); its answer comes on any thread and is worked on by the
 * reactor, behind the commands that were given to the lease before it. From the answer on the lease refuses further ones.
 *
 * Whether a failure was a conflict is not the body's to tell: the lease notes the SQLSTATE of the last failure, and the
 * connection says whether the transaction has failed. So a conflict that the body rolled back to a savepoint is none, and one that
 * the body turned into an error of its own, or did not look at, is. The pause keeps the connection, as for batches.
 *
 * `limit` runs from the first BEGIN to the end. When it fires, or on a cancel, what the body has running is canceled, new commands
 * are refused, and the body has cancel_grace_ms to answer; without an answer the connection is closed, so that a body that
 * never comes back costs a connection but no place in the pool. When the runtime closes there is no grace. The lease itself and the
 * operation live until the answer (`lent`, and a reference taken for the request), however late.
 */
enum transaction_phase {
	TRANSACTION_BEGIN,
	TRANSACTION_BODY,
	TRANSACTION_COMMIT,
	TRANSACTION_ROLLBACK,
	TRANSACTION_PAUSE
};

/* Whether the body was entered. One that was not when the operation ends never is: `userdata` may be gone then. */
enum asking { ASKING_ON_ITS_WAY, ASKING_BEGUN, ASKING_WITHDRAWN };

struct shipopt_transaction_options {
	int flags, attempts;
	int64_t timeout_ms; /* -1: the pool's */
	uint64_t owner;
	char name[LEASE_NAME_SIZE];
};

struct transaction_op {
	struct command command;
	struct shipopt_transaction_options options;
	shipopt_request_fn body;
	enum transaction_phase phase;
	_Atomic int attempt;
	bool is_over;  /* canceled or late: command.status is the outcome */
	bool has_slot; /* of the queue, for the next question */
	struct timer limit, pause;
	struct list_node node; /* in pool.transactions */
	char sql[160];

	/* of the statement on the wire */
	int failure;
	shipopt_error *error;
	bool was_conflict, was_rolled_back;
	bool is_sent, is_answered; /* answered: whether it succeeded is known, whatever becomes of the connection */

	/* the question and its answer */
	_Atomic int asking; /* enum asking */
	shipopt_lease *lent;
	int64_t answer_value;
};

extern const struct command_class transaction_class;
void transaction_init(struct transaction_op *transaction);
void transaction_done(struct transaction_op *transaction);
/* Of a request that is the body of a transaction; NULL of any other. */
struct transaction_op *transaction_of(const shipopt_request *request);
/* The runtime closes; reactor. */
void transaction_cancel_all(shipopt_pool *pool);

#endif
