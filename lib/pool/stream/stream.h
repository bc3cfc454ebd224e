/* SPDX-License-Identifier: MIT */
#ifndef POOL_STREAM_H
#define POOL_STREAM_H

#include <pthread.h>

#include "pool/command/command.h"
#include "pool/query/query.h"
#include "pool/value/rows.h"
#include "runtime/ready_event.h"
#include "runtime/thread.h"

/*
 * A stream: rows, or the lines of a COPY, on their way from the server to a reader that sets the pace.
 *
 * The event loop packs what arrives into chunks of about STREAM_CHUNK_BYTES and appends them to a list under `lock`.
 * The reader takes one chunk at a time. When stream_bytes bytes wait, the event loop stops reading the socket, so that
 * TCP holds the server back. The reader's next call starts it again. A chunk is one block of rows: places of values,
 * and bytes with a NUL after each value. The operation completes when the server has sent everything, or when the
 * reader gives up. Then the query is canceled, and its answers are dropped until they end.
 *
 * With a queue that enabled them, READY events say that rows wait. References: the application's handle, the
 * operation's, which ends with the operation, and that of a READY event on its way, which keeps the operation too.
 */
#define STREAM_CHUNK_BYTES ((size_t)65536)

struct stream_chunk {
	struct stream_chunk *next;
	size_t rows, value_count, value_room;
	struct packed_value *values;
	char *bytes;
	size_t length, room;
};

struct shipopt_stream {
	struct reference reference;
	shipopt_pool *pool; /* a reference */
	size_t window;

	pthread_mutex_t lock; /* for the members up to the empty line */
	pthread_cond_t changed;
	struct stream_chunk *first, *last;
	size_t waiting_bytes;
	bool is_paused;           /* the event loop waits for the reader */
	bool is_over;             /* nothing more will come */
	atomic_bool is_abandoned; /* the reader wants no more; changed under the lock, read for each row without it */
	int status;               /* of the end */
	struct task resume_task;
	bool is_resuming;
	struct ready_event ready;
	struct stream_op *op; /* NULL once the command has ended; the event loop's */

	/* the reader's */
	struct stream_chunk *current;
	struct shipopt_rows rows;
	PGresult *description; /* of the columns; written before the first chunk, under the lock */
};

void stream_chunk_free(struct stream_chunk *chunk); /* accepts NULL */
void stream_unref(shipopt_stream *stream);          /* accepts NULL */

#endif
