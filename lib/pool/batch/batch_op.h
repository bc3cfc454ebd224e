/* SPDX-License-Identifier: MIT */
#ifndef POOL_BATCH_BATCH_OP_H
#define POOL_BATCH_BATCH_OP_H

#include "pool/command/command.h"
#include "pool/query/batch.h"
#include "pool/value/rows.h"

/*
 * Statements on the connection, in libpq's pipeline mode, for one statement as for many.
 *
 * What was sent and is not answered yet is a ring, in the order of the answers: PREPARE, EXECUTE, SYNC, and what the
 * pool sends for itself. Each statement has one answer and a NULL after it. A SYNC has one answer and no NULL. The pool
 * sends ahead as long as fewer than pipeline_statements statements and pipeline_bytes bytes are unanswered. When it has
 * to stop inside a group it asks for a flush, so that the server does not wait for the SYNC that cannot come yet.
 *
 * A statement that the connection does not have is prepared in the same round trip. When a batch of one group, outside
 * of a transaction, fails because the plan of a prepared statement is out of date, or because its name is unknown or
 * taken, the pool corrects its cache and sends the batch once more: the server has rolled the whole group back. A
 * transaction batch that meets a conflict is rolled back and repeated after a pause. Neither is repeated after a
 * statement that may have committed.
 */
enum batch_answer_kind { EXPECT_PREPARE, EXPECT_EXECUTE, EXPECT_OWN, EXPECT_SYNC };

struct batch_answer {
	enum batch_answer_kind kind;
	uint32_t item;
	struct prepared *statement; /* of a PREPARE */
};

struct batch_item {
	struct shipopt_query query;
	bool ends_group;
	bool is_executed; /* an answer came */
	bool is_synced;   /* and its group has ended */
	bool is_commit;   /* the answer is that of a commit, also of one that the server turned into a rollback */
	struct outcome outcome;
	struct shipopt_rows rows;
	struct prepared *statement; /* the one it was sent with */
};

#define RING_INLINE 24
#define DEALLOCATES_AT_ONCE 4

struct batch_op {
	struct command command;
	struct batch_item *items, single;
	size_t count;
	size_t hidden; /* items at the front, and as many at the end, that are the pool's own: BEGIN and COMMIT */
	int attempts_left;
	unsigned repeats; /* of the transaction */
	bool is_transaction, may_repeat_statement, has_repeated_statement;
	struct timer pause;

	struct batch_answer *ring, ring_inline[RING_INLINE];
	size_t ring_size, ring_head, ring_length;
	size_t next; /* item to send */
	size_t end;  /* one past the last item to send */
	size_t statements_out, bytes_out;
	size_t group_start;  /* first item without an answered SYNC */
	int64_t limit_bytes; /* twice the bytes received when they went beyond result_bytes; 0: they did not */
	size_t limit_item;
	bool was_in_block, was_sent, has_answer;
	bool has_corrected; /* the cache of prepared statements, for an answer of this attempt */
	bool has_refusal;   /* of a statement in the group that is being answered: the server rolls the group back */
	struct outcome outcome; /* of the batch, when the connection is lost */
};

static inline struct connection *batch_connection_of(struct batch_op *batch)
{
	return batch->command.lease->connection;
}

extern const struct command_class batch_class;
void batch_init(struct batch_op *batch);

/* ---- batch_send.c; false: the connection is lost ---- */
bool batch_send_sync(struct batch_op *batch, size_t item);
/* Rolls back the attempt before. Its answer does not matter. */
bool batch_send_rollback(struct batch_op *batch);
/* Sends as much as may be unanswered. */
bool batch_send_more(struct batch_op *batch);

/* ---- batch_receive.c ---- */
enum batch_progress { BATCH_WAIT, BATCH_DONE, BATCH_LOST };
enum batch_progress batch_receive(struct batch_op *batch);

/* ---- batch_outcome.c ---- */
enum batch_repeat { BATCH_REPEAT_NOT, BATCH_REPEAT_STATEMENT, BATCH_REPEAT_TRANSACTION };
/* The first item with a failure that has an error object, else the first with a failure, else NULL. */
struct batch_item *batch_first_failure(struct batch_op *batch);
void batch_set_value(struct batch_op *batch);
enum batch_repeat batch_wants_repeat(struct batch_op *batch, const struct batch_item *failed);
struct outcome *batch_loss(struct command *command);

/* ---- result_limit.c ---- */
/* Checks how much has been received. False: the batch waits for a cancel request, or the connection is lost and the
 * batch may be gone. */
bool result_limit_look(struct batch_op *batch);
/* The same when all answers are there: drops rows that went beyond the limit since the last check. */
void result_limit_finish(struct batch_op *batch);
/* True when the answer to the item went beyond the limit, or comes after one that did, and is not kept. Sets its
 * outcome. */
bool result_limit_takes(struct batch_op *batch, struct batch_item *item, const PGresult *result);

#endif
