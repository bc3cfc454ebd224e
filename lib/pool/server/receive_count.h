/* SPDX-License-Identifier: MIT */
#ifndef POOL_INTAKE_H
#define POOL_INTAKE_H

#include "base/macro.h"

/*
 * How many bytes a command has received.
 *
 * libpq gathers a whole result, and each single row, in memory and has no call that tells how far it is; so the bound on
 * an answer (result_bytes) is kept with what the kernel knows to have been read from the socket. A command looks once each
 * time something was read and its answer is not complete; counting begins with the first look, after one input buffer of libpq
 * (16 KiB, unless a larger row came before). Most answers come whole and are never counted. A look is one or two system
 * calls, 0.2 to 0.5 microseconds.
 *
 * In the middle of one huge value libpq reads on in one call as long as the server keeps up, so such a value may be far
 * beyond what the last look told.
 *
 * On Linux the count is exact: for TCP tcpi_bytes_received (tcp(7), Linux 4.1) less what still waits in the socket; for
 * Unix sockets the peek offset (SO_PEEK_OFF, socket(7), Linux 3.4), which each read lowers by what it took; nothing of libpq
 * peeks. Over TLS the bytes are those on the wire. Elsewhere, and where a sandbox has neither, each look counts as
 * RECEIVE_COUNT_GUESS bytes. Reactor thread only.
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

/* Bytes received since the first look after the last reset. */
int64_t receive_count_look(struct receive_count *receive_count, int fd);

#endif
