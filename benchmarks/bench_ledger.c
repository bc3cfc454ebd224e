/* SPDX-License-Identifier: MIT */
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "runtime/runtime.h"
#include "store/ledger.h"
#include "store/sqlite/database.h"

/*
 * Ledger transitions per second (created → created, durable) with 1, 16 and 256 submitters, each with one request under
 * way, against a bare SQLite loop that commits each row by itself: same folder, same settings, same kind of UPDATE. And
 * how many fsyncs a transition costs, counted by a VFS that passes everything on. Folder: first argument, or the
 * current one.
 */
#define SECONDS 2
enum { SUBMITTERS_MAX = 256 };

/* --- counting syncs --- */

static atomic_llong syncs;
static sqlite3_vfs counting_vfs;
static sqlite3_io_methods counting_methods[4]; /* the default VFS has one set for the database, one for its log */
static const sqlite3_io_methods *real_methods[ARRAY_SIZE(counting_methods)];

static int count_sync(sqlite3_file *file, int flags)
{
	atomic_fetch_add(&syncs, 1);
	return real_methods[file->pMethods - counting_methods]->xSync(file, flags);
}

static int count_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *ret_flags)
{
	sqlite3_vfs *real = vfs->pAppData;
	int code = real->xOpen(real, name, file, flags, ret_flags);
	if (code != SQLITE_OK || !file->pMethods)
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(counting_methods); i++) {
		if (!real_methods[i]) {
			real_methods[i] = file->pMethods;
			counting_methods[i] = *file->pMethods;
			counting_methods[i].xSync = count_sync;
		}
		if (file->pMethods == real_methods[i]) {
			file->pMethods = &counting_methods[i];
			break;
		}
	}
	return code;
}

static void count_register(void)
{
	sqlite3_vfs *real = sqlite3_vfs_find(NULL);
	counting_vfs = *real;
	counting_vfs.pNext = NULL;
	counting_vfs.zName = "counting";
	counting_vfs.pAppData = real;
	counting_vfs.xOpen = count_open;
	sqlite3_vfs_register(&counting_vfs, 0);
	database_set_vfs("counting");
}

static void report(const char *name, long long count, double seconds)
{
	printf("ledger %-22s %9.0f transitions/s, %.3f fsyncs per transition\n", name, (double)count / seconds,
		(double)atomic_load(&syncs) / (double)(count ? count : 1));
}

/* --- the ledger --- */

struct submitter {
	struct ledger_request request;
	char key[24], shipment[24];
	int64_t token;
};

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int running;
	long long count;
	int64_t end_us;
	struct reactor *reactor;
	shipopt_store *store;
	struct submitter submitters[SUBMITTERS_MAX];
} bench = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void submitter_done(struct ledger_request *request);

static void submit(struct submitter *self, enum ledger_operation operation)
{
	self->request = (struct ledger_request){
		.operation = operation,
		.key = {.provider = "easypost",
			.account = "default",
			.mode = "test",
			.order_key = self->key,
			.piece = 1,
			.purpose = "outbound",
			.generation = 1},
		.token = self->token,
		.lease_ms = 60000,
		.fingerprint = "f",
		.request = "{}",
		.shipment_id = self->shipment,
		.amount = 7500000,
		.currency = "USD",
		.reactor = bench.reactor,
		.done = submitter_done,
	};
	ledger_submit(bench.store, &self->request);
}

static void submitter_done(struct ledger_request *request)
{
	struct submitter *self = CONTAINER_OF(request, struct submitter, request);
	if (request->status != LEDGER_OUTCOME_OK) {
		fprintf(stderr, "status %d: %s\n", request->status, shipopt_error_message(request->error));
		abort();
	}
	self->token = request->token;
	bench.count += request->operation == LEDGER_OP_CREATE;
	ledger_request_clear(request);
	if (clock_now_us() < bench.end_us) {
		submit(self, LEDGER_OP_CREATE);
		return;
	}
	pthread_mutex_lock(&bench.lock);
	bench.running--;
	pthread_cond_signal(&bench.changed);
	pthread_mutex_unlock(&bench.lock);
}

static void round_of(int submitters, int64_t seconds_us)
{
	bench.running = submitters;
	bench.count = 0;
	atomic_store(&syncs, 0);
	bench.end_us = clock_now_us() + seconds_us;
	for (int i = 0; i < submitters; i++)
		submit(&bench.submitters[i], bench.submitters[i].token ? LEDGER_OP_CREATE : LEDGER_OP_CLAIM);
	pthread_mutex_lock(&bench.lock);
	while (bench.running)
		pthread_cond_wait(&bench.changed, &bench.lock);
	pthread_mutex_unlock(&bench.lock);
}

static void bench_ledger(const char *path)
{
	static const int counts[] = {1, 16, 256};
	shipopt_runtime *runtime;
	char url[300], name[32];
	snprintf(url, sizeof(url), "sqlite:%s", path);
	if (shipopt_runtime_new(NULL, &runtime, NULL) < 0 || runtime_reactor(runtime, &bench.reactor) < 0 ||
		shipopt_store_open(runtime, url, NULL, &bench.store, NULL) < 0)
		abort();
	for (int i = 0; i < SUBMITTERS_MAX; i++) {
		snprintf(bench.submitters[i].key, sizeof(bench.submitters[i].key), "order %d", i);
		snprintf(bench.submitters[i].shipment, sizeof(bench.submitters[i].shipment), "shp_%d", i);
	}
	round_of(SUBMITTERS_MAX, 0); /* the file and the rows */
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		snprintf(name, sizeof(name), "%d submitter%s", counts[i], counts[i] > 1 ? "s" : "");
		int64_t begin = clock_now_us();
		round_of(counts[i], (int64_t)SECONDS * 1000000);
		report(name, bench.count, (double)(clock_now_us() - begin) / 1e6);
	}
	shipopt_store_free(bench.store);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
}

/* --- the bare loop --- */

static void check(int code)
{
	if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_ROW)
		abort();
}

static void bench_bare(const char *path)
{
	sqlite3 *handle;
	sqlite3_stmt *update;
	long long count = 0;
	check(sqlite3_open_v2(path, &handle, SQLITE_OPEN_READWRITE, "counting"));
	check(sqlite3_exec(handle, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL", NULL, NULL, NULL));
	check(sqlite3_prepare_v2(handle,
		"UPDATE ledger SET shipment_id = ?2, token = token + 1, updated_at_ms = ?3 WHERE id = ?1 AND state = 2",
		-1, &update, NULL));
	atomic_store(&syncs, 0);
	int64_t begin = clock_now_us();
	while (clock_now_us() - begin < (int64_t)SECONDS * 1000000) {
		/* Row ids follow the order of submission. */
		sqlite3_bind_int64(update, 1, 1 + count % SUBMITTERS_MAX);
		sqlite3_bind_text(update, 2, bench.submitters[count % SUBMITTERS_MAX].shipment, -1, SQLITE_STATIC);
		sqlite3_bind_int64(update, 3, clock_wall_ms());
		check(sqlite3_step(update));
		check(sqlite3_reset(update));
		count++;
	}
	report("bare SQLite, one thread", count, (double)(clock_now_us() - begin) / 1e6);
	sqlite3_finalize(update);
	sqlite3_close(handle);
}

int main(int argc, char **argv)
{
	char folder[200], path[256], aside[300];
	snprintf(folder, sizeof(folder), "%s/bench-ledger-XXXXXX", argc > 1 ? argv[1] : ".");
	if (!mkdtemp(folder)) {
		perror(folder);
		return 1;
	}
	snprintf(path, sizeof(path), "%s/ship.db", folder);
	count_register();
	bench_ledger(path);
	bench_bare(path);
	static const char *const endings[] = {"", "-wal", "-shm"};
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++) {
		snprintf(aside, sizeof(aside), "%s%s", path, endings[i]);
		unlink(aside);
	}
	rmdir(folder);
	return 0;
}
