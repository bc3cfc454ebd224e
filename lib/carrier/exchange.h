/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_EXCHANGE_H
#define CARRIER_EXCHANGE_H

#include "carrier/blame.h"
#include "carrier/carrier.h"

/*
 * One call from the wish to the answer: admission, sending, reading, repeating.
 *
 *   waiting for admission → (held for its owner →) on the wire → (delay → waiting …) → done
 *
 * An exchange is embedded in its owner and lives on the carrier's reactor thread. What is repeated is decided here and only
 * here: a call that may be repeated always (REPEAT_ALWAYS) on every transient failure; another (REPEAT_UNSENT) only when
 * it is certain that the server did no work: nothing was sent, or the answer was 429 (not for a purchase that is held for its
 * owner: there each request that may have arrived is written down by itself). What is transient is what carrier/blame.h
 * puts on the carrier or calls passing. A repeat takes a token of the lane's retry
 * budget; without one the call ends with its failure, unless it is `patient` (a ledgered item), which waits for a token
 * and repeats until its deadline. At its deadline a call ends wherever it is, but for a purchase on the wire, which has its own
 * timeout: there the deadline is one of sending.
 *
 * An answer that is not this request's is taken for none (SHIPOPT_EPROTOCOL, or SHIPOPT_EINDOUBT where work may have been
 * done): one that began before the request was handed over, and one with another id than the call's.
 *
 * Where this host lacks a descriptor or memory for a connection, which says nothing of the server, nothing was sent: the call
 * is repeated without a token, the patient until their deadline, and then ends with SHIPOPT_EIO.
 *
 * No call waits for what cannot come: if the carrier asks for a pause (Retry-After) that outlasts the call's time, which
 * is its deadline or `patience_us`, or the client's queue_timeout_ms, it ends at once with SHIPOPT_ERATELIMIT or
 * SHIPOPT_EUNAVAILABLE. An error names the last answer to this call, and without one the answer that closed the lane
 * (carrier/closure.h).
 *
 * `done` runs on the reactor thread, never from inside exchange_start() or exchange_cancel(). There the answer can be read;
 * it is gone after exchange_clear().
 */
struct exchange {
	/* the owner's; constant while under way */
	struct call call;              /* owned by the exchange */
	struct lane_group *group;      /* NULL: the client's single calls */
	int64_t timeout_ms;            /* one request; 0: the client's */
	int64_t deadline_us;           /* of the whole on the monotonic clock; 0: none */
	int64_t patience_us;           /* a pause that lasts beyond this ends the call at once; 0: deadline_us */
	unsigned attempts_max;         /* 0: the client's */
	bool patient;
	const char *authorization;     /* NULL: the client's */
	const struct secret_forms *secrets; /* of that credential; NULL: the client's */
	const char *base_url;          /* NULL: the client's */
	const char *identity;          /* of these two, NULL: the client's; carrier/answer_cache.h */
	/* Called once, when the call is admitted for the first time: the owner makes durable what must be before it is sent, sets
	 * the deadline of the sending, and then calls exchange_go() or exchange_give_up(). NULL: it is sent at once. */
	void (*admitted)(struct exchange *exchange);
	void (*done)(struct exchange *exchange);

	/* the answer */
	int status;
	shipopt_error *error; /* owned; while under way, of the last try */
	int http_status;      /* of the last answer that came; 0: none, or it was not read to its end */
	enum blame blame;     /* for that answer, or for why none came */
	bool is_envelope;     /* that answer was the API's own error, {"error":{"code":"…"}} */
	unsigned attempts;    /* requests sent */
	bool maybe_sent;      /* some request may have reached the server */
	bool was_handed_over; /* of the last request, as in struct http_request; without it the answer proves nothing */
	json_document *document; /* NULL: the body was empty or no JSON */
	shipopt_record *record;  /* decoded, if the call names a kind; owned */

	/* the exchange's own */
	shipopt_carrier *carrier;
	enum { EXCHANGE_IDLE, EXCHANGE_WAITING, EXCHANGE_HELD, EXCHANGE_SENDING, EXCHANGE_READING, EXCHANGE_DELAYED, EXCHANGE_ENDING } state;
	bool is_canceled, was_held;
	char *url;
	struct http_request http;
	struct lane_ticket ticket;
	struct timer timer;
	struct task task;
	struct list_node node;
	int64_t waiting_since_us; /* for admission or for a repeat */
};

/* Zeroes it and initialises its call. */
void exchange_init(struct exchange *exchange);
/* Starts it. Errors: SHIPOPT_EAGAIN (the lane's queue is full; the patient wait for it), SHIPOPT_ENOMEM, SHIPOPT_ESHUTDOWN;
 * `done` then never runs. */
int exchange_start(shipopt_carrier *carrier, struct exchange *exchange);
/* In answer to `admitted`. Sends it; what goes wrong comes by `done`, later. */
void exchange_go(struct exchange *exchange);
/* In answer to `admitted`: it is not sent, and `done` does not run. */
void exchange_give_up(struct exchange *exchange);
/* Ends it early; what is on the wire is given up. `done` comes with SHIPOPT_ECANCELED, or SHIPOPT_EINDOUBT for a purchase that
 * may have been sent. Does nothing when not under way. */
void exchange_cancel(struct exchange *exchange);
/* Frees the answer and the call's buffers. Not while under way. */
void exchange_clear(struct exchange *exchange);
/* Up to this size an answer is parsed where it comes (a few microseconds); larger ones go to a worker. */
#define EXCHANGE_INLINE_BYTES_MAX 32768
/* For an exchange that is not under way, on any thread: reads a body that came before, or was changed, as if it had just come with
 * HTTP status 200; or forgets the answer, with a status to put in its place. */
void exchange_take_answer(struct exchange *exchange, const void *bytes, size_t length);
void exchange_drop_answer(struct exchange *exchange, int status);
/* Where the record stands in the answer; only with a record. */
struct json_value exchange_answer(const struct exchange *exchange);
/* True while a request is on the wire: from here on a purchase must be waited for. */
static inline bool exchange_is_on_wire(const struct exchange *exchange)
{
	return exchange->state == EXCHANGE_SENDING || exchange->state == EXCHANGE_READING;
}
static inline bool exchange_is_under_way(const struct exchange *exchange)
{
	return exchange->state != EXCHANGE_IDLE;
}

#endif
