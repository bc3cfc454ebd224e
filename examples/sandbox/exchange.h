/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_EXCHANGE_H
#define SANDBOX_EXCHANGE_H

#include <microhttpd.h>

#include "base/list.h"
#include "route.h"
#include "shipment.h"

/*
 * One request and its answer.
 *
 *	READING → (begin) → WAITING → (finish) → READY → answered
 *	                  ↘ dropped: the connection is closed without a byte
 *
 * `exchange_begin` runs when the whole request has arrived: it draws the request's fate, and marks a purchase as at
 * work. With a latency the connection is suspended and `exchange_finish` runs on the delay thread, where the call's
 * work is done whether or not the client is still there; without one it follows at once. What is left for
 * libmicrohttpd's thread is to send the finished bytes. Only one thread holds an exchange at a time: suspending hands
 * it over to the delay thread, resuming hands it back.
 */
enum exchange_stage { EXCHANGE_READING, EXCHANGE_WAITING, EXCHANGE_READY };

struct exchange {
	struct sandbox *sandbox;
	struct MHD_Connection *connection;
	const struct route *route;
	char id[ROUTE_ID_SIZE];
	struct buffer body;
	bool is_kept_alive; /* not the first request of its connection */
	bool is_refused;    /* 411 */
	bool is_too_large;
	enum exchange_stage stage;
	struct fault_draw draw;
	struct purchase purchase;
	bool has_purchase, was_in_progress, is_marked;
	int64_t started_us;
	struct answer answer;
	struct delay delay;
	struct list_node node; /* of the suspended ones, under the sandbox's lock */
	/* A dripping body. */
	int64_t drip_at_us;
};

/* What the server does with a connection once an exchange has begun. */
enum exchange_verdict {
	VERDICT_ANSWER, /* ready */
	VERDICT_WAIT,   /* suspend it for `latency_us` */
	VERDICT_DROP,   /* close it without a byte */
	VERDICT_RESET   /* the same by a TCP reset */
};

struct exchange *exchange_new(struct sandbox *sandbox, struct MHD_Connection *connection, const char *method,
	const char *path); /* NULL: out of memory */
void exchange_free(struct exchange *exchange);
enum exchange_verdict exchange_begin(struct exchange *exchange);
/* Does the work and makes the answer. Any thread. True: to be sent; false: the connection is to be closed. */
bool exchange_finish(struct exchange *exchange);

#endif
