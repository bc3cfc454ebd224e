/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_TRACKER_H
#define SANDBOX_TRACKER_H

#include "sandbox.h"

/*
 * Trackers: where a parcel is, made up from its code alone.
 *
 * The documented test codes have their statuses: EZ1000000001 pre_transit, EZ2000000002 in_transit, EZ3000000003
 * out_for_delivery, EZ4000000004 delivered, EZ5000000005 return_to_sender, EZ6000000006 failure, EZ7000000007
 * unknown. Any other code gets a status from its hash. Status, events and their dates follow from the code, so that two
 * runs tell the same story; only ids and created_at differ. The tracker of a bought label is "unknown" in the answer of
 * the purchase and pre_transit from then on, as recorded. One code and carrier is one tracker: making it again
 * gives the same one with status 200 instead of 201. A code shorter than four characters or with a space in it is
 * refused.
 */
struct tracker {
	struct object object;
	char *code;
	const char *carrier; /* static, or in code's block */
	const char *status;  /* static */
	struct id shipment;  /* zero for none */
	bool is_fresh;       /* of a label whose purchase is being answered */
};

void tracker_free(struct object *object);
void tracker_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json);
/* The tracker of a new label. NULL: out of memory. */
struct tracker *tracker_new_of_label(struct sandbox *sandbox, const char *code, const char *carrier,
	struct id shipment);

void tracker_handle_create(struct call *call);
void tracker_handle_get(struct call *call);
void tracker_handle_list(struct call *call);
void tracker_handle_batch(struct call *call);

#endif
