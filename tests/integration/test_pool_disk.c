/* SPDX-License-Identifier: MIT */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmocka_test.h"
#include "pool_fixture.h"

/* The server runs with tests/disk_full.c in it: its disk is full while a file of ours exists. */
#define FILL "insert into filled select i, repeat('x', 1000) from generate_series(1, 2000) i"

static char flag[64], wal_flag[72];

static void make_file(const char *path)
{
	int fd = open(path, O_CREAT | O_WRONLY, 0644);
	assert_true(fd >= 0);
	close(fd);
}

static void fill_disk(bool with_wal)
{
	if (with_wal)
		make_file(wal_flag);
	make_file(flag);
}

static void free_disk(void)
{
	unlink(flag);
	unlink(wal_flag);
}

static void check_full(shipopt_op *op)
{
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EDATABASE);
	assert_string_equal(shipopt_error_sqlstate(shipopt_op_error(op)), "53100");
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "No space left on device"));
	shipopt_op_unref(op);
}

static void a_full_disk_is_told_and_the_connection_stays(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	fixture_open(NULL, settings);
	run_number(NULL, "create table filled (id int, note text)");
	run_number(NULL, "insert into filled values (0, 'before')");
	run_number(NULL, "checkpoint");
	fill_disk(false);
	check_full(run_query(NULL, FILL));
	assert_int_equal(run_number(NULL, "select count(*) from filled"), 1); /* reading goes on */
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	run_number(lease, "savepoint here");
	check_full(run_query(lease, FILL));
	shipopt_op *op = run_query(lease, "select 1");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_ESTATE);
	shipopt_op_unref(op);
	run_number(lease, "rollback to here");
	assert_int_equal(run_number(lease, "select count(*) from filled"), 1);
	free_disk(); /* in the middle of the transaction */
	run_number(lease, FILL);
	run_number(lease, "commit");
	shipopt_lease_release(lease);
	assert_int_equal(run_number(NULL, "select count(*) from filled"), 2001);
	run_number(NULL, "drop table filled");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_LOST), 0);
	fixture_close();
}

static void a_batch_or_copy_that_fills_the_disk_writes_nothing(void **state)
{
	static const char *const settings[] = {"max", "1", NULL};
	static const char *const sql[] = {"insert into filled values (1, 'x')", FILL, "select 1"};
	char line[1100];
	shipopt_batch *batch;
	shipopt_copy *copy;
	shipopt_op *op;
	fixture_open(NULL, settings);
	run_number(NULL, "create table filled (id int, note text)");
	assert_int_equal(shipopt_batch_new(&batch), 0);
	for (size_t i = 0; i < 3; i++) {
		shipopt_query *query = make_query(sql[i]);
		shipopt_batch_add(batch, query);
		shipopt_query_free(query);
	}
	fill_disk(false);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	shipopt_op_wait(op, -1);
	/* A table without a page cannot even take the first row. */
	assert_int_equal(shipopt_op_statement_status(op, 0), SHIPOPT_EDATABASE);
	assert_int_equal(shipopt_op_statement_status(op, 1), SHIPOPT_ECANCELED);
	assert_int_equal(shipopt_op_statement_status(op, 2), SHIPOPT_ECANCELED);
	check_full(op);
	shipopt_lease *lease = acquire();
	assert_int_equal(shipopt_lease_copy_in(lease, "copy filled from stdin", &copy, NULL, NULL, &op), 0);
	memset(line, 'y', sizeof(line));
	memcpy(line, "7\t", 2);
	line[sizeof(line) - 1] = '\n';
	for (int i = 0; i < 2000; i++) /* the server reads on after its error, which libpq tells at the end */
		assert_int_equal(shipopt_copy_write(copy, line, sizeof(line), -1), 0);
	assert_int_equal(shipopt_copy_finish(copy), 0);
	shipopt_op_wait(op, -1);
	check_full(op);
	shipopt_copy_free(copy);
	free_disk();
	assert_int_equal(run_number(lease, "select count(*) from filled"), 0);
	shipopt_lease_release(lease);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	run_number(NULL, "drop table filled");
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	fixture_close();
}

/* The log of changes cannot be written: the server gives up as a whole, and stays down until there is room. */
static void a_server_that_stops_on_a_full_disk_leaves_the_commit_in_doubt(void **state)
{
	static const char *const settings[] = {"max", "2", "backoff_max_ms", "100", NULL};
	shipopt_op *op, *in_transaction;
	fixture_open(NULL, settings);
	run_number(NULL, "create table filled (id int, note text)");
	shipopt_lease *lease = acquire();
	run_number(lease, "begin");
	run_number(lease, "insert into filled values (1, 'in a transaction')");
	shipopt_query *query = make_query("select pg_sleep(60)");
	assert_int_equal(shipopt_lease_query(lease, query, NULL, NULL, &in_transaction), 0);
	shipopt_query_free(query);
	fill_disk(true);
	op = run_query(NULL, "insert into filled values (2, 'by itself')");
	assert_int_equal(shipopt_op_status(op), SHIPOPT_EINDOUBT);
	shipopt_op_unref(op);
	assert_int_equal(shipopt_op_wait(in_transaction, -1), SHIPOPT_ENETWORK); /* nothing of it was committed */
	shipopt_op_unref(in_transaction);
	shipopt_lease_release(lease);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_TOTAL, 0));
	/* A call meanwhile waits, and is served when the server is back. */
	query = make_query("select count(*) from filled where id <> 2");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op), 0);
	shipopt_query_free(query);
	free_disk();
	assert_int_equal(postgres_restart(&fixture.postgres), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	assert_string_equal(shipopt_rows_text(shipopt_op_rows(op), 0, 0), "0");
	shipopt_op_unref(op);
	run_number(NULL, FILL);
	run_number(NULL, "drop table filled");
	fixture_close();
}

static int start(void **state)
{
	const char *library = getenv("SHIPOPT_DISK_FULL_LIBRARY");
	if (!library || access(library, R_OK) != 0) {
		printf("SHIPOPT_DISK_FULL_LIBRARY is not set: these tests are skipped\n");
		exit(77);
	}
	snprintf(flag, sizeof(flag), "/tmp/shipopt-disk-full-%d", (int)getpid());
	snprintf(wal_flag, sizeof(wal_flag), "%s.wal", flag);
	setenv("SHIPOPT_DISK_FULL", flag, 1);
	setenv("SHIPOPT_POSTGRES_PRELOAD", library, 1);
	return fixture_start_server(state);
}

static int stop(void **state)
{
	free_disk();
	return fixture_stop_server(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_full_disk_is_told_and_the_connection_stays),
		cmocka_unit_test(a_batch_or_copy_that_fills_the_disk_writes_nothing),
		cmocka_unit_test(a_server_that_stops_on_a_full_disk_leaves_the_commit_in_doubt),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
