/* SPDX-License-Identifier: MIT */
#include "store/sqlite/budget.h"

static int budget_bind_key(struct database *database, enum statement which, const struct budget *budget,
	sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int r = database_statement(database, which, ret_statement, ret_error);
	if (r < 0)
		return r;
	bind_text(*ret_statement, 1, budget->tenant);
	bind_text(*ret_statement, 2, budget->name);
	bind_text(*ret_statement, 3, budget->currency);
	return 0;
}

int budget_read(struct database *database, struct budget *budget, const char *tenant, const char *name,
	const char *currency, shipopt_error **ret_error)
{
	*budget = (struct budget){.tenant = tenant, .name = name, .currency = currency};
	if (!name || !currency)
		return 0;
	sqlite3_stmt *statement;
	int r = budget_bind_key(database, SQL_BUDGET_READ, budget, &statement, ret_error);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r == 1) {
		budget->reserved = sqlite3_column_int64(statement, 0);
		budget->spent = sqlite3_column_int64(statement, 1);
		sqlite3_reset(statement);
	}
	return r < 0 ? r : 0;
}

int64_t budget_used(const struct budget *budget)
{
	int64_t sum;
	return __builtin_add_overflow(budget->reserved, budget->spent, &sum) ? INT64_MAX : sum;
}

bool budget_is_over(const struct budget *budget, int64_t amount, int64_t limit)
{
	int64_t sum;
	if (amount <= 0)
		return false;
	if (__builtin_add_overflow(budget_used(budget), amount, &sum))
		return true;
	return limit > 0 && sum > limit;
}

int budget_write(struct database *database, const struct budget *budget, int64_t limit, shipopt_error **ret_error)
{
	if (!budget->name || !budget->currency)
		return 0;
	sqlite3_stmt *statement;
	int r = budget_bind_key(database, SQL_BUDGET_WRITE, budget, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 4, budget->reserved);
	sqlite3_bind_int64(statement, 5, budget->spent);
	if (limit >= 0)
		sqlite3_bind_int64(statement, 6, limit);
	return database_step(database, statement, ret_error);
}

int budget_settle(struct database *database, const char *tenant, const char *name, const char *currency,
	int64_t reserved, int64_t spent, shipopt_error **ret_error)
{
	struct budget budget;
	if (reserved == 0 && spent == 0)
		return 0;
	int r = budget_read(database, &budget, tenant, name, currency, ret_error);
	if (r < 0)
		return r;
	budget.reserved = MAX(budget.reserved - reserved, 0);
	/* A purchase that was made is recorded, whatever the sum. */
	if (__builtin_add_overflow(budget.spent, spent, &budget.spent))
		budget.spent = INT64_MAX;
	return budget_write(database, &budget, -1, ret_error);
}
