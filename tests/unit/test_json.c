/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "json/json.h"

static json_document *parse(const char *text)
{
	json_document *document = NULL;
	assert_int_equal(json_document_parse(text, strlen(text), &document, NULL), 0);
	return document;
}

static int parse_status(const char *text, size_t length)
{
	json_document *document = NULL;
	int r = json_document_parse(text, length, &document, NULL);
	assert_true((r == 0) == (document != NULL));
	json_document_free(document);
	return r;
}

static void assert_source(struct json_value value, const char *expected)
{
	const char *bytes;
	size_t length;
	assert_true(json_source(value, &bytes, &length));
	assert_int_equal(length, strlen(expected));
	assert_memory_equal(bytes, expected, length);
}

static void members_are_found_by_key_and_path(void **state)
{
	json_document *document =
		parse(" {\"a\": {\"b\": \"x\\u00e9\\n\", \"c\": null}, \"n\": -12, \"t\": true, \"e\": {}}");
	struct json_value root = json_root(document), value;
	assert_int_equal(json_type(root), JSON_OBJECT);
	assert_true(json_get2(root, "a", "b", &value));
	const char *text;
	size_t length;
	assert_true(json_text(value, &text, &length));
	assert_string_equal(text, "x\xc3\xa9\n");
	assert_int_equal(length, 4);
	assert_true(json_get2(root, "a", "c", &value));
	assert_int_equal(json_type(value), JSON_NULL);
	assert_false(json_get2(root, "a", "d", &value));
	assert_false(json_get2(root, "n", "d", &value));
	assert_false(json_get(root, "b", &value));
	int64_t number = 0;
	bool flag = false;
	assert_true(json_get(root, "n", &value) && json_i64(value, &number));
	assert_int_equal(number, -12);
	assert_false(json_bool(value, &flag) || json_text(value, &text, NULL));
	assert_true(json_get(root, "t", &value) && json_bool(value, &flag) && flag);
	assert_false(json_i64(value, &number));
	assert_true(json_get(root, "e", &value));
	assert_int_equal(json_count(value), 0);
	assert_null(json_get_text(root, "n"));
	assert_true(json_get(root, "a", &value));
	assert_string_equal(json_get_text(value, "b"), "x\xc3\xa9\n");
	json_document_free(document);
	assert_int_equal(mem_live_count(), 0);
}

static void integers_know_their_range(void **state)
{
	json_document *document = parse("[9223372036854775807, -9223372036854775808, 9223372036854775808, 2.0, 1e3]");
	struct json_iterator it;
	int64_t value = 0;
	json_items(json_root(document), &it);
	assert_true(json_next(&it) && json_i64(it.value, &value) && value == INT64_MAX);
	assert_true(json_next(&it) && json_i64(it.value, &value) && value == INT64_MIN);
	for (int i = 0; i < 3; i++)
		assert_true(json_next(&it) && json_type(it.value) == JSON_NUMBER && !json_i64(it.value, &value));
	assert_false(json_next(&it));
	json_document_free(document);
}

static void sources_are_the_bytes_of_the_text(void **state)
{
	static const char text[] =
		"{ \"x,:{\" : [ 34.150, -0.5e+3 ,\"a\\\"],b\\\\\" , {\"k\": [ true,false ,null ] } ] , \"y\":7}";
	json_document *document = parse(text);
	struct json_value root = json_root(document), list, value;
	assert_source(root, text);
	assert_true(json_get(root, "y", &value));
	assert_source(value, "7");
	assert_true(json_get(root, "x,:{", &list));
	assert_source(list, "[ 34.150, -0.5e+3 ,\"a\\\"],b\\\\\" , {\"k\": [ true,false ,null ] } ]");
	static const char *const expected[] = {"34.150", "-0.5e+3", "\"a\\\"],b\\\\\"",
		"{\"k\": [ true,false ,null ] }"};
	struct json_iterator it;
	size_t i = 0;
	for (json_items(list, &it); json_next(&it);)
		assert_source(it.value, expected[i++]);
	assert_int_equal(i, 4);
	static const char *const atoms[] = {"true", "false", "null"};
	assert_true(json_get(it.value, "k", &list));
	i = 0;
	for (json_items(list, &it); json_next(&it);)
		assert_source(it.value, atoms[i++]);
	assert_int_equal(i, 3);
	json_document_free(document);
	document = parse("  12.50 ");
	assert_source(json_root(document), "12.50");
	json_document_free(document);
}

static void iteration_gives_members_in_order_and_nothing_for_scalars(void **state)
{
	json_document *document = parse("{\"a\":1,\"b\":{\"c\":[1,2]},\"d\":\"\"}");
	struct json_iterator it;
	char keys[16] = "";
	for (json_members(json_root(document), &it); json_next(&it);)
		strncat(keys, it.key, sizeof(keys) - strlen(keys) - 1);
	assert_string_equal(keys, "abd");
	assert_int_equal(json_count(json_root(document)), 3);
	json_items(json_root(document), &it);
	assert_false(json_next(&it));
	struct json_value value;
	assert_true(json_get(json_root(document), "a", &value));
	json_items(value, &it);
	assert_false(json_next(&it));
	json_members(value, &it);
	assert_false(json_next(&it));
	assert_int_equal(json_count(value), 0);
	json_document_free(document);
	document = parse("[]");
	json_items(json_root(document), &it);
	assert_false(json_next(&it));
	json_document_free(document);
}

static void broken_texts_are_refused_with_their_reason(void **state)
{
	static const struct {
		const char *text;
		int status;
	} cases[] = {
		{"", SHIPOPT_EPARSE},
		{"   ", SHIPOPT_EPARSE},
		{"{", SHIPOPT_EPARSE},
		{"{\"a\":}", SHIPOPT_EPARSE},
		{"[1,]", SHIPOPT_EPARSE},
		{"[1 2]", SHIPOPT_EPARSE},
		{"\"abc", SHIPOPT_EPARSE},
		{"{\"a\":1}x", SHIPOPT_EPARSE},
		{"nul", SHIPOPT_EPARSE},
		{"[01]", SHIPOPT_EPARSE},
		{"[\"\\q\"]", SHIPOPT_EPARSE},
		{"[\"a\nb\"]", SHIPOPT_EPARSE},
		{"[1e999]", SHIPOPT_EPARSE},
		{"[\"\xff\"]", SHIPOPT_EENCODING},
		{"[\"\xc0\xaf\"]", SHIPOPT_EENCODING},
		{"<html>502</html>", SHIPOPT_EPARSE},
		{"\xef\xbb\xbf", SHIPOPT_EPARSE},
		{"\xef\xbb\xbf{\"a\":1}", 0},
		{"null", 0},
		{"\"a\"", 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(parse_status(cases[i].text, strlen(cases[i].text)), cases[i].status);
	json_document *document = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(json_document_parse("{\"a\":}", 6, &document, &error), SHIPOPT_EPARSE);
	assert_non_null(strstr(shipopt_error_message(error), "6 bytes"));
	shipopt_error_unref(error);
	assert_null(document);
	document = parse("\xef\xbb\xbf[1.50]");
	struct json_iterator it;
	json_items(json_root(document), &it);
	assert_true(json_next(&it));
	assert_source(it.value, "1.50");
	json_document_free(document);
	assert_int_equal(mem_live_count(), 0);
}

static int nested_status(int depth)
{
	char text[400];
	memset(text, '[', (size_t)depth);
	memset(text + depth, ']', (size_t)depth);
	return parse_status(text, (size_t)depth * 2);
}

static void nesting_ends_at_64(void **state)
{
	assert_int_equal(nested_status(JSON_DEPTH_MAX), 0);
	assert_int_equal(nested_status(JSON_DEPTH_MAX + 1), SHIPOPT_ETOOLARGE);
	assert_int_equal(nested_status(150), SHIPOPT_ETOOLARGE);
}

static void input_ends_at_its_limit(void **state)
{
	char *text = malloc(JSON_SIZE_MAX + 1);
	assert_non_null(text);
	memset(text, ' ', JSON_SIZE_MAX + 1);
	text[0] = '1';
	assert_int_equal(parse_status(text, JSON_SIZE_MAX), 0);
	assert_int_equal(parse_status(text, JSON_SIZE_MAX + 1), SHIPOPT_ETOOLARGE);
	free(text);
}

static void every_size_around_a_block_parses_in_place(void **state)
{
	/* The block ends right behind the padding, so that a sanitiser sees a read beyond it. */
	for (size_t size = 2; size < 300; size++) {
		char *text = malloc(size + JSON_PADDING);
		assert_non_null(text);
		memset(text, 'x', size);
		memset(text + size, 0xff, JSON_PADDING); /* what stands there must not matter */
		text[0] = text[size - 1] = '"';
		json_document *document = NULL;
		assert_int_equal(json_document_parse_padded(text, size, &document, NULL), 0);
		const char *value;
		size_t length;
		assert_true(json_text(json_root(document), &value, &length));
		assert_int_equal(length, size - 2);
		json_document_free(document);
		free(text);
	}
}

static void more_documents_than_the_stock_can_live_at_once(void **state)
{
	json_document *documents[JSON_STOCK * 2];
	char text[32];
	for (int i = 0; i < JSON_STOCK * 2; i++) {
		snprintf(text, sizeof(text), "[%d.5]", i);
		documents[i] = parse(text);
	}
	for (int i = 0; i < JSON_STOCK * 2; i++) {
		struct json_iterator it;
		json_items(json_root(documents[i]), &it);
		assert_true(json_next(&it));
		snprintf(text, sizeof(text), "%d.5", i);
		assert_source(it.value, text);
		json_document_free(documents[i]);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void *parse_in_thread(void *userdata)
{
	const char *text = userdata;
	for (int i = 0; i < 500; i++) {
		json_document *document = NULL;
		const char *bytes;
		size_t length = 0;
		struct json_value value;
		if (json_document_parse(text, strlen(text), &document, NULL) < 0 ||
			!json_get(json_root(document), "n", &value) || !json_source(value, &bytes, &length) ||
			length != 3 || memcmp(bytes, text + 5, 3) != 0)
			return userdata;
		json_document_free(document);
	}
	return NULL;
}

static void threads_share_the_stock(void **state)
{
	static char texts[4][16] = {"{\"n\":1.1}", "{\"n\":2.2}", "{\"n\":3.3}", "{\"n\":4.4}"};
	pthread_t threads[4];
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, parse_in_thread, texts[i]), 0);
	for (int i = 0; i < 4; i++) {
		void *failed;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(mem_live_count(), 0);
}

static void write_sample(struct json_writer *writer)
{
	json_begin_object(writer);
	json_member_text(writer, "text", "a\"b\\c\n\x01\x7f\xc3\xa9");
	json_member_text(writer, "none", NULL);
	json_member_i64(writer, "n", INT64_MIN);
	json_member_bool(writer, "yes", true);
	json_write_key(writer, "list");
	json_begin_array(writer);
	json_write_decimal(writer, 12500000);
	json_write_bool(writer, false);
	json_write_raw(writer, "{\"x\":1}", 7);
	json_begin_object(writer);
	json_end_object(writer);
	json_write_bytes(writer, "a\0b", 3);
	json_end_array(writer);
	json_write_key(writer, "last");
	json_write_null(writer);
	json_end_object(writer);
}

static void writer_escapes_and_separates(void **state)
{
	struct buffer buffer;
	struct json_writer writer;
	buffer_init(&buffer, 1000);
	json_writer_init(&writer, &buffer);
	write_sample(&writer);
	assert_int_equal(json_writer_finish(&writer), 0);
	assert_string_equal(buffer_text(&buffer),
		"{\"text\":\"a\\\"b\\\\c\\n\\u0001\x7f\xc3\xa9\",\"none\":null,\"n\":-9223372036854775808,\"yes\":true,"
		"\"list\":[12.5,false,{\"x\":1},{},\"a\\u0000b\"],\"last\":null}");
	assert_int_equal(parse_status(buffer_text(&buffer), buffer.length), 0);
	buffer_done(&buffer);
}

static void writer_keeps_its_first_failure(void **state)
{
	struct buffer buffer;
	struct json_writer writer;
	buffer_init(&buffer, 20);
	json_writer_init(&writer, &buffer);
	write_sample(&writer);
	assert_int_equal(json_writer_finish(&writer), SHIPOPT_ETOOLARGE);
	buffer_done(&buffer);

	buffer_init(&buffer, 1000);
	json_writer_init(&writer, &buffer);
	json_begin_array(&writer);
	json_write_text(&writer, "\xff");
	json_write_i64(&writer, 1);
	json_end_array(&writer);
	assert_int_equal(json_writer_finish(&writer), SHIPOPT_EENCODING);

	buffer_clear(&buffer);
	json_writer_init(&writer, &buffer);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_begin_array(&writer);
	for (int i = 0; i <= JSON_DEPTH_MAX; i++)
		json_end_array(&writer);
	assert_int_equal(json_writer_finish(&writer), SHIPOPT_ETOOLARGE);
	buffer_done(&buffer);
	assert_int_equal(mem_live_count(), 0);
}

#ifdef SHIPOPT_FAULTS
static void every_failed_allocation_comes_back_as_an_error(void **state)
{
	for (long passes = 0;; passes++) {
		struct buffer buffer;
		struct json_writer writer;
		json_document *document = NULL;
		buffer_init(&buffer, 1000);
		json_writer_init(&writer, &buffer);
		json_stock_clear(); /* the parser is made anew each time, by the operator new of operator_new.cc */
		fault_arm(passes);
		write_sample(&writer);
		int r = json_writer_finish(&writer);
		if (r == 0)
			r = json_document_parse(buffer_text(&buffer), buffer.length, &document, NULL);
		bool fired = fault_fired();
		fault_arm(-1);
		assert_int_equal(r, fired ? SHIPOPT_ENOMEM : 0);
		json_document_free(document);
		buffer_done(&buffer);
		assert_int_equal(mem_live_count(), 0);
		if (!fired) {
			assert_true(passes > 2);
			break;
		}
	}
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_are_found_by_key_and_path),
		cmocka_unit_test(integers_know_their_range),
		cmocka_unit_test(sources_are_the_bytes_of_the_text),
		cmocka_unit_test(iteration_gives_members_in_order_and_nothing_for_scalars),
		cmocka_unit_test(broken_texts_are_refused_with_their_reason),
		cmocka_unit_test(nesting_ends_at_64),
		cmocka_unit_test(input_ends_at_its_limit),
		cmocka_unit_test(every_size_around_a_block_parses_in_place),
		cmocka_unit_test(more_documents_than_the_stock_can_live_at_once),
		cmocka_unit_test(threads_share_the_stock),
		cmocka_unit_test(writer_escapes_and_separates),
		cmocka_unit_test(writer_keeps_its_first_failure),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failed_allocation_comes_back_as_an_error),
#endif
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
