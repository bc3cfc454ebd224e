/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_PURCHASE_TEST_H
#define TESTS_SIM_PURCHASE_TEST_H

#include "sim.h"

/*
 * What the tests of purchases share: steps of a script by name, and the way from sim_begin() to books that agree.
 *
 *	case_begin(&process, settings);   a carrier without a guard
 *	SCRIPT_OF(BUY(LOST_AFTER, 0));        what goes wrong, in order by kind of call
 *	…
 *	case_finish(&process);            ledger and carrier agree, nothing leaks
 */
#define SECOND INT64_C(1000000)

#define CREATE(fault, ms)                       \
	{                                       \
		WORLD_CREATE, FAULT_##fault, ms \
	}
#define BUY(fault, ms)                       \
	{                                    \
		WORLD_BUY, FAULT_##fault, ms \
	}
#define READ(fault, ms)                       \
	{                                     \
		WORLD_READ, FAULT_##fault, ms \
	}
#define RERATE(fault, ms)                       \
	{                                       \
		WORLD_RERATE, FAULT_##fault, ms \
	}

#define SCRIPT_OF(...)                                                                      \
	case_script(sizeof((struct world_step[]){__VA_ARGS__}) / sizeof(struct world_step), \
		(struct world_step[]){__VA_ARGS__})

/* At most so many steps; copied. */
#define CASE_SCRIPT_MAX 16
void case_script(size_t count, const struct world_step *steps);
void case_begin(struct sim_process *process, const char *settings);
void case_finish(struct sim_process *process);
/* The same where ledger and carrier differ on purpose. */
void case_finish_without_books(struct sim_process *process);
/* Whether the first item's message contains the words; prints both if not. */
bool case_says(const struct sim_process *process, const char *words);
/* The newest row of an order; there must be one. */
const struct ledger_row *case_row(const char *key);
/* One order "o-0" with wishes of its own; returns its item's status. */
int case_one(struct sim_process *process, int weight, int64_t max_rate, const char *carrier);
/* Turns until the row of "o-0" is in that state. */
void case_turn_until(struct sim_process *process, int state);

#endif
