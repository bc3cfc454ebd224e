/* SPDX-License-Identifier: MIT */
#include "address.h"

#include <ctype.h>
#include <shipopt/error.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const field_names[ADDRESS_FIELDS] = {"name", "company", "street1", "street2", "city", "state", "zip",
	"country", "phone", "email", "carrier_facility", "federal_tax_id", "state_tax_id"};

void address_free(struct object *object)
{
	mem_free(object);
}

/* A registered address with copies of these texts. NULL: out of memory. */
static struct address *address_new(struct registry *registry, const char *const fields[ADDRESS_FIELDS])
{
	size_t size = sizeof(struct address);
	for (int i = 0; i < ADDRESS_FIELDS; i++)
		size += fields[i] ? strlen(fields[i]) + 1 : 0;
	struct address *address = registry_new(registry, OBJECT_ADDRESS, size);
	if (!address)
		return NULL;
	char *text = (char *)(address + 1);
	for (int i = 0; i < ADDRESS_FIELDS; i++) {
		if (!fields[i])
			continue;
		address->fields[i] = text;
		text = stpcpy(text, fields[i]) + 1;
	}
	address->residential = -1;
	if (registry_add(registry, &address->object) < 0) {
		mem_free(address);
		return NULL;
	}
	return address;
}

static void write_coordinates(const struct address *address, struct json_writer *json)
{
	const char *zip = address->fields[ADDRESS_ZIP] ? address->fields[ADDRESS_ZIP] : "";
	uint64_t hash = hash_bytes(zip, strnlen(zip, 5), 11);
	json_begin_object(json);
	json_write_key(json, "latitude");
	json_write_decimal(json, 25000000 + (int64_t)(hash % 2400000) * 10);
	json_write_key(json, "longitude");
	json_write_decimal(json, -70000000 - (int64_t)(hash / 2400000 % 5400000) * 10);
	json_member_text(json, "time_zone", "America/Los_Angeles");
	json_end_object(json);
}

static void write_nowhere(struct json_writer *json)
{
	json_begin_object(json);
	json_write_key(json, "latitude");
	json_write_null(json);
	json_write_key(json, "longitude");
	json_write_null(json);
	json_member_text(json, "time_zone", NULL);
	json_end_object(json);
}

static void write_verify_error(struct json_writer *json, const char *code, const char *field, const char *message)
{
	json_begin_object(json);
	json_member_text(json, "code", code);
	json_member_text(json, "field", field);
	json_member_text(json, "message", message);
	json_member_text(json, "suggestion", NULL);
	json_end_object(json);
}

static void write_verification(const struct address *address, const char *name, struct json_writer *json)
{
	bool is_delivery = strcmp(name, "delivery") == 0;
	json_write_key(json, name);
	json_begin_object(json);
	json_member_bool(json, "success", address->verdict != VERDICT_BAD);
	json_write_key(json, "errors");
	json_begin_array(json);
	if (address->verdict != VERDICT_GOOD)
		write_verify_error(json, "E.ADDRESS.NOT_FOUND", "address", "Address not found");
	if (address->verdict == VERDICT_BAD && address->lacks_house_number)
		write_verify_error(json, "E.HOUSE_NUMBER.MISSING", "street1", "House number is missing");
	json_end_array(json);
	json_write_key(json, "details");
	if (!is_delivery) {
		json_write_null(json);
	} else if (address->verdict == VERDICT_GOOD) {
		write_coordinates(address, json);
	} else if (address->verdict == VERDICT_CARRIER) {
		write_nowhere(json);
	} else {
		json_begin_object(json);
		json_end_object(json);
	}
	json_end_object(json);
}

void address_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json)
{
	const struct address *address = (const struct address *)object;
	char id[ID_TEXT_SIZE];
	object_format_id(object, id);
	json_begin_object(json);
	json_member_text(json, "id", id);
	json_member_text(json, "object", "Address");
	answer_date_offset(json, "created_at", object->created_ms);
	answer_date_offset(json, "updated_at", object->updated_ms);
	for (int i = 0; i <= ADDRESS_EMAIL; i++)
		json_member_text(json, field_names[i], address->fields[i]);
	json_member_text(json, "mode", "test");
	json_member_text(json, "carrier_facility", address->fields[ADDRESS_CARRIER_FACILITY]);
	json_write_key(json, "residential");
	if (address->residential < 0)
		json_write_null(json);
	else
		json_write_bool(json, address->residential == 1);
	json_member_text(json, "federal_tax_id", address->fields[ADDRESS_FEDERAL_TAX_ID]);
	json_member_text(json, "state_tax_id", address->fields[ADDRESS_STATE_TAX_ID]);
	json_write_key(json, "verifications");
	json_begin_object(json);
	if (address->verdict != VERDICT_NONE) {
		write_verification(address, "zip4", json);
		write_verification(address, "delivery", json);
	}
	if (address->verify_carrier[0])
		json_member_text(json, "verify_carrier", address->verify_carrier);
	json_end_object(json);
	json_end_object(json);
}

static bool has_digit(const char *text)
{
	return text && strpbrk(text, "0123456789");
}

static bool is_bad(const char *const fields[ADDRESS_FIELDS], bool *ret_lacks_house_number)
{
	const char *street = fields[ADDRESS_STREET1], *state = fields[ADDRESS_STATE];
	bool is_domestic = text_equal_ignore_case(fields[ADDRESS_COUNTRY], "US");
	*ret_lacks_house_number = is_domestic && !has_digit(street);
	if (text_is_empty(street) || text_has_prefix(street, "000") || text_equal_ignore_case(street, "invalid"))
		return true;
	if (strcasestr(street, "unknown") || text_equal_ignore_case(state, "ZZ"))
		return true;
	if (text_is_empty(fields[ADDRESS_ZIP]) && text_is_empty(fields[ADDRESS_CITY]))
		return true;
	return *ret_lacks_house_number;
}

static void copy_upper(char *out, size_t size, const char *text)
{
	size_t i = 0;
	for (; text && text[i] && i + 1 < size; i++)
		out[i] = (char)toupper((unsigned char)text[i]);
	out[i] = '\0';
}

#define VERIFIED_FIELD_SIZE 256

/* The verified form: capitals, the second line behind the first, ZIP+4. */
static struct address *address_new_verified(struct registry *registry, const char *const fields[ADDRESS_FIELDS],
	bool has_carrier)
{
	char texts[ADDRESS_FIELDS][VERIFIED_FIELD_SIZE];
	const char *changed[ADDRESS_FIELDS];
	for (int i = 0; i < ADDRESS_FIELDS; i++) {
		bool is_kept = i == ADDRESS_PHONE || i == ADDRESS_EMAIL || !fields[i];
		copy_upper(texts[i], sizeof(texts[i]), fields[i]);
		changed[i] = is_kept ? fields[i] : texts[i];
	}
	const char *street2 = fields[ADDRESS_STREET2], *zip = texts[ADDRESS_ZIP];
	if (!text_is_empty(street2)) {
		size_t length = strlen(texts[ADDRESS_STREET1]);
		snprintf(texts[ADDRESS_STREET1] + length, VERIFIED_FIELD_SIZE - length, " ");
		copy_upper(texts[ADDRESS_STREET1] + length + 1, VERIFIED_FIELD_SIZE - length - 1, street2);
	}
	changed[ADDRESS_STREET2] = "";
	if (!has_carrier && strlen(zip) == 5 && text_equal_ignore_case(fields[ADDRESS_COUNTRY], "US"))
		snprintf(texts[ADDRESS_ZIP] + 5, VERIFIED_FIELD_SIZE - 5, "-%04u",
			(unsigned)(1000 +
				hash_bytes(texts[ADDRESS_STREET1], strlen(texts[ADDRESS_STREET1]), 1) % 9000));
	return address_new(registry, changed);
}

static void answer_verify_failure(struct call *call, bool lacks_house_number)
{
	static const struct answer_field errors[] = {
		{"E.ADDRESS.NOT_FOUND", "address", "Address not found"},
		{"E.HOUSE_NUMBER.MISSING", "street1", "House number is missing"},
	};
	answer_error(call->answer, 422, "ADDRESS.VERIFY.FAILURE", "Unable to verify address.", errors,
		lacks_house_number ? 2 : 1);
}

enum strictness { VERIFY_NOT, VERIFY_SOFT, VERIFY_STRICT };

/* The address as it stands or verified; NULL: the answer is the error. */
static struct address *make_address(struct call *call, const char *const fields[ADDRESS_FIELDS],
	enum strictness strictness, const char *verify_carrier)
{
	struct registry *registry = &call->sandbox->registry;
	bool lacks_house_number, bad = is_bad(fields, &lacks_house_number);
	struct address *address;
	if (strictness == VERIFY_STRICT && bad && !verify_carrier) {
		answer_verify_failure(call, lacks_house_number);
		return NULL;
	}
	if (strictness == VERIFY_NOT || (bad && !verify_carrier))
		address = address_new(registry, fields);
	else
		address = address_new_verified(registry, fields, verify_carrier != NULL);
	if (!address) {
		call_failed(call);
		return NULL;
	}
	address->lacks_house_number = lacks_house_number;
	if (strictness == VERIFY_NOT)
		return address;
	address->verdict = !bad ? VERDICT_GOOD : verify_carrier ? VERDICT_CARRIER : VERDICT_BAD;
	if (address->verdict == VERDICT_GOOD)
		address->residential = text_is_empty(fields[ADDRESS_COMPANY]);
	for (size_t i = 0; verify_carrier && verify_carrier[i] && i + 1 < sizeof(address->verify_carrier); i++)
		address->verify_carrier[i] = (char)tolower((unsigned char)verify_carrier[i]);
	return address;
}

/* verify: true, "true", ["delivery"] and [true] all ask. */
static bool asks(struct json_value object, const char *name)
{
	struct json_value value;
	bool is_true;
	const char *text;
	if (!json_get(object, name, &value))
		return false;
	if (json_bool(value, &is_true))
		return is_true;
	return json_count(value) > 0 || (json_text(value, &text, NULL) && strcmp(text, "true") == 0);
}

static enum strictness strictness_of(struct json_value object)
{
	if (asks(object, "verify_strict"))
		return VERIFY_STRICT;
	return asks(object, "verify") ? VERIFY_SOFT : VERIFY_NOT;
}

static struct address *find_address(struct call *call, const char *id)
{
	struct object *object = registry_find(&call->sandbox->registry, OBJECT_ADDRESS, id);
	if (!object)
		answer_not_found(call->answer);
	return (struct address *)object;
}

static void read_fields(struct json_value value, const char *ret_fields[ADDRESS_FIELDS])
{
	for (int i = 0; i < ADDRESS_FIELDS; i++)
		ret_fields[i] = json_get_text(value, field_names[i]);
	if (text_is_empty(ret_fields[ADDRESS_COUNTRY]))
		ret_fields[ADDRESS_COUNTRY] = "US";
}

struct address *address_from_value(struct call *call, const char *name, struct json_value value,
	const struct json_value *parameters)
{
	const char *fields[ADDRESS_FIELDS], *id;
	if (json_text(value, &id, NULL) || (id = json_get_text(value, "id")))
		return find_address(call, id);
	if (json_count(value) == 0 || json_type(value) != JSON_OBJECT) {
		answer_required(call->answer, name);
		return NULL;
	}
	read_fields(value, fields);
	enum strictness strictness = strictness_of(value);
	const char *carrier = json_get_text(value, "verify_carrier");
	if (parameters) {
		strictness = MAX(strictness, strictness_of(*parameters));
		carrier = carrier ? carrier : json_get_text(*parameters, "verify_carrier");
	}
	return make_address(call, fields, strictness, strictness == VERIFY_NOT ? NULL : carrier);
}

void address_handle_create(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "address", &value))
		return;
	struct address *address = address_from_value(call, "address", value, &call->body);
	if (!address)
		return;
	call_created(call, "addresses", &address->object);
	address_write(call->sandbox, &address->object, &call->answer->json);
}

static void answer_wrapped(struct call *call, const struct address *address)
{
	struct json_writer *json = &call->answer->json;
	json_begin_object(json);
	json_write_key(json, "address");
	address_write(call->sandbox, &address->object, json);
	json_end_object(json);
}

void address_handle_create_and_verify(struct call *call)
{
	const char *fields[ADDRESS_FIELDS];
	struct json_value value;
	if (!call_object(call, "address", &value))
		return;
	read_fields(value, fields);
	struct address *address =
		make_address(call, fields, VERIFY_STRICT, json_get_text(call->body, "verify_carrier"));
	if (address)
		answer_wrapped(call, address);
}

void address_handle_get(struct call *call)
{
	const struct address *address = find_address(call, call->id);
	if (address)
		address_write(call->sandbox, &address->object, &call->answer->json);
}

void address_handle_verify(struct call *call)
{
	const struct address *address = find_address(call, call->id);
	if (!address)
		return;
	address = make_address(call, address->fields, VERIFY_STRICT, NULL);
	if (address)
		answer_wrapped(call, address);
}

void address_handle_list(struct call *call)
{
	call_list(call, OBJECT_ADDRESS, "addresses", NULL, address_write);
}
