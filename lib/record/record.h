/* SPDX-License-Identifier: MIT */
#ifndef RECORD_RECORD_H
#define RECORD_RECORD_H

#include <shipopt/record.h>

#include "base/hash.h"
#include "json/json.h"

/*
 * Records from inside: the field table as data, a record's memory, and what other layers need of the codec.
 *
 * A record is one block: the head, one value for each field of its kind (indexed by number - 1) and, if it was
 * decoded or copied, the texts that came with it. Texts that are set later have blocks of their own; a text
 * knows which it is by its address. Children and lists belong to the value. Kinds contain each other only downward
 * (shipment, tracker, tracking event, location), so that every recursion here is as deep as the table, not as
 * deep as the input.
 *
 * The source JSON is kept by the record that was decoded, not by its children: theirs stands inside it.
 *
 * A record is used by one thread at a time; nothing here is shared.
 */
enum record_codec {
	RECORD_CODEC_TEXT = 1,
	RECORD_CODEC_FLAT,
	RECORD_CODEC_COUNTRY,
	RECORD_CODEC_DOCUMENT,
	RECORD_CODEC_INTEGER,
	RECORD_CODEC_DECIMAL,
	RECORD_CODEC_MONEY,
	RECORD_CODEC_TIME,
	RECORD_CODEC_BOOLEAN,
	RECORD_CODEC_JSON,
	RECORD_CODEC_CHILD,
	RECORD_CODEC_LIST
};

enum record_role {
	RECORD_ROLE_REQUEST = 1,
	RECORD_ROLE_WISH,
	RECORD_ROLE_PURCHASE,
	RECORD_ROLE_SERVER,
	RECORD_ROLE_IDENTITY
};

/* A line of fields.h. */
struct record_field {
	uint8_t number, codec, role, child_kind, key_length;
	const char *key, *column;
};

struct record_kind {
	int number;
	const char *name;
	const struct record_field *fields;
	size_t field_count;
};

/* NULL for an unknown kind or number. */
const struct record_kind *record_kind_find(int kind);
const struct record_field *record_field_find(const struct record_kind *kind, int number);
/* SHIPOPT_TYPE_… of a codec. */
int record_codec_type(enum record_codec codec);

#define RECORD_TEXT_MAX 65536
#define RECORD_DOCUMENT_MAX ((size_t)4 << 20) /* of a field that may be a label or a form */
#define RECORD_SOURCE_MAX ((size_t)256 << 10)
/* The most bytes that a text or JSON field holds. */
size_t record_text_max(const struct record_field *field);

struct record_list {
	size_t count, capacity;
	shipopt_record *items[];
};

struct record_value {
	union {
		int64_t number; /* integer, decimal, money, time, boolean */
		char *text;     /* text, JSON */
		shipopt_record *child;
		struct record_list *list; /* NULL while it has no items */
	};
	char *source_text; /* of decimal, money and time: as the carrier wrote it; of an absent value: money that could not be read */
	uint8_t state; /* SHIPOPT_FIELD_… */
	bool changed;
	uint32_t dropped_bytes; /* of a text that came and was left out, as it is longer than the field holds; else 0 */
};

struct shipopt_record {
	const struct record_kind *kind;
	char *source; /* the JSON it was decoded from */
	size_t texts_size;
	struct record_value values[];
};

/* A record with room for `texts_size` bytes behind its values; *ret_texts (may be NULL) is where. */
int record_new_sized(const struct record_kind *kind, size_t texts_size, shipopt_record **ret_record, char **ret_texts);
/* The value of a field, whose type must be `type` (0: any): SHIPOPT_EINVAL, SHIPOPT_ETYPE. */
int record_value_find(const shipopt_record *record, int field, int type, const struct record_value **ret_value);
int record_value_find_mutable(shipopt_record *record, int field, int type, struct record_value **ret_value);
/* Frees what a value holds and makes it absent. */
void record_value_clear(shipopt_record *record, struct record_value *value, const struct record_field *field);
/* Appends to the list of a value; takes ownership on success only. */
int record_list_append(struct record_value *value, shipopt_record *item);
/* Takes the white space out of a JSON text, in place. */
void record_compact_json(char *json);
/* Whether a field, or anything below it, was changed. */
bool record_is_changed(const shipopt_record *record);

/* shipopt_record_decode without the parse: of a value that has been parsed already. SHIPOPT_EPARSE if it is not
 * an object, SHIPOPT_ETOOLARGE for a list beyond SHIPOPT_LIST_ITEMS_MAX, SHIPOPT_ENOMEM. The record has no source
 * yet: `record_keep_source` copies it, for records that stand for themselves. */
int record_decode_value(int kind, struct json_value value, shipopt_record **ret_record);
int record_keep_source(shipopt_record *record, struct json_value value);
/* The first field of the record, or below it, whose text was left out by the decoder because it is longer than the
 * field holds: how many bytes the text has, and the path of the field ("postage_label.label_url", cut to fit). 0:
 * nothing was left out. */
#define RECORD_PATH_SIZE 128
size_t record_find_dropped(const shipopt_record *record, char ret_path[RECORD_PATH_SIZE]);

/* Writes the record as one JSON value; `what` as in shipopt_record_encode, or RECORD_ENCODE_CREATION: only what a
 * request to create the object may carry, by the roles of the fields. Failures stick to the writer; the return value is
 * its status. */
enum { RECORD_ENCODE_CREATION = 2 };
int record_encode(const shipopt_record *record, int what, struct json_writer *writer);
/* The first field of the record that says what to buy (role WISH) and is not blank, or NULL: a creation that has it
 * buys. */
const struct record_field *record_find_wish(const shipopt_record *record);

/*
 * What a record asks for, without what the carrier made of it.
 *
 * The fingerprint is the SHA-256 of a normalised encoding of the request fields, in the order of their numbers:
 * text trimmed, decimals and money as numbers, JSON values with sorted keys and no white space, empty text, null and
 * empty children left out. It never changes for the same request, also not between versions of the library that
 * add fields. A child that is nothing but an id is its id.
 */
int record_fingerprint(const shipopt_record *record, char ret_hex[HASH_HEX_SIZE]);
/* Lists the paths of request fields that differ, "to_address.zip, parcel.weight"; returns their number (0: the
 * fingerprints are equal). A full buffer cuts the list, not the number. */
int record_differences(const shipopt_record *a, const shipopt_record *b, struct buffer *names);

/* True if the record asks for nothing but names an object the carrier has: only an id. */
bool record_is_reference(const shipopt_record *record);

DEFINE_CLEANUP(shipopt_record, record_free, shipopt_record_free)
#define CLEANUP_RECORD CLEANUP(record_free_cleanup)

#endif
