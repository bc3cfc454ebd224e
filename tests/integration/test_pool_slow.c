/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

#define SECRET_VALUE "open-sesame-4711"

/* ---- what was reported --------------------------------------------------------------------------------------- */

/* Only of commands that sleep: on a slow machine any other may be slow as well. */
static struct {
	pthread_mutex_t lock;
	int count, others;
	char sql[256]; /* of the last one */
	int64_t duration_us;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(void *userdata, const shipopt_slow_query *report)
{
	pthread_mutex_lock(&seen.lock);
	if (!strstr(shipopt_slow_query_sql(report), "pg_sleep")) {
		seen.others++;
		pthread_mutex_unlock(&seen.lock);
		return;
	}
	seen.count++;
	seen.duration_us = shipopt_slow_query_duration_us(report);
	snprintf(seen.sql, sizeof(seen.sql), "%s", shipopt_slow_query_sql(report));
	pthread_mutex_unlock(&seen.lock);
}

static int seen_count(void)
{
	pthread_mutex_lock(&seen.lock);
	int count = seen.count;
	pthread_mutex_unlock(&seen.lock);
	return count;
}

static void wait_seen(int count)
{
	while (seen_count() < count)
		poll(NULL, 0, 1);
	assert_int_equal(seen_count(), count);
}

/* Every slow command so far is reported or dropped. */
static bool is_settled(void)
{
	pthread_mutex_lock(&seen.lock);
	int reports = seen.count + seen.others;
	pthread_mutex_unlock(&seen.lock);
	return stat_of(SHIPOPT_POOL_STAT_SLOW) <= reports + stat_of(SHIPOPT_POOL_STAT_SLOW_DROPPED);
}

static void settle(void)
{
	while (!is_settled())
		poll(NULL, 0, 1);
}

static int64_t run_settled(shipopt_lease *lease, const char *sql)
{
	int64_t number = run_number(lease, sql);
	settle();
	return number;
}

/* The fixture's pool with the hook, and with a queue if one is given slots. */
static shipopt_queue *open_slow(const char *const *settings, size_t slots)
{
	shipopt_pool_config *config;
	shipopt_queue *queue = NULL;
	fixture_open(NULL, NULL);
	shipopt_pool_free(fixture.pool);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	assert_int_equal(shipopt_pool_config_set_slow_query(config, keep, NULL), 0);
	for (; settings[0]; settings += 2)
		assert_int_equal(shipopt_pool_config_set(config, settings[0], settings[1]), 0);
	if (slots > 0) {
		assert_int_equal(shipopt_queue_new(fixture.runtime, slots, &queue), 0);
		assert_int_equal(shipopt_pool_config_set_queue(config, queue), 0);
	}
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &fixture.pool, NULL), 0);
	shipopt_pool_config_free(config);
	seen.count = seen.others = 0;
	return queue;
}

static void run_with_value(const char *sql)
{
	shipopt_query *query = make_query(sql);
	assert_int_equal(shipopt_query_bind_text(query, SECRET_VALUE), 0);
	shipopt_op *op = run_given(NULL, query);
	assert_int_equal(shipopt_op_status(op), 0);
	shipopt_op_unref(op);
	shipopt_query_free(query);
}

static const char *const plain[] = {"slow_ms", "20", NULL};

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void a_slow_command_is_reported_without_its_values(void **state)
{
	open_slow(plain, 0);
	run_settled(NULL, "select 1");
	run_with_value("select pg_sleep(0.03), $1::text");
	wait_seen(1);
	assert_string_equal(seen.sql, "select pg_sleep(0.03), $1::text");
	assert_true(seen.duration_us >= 30000);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_SLOW), 1 + seen.others);
	assert_true(fixture_has_said("slow command"));
	assert_false(fixture_has_said(SECRET_VALUE));
	fixture_close();
}

static void a_queue_gets_reports_as_events(void **state)
{
	shipopt_queue *queue = open_slow(plain, 8);
	shipopt_event event;
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	assert_int_equal(shipopt_queue_enable(queue, SHIPOPT_EVENT_SLOW_QUERY), 0);
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 30000), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_SLOW_QUERY);
	const shipopt_slow_query *report = shipopt_event_slow_query(&event);
	assert_string_equal(shipopt_slow_query_sql(report), "select pg_sleep(0.03)");
	assert_true(shipopt_slow_query_duration_us(report) >= 30000);
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 30000), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_OP);
	assert_null(shipopt_event_slow_query(&event));
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	assert_int_equal(seen.count, 0); /* events stand for the hook */
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
	for (int taken = 0; taken < 2;)
		taken += shipopt_queue_dispatch(queue, 0, 30000);
	assert_int_equal(seen.count, 1);
	shipopt_query_free(query);
	shipopt_queue_free(queue);
	fixture_close();
}

static void reports_use_no_slot_and_too_many_are_dropped_and_counted(void **state)
{
	shipopt_queue *queue = open_slow(plain, 1); /* the command's own slot is all there is */
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
		for (int taken = 0; taken < 2;)
			taken += shipopt_queue_dispatch(queue, 0, 30000);
		assert_int_equal(seen.count, i);
		assert_int_equal(stat_of(SHIPOPT_POOL_STAT_SLOW_DROPPED), 0);
	}
	shipopt_query_free(query);
	shipopt_queue_free(queue);
	fixture_close();
	queue = open_slow(plain, 256);
	query = make_query("select pg_sleep(0.021)");
	for (int i = 0; i < 80; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
	while (stat_of(SHIPOPT_POOL_STAT_SLOW) < 80)
		poll(NULL, 0, 1);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_SLOW_DROPPED, 16)); /* 64 are kept for a host that does not look */
	shipopt_query_free(query);
	shipopt_queue_free(queue);
	assert_int_equal(seen.count, 64);
	fixture_close();
}

#ifdef SHIPOPT_FAULTS
static void whatever_fails_a_report_is_made_or_counted(void **state)
{
	bool fired = true;
	long passes = 0;
	for (; fired; passes++) {
		open_slow(plain, 0);
		assert_int_equal(run_number(NULL, "select 1"), 1);
		shipopt_query *query = make_query("select pg_sleep(0.021), $1::text");
		assert_int_equal(shipopt_query_bind_text(query, SECRET_VALUE), 0);
		fault_arm(passes);
		shipopt_op *op = NULL;
		int r = shipopt_pool_query(fixture.pool, query, NULL, NULL, &op);
		if (r == 0) {
			shipopt_op_wait(op, -1);
			shipopt_op_unref(op);
			settle();
		}
		fired = fault_fired();
		fault_arm(-1);
		shipopt_query_free(query);
		assert_int_equal(run_number(NULL, "select 1"), 1);
		fixture_close();
	}
	printf("reports: %ld failures, one at a time\n", passes - 1);
	assert_true(passes > 10);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_command_is_reported_without_its_values),
		cmocka_unit_test(a_queue_gets_reports_as_events),
		cmocka_unit_test(reports_use_no_slot_and_too_many_are_dropped_and_counted),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(whatever_fails_a_report_is_made_or_counted),
#endif
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
