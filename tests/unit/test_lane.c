/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <string.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/memory.h"
#include "lane/lane.h"
#include "lane/lane_breaker.h"
#include "lane/lane_bucket.h"
#include "lane/lane_limit.h"
#include "lane/lane_retry.h"
#include "runtime/backend_simulated.h"

#define MS INT64_C(1000)
#define SECOND (1000 * MS)
#define DAY_MS INT64_C(86400000)

static struct reactor *reactor;
static struct lane *lane;
static struct lane_options options;

/* --- a caller --- */

struct caller {
	struct lane_ticket ticket;
	int name;
	int admissions;
};

static int order[4096];
static size_t order_count;

static void on_admitted(struct lane_ticket *ticket)
{
	struct caller *caller = CONTAINER_OF(ticket, struct caller, ticket);
	caller->admissions++;
	order[order_count++ % ARRAY_SIZE(order)] = caller->name;
}

static void enter(struct caller *caller, int name, enum lane_class class, enum lane_endpoint endpoint,
	struct lane_group *group)
{
	*caller = (struct caller){.name = name,
		.ticket = {.class = class, .endpoint = endpoint, .group = group, .admitted = on_admitted}};
	assert_int_equal(lane_enter(lane, &caller->ticket), 0);
	assert_int_equal(caller->admissions, 0);
}

static void advance_us(int64_t us)
{
	int64_t until_us = clock_now_us() + us;
	do
		reactor_turn(reactor, until_us - clock_now_us());
	while (clock_now_us() < until_us);
	reactor_turn(reactor, 0);
	reactor_turn(reactor, 0);
}

static void settle(void)
{
	advance_us(0);
}

static void leave(struct caller *caller, enum lane_outcome outcome, int64_t retry_after_ms)
{
	assert_int_equal(caller->admissions, 1);
	lane_leave(&caller->ticket, outcome, retry_after_ms);
}

static struct lane_statistics statistics(void)
{
	struct lane_statistics result;
	lane_statistics(lane, &result);
	return result;
}

static void start(void)
{
	lane_free(lane);
	lane = NULL;
	assert_int_equal(lane_new(reactor, &options, 42, &lane), 0);
	order_count = 0;
}

static void start_fixed(size_t limit)
{
	options.is_adaptive = false;
	options.limit_max = limit;
	options.tokens_per_second[LANE_ENDPOINT_LIST] = 0;
	start();
}

static int set_up(void **state)
{
	clock_set_virtual(true);
	assert_int_equal(reactor_new(&reactor_backend_simulated, &reactor), 0);
	lane_options_default(&options);
	start();
	return 0;
}

static int tear_down(void **state)
{
	lane_free(lane);
	lane = NULL;
	reactor_free(reactor);
	clock_set_virtual(false);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

/* --- order --- */

static void a_ticket_is_admitted_in_the_next_turn_and_not_inside_enter(void **state)
{
	struct caller caller;
	enter(&caller, 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	assert_int_equal(statistics().waiting, 1);
	settle();
	assert_int_equal(caller.admissions, 1);
	assert_int_equal(statistics().on_wire, 1);
	leave(&caller, LANE_OK, -1);
	assert_int_equal(statistics().on_wire, 0);
	/* The same struct, again. */
	assert_int_equal(lane_enter(lane, &caller.ticket), 0);
	settle();
	assert_int_equal(caller.admissions, 2);
	lane_leave(&caller.ticket, LANE_OK, -1);
}

static void classes_go_in_the_order_of_their_importance(void **state)
{
	struct caller callers[5], first;
	start_fixed(1);
	enter(&first, 0, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	settle();
	enter(&callers[0], 4, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	enter(&callers[1], 3, LANE_READ, LANE_ENDPOINT_READ, NULL);
	enter(&callers[2], 2, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	enter(&callers[3], 1, LANE_READ_BACK, LANE_ENDPOINT_READ, NULL);
	enter(&callers[4], 5, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	leave(&first, LANE_OK, -1);
	for (int i = 0; i < 5; i++) {
		settle();
		for (int j = 0; j < 5; j++)
			if (callers[j].ticket.is_admitted)
				leave(&callers[j], LANE_OK, -1);
	}
	settle();
	static const int expected[] = {0, 1, 2, 3, 4, 5};
	assert_int_equal(order_count, ARRAY_SIZE(expected));
	assert_memory_equal(order, expected, sizeof(expected));
}

/* A stream of fresh purchases over one place on the wire, and a creation that waits from the start. */
static void a_creation_that_waits_long_enough_comes_before_fresh_purchases(void **state)
{
	struct caller creation, purchases[2];
	int steps = 0;
	start_fixed(1);
	enter(&purchases[0], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	enter(&creation, 2, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	for (; creation.admissions == 0; steps++) {
		enter(&purchases[(steps + 1) % 2], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
		advance_us(100 * MS);
		leave(&purchases[steps % 2], LANE_OK, -1);
		settle();
		assert_true(steps < 1000);
	}
	/* Create is two classes below buy: after two aging times it counts the same, and it is older. */
	assert_int_equal(steps, 2 * LANE_AGING_MS / 100);
	leave(&creation, LANE_OK, -1);
	lane_withdraw(&purchases[steps % 2].ticket);
}

static void drain(struct caller *callers, size_t count)
{
	for (size_t done = 0; done < count;) {
		settle();
		for (size_t i = 0; i < count; i++) {
			if (callers[i].ticket.is_admitted) {
				leave(&callers[i], LANE_OK, -1);
				done++;
			}
		}
	}
}

static void groups_take_turns_in_proportion_to_their_weights(void **state)
{
	static struct caller callers[90];
	struct lane_group light, heavy;
	int seen[3] = {0};
	start_fixed(1);
	lane_group_init(&light, 0);
	lane_group_init(&heavy, 2);
	/* The heavy one floods first. */
	for (size_t i = 0; i < 90; i++)
		enter(&callers[i], i < 60 ? 2 : 1, LANE_BUY, LANE_ENDPOINT_BUY, i < 60 ? &heavy : &light);
	assert_int_equal(heavy.count, 60);
	drain(callers, 90);
	for (size_t i = 0; i < 30; i++)
		seen[order[i]]++;
	assert_int_equal(seen[2], 20);
	assert_int_equal(seen[1], 10);
	assert_int_equal(heavy.count + light.count, 0);
}

static void inside_a_group_the_first_come_goes_first(void **state)
{
	static struct caller callers[50];
	start_fixed(3);
	for (int i = 0; i < 50; i++)
		enter(&callers[i], i, LANE_READ, LANE_ENDPOINT_READ, NULL);
	drain(callers, 50);
	for (int i = 0; i < 50; i++)
		assert_int_equal(order[i], i);
}

static void a_withdrawn_ticket_is_never_admitted(void **state)
{
	struct caller callers[3];
	struct lane_group group;
	lane_group_init(&group, 1);
	start_fixed(1);
	for (int i = 0; i < 3; i++)
		enter(&callers[i], i, LANE_BUY, LANE_ENDPOINT_BUY, &group);
	lane_withdraw(&callers[1].ticket);
	lane_withdraw(&callers[1].ticket);
	settle();
	lane_withdraw(&callers[0].ticket); /* admitted: nothing happens */
	assert_int_equal(statistics().on_wire, 1);
	leave(&callers[0], LANE_OK, -1);
	settle();
	leave(&callers[2], LANE_OK, -1);
	assert_int_equal(callers[1].admissions, 0);
	assert_int_equal(group.count, 0);
}

static void the_number_that_wait_is_bounded(void **state)
{
	struct caller callers[3];
	options.waiting_max = 2;
	start_fixed(1);
	enter(&callers[0], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	enter(&callers[1], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	callers[2] = (struct caller){.ticket = {.class = LANE_BUY, .admitted = on_admitted}};
	assert_int_equal(lane_enter(lane, &callers[2].ticket), SHIPOPT_EAGAIN);
	lane_withdraw(&callers[2].ticket);
	settle();
	assert_int_equal(lane_enter(lane, &callers[2].ticket), 0);
	drain(callers, 3);
}

static struct caller restless;

static void leave_and_enter_again(struct lane_ticket *ticket)
{
	on_admitted(ticket);
	lane_leave(ticket, LANE_NEUTRAL, -1);
	assert_int_equal(lane_enter(lane, ticket), 0);
}

static void a_caller_that_leaves_inside_its_callback_does_not_hold_up_the_loop(void **state)
{
	restless = (struct caller){.ticket = {.class = LANE_BUY, .admitted = leave_and_enter_again}};
	assert_int_equal(lane_enter(lane, &restless.ticket), 0);
	reactor_turn(reactor, 0);
	reactor_turn(reactor, 0);
	assert_in_range(restless.admissions, 1, 3);
	lane_withdraw(&restless.ticket);
}

/* --- the limit --- */

/* One round trip: as many as may be on the wire enter and leave with `outcome`. */
static void round_trip(size_t count, enum lane_outcome outcome)
{
	static struct caller callers[256];
	for (size_t i = 0; i < count; i++)
		enter(&callers[i], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	for (size_t i = 0; i < count; i++)
		if (callers[i].ticket.is_admitted)
			leave(&callers[i], outcome, -1);
	for (size_t i = 0; i < count; i++)
		lane_withdraw(&callers[i].ticket);
	settle();
}

static void no_more_than_the_limit_are_on_the_wire(void **state)
{
	static struct caller callers[40];
	for (int i = 0; i < 40; i++)
		enter(&callers[i], i, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	assert_int_equal(statistics().on_wire, 16);
	assert_int_equal(statistics().waiting, 24);
	drain(callers, 40);
}

static void successes_raise_the_limit_by_one_a_round_up_to_its_ceiling(void **state)
{
	options.limit_initial = 8;
	options.limit_max = 12;
	start();
	round_trip(9, LANE_OK);
	size_t after_one = statistics().limit;
	assert_in_range(after_one, 8, 9);
	for (int i = 0; i < 20; i++)
		round_trip(12, LANE_OK);
	assert_int_equal(statistics().limit, 12);
}

static void an_unused_limit_does_not_grow(void **state)
{
	for (int i = 0; i < 200; i++)
		round_trip(4, LANE_OK);
	assert_int_equal(statistics().limit, 16);
}

static void an_overloaded_round_cuts_the_limit_once(void **state)
{
	options.breaker_outcomes_min = options.breaker_window = 10000;
	start();
	round_trip(16, LANE_OVERLOADED);
	assert_int_equal(statistics().limit, 11);
	assert_int_equal(statistics().cuts, 1);
	round_trip(11, LANE_OVERLOADED);
	assert_int_equal(statistics().limit, 7);
	for (int i = 0; i < 30; i++)
		round_trip(1, LANE_OVERLOADED);
	assert_int_equal(statistics().limit, 1);
}

static void a_plain_failure_does_not_cut_the_limit(void **state)
{
	round_trip(10, LANE_FAILED);
	round_trip(10, LANE_NEUTRAL);
	assert_int_equal(statistics().limit, 16);
}

static void a_fixed_limit_stays(void **state)
{
	options.breaker_outcomes_min = options.breaker_window = 10000;
	start_fixed(9);
	round_trip(9, LANE_OVERLOADED);
	assert_int_equal(statistics().limit, 9);
	for (int i = 0; i < 50; i++)
		round_trip(9, LANE_OK);
	assert_int_equal(statistics().limit, 9);
}

/* --- buckets --- */

static void list_endpoints_get_five_at_once_and_then_one_every_200_ms(void **state)
{
	static struct caller callers[20];
	struct caller other;
	for (int i = 0; i < 20; i++)
		enter(&callers[i], i, LANE_READ, LANE_ENDPOINT_LIST, NULL);
	settle();
	assert_int_equal(statistics().admitted, 5);
	/* Who is not of that class is not held back. */
	enter(&other, 99, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	settle();
	leave(&other, LANE_OK, -1);
	advance_us(199 * MS);
	assert_int_equal(statistics().admitted, 6);
	advance_us(1 * MS);
	assert_int_equal(statistics().admitted, 7);
	advance_us(2 * SECOND);
	for (int i = 0; i < 17; i++)
		if (callers[i].ticket.is_admitted)
			leave(&callers[i], LANE_OK, -1);
	advance_us(10 * SECOND);
	assert_int_equal(statistics().admitted, 21);
	for (int i = 0; i < 20; i++)
		if (callers[i].ticket.is_admitted)
			leave(&callers[i], LANE_OK, -1);
}

static void a_bucket_neither_gains_nor_loses_over_a_long_time(void **state)
{
	static const double rates[] = {0.5, 1, 3, 5, 7, 333, 1000000};
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		struct lane_bucket bucket;
		int64_t now_us = 0;
		uint64_t taken = 0;
		bucket_init(&bucket, rates[i]);
		while (now_us < 100 * SECOND) {
			now_us = MAX(now_us, bucket_open_us(&bucket));
			bucket_take(&bucket, now_us);
			taken++;
		}
		double expected = rates[i] * 100 + MAX(rates[i], 1);
		assert_true((double)taken <= expected + 1 && (double)taken >= expected * 0.998 - 2);
	}
}

/* --- pauses --- */

static void a_rate_limit_pauses_its_endpoint_class_alone_until_retry_after(void **state)
{
	struct caller limited, same, other;
	enter(&limited, 0, LANE_READ, LANE_ENDPOINT_LIST, NULL);
	settle();
	leave(&limited, LANE_RATE_LIMITED, 3000);
	enter(&same, 1, LANE_READ, LANE_ENDPOINT_LIST, NULL);
	enter(&other, 2, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	assert_int_equal(other.admissions, 1);
	leave(&other, LANE_OK, -1);
	assert_int_equal(statistics().paused_us, 0);
	advance_us(2999 * MS);
	assert_int_equal(same.admissions, 0);
	advance_us(1 * MS);
	assert_int_equal(same.admissions, 1);
	leave(&same, LANE_OK, -1);
	assert_int_equal(statistics().rate_limited, 1);
}

static void rate_limits_in_two_classes_pause_the_lane(void **state)
{
	struct caller callers[3];
	enter(&callers[0], 0, LANE_READ, LANE_ENDPOINT_LIST, NULL);
	enter(&callers[1], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	leave(&callers[0], LANE_RATE_LIMITED, 60000);
	leave(&callers[1], LANE_RATE_LIMITED, 1000);
	assert_int_equal(statistics().paused_us, 60 * SECOND);
	enter(&callers[2], 2, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	advance_us(60 * SECOND - 1);
	assert_int_equal(callers[2].admissions, 0);
	advance_us(1);
	assert_int_equal(callers[2].admissions, 1);
	leave(&callers[2], LANE_OK, -1);
}

static void it_is_known_until_when_each_class_is_paused(void **state)
{
	struct caller a, b;
	int64_t begun_us = clock_now_us();
	start_fixed(10);
	for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++)
		assert_true(lane_paused_until_us(lane, (enum lane_endpoint)endpoint) <= begun_us);
	enter(&a, 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	enter(&b, 2, LANE_READ, LANE_ENDPOINT_READ, NULL);
	settle();
	leave(&a, LANE_OVERLOADED, 5000);
	assert_int_equal(lane_paused_until_us(lane, LANE_ENDPOINT_BUY), begun_us + 5 * SECOND);
	assert_true(lane_paused_until_us(lane, LANE_ENDPOINT_READ) <= begun_us);
	leave(&b, LANE_RATE_LIMITED, 7000);
	assert_int_equal(lane_paused_until_us(lane, LANE_ENDPOINT_READ), begun_us + 7 * SECOND);
	/* A second class that is limited pauses the lane. */
	enter(&a, 1, LANE_CREATE, LANE_ENDPOINT_CREATE, NULL);
	settle();
	leave(&a, LANE_RATE_LIMITED, 3000);
	for (int endpoint = 0; endpoint < LANE_ENDPOINT_COUNT; endpoint++)
		assert_int_equal(lane_paused_until_us(lane, (enum lane_endpoint)endpoint), begun_us + 7 * SECOND);
}

static void rate_limits_in_two_classes_one_after_the_other_pause_no_lane(void **state)
{
	struct caller callers[2];
	enter(&callers[0], 0, LANE_READ, LANE_ENDPOINT_READ, NULL);
	settle();
	leave(&callers[0], LANE_RATE_LIMITED, 1000);
	advance_us(1 * SECOND);
	enter(&callers[1], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	leave(&callers[1], LANE_RATE_LIMITED, 1000);
	assert_int_equal(statistics().paused_us, 0);
}

static void a_pause_of_hours_is_honoured_and_one_of_weeks_is_a_day(void **state)
{
	static const struct {
		int64_t asked_ms, paused_ms;
	} cases[] = {{4 * 3600 * 1000, 4 * 3600 * 1000}, {DAY_MS, DAY_MS}, {14 * DAY_MS, DAY_MS}, {INT64_MAX, DAY_MS}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct caller limited, next;
		start();
		enter(&limited, 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
		settle();
		leave(&limited, LANE_RATE_LIMITED, cases[i].asked_ms);
		enter(&next, 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
		advance_us(cases[i].paused_ms * MS - 1);
		assert_int_equal(next.admissions, 0);
		advance_us(1);
		assert_int_equal(next.admissions, 1);
		leave(&next, LANE_OK, -1);
	}
}

static void a_shorter_retry_after_does_not_end_a_longer_pause(void **state)
{
	struct caller callers[3];
	enter(&callers[0], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	enter(&callers[1], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	leave(&callers[0], LANE_RATE_LIMITED, 5000);
	leave(&callers[1], LANE_RATE_LIMITED, 0);
	enter(&callers[2], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	advance_us(4999 * MS);
	assert_int_equal(callers[2].admissions, 0);
	advance_us(1 * MS);
	leave(&callers[2], LANE_OK, -1);
}

/* How long the class is paused after `count` rate limits in a row. */
static int64_t paused_after(int count, uint64_t seed)
{
	struct caller caller;
	int64_t paused_us = 0;
	lane_free(lane);
	assert_int_equal(lane_new(reactor, &options, seed, &lane), 0);
	for (int i = 0; i <= count; i++) {
		int64_t before_us = clock_now_us();
		for (enter(&caller, 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL); !caller.admissions;)
			advance_us(MS);
		paused_us = clock_now_us() - before_us;
		leave(&caller, i < count ? LANE_RATE_LIMITED : LANE_OK, -1);
	}
	return paused_us;
}

static void without_retry_after_the_pause_grows_with_each_rate_limit_in_a_row(void **state)
{
	int64_t longest_us[2] = {0};
	for (uint64_t seed = 0; seed < 40; seed++) {
		longest_us[0] = MAX(longest_us[0], paused_after(1, seed));
		longest_us[1] = MAX(longest_us[1], paused_after(6, seed));
	}
	assert_in_range(longest_us[0], 70 * MS, 101 * MS);
	assert_in_range(longest_us[1], 2000 * MS, 3201 * MS);
}

static void an_overload_that_names_a_time_pauses_its_class(void **state)
{
	struct caller callers[2];
	enter(&callers[0], 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	settle();
	leave(&callers[0], LANE_OVERLOADED, 2000);
	enter(&callers[1], 1, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	advance_us(1999 * MS);
	assert_int_equal(callers[1].admissions, 0);
	advance_us(1 * MS);
	leave(&callers[1], LANE_OK, -1);
}

/* --- the breaker --- */

static void start_breaking(void)
{
	options.breaker_window = 10;
	options.breaker_outcomes_min = 4;
	options.breaker_probes = 2;
	options.breaker_open_ms = 5000;
	start_fixed(8);
}

static void half_of_the_window_failing_opens_the_breaker_and_probes_close_it(void **state)
{
	static struct caller callers[6];
	start_breaking();
	round_trip(1, LANE_OK);
	round_trip(1, LANE_FAILED);
	round_trip(1, LANE_FAILED);
	assert_int_equal(lane_breaker_open_us(lane), 0);
	round_trip(1, LANE_OK);
	assert_true(statistics().breaker_is_open);
	assert_int_equal(lane_breaker_open_us(lane), 5 * SECOND);
	for (int i = 0; i < 6; i++)
		enter(&callers[i], i, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	advance_us(5 * SECOND - 1);
	assert_int_equal(order_count, 4);
	advance_us(1);
	/* Half open: two probes, and nobody else until both are back. */
	assert_int_equal(statistics().on_wire, 2);
	leave(&callers[0], LANE_OK, -1);
	settle();
	assert_int_equal(statistics().on_wire, 1);
	leave(&callers[1], LANE_OK, -1);
	settle();
	assert_int_equal(statistics().on_wire, 4);
	assert_false(statistics().breaker_is_open);
	for (int i = 2; i < 6; i++)
		leave(&callers[i], LANE_OK, -1);
	assert_int_equal(statistics().breaker_opened, 1);
}

/* Requests that were sent before the breaker opened come back while it is open and half open. */
static void results_of_an_earlier_state_say_nothing_about_the_breaker(void **state)
{
	struct lane_breaker breaker;
	assert_int_equal(breaker_init(&breaker, 10, 4, 5 * SECOND, 2), 0);
	uint64_t closed = breaker.epoch;
	for (int i = 0; i < 4; i++)
		breaker_give(&breaker, BREAKER_FAILURE, closed, 0);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	for (int i = 0; i < 3; i++)
		breaker_give(&breaker, BREAKER_SUCCESS, closed, 0);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_int_equal(breaker_pass_us(&breaker, 5 * SECOND), INT64_MIN);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	assert_true(breaker_take(&breaker));
	breaker_give(&breaker, BREAKER_FAILURE, closed, 5 * SECOND);
	breaker_give(&breaker, BREAKER_SUCCESS, closed, 5 * SECOND);
	assert_int_equal(breaker.state, BREAKER_HALF_OPEN);
	assert_int_equal(breaker.probes_out, 1);
	assert_int_equal(breaker.probes_passed, 0);
	breaker_done(&breaker);
}

static void a_failing_probe_opens_the_breaker_again(void **state)
{
	static struct caller callers[3];
	start_breaking();
	round_trip(4, LANE_FAILED);
	for (int i = 0; i < 3; i++)
		enter(&callers[i], i, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	advance_us(5 * SECOND);
	leave(&callers[0], LANE_FAILED, -1);
	assert_int_equal(lane_breaker_open_us(lane), 5 * SECOND);
	/* The other probe is of a time that is over: its success closes nothing. */
	leave(&callers[1], LANE_OK, -1);
	settle();
	assert_int_equal(statistics().on_wire, 0);
	assert_int_equal(statistics().breaker_opened, 2);
	advance_us(5 * SECOND);
	leave(&callers[2], LANE_OK, -1);
}

static void a_probe_that_says_nothing_gives_its_place_to_another(void **state)
{
	static struct caller callers[4];
	start_breaking();
	round_trip(4, LANE_FAILED);
	for (int i = 0; i < 4; i++)
		enter(&callers[i], i, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
	advance_us(5 * SECOND);
	leave(&callers[0], LANE_NEUTRAL, -1);
	leave(&callers[1], LANE_RATE_LIMITED, 0);
	settle();
	assert_int_equal(statistics().on_wire, 2);
	leave(&callers[2], LANE_OK, -1);
	leave(&callers[3], LANE_OK, -1);
	assert_false(statistics().breaker_is_open);
	round_trip(5, LANE_OK);
	assert_int_equal(statistics().breaker_opened, 1);
}

static void rate_limits_never_open_the_breaker(void **state)
{
	start_breaking();
	for (int i = 0; i < 50; i++) {
		struct caller caller;
		enter(&caller, 0, LANE_BUY, LANE_ENDPOINT_BUY, NULL);
		settle();
		leave(&caller, LANE_RATE_LIMITED, 0);
	}
	assert_false(statistics().breaker_is_open);
}

static void the_breaker_forgets_what_fell_out_of_its_window(void **state)
{
	struct lane_breaker breaker;
	assert_int_equal(breaker_init(&breaker, 10, 10, SECOND, 1), 0);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < 10; i++)
			breaker_give(&breaker, i < 4 ? BREAKER_FAILURE : BREAKER_SUCCESS, breaker.epoch, 0);
		assert_int_equal(breaker.failed, 4);
		assert_int_equal(breaker.state, BREAKER_CLOSED);
	}
	breaker_give(&breaker, BREAKER_FAILURE, breaker.epoch, 0);
	breaker_give(&breaker, BREAKER_FAILURE, breaker.epoch, 0);
	breaker_give(&breaker, BREAKER_FAILURE, breaker.epoch, 0);
	breaker_give(&breaker, BREAKER_FAILURE, breaker.epoch, 0);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
	breaker_give(&breaker, BREAKER_FAILURE, breaker.epoch, 0);
	assert_int_equal(breaker.state, BREAKER_OPEN);
	breaker_done(&breaker);
}

/* --- retries --- */

static void delays_are_between_zero_and_the_doubled_base_up_to_the_cap(void **state)
{
	struct lane_retry retry;
	struct random random;
	random_init(&random, 7);
	retry_init(&retry, 100, 10000, 10, 100, 0);
	for (unsigned attempt = 0; attempt < 80; attempt++) {
		int64_t bound_us = attempt < 7 ? 100 * MS << attempt : 10000 * MS, longest_us = 0;
		for (int i = 0; i < 200; i++) {
			int64_t delay_us = retry_delay_us(&retry, &random, attempt);
			assert_true(delay_us >= 0 && delay_us <= bound_us);
			longest_us = MAX(longest_us, delay_us);
		}
		assert_true(longest_us > bound_us * 8 / 10);
	}
}

static void an_empty_budget_refuses_and_successes_fill_it(void **state)
{
	int64_t delay_us;
	options.retry_budget = 3;
	options.retry_refill_millis = 250;
	start();
	for (int i = 0; i < 3; i++)
		assert_true(lane_retry_take(lane, 0, &delay_us));
	assert_false(lane_retry_take(lane, 0, &delay_us));
	round_trip(3, LANE_OK);
	assert_false(lane_retry_take(lane, 0, &delay_us));
	round_trip(1, LANE_OK);
	assert_true(lane_retry_take(lane, 0, &delay_us));
	round_trip(100, LANE_OK);
	assert_int_equal(statistics().retries, 4);
	assert_int_equal(statistics().retries_refused, 2);
}

static void those_who_must_not_fail_get_a_token_in_the_end(void **state)
{
	int64_t delay_us;
	options.retry_budget = 1;
	start();
	assert_true(lane_retry_take(lane, 0, &delay_us));
	int64_t waited_us = 0;
	int asked = 0;
	for (; !lane_retry_take(lane, 0, &delay_us); asked++) {
		int64_t wait_us = lane_retry_wait_us(lane);
		assert_true(wait_us > 0 || asked > 0);
		waited_us += wait_us;
		advance_us(wait_us);
		assert_true(asked < 5);
	}
	assert_in_range(waited_us, 10 * SECOND, 11 * SECOND);
}

/* --- the whole --- */

/* Thousands of callers with random outcomes: the bounds hold, nobody is lost, nothing is allocated. */
static void a_long_random_run_keeps_all_bounds(void **state)
{
	static struct caller callers[600];
	struct lane_group groups[3];
	struct random random;
	random_init(&random, 20260101);
	options.retry_cap_ms = 1000;
	start();
	for (int i = 0; i < 3; i++)
		lane_group_init(&groups[i], (uint64_t)i);
	memset(callers, 0, sizeof(callers));
	uint64_t live = mem_live_count();
	for (int step = 0; step < 20000; step++) {
		struct caller *caller = &callers[random_below(&random, ARRAY_SIZE(callers))];
		uint64_t choice = random_below(&random, 100);
		if (!caller->ticket.lane)
			enter(caller, 1, (enum lane_class)random_below(&random, LANE_CLASS_COUNT),
				(enum lane_endpoint)random_below(&random, LANE_ENDPOINT_COUNT), &groups[choice % 3]);
		else if (caller->ticket.is_admitted)
			leave(caller,
				choice < 85           ? LANE_OK
					: choice < 90 ? LANE_OVERLOADED
					: choice < 95 ? LANE_RATE_LIMITED
						      : LANE_FAILED,
				choice % 2 ? -1 : (int64_t)choice);
		else if (choice < 5)
			lane_withdraw(&caller->ticket);
		if (choice < 30)
			advance_us((int64_t)random_below(&random, 20) * MS);
		assert_true(statistics().on_wire <= 64 && statistics().limit >= 1);
		assert_int_equal(mem_live_count(), live);
	}
	for (bool is_busy = true; is_busy;) {
		is_busy = false;
		advance_us(SECOND);
		for (size_t i = 0; i < ARRAY_SIZE(callers); i++) {
			if (callers[i].ticket.is_admitted)
				leave(&callers[i], LANE_OK, -1);
			is_busy = is_busy || callers[i].ticket.lane;
		}
	}
	assert_int_equal(statistics().waiting + statistics().on_wire, 0);
	assert_int_equal(groups[0].count + groups[1].count + groups[2].count, 0);
}

static void options_out_of_bounds_are_brought_into_them(void **state)
{
	options = (struct lane_options){0};
	start();
	round_trip(1, LANE_OK);
	assert_int_equal(statistics().limit, 1);
	options = (struct lane_options){.limit_min = 9,
		.limit_initial = 99,
		.limit_max = 5,
		.is_adaptive = true,
		.waiting_max = 10,
		.retry_base_ms = INT64_MAX,
		.retry_cap_ms = -1,
		.retry_budget = INT64_MAX,
		.breaker_window = 5,
		.breaker_outcomes_min = 500,
		.breaker_open_ms = INT64_MAX,
		.tokens_per_second = {1e12, 1e-12, -1, 0}};
	start();
	assert_int_equal(statistics().limit, 5);
	round_trip(5, LANE_FAILED);
	assert_true(statistics().breaker_is_open);
}

#ifdef SHIPOPT_FAULTS
static void out_of_memory_makes_no_lane(void **state)
{
	for (long point = 0; point < 2; point++) {
		struct lane *none = NULL;
		fault_arm(point);
		assert_int_equal(lane_new(reactor, &options, 1, &none), SHIPOPT_ENOMEM);
		fault_arm(-1);
		assert_null(none);
	}
}
#endif

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_ticket_is_admitted_in_the_next_turn_and_not_inside_enter),
		TEST(classes_go_in_the_order_of_their_importance),
		TEST(a_creation_that_waits_long_enough_comes_before_fresh_purchases),
		TEST(groups_take_turns_in_proportion_to_their_weights),
		TEST(inside_a_group_the_first_come_goes_first),
		TEST(a_withdrawn_ticket_is_never_admitted),
		TEST(the_number_that_wait_is_bounded),
		TEST(a_caller_that_leaves_inside_its_callback_does_not_hold_up_the_loop),
		TEST(no_more_than_the_limit_are_on_the_wire),
		TEST(successes_raise_the_limit_by_one_a_round_up_to_its_ceiling),
		TEST(an_unused_limit_does_not_grow),
		TEST(an_overloaded_round_cuts_the_limit_once),
		TEST(a_plain_failure_does_not_cut_the_limit),
		TEST(a_fixed_limit_stays),
		TEST(list_endpoints_get_five_at_once_and_then_one_every_200_ms),
		TEST(a_bucket_neither_gains_nor_loses_over_a_long_time),
		TEST(a_rate_limit_pauses_its_endpoint_class_alone_until_retry_after),
		TEST(rate_limits_in_two_classes_pause_the_lane),
		TEST(rate_limits_in_two_classes_one_after_the_other_pause_no_lane),
		TEST(a_pause_of_hours_is_honoured_and_one_of_weeks_is_a_day),
		TEST(it_is_known_until_when_each_class_is_paused),
		TEST(a_shorter_retry_after_does_not_end_a_longer_pause),
		TEST(without_retry_after_the_pause_grows_with_each_rate_limit_in_a_row),
		TEST(an_overload_that_names_a_time_pauses_its_class),
		TEST(half_of_the_window_failing_opens_the_breaker_and_probes_close_it),
		TEST(results_of_an_earlier_state_say_nothing_about_the_breaker),
		TEST(a_failing_probe_opens_the_breaker_again),
		TEST(a_probe_that_says_nothing_gives_its_place_to_another),
		TEST(rate_limits_never_open_the_breaker),
		TEST(the_breaker_forgets_what_fell_out_of_its_window),
		TEST(delays_are_between_zero_and_the_doubled_base_up_to_the_cap),
		TEST(an_empty_budget_refuses_and_successes_fill_it),
		TEST(those_who_must_not_fail_get_a_token_in_the_end),
		TEST(a_long_random_run_keeps_all_bounds),
		TEST(options_out_of_bounds_are_brought_into_them),
#ifdef SHIPOPT_FAULTS
		TEST(out_of_memory_makes_no_lane),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
