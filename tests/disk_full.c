/* SPDX-License-Identifier: MIT */
/*
 * A disk that is full, for a PostgreSQL server: loaded into it with LD_PRELOAD, lets writes and extensions fail with
 * ENOSPC while a file exists, so that it is the server itself that says what it says then (53100).
 *
 * SHIPOPT_DISK_FULL names the file: while it is there the tables' files ("/base/") have no room; while the same name
 * with ".wal" is there the log of changes ("/pg_wal/") has none either. Everything else is passed on.
 */
#undef _FILE_OFFSET_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

static bool is_there(const char *end)
{
	char path[512];
	const char *name = getenv("SHIPOPT_DISK_FULL");
	return name && snprintf(path, sizeof(path), "%s%s", name, end) < (int)sizeof(path) && access(path, F_OK) == 0;
}

static bool is_full(int fd)
{
	char link[64], path[512];
	if (!is_there(""))
		return false;
	int before = errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t length = readlink(link, path, sizeof(path) - 1);
	errno = before;
	if (length <= 0)
		return false;
	path[length] = '\0';
	return strstr(path, "/base/") || (strstr(path, "/pg_wal/") && is_there(".wal"));
}

/* The call of the same name behind this one; returned through its storage, as POSIX has it for dlsym(). */
#define PASS_ON(result, name, parameters, arguments, failure)      \
	result name parameters;                                    \
	result name parameters                                     \
	{                                                          \
		static result(*next) parameters;                   \
		if (!next)                                         \
			*(void **)&next = dlsym(RTLD_NEXT, #name); \
		if (is_full(fd))                                   \
			return failure;                            \
		return next arguments;                             \
	}

static int no_space(void)
{
	errno = ENOSPC;
	return -1;
}

PASS_ON(ssize_t, write, (int fd, const void *bytes, size_t size), (fd, bytes, size), no_space())
PASS_ON(ssize_t, pwrite, (int fd, const void *bytes, size_t size, off_t at), (fd, bytes, size, at), no_space())
PASS_ON(ssize_t, pwrite64, (int fd, const void *bytes, size_t size, off64_t at), (fd, bytes, size, at), no_space())
PASS_ON(ssize_t, writev, (int fd, const struct iovec *parts, int count), (fd, parts, count), no_space())
PASS_ON(ssize_t, pwritev, (int fd, const struct iovec *parts, int count, off_t at), (fd, parts, count, at), no_space())
PASS_ON(ssize_t, pwritev64, (int fd, const struct iovec *parts, int count, off64_t at), (fd, parts, count, at),
	no_space())
PASS_ON(int, posix_fallocate, (int fd, off_t at, off_t size), (fd, at, size), ENOSPC)
PASS_ON(int, posix_fallocate64, (int fd, off64_t at, off64_t size), (fd, at, size), ENOSPC)
PASS_ON(int, fallocate, (int fd, int mode, off_t at, off_t size), (fd, mode, at, size), no_space())
PASS_ON(int, fallocate64, (int fd, int mode, off64_t at, off64_t size), (fd, mode, at, size), no_space())
