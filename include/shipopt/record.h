/* SPDX-License-Identifier: MIT */
#ifndef SHIPOPT_RECORD_H
#define SHIPOPT_RECORD_H

#include <shipopt/error.h>
#include <shipopt/record_fields.h>

SHIPOPT_BEGIN_DECLS

/*
 * Records: addresses, parcels, shipments, rates, trackers and what else the carrier speaks of.
 *
 * A record has a kind (SHIPOPT_RECORD_…) and fields, named by numbers (SHIPOPT_<KIND>_…, <shipopt/record_fields.h>;
 * explicit, append-only). Each field is absent, null or set. Types: text, integer, decimal (millionths), money
 * (millionths; the carrier's own text is kept beside it), time, boolean, JSON (text of any JSON value, as `options`),
 * child (one record) and list (records of one kind).
 *
 * Ownership: a record belongs to whoever made it (`_new`, `_copy`, `_decode`) and is freed with `_free`; children and
 * list items belong to their record and go with it. Text passed in is copied; text and children handed out are
 * borrowed and live until that field is changed or the record is freed. A record that the library hands out as
 * `const` is borrowed for as long as the call or object it came from says.
 *
 * A record is used by one thread at a time; a `const` one may be read from several.
 *
 * Common errors: SHIPOPT_EINVAL for a NULL record or output or a number that is no field of the kind, SHIPOPT_ETYPE for
 * a getter or setter of another type, SHIPOPT_ENOMEM. Getters return 1 with the value, 0 if the field is absent or
 * null (the output is untouched). All of this since 0.1.
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

/* Makes an empty record; all fields absent. SHIPOPT_EINVAL for an unknown kind. The caller owns *ret_record. */
SHIPOPT_API int shipopt_record_new(int kind, shipopt_record **ret_record);
/* Accepts NULL. */
SHIPOPT_API void shipopt_record_free(shipopt_record *record);
/* A deep copy, owned by the caller. */
SHIPOPT_API int shipopt_record_copy(const shipopt_record *record, shipopt_record **ret_copy);
/* The kind; 0 for NULL. */
SHIPOPT_API int shipopt_record_kind(const shipopt_record *record);
/* One of SHIPOPT_FIELD_…; SHIPOPT_FIELD_ABSENT for a number that is no field of the kind. */
SHIPOPT_API int shipopt_record_state(const shipopt_record *record, int field);

/* Reflection, for bindings and generic tools. Names are static; NULL for unknown numbers. `_find` gives the number of
 * a field by its JSON key or column name, or SHIPOPT_ENOTFOUND. `shipopt_field_at` walks the fields of a kind:
 * its index-th field number, 0 behind the last. */
SHIPOPT_API const char *shipopt_record_kind_name(int kind);
SHIPOPT_API const char *shipopt_field_name(int kind, int field);
SHIPOPT_API const char *shipopt_field_column(int kind, int field); /* CSV header, NULL if it has none */
SHIPOPT_API int shipopt_field_type(int kind, int field);           /* SHIPOPT_TYPE_… or SHIPOPT_EINVAL */
SHIPOPT_API int shipopt_field_child_kind(int kind, int field);     /* of child and list fields, else 0 */
SHIPOPT_API int shipopt_field_find(int kind, const char *name);
SHIPOPT_API int shipopt_field_at(int kind, size_t index);

/* Setters. A setter marks the field set (and changed, see _encode); `_set_null` makes it null, `_clear` absent.
 * Text must be UTF-8 (SHIPOPT_EENCODING) and at most 65,536 bytes, that of label documents and forms (label_url,
 * label_pdf_url, label_zpl_url, label_epl2_url, label_file, form_url) 4,194,304 (SHIPOPT_ETOOLARGE); NULL text is
 * SHIPOPT_EINVAL. Times are milliseconds since 1970-01-01 UTC. `_set_money_text` and `_set_decimal_text` parse
 * "12.50" as carriers write it: blanks around it, a sign, an exponent and a decimal comma with one or two digits behind
 * it ("12,50") are accepted; beyond six decimals it is rounded.
 * `_set_json` takes the text of one JSON value, checked (SHIPOPT_EPARSE). */
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
/* Puts a child in place; the record takes ownership on success only. SHIPOPT_ETYPE if its kind does not fit. */
SHIPOPT_API int shipopt_record_set_child(shipopt_record *record, int field, shipopt_record *child,
	shipopt_error **ret_error);
/* Appends to a list; the record takes ownership on success only. SHIPOPT_ETOOLARGE beyond SHIPOPT_LIST_ITEMS_MAX. */
SHIPOPT_API int shipopt_record_append(shipopt_record *record, int field, shipopt_record *item,
	shipopt_error **ret_error);
/* The child in place, made empty if absent or null. Borrowed. */
SHIPOPT_API int shipopt_record_make_child(shipopt_record *record, int field, shipopt_record **ret_child,
	shipopt_error **ret_error);
/* A new empty item at the end of a list. Borrowed. */
SHIPOPT_API int shipopt_record_make_item(shipopt_record *record, int field, shipopt_record **ret_item,
	shipopt_error **ret_error);

/* Getters: 1 and the value, 0 if absent or null, or an error. */
SHIPOPT_API int shipopt_record_get_text(const shipopt_record *record, int field, const char **ret_text);
SHIPOPT_API int shipopt_record_get_int(const shipopt_record *record, int field, int64_t *ret_value);
SHIPOPT_API int shipopt_record_get_decimal(const shipopt_record *record, int field, int64_t *ret_millionths);
SHIPOPT_API int shipopt_record_get_money(const shipopt_record *record, int field, int64_t *ret_millionths);
/* The carrier's own text of a decimal, money or time field. Also of an amount of money that could not be read, whose
 * field is absent: "$7.25", or "1,234", which may be thousands or thousandths. */
SHIPOPT_API int shipopt_record_get_source_text(const shipopt_record *record, int field, const char **ret_text);
SHIPOPT_API int shipopt_record_get_time_ms(const shipopt_record *record, int field, int64_t *ret_unix_ms);
SHIPOPT_API int shipopt_record_get_bool(const shipopt_record *record, int field, int *ret_value);
SHIPOPT_API int shipopt_record_get_json(const shipopt_record *record, int field, const char **ret_json);
SHIPOPT_API int shipopt_record_get_child(const shipopt_record *record, int field, const shipopt_record **ret_child);
SHIPOPT_API size_t shipopt_record_count(const shipopt_record *record, int field); /* 0 for anything but a list */
SHIPOPT_API int shipopt_record_get_item(const shipopt_record *record, int field, size_t index,
	const shipopt_record **ret_item);

/* Conveniences that cannot fail: the text or NULL; the value or the given default. */
SHIPOPT_API const char *shipopt_record_text(const shipopt_record *record, int field);
SHIPOPT_API int64_t shipopt_record_number(const shipopt_record *record, int field,
	int64_t absent); /* integer, decimal, money, time, boolean */
SHIPOPT_API const shipopt_record *shipopt_record_child(const shipopt_record *record, int field);
SHIPOPT_API const shipopt_record *shipopt_record_item(const shipopt_record *record, int field, size_t index);

/*
 * JSON. `_decode` reads an object of the carrier's shape: unknown members are kept in the record's source text
 * (`_source`, bounded to 256 KiB, NULL beyond or for records that were not decoded), a number where a text is
 * expected is taken as text; a known member of another unexpected type, or longer than a setter takes, is left absent
 * and kept in the source only. Money may be grouped by three ("1,234.56", "1.234,56", "1 234,50"). SHIPOPT_EPARSE names
 * the place; depth is limited to 64.
 * `_encode` gives the carrier's shape of the set and null fields; with SHIPOPT_ENCODE_CHANGED only of those changed
 * since `_decode` or `_mark_unchanged`. *ret_json is the caller's, to be freed with shipopt_free().
 */
enum { SHIPOPT_ENCODE_ALL = 0, SHIPOPT_ENCODE_CHANGED = 1 };
SHIPOPT_API int shipopt_record_decode(int kind, const char *json, size_t length, shipopt_record **ret_record,
	shipopt_error **ret_error);
SHIPOPT_API int shipopt_record_encode(const shipopt_record *record, int what, char **ret_json,
	shipopt_error **ret_error);
SHIPOPT_API void shipopt_record_mark_unchanged(shipopt_record *record);
SHIPOPT_API const char *shipopt_record_source(const shipopt_record *record);

/*
 * Finds, before any call, what a carrier would refuse: missing or impossible addresses, unknown country, weight not
 * above zero, missing customs information for international and US military addresses, item weights above the
 * parcel's, customs items without HS code, missing EEL/PFC or signer. 0, or SHIPOPT_EREFUSED with an error object
 * (may be NULL) whose fields name each finding.
 */
SHIPOPT_API int shipopt_record_check_shipment(const shipopt_record *shipment, shipopt_error **ret_error);

/*
 * Sets a field of a shipment by the column name that order files use, making children as needed:
 *
 *   reference, is_return, insurance, carrier_accounts (comma separated ids), option_<name>
 *   to_, from_, return_, buyer_ each with name, company, street1, street2, city, state, zip, country, phone, email
 *   length_in, width_in, height_in, weight_oz, predefined_package
 *   contents_type, contents_explanation, customs_signer, customs_certify, eel_pfc, non_delivery_option,
 *   restriction_type, restriction_comments
 *   item1_ to item20_ each with description, quantity, value, weight_oz, hs_code, origin_country, currency; value and
 *   weight are those of the whole line
 *   tax_id_entity, tax_id_number, tax_id_type, tax_id_country
 * The text is trimmed; empty text sets nothing. SHIPOPT_ENOTFOUND for an unknown column,
 * SHIPOPT_EPARSE or SHIPOPT_EENCODING with an error object that names column and value.
 */
SHIPOPT_API int shipopt_record_set_column(shipopt_record *shipment, const char *column, const char *text,
	shipopt_error **ret_error);

SHIPOPT_END_DECLS

#endif
