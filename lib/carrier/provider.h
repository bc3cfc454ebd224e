/* SPDX-License-Identifier: MIT */
#ifndef CARRIER_PROVIDER_H
#define CARRIER_PROVIDER_H

#include <shipopt/carrier.h>

#include "base/buffer.h"
#include "base/error.h"
#include "json/json.h"
#include "lane/lane.h"

/*
 * What differs between carrier APIs: how a call is written, and how an answer to a purchase is to be read.
 *
 * A provider is a constant table. Its functions only turn arguments into a `struct call` (what to send) and answers into
 * verdicts; sending, retries and admission are the exchange's business, and whether a purchase may be sent at all is the
 * ledger's.
 */
enum provider_guard {          /* what keeps a second purchase call from buying a second label */
	GUARD_NONE,            /* nothing: the ledger refuses such a provider */
	GUARD_ONCE_BY_ID,      /* a shipment id can be bought once; read-back by that id */
	GUARD_IDEMPOTENCY_KEY, /* a key of ours makes repeats harmless */
	GUARD_SEARCH_BY_TOKEN  /* our token can be searched for afterwards */
};

enum call_repeat {
	REPEAT_ALWAYS, /* reading, or writing that repeats harmlessly */
	REPEAT_UNSENT  /* only when it is certain that the server did no work */
};

#define CALL_PATH_BYTES_MAX 4096
#define CALL_BODY_BYTES_MAX ((size_t)4 << 20)

/* What to send. The buffers are owned by the call. */
struct call {
	const char *method; /* static */
	struct buffer path; /* relative to the base URL */
	struct buffer body;
	bool has_body;
	enum lane_class class;
	enum lane_endpoint endpoint;
	enum call_repeat repeat;
	bool is_purchase;          /* spends money (raw calls: spending.h): once on the wire it is waited for, whatever its deadline */
	int record_kind;           /* of the answer, 0: no record */
	const char *record_member; /* where in the answer, NULL: the whole */
};

void call_init(struct call *call);
void call_done(struct call *call);

enum purchase_verdict {
	PURCHASE_BOUGHT,      /* the answer shows the label */
	PURCHASE_EXISTS,      /* bought before: read it back */
	PURCHASE_UNKNOWN,     /* in doubt: read back, and "no postage" proves nothing before settling */
	PURCHASE_REFUSED,     /* proven: this call bought nothing */
	PURCHASE_RATE_EXPIRED /* refused because the rate is not valid any more: re-rate */
};

struct provider {
	const char *name;
	enum provider_guard purchase_guard;
	const char *(*mode_of_key)(const char *api_key); /* "test" or "production" */
	/* Makes a shipment without buying it, whatever the record asks for: see the roles of fields in record/fields.h. */
	int (*create_shipment)(struct call *call, const shipopt_record *shipment);
	int (*buy_shipment)(struct call *call, const char *id, const char *rate_id, int64_t insurance);
	int (*retrieve_shipment)(struct call *call, const char *id);
	int (*rerate_shipment)(struct call *call, const char *id);
	int (*refund_shipment)(struct call *call, const char *id);
	int (*create_tracker)(struct call *call, const char *tracking_code, const char *carrier_name);
	int (*retrieve_tracker)(struct call *call, const char *id);
	int (*create_address)(struct call *call, const shipopt_record *address, int verify);
	int (*verify_address)(struct call *call, const char *id);
	/* Reads the outcome of a purchase call: `status` and `error` as the exchange gave them, `shipment` the decoded answer or
	 * NULL, `id` the shipment that was bought. */
	enum purchase_verdict (*judge_purchase)(
		int status, const shipopt_error *error, const shipopt_record *shipment, const char *id);
	/* Whether a shipment that was read back has postage: 1, 0, or SHIPOPT_EPROTOCOL if it is not that shipment. */
	int (*has_postage)(const shipopt_record *shipment, const char *id);
	/* Whether a good answer to a read of `path` must not be kept, as a purchase may hang on it: a shipment without postage. */
	bool (*is_open)(const char *path, struct json_value answer);
};

extern const struct provider provider_easypost;

#endif
