/* SPDX-License-Identifier: MIT */
#ifndef POOL_STREAM_COPY_H
#define POOL_STREAM_COPY_H

#include "pool/command/command.h"
#include "pool/query/query.h"
#include "runtime/ready_event.h"
#include "runtime/thread.h"

/*
 * COPY … FROM STDIN: the application writes pieces, and the event loop passes them to libpq.
 *
 * Pieces wait in a list under `lock`, at most `window` bytes of them. The event loop takes all that wait. It gives them
 * to libpq as long as libpq has sent what it had before, and goes on when the socket has room. The application ends the
 * data with shipopt_copy_finish(). Freeing the handle without it gives the copy up. With a queue that enabled them, a
 * READY event says that a write which found no room can be repeated. References: the application's handle, the
 * operation's, and that of a READY event on its way, which keeps the operation too.
 */
struct copy_piece {
	struct copy_piece *next;
	size_t length;
	char bytes[];
};

struct copy_op;

enum copy_input { COPY_INPUT_OPEN, COPY_INPUT_FINISHED, COPY_INPUT_ABANDONED };

struct shipopt_copy {
	struct reference reference;
	shipopt_pool *pool; /* a reference */
	size_t window;

	pthread_mutex_t lock; /* for the members below */
	pthread_cond_t changed;
	struct copy_piece *first, *last;
	size_t waiting_bytes;
	enum copy_input input;
	bool is_over; /* the operation has ended */
	bool is_posted;
	bool is_room_wanted; /* a write found no room */
	struct task wake_task;
	struct ready_event ready;
	struct copy_op *op; /* NULL once the command has ended; the event loop's */
};

enum copy_phase {
	COPY_ASKED,   /* the server has not agreed to a COPY yet */
	COPY_SENDING, /* pieces are sent */
	COPY_ENDED    /* the end of the data is sent */
};

struct copy_op {
	struct command command;
	shipopt_copy *copy; /* a reference */
	struct shipopt_query query;
	enum copy_phase phase;
	bool was_in_block;
	bool is_stopped; /* canceled, or its deadline passed */
	struct copy_piece *sending;
	struct outcome outcome;
};

extern const struct command_class copy_class;
void copy_unref(shipopt_copy *copy); /* accepts NULL */
void copy_free_pieces(struct copy_piece *piece);
/* Continues after the application has written or finished. */
void copy_wake(struct task *task);

#endif
