/* SPDX-License-Identifier: MIT */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "pool/server/receive_count.h"

enum { SOURCE_NONE, SOURCE_TCP, SOURCE_PEEK_OFFSET, SOURCE_GUESS };

#define PEEK_OFFSET_START (1 << 30)

/* The bytes received, minus those that still wait. */
static bool receive_count_read_tcp(int fd, int64_t *ret_bytes)
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

static bool receive_count_start_peek_offset(int fd)
{
	int offset = PEEK_OFFSET_START, domain = 0;
	socklen_t size = sizeof(domain);
	return getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 && domain == AF_UNIX &&
		setsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof(offset)) == 0;
}

static void receive_count_start(struct receive_count *receive_count, int fd)
{
	if (receive_count_start_peek_offset(fd))
		receive_count->source = SOURCE_PEEK_OFFSET;
	else
		receive_count->source = receive_count_read_tcp(fd, &receive_count->begun) ? SOURCE_TCP : SOURCE_GUESS;
}

/* The offset is set again before it can reach 0. */
static void receive_count_count_peek_offset(struct receive_count *receive_count, int fd)
{
	int offset = PEEK_OFFSET_START;
	socklen_t size = sizeof(offset);
	if (getsockopt(fd, SOL_SOCKET, SO_PEEK_OFF, &offset, &size) != 0)
		return;
	receive_count->bytes = receive_count->begun + PEEK_OFFSET_START - offset;
	if (offset < PEEK_OFFSET_START / 2 && receive_count_start_peek_offset(fd))
		receive_count->begun = receive_count->bytes;
}

int64_t receive_count_look(struct receive_count *receive_count, int fd)
{
	int64_t now;
	if (receive_count->source == SOURCE_NONE)
		receive_count_start(receive_count, fd);
	else if (receive_count->source == SOURCE_PEEK_OFFSET)
		receive_count_count_peek_offset(receive_count, fd);
	else if (receive_count->source == SOURCE_GUESS)
		receive_count->bytes += RECEIVE_COUNT_GUESS;
	else if (receive_count_read_tcp(fd, &now))
		receive_count->bytes = now - receive_count->begun;
	return receive_count->bytes;
}
