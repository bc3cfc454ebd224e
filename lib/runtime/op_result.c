/* SPDX-License-Identifier: MIT */
#include "runtime/op.h"

/* What the application reads of an operation. Results are written before OP_COMPLETED is set and never after it. */

int shipopt_op_is_done(const shipopt_op *op)
{
	return op && (atomic_load(&op->state) & OP_COMPLETED) ? 1 : 0;
}

int shipopt_op_status(const shipopt_op *op)
{
	if (!op)
		return SHIPOPT_EINVAL;
	return shipopt_op_is_done(op) ? op->status : SHIPOPT_EAGAIN;
}

const shipopt_error *shipopt_op_error(const shipopt_op *op)
{
	if (!shipopt_op_is_done(op))
		return NULL;
	return op->error || op->status >= 0 ? op->error : error_of(op->class->domain, op->status);
}

const struct shipopt_record *shipopt_op_record(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->record : NULL;
}

const char *shipopt_op_json(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->json : NULL;
}

int64_t shipopt_op_value(const shipopt_op *op)
{
	return shipopt_op_is_done(op) ? op->value : 0;
}

int shipopt_op_is_cached(const shipopt_op *op)
{
	return shipopt_op_is_done(op) && op->is_cached ? 1 : 0;
}
