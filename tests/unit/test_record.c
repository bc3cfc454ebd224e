/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/memory.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "record/fields.h"
#include "record/record.h"

static shipopt_record *make(int kind)
{
	shipopt_record *record = NULL;
	assert_int_equal(shipopt_record_new(kind, &record), 0);
	return record;
}

static void the_table_describes_itself(void **state)
{
	assert_string_equal(shipopt_record_kind_name(SHIPOPT_RECORD_TRACKING_EVENT), "tracking_event");
	assert_null(shipopt_record_kind_name(0));
	assert_null(shipopt_record_kind_name(99));
	for (int kind = 1; shipopt_record_kind_name(kind); kind++) {
		int field = 0;
		for (size_t i = 0; (field = shipopt_field_at(kind, i)) != 0; i++) {
			int type = shipopt_field_type(kind, field);
			bool has_child = type == SHIPOPT_TYPE_CHILD || type == SHIPOPT_TYPE_LIST;
			assert_int_equal(field, i + 1);
			assert_int_equal(shipopt_field_find(kind, shipopt_field_name(kind, field)), field);
			assert_true(has_child == (shipopt_field_child_kind(kind, field) != 0));
			if (has_child) /* which keeps recursion as deep as the table */
				assert_int_not_equal(shipopt_field_child_kind(kind, field), kind);
			if (shipopt_field_column(kind, field))
				assert_int_equal(shipopt_field_find(kind, shipopt_field_column(kind, field)), field);
		}
	}
	assert_string_equal(shipopt_field_column(SHIPOPT_RECORD_PARCEL, SHIPOPT_PARCEL_WEIGHT), "weight_oz");
	assert_null(shipopt_field_column(SHIPOPT_RECORD_SHIPMENT, SHIPOPT_SHIPMENT_TO_ADDRESS));
	assert_null(shipopt_field_column(SHIPOPT_RECORD_SHIPMENT, SHIPOPT_SHIPMENT_OPTIONS));
	assert_int_equal(shipopt_field_find(SHIPOPT_RECORD_PARCEL, "weight_oz"), SHIPOPT_PARCEL_WEIGHT);
	assert_int_equal(shipopt_field_find(SHIPOPT_RECORD_PARCEL, "Weight"), SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_field_find(SHIPOPT_RECORD_PARCEL, NULL), SHIPOPT_ENOTFOUND);
	assert_int_equal(shipopt_field_type(SHIPOPT_RECORD_PARCEL, 99), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_field_at(SHIPOPT_RECORD_PARCEL, 99), 0);
	assert_int_equal(shipopt_field_child_kind(SHIPOPT_RECORD_SHIPMENT, SHIPOPT_SHIPMENT_RATES),
		SHIPOPT_RECORD_RATE);
}

/* The numbers that programs and databases were built with. A line may be added here, never changed. */
static void accepted_numbers_stay(void **state)
{
	static const struct {
		int kind, field;
		const char *name;
	} accepted[] = {
#define ACCEPTED(kind, field, number, codec, child, role, key, column) {SHIPOPT_RECORD_##kind, number, key},
#define ACCEPTED_KIND(number, KIND, kind) RECORD_FIELDS_##KIND(ACCEPTED)
		RECORD_KINDS(ACCEPTED_KIND)};
	unsigned long sum = 0;
	for (size_t i = 0; i < ARRAY_SIZE(accepted); i++) {
		unsigned long weight = 1;
		assert_int_equal(shipopt_field_find(accepted[i].kind, accepted[i].name), accepted[i].field);
		for (const char *p = accepted[i].name; *p; p++)
			weight = (weight * 31 + (unsigned char)*p) % 1000003;
		sum += weight * (unsigned long)(accepted[i].kind * 100 + accepted[i].field);
	}
	/* A check sum of kinds, numbers and keys of 0.1. */
	assert_int_equal(ARRAY_SIZE(accepted), 195);
	assert_int_equal(sum, 74657249532);
}

static void values_come_back_as_they_were_set(void **state)
{
	shipopt_record *shipment = make(SHIPOPT_RECORD_SHIPMENT), *parcel;
	const char *text = "untouched";
	int64_t number = 42;
	int flag = 42;
	assert_int_equal(shipopt_record_get_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, &text), 0);
	assert_int_equal(shipopt_record_get_money(shipment, SHIPOPT_SHIPMENT_INSURANCE, &number), 0);
	assert_string_equal(text, "untouched");
	assert_int_equal(number, 42);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "a", NULL), 0);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "b", NULL), 0);
	assert_int_equal(shipopt_record_get_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, &text), 1);
	assert_string_equal(text, "b");
	assert_int_equal(shipopt_record_set_money_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, "12.50", NULL), 0);
	assert_int_equal(shipopt_record_get_money(shipment, SHIPOPT_SHIPMENT_INSURANCE, &number), 1);
	assert_int_equal(number, 12500000);
	assert_int_equal(shipopt_record_get_source_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, &text), 0);
	assert_int_equal(shipopt_record_set_money_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, "12.5x", NULL),
		SHIPOPT_EPARSE);
	assert_int_equal(shipopt_record_number(shipment, SHIPOPT_SHIPMENT_INSURANCE, 0), 12500000);
	assert_int_equal(shipopt_record_set_bool(shipment, SHIPOPT_SHIPMENT_IS_RETURN, -3, NULL), 0);
	assert_int_equal(shipopt_record_get_bool(shipment, SHIPOPT_SHIPMENT_IS_RETURN, &flag), 1);
	assert_int_equal(flag, 1);
	assert_int_equal(shipopt_record_set_int(shipment, SHIPOPT_SHIPMENT_USPS_ZONE, INT64_MIN, NULL), 0);
	assert_int_equal(shipopt_record_get_int(shipment, SHIPOPT_SHIPMENT_USPS_ZONE, &number), 1);
	assert_true(number == INT64_MIN);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_PARCEL, &parcel, NULL), 0);
	assert_int_equal(shipopt_record_set_decimal(parcel, SHIPOPT_PARCEL_WEIGHT, 1, NULL), 0);
	assert_int_equal(shipopt_record_get_decimal(parcel, SHIPOPT_PARCEL_WEIGHT, &number), 1);
	assert_int_equal(number, 1);
	assert_int_equal(shipopt_record_set_null(shipment, SHIPOPT_SHIPMENT_PARCEL, NULL), 0);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_PARCEL), SHIPOPT_FIELD_NULL);
	assert_null(shipopt_record_child(shipment, SHIPOPT_SHIPMENT_PARCEL));
	assert_int_equal(shipopt_record_clear(shipment, SHIPOPT_SHIPMENT_REFERENCE, NULL), 0);
	assert_int_equal(shipopt_record_state(shipment, SHIPOPT_SHIPMENT_REFERENCE), SHIPOPT_FIELD_ABSENT);
	shipopt_record_free(shipment);
	shipopt_record_free(NULL);
	assert_int_equal(mem_live_count(), 0);
}

static void wrong_fields_types_and_texts_are_refused(void **state)
{
	shipopt_record *shipment = make(SHIPOPT_RECORD_SHIPMENT), *out = NULL;
	int64_t number;
	const char *text;
	assert_int_equal(shipopt_record_set_text(shipment, 0, "a", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_set_text(shipment, 99, "a", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_set_text(NULL, 1, "a", NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, "1", NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_OPTIONS, "{}", NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "\xc3", NULL),
		SHIPOPT_EENCODING);
	assert_int_equal(shipopt_record_get_int(shipment, SHIPOPT_SHIPMENT_INSURANCE, &number), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "a", NULL), 0);
	assert_int_equal(shipopt_record_get_source_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, &text), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, "{", NULL), SHIPOPT_EPARSE);
	assert_int_equal(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_RATES, &out, NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_PARCEL, &out, NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_get_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_money(shipment, SHIPOPT_SHIPMENT_INSURANCE, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_bool(shipment, SHIPOPT_SHIPMENT_IS_RETURN, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_source_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_child(shipment, SHIPOPT_SHIPMENT_PARCEL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_get_item(shipment, SHIPOPT_SHIPMENT_RATES, 0, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_PARCEL, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_RATES, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_new(0, &out), SHIPOPT_EINVAL);
	assert_null(out);
	char *long_text = malloc(RECORD_TEXT_MAX + 2);
	assert_non_null(long_text);
	memset(long_text, 'x', RECORD_TEXT_MAX + 1);
	long_text[RECORD_TEXT_MAX + 1] = '\0';
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, long_text, NULL),
		SHIPOPT_ETOOLARGE);
	long_text[RECORD_TEXT_MAX] = '\0';
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, long_text, NULL), 0);
	free(long_text);
	shipopt_record_free(shipment);
	assert_int_equal(shipopt_record_kind(NULL), 0);
	assert_null(shipopt_record_source(NULL));
	assert_int_equal(mem_live_count(), 0);
}

static void ownership_passes_on_success_only(void **state)
{
	shipopt_record *shipment = make(SHIPOPT_RECORD_SHIPMENT), *rate = make(SHIPOPT_RECORD_RATE), *item;
	assert_int_equal(shipopt_record_set_child(shipment, SHIPOPT_SHIPMENT_PARCEL, rate, NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_append(shipment, SHIPOPT_SHIPMENT_FEES, rate, NULL), SHIPOPT_ETYPE);
	assert_int_equal(shipopt_record_append(shipment, SHIPOPT_SHIPMENT_RATES, NULL, NULL), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_record_set_child(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE, rate, NULL), 0);
	assert_int_equal(shipopt_record_set_child(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE, rate, NULL), 0);
	assert_ptr_equal(shipopt_record_child(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE), rate);
	for (int i = 0; i < 9; i++) {
		assert_int_equal(shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_RATES, &item, NULL), 0);
		assert_int_equal(shipopt_record_set_int(item, SHIPOPT_RATE_DELIVERY_DAYS, i, NULL), 0);
	}
	assert_int_equal(shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES), 9);
	for (size_t i = 0; i < 9; i++)
		assert_int_equal(shipopt_record_number(shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i),
					 SHIPOPT_RATE_DELIVERY_DAYS, -1),
			i);
	assert_int_equal(shipopt_record_clear(shipment, SHIPOPT_SHIPMENT_RATES, NULL), 0);
	assert_int_equal(shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES), 0);
	shipopt_record_free(shipment);
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_record *decode(const char *json)
{
	shipopt_record *record = NULL;
	assert_int_equal(shipopt_record_decode(SHIPOPT_RECORD_SHIPMENT, json, strlen(json), &record, NULL), 0);
	return record;
}

static void assert_same(const char *left, const char *right, const char *expected)
{
	char hex[2][HASH_HEX_SIZE];
	struct buffer names;
	shipopt_record *a = decode(left), *b = decode(right);
	buffer_init(&names, 1000);
	int count = record_differences(a, b, &names);
	assert_string_equal(buffer_text(&names), expected);
	assert_true((count == 0) == (*expected == '\0'));
	assert_int_equal(record_fingerprint(a, hex[0]), 0);
	assert_int_equal(record_fingerprint(b, hex[1]), 0);
	assert_int_equal(strlen(hex[0]), 64);
	assert_true((strcmp(hex[0], hex[1]) == 0) == (count == 0));
	buffer_done(&names);
	shipopt_record_free(a);
	shipopt_record_free(b);
}

static void fingerprints_see_what_is_asked_and_nothing_else(void **state)
{
	static const char plain[] =
		"{\"reference\":\"7\",\"to_address\":{\"name\":\"A\",\"zip\":\"1\"},\"parcel\":{\"weight\":10},"
		"\"options\":{\"b\":1.0,\"a\":[true,{\"y\":1,\"x\":null}]},\"insurance\":\"5\"}";
	/* Order, white space, number forms, empty things, and all that the carrier adds. */
	assert_same(plain,
		"{\"id\":\"shp_1\",\"status\":\"x\",\"rates\":[{\"id\":\"r\"}],\"tracking_code\":\"t\",\"options\":{\"a\":[true,{\"x\":null,"
		"\"y\":1e0}],\"b\":1},\"insurance\":5.00,\"parcel\":{\"id\":\"prcl_1\",\"weight\":\"10.0\",\"length\":null},"
		"\"to_address\":{\"zip\":\" 1 \",\"name\":\"A\\n\",\"street2\":\"\",\"id\":\"adr\"},\"reference\":7,\"from_address\":{},"
		"\"customs_info\":{\"customs_items\":[]},\"carrier_accounts\":[]}",
		"");
	assert_same(plain,
		"{\"reference\":\"8\",\"to_address\":{\"name\":\"A\",\"zip\":\"2\"},\"parcel\":{\"weight\":10.1},\"is_return\":true,"
		"\"options\":{\"b\":2,\"a\":[true,{\"y\":1,\"x\":null}]},\"insurance\":\"5\"}",
		"reference, to_address.zip, parcel.weight, options, is_return");
	assert_same(plain, "{\"reference\":\"7\"}", "to_address, parcel, options, insurance");
	assert_same("{\"customs_info\":{\"customs_items\":[{\"value\":1},{\"value\":2}]}}",
		"{\"customs_info\":{\"customs_items\":[{\"value\":1},{\"value\":3,\"eccn\":\"e\"}]}}",
		"customs_info.customs_items[1].value, customs_info.customs_items[1].eccn");
	assert_same("{\"customs_info\":{\"customs_items\":[{\"value\":1},{\"value\":2}]}}",
		"{\"customs_info\":{\"customs_items\":[{\"value\":1}]}}", "customs_info.customs_items");
	/* Where an id stands for the whole child, it is what is asked. */
	assert_same("{\"to_address\":{\"id\":\"adr_1\"}}", "{\"to_address\":{\"id\":\"adr_1\"}}", "");
	assert_same("{\"to_address\":{\"id\":\"adr_1\"}}", "{\"to_address\":{\"id\":\"adr_2\"}}", "to_address");
	assert_same("{\"to_address\":{\"id\":\"adr_1\"}}", "{\"to_address\":{\"id\":\"adr_1\",\"zip\":\"1\"}}",
		"to_address");
	assert_int_equal(mem_live_count(), 0);
}

/* The value is kept in ledgers: it must never change. */
static void a_fingerprint_is_the_same_for_ever(void **state)
{
	char hex[HASH_HEX_SIZE], expected[HASH_HEX_SIZE];
	static const char form[] =
		"request-2:{\"1\":\"7\",\"2\":{\"7\":\"02114\"},\"6\":{\"5\":15.4},\"9\":true,\"10\":100}";
	shipopt_record *record =
		decode("{\"reference\":\"7\",\"to_address\":{\"zip\":\"02114\"},\"parcel\":{\"weight\":15.40},"
		       "\"is_return\":true,\"insurance\":\"100.00\"}");
	assert_int_equal(record_fingerprint(record, hex), 0);
	assert_int_equal(hash_sha256_hex(form, sizeof(form) - 1, expected), 0);
	assert_string_equal(hex, expected);
	assert_int_equal(record_fingerprint(NULL, hex), SHIPOPT_EINVAL);
	shipopt_record_free(record);
}

static void a_full_buffer_cuts_the_names_not_the_count(void **state)
{
	struct buffer names;
	shipopt_record *a = decode("{\"reference\":\"1\",\"to_address\":{\"zip\":\"1\"},\"is_return\":true}"),
		       *b = decode("{}");
	buffer_init(&names, 12);
	assert_int_equal(record_differences(a, b, &names), 3);
	assert_int_equal(strncmp(buffer_text(&names), "reference", 9), 0);
	shipopt_record *other = make(SHIPOPT_RECORD_RATE);
	assert_int_equal(record_differences(a, other, &names), SHIPOPT_EINVAL);
	shipopt_record_free(other);
	buffer_done(&names);
	shipopt_record_free(a);
	shipopt_record_free(b);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static int build(void)
{
	shipopt_record *shipment CLEANUP_RECORD = NULL;
	shipopt_record *to, *item, *copy CLEANUP_RECORD = NULL;
	struct buffer names;
	int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment);
	r = r < 0 ? r : shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "a", NULL);
	r = r < 0 ? r : shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, "{\"a\":{\"b\":1}}", NULL);
	r = r < 0 ? r : shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, &to, NULL);
	r = r < 0 ? r : shipopt_record_set_text(to, SHIPOPT_ADDRESS_NAME, "a", NULL);
	for (int i = 0; i < 5 && r == 0; i++)
		r = shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_TAX_IDENTIFIERS, &item, NULL);
	r = r < 0 ? r : shipopt_record_copy(shipment, &copy);
	r = r < 0 ? r : shipopt_record_set_json(copy, SHIPOPT_SHIPMENT_OPTIONS, "{\"a\":{\"b\":2}}", NULL);
	buffer_init(&names, 100);
	r = r < 0 ? r : record_differences(shipment, copy, &names);
	assert_true(r < 0 || (r == 1 && strcmp(names.data, "options") == 0));
	buffer_done(&names);
	return r < 0 ? r : 0;
}

static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	for (long passes = 0;; passes++) {
		json_stock_clear();
		fault_arm(passes);
		int r = build();
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_true(passes > 20);
			return;
		}
	}
}
#endif

static void assert_refused(int r, int code, shipopt_error *error, const char *part)
{
	assert_int_equal(r, code);
	assert_int_equal(shipopt_error_code(error), code);
	assert_int_equal(shipopt_error_domain(error), SHIPOPT_DOMAIN_INPUT);
	if (!strstr(shipopt_error_message(error), part))
		fail_msg("\"%s\" is not in \"%s\"", part, shipopt_error_message(error));
	shipopt_error_unref(error);
}

static void a_setter_says_why_it_refused(void **state)
{
	shipopt_record *shipment, *rate, *child;
	shipopt_error *error;
	char *json;
	static char longer[RECORD_TEXT_MAX + 2];
	memset(longer, 'x', RECORD_TEXT_MAX + 1);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_RATE, &rate), 0);
#define REFUSED(call, code, part)                      \
	do {                                           \
		error = NULL;                          \
		int r_ = call;                         \
		assert_refused(r_, code, error, part); \
	} while (0)
	REFUSED(shipopt_record_set_text(NULL, 1, "x", &error), SHIPOPT_EINVAL, "the record must not be NULL");
	REFUSED(shipopt_record_set_text(shipment, 999, "x", &error), SHIPOPT_EINVAL, "shipment has no field 999");
	REFUSED(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, NULL, &error), SHIPOPT_EINVAL,
		"shipment.reference: the text must not be NULL");
	REFUSED(shipopt_record_set_int(shipment, SHIPOPT_SHIPMENT_REFERENCE, 7, &error), SHIPOPT_ETYPE,
		"shipment.reference has the type text, not integer");
	REFUSED(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "\xff", &error), SHIPOPT_EENCODING,
		"shipment.reference: the text is not UTF-8");
	REFUSED(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, longer, &error), SHIPOPT_ETOOLARGE,
		"has 65537 bytes, at most 65536");
	REFUSED(shipopt_record_set_money_text(shipment, SHIPOPT_SHIPMENT_INSURANCE, "much", &error), SHIPOPT_EPARSE,
		"shipment.insurance: \"much\" is not a decimal number");
	REFUSED(shipopt_record_set_json(shipment, SHIPOPT_SHIPMENT_OPTIONS, "{", &error), SHIPOPT_EPARSE,
		"shipment.options: \"{\" is not JSON");
	REFUSED(shipopt_record_set_child(shipment, SHIPOPT_SHIPMENT_TO_ADDRESS, rate, &error), SHIPOPT_ETYPE,
		"shipment.to_address takes a record of the kind address, not rate");
	REFUSED(shipopt_record_append(shipment, SHIPOPT_SHIPMENT_RATES, NULL, &error), SHIPOPT_EINVAL,
		"shipment.rates: the record must not be NULL");
	REFUSED(shipopt_record_make_child(shipment, SHIPOPT_SHIPMENT_RATES, &child, &error), SHIPOPT_ETYPE,
		"shipment.rates has the type list, not child");
	REFUSED(shipopt_record_make_item(shipment, SHIPOPT_SHIPMENT_RATES, NULL, &error), SHIPOPT_EINVAL,
		"ret_item must not be NULL");
	REFUSED(shipopt_record_clear(shipment, 0, &error), SHIPOPT_EINVAL, "shipment has no field 0");
	REFUSED(shipopt_record_encode(shipment, 7, &json, &error), SHIPOPT_EINVAL, "what is 7");
	shipopt_record_free(rate);
	shipopt_record_free(shipment);
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_setter_says_why_it_refused),
		cmocka_unit_test(the_table_describes_itself),
		cmocka_unit_test(accepted_numbers_stay),
		cmocka_unit_test(values_come_back_as_they_were_set),
		cmocka_unit_test(wrong_fields_types_and_texts_are_refused),
		cmocka_unit_test(ownership_passes_on_success_only),
		cmocka_unit_test(fingerprints_see_what_is_asked_and_nothing_else),
		cmocka_unit_test(a_fingerprint_is_the_same_for_ever),
		cmocka_unit_test(a_full_buffer_cuts_the_names_not_the_count),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
