/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_EXCHANGE_H
#define CARRIER_EXCHANGE_H

#include "carrier/blame.h"
#include "carrier/carrier.h"

/*
 * One call from start to answer: admission, sending, reading, repeating.
 *
 *   waiting for admission → (held for its owner →) on the wire → (delay → waiting …) → done
 *
 * An exchange is embedded in its owner and lives on the carrier's reactor thread. It alone decides what is repeated
 * (exchange_repeat.c):
 *
 *   REPEAT_ALWAYS   after every transient failure: those that carrier/blame.h calls CARRIER or PASSING
 *   REPEAT_UNSENT   after such a failure only if the server certainly did no work: nothing was sent, or the answer was
 *                   429. A 429 does not count for a purchase that is held for its owner, which records each request
 *                   that may have arrived
 *
 * A repeat takes a token of the lane's retry budget. Without one the call ends with its failure; a `patient` call (an
 * item with a ledger row) waits for a token and repeats until its deadline. The deadline ends a call in any state, with
 * one exception: a purchase on the wire has its own timeout, and its deadline only limits when it may be sent.
 *
 * An answer that cannot belong to this request is dropped: one that began before the request was handed over, and one
 * about another id than the call's. The status is then SHIPOPT_EPROTOCOL, or SHIPOPT_EINDOUBT if the server may have
 * done the work.
 *
 * If this host has no descriptor or memory for a connection, nothing was sent and the server is not to blame. The call
 * is repeated without a token, a patient one until its deadline, and then ends with SHIPOPT_EIO.
 *
 * If the carrier asks for a pause (Retry-After) that outlasts the call, the call does not wait: it ends at once with
 * SHIPOPT_ERATELIMIT or SHIPOPT_EUNAVAILABLE. `patience_us`, otherwise the deadline, and the client's queue_timeout_ms
 * say how long a call lasts. Its error names the last answer to this call; if there was none, the answer that closed
 * the lane (carrier/closure.h).
 *
 * A canceled call ends with SHIPOPT_ECANCELED, a purchase that may have been sent with SHIPOPT_EINDOUBT.
 * `cancel_is_doubt` extends this to every write. The public calls set it. Purchases do not: to their state machine, a
 * canceled creation is a purchase that did not happen.
 *
 * `done` runs on the reactor thread, never from inside exchange_start() or exchange_cancel(). The answer can be read
 * from then on until exchange_clear().
 *
 * Files: exchange.c (life, admission, sending), exchange_answer.c (reading), exchange_repeat.c; exchange_steps.h is
 * private to them.
 */
struct exchange {
	/* the owner's; constant while under way */
	struct carrier_call call; /* owned by the exchange */
	struct call_group *group; /* NULL: the client's single calls */
	int64_t timeout_ms;       /* one request; 0: the client's */
	int64_t deadline_us;      /* of the whole call on the monotonic clock; 0: none */
	int64_t patience_us;      /* a pause beyond this ends the call at once; 0: deadline_us */
	unsigned attempts_max;    /* 0: the client's */
	bool patient;
	bool cancel_is_doubt;               /* a write that is canceled after it was sent ends with SHIPOPT_EINDOUBT */
	bool owner_invalidates;             /* `done` invalidates cached answers itself */
	const char *authorization;          /* NULL: the client's */
	const struct secret_forms *secrets; /* of that credential; NULL: the client's */
	const char *base_url;               /* NULL: the client's */
	const char *identity;               /* of these two, NULL: the client's; carrier/answer_cache.h */
	/* Runs once, when the call is first admitted. The owner writes down durably what must be known before the
	 * request is sent, sets the deadline of the sending, and then calls exchange_go() or exchange_give_up(). NULL:
	 * the request is sent at once. */
	void (*admitted)(struct exchange *exchange);
	void (*done)(struct exchange *exchange);

	/* the answer */
	int status;
	shipopt_error *error; /* owned; while under way, of the last attempt */
	int http_status;      /* of the last answer; 0: none came, or not a whole one */
	enum blame blame;     /* for that answer, or for the failure without one */
	bool is_envelope;     /* that answer was the API's error envelope, {"error":{"code":"…"}} */
	unsigned attempts;    /* requests sent */
	bool maybe_sent;      /* some request may have reached the server */
	bool was_handed_over; /* of the last request, as in struct http_request; if false, the answer proves nothing */
	json_document *document; /* NULL: the body was empty or not JSON */
	shipopt_record *record;  /* decoded, if the call names a kind; owned */

	/* the exchange's own */
	shipopt_carrier *carrier;
	enum {
		EXCHANGE_IDLE,
		EXCHANGE_WAITING,
		EXCHANGE_HELD,
		EXCHANGE_SENDING,
		EXCHANGE_READING,
		EXCHANGE_DELAYED,
		EXCHANGE_ENDING
	} state;
	bool is_canceled, was_held;
	char *url;
	struct http_request http;
	struct lane_ticket ticket;
	struct timer timer;
	struct task task;
	struct list_node node;
	int64_t started_us;
	int64_t waiting_since_us; /* for admission or for a repeat */
};

/* Zeroes it and initialises its call. */
void exchange_init(struct exchange *exchange);
/* Starts it. Errors: SHIPOPT_EAGAIN (the lane's queue is full; a patient exchange waits instead), SHIPOPT_ENOMEM,
 * SHIPOPT_ESHUTDOWN; `done` then never runs. */
int exchange_start(shipopt_carrier *carrier, struct exchange *exchange);
/* After `admitted`: sends it. Failures come through `done`, later. */
void exchange_go(struct exchange *exchange);
/* After `admitted`: does not send it, and `done` does not run. */
void exchange_give_up(struct exchange *exchange);
/* Ends it early, also on the wire. `done` runs later. Does nothing if the exchange is not under way. */
void exchange_cancel(struct exchange *exchange);
/* Frees the answer and the call's buffers. Not while under way. */
void exchange_clear(struct exchange *exchange);
/* Answers up to this size are parsed on the reactor thread (a few microseconds), larger ones on a worker. */
#define EXCHANGE_INLINE_BYTES_MAX 32768
/* For an exchange that is not under way, on any thread. The first reads a stored or changed body as if it had just come
 * with HTTP status 200, the second drops the answer and sets `status`. */
void exchange_take_answer(struct exchange *exchange, const void *bytes, size_t length);
void exchange_drop_answer(struct exchange *exchange, int status);
/* The record's part of the answer; only with a record. */
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
