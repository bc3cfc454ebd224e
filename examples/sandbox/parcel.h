/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_PARCEL_H
#define SANDBOX_PARCEL_H

#include "sandbox.h"

/*
 * What is sent: parcels, customs declarations and their items.
 *
 * Numbers come as JSON numbers or as text and are kept in millionths; weights are ounces, sizes inches. A parcel
 * needs a weight above zero. Objects never change; an item belongs to the registry, a declaration points to its items.
 */
struct parcel {
	struct object object;
	int64_t length, width, height, weight; /* millionths; -1 for null */
	char *predefined_package;
};

struct customs_item {
	struct object object;
	char *description, *hs_tariff_number, *origin_country, *code, *manufacturer, *currency, *eccn;
	int64_t quantity, value, weight; /* value and weight in millionths */
};

enum customs_field {
	CUSTOMS_CONTENTS_EXPLANATION,
	CUSTOMS_CONTENTS_TYPE,
	CUSTOMS_SIGNER,
	CUSTOMS_EEL_PFC,
	CUSTOMS_NON_DELIVERY_OPTION,
	CUSTOMS_RESTRICTION_COMMENTS,
	CUSTOMS_RESTRICTION_TYPE,
	CUSTOMS_DECLARATION,
	CUSTOMS_FIELDS
};

struct customs_info {
	struct object object;
	char *fields[CUSTOMS_FIELDS];
	bool is_certified;
	struct customs_item **items;
	size_t item_count;
};

void parcel_free(struct object *object);
void customs_item_free(struct object *object);
void customs_info_free(struct object *object);
void parcel_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json);
void customs_info_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json);
/* An object by id or new, as address_from_value. NULL: the answer is the error. */
struct parcel *parcel_from_value(struct call *call, struct json_value value);
struct customs_info *customs_info_from_value(struct call *call, struct json_value value);

void parcel_handle_create(struct call *call);
void parcel_handle_get(struct call *call);
void customs_handle_create_item(struct call *call);
void customs_handle_get_item(struct call *call);
void customs_handle_create_info(struct call *call);
void customs_handle_get_info(struct call *call);

/* A number or a text with one, in millionths; -1 if it is absent, null or none. */
int64_t value_decimal(struct json_value object, const char *name);

#endif
