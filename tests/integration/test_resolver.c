/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <netdb.h>
#include <shipopt/carrier.h>
#include <shipopt/pool.h>

#include "base/clock.h"
#include "base/memory.h"
#include "unit/event.h"

/*
 * A name server that does not answer, and a runtime that is closed meanwhile. libpq and libcurl look names up by
 * getaddrinfo(), which here is the one below: it blocks until the test releases it. libpq does so on a thread of the
 * side pool, which is left behind; libcurl on one of its own, which it detaches (CURLOPT_QUICK_EXIT).
 */
#define PATIENCE_MS 20000
#define CLOSED_WITHIN_MS 10000

static struct event entered, release;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **ret_info)
{
	event_raise(&entered);
	event_wait(&release, 1);
	return EAI_AGAIN;
}

static shipopt_runtime *begin(void)
{
	shipopt_runtime *runtime;
	assert_int_equal(mem_live_count(), 0);
	entered = release = (struct event)EVENT_INIT;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	return runtime;
}

static shipopt_pool *pool_new(shipopt_runtime *runtime)
{
	shipopt_pool_config *config;
	shipopt_pool *pool;
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, "host=slow.example user=shop"), 0);
	assert_int_equal(shipopt_pool_new(runtime, config, &pool, NULL), 0);
	shipopt_pool_config_free(config);
	return pool;
}

static shipopt_op *query(shipopt_pool *pool)
{
	shipopt_query *query;
	shipopt_op *op;
	assert_int_equal(shipopt_query_new("select 1", &query, NULL), 0);
	assert_int_equal(shipopt_pool_query(pool, query, NULL, NULL, &op), 0);
	shipopt_query_free(query);
	return op;
}

static shipopt_carrier *carrier_new(shipopt_runtime *runtime)
{
	shipopt_carrier_config *config;
	shipopt_carrier *carrier;
	assert_int_equal(shipopt_carrier_config_new(&config), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), 0);
	assert_int_equal(shipopt_carrier_config_set(config, SHIPOPT_CARRIER_BASE_URL, "http://slow.example/v2"), 0);
	assert_int_equal(shipopt_carrier_new(runtime, config, &carrier, NULL), 0);
	shipopt_carrier_config_free(config);
	return carrier;
}

static int close_in_time(shipopt_runtime *runtime)
{
	int64_t begun_us = clock_now_us();
	int r = shipopt_runtime_close(runtime, 0);
	assert_true(clock_now_us() - begun_us < CLOSED_WITHIN_MS * 1000);
	return r;
}

static void the_close_does_not_wait_for_a_name_that_libpq_looks_up(void **state)
{
	shipopt_runtime *runtime = begin();
	shipopt_pool *pool = pool_new(runtime);
	shipopt_op *op = query(pool);
	assert_true(event_wait(&entered, 1));
	assert_int_equal(close_in_time(runtime), SHIPOPT_EBUSY);
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ECANCELED); /* only the thread is left */
	assert_int_equal(shipopt_runtime_thread_count(runtime, SHIPOPT_THREADS_SIDE), 1);
	shipopt_op_unref(op);
	shipopt_pool_free(pool);
	event_raise(&release);
	assert_int_equal(shipopt_runtime_close(runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void the_close_does_not_wait_for_a_name_that_libcurl_looks_up(void **state)
{
	shipopt_runtime *runtime = begin();
	shipopt_carrier *carrier = carrier_new(runtime);
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_call(carrier, "GET", "/trackers", NULL, NULL, NULL, NULL, &op), 0);
	assert_true(event_wait(&entered, 1));
	assert_int_equal(close_in_time(runtime), SHIPOPT_ETIMEDOUT);
	assert_int_equal(shipopt_op_wait(op, 0), SHIPOPT_ECANCELED);
	shipopt_op_unref(op);
	shipopt_carrier_free(carrier);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
	event_raise(&release);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_close_does_not_wait_for_a_name_that_libpq_looks_up),
		cmocka_unit_test(the_close_does_not_wait_for_a_name_that_libcurl_looks_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
