/* SPDX-License-Identifier: MIT */
#ifndef HTTP_URL_H
#define HTTP_URL_H

#include "base/error.h"

/* What the engine asks of every URL it sends to: absolute, http or https, a host, no user info (libcurl would make a credential
 * of it), no fragment, only visible ASCII, at most URL_LENGTH_MAX bytes. The rest is libcurl's to judge. SHIPOPT_EPARSE. */
#define URL_LENGTH_MAX 8192
int url_check(const char *url, shipopt_error **ret_error);

#endif
