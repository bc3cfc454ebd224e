/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <shipopt/shipopt.h>
#include <string.h>

#include "base/memory.h"
#include "record/record.h"

/* Texts that are whole documents, and what is said of a text that does not fit its field. */

static const char *const documents[] = {"label_url", "label_pdf_url", "label_zpl_url", "label_epl2_url", "label_file"};

/* {"id":"pl_1","<key>":"xxx…"} with `length` letters, put between `before` and `after`. */
static char *object_with(const char *before, const char *key, size_t length, const char *after)
{
	struct buffer json;
	buffer_init(&json, (size_t)8 << 20);
	assert_int_equal(buffer_append_format(&json, "%s{\"id\":\"pl_1\",\"%s\":\"", before, key), 0);
	char *letters = mem_alloc(length);
	assert_non_null(letters);
	memset(letters, 'x', length);
	assert_int_equal(buffer_append(&json, letters, length), 0);
	mem_free(letters);
	assert_int_equal(buffer_append_format(&json, "\"}%s", after), 0);
	return buffer_take(&json);
}

static shipopt_record *decode(int kind, char *json)
{
	shipopt_record *record = NULL;
	assert_int_equal(shipopt_record_decode(kind, json, strlen(json), &record, NULL), 0);
	mem_free(json);
	return record;
}

static void finish(void)
{
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void a_label_of_megabytes_is_kept_copied_and_written_again(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		char path[RECORD_PATH_SIZE] = "untouched";
		shipopt_record *label =
			decode(SHIPOPT_RECORD_POSTAGE_LABEL, object_with("", documents[i], RECORD_DOCUMENT_MAX, ""));
		int field = shipopt_field_find(SHIPOPT_RECORD_POSTAGE_LABEL, documents[i]);
		assert_int_equal(strlen(shipopt_record_text(label, field)), RECORD_DOCUMENT_MAX);
		assert_int_equal(record_find_dropped(label, path), 0);
		assert_string_equal(path, "untouched");
		shipopt_record *copy;
		char *json = NULL;
		assert_int_equal(shipopt_record_copy(label, &copy), 0);
		assert_string_equal(shipopt_record_text(copy, field), shipopt_record_text(label, field));
		assert_int_equal(shipopt_record_encode(copy, SHIPOPT_ENCODE_ALL, &json, NULL), 0);
		assert_non_null(strstr(json, shipopt_record_text(label, field)));
		assert_int_equal(shipopt_record_set_text(copy, field, shipopt_record_text(label, field), NULL), 0);
		shipopt_free(json);
		shipopt_record_free(copy);
		shipopt_record_free(label);
	}
	finish();
}

/* Room is taken by what came, not by what might come. */
static void a_record_is_no_larger_for_it(void **state)
{
	shipopt_record *label = decode(SHIPOPT_RECORD_POSTAGE_LABEL, object_with("", "label_url", 10, ""));
	assert_true(label->texts_size < 64);
	assert_int_equal(sizeof(struct record_value), 24);
	shipopt_record_free(label);
	finish();
}

static void a_text_that_does_not_fit_is_named_with_its_size(void **state)
{
	static const struct {
		const char *before, *key;
		size_t bytes;
		const char *after, *path;
	} cases[] = {
		{"{\"id\":\"shp_1\",\"postage_label\":", "label_url", RECORD_DOCUMENT_MAX + 1, "}",
			"postage_label.label_url"},
		{"{\"id\":\"shp_1\",\"postage_label\":", "label_size", RECORD_TEXT_MAX + 1, "}",
			"postage_label.label_size"},
		{"{\"forms\":[{\"form_url\":\"u\"},", "form_url", RECORD_DOCUMENT_MAX + 7, "]}", "forms[1].form_url"},
		{"{\"tracker\":{\"tracking_details\":[{},{\"tracking_location\":", "city", RECORD_TEXT_MAX + 9, "}]}}",
			"tracker.tracking_details[1].tracking_location.city"},
		{"", "reference", RECORD_TEXT_MAX + 1, "", "reference"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char path[RECORD_PATH_SIZE] = "";
		shipopt_record *shipment = decode(SHIPOPT_RECORD_SHIPMENT,
				       object_with(cases[i].before, cases[i].key, cases[i].bytes, cases[i].after)),
			       *copy;
		assert_int_equal(record_find_dropped(shipment, path), cases[i].bytes);
		assert_string_equal(path, cases[i].path);
		assert_int_equal(shipopt_record_copy(shipment, &copy), 0);
		assert_int_equal(record_find_dropped(copy, path), cases[i].bytes);
		shipopt_record_free(copy);
		shipopt_record_free(shipment);
	}
	assert_int_equal(record_find_dropped(NULL, NULL), 0);
	finish();
}

/* A JSON value and a list of texts, which are longer than their texts: the size is that of the value as it came. */
static void values_of_other_kinds_are_named_too(void **state)
{
	char path[RECORD_PATH_SIZE];
	shipopt_record *shipment =
		decode(SHIPOPT_RECORD_SHIPMENT, object_with("{\"options\":", "a", RECORD_TEXT_MAX, "}"));
	assert_int_equal(record_find_dropped(shipment, path), RECORD_TEXT_MAX + strlen("{\"id\":\"pl_1\",\"a\":\"\"}"));
	assert_string_equal(path, "options");
	shipopt_record_free(shipment);
	shipment = decode(SHIPOPT_RECORD_SHIPMENT,
		object_with("{\"messages\":[{\"message\":", "a", RECORD_TEXT_MAX, "}]}"));
	assert_true(record_find_dropped(shipment, path) > RECORD_TEXT_MAX);
	assert_string_equal(path, "messages[0].message");
	shipopt_record_free(shipment);
	finish();
}

static void a_new_value_takes_the_place_of_what_did_not_fit(void **state)
{
	char path[RECORD_PATH_SIZE];
	shipopt_record *shipment =
		decode(SHIPOPT_RECORD_SHIPMENT, object_with("", "reference", RECORD_TEXT_MAX + 1, ""));
	assert_true(record_find_dropped(shipment, path) > 0);
	assert_int_equal(shipopt_record_set_text(shipment, SHIPOPT_SHIPMENT_REFERENCE, "r", NULL), 0);
	assert_int_equal(record_find_dropped(shipment, path), 0);
	shipopt_record_free(shipment);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_label_of_megabytes_is_kept_copied_and_written_again),
		cmocka_unit_test(a_record_is_no_larger_for_it),
		cmocka_unit_test(a_text_that_does_not_fit_is_named_with_its_size),
		cmocka_unit_test(values_of_other_kinds_are_named_too),
		cmocka_unit_test(a_new_value_takes_the_place_of_what_did_not_fit),
	};
	return cmocka_run_group_tests_name("documents in records", tests, NULL, NULL);
}
