/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"

/* How the application and the runtime's close steer a run: they post to its reactor. */

static void run_control_cancel(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, cancel_task);
	if (run->state < RUN_CANCELED) {
		run_stop(run, SHIPOPT_ECANCELED, NULL);
		run_cancel_items(run);
		run_pump(run);
	}
	shipopt_op_unref(&run->op);
}

void run_cancel(shipopt_op *op)
{
	shipopt_run *run = CONTAINER_OF(op, shipopt_run, op);
	shipopt_op_ref(op);
	reactor_post(run->reactor, &run->cancel_task);
}

static void run_control_close(struct runtime_member *member)
{
	shipopt_run *run = CONTAINER_OF(member, shipopt_run, member);
	run->is_closing = true;
	shipopt_op_cancel(&run->op);
}

static void run_control_pause(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, pause_task);
	run->pause_posted = false;
	if (run->state <= RUN_PAUSED)
		run->state = run->pause_wanted ? RUN_PAUSED : RUN_ACTIVE;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static int run_control_set_pause(shipopt_run *run, bool is_wanted)
{
	if (!run)
		return SHIPOPT_EINVAL;
	int r = runtime_check(run->op.runtime);
	if (r < 0)
		return r;
	if (run->state == RUN_DONE)
		return SHIPOPT_ESTATE;
	if (run->pause_wanted == is_wanted)
		return 0;
	run->pause_wanted = is_wanted;
	/* A task that was posted before and has not run yet applies the newest value. */
	bool idle = false;
	if (atomic_compare_exchange_strong(&run->pause_posted, &idle, true)) {
		shipopt_op_ref(&run->op);
		reactor_post(run->reactor, &run->pause_task);
	}
	return 0;
}

int shipopt_run_pause(shipopt_run *run)
{
	return run_control_set_pause(run, true);
}

int shipopt_run_resume(shipopt_run *run)
{
	return run_control_set_pause(run, false);
}

void run_control_init(shipopt_run *run)
{
	run->cancel_task.run = run_control_cancel;
	run->pause_task.run = run_control_pause;
	run->member.cancel = run_control_close;
	list_init(&run->member.node);
}
