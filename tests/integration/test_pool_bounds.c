/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/clock.h"
#include "base/memory.h"
#include "cancel_proxy.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

#define MIB ((long)1024)

/* A sanitizer's memory is no measure. */
#if defined(__has_feature)
#define SANITIZED (__has_feature(address_sanitizer) || __has_feature(thread_sanitizer))
#elif defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

/* libpq needs three times as much for it; a sanitizer keeps that for a while. */
#define ONE_VALUE_BYTES (SANITIZED ? 100000000 : 400000000)
#define ONE_VALUE (SANITIZED ? "select repeat('x', 100000000)" : "select repeat('x', 400000000)")

static const char *const one_mib[] = {"max", "1", "result_bytes", "1048576", NULL};

/* ---- answers ------------------------------------------------------------------------------------------------- */

static void check_too_large(const shipopt_error *error, const char *bound, const char *sqlstate)
{
	assert_non_null(error);
	if (shipopt_error_code(error) != SHIPOPT_ETOOLARGE)
		print_error("%s\n", shipopt_error_message(error));
	assert_int_equal(shipopt_error_code(error), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(error), bound));
	if (sqlstate)
		assert_string_equal(shipopt_error_sqlstate(error), sqlstate);
}

static void check_a_large_answer(const char *conninfo)
{
	fixture_open(conninfo, one_mib);
	for (int i = 0; i < 5; i++) {
		shipopt_op *op = run_query(NULL, "select repeat('x', 1000), i from generate_series(1, 1000000) i");
		assert_int_equal(shipopt_op_status(op), SHIPOPT_ETOOLARGE);
		check_too_large(shipopt_op_error(op), "1048576", "57014");
		assert_null(shipopt_op_rows(op));
		shipopt_op_unref(op);
		assert_int_equal(run_number(NULL, "select 7"), 7);
	}
	assert_true(fixture_has_said("larger than result_bytes 1048576"));
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void an_answer_beyond_the_bound_is_canceled_and_its_connection_lives(void **state)
{
	check_a_large_answer(NULL);
}

static void the_bound_holds_over_tcp_and_tls(void **state)
{
	char conninfo[512];
	snprintf(conninfo, sizeof(conninfo), "%s password=secret-word sslmode=disable", fixture.postgres.tcp);
	check_a_large_answer(conninfo);
	snprintf(conninfo, sizeof(conninfo), "%s password=secret-word sslmode=require", fixture.postgres.tcp);
	check_a_large_answer(conninfo);
}

static void an_answer_below_the_bound_comes_whole(void **state)
{
	fixture_open(NULL, one_mib);
	for (int i = 0; i < 10; i++) { /* it is counted for each command anew */
		shipopt_op *op = run_query(NULL, "select repeat('x', 1000), i from generate_series(1, 490) i");
		assert_int_equal(shipopt_op_status(op), 0);
		assert_int_equal(shipopt_rows_count(shipopt_op_rows(op)), 490);
		shipopt_op_unref(op);
	}
	fixture_close();
	static const char *const without[] = {"result_bytes", "0", NULL};
	fixture_open(NULL, without);
	shipopt_op *op = run_query(NULL, "select repeat('x', 1000), i from generate_series(1, 80000) i");
	assert_int_equal(shipopt_op_status(op), 0);
	shipopt_op_unref(op);
	fixture_close();
}

/* VmHWM, in KiB; the mark is set back when the kernel allows it. */
static long resident_most(bool resets)
{
	char line[256];
	long kib = -1;
	FILE *file = resets ? fopen("/proc/self/clear_refs", "w") : NULL;
	if (file) {
		fputs("5", file);
		fclose(file);
	}
	file = fopen("/proc/self/status", "r");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "VmHWM: %ld", &kib);
	if (file)
		fclose(file);
	return kib;
}

static void a_gigabyte_never_gets_into_memory(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	run_number(NULL, "select 1");
	long before = resident_most(true);
	int64_t begun = clock_now_ms();
	shipopt_op *op = run_query(NULL, "select repeat('x', 1000), i from generate_series(1, 1000000) i");
	long rows = resident_most(false) - before;
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ETOOLARGE);
	check_too_large(shipopt_op_error(op), "67108864", "57014");
	printf("a gigabyte: %s; resident memory grew by %ld MiB, %lld ms\n",
		shipopt_error_message(shipopt_op_error(op)), rows / MIB, (long long)(clock_now_ms() - begun));
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select 1"), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	/* One value: the server cannot be stopped in the middle of it, and libpq reads on while it keeps up. The
	 * connection goes. */
	before = resident_most(true);
	shipopt_query *query = make_query(ONE_VALUE);
	shipopt_query_set_read_only(query, 1);
	op = run_given(NULL, query);
	long value = resident_most(false) - before;
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ETOOLARGE);
	check_too_large(shipopt_op_error(op), "67108864", NULL);
	printf("one value: %s; resident memory grew by %ld MiB\n", shipopt_error_message(shipopt_op_error(op)),
		value / MIB);
	shipopt_op_unref(op);
	shipopt_query_set_read_only(query, 0);
	op = run_given(NULL, query);
	/* Unless all of it was read at once: then the server's last word came too, and it is told; or nothing is left
	 * to be bounded, as libpq's buffer is as large as the value before, and it is there whole. */
	const char *told = shipopt_error_message(shipopt_op_error(op));
	if (shipopt_op_status(op) == SHIPOPT_ETOOLARGE)
		assert_true(strstr(told, "had finished the statement") || strstr(told, "canceled the statement"));
	else if (shipopt_op_status(op) == 0)
		assert_int_equal(strlen(shipopt_rows_text(shipopt_op_rows(op), 0, 0)), ONE_VALUE_BYTES);
	else
		assert_int_equal(shipopt_op_status(op), SHIPOPT_EINDOUBT);
	if (shipopt_op_status(op) != 0)
		assert_non_null(strstr(told, "result_bytes 67108864"));
	shipopt_op_unref(op);
	shipopt_query_free(query);
	assert_int_equal(run_number(NULL, "select 1"), 1);
	if (!SANITIZED)
		assert_true(rows < (64 + 12) * MIB);
	fixture_close();
}

static void what_a_statement_did_is_told_with_its_answer_lost(void **state)
{
	fixture_open(NULL, one_mib);
	run_number(NULL, "create table large (id int, note text)");
	/* The server sends what was inserted in one go, whoever cancels: it is read to the end where that is near. */
	shipopt_op *op = run_query(NULL,
		"insert into large select i, repeat('x', 1000) from generate_series(1, 8000) i returning *");
	check_too_large(shipopt_op_error(op), "1048576", NULL);
	bool is_canceled = shipopt_error_sqlstate(shipopt_op_error(op)) != NULL;
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from large"), is_canceled ? 0 : 8000);
	/* In a transaction nothing is in doubt. */
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	op = run_query(lease, "select repeat('x', 1000) from generate_series(1, 300000)");
	check_too_large(shipopt_op_error(op), "1048576", "57014");
	shipopt_op_unref(op);
	op = run_query(lease, "select 1");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ESTATE); /* the transaction has failed */
	shipopt_op_unref(op);
	run_number(lease, "rollback");
	assert_int_equal(run_number(lease, "select 8"), 8);
	shipopt_lease_release(lease);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	run_number(NULL, "truncate large");
	op = run_query(NULL,
		"insert into large select i, repeat('x', 1000) from generate_series(1, 100000) i returning *");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EINDOUBT);
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "result_bytes 1048576"));
	shipopt_op_unref(op);
	run_number(NULL, "drop table large"); /* waits for that backend's end */
	fixture_close();
}

static shipopt_batch *make_batch(const char *const *sql, size_t count, bool in_groups)
{
	shipopt_batch *batch;
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (size_t i = 0; i < count; i++) {
		shipopt_query *query = make_query(sql[i]);
		assert_int_equal(shipopt_batch_add(batch, query), 0);
		shipopt_query_free(query);
		if (in_groups)
			shipopt_batch_end_group(batch);
	}
	return batch;
}

static const char *const neighbours[] = {"insert into kept values (1)",
	"select repeat('x', 1000) from generate_series(1, 300000)", "insert into kept values (2)", "select 5",
	"insert into kept values (4)"};

static void neighbours_in_the_pipeline_have_outcomes_of_their_own(void **state)
{
	shipopt_op *op;
	fixture_open(NULL, one_mib);
	run_number(NULL, "create table kept (id int)");
	shipopt_batch *batch = make_batch(neighbours, 5, true);
	for (int i = 0; i < 10; i++) {
		run_number(NULL, "truncate kept");
		assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETOOLARGE);
		assert_int_equal(shipopt_op_statement_status(op, 0), 0);
		check_too_large(shipopt_op_statement_error(op, 1), "1048576", NULL);
		int64_t sum = 1;
		for (size_t j = 2; j < 5; j += 2) {
			int status = shipopt_op_statement_status(op, j);
			assert_true(status == 0 || status == SHIPOPT_ECANCELED);
			sum += status == 0 ? (int64_t)j : 0;
		}
		assert_int_equal(run_number(NULL, "select sum(id) from kept"), sum);
		shipopt_op_unref(op);
	}
	shipopt_batch_free(batch);
	/* One group: all or nothing. What was not sent yet is canceled. */
	batch = make_batch(neighbours, 5, false);
	run_number(NULL, "truncate kept");
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETOOLARGE);
	bool is_canceled = shipopt_error_sqlstate(shipopt_op_statement_error(op, 1)) != NULL;
	assert_int_equal(shipopt_op_statement_status(op, 4), is_canceled ? SHIPOPT_ECANCELED : 0);
	shipopt_op_unref(op);
	assert_int_equal(run_number(NULL, "select count(*) from kept"), is_canceled ? 0 : 3);
	shipopt_batch_free(batch);
	run_number(NULL, "drop table kept");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

static void what_was_not_sent_yet_is_not_sent(void **state)
{
	static const char *const settings[] = {"max", "1", "result_bytes", "1048576", "pipeline_statements", "2", NULL};
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table kept (id int)");
	for (int in_groups = 0; in_groups < 2; in_groups++) {
		shipopt_batch *batch = make_batch(neighbours, 5, in_groups);
		assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
		assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETOOLARGE);
		assert_int_equal(shipopt_op_statement_status(op, 4), SHIPOPT_ECANCELED);
		shipopt_op_unref(op);
		shipopt_batch_free(batch);
	}
	shipopt_batch *batch = make_batch(neighbours, 5, false);
	shipopt_batch_set_transaction(batch, 0, 3);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_ETOOLARGE);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	assert_int_equal(run_number(NULL, "select count(*) from kept where id = 4"), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_RETRIES), 0);
	run_number(NULL, "drop table kept");
	fixture_close();
}

/* ---- cancels ------------------------------------------------------------------------------------------------- */

static void a_server_that_swallows_cancels_holds_up_nobody(void **state)
{
	enum { CALLS = 50 };
	static const char *const settings[] = {"max", "4", "cancel_grace_ms", "100", "statements_max", "0", NULL};
	struct cancel_proxy proxy;
	char conninfo[256];
	shipopt_op *ops[CALLS], *last;
	uint64_t live = mem_live_count();
	assert_int_equal(cancel_proxy_start(&proxy, fixture.postgres.port), 0);
	snprintf(conninfo, sizeof(conninfo),
		"host=127.0.0.1 port=%d user=scram password=secret-word dbname=postgres sslmode=disable", proxy.port);
	fixture_open(conninfo, settings);
	shipopt_query *query = make_query("select pg_sleep(120)");
	shipopt_query_set_timeout_ms(query, 20);
	shipopt_query_set_read_only(query, 1);
	int64_t begun = clock_now_ms();
	for (int i = 0; i < CALLS; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	for (int i = 0; i < CALLS; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), SHIPOPT_ETIMEDOUT);
		assert_non_null(strstr(shipopt_error_message(shipopt_op_error(ops[i])), "cancel_grace_ms"));
		shipopt_op_unref(ops[i]);
	}
	int64_t took = clock_now_ms() - begun;
	assert_int_equal(run_number(NULL, "select 12"), 12);
	printf("swallowed cancels: %d calls timed out in %lld ms, %d requests swallowed\n", CALLS, (long long)took,
		atomic_load(&proxy.swallowed));
	assert_in_range(atomic_load(&proxy.swallowed), 1, 16);
	assert_in_range(stat_of(SHIPOPT_POOL_STAT_TOTAL), 1, 4);
	/* The close cancels what runs, and waits for its grace only. */
	shipopt_query_set_timeout_ms(query, 0);
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &last), 0);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_LEASED, 1));
	shipopt_query_free(query);
	shipopt_pool_free(fixture.pool);
	begun = clock_now_ms();
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 50), SHIPOPT_ETIMEDOUT);
	took = clock_now_ms() - begun;
	printf("swallowed cancels: the runtime closed in %lld ms\n", (long long)took);
	assert_in_range(took, 0, 30000); /* not for the statement */
	assert_int_equal(shipopt_op_status(last), SHIPOPT_ENETWORK);
	shipopt_op_unref(last);
	shipopt_runtime_free(fixture.runtime);
	cancel_proxy_stop(&proxy);
	while (mem_live_count() != live) /* the threads that were stuck end now */
		poll(NULL, 0, 1);
	side_number(
		"select count(pg_terminate_backend(pid)) from pg_stat_activity where query like 'select pg_sleep%'");
}

int main(void)
{
#ifdef M_PERTURB
	mallopt(M_PERTURB,
		0); /* meson asks malloc() to write to all that it gives: memory that is only reserved would count */
#endif
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_beyond_the_bound_is_canceled_and_its_connection_lives),
		cmocka_unit_test(the_bound_holds_over_tcp_and_tls),
		cmocka_unit_test(an_answer_below_the_bound_comes_whole),
		cmocka_unit_test(a_gigabyte_never_gets_into_memory),
		cmocka_unit_test(what_a_statement_did_is_told_with_its_answer_lost),
		cmocka_unit_test(neighbours_in_the_pipeline_have_outcomes_of_their_own),
		cmocka_unit_test(what_was_not_sent_yet_is_not_sent),
		cmocka_unit_test(a_server_that_swallows_cancels_holds_up_nobody),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
