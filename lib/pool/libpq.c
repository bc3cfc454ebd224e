/* SPDX-License-Identifier: MIT */
#include "pool/libpq.h"

#include <dlfcn.h>
#include <pthread.h>

#include "base/fault.h"
#include "base/memory.h"

static struct {
	void *(*cancel_create)(PGconn *connection);
	int (*cancel_blocking)(void *request);
	void (*cancel_finish)(void *request);
	int (*set_chunked_rows)(PGconn *connection, int rows);
} newer;

static void look_up(void)
{
	/* POSIX lets the result of dlsym() be taken for a function through its storage. */
	*(void **)&newer.cancel_create = dlsym(RTLD_DEFAULT, "PQcancelCreate");
	*(void **)&newer.cancel_blocking = dlsym(RTLD_DEFAULT, "PQcancelBlocking");
	*(void **)&newer.cancel_finish = dlsym(RTLD_DEFAULT, "PQcancelFinish");
	*(void **)&newer.set_chunked_rows = dlsym(RTLD_DEFAULT, "PQsetChunkedRowsMode");
	if (!newer.cancel_blocking || !newer.cancel_finish)
		newer.cancel_create = NULL;
}

static void look_up_once(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	pthread_once(&once, look_up);
}

struct libpq_cancel *libpq_cancel_new(PGconn *connection)
{
	look_up_once();
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

bool libpq_cancel_send(struct libpq_cancel *request)
{
	char message[256];
	if (fault_point())
		return false;
	return request->new ? newer.cancel_blocking(request->new) == 1
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
	look_up_once();
	if (newer.set_chunked_rows && rows > 1)
		return newer.set_chunked_rows(connection, rows) == 1;
	return PQsetSingleRowMode(connection) == 1;
}
