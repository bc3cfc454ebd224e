/* SPDX-License-Identifier: MIT */
#include "carrier/carrier_log.h"

#include <stdarg.h>
#include <stdio.h>

#include "base/clock.h"
#include "carrier/exchange.h"

#define LINE_SIZE 900

/* ---- one line of a kind each second -------------------------------------------------------------------------- */

static void carrier_log_write(shipopt_carrier *carrier, int level, enum carrier_log_kind kind, const char *format, ...)
	PRINTF_LIKE(4, 5);

static void carrier_log_write(shipopt_carrier *carrier, int level, enum carrier_log_kind kind, const char *format, ...)
{
	struct carrier_log *log = &carrier->log;
	char line[LINE_SIZE], left_out[64] = "";
	int64_t now_us = clock_now_us();
	va_list list;
	if (now_us < log->kinds[kind].next_us) {
		log->kinds[kind].left_out++;
		return;
	}
	if (log->kinds[kind].left_out)
		snprintf(left_out, sizeof(left_out), " (%llu lines of this kind left out)",
			(unsigned long long)log->kinds[kind].left_out);
	log->kinds[kind].left_out = 0;
	log->kinds[kind].next_us = now_us + CARRIER_LOG_INTERVAL_US;
	va_start(list, format);
	vsnprintf(line, sizeof(line), format, list);
	va_end(list);
	runtime_log(carrier->runtime, level, "carrier: %s%s", line, left_out);
}

/* ---- the lines ----------------------------------------------------------------------------------------------- */

void carrier_log_request(const struct exchange *exchange)
{
	const struct http_request *http = &exchange->http;
	char result[80];
	if (http->status == 0)
		snprintf(result, sizeof(result), "HTTP %d", http->http_status);
	else
		snprintf(result, sizeof(result), "%s", shipopt_error_name(http->status));
	runtime_log(exchange->carrier->runtime, SHIPOPT_LOG_DEBUG, "carrier: %s %.200s: %s in %lld ms%s%s",
		exchange->call.method, buffer_text(&exchange->call.path), result, (long long)(http->duration_us / 1000),
		http->request_id[0] ? ", request id " : "", http->request_id);
}

static enum carrier_log_kind carrier_log_kind_of(const struct exchange *exchange)
{
	const struct http_request *http = &exchange->http;
	if (http->status == SHIPOPT_EIO)
		return CARRIER_LOG_SOCKET;
	if (http->status < 0)
		return http->sent == HTTP_NOT_SENT ? CARRIER_LOG_CONNECT : CARRIER_LOG_LOST;
	if (http->http_status == 429)
		return CARRIER_LOG_RATE_LIMITED;
	return exchange->blame == BLAME_CONFIGURATION ? CARRIER_LOG_CONFIGURATION : CARRIER_LOG_SERVER;
}

void carrier_log_problem(const struct exchange *exchange)
{
	static const char *const titles[] = {
		[CARRIER_LOG_CONNECT] = "no connection",
		[CARRIER_LOG_LOST] = "answer lost",
		[CARRIER_LOG_RATE_LIMITED] = "too many requests",
		[CARRIER_LOG_SERVER] = "the server failed",
		[CARRIER_LOG_CONFIGURATION] = "not an answer of the API",
		[CARRIER_LOG_SOCKET] = "no socket",
	};
	enum carrier_log_kind kind = carrier_log_kind_of(exchange);
	const char *message = shipopt_error_message(exchange->error);
	carrier_log_write(exchange->carrier, SHIPOPT_LOG_WARNING, kind, "%s: %s", titles[kind],
		message ? message : shipopt_error_description(exchange->status));
}

void carrier_log_retry(const struct exchange *exchange, int64_t delay_us)
{
	bool is_long = delay_us >= CARRIER_LOG_LONG_US;
	carrier_log_write(exchange->carrier, is_long ? SHIPOPT_LOG_WARNING : SHIPOPT_LOG_INFO,
		is_long ? CARRIER_LOG_LONG_RETRY : CARRIER_LOG_RETRY, "%s %.200s: retry in %lld ms, after attempt %u",
		exchange->call.method, buffer_text(&exchange->call.path), (long long)(delay_us / 1000),
		exchange->attempts);
}

void carrier_log_breaker(shipopt_carrier *carrier)
{
	enum breaker_state state = lane_breaker_state(carrier->lane);
	if (state == carrier->log.breaker)
		return;
	carrier->log.breaker = state;
	switch (state) {
	case BREAKER_CLOSED:
		carrier_log_write(carrier, SHIPOPT_LOG_WARNING, CARRIER_LOG_BREAKER_CLOSED,
			"circuit breaker closed: the carrier answers again");
		break;
	case BREAKER_OPEN:
		carrier_log_write(carrier, SHIPOPT_LOG_WARNING, CARRIER_LOG_BREAKER_OPEN,
			"circuit breaker open: the carrier keeps failing; nothing is sent for %lld ms",
			(long long)(lane_breaker_open_us(carrier->lane) + 999) / 1000);
		break;
	case BREAKER_HALF_OPEN:
		carrier_log_write(carrier, SHIPOPT_LOG_WARNING, CARRIER_LOG_BREAKER_HALF_OPEN,
			"circuit breaker half open: a few requests try whether the carrier answers");
		break;
	}
}

void carrier_log_trace(void *userdata, const char *line)
{
	const shipopt_carrier *carrier = userdata;
	runtime_log(carrier->runtime, SHIPOPT_LOG_DEBUG, "carrier: trace %s", line);
}
