/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/macro.h"

#define ASSERTION_SIZE 512

/* For debuggers and core dumps. The last byte stays NUL. */
char assertion_failed[ASSERTION_SIZE];

void assertion_fail(const char *condition, const char *file, int line)
{
	int length = snprintf(assertion_failed, sizeof(assertion_failed), "shipopt: assertion failed: %s:%d: %s\n",
		file, line, condition);
	size_t size = MIN((size_t)MAX(length, 0), sizeof(assertion_failed) - 1);
	ssize_t written = write(STDERR_FILENO, assertion_failed, size);
	(void)written; /* nothing more can be done about it */
	abort();
}
