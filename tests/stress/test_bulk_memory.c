/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "base/clock.h"
#include "base/memory.h"
#include "bulk_fixture.h"

/*
 * Memory depends on the items in flight, never on the number of items: in the last fifth of a run no more is in use
 * than in the first, and nothing is left at the end. Looked at is what malloc() has given out. Resident memory is only
 * printed: what the arenas of threads keep of freed memory depends on which threads ran, and grows by some megabytes on
 * a busy machine. Nothing is asserted of a sanitizer's build, which has another malloc().
 *
 * 200,000 host calls and 5,000 purchases in the normal run; SHIPOPT_LONG=1 makes it a million and 100,000.
 */
#define GROWTH_MAX_KB 1024 /* items in flight are in different states */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define IS_SANITIZED true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define IS_SANITIZED true
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED false
#endif

struct watched { /* the source's view of the run: one side pool thread at a time */
	size_t next, count;
	int64_t resident_kb;       /* at a tenth */
	int64_t early_kb, late_kb; /* the least in use, of some looks: a buffer for a moment does not count */
	bool has_shipments;
};

static bool is_long(void)
{
	const char *value = getenv("SHIPOPT_LONG");
	return value && *value == '1';
}

static int64_t resident_kb(void)
{
	long pages = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	assert_non_null(file);
	assert_int_equal(fscanf(file, "%*s %ld", &pages), 1);
	fclose(file);
	return (int64_t)pages * sysconf(_SC_PAGESIZE) / 1024;
}

/* Of all arenas, SQLite and libcurl included. */
static int64_t used_kb(void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 33)
	struct mallinfo2 info = mallinfo2();
	return (int64_t)((info.uordblks + info.hblkhd) / 1024);
#else
	return 0;
#endif
}

static void look(struct watched *watched)
{
	size_t fifth = watched->count / 5;
	if (watched->next % (watched->count / 200) != 0 || watched->next < fifth / 2)
		return;
	if (watched->next < fifth)
		watched->early_kb = MIN(watched->early_kb, used_kb());
	else if (watched->next >= 4 * fifth)
		watched->late_kb = MIN(watched->late_kb, used_kb());
}

static int next_order(void *userdata, shipopt_order *order)
{
	struct watched *watched = userdata;
	char key[32];
	if (watched->next == watched->count)
		return 0;
	if (watched->next == watched->count / 10)
		watched->resident_kb = resident_kb();
	look(watched);
	snprintf(key, sizeof(key), "order-%zu", watched->next);
	if (watched->has_shipments)
		fixture_fill_order(order, "order", watched->next);
	watched->next++;
	return shipopt_order_set_key(order, key, NULL) < 0 ? -1 : 1;
}

static shipopt_source *watched_orders(struct watched *watched, size_t count, bool has_shipments)
{
	shipopt_source *source;
	*watched = (struct watched){.count = count,
		.has_shipments = has_shipments,
		.early_kb = INT64_MAX,
		.late_kb = INT64_MAX};
	assert_int_equal(shipopt_source_new_callback(next_order, watched, &source), 0);
	return source;
}

static void check_growth(const struct watched *watched, const char *what, int64_t elapsed_ms)
{
	int64_t end_kb = used_kb();
	print_message("%s: %zu items in %lld ms, %.0f/s; in use %lld kB early, %lld kB late, %lld kB at the end; "
		      "resident %lld kB at a tenth, %lld kB at the end\n",
		what, watched->count, (long long)elapsed_ms, (double)watched->count * 1000.0 / (double)elapsed_ms,
		(long long)watched->early_kb, (long long)watched->late_kb, (long long)end_kb,
		(long long)watched->resident_kb, (long long)resident_kb());
	assert_true(IS_SANITIZED || watched->late_kb < watched->early_kb + GROWTH_MAX_KB);
	assert_true(IS_SANITIZED || end_kb < watched->early_kb + GROWTH_MAX_KB);
}

static void answer_at_once(void *userdata, shipopt_request *request)
{
	shipopt_request_complete(request, 1);
}

static void host_calls_for_very_many_items_take_no_more_memory(void **state)
{
	shipopt_runtime *runtime;
	shipopt_bulk *bulk;
	shipopt_run *run;
	struct watched watched;
	struct fixture_result result;
	size_t count = is_long() ? 1000000 : 200000;
	assert_int_equal(shipopt_runtime_new(NULL, &runtime, NULL), 0);
	assert_int_equal(shipopt_bulk_new(runtime, NULL, NULL, NULL, &bulk, NULL), 0);
	assert_int_equal(shipopt_bulk_call(bulk, watched_orders(&watched, count, false), NULL, answer_at_once, NULL,
				 NULL, NULL, &run),
		0);
	assert_int_equal(shipopt_op_wait(shipopt_run_op(run), -1), 0);
	int64_t elapsed_ms = 0;
	assert_int_equal(shipopt_run_stat(run, SHIPOPT_RUN_STAT_ELAPSED_MS, &elapsed_ms), 0);
	check_growth(&watched, "host calls", elapsed_ms);
	fixture_collect(run, &result);
	assert_int_equal(result.done, count);
	shipopt_bulk_free(bulk);
	assert_int_equal(shipopt_runtime_close(runtime, -1), 0);
	shipopt_runtime_free(runtime);
	assert_int_equal(mem_live_count(), 0);
}

static void a_long_buying_run_takes_no_more_memory(void **state)
{
	struct bulk_fixture fixture;
	struct watched watched;
	struct fixture_result result;
	size_t count = is_long() ? 100000 : 5000;
	fixture_start(&fixture, NULL);
	fixture_open(&fixture, "bulk.max_in_flight=16");
	fixture_buy(&fixture, watched_orders(&watched, count, true), &result);
	check_growth(&watched, "purchases", result.elapsed_ms);
	assert_int_equal(result.done, count);
	assert_int_equal(sandbox_count(&fixture.sandbox, "labels"), count);
	fixture_stop(&fixture);
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_calls_for_very_many_items_take_no_more_memory),
		cmocka_unit_test(a_long_buying_run_takes_no_more_memory),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests_name("bulk memory", tests, NULL, NULL);
}
