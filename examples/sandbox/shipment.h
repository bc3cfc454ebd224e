/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_SHIPMENT_H
#define SANDBOX_SHIPMENT_H

#include "address.h"
#include "parcel.h"
#include "rate.h"
#include "tracker.h"

/*
 * Shipments: rated when created, bought once.
 *
 * The heart of the judge. A shipment is bought by `shipment_purchase`, whoever asks and however late: the handler of
 * the call, or the delay of a fault. With the guard on, a second purchase fails with SHIPMENT.POSTAGE.EXISTS and one
 * that arrives while another is at work with SHIPMENT.PURCHASE.IN_PROGRESS; with the guard off (--no-exists-guard)
 * both simply buy another label, which is charged and counted. `purchase` holds ids, not pointers, as the
 * sandbox may be reset before a late purchase takes effect.
 *
 * An international shipment without customs information gets no rates and an error of each carrier in messages[];
 * a carrier that is down the same. The route's zone, the options and tax identifiers are kept as the API echoes them.
 */
struct shipment {
	struct object object;
	struct address *to, *from, *return_to, *buyer;
	struct parcel *parcel;
	struct customs_info *customs;
	char *reference, *options, *tax_identifiers, *insurance; /* options: members of an object; tax: a JSON value */
	struct rate *rates;
	uint16_t rate_count;
	uint16_t rated; /* how often: part of the rates' ids */
	uint16_t zone;
	bool is_return, lacks_customs, is_in_progress, is_refund_submitted, has_pdf, has_zpl, is_zpl, is_pdf;
	unsigned down; /* bit i: rate_carrier(i) failed */
	/* The purchase; tracker NULL: not bought. */
	struct tracker *tracker;
	struct rate selected;
	struct id selected_id, label;
	int64_t bought_ms;
};

struct purchase {
	struct id shipment, rate;
	char insurance[32];
	uint64_t generation;
};

void shipment_free(struct object *object);
void shipment_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json);
void shipment_write_rates(const struct shipment *shipment, struct json_writer *json);
struct id shipment_rate_id(const struct shipment *shipment, size_t index);

/* What a buy call asks for. False: it is malformed, the call's handler will say so. */
bool shipment_read_purchase(const struct call *call, struct purchase *ret_purchase);
/* Buys, or answers why not. `answer` NULL: nobody is there to hear. */
void shipment_purchase(struct sandbox *sandbox, const struct purchase *purchase, struct answer *answer);
/* Marks a purchase as at work, or no longer. True if it was. False for no such shipment or the guard being off. */
bool shipment_set_in_progress(struct sandbox *sandbox, struct id shipment, bool is_in_progress);

void shipment_handle_create(struct call *call);
void shipment_handle_buy(struct call *call);
void shipment_handle_get(struct call *call);
void shipment_handle_list(struct call *call);
void shipment_handle_rerate(struct call *call);
void shipment_handle_refund(struct call *call);
void shipment_handle_label(struct call *call);
void shipment_handle_rates(struct call *call);

#endif
