/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONNINFO_H
#define POOL_CONNINFO_H

#include <libpq-fe.h>

#include "base/error.h"

/*
 * A connection string, taken apart once: the keywords that were given, and our defaults for those that were not.
 *
 * Defaults: keepalives after 30 s, every 10 s, 3 times; tcp_user_timeout 30 s; UTF-8; a fallback application name. What the
 * string says wins. Immutable after conninfo_init(), so side threads read it without a lock.
 *
 * Secrets (password, sslpassword) are known by their values: conninfo_redact() blanks every occurrence in a text that libpq
 * made, and messages of parse errors, which may quote the string, are never passed on.
 */
#define CONNINFO_KEYWORDS_MAX 80

struct conninfo {
	const char *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* static or of `options`; NULL at the end */
	const char *values[CONNINFO_KEYWORDS_MAX + 1];
	size_t count;
	PQconninfoOption *options;
};

/* `setting` is where it comes from, for messages. SHIPOPT_EPARSE, SHIPOPT_ENOMEM. */
int conninfo_init(struct conninfo *conninfo, const char *setting, const char *text, shipopt_error **ret_error);
void conninfo_done(struct conninfo *conninfo);
/* Overwrites secrets of this connection string wherever they stand in `text`. */
void conninfo_redact(const struct conninfo *conninfo, char *text);
/* The same for a secret from elsewhere (a password file, a service file); accepts NULL. */
void conninfo_redact_word(char *text, const char *secret);

#endif
