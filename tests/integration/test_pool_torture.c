/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/fault.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/*
 * Every allocation, thread and libpq call of a scenario fails once, one after the other. Whatever fails, each operation ends, and
 * nothing is left behind: fixture_close() counts the memory.
 */
#ifdef SHIPOPT_FAULTS

static const char *const settings[] = {"max", "2", "acquire_timeout_ms", "3000", "cancel_grace_ms", "500", NULL};

static void end(int r, shipopt_op *op)
{
	if (r < 0)
		return;
	assert_int_not_equal(shipopt_op_wait(op, 30000), SHIPOPT_EDEADLK);
	assert_true(shipopt_op_is_done(op));
	shipopt_op_unref(op);
}

/* The call is over before its operation is looked at. */
#define END(call)                                                                                             \
	do {                                                                                                  \
		int r_ = (call);                                                                              \
		end(r_, op);                                                                                  \
	} while (0)

static void query_once(shipopt_lease *lease, const char *sql)
{
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_query_new(sql, &query) < 0)
		return;
	if (shipopt_query_bind_int(query, 5) == 0)
		END(lease ? shipopt_lease_query(lease, query, NULL, NULL, &op) : shipopt_pool_query(fixture.pool, query, NULL, NULL, &op));
	shipopt_query_free(query);
}

static void batch_once(void)
{
	shipopt_batch *batch;
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_batch_new(&batch) < 0)
		return;
	if (shipopt_query_new("select 1, 'x'", &query) == 0) {
		for (int i = 0; i < 3; i++)
			shipopt_batch_add(batch, query);
		shipopt_query_free(query);
	}
	shipopt_batch_set_transaction(batch, 0, 2);
	END(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op));
	shipopt_batch_free(batch);
}

static void stream_once(void)
{
	shipopt_query *query;
	shipopt_stream *stream;
	const shipopt_rows *rows;
	shipopt_op *op = NULL;
	if (shipopt_query_new("select i from generate_series(1, 100) i", &query) < 0)
		return;
	int r = shipopt_pool_stream(fixture.pool, query, &stream, NULL, NULL, &op);
	shipopt_query_free(query);
	if (r < 0)
		return;
	while (shipopt_stream_next(stream, 30000, &rows) == 1)
		;
	shipopt_stream_free(stream);
	end(r, op);
}

static void copy_once(shipopt_lease *lease)
{
	shipopt_copy *copy;
	shipopt_op *op = NULL;
	int r = shipopt_lease_copy_in(lease, "copy tortured from stdin", &copy, NULL, NULL, &op);
	if (r < 0)
		return;
	if (shipopt_copy_write(copy, "1\n", 2, 30000) == 0)
		shipopt_copy_finish(copy);
	shipopt_copy_free(copy);
	end(r, op);
}

static void lease_once(void)
{
	shipopt_op *op = NULL;
	if (shipopt_pool_acquire(fixture.pool, "torture", 1, NULL, NULL, &op) < 0)
		return;
	shipopt_op_wait(op, 30000);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	shipopt_op_unref(op);
	if (!lease)
		return;
	END(shipopt_lease_begin(lease, 0, NULL, NULL, &op));
	query_once(lease, "select $1 + 1");
	copy_once(lease);
	shipopt_lease_release(lease); /* rolls back */
}

static void cancel_once(void)
{
	shipopt_query *query;
	shipopt_op *op = NULL;
	if (shipopt_query_new("select pg_sleep(60)", &query) < 0)
		return;
	shipopt_query_set_timeout_ms(query, 20);
	END(shipopt_pool_query(fixture.pool, query, NULL, NULL, &op));
	shipopt_query_free(query);
}

static void whatever_fails_nothing_is_lost(void **state)
{
	long passes = 0;
	bool fired = true;
	int failures = 0;
	side_number("create table tortured (id int)");
	for (; fired; passes++) {
		fixture_open(NULL, settings);
		fault_arm(passes);
		query_once(NULL, "select $1");
		query_once(NULL, "select $1");
		batch_once();
		stream_once();
		lease_once();
		cancel_once();
		fired = fault_fired();
		fault_arm(-1);
		failures += fired;
		assert_int_equal(run_number(NULL, "select 1"), 1);
		fixture_close();
	}
	side_number("drop table tortured");
	printf("torture: %d failures, one at a time\n", failures);
	assert_true(failures > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whatever_fails_nothing_is_lost)};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}

#else

int main(void)
{
	printf("built without -Dfaults=true: skipped\n");
	return 77;
}

#endif
