/* SPDX-License-Identifier: MIT */
#include "shipment.h"

#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

void shipment_free(struct object *object)
{
	struct shipment *shipment = (struct shipment *)object;
	mem_free(shipment->reference);
	mem_free(shipment->options);
	mem_free(shipment->tax_identifiers);
	mem_free(shipment->insurance);
	mem_free(shipment->rates);
	mem_free(shipment);
}

struct id shipment_rate_id(const struct shipment *shipment, size_t index)
{
	return id_derive(shipment->object.id, shipment->rated * (uint64_t)RATES_MAX + index);
}

/* Only of the accounts that were asked for; ids the sandbox never gave out ask for nothing. */
static bool is_account_wanted(const char *carrier, struct json_value accounts)
{
	struct json_iterator it;
	bool is_any_known = false;
	for (json_items(accounts, &it); json_next(&it);) {
		const char *text, *name;
		if (!json_text(it.value, &text, NULL))
			continue;
		for (size_t i = 0; (name = rate_carrier(i)); i++) {
			char account[ID_TEXT_SIZE];
			rate_account_id(name, account);
			if (strcmp(account, text) != 0)
				continue;
			is_any_known = true;
			if (strcmp(name, carrier) == 0)
				return true;
		}
	}
	return !is_any_known;
}

static size_t keep_accounts(struct rate *rates, size_t count, struct json_value accounts)
{
	size_t kept = 0;
	for (size_t i = 0; i < count; i++)
		if (is_account_wanted(rate_product(&rates[i])->carrier, accounts))
			rates[kept++] = rates[i];
	return kept;
}

/* Rates it anew. `accounts` NULL keeps all. False: out of memory. */
static bool rate_shipment(struct sandbox *sandbox, struct shipment *shipment, const struct json_value *accounts)
{
	const char *const *from = shipment->from->fields, *const *to = shipment->to->fields;
	struct rate_request request = {from[ADDRESS_COUNTRY], from[ADDRESS_ZIP], to[ADDRESS_COUNTRY], to[ADDRESS_ZIP],
		shipment->parcel->weight};
	struct rate rates[RATES_MAX];
	shipment->zone = (uint16_t)rate_zone(&request);
	shipment->lacks_customs = rate_is_international(&request) && !shipment->customs;
	shipment->down = 0;
	for (size_t i = 0; rate_carrier(i); i++)
		if (fault_names_contain(&sandbox->faults.carrier_down, rate_carrier(i)))
			shipment->down |= 1u << i;
	size_t count = shipment->lacks_customs ? 0 : rates_compute(&request, &sandbox->faults.carrier_down, rates);
	if (accounts)
		count = keep_accounts(rates, count, *accounts);
	struct rate *kept = mem_alloc_array(count + 1, sizeof(*kept));
	if (!kept)
		return false;
	memcpy(kept, rates, count * sizeof(*kept));
	mem_free(shipment->rates);
	shipment->rates = kept;
	shipment->rate_count = (uint16_t)count;
	shipment->rated++;
	return true;
}

/* {given…, "currency": "USD", "payment": {"type": "SENDER"}, "date_advance": 0}, given ones not twice. */
static char *copy_options(const struct json_value *options)
{
	static const char *const added[][2] = {{"currency", "\"USD\""}, {"payment", "{\"type\":\"SENDER\"}"},
		{"date_advance", "0"}};
	struct buffer buffer;
	struct json_writer json;
	struct json_iterator it;
	struct json_value given;
	buffer_init(&buffer, 65536);
	json_writer_init(&json, &buffer);
	json_begin_object(&json);
	if (options)
		for (json_members(*options, &it); json_next(&it);) {
			const char *bytes;
			size_t length;
			if (!json_source(it.value, &bytes, &length))
				continue;
			json_write_key(&json, it.key);
			json_write_raw(&json, bytes, length);
		}
	for (size_t i = 0; i < ARRAY_SIZE(added); i++) {
		if (options && json_get(*options, added[i][0], &given))
			continue;
		json_write_key(&json, added[i][0]);
		json_write_raw(&json, added[i][1], strlen(added[i][1]));
	}
	json_end_object(&json);
	char *text = json_writer_finish(&json) == 0 ? buffer_take(&buffer) : NULL;
	buffer_done(&buffer);
	return text;
}

/* The API hides the numbers. */
static char *copy_tax_identifiers(struct json_value list)
{
	struct buffer buffer;
	struct json_writer json;
	struct json_iterator it;
	buffer_init(&buffer, 65536);
	json_writer_init(&json, &buffer);
	json_begin_array(&json);
	for (json_items(list, &it); json_next(&it);) {
		json_begin_object(&json);
		json_member_text(&json, "entity", json_get_text(it.value, "entity"));
		json_member_text(&json, "tax_id", "HIDDEN");
		json_member_text(&json, "tax_id_type", json_get_text(it.value, "tax_id_type"));
		json_member_text(&json, "issuing_country", json_get_text(it.value, "issuing_country"));
		json_end_object(&json);
	}
	json_end_array(&json);
	char *text = json_writer_finish(&json) == 0 ? buffer_take(&buffer) : NULL;
	buffer_done(&buffer);
	return text;
}

/* A member that is absent or null leaves *ret as it is; false: the answer is the error. */
static bool read_address(struct call *call, struct json_value value, const char *name, struct address **ret)
{
	struct json_value member;
	if (!json_get(value, name, &member) || json_type(member) == JSON_NULL) {
		if (*ret)
			return true;
		answer_required(call->answer, name);
		return false;
	}
	struct address *address = address_from_value(call, name, member, NULL);
	if (address)
		*ret = address;
	return address != NULL;
}

static bool read_contents(struct call *call, struct json_value value, struct shipment *shipment)
{
	struct json_value member;
	if (!read_address(call, value, "to_address", &shipment->to) ||
		!read_address(call, value, "from_address", &shipment->from))
		return false;
	shipment->return_to = shipment->from;
	shipment->buyer = shipment->to;
	if (!read_address(call, value, "return_address", &shipment->return_to) ||
		!read_address(call, value, "buyer_address", &shipment->buyer))
		return false;
	if (!json_get(value, "parcel", &member) || json_type(member) == JSON_NULL) {
		answer_required(call->answer, "parcel");
		return false;
	}
	shipment->parcel = parcel_from_value(call, member);
	if (!shipment->parcel)
		return false;
	if (json_get(value, "customs_info", &member) && json_type(member) != JSON_NULL && json_count(member) > 0) {
		shipment->customs = customs_info_from_value(call, member);
		return shipment->customs != NULL;
	}
	return true;
}

static bool read_texts(struct json_value value, struct shipment *shipment)
{
	struct json_value member, format;
	bool has_options = json_get(value, "options", &member) && json_type(member) == JSON_OBJECT;
	const char *text =
		has_options && json_get(member, "label_format", &format) ? json_get_text(member, "label_format") : NULL;
	shipment->is_zpl = text_equal_ignore_case(text, "ZPL");
	shipment->is_pdf = text_equal_ignore_case(text, "PDF");
	shipment->has_zpl = shipment->is_zpl;
	shipment->has_pdf = shipment->is_pdf;
	shipment->options = copy_options(has_options ? &member : NULL);
	text = json_get_text(value, "reference");
	shipment->reference = text_is_empty(text) ? NULL : mem_copy_text(text);
	if (json_get(value, "is_return", &member))
		json_bool(member, &shipment->is_return);
	if (json_get(value, "tax_identifiers", &member) && json_count(member) > 0)
		shipment->tax_identifiers = copy_tax_identifiers(member);
	return shipment->options && (text_is_empty(text) || shipment->reference);
}

static bool fill_shipment(struct call *call, struct json_value value, struct shipment *shipment)
{
	struct json_value accounts;
	bool has_accounts = json_get(value, "carrier_accounts", &accounts) && json_count(accounts) > 0;
	if (!read_contents(call, value, shipment))
		return false;
	if (read_texts(value, shipment) && rate_shipment(call->sandbox, shipment, has_accounts ? &accounts : NULL))
		return true;
	call_failed(call);
	return false;
}

/* One-call buying: a service in the creation. */
static void buy_service(struct call *call, struct shipment *shipment, const char *service, const char *carrier)
{
	struct purchase purchase = {.shipment = shipment->object.id, .generation = call->sandbox->generation};
	for (size_t i = 0; i < shipment->rate_count; i++) {
		const struct rate_product *product = rate_product(&shipment->rates[i]);
		if (!text_equal_ignore_case(product->service, service))
			continue;
		if (carrier && !text_equal_ignore_case(product->carrier, carrier))
			continue;
		purchase.rate = shipment_rate_id(shipment, i);
		break;
	}
	shipment_purchase(call->sandbox, &purchase, call->answer);
	if (call->answer->status == 200)
		call_created(call, "shipments", &shipment->object);
}

static void count_spending(struct counts *counts, struct json_value value)
{
	static const char *const members[] = {"service", "carrier", "insurance"};
	struct json_value member;
	bool spends = false;
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		spends |= json_get(value, members[i], &member) && json_type(member) != JSON_NULL;
	counts->spending_creations += spends;
}

void shipment_handle_create(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "shipment", &value))
		return;
	count_spending(&call->sandbox->counts, value);
	struct shipment *shipment = registry_new(&call->sandbox->registry, OBJECT_SHIPMENT, sizeof(*shipment));
	if (!shipment) {
		call_failed(call);
		return;
	}
	if (!fill_shipment(call, value, shipment)) {
		shipment_free(&shipment->object);
		return;
	}
	if (registry_add(&call->sandbox->registry, &shipment->object) < 0) {
		shipment_free(&shipment->object);
		call_failed(call);
		return;
	}
	const char *service = json_get_text(value, "service");
	if (!text_is_empty(service)) {
		buy_service(call, shipment, service, json_get_text(value, "carrier"));
		return;
	}
	call_created(call, "shipments", &shipment->object);
	shipment_write(call->sandbox, &shipment->object, &call->answer->json);
}

static struct shipment *find_shipment(struct call *call)
{
	struct object *object = registry_find(&call->sandbox->registry, OBJECT_SHIPMENT, call->id);
	if (!object)
		answer_not_found(call->answer);
	return (struct shipment *)object;
}

void shipment_handle_get(struct call *call)
{
	const struct shipment *shipment = find_shipment(call);
	if (shipment)
		shipment_write(call->sandbox, &shipment->object, &call->answer->json);
}

static bool is_listed(const struct object *object, const struct call *call)
{
	const char *purchased = call->query(call, "purchased");
	bool is_bought = ((const struct shipment *)object)->tracker != NULL;
	return !purchased || is_bought == (strcmp(purchased, "true") == 0);
}

void shipment_handle_list(struct call *call)
{
	call_list(call, OBJECT_SHIPMENT, "shipments", is_listed, shipment_write);
}

void shipment_handle_rerate(struct call *call)
{
	struct shipment *shipment = find_shipment(call);
	struct json_writer *json = &call->answer->json;
	if (!shipment)
		return;
	if (!rate_shipment(call->sandbox, shipment, NULL)) {
		call_failed(call);
		return;
	}
	json_begin_object(json);
	shipment_write_rates(shipment, json);
	json_end_object(json);
}

void shipment_handle_rates(struct call *call)
{
	const struct shipment *shipment = find_shipment(call);
	if (!shipment)
		return;
	json_begin_object(&call->answer->json);
	shipment_write_rates(shipment, &call->answer->json);
	json_end_object(&call->answer->json);
}

void shipment_handle_refund(struct call *call)
{
	struct shipment *shipment = find_shipment(call);
	if (!shipment)
		return;
	if (!shipment->tracker) {
		answer_error(call->answer, 422, "SHIPMENT.REFUND.UNAVAILABLE",
			"No postage was bought for this shipment.", NULL, 0);
		return;
	}
	shipment->is_refund_submitted = true;
	shipment->object.updated_ms = clock_wall_ms();
	counts_refund(&call->sandbox->counts, shipment->object.id);
	shipment_write(call->sandbox, &shipment->object, &call->answer->json);
}

void shipment_handle_label(struct call *call)
{
	struct shipment *shipment = find_shipment(call);
	const char *format = call->query(call, "file_format");
	if (!shipment)
		return;
	if (!shipment->tracker) {
		answer_error(call->answer, 422, "SHIPMENT.POSTAGE.REQUIRED", "No postage was bought for this shipment.",
			NULL, 0);
		return;
	}
	shipment->has_zpl |= text_equal_ignore_case(format, "ZPL");
	shipment->has_pdf |= text_equal_ignore_case(format, "PDF");
	shipment_write(call->sandbox, &shipment->object, &call->answer->json);
}

bool shipment_set_in_progress(struct sandbox *sandbox, struct id id, bool is_in_progress)
{
	struct object *object = registry_find_id(&sandbox->registry, id);
	if (!object || object->kind != OBJECT_SHIPMENT || sandbox->faults.no_exists_guard)
		return false;
	bool was = ((struct shipment *)object)->is_in_progress;
	((struct shipment *)object)->is_in_progress = is_in_progress;
	return was;
}
