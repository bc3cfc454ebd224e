/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CARRIER_LOG_H
#define CARRIER_CARRIER_LOG_H

#include <shipopt/carrier.h>

#include "lane/lane.h"

/*
 * What a client writes to the runtime's log.
 *
 *   WARNING   connect failures, lost answers, HTTP 429, failures of the server, answers that are not the API's, no
 *             socket on this host, retries that wait for CARRIER_LOG_LONG_US or more, each change of the circuit
 *             breaker
 *   INFO      the other retries
 *   DEBUG     one line for each request: method, path, status, time, request id; with the setting `trace` also its
 *             headers
 *
 * Each kind of a WARNING or INFO line is written at most once in CARRIER_LOG_INTERVAL_US, so that a failing carrier
 * does not flood the log. The next line of the same kind says how many were left out. Lines never contain a credential:
 * they are made of error messages, which have none, and of the call's method and path.
 *
 * Reactor thread only.
 */
#define CARRIER_LOG_INTERVAL_US 1000000
#define CARRIER_LOG_LONG_US 1000000

struct exchange;

enum carrier_log_kind {
	CARRIER_LOG_CONNECT,
	CARRIER_LOG_LOST,
	CARRIER_LOG_RATE_LIMITED,
	CARRIER_LOG_SERVER,
	CARRIER_LOG_CONFIGURATION,
	CARRIER_LOG_SOCKET,
	CARRIER_LOG_RETRY,
	CARRIER_LOG_LONG_RETRY,
	CARRIER_LOG_BREAKER_CLOSED,
	CARRIER_LOG_BREAKER_OPEN,
	CARRIER_LOG_BREAKER_HALF_OPEN,
	CARRIER_LOG_KIND_COUNT
};

struct carrier_log {
	struct {
		int64_t next_us;   /* no line before this time */
		uint64_t left_out; /* lines since the last one */
	} kinds[CARRIER_LOG_KIND_COUNT];
	enum breaker_state breaker; /* as last logged */
};

/* A request is over, with an answer or without: the DEBUG line. */
void carrier_log_request(const struct exchange *exchange);
/* An attempt failed because of the server, the network or this host. The exchange holds its error. */
void carrier_log_problem(const struct exchange *exchange);
void carrier_log_retry(const struct exchange *exchange, int64_t delay_us);
/* To be called when the breaker may have changed; logs the change, if there is one. */
void carrier_log_breaker(shipopt_carrier *carrier);
/* One line of a traced request (http/trace.h); `userdata` is the carrier. */
void carrier_log_trace(void *userdata, const char *line);

#endif
