/* SPDX-License-Identifier: MIT */
#ifndef POOL_SERVER_DIAL_FAILURE_H
#define POOL_SERVER_DIAL_FAILURE_H

#include <shipopt/error.h>

#include "pool/server/sqlstate.h"

/*
 * Why a connect failed.
 *
 * libpq gives a text and no SQLSTATE. With PQERRORS_VERBOSE the text has the SQLSTATE in it:
 *
 *	connection to server at "127.0.0.1", port 5432 failed: FATAL:  28P01: password authentication failed for user "shop"
 *	LOCATION:  auth_failed, auth.c:335
 *
 * The words depend on the language, the shape does not: a colon and two spaces, the code, a colon. A failure of several
 * hosts has a text of several such parts. The last one decides, as libpq ends with it.
 */
#define DIAL_MESSAGE_SIZE 256

struct dial_failure {
	int status; /* SHIPOPT_EAUTH, SHIPOPT_ENOTFOUND: permanent; others may heal with time; 0: no failure */
	char sqlstate[SQLSTATE_SIZE]; /* "": none */
	char message[DIAL_MESSAGE_SIZE];
};

/* Reads libpq's verbose text, without secrets, into status, SQLSTATE and a message of one line. The message has neither
 * the code nor what follows the server's primary message. Changes `text`. */
void dial_failure_read(struct dial_failure *failure, char *text);
/* True if the failure does not heal with time. */
static inline bool dial_failure_is_permanent(const struct dial_failure *failure)
{
	return failure->status == SHIPOPT_EAUTH || failure->status == SHIPOPT_ENOTFOUND;
}

#endif
