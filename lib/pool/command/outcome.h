/* SPDX-License-Identifier: MIT */
#ifndef POOL_COMMAND_OUTCOME_H
#define POOL_COMMAND_OUTCOME_H

#include "base/error.h"
#include "pool/query/query.h"

/*
 * What a statement, batch, stream, COPY or transaction ends with.
 *
 * The first failure counts. Two rules decide the hard cases, here and nowhere else.
 *
 * In doubt: when the connection is lost, the command may have been committed if something that can commit was sent and
 * its answer has not arrived. A COMMIT can commit. So can, outside of a transaction block, every statement that is not
 * marked read-only. An ERROR from the server settles the doubt, as the server rolls back what the error belongs to.
 *
 * Rolled back: the server answers COMMIT with the command tag ROLLBACK when a statement of the transaction had failed.
 * So an answer with this tag is a failure, unless the text of the statement begins with ROLLBACK or ABORT. The rule
 * does not ask what else the text may mean.
 */
struct outcome {
	int status;           /* of the first failure; 0: none */
	shipopt_error *error; /* owned; may be NULL */
	bool is_refused;      /* the failure is an ERROR of the server: it rolls back */
	bool is_settled;      /* the answer that decides has come */
	bool may_commit;      /* what was sent can commit */
};

/* Notes a failure unless there is one. Consumes `error`. */
void outcome_fail(struct outcome *outcome, int status, shipopt_error *error);
/* Drops the failure and its error, and all that was noted. */
void outcome_reset(struct outcome *outcome);
/* The status for a command whose connection is lost now: the outcome that came before, SHIPOPT_EINDOUBT, the failure
 * that the pool noted itself (a cancel, a result too large), or SHIPOPT_ENETWORK. */
int outcome_of_loss(const struct outcome *outcome);
/* True if the status of outcome_of_loss() came before the loss. */
bool outcome_is_known(const struct outcome *outcome);
/* Whether the statement can commit something when it runs. `is_in_block`: inside of a transaction block. */
bool outcome_can_commit(const struct shipopt_query *query, bool is_in_block);
/* Whether the answer is that of a commit that succeeded. */
bool outcome_is_commit(const PGresult *result);
/* Whether the server rolled back instead of what the statement with these marks asked for. */
bool outcome_is_rollback(unsigned marks, const PGresult *result);
/* The same. Notes the failure. */
bool outcome_note_rollback(struct outcome *outcome, const struct shipopt_query *query, const PGresult *result);

#endif
