/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "pool/query/batch.h"
#include "pool/connection/lease.h"

/* Transaction control on a lease: statements of our own making, each a command like any other. */

#define SAVEPOINT_MAX 1000000

static int transaction_run_sql(shipopt_lease *lease, const char *sql, bool is_read_only, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct shipopt_query query;
	if (!lease)
		return SHIPOPT_EINVAL;
	int r = query_init(&query, sql);
	if (r < 0)
		return r;
	query.is_read_only = is_read_only;
	r = shipopt_lease_query(lease, &query, done, userdata, ret_op);
	query_done(&query);
	return r;
}

int shipopt_lease_begin(shipopt_lease *lease, int flags, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	char sql[128];
	if (!transaction_begin_sql(flags, sql, sizeof(sql)))
		return SHIPOPT_EINVAL;
	return transaction_run_sql(lease, sql, true, done, userdata, ret_op);
}

int shipopt_lease_commit(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_run_sql(lease, "COMMIT", false, done, userdata, ret_op);
}

int shipopt_lease_rollback(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_run_sql(lease, "ROLLBACK", true, done, userdata, ret_op);
}

static int transaction_run_savepoint(shipopt_lease *lease, const char *verb, int number, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	char sql[64];
	if (number < 1 || number > SAVEPOINT_MAX)
		return SHIPOPT_EINVAL;
	snprintf(sql, sizeof(sql), "%s s%d", verb, number);
	return transaction_run_sql(lease, sql, true, done, userdata, ret_op);
}

int shipopt_lease_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_run_savepoint(lease, "SAVEPOINT", number, done, userdata, ret_op);
}

int shipopt_lease_rollback_to(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return transaction_run_savepoint(lease, "ROLLBACK TO SAVEPOINT", number, done, userdata, ret_op);
}

int shipopt_lease_release_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return transaction_run_savepoint(lease, "RELEASE SAVEPOINT", number, done, userdata, ret_op);
}
