/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_MEMORY_BACKEND_H
#define TESTS_SIM_MEMORY_BACKEND_H

#include "../memory_ledger.h"
#include "base/random.h"

/*
 * The store's back-end for simulated runs: the ledger in memory behind store/backend.h, without a thread.
 *
 * Defines `sqlite_backend`, so that a test program that is linked with this file opens "sqlite:…" without the database.
 * All stores of the program share `memory_database`, as processes share a file. A request takes `delay_us` until it is
 * durable and as long again until its answer arrives, on timers of its reactor: a process may crash between the two.
 * Only the ledger and shipopt_store_ready() are there.
 *
 * Failures are scripted, each used once by the next request of its operation (`occurrence` counts from 1), or drawn.
 */
enum database_fault {
	DATABASE_FAILS,       /* SHIPOPT_EDATABASE, nothing was written */
	DATABASE_DOUBT,       /* SHIPOPT_EINDOUBT, it was written */
	DATABASE_DOUBT_UNDONE /* SHIPOPT_EINDOUBT, it was not */
};

struct database_step {
	enum ledger_operation operation;
	int occurrence;
	enum database_fault fault;
};

struct memory_database {
	struct memory_ledger ledger;
	int64_t delay_us;
	const struct database_step *script;
	size_t script_count;
	int seen[16]; /* by operation */
	unsigned permille;
	struct random random;
	/* Called for each operation as it becomes durable. */
	void (*observe)(struct memory_database *database, const struct ledger_request *request);
};

extern struct memory_database *memory_database;

void memory_database_init(struct memory_database *database, uint64_t seed);
void memory_database_done(struct memory_database *database);

#endif
