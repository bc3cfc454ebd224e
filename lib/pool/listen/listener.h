/* SPDX-License-Identifier: MIT */
#ifndef POOL_LISTEN_LISTENER_H
#define POOL_LISTEN_LISTENER_H

#include <shipopt/listen.h>

#include "pool/core/pool.h"

/*
 * One listener: the channels it wants, what waits for it, and the way to the host.
 *
 * `lock` guards everything that several threads touch; it is held for a few instructions, never while the host is called or a
 * queue is pushed to. References are held by the host, by the pool's listening connection (pool/listening.h) while the listener
 * is attached to it, by a task under way and by each event the host's queue has.
 *
 * Messages are allocated one by one, at most notifications_max of them. What the library itself has to say (the other kinds)
 * must not fail, so there is one of each embedded: `due` says which are to be told, `used` which are on their way. A gap is told
 * where it is: while MISSED is due but still on its way from the last time, messages are dropped, as they belong to that
 * gap.
 *
 * Delivery: a task on a worker or the reactor takes one after the other, or up to LISTENER_SLOTS events are with the queue.
 */
#define LISTENER_SLOTS 16
#define CHANNEL_NAME_SIZE 64 /* NAMEDATALEN */

enum channel_state { CHANNEL_NEW, CHANNEL_ASKED, CHANNEL_ACTIVE };

struct listen_channel {
	struct list_node node;
	enum channel_state state; /* in the session there is now */
	char name[CHANNEL_NAME_SIZE];
};

struct shipopt_notification {
	struct list_node node;
	int kind, status, backend_pid;
	shipopt_error *error;
	const char *channel, *payload; /* behind the struct, or "" */
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
	struct list_node node; /* in listening.listeners; the reactor's */
	struct task change_task, deliver_task;

	pthread_mutex_t lock; /* for what follows */
	struct list_node channels, removed;
	size_t channel_count;
	bool is_change_posted, is_freed, is_ended;
	bool is_live;      /* every channel is listened to */
	bool has_listened; /* it was live once: being live again means MISSED */
	bool has_added;    /* channels that LISTENING was not told for */
	bool has_failed;   /* FAILED was told and nothing worked since */
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

/* The session is gone: nothing is listened to. */
void listener_reset(shipopt_listener *listener);
/* What was asked for is granted. */
void listener_grant(shipopt_listener *listener);
/* Nothing is left to ask for: tells LISTENING or MISSED if that is so. */
void listener_settle(shipopt_listener *listener);
void listener_notify(shipopt_listener *listener, const char *channel, const char *payload, int backend_pid);
void listener_fail(shipopt_listener *listener, int status, shipopt_error *error);
/* The last it hears. */
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
/* Without: delivers what waits. */
void listener_delivery_wake(shipopt_listener *listener);

#endif
