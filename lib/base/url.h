/* SPDX-License-Identifier: MIT */
#ifndef BASE_URL_H
#define BASE_URL_H

#include "base/error.h"

/*
 * The form of a URL, without a URL library: what can be said about the text alone. libcurl judges the rest.
 *
 * No message quotes the URL, because it may contain a password.
 */
#define URL_LENGTH_MAX 8192

/* A URL that a request can be sent to: absolute, http or https, with a host, without user name or password (libcurl
 * would send them as a credential), without a fragment, visible ASCII, at most URL_LENGTH_MAX bytes. SHIPOPT_EPARSE. */
int url_check(const char *url, shipopt_error **ret_error);
/* A URL to which paths are appended: also without a query and without any "@". SHIPOPT_EPARSE. */
int url_check_base(const char *url, shipopt_error **ret_error);

#endif
