/* SPDX-License-Identifier: MIT */
#ifndef STORE_SQLITE_BUDGET_H
#define STORE_SQLITE_BUDGET_H

#include "store/sqlite/database.h"

/*
 * Spend limits: one row for each (tenant, name, currency), with what purchases under way reserve and what was spent.
 *
 * These functions run inside the transaction that moves the ledger row, so that both changes happen or neither does. No
 * other process writes at that time (BEGIN IMMEDIATE). The sums are computed here and not in SQL, because SQLite turns
 * an integer that overflows into a float.
 */
struct budget {
	const char *tenant, *name, *currency;
	int64_t reserved, spent;
};

/* Reads a budget; zeros if there is no row. A NULL name or currency is an empty budget that is never written. */
int budget_read(struct database *database, struct budget *budget, const char *tenant, const char *name,
	const char *currency, shipopt_error **ret_error);
/* Whether `amount` more would pass `limit` (0: none) or overflow. */
bool budget_is_over(const struct budget *budget, int64_t amount, int64_t limit);
/* The sum of what is reserved and spent; INT64_MAX if it overflows. */
int64_t budget_used(const struct budget *budget);
/* Writes the sums. `limit` -1 keeps the limit of the row. */
int budget_write(struct database *database, const struct budget *budget, int64_t limit, shipopt_error **ret_error);
/* Ends a reservation of `reserved`, and counts `spent` as spent. */
int budget_settle(struct database *database, const char *tenant, const char *name, const char *currency,
	int64_t reserved, int64_t spent, shipopt_error **ret_error);

#endif
