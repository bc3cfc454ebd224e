/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_PROVIDER_H
#define CARRIER_PROVIDER_H

#include <shipopt/carrier.h>

#include "base/buffer.h"
#include "base/error.h"
#include "json/json.h"
#include "lane/lane.h"

/*
 * What differs between carrier APIs: how a call is written, and what its answers to a purchase mean.
 *
 * A provider is a constant table. Its functions turn arguments into a `struct carrier_call`, and codes into words.
 * Sending, retries and admission belong to the exchange. lib/purchase decides what an answer proves and whether a
 * purchase may be sent.
 */
enum provider_guard {    /* what keeps a second purchase call from buying a second label */
	GUARD_NONE,      /* nothing: the ledger refuses such a provider */
	GUARD_ONCE_BY_ID /* a shipment id can be bought once; read-back by that id */
};

enum call_repeat {
	REPEAT_ALWAYS, /* reading, or writing that repeats harmlessly */
	REPEAT_UNSENT  /* only when it is certain that the server did no work */
};

#define CALL_PATH_BYTES_MAX 4096
#define CALL_BODY_BYTES_MAX ((size_t)4 << 20)

/* What to send. The buffers are owned by the call. */
struct carrier_call {
	const char *method; /* static */
	struct buffer path; /* relative to the base URL */
	struct buffer body;
	struct buffer id; /* of the object in the path, as the answer must name it; empty: any */
	bool has_body;
	enum lane_class class;
	enum lane_endpoint endpoint;
	enum call_repeat repeat;
	bool is_purchase; /* spends money (raw calls: spending.h): once on the wire it is waited for, whatever its deadline */
	int record_kind;           /* of the answer, 0: no record */
	const char *record_member; /* where in the answer, NULL: the whole */
	const char *doubt_advice;  /* what to do if its outcome is unknown; static; NULL: what the error table says */
};

void carrier_call_init(struct carrier_call *call);
void carrier_call_done(struct carrier_call *call);

/* What the API's own error envelope says about a purchase: by HTTP status and code, from a list. */
enum provider_word {
	WORD_UNLISTED, /* not on the list: proves nothing */
	WORD_REFUSED,  /* this request bought nothing and never will */
	WORD_EXPIRED,  /* the same, as the rate is not valid any more: re-rate */
	WORD_LIMITED,  /* the same, as there were too many requests */
	WORD_DENIED,   /* the same, as the credential is refused */
	WORD_EXISTS,   /* the shipment has postage */
	WORD_UNKNOWN   /* the API does not know either */
};

struct provider {
	const char *name;
	enum provider_guard purchase_guard;
	const char *(*mode_of_key)(const char *api_key); /* "test", "production", or NULL: the key does not say */
	/* Makes a shipment without buying it, whatever the record asks for: see the roles of fields in
	 * record/fields.h. */
	int (*create_shipment)(struct carrier_call *call, const shipopt_record *shipment);
	int (*buy_shipment)(struct carrier_call *call, const char *id, const char *rate_id, int64_t insurance);
	int (*retrieve_shipment)(struct carrier_call *call, const char *id);
	int (*rerate_shipment)(struct carrier_call *call, const char *id);
	int (*refund_shipment)(struct carrier_call *call, const char *id);
	int (*create_tracker)(struct carrier_call *call, const char *tracking_code, const char *carrier_name);
	int (*retrieve_tracker)(struct carrier_call *call, const char *id);
	int (*create_address)(struct carrier_call *call, const shipopt_record *address, int verify);
	int (*verify_address)(struct carrier_call *call, const char *id);
	/* `code` may be NULL. What follows from it decides lib/purchase/evidence. */
	enum provider_word (*purchase_word)(int http_status, const char *code);
	/* Whether a shipment that was read back has postage: 1, 0, or SHIPOPT_EPROTOCOL if it is not that shipment. */
	int (*has_postage)(const shipopt_record *shipment, const char *id);
	/* Whether a good answer to a read of `path` must not be kept, as a purchase may hang on it: a shipment without
	 * postage. */
	bool (*is_open)(const char *path, struct json_value answer);
};

extern const struct provider provider_easypost;

#endif
