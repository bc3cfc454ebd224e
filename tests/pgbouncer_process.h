/* SPDX-License-Identifier: MIT */
#ifndef TESTS_PGBOUNCER_PROCESS_H
#define TESTS_PGBOUNCER_PROCESS_H

#include "postgres_process.h"

/*
 * A pgbouncer of a test's own in transaction mode, in front of a struct postgres and in its folder: a free port,
 * everybody may come in, `server_connections` to the server. The child ends when its parent does; postgres_stop()
 * removes its files.
 */
struct pgbouncer {
	pid_t pid;
	int port;
	char conninfo[128];
};

/* 0, or -1: not installed, or it did not start. */
int pgbouncer_start(struct pgbouncer *pgbouncer, const struct postgres *postgres, int server_connections);
void pgbouncer_stop(struct pgbouncer *pgbouncer);

#endif
