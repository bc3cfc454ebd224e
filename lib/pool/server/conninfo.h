/* SPDX-License-Identifier: MIT */
#ifndef POOL_CONNINFO_H
#define POOL_CONNINFO_H

#include <libpq-fe.h>

#include "base/error.h"
#include "base/secret.h"

/*
 * A connection string, parsed once: the keywords that it has, and our defaults for those that it lacks.
 *
 * Defaults: keepalives after 30 s, every 10 s, 3 times; tcp_user_timeout 30 s; UTF-8; a fallback application name. The
 * object never changes after conninfo_init(), so side threads read it without a lock.
 *
 * Passwords do not leave this object. A string that libpq cannot parse is refused without libpq's message, which may
 * quote it. So is a string that libpq would misread, because it would then quote the password as a host, a port or a
 * database: a URL in which an "@" or "/" of the password is not percent-encoded. The message names the part and not its
 * content. Everything that libpq or the server says later goes through conninfo_copy_said(), which overwrites the
 * values of the keywords that libpq calls secret.
 */
#define CONNINFO_KEYWORDS_MAX 80

struct conninfo {
	const char *keywords[CONNINFO_KEYWORDS_MAX + 1]; /* static or of `options`; NULL at the end */
	const char *values[CONNINFO_KEYWORDS_MAX + 1];
	size_t count;
	PQconninfoOption *options;
	struct secret_forms secrets;
};

/* `setting` is the name of the setting, for messages. SHIPOPT_EPARSE, SHIPOPT_ENOMEM. */
int conninfo_init(struct conninfo *conninfo, const char *setting, const char *text, shipopt_error **ret_error);
void conninfo_done(struct conninfo *conninfo);
/* Copies what libpq or the server said, without secrets, and cuts it to `size` afterwards. `pg` may be NULL; its
 * password may come from a password file, a service file or the environment. NULL for `said` counts as "". */
void conninfo_copy_said(const struct conninfo *conninfo, PGconn *pg, const char *said, char *text, size_t size);

#endif
