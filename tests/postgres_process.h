/* SPDX-License-Identifier: MIT */
#ifndef TESTS_POSTGRES_PROCESS_H
#define TESTS_POSTGRES_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#include "certificates.h"

/*
 * A PostgreSQL server of a test's own: initdb in a folder of its own, a private socket and a free port, ended by its
 * process id. The server refuses to run as root, so a root test runs it as the user postgres.
 *
 *	struct postgres postgres;
 *	if (postgres_start(&postgres, NULL) != 0)
 *		… print that PostgreSQL is not installed, and skip …
 *	… give postgres.conninfo to the code under test …
 *	postgres_stop(&postgres);
 *
 * Over the socket everybody is trusted. Over TCP users are asked for a SCRAM password: the user "scram" has
 * "secret-word". With TLS the server shows the good one of tests/certificates.h for localhost. The child ends when its
 * parent does. SHIPOPT_POSTGRES_PRELOAD in the environment names a shared object for it to load first. One
 * thread at a time.
 */
#define POSTGRES_PATH_SIZE 128

struct postgres {
	pid_t pid;
	int port;
	uid_t uid;
	gid_t gid;
	char folder[POSTGRES_PATH_SIZE]; /* data in "data", the socket beside it */
	char binaries[POSTGRES_PATH_SIZE];
	char conninfo[256]; /* over the socket, as user postgres */
	char tcp[256];      /* over TCP without password: host, port, user scram, database */
	struct certificates certificates;
};

/* 0, or -1: not installed, or it did not start (it says why on stderr). `options`: lines for postgresql.conf, or
 * NULL. */
int postgres_start(struct postgres *postgres, const char *options);
/* A fast shutdown by signal, waits; the folder goes too. */
void postgres_stop(struct postgres *postgres);
/* Kills every process of the server at once, and starts it again on the same port and folder. */
int postgres_restart(struct postgres *postgres);
int postgres_begin(struct postgres *postgres);
void postgres_end(struct postgres *postgres, int signal);
/* A port on 127.0.0.1 that is likely to stay free until a server of this test takes it. */
int postgres_free_port(void);

#endif
