/* SPDX-License-Identifier: MIT */
#ifndef POOL_INTAKE_H
#define POOL_INTAKE_H

#include "base/macro.h"

/*
 * How many bytes a command has received.
 *
 * libpq collects a whole result, and each single row, in memory, and has no call that reports how much it has. So the
 * limit on an answer (result_bytes) uses the kernel's count of bytes read from the socket. A command checks once each
 * time something was read and its answer is not complete. Counting begins with the first check, after one input buffer
 * of libpq (16 KiB, unless a larger row came before). Most answers arrive whole and are never counted. A check is one
 * or two system calls, 0.2 to 0.5 microseconds.
 *
 * In the middle of one huge value libpq reads on in one call as long as the server keeps up. Such a value may be far
 * larger than the last count.
 *
 * On Linux the count is exact. For TCP it is tcpi_bytes_received (tcp(7), Linux 4.1) minus the bytes that still wait in
 * the socket. For Unix sockets it is the peek offset (SO_PEEK_OFF, socket(7), Linux 3.4), which each read lowers by
 * what it took; libpq does not peek. Over TLS the bytes are those on the wire. Elsewhere, and where a sandbox allows
 * neither, each check counts as RECEIVE_COUNT_GUESS bytes. Event loop only.
 */
#define RECEIVE_COUNT_GUESS 8192

struct receive_count {
	int source;    /* how it is counted; 0: not begun */
	int64_t begun; /* the source's count when counting began */
	int64_t bytes;
};

static inline void receive_count_reset(struct receive_count *receive_count)
{
	*receive_count = (struct receive_count){.source = 0};
}

/* Returns the bytes received since the first call after the last reset. */
int64_t receive_count_look(struct receive_count *receive_count, int fd);

#endif
