/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_BUDGET_H
#define STORE_SQLITE_BUDGET_H

#include "store/sqlite/database.h"

/*
 * Spend limits: one row per (tenant, name, currency) with what is reserved by purchases under way and what is spent.
 *
 * Called inside the transaction that moves the ledger row, so that both happen or none. Nobody else writes meanwhile
 * (BEGIN IMMEDIATE), which is why the sums are done here and not in SQL: SQLite's integers turn into floats when they overflow.
 */
struct budget {
	const char *tenant, *name, *currency;
	int64_t reserved, spent;
};

/* Zeros where there is no row. A NULL name or currency is an empty budget that is never written. */
int budget_read(struct database *database, struct budget *budget, const char *tenant, const char *name,
	const char *currency, shipopt_error **ret_error);
/* Whether `amount` more would pass `limit` (0: none), or the range of the numbers. */
bool budget_is_over(const struct budget *budget, int64_t amount, int64_t limit);
/* What is reserved and spent together; INT64_MAX where that is too much. */
int64_t budget_used(const struct budget *budget);
/* Writes the sums; `limit` -1 leaves the one in the row. */
int budget_write(struct database *database, const struct budget *budget, int64_t limit, shipopt_error **ret_error);
/* A reservation of `reserved` ends, `spent` of it was spent. */
int budget_settle(struct database *database, const char *tenant, const char *name, const char *currency,
	int64_t reserved, int64_t spent, shipopt_error **ret_error);

#endif
