/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/random.h"
#include "runtime/timer.h"

static void timers_leave_in_the_order_of_their_time(void **state)
{
	static const int64_t due[] = {5, 3, 9, 1, 7, 3, 8};
	struct timer timers[ARRAY_SIZE(due)] = {0};
	struct timer_heap heap = {0};
	int64_t last = 0;
	for (size_t i = 0; i < ARRAY_SIZE(due); i++) {
		timers[i].due_us = due[i];
		timer_heap_insert(&heap, &timers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(due); i++) {
		struct timer *first = timer_heap_first(&heap);
		assert_true(first->due_us >= last);
		last = first->due_us;
		timer_heap_remove(&heap, first);
	}
	assert_null(timer_heap_first(&heap));
}

static void timers_of_the_same_time_leave_in_the_order_they_came(void **state)
{
	struct timer timers[50] = {0};
	struct timer_heap heap = {0};
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		timers[i].due_us = 1000;
		timer_heap_insert(&heap, &timers[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(timers); i++) {
		assert_ptr_equal(timer_heap_first(&heap), &timers[i]);
		timer_heap_remove(&heap, &timers[i]);
	}
}

/* Against a plain array, ten thousand random inserts and removals from anywhere. */
static void the_heap_agrees_with_a_plain_search(void **state)
{
	enum { COUNT = 200, STEPS = 10000, SEED = 7 };
	struct timer timers[COUNT];
	bool is_in[COUNT] = {false};
	struct timer_heap heap = {0};
	struct random random;
	memset(timers, 0, sizeof(timers));
	random_init(&random, SEED);
	for (int step = 0; step < STEPS; step++) {
		size_t i = random_below(&random, COUNT);
		if (is_in[i]) {
			timer_heap_remove(&heap, &timers[i]);
		} else {
			timers[i].due_us = (int64_t)random_below(&random, 500);
			timer_heap_insert(&heap, &timers[i]);
		}
		is_in[i] = !is_in[i];
		struct timer *earliest = NULL;
		for (size_t j = 0; j < COUNT; j++)
			if (is_in[j] &&
				(!earliest || timers[j].due_us < earliest->due_us ||
					(timers[j].due_us == earliest->due_us &&
						timers[j].sequence < earliest->sequence)))
				earliest = &timers[j];
		assert_ptr_equal(timer_heap_first(&heap), earliest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(timers_leave_in_the_order_of_their_time),
		cmocka_unit_test(timers_of_the_same_time_leave_in_the_order_they_came),
		cmocka_unit_test(the_heap_agrees_with_a_plain_search),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
