/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "runtime/notice.h"
#include "runtime/runtime.h"

#define PATIENCE_MS 20000
#define LINES_MAX 400

static struct {
	shipopt_runtime *runtime;
	shipopt_queue *queue;
	int logged; /* by the callback */
} fixture;

static void log_line(void *userdata, int level, const char *message)
{
	fixture.logged++;
}

static int begin(void **state)
{
	shipopt_runtime_config *config;
	assert_int_equal(mem_live_count(), 0);
	fixture.logged = 0;
	assert_int_equal(shipopt_runtime_config_new(&config), 0);
	assert_int_equal(shipopt_runtime_config_set(config, "log_level", "3"), 0);
	assert_int_equal(shipopt_runtime_config_set_log(config, log_line, NULL), 0);
	assert_int_equal(shipopt_runtime_new(config, &fixture.runtime, NULL), 0);
	shipopt_runtime_config_free(config);
	assert_int_equal(shipopt_queue_new(fixture.runtime, 1, &fixture.queue), 0);
	return 0;
}

static int end(void **state)
{
	shipopt_queue_free(fixture.queue);
	assert_int_equal(shipopt_runtime_close(fixture.runtime, PATIENCE_MS), 0);
	shipopt_runtime_free(fixture.runtime);
	assert_int_equal(mem_live_count(), 0);
	return 0;
}

static void a_log_line_comes_as_an_event_when_that_was_enabled(void **state)
{
	shipopt_event event;
	runtime_log(fixture.runtime, SHIPOPT_LOG_WARNING, "before");
	assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, 0), 0);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_LOG), 0);
	runtime_log(fixture.runtime, SHIPOPT_LOG_DEBUG, "above the level");
	runtime_log(fixture.runtime, SHIPOPT_LOG_WARNING, "line %d", 7);
	assert_int_equal(shipopt_queue_poll(fixture.queue, &event, 1, 0), 1);
	assert_int_equal(event.kind, SHIPOPT_EVENT_LOG);
	assert_int_equal(event.status, SHIPOPT_LOG_WARNING);
	assert_string_equal(shipopt_event_log(&event), "line 7");
	assert_null(shipopt_event_removal(&event));
	assert_null(event.op);
	assert_int_equal(shipopt_queue_release(fixture.queue, &event, 1), 0);
	assert_int_equal(fixture.logged, 2);
}

static void notices_use_no_slot_and_the_oldest_goes_first(void **state)
{
	static shipopt_event events[LINES_MAX];
	char line[32];
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_LOG), 0);
	assert_int_equal(queue_reserve(fixture.queue), 0); /* the only slot */
	for (int i = 0; i < LINES_MAX; i++)
		runtime_log(fixture.runtime, SHIPOPT_LOG_INFO, "%d", i);
	assert_int_equal(shipopt_queue_dropped(fixture.queue), LINES_MAX - NOTICES_MAX);
	assert_int_equal(shipopt_queue_poll(fixture.queue, events, LINES_MAX, 0), NOTICES_MAX);
	for (int i = 0; i < NOTICES_MAX; i++) {
		snprintf(line, sizeof(line), "%d", LINES_MAX - NOTICES_MAX + i);
		assert_string_equal(shipopt_event_log(&events[i]), line);
	}
	assert_int_equal(shipopt_queue_release(fixture.queue, events, NOTICES_MAX), 0);
	assert_int_equal(queue_reserve(fixture.queue), SHIPOPT_EAGAIN);
	queue_unreserve(fixture.queue);
}

static void a_dispatch_takes_a_log_line_and_calls_nothing(void **state)
{
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_LOG), 0);
	runtime_log(fixture.runtime, SHIPOPT_LOG_INFO, "once");
	assert_int_equal(shipopt_queue_dispatch(fixture.queue, 0, 0), 1);
	assert_int_equal(fixture.logged, 1);
}

static void one_queue_of_a_runtime_gets_the_log(void **state)
{
	shipopt_queue *other;
	assert_int_equal(shipopt_queue_new(fixture.runtime, 1, &other), 0);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_LOG), 0);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_LOG), 0);
	assert_int_equal(shipopt_queue_enable(other, SHIPOPT_EVENT_LOG), SHIPOPT_EBUSY);
	shipopt_queue_free(fixture.queue);
	fixture.queue = other;
	runtime_log(fixture.runtime, SHIPOPT_LOG_INFO, "nobody takes this");
	assert_int_equal(shipopt_queue_enable(other, SHIPOPT_EVENT_LOG), 0);
}

static void only_kinds_on_demand_can_be_enabled(void **state)
{
	assert_int_equal(shipopt_queue_enable(NULL, SHIPOPT_EVENT_LOG), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_ITEM), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_CLOSED), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_REMOVAL), 0);
	assert_int_equal(shipopt_queue_enable(fixture.queue, SHIPOPT_EVENT_SLOW_QUERY), 0);
	assert_int_equal(shipopt_queue_dropped(NULL), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
	const struct CMUnitTest tests[] = {
		TEST(a_log_line_comes_as_an_event_when_that_was_enabled),
		TEST(notices_use_no_slot_and_the_oldest_goes_first),
		TEST(a_dispatch_takes_a_log_line_and_calls_nothing),
		TEST(one_queue_of_a_runtime_gets_the_log),
		TEST(only_kinds_on_demand_can_be_enabled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
