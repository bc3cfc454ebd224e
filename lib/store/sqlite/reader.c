/* SPDX-License-Identifier: MIT */
#include "store/sqlite/list.h"
#include "store/sqlite/sqlite_backend.h"
#include "store/sqlite/writer.h"

static int reader_open_reader(struct sqlite_backend *backend, shipopt_error **ret_error)
{
	return backend->reader.handle ? 0 : database_open(&backend->reader, false, ret_error);
}

static void reader_run_query(struct sqlite_backend *backend, struct backend_query *query)
{
	shipopt_error *error = NULL;
	if (query->is_canceled(query)) {
		work_fail(&query->work, SHIPOPT_ECANCELED, NULL);
		return;
	}
	int r = reader_open_reader(backend, &error);
	r = r < 0 ? r : database_check_place(&backend->reader, &error);
	if (r == 0)
		r = query->work.kind == BACKEND_LIST ? list_run(&backend->reader, query, &error)
						     : count_run(&backend->reader, query, &error);
	if (r < 0)
		work_fail(&query->work, r, error);
	else
		work_complete(&query->work);
	shipopt_error_unref(error);
}

void reader_run(struct task *task)
{
	struct sqlite_backend *backend = CONTAINER_OF(task, struct sqlite_backend, reader_task);
	pthread_mutex_lock(&backend->lock);
	struct task *next;
	while ((next = task_list_pop(&backend->reads))) {
		pthread_mutex_unlock(&backend->lock);
		struct backend_work *work = CONTAINER_OF(next, struct backend_work, task);
		reader_run_query(backend, CONTAINER_OF(work, struct backend_query, work));
		pthread_mutex_lock(&backend->lock);
	}
	backend->is_reading = false;
	pthread_cond_broadcast(&backend->changed);
	pthread_mutex_unlock(&backend->lock);
}
