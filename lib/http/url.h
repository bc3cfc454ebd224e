/* SPDX-License-Identifier: MIT */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/error.h"
#include "base/secret.h"
#include "base/url.h"

/* Reads the setting `proxy` as libcurl will: [scheme://][user[:password]@]host[:port]; "" is none. Refuses what libcurl
 * would refuse at the first request, and what it would take for something else: a password with an unescaped "@", "/",
 * "?" or "#". Adds the forms of user and password to `secrets`, which must be all zero. SHIPOPT_EINVAL, SHIPOPT_ENOMEM;
 * the message does not quote the setting. */
int url_read_proxy(const char *proxy, struct secret_forms *secrets, shipopt_error **ret_error);

#endif
