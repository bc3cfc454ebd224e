/* SPDX-License-Identifier: MIT */
#ifndef TESTS_TEMPORARY_H
#define TESTS_TEMPORARY_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A file of one test, removed by it. */
#define TEMPORARY_PATH_SIZE 256

static inline void temporary_path(char path[TEMPORARY_PATH_SIZE])
{
	const char *folder = getenv("TMPDIR");
	snprintf(path, TEMPORARY_PATH_SIZE, "%s/shipopt-test-XXXXXX", folder ? folder : "/tmp");
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

static inline void temporary_write(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

/* The whole file, NUL-terminated, to be freed with free(). */
static inline char *temporary_read(const char *path)
{
	FILE *file = fopen(path, "rb");
	assert_non_null(file);
	char *text = calloc(1, 1 << 20);
	assert_non_null(text);
	assert_true(fread(text, 1, (1 << 20) - 1, file) < (1 << 20) - 1);
	fclose(file);
	return text;
}

#endif
