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
	bool plans[64];            /* of each */
	char sql[256], plan[4096]; /* of the last one */
	bool has_plan;
	int64_t duration_us;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void keep(void *userdata, const shipopt_slow_query *report)
{
	const char *plan = shipopt_slow_query_plan(report);
	pthread_mutex_lock(&seen.lock);
	if (!strstr(shipopt_slow_query_sql(report), "pg_sleep")) {
		seen.others++;
		pthread_mutex_unlock(&seen.lock);
		return;
	}
	if (seen.count < 64)
		seen.plans[seen.count] = plan != NULL;
	seen.count++;
	seen.has_plan = plan != NULL;
	seen.duration_us = shipopt_slow_query_duration_us(report);
	snprintf(seen.sql, sizeof(seen.sql), "%s", shipopt_slow_query_sql(report));
	snprintf(seen.plan, sizeof(seen.plan), "%s", plan ? plan : "");
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

/* Every slow command so far is reported, or dropped, and no plan is being asked for. */
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
	seen.has_plan = false;
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
static const char *const explaining[] = {"slow_ms", "20", "slow_explain", "1", "slow_explain_per_minute", "600", NULL};

/* ---- tests --------------------------------------------------------------------------------------------------- */

static void a_slow_command_is_reported_without_a_plan_by_default(void **state)
{
	open_slow(plain, 0);
	run_settled(NULL, "select 1");
	run_with_value("select pg_sleep(0.03), $1::text");
	wait_seen(1);
	assert_string_equal(seen.sql, "select pg_sleep(0.03), $1::text");
	assert_true(seen.duration_us >= 30000);
	assert_false(seen.has_plan);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_SLOW), 1 + seen.others);
	assert_true(fixture_has_said("slow command"));
	assert_false(fixture_has_said(SECRET_VALUE));
	fixture_close();
}

static void a_plan_shows_places_instead_of_values_and_nothing_is_executed(void **state)
{
	open_slow(explaining, 0);
	side_number("create table planned (id int, code text)");
	run_with_value("select pg_sleep(0.03), id from (select 1) x left join planned on code = $1");
	wait_seen(1);
	assert_true(seen.has_plan);
	assert_non_null(strstr(seen.plan, "planned"));
	assert_non_null(strstr(seen.plan, "(code = $1)"));
	assert_null(strstr(seen.plan, SECRET_VALUE));
	run_with_value("insert into planned select 1, $1 from pg_sleep(0.03)");
	wait_seen(2);
	assert_non_null(strstr(seen.plan, "Insert on planned"));
	assert_null(strstr(seen.plan, SECRET_VALUE));
	assert_int_equal(run_settled(NULL, "select count(*) from planned"), 1);
	assert_false(fixture_has_said(SECRET_VALUE));
	/* Nothing is left in the session, and the plan's own statements are no reports. */
	assert_int_equal(run_settled(NULL, "select (current_setting('plan_cache_mode') = 'auto')::int"), 1);
	assert_int_equal(run_settled(NULL, "select count(*) from pg_stat_activity where state like 'idle in%'"), 0);
	assert_int_equal(stat_of(SHIPOPT_POOL_STAT_CONNECTS), 1);
	side_number("drop table planned");
	fixture_close();
}

static void what_cannot_be_explained_has_no_plan(void **state)
{
	shipopt_batch *batch;
	shipopt_op *op;
	open_slow(explaining, 0);
	run_number(NULL, "do $$ begin perform pg_sleep(0.03); end $$");
	wait_seen(1);
	assert_false(seen.has_plan);
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	assert_int_equal(shipopt_batch_new(&batch), 0);
	assert_int_equal(shipopt_batch_add(batch, query), 0);
	assert_int_equal(shipopt_batch_add(batch, query), 0);
	assert_int_equal(shipopt_pool_batch(fixture.pool, batch, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	shipopt_op_unref(op);
	shipopt_batch_free(batch);
	shipopt_query_free(query);
	wait_seen(2);
	assert_false(seen.has_plan);
	shipopt_op_unref(
		run_query(NULL, "with x as (select pg_sleep(0.03)) select 1 / (select 0 from x)")); /* fails, late */
	wait_seen(3);
	assert_true(seen.has_plan);
	fixture_close();
}

static void plans_are_bounded_by_the_minute(void **state)
{
	static const char *const few[] = {"slow_ms", "20", "slow_explain", "1", "slow_explain_per_minute", "2", NULL};
	open_slow(few, 0);
	for (int i = 1; i <= 4; i++) {
		run_number(NULL, "select length(pg_sleep(0.03)::text)");
		wait_seen(i);
		assert_int_equal(seen.has_plan, i <= 2);
	}
	fixture_close();
}

static void a_busy_pool_is_not_held_up_for_a_plan(void **state)
{
	static const char *const busy[] = {"slow_ms", "20", "slow_explain", "1", "max", "1", NULL};
	shipopt_op *ops[3];
	open_slow(busy, 0);
	shipopt_lease *lease = acquire();
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	for (int i = 0; i < 3; i++)
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, &ops[i]), 0);
	assert_true(wait_stat(SHIPOPT_POOL_STAT_WAITING, 3));
	shipopt_lease_release(lease);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(shipopt_op_wait(ops[i], -1), 0);
		shipopt_op_unref(ops[i]);
	}
	shipopt_query_free(query);
	wait_seen(3);
	assert_false(seen.plans[0]); /* the others waited */
	assert_false(seen.plans[1]);
	assert_true(seen.plans[2]);
	fixture_close();
}

static void a_plan_that_has_to_wait_for_a_lock_is_given_up(void **state)
{
	open_slow(explaining, 0);
	side_number("create table locked (id int)");
	shipopt_lease *lease = acquire(), *other = acquire();
	shipopt_lease_release(other); /* idle, for the plan */
	run_settled(lease, "begin");
	run_settled(lease, "lock table locked in access exclusive mode");
	int64_t begun = clock_now_ms();
	run_number(lease, "select count(pg_sleep(0.03)) + count(locked.id) from (select 1) x left join locked on true");
	wait_seen(1);
	assert_false(seen.has_plan);
	assert_true(clock_now_ms() - begun >= 1900);
	run_number(lease, "rollback");
	shipopt_lease_release(lease);
	assert_int_equal(run_number(NULL, "select 3"), 3);
	side_number("drop table locked");
	fixture_close();
}

static void a_queue_gets_reports_as_events(void **state)
{
	shipopt_queue *queue = open_slow(explaining, 8);
	shipopt_event event;
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 30000), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_OP);
	assert_null(shipopt_event_slow_query(&event));
	assert_int_equal(shipopt_queue_release(queue, &event, 1), 0);
	assert_int_equal(shipopt_queue_poll(queue, &event, 1, 30000), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_SLOW_QUERY);
	const shipopt_slow_query *report = shipopt_event_slow_query(&event);
	assert_string_equal(shipopt_slow_query_sql(report), "select pg_sleep(0.03)");
	assert_non_null(strstr(shipopt_slow_query_plan(report), "Result"));
	assert_true(shipopt_slow_query_duration_us(report) >= 30000);
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

static void reports_without_a_place_are_dropped_and_counted(void **state)
{
	shipopt_queue *queue = open_slow(plain, 1); /* the command's own slot is all there is */
	shipopt_query *query = make_query("select pg_sleep(0.03)");
	for (int i = 1; i <= 3; i++) {
		assert_int_equal(shipopt_pool_query(fixture.pool, query, NULL, NULL, NULL), 0);
		assert_int_equal(shipopt_queue_dispatch(queue, 1, 30000), 1);
		assert_int_equal(stat_of(SHIPOPT_POOL_STAT_SLOW_DROPPED), i);
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

static void a_close_while_a_plan_is_asked_for_leaves_nothing(void **state)
{
	open_slow(explaining, 0);
	side_number("create table locked (id int)");
	shipopt_lease *lease = acquire(), *other = acquire();
	shipopt_lease_release(other);
	run_settled(lease, "begin");
	run_settled(lease, "lock table locked in access exclusive mode");
	run_number(lease, "select count(pg_sleep(0.03)) + count(locked.id) from (select 1) x left join locked on true");
	while (side_number("select count(*) from pg_locks where not granted") != 1)
		poll(NULL, 0, 1);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, 0), SHIPOPT_ETIMEDOUT);
	assert_int_equal(seen_count(), 1);
	assert_false(seen.has_plan);
	shipopt_lease_release(lease);
	side_number("drop table locked");
	fixture_close();
}

#ifdef SHIPOPT_FAULTS
static void whatever_fails_a_report_is_made_or_counted(void **state)
{
	bool fired = true;
	long passes = 0;
	for (; fired; passes++) {
		open_slow(explaining, 0);
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
	assert_true(passes > 20);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_command_is_reported_without_a_plan_by_default),
		cmocka_unit_test(a_plan_shows_places_instead_of_values_and_nothing_is_executed),
		cmocka_unit_test(what_cannot_be_explained_has_no_plan),
		cmocka_unit_test(plans_are_bounded_by_the_minute),
		cmocka_unit_test(a_busy_pool_is_not_held_up_for_a_plan),
		cmocka_unit_test(a_plan_that_has_to_wait_for_a_lock_is_given_up),
		cmocka_unit_test(a_queue_gets_reports_as_events),
		cmocka_unit_test(reports_without_a_place_are_dropped_and_counted),
		cmocka_unit_test(a_close_while_a_plan_is_asked_for_leaves_nothing),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(whatever_fails_a_report_is_made_or_counted),
#endif
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
