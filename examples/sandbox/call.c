/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "sandbox.h"

#define PAGE_SIZE_DEFAULT 20
#define PAGE_SIZE_MAX 100

bool call_object(struct call *call, const char *name, struct json_value *ret_value)
{
	if (call->has_body && json_get(call->body, name, ret_value) && json_type(*ret_value) == JSON_OBJECT &&
		json_count(*ret_value) > 0)
		return true;
	answer_required(call->answer, name);
	return false;
}

void call_failed(struct call *call)
{
	answer_status(call->answer, 500);
}

void call_created(struct call *call, const char *collection, const struct object *object)
{
	char id[ID_TEXT_SIZE];
	object_format_id(object, id);
	call->answer->status = 201;
	snprintf(call->answer->location, sizeof(call->answer->location), "/api/v2/%s/%s", collection, id);
}

static size_t page_size(const struct call *call)
{
	const char *text = call->query(call, "page_size");
	int64_t size;
	if (!text || text_parse_i64(text, &size) < 0 || size < 1)
		return PAGE_SIZE_DEFAULT;
	return (size_t)MIN(size, PAGE_SIZE_MAX);
}

void call_list(struct call *call, enum object_kind kind, const char *key,
	bool (*accept)(const struct object *object, const struct call *call),
	void (*write)(const struct sandbox *sandbox, const struct object *object, struct json_writer *json))
{
	const struct registry *registry = &call->sandbox->registry;
	const char *before = call->query(call, "before_id");
	size_t next = registry->kinds[kind].count, left = page_size(call);
	struct json_writer *json = &call->answer->json;
	bool has_more = false;
	if (before) {
		const struct object *object = registry_find(registry, kind, before);
		if (!object) {
			answer_not_found(call->answer);
			return;
		}
		next = object->sequence;
	}
	json_begin_object(json);
	json_write_key(json, key);
	json_begin_array(json);
	while (next > 0 && !has_more) {
		const struct object *object = registry->kinds[kind].items[--next];
		if (accept && !accept(object, call))
			continue;
		has_more = left == 0;
		if (has_more)
			break;
		write(call->sandbox, object, json);
		left--;
	}
	json_end_array(json);
	json_member_bool(json, "has_more", has_more);
	json_end_object(json);
}
