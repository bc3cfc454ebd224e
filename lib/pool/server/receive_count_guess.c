/* SPDX-License-Identifier: MIT */
#include "pool/server/receive_count.h"

/* Systems whose sockets do not tell what was read. */
int64_t receive_count_look(struct receive_count *receive_count, int fd)
{
	(void)fd;
	receive_count->source = 1;
	receive_count->bytes += RECEIVE_COUNT_GUESS;
	return receive_count->bytes;
}
