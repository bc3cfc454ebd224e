/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SANDBOX_PROCESS_H
#define TESTS_SANDBOX_PROCESS_H

#include <curl/curl.h>
#include <sys/types.h>

#include "base/buffer.h"

/*
 * A sandbox carrier of a test's own: the program of the environment variable SHIPOPT_SANDBOX as a child process, on a
 * free port, and a small HTTP client for it.
 *
 *	struct sandbox sandbox;
 *	const char *options[] = {"--latency-ms", "5", NULL};
 *	assert_int_equal(sandbox_start(&sandbox, options), 0);
 *	assert_int_equal(sandbox_set_faults(&sandbox, "{\"lost-answer\": 1}"), 0);
 *	… give `sandbox.url` to the code under test …
 *	assert_int_equal(sandbox_count(&sandbox, "labels"), 1);
 *	assert_int_equal(sandbox_stop(&sandbox), 0);
 *
 * The child ends when its parent does, whatever becomes of the test. Requests carry a good key. The client is libcurl's
 * easy interface and keeps its connection, so it re-sends a request whose reused connection dies; set `is_fresh` for
 * a connection each. One thread at a time uses a `struct sandbox`. The struct belongs to the caller; what it holds is
 * freed by sandbox_stop.
 */
struct sandbox {
	pid_t pid;
	int output;                /* the read end of the child's standard output */
	char url[96];              /* "http://127.0.0.1:PORT", no slash behind it */
	const char *ca_file;       /* for --tls: the test sets it; not copied */
	const char *authorization; /* "Bearer EZTK…", the default, or what the test sets; NULL sends none */
	bool is_fresh;             /* a new connection for each request */
	CURL *curl;
	struct buffer headers; /* of the last answer, with lower-case names */
};

/* Options as on the command line, NULL at the end; NULL for none. Negative SHIPOPT_E… code: it did not start. */
int sandbox_start(struct sandbox *sandbox, const char *const *options);
/* SIGTERM, then waits. The exit status, or -1 if a signal or a sanitizer ended it. */
int sandbox_stop(struct sandbox *sandbox);
/* The HTTP status, or the negative CURLcode. `body` (may be NULL) must be initialised; it is cleared first. */
int sandbox_get(struct sandbox *sandbox, const char *path, struct buffer *body);
int sandbox_post(struct sandbox *sandbox, const char *path, const char *json, struct buffer *body);
/* The value of a header of the last answer in `ret_value`; false if it had none. */
bool sandbox_header(const struct sandbox *sandbox, const char *name, char *ret_value, size_t size);
/* POST /sandbox/faults. 0, or -1 if it was refused. */
int sandbox_set_faults(struct sandbox *sandbox, const char *json);
int sandbox_reset(struct sandbox *sandbox);
/* A number of GET /sandbox/counts: "labels", "connections", "cpu_us"; -1 if there is none. */
int64_t sandbox_count(struct sandbox *sandbox, const char *name);
/* Requests of a class, such as "POST /shipments/buy"; 0 if there were none, -1 if the sandbox does not answer. */
int64_t sandbox_requests(struct sandbox *sandbox, const char *class_name);
/* Labels ever charged for a reference; 0 if there were none. */
int64_t sandbox_labels_of(struct sandbox *sandbox, const char *reference);
/* How many references have more than one label. */
int64_t sandbox_duplicates(struct sandbox *sandbox);

#endif
