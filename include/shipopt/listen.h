/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_LISTEN_H
#define SHIPOPT_LISTEN_H

#include <shipopt/pool.h>

SHIPOPT_BEGIN_DECLS

/*
 * PostgreSQL's LISTEN: notifications that other sessions send with NOTIFY or pg_notify().
 *
 *	static const char *const channels[] = {"orders"};
 *	shipopt_pool_listen(pool, channels, 1, on_notification, userdata, &listener, &error);
 *
 * All listeners of a pool share one connection. It is made for the first listener and closed with the last. It is not
 * one of the pool's connections: max, overflow, lifetime_ms and idle_timeout_ms do not apply to it, and it takes one
 * more connection of the server. The pool switches the server's idle_session_timeout off for it.
 *
 * PostgreSQL keeps no notifications for a session that is not connected. When the connection is lost, the pool connects
 * again after a pause and listens to every channel again. Then it sends each listener one MISSED: read the tables as if
 * something had been notified. A listener also gets MISSED where notifications were dropped, because notifications_max
 * of them waited for it or memory was short. Notifications after MISSED came after the gap.
 *
 * LISTEN needs one session all the time. A pooler in transaction mode does not give it: it accepts the command and
 * loses the notifications. So the pool refuses a connection whose backend is not the one that answered the connect
 * (FAILED with SHIPOPT_EUNSUPPORTED), also for a pooler in session mode. Set listen_conninfo to the server itself.
 *
 * A listener keeps its pool and the runtime alive. It is not an operation: closing the runtime does not wait for it,
 * but ends it. All functions may be called on any thread. Since 0.1, except where a comment says otherwise.
 */
typedef struct shipopt_listener shipopt_listener;
typedef struct shipopt_notification shipopt_notification;

enum { /* kinds of notifications */
	/* All channels are listened to from now on. Again after channels were added, but not after a reconnect, which
	 * MISSED reports. */
	SHIPOPT_NOTIFICATION_LISTENING = 1,
	/* Another session's notification, with channel, payload and backend. */
	SHIPOPT_NOTIFICATION_MESSAGE = 2,
	/* Some notifications may be missing. All channels are listened to again. */
	SHIPOPT_NOTIFICATION_MISSED = 3,
	/* No channel is listened to. _status and _error say why. The pool goes on trying and reports the failure once.
	 * LISTENING or MISSED reports success. */
	SHIPOPT_NOTIFICATION_FAILED = 4,
	/* The last one, always. Its status is 0 after _free, or SHIPOPT_ESHUTDOWN because the runtime is closed.
	 * `userdata` is not used after it. */
	SHIPOPT_NOTIFICATION_ENDED = 5
};

/*
 * Called for each notification, in order, one call at a time. It runs on a scheduler thread, or in the dispatch of the
 * pool's queue, or with deliver_inline on the event loop, where it must not block. Polled from a queue, a notification
 * is an event of the kind SHIPOPT_EVENT_NOTIFICATION, and the callback does not run. shipopt_event_notification() reads
 * it. The notification is borrowed for the call, or until the event is released. The callback may call everything,
 * shipopt_listener_free() included, but must not wait or close the runtime. After the queue was freed, notifications
 * arrive on scheduler threads, where calls may overlap. So free listeners first.
 */
typedef void (*shipopt_listen_fn)(void *userdata, const shipopt_notification *notification);

#define SHIPOPT_LISTENER_CHANNELS_MAX 256

/*
 * Listens to `count` channels, 0 to 256. Names are taken as they are, as if they were quoted: NOTIFY Orders means the
 * channel "orders". A name has 1 to 63 bytes of UTF-8. `notified` may be NULL with a queue that is polled. The caller
 * owns *ret_listener. With a queue, 16 of its slots are reserved for the listener. SHIPOPT_EINVAL, SHIPOPT_ETOOLARGE
 * and SHIPOPT_EENCODING name the channel that is wrong. SHIPOPT_EAGAIN (no slots or no thread), SHIPOPT_ENOMEM,
 * SHIPOPT_ESHUTDOWN, SHIPOPT_EFORKED.
 */
SHIPOPT_API int shipopt_pool_listen(shipopt_pool *pool, const char *const *channels, size_t count,
	shipopt_listen_fn notified, void *userdata, shipopt_listener **ret_listener, shipopt_error **ret_error);

/* Adds a channel. Returns 1, or 0 if the listener has it already. The errors above, and SHIPOPT_ETOOLARGE beyond 256
 * channels. */
SHIPOPT_API int shipopt_listener_add(shipopt_listener *listener, const char *channel, shipopt_error **ret_error);

/* Removes a channel. Notifications that came before may still arrive. SHIPOPT_ENOTFOUND, SHIPOPT_ESHUTDOWN,
 * SHIPOPT_EFORKED. */
SHIPOPT_API int shipopt_listener_remove(shipopt_listener *listener, const char *channel);

/*
 * Ends a listener. Never blocks. Waiting notifications are dropped, except up to 16 events that its queue has already.
 * ENDED always comes last. Accepts NULL.
 */
SHIPOPT_API void shipopt_listener_free(shipopt_listener *listener);

/*
 * What a notification has, borrowed from it.
 *
 * kind         SHIPOPT_NOTIFICATION_…; SHIPOPT_EINVAL for NULL
 * channel      of a MESSAGE; "" for other kinds
 * payload      of a MESSAGE, at most 7,999 bytes; "" for other kinds
 * backend_pid  of a MESSAGE, the process id of the backend that sent it; 0 for other kinds
 * status       of FAILED and ENDED; 0 for other kinds
 * error        of FAILED; otherwise NULL
 */
SHIPOPT_API int shipopt_notification_kind(const shipopt_notification *notification);
SHIPOPT_API const char *shipopt_notification_channel(const shipopt_notification *notification);
SHIPOPT_API const char *shipopt_notification_payload(const shipopt_notification *notification);
SHIPOPT_API int shipopt_notification_backend_pid(const shipopt_notification *notification);
SHIPOPT_API int shipopt_notification_status(const shipopt_notification *notification);
SHIPOPT_API const shipopt_error *shipopt_notification_error(const shipopt_notification *notification);

SHIPOPT_END_DECLS

#endif
