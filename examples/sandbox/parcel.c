/* SPDX-License-Identifier: MIT */
#include "parcel.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

int64_t value_decimal(struct json_value object, const char *name)
{
	struct json_value value;
	const char *bytes;
	size_t length;
	int64_t millionths;
	if (!json_get(object, name, &value))
		return -1;
	bool has_bytes = json_text(value, &bytes, &length) ||
		(json_type(value) == JSON_NUMBER && json_source(value, &bytes, &length));
	return has_bytes && decimal_parse(bytes, length, &millionths) == 0 ? millionths : -1;
}

static void write_decimal(struct json_writer *json, const char *key, int64_t millionths)
{
	char text[DECIMAL_TEXT_SIZE];
	json_write_key(json, key);
	if (millionths < 0) {
		json_write_null(json);
		return;
	}
	decimal_format(millionths, 1, text); /* 10.0, as recorded */
	json_write_raw(json, text, strlen(text));
}

void parcel_free(struct object *object)
{
	struct parcel *parcel = (struct parcel *)object;
	mem_free(parcel->predefined_package);
	mem_free(parcel);
}

static void write_head(const struct object *object, const char *type, struct json_writer *json)
{
	char id[ID_TEXT_SIZE];
	object_format_id(object, id);
	json_begin_object(json);
	json_member_text(json, "id", id);
	json_member_text(json, "object", type);
	answer_date(json, "created_at", object->created_ms);
	answer_date(json, "updated_at", object->updated_ms);
}

void parcel_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json)
{
	const struct parcel *parcel = (const struct parcel *)object;
	write_head(object, "Parcel", json);
	write_decimal(json, "length", parcel->length);
	write_decimal(json, "width", parcel->width);
	write_decimal(json, "height", parcel->height);
	json_member_text(json, "predefined_package", parcel->predefined_package);
	write_decimal(json, "weight", parcel->weight);
	json_member_text(json, "mode", "test");
	json_end_object(json);
}

/* Finishes a new object: registered, or freed and answered with an error. */
static void *register_object(struct call *call, struct object *object)
{
	struct registry *registry = &call->sandbox->registry;
	if (object && registry_add(registry, object) == 0)
		return object;
	if (object)
		registry->free_object[object->kind](object);
	call_failed(call);
	return NULL;
}

static void *find_object(struct call *call, enum object_kind kind, const char *id)
{
	struct object *object = registry_find(&call->sandbox->registry, kind, id);
	if (!object)
		answer_not_found(call->answer);
	return object;
}

struct parcel *parcel_from_value(struct call *call, struct json_value value)
{
	const char *id;
	if (json_text(value, &id, NULL) || (id = json_get_text(value, "id")))
		return find_object(call, OBJECT_PARCEL, id);
	if (value_decimal(value, "weight") <= 0) {
		answer_required(call->answer, "weight");
		return NULL;
	}
	struct parcel *parcel = registry_new(&call->sandbox->registry, OBJECT_PARCEL, sizeof(*parcel));
	if (parcel) {
		parcel->length = value_decimal(value, "length");
		parcel->width = value_decimal(value, "width");
		parcel->height = value_decimal(value, "height");
		parcel->weight = value_decimal(value, "weight");
		parcel->predefined_package = mem_copy_text(json_get_text(value, "predefined_package"));
	}
	return register_object(call, (struct object *)parcel);
}

void parcel_handle_create(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "parcel", &value))
		return;
	struct parcel *parcel = parcel_from_value(call, value);
	if (!parcel)
		return;
	call_created(call, "parcels", &parcel->object);
	parcel_write(call->sandbox, &parcel->object, &call->answer->json);
}

void parcel_handle_get(struct call *call)
{
	struct object *object = find_object(call, OBJECT_PARCEL, call->id);
	if (object)
		parcel_write(call->sandbox, object, &call->answer->json);
}

void customs_item_free(struct object *object)
{
	struct customs_item *item = (struct customs_item *)object;
	mem_free(item->description);
	mem_free(item->hs_tariff_number);
	mem_free(item->origin_country);
	mem_free(item->code);
	mem_free(item->manufacturer);
	mem_free(item->currency);
	mem_free(item->eccn);
	mem_free(item);
}

static void item_write(const struct object *object, struct json_writer *json)
{
	const struct customs_item *item = (const struct customs_item *)object;
	write_head(object, "CustomsItem", json);
	json_member_text(json, "description", item->description);
	json_member_text(json, "hs_tariff_number", item->hs_tariff_number);
	json_member_text(json, "origin_country", item->origin_country);
	json_member_i64(json, "quantity", item->quantity);
	answer_money(json, "value", MAX(item->value, 0), 1);
	write_decimal(json, "weight", item->weight);
	json_member_text(json, "code", item->code);
	json_member_text(json, "mode", "test");
	json_member_text(json, "manufacturer", item->manufacturer);
	json_member_text(json, "currency", item->currency);
	json_member_text(json, "eccn", item->eccn);
	json_member_text(json, "printed_commodity_identifier", NULL);
	json_end_object(json);
}

static struct customs_item *item_from_value(struct call *call, struct json_value value)
{
	const char *id;
	if (json_text(value, &id, NULL) || (id = json_get_text(value, "id")))
		return find_object(call, OBJECT_CUSTOMS_ITEM, id);
	struct customs_item *item = registry_new(&call->sandbox->registry, OBJECT_CUSTOMS_ITEM, sizeof(*item));
	if (item) {
		item->description = mem_copy_text(json_get_text(value, "description"));
		item->hs_tariff_number = mem_copy_text(json_get_text(value, "hs_tariff_number"));
		item->origin_country = mem_copy_text(json_get_text(value, "origin_country"));
		item->code = mem_copy_text(json_get_text(value, "code"));
		item->manufacturer = mem_copy_text(json_get_text(value, "manufacturer"));
		item->currency = mem_copy_text(json_get_text(value, "currency"));
		item->eccn = mem_copy_text(json_get_text(value, "eccn"));
		item->quantity = MAX(value_decimal(value, "quantity"), 0) / 1000000;
		item->value = value_decimal(value, "value");
		item->weight = value_decimal(value, "weight");
	}
	return register_object(call, (struct object *)item);
}

void customs_handle_create_item(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "customs_item", &value))
		return;
	struct customs_item *item = item_from_value(call, value);
	if (!item)
		return;
	call_created(call, "customs_items", &item->object);
	item_write(&item->object, &call->answer->json);
}

void customs_handle_get_item(struct call *call)
{
	struct object *object = find_object(call, OBJECT_CUSTOMS_ITEM, call->id);
	if (object)
		item_write(object, &call->answer->json);
}

static const char *const customs_names[CUSTOMS_FIELDS] = {"contents_explanation", "contents_type", "customs_signer",
	"eel_pfc", "non_delivery_option", "restriction_comments", "restriction_type", "declaration"};

void customs_info_free(struct object *object)
{
	struct customs_info *info = (struct customs_info *)object;
	for (int i = 0; i < CUSTOMS_FIELDS; i++)
		mem_free(info->fields[i]);
	mem_free(info->items);
	mem_free(info);
}

void customs_info_write(const struct sandbox *sandbox, const struct object *object, struct json_writer *json)
{
	const struct customs_info *info = (const struct customs_info *)object;
	write_head(object, "CustomsInfo", json);
	for (int i = 0; i < CUSTOMS_DECLARATION; i++) {
		if (i == CUSTOMS_SIGNER)
			json_member_bool(json, "customs_certify", info->is_certified);
		json_member_text(json, customs_names[i], info->fields[i]);
	}
	json_member_text(json, "mode", "test");
	json_member_text(json, "declaration", info->fields[CUSTOMS_DECLARATION]);
	json_write_key(json, "customs_items");
	json_begin_array(json);
	for (size_t i = 0; i < info->item_count; i++)
		item_write(&info->items[i]->object, json);
	json_end_array(json);
	json_end_object(json);
}

/* False: the answer is the error. */
static bool read_items(struct call *call, struct json_value items, struct customs_info *info)
{
	struct json_iterator it;
	info->items = mem_alloc_array(json_count(items) + 1, sizeof(*info->items));
	if (!info->items) {
		call_failed(call);
		return false;
	}
	for (json_items(items, &it); json_next(&it);) {
		struct customs_item *item = item_from_value(call, it.value);
		if (!item)
			return false;
		info->items[info->item_count++] = item;
	}
	return true;
}

struct customs_info *customs_info_from_value(struct call *call, struct json_value value)
{
	struct json_value member;
	const char *id;
	if (json_text(value, &id, NULL) || (id = json_get_text(value, "id")))
		return find_object(call, OBJECT_CUSTOMS_INFO, id);
	if (!json_get(value, "customs_items", &member) || json_count(member) == 0) {
		answer_required(call->answer, "customs_items");
		return NULL;
	}
	struct customs_info *info = registry_new(&call->sandbox->registry, OBJECT_CUSTOMS_INFO, sizeof(*info));
	if (info && !read_items(call, member, info)) {
		customs_info_free(&info->object);
		return NULL;
	}
	for (int i = 0; info && i < CUSTOMS_FIELDS; i++)
		info->fields[i] = mem_copy_text(json_get_text(value, customs_names[i]));
	if (info && json_get(value, "customs_certify", &member))
		json_bool(member, &info->is_certified);
	return register_object(call, (struct object *)info);
}

void customs_handle_create_info(struct call *call)
{
	struct json_value value;
	if (!call_object(call, "customs_info", &value))
		return;
	struct customs_info *info = customs_info_from_value(call, value);
	if (!info)
		return;
	call_created(call, "customs_infos", &info->object);
	customs_info_write(call->sandbox, &info->object, &call->answer->json);
}

void customs_handle_get_info(struct call *call)
{
	struct object *object = find_object(call, OBJECT_CUSTOMS_INFO, call->id);
	if (object)
		customs_info_write(call->sandbox, object, &call->answer->json);
}
