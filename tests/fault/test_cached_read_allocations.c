/* SPDX-License-Identifier: MIT */
#include "../cached_read_fixture.h"

#include "base/fault.h"

/*
 * Every fault point that cached reads and quotes pass is made to fail once, in virtual time. Each call that was taken
 * completes once, with its answer or an error; what is kept is never wrong; nothing leaks; and afterwards all works.
 */
#ifdef SHIPOPT_FAULTS

enum { POINTS_MAX = 20000, CALLS_MAX = 8 };

struct play {
	shipopt_op *ops[CALLS_MAX];
	size_t count;
	int done, failures;
};

static void on_done(void *userdata, shipopt_op *op)
{
	((struct play *)userdata)->done++;
}

static void retrieve(struct play *play)
{
	int r = shipopt_carrier_shipment_retrieve(process.carrier, "shp_0", on_done, play, &play->ops[play->count]);
	play->failures += r < 0;
	play->count += r == 0;
}

static void quote(struct play *play)
{
	shipopt_order *order = sim_order("quoted", 3);
	if (!order) {
		play->failures++;
		return;
	}
	int r = shipopt_carrier_shipment_quote(process.carrier, shipopt_order_shipment(order), on_done, play,
		&play->ops[play->count]);
	shipopt_order_free(order);
	play->failures += r < 0;
	play->count += r == 0;
}

static void wait_for_all(struct play *play, long point)
{
	for (size_t i = 0; i < play->count; i++) {
		int r = shipopt_op_wait(play->ops[i], -1);
		const shipopt_record *record = shipopt_op_record(play->ops[i]);
		if (r == SHIPOPT_EDEADLK)
			fail_msg("point %ld: call %zu stands still", point, i);
		if (r == 0 && !record)
			fail_msg("point %ld: call %zu has no record", point, i);
		play->failures += r < 0;
		shipopt_op_unref(play->ops[i]);
	}
	if (play->done != (int)play->count)
		fail_msg("point %ld: %d completions of %zu calls", point, play->done, play->count);
	play->count = 0;
	play->done = 0;
}

static bool play(long point, int *failures)
{
	struct play play = {0};
	sim_begin(1);
	json_stock_clear();
	make_shipment(true);
	fault_arm(point);
	int r = try_cache_new(0);
	sim_configure = use_cache;
	r = r < 0 ? r : sim_try_open(&process, NULL);
	if (r == 0) {
		for (int i = 0; i < 3; i++)
			retrieve(&play);
		quote(&play);
		quote(&play);
		if (play.count > 1)
			shipopt_op_cancel(play.ops[0]);
		wait_for_all(&play, point);
		retrieve(&play);
		quote(&play);
		wait_for_all(&play, point);
	}
	bool fired = fault_fired();
	fault_arm(-1);
	*failures += r < 0 || play.failures > 1; /* one was canceled */
	if (r == 0) {
		play.failures = 0;
		retrieve(&play);
		quote(&play);
		wait_for_all(&play, point);
		if (play.failures || reads() > 4)
			fail_msg("point %ld: then %d failures, %lld reads", point, play.failures, (long long)reads());
	}
	sim_close(&process);
	shipopt_cache_free(TAKE(cache));
	sim_end();
	json_stock_clear();
	if (mem_live_count() != 0)
		fail_msg("point %ld: %llu blocks are left", point, (unsigned long long)mem_live_count());
	return fired;
}

static void each_failure_on_the_way_of_a_cached_read_is_one_calls_own(void **state)
{
	int failures = 0;
	long point = 0;
	while (point < POINTS_MAX && play(point, &failures))
		point++;
	print_message("%ld points, %d failures\n", point, failures);
	assert_true(point < POINTS_MAX);
	assert_true(failures > 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(each_failure_on_the_way_of_a_cached_read_is_one_calls_own)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
	print_message("skipped: built without -Dfaults=true\n");
	return 77;
}

#endif
