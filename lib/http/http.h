/* SPDX-License-Identifier: MIT */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "runtime/reactor.h"

/*
 * The HTTP engine: many requests at once on one reactor, with libcurl's multi interface (socket_action).
 *
 * An engine belongs to one reactor thread, and every function here is called on it. The owner embeds its requests.
 * There is no queue, because a lane admits every request before http_send().
 *
 * Send once. libcurl silently sends a request again, POST included, when a kept-alive connection dies before the first
 * byte of the answer. For a request with `send_once` the engine prevents that. The body is read through a callback that
 * cannot rewind. An empty body goes over a fresh connection. libcurl then fails with CURLE_SEND_FAIL_REWIND, and the
 * outcome is unknown. As a second guard, the callback that libcurl calls before each sending refuses the second one.
 * All requests use HTTP/1.1.
 *
 * Right answer. An answer belongs to its request. No input waited on the connection before the request was sent
 * (http/tcp.h), and `was_handed_over` says whether the whole request was written before the answer began. A late answer
 * to an earlier request that arrives while the connection is in use cannot be recognised.
 *
 * Not sent. `sent` of a finished request is HTTP_NOT_SENT only if no byte of the request can have reached the server.
 * That is so if the name lookup, the connection or TLS failed, or if it was canceled before. Everything else is
 * HTTP_MAYBE_SENT.
 *
 * Shortage. If this host has no descriptor or memory for a socket, the status is SHIPOPT_EIO with the system's message.
 *
 * Secrets. Body, headers and libcurl's messages pass secret_blank() before `done` runs, for the request's credential
 * and the proxy's. A message of libcurl that quotes a URL is replaced.
 *
 * Files:
 *
 *   engine.c                sending, and the turn
 *   multi.c, socket.c       libcurl's multis and descriptors
 *   transfer*.c             one request
 *   result.c                what a failure means
 *   trace.c, tcp.c, certificate.c, url.c, retry_after.c
 *
 * libcurl scans the connections of a host one by one; with
 * 1,000 of them that takes 40 % of its time. Therefore there are several multis with at most HTTP_CONNECTIONS_PER_MULTI
 * transfers each.
 */
#define HTTP_CONNECTIONS_PER_MULTI 128
#define HTTP_RESPONSE_LIMIT_DEFAULT ((size_t)8 << 20)
#define HTTP_TIMEOUT_MS_DEFAULT 60000
#define HTTP_CONNECT_TIMEOUT_MS_DEFAULT 10000
#define HTTP_REQUEST_ID_SIZE 64
#define HTTP_IN_FLIGHT_MAX 8192

struct http_engine;
struct http_transfer;

struct http_options {
	const char *ca_file; /* NULL: SSL_CERT_FILE, libcurl's own, then known paths */
	const char *proxy;   /* URL, http:// may be left out; NULL or "": none; secret; the environment is never read */
	const char *user_agent; /* NULL: "libshipopt/VERSION" */
	int64_t connect_timeout_ms;
	/* Gets each header line of all requests and answers, without credentials (http/trace.h). Reactor thread. NULL:
	 * no trace. */
	void (*trace)(void *userdata, const char *line);
	void *trace_userdata;
	size_t connections_max; /* kept alive in all multis together; rounded up to the same number for each */
};

/* Copies the options. SHIPOPT_ENOMEM, SHIPOPT_EINVAL (a malformed proxy, which is not quoted), SHIPOPT_ETLS (no usable
 * certificate bundle, with the places looked at), SHIPOPT_EUNSUPPORTED (libcurl too old or not thread-safe). May be
 * called on any thread before the engine is used. */
int http_engine_new(struct reactor *reactor, const struct http_options *options, struct http_engine **ret_engine,
	shipopt_error **ret_error);
/* Reactor thread, not from inside `done`; no request may be in flight. Accepts NULL. */
void http_engine_free(struct http_engine *engine);

enum http_sent { HTTP_NOT_SENT, HTTP_MAYBE_SENT };

struct http_request {
	/* The owner's, constant while in flight; texts and body are borrowed. */
	const char *method;        /* GET, POST, PUT, PATCH, DELETE */
	const char *url;           /* absolute */
	const char *authorization; /* value of that header, or NULL; never logged */
	const struct secret_forms
		*secrets; /* the forms in which a server may repeat the credential, or NULL; borrowed */
	const char *body; /* JSON; NULL for none */
	size_t body_length;
	bool send_once;
	int64_t timeout_ms;                         /* total; 0: the default */
	size_t response_limit;                      /* 0: the default */
	void (*done)(struct http_request *request); /* reactor thread, never from inside http_send or http_cancel */

	/* The answer, valid from `done` until http_request_clear(). */
	int status;           /* 0: a whole answer was read (whatever its HTTP status); else SHIPOPT_E… */
	shipopt_error *error; /* detail of `status`; owned */
	enum http_sent sent;
	int http_status;
	/* libcurl had written the whole request, head and body, before the final answer (not 1xx) began. False: no
	 * answer came, or it is not an answer to this request. */
	bool was_handed_over;
	struct buffer response;                /* padded for the JSON reader */
	int64_t retry_after_ms;                /* from Retry-After, both forms; -1 if absent or malformed; 0 is legal */
	char request_id[HTTP_REQUEST_ID_SIZE]; /* x-ep-request-uuid, or "" */
	char *location;                        /* of a redirect, which is never followed, or NULL; owned */
	int64_t duration_us;

	struct http_transfer *transfer; /* the engine's own */
};

/* Sends a request. If it fails, `done` does not run. SHIPOPT_ENOMEM, SHIPOPT_EINVAL (URL, method, a GET with a body,
 * control characters in the credential), SHIPOPT_EAGAIN (HTTP_IN_FLIGHT_MAX are in flight). */
int http_send(struct http_engine *engine, struct http_request *request);
/* Ends a request early: `done` runs in this or the next turn with SHIPOPT_ECANCELED and a valid `sent`. Does nothing if
 * the request is not in flight. */
void http_cancel(struct http_request *request);
/* Frees the answer. The struct can then be sent again or freed. */
void http_request_clear(struct http_request *request);

struct http_statistics {
	uint64_t requests, connections_opened, connections_reused, bytes_sent, bytes_received;
	uint64_t connections_unclean; /* closed before a request was sent, because unread input waited there */
	size_t in_flight;
	bool certificate_cache_shared; /* one X509_STORE for all connections; false: libcurl's own cache (certificate.h) */
};
void http_engine_statistics(const struct http_engine *engine, struct http_statistics *ret_statistics);

/* "3" or an HTTP-date (RFC 9110 §10.2.3), relative to wall time `now_ms`; SHIPOPT_EPARSE. Capped at 100 years. */
int http_parse_retry_after(const char *value, int64_t now_ms, int64_t *ret_ms);
/* Checks an absolute http or https URL without user info, query and fragment; SHIPOPT_EPARSE with the reason, which
 * does not quote the URL. */
int http_check_url(const char *url, shipopt_error **ret_error);

#endif
