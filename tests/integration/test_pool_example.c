/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "cmocka_test.h"
#include "pool_fixture.h"

/* The example program as a user runs it; SHIPOPT_CACHED_LOOKUP is its path. */

static int run_example(const char *arguments, char *output, size_t size)
{
	char command[1024];
	snprintf(command, sizeof(command), "%s %s", getenv("SHIPOPT_CACHED_LOOKUP"), arguments);
	FILE *program = popen(command, "r");
	assert_non_null(program);
	size_t length = fread(output, 1, size - 1, program);
	output[length] = '\0';
	return pclose(program);
}

static void each_key_is_asked_for_once_and_absence_is_remembered(void **state)
{
	char output[1024];
	setenv("SHIPOPT_POOL_CONNINFO", fixture.postgres.conninfo, 1);
	static const char expected[] = "99501: zone 8\n10018: zone 2\nnowhere: no zone\n400000 lookups by 4 threads, ";
	int64_t begun_ms = clock_now_ms();
	assert_int_equal(run_example("99501 10018 nowhere", output, sizeof(output)), 0);
	assert_memory_equal(output, expected, strlen(expected));
	/* Absence is remembered for five seconds, which is long only on a machine that is not very slow. */
	assert_in_range(atoi(output + strlen(expected)), 3, 3 + (clock_now_ms() - begun_ms) / 5000);
}

static void a_server_that_is_not_there_is_told(void **state)
{
	char output[1024];
	setenv("SHIPOPT_POOL_CONNINFO", "host=/nowhere", 1);
	setenv("SHIPOPT_POOL_ACQUIRE_TIMEOUT_MS", "1500", 1);
	assert_int_not_equal(run_example("99501 2>&1", output, sizeof(output)), 0);
	assert_non_null(strstr(output, "/nowhere"));
	unsetenv("SHIPOPT_POOL_ACQUIRE_TIMEOUT_MS");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_key_is_asked_for_once_and_absence_is_remembered),
		cmocka_unit_test(a_server_that_is_not_there_is_told),
	};
	return cmocka_run_group_tests(tests, fixture_start_server, fixture_stop_server);
}
