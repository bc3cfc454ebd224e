/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_REQUEST_H
#define RUNTIME_REQUEST_H

#include <shipopt/op.h>

#include "runtime/op.h"

/*
 * The inside of shipopt_request: a question to the application and its answer. The one way to ask.
 *
 *	request_new(key, record, reactor, answered, asker, &request);
 *	request_ask(request, op, has_slot, function, userdata);
 *	… the application answers, once, on any thread …
 *	answered(asker, status, value, error) runs on the reactor.
 *
 * Life: open → answered, or open → dropped; whichever comes first. request_ask() hands the request to the application
 * by the delivery of the operation that asks, and holds that operation until the application's function has returned or
 * the event was released, which may be after the answer. Until `answered` has run, whoever asks must stay, or drop the
 * request. A dropped request stays valid for the application; its answer goes nowhere.
 *
 * The memory belongs to the answer and to the delivery together, and goes with the later of the two.
 */

/* Takes the answer. `error` is handed over, and may be NULL after a failure too (out of memory). */
typedef void (*request_answered_fn)(void *asker, int status, int64_t value, shipopt_error *error);

/* `key` is copied and may be NULL. `record` is borrowed until the answer and may be NULL. `answered` runs on `reactor`,
 * or on the thread that answers when that is NULL or its thread has ended. SHIPOPT_ENOMEM. */
int request_new(const char *key, const struct shipopt_record *record, struct reactor *reactor,
	request_answered_fn answered, void *asker, shipopt_request **ret_request);
/* The same for a key of bytes, without a record. */
int request_new_bytes(const void *key, size_t key_length, struct reactor *reactor, request_answered_fn answered,
	void *asker, shipopt_request **ret_request);
/* Makes the record the request's own, for a question that may be dropped: it is freed with the request. */
void request_own_record(shipopt_request *request, struct shipopt_record *record,
	void (*free_record)(struct shipopt_record *record));
/* Frees a request that was never asked. Accepts NULL. */
void request_free(shipopt_request *request);

/* Asks by the delivery of `op`. `function` may be NULL with a queue that is polled; when that queue is dispatched, the
 * request fails with SHIPOPT_ESTATE. `has_slot`: a slot of the queue was reserved for the question and is used up.
 * Without it one is reserved now, and the request fails with SHIPOPT_EAGAIN if there is none. */
void request_ask(shipopt_request *request, shipopt_op *op, bool has_slot, shipopt_request_fn function, void *userdata);
/* Asks by a queue, for a question without an operation. The slot must be reserved. */
void request_ask_queue(shipopt_request *request, shipopt_queue *queue, shipopt_request_fn function, void *userdata);
/* Whoever asked does not want the answer any more: true if `answered` will not run, false if the answer is on its
 * way. */
bool request_drop(shipopt_request *request);
/* The asker of a request whose answer goes to `answered`; NULL for any other. */
void *request_asker(const shipopt_request *request, request_answered_fn answered);

#endif
