/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/buffer.h"
#include "base/random.h"

/*
 * The carrier as a model in memory: shipments, rates, purchases under way, labels.
 *
 * The world lives in virtual time and outlives every simulated process. A request visits it: world_arrive() decides what will go
 * wrong with it and puts the purchase that it may lead to into the world's list of effects; world_leave(), when the answer is
 * due, tells what the answer is. Effects happen at their own time, whether or not anybody still waits for the answer: they are
 * carried out whenever the world is looked at. So a process may crash, or be too late, between the two.
 *
 * What goes wrong is scripted (each step is used once, by the next call of its kind) or drawn from a seed (`permille`). With
 * `guard` a shipment with a label refuses a second purchase, as the real API does; without, it makes a second label, so that a
 * machine which leans on the guard alone is found out.
 *
 * `trace` is a hash of all that happened: the same seed gives the same trace.
 */
enum world_call { WORLD_CREATE, WORLD_BUY, WORLD_READ, WORLD_RERATE, WORLD_CALL_COUNT };

enum world_fault {
	FAULT_NONE,
	FAULT_REFUSED_CONNECTION, /* nothing was sent */
	FAULT_LOST_BEFORE,        /* the connection dies before any work */
	FAULT_LOST_AFTER,         /* and after it */
	FAULT_LATE,               /* it dies, and the work is done `ms` later */
	FAULT_HANG,               /* no answer, no work: the client's time runs out */
	FAULT_HANG_LATE,          /* no answer; the work is done `ms` later */
	FAULT_TRUNCATED,          /* work is done, the answer cannot be read */
	FAULT_GARBAGE,            /* work is done, the answer is a page of HTML with status 200 */
	FAULT_EMPTY,              /* work is done, 200 without a body */
	FAULT_OTHER_BODY,         /* work is done, the answer is another shipment */
	FAULT_NO_LABEL,           /* 200 with the shipment as it is; the work is done `ms` later */
	FAULT_500,                /* no work */
	FAULT_500_AFTER,          /* work is done all the same */
	FAULT_503,                /* no work; Retry-After `ms` */
	FAULT_408,                /* the work is done `ms` later */
	FAULT_409,                /* no work, with a code of the API's */
	FAULT_429,                /* no work; Retry-After `ms`, -1: none */
	FAULT_401, FAULT_402, FAULT_404, /* no work, with a code of the API's */
	FAULT_BARE_404,           /* a proxy's page; no work */
	FAULT_REFUSED,            /* 422 with a code that says so; no work */
	FAULT_IN_PROGRESS, FAULT_TIMED_OUT, FAULT_NO_RESPONSE, /* 422 with that code; the work is done `ms` later, -1: never */
	FAULT_RATE_EXPIRED,       /* 422 with that code; the shipment's rates are void from now on */
	FAULT_COUNT
};

#define WORLD_RATES 3

struct world_step {
	enum world_call call;
	enum world_fault fault;
	int64_t ms;
};

struct world_shipment {
	char reference[80];
	int version;                 /* of its rates */
	int64_t prices[WORLD_RATES]; /* millionths */
	int labels, chosen;
	int64_t paid, total_paid;
	int label_number;
};

struct world_effect {
	int64_t due_us;
	size_t shipment;
	int rate, version;
	bool is_over;
	enum { EFFECT_BOUGHT, EFFECT_EXISTS, EFFECT_EXPIRED } result;
};

struct world {
	bool guard;
	int64_t latency_us;
	const struct world_step *script;
	size_t script_count;
	uint64_t script_used;
	unsigned permille;        /* of calls that something goes wrong with, without a script */
	int64_t late_most_us;     /* latest effect of a drawn fault, counted from the request */
	struct random random;
	int64_t rerate_step;      /* added to every price by a re-rate */
	const char *hidden_carrier; /* gives no rates for the next `hidden_visits` ratings */
	int hidden_visits;

	struct world_shipment *shipments;
	size_t shipment_count, shipment_capacity;
	struct world_effect *effects;
	size_t effect_count, effect_capacity, effects_over;
	int64_t calls[WORLD_CALL_COUNT];
	int64_t last_call_us[WORLD_CALL_COUNT];
	int labels;
	int strangers; /* calls for shipments that this client never made */
	uint64_t trace;
};

void world_init(struct world *world, uint64_t seed);
void world_done(struct world *world);

/* One request on its way through the world. */
struct world_visit {
	enum world_call call;
	enum world_fault fault;
	int64_t ms;
	size_t shipment; /* SIZE_MAX: none */
	size_t effect;   /* SIZE_MAX: none */
	bool in_progress, is_stranger;
	int64_t answer_us; /* when it is due; INT64_MAX: never */
};

/* What the client gets: `status` 0 and an HTTP status with a body, or what failed. */
struct world_answer {
	int status;
	bool was_sent;
	int http_status;
	int64_t retry_after_ms;
};

void world_arrive(struct world *world, const char *method, const char *path, const char *body, struct world_visit *visit);
/* `body` is initialised; appending may fail, which is the caller's to see. */
void world_leave(struct world *world, const struct world_visit *visit, struct world_answer *ret_answer, struct buffer *body);
/* Carries out what is due by now. */
void world_catch_up(struct world *world);
/* How many labels were made for a reference, and what they cost. */
int world_labels(struct world *world, const char *reference, int64_t *ret_paid, char *ret_tracking_code, size_t size);
/* Mixes something into the trace. */
void world_note(struct world *world, uint64_t value);
const char *world_fault_name(enum world_fault fault);

#endif
