/* SPDX-License-Identifier: MIT */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/*
 * A thousand tasks over four connections. Each asks for a lease, runs a query of equal work on it, gives it back and,
 * in the closed load, asks again. Completions run inline, on the one thread that grants, so the order of asking and of
 * being served are plain numbers: nothing here depends on how fast the machine is. Times are only printed.
 */
enum { TASKS = 1000, CONNECTIONS = 4, ROUNDS = 6 };

struct task {
	shipopt_lease *lease;
	int rounds_left, round;
	int64_t asked, asked_us;
	int64_t served_before; /* when it asked */
};

/* Touched by the reactor alone once it has begun. */
static struct {
	struct task tasks[TASKS];
	shipopt_query *query;
	int64_t asks, serves, out_of_order, failures;
	/* of the rounds in which everybody waits */
	int64_t waits, wait_sum, wait_longest, wait_shortest, us_sum, us_longest;
	int per_task[TASKS];
	atomic_int left;
} load;

static void granted(void *userdata, shipopt_op *op);

static void ask(struct task *task)
{
	task->asked = load.asks++;
	task->served_before = load.serves;
	task->asked_us = clock_now_us();
	if (shipopt_pool_acquire(fixture.pool, "task", 0, granted, task, NULL) < 0) {
		load.failures++;
		atomic_fetch_sub(&load.left, 1);
	}
}

static void worked(void *userdata, shipopt_op *op)
{
	struct task *task = userdata;
	load.failures += shipopt_op_status(op) != 0;
	shipopt_lease_release(task->lease);
	if (--task->rounds_left > 0)
		ask(task);
	else
		atomic_fetch_sub(&load.left, 1);
}

static void note_served(struct task *task)
{
	int64_t place = load.serves++, wait = place - task->served_before, us = clock_now_us() - task->asked_us;
	load.out_of_order += place != task->asked;
	load.per_task[task - load.tasks]++;
	/* The first round fills the queue, in the last it runs empty. */
	if (task->round++ == 0 || task->rounds_left == 1)
		return;
	load.waits++;
	load.wait_sum += wait;
	load.us_sum += us;
	load.wait_longest = wait > load.wait_longest ? wait : load.wait_longest;
	load.wait_shortest = wait < load.wait_shortest ? wait : load.wait_shortest;
	load.us_longest = us > load.us_longest ? us : load.us_longest;
}

static void granted(void *userdata, shipopt_op *op)
{
	struct task *task = userdata;
	note_served(task);
	task->lease = shipopt_op_take_lease(op);
	if (!task->lease || shipopt_lease_query(task->lease, load.query, worked, task, NULL) < 0) {
		load.failures++;
		atomic_fetch_sub(&load.left, 1);
	}
}

static void open_inline(void)
{
	shipopt_pool_config *config;
	fixture_open(NULL, NULL);
	shipopt_pool_free(fixture.pool);
	assert_int_equal(shipopt_pool_config_new(&config), 0);
	assert_int_equal(shipopt_pool_config_set(config, SHIPOPT_POOL_CONNINFO, fixture.postgres.conninfo), 0);
	assert_int_equal(shipopt_pool_config_set_int(config, SHIPOPT_POOL_MAX, CONNECTIONS), 0);
	assert_int_equal(shipopt_pool_config_set_int(config, SHIPOPT_POOL_DELIVER_INLINE, 1), 0);
	assert_int_equal(shipopt_pool_new(fixture.runtime, config, &fixture.pool, NULL), 0);
	shipopt_pool_config_free(config);
}

/* All ask while every connection is held, then these are given back one after the other. */
static void run_load(int rounds)
{
	shipopt_lease *held[CONNECTIONS];
	memset(&load, 0, sizeof(load));
	load.wait_shortest = INT64_MAX;
	load.query = make_query("select pg_sleep(0.001)");
	atomic_store(&load.left, TASKS);
	for (int i = 0; i < CONNECTIONS; i++)
		held[i] = acquire();
	for (int i = 0; i < TASKS; i++) {
		load.tasks[i].rounds_left = rounds;
		ask(&load.tasks[i]);
	}
	assert_true(wait_stat(SHIPOPT_POOL_STAT_WAITING, TASKS));
	for (int i = 0; i < CONNECTIONS; i++)
		shipopt_lease_release(held[i]);
	while (atomic_load(&load.left) > 0)
		poll(NULL, 0, 1);
	shipopt_query_free(load.query);
	assert_int_equal(load.failures, 0);
	assert_int_equal(load.serves, (int64_t)TASKS * rounds);
	for (int i = 0; i < TASKS; i++)
		assert_int_equal(load.per_task[i], rounds);
}

static void tasks_are_served_in_exactly_the_order_they_asked(void **state)
{
	open_inline();
	run_load(1);
	assert_int_equal(load.out_of_order, 0);
	fixture_close();
}

static void in_a_closed_load_nobody_waits_much_longer_than_the_others(void **state)
{
	open_inline();
	run_load(ROUNDS);
	double mean = (double)load.wait_sum / (double)load.waits, mean_us = (double)load.us_sum / (double)load.waits;
	printf("closed load of %d tasks over %d connections: waits of %lld to %lld turns, longest / mean %.3f; "
	       "longest %.1f ms, mean %.1f ms, longest / mean %.3f\n",
		TASKS, CONNECTIONS, (long long)load.wait_shortest, (long long)load.wait_longest,
		(double)load.wait_longest / mean, (double)load.us_longest / 1e3, mean_us / 1e3,
		(double)load.us_longest / mean_us);
	assert_int_equal(load.out_of_order, 0);
	/* As many as there are tasks, but for those that have a connection. */
	assert_in_range(load.wait_shortest, TASKS - 2 * CONNECTIONS, TASKS);
	assert_in_range(load.wait_longest, TASKS - 2 * CONNECTIONS, TASKS);
	assert_true((double)load.wait_longest < 1.2 * mean);
	fixture_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tasks_are_served_in_exactly_the_order_they_asked),
		cmocka_unit_test(in_a_closed_load_nobody_waits_much_longer_than_the_others),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
