/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_ADDRESS_H
#define SANDBOX_ADDRESS_H

#include "sandbox.h"

/*
 * Addresses, and whether they exist.
 *
 * An address is one block: the struct and its texts behind it. It never changes; to verify one makes another, in
 * capitals with a longer postal code, as the API does.
 *
 * An address does not exist when its street begins with "000", is "invalid" or has "unknown" in it, its state is
 * "ZZ", or it has neither postal code nor city; in the United States a street also needs a house number. `verify`
 * then gives a 201 whose verifications say so, `verify_strict` a 422, and `verify_carrier` success with errors,
 * as recorded. Parameters may stand beside the address or, for the addresses of a shipment, in it.
 */
enum address_field {
	ADDRESS_NAME,
	ADDRESS_COMPANY,
	ADDRESS_STREET1,
	ADDRESS_STREET2,
	ADDRESS_CITY,
	ADDRESS_STATE,
	ADDRESS_ZIP,
	ADDRESS_COUNTRY,
	ADDRESS_PHONE,
	ADDRESS_EMAIL,
	ADDRESS_CARRIER_FACILITY,
	ADDRESS_FEDERAL_TAX_ID,
	ADDRESS_STATE_TAX_ID,
	ADDRESS_FIELDS
};

enum address_verdict {
	VERDICT_NONE, /* nobody asked */
	VERDICT_GOOD,
	VERDICT_BAD,    /* does not exist */
	VERDICT_CARRIER /* success with errors */
};

struct address {
	struct object object;
	enum address_verdict verdict;
	bool lacks_house_number;
	signed char residential; /* -1: null */
	char verify_carrier[16];
	const char *fields[ADDRESS_FIELDS]; /* NULL for null */
};

void address_free(struct object *object);
void address_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json);
/* The address of a value: {"id": …} of one that is there, a bare id, or a new one. NULL: the answer is the error;
 * `name` is what to call it there. Verifies when the value or `parameters` (NULL for none) asks for it. */
struct address *address_from_value(struct call *call, const char *name, struct json_value value,
	const struct json_value *parameters);

void address_handle_create(struct call *call);
void address_handle_create_and_verify(struct call *call);
void address_handle_get(struct call *call);
void address_handle_verify(struct call *call);
void address_handle_list(struct call *call);

#endif
