/* SPDX-License-Identifier: MIT */
#include "lane/lane_breaker.h"

#include <shipopt/error.h>

#include "base/memory.h"

int breaker_init(struct lane_breaker *breaker, size_t window, size_t outcomes_min, int64_t open_us, size_t probes)
{
	window = MAX(window, (size_t)1);
	*breaker = (struct lane_breaker){.window = window,
		.outcomes_min = MIN(MAX(outcomes_min, (size_t)1), window),
		.open_us = MAX(open_us, 1),
		.probes = MAX(probes, (size_t)1)};
	breaker->failures = mem_alloc_array(window, 1);
	return breaker->failures ? 0 : SHIPOPT_ENOMEM;
}

void breaker_done(struct lane_breaker *breaker)
{
	mem_free(breaker->failures);
	breaker->failures = NULL;
}

static void lane_breaker_enter(struct lane_breaker *breaker, enum breaker_state state)
{
	breaker->state = state;
	breaker->epoch++;
	breaker->seen = breaker->next = breaker->failed = 0;
	breaker->probes_out = breaker->probes_passed = 0;
}

static void lane_breaker_open_up(struct lane_breaker *breaker, int64_t now_us)
{
	lane_breaker_enter(breaker, BREAKER_OPEN);
	breaker->until_us = now_us + breaker->open_us;
	breaker->opened++;
}

int64_t breaker_pass_us(struct lane_breaker *breaker, int64_t now_us)
{
	if (breaker->state == BREAKER_OPEN && now_us >= breaker->until_us)
		lane_breaker_enter(breaker, BREAKER_HALF_OPEN);
	if (breaker->state == BREAKER_OPEN)
		return breaker->until_us;
	bool is_full =
		breaker->state == BREAKER_HALF_OPEN && breaker->probes_out + breaker->probes_passed >= breaker->probes;
	return is_full ? INT64_MAX : INT64_MIN;
}

bool breaker_take(struct lane_breaker *breaker)
{
	bool is_probe = breaker->state == BREAKER_HALF_OPEN;
	breaker->probes_out += is_probe;
	return is_probe;
}

static void lane_breaker_window_add(struct lane_breaker *breaker, bool is_failure, int64_t now_us)
{
	if (breaker->seen == breaker->window)
		breaker->failed -= breaker->failures[breaker->next];
	else
		breaker->seen++;
	breaker->failures[breaker->next] = is_failure;
	breaker->next = (breaker->next + 1) % breaker->window;
	breaker->failed += is_failure;
	if (breaker->seen >= breaker->outcomes_min && breaker->failed * 2 >= breaker->seen)
		lane_breaker_open_up(breaker, now_us);
}

void breaker_give(struct lane_breaker *breaker, enum breaker_outcome outcome, uint64_t epoch, int64_t now_us)
{
	if (epoch != breaker->epoch)
		return;
	if (breaker->state == BREAKER_CLOSED) {
		if (outcome != BREAKER_NEUTRAL)
			lane_breaker_window_add(breaker, outcome == BREAKER_FAILURE, now_us);
		return;
	}
	/* Nobody passes an open breaker, so this is a probe. */
	breaker->probes_out--;
	if (outcome == BREAKER_FAILURE)
		lane_breaker_open_up(breaker, now_us);
	else if (outcome == BREAKER_SUCCESS && ++breaker->probes_passed >= breaker->probes)
		lane_breaker_enter(breaker, BREAKER_CLOSED);
}
