/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONNINFO_H
#define POOL_CONNINFO_H

#include <libpq-fe.h>

#include "base/error.h"
#include "base/secret.h"

/*
 * A connection string, taken apart once: the keywords that were given, and our defaults for those that were not.
 *
 * Defaults: keepalives after 30 s, every 10 s, 3 times; tcp_user_timeout 30 s; UTF-8; a fallback application name. What the
 * string says wins. Immutable after conninfo_init(), so side threads read it without a lock.
 *
 * Passwords stay inside. A string that libpq cannot parse is refused without libpq's message, which may quote it. So is one that
 * libpq takes for something else, and whose password it would quote as a host, a port or a database: a URL in which
 * an "@" or "/" of the password is not percent-encoded. The message names the part, not its content. Whatever libpq or the
 * server says later goes through conninfo_copy_said(), which blanks the values of the keywords that libpq calls secret.
 */
#define CONNINFO_KEYWORDS_MAX 80

struct conninfo {
	const char *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* static or of `options`; NULL at the end */
	const char *values[CONNINFO_KEYWORDS_MAX + 1];
	size_t count;
	PQconninfoOption *options;
	struct secret_forms secrets;
};

/* `setting` is where it comes from, for messages. SHIPOPT_EPARSE, SHIPOPT_ENOMEM. */
int conninfo_init(struct conninfo *conninfo, const char *setting, const char *text, shipopt_error **ret_error);
void conninfo_done(struct conninfo *conninfo);
/* Copies what libpq or the server said, without secrets, and cuts it to `size` only then. `pg`, if not NULL, may have its
 * password from a password file, a service file or the environment. NULL for `said` is "". */
void conninfo_copy_said(const struct conninfo *conninfo, PGconn *pg, const char *said, char *text, size_t size);

#endif
