/* SPDX-License-Identifier: MIT */
#ifndef TESTS_INTEGRATION_SANDBOX_ORDERS_H
#define TESTS_INTEGRATION_SANDBOX_ORDERS_H

#include "cmocka_test.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "json/json.h"
#include "sandbox_process.h"

/* Orders for the sandbox's own tests: created and bought by hand, without the library under test. */

#define ADDRESS_FROM "{\"street1\":\"179 N Harbor Dr\",\"city\":\"Redondo Beach\",\"state\":\"CA\",\"zip\":\"90277\"}"
#define ADDRESS_TO "{\"street1\":\"1 Market St\",\"city\":\"San Francisco\",\"state\":\"CA\",\"zip\":\"94107\"}"

/* A shipment as it was created: what a purchase needs. */
struct order {
	char id[64], rate[64], path[128], buy[128], carrier[32], price[16];
};

/* The text of a member or of a member's member; fails the test if it is not there. */
static inline void copy_text(struct json_value object, const char *key, const char *key2, char *ret_text, size_t size)
{
	struct json_value value;
	const char *text;
	assert_true(key2 ? json_get2(object, key, key2, &value) : json_get(object, key, &value));
	assert_true(json_text(value, &text, NULL));
	snprintf(ret_text, size, "%s", text);
}

static inline json_document *parse(const struct buffer *body)
{
	json_document *document = NULL;
	assert_int_equal(json_document_parse(buffer_text(body), body->length, &document, NULL), 0);
	return document;
}

/* Reads id and cheapest rate from the answer of a creation. */
static inline void read_order(const struct buffer *body, struct order *ret_order)
{
	json_document *document = parse(body);
	struct json_value rates;
	struct json_iterator it;
	copy_text(json_root(document), "id", NULL, ret_order->id, sizeof(ret_order->id));
	assert_true(json_get(json_root(document), "rates", &rates));
	json_items(rates, &it);
	assert_true(json_next(&it));
	copy_text(it.value, "id", NULL, ret_order->rate, sizeof(ret_order->rate));
	copy_text(it.value, "carrier", NULL, ret_order->carrier, sizeof(ret_order->carrier));
	copy_text(it.value, "rate", NULL, ret_order->price, sizeof(ret_order->price));
	snprintf(ret_order->path, sizeof(ret_order->path), "/v2/shipments/%.63s/buy", ret_order->id);
	snprintf(ret_order->buy, sizeof(ret_order->buy), "{\"rate\":{\"id\":\"%.63s\"}}", ret_order->rate);
	json_document_free(document);
}

static inline int create_order(struct sandbox *sandbox, const char *reference, struct order *ret_order)
{
	char json[1024];
	struct buffer body;
	buffer_init(&body, 1 << 20);
	snprintf(json, sizeof(json),
		"{\"shipment\":{\"to_address\":%s,\"from_address\":%s,\"parcel\":{\"weight\":15.4},"
		"\"reference\":\"%s\"}}",
		ADDRESS_TO, ADDRESS_FROM, reference);
	int status = sandbox_post(sandbox, "/v2/shipments", json, &body);
	if (status == 201)
		read_order(&body, ret_order);
	buffer_done(&body);
	return status;
}

/* The error code of an answer, "" if it has none. */
static inline void read_error_code(const struct buffer *body, char *ret_code, size_t size)
{
	json_document *document = parse(body);
	struct json_value value;
	const char *text = "";
	if (json_get2(json_root(document), "error", "code", &value))
		json_text(value, &text, NULL);
	snprintf(ret_code, size, "%s", text);
	json_document_free(document);
}

/* Buys; 200, or asserts the error code of what else came. */
static inline int buy_order(struct sandbox *sandbox, const struct order *order, const char *error_code)
{
	char code[64];
	struct buffer body;
	buffer_init(&body, 1 << 20);
	int status = sandbox_post(sandbox, order->path, order->buy, &body);
	if (error_code) {
		read_error_code(&body, code, sizeof(code));
		assert_string_equal(code, error_code);
	}
	buffer_done(&body);
	return status;
}

static inline bool is_bought(struct sandbox *sandbox, const struct order *order)
{
	char path[128];
	struct json_value value;
	struct buffer body;
	buffer_init(&body, 1 << 20);
	snprintf(path, sizeof(path), "/v2/shipments/%.63s", order->id);
	assert_int_equal(sandbox_get(sandbox, path, &body), 200);
	json_document *document = parse(&body);
	assert_true(json_get(json_root(document), "postage_label", &value));
	bool is = json_type(value) == JSON_OBJECT;
	json_document_free(document);
	buffer_done(&body);
	return is;
}

#endif
