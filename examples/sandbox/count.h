/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_COUNT_H
#define SANDBOX_COUNT_H

#include "base/buffer.h"
#include "json/json.h"
#include "registry.h"
#include "table.h"

/*
 * The judge: what was asked on the wire, and every label that was ever charged.
 *
 * A label is written down when it is bought and never taken away; a refund only changes its state. A reference has
 * a duplicate when a label was bought for it while another one, not refunded, was there. A shipment without a
 * reference counts under its id; a return under the reference with " (return)" behind it, as it has a label of its
 * own. Guarded by the sandbox's lock; `counts_clear` forgets all of it.
 */
#define COUNT_CLASSES_MAX 48

struct label {
	struct id shipment;
	char *reference; /* of the order, or the shipment's id text */
	char tracking_code[40];
	const char *carrier, *service; /* static */
	int64_t rate;                  /* millionths */
	bool is_refunded, is_duplicate;
};

struct counts {
	uint64_t requests[COUNT_CLASSES_MAX]; /* by class, as the routes number them */
	uint64_t connections;
	struct label *labels;
	size_t label_count, label_capacity;
	int64_t charged;
	uint64_t
		spending_creations; /* requests to make a shipment that also said what to buy, or asked for insurance */
	struct table by_reference;  /* struct reference_count */
	struct reference_count **references;
	size_t reference_count, reference_capacity;
};

/* Takes a copy of the label; `reference` is copied too. SHIPOPT_ENOMEM: nothing was counted. */
int counts_add_label(struct counts *counts, const struct label *label);
/* Marks the labels of a shipment as refunded. */
void counts_refund(struct counts *counts, struct id shipment);
void counts_clear(struct counts *counts);
/* GET /sandbox/counts; without the maps by reference when `is_brief`. */
void counts_write(const struct counts *counts, const char *const *classes, size_t class_count, bool is_brief,
	struct json_writer *json);
/* GET /sandbox/labels: one JSON object a line. */
int counts_write_labels(const struct counts *counts, struct buffer *buffer);

#endif
