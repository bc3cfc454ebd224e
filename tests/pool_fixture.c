/* SPDX-License-Identifier: MIT */
#include "pool_fixture.h"

#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cmocka_test.h"

struct pool_fixture fixture;
static uint64_t live_before; /* what a test that failed has left */
static pthread_mutex_t log_lock = PTHREAD_MUTEX_INITIALIZER;

int fixture_start_server(void **state)
{
	if (postgres_start(&fixture.postgres, getenv("SHIPOPT_POSTGRES_OPTIONS")) == 0)
		return 0;
	printf("PostgreSQL is not installed or did not start: these tests are skipped\n");
	exit(77);
}

int fixture_stop_server(void **state)
{
	postgres_stop(&fixture.postgres);
	return 0;
}

static void keep_log(void *userdata, int level, const char *message)
{
	pthread_mutex_lock(&log_lock);
	size_t length = strlen(fixture.log);
	snprintf(fixture.log + length, sizeof(fixture.log) - length, "%s\n", message);
	pthread_mutex_unlock(&log_lock);
}

bool fixture_has_said(const char *text)
{
	pthread_mutex_lock(&log_lock);
	bool has = strstr(fixture.log, text) != NULL;
	pthread_mutex_unlock(&log_lock);
	return has;
}

void fixture_wait_said(const char *text)
{
	while (!fixture_has_said(text))
		poll(NULL, 0, 1);
}

shipopt_pool *fixture_pool(const char *conninfo, const char *const *settings)
{
	shipopt_pool_config *config;
	shipopt_pool *pool = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO,
				 conninfo ? conninfo : fixture.postgres.conninfo),
		0);
	for (; settings && settings[0]; settings += 2)
		assert_int_equal(shipopt_pool_config_set(config, settings[0], settings[1]), 0);
	int r = shipopt_pool_new(fixture.runtime, config, &pool, &error);
	if (r < 0)
		print_error("%s\n", shipopt_error_message(error));
	assert_int_equal(r, 0);
	shipopt_pool_config_free(config);
	return pool;
}

void fixture_open(const char *conninfo, const char *const *settings)
{
	shipopt_runtime_config *config;
	live_before = mem_live_count();
	fixture.log[0] = '\0';
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	shipopt_runtime_config_set_int(config, SHIPOPT_RUNTIME_LOG_LEVEL, SHIPOPT_LOG_DEBUG);
	shipopt_runtime_config_set_log(config, keep_log, NULL);
	assert_int_equal(shipopt_runtime_new(config, &fixture.runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	fixture.pool = fixture_pool(conninfo, settings);
}

void fixture_close(void)
{
	shipopt_pool_free(fixture.pool);
	fixture.pool = NULL;
	int r = shipopt_runtime_close(fixture.runtime, 20000);
	shipopt_runtime_free(fixture.runtime);
	assert_int_equal(r, 0);
	assert_int_equal(mem_live_count(), live_before);
}

shipopt_query *make_query(const char *sql)
{
	shipopt_query *query;
	assert_int_equal(shipopt_query_new(sql, &query, NULL), 0);
	return query;
}

shipopt_op *run_given(shipopt_lease *lease, const shipopt_query *query)
{
	shipopt_op *op = NULL;
	assert_int_equal(lease ? shipopt_lease_query(lease, query, NULL, NULL, &op)
			       : shipopt_pool_query(fixture.pool, query, NULL, NULL, &op),
		0);
	assert_int_not_equal(shipopt_op_wait(op, 60000), SHIPOPT_EDEADLK);
	assert_true(shipopt_op_is_done(op));
	return op;
}

shipopt_op *run_query(shipopt_lease *lease, const char *sql)
{
	shipopt_query *query = make_query(sql);
	shipopt_op *op = run_given(lease, query);
	shipopt_query_free(query);
	return op;
}

int64_t run_number(shipopt_lease *lease, const char *sql)
{
	int64_t number = 0;
	shipopt_op *op = run_query(lease, sql);
	if (shipopt_op_status(op) != 0)
		print_error("%s: %s\n", sql, shipopt_error_message(shipopt_op_error(op)));
	assert_int_equal(shipopt_op_status(op), 0);
	if (shipopt_rows_count(shipopt_op_rows(op)) > 0)
		shipopt_rows_int(shipopt_op_rows(op), 0, 0, &number);
	shipopt_op_unref(op);
	return number;
}

shipopt_lease *acquire(void)
{
	shipopt_op *op;
	assert_int_equal(shipopt_pool_acquire(fixture.pool, "test", 0, NULL, NULL, &op), 0);
	int r = shipopt_op_wait(op, 60000);
	if (r < 0)
		print_error("%s\n", shipopt_error_message(shipopt_op_error(op)));
	assert_int_equal(r, 0);
	shipopt_lease *lease = shipopt_op_take_lease(op);
	assert_non_null(lease);
	shipopt_op_unref(op);
	return lease;
}

int64_t stat_of(int stat)
{
	int64_t value;
	assert_int_equal(shipopt_pool_stat(fixture.pool, stat, &value), 0);
	return value;
}

bool wait_stat(int stat, int64_t value)
{
	for (int i = 0; i < 20000; i++) {
		if (stat_of(stat) == value)
			return true;
		poll(NULL, 0, 1);
	}
	return false;
}

int run_status(shipopt_lease *lease, const char *sql, int64_t *ret_number)
{
	shipopt_query *query;
	shipopt_op *op;
	int r = shipopt_query_new(sql, &query, NULL);
	if (r < 0)
		return r;
	r = shipopt_lease_query(lease, query, NULL, NULL, &op);
	shipopt_query_free(query);
	if (r < 0)
		return r;
	r = shipopt_op_wait(op, -1);
	if (r >= 0 && ret_number)
		r = shipopt_rows_int(shipopt_op_rows(op), 0, 0, ret_number) == 1 ? 0 : SHIPOPT_ETYPE;
	shipopt_op_unref(op);
	return r;
}

int64_t side_number(const char *sql)
{
	PGconn *connection = PQconnectdb(fixture.postgres.conninfo);
	PGresult *result = PQexec(connection, sql);
	int64_t number = PQntuples(result) > 0 ? atoll(PQgetvalue(result, 0, 0)) : -1;
	PQclear(result);
	PQfinish(connection);
	return number;
}
