/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SIM_WORLD_H
#define TESTS_SIM_WORLD_H

#include "base/buffer.h"
#include "base/random.h"

/*
 * The carrier as a model in memory: shipments, rates, purchases under way, labels.
 *
 * The world lives in virtual time and outlives every simulated process. A request visits it: world_arrive() decides
 * what will go wrong with it and puts the purchase that it may lead to into the world's list of effects; world_leave(),
 * when the answer is due, tells what the answer is. Effects happen at their own time, whether or not anybody still
 * waits for the answer: they are carried out whenever the world is looked at. So a process may crash, or be too late,
 * between the two.
 *
 * What goes wrong is scripted (each step is used once, by the next call of its kind) or drawn from a seed (`permille`).
 * An adverse world (`is_adverse`) draws from all faults and makes odd labels and odd prices; another one keeps to what
 * connections and servers do. Whatever is drawn, the carrier keeps what the library assumes of it: a listed refusal is
 * honest about its own request, and with `guard` a shipment id is sold once. Without the guard a second purchase makes
 * a second label, so that a machine which leans on the guard alone is found out; then nothing is stale and no effect is
 * later than `late_max_us`.
 *
 * `trace` is a hash of all that happened: the same seed gives the same trace.
 *
 * Files: world.c (shipments, effects, arriving), world_fault.c (what goes wrong), world_answer.c (what the client
 * gets).
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
	FAULT_401,
	FAULT_402,
	FAULT_403,
	FAULT_404,          /* no work, with a listed code */
	FAULT_BARE_404,     /* a proxy's page; no work */
	FAULT_REFUSED,      /* 422 with a listed code; no work */
	FAULT_RATE_EXPIRED, /* the same; the shipment's rates are void from now on */
	FAULT_UNAVAILABLE,  /* the same, of the rate: RATE.UNAVAILABLE */
	/* 422 with a code that says that it is not known; the work is done `ms` later, -1: never. So in all that
	 * follow. */
	FAULT_IN_PROGRESS,
	FAULT_TIMED_OUT,
	FAULT_NO_RESPONSE,
	FAULT_UNLISTED,       /* 422 with a code that is on no list */
	FAULT_NO_CODE,        /* 422 with an error that has no code */
	FAULT_ERROR_TEXT,     /* 422 {"error":"…"} */
	FAULT_GATEWAY_PAGE,   /* a gateway's page of HTML, with some status */
	FAULT_GATEWAY_JSON,   /* {"code":…,"message":…} */
	FAULT_GATEWAY_TEXT,   /* {"error":"…"} */
	FAULT_429_PAGE,       /* 429 of a gateway */
	FAULT_429_UNLISTED,   /* 429 of the API with a code that is on no list */
	FAULT_EARLY_REFUSAL,  /* a listed refusal, which began before the request was sent whole */
	FAULT_EARLY_SHIPMENT, /* 200 with the shipment, likewise */
	FAULT_STALE_ANSWER,   /* 200 with another shipment that exists, and its label if it has one */
	FAULT_STALE,          /* a replica answers that knows of no label (read, rerate) */
	FAULT_SHARED,         /* a creation answers a shipment that is there already, without a reference */
	FAULT_SHARED_NAMED,   /* and with its reference */
	FAULT_COUNT
};

#define WORLD_RATES 3
#define WORLD_CHARGE_MORE 5000000

struct world_step {
	enum world_call call;
	enum world_fault fault;
	int64_t ms;
};

/* What the carrier says that it charged. */
enum world_charge {
	CHARGE_RATE, /* the rate */
	CHARGE_MORE, /* WORLD_CHARGE_MORE more */
	CHARGE_ZERO,
	CHARGE_NEGATIVE,
	CHARGE_ABSURD,
	CHARGE_MISSING,  /* a selected rate without an amount */
	CHARGE_NO_RATE,  /* no selected rate */
	CHARGE_CURRENCY, /* the number of the rate, in another currency */
	CHARGE_COUNT
};

/* What a label comes with. */
enum world_document {
	DOCUMENT_WHOLE,
	DOCUMENT_NO_URL, /* a postage label without a URL */
	DOCUMENT_NONE,   /* a tracking code alone */
	DOCUMENT_COUNT
};

struct world_shipment {
	char reference[80];
	int64_t buyer;               /* of the one row that sends purchases of it: what on_buy() writes down */
	int version;                 /* of its rates; even: they are expired */
	int64_t prices[WORLD_RATES]; /* millionths */
	const char *currencies[WORLD_RATES];
	int labels, chosen;
	int64_t price; /* of the rate that was bought */
	const char *currency;
	enum world_charge charge;
	enum world_document document;
	int64_t insured;
	int64_t stale_until_us; /* replicas know of no label until then */
	int label_number;
};

struct world_effect {
	int64_t due_us;
	size_t shipment;
	int rate, version;
	int64_t price, insurance;
	const char *currency;
	bool is_over;
	enum { EFFECT_BOUGHT, EFFECT_EXISTS, EFFECT_EXPIRED } result;
};

/* A purchase as it was sent. */
struct world_purchase {
	size_t shipment;
	int version, rate;
	int64_t price, insurance; /* insurance -1: none asked for */
	const char *currency;
	bool has_left; /* something of it reached the carrier */
};

struct world {
	bool guard;
	int64_t latency_us;
	const struct world_step *script;
	size_t script_count;
	uint64_t script_used;
	unsigned permille;   /* of calls that something goes wrong with, without a script */
	int64_t late_max_us; /* latest effect of a drawn fault, counted from the request */
	struct random random;
	int64_t rerate_step;        /* added to every price by a re-rate */
	const char *hidden_carrier; /* gives no rates for the next `hidden_visits` ratings */
	int hidden_visits;
	enum world_charge charge; /* of the labels made from now on, and what follows */
	enum world_document document;
	bool insures_nothing;
	int64_t stale_us;      /* how long replicas do not know of them; INT64_MAX: for good */
	bool sells_old_rates;  /* also after a re-rate */
	bool rerates_no_label; /* SHIPMENT.RERATE.POSTAGE_EXISTS for a shipment with a label */
	bool is_adverse;
	void (*on_buy)(struct world *world, const struct world_purchase *purchase);

	struct world_shipment *shipments;
	size_t shipment_count, shipment_capacity;
	struct world_effect *effects;
	size_t effect_count, effect_capacity, effects_over;
	int64_t calls[WORLD_CALL_COUNT];
	int64_t last_call_us[WORLD_CALL_COUNT];
	int64_t faults[FAULT_COUNT];
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
	int64_t retry_after_ms;
	int gateway_status;
	size_t shipment; /* SIZE_MAX: none */
	size_t effect;   /* SIZE_MAX: none */
	bool in_progress, is_stranger;
	int64_t answer_us; /* when it is due; INT64_MAX: never */
};

/* What the client gets: `status` 0 and an HTTP status with a body, or what failed. */
struct world_answer {
	int status;
	bool was_sent, was_handed_over;
	int http_status;
	int64_t retry_after_ms;
};

void world_arrive(struct world *world, const char *method, const char *path, const char *body,
	struct world_visit *visit);
/* `body` is initialised; appending may fail, which is the caller's to see. */
void world_leave(struct world *world, const struct world_visit *visit, struct world_answer *ret_answer,
	struct buffer *body);
/* Carries out what is due by now. */
void world_catch_up(struct world *world);
/* The shipment of this id; NULL: there is none. */
const struct world_shipment *world_find(const struct world *world, const char *id);
/* Whether a purchase of it is under way that would make a label. */
bool world_is_buying(const struct world *world, size_t shipment);
/* How many labels a row has bought, by `buyer`. */
int world_labels_of(const struct world *world, int64_t buyer);
/* What the carrier says that it charged, where that can be believed of a rate in this currency; 0: it says nothing. */
int64_t world_charged(const struct world_shipment *shipment, const char *currency);
/* Mixes something into the trace. */
void world_note(struct world *world, uint64_t value);

/* ---- world_fault.c ---- */
/* What goes wrong with this visit: of the script, or drawn. */
void world_choose_fault(struct world *world, struct world_visit *visit);
/* Whether, and how much later, the work behind a call is done; -1: not. */
int64_t world_work_delay_us(const struct world_visit *visit);
/* How the next label comes out; draws in an adverse world. */
void world_finish_label(struct world *world, struct world_shipment *shipment, int64_t insurance);
/* New prices after a re-rate, or at first. */
void world_draw_prices(struct world *world, struct world_shipment *shipment);
const char *world_fault_name(enum world_fault fault);

#endif
