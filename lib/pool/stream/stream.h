/* SPDX-License-Identifier: MIT */
#ifndef POOL_STREAM_H
#define POOL_STREAM_H

#include <pthread.h>

#include "pool/command/command.h"
#include "pool/query/query.h"
#include "pool/value/rows.h"
#include "runtime/thread.h"

/*
 * Rows, or the bytes of a COPY, on their way from the server to a reader of the host's own pace.
 *
 * The reactor packs what comes into chunks of about STREAM_CHUNK_BYTES and hangs them in a list under `lock`; the reader takes
 * one at a time. When stream_bytes bytes wait, the reactor stops reading the socket (the watch is stopped), so that TCP
 * holds the server back; the reader's next step wakes it. A chunk is one block: rows of values and bytes, each value with a NUL
 * behind it. The operation completes when the server has told everything, or the reader gave up: then the query is
 * canceled and its answers are thrown away until they end.
 *
 * References: the host's handle and the operation's, which ends with the operation.
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

	pthread_mutex_t lock; /* for what follows */
	pthread_cond_t changed;
	struct stream_chunk *first, *last;
	size_t waiting_bytes;
	bool is_paused;           /* the reactor waits for the reader */
	bool is_over;             /* nothing more will come */
	atomic_bool is_abandoned; /* the reader wants no more; changed under the lock, read for each row without it */
	int status;               /* of the end */
	struct task resume_task;
	bool is_resuming;
	struct stream_op *op; /* NULL once the command has ended; the reactor's */

	/* the reader's */
	struct stream_chunk *current;
	struct shipopt_rows rows;
	PGresult *description; /* of the columns; written before the first chunk, under the lock */
};

void stream_chunk_free(struct stream_chunk *chunk); /* accepts NULL */
void stream_unref(shipopt_stream *stream);          /* accepts NULL */

#endif
