/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/*
 * What an operation ends with is what has happened, wherever the connection is cut: in doubt is what may have been
 * committed without our knowing, and nothing else. A proxy cuts it behind a message of the server's that the test
 * names.
 */

/* ---- a proxy that cuts ------------------------------------------------------------------------------------------ */

/* Passes one connection after the other on. The server's messages are told apart by their type: behind the `count`th of
 * `type` nothing comes any more. */
struct cutter {
	int fd, port, server_port, stop[2];
	atomic_int type, count; /* count 0: passes everything */
	atomic_int next_count;  /* the count from the next request on */
	char message[65536];
	size_t length;
	pthread_t thread;
};

static bool send_all(int fd, const char *bytes, size_t length)
{
	ssize_t sent = 0;
	for (; length > 0; bytes += sent, length -= (size_t)sent)
		if ((sent = send(fd, bytes, length, MSG_NOSIGNAL)) <= 0)
			return false;
	return true;
}

/* The whole messages that are there. False: the connection ends here. */
static bool pass_messages(struct cutter *cutter, int to)
{
	size_t at = 0;
	bool goes_on = true;
	while (goes_on && cutter->length - at >= 5) {
		uint32_t size;
		memcpy(&size, cutter->message + at + 1, sizeof(size));
		size_t whole = (size_t)ntohl(size) + 1;
		assert_true(whole <= sizeof(cutter->message));
		if (cutter->length - at < whole)
			break;
		goes_on = send_all(to, cutter->message + at, whole);
		if (cutter->message[at] == (char)atomic_load(&cutter->type) && atomic_load(&cutter->count) > 0 &&
			atomic_fetch_sub(&cutter->count, 1) == 1)
			goes_on = false;
		at += whole;
	}
	cutter->length -= at;
	memmove(cutter->message, cutter->message + at, cutter->length);
	return goes_on;
}

static void pass_on(struct cutter *cutter, int client, int server)
{
	struct pollfd entries[3] = {{.fd = client, .events = POLLIN}, {.fd = server, .events = POLLIN},
		{.fd = cutter->stop[0], .events = POLLIN}};
	char bytes[8192];
	cutter->length = 0;
	while (poll(entries, 3, -1) > 0 && !entries[2].revents) {
		if (entries[1].revents) {
			ssize_t got = recv(server, cutter->message + cutter->length,
				sizeof(cutter->message) - cutter->length, 0);
			if (got <= 0)
				return;
			cutter->length += (size_t)got;
			if (!pass_messages(cutter, client))
				return;
		}
		if (entries[0].revents) {
			ssize_t got = recv(client, bytes, sizeof(bytes), 0);
			/* What the server sent with the answer before has been passed on and is not counted. */
			int count = atomic_exchange(&cutter->next_count, 0);
			if (count)
				atomic_store(&cutter->count, count);
			if (got <= 0 || !send_all(server, bytes, (size_t)got))
				return;
		}
	}
}

/* So that what was passed on arrives: closing with bytes unread would reset the connection, and take it back. */
static void hang_up(struct cutter *cutter, int client)
{
	struct pollfd entries[2] = {{.fd = client, .events = POLLIN}, {.fd = cutter->stop[0], .events = POLLIN}};
	char bytes[8192];
	shutdown(client, SHUT_WR);
	while (client >= 0 && poll(entries, 2, -1) > 0 && !entries[1].revents &&
		recv(client, bytes, sizeof(bytes), 0) > 0)
		;
	close(client);
}

static void *cutter_main(void *argument)
{
	struct cutter *cutter = argument;
	struct pollfd entries[2] = {{.fd = cutter->fd, .events = POLLIN}, {.fd = cutter->stop[0], .events = POLLIN}};
	while (poll(entries, 2, -1) > 0 && !entries[1].revents) {
		struct sockaddr_in address = {.sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
			.sin_port = htons((uint16_t)cutter->server_port)};
		int client = accept(cutter->fd, NULL, NULL), server = socket(AF_INET, SOCK_STREAM, 0);
		if (client >= 0 && connect(server, (struct sockaddr *)&address, sizeof(address)) == 0)
			pass_on(cutter, client, server);
		close(server);
		hang_up(cutter, client);
	}
	return NULL;
}

static struct cutter cutter;

static void open_cut(const char *const *settings)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	char conninfo[256];
	cutter.server_port = fixture.postgres.port;
	atomic_store(&cutter.count, 0);
	atomic_store(&cutter.next_count, 0);
	cutter.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(cutter.fd, (struct sockaddr *)&address, size), 0);
	assert_int_equal(listen(cutter.fd, 8), 0);
	assert_int_equal(getsockname(cutter.fd, (struct sockaddr *)&address, &size), 0);
	cutter.port = ntohs(address.sin_port);
	assert_int_equal(pipe(cutter.stop), 0);
	assert_int_equal(pthread_create(&cutter.thread, NULL, cutter_main, &cutter), 0);
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1 port=%d user=scram password=secret-word dbname=postgres sslmode=disable gssencmode=disable",
		cutter.port);
	fixture_open(conninfo, settings);
	side_number("create table happened (id int primary key deferrable initially deferred)");
	side_number("grant all on happened to scram");
}

static void close_cut(void)
{
	side_number("drop table happened");
	fixture_close();
	assert_int_equal(write(cutter.stop[1], "", 1), 1);
	pthread_join(cutter.thread, NULL);
	close(cutter.stop[0]);
	close(cutter.stop[1]);
	close(cutter.fd);
}

/* Behind the `count`th message of this type from the next request on. */
static void cut_behind(char type, int count)
{
	atomic_store(&cutter.type, type);
	atomic_store(&cutter.next_count, count);
}

#define SYNCED 'Z'   /* ReadyForQuery */
#define FINISHED 'C' /* CommandComplete */
#define FAILED 'E'   /* ErrorResponse */
#define BOUND '2'    /* BindComplete */

static void check_op(shipopt_op *op, int status, const char *sqlstate)
{
	if (shipopt_op_wait(op, 20000) != status)
		print_error("%d: %s\n", shipopt_op_status(op), shipopt_error_message(shipopt_op_error(op)));
	assert_int_equal(shipopt_op_status(op), status);
	if (sqlstate)
		assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), sqlstate);
	shipopt_op_unref(op);
}

static void add_statement(shipopt_batch *batch, const char *sql)
{
	shipopt_query *query = make_query(sql);
	assert_int_equal(shipopt_batch_add(batch, query), 0);
	shipopt_query_free(query);
}

/* ---- statements -------------------------------------------------------------------------------------------------- */

/* What the pool sends for itself behind a statement does not put its outcome in question. */
static void a_loss_behind_the_answer_changes_nothing(void **state)
{
	static const char *const settings[] = {"max", "1", "statements_max", "1", NULL};
	open_cut(settings);
	run_number(NULL, "select 1");
	cut_behind(SYNCED, 1);
	shipopt_op *op = run_query(NULL, "insert into happened values (1)"); /* and DEALLOCATE */
	assert_int_equal(shipopt_op_value(op), 1);
	check_op(op, 0, NULL);
	assert_int_equal(side_number("select count(*) from happened"), 1);
	run_number(NULL, "select 2");
	cut_behind(SYNCED, 1);
	check_op(run_query(NULL, "select 1 / (id - 1) from happened"), SHIPOPT_EINVAL, "22012");
	close_cut();
}

static void a_statement_that_was_refused_is_not_in_doubt(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	open_cut(settings);
	side_number("insert into happened values (1)");
	run_number(NULL, "select 1");
	cut_behind(FAILED, 1);
	check_op(run_query(NULL, "insert into happened values (1 / (select count(*) - 1 from happened))"),
		SHIPOPT_EINVAL, "22012");
	/* Refused as it is committed. */
	run_number(NULL, "select 1");
	cut_behind(FAILED, 1);
	check_op(run_query(NULL, "insert into happened values (1)"), SHIPOPT_ECONFLICT, "23505");
	/* And one that is not answered is in doubt. */
	run_number(NULL, "select 1");
	cut_behind(BOUND, 1);
	check_op(run_query(NULL, "insert into happened values (2)"), SHIPOPT_EINDOUBT, NULL);
	close_cut();
}

static void a_stream_that_was_refused_is_not_in_doubt(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	const shipopt_rows *rows;
	shipopt_stream *stream;
	shipopt_op *op;
	open_cut(settings);
	run_number(NULL, "select 1");
	shipopt_query *query =
		make_query("insert into happened select 1 / (2 - i) from generate_series(1, 2) i returning id");
	cut_behind(FAILED, 1);
	assert_int_equal(shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op), 0);
	int r;
	while ((r = shipopt_stream_next(stream, 20000, &rows)) > 0)
		;
	assert_int_equal(r, SHIPOPT_EINVAL);
	check_op(op, SHIPOPT_EINVAL, "22012");
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	close_cut();
}

static int run_transaction_batch(const char *sql)
{
	shipopt_batch *batch;
	shipopt_op *op;
	assert_int_equal(shipopt_batch_new(&batch), 0);
	add_statement(batch, sql);
	assert_int_equal(shipopt_batch_set_transaction(batch, 0, 1), 0);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	shipopt_batch_free(batch);
	int status = shipopt_op_wait(op, 20000);
	shipopt_op_unref(op);
	return status;
}

static void a_transaction_batch_is_in_doubt_until_its_commit_is_answered(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	open_cut(settings);
	side_number("insert into happened values (1)");
	run_number(NULL, "select 1");
	cut_behind(FAILED, 1);
	assert_int_equal(run_transaction_batch("insert into happened values (1)"), SHIPOPT_ECONFLICT);
	run_number(NULL, "select 1");
	cut_behind(FINISHED, 3);
	assert_int_equal(run_transaction_batch("insert into happened values (2)"), 0);
	assert_int_equal(side_number("select count(*) from happened where id = 2"), 1);
	run_number(NULL, "select 1");
	cut_behind(FINISHED, 2);
	assert_int_equal(run_transaction_batch("insert into happened values (3)"), SHIPOPT_EINDOUBT);
	close_cut();
}

/* A statement behind the COMMIT or ROLLBACK of a lease's transaction is one of its own. */
static void check_behind_the_end(const char *ending)
{
	static const char *const settings[] = {"max", "1", NULL};
	shipopt_batch *batch;
	shipopt_op *op;
	open_cut(settings);
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	assert_int_equal(shipopt_batch_new(&batch), 0);
	add_statement(batch, ending);
	assert_int_equal(shipopt_batch_end_group(batch), 0);
	add_statement(batch, "insert into happened values (1)");
	cut_behind(SYNCED, 1);
	assert_int_equal(shipopt_lease_batch(lease, batch, NULL, NULL, &op), 0);
	shipopt_op_wait(op, 20000);
	assert_int_equal(shipopt_op_statement_status(op, 0), 0);
	assert_int_equal(shipopt_op_statement_status(op, 1), SHIPOPT_EINDOUBT);
	check_op(op, SHIPOPT_EINDOUBT, NULL);
	shipopt_batch_free(batch);
	shipopt_lease_release(lease);
	close_cut();
}

static void what_stands_behind_the_end_of_a_transaction_may_be_in_doubt(void **state)
{
	check_behind_the_end("commit");
	check_behind_the_end("rollback");
}

/* ---- transactions ------------------------------------------------------------------------------------------------ */

struct moved {
	const char *sql;
	char type;
	int count;
};

static int move(void *userdata, shipopt_lease *lease, int attempt)
{
	const struct moved *moved = userdata;
	shipopt_op *op = run_query(lease, moved->sql);
	int status = shipopt_op_status(op);
	shipopt_op_unref(op);
	cut_behind(moved->type, moved->count);
	return status;
}

static void a_transaction_is_in_doubt_until_its_commit_is_answered(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	struct moved good = {"insert into happened values (1)", FINISHED, 1},
		     bad = {"insert into happened values (1)", FAILED, 1};
	open_cut(settings);
	assert_int_equal(shipopt_pool_transaction_blocking(fixture.pool, NULL, move, &good, NULL), 0);
	assert_int_equal(side_number("select count(*) from happened"), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 1);
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_pool_transaction_blocking(fixture.pool, NULL, move, &bad, &error), SHIPOPT_ECONFLICT);
	assert_string_equal(shipopt_error_sqlstate(error), "23505");
	shipopt_error_unref(error);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 2);
	close_cut();
}

#ifdef SHIPOPT_FAULTS
static int insert_once(void *userdata, shipopt_lease *lease, int attempt)
{
	return run_status(lease, "insert into unsent values (1)", NULL);
}

/* Nothing but an answer that was lost leaves a doubt, and here the server answers whatever it gets. */
static void a_commit_that_was_not_sent_is_not_in_doubt(void **state)
{
	static const char *const settings[] = {"max", "1", "backoff_max_ms", "20", NULL};
	bool fired = true;
	fixture_open(NULL, settings);
	run_number(NULL, "create table unsent (id int)");
	for (long passes = 0; fired; passes++) {
		fault_arm(passes);
		int status = shipopt_pool_transaction_blocking(fixture.pool, NULL, insert_once, NULL, NULL);
		fired = fault_fired();
		fault_arm(-1);
		assert_int_not_equal(status, SHIPOPT_EINDOUBT);
		assert_int_equal(run_number(NULL,
					 "with gone as (delete from unsent returning id) select count(*) from gone"),
			status == 0);
	}
	run_number(NULL, "drop table unsent");
	fixture_close();
}
#endif

/* An answer that is canceled for its size is what failed last: the conflict before it was gone back from. */
static int conflict_and_go_on(void *userdata, shipopt_lease *lease, int attempt)
{
	shipopt_op *op;
	++*(int *)userdata;
	check_op(run_query(lease, "savepoint s1"), 0, NULL);
	check_op(run_query(lease, "do $$ begin raise exception 'x' using errcode = '40001'; end $$"), SHIPOPT_EBUSY,
		"40001");
	check_op(run_query(lease, "rollback to savepoint s1"), 0, NULL);
	op = run_query(lease, "select repeat('x', 1000) from generate_series(1, 1000000)");
	int status = shipopt_op_status(op);
	shipopt_op_unref(op);
	return status;
}

static void an_answer_that_is_too_large_is_no_conflict(void **state)
{
	static const char *const settings[] = {"max", "1", "result_bytes", "100000", NULL};
	int calls = 0;
	shipopt_error *error = NULL;
	fixture_open(NULL, settings);
	assert_int_equal(shipopt_pool_transaction_blocking(fixture.pool, NULL, conflict_and_go_on, &calls, &error),
		SHIPOPT_ETOOLARGE);
	assert_int_equal(calls, 1);
	assert_non_null(strstr(shipopt_error_message(error), "result_bytes"));
	shipopt_error_unref(error);
	fixture_close();
}

/* ---- commits that the server turns into a rollback --------------------------------------------------------------- */

static const char *const commits[] = {"COMMIT", "end work", "; COMMIT", "/* a /* b */ c */ COMMIT", "-- note\rCOMMIT",
	"\fCOMMIT", "/* open */ /* x */COMMIT", "/* a /* b */ rollback */ COMMIT", "prepare transaction 'x'",
	"commit and chain"};
static const char *const rollbacks[] = {"rollback", "ABORT work", "; rollback", "/* a /* b */ c */ rollback -- COMMIT",
	"rollback and chain"};

static void fail_in_a_block(shipopt_lease *lease)
{
	run_number(lease, "begin");
	run_number(lease, "insert into turned values (1)");
	check_op(run_query(lease, "select 1/0"), SHIPOPT_EINVAL, "22012");
}

static shipopt_op *stream_all(shipopt_lease *lease, const char *sql)
{
	const shipopt_rows *rows;
	shipopt_stream *stream;
	shipopt_op *op;
	shipopt_query *query = make_query(sql);
	assert_int_equal(shipopt_lease_stream(lease, query, &stream, NULL, NULL, &op), 0);
	while (shipopt_stream_next(stream, 20000, &rows) > 0)
		;
	shipopt_stream_free(stream);
	shipopt_query_free(query);
	return op;
}

/* The scanner of texts has no part in it: the server's answer counts. */
static void a_commit_that_rolled_back_is_a_failure_however_it_is_written(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	run_number(lease, "create temp table turned (id int)");
	for (size_t i = 0; i < 2 * ARRAY_SIZE(commits); i++) {
		const char *sql = commits[i / 2];
		fail_in_a_block(lease);
		check_op(i % 2 ? stream_all(lease, sql) : run_query(lease, sql), SHIPOPT_ESTATE, NULL);
		shipopt_op_unref(run_query(lease, "rollback"));
		assert_int_equal(run_number(lease, "select count(*) from turned"), 0);
	}
	for (size_t i = 0; i < 2 * ARRAY_SIZE(rollbacks); i++) {
		const char *sql = rollbacks[i / 2];
		fail_in_a_block(lease);
		check_op(i % 2 ? stream_all(lease, sql) : run_query(lease, sql), 0, NULL);
		shipopt_op_unref(run_query(lease, "rollback"));
	}
	shipopt_lease_release(lease);
	fixture_close();
}

static void a_commit_whose_answer_is_lost_is_in_doubt_however_it_is_written(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	open_cut(settings);
	for (size_t i = 0; i < 8; i++) {
		shipopt_lease *lease = acquire();
		run_number(lease, "begin");
		run_number(lease, "insert into happened values (1)");
		cut_behind(BOUND, 1);
		check_op(i % 2 ? stream_all(lease, commits[i]) : run_query(lease, commits[i]), SHIPOPT_EINDOUBT, NULL);
		shipopt_lease_release(lease);
		side_number("delete from happened");
	}
	close_cut();
}

/* ---- statements that are sent once more -------------------------------------------------------------------------- */

static void what_has_committed_is_not_repeated(void **state)
{
	shipopt_batch *batch;
	shipopt_op *op;
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	run_number(NULL, "create table worked (id int)");
	run_number(NULL, "create table stale (id int)");
	run_number(NULL,
		"create procedure work() language plpgsql as "
		"$$ begin insert into worked values (1); commit; raise exception 'x' using errcode = '0A000'; end $$");
	run_number(NULL, "select * from stale");
	run_number(NULL, "alter table stale add more int");
	assert_int_equal(shipopt_batch_new(&batch), 0);
	add_statement(batch, "insert into worked values (1)");
	add_statement(batch, "commit");
	add_statement(batch, "select * from stale");
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	check_op(op, SHIPOPT_EUNSUPPORTED, "0A000");
	shipopt_batch_free(batch);
	assert_int_equal(run_number(NULL, "select count(*) from worked"), 1);
	check_op(run_query(NULL, "call work()"), SHIPOPT_EUNSUPPORTED, "0A000");
	assert_int_equal(run_number(NULL, "select count(*) from worked"), 2);
	run_number(NULL, "drop procedure work");
	run_number(NULL, "drop table worked, stale");
	fixture_close();
}

/* Many groups with the same statement are on their way when the first is told that the server does not know it any
 * more: the answers to the others are not taken for what the server says about the one prepared anew. */
static void a_statement_that_was_lost_is_prepared_once(void **state)
{
	enum { GROUPS = 2000 };
	static const char *const settings[] = {"max", "1", "pipeline_statements", "50", NULL};
	shipopt_batch *batch;
	shipopt_op *op;
	int unknown = 0;
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	run_number(lease, "select 17");
	run_number(lease, "do $$ begin execute 'deallocate all'; end $$");
	int64_t prepares = stat_of(SHIPOPT_POOL_STAT_PREPARES);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (int i = 0; i < GROUPS; i++) {
		add_statement(batch,
			i == 1 ? "select pg_sleep(0.2)"
			       : "select 17"); /* it is prepared anew before the third is answered */
		assert_int_equal(shipopt_batch_end_group(batch), 0);
	}
	assert_int_equal(shipopt_lease_batch(lease, batch, NULL, NULL, &op), 0);
	shipopt_op_wait(op, -1);
	for (size_t i = 0; i < GROUPS; i++) {
		const shipopt_error *error = shipopt_op_statement_error(op, i);
		unknown += error != NULL;
		if (error)
			assert_string_equal(shipopt_error_sqlstate(error), "26000");
	}
	assert_in_range(unknown, 1, 50);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES) - prepares, 2);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	shipopt_lease_release(lease);
	fixture_close();
}

/* ---- COPY -------------------------------------------------------------------------------------------------------- */

/* The server waits for a lock and does not come to read that the copy is given up. */
static void check_copy_behind_a_lock(bool is_close)
{
	static const char *const settings[] = {"max", "1", "command_timeout_ms", "100", "cancel_grace_ms", "20000",
		NULL};
	static const char *const patient[] = {"max", "1", "command_timeout_ms", "0", "cancel_grace_ms", "20000", NULL};
	shipopt_copy *copy;
	shipopt_op *op;
	char line[32];
	fixture_open(NULL, is_close ? patient : settings);
	run_number(NULL, "create table locked (id int primary key)");
	PGconn *side = PQconnectdb(fixture.postgres.conninfo);
	PQclear(PQexec(side, "begin"));
	PQclear(PQexec(side, "insert into locked values (1)"));
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy locked from stdin", &copy, NULL, NULL, &op), 0);
	for (int i = 1; i <= 5000; i++) {
		snprintf(line, sizeof(line), "%d\n", i);
		assert_int_equal(shipopt_copy_write(copy, line, strlen(line), -1), 0);
	}
	while (side_number("select count(*) from pg_locks where not granted") != 1)
		poll(NULL, 0, 1);
	if (is_close)
		assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	check_op(op, is_close ? SHIPOPT_ECANCELED : SHIPOPT_ETIMEDOUT, NULL);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	shipopt_copy_free(copy);
	shipopt_lease_release(lease);
	PQclear(PQexec(side, "rollback"));
	PQclear(PQexec(side, "drop table locked"));
	PQfinish(side);
	fixture_close();
}

static void a_copy_that_waits_for_a_lock_ends_with_its_deadline(void **state)
{
	check_copy_behind_a_lock(false);
	check_copy_behind_a_lock(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_loss_behind_the_answer_changes_nothing),
		cmocka_unit_test(a_statement_that_was_refused_is_not_in_doubt),
		cmocka_unit_test(a_stream_that_was_refused_is_not_in_doubt),
		cmocka_unit_test(a_transaction_batch_is_in_doubt_until_its_commit_is_answered),
		cmocka_unit_test(what_stands_behind_the_end_of_a_transaction_may_be_in_doubt),
		cmocka_unit_test(a_transaction_is_in_doubt_until_its_commit_is_answered),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(a_commit_that_was_not_sent_is_not_in_doubt),
#endif
		cmocka_unit_test(an_answer_that_is_too_large_is_no_conflict),
		cmocka_unit_test(a_commit_that_rolled_back_is_a_failure_however_it_is_written),
		cmocka_unit_test(a_commit_whose_answer_is_lost_is_in_doubt_however_it_is_written),
		cmocka_unit_test(what_has_committed_is_not_repeated),
		cmocka_unit_test(a_statement_that_was_lost_is_prepared_once),
		cmocka_unit_test(a_copy_that_waits_for_a_lock_ends_with_its_deadline),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
