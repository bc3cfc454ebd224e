/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RECORD_H
#define SHIPOPT_RECORD_H

#include <shipopt/error.h>
#include <shipopt/record_fields.h>

SHIPOPT_BEGIN_DECLS

/*
 * Records: addresses, parcels, shipments, rates, trackers and the other objects of the carrier's API.
 *
 * A record has a kind (SHIPOPT_RECORD_…) and fields with numbers (SHIPOPT_<KIND>_…, see <shipopt/record_fields.h>).
 * Numbers never change; later versions add new ones. A field is absent, null or set. Its type is text, integer, decimal
 * (in millionths), money (in millionths; the carrier's own text is kept, too), time, boolean, JSON (the text of any
 * JSON value, such as `options`), child (one record) or list (records of one kind).
 *
 * Ownership: the caller owns a record from `_new`, `_copy` or `_decode` and frees it with `_free`. Children and list
 * items belong to their record. Text that is passed in is copied. Text and records that a getter returns are borrowed:
 * they live until the field is changed or the record is freed. A `const` record that the library hands out is borrowed
 * from the call or object that it comes from.
 *
 * One thread at a time may use a record; several threads may read one that nobody changes.
 *
 * Errors of all functions: SHIPOPT_EINVAL for a NULL record or output and for a number that is no field of the kind,
 * SHIPOPT_ETYPE for a getter or setter of another type, SHIPOPT_ENOMEM. Since 0.1; `ret_error` of the setters and of
 * shipopt_record_encode() since 0.2.
 */
typedef struct shipopt_record shipopt_record;

enum { /* types of fields */
	SHIPOPT_TYPE_TEXT = 1,
	SHIPOPT_TYPE_INTEGER = 2,
	SHIPOPT_TYPE_DECIMAL = 3,
	SHIPOPT_TYPE_MONEY = 4,
	SHIPOPT_TYPE_TIME = 5,
	SHIPOPT_TYPE_BOOLEAN = 6,
	SHIPOPT_TYPE_JSON = 7,
	SHIPOPT_TYPE_CHILD = 8,
	SHIPOPT_TYPE_LIST = 9
};

enum { /* states of fields */
	SHIPOPT_FIELD_ABSENT = 0,
	SHIPOPT_FIELD_NULL = 1,
	SHIPOPT_FIELD_SET = 2
};

/* The most items a list field holds. */
#define SHIPOPT_LIST_ITEMS_MAX 4096

/* Creates an empty record: all fields are absent. SHIPOPT_EINVAL for an unknown kind. The caller owns *ret_record. */
SHIPOPT_API int shipopt_record_new(int kind, shipopt_record **ret_record);
/* Frees a record with its children and list items. Accepts NULL. */
SHIPOPT_API void shipopt_record_free(shipopt_record *record);
/* Makes a deep copy, which the caller owns. */
SHIPOPT_API int shipopt_record_copy(const shipopt_record *record, shipopt_record **ret_copy);
/* Returns the kind; 0 for NULL. */
SHIPOPT_API int shipopt_record_kind(const shipopt_record *record);
/* Returns the state of a field, SHIPOPT_FIELD_…; SHIPOPT_FIELD_ABSENT for a number that is no field of the kind. */
SHIPOPT_API int shipopt_record_state(const shipopt_record *record, int field);

/*
 * Describe kinds and fields, for bindings and generic tools. Names are static; NULL for an unknown number. `_column` is
 * the name of the column in order files, NULL if there is none. `_type` is SHIPOPT_TYPE_… or SHIPOPT_EINVAL.
 * `_child_kind` is the kind of a child or of the items of a list, else 0. `_find` returns the number of a field by its
 * JSON key or column name, or SHIPOPT_ENOTFOUND. `_at` returns the number of the field at an index, for walking all
 * fields of a kind; 0 after the last.
 */
SHIPOPT_API const char *shipopt_record_kind_name(int kind);
SHIPOPT_API const char *shipopt_field_name(int kind, int field);
SHIPOPT_API const char *shipopt_field_column(int kind, int field);
SHIPOPT_API int shipopt_field_type(int kind, int field);
SHIPOPT_API int shipopt_field_child_kind(int kind, int field);
SHIPOPT_API int shipopt_field_find(int kind, const char *name);
SHIPOPT_API int shipopt_field_at(int kind, size_t index);

/*
 * Setters. They set a field and mark it as changed (see shipopt_record_encode()). `_set_null` makes it null, `_clear`
 * absent. On failure the field stays as it was, and *ret_error says which field and what is wrong; `ret_error` may be
 * NULL.
 *
 * Text must be UTF-8 (SHIPOPT_EENCODING), not NULL (SHIPOPT_EINVAL), and have at most 65,536 bytes (SHIPOPT_ETOOLARGE);
 * fields for label documents and forms (label_url, label_pdf_url, label_zpl_url, label_epl2_url, label_file, form_url)
 * take up to 4,194,304. Times are milliseconds since 1970-01-01 UTC. `_set_money_text` and `_set_decimal_text` read a
 * number as carriers write it (SHIPOPT_EPARSE): with blanks around it, a sign, an exponent, or a decimal comma that one
 * or two digits follow ("12,50"). More than six decimals are rounded. For an amount from a user prefer
 * shipopt_money_parse(), which takes one form. `_set_json` takes the text of one JSON value (SHIPOPT_EPARSE).
 */
SHIPOPT_API int shipopt_record_set_text(shipopt_record *record, int field, const char *text, shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_int(shipopt_record *record, int field, int64_t value, shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_decimal(shipopt_record *record, int field, int64_t millionths,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_decimal_text(shipopt_record *record, int field, const char *text,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_money(shipopt_record *record, int field, int64_t millionths,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_money_text(shipopt_record *record, int field, const char *text,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_time_ms(shipopt_record *record, int field, int64_t unix_ms,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_bool(shipopt_record *record, int field, int value, shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_json(shipopt_record *record, int field, const char *json, shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_set_null(shipopt_record *record, int field, shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_clear(shipopt_record *record, int field, shipopt_error **ret_error);
/* Sets a child. The record takes ownership on success only. SHIPOPT_ETYPE if the kind of the child does not fit. */
SHIPOPT_API int shipopt_record_set_child(shipopt_record *record, int field, shipopt_record *child,
	shipopt_error **ret_error);
/* Appends a record to a list. The record takes ownership on success only. SHIPOPT_ETOOLARGE beyond
 * SHIPOPT_LIST_ITEMS_MAX. */
SHIPOPT_API int shipopt_record_append(shipopt_record *record, int field, shipopt_record *item,
	shipopt_error **ret_error);
/* Returns the child; creates an empty one if the field is absent or null. Borrowed. */
SHIPOPT_API int shipopt_record_make_child(shipopt_record *record, int field, shipopt_record **ret_child,
	shipopt_error **ret_error);
/* Appends an empty record to a list and returns it. Borrowed. */
SHIPOPT_API int shipopt_record_make_item(shipopt_record *record, int field, shipopt_record **ret_item,
	shipopt_error **ret_error);

/* Getters: return 1 and write the value, or 0 if the field is absent or null, or an error code. The output is written
 * for 1 only. `_count` returns the number of items of a list, and 0 for anything else. */
SHIPOPT_API int shipopt_record_get_text(const shipopt_record *record, int field, const char **ret_text);
SHIPOPT_API int shipopt_record_get_int(const shipopt_record *record, int field, int64_t *ret_value);
SHIPOPT_API int shipopt_record_get_decimal(const shipopt_record *record, int field, int64_t *ret_millionths);
SHIPOPT_API int shipopt_record_get_money(const shipopt_record *record, int field, int64_t *ret_millionths);
/* The carrier's own text of a decimal, money or time field. An amount that cannot be read leaves its field absent, and
 * its text is here: "$7.25", or "1,234", which may mean thousands or thousandths. */
SHIPOPT_API int shipopt_record_get_source_text(const shipopt_record *record, int field, const char **ret_text);
SHIPOPT_API int shipopt_record_get_time_ms(const shipopt_record *record, int field, int64_t *ret_unix_ms);
SHIPOPT_API int shipopt_record_get_bool(const shipopt_record *record, int field, int *ret_value);
SHIPOPT_API int shipopt_record_get_json(const shipopt_record *record, int field, const char **ret_json);
SHIPOPT_API int shipopt_record_get_child(const shipopt_record *record, int field, const shipopt_record **ret_child);
SHIPOPT_API size_t shipopt_record_count(const shipopt_record *record, int field);
SHIPOPT_API int shipopt_record_get_item(const shipopt_record *record, int field, size_t index,
	const shipopt_record **ret_item);

/*
 * Short forms of the getters that cannot fail: the text, child or item, or NULL; the number of an integer, decimal,
 * money, time or boolean field, or `absent`.
 */
SHIPOPT_API const char *shipopt_record_text(const shipopt_record *record, int field);
SHIPOPT_API int64_t shipopt_record_number(const shipopt_record *record, int field, int64_t absent);
SHIPOPT_API const shipopt_record *shipopt_record_child(const shipopt_record *record, int field);
SHIPOPT_API const shipopt_record *shipopt_record_item(const shipopt_record *record, int field, size_t index);

/*
 * JSON in the carrier's form.
 *
 * `_decode` reads an object. SHIPOPT_EPARSE names the place; the depth is limited to 64. A number where a text is
 * expected becomes text. Money may be grouped by three ("1,234.56", "1.234,56", "1 234,50"). A known member of another
 * unexpected type, or one that is longer than its setter takes, is left absent. `_source` returns the text that a
 * record was decoded from, with unknown members; NULL if it was longer than 256 KiB or if the record was not decoded.
 *
 * `_encode` writes the fields that are set or null; with SHIPOPT_ENCODE_CHANGED only those that were changed since
 * `_decode` or `_mark_unchanged`. The caller frees *ret_json with shipopt_free().
 */
enum { SHIPOPT_ENCODE_ALL = 0, SHIPOPT_ENCODE_CHANGED = 1 };
SHIPOPT_API int shipopt_record_decode(int kind, const char *json, size_t length, shipopt_record **ret_record,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_encode(const shipopt_record *record, int what, char **ret_json,
	shipopt_error **ret_error);
SHIPOPT_API void shipopt_record_mark_unchanged(shipopt_record *record);
SHIPOPT_API const char *shipopt_record_source(const shipopt_record *record);

/*
 * Checks a shipment for what a carrier would refuse, without any request: missing or impossible addresses, an unknown
 * country, a weight that is not above zero, missing customs information for international shipments and US military
 * addresses, items that weigh more than the parcel, customs items without HS code, a missing EEL/PFC or signer.
 *
 * Returns 0 or SHIPOPT_EREFUSED. The message lists all findings, as far as 2,048 bytes allow. The error has a field for
 * each finding (at most 64), with its name, message and code. SHIPOPT_EINVAL if the record is not a shipment.
 */
SHIPOPT_API int shipopt_record_check_shipment(const shipopt_record *shipment, shipopt_error **ret_error);

/*
 * Sets a field of a shipment by its column name in order files. Creates children as needed. The columns:
 *
 *   reference, is_return, insurance, carrier_accounts (comma separated ids), option_<name>
 *   to_, from_, return_, buyer_ each with name, company, street1, street2, city, state, zip, country, phone, email
 *   length_in, width_in, height_in, weight_oz, predefined_package
 *   contents_type, contents_explanation, customs_signer, customs_certify, eel_pfc, non_delivery_option,
 *   restriction_type, restriction_comments
 *   item1_ to item20_ each with description, quantity, value, weight_oz, hs_code, origin_country, currency; value and
 *   weight are those of the whole line
 *   tax_id_entity, tax_id_number, tax_id_type, tax_id_country
 *
 * The text is trimmed; an empty text sets nothing. SHIPOPT_ENOTFOUND for an unknown column, SHIPOPT_EPARSE or
 * SHIPOPT_EENCODING for a bad value; the error names column and value.
 */
SHIPOPT_API int shipopt_record_set_column(shipopt_record *shipment, const char *column, const char *text,
	shipopt_error **ret_error);

SHIPOPT_END_DECLS

#endif
