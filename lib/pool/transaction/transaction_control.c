/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include <stdio.h>

#include "pool/connection/lease.h"
#include "pool/query/batch.h"

/* Transaction control on a lease: statements of the pool's own, each a command like any other. */

#define SAVEPOINT_MAX 1000000

static int transaction_control_run(shipopt_lease *lease, const char *sql, bool is_read_only, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct shipopt_query query;
	if (!lease)
		return SHIPOPT_EINVAL;
	int r = query_init(&query, sql, NULL);
	if (r < 0)
		return r;
	query.is_read_only = is_read_only;
	r = shipopt_lease_query(lease, &query, done, userdata, ret_op);
	query_done(&query);
	return r;
}

static int transaction_control_refuse(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op,
	shipopt_error *error)
{
	shipopt_pool *pool = lease->pool;
	return op_refuse(pool->runtime, &pool->delivery, done, userdata, ret_op, SHIPOPT_EINVAL, error);
}

int shipopt_lease_begin(shipopt_lease *lease, int flags, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	char sql[128];
	shipopt_error *error = NULL;
	if (!lease || transaction_begin_sql(flags, sql, sizeof(sql)))
		return transaction_control_run(lease, sql, true, done, userdata, ret_op);
	error_set(&error, SHIPOPT_EINVAL, "the flags of a transaction are %d, allowed are 0 to 15", flags);
	return transaction_control_refuse(lease, done, userdata, ret_op, error);
}

int shipopt_lease_commit(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_control_run(lease, "COMMIT", false, done, userdata, ret_op);
}

int shipopt_lease_rollback(shipopt_lease *lease, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_control_run(lease, "ROLLBACK", true, done, userdata, ret_op);
}

static int transaction_control_savepoint(shipopt_lease *lease, const char *verb, int number, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	char sql[64];
	shipopt_error *error = NULL;
	snprintf(sql, sizeof(sql), "%s s%d", verb, number);
	if (!lease || (number >= 1 && number <= SAVEPOINT_MAX))
		return transaction_control_run(lease, sql, true, done, userdata, ret_op);
	error_set(&error, SHIPOPT_EINVAL, "the number of a savepoint is %d, allowed are 1 to %d", number,
		SAVEPOINT_MAX);
	return transaction_control_refuse(lease, done, userdata, ret_op, error);
}

int shipopt_lease_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return transaction_control_savepoint(lease, "SAVEPOINT", number, done, userdata, ret_op);
}

int shipopt_lease_rollback_to(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return transaction_control_savepoint(lease, "ROLLBACK TO SAVEPOINT", number, done, userdata, ret_op);
}

int shipopt_lease_release_savepoint(shipopt_lease *lease, int number, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return transaction_control_savepoint(lease, "RELEASE SAVEPOINT", number, done, userdata, ret_op);
}
