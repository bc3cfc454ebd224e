/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MEMORY_LEDGER_H
#define TESTS_MEMORY_LEDGER_H

#include "store/ledger.h"

/*
 * The purchase ledger a second time: the rules of store/ledger.h over rows in memory, driven by a table.
 *
 * Written for tests. As a store behind simulated runs it keeps time and order deterministic (sim/memory_backend.h);
 * beside the SQLite ledger it is what that one is compared with. It knows no transactions: an operation is applied
 * whole or not at all. Its own memory never fails; rows that are handed out are allocated as the library's are, and
 * when that fails the operation is not applied.
 */
struct memory_row {
	char *key; /* all texts of the key, joined */
	char *order_key;
	int64_t piece, generation, token;
	int held_from;
	int64_t reserved, spent; /* in the budget */
	bool is_by_person;       /* bought, because a person said so */
	struct ledger_row row;   /* texts by malloc */
};

struct memory_budget {
	char *key; /* tenant, name, currency */
	int64_t reserved, spent, limit;
};

struct memory_ledger {
	struct memory_row *rows;
	size_t row_count, row_capacity;
	struct memory_budget *budgets;
	size_t budget_count, budget_capacity;
	int64_t next_token;
};

void memory_ledger_init(struct memory_ledger *ledger);
void memory_ledger_done(struct memory_ledger *ledger);
/* Fills status, error, row, created_row and claimed_token. */
void memory_ledger_apply(struct memory_ledger *ledger, struct ledger_request *request);
/* A person's word on the row of this id, as shipopt_ledger_resolve(): 0 or SHIPOPT_ENOTFOUND, SHIPOPT_ESTATE,
 * SHIPOPT_EBUSY. */
int memory_ledger_resolve(struct memory_ledger *ledger, int64_t row, int state, const char *tracking_code,
	const char *reason);
/* A transition that compares the state alone (DOCUMENT, VOID to `state`): 0 or SHIPOPT_ESTATE. */
int memory_ledger_move(struct memory_ledger *ledger, int64_t row, enum ledger_operation operation, int state);
/* The newest row of an order (piece 1); NULL if there is none. */
const struct memory_row *memory_ledger_find(const struct memory_ledger *ledger, const char *order_key);
size_t memory_ledger_count(const struct memory_ledger *ledger, int state);
const struct memory_budget *memory_ledger_budget(const struct memory_ledger *ledger, const char *name);

#endif
