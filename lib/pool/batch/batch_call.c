/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_DATABASE

#include "base/memory.h"
#include "pool/batch/batch_op.h"

/* The public calls that run statements: an operation around a batch, also for one statement, and what it made. */

/* ---- life ---------------------------------------------------------------------------------------------------- */

static void batch_destroy(shipopt_op *op)
{
	struct batch_op *batch = CONTAINER_OF(op, struct batch_op, command.op);
	for (size_t i = 0; batch->items && i < batch->count; i++) {
		PQclear(batch->items[i].rows.result);
		shipopt_error_unref(batch->items[i].outcome.error);
		query_done(&batch->items[i].query);
	}
	if (batch->items != &batch->single)
		mem_free(batch->items);
	if (batch->ring != batch->ring_inline)
		mem_free(batch->ring);
	shipopt_error_unref(batch->outcome.error);
	command_destroy(&batch->command);
}

static const struct op_class batch_op_class = {sizeof(struct batch_op), command_cancel, batch_destroy,
	SHIPOPT_DOMAIN_DATABASE};

static int batch_make_ring(struct batch_op *batch, size_t statements)
{
	size_t window = MIN(statements, (size_t)pool_setting(batch->command.pool, POOL_PIPELINE_STATEMENTS));
	batch->ring_size = 3 * window + 2 * DEALLOCATES_AT_ONCE + 4;
	batch->ring = batch->ring_size <= RING_INLINE ? batch->ring_inline
						      : mem_alloc_array(batch->ring_size, sizeof(*batch->ring));
	return batch->ring ? 0 : SHIPOPT_ENOMEM;
}

static int batch_op_new(shipopt_pool *pool, shipopt_lease *lease, size_t count, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_caller, struct batch_op **ret_batch)
{
	struct command *command;
	int r = command_new(&batch_op_class, &batch_class, pool, lease, NULL, done, userdata, ret_caller, &command);
	if (r < 0)
		return r;
	struct batch_op *batch = CONTAINER_OF(command, struct batch_op, command);
	batch->items = count == 1 ? &batch->single : mem_alloc_array(count, sizeof(*batch->items));
	batch_init(batch);
	*ret_batch = batch;
	r = batch->items ? batch_make_ring(batch, count) : SHIPOPT_ENOMEM;
	return r == 0 ? 0 : command_submit(command, r, ret_caller);
}

static int batch_add_item(struct batch_op *batch, const struct shipopt_query *query)
{
	int r = query_copy(&batch->items[batch->count].query, query);
	batch->count += r == 0;
	return r;
}

static int batch_add_hidden(struct batch_op *batch, const char *sql, bool is_read_only)
{
	int r = query_init(&batch->items[batch->count].query, sql, NULL);
	if (r < 0)
		return r;
	batch->items[batch->count++].query.is_read_only = is_read_only;
	return 0;
}

static int batch_run_query(shipopt_pool *pool, shipopt_lease *lease, const shipopt_query *query, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct batch_op *batch;
	shipopt_error *error = NULL;
	if (!query)
		return SHIPOPT_EINVAL;
	pool = lease ? lease->pool : pool;
	int r = query_check(query, &error);
	if (r < 0)
		return op_refuse(pool->runtime, &pool->delivery, done, userdata, ret_op, r, error);
	r = batch_op_new(pool, lease, 1, done, userdata, ret_op, &batch);
	if (r < 0)
		return r;
	r = batch_add_item(batch, query);
	batch->items[0].ends_group = true;
	batch->command.timeout_ms = query->timeout_ms;
	batch->may_repeat_statement = true;
	return command_submit(&batch->command, r, ret_op);
}

int shipopt_pool_query(shipopt_pool *pool, const shipopt_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return pool ? batch_run_query(pool, NULL, query, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

int shipopt_lease_query(shipopt_lease *lease, const shipopt_query *query, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return lease ? batch_run_query(NULL, lease, query, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

static int batch_fill_batch(struct batch_op *batch, const shipopt_batch *given)
{
	char begin_sql[128];
	int r = 0;
	bool is_read_only = given->transaction & SHIPOPT_TRANSACTION_READ_ONLY;
	if (given->attempts) {
		r = batch_add_hidden(batch, transaction_begin_sql(given->transaction, begin_sql, sizeof(begin_sql)),
			is_read_only);
		batch->is_transaction = true;
		batch->attempts_left = given->attempts - 1;
		batch->hidden = 1;
	}
	size_t groups = 1;
	for (size_t i = 0; r == 0 && i < given->count; i++) {
		r = batch_add_item(batch, &given->entries[i].query);
		bool ends = given->entries[i].ends_group && !given->attempts;
		groups += ends && i + 1 < given->count;
		batch->items[batch->hidden + i].ends_group = ends;
	}
	if (r == 0 && given->attempts)
		r = batch_add_hidden(batch, "COMMIT", is_read_only);
	if (r == 0)
		batch->items[batch->count - 1].ends_group = true;
	batch->may_repeat_statement = groups == 1;
	batch->command.timeout_ms = given->timeout_ms;
	return r;
}

static int batch_check(const shipopt_batch *batch, bool is_on_lease, shipopt_error **ret_error)
{
	if (batch->count == 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "the batch has no statements");
	if (is_on_lease && batch->attempts)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"a batch that is a transaction cannot run on a lease: use shipopt_pool_batch()");
	return 0;
}

static int batch_run_batch(shipopt_pool *pool, shipopt_lease *lease, const shipopt_batch *given, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	struct batch_op *batch;
	shipopt_error *error = NULL;
	if (!given)
		return SHIPOPT_EINVAL;
	int r = batch_check(given, lease != NULL, &error);
	if (r < 0)
		return op_refuse(pool->runtime, &pool->delivery, done, userdata, ret_op, r, error);
	r = batch_op_new(pool, lease, given->count + (given->attempts ? 2 : 0), done, userdata, ret_op, &batch);
	return r < 0 ? r : command_submit(&batch->command, batch_fill_batch(batch, given), ret_op);
}

int shipopt_pool_batch(shipopt_pool *pool, const shipopt_batch *batch, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return pool ? batch_run_batch(pool, NULL, batch, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

int shipopt_lease_batch(shipopt_lease *lease, const shipopt_batch *batch, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op)
{
	return lease ? batch_run_batch(lease->pool, lease, batch, done, userdata, ret_op) : SHIPOPT_EINVAL;
}

/* ---- results ------------------------------------------------------------------------------------------------- */

static const struct batch_op *batch_done_batch(const shipopt_op *op)
{
	if (!op || op->class != &batch_op_class || !shipopt_op_is_done(op))
		return NULL;
	return CONTAINER_OF((shipopt_op *)(uintptr_t)op, struct batch_op, command.op);
}

static const struct batch_item *batch_done_item(const shipopt_op *op, size_t index)
{
	const struct batch_op *batch = batch_done_batch(op);
	return batch && index < shipopt_op_statement_count(op) ? &batch->items[batch->hidden + index] : NULL;
}

size_t shipopt_op_statement_count(const shipopt_op *op)
{
	const struct batch_op *batch = batch_done_batch(op);
	return batch ? batch->count - 2 * batch->hidden : 0;
}

const shipopt_rows *shipopt_op_statement_rows(const shipopt_op *op, size_t index)
{
	const struct batch_item *item = batch_done_item(op, index);
	return item && item->rows.result ? &item->rows : NULL;
}

const shipopt_rows *shipopt_op_rows(const shipopt_op *op)
{
	return shipopt_op_statement_rows(op, 0);
}

int shipopt_op_statement_status(const shipopt_op *op, size_t index)
{
	const struct batch_item *item = batch_done_item(op, index);
	return item ? item->outcome.status : SHIPOPT_ENOTFOUND;
}

const shipopt_error *shipopt_op_statement_error(const shipopt_op *op, size_t index)
{
	const struct batch_item *item = batch_done_item(op, index);
	if (!item || item->outcome.status >= 0)
		return NULL;
	return item->outcome.error ? item->outcome.error : error_of(SHIPOPT_DOMAIN_DATABASE, item->outcome.status);
}
