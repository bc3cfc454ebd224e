/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "shipment.h"

/* Where money is spent: a shipment and a rate become a label. */

#define LABEL_SALT 1000000 /* beyond any rate's */

bool shipment_read_purchase(const struct call *call, struct purchase *ret_purchase)
{
	struct purchase purchase = {.generation = call->sandbox->generation};
	struct json_value rate;
	const char *text;
	if (!id_parse("shp_", call->id, &purchase.shipment) || !call->has_body || !json_get(call->body, "rate", &rate))
		return false;
	if (!json_text(rate, &text, NULL))
		text = json_get_text(rate, "id");
	if (text_is_empty(text))
		return false;
	/* A rate id that is no id is one that nobody has. */
	if (!id_parse("rate_", text, &purchase.rate))
		purchase.rate = (struct id){0, 0};
	int64_t insurance = value_decimal(call->body, "insurance");
	if (insurance > 0)
		decimal_format(insurance, 2, purchase.insurance);
	*ret_purchase = purchase;
	return true;
}

static const struct rate *find_rate(const struct shipment *shipment, struct id id)
{
	for (size_t i = 0; i < shipment->rate_count; i++) {
		struct id rate_id = shipment_rate_id(shipment, i);
		if (rate_id.high == id.high && rate_id.low == id.low)
			return &shipment->rates[i];
	}
	return NULL;
}

/* Looks like the carrier's own: 94… of 22 digits, 1Z and 16 characters, 12 digits, 10 digits. */
static void make_tracking_code(struct sandbox *sandbox, const char *carrier, char *ret_code, size_t size)
{
	unsigned long long number = ++sandbox->tracking_number;
	if (strcmp(carrier, "UPS") == 0)
		snprintf(ret_code, size, "1ZSANDBX%010llu", number);
	else if (strcmp(carrier, "FedEx") == 0)
		snprintf(ret_code, size, "7%011llu", number);
	else if (strcmp(carrier, "DHLExpress") == 0)
		snprintf(ret_code, size, "%010llu", 3000000000ULL + number);
	else
		snprintf(ret_code, size, "94001002083%011llu", number);
}

/* The label is counted as charged; 0 or SHIPOPT_ENOMEM. */
static int charge(struct sandbox *sandbox, const struct shipment *shipment, const struct rate *rate, const char *code)
{
	char id[ID_TEXT_SIZE], reference[512];
	object_format_id(&shipment->object, id);
	snprintf(reference, sizeof(reference), "%s%s", shipment->reference ? shipment->reference : id,
		shipment->is_return ? " (return)" : "");
	struct label label = {.shipment = shipment->object.id,
		.reference = reference,
		.carrier = rate_product(rate)->carrier,
		.service = rate_product(rate)->service,
		.rate = rate_millionths(rate)};
	snprintf(label.tracking_code, sizeof(label.tracking_code), "%s", code);
	return counts_add_label(&sandbox->counts, &label);
}

/* False: out of memory, nothing was bought. */
static bool buy(struct sandbox *sandbox, struct shipment *shipment, const struct purchase *purchase,
	const struct rate *rate)
{
	const char *carrier = rate_product(rate)->carrier;
	char code[40], *insurance = purchase->insurance[0] ? mem_copy_text(purchase->insurance) : NULL;
	make_tracking_code(sandbox, carrier, code, sizeof(code));
	struct tracker *tracker = tracker_new_of_label(sandbox, code, carrier, shipment->object.id);
	if (!tracker || charge(sandbox, shipment, rate, code) < 0) {
		mem_free(insurance);
		return false;
	}
	if (insurance) {
		mem_free(shipment->insurance);
		shipment->insurance = insurance;
	}
	shipment->tracker = tracker;
	shipment->selected = *rate;
	shipment->selected_id = purchase->rate;
	shipment->label = id_derive(shipment->object.id, LABEL_SALT + sandbox->tracking_number);
	shipment->is_refund_submitted = false;
	shipment->bought_ms = shipment->object.updated_ms = clock_wall_ms();
	return true;
}

static void refuse(struct answer *answer, int status, const char *code, const char *message)
{
	if (answer)
		answer_error(answer, status, code, message, NULL, 0);
}

static void refuse_rate(struct answer *answer)
{
	struct answer_field field = {NULL, "rate", "is not a rate of this shipment"};
	if (answer)
		answer_error(answer, 422, "PARAMETER.INVALID", "The rate could not be found.", &field, 1);
}

void shipment_purchase(struct sandbox *sandbox, const struct purchase *purchase, struct answer *answer)
{
	const struct faults *faults = &sandbox->faults;
	struct object *object = registry_find_id(&sandbox->registry, purchase->shipment);
	struct shipment *shipment = (struct shipment *)object;
	if (purchase->generation != sandbox->generation || !object || object->kind != OBJECT_SHIPMENT) {
		if (answer)
			answer_not_found(answer);
		return;
	}
	if (shipment->tracker && !faults->no_exists_guard) {
		refuse(answer, 422, "SHIPMENT.POSTAGE.EXISTS", "Postage already exists for this shipment.");
		return;
	}
	const struct rate *rate = find_rate(shipment, purchase->rate);
	if (!rate) {
		refuse_rate(answer);
		return;
	}
	if (fault_names_contain(&faults->carrier_fails_purchase, rate_product(rate)->carrier) ||
		fault_names_prefix(&faults->unpurchasable, shipment->reference)) {
		refuse(answer, 422, "SHIPMENT.POSTAGE.FAILURE",
			"The carrier refused to sell postage for this shipment.");
		return;
	}
	if (!buy(sandbox, shipment, purchase, rate)) {
		if (answer)
			answer_status(answer, 500);
		return;
	}
	if (answer)
		shipment_write(sandbox, object, &answer->json);
	shipment->tracker->is_fresh = false;
}

void shipment_handle_buy(struct call *call)
{
	struct purchase purchase;
	if (!shipment_read_purchase(call, &purchase)) {
		answer_required(call->answer, "rate");
		return;
	}
	if (call->was_in_progress) {
		answer_error(call->answer, 422, "SHIPMENT.PURCHASE.IN_PROGRESS",
			"A purchase of this shipment is already in progress.", NULL, 0);
		return;
	}
	shipment_purchase(call->sandbox, &purchase, call->answer);
}
