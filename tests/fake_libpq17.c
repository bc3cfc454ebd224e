/* SPDX-License-Identifier: MIT */
/*
 * The newer functions of libpq 17 that the pool looks up by name, on top of an older libpq: loaded with LD_PRELOAD, so
 * that the paths for them run where only an older one is installed. Built without any of the library's own code.
 *
 * Cancel requests (PQcancelCreate and on): PQcancel() on a thread, whose end makes the socket of the request readable.
 * PQcancelFinish() does not wait for it. Chunks (PQsetChunkedRowsMode): rows of the single-row mode gathered by a
 * PQgetResult() and PQisBusy() in front of the real ones, which here, as there, never wait for more than the chunk
 * needs. Close messages (PQsendClosePrepared): a DEALLOCATE.
 *
 * fake_libpq_count() tells how often each was used: 0 cancel requests begun, 1 chunks of more than one row, 2 close
 * messages.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <libpq-fe.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUPLES_CHUNK ((ExecStatusType)12)
#define CONNECTIONS_MAX 256

enum { COUNT_REQUESTS, COUNT_CHUNKS, COUNT_CLOSES, COUNT_KINDS };
static atomic_int counts[COUNT_KINDS];

static struct {
	int (*is_busy)(PGconn *connection);
	PGresult *(*get_result)(PGconn *connection);
	void (*finish)(PGconn *connection);
} real;

__attribute__((constructor)) static void look_up(void)
{
	*(void **)&real.is_busy = dlsym(RTLD_NEXT, "PQisBusy");
	*(void **)&real.get_result = dlsym(RTLD_NEXT, "PQgetResult");
	*(void **)&real.finish = dlsym(RTLD_NEXT, "PQfinish");
}

/* ---- cancel requests ------------------------------------------------------------------------------------------- */

typedef struct fake_cancel {
	PGcancel *real;
	int ends[2];
	atomic_int users;   /* the caller and the thread */
	atomic_int outcome; /* 0: not yet */
} PGcancelConn;

PGcancelConn *PQcancelCreate(PGconn *connection);
int PQcancelStart(PGcancelConn *request);
PostgresPollingStatusType PQcancelPoll(PGcancelConn *request);
int PQcancelSocket(const PGcancelConn *request);
void PQcancelFinish(PGcancelConn *request);

static void release(PGcancelConn *request)
{
	if (atomic_fetch_sub(&request->users, 1) > 1)
		return;
	close(request->ends[0]);
	close(request->ends[1]);
	PQfreeCancel(request->real);
	free(request);
}

PGcancelConn *PQcancelCreate(PGconn *connection)
{
	PGcancelConn *request = calloc(1, sizeof(*request));
	if (!request || socketpair(AF_UNIX, SOCK_STREAM, 0, request->ends) != 0) {
		free(request);
		return NULL;
	}
	request->real = PQgetCancel(connection);
	atomic_store(&request->users, 1);
	return request;
}

static void *send_main(void *argument)
{
	PGcancelConn *request = argument;
	char message[256];
	atomic_store(&request->outcome, PQcancel(request->real, message, sizeof(message)) ? 1 : -1);
	if (write(request->ends[1], "x", 1) != 1)
		abort();
	release(request);
	return NULL;
}

int PQcancelStart(PGcancelConn *request)
{
	pthread_t thread;
	atomic_fetch_add(&counts[COUNT_REQUESTS], 1);
	atomic_fetch_add(&request->users, 1);
	if (!request->real || pthread_create(&thread, NULL, send_main, request) != 0) {
		release(request);
		return 0;
	}
	pthread_detach(thread);
	return 1;
}

int PQcancelSocket(const PGcancelConn *request)
{
	return request->ends[0];
}

PostgresPollingStatusType PQcancelPoll(PGcancelConn *request)
{
	int outcome = atomic_load(&request->outcome);
	return outcome == 0 ? PGRES_POLLING_READING : outcome > 0 ? PGRES_POLLING_OK : PGRES_POLLING_FAILED;
}

void PQcancelFinish(PGcancelConn *request)
{
	if (request)
		release(request);
}

/* ---- chunks ------------------------------------------------------------------------------------------------------ */

struct chunked {
	PGconn *connection;
	int most;
	PGresult *chunk, *behind; /* behind: what came after the chunk's rows */
};
static struct chunked all[CONNECTIONS_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int PQsetChunkedRowsMode(PGconn *connection, int rows);

static struct chunked *find(const PGconn *connection)
{
	struct chunked *found = NULL;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < CONNECTIONS_MAX && !found; i++)
		if (all[i].connection == connection)
			found = &all[i];
	pthread_mutex_unlock(&lock);
	return found;
}

int PQsetChunkedRowsMode(PGconn *connection, int rows)
{
	struct chunked *place = find(connection);
	if (!PQsetSingleRowMode(connection) || (!place && !(place = find(NULL))))
		return 0;
	*place = (struct chunked){.connection = connection, .most = rows};
	return 1;
}

static void add_row(struct chunked *self, const PGresult *row)
{
	if (!self->chunk) {
		self->chunk = PQmakeEmptyPGresult(self->connection, TUPLES_CHUNK);
		PGresAttDesc columns[64];
		int count = PQnfields(row) < 64 ? PQnfields(row) : 64;
		for (int i = 0; i < count; i++)
			columns[i] = (PGresAttDesc){.name = PQfname(row, i),
				.tableid = PQftable(row, i),
				.columnid = PQftablecol(row, i),
				.format = PQfformat(row, i),
				.typid = PQftype(row, i),
				.typlen = PQfsize(row, i),
				.atttypmod = PQfmod(row, i)};
		PQsetResultAttrs(self->chunk, count, columns);
	}
	int at = PQntuples(self->chunk);
	for (int i = 0; i < PQnfields(row); i++)
		PQsetvalue(self->chunk, at, i, PQgetvalue(row, 0, i),
			PQgetisnull(row, 0, i) ? -1 : PQgetlength(row, 0, i));
}

/* Gathers what is there. True when a result can be given without waiting. */
static int gather(struct chunked *self)
{
	while (!self->behind && (!self->chunk || PQntuples(self->chunk) < self->most)) {
		if (real.is_busy(self->connection))
			return 0;
		PGresult *result = real.get_result(self->connection);
		if (result && PQresultStatus(result) == PGRES_SINGLE_TUPLE) {
			add_row(self, result);
			PQclear(result);
			continue;
		}
		if (!result) { /* the end of the query, and of the mode */
			self->connection = NULL;
			return 1;
		}
		self->behind = result;
	}
	return 1;
}

int PQisBusy(PGconn *connection)
{
	struct chunked *self = find(connection);
	return self ? !gather(self) : real.is_busy(connection);
}

PGresult *PQgetResult(PGconn *connection)
{
	struct chunked *self = find(connection);
	if (!self || (!self->chunk && !self->behind && !gather(self)))
		return real.get_result(connection);
	PGresult *given = self->chunk ? self->chunk : self->behind;
	if (given == self->chunk) {
		self->chunk = NULL;
		atomic_fetch_add(&counts[COUNT_CHUNKS], PQntuples(given) > 1);
	} else {
		self->behind = NULL;
	}
	return given;
}

void PQfinish(PGconn *connection)
{
	struct chunked *self = connection ? find(connection) : NULL;
	if (self) {
		PQclear(self->chunk);
		PQclear(self->behind);
		*self = (struct chunked){.connection = NULL};
	}
	real.finish(connection);
}

/* ---- close messages ---------------------------------------------------------------------------------------------- */

int PQsendClosePrepared(PGconn *connection, const char *name);
int fake_libpq_count(int what);

int PQsendClosePrepared(PGconn *connection, const char *name)
{
	char sql[128];
	snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
	atomic_fetch_add(&counts[COUNT_CLOSES], 1);
	return PQsendQueryParams(connection, sql, 0, NULL, NULL, NULL, NULL, 0);
}

int fake_libpq_count(int what)
{
	return atomic_load(&counts[what]);
}
