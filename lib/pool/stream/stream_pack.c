/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "pool/stream/stream_op.h"
#include "pool/value/type.h"

/* Packing rows, and the lines of a COPY, into chunks for the reader. */

static bool stream_reserve(struct stream_chunk *chunk, size_t values, size_t bytes)
{
	if (chunk->value_count + values > chunk->value_room) {
		size_t room = MAX(chunk->value_count + values, MAX(chunk->value_room * 2, (size_t)256));
		struct packed_value *grown = mem_realloc(chunk->values, room * sizeof(*grown));
		if (!grown)
			return false;
		chunk->values = grown;
		chunk->value_room = room;
	}
	if (chunk->length + bytes > chunk->room) {
		size_t room = MAX(chunk->length + bytes, STREAM_CHUNK_BYTES + 4096);
		char *grown = mem_realloc(chunk->bytes, room);
		if (!grown)
			return false;
		chunk->bytes = grown;
		chunk->room = room;
	}
	return true;
}

static void stream_pack_value(struct stream_chunk *chunk, const char *bytes, int length)
{
	chunk->values[chunk->value_count++] =
		(struct packed_value){.offset = (uint32_t)chunk->length, .length = length};
	if (length < 0)
		return;
	memcpy(chunk->bytes + chunk->length, bytes, (size_t)length);
	chunk->bytes[chunk->length + (size_t)length] = '\0';
	chunk->length += (size_t)length + 1;
}

void stream_publish(struct stream_op *self)
{
	shipopt_stream *stream = self->stream;
	struct stream_chunk *chunk = TAKE(self->filling);
	if (!chunk)
		return;
	pthread_mutex_lock(&stream->lock);
	if (stream->last)
		stream->last->next = chunk;
	else
		stream->first = chunk;
	stream->last = chunk;
	stream->waiting_bytes += chunk->length;
	pthread_cond_signal(&stream->changed);
	pthread_mutex_unlock(&stream->lock);
	ready_event_signal(&stream->ready);
}

static bool stream_chunk_for(struct stream_op *self, size_t values, size_t bytes)
{
	if (self->filling && self->filling->length + bytes > STREAM_CHUNK_BYTES)
		stream_publish(self);
	if (!self->filling)
		self->filling = mem_alloc_zero(sizeof(*self->filling));
	return self->filling && stream_reserve(self->filling, values, bytes);
}

bool stream_pack_rows(struct stream_op *self, const PGresult *result)
{
	int columns = PQnfields(result);
	for (int row = 0; row < PQntuples(result); row++) {
		size_t bytes = 0;
		for (int i = 0; i < columns; i++)
			bytes += (size_t)PQgetlength(result, row, i) + 1;
		if (!stream_chunk_for(self, (size_t)columns, bytes))
			return false;
		for (int i = 0; i < columns; i++) {
			int length = PQgetlength(result, row, i);
			if (length == 0 && PQgetisnull(result, row, i))
				length = -1;
			stream_pack_value(self->filling, PQgetvalue(result, row, i), length);
		}
		self->filling->rows++;
		self->rows++;
	}
	return true;
}

/* The columns of a COPY are inside its lines. */
static PGresult *stream_describe_copy(const PGresult *result)
{
	bool is_binary = PQbinaryTuples(result);
	PGresAttDesc column = {.name = (char[]){"data"},
		.typid = is_binary ? TYPE_BYTEA : TYPE_TEXT,
		.format = is_binary,
		.typlen = -1,
		.atttypmod = -1};
	PGresult *description = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	if (description && PQsetResultAttrs(description, 1, &column))
		return description;
	PQclear(description);
	return NULL;
}

bool stream_describe(struct stream_op *self, PGresult *result)
{
	shipopt_stream *stream = self->stream;
	if (stream->description)
		return true;
	PGresult *description = self->is_copy ? stream_describe_copy(result) : PQcopyResult(result, PG_COPYRES_ATTRS);
	pthread_mutex_lock(&stream->lock);
	stream->description = description;
	pthread_mutex_unlock(&stream->lock);
	return description != NULL;
}

bool stream_pack_line(struct stream_op *self, const char *bytes, int length)
{
	if (!stream_chunk_for(self, 1, (size_t)length + 1))
		return false;
	stream_pack_value(self->filling, bytes, length);
	self->filling->rows++;
	self->rows++;
	return true;
}
