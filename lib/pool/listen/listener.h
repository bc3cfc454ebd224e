/* SPDX-License-Identifier: MIT */
#ifndef POOL_LISTEN_LISTENER_H
#define POOL_LISTEN_LISTENER_H

#include <shipopt/listen.h>

#include "pool/core/pool.h"

/*
 * One listener: the channels it wants, the notifications that wait for it, and their delivery.
 *
 * `lock` protects everything that several threads use. It is held for a few instructions, and never while the
 * application is called or a queue is pushed to. References are held by the application, by the connection that listens
 * (listen_connection.h) while the listener is attached to it, by a running task, and by each event that the
 * application's queue has.
 *
 * Messages are allocated one by one, at most notifications_max of them. The other kinds must not fail, so one of each
 * is embedded: `due` has the kinds that are to be delivered, `used` those that are being delivered. A gap is reported
 * at its place: while MISSED is due and the one before is still being delivered, messages are dropped, because they
 * belong to the same gap.
 *
 * Delivery: without a queue, a task delivers one after the other. With a queue, up to LISTENER_SLOTS events are in it.
 */
#define LISTENER_SLOTS 16
#define CHANNEL_NAME_SIZE 64 /* NAMEDATALEN */

enum channel_state { CHANNEL_NEW, CHANNEL_ASKED, CHANNEL_ACTIVE };

struct listen_channel {
	struct list_node node;
	enum channel_state state; /* in the present session */
	char name[CHANNEL_NAME_SIZE];
};

struct shipopt_notification {
	struct list_node node;
	int kind, status, backend_pid;
	shipopt_error *error;
	const char *channel, *payload; /* allocated with the struct, or "" */
};

struct listener_slot {
	struct queue_entry entry;
	shipopt_listener *listener;
	struct shipopt_notification *notification; /* NULL: free */
};

struct shipopt_listener {
	struct reference reference;
	shipopt_pool *pool; /* a reference */
	shipopt_listen_fn notified;
	void *userdata;
	size_t messages_max;
	struct list_node node; /* in listen_connection.listeners; the event loop's */
	struct task change_task, deliver_task;

	pthread_mutex_t lock; /* for the members below */
	struct list_node channels, removed;
	size_t channel_count;
	bool is_change_posted, is_freed, is_ended;
	bool is_live;      /* every channel is listened to */
	bool has_listened; /* it was live before: being live again means MISSED */
	bool has_added;    /* channels that no LISTENING was sent for */
	bool has_failed;   /* FAILED was sent and nothing has worked since */
	struct list_node waiting;
	size_t message_count;
	unsigned due, used;                                              /* bits of kinds */
	struct shipopt_notification own[SHIPOPT_NOTIFICATION_ENDED + 1]; /* by kind */
	int failure;
	shipopt_error *failure_error;
	bool is_delivering;
	struct listener_slot slots[LISTENER_SLOTS];
};

static inline shipopt_listener *listener_at(struct list_node *node)
{
	return LIST_MEMBER(node, shipopt_listener, node);
}

void listener_unref(shipopt_listener *listener);

/* ---- listener.c: for the listening connection, on the reactor ---- */

/* The session has ended: no channel is listened to. */
void listener_reset(shipopt_listener *listener);
/* The server has granted what was asked for. */
void listener_grant(shipopt_listener *listener);
/* Nothing is left to ask for. Sends LISTENING or MISSED if it is due. */
void listener_settle(shipopt_listener *listener);
void listener_notify(shipopt_listener *listener, const char *channel, const char *payload, int backend_pid);
void listener_fail(shipopt_listener *listener, int status, shipopt_error *error);
/* Sends ENDED, once. */
void listener_end(shipopt_listener *listener, int status);
bool listener_wants(shipopt_listener *listener, const char *channel);

/* ---- outlet.c ---- */

void listener_delivery_init(shipopt_listener *listener);
void listener_delivery_done(shipopt_listener *listener);
/* With the lock held. */
void listener_delivery_put_own(shipopt_listener *listener, int kind);
void listener_delivery_put_message(shipopt_listener *listener, const char *channel, const char *payload,
	int backend_pid);
void listener_delivery_clear(shipopt_listener *listener);
/* Without the lock: delivers what waits. */
void listener_delivery_wake(shipopt_listener *listener);

#endif
