/* SPDX-License-Identifier: MIT */
#include "runtime/wake.h"

#include <errno.h>
#include <fcntl.h>
#include <shipopt/error.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>
#endif

#include "base/fault.h"
#include "base/macro.h"

static bool wake_open_event(struct wake *wake)
{
#ifdef __linux__
	wake->read_fd = fault_point() ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	wake->write_fd = wake->read_fd;
	return wake->read_fd >= 0;
#else
	return false;
#endif
}

static bool wake_set_flags(int fd)
{
	return fcntl(fd, F_SETFL, O_NONBLOCK) == 0 && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool wake_open_pipe(struct wake *wake)
{
	int ends[2];
	if (fault_point() || pipe(ends) != 0)
		return false;
	wake->read_fd = ends[0];
	wake->write_fd = ends[1];
	if (wake_set_flags(ends[0]) && wake_set_flags(ends[1]))
		return true;
	wake_close(wake);
	return false;
}

int wake_open(struct wake *wake)
{
	if (wake_open_event(wake) || wake_open_pipe(wake))
		return 0;
	wake->read_fd = wake->write_fd = -1;
	return SHIPOPT_EIO;
}

void wake_close(struct wake *wake)
{
	if (wake->write_fd != wake->read_fd)
		close(wake->write_fd);
	if (wake->read_fd >= 0)
		close(wake->read_fd);
	wake->read_fd = wake->write_fd = -1;
}

void wake_signal(const struct wake *wake)
{
	/* A full pipe or counter is readable already. An eventfd wants eight bytes, a pipe takes them too. */
	uint64_t one = 1;
	ssize_t written;
	do
		written = write(wake->write_fd, &one, sizeof(one));
	while (written < 0 && errno == EINTR);
}

void wake_drain(const struct wake *wake)
{
	uint64_t values[64];
	ssize_t got;
	do
		got = read(wake->read_fd, values, sizeof(values));
	while (got == (ssize_t)sizeof(values) || (got < 0 && errno == EINTR));
}
