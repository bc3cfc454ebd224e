/* SPDX-License-Identifier: MIT */
#include "registry.h"

#include <shipopt/error.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

static const char *const object_prefixes[OBJECT_KINDS] = {"adr_", "prcl_", "cstitem_", "cstinfo_", "shp_", "trk_"};

/* The finaliser of splitmix64 (Steele, Lea, Flood, 2014): a bijection of 64-bit numbers. */
static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

struct id id_derive(struct id id, uint64_t salt)
{
	uint64_t high = mix(id.high + mix(salt * 2 + 1));
	return (struct id){high, mix(id.low ^ mix(salt + UINT64_C(0x9e3779b97f4a7c15)) ^ high)};
}

void *registry_new(struct registry *registry, enum object_kind kind, size_t size)
{
	struct object *object = mem_alloc_zero(size);
	if (!object)
		return NULL;
	uint64_t number = ++registry->kinds[kind].counter * OBJECT_KINDS + kind;
	object->kind = kind;
	object->id.high = mix(number + registry->seed * UINT64_C(0x9e3779b97f4a7c15));
	object->id.low = mix(object->id.high ^ UINT64_C(0x5851f42d4c957f2d));
	object->created_ms = object->updated_ms = clock_wall_ms();
	return object;
}

int registry_add(struct registry *registry, struct object *object)
{
	size_t count = registry->kinds[object->kind].count;
	if (count == registry->kinds[object->kind].capacity) {
		size_t capacity = count ? count * 2 : 64;
		struct object **items = mem_realloc(registry->kinds[object->kind].items, capacity * sizeof(*items));
		if (!items)
			return SHIPOPT_ENOMEM;
		registry->kinds[object->kind].items = items;
		registry->kinds[object->kind].capacity = capacity;
	}
	int r = table_add(&registry->by_id, object->id.high, object);
	if (r < 0)
		return r;
	object->sequence = count;
	registry->kinds[object->kind].items[count] = object;
	registry->kinds[object->kind].count++;
	return 0;
}

static bool object_has_id(const void *entry, const void *key)
{
	const struct object *object = entry;
	const struct id *id = key;
	return object->id.high == id->high && object->id.low == id->low;
}

struct object *registry_find_id(const struct registry *registry, struct id id)
{
	return table_find(&registry->by_id, id.high, object_has_id, &id);
}

struct object *registry_find(const struct registry *registry, enum object_kind kind, const char *id_text)
{
	struct id id;
	if (!id_text || !id_parse(object_prefixes[kind], id_text, &id))
		return NULL;
	struct object *object = registry_find_id(registry, id);
	return object && object->kind == kind ? object : NULL;
}

void registry_clear(struct registry *registry)
{
	table_done(&registry->by_id);
	for (int kind = 0; kind < OBJECT_KINDS; kind++) {
		for (size_t i = 0; i < registry->kinds[kind].count; i++)
			registry->free_object[kind](registry->kinds[kind].items[i]);
		mem_free(registry->kinds[kind].items);
		registry->kinds[kind].items = NULL;
		registry->kinds[kind].count = registry->kinds[kind].capacity = 0;
	}
}

static char *write_hex(char *out, uint64_t value)
{
	for (int shift = 60; shift >= 0; shift -= 4)
		*out++ = "0123456789abcdef"[(value >> shift) & 15];
	return out;
}

void id_format(const char *prefix, struct id id, char ret_text[ID_TEXT_SIZE])
{
	size_t length = strlen(prefix);
	memcpy(ret_text, prefix, length);
	*write_hex(write_hex(ret_text + length, id.high), id.low) = '\0';
}

void object_format_id(const struct object *object, char ret_text[ID_TEXT_SIZE])
{
	id_format(object_prefixes[object->kind], object->id, ret_text);
}

static bool read_hex(const char *text, uint64_t *ret_value)
{
	uint64_t value = 0;
	for (int i = 0; i < 16; i++) {
		const char *digits = "0123456789abcdef", *digit = text[i] ? strchr(digits, text[i]) : NULL;
		if (!digit)
			return false;
		value = value << 4 | (uint64_t)(digit - digits);
	}
	*ret_value = value;
	return true;
}

bool id_parse(const char *prefix, const char *text, struct id *ret_id)
{
	struct id id;
	if (!text_has_prefix(text, prefix))
		return false;
	text += strlen(prefix);
	if (!read_hex(text, &id.high) || !read_hex(text + 16, &id.low) || text[32] != '\0')
		return false;
	*ret_id = id;
	return true;
}
