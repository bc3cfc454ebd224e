/* SPDX-License-Identifier: MIT */
#ifndef POOL_LEASE_H
#define POOL_LEASE_H

#include "pool/connection/connection.h"

/*
 * A lease: the right to use one connection.
 *
 * The application and each command given to the lease hold a reference. The last one returns the connection. If nothing
 * has to be undone and no call waits, that is a push on the idle list, on any thread. Otherwise the event loop does it.
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
	bool is_reported;
	char failure[6];      /* the last SQLSTATE; the event loop's, like the next two members */
	shipopt_error *cause; /* the error it came with; may be NULL */
	int refusal;          /* negative: new commands fail with it */
	atomic_uint commands;
	struct task return_task;
};

/* Sets the owner for calls on this thread that name none, while the body of a transaction runs on it. Returns the owner
 * before; 0: none. */
uint64_t lease_set_thread_owner(uint64_t owner);
int lease_new(shipopt_pool *pool, const char *name, uint64_t owner, shipopt_lease **ret_lease);
void lease_copy_name(char copy[LEASE_NAME_SIZE], const char *name); /* cuts a long name; `name` may be NULL */
/* Gives an idle connection to the lease. With the pool's lock held. */
void lease_bind(shipopt_lease *lease, struct connection *connection, int64_t now_us);
shipopt_lease *lease_ref(shipopt_lease *lease);
void lease_unref(shipopt_lease *lease);

#endif
