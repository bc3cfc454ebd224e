/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CALL_OP_H
#define CARRIER_CALL_OP_H

#include "base/hash.h"
#include "carrier/answer_cache.h"
#include "carrier/exchange.h"

/*
 * The public calls: an operation around one exchange.
 *
 * The calling thread writes the call, so that wrong arguments are reported at once. The reactor runs it. The operation
 * holds a reference to the client until it is destroyed. Calls that have started and not finished are counted in
 * `pending`. That bounds the tasks on their way to the reactor, which the lane cannot see yet.
 *
 * With a cache, a read or a quote first looks there (carrier/cached_read.c):
 *
 *   an answer           it is read on the calling thread, or on a worker if it is large, and the operation completes
 *   nothing             the operation leads: its exchange runs, and the answer completes the load and then the
 *                       operation
 *   a load in flight    the operation waits, without a thread, for the answer of that load. It leads if the leader
 *                       gives up
 *
 * A waiting operation can be notified on any thread, also of another runtime. It can also leave, because of a cancel, a
 * time limit or the close. `read.phase` decides which of the two came first. An operation cannot remove itself from the
 * list of the load. So one that leaves completes at once, but stays allocated and counted until it is notified. If it
 * is then asked to lead, it abandons the load.
 *
 * Files: call_op.c (its life), call_typed.c and call_raw.c (the public functions), quote.c, call_config.c,
 * cached_read.c.
 */
enum read_phase { READ_IDLE, READ_WAITING, READ_NOTIFIED, READ_LEFT };

struct cached_read {
	atomic_int phase;
	struct list_node node; /* in the client's list of waiting calls; reactor thread, like the timer */
	struct timer timer;
	struct task wait_task, notified_task, stored_task, finish_task;
	int outcome;          /* of the notification */
	shipopt_error *error; /* of a load that failed */
	shipopt_value *value; /* an answer to read; with `load`, a stale one to fall back on; or the code of a 404 */
	shipopt_load *load;   /* that this operation must complete */
};

enum call_cache_mode { CALL_CACHE_MODE_USE, CALL_CACHE_MODE_REFRESH, CALL_CACHE_MODE_NONE };

struct call_op {
	shipopt_op op;
	shipopt_carrier *carrier;
	struct exchange exchange;
	char *authorization, *base_url;      /* of the call's own, or NULL */
	struct secret_forms secrets;         /* of that credential */
	char identity[ANSWER_IDENTITY_SIZE]; /* of a call with another key or URL, else "" */
	enum call_cache_mode cache_mode;
	bool is_quote;
	char content
		[HASH_HEX_SIZE]; /* of a quote or a tracker by its code: the digest of what the answer depends on; else "" */
	struct cached_read read;
	struct task start_task, cancel_task;
};

/* Makes the operation with an empty call. The caller writes the call and then starts it with the result of writing. If
 * that is an error, nothing is sent: an operation that fails with it, and with the error of the exchange if there is
 * one, is the result. Only SHIPOPT_ENOMEM is returned. */
int call_op_new(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct call_op **ret_self);
int call_op_start(struct call_op *self, int written, shipopt_op **ret_op);
/* For a call with a wrong argument: an operation that fails with SHIPOPT_EINVAL and the message. Returns what
 * op_refuse() does, SHIPOPT_EINVAL for a NULL `carrier`. */
int call_op_refuse(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_op,
	const char *format, ...) PRINTF_LIKE(5, 6);
/* The moment at which a whole call ends that begins now; 0: never, as `timeout_ms` is 0. */
int64_t call_op_deadline_us(int64_t timeout_ms);
/* Writes POST /shipments. SHIPOPT_EINVAL for a shipment that names what to buy. */
int call_op_write_shipment(struct call_op *self, const shipopt_record *shipment);
/* Applies the configuration of a raw call, which may be NULL. On failure the exchange may have an error with the
 * detail. */
int call_op_apply(struct call_op *self, const shipopt_call_config *config);

/* Starts the exchange. Reactor thread. */
void call_op_send(struct call_op *self);
/* Complete with the answer of the exchange, or with another failure. Any thread; with inline delivery the reactor's.
 * Consumes `error`. */
void call_op_publish(struct call_op *self);
void call_op_finish(struct call_op *self, int status, shipopt_error *error);

void cached_read_init(struct call_op *self);
/* Whether the operation looks into the cache first, and looking there. Calling thread. The operation may complete
 * before the call returns. */
bool cached_read_applies(const struct call_op *self);
void cached_read_begin(struct call_op *self);
/* The exchange is over: completes the load, if the operation leads one. False if a stale answer completes the operation
 * instead. Reactor thread. */
bool cached_read_lead_done(struct call_op *self);
/* Leaves if the operation waits: it then ends with `status`. False if it does not wait. Reactor thread. */
bool cached_read_leave(struct call_op *self, int status, const char *what);
void cached_read_destroy(struct call_op *self);

#endif
