/* SPDX-License-Identifier: MIT */
#include "pool/server/libpq.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"

static struct {
	void *(*cancel_create)(PGconn *connection);
	int (*cancel_start)(void *request);
	PostgresPollingStatusType (*cancel_poll)(void *request);
	int (*cancel_socket)(const void *request);
	void (*cancel_finish)(void *request);
	int (*set_chunked_rows)(PGconn *connection, int rows);
	int (*send_close)(PGconn *connection, const char *name);
} newer;

static void libpq_look_up(void)
{
	/* POSIX lets the result of dlsym() be taken for a function through its storage. */
	*(void **)&newer.cancel_create = dlsym(RTLD_DEFAULT, "PQcancelCreate");
	*(void **)&newer.cancel_start = dlsym(RTLD_DEFAULT, "PQcancelStart");
	*(void **)&newer.cancel_poll = dlsym(RTLD_DEFAULT, "PQcancelPoll");
	*(void **)&newer.cancel_socket = dlsym(RTLD_DEFAULT, "PQcancelSocket");
	*(void **)&newer.cancel_finish = dlsym(RTLD_DEFAULT, "PQcancelFinish");
	*(void **)&newer.set_chunked_rows = dlsym(RTLD_DEFAULT, "PQsetChunkedRowsMode");
	*(void **)&newer.send_close = dlsym(RTLD_DEFAULT, "PQsendClosePrepared");
	if (!newer.cancel_start || !newer.cancel_poll || !newer.cancel_socket || !newer.cancel_finish)
		newer.cancel_create = NULL;
}

static void libpq_look_up_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, libpq_look_up);
}

struct libpq_cancel *libpq_cancel_new(PGconn *connection)
{
	libpq_look_up_once();
	struct libpq_cancel *request = mem_alloc_zero(sizeof(*request));
	if (!request)
		return NULL;
	if (!fault_point()) {
		if (newer.cancel_create)
			request->new = newer.cancel_create(connection);
		else
			request->old = PQgetCancel(connection);
	}
	if (request->new || request->old)
		return request;
	mem_free(request);
	return NULL;
}

/* The socket may be another one after each step. */
static bool libpq_send_new(void *request, int64_t until_us)
{
	if (newer.cancel_start(request) != 1)
		return false;
	for (PostgresPollingStatusType wanted = PGRES_POLLING_WRITING; wanted != PGRES_POLLING_OK;) {
		int64_t left_ms = (until_us - clock_now_us() + 999) / 1000;
		struct pollfd entry = {.fd = newer.cancel_socket(request),
			.events = wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT};
		if (wanted == PGRES_POLLING_FAILED || left_ms <= 0)
			return false;
		if (poll(&entry, 1, (int)MIN(left_ms, INT_MAX)) > 0)
			wanted = newer.cancel_poll(request);
	}
	return true;
}

bool libpq_cancel_send(struct libpq_cancel *request, int64_t until_us)
{
	char message[256];
	if (fault_point())
		return false;
	return request->new ? libpq_send_new(request->new, until_us)
			    : PQcancel(request->old, message, sizeof(message)) == 1;
}

void libpq_cancel_free(struct libpq_cancel *request)
{
	if (!request)
		return;
	if (request->new)
		newer.cancel_finish(request->new);
	PQfreeCancel(request->old);
	mem_free(request);
}

bool libpq_set_rows_mode(PGconn *connection, int rows)
{
	libpq_look_up_once();
	if (newer.set_chunked_rows && rows > 1)
		return newer.set_chunked_rows(connection, rows) == 1;
	return PQsetSingleRowMode(connection) == 1;
}

bool libpq_send_close(PGconn *connection, const char *name)
{
	char sql[128];
	libpq_look_up_once();
	if (newer.send_close)
		return newer.send_close(connection, name) == 1;
	snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
	return PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0) == 1;
}

int libpq_duplicate_socket(const PGconn *connection)
{
	return fault_point() ? -1 : fcntl(PQsocket(connection), F_DUPFD_CLOEXEC, 0);
}
