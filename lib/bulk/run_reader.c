/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_RUN
#include "bulk/run.h"

/* ---- the task: side pool --------------------------------------------------------------------------------------- */

/* With the lock held. */
static void run_reader_announce(shipopt_run *run)
{
	if (run->reader.is_announced)
		return;
	run->reader.is_announced = true;
	reactor_post(run->reactor, &run->reader.report_task);
}

/* Stores what source_next() gave. False: the task must end. */
static bool run_reader_put(shipopt_run *run, int status, shipopt_order *order, shipopt_error *error)
{
	struct run_reader *reader = &run->reader;
	pthread_mutex_lock(&reader->lock);
	if (status == SOURCE_ORDER)
		reader->batch.orders[reader->batch.count++] = order;
	bool goes_on = status == SOURCE_ORDER && reader->batch.count < READER_BATCH && !reader->is_closed;
	if (!goes_on) {
		reader->status = status;
		reader->error = error;
		reader->has_ended = true;
	}
	if (!goes_on || reader->is_wanted)
		run_reader_announce(run);
	pthread_mutex_unlock(&reader->lock);
	return goes_on;
}

static void run_reader_read(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, reader.read_task);
	shipopt_order *order;
	shipopt_error *error;
	int status;
	do {
		order = NULL;
		error = NULL;
		status = runtime_may_call_host(run->op.runtime) ? source_next(run->reader.source, &order, &error)
								: SHIPOPT_ESHUTDOWN;
	} while (run_reader_put(run, status, order, error));
}

/* ---- the pump's side: reactor ------------------------------------------------------------------------------------ */

/* The task has ended. */
static void run_reader_ended(shipopt_run *run, int status, shipopt_error *error)
{
	struct run_reader *reader = &run->reader;
	if (status == SOURCE_ORDER) {
		reader->state = READER_IDLE;
	} else if (status == SHIPOPT_EAGAIN) {
		reader->state = reader->is_woken ? READER_IDLE : READER_WAITING;
	} else {
		reader->state = READER_ENDED;
		reader->has_all = status == SOURCE_END;
	}
	if (status < 0 && status != SHIPOPT_EAGAIN)
		run_stop(run, status, error);
}

static void run_reader_report(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, reader.report_task);
	struct run_reader *reader = &run->reader;
	pthread_mutex_lock(&reader->lock);
	reader->is_announced = false;
	bool has_ended = reader->has_ended;
	reader->has_ended = false;
	int status = reader->status;
	shipopt_error *error = has_ended ? TAKE(reader->error) : NULL;
	pthread_mutex_unlock(&reader->lock);
	if (has_ended)
		run_reader_ended(run, status, error);
	run_pump(run);
}

static void run_reader_refuse(struct order_batch *batch)
{
	for (size_t i = batch->next; i < batch->count; i++)
		if (batch->orders[i]->status == 0)
			batch->orders[i]->status = error_set(&batch->orders[i]->error, SHIPOPT_ECANCELED,
				"the run ended before this order was started; nothing was sent for it");
}

/* Replaces a batch that is used up by the stored one. */
static void run_reader_take(shipopt_run *run)
{
	struct run_reader *reader = &run->reader;
	if (run->batch.next < run->batch.count)
		return;
	pthread_mutex_lock(&reader->lock);
	size_t count = reader->batch.count;
	if (count > 0)
		run->batch = reader->batch;
	reader->batch.count = 0;
	reader->is_wanted = count == 0;
	pthread_mutex_unlock(&reader->lock);
	run->summary.read += (int64_t)count;
	run->summary.expected = source_expected(reader->source);
	if (run->status < 0)
		run_reader_refuse(&run->batch);
}

/* While no task runs, the stored batch is the reactor's, too. */
static void run_reader_start(shipopt_run *run)
{
	struct run_reader *reader = &run->reader;
	if (reader->state != READER_IDLE || reader->batch.count)
		return;
	reader->state = READER_READING;
	reader->is_woken = false;
	int r = runtime_submit_side(run->op.runtime, &reader->read_task, true);
	if (r < 0) {
		reader->state = READER_ENDED;
		run_stop(run, r, NULL);
	}
}

void run_reader_draw(shipopt_run *run)
{
	run_reader_take(run);
	run_reader_start(run);
}

void run_reader_close(shipopt_run *run)
{
	struct run_reader *reader = &run->reader;
	pthread_mutex_lock(&reader->lock);
	reader->is_closed = true;
	pthread_mutex_unlock(&reader->lock);
	run_reader_refuse(&run->batch);
	/* A push source that has no order does not wake the run any more. */
	if (reader->state != READER_READING)
		reader->state = READER_ENDED;
}

/* A push source has orders again. It wakes the run once after each time that it had none. The reference keeps the run
 * until the wake has arrived, also if a cancel ends the run before. */
static void run_reader_woken(struct task *task)
{
	shipopt_run *run = CONTAINER_OF(task, shipopt_run, reader.wake_task);
	run->reader.is_woken = true;
	if (run->reader.state == READER_WAITING)
		run->reader.state = READER_IDLE;
	run_pump(run);
	shipopt_op_unref(&run->op);
}

static void run_reader_wake(void *argument)
{
	shipopt_run *run = argument;
	shipopt_op_ref(&run->op);
	reactor_post(run->reactor, &run->reader.wake_task);
}

/* A push source has room again. Any thread. */
static void run_reader_room(void *argument)
{
	shipopt_run *run = argument;
	ready_event_signal(&run->room);
}

/* ---- life
 * ---------------------------------------------------------------------------------------------------------- */

void run_reader_init(shipopt_run *run)
{
	struct run_reader *reader = &run->reader;
	pthread_mutex_init(&reader->lock, NULL);
	reader->read_task.run = run_reader_read;
	reader->report_task.run = run_reader_report;
	reader->wake_task.run = run_reader_woken;
}

void run_reader_open(shipopt_run *run, shipopt_source *source)
{
	run->reader.source = source;
	source_set_wake(source, run_reader_wake, run_reader_room, run);
}

void run_reader_done(shipopt_run *run)
{
	source_unref(run->reader.source);
	shipopt_error_unref(run->reader.error);
	pthread_mutex_destroy(&run->reader.lock);
}
