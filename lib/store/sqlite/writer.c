/* SPDX-License-Identifier: MIT */
#include "store/sqlite/writer.h"

#include "store/ledger.h"
#include "store/ledger_page.h"
#include "store/sqlite/ledger_sql.h"
#include "store/sqlite/list.h"
#include "store/sqlite/resolve.h"

#define WORK_LEDGER(work_) CONTAINER_OF(work_, struct ledger_request, work)
#define WORK_QUERY(work_) CONTAINER_OF(work_, struct backend_query, work)
#define TASK_WORK(task_) CONTAINER_OF(task_, struct backend_work, task)

/* --- completion --- */

static void writer_ledger_done(struct task *task)
{
	struct ledger_request *request = WORK_LEDGER(TASK_WORK(task));
	request->done(request);
}

void work_complete(struct backend_work *work)
{
	if (work->kind != BACKEND_LEDGER) {
		WORK_QUERY(work)->done(WORK_QUERY(work));
		return;
	}
	struct ledger_request *request = WORK_LEDGER(work);
	if (request->operation == LEDGER_OP_CLAIM && request->status >= 0) {
		request->token = request->claimed_token;
		request->key.generation = request->row.generation;
	}
	work->task.run = writer_ledger_done;
	reactor_post(request->reactor, &work->task);
}

static void writer_work_clear(struct backend_work *work)
{
	if (work->kind == BACKEND_LEDGER) {
		ledger_request_clear(WORK_LEDGER(work));
		return;
	}
	struct backend_query *query = WORK_QUERY(work);
	shipopt_error_unref(TAKE(query->error));
	ledger_page_free(TAKE(query->page));
	query->status = 0;
	query->value = 0;
}

void work_fail(struct backend_work *work, int status, shipopt_error *error)
{
	writer_work_clear(work);
	if (work->kind == BACKEND_LEDGER) {
		WORK_LEDGER(work)->status = status;
		WORK_LEDGER(work)->error = shipopt_error_ref(error);
	} else {
		WORK_QUERY(work)->status = status;
		WORK_QUERY(work)->error = shipopt_error_ref(error);
	}
	work_complete(work);
}

static void writer_complete_all(struct task_list *group)
{
	struct task *task;
	while ((task = task_list_pop(group)))
		work_complete(TASK_WORK(task));
}

static void writer_fail_all(struct task_list *group, int status, shipopt_error *error)
{
	struct task *task;
	while ((task = task_list_pop(group)))
		work_fail(TASK_WORK(task), status, error);
}

/* --- transactions --- */

static int writer_work_run(struct database *database, struct backend_work *work, shipopt_error **ret_error)
{
	if (work->kind == BACKEND_LEDGER)
		return ledger_run(database, WORK_LEDGER(work), ret_error);
	struct backend_query *query = WORK_QUERY(work);
	if (query->is_canceled(query)) {
		query->status = SHIPOPT_ECANCELED;
		return 0;
	}
	switch (work->kind) {
	case BACKEND_RESOLVE: return resolve_run(database, query, ret_error);
	case BACKEND_LIST: return list_run(database, query, ret_error);
	case BACKEND_COUNT: return count_run(database, query, ret_error);
	default: return 0;
	}
}

static int writer_run_all(struct database *database, struct task_list *group, shipopt_error **ret_error)
{
	for (struct task *task = group->first; task; task = task->next) {
		int r = writer_work_run(database, TASK_WORK(task), ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What a COMMIT that failed with `status` means for the group. */
static int writer_settle(struct database *database, int status, bool was_full)
{
	int r = database_do(database, SQL_BEGIN, NULL);
	r = r < 0 ? r : database_do(database, SQL_SETTLE, NULL);
	r = r < 0 ? r : database_do(database, SQL_COMMIT, NULL);
	if (r == 0)
		return status;
	database_rollback(database);
	return was_full ? status : SHIPOPT_EINDOUBT;
}

static void writer_clear_all(struct task_list *group)
{
	for (struct task *task = group->first; task; task = task->next)
		writer_work_clear(TASK_WORK(task));
}

enum group_outcome { GROUP_DONE, GROUP_REPEAT, GROUP_FAILED };

/* One transaction. With GROUP_FAILED *ret_status and *ret_error are what each piece gets. */
static enum group_outcome writer_run_group(struct database *database, struct task_list *group, int *ret_status,
	shipopt_error **ret_error)
{
	int r = database_check_place(database, ret_error);
	r = r < 0 ? r : database_do(database, SQL_BEGIN, ret_error);
	if (r < 0) {
		database_rollback(database);
		*ret_status = r;
		return GROUP_FAILED;
	}
	r = writer_run_all(database, group, ret_error);
	if (r < 0) {
		database_rollback(database);
		*ret_status = r;
		return GROUP_REPEAT;
	}
	r = database_do(database, SQL_COMMIT, ret_error);
	if (r < 0) {
		bool was_full = (sqlite3_errcode(database->handle) & 0xff) == SQLITE_FULL;
		database_rollback(database);
		*ret_status = writer_settle(database, r, was_full);
		return GROUP_FAILED;
	}
	*ret_status = database_check_place(database, ret_error);
	return *ret_status < 0 ? GROUP_FAILED : GROUP_DONE;
}

/* Runs each piece of a group that could not be run as one. */
static void writer_run_singly(struct database *database, struct task_list *group)
{
	struct task *task;
	while ((task = task_list_pop(group))) {
		struct task_list single = {0};
		shipopt_error *error = NULL;
		int status = 0;
		task_list_push(&single, task);
		enum group_outcome outcome = writer_run_group(database, &single, &status, &error);
		if (outcome == GROUP_DONE)
			writer_complete_all(&single);
		else
			writer_fail_all(&single, status, error);
		/* Without a transaction the others would each wait as long. */
		if (outcome == GROUP_FAILED)
			writer_fail_all(group, status == SHIPOPT_EINDOUBT ? SHIPOPT_EDATABASE : status, error);
		shipopt_error_unref(error);
	}
}

/* is_open is set before anything completes: after a completion, reads no longer wait for writers. */
static int writer_open_writer(struct sqlite_backend *backend, shipopt_error **ret_error)
{
	if (backend->writer.handle)
		return 0;
	int r = database_open(&backend->writer, true, ret_error);
	if (r < 0)
		return r;
	pthread_mutex_lock(&backend->lock);
	backend->is_open = true;
	pthread_mutex_unlock(&backend->lock);
	return 0;
}

void writer_run(struct sqlite_backend *backend, struct task_list *group)
{
	struct database *database = &backend->writer;
	shipopt_error *error = NULL;
	int status = writer_open_writer(backend, &error);
	enum group_outcome outcome = status < 0 ? GROUP_FAILED : writer_run_group(database, group, &status, &error);
	if (outcome == GROUP_DONE) {
		writer_complete_all(group);
	} else if (outcome == GROUP_FAILED || group->count == 1) {
		writer_fail_all(group, status, error);
	} else {
		writer_clear_all(group);
		writer_run_singly(database, group);
	}
	shipopt_error_unref(error);
}
