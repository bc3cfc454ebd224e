/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_REQUEST_H
#define RUNTIME_REQUEST_H

#include <shipopt/op.h>

/*
 * The inside of shipopt_request: a question to the host that a layer above asks.
 *
 * Whoever asks makes the request and hands it out; from then on it is the host's until it answers. The answer calls
 * `answer` once, on the host's thread, outside of any lock of the request, and frees the request. `error` is handed over
 * and may be NULL also on failure (out of memory). A request that was never handed out is freed with request_free().
 */
typedef void (*request_answer_fn)(void *userdata, int status, int64_t value, shipopt_error *error);

/* `key` is copied and may be NULL; `record` is borrowed until the answer and may be NULL. SHIPOPT_ENOMEM. */
int request_new(const char *key, const struct shipopt_record *record, request_answer_fn answer, void *userdata,
	shipopt_request **ret_request);
void request_free(shipopt_request *request);
/* The userdata of a request that is answered by `answer`; NULL for any other. */
void *request_userdata(const shipopt_request *request, request_answer_fn answer);

#endif
