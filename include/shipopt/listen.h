/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_LISTEN_H
#define SHIPOPT_LISTEN_H

#include <shipopt/pool.h>

SHIPOPT_BEGIN_DECLS

/*
 * PostgreSQL's LISTEN: notifications of other sessions (NOTIFY, pg_notify()) as they come.
 *
 *	static const char *const channels[] = {"orders"};
 *	shipopt_pool_listen(pool, channels, 1, on_notification, userdata, &listener, NULL);
 *
 * All listeners of a pool share one connection, made for the first of them and closed with the last. It is not one of the
 * pool's connections: max, overflow, lifetime_ms and idle_timeout_ms do not count it or touch it, and it needs one more place
 * at the server. The server's idle_session_timeout is switched off for it.
 *
 * PostgreSQL keeps no notifications for a session that is not there. When the connection is lost it is made again after the
 * pool's back-off, every channel is listened to once more, and then each listener is told MISSED, once: look at the tables
 * as if something had been notified. The same is told where notifications had to be dropped, because notifications_max of
 * them waited for this listener or memory was short. What is told after MISSED came after the gap.
 *
 * LISTEN needs a session of its own, which a pooler in transaction mode does not give: it takes the command and loses the
 * notifications. So a connection whose backend is not the one that answered the connect is refused (FAILED with
 * SHIPOPT_EUNSUPPORTED), behind a pooler in session mode too: let the setting listen_conninfo name the server itself.
 *
 * A listener holds its pool and the runtime. It is no operation: closing the runtime does not wait for it, but ends it. All of this
 * since 0.1.
 */
typedef struct shipopt_listener shipopt_listener;
typedef struct shipopt_notification shipopt_notification;

enum { /* kinds of notifications */
	SHIPOPT_NOTIFICATION_LISTENING =
		1, /* from now on all channels are listened to; again after channels were added, but not
	                                     * after a reconnect: MISSED tells that then */
	SHIPOPT_NOTIFICATION_MESSAGE = 2, /* another session's, with channel, payload and backend */
	SHIPOPT_NOTIFICATION_MISSED =
		3, /* there may have been others: they were dropped, or the connection was lost, and now
	                                     * all channels are listened to again */
	SHIPOPT_NOTIFICATION_FAILED =
		4, /* nothing is listened to now: _status and _error tell why. It is tried on and on; told
	                                     * once until it works, which LISTENING or MISSED tells */
	SHIPOPT_NOTIFICATION_ENDED = 5 /* the last one, always: after _free (status 0), or the runtime is closed
	                                     * (SHIPOPT_ESHUTDOWN). Then `userdata` is not used any more */
};

/*
 * Called for each, in order, one call at a time: on a scheduler thread, on the reactor (inline delivery: it must not block), or in
 * the dispatch of the pool's queue. Polled from a queue it is an event of kind SHIPOPT_EVENT_NOTIFICATION whose userdata is
 * `userdata` as a number and whose status is shipopt_notification_status(), with shipopt_event_notification(); the callback does not run then. The notification is borrowed
 * for the call, or until the event is released. It may call anything but wait and close, shipopt_listener_free() included.
 * After the queue was freed the rest is told on scheduler threads, where calls may overlap: free listeners first.
 */
typedef void (*shipopt_listen_fn)(void *userdata, const shipopt_notification *notification);

#define SHIPOPT_LISTENER_CHANNELS_MAX 256

/*
 * Listens to `count` channels (0 to 256; others may be added). Names are taken as they are, as if quoted: NOTIFY Orders means
 * the channel "orders". A name has 1 to 63 bytes of UTF-8: SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE, SHIPOPT_EENCODING name the one that
 * is wrong. With delivery to a queue 16 of its slots are kept for this listener: SHIPOPT_EAGAIN without, or without a thread. Also SHIPOPT_ENOMEM,
 * SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED. `notified` may be NULL with a queue that is polled. `ret_error` may be NULL;
 * *ret_error is written on failure only and is the caller's to unref. The caller owns *ret_listener.
 */
SHIPOPT_API int shipopt_pool_listen(shipopt_pool *pool, const char *const *channels, size_t count,
	shipopt_listen_fn notified, void *userdata, shipopt_listener **ret_listener, shipopt_error **ret_error);
/* One channel more: 1, or 0 when it was there already. Errors as above; SHIPOPT_ETOOLARGE also for the 257th. Any thread. */
SHIPOPT_API int shipopt_listener_add(shipopt_listener *listener, const char *channel);
/* One less: what came before may still be told. SHIPOPT_ENOTFOUND. Any thread. */
SHIPOPT_API int shipopt_listener_remove(shipopt_listener *listener, const char *channel);
/* Ends it; never blocks. What waits for it is thrown away, but for the up to 16 events its queue has; ENDED comes last, always.
 * Accepts NULL. */
SHIPOPT_API void shipopt_listener_free(shipopt_listener *listener);

SHIPOPT_API int shipopt_notification_kind(const shipopt_notification *notification);
/* Of a MESSAGE, as the server sent them; "" for other kinds. A payload has at most 7,999 bytes. */
SHIPOPT_API const char *shipopt_notification_channel(const shipopt_notification *notification);
SHIPOPT_API const char *shipopt_notification_payload(const shipopt_notification *notification);
/* The process id of the backend that sent the MESSAGE; 0 for other kinds. */
SHIPOPT_API int shipopt_notification_backend_pid(const shipopt_notification *notification);
/* Of FAILED and ENDED: why; 0 for other kinds. The error may be NULL. */
SHIPOPT_API int shipopt_notification_status(const shipopt_notification *notification);
SHIPOPT_API const shipopt_error *shipopt_notification_error(const shipopt_notification *notification);

SHIPOPT_END_DECLS

#endif
