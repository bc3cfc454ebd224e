/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "sim.h"

/*
 * Crashes, pauses, two processes and faults of every kind, drawn from a seed, until the faults stop and one more run goes over
 * the same orders. Then each is bought, proven not bought, or in doubt for a person; no order has two labels, and the ledger and
 * the carrier agree to the cent.
 *
 * Each seed is played in a child process: what a crashed process held is lost with it. The carrier has no guard in every other
 * seed: then nothing but the ledger keeps a second purchase from buying a second label.
 *
 *	SHIPOPT_SEED=17      plays one seed, and says what happens
 *	SHIPOPT_LONG=1       many more seeds
 */
#define SEEDS_SHORT 2000
#define SEEDS_LONG 200000
#define STEPS_MAX 3000000
#define PROCESSES 2

struct play {
	struct sim_process processes[PROCESSES];
	bool is_running[PROCESSES];
	int64_t paused_until_us[PROCESSES];
	struct random random;
	size_t orders;
	int crashes_left;
	bool is_verbose;
};

#define SETTINGS "carrier.breaker_window=10 "

static void open_process(struct play *play, int which)
{
	sim_open(&play->processes[which], SETTINGS);
	sim_start_orders(&play->processes[which], play->orders);
	play->is_running[which] = true;
	play->paused_until_us[which] = 0;
}

/* What a scheduler, a debugger, a full disk do to a process: it stands still while the others go on. */
static void maybe_pause(struct play *play, int which)
{
	if (random_below(&play->random, 2000) == 0)
		play->paused_until_us[which] = clock_now_us() + (int64_t)random_below(&play->random, 400000000);
}

static void end_process(struct play *play, int which, bool crash)
{
	if (play->is_verbose)
		printf("%10.3f s: process %d %s\n", (double)clock_now_us() / 1e6, which, crash ? "crashes" : "is done");
	if (crash) {
		sim_crash(&play->processes[which]);
	} else {
		sim_finish(&play->processes[which]);
		sim_close(&play->processes[which]);
	}
	play->is_running[which] = false;
}

static void step(struct play *play, int which)
{
	static const int64_t most_us[] = {0, 1000, 20000, 1000000};
	struct sim_process *process = &play->processes[which];
	if (!play->is_running[which]) {
		if (play->crashes_left > 0 && random_below(&play->random, 50) == 0)
			open_process(play, which);
		return;
	}
	if (clock_now_us() < play->paused_until_us[which]) {
		/* Where nobody else runs, time passes by. */
		if (!play->is_running[!which] || clock_now_us() < play->paused_until_us[!which])
			clock_advance_us(play->paused_until_us[which] - clock_now_us());
		return;
	}
	maybe_pause(play, which);
	sim_turn(process, most_us[random_below(&play->random, ARRAY_SIZE(most_us))]);
	if (play->crashes_left > 0 && random_below(&play->random, 400) == 0) {
		play->crashes_left--;
		end_process(play, which, true);
	} else if (sim_is_over(process)) {
		end_process(play, which, false);
	}
}

static bool trouble(struct play *play, uint64_t seed)
{
	for (int i = 0; i < STEPS_MAX; i++) {
		if (!play->is_running[0] && !play->is_running[1])
			return true;
		step(play, (int)random_below(&play->random, PROCESSES));
	}
	printf("seed %llu: the processes do not end\n", (unsigned long long)seed);
	return false;
}

static int case_row_state(size_t i)
{
	char key[32];
	snprintf(key, sizeof(key), "o-%zu", i);
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
	return row ? row->row.state : 0;
}

/* Proven not bought, or for a person: what it says then is final until somebody acts. */
static bool is_settled(size_t i)
{
	char key[32];
	snprintf(key, sizeof(key), "o-%zu", i);
	const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
	return row && (row->row.state == LEDGER_FAILED || (row->row.state == LEDGER_IN_DOUBT && row->row.needs_person));
}

static size_t count_unsettled(const struct play *play)
{
	size_t count = memory_ledger_count(&sim_database.ledger, LEDGER_BUYING) +
		       memory_ledger_count(&sim_database.ledger, LEDGER_IN_DOUBT);
	for (size_t i = 0; i < play->orders; i++)
		count -= is_settled(i) && case_row_state(i) == LEDGER_IN_DOUBT;
	return count;
}

/* One process, no faults. Leases of the dead run out while it goes on. */
static bool resume(struct play *play, uint64_t seed)
{
	struct sim_process *process = &play->processes[0];
	sim_world.permille = sim_database.permille = 0;
	sim_open(process, SETTINGS);
	int status = sim_buy(process, play->orders);
	bool is_whole = status == 0;
	for (size_t i = 0; i < play->orders; i++) {
		if (process->results[i].status == 0 || process->results[i].status == 1 || is_settled(i))
			continue;
		printf("seed %llu: o-%zu ends with %s: %s\n", (unsigned long long)seed, i,
			shipopt_error_name(process->results[i].status), process->results[i].message);
		/* The price went up while a rate expired: that is for a person. */
		is_whole = is_whole && process->results[i].status == SHIPOPT_EHELD;
	}
	sim_close(process);
	return is_whole;
}

static bool play_seed(uint64_t seed, bool is_verbose, uint64_t *ret_trace)
{
	struct play play = {.is_verbose = is_verbose};
	random_init(&play.random, seed * 7919 + 1);
	sim_begin(seed);
	sim_world.guard = seed % 2;
	sim_world.permille = (unsigned)random_below(&play.random, 500);
	sim_world.rerate_step = 0;
	sim_database.permille = (unsigned)random_below(&play.random, 30);
	play.orders = 1 + random_below(&play.random, 6);
	play.crashes_left = (int)random_below(&play.random, 6);
	open_process(&play, 0);
	if (random_below(&play.random, 2))
		open_process(&play, 1);
	bool is_good = trouble(&play, seed) && resume(&play, seed);
	size_t in_doubt = count_unsettled(&play);
	if (in_doubt)
		printf("seed %llu: %zu in doubt\n", (unsigned long long)seed, in_doubt);
	size_t differences = sim_compare();
	if (differences)
		printf("seed %llu: ledger and carrier differ\n", (unsigned long long)seed);
	if (sim_world.strangers)
		printf("seed %llu: %d calls for shipments of others\n", (unsigned long long)seed, sim_world.strangers);
	*ret_trace = sim_world.trace;
	if (is_verbose)
		printf("%d labels for %zu orders, %lld purchases sent, trace %016llx\n", sim_world.labels, play.orders,
			(long long)sim_world.calls[WORLD_BUY], (unsigned long long)sim_world.trace);
	return is_good && !in_doubt && !differences && !sim_world.strangers;
}

/* In a child; its trace comes through a pipe. */
static bool play_apart(uint64_t seed, bool is_verbose, uint64_t *ret_trace)
{
	int ends[2], status = -1;
	assert_int_equal(pipe(ends), 0);
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		uint64_t trace = 0;
		bool is_good = play_seed(seed, is_verbose, &trace);
		fflush(NULL);
		_exit(write(ends[1], &trace, sizeof(trace)) == sizeof(trace) && is_good ? 0 : 1);
	}
	close(ends[1]);
	bool is_read = read(ends[0], ret_trace, sizeof(*ret_trace)) == sizeof(*ret_trace);
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return is_read && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static uint64_t number_from_env(const char *name)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : 0;
}

static void no_crash_buys_twice_and_one_resume_finishes_everything(void **state)
{
	uint64_t only = number_from_env("SHIPOPT_SEED"), trace, failures = 0;
	uint64_t count = only ? 1 : number_from_env("SHIPOPT_LONG") ? SEEDS_LONG : SEEDS_SHORT;
	for (uint64_t i = 0; i < count && failures < 10; i++) {
		uint64_t seed = only ? only : i + 1;
		if (play_apart(seed, only, &trace))
			continue;
		failures++;
		print_error("seed %llu failed: SHIPOPT_SEED=%llu plays it again\n", (unsigned long long)seed,
			(unsigned long long)seed);
	}
	assert_int_equal(failures, 0);
}

static void the_same_seed_gives_the_same_trace(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		uint64_t first = 0, second = 1;
		play_apart(seed, false, &first);
		play_apart(seed, false, &second);
		assert_int_equal(first, second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_seed_gives_the_same_trace),
		cmocka_unit_test(no_crash_buys_twice_and_one_resume_finishes_everything),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("crash", tests, NULL, NULL);
}
