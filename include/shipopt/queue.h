/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_QUEUE_H
#define SHIPOPT_QUEUE_H

#include <shipopt/op.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * Completion queues: what is done is handed over on a thread of the host's own choice.
 *
 * A handle whose configuration names a queue delivers there. The queue has a fixed number of slots; a slot is reserved
 * when an operation is admitted and freed when its event was dispatched or released, so delivery never allocates, blocks
 * or drops. Without a free slot the asynchronous call itself returns SHIPOPT_EAGAIN. Only shipopt_runtime_close() goes beyond: the
 * orders that a canceled bulk run has read and will not begin, less than 200, wait in the queue without a slot.
 *
 * Two ways to take: shipopt_queue_dispatch() runs the callbacks, shipopt_queue_poll() hands out events in batches
 * (for bindings). Any thread may call either; one at a time takes, others wait for it. shipopt_op_wait() takes, too: what has a
 * callback, and the last event of the operation it waits for. Other events without a callback stay, in their order, to be
 * polled. All of this since 0.1.
 */
typedef struct shipopt_queue shipopt_queue;

enum {                              /* kinds of events */
	SHIPOPT_EVENT_OP = 1,       /* an operation is done */
	SHIPOPT_EVENT_ITEM = 2,     /* an item of a bulk run is done: shipopt_event_item() */
	SHIPOPT_EVENT_REQUEST = 3,  /* the host is asked: shipopt_event_request(). `op` is NULL for a load of a cache */
	SHIPOPT_EVENT_PROGRESS = 4, /* a bulk run tells how far it is: read it with shipopt_run_stat() */
	SHIPOPT_EVENT_NOTIFICATION = 5, /* of a listener: shipopt_event_notification() */
	SHIPOPT_EVENT_SLOW_QUERY = 6    /* of a pool: shipopt_event_slow_query() */
};

/* Frozen: 48 bytes, the only public struct. `op` is borrowed until the event is released; NULL where no operation is behind it
 * (NOTIFICATION, SLOW_QUERY). */
typedef struct shipopt_event {
	/* The `userdata` pointer of the call that the event belongs to, as a number: of the operation (OP, REQUEST), the run (ITEM,
	 * PROGRESS), the load (REQUEST of a cache), the listener (NOTIFICATION). 0 for SLOW_QUERY. */
	uint64_t userdata;
	shipopt_op *op;
	int32_t status; /* of the operation, item or notification; else 0 */
	uint32_t kind;
	uint64_t value;       /* meaning by kind: the operation's value, or a handle for the function named above */
	uint64_t reserved[2]; /* the library's own: give them back as they are */
} shipopt_event;

#define SHIPOPT_QUEUE_SLOTS_DEFAULT 1024

/* Makes a queue with `slots` slots (1 to 1,048,576; 0 takes the default). The caller owns *ret_queue. SHIPOPT_EINVAL,
 * SHIPOPT_ENOMEM, SHIPOPT_EIO (no descriptor), SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_queue_new(shipopt_runtime *runtime, size_t slots, shipopt_queue **ret_queue);

/* Drops the caller's reference; never blocks. Events that wait are dispatched in this call (a REQUEST without a callback fails with
 * SHIPOPT_ESTATE), those handed out by poll count as given back; what completes later runs on a scheduler thread. Accepts NULL. */
SHIPOPT_API void shipopt_queue_free(shipopt_queue *queue);

/* A descriptor that is readable while events wait (level-triggered); for poll, epoll, kqueue or an event loop. It belongs
 * to the queue: never read, write or close it. SHIPOPT_EINVAL for NULL. */
SHIPOPT_API int shipopt_queue_fd(const shipopt_queue *queue);

/*
 * Runs the callbacks of up to `max` events (0: all that wait now) on this thread, waiting up to `timeout_ms` (0: not at
 * all, -1: without end) for the first. Returns their number, 0 when the time is over. SHIPOPT_EDEADLK from inside a dispatch of the same queue or on
 * a thread of the library when it would have to wait; SHIPOPT_ESHUTDOWN when the runtime is closed and it would have to wait.
 * SHIPOPT_EINVAL, SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_queue_dispatch(shipopt_queue *queue, size_t max, int64_t timeout_ms);

/*
 * Takes up to `max` events (at least 1) into the caller's array, waiting and with the errors as above, and returns their
 * number. Callbacks do not run. Each event must be given back, unchanged, with shipopt_queue_release(), in any order and
 * number; until then what it refers to stays valid, and its slot is used. SHIPOPT_EAGAIN when events wait and as many as there are
 * slots are out, which only a close leads to: give some back. Releasing gives 0. Events that were not handed out, or were
 * given back before, are SHIPOPT_EINVAL; the others of the same call are taken back all the same.
 *
 * Releasing a REQUEST does not answer it: the request is the host's until it is answered, before or after. What asked goes on
 * waiting: a transaction and the choice of a rate until their time is over, a host call of a run and a load without end.
 */
SHIPOPT_API int shipopt_queue_poll(shipopt_queue *queue, shipopt_event *events, size_t max, int64_t timeout_ms);
SHIPOPT_API int shipopt_queue_release(shipopt_queue *queue, const shipopt_event *events, size_t count);

/* What an event of the kinds ITEM, REQUEST, NOTIFICATION and SLOW_QUERY refers to; NULL for other kinds. */
struct shipopt_item;
struct shipopt_notification;
struct shipopt_slow_query;
SHIPOPT_API const struct shipopt_item *shipopt_event_item(const shipopt_event *event);
SHIPOPT_API shipopt_request *shipopt_event_request(const shipopt_event *event);
SHIPOPT_API const struct shipopt_notification *shipopt_event_notification(const shipopt_event *event);
SHIPOPT_API const struct shipopt_slow_query *shipopt_event_slow_query(const shipopt_event *event);

SHIPOPT_END_DECLS

#endif
