/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_QUEUE_H
#define SHIPOPT_QUEUE_H

#include <shipopt/op.h>
#include <shipopt/runtime.h>

SHIPOPT_BEGIN_DECLS

/*
 * A completion queue delivers finished operations on a thread that the application chooses.
 *
 * A handle whose configuration names a queue delivers there. The queue has a fixed number of slots. A call reserves a
 * slot when it starts, and the slot is free again when the event was dispatched or released. So delivery never
 * allocates, blocks or loses an event. Without a free slot the asynchronous call itself returns SHIPOPT_EAGAIN.
 *
 * There are two ways to take events. shipopt_queue_dispatch() runs the callbacks. shipopt_queue_poll() hands out events
 * in batches and runs no callback, which suits language bindings and event loops. Any thread may call either; one
 * thread takes at a time, others wait. shipopt_op_wait() takes too: events that have a callback, and the completion of
 * its own operation.
 *
 *	shipopt_event events[64];
 *	int count = shipopt_queue_poll(queue, events, 64, -1);
 *	for (int i = 0; i < count; i++)
 *		if (events[i].kind == SHIPOPT_EVENT_OP)
 *			finish((struct call *)(uintptr_t)events[i].userdata, events[i].status, events[i].op);
 *	shipopt_queue_release(queue, events, count);
 *
 * An application releases events of a kind that it does not know. Later versions add kinds, and send them only to
 * queues that enabled them.
 *
 *   kind          userdata of         op             status              value                         sent
 *   OP            the call            the operation  the operation's     shipopt_op_value()            always
 *   ITEM          the run's call      the run's      the item's          shipopt_event_item()          always
 *   REQUEST       the call that asks  its operation  0                   shipopt_event_request()       always
 *   PROGRESS      the run's call      the run's      0                   0                             always
 *   NOTIFICATION  the listener        NULL           the notification's  shipopt_event_notification()  always
 *   SLOW_QUERY    0                   NULL           0                   shipopt_event_slow_query()    if enabled
 *   READY         the call            its operation  0                   the object, as a number       if enabled
 *   LOG           0                   NULL           SHIPOPT_LOG_…       shipopt_event_log()           if enabled
 *   REMOVAL       the listener        NULL           the cause           shipopt_event_removal()       if enabled
 *   CLOSED        the close           NULL           the close's         0                             see below
 *
 * READY says that an object can go on: a stream has rows again, a COPY or a push source has room, or this queue has a
 * free slot after a call returned SHIPOPT_EAGAIN. `value` is the address of that stream, COPY, source or queue; for the
 * queue, `userdata` is 0 and `op` is NULL. All signals until the release of the event count as one. Take the event, use
 * the object until it has nothing more, and release the event. A signal that comes after the release is a new event.
 *
 * CLOSED ends a close that shipopt_runtime_close_begin() began.
 *
 * SLOW_QUERY, LOG and REMOVAL are notices, which may get lost. They use no slot. At most 256 of them wait in a queue;
 * one more drops the oldest, and shipopt_queue_dropped() counts it.
 *
 * Any thread may call these functions. Of all the functions of this library, a signal handler may call
 * shipopt_queue_wakeup() only. Since 0.1 unless a comment names another version.
 */
typedef struct shipopt_queue shipopt_queue;

enum { /* kinds of events; see the table above */
	SHIPOPT_EVENT_OP = 1,
	SHIPOPT_EVENT_ITEM = 2,
	SHIPOPT_EVENT_REQUEST = 3,
	SHIPOPT_EVENT_PROGRESS = 4,
	SHIPOPT_EVENT_NOTIFICATION = 5,
	SHIPOPT_EVENT_SLOW_QUERY = 6,
	SHIPOPT_EVENT_READY = 7,   /* since 0.2 */
	SHIPOPT_EVENT_LOG = 8,     /* since 0.2 */
	SHIPOPT_EVENT_REMOVAL = 9, /* since 0.2 */
	SHIPOPT_EVENT_CLOSED = 10  /* since 0.2 */
};

/* One event. The layout is frozen: 48 bytes. `op` and the object that `value` refers to are borrowed until the event is
 * released. */
typedef struct shipopt_event {
	uint64_t userdata; /* the `userdata` pointer of the call that the event belongs to, as a number */
	shipopt_op *op;
	int32_t status;
	uint32_t kind;
	uint64_t value;
	uint64_t reserved[2]; /* the library's: return them unchanged */
} shipopt_event;

#define SHIPOPT_QUEUE_SLOTS_DEFAULT 1024

/*
 * Makes a queue with `slots` slots, 1 to 1,048,576; 0 takes the default. The caller owns *ret_queue.
 * SHIPOPT_EINVAL, SHIPOPT_ENOMEM, SHIPOPT_EIO (no file descriptor left), SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_queue_new(shipopt_runtime *runtime, size_t slots, shipopt_queue **ret_queue);

/*
 * Drops the caller's reference. Never blocks, and accepts NULL. Events that wait in the queue are dispatched by this
 * call; a REQUEST without a callback fails with SHIPOPT_ESTATE. Events that poll handed out count as released.
 * Operations that complete later run their callback on a scheduler thread.
 */
SHIPOPT_API void shipopt_queue_free(shipopt_queue *queue);

/*
 * Enables a kind of event that is sent only on demand: SHIPOPT_EVENT_READY, _LOG, _REMOVAL or _SLOW_QUERY. Enable READY
 * before the streams, COPYs and push sources are made that shall send it. LOG sends the runtime's log lines as far as
 * the setting log_level admits them; one queue of a runtime gets them. A kind cannot be disabled again.
 * Returns 0. SHIPOPT_EINVAL for another kind, SHIPOPT_EBUSY when another queue has LOG, SHIPOPT_ESHUTDOWN,
 * SHIPOPT_EFORKED. Since 0.2.
 */
SHIPOPT_API int shipopt_queue_enable(shipopt_queue *queue, int kind);

/* How many notices were lost because 256 waited or memory was short. Since 0.2. */
SHIPOPT_API int64_t shipopt_queue_dropped(const shipopt_queue *queue);

/*
 * Returns a descriptor that is readable while events wait (level-triggered), for poll, epoll, kqueue or an event loop.
 * It belongs to the queue: never read, write or close it. SHIPOPT_EINVAL for NULL.
 */
SHIPOPT_API int shipopt_queue_fd(const shipopt_queue *queue);

/*
 * Runs the callbacks of up to `max` events (0: all that wait now) on this thread. Waits up to `timeout_ms` for the
 * first one; 0 does not wait, -1 sets no limit. Returns the number of events, or 0 when the time is over or
 * shipopt_queue_wakeup() ended the wait. SHIPOPT_EDEADLK inside a dispatch of the same queue, and on a thread of the
 * library when the call would have to wait. SHIPOPT_ESHUTDOWN when the runtime is closed and the call would have to
 * wait. SHIPOPT_EINVAL, SHIPOPT_EFORKED.
 *
 * An event without a callback, such as READY, is taken and counted, and its slot is free again. A program that needs
 * such events polls.
 */
SHIPOPT_API int shipopt_queue_dispatch(shipopt_queue *queue, size_t max, int64_t timeout_ms);

/*
 * Takes up to `max` events, at least 1, into the caller's array. Waits, and returns, as shipopt_queue_dispatch() does;
 * no callback runs. Each event must be released, unchanged, with shipopt_queue_release(). Until then what it refers to
 * stays valid and its slot is used. SHIPOPT_EAGAIN when events wait but as many are out as the queue can keep: release
 * some. This happens only during a close, which may deliver more events than there are slots: the orders, less than
 * 200, that a canceled run has read and does not start.
 */
SHIPOPT_API int shipopt_queue_poll(shipopt_queue *queue, shipopt_event *events, size_t max, int64_t timeout_ms);

/*
 * Releases events, in any order and number. Returns 0, or SHIPOPT_EINVAL when some of them are not out; the others are
 * released all the same.
 *
 * Releasing a REQUEST does not answer it. The application keeps the request until it answers it, before the release or
 * after. The operation waits for the answer: a transaction and the choice of a rate until their time is over, a host
 * call of a run and a load of a cache without a limit.
 */
SHIPOPT_API int shipopt_queue_release(shipopt_queue *queue, const shipopt_event *events, size_t count);

/*
 * Ends the wait of one shipopt_queue_poll() or shipopt_queue_dispatch(), which then returns 0. If no thread waits, the
 * next wait ends at once. Several calls may count as one. May be called on any thread and in a signal handler, as long
 * as the queue is not freed. It does not end shipopt_op_wait(), and does not make shipopt_queue_fd() readable. Accepts
 * NULL. Since 0.2.
 */
SHIPOPT_API void shipopt_queue_wakeup(shipopt_queue *queue);

/* What the event refers to, see the table; NULL for an event of another kind. Borrowed until the event is released. */
struct shipopt_item;
struct shipopt_notification;
struct shipopt_slow_query;
struct shipopt_removal;
SHIPOPT_API const struct shipopt_item *shipopt_event_item(const shipopt_event *event);
SHIPOPT_API shipopt_request *shipopt_event_request(const shipopt_event *event);
SHIPOPT_API const struct shipopt_notification *shipopt_event_notification(const shipopt_event *event);
SHIPOPT_API const struct shipopt_slow_query *shipopt_event_slow_query(const shipopt_event *event);
SHIPOPT_API const struct shipopt_removal *shipopt_event_removal(const shipopt_event *event); /* since 0.2 */
SHIPOPT_API const char *shipopt_event_log(const shipopt_event *event);                       /* since 0.2 */

/*
 * Begins to close the runtime and returns at once; see shipopt_runtime_close() for what a close does and for
 * `timeout_ms`. When everything has ended, `queue` gets an event of the kind SHIPOPT_EVENT_CLOSED with `userdata` and
 * the status that shipopt_runtime_close() would return: 0 or SHIPOPT_ETIMEDOUT. It needs no slot. `queue` may be NULL:
 * then call shipopt_runtime_close() later to wait for the end.
 *
 * A blocked callback delays the event. An application that wants to stop waiting calls
 * shipopt_runtime_close() with a short time, which returns SHIPOPT_EBUSY then.
 *
 * May be called on any thread and inside callbacks. SHIPOPT_EINVAL (a queue of another runtime), SHIPOPT_EAGAIN (no
 * thread left), SHIPOPT_ESHUTDOWN when a close has begun before, SHIPOPT_EFORKED. Since 0.2.
 */
SHIPOPT_API int shipopt_runtime_close_begin(shipopt_runtime *runtime, int64_t timeout_ms, shipopt_queue *queue,
	void *userdata);

SHIPOPT_END_DECLS

#endif
