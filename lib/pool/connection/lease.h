/* SPDX-License-Identifier: MIT */
#ifndef POOL_LEASE_H
#define POOL_LEASE_H

#include "pool/connection/connection.h"

/*
 * A lease: the right to use one connection.
 *
 * References are held by the host and by each command given to it; the last one to go returns the connection. Where nothing
 * has to be undone and nobody waits that is a push on the idle list, on any thread; else the reactor does it.
 */
#define LEASE_COMMANDS_MAX 1024
#define LEASE_NAME_SIZE 48

struct shipopt_lease {
	struct reference reference;
	shipopt_pool *pool;            /* a reference */
	struct connection *connection; /* NULL before the grant */
	struct list_node node;         /* in pool.leases */
	char name[LEASE_NAME_SIZE];
	uint64_t owner;
	int64_t acquired_us;
	atomic_bool is_owner_waiting; /* for the detection of deadlocks */
	bool is_reported;
	bool is_read_only;    /* a transaction that may not write was begun; the reactor's */
	char failure[6];      /* the last SQLSTATE; the reactor's, as the next two */
	shipopt_error *cause; /* the error it came with; NULL: none, or no memory */
	int refusal;          /* negative: new commands end with it; the reactor's */
	atomic_uint commands;
	struct task return_task;
};

/* The body of a transaction runs on this thread: whoever asks for a connection without saying who he is, is this owner. Returns
 * the one before; 0: none. */
uint64_t lease_set_thread_owner(uint64_t owner);
int lease_new(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_lease **ret_lease);
void lease_copy_name(char copy[LEASE_NAME_SIZE], const char *name); /* cut where it is too long; may be NULL */
/* Binds an idle connection. With the pool's lock held. */
void lease_bind(shipopt_lease *lease, struct connection *connection, int64_t now_us);
shipopt_lease *lease_ref(shipopt_lease *lease);
void lease_unref(shipopt_lease *lease);

#endif
