/* SPDX-License-Identifier: MIT */
#ifndef RUNTIME_ASK_H
#define RUNTIME_ASK_H

#include <shipopt/op.h>

#include "runtime/op.h"
#include "runtime/reactor.h"

/*
 * A question on its way to the host's code: by the delivery of the operation that it belongs to, to a scheduler thread, the reactor
 * or the host's queue. It lives, and holds the operation, until that code has returned or the event was released, which may be
 * after the answer. Consumes `request`; what cannot be asked is answered with the failure.
 *
 * `function` may be NULL with a queue that is polled: dispatched, the request fails with SHIPOPT_ESTATE.
 * `has_slot`: a slot of the queue was reserved for it and is used up.
 */
void ask_host(shipopt_op *op, struct reactor *reactor, bool has_slot, shipopt_request_fn function, void *userdata,
	shipopt_request *request);

#endif
