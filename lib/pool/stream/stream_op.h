/* SPDX-License-Identifier: MIT */
#ifndef POOL_STREAM_STREAM_OP_H
#define POOL_STREAM_STREAM_OP_H

#include "pool/stream/stream.h"

/*
 * The event loop's part of a stream: it reads rows in single-row mode (in chunks where libpq has them) or the lines of
 * COPY TO STDOUT, and packs them for the reader.
 */
struct stream_op {
	struct command command;
	shipopt_stream *stream; /* a reference */
	struct shipopt_query query;
	bool is_copy, is_copying;
	bool is_canceling;
	int64_t rows;
	struct outcome outcome;
	struct stream_chunk *filling;
};

extern const struct command_class stream_class;
/* Continues after the reader has made room or gone. */
void stream_resume(struct task *task);

/* ---- stream_call.c ---- */
/* shipopt_pool_stream() and shipopt_lease_stream(). Without `has_ready` the stream sends no READY events. */
int stream_run_query(shipopt_pool *pool, shipopt_lease *lease, const shipopt_query *query, bool has_ready,
	shipopt_stream **ret_stream, shipopt_done_fn done, void *userdata, shipopt_op **ret_op);

/* ---- stream_pack.c; false: out of memory ---- */
/* Passes the chunk that is being filled to the reader. */
void stream_publish(struct stream_op *self);
bool stream_pack_rows(struct stream_op *self, const PGresult *result);
bool stream_pack_line(struct stream_op *self, const char *bytes, int length);
/* Keeps the description of the columns from the first result. */
bool stream_describe(struct stream_op *self, PGresult *result);

#endif
