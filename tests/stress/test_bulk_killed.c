/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "buy_worker.h"

/*
 * Buying under all faults by programs that are killed at random moments, and by two programs at once on one store.
 * Whatever they left behind, one undisturbed run finishes it, and the books of both sides agree label by label.
 *
 * Four kills over 400 orders in the normal run. SHIPOPT_LONG=1 makes it a thousand: twenty rounds of fifty, each with a
 * carrier and a store of its own; a program that ends before it is killed is not counted, and its successor gets more
 * orders. SHIPOPT_KILLS=100 bounds it: no round is begun after so many.
 */
/* The shortest lease there may be: a killed program's rows are free again after it. */
#define SETTINGS BUY_WORKER_SETTINGS " bulk.lease_ms=2000"
#define KILL_AFTER_MS_MAX 1500
#define ROUND_KILLS 50
#define ROUND_KILL_AFTER_MS_MAX 500

static bool is_long(void)
{
	const char *value = getenv("SHIPOPT_LONG");
	return value && *value == '1';
}

static void start(struct bulk_fixture *fixture)
{
	static const char *const options[] = {"--latency-ms", "10", "--unpurchasable", "never", "--no-exists-guard",
		NULL};
	fixture_start(fixture, options);
	assert_int_equal(sandbox_set_faults(&fixture->sandbox, BUY_WORKER_FAULTS), 0);
}

static pid_t start_worker(const struct bulk_fixture *fixture, size_t count)
{
	const char *program = getenv("SHIPOPT_BUY_WORKER");
	char text[32];
	assert_non_null(program);
	snprintf(text, sizeof(text), "%zu", count);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	execl(program, program, fixture->sandbox.url, fixture->store_url, text, SETTINGS, (char *)NULL);
	_exit(127);
}

/* The exit status, or -1 if a signal ended it. */
static int await_worker(pid_t pid)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* It came to its end: 3 if something is in doubt. */
static void await_end(pid_t pid)
{
	int status = await_worker(pid);
	assert_true(status == 0 || status == 3);
}

static void finish_and_compare(struct bulk_fixture *fixture, size_t count)
{
	int64_t planted = (int64_t)((count + BUY_WORKER_PLANTED_EVERY - 1) / BUY_WORKER_PLANTED_EVERY);
	int64_t valid = (int64_t)count - planted;
	assert_int_equal(sandbox_set_faults(&fixture->sandbox, BUY_WORKER_NO_FAULTS), 0);
	await_end(start_worker(fixture, count));
	fixture_open(fixture, SETTINGS);
	/* Every order is settled: bought, proven not bought, or for a person after what the carrier did to it. */
	int64_t bought = fixture_ledger_count(fixture, SHIPOPT_LEDGER_STATE_BOUGHT),
		asked = fixture_ledger_count_asked(fixture);
	print_message("%lld bought, %lld for a person\n", (long long)bought, (long long)asked);
	assert_int_equal(fixture_ledger_count(fixture, 0), count);
	assert_int_equal(fixture_ledger_count(fixture, SHIPOPT_LEDGER_STATE_IN_DOUBT), asked);
	assert_int_equal(bought + fixture_ledger_count(fixture, SHIPOPT_LEDGER_STATE_FAILED) + asked, count);
	assert_true(bought <= valid && bought >= valid - asked);
	assert_int_equal(sandbox_count(&fixture->sandbox, "labels"), bought);
	assert_int_equal(sandbox_duplicates(&fixture->sandbox), 0);
	assert_int_equal(fixture_compare(fixture), 0);
	fixture_stop(fixture);
	assert_int_equal(mem_live_count(), 0);
}

/* Kills a program after a random time; false if it ended first. */
static bool kill_one(const struct bulk_fixture *fixture, struct random *random, size_t count, int64_t after_ms_max)
{
	pid_t pid = start_worker(fixture, count);
	int64_t after_ms = 1 + (int64_t)random_below(random, (uint64_t)after_ms_max);
	struct timespec wait = {after_ms / 1000, after_ms % 1000 * 1000000};
	nanosleep(&wait, NULL);
	kill(pid, SIGKILL);
	return await_worker(pid) == -1;
}

static int kill_round(struct random *random, int kills, int64_t after_ms_max)
{
	struct bulk_fixture fixture;
	size_t count = 400;
	int killed = 0;
	start(&fixture);
	for (int i = 0; i < 2 * kills && killed < kills; i++) {
		if (kill_one(&fixture, random, count, after_ms_max))
			killed++;
		else
			count += 200;
	}
	print_message("%d killed, %zu orders, %lld labels by then\n", killed, count,
		(long long)sandbox_count(&fixture.sandbox, "labels"));
	finish_and_compare(&fixture, count);
	return killed;
}

static void a_program_killed_at_random_moments_loses_nothing_and_buys_nothing_twice(void **state)
{
	const char *bound = getenv("SHIPOPT_KILLS");
	int kills = !is_long() ? 4 : bound ? atoi(bound) : 1000, killed = 0;
	struct random random;
	random_init_system(&random);
	while (killed < kills) {
		int round = is_long() ? kill_round(&random, ROUND_KILLS, ROUND_KILL_AFTER_MS_MAX)
				      : kill_round(&random, kills, KILL_AFTER_MS_MAX);
		assert_true(round > 0);
		killed += round;
		if (!is_long())
			break;
	}
	print_message("%d programs killed\n", killed);
}

static void two_programs_on_one_store_share_the_work_and_buy_nothing_twice(void **state)
{
	struct bulk_fixture fixture;
	size_t count = is_long() ? 10000 : 400;
	start(&fixture);
	pid_t first = start_worker(&fixture, count), second = start_worker(&fixture, count);
	await_end(first);
	await_end(second);
	finish_and_compare(&fixture, count);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_killed_at_random_moments_loses_nothing_and_buys_nothing_twice),
		cmocka_unit_test(two_programs_on_one_store_share_the_work_and_buy_nothing_twice),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk killed", tests, NULL, NULL);
}
