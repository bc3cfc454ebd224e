/* SPDX-License-Identifier: MIT */
#include "pool/intake.h"

/* Systems whose sockets do not tell what was read. */
int64_t intake_look(struct intake *intake, int fd)
{
	(void)fd;
	intake->source = 1;
	intake->bytes += INTAKE_GUESS;
	return intake->bytes;
}
