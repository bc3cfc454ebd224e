/* SPDX-License-Identifier: MIT */
#ifndef TESTS_MONEY_CARRIER_H
#define TESTS_MONEY_CARRIER_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A small carrier on 127.0.0.1 that sells labels, keeps books of what it sold, and misbehaves where a test tells it to.
 *
 * It makes shipments with one rate (USPS Priority, 5.00 USD), sells each once (422 SHIPMENT.POSTAGE.EXISTS afterwards)
 * and shows them as they are. It has no trackers and says so in the API's words. A hook writes an answer itself, raw;
 * what it does not write, the carrier does. The hooks run on the connection's thread.
 *
 * One thread for each connection, at most MONEY_CONNECTIONS_MAX, and MONEY_SHIPMENTS_MAX shipments.
 */
#define MONEY_CONNECTIONS_MAX 256
#define MONEY_SHIPMENTS_MAX 64
#define MONEY_JSON_MAX 4096

struct money_request {
	int fd;
	const char *head;      /* of the request, with its Authorization */
	const char *reference; /* the order's key */
	const char *json;      /* the shipment as it is now */
	unsigned number;       /* of its kind, for all shipments, from 1 */
};

enum money_answer {
	MONEY_USUAL, /* nothing was written: answer as usual */
	MONEY_KEEP,  /* answered */
	MONEY_CLOSE  /* answered as far as it will be: close the connection */
};

typedef enum money_answer (*money_hook)(const struct money_request *request);

struct money_hooks {
	money_hook create;
	money_hook first_buy; /* of a shipment, which is sold by then */
	money_hook look_up;
};

struct money_carrier;

/* `hooks` may be NULL and is copied. 0 or -1. */
int money_carrier_start(const struct money_hooks *hooks, struct money_carrier **ret_carrier);
void money_carrier_stop(struct money_carrier *carrier);
/* For what follows. */
void money_carrier_set(struct money_carrier *carrier, const struct money_hooks *hooks);
int money_carrier_port(const struct money_carrier *carrier);

struct money_books {
	unsigned creations, buys, look_ups; /* requests */
	unsigned labels;                    /* sold */
	unsigned doubles;                   /* labels beyond the first of an order's key */
};
void money_carrier_books(struct money_carrier *carrier, struct money_books *ret_books);
/* Blocks until so many labels are sold. */
void money_carrier_await_labels(struct money_carrier *carrier, unsigned count);

/* For hooks: bytes as they are; a whole answer, with `headers` ending in CR LF; the API's error. */
void money_send(int fd, const void *bytes, size_t length);
void money_send_text(int fd, const char *text);
void money_send_answer(int fd, const char *status_line, const char *headers, const char *body);
void money_send_error(int fd, const char *status_line, const char *code);

#endif
