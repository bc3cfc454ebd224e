/* SPDX-License-Identifier: MIT */
#ifndef HTTP_TRANSFER_STEPS_H
#define HTTP_TRANSFER_STEPS_H

#include "base/fault.h"
#include "http/transfer.h"

/*
 * The parts of a transfer, shared between its files; http/transfer.h has the model.
 *
 *   transfer.c             its life and the options of each request
 *   transfer_callbacks.c   what libcurl calls: body, answer, headers, sockets, the check before each sending
 *   transfer_end.c         from libcurl's code to the request's answer
 */

/* The limit of all headers of an answer. libcurl 7.88 has none, and stores each header. */
#define TRANSFER_HEADER_BYTES_MAX ((size_t)256 << 10)
#define TRANSFER_HEADER_LINE_BYTES_MAX 102400 /* libcurl's own */

/* Sets an option of `easy`; once one has failed `ok` is false and nothing more is set. */
#define TRANSFER_SET(option, value) (ok = ok && !fault_point() && curl_easy_setopt(easy, option, value) == CURLE_OK)

/* False: libcurl refused. */
bool transfer_set_callbacks(struct http_transfer *transfer);
/* Blanks the credentials of request and proxy in bytes that a server or libcurl wrote. */
void transfer_blank(const struct http_transfer *transfer, char *bytes, size_t length);

#endif
