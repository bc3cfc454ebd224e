/* SPDX-License-Identifier: MIT */
/*
 * The pool against pgbench, the server's own client, in one run: the same query on the same server, prepared, one at a
 * time and pipelined by ten, with inline and with the default delivery, at 1, 4 and 16 connections; a query that a
 * thread waits for; nanoseconds of an acquire and release nobody contends for, with and without a look at the socket; a
 * stream of rows and binary COPY out and in against bare loops over libpq. One line a figure; the first argument is the
 * seconds of each measurement.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <shipopt/pool.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "postgres_process.h"

#define SQL "select id, note, amount from bench where id = $1"
#define BATCH 10
#define STREAM_ROWS "1000000"
#define STREAM_ROWS_COUNT 1000000
#define STREAM_SQL "select id, note, amount from bench_rows"

static struct postgres server;
static double seconds = 2;

static int64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void run_sql(const char *sql)
{
	PGconn *connection = PQconnectdb(server.conninfo);
	PQclear(PQexec(connection, sql));
	PQfinish(connection);
}

/* ---- pgbench ------------------------------------------------------------------------------------------------- */

static double pgbench(int clients, bool is_pipelined)
{
	char path[256], command[1024], line[512];
	double tps = 0;
	snprintf(path, sizeof(path), "%s/script", server.folder);
	FILE *script = fopen(path, "w");
	fprintf(script, "\\set id random(1, 10000)\n%s", is_pipelined ? "\\startpipeline\n" : "");
	for (int i = 0; i < (is_pipelined ? BATCH : 1); i++)
		fprintf(script, "select id, note, amount from bench where id = :id;\n");
	fprintf(script, "%s", is_pipelined ? "\\endpipeline\n" : "");
	fclose(script);
	snprintf(command, sizeof(command),
		"%s/pgbench -h %s -p %d -U postgres -n -M prepared -c %d -j 1 -T %.0f -f %s postgres 2>/dev/null",
		server.binaries, server.folder, server.port, clients, seconds, path);
	FILE *output = popen(command, "r");
	while (output && fgets(line, sizeof(line), output))
		sscanf(line, "tps = %lf", &tps);
	if (output)
		pclose(output);
	return is_pipelined ? tps * BATCH : tps;
}

/* ---- the pool ------------------------------------------------------------------------------------------------ */

static shipopt_runtime *runtime;

static shipopt_pool *open_pool(int connections, bool is_inline, const char *name, const char *value)
{
	shipopt_pool_config *config;
	shipopt_pool *pool = NULL;
	shipopt_pool_config_new(&config);
	shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, server.conninfo);
	shipopt_pool_config_set_int(config, SHIPOPT_POOL_MAX, connections);
	shipopt_pool_config_set_int(config, SHIPOPT_POOL_MIN, connections);
	shipopt_pool_config_set_int(config, SHIPOPT_POOL_DELIVER_INLINE, is_inline);
	if (name)
		shipopt_pool_config_set(config, name, value);
	if (shipopt_pool_new(runtime, config, &pool, NULL) < 0)
		exit(1);
	shipopt_pool_config_free(config);
	int64_t idle = 0;
	while (idle < connections) {
		shipopt_pool_stat(pool, SHIPOPT_POOL_STAT_IDLE, &idle);
		poll(NULL, 0, 1);
	}
	return pool;
}

struct client {
	shipopt_pool *pool;
	shipopt_query *query;
	shipopt_batch *batch; /* NULL: one at a time */
	atomic_int *left;
	int64_t until_ns, done, id;
};

static void next(void *userdata, shipopt_op *op)
{
	struct client *client = userdata;
	if (op && shipopt_op_status(op) == 0)
		client->done += client->batch ? BATCH : 1;
	if (now_ns() >= client->until_ns || (op && shipopt_op_status(op) < 0)) {
		atomic_fetch_sub(client->left, 1);
		return;
	}
	int r;
	if (client->batch) {
		r = shipopt_pool_batch(client->pool, client->batch, next, client, NULL);
	} else {
		client->id = client->id * 1103515245 + 12345;
		shipopt_query_clear(client->query);
		shipopt_query_bind_int(client->query, 1 + (client->id >> 16 & 8191));
		r = shipopt_pool_query(client->pool, client->query, next, client, NULL);
	}
	if (r < 0)
		atomic_fetch_sub(client->left, 1);
}

static double run_pool(int connections, bool is_inline, bool is_pipelined)
{
	struct client clients[16];
	shipopt_pool *pool = open_pool(connections, is_inline, NULL, NULL);
	atomic_int left = connections;
	int64_t begun = now_ns(), done = 0;
	for (int i = 0; i < connections; i++) {
		struct client *client = &clients[i];
		*client = (struct client){.pool = pool,
			.left = &left,
			.until_ns = begun + (int64_t)(seconds * 1e9),
			.id = i};
		shipopt_query_new(SQL, &client->query, NULL);
		if (is_pipelined) {
			shipopt_batch_new(&client->batch);
			for (int j = 0; j < BATCH; j++) {
				shipopt_query_clear(client->query);
				shipopt_query_bind_int(client->query, 1 + i * BATCH + j);
				shipopt_batch_add(client->batch, client->query);
			}
		}
		next(client, NULL);
	}
	while (atomic_load(&left) > 0)
		poll(NULL, 0, 5);
	double elapsed = (double)(now_ns() - begun) / 1e9;
	for (int i = 0; i < connections; i++) {
		done += clients[i].done;
		shipopt_batch_free(clients[i].batch);
		shipopt_query_free(clients[i].query);
	}
	shipopt_pool_free(pool);
	return (double)done / elapsed;
}

static void compare(int connections, bool is_pipelined)
{
	double theirs = pgbench(connections, is_pipelined);
	double inline_tps = run_pool(connections, true, is_pipelined);
	double default_tps = run_pool(connections, false, is_pipelined);
	printf("pool %s_c%d pgbench %.0f inline %.0f (%.2f) default %.0f (%.2f) queries/s\n",
		is_pipelined ? "pipelined" : "prepared", connections, theirs, inline_tps, inline_tps / theirs,
		default_tps, default_tps / theirs);
	fflush(stdout);
}

/* One query after the other, each waited for, without a callback: what a thread that waits costs. */
static void waited_query(void)
{
	enum { ROUNDS = 5000, WARM_UP = 200 };
	shipopt_pool *pool = open_pool(1, false, NULL, NULL);
	shipopt_query *query;
	struct rusage before, after;
	int64_t begun = 0;
	shipopt_query_new("select 1", &query, NULL);
	for (int i = -WARM_UP; i < ROUNDS; i++) {
		shipopt_op *op = NULL;
		if (i == 0) {
			begun = now_ns();
			getrusage(RUSAGE_SELF, &before);
		}
		shipopt_pool_query(pool, query, NULL, NULL, &op);
		shipopt_op_wait(op, -1);
		shipopt_op_unref(op);
	}
	double us = (double)(now_ns() - begun) / 1e3 / ROUNDS;
	getrusage(RUSAGE_SELF, &after);
	double seconds_used = (double)(after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec -
		before.ru_stime.tv_sec);
	double us_used = (double)(after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec -
		before.ru_stime.tv_usec);
	printf("pool waited_query_us %.1f cpu_us %.1f context_switches %.2f\n", us,
		(seconds_used * 1e6 + us_used) / ROUNDS, (double)(after.ru_nvcsw - before.ru_nvcsw) / ROUNDS);
	shipopt_query_free(query);
	shipopt_pool_free(pool);
}

static void acquire_release(const char *what, const char *name, const char *value)
{
	enum { ROUNDS = 1000000 };
	shipopt_pool *pool = open_pool(1, false, name, value);
	int64_t begun = now_ns();
	int done = 0;
	for (int i = 0; i < ROUNDS; i++) {
		shipopt_lease *lease;
		if (shipopt_pool_try_acquire(pool, "bench", 0, &lease) == 0) {
			shipopt_lease_release(lease);
			done++;
		}
	}
	printf("pool acquire_release%s_ns %.0f (%d of %d)\n", what, (double)(now_ns() - begun) / ROUNDS, done, ROUNDS);
	shipopt_pool_free(pool);
}

/* ---- streams ------------------------------------------------------------------------------------------------- */

static long resident_kb(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

/* Every value is looked at, so that no loop can be left out. */
static volatile int64_t stream_bytes;

static double bare_stream(void)
{
	int64_t begun = now_ns();
	PGconn *connection = PQconnectdb(server.conninfo);
	PGresult *result;
	PQsendQueryParams(connection, STREAM_SQL, 0, NULL, NULL, NULL, NULL, 0);
	PQsetSingleRowMode(connection);
	while ((result = PQgetResult(connection))) {
		for (int i = 0; i < PQntuples(result); i++)
			stream_bytes += PQgetlength(result, i, 1);
		PQclear(result);
	}
	PQfinish(connection);
	return (double)(now_ns() - begun) / 1e6;
}

static double pool_stream(shipopt_pool *pool)
{
	shipopt_query *query;
	shipopt_stream *stream;
	const shipopt_rows *rows;
	int64_t begun = now_ns();
	shipopt_query_new(STREAM_SQL, &query, NULL);
	shipopt_pool_stream(pool, query, &stream, NULL, NULL, NULL);
	while (shipopt_stream_next(stream, -1, &rows) == 1)
		for (size_t i = 0; i < shipopt_rows_count(rows); i++)
			stream_bytes += (int64_t)shipopt_rows_length(rows, i, 1);
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	return (double)(now_ns() - begun) / 1e6;
}

static double bare_copy(void)
{
	int64_t begun = now_ns();
	PGconn *connection = PQconnectdb(server.conninfo);
	char *bytes;
	int length;
	PQclear(PQexec(connection, "copy bench_rows to stdout binary"));
	while ((length = PQgetCopyData(connection, &bytes, 0)) > 0) {
		stream_bytes += length;
		PQfreemem(bytes);
	}
	PQfinish(connection);
	return (double)(now_ns() - begun) / 1e6;
}

static double pool_copy(shipopt_pool *pool)
{
	shipopt_op *op;
	shipopt_stream *stream;
	const shipopt_rows *rows;
	int64_t begun = now_ns();
	shipopt_pool_acquire(pool, "bench", 0, NULL, NULL, &op);
	shipopt_op_wait(op, -1);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	shipopt_lease_copy_out(lease, "copy bench_rows to stdout binary", &stream, NULL, NULL, NULL);
	while (shipopt_stream_next(stream, -1, &rows) == 1)
		for (size_t i = 0; i < shipopt_rows_count(rows); i++)
			stream_bytes += (int64_t)shipopt_rows_length(rows, i, 0);
	shipopt_stream_free(stream);
	shipopt_lease_release(lease);
	return (double)(now_ns() - begun) / 1e6;
}

/* COPY in: rows of (int, text, int) in the binary form, written in pieces of the size a program would gather. */
#define COPY_IN_ROW 64
#define COPY_IN_PIECE 1024 /* rows */

static void put_int(unsigned char **at, uint32_t value, int bytes)
{
	for (int i = bytes - 1; i >= 0; i--)
		*(*at)++ = (unsigned char)(value >> (8 * i));
}

static size_t make_piece(unsigned char *bytes, int first_row)
{
	unsigned char *at = bytes;
	for (int i = 0; i < COPY_IN_PIECE; i++) {
		put_int(&at, 3, 2);
		put_int(&at, 4, 4);
		put_int(&at, (uint32_t)(first_row + i), 4);
		put_int(&at, 38, 4);
		memset(at, 'a' + i % 26, 38);
		at += 38;
		put_int(&at, 4, 4);
		put_int(&at, (uint32_t)i, 4);
	}
	return (size_t)(at - bytes);
}

static const unsigned char copy_header[19] = "PGCOPY\n\377\r\n\0";
static const unsigned char copy_trailer[2] = {0xff, 0xff};
static unsigned char copy_piece[COPY_IN_ROW * COPY_IN_PIECE];
#define COPY_IN_SQL "copy bench_in from stdin binary"

static double bare_copy_in(void)
{
	run_sql("truncate bench_in");
	int64_t begun = now_ns();
	PGconn *connection = PQconnectdb(server.conninfo);
	PQclear(PQexec(connection, COPY_IN_SQL));
	PQputCopyData(connection, (const char *)copy_header, sizeof(copy_header));
	for (int i = 0; i < STREAM_ROWS_COUNT / COPY_IN_PIECE; i++) {
		size_t length = make_piece(copy_piece, i * COPY_IN_PIECE);
		PQputCopyData(connection, (const char *)copy_piece, (int)length);
	}
	PQputCopyData(connection, (const char *)copy_trailer, sizeof(copy_trailer));
	PQputCopyEnd(connection, NULL);
	PGresult *result = PQgetResult(connection);
	if (PQresultStatus(result) != PGRES_COMMAND_OK)
		fprintf(stderr, "bench_pool: %s\n", PQerrorMessage(connection));
	PQclear(result);
	PQfinish(connection);
	return (double)(now_ns() - begun) / 1e6;
}

static double pool_copy_in(shipopt_pool *pool)
{
	shipopt_op *op;
	shipopt_copy *copy;
	run_sql("truncate bench_in");
	int64_t begun = now_ns();
	shipopt_pool_acquire(pool, "bench", 0, NULL, NULL, &op);
	shipopt_op_wait(op, -1);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	int r = shipopt_lease_copy_in(lease, COPY_IN_SQL, &copy, NULL, NULL, &op);
	if (r < 0) {
		fprintf(stderr, "bench_pool: copy in: %s\n", shipopt_error_description(r));
		exit(1);
	}
	shipopt_copy_write(copy, copy_header, sizeof(copy_header), -1);
	for (int i = 0; i < STREAM_ROWS_COUNT / COPY_IN_PIECE; i++) {
		size_t length = make_piece(copy_piece, i * COPY_IN_PIECE);
		shipopt_copy_write(copy, copy_piece, length, -1);
	}
	shipopt_copy_write(copy, copy_trailer, sizeof(copy_trailer), -1);
	shipopt_copy_finish(copy);
	r = shipopt_op_wait(op, -1);
	const char *message = shipopt_error_message(shipopt_op_error(op));
	if (r < 0)
		fprintf(stderr, "bench_pool: copy in: %s%s%s\n", shipopt_error_description(r), message ? ": " : "",
			message ? message : "");
	shipopt_op_unref(op);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	return (double)(now_ns() - begun) / 1e6;
}

static double best_of_3(double (*measure)(shipopt_pool *pool), double (*bare)(void), shipopt_pool *pool)
{
	double best = 1e18;
	for (int i = 0; i < 3; i++) {
		double ms = measure ? measure(pool) : bare();
		best = ms < best ? ms : best;
	}
	return best;
}

static void compare_streams(void)
{
	shipopt_pool *pool = open_pool(1, false, NULL, NULL);
	long before = resident_kb();
	double ours = best_of_3(pool_stream, NULL, pool), grown = (double)(resident_kb() - before) / 1024;
	double theirs = best_of_3(NULL, bare_stream, NULL);
	printf("pool stream_" STREAM_ROWS "_rows_ms bare %.0f pool %.0f (%.2f), resident memory grew by %.1f MB\n",
		theirs, ours, ours / theirs, grown);
	ours = best_of_3(pool_copy, NULL, pool);
	theirs = best_of_3(NULL, bare_copy, NULL);
	printf("pool copy_binary_" STREAM_ROWS "_rows_ms bare %.0f pool %.0f (%.2f)\n", theirs, ours, ours / theirs);
	theirs = best_of_3(NULL, bare_copy_in, NULL);
	ours = best_of_3(pool_copy_in, NULL, pool);
	printf("pool copy_in_binary_%d_rows_ms bare %.0f pool %.0f (%.2f)\n",
		STREAM_ROWS_COUNT / COPY_IN_PIECE * COPY_IN_PIECE, theirs, ours, ours / theirs);
	shipopt_pool_free(pool);
}

int main(int argc, char **argv)
{
	static const int connections[] = {1, 4, 16};
	if (argc > 1)
		seconds = atof(argv[1]);
	if (postgres_start(&server, NULL) != 0) {
		printf("PostgreSQL is not installed or did not start: nothing is measured\n");
		return 77;
	}
	run_sql("create table bench as select i as id, 'note ' || i as note, i * 1.5 as amount from generate_series(1, 10000) i");
	run_sql("alter table bench add primary key (id)");
	run_sql("create table bench_rows as select i as id, repeat('x', 40 + i % 40) as note, i * 1.5 as amount from generate_series(1, " STREAM_ROWS
		") i");
	run_sql("create unlogged table bench_in (id int, note text, amount int)");
	run_sql("vacuum analyze");
	shipopt_runtime_new(NULL, &runtime, NULL);
	compare_streams();
	waited_query();
	acquire_release("", NULL, NULL);
	acquire_release("_with_poll", "poll_acquire", "1");
	for (int pipelined = 0; pipelined < 2; pipelined++)
		for (size_t i = 0; i < 3; i++)
			compare(connections[i], pipelined);
	shipopt_runtime_close(runtime, 10000);
	shipopt_runtime_free(runtime);
	postgres_stop(&server);
	return 0;
}
