/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include "carrier/exchange_steps.h"

/* A patient exchange repeats what shows that the server lives this many times as often as others. */
#define PATIENT_FACTOR 8
#define SOCKET_DELAY_DOUBLINGS 5 /* of the first delay: 1.6 s at most */

/* ---- pauses ------------------------------------------------------------------------------------------------- */

/* The latest moment at which the call can still be sent. */
static int64_t exchange_patience_end_us(const struct exchange *exchange)
{
	int64_t queue_ms = settings_number(&exchange->carrier->settings, CARRIER_QUEUE_TIMEOUT_MS);
	int64_t end_us = exchange->patience_us ? exchange->patience_us
		: exchange->deadline_us        ? exchange->deadline_us
					       : INT64_MAX;
	return queue_ms ? MIN(end_us, exchange->waiting_since_us + queue_ms * 1000) : end_us;
}

static int64_t exchange_paused_until_us(const struct exchange *exchange)
{
	return closures_until_us(&exchange->carrier->closures, exchange->carrier->lane, exchange->call.endpoint);
}

/* Whether a pause until then outlasts the call; if so, sets its failure. */
static bool exchange_is_outlasted_until(struct exchange *exchange, int64_t until_us)
{
	int64_t now_us = clock_now_us(), end_us = exchange_patience_end_us(exchange);
	const shipopt_error *reason = closures_reason(&exchange->carrier->closures, exchange->carrier->lane,
		exchange->call.endpoint, exchange->waiting_since_us);
	char what[160];
	if (until_us <= now_us || until_us <= end_us)
		return false;
	int64_t left_s = (MAX(end_us - now_us, 0) + 999999) / 1000000;
	if (shipopt_error_retry_after_ms(reason ? reason : exchange->error) > 0)
		snprintf(what, sizeof(what), "that is longer than the %lld s that this call has left",
			(long long)left_s);
	else
		snprintf(what, sizeof(what),
			"the pause of %lld ms after it is longer than the %lld s that this call has left",
			(long long)((until_us - now_us + 999) / 1000), (long long)left_s);
	bool is_rate_limit = shipopt_error_http_status(reason ? reason : exchange->error) == 429;
	exchange_set_failure(exchange, is_rate_limit ? SHIPOPT_ERATELIMIT : SHIPOPT_EUNAVAILABLE, what);
	return true;
}

bool exchange_is_outlasted(struct exchange *exchange)
{
	return exchange_is_outlasted_until(exchange, exchange_paused_until_us(exchange));
}

void exchange_wake_outlasted(shipopt_carrier *carrier, enum lane_endpoint endpoint)
{
	if (lane_paused_until_us(carrier->lane, endpoint) <= clock_now_us())
		return;
	LIST_FOREACH(node, &carrier->exchanges) {
		struct exchange *exchange = LIST_MEMBER(node, struct exchange, node);
		if ((exchange->state == EXCHANGE_WAITING || exchange->state == EXCHANGE_DELAYED) &&
			exchange_paused_until_us(exchange) > MAX(exchange_patience_end_us(exchange), clock_now_us()))
			timer_start(carrier->reactor, &exchange->timer, 0);
	}
}

/* ---- repeating ---------------------------------------------------------------------------------------------- */

/* A 2xx answer whose body is not JSON or lacks the record that the call needs. */
static bool exchange_is_garbage(const struct exchange *exchange)
{
	return exchange_is_success(exchange) && exchange->blame != BLAME_NONE;
}

static bool exchange_is_transient(const struct exchange *exchange)
{
	return exchange->blame == BLAME_CARRIER || exchange->blame == BLAME_PASSING || exchange_is_garbage(exchange);
}

static unsigned exchange_attempts_allowed(const struct exchange *exchange)
{
	unsigned allowed = exchange->attempts_max
		? exchange->attempts_max
		: (unsigned)settings_number(&exchange->carrier->settings, CARRIER_ATTEMPTS_MAX);
	/* The URL may be wrong: a server that cannot be reached, or is not the API, is reported soon, to a patient
	 * exchange too. */
	bool is_there = exchange->http.status != SHIPOPT_ECONNECT && exchange->blame != BLAME_CONFIGURATION;
	return exchange->patient && is_there ? allowed * PATIENT_FACTOR : allowed;
}

static bool exchange_may_repeat(const struct exchange *exchange)
{
	if (exchange->is_canceled || exchange_is_late(exchange) || !exchange_is_transient(exchange))
		return false;
	if (exchange->attempts >= exchange_attempts_allowed(exchange))
		return false;
	return exchange->call.repeat == REPEAT_ALWAYS || exchange_is_unsent(exchange);
}

static void exchange_repeat_after(struct exchange *exchange, int64_t delay_us)
{
	exchange->carrier->stats[SHIPOPT_CARRIER_STAT_RETRIES]++;
	exchange->group->retries++;
	carrier_log_retry(exchange, delay_us);
	exchange_forget_answer(exchange);
	exchange_delay(exchange, delay_us);
}

/* After a failure of the carrier. True if the exchange goes on. */
static bool exchange_repeat_failed(struct exchange *exchange)
{
	int64_t delay_us = 0, asked_us = exchange->http.status == 0 ? exchange->http.retry_after_ms * 1000 : 0;
	if (!exchange_may_repeat(exchange))
		return false;
	exchange->waiting_since_us = clock_now_us();
	if (exchange_is_outlasted_until(exchange,
		    MAX(exchange_paused_until_us(exchange), exchange->waiting_since_us + asked_us)))
		return false;
	/* After a 429 the lane's own pause is the delay. */
	bool is_rate_limited = exchange_is_rate_limited(exchange);
	if (!lane_retry_take(exchange->carrier->lane, exchange->attempts - 1, &delay_us)) {
		if (!exchange->patient)
			return false;
		delay_us = lane_retry_wait_us(exchange->carrier->lane);
	} else if (is_rate_limited) {
		delay_us = 0;
	}
	if (!is_rate_limited)
		delay_us = MAX(delay_us, asked_us);
	exchange_repeat_after(exchange, delay_us);
	return true;
}

/* After this host had no socket for the request. True if the exchange goes on. */
static bool exchange_repeat_without_socket(struct exchange *exchange)
{
	bool is_bounded = !exchange->patient || !exchange->deadline_us;
	unsigned doublings = MIN(exchange->attempts - 1, SOCKET_DELAY_DOUBLINGS);
	int64_t delay_us = (int64_t)EXCHANGE_REENTRY_DELAY_US << doublings;
	if (exchange->http.status != SHIPOPT_EIO || exchange->http.sent != HTTP_NOT_SENT || exchange->is_canceled)
		return false;
	if (is_bounded && exchange->attempts >= exchange_attempts_allowed(exchange))
		return false;
	if (exchange->deadline_us && clock_now_us() + delay_us >= exchange->deadline_us)
		return false;
	exchange_repeat_after(exchange, delay_us);
	return true;
}

bool exchange_repeat(struct exchange *exchange)
{
	return exchange_repeat_without_socket(exchange) || exchange_repeat_failed(exchange);
}
