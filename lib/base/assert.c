/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>

#include "base/macro.h"

/* The only text that the library prints: after it the process is gone, and nobody could ask for an error object. */
void assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "libshipopt: %s:%d: assertion failed: %s. This is a bug in the library; please report it.\n",
		file, line, condition);
	abort();
}
