/* SPDX-License-Identifier: MIT */
#ifndef POOL_BATCH_OP_H
#define POOL_BATCH_OP_H

#include "pool/batch.h"
#include "pool/command.h"
#include "pool/rows.h"

/*
 * Statements on the wire: libpq's pipeline mode, for one statement as for many.
 *
 * What was sent and is not answered yet is a ring of expectations, in the order of the answers: PREPARE, EXECUTE, SYNC, and
 * what the pool sends for itself. Each statement has one answer and a NULL behind it, a SYNC has one and no NULL. Sending
 * goes on while fewer than pipeline_statements statements and pipeline_bytes bytes are unanswered; when that ends inside
 * a group a flush is asked for, so that the server does not wait for a SYNC that cannot come yet.
 *
 * A statement that the connection does not have is prepared in the same round trip. When a batch of one group, outside of a
 * transaction, fails because a plan is out of date, or a name is unknown or taken (0A000, 26000, 42P05), the cache is
 * corrected and the batch sent once more: such a group was rolled back as a whole. A transaction batch that fails with 40001
 * or 40P01 is rolled back and repeated after a pause. Neither is repeated behind a statement that may have committed.
 */
enum expected_kind { EXPECT_PREPARE, EXPECT_EXECUTE, EXPECT_OWN, EXPECT_SYNC };

struct expected {
	enum expected_kind kind;
	uint32_t item;
	struct statement *statement; /* of a PREPARE */
};

struct batch_item {
	struct shipopt_query query;
	bool ends_group, is_hidden;
	bool is_executed; /* an answer came */
	bool is_synced;   /* and its group is over */
	int status;
	shipopt_error *error;
	struct shipopt_rows rows;
	struct statement *statement; /* the name it was sent with */
};

#define RING_INLINE 24
#define DEALLOCATES_AT_ONCE 4

struct batch_op {
	struct command command;
	struct batch_item *items, single;
	size_t count;
	size_t hidden; /* in front */
	int attempts_left;
	unsigned repeats; /* of the transaction */
	bool is_transaction, may_repeat_statement, has_repeated_statement;
	struct timer pause;

	struct expected *ring, ring_inline[RING_INLINE];
	size_t ring_size, ring_head, ring_length;
	size_t next;                                   /* item to send */
	size_t end;                                    /* behind the last one to send */
	size_t statements_out, bytes_out, group_start; /* group_start: first item without its SYNC answered */
	int64_t excess_bytes; /* twice what had been received when that was found to be too much; 0: it was not */
	size_t excess_item;
	bool is_sync_due, was_in_block, was_sent, has_answer, is_over;
	bool has_corrected; /* the cache, for an answer of this attempt */
	bool has_refusal;   /* of a statement in the group that is being answered: the server rolls it back */
};

/* For the pool's own use: `done` runs on the reactor, whatever the delivery of the pool. */
int batch_run_inline(shipopt_lease *lease, const shipopt_batch *batch, shipopt_done_fn done, void *userdata);
extern const struct command_class batch_class;
void batch_init(struct batch_op *batch);
bool batch_send_sync(struct batch_op *batch, size_t item);

/* ---- excess.c ---- */
/* Looks how much has come. False: the batch waits for a cancel request, or the connection is lost and the batch may be gone. */
bool excess_look(struct batch_op *batch);
/* The same when all answers are there: rows that came beyond the bound since the last look are dropped. */
void excess_finish(struct batch_op *batch);
/* True when the answer to the item was too large, or comes behind one, and is not kept: its outcome is set. */
bool excess_takes(struct batch_op *batch, struct batch_item *item, const PGresult *result);

#endif
