/* SPDX-License-Identifier: MIT */
#include "bulk/run.h"

/*
 * How orders come into a run; see run.h.
 *
 * The source may block before every order, for a moment (a file) or for hours (a message queue, a pipe). So the reader hands
 * over each order by itself, under a short lock, and posts to the reactor only if the pump has no order to start, or when the
 * reader ends. Until the reactor takes the orders the reader goes on, so a source that does not block still fills batches.
 *
 * The reader touches the run for the last time under the lock: once it has announced its end, the run may be freed.
 */

/* ---- the reader: side pool -------------------------------------------------------------------------------------- */

/* With the lock held. */
static void run_intake_announce(shipopt_run *run)
{
	if (run->intake.is_announced)
		return;
	run->intake.is_announced = true;
	reactor_post(run->reactor, &run->read_task);
}

/* Takes the result of source_next(). False: the reader must end. */
static bool run_intake_put(shipopt_run *run, int status, shipopt_order *order, shipopt_error *error)
{
	struct run_intake *intake = &run->intake;
	pthread_mutex_lock(&intake->lock);
	if (status == SOURCE_ORDER)
		intake->batch.orders[intake->batch.count++] = order;
	bool goes_on = status == SOURCE_ORDER && intake->batch.count < RUN_BATCH && !intake->is_closed;
	if (!goes_on) {
		intake->status = status;
		intake->error = error;
		intake->has_ended = true;
	}
	if (!goes_on || intake->is_wanted)
		run_intake_announce(run);
	pthread_mutex_unlock(&intake->lock);
	return goes_on;
}

static void run_intake_read(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, reader_task);
	shipopt_order *order;
	shipopt_error *error;
	int status;
	do {
		order = NULL;
		error = NULL;
		status = runtime_may_call_host(run->op.runtime) ? source_next(run->source, &order, &error) : SOURCE_END;
	} while (run_intake_put(run, status, order, error));
}

/* ---- the pump's side: reactor ------------------------------------------------------------------------------------ */

/* The reader has ended. */
static void run_intake_reader_ended(shipopt_run *run, int status, shipopt_error *error)
{
	bool has_failed = status < 0 && status != SHIPOPT_EAGAIN;
	run->is_reading = false;
	run->source_ended = run->source_ended || status == SOURCE_END || has_failed;
	if (has_failed)
		run_stop(run, status, error);
}

static void run_intake_orders_read(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, read_task);
	struct run_intake *intake = &run->intake;
	pthread_mutex_lock(&intake->lock);
	intake->is_announced = false;
	bool has_ended = intake->has_ended;
	intake->has_ended = false;
	int status = intake->status;
	shipopt_error *error = has_ended ? TAKE(intake->error) : NULL;
	pthread_mutex_unlock(&intake->lock);
	if (has_ended)
		run_intake_reader_ended(run, status, error);
	run_pump(run);
}

static void run_intake_refuse(struct run_batch *batch)
{
	for (size_t i = batch->next; i < batch->count; i++)
		if (batch->orders[i]->status == 0)
			batch->orders[i]->status = error_set(&batch->orders[i]->error, SHIPOPT_ECANCELED,
				"the run ended before this order; nothing was sent");
}

/* Replaces a batch that is used up by the intake's. */
static void run_intake_take(shipopt_run *run)
{
	struct run_intake *intake = &run->intake;
	if (run->batch.next < run->batch.count)
		return;
	pthread_mutex_lock(&intake->lock);
	size_t count = intake->batch.count;
	if (count > 0)
		run->batch = intake->batch;
	intake->batch.count = 0;
	intake->is_wanted = count == 0;
	pthread_mutex_unlock(&intake->lock);
	run->summary.read += (int64_t)count;
	run->summary.expected = source_expected(run->source);
	if (run->status < 0)
		run_intake_refuse(&run->batch);
}

/* Starts a reader if none runs and the intake is empty. */
static void run_intake_start_reader(shipopt_run *run)
{
	struct run_intake *intake = &run->intake;
	if (run->is_reading || run->source_ended || intake->batch.count)
		return;
	if (intake->status == SHIPOPT_EAGAIN && !run->is_woken)
		return;
	run->is_reading = true;
	run->is_woken = false;
	int r = runtime_submit_side(run->op.runtime, &run->reader_task, true);
	if (r < 0) {
		run->is_reading = false;
		run->source_ended = true;
		run_stop(run, r, NULL);
	}
}

void run_intake_draw(shipopt_run *run)
{
	run_intake_take(run);
	run_intake_start_reader(run);
}

/* Orders that were read but will not be started still give a result each. */
void run_intake_close(shipopt_run *run)
{
	struct run_intake *intake = &run->intake;
	pthread_mutex_lock(&intake->lock);
	intake->is_closed = true;
	pthread_mutex_unlock(&intake->lock);
	run_intake_refuse(&run->batch);
	/* A push source that waits for its host does not wake any more. */
	if (!run->is_reading)
		run->source_ended = true;
}

/* A push source has orders again. It wakes the run once after each time that it had none. The reference keeps the run until the
 * wake has arrived, also if a cancel ends it meanwhile. */
static void run_intake_woke(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, wake_task);
	run->is_woken = true;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static void run_intake_wake(void *argument)
{
	shipopt_run *run = argument;
	shipopt_op_ref(&run->op);
	reactor_post(run->reactor, &run->wake_task);
}

/* ---- life ---------------------------------------------------------------------------------------------------------- */

void run_intake_init(shipopt_run *run)
{
	pthread_mutex_init(&run->intake.lock, NULL);
	run->reader_task.run = run_intake_read;
	run->read_task.run = run_intake_orders_read;
	run->wake_task.run = run_intake_woke;
}

void run_intake_open(shipopt_run *run, shipopt_source *source)
{
	run->source = source;
	source_set_wake(source, run_intake_wake, run);
}

void run_intake_done(shipopt_run *run)
{
	shipopt_error_unref(run->intake.error);
	pthread_mutex_destroy(&run->intake.lock);
}
