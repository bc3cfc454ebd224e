/* SPDX-License-Identifier: MIT */
#include "runtime/op.h"
#include "runtime/runtime.h"

/* The operation of a call that was refused: it has its result from the start. Completing it from inside the call would
 * run `done` there with inline delivery, so a reactor does it then. */
struct refused_op {
	shipopt_op op;
	struct task task;
};

static const struct op_class op_refused_class = {.size = sizeof(struct refused_op)};

static void op_refused_run(struct task *task)
{
	shipopt_op *op = &CONTAINER_OF(task, struct refused_op, task)->op;
	op_complete(op, op->status, op->error);
}

static int op_refuse_begin(shipopt_runtime *runtime, const struct delivery *delivery, struct reactor **ret_reactor)
{
	return delivery_is_inline(delivery) ? runtime_reactor(runtime, ret_reactor) : 0;
}

int op_refuse(shipopt_runtime *runtime, const struct delivery *delivery, shipopt_done_fn done, void *userdata,
	shipopt_op **ret_op, int status, shipopt_error *error)
{
	struct reactor *reactor = NULL;
	shipopt_op *op;
	bool has_reader = done || ret_op || delivery_is_queued(delivery);
	int r = has_reader ? op_refuse_begin(runtime, delivery, &reactor) : status;
	r = r < 0 ? r : op_new(&op_refused_class, runtime, delivery, done, userdata, ret_op, &op);
	if (r < 0) {
		shipopt_error_unref(error);
		return r;
	}
	if (ret_op)
		*ret_op = op;
	struct refused_op *refused = (struct refused_op *)op;
	refused->task.run = op_refused_run;
	op->status = status;
	op->error = error;
	if (reactor)
		reactor_post(reactor, &refused->task);
	else
		op_complete(op, status, error);
	return 0;
}
