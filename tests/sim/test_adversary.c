/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "play.h"

/*
 * Plays of many seeds (play.h). In the end each order is bought, failed with proof, held, given back or in doubt for a
 * person, and ledger and carrier agree to the cent.
 *
 * A purchase is a POST /shipments/…/buy that reached the carrier.
 *
 *	SHIPOPT_SEED=17          plays one seed, and says what happens
 *	SHIPOPT_PURCHASES=200000 another number of purchases
 *	SHIPOPT_LONG=1           a million
 */
#define PURCHASES_SHORT 50000
#define PURCHASES_LONG 1000000
#define BATCH 100 /* seeds in one child: what crashed processes held is lost with it */
#define BREACHES_MAX 5

struct tally *tally;

/* In a child, as a crashed process is never freed. */
static void play_apart(uint64_t first, uint64_t count, bool is_verbose)
{
	int status = -1;
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		for (tally->seed = first; tally->seed < first + count && tally->breaches < BREACHES_MAX; tally->seed++)
			tally->breaches += !play_seed(tally->seed, is_verbose);
		fflush(NULL);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
		print_error("seed %llu ended its process: SHIPOPT_SEED=%llu plays it again\n",
			(unsigned long long)tally->seed, (unsigned long long)tally->seed);
		tally->breaches++;
	}
}

/* ---- tests ------------------------------------------------------------------------------------------------- */

static uint64_t number_from_env(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);
	return text ? strtoull(text, NULL, 10) : otherwise;
}

static int begin_tally(void **state)
{
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return tally == MAP_FAILED;
}

static int end_tally(void **state)
{
	return munmap(tally, sizeof(*tally));
}

static void print_tally(uint64_t seeds)
{
	print_message(
		"%llu seeds: %lld purchases of %lld items in %lld runs, %lld crashes, %lld rows settled by a person, "
		"%lld further generations, %lld steps of refunds\n",
		(unsigned long long)seeds, (long long)tally->purchases, (long long)tally->items,
		(long long)tally->starts, (long long)tally->crashes, (long long)tally->resolved,
		(long long)tally->generations, (long long)tally->voids);
	print_message(
		"%lld labels; rows bought %lld, failed %lld, held %lld, in doubt for a person %lld; %lld surcharges of %.2f\n",
		(long long)tally->labels, (long long)tally->bought, (long long)tally->failed, (long long)tally->held,
		(long long)tally->in_doubt, (long long)tally->surcharges, (double)tally->surcharged / 1e6);
}

static void whatever_goes_wrong_no_key_gets_two_labels_and_every_order_settles(void **state)
{
	uint64_t only = number_from_env("SHIPOPT_SEED", 0), seeds = 0;
	uint64_t wanted =
		number_from_env("SHIPOPT_PURCHASES", getenv("SHIPOPT_LONG") ? PURCHASES_LONG : PURCHASES_SHORT);
	if (only) {
		play_apart(only, 1, true);
		print_tally(1);
		assert_int_equal(tally->breaches, 0);
		return;
	}
	for (; (uint64_t)tally->purchases < wanted && tally->breaches < BREACHES_MAX; seeds += BATCH)
		play_apart(seeds + 1, BATCH, false);
	print_tally(seeds);
	assert_int_equal(tally->breaches, 0);
	for (size_t i = 0; i < FAULT_COUNT; i++)
		if (tally->faults[i] == 0)
			fail_msg("nothing went wrong like this: %s", world_fault_name((enum world_fault)i));
}

/* Also in a process that has played others before it. */
static void the_same_seed_gives_the_same_trace(void **state)
{
	for (uint64_t seed = 1; seed <= 20; seed++) {
		play_apart(seed, 1, false);
		uint64_t first = tally->trace;
		play_apart(seed - (seed > 1), 1 + (seed > 1), false);
		assert_int_equal(first, tally->trace);
	}
	assert_int_equal(tally->breaches, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_same_seed_gives_the_same_trace, begin_tally, end_tally),
		cmocka_unit_test_setup_teardown(whatever_goes_wrong_no_key_gets_two_labels_and_every_order_settles,
			begin_tally, end_tally),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("adversary", tests, NULL, NULL);
}
