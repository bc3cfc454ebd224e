/* SPDX-License-Identifier: MIT */
#ifndef SANDBOX_REGISTRY_H
#define SANDBOX_REGISTRY_H

#include "base/macro.h"
#include "table.h"

/*
 * Every object of the API that the sandbox has made: by id, and by kind in order of creation.
 *
 * An object's struct begins with a `struct object`. The registry owns it from registry_add on and frees it with
 * the function of its kind when the sandbox is reset or ends; until then pointers between objects stay valid. All
 * of it is guarded by the sandbox's lock.
 *
 * Ids are the prefix of the kind and 32 hex digits, as the API's. They follow from the seed, the kind and a counter:
 * the same requests in the same order get the same ids in every run, and no two objects share one (the digits are
 * two bijective mixes of the counter).
 */
enum object_kind {
	OBJECT_ADDRESS,
	OBJECT_PARCEL,
	OBJECT_CUSTOMS_ITEM,
	OBJECT_CUSTOMS_INFO,
	OBJECT_SHIPMENT,
	OBJECT_TRACKER,
	OBJECT_KINDS
};

struct id {
	uint64_t high, low;
};

struct object {
	enum object_kind kind;
	struct id id;
	int64_t created_ms, updated_ms;
	size_t sequence; /* place among its kind */
};

struct registry {
	uint64_t seed;
	struct table by_id;
	struct {
		struct object **items;
		size_t count, capacity;
		uint64_t counter; /* goes on over a reset, so that ids stay unique */
	} kinds[OBJECT_KINDS];
	void (*free_object[OBJECT_KINDS])(struct object *object);
};

#define ID_TEXT_SIZE 44 /* "cstitem_", 32 digits and a NUL fit */

/* Zeroed memory of `size` bytes with its header filled; the caller adds or mem_frees it. NULL: out of memory. */
void *registry_new(struct registry *registry, enum object_kind kind, size_t size);
int registry_add(struct registry *registry, struct object *object); /* SHIPOPT_ENOMEM: still the caller's */
/* The object of this kind with this id text ("shp_…"); NULL if there is none. */
struct object *registry_find(const struct registry *registry, enum object_kind kind, const char *id_text);
struct object *registry_find_id(const struct registry *registry, struct id id);
/* Frees every object. */
void registry_clear(struct registry *registry);

/* Another id that follows from this one: rates and labels of a shipment. */
struct id id_derive(struct id id, uint64_t salt);
void id_format(const char *prefix, struct id id, char ret_text[ID_TEXT_SIZE]);
void object_format_id(const struct object *object, char ret_text[ID_TEXT_SIZE]);
/* False if the text is not `prefix` and 32 hex digits. */
bool id_parse(const char *prefix, const char *text, struct id *ret_id);

#endif
