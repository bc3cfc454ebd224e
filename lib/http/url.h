/* SPDX-License-Identifier: MIT */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/error.h"
#include "base/secret.h"

/* What the engine asks of every URL it sends to: absolute, http or https, a host, no user info (libcurl would make a credential
 * of it), no fragment, only visible ASCII, at most URL_LENGTH_MAX bytes. The rest is libcurl's to judge. SHIPOPT_EPARSE. */
#define URL_LENGTH_MAX 8192
int url_check(const char *url, shipopt_error **ret_error);

/* Reads the setting `proxy` as libcurl will: [scheme://][user[:password]@]host[:port]; "" is none. Refuses what libcurl would
 * refuse at the first request, and what it would take for something else: a password with an unescaped "@", "/", "?" or
 * "#". Adds the forms of user and password to `secrets`, which must be all zero. SHIPOPT_EINVAL, SHIPOPT_ENOMEM; the
 * message does not quote the setting. */
int url_read_proxy(const char *proxy, struct secret_forms *secrets, shipopt_error **ret_error);

#endif
