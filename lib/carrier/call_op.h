/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_CALL_OP_H
#define CARRIER_CALL_OP_H

#include "base/hash.h"
#include "carrier/answer_cache.h"
#include "carrier/exchange.h"

/*
 * The public calls: an operation around one exchange.
 *
 * The calling thread writes the call (so that bad arguments are refused at once), the reactor runs it. The
 * operation holds a reference to the client until it is destroyed. Calls taken and not finished are counted,
 * which bounds what is posted to the reactor before the lane can see it.
 *
 * With a cache, a read or a quote goes another way first (carrier/cached_read.c). What it may find:
 *
 *   an answer          it is read on the calling thread, or on a worker if it is large, and the operation completes
 *   nothing            it leads: the exchange runs, and what it brings answers the load before the operation completes
 *   another's load     it waits, without a thread, until that is answered; it leads if the other gives up
 *
 * Who waits can be told from any thread, also of another runtime (`read.phase` says who comes first, the
 * telling or the leaving by cancel, time limit or close), and cannot take his name off the load's list. So one
 * who leaves completes at once, but stays in memory, and counted, until he has been told; if he is told to lead
 * then, he passes that on.
 */
enum read_phase { READ_IDLE, READ_WAITING, READ_TOLD, READ_LEFT };

struct cached_read {
	atomic_int phase;
	struct list_node node; /* in the client's list of those who wait; reactor, as the timer */
	struct timer timer;
	struct task wait_task, told_task, stored_task, finish_task;
	int outcome;          /* what was told */
	shipopt_error *error; /* of a load that failed */
	shipopt_value *value; /* an answer to be read; with `load`, a stale one to fall back on; or the code of a 404 */
	shipopt_load *load;   /* to be answered by this operation */
};

enum call_cache_mode { CALL_CACHE_MODE_USE, CALL_CACHE_MODE_REFRESH, CALL_CACHE_MODE_NONE };

struct call_op {
	shipopt_op op;
	shipopt_carrier *carrier;
	struct exchange exchange;
	char *authorization, *base_url;      /* of the call's own, or NULL */
	struct secret_forms secrets;         /* of that credential */
	char identity[ANSWER_IDENTITY_SIZE]; /* of a call with a key or URL of its own, else "" */
	enum call_cache_mode cache_mode;
	bool is_quote;
	char content
		[HASH_HEX_SIZE]; /* of a quote or a tracker by its code: the digest of what the answer depends on; else "" */
	struct cached_read read;
	struct task start_task, cancel_task;
};

/* Makes the operation with an empty call. The caller writes the call and then starts it with the result of writing. If that is an
 * error, nothing is sent: an operation that fails with it, and with the error of the exchange if there is one, is the result. Only
 * SHIPOPT_ENOMEM is returned. */
int call_op_new(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_caller,
	struct call_op **ret_self);
int call_op_start(struct call_op *self, int written, shipopt_op **ret_op);
/* For a call with a wrong argument: an operation that fails with SHIPOPT_EINVAL and the message. Returns what op_refuse() does,
 * SHIPOPT_EINVAL for a NULL `carrier`. */
int call_op_refuse(shipopt_carrier *carrier, shipopt_done_fn done, void *userdata, shipopt_op **ret_op,
	const char *format, ...) PRINTF_LIKE(5, 6);
/* The moment at which a whole call ends that begins now; 0: never, as `timeout_ms` is 0. */
int64_t call_op_deadline_us(int64_t timeout_ms);
/* Writes POST /shipments. SHIPOPT_EINVAL for a shipment that names what to buy. */
int call_op_write_shipment(struct call_op *self, const shipopt_record *shipment);
/* Applies the configuration of a raw call, which may be NULL. On failure the exchange may have an error with the detail. */
int call_op_apply(struct call_op *self, const shipopt_call_config *config);

/* Asks the carrier. Reactor thread. */
void call_op_send(struct call_op *self);
/* Completes with the answer that the exchange holds, or with a failure of our own. Any thread; with inline delivery the
 * reactor's. `error` is consumed. */
void call_op_publish(struct call_op *self);
void call_op_finish(struct call_op *self, int status, shipopt_error *error);

void cached_read_init(struct call_op *self);
/* Whether the operation is to begin with the cache, and beginning so; calling thread. It may be over before the call returns. */
bool cached_read_applies(const struct call_op *self);
void cached_read_begin(struct call_op *self);
/* The exchange of one who leads is over: answers the load. False if there is something better to complete with, which then goes
 * its own way. Reactor thread. */
bool cached_read_lead_done(struct call_op *self);
/* Leaves if it waits; the operation then ends with `status`. Reactor thread. */
bool cached_read_leave(struct call_op *self, int status, const char *what);
void cached_read_destroy(struct call_op *self);

#endif
