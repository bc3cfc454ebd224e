/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/sqlite_backend.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/memory.h"
#include "runtime/runtime.h"
#include "store/sqlite/writer.h"

#define PATH_MAX_BYTES 4096
#define BACKEND(base_) CONTAINER_OF(base_, struct sqlite_backend, base)

/* --- life --- */

/* "ship.db", "/var/ship.db", "//" + "/var/ship.db" (an empty host) → an absolute path, so that a later chdir() changes
 * nothing. */
static int sqlite_backend_make_path(const char *location, char **ret_path, shipopt_error **ret_error)
{
	const char *path = location;
	if (strncmp(location, "//", 2) == 0) {
		path = location + 2;
		if (*path != '/')
			return error_set(ret_error, SHIPOPT_EPARSE,
				"sqlite:%s: there is no host in the URL of a file (sqlite:/path or sqlite:///path)",
				location);
	}
	if (*path == '\0')
		return error_set(ret_error, SHIPOPT_EPARSE, "sqlite:%s: the file name is missing", location);
	if (strcmp(path, ":memory:") == 0)
		return error_set(ret_error, SHIPOPT_EUNSUPPORTED,
			"sqlite::memory: would lose the record of purchases; name a file");
	char folder[PATH_MAX_BYTES] = "";
	if (*path != '/' && !getcwd(folder, sizeof(folder)))
		return error_set(ret_error, SHIPOPT_EIO, "sqlite:%s: cannot read the current folder: %s", location,
			strerror(errno));
	struct buffer buffer;
	buffer_init(&buffer, PATH_MAX_BYTES);
	int r = buffer_append_format(&buffer, "%s%s%s", folder, *path == '/' ? "" : "/", path);
	char *absolute = r == 0 ? buffer_take(&buffer) : NULL;
	buffer_done(&buffer);
	if (r == SHIPOPT_ETOOLARGE)
		return error_set(ret_error, SHIPOPT_EPARSE, "sqlite: the path has more than %d bytes", PATH_MAX_BYTES);
	if (!absolute)
		return SHIPOPT_ENOMEM;
	*ret_path = absolute;
	return 0;
}

static int sqlite_new(const char *location, const struct backend_options *options, struct backend **ret_backend,
	shipopt_error **ret_error)
{
	struct sqlite_backend *backend = mem_alloc_zero(sizeof(*backend));
	if (!backend)
		return SHIPOPT_ENOMEM;
	int r = sqlite_backend_make_path(location, &backend->path, ret_error);
	backend->confirm_mode = mem_copy_text(options->confirm_mode);
	if (r == 0 && options->confirm_mode && !backend->confirm_mode)
		r = SHIPOPT_ENOMEM;
	if (r < 0) {
		mem_free(backend->confirm_mode);
		mem_free(backend->path);
		mem_free(backend);
		return r;
	}
	backend->base.class = &sqlite_backend;
	backend->options = *options;
	backend->reader_task.run = reader_run;
	struct database *const databases[] = {&backend->writer, &backend->reader};
	for (size_t i = 0; i < ARRAY_SIZE(databases); i++) {
		databases[i]->path = backend->path;
		databases[i]->hurry = &backend->hurry;
		databases[i]->busy_timeout_ms = options->busy_timeout_ms;
		databases[i]->confirm_mode = backend->confirm_mode;
	}
	pthread_mutex_init(&backend->lock, NULL);
	pthread_cond_init(&backend->changed, NULL);
	*ret_backend = &backend->base;
	return 0;
}

static void sqlite_free(struct backend *base)
{
	struct sqlite_backend *backend = BACKEND(base);
	pthread_cond_destroy(&backend->changed);
	pthread_mutex_destroy(&backend->lock);
	mem_free(backend->confirm_mode);
	mem_free(backend->path);
	mem_free(backend);
}

/* --- the writer's thread --- */

/* With the lock held. */
static struct task_list sqlite_backend_take_group(struct sqlite_backend *backend)
{
	struct task_list group = {0};
	while (backend->writes.first && group.count < (size_t)backend->options.group_max)
		task_list_push(&group, task_list_pop(&backend->writes));
	return group;
}

static void sqlite_backend_write_all(struct sqlite_backend *backend)
{
	pthread_mutex_lock(&backend->lock);
	for (;;) {
		while (!backend->writes.first && backend->state == SQLITE_BACKEND_RUNNING)
			pthread_cond_wait(&backend->changed, &backend->lock);
		if (!backend->writes.first)
			break;
		struct task_list group = sqlite_backend_take_group(backend);
		pthread_mutex_unlock(&backend->lock);
		writer_run(backend, &group);
		pthread_mutex_lock(&backend->lock);
	}
	while (backend->is_reading)
		pthread_cond_wait(&backend->changed, &backend->lock);
	pthread_mutex_unlock(&backend->lock);
}

static void *sqlite_backend_writer_main(void *argument)
{
	struct sqlite_backend *backend = argument;
	runtime_mark_library_thread();
	sqlite_backend_write_all(backend);
	database_close(&backend->reader);
	database_close(&backend->writer); /* last: it tidies the log away */
	pthread_mutex_lock(&backend->lock);
	bool is_abandoned = backend->state == SQLITE_BACKEND_ABANDONED;
	pthread_mutex_unlock(&backend->lock);
	if (is_abandoned)
		backend->options.ended(backend->options.argument);
	return NULL;
}

/* --- work --- */

/* With the lock held, as the next two. */
static int sqlite_backend_submit_write(struct sqlite_backend *backend, struct backend_work *work)
{
	if (backend->writes.count >= (size_t)backend->options.queue_max)
		return SHIPOPT_EAGAIN;
	if (!backend->has_thread) {
		int r = fault_point()
			? SHIPOPT_EAGAIN
			: thread_start(&backend->thread, "shipopt-db", sqlite_backend_writer_main, backend);
		if (r < 0)
			return r;
		backend->has_thread = true;
	}
	task_list_push(&backend->writes, &work->task);
	pthread_cond_broadcast(&backend->changed);
	return 0;
}

static int sqlite_backend_submit_read(struct sqlite_backend *backend, struct backend_work *work)
{
	if (backend->reads.count >= (size_t)backend->options.queue_max)
		return SHIPOPT_EAGAIN;
	if (!backend->is_reading) {
		int r = runtime_submit_side(backend->options.runtime, &backend->reader_task, true);
		if (r < 0)
			return r;
		backend->is_reading = true;
	}
	task_list_push(&backend->reads, &work->task);
	return 0;
}

static int sqlite_submit(struct backend *base, struct backend_work *work)
{
	struct sqlite_backend *backend = BACKEND(base);
	bool is_read = work->kind == BACKEND_LIST || work->kind == BACKEND_COUNT;
	pthread_mutex_lock(&backend->lock);
	int r = backend->state != SQLITE_BACKEND_RUNNING ? SHIPOPT_ESHUTDOWN
		: is_read && backend->is_open            ? sqlite_backend_submit_read(backend, work)
							 : sqlite_backend_submit_write(backend, work);
	pthread_mutex_unlock(&backend->lock);
	return r;
}

/* --- ends --- */

static void sqlite_hurry(struct backend *base)
{
	atomic_store(&BACKEND(base)->hurry, true);
}

static void sqlite_close(struct backend *base)
{
	struct sqlite_backend *backend = BACKEND(base);
	pthread_mutex_lock(&backend->lock);
	if (backend->state == SQLITE_BACKEND_RUNNING)
		backend->state = SQLITE_BACKEND_CLOSING;
	bool has_thread = backend->has_thread;
	backend->has_thread = false;
	pthread_cond_broadcast(&backend->changed);
	pthread_mutex_unlock(&backend->lock);
	if (has_thread)
		pthread_join(backend->thread, NULL);
}

static bool sqlite_abandon(struct backend *base)
{
	struct sqlite_backend *backend = BACKEND(base);
	pthread_mutex_lock(&backend->lock);
	backend->state = SQLITE_BACKEND_ABANDONED;
	bool has_thread = backend->has_thread;
	pthread_cond_broadcast(&backend->changed);
	pthread_mutex_unlock(&backend->lock);
	return has_thread;
}

const struct backend_class sqlite_backend = {"sqlite", sqlite_new, sqlite_submit, sqlite_hurry, sqlite_close,
	sqlite_abandon, sqlite_free};
