/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_INPUT
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "base/unicode.h"
#include "record/country.h"
#include "record/record.h"

/*
 * What a carrier would refuse, found before any call.
 *
 * Addresses (to and from; return if given): name or company, street1, city, a known country; a zip where the
 * country's post uses one (of the list below), in the form of the US and Canada; a state for the US and Canada.
 * Parcel: a weight above 0 and at most 150 lb; sides that are given from 0.1 to 999 in.
 *
 * Customs information is needed when the countries of from and to differ, except inside the EU's customs union,
 * and for US military addresses (state AA, AE or AP), which are foreign soil to the customs although domestic to the
 * post. US territories with a country code of their own count as that country. With customs information
 * (needed or not): a signer and a certification, an explanation for contents "other", comments for a restriction,
 * EEL/PFC if it leaves the US or is military, at least one item. Items: description, quantity, value, weight,
 * country of origin, for borders between countries an HS code of 6 to 13 digits; their weights (of lines, as the
 * carrier has them) together at most the parcel's.
 *
 * A child that is nothing but an id is known to the carrier and not looked into.
 */
#define WEIGHT_MAX_OZ 2400
#define SIDE_MAX_IN 999
#define SIDE_MIN_MILLIONTHS 100000
#define MILLION INT64_C(1000000)
#define NAME_SIZE 64
#define MESSAGE_SIZE (UNICODE_SHOWN_SIZE + 64)
#define LIST_BYTES_MAX 2048
#define MORE_SIZE 32
#define HS_DIGITS_MIN 6
#define HS_DIGITS_MAX 13

struct findings {
	size_t total;
	size_t count; /* of those that are kept */
	struct error_field fields[ERROR_FIELDS_MAX];
	char names[ERROR_FIELDS_MAX][NAME_SIZE];
	char messages[ERROR_FIELDS_MAX][MESSAGE_SIZE];
};

static void check_find(struct findings *findings, int code, const char *place, const char *field, const char *format,
	...) PRINTF_LIKE(5, 6);

/* `code`: SHIPOPT_ENOTFOUND for what is missing, SHIPOPT_EINVAL for what is wrong. */
static void check_find(struct findings *findings, int code, const char *place, const char *field, const char *format,
	...)
{
	va_list list;
	findings->total++;
	if (findings->count == ERROR_FIELDS_MAX)
		return;
	size_t i = findings->count++;
	snprintf(findings->names[i], NAME_SIZE, "%s%s%s", place, *place && *field ? "." : "", field);
	va_start(list, format);
	vsnprintf(findings->messages[i], MESSAGE_SIZE, format, list);
	va_end(list);
	findings->fields[i] =
		(struct error_field){.name = findings->names[i], .message = findings->messages[i], .code = code};
}

static bool check_is_blank(const shipopt_record *record, int field)
{
	const char *text = shipopt_record_text(record, field);
	size_t length = text ? strlen(text) : 0;
	if (text)
		unicode_trim(&text, &length);
	return length == 0;
}

static void check_need_text(struct findings *findings, const shipopt_record *record, const char *place, int field)
{
	if (check_is_blank(record, field))
		check_find(findings, SHIPOPT_ENOTFOUND, place, shipopt_field_name(shipopt_record_kind(record), field),
			"is required");
}

static bool check_is_member(const char *code, const char *list)
{
	const char *found = strstr(list, code);
	return found && (found - list) % 3 == 0;
}

static const char *check_country_of(const shipopt_record *address)
{
	const char *text = shipopt_record_text(address, SHIPOPT_ADDRESS_COUNTRY);
	return text ? country_find(text) : NULL;
}

static bool check_needs_zip(const char *country)
{
	return check_is_member(country,
		"AR AT AU BE BG BR CA CH CN CY CZ DE DK EE ES FI FR GB GR HR HU ID IL IN IT JP KR LT LU LV "
		"MX MY NL NO NZ PH PL PR PT RO RU SE SG SI SK TH TR TW UA US VI ZA ");
}

static bool check_is_european_union(const char *country)
{
	return check_is_member(country,
		"AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK ");
}

/* `form`: 9 stands for a digit, A for a letter, anything else for itself. */
static bool check_has_form(const char *text, size_t length, const char *form)
{
	if (length != strlen(form))
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i], upper = (char)(c & ~0x20);
		if (form[i] == '9' ? c < '0' || c > '9' : form[i] == 'A' ? upper < 'A' || upper > 'Z' : c != form[i])
			return false;
	}
	return true;
}

static bool check_zip_is_possible(const char *country, const char *zip)
{
	static const struct {
		const char *country, *form;
	} forms[] = {{"US", "99999"}, {"US", "99999-9999"}, {"US", "999999999"}, {"CA", "A9A 9A9"}, {"CA", "A9A9A9"}};
	bool any = false;
	size_t length = strlen(zip);
	text_trim(&zip, &length);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if (!text_equal(forms[i].country, country))
			continue;
		if (check_has_form(zip, length, forms[i].form))
			return true;
		any = true;
	}
	return !any;
}

static void check_zip(struct findings *findings, const shipopt_record *address, const char *place, const char *country)
{
	if (check_is_blank(address, SHIPOPT_ADDRESS_ZIP)) {
		if (check_needs_zip(country))
			check_find(findings, SHIPOPT_ENOTFOUND, place, "zip", "is required in %s", country);
	} else if (!check_zip_is_possible(country, shipopt_record_text(address, SHIPOPT_ADDRESS_ZIP))) {
		check_find(findings, SHIPOPT_EINVAL, place, "zip", "\"%s\" is not possible in %s",
			UNICODE_SHOWN(shipopt_record_text(address, SHIPOPT_ADDRESS_ZIP)), country);
	}
}

static void check_address(struct findings *findings, const shipopt_record *address, const char *place)
{
	if (!address) {
		check_find(findings, SHIPOPT_ENOTFOUND, place, "", "is required");
		return;
	}
	if (record_is_reference(address))
		return;
	if (check_is_blank(address, SHIPOPT_ADDRESS_NAME) && check_is_blank(address, SHIPOPT_ADDRESS_COMPANY))
		check_find(findings, SHIPOPT_ENOTFOUND, place, "name", "or company is required");
	check_need_text(findings, address, place, SHIPOPT_ADDRESS_STREET1);
	check_need_text(findings, address, place, SHIPOPT_ADDRESS_CITY);
	check_need_text(findings, address, place, SHIPOPT_ADDRESS_COUNTRY);
	if (check_is_blank(address, SHIPOPT_ADDRESS_COUNTRY))
		return;
	const char *country = check_country_of(address);
	if (!country) {
		check_find(findings, SHIPOPT_EINVAL, place, "country", "\"%s\" is no country",
			UNICODE_SHOWN(shipopt_record_text(address, SHIPOPT_ADDRESS_COUNTRY)));
		return;
	}
	check_zip(findings, address, place, country);
	if (check_is_member(country, "US CA ") && check_is_blank(address, SHIPOPT_ADDRESS_STATE))
		check_find(findings, SHIPOPT_ENOTFOUND, place, "state", "is required in %s", country);
}

static void check_side(struct findings *findings, const shipopt_record *parcel, int field)
{
	int64_t side;
	if (shipopt_record_get_decimal(parcel, field, &side) == 1 &&
		(side < SIDE_MIN_MILLIONTHS || side > SIDE_MAX_IN * MILLION))
		check_find(findings, SHIPOPT_EINVAL, "parcel", shipopt_field_name(SHIPOPT_RECORD_PARCEL, field),
			"must be from 0.1 to %d inches", SIDE_MAX_IN);
}

static void check_parcel(struct findings *findings, const shipopt_record *parcel)
{
	if (!parcel) {
		check_find(findings, SHIPOPT_ENOTFOUND, "parcel", "", "is required");
		return;
	}
	if (record_is_reference(parcel))
		return;
	int64_t weight = shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, 0);
	if (weight <= 0)
		check_find(findings, SHIPOPT_EINVAL, "parcel", "weight", "must be above 0 ounces");
	else if (weight > WEIGHT_MAX_OZ * MILLION)
		check_find(findings, SHIPOPT_EINVAL, "parcel", "weight", "must be at most %d ounces", WEIGHT_MAX_OZ);
	check_side(findings, parcel, SHIPOPT_PARCEL_LENGTH);
	check_side(findings, parcel, SHIPOPT_PARCEL_WIDTH);
	check_side(findings, parcel, SHIPOPT_PARCEL_HEIGHT);
}

/* What lies between the two addresses, as far as they can be told. */
struct border {
	bool international, military, leaves_us;
};

static bool check_is_military(const shipopt_record *address, const char *country)
{
	const char *text = shipopt_record_text(address, SHIPOPT_ADDRESS_STATE);
	size_t length = text ? strlen(text) : 0;
	if (!text_equal(country, "US") || !text)
		return false;
	unicode_trim(&text, &length);
	char state[3] = {length == 2 ? text[0] : '\0', length == 2 ? text[1] : '\0'};
	return text_equal_ignore_case(state, "AA") || text_equal_ignore_case(state, "AE") ||
		text_equal_ignore_case(state, "AP");
}

static struct border check_border_of(const shipopt_record *from, const shipopt_record *to)
{
	struct border border = {0};
	const char *from_country = check_country_of(from), *to_country = check_country_of(to);
	if (!from_country || !to_country)
		return border;
	border.international = !text_equal(from_country, to_country) &&
		!(check_is_european_union(from_country) && check_is_european_union(to_country));
	border.military = check_is_military(from, from_country) || check_is_military(to, to_country);
	border.leaves_us = text_equal(from_country, "US") && (border.international || border.military);
	return border;
}

static bool check_hs_code_is_possible(const char *text)
{
	size_t digits = 0;
	for (; *text; text++) {
		if (*text >= '0' && *text <= '9')
			digits++;
		else if (*text != '.' && *text != ' ')
			return false;
	}
	return digits >= HS_DIGITS_MIN && digits <= HS_DIGITS_MAX;
}

static void check_hs_code(struct findings *findings, const shipopt_record *item, const char *place,
	struct border border)
{
	if (check_is_blank(item, SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER)) {
		if (border.international)
			check_find(findings, SHIPOPT_ENOTFOUND, place, "hs_tariff_number",
				"is required across a border");
	} else if (!check_hs_code_is_possible(shipopt_record_text(item, SHIPOPT_CUSTOMS_ITEM_HS_TARIFF_NUMBER))) {
		check_find(findings, SHIPOPT_EINVAL, place, "hs_tariff_number", "must have %d to %d digits",
			HS_DIGITS_MIN, HS_DIGITS_MAX);
	}
}

static void check_item(struct findings *findings, const shipopt_record *item, const char *place, struct border border)
{
	static const int positive[] = {SHIPOPT_CUSTOMS_ITEM_QUANTITY, SHIPOPT_CUSTOMS_ITEM_VALUE,
		SHIPOPT_CUSTOMS_ITEM_WEIGHT};
	check_need_text(findings, item, place, SHIPOPT_CUSTOMS_ITEM_DESCRIPTION);
	for (size_t i = 0; i < ARRAY_SIZE(positive); i++)
		if (shipopt_record_number(item, positive[i], 0) <= 0)
			check_find(findings, SHIPOPT_EINVAL, place,
				shipopt_field_name(SHIPOPT_RECORD_CUSTOMS_ITEM, positive[i]), "must be above 0");
	check_hs_code(findings, item, place, border);
	const char *origin = shipopt_record_text(item, SHIPOPT_CUSTOMS_ITEM_ORIGIN_COUNTRY);
	if (check_is_blank(item, SHIPOPT_CUSTOMS_ITEM_ORIGIN_COUNTRY))
		check_find(findings, SHIPOPT_ENOTFOUND, place, "origin_country", "is required");
	else if (!country_find(origin))
		check_find(findings, SHIPOPT_EINVAL, place, "origin_country", "\"%s\" is no country",
			UNICODE_SHOWN(origin));
}

static void check_items(struct findings *findings, const shipopt_record *customs, const shipopt_record *parcel,
	struct border border)
{
	size_t count = shipopt_record_count(customs, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS);
	int64_t total = 0, weight = shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, 0);
	bool overflow = false;
	if (count == 0)
		check_find(findings, SHIPOPT_ENOTFOUND, "customs_info", "customs_items", "needs at least one item");
	for (size_t i = 0; i < count; i++) {
		char place[NAME_SIZE];
		const shipopt_record *item = shipopt_record_item(customs, SHIPOPT_CUSTOMS_INFO_CUSTOMS_ITEMS, i);
		if (record_is_reference(item))
			continue;
		snprintf(place, sizeof(place), "customs_info.customs_items[%zu]", i);
		check_item(findings, item, place, border);
		overflow = overflow ||
			__builtin_add_overflow(total, shipopt_record_number(item, SHIPOPT_CUSTOMS_ITEM_WEIGHT, 0),
				&total);
	}
	if (weight > 0 && (overflow || total > weight)) {
		char items[DECIMAL_TEXT_SIZE], whole[DECIMAL_TEXT_SIZE];
		decimal_format(total, 0, items);
		decimal_format(weight, 0, whole);
		check_find(findings, SHIPOPT_EINVAL, "customs_info", "customs_items",
			"weigh %s ounces, the parcel only %s", overflow ? "too many" : items, whole);
	}
}

static void check_customs(struct findings *findings, const shipopt_record *customs, const shipopt_record *parcel,
	struct border border)
{
	const char *place = "customs_info";
	if (!customs) {
		if (border.international || border.military)
			check_find(findings, SHIPOPT_ENOTFOUND, place, "", "is required for %s",
				border.military ? "a US military address" : "an international shipment");
		return;
	}
	if (record_is_reference(customs))
		return;
	check_need_text(findings, customs, place, SHIPOPT_CUSTOMS_INFO_CONTENTS_TYPE);
	check_need_text(findings, customs, place, SHIPOPT_CUSTOMS_INFO_CUSTOMS_SIGNER);
	if (shipopt_record_number(customs, SHIPOPT_CUSTOMS_INFO_CUSTOMS_CERTIFY, 0) == 0)
		check_find(findings, SHIPOPT_EINVAL, place, "customs_certify", "must be true");
	if (border.leaves_us)
		check_need_text(findings, customs, place, SHIPOPT_CUSTOMS_INFO_EEL_PFC);
	if (text_equal(shipopt_record_text(customs, SHIPOPT_CUSTOMS_INFO_CONTENTS_TYPE), "other"))
		check_need_text(findings, customs, place, SHIPOPT_CUSTOMS_INFO_CONTENTS_EXPLANATION);
	if (!check_is_blank(customs, SHIPOPT_CUSTOMS_INFO_RESTRICTION_TYPE) &&
		!text_equal(shipopt_record_text(customs, SHIPOPT_CUSTOMS_INFO_RESTRICTION_TYPE), "none"))
		check_need_text(findings, customs, place, SHIPOPT_CUSTOMS_INFO_RESTRICTION_COMMENTS);
	check_items(findings, customs, parcel, border);
}

/* All findings, as far as they fit: "to_address.street1 is required; parcel.weight must be above 0 ounces". */
static void check_list(const struct findings *findings, struct buffer *list)
{
	size_t i = 0;
	while (i < findings->count &&
		buffer_append_format(list, "%s%s %s", i ? "; " : "", findings->names[i], findings->messages[i]) == 0)
		i++;
	list->limit += MORE_SIZE;
	if (i < findings->total)
		buffer_append_format(list, "; and %zu more", findings->total - i);
}

static int check_report(const struct findings *findings, shipopt_error **ret_error)
{
	if (findings->count == 0)
		return 0;
	struct buffer message;
	buffer_init(&message, LIST_BYTES_MAX);
	buffer_append_format(&message, "shipment has %zu finding%s: ", findings->total,
		findings->total == 1 ? "" : "s");
	check_list(findings, &message);
	struct error_detail detail = {.code = SHIPOPT_EREFUSED,
		.domain = SHIPOPT_DOMAIN_INPUT,
		.message = buffer_text(&message),
		.retry_after_ms = -1,
		.fields = findings->fields,
		.field_count = findings->count};
	int r = error_set_detail(ret_error, &detail);
	buffer_done(&message);
	return r;
}

/* A value that could not be read is absent: the parcel would travel uninsured. */
static void check_insurance(struct findings *findings, const shipopt_record *shipment)
{
	int64_t insurance;
	const char *text;
	bool is_set = shipopt_record_get_money(shipment, SHIPOPT_SHIPMENT_INSURANCE, &insurance) == 1;
	if (is_set && insurance < 0)
		check_find(findings, SHIPOPT_EINVAL, "insurance", "", "must not be negative");
	if (!is_set && shipopt_record_get_source_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, &text) == 1 &&
		!text_is_empty(text))
		check_find(findings, SHIPOPT_EINVAL, "insurance", "", "\"%s\" cannot be read as an amount",
			UNICODE_SHOWN(text));
}

int shipopt_record_check_shipment(const shipopt_record *shipment, shipopt_error **ret_error)
{
	struct findings findings;
	findings.total = findings.count = 0;
	if (shipopt_record_kind(shipment) != SHIPOPT_RECORD_SHIPMENT)
		return error_set(ret_error, SHIPOPT_EINVAL,
			"shipopt_record_check_shipment: the record must be a shipment");
	const shipopt_record *to = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS);
	const shipopt_record *from = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_FROM_ADDRESS);
	const shipopt_record *back = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_RETURN_ADDRESS);
	const shipopt_record *parcel = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_PARCEL);
	const shipopt_record *customs = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_CUSTOMS_INFO);
	check_address(&findings, to, "to_address");
	check_address(&findings, from, "from_address");
	if (back)
		check_address(&findings, back, "return_address");
	check_parcel(&findings, parcel);
	check_customs(&findings, customs, parcel, check_border_of(from, to));
	check_insurance(&findings, shipment);
	return check_report(&findings, ret_error);
}
