/* SPDX-License-Identifier: MIT */
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

#define OTHERS "from pg_stat_activity where pid <> pg_backend_pid() and backend_type = 'client backend'"

static void kill_backends(void)
{
	side_number("select count(pg_terminate_backend(pid)) " OTHERS);
}

static void wait_active(const char *what)
{
	char sql[256];
	snprintf(sql, sizeof(sql), "select count(*) " OTHERS " and state = 'active' and query like '%s'", what);
	while (side_number(sql) < 1)
		poll(NULL, 0, 1);
}

static void check_pool_is_whole(void)
{
	assert_int_equal(run_number(NULL, "select 11"), 11);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	assert_true(wait_stat(SHIPOPT_POOL_STAT_CONNECTING, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_WAITING), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_TOTAL), stat_of(SHIPOPT_POOL_STAT_IDLE));
}

/* ---- killed backends ----------------------------------------------------------------------------------------- */

static void an_idle_connection_that_dies_is_gone_before_anybody_asks(void **state)
{
	fixture_open(NULL, NULL);
	assert_int_equal(run_number(NULL, "select 1"), 1);
	kill_backends();
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 1);
	assert_true(fixture_has_said("terminating connection due to administrator command"));
	check_pool_is_whole();
	fixture_close();
}

/* A program of the host's own keeps a copy of every socket: the descriptor that libpq closes is not the last one. */
static void a_connection_that_dies_is_gone_although_a_child_holds_its_socket(void **state)
{
	fixture_open(NULL, NULL);
	shipopt_lease *lease = acquire();
	assert_int_equal(run_number(NULL, "select 1"), 1);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0)
		for (;;)
			pause();
	kill_backends();
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 2);
	shipopt_lease_release(lease);
	for (int i = 0; i < 100; i++)
		assert_int_equal(run_number(NULL, "select 2"), 2);
	check_pool_is_whole();
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 3);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_int_equal(waitpid(child, NULL, 0), child);
	fixture_close();
}

static void a_leased_connection_that_dies_fails_its_commands_and_frees_its_place(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	assert_true(shipopt_lease_backend_pid(lease) > 0);
	kill_backends();
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0));
	assert_int_equal(shipopt_lease_backend_pid(lease), 0);
	assert_int_equal(run_number(NULL, "select 2"), 2); /* although the lease is still held */
	shipopt_op *op = run_query(lease, "select 1");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ENETWORK);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	check_pool_is_whole();
	fixture_close();
}

static int kill_during(shipopt_lease *lease, int is_read_only)
{
	shipopt_op *op;
	shipopt_query *query = make_query("select pg_sleep(30)");
	shipopt_query_set_read_only(query, is_read_only);
	assert_int_equal(lease ? shipopt_lease_query(lease, query, NULL, NULL, &op)
			       : shipopt_pool_query(fixture.pool, query, NULL, NULL, &op),
		0);
	wait_active("select pg_sleep%");
	kill_backends();
	int status = shipopt_op_wait(op, -1);
	shipopt_op_unref(op);
	shipopt_query_free(query);
	return status;
}

static void a_connection_lost_during_a_query_tells_what_is_in_doubt(void **state)
{
	fixture_open(NULL, NULL);
	assert_int_equal(kill_during(NULL, 0), SHIPOPT_EINDOUBT);
	assert_int_equal(kill_during(NULL, 1), SHIPOPT_ENETWORK);
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	assert_int_equal(kill_during(lease, 0), SHIPOPT_ENETWORK);
	shipopt_lease_release(lease);
	check_pool_is_whole();
	fixture_close();
}

static void a_commit_whose_answer_is_lost_is_in_doubt(void **state)
{
	shipopt_op *op;
	fixture_open(NULL, NULL);
	run_number(NULL, "create table doubted (id int)");
	run_number(NULL,
		"create function slow_commit() returns trigger language plpgsql as "
		"$$ begin perform pg_sleep(30); return null; end $$");
	run_number(NULL,
		"create constraint trigger slow after insert on doubted deferrable initially deferred "
		"for each row execute function slow_commit()");
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	run_number(lease, "insert into doubted values (1)");
	assert_int_equal(shipopt_lease_commit(lease, NULL, NULL, &op), 0);
	wait_active("COMMIT");
	kill_backends();
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EINDOUBT);
	shipopt_op_unref(op);
	shipopt_lease_release(lease);
	run_number(NULL, "drop table doubted");
	run_number(NULL, "drop function slow_commit");
	check_pool_is_whole();
	fixture_close();
}

static void a_restart_under_load_loses_nobody(void **state)
{
	enum { CALLS = 400, CONNECTIONS = 4 };
	static const char *const settings[] = {"max", "4", "backoff_max_ms", "200", NULL};
	static shipopt_op *ops[CALLS];
	int good = 0, lost = 0;
	fixture_open(NULL, settings);
	/* Every call stops at a lock that the restart frees, so that each connection has one in flight. */
	PGconn *holder = PQconnectdb(fixture.postgres.conninfo);
	PQclear(PQexec(holder, "select pg_advisory_lock(1)"));
	shipopt_query *query = make_query("select pg_advisory_xact_lock_shared(1)");
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	while (side_number("select count(*) from pg_locks where locktype = 'advisory' and not granted") != CONNECTIONS)
		poll(NULL, 0, 1);
	assert_int_equal(postgres_restart(&fixture.postgres), 0);
	PQfinish(holder);
	for (int i = 0; i < CALLS; i++) {
		int status = shipopt_op_wait(ops[i], -1);
		good += status == 0;
		lost += status == SHIPOPT_EINDOUBT || status == SHIPOPT_ENETWORK;
		shipopt_op_unref(ops[i]);
	}
	printf("restart: %d answered, %d lost in flight\n", good, lost);
	assert_int_equal(good + lost, CALLS);
	assert_int_equal(lost, CONNECTIONS);
	shipopt_query_free(query);
	check_pool_is_whole();
	fixture_close();
}

/* ---- servers that misbehave ---------------------------------------------------------------------------------- */

struct mute {
	int fd, port;
	bool says_tls; /* agrees to TLS, and then nothing */
	pthread_t thread;
};

static void *mute_main(void *argument)
{
	struct mute *mute = argument;
	int taken[64], count = 0, fd;
	while (count < 64 && (fd = accept(mute->fd, NULL, NULL)) >= 0) {
		char request[8];
		if (mute->says_tls && recv(fd, request, sizeof(request), MSG_WAITALL) == 8 && send(fd, "S", 1, 0) != 1)
			print_error("the mute server cannot speak\n");
		taken[count++] = fd;
	}
	while (count)
		close(taken[--count]);
	return NULL;
}

static void mute_start(struct mute *mute, bool says_tls)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(address);
	mute->says_tls = says_tls;
	mute->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(mute->fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(mute->fd, 16), 0);
	assert_int_equal(getsockname(mute->fd, (struct sockaddr *)&address, &size), 0);
	mute->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&mute->thread, NULL, mute_main, mute), 0);
}

static void mute_stop(struct mute *mute)
{
	shutdown(mute->fd, SHUT_RDWR);
	pthread_join(mute->thread, NULL);
	close(mute->fd);
}

/* The message of an acquire that fails after a connect has failed; the caller frees the operation. */
static const char *failed_acquire(int status, shipopt_op **ret_op)
{
	while (stat_of(SHIPOPT_POOL_STAT_CONNECT_FAILURES) == 0)
		poll(NULL, 0, 1);
	assert_int_equal(shipopt_pool_acquire(fixture.pool, NULL, 0, NULL, NULL, ret_op), 0);
	assert_int_equal(shipopt_op_wait(*ret_op, -1), status);
	return shipopt_error_message(shipopt_op_error(*ret_op));
}

static void check_mute_server(bool says_tls)
{
	static const char *const settings[] = {"min", "1", "connect_timeout_ms", "150", "acquire_timeout_ms", "50",
		NULL};
	struct mute mute;
	char conninfo[128];
	shipopt_op *op;
	mute_start(&mute, says_tls);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=x dbname=x sslmode=%s", mute.port,
		says_tls ? "require" : "disable");
	fixture_open(conninfo, settings);
	assert_non_null(strstr(failed_acquire(SHIPOPT_ETIMEDOUT, &op), "did not answer within connect_timeout_ms 150"));
	shipopt_op_unref(op);
	fixture_close();
	mute_stop(&mute);
}

static void a_server_that_accepts_and_never_answers_is_given_up(void **state)
{
	check_mute_server(false);
}

static void a_stalled_tls_handshake_is_given_up(void **state)
{
	check_mute_server(true);
}

static void the_next_host_is_tried_when_one_does_not_answer(void **state)
{
	static const char *const settings[] = {"connect_timeout_ms", "1000", NULL};
	struct mute mute;
	char conninfo[256];
	mute_start(&mute, false);
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1,%s port=%d,%d user=postgres dbname=postgres target_session_attrs=read-write",
		fixture.postgres.folder, mute.port, fixture.postgres.port);
	fixture_open(conninfo, settings);
	int64_t begun = clock_now_ms();
	shipopt_op *op = run_query(NULL, "select 3");
	printf("second host: status %d after %lld ms\n", shipopt_op_status(op), (long long)(clock_now_ms() - begun));
	assert_int_equal(shipopt_op_status(op), 0);
	shipopt_op_unref(op);
	fixture_close();
	mute_stop(&mute);
}

static void a_close_does_not_wait_for_a_server_that_never_answers(void **state)
{
	static const char *const settings[] = {"min", "2", "connect_timeout_ms", "60000", NULL};
	struct mute mute;
	char conninfo[128];
	mute_start(&mute, false);
	snprintf(conninfo, sizeof(conninfo), "host=127.0.0.1 port=%d user=x dbname=x sslmode=disable", mute.port);
	fixture_open(conninfo, settings);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_CONNECTING, 2));
	int64_t begun = clock_now_ms();
	fixture_close();
	assert_true(clock_now_ms() - begun < 30000);
	mute_stop(&mute);
}

enum { LATE_LEASES = 48, LATE_THREADS = 4 };

static shipopt_lease *late_leases[LATE_LEASES];
static pthread_barrier_t late;

static void *release_late(void *argument)
{
	size_t first = (size_t)(uintptr_t)argument;
	pthread_barrier_wait(&late);
	for (size_t i = first; i < LATE_LEASES; i += LATE_THREADS)
		shipopt_lease_release(late_leases[i]);
	return NULL;
}

static void leases_end_on_many_threads_after_the_close(void **state)
{
	static const char *const settings[] = {"max", "48", "connects_max", "16", NULL};
	pthread_t threads[LATE_THREADS];
	fixture_open(NULL, settings);
	for (size_t i = 0; i < LATE_LEASES; i++)
		late_leases[i] = acquire();
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 10000), 0);
	assert_int_equal(pthread_barrier_init(&late, NULL, LATE_THREADS), 0);
	for (size_t i = 0; i < LATE_THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, release_late, (void *)(uintptr_t)i), 0);
	for (size_t i = 0; i < LATE_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&late);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_TOTAL), 0);
	fixture_close();
}

static void a_wrong_password_is_told_without_the_password(void **state)
{
	static const char *const settings[] = {"min", "1", "acquire_timeout_ms", "50", NULL};
	char conninfo[384];
	shipopt_op *op;
	snprintf(conninfo, sizeof(conninfo), "%s password=open-sesame-17", fixture.postgres.tcp);
	fixture_open(conninfo, settings);
	const char *message = failed_acquire(SHIPOPT_EAUTH, &op);
	assert_non_null(strstr(message, "password authentication failed"));
	assert_null(strstr(message, "open-sesame-17"));
	assert_false(fixture_has_said("open-sesame-17"));
	fixture_wait_said("connect failed");
	shipopt_op_unref(op);
	fixture_close();
}

static void a_bad_connection_string_is_refused_without_being_quoted(void **state)
{
	static const char *const strings[] = {"postgresql://me:hidden-word@[host",
		"host=x password=hidden-word nonsense", "pass word=hidden-word"};
	shipopt_pool_config *config;
	shipopt_pool *pool;
	fixture_open(NULL, NULL);
	for (size_t i = 0; i < 3; i++) {
		shipopt_error *error = NULL;
		assert_int_equal(shipopt_pool_config_new(&config), 0);
		assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, strings[i]), 0);
		assert_int_equal(shipopt_pool_new(fixture.runtime, config, &pool, &error), SHIPOPT_EPARSE);
		assert_null(strstr(shipopt_error_message(error), "hidden-word"));
		shipopt_error_unref(error);
		shipopt_pool_config_free(config);
	}
	fixture_close();
}

static void scram_and_tls_connect(void **state)
{
	char conninfo[512];
	snprintf(conninfo, sizeof(conninfo), "%s password=secret-word sslmode=verify-full sslrootcert=%s",
		fixture.postgres.tcp, fixture.postgres.certificates.ca);
	fixture_open(conninfo, NULL);
	assert_int_equal(run_number(NULL, "select ssl::int from pg_stat_ssl where pid = pg_backend_pid()"), 1);
	assert_int_equal(kill_during(NULL, 1), SHIPOPT_ENETWORK);
	check_pool_is_whole();
	fixture_close();
}

static void more_than_the_server_allows_is_waited_for(void **state)
{
	enum { CALLS = 300 };
	static const char *const settings[] = {"max", "100", "connects_max", "16", "backoff_max_ms", "100", NULL};
	static shipopt_op *ops[CALLS];
	fixture_open(NULL, settings);
	shipopt_query *query = make_query("select pg_sleep(0.2)");
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		shipopt_op_unref(ops[i]);
	}
	printf("too many connections: %lld connects refused, none of %d calls failed\n",
		(long long)stat_of(SHIPOPT_POOL_STAT_CONNECT_FAILURES), CALLS);
	shipopt_query_free(query);
	fixture_close();
}

/* ---- statements and sessions --------------------------------------------------------------------------------- */

static void ddl_under_cached_statements_is_survived(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	run_number(NULL, "create table changing (id int)");
	run_number(NULL, "insert into changing values (7)");
	assert_int_equal(run_number(NULL, "select * from changing"), 7);
	run_number(NULL, "alter table changing add column extra text");
	assert_int_equal(run_number(NULL, "select * from changing"), 7);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 1);
	assert_int_equal(run_number(NULL, "select * from changing"), 7);
	shipopt_lease *lease = acquire();
	run_number(lease, "do $$ begin execute 'deallocate all'; end $$"); /* which no tag tells */
	assert_int_equal(run_number(lease, "select * from changing"), 7);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 2);
	run_number(lease, "select * from changing");
	run_number(lease, "alter table changing add column more text");
	run_number(lease, "begin");
	shipopt_op *op = run_query(lease, "select * from changing"); /* in a transaction it is told */
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "0A000");
	shipopt_op_unref(op);
	run_number(lease, "rollback");
	assert_int_equal(run_number(lease, "select * from changing"), 7);
	shipopt_lease_release(lease);
	run_number(NULL, "drop table changing");
	check_pool_is_whole();
	fixture_close();
}

static void statements_beyond_the_cache_are_deallocated(void **state)
{
	static const char *const settings[] = {"max", "1", "statements_max", "4", NULL};
	char sql[64];
	fixture_open(NULL, settings);
	for (int i = 0; i < 50; i++) {
		snprintf(sql, sizeof(sql), "select %d", i % 12);
		assert_int_equal(run_number(NULL, sql), i % 12);
	}
	assert_in_range(run_number(NULL, "select count(*) from pg_prepared_statements"), 1, 6);
	fixture_close();
}

static void a_cache_of_500_statements_bears_1200(void **state)
{
	static const char *const settings[] = {"max", "1", "statements_max", "500", NULL};
	char sql[64];
	fixture_open(NULL, settings);
	for (int i = 0; i < 2400; i++) {
		snprintf(sql, sizeof(sql), "select %d", i % 1200);
		assert_int_equal(run_number(NULL, sql), i % 1200);
	}
	/* Those that wait to be deallocated are at most as many as go at once, and one that came with the last
	 * query. */
	assert_in_range(run_number(NULL, "select count(*) from pg_prepared_statements"), 500, 505);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), 2401);
	for (int i = 0; i < 400; i++) { /* the last ones are there */
		snprintf(sql, sizeof(sql), "select %d", 1199 - i);
		assert_int_equal(run_number(NULL, sql), 1199 - i);
	}
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), 2401);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void without_names_nothing_is_prepared(void **state)
{
	static const char *const settings[] = {"named_statements", "0", NULL};
	fixture_open(NULL, settings);
	for (int i = 0; i < 3; i++)
		assert_int_equal(run_number(NULL, "select count(*) from pg_prepared_statements"), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_PREPARES), 0);
	fixture_close();
}

static void a_read_only_primary_is_left(void **state)
{
	char conninfo[320];
	static const char *const settings[] = {"max", "2", "backoff_max_ms", "100", NULL};
	static const char *const impatient[] = {"min", "1", "acquire_timeout_ms", "50", NULL};
	snprintf(conninfo, sizeof(conninfo), "%s target_session_attrs=read-write", fixture.postgres.conninfo);
	side_number("create table written (id int)");
	fixture_open(conninfo, settings);
	run_number(NULL, "insert into written values (1)");
	side_number("alter system set default_transaction_read_only = on");
	side_number("select pg_reload_conf()::int");
	shipopt_op *op;
	for (;;) { /* until the reload has reached the backend */
		op = run_query(NULL, "insert into written values (2)");
		if (shipopt_op_status(op) != 0)
			break;
		shipopt_op_unref(op);
	}
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ESTATE);
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "25006");
	shipopt_op_unref(op);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0)); /* the next one is not given the same connection */
	shipopt_pool *patient = fixture.pool;
	fixture.pool = fixture_pool(conninfo, impatient);
	assert_non_null(strstr(failed_acquire(SHIPOPT_ETIMEDOUT, &op), "the last connect failed"));
	shipopt_op_unref(op);
	shipopt_pool_free(fixture.pool);
	fixture.pool = patient;
	/* Who waits meanwhile is served when there is a primary again. */
	shipopt_query *query = make_query("insert into written values (3)");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	shipopt_query_free(query);
	while (stat_of(SHIPOPT_POOL_STAT_CONNECT_FAILURES) == 0)
		poll(NULL, 0, 1);
	side_number("alter system reset default_transaction_read_only");
	side_number("select pg_reload_conf()::int");
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	while (side_number("select (current_setting('default_transaction_read_only') = 'off')::int") != 1)
		poll(NULL, 0, 1);
	side_number("drop table written");
	fixture_close();
}

static void a_changed_session_is_cleaned_and_an_unchanged_one_is_not(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	run_number(lease, "select 1");
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RESETS), 0);
	lease = acquire();
	run_number(lease, "set statement_timeout = 12345");
	run_number(lease, "create temp table mine (id int)");
	run_number(lease, "select pg_advisory_lock(99)");
	shipopt_lease_release(lease);
	assert_int_equal(run_number(NULL, "select (current_setting('statement_timeout') = '12345ms')::int"), 0);
	assert_int_equal(run_number(NULL, "select count(*) from pg_class where relname = 'mine'"), 0);
	assert_int_equal(run_number(NULL, "select count(*) from pg_locks where locktype = 'advisory'"), 0);
	assert_true(stat_of(SHIPOPT_POOL_STAT_RESETS) >= 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

/* ---- waiting ------------------------------------------------------------------------------------------------- */

static void an_owner_who_would_wait_for_himself_is_told(void **state)
{
	static const char *const settings[] = {"max", "2", NULL};
	shipopt_op *first, *second, *third;
	fixture_open(NULL, settings);
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "a", 1, NULL, NULL, &first), 0);
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "b", 2, NULL, NULL, &second), 0);
	assert_int_equal(shipopt_op_wait(first, -1), 0);
	assert_int_equal(shipopt_op_wait(second, -1), 0);
	shipopt_lease *a = shipopt_op_take_lease(first), *b = shipopt_op_take_lease(second);
	assert_null(shipopt_op_take_lease(first));
	shipopt_op_unref(first);
	shipopt_op_unref(second);
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "a2", 1, NULL, NULL, &first),
		0); /* b may still give his back */
	assert_true(wait_stat(SHIPOPT_POOL_STAT_WAITING, 1));
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "b2", 2, NULL, NULL, &third), 0);
	assert_int_equal(shipopt_op_wait(third, -1), SHIPOPT_EDEADLK);
	shipopt_op_unref(third);
	shipopt_lease_release(b);
	assert_int_equal(shipopt_op_wait(first, -1), 0);
	shipopt_op_unref(first);
	shipopt_lease_release(a);
	fixture_close();
}

static void a_hundred_clients_at_once_open_no_more_than_max(void **state)
{
	enum { CLIENTS = 100 };
	static const char *const settings[] = {"max", "5", NULL};
	static shipopt_op *ops[CLIENTS];
	fixture_open(NULL, settings);
	shipopt_query *query =
		make_query("select count(*) from pg_stat_activity where application_name = 'libshipopt'");
	for (int i = 0; i < CLIENTS; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	for (int i = 0; i < CLIENTS; i++) {
		int64_t count = 0;
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		assert_int_equal(shipopt_rows_int(shipopt_op_rows(ops[i]), 0, 0, &count), 1);
		assert_in_range(count, 1, 5);
		shipopt_op_unref(ops[i]);
	}
	assert_in_range(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1, 5);
	shipopt_query_free(query);
	fixture_close();
}

static void old_and_idle_connections_are_replaced_and_leaks_reported(void **state)
{
	static const char *const settings[] = {"min", "1", "max", "3", "lifetime_ms", "150", "leak_ms", "20", NULL};
	fixture_open(NULL, settings);
	shipopt_lease *lease = acquire();
	while (stat_of(SHIPOPT_POOL_STAT_LEAKS) == 0)
		poll(NULL, 0, 1);
	fixture_wait_said("a lease has been held for");
	assert_true(fixture_has_said("\"test\""));
	shipopt_lease_release(lease);
	while (stat_of(SHIPOPT_POOL_STAT_LIFETIME_CLOSED) < 3)
		poll(NULL, 0, 1);
	check_pool_is_whole();
	fixture_close();
	static const char *const idle[] = {"max", "3", "idle_timeout_ms", "60", NULL};
	fixture_open(NULL, idle);
	run_number(NULL, "select 1");
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_IDLE_CLOSED), 1);
	fixture_close();
}

static void a_pre_ping_goes_before_every_use(void **state)
{
	static const char *const settings[] = {"max", "1", "pre_ping", "1", "poll_acquire", "1", NULL};
	fixture_open(NULL, settings);
	for (int i = 0; i < 5; i++)
		assert_int_equal(run_number(NULL, "select 4"), 4);
	assert_in_range(stat_of(SHIPOPT_POOL_STAT_PINGS), 4, 6);
	fixture_close();
}

static void a_transaction_batch_is_repeated_after_a_serialization_failure(void **state)
{
	fixture_open(NULL, NULL);
	run_number(NULL, "create sequence tries");
	run_number(NULL, "create table counted (id int)");
	shipopt_batch *batch;
	shipopt_op *op;
	static const char *const sql[] = {"insert into counted values (1)",
		"do $$ begin if nextval('tries') < 3 then raise exception 'again' using errcode = '40001'; end if; end $$",
		"select 9"};
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (size_t i = 0; i < 3; i++) {
		shipopt_query *query = make_query(sql[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
	}
	assert_int_equal(shipopt_batch_set_transaction(batch, SHIPOPT_TRANSACTION_SERIALIZABLE, 5), 0);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_int_equal(shipopt_op_statement_count(op), 3);
	assert_string_equal(shipopt_rows_text(shipopt_op_statement_rows(op, 2), 0, 0), "9");
	shipopt_op_unref(op);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 2);
	assert_int_equal(run_number(NULL, "select count(*) from counted"), 1);
	assert_int_equal(shipopt_batch_set_transaction(batch, 0, 1), 0);
	run_number(NULL, "alter sequence tries restart");
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EBUSY);
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from counted"), 1);
	shipopt_batch_free(batch);
	run_number(NULL, "drop table counted");
	run_number(NULL, "drop sequence tries");
	check_pool_is_whole();
	fixture_close();
}

/* ---- cancels ------------------------------------------------------------------------------------------------- */

/* Every second call is canceled at a random moment; the others must come back with their own number. */
static void a_failure_of_the_commit_itself_is_told(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	static const char *const sql[] = {"insert into child values (2)", "select 4", "insert into child values (1)"};
	shipopt_batch *batch;
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table parent (id int primary key)");
	run_number(NULL, "create table child (id int references parent deferrable initially deferred)");
	run_number(NULL, "insert into parent values (1)");
	op = run_query(NULL, sql[0]); /* the statement is good, its commit is not */
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ECONFLICT);
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "23503");
	shipopt_op_unref(op);
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (size_t i = 0; i < 3; i++) {
		shipopt_query *query = make_query(sql[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
		if (i == 1)
			shipopt_batch_end_group(batch);
	}
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ECONFLICT);
	assert_int_equal(shipopt_op_statement_status(op, 1),
		SHIPOPT_ECONFLICT); /* the last of its group stands for the commit */
	assert_int_equal(shipopt_op_statement_status(op, 0), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_op_statement_status(op, 2), 0);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	assert_int_equal(run_number(NULL, "select sum(id) from child"), 1);
	run_number(NULL, "drop table child");
	run_number(NULL, "drop table parent");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	check_pool_is_whole();
	fixture_close();
}

static void cancels_never_hit_a_neighbour(void **state)
{
	enum { AT_ONCE = 40 };
	static const char *const settings[] = {"max", "4", NULL};
	const char *wanted = getenv("SHIPOPT_CANCELS");
	int total = wanted ? atoi(wanted) : 10000, canceled = 0, done = 0;
	int64_t sum = 0, expected = 0;
	shipopt_op *ops[AT_ONCE];
	struct random random;
	random_init(&random, 4711);
	fixture_open(NULL, settings);
	shipopt_query *victim = make_query("select pg_sleep(0.003)"),
		      *neighbour = make_query("select $1 + length(pg_sleep(0.0005)::text)");
	for (int i = 0; i < total; i += AT_ONCE / 2) {
		for (int j = 0; j < AT_ONCE; j++) {
			shipopt_query_clear(neighbour);
			shipopt_query_bind_int(neighbour, i + j);
			expected += j % 2 ? i + j : 0;
			assert_int_equal(shipopt_pool_query(fixture.pool, j % 2 ? neighbour : victim, NULL, NULL,
						 &ops[j]),
				0);
		}
		for (int j = 0; j < AT_ONCE; j += 2) {
			if (random_below(&random, 3) == 0)
				poll(NULL, 0, 1);
			shipopt_op_cancel(ops[j]);
		}
		for (int j = 0; j < AT_ONCE; j++) {
			int64_t number = 0;
			int status = shipopt_op_wait(ops[j], -1);
			assert_true(status == 0 || (j % 2 == 0 && status == SHIPOPT_ECANCELED));
			canceled += status == SHIPOPT_ECANCELED;
			done += status == 0 && j % 2 == 0;
			if (j % 2 && shipopt_rows_int(shipopt_op_rows(ops[j]), 0, 0, &number) == 1)
				sum += number;
			shipopt_op_unref(ops[j]);
		}
	}
	printf("cancels: %d asked, %d took effect, %d came too late, %lld requests to the server; checksum %lld of %lld\n",
		total, canceled, done, (long long)stat_of(SHIPOPT_POOL_STAT_CANCELS), (long long)sum,
		(long long)expected);
	assert_true(sum == expected);
	assert_int_equal(canceled + done, total);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	shipopt_query_free(victim);
	shipopt_query_free(neighbour);
	check_pool_is_whole();
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_idle_connection_that_dies_is_gone_before_anybody_asks),
		cmocka_unit_test(a_connection_that_dies_is_gone_although_a_child_holds_its_socket),
		cmocka_unit_test(a_leased_connection_that_dies_fails_its_commands_and_frees_its_place),
		cmocka_unit_test(a_connection_lost_during_a_query_tells_what_is_in_doubt),
		cmocka_unit_test(a_commit_whose_answer_is_lost_is_in_doubt),
		cmocka_unit_test(a_restart_under_load_loses_nobody),
		cmocka_unit_test(a_server_that_accepts_and_never_answers_is_given_up),
		cmocka_unit_test(a_stalled_tls_handshake_is_given_up),
		cmocka_unit_test(the_next_host_is_tried_when_one_does_not_answer),
		cmocka_unit_test(a_close_does_not_wait_for_a_server_that_never_answers),
		cmocka_unit_test(leases_end_on_many_threads_after_the_close),
		cmocka_unit_test(a_wrong_password_is_told_without_the_password),
		cmocka_unit_test(a_bad_connection_string_is_refused_without_being_quoted),
		cmocka_unit_test(scram_and_tls_connect),
		cmocka_unit_test(more_than_the_server_allows_is_waited_for),
		cmocka_unit_test(ddl_under_cached_statements_is_survived),
		cmocka_unit_test(statements_beyond_the_cache_are_deallocated),
		cmocka_unit_test(a_cache_of_500_statements_bears_1200),
		cmocka_unit_test(without_names_nothing_is_prepared),
		cmocka_unit_test(a_read_only_primary_is_left),
		cmocka_unit_test(a_changed_session_is_cleaned_and_an_unchanged_one_is_not),
		cmocka_unit_test(an_owner_who_would_wait_for_himself_is_told),
		cmocka_unit_test(a_hundred_clients_at_once_open_no_more_than_max),
		cmocka_unit_test(old_and_idle_connections_are_replaced_and_leaks_reported),
		cmocka_unit_test(a_pre_ping_goes_before_every_use),
		cmocka_unit_test(a_transaction_batch_is_repeated_after_a_serialization_failure),
		cmocka_unit_test(a_failure_of_the_commit_itself_is_told),
		cmocka_unit_test(cancels_never_hit_a_neighbour),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
