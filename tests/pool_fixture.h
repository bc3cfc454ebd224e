/* SPDX-License-Identifier: MIT */
#ifndef TESTS_POOL_FIXTURE_H
#define TESTS_POOL_FIXTURE_H

#include <shipopt/pool.h>

#include "postgres_process.h"

/*
 * A server, a runtime and pools for the tests of lib/pool.
 *
 * The server is started once per program; `pool_fixture_is_there` is false, with a message printed, where PostgreSQL is
 * not installed. Each test opens and closes what it needs. The short helpers fail the test when something is not as it
 * should.
 */
struct pool_fixture {
	struct postgres postgres;
	shipopt_runtime *runtime;
	shipopt_pool *pool;
	char log[65536]; /* what the library said; while it may go on talking, ask fixture_has_said() */
};

extern struct pool_fixture fixture;

int fixture_start_server(void **state); /* group set-up; skips the program when there is none */
int fixture_stop_server(void **state);
/* A pool over the server's socket, or over `conninfo`; `settings` are name, value, …, NULL. */
void fixture_open(const char *conninfo, const char *const *settings);
void fixture_close(void);
/* Another pool of the same runtime. */
shipopt_pool *fixture_pool(const char *conninfo, const char *const *settings);

shipopt_query *make_query(const char *sql);
/* Runs and waits; the caller drops the operation. On the pool when lease is NULL. */
shipopt_op *run_query(shipopt_lease *lease, const char *sql);
shipopt_op *run_given(shipopt_lease *lease, const shipopt_query *query);
/* Runs and expects success; the first value as a number, 0 if there is none. */
int64_t run_number(shipopt_lease *lease, const char *sql);
shipopt_lease *acquire(void);
/* Whether the library's log has the text; waits until it has, without end. */
bool fixture_has_said(const char *text);
void fixture_wait_said(const char *text);
int64_t stat_of(int stat);
/* Waits until a statistic has the value; false after 20 s. */
bool wait_stat(int stat, int64_t value);
/* Runs and gives the status; *ret_number, if wanted, is the first value. Also for threads, where asserting is of no
 * use. */
int run_status(shipopt_lease *lease, const char *sql, int64_t *ret_number);
/* On a connection of the test's own, to look from the side. */
int64_t side_number(const char *sql);

#endif
