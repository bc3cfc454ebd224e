/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/macro.h"

/* In a child process: asserts the condition with standard error in a pipe. Returns how the child ended. */
static int assert_in_child(bool condition, char *ret_text, size_t size)
{
	int ends[2], status = -1;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		signal(SIGABRT, SIG_DFL);
		dup2(ends[1], STDERR_FILENO);
		ASSERT(condition);
		_exit(0);
	}
	close(ends[1]);
	ssize_t length = read(ends[0], ret_text, size - 1);
	ret_text[length > 0 ? length : 0] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void a_failed_assertion_names_file_line_and_condition_and_aborts(void **state)
{
	char text[512];
	int status = assert_in_child(false, text, sizeof(text));
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	assert_non_null(strstr(text, "test_assert.c:"));
	assert_non_null(strstr(text, "assertion failed: condition"));
}

static void an_assertion_that_holds_does_nothing(void **state)
{
	char text[512];
	int status = assert_in_child(true, text, sizeof(text));
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_string_equal(text, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failed_assertion_names_file_line_and_condition_and_aborts),
		cmocka_unit_test(an_assertion_that_holds_does_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
