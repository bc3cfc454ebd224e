/* SPDX-License-Identifier: MIT */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "pool/intake.h"

enum { SOURCE_NONE, SOURCE_TCP, SOURCE_PEEK_OFFSET, SOURCE_GUESS };

#define PEEK_OFFSET_START (1 << 30)

/* What was received less what still waits. */
static bool intake_read_tcp(int fd, int64_t *ret_bytes)
{
	struct tcp_info info;
	socklen_t size = sizeof(info);
	int waiting;
	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
		size < offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(info.tcpi_bytes_received) ||
		ioctl(fd, FIONREAD, &waiting) != 0)
		return false;
	*ret_bytes = (int64_t)info.tcpi_bytes_received - waiting;
	return true;
}

static bool intake_start_peek_offset(int fd)
{
	int offset = PEEK_OFFSET_START, domain = 0;
	socklen_t size = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0;
}

static void intake_start(struct intake *intake, int fd)
{
	if (intake_start_peek_offset(fd))
		intake->source = SOURCE_PEEK_OFFSET;
	else
		intake->source = intake_read_tcp(fd, &intake->begun) ? SOURCE_TCP : SOURCE_GUESS;
}

/* The offset is started anew before it can reach its floor, 0. */
static void intake_count_peek_offset(struct intake *intake, int fd)
{
	int offset = PEEK_OFFSET_START;
	socklen_t size = sizeof(offset);
	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) != 0)
		return;
	intake->bytes = intake->begun + PEEK_OFFSET_START - offset;
	if (offset < PEEK_OFFSET_START / 2 && intake_start_peek_offset(fd))
		intake->begun = intake->bytes;
}

int64_t intake_look(struct intake *intake, int fd)
{
	int64_t now;
	if (intake->source == SOURCE_NONE)
		intake_start(intake, fd);
	else if (intake->source == SOURCE_PEEK_OFFSET)
		intake_count_peek_offset(intake, fd);
	else if (intake->source == SOURCE_GUESS)
		intake->bytes += INTAKE_GUESS;
	else if (intake_read_tcp(fd, &now))
		intake->bytes = now - intake->begun;
	return intake->bytes;
}
