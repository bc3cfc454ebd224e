/* SPDX-License-Identifier: MIT */
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cmocka_test.h"
#include "pool/connection/cancel.h"
#include "pool/core/pool.h"
#include "pool_fixture.h"

/*
 * Four threads do at random what a pool can do, with deadlines of some milliseconds and cancels at any time, while
 * backends are terminated. One pool delivers to tasks, the other to a queue whose events the waiting threads dispatch.
 *
 * Every row written has a number of its own, and what its operation ended with is kept: in the end the row is there
 * where that was 0, and is not there where it was a failure; only SHIPOPT_EINDOUBT leaves it open. Nobody waits for
 * ever, no connection is left at the server, and fixture_close() counts the memory. What happens when is up to the
 * machine; the seed (SHIPOPT_SEED) decides what is tried.
 *
 * Ten seconds in the normal run; SHIPOPT_LONG=1 makes it three minutes.
 */
#define THREADS 4
#define IDS_MAX 400000

enum dial_result { NOTHING, THERE, ABSENT, OPEN };

struct worker {
	pthread_t thread;
	struct random random;
	int64_t first, count;
	unsigned char outcomes[IDS_MAX];
};

static struct worker workers[THREADS];
static shipopt_pool *pools[2];
static shipopt_queue *queue;
static atomic_bool is_over;
static atomic_int done_calls;
static atomic_int seen[3];

/* ---- one operation ----------------------------------------------------------------------------------------------- */

static unsigned below(struct worker *worker, unsigned bound)
{
	return (unsigned)random_below(&worker->random, bound);
}

static shipopt_pool *some_pool(struct worker *worker)
{
	return pools[below(worker, 2)];
}

static int64_t new_id(struct worker *worker)
{
	if (worker->count == IDS_MAX)
		return -1;
	worker->outcomes[worker->count] = NOTHING;
	return worker->first + worker->count++;
}

static void keep(struct worker *worker, int64_t id, int status)
{
	enum dial_result outcome = status >= 0 ? THERE : status == SHIPOPT_EINDOUBT ? OPEN : ABSENT;
	if (id < 0)
		return;
	worker->outcomes[id - worker->first] = (unsigned char)outcome;
	atomic_fetch_add(&seen[outcome - THERE], 1);
}

static void note_done(void *userdata, shipopt_op *op)
{
	atomic_fetch_add(&done_calls, 1);
}

static shipopt_done_fn some_done(struct worker *worker)
{
	return below(worker, 2) ? note_done : NULL;
}

/* Waits for its end, and cancels it at some time, or not. */
static int settle(struct worker *worker, int r, shipopt_op *op)
{
	if (r < 0)
		return r;
	unsigned how = below(worker, 8);
	if (how == 1)
		poll(NULL, 0, (int)below(worker, 4));
	if (how <= 1)
		shipopt_op_cancel(op);
	r = shipopt_op_wait(op, -1);
	shipopt_op_unref(op);
	return r;
}

static shipopt_query *some_query(struct worker *worker, const char *sql, int64_t id)
{
	shipopt_query *query = make_query(sql);
	if (id >= 0)
		assert_int_equal(shipopt_query_bind_int(query, id), 0);
	if (below(worker, 2))
		shipopt_query_set_timeout_ms(query, 1 + (int64_t)below(worker, 20));
	return query;
}

#define INSERT "insert into soaked values ($1)"

/* Several texts, so that prepared statements come and go. */
static const char *some_insert(struct worker *worker)
{
	static const char *const inserts[] = {INSERT, INSERT " returning id", "insert into soaked select $1",
		"insert into soaked select $1 from pg_sleep(0.005)"};
	return inserts[below(worker, 4)];
}

static int query_on(struct worker *worker, shipopt_pool *pool, shipopt_lease *lease, const char *sql, int64_t id)
{
	shipopt_op *op = NULL;
	shipopt_query *query = some_query(worker, sql, id);
	int r = lease ? shipopt_lease_query(lease, query, some_done(worker), NULL, &op)
		      : shipopt_pool_query(pool, query, some_done(worker), NULL, &op);
	shipopt_query_free(query);
	return settle(worker, r, op);
}

/* ---- what is tried
 * ------------------------------------------------------------------------------------------------ */

static void try_insert(struct worker *worker)
{
	int64_t id = new_id(worker);
	keep(worker, id, query_on(worker, some_pool(worker), NULL, some_insert(worker), id));
}

static void try_read(struct worker *worker)
{
	static const char *const reads[] = {"select 1", "select pg_sleep(0.01)", "select 1 / 0",
		"select repeat('x', 1000) from generate_series(1, 500)", "listen soaked",
		"create temporary table t ()"};
	query_on(worker, some_pool(worker), NULL, reads[below(worker, 6)], -1);
}

static void try_batch(struct worker *worker)
{
	enum { COUNT = 3 };
	shipopt_batch *batch;
	shipopt_op *op = NULL;
	int64_t ids[COUNT];
	bool is_bad = below(worker, 4) == 0;
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (int i = 0; i < COUNT; i++) {
		ids[i] = new_id(worker);
		shipopt_query *query = some_query(worker, some_insert(worker), ids[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
	}
	if (is_bad) {
		shipopt_query *query = make_query("select 1 / 0");
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
	}
	if (below(worker, 2))
		shipopt_batch_set_timeout_ms(batch, 1 + (int64_t)below(worker, 20));
	if (below(worker, 2))
		shipopt_batch_set_transaction(batch, below(worker, 2) ? SHIPOPT_TRANSACTION_SERIALIZABLE : 0, 3);
	int r = shipopt_pool_batch(some_pool(worker), batch, some_done(worker), NULL, &op);
	shipopt_batch_free(batch);
	r = settle(worker, r, op);
	for (int i = 0; i < COUNT; i++)
		keep(worker, ids[i], r);
}

static void try_stream(struct worker *worker)
{
	shipopt_stream *stream;
	shipopt_op *op;
	const shipopt_rows *rows;
	shipopt_query *query = some_query(worker, "select i, repeat('x', 500) from generate_series(1, 2000) i", -1);
	int r = shipopt_pool_stream(some_pool(worker), query, &stream, some_done(worker), NULL, &op);
	shipopt_query_free(query);
	if (r < 0)
		return;
	for (unsigned chunks = below(worker, 30); chunks && shipopt_stream_next(stream, -1, &rows) > 0;)
		chunks--;
	if (below(worker, 2))
		poll(NULL, 0, (int)below(worker, 5));
	shipopt_stream_free(stream);
	settle(worker, r, op);
}

static shipopt_lease *take_lease(struct worker *worker)
{
	shipopt_op *op;
	shipopt_lease *lease = NULL;
	shipopt_pool *pool = some_pool(worker);
	if (below(worker, 4) == 0)
		return shipopt_pool_try_acquire(pool, "try", 0, &lease) == 0 ? lease : NULL;
	if (shipopt_pool_acquire(pool, "soak", 0, some_done(worker), NULL, &op) < 0)
		return NULL;
	if (below(worker, 8) == 0)
		shipopt_op_cancel(op);
	if (shipopt_op_wait(op, -1) == 0 && below(worker, 8)) /* or it goes back with the operation */
		lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	return lease;
}

/* One statement after the other. A cancel may come before one was sent: then it is left out, and the next goes on.
 * Gives the lease back. */
static void fill_block(struct worker *worker, shipopt_lease *lease)
{
	shipopt_op *op;
	int64_t ids[3] = {new_id(worker), new_id(worker), new_id(worker)};
	int status[3], back, r;
	bool commits = below(worker, 4) != 0, is_released = below(worker, 4) == 0;
	status[0] = query_on(worker, NULL, lease, some_insert(worker), ids[0]);
	r = shipopt_lease_savepoint(lease, 1, NULL, NULL, &op);
	settle(worker, r, op);
	status[1] = query_on(worker, NULL, lease, some_insert(worker), ids[1]);
	r = shipopt_lease_rollback_to(lease, 1, NULL, NULL, &op);
	back = settle(worker, r, op);
	status[2] = query_on(worker, NULL, lease, some_insert(worker), ids[2]);
	r = commits ? shipopt_lease_commit(lease, NULL, NULL, &op) : shipopt_lease_rollback(lease, NULL, NULL, &op);
	if (is_released) /* what runs holds it */
		shipopt_lease_release(lease);
	r = settle(worker, r, op);
	status[1] = back == 0 ? SHIPOPT_ECANCELED : status[1];
	for (int i = 0; i < 3; i++)
		keep(worker, ids[i], status[i] < 0 ? status[i] : commits || r < 0 ? r : SHIPOPT_ECANCELED);
	if (!is_released)
		shipopt_lease_release(lease);
}

static void try_block(struct worker *worker)
{
	shipopt_op *op;
	shipopt_lease *lease = take_lease(worker);
	if (!lease)
		return;
	int r = shipopt_lease_begin(lease, 0, some_done(worker), NULL, &op);
	if (settle(worker, r, op) == 0)
		fill_block(worker, lease);
	else
		shipopt_lease_release(lease);
}

static void try_copy(struct worker *worker)
{
	shipopt_copy *copy;
	shipopt_op *op;
	char line[32];
	int64_t ids[50];
	shipopt_lease *lease = take_lease(worker);
	if (!lease)
		return;
	unsigned count = 1 + below(worker, 50), taken = 0;
	int r = shipopt_lease_copy_in(lease, "copy soaked from stdin", &copy, some_done(worker), NULL, &op);
	if (r == 0) {
		bool is_released = below(worker, 4) == 0, finishes = below(worker, 4) != 0;
		if (is_released)
			shipopt_lease_release(TAKE(lease));
		for (; taken < count; taken++) {
			ids[taken] = new_id(worker);
			snprintf(line, sizeof(line), "%lld\n", (long long)ids[taken]);
			if (shipopt_copy_write(copy, line, strlen(line), -1) < 0) {
				keep(worker, ids[taken], SHIPOPT_ECANCELED);
				break;
			}
		}
		if (finishes)
			shipopt_copy_finish(copy);
		if (below(worker, 2))
			shipopt_copy_free(TAKE(copy));
		if (copy && !finishes)
			shipopt_op_cancel(op);
		r = settle(worker, r, op);
		assert_true(finishes || r < 0);
		shipopt_copy_free(copy);
	}
	for (unsigned i = 0; i < taken; i++)
		keep(worker, ids[i], r);
	shipopt_lease_release(lease);
}

/* ---- transactions
 * ------------------------------------------------------------------------------------------------- */

struct tried {
	struct worker *worker;
	int64_t ids[4]; /* one for each attempt */
	int attempts;
	bool fails, conflicts;
};

static int insert_in_body(void *userdata, shipopt_lease *lease, int attempt)
{
	struct tried *tried = userdata;
	struct worker *worker = tried->worker;
	int64_t id = tried->ids[attempt - 1] = new_id(worker);
	tried->attempts = attempt;
	int r = query_on(worker, NULL, lease, some_insert(worker), id);
	if (r == 0 && tried->conflicts && attempt == 1)
		query_on(worker, NULL, lease, "select soaked_conflict()", -1);
	return r < 0 || !tried->fails ? r : SHIPOPT_ECONFLICT;
}

static void insert_when_asked(void *userdata, shipopt_request *request)
{
	struct tried *tried = userdata;
	shipopt_lease *lease = shipopt_request_lease(request);
	int attempt = shipopt_request_attempt(request);
	shipopt_query *query = make_query(INSERT);
	assert_int_equal(shipopt_query_bind_int(query, tried->ids[attempt - 1]), 0);
	int r = shipopt_lease_query(lease, query, NULL, NULL, NULL); /* COMMIT goes behind it */
	shipopt_query_free(query);
	tried->attempts = MAX(tried->attempts, attempt);
	if (r < 0 || tried->fails)
		shipopt_request_fail(request, r < 0 ? r : SHIPOPT_ECONFLICT, "soaked");
	else
		shipopt_request_complete(request, 0);
}

static void try_transaction(struct worker *worker)
{
	struct tried tried = {.worker = worker, .fails = below(worker, 6) == 0, .conflicts = below(worker, 4) == 0};
	shipopt_transaction_options *options;
	shipopt_op *op = NULL;
	bool is_blocking = below(worker, 2);
	int r;
	assert_int_equal(shipopt_transaction_options_new(&options), 0);
	shipopt_transaction_options_set_attempts(options, 4);
	if (below(worker, 2))
		shipopt_transaction_options_set_timeout_ms(options, 1 + (int64_t)below(worker, 20));
	if (is_blocking) {
		r = shipopt_pool_transaction_blocking(some_pool(worker), options, insert_in_body, &tried, NULL);
	} else {
		for (int i = 0; i < 4; i++)
			tried.ids[i] = new_id(worker);
		r = shipopt_pool_transaction(some_pool(worker), options, insert_when_asked, some_done(worker), &tried,
			&op);
		r = settle(worker, r, op);
	}
	shipopt_transaction_options_free(options);
	for (int i = 0; i < (is_blocking ? tried.attempts : 4); i++)
		keep(worker, tried.ids[i], i + 1 == tried.attempts ? r : SHIPOPT_ECANCELED);
}

/* ---- the soak
 * ------------------------------------------------------------------------------------------------------ */

static void *work(void *argument)
{
	static void (*const all[])(struct worker * worker) = {try_insert, try_insert, try_read, try_batch, try_stream,
		try_block, try_copy, try_transaction, try_transaction};
	struct worker *worker = argument;
	while (!atomic_load(&is_over) && worker->count < IDS_MAX - 100)
		all[below(worker, sizeof(all) / sizeof(all[0]))](worker);
	return NULL;
}

/* On a connection of its own, which it keeps. */
static void terminate_until(PGconn *side, struct random *random, int64_t end_ms)
{
	while (clock_now_ms() < end_ms) {
		poll(NULL, 0, (int)random_below(random, 60));
		PQclear(PQexec(side,
			"select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and "
			"backend_type = 'client backend' order by random() limit 1"));
	}
}

static shipopt_pool *open_queued(const char *const *settings)
{
	shipopt_pool_config *config;
	shipopt_pool *pool;
	assert_int_equal(shipopt_queue_new(fixture.runtime, 256, &queue), 0);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	for (; settings[0]; settings += 2)
		assert_int_equal(shipopt_pool_config_set(config, settings[0], settings[1]), 0);
	assert_int_equal(shipopt_pool_config_set_queue(config, queue), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &pool, NULL), 0);
	shipopt_pool_config_free(config);
	return pool;
}

static void check_rows(PGconn *side)
{
	PGresult *result = PQexec(side, "select id from soaked");
	assert_int_equal(PQresultStatus(result), PGRES_TUPLES_OK);
	for (int i = 0; i < PQntuples(result); i++) {
		int64_t id = atoll(PQgetvalue(result, i, 0));
		struct worker *worker = &workers[id / IDS_MAX];
		enum dial_result outcome = worker->outcomes[id - worker->first];
		if (outcome != THERE && outcome != OPEN)
			print_error("row %lld is there, and should not be\n", (long long)id);
		assert_true(outcome == THERE || outcome == OPEN);
		worker->outcomes[id - worker->first] = OPEN;
	}
	PQclear(result);
	for (int i = 0; i < THREADS; i++)
		for (int64_t at = 0; at < workers[i].count; at++)
			assert_int_not_equal(workers[i].outcomes[at], THERE);
}

static bool is_quiet(void)
{
	for (int i = 0; i < 2; i++) {
		int64_t leased = 0, waiting = 0, total = 0, idle = 0;
		shipopt_pool_stat(pools[i], SHIPOPT_POOL_STAT_LEASED, &leased);
		shipopt_pool_stat(pools[i], SHIPOPT_POOL_STAT_WAITING, &waiting);
		shipopt_pool_stat(pools[i], SHIPOPT_POOL_STAT_TOTAL, &total);
		shipopt_pool_stat(pools[i], SHIPOPT_POOL_STAT_IDLE, &idle);
		struct cancel_slots *slots = pools[i]->cancel_slots; /* whose threads a close does not wait for */
		pthread_mutex_lock(&slots->lock);
		unsigned requests = slots->used;
		pthread_mutex_unlock(&slots->lock);
		if (leased || waiting || total != idle || requests)
			return false;
	}
	return true;
}

static void whatever_is_done_and_whenever_it_ends_the_outcome_is_what_happened(void **state)
{
	static const char *const settings[] = {"max", "3", "overflow", "1", "acquire_timeout_ms", "500",
		"command_timeout_ms", "2000", "cancel_grace_ms", "20000", "statements_max", "2", "ping_idle_ms", "20",
		"lifetime_ms", "400", "idle_timeout_ms", "200", "backoff_max_ms", "50", "result_bytes", "200000",
		"stream_bytes", "65536", "pipeline_statements", "2", NULL};
	const char *seed_text = getenv("SHIPOPT_SEED"), *is_long = getenv("SHIPOPT_LONG");
	uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : 1;
	struct random random;
	side_number("create table soaked (id bigint primary key)");
	side_number("create function soaked_conflict() returns int language plpgsql as "
		    "$$ begin raise exception 'x' using errcode = '40001'; end $$");
	fixture_open(NULL, settings);
	pools[0] = fixture.pool;
	pools[1] = open_queued(settings);
	PGconn *side = PQconnectdb(fixture.postgres.conninfo);
	random_init(&random, seed);
	for (int i = 0; i < THREADS; i++) {
		workers[i].first = (int64_t)i * IDS_MAX;
		random_init(&workers[i].random, random_u64(&random));
		assert_int_equal(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
	}
	terminate_until(side, &random, clock_now_ms() + (is_long && *is_long == '1' ? 180000 : 10000));
	atomic_store(&is_over, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	while (shipopt_queue_dispatch(queue, 0, 0) > 0)
		;
	while (!is_quiet())
		poll(NULL, 0, 1);
	printf("soak with seed %llu: %d rows written, %d not, %d in doubt; %lld connections, %lld lost, %lld cancels\n",
		(unsigned long long)seed, atomic_load(&seen[0]), atomic_load(&seen[1]), atomic_load(&seen[2]),
		(long long)stat_of(SHIPOPT_POOL_STAT_CONNECTS), (long long)stat_of(SHIPOPT_POOL_STAT_LOST),
		(long long)stat_of(SHIPOPT_POOL_STAT_CANCELS));
	shipopt_pool_free(pools[1]);
	shipopt_queue_free(queue);
	fixture_close();
	while (side_number("select count(*) from pg_stat_activity where backend_type = 'client backend'") >
		2) /* these two */
		poll(NULL, 0, 10);
	check_rows(side);
	PQfinish(side);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(whatever_is_done_and_whenever_it_ends_the_outcome_is_what_happened),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
