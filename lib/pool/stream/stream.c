/* SPDX-License-Identifier: MIT */
#include "pool/stream/stream.h"

#include "base/memory.h"
#include "runtime/thread.h"

/* The reader's part of a stream. */

void stream_chunk_free(struct stream_chunk *chunk)
{
	if (!chunk)
		return;
	mem_free(chunk->values);
	mem_free(chunk->bytes);
	mem_free(chunk);
}

void stream_unref(shipopt_stream *stream)
{
	if (!stream || !reference_drop(&stream->reference))
		return;
	while (stream->first) {
		struct stream_chunk *chunk = stream->first;
		stream->first = chunk->next;
		stream_chunk_free(chunk);
	}
	stream_chunk_free(stream->current);
	PQclear(stream->description);
	ready_event_done(&stream->ready);
	pthread_cond_destroy(&stream->changed);
	pthread_mutex_destroy(&stream->lock);
	shipopt_pool *pool = stream->pool;
	mem_free(stream);
	pool_unref(pool);
}

/* With the lock held. Whether the event loop has to be told to read on, or that the reader has gone. */
static bool stream_wants_resume(shipopt_stream *stream)
{
	if (stream->is_over || stream->is_resuming || (!stream->is_paused && !stream->is_abandoned))
		return false;
	stream->is_resuming = true;
	reference_take(&stream->reference);
	return true;
}

/* When the event loop has ended, the operation has ended too, and nothing is left to read. */
static void stream_post_resume(shipopt_stream *stream)
{
	if (!reactor_post_threaded(stream->pool->reactor, &stream->resume_task))
		stream_unref(stream);
}

/* With the lock held: takes the first chunk. */
static bool stream_take_chunk(shipopt_stream *stream)
{
	struct stream_chunk *chunk = stream->first;
	if (!chunk)
		return false;
	stream->first = chunk->next;
	if (!stream->first)
		stream->last = NULL;
	stream->waiting_bytes -= chunk->length;
	stream->current = chunk;
	stream->rows = (struct shipopt_rows){.result = stream->description,
		.is_packed = true,
		.packed_count = chunk->rows,
		.values = chunk->values,
		.bytes = chunk->bytes};
	return true;
}

int shipopt_stream_next(shipopt_stream *stream, int64_t timeout_ms, const shipopt_rows **ret_rows)
{
	if (!stream || !ret_rows)
		return SHIPOPT_EINVAL;
	if (runtime_is_forked(stream->pool->runtime))
		return SHIPOPT_EFORKED;
	int64_t deadline = condition_deadline(timeout_ms);
	bool in_time = timeout_ms != 0;
	stream_chunk_free(TAKE(stream->current));
	pthread_mutex_lock(&stream->lock);
	if (!stream->first && !stream->is_over && in_time && runtime_is_library_thread()) {
		pthread_mutex_unlock(&stream->lock);
		return SHIPOPT_EDEADLK;
	}
	while (!stream->first && !stream->is_over && in_time)
		in_time = condition_wait(&stream->changed, &stream->lock, deadline);
	bool is_there = stream_take_chunk(stream);
	int r = is_there ? 1 : stream->is_over ? stream->status : SHIPOPT_ETIMEDOUT;
	bool resumes = stream->waiting_bytes <= stream->window / 2 && stream_wants_resume(stream);
	pthread_mutex_unlock(&stream->lock);
	if (resumes)
		stream_post_resume(stream);
	if (is_there)
		*ret_rows = &stream->rows;
	return r;
}

void shipopt_stream_free(shipopt_stream *stream)
{
	if (!stream || runtime_is_forked(stream->pool->runtime))
		return;
	pthread_mutex_lock(&stream->lock);
	stream->is_abandoned = true;
	bool resumes = stream_wants_resume(stream);
	pthread_mutex_unlock(&stream->lock);
	if (resumes)
		stream_post_resume(stream);
	stream_unref(stream);
}
