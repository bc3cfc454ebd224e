/* SPDX-License-Identifier: MIT */
#include "memory_backend.h"

#include "base/clock.h"
#include "base/memory.h"
#include "store/backend.h"

struct memory_database *memory_database;

struct memory_backend {
	struct backend base;
};

struct pending {
	struct timer timer;
	struct ledger_request *request;
};

void memory_database_init(struct memory_database *database, uint64_t seed)
{
	*database = (struct memory_database){.delay_us = 2000};
	memory_ledger_init(&database->ledger);
	random_init(&database->random, seed);
}

void memory_database_done(struct memory_database *database)
{
	memory_ledger_done(&database->ledger);
}

static int memory_new(const char *location, const struct backend_options *options, struct backend **ret_backend,
	shipopt_error **ret_error)
{
	struct memory_backend *backend = mem_alloc_zero(sizeof(*backend));
	if (!backend)
		return SHIPOPT_ENOMEM;
	backend->base.class = &sqlite_backend;
	*ret_backend = &backend->base;
	return 0;
}

/* -1: nothing goes wrong. */
static int choose_fault(struct memory_database *database, enum ledger_operation operation)
{
	int seen = ++database->seen[operation];
	for (size_t i = 0; i < database->script_count; i++)
		if (database->script[i].operation == operation && database->script[i].occurrence == seen)
			return (int)database->script[i].fault;
	if (random_below(&database->random, 1000) < database->permille)
		return (int)random_below(&database->random, 3);
	return -1;
}

static void answered(struct timer *timer)
{
	struct pending *pending = CONTAINER_OF(timer, struct pending, timer);
	struct ledger_request *request = pending->request;
	mem_free(pending);
	if (request->operation == LEDGER_OP_CLAIM && request->status >= 0) {
		request->token = request->claimed_token;
		request->key.generation = request->row.generation;
	}
	request->done(request);
}

static void written(struct timer *timer)
{
	struct pending *pending = CONTAINER_OF(timer, struct pending, timer);
	struct ledger_request *request = pending->request;
	struct memory_database *database = memory_database;
	int fault = choose_fault(database, request->operation);
	if (fault < 0 || fault == DATABASE_DOUBT) {
		memory_ledger_apply(&database->ledger, request);
		if (database->observe && request->status == LEDGER_OUTCOME_OK)
			database->observe(database, request);
	}
	if (fault >= 0) {
		ledger_request_clear(request);
		request->status =
			error_set(&request->error, fault == DATABASE_FAILS ? SHIPOPT_EDATABASE : SHIPOPT_EINDOUBT,
				"the script failed the database");
	}
	pending->timer.fire = answered;
	timer_start(request->reactor, &pending->timer, clock_now_us() + database->delay_us);
}

static void query_done(struct task *task)
{
	struct backend_work *work = CONTAINER_OF(task, struct backend_work, task);
	struct backend_query *query = CONTAINER_OF(work, struct backend_query, work);
	query->done(query);
}

static int memory_submit(struct backend *base, struct backend_work *work)
{
	if (work->kind != BACKEND_LEDGER) {
		struct backend_query *query = CONTAINER_OF(work, struct backend_query, work);
		query->status = work->kind == BACKEND_READY ? 0 : SHIPOPT_EUNSUPPORTED;
		query_done(&work->task);
		return 0;
	}
	struct ledger_request *request = CONTAINER_OF(work, struct ledger_request, work);
	struct pending *pending = mem_alloc_zero(sizeof(*pending));
	if (!pending)
		return SHIPOPT_EAGAIN; /* as for want of a thread */
	pending->request = request;
	pending->timer.fire = written;
	timer_start(request->reactor, &pending->timer, clock_now_us() + memory_database->delay_us);
	return 0;
}

static void memory_hurry(struct backend *base)
{
}

static void memory_close(struct backend *base)
{
}

static bool memory_abandon(struct backend *base)
{
	return false;
}

static void memory_free(struct backend *base)
{
	mem_free(CONTAINER_OF(base, struct memory_backend, base));
}

const struct backend_class sqlite_backend = {"sqlite", memory_new, memory_submit, memory_hurry, memory_close,
	memory_abandon, memory_free};
