/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "record/record.h"

/*
 * What a shipment answer of 13 KB (12 rates, addresses, tracker) costs: the parse alone, the parse and the dozen fields
 * a purchase looks at, and a whole record. Prints microseconds for each, of the best of several runs.
 */
#define RATES 12
#define ROUNDS 50
#define RUNS 300
#define TARGET_BYTES 13000

static void make_rate(struct json_writer *writer, int index)
{
	char id[48];
	snprintf(id, sizeof(id), "rate_%032d", index);
	json_begin_object(writer);
	json_member_text(writer, "id", id);
	json_member_text(writer, "object", "Rate");
	json_member_text(writer, "created_at", "2025-11-07T18:00:55Z");
	json_member_text(writer, "updated_at", "2025-11-07T18:00:55Z");
	json_member_text(writer, "mode", "test");
	json_member_text(writer, "service", "GroundAdvantage");
	json_member_text(writer, "carrier", "USPS");
	json_member_text(writer, "rate", "5.21");
	json_member_text(writer, "currency", "USD");
	json_member_text(writer, "retail_rate", "8.45");
	json_member_text(writer, "retail_currency", "USD");
	json_member_text(writer, "list_rate", "6.07");
	json_member_text(writer, "list_currency", "USD");
	json_member_text(writer, "billing_type", "easypost");
	json_member_i64(writer, "delivery_days", index % 5 + 1);
	json_member_text(writer, "delivery_date", NULL);
	json_member_bool(writer, "delivery_date_guaranteed", false);
	json_member_i64(writer, "est_delivery_days", index % 5 + 1);
	json_member_text(writer, "shipment_id", "shp_00000000000000000000000000000000");
	json_member_text(writer, "carrier_account_id", "ca_00000000000000000000000000000000");
	json_end_object(writer);
}

static void make_address(struct json_writer *writer, const char *key)
{
	json_write_key(writer, key);
	json_begin_object(writer);
	json_member_text(writer, "id", "adr_00000000000000000000000000000000");
	json_member_text(writer, "object", "Address");
	json_member_text(writer, "created_at", "2025-11-07T18:00:55+00:00");
	json_member_text(writer, "updated_at", "2025-11-07T18:00:55+00:00");
	json_member_text(writer, "name", "PUBLIC LIBRARY");
	json_member_text(writer, "company", NULL);
	json_member_text(writer, "street1", "476 5TH AVE");
	json_member_text(writer, "street2", NULL);
	json_member_text(writer, "city", "NEW YORK");
	json_member_text(writer, "state", "NY");
	json_member_text(writer, "zip", "10018-2788");
	json_member_text(writer, "country", "US");
	json_member_text(writer, "phone", NULL);
	json_member_bool(writer, "residential", false);
	json_write_key(writer, "verifications");
	json_begin_object(writer);
	json_end_object(writer);
	json_end_object(writer);
}

static void make_events(struct json_writer *writer, size_t target)
{
	json_write_key(writer, "tracker");
	json_begin_object(writer);
	json_member_text(writer, "id", "trk_00000000000000000000000000000000");
	json_member_text(writer, "status", "in_transit");
	json_write_key(writer, "tracking_details");
	json_begin_array(writer);
	while (writer->status == 0 && writer->buffer->length < target) {
		json_begin_object(writer);
		json_member_text(writer, "object", "TrackingDetail");
		json_member_text(writer, "message", "Arrived at post office");
		json_member_text(writer, "status", "in_transit");
		json_member_text(writer, "datetime", "2025-11-08T06:12:00Z");
		json_member_text(writer, "source", "USPS");
		json_write_key(writer, "tracking_location");
		json_begin_object(writer);
		json_member_text(writer, "city", "CHARLESTON");
		json_member_text(writer, "state", "SC");
		json_member_text(writer, "country", NULL);
		json_member_text(writer, "zip", "29407");
		json_end_object(writer);
		json_end_object(writer);
	}
	json_end_array(writer);
	json_end_object(writer);
}

static int make_shipment(struct buffer *buffer)
{
	struct json_writer writer;
	json_writer_init(&writer, buffer);
	json_begin_object(&writer);
	json_member_text(&writer, "id", "shp_00000000000000000000000000000000");
	json_member_text(&writer, "object", "Shipment");
	json_member_text(&writer, "created_at", "2025-11-07T18:00:55Z");
	json_member_text(&writer, "tracking_code", "9400100208303109500690");
	json_member_text(&writer, "status", "unknown");
	make_address(&writer, "from_address");
	make_address(&writer, "to_address");
	make_address(&writer, "return_address");
	make_address(&writer, "buyer_address");
	json_write_key(&writer, "parcel");
	json_begin_object(&writer);
	json_write_key(&writer, "weight");
	json_write_decimal(&writer, 15400000);
	json_end_object(&writer);
	json_write_key(&writer, "postage_label");
	json_begin_object(&writer);
	json_member_text(&writer, "label_url", "https://labels.example.com/20251107/label.png");
	json_end_object(&writer);
	json_write_key(&writer, "rates");
	json_begin_array(&writer);
	for (int i = 0; i < RATES; i++)
		make_rate(&writer, i);
	json_end_array(&writer);
	make_events(&writer, TARGET_BYTES);
	json_end_object(&writer);
	return json_writer_finish(&writer);
}

static int64_t parse_only(const struct buffer *buffer)
{
	json_document *document CLEANUP_JSON = NULL;
	return json_document_parse_padded(buffer->data, buffer->length, &document, NULL) == 0;
}

static int64_t extract_rates(struct json_value shipment)
{
	static const char *const texts[] = {"id", "carrier", "service", "currency"};
	struct json_iterator it;
	struct json_value rates, value;
	const char *text;
	size_t length;
	int64_t sum = 0, number;
	if (!json_get(shipment, "rates", &rates))
		return -1;
	for (json_items(rates, &it); json_next(&it);) {
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			sum += json_get(it.value, texts[i], &value) && json_text(value, &text, &length)
				? (int64_t)length
				: 0;
		if (json_get(it.value, "rate", &value) && json_text(value, &text, &length) &&
			decimal_parse(text, length, &number) == 0)
			sum += number;
		if (json_get(it.value, "delivery_days", &value) && json_i64(value, &number))
			sum += number;
	}
	return sum;
}

static int64_t parse_and_extract(const struct buffer *buffer)
{
	json_document *document CLEANUP_JSON = NULL;
	struct json_value value;
	const char *source;
	size_t length = 0;
	int64_t number;
	if (json_document_parse_padded(buffer->data, buffer->length, &document, NULL) < 0)
		return -1;
	struct json_value root = json_root(document);
	int64_t sum = extract_rates(root) + (json_get_text(root, "id") != NULL) +
		(json_get_text(root, "tracking_code") != NULL);
	sum += json_get2(root, "postage_label", "label_url", &value);
	if (json_get2(root, "parcel", "weight", &value) && json_source(value, &source, &length) &&
		decimal_parse(source, length, &number) == 0)
		sum += number;
	return sum;
}

static int64_t decode_record(const struct buffer *buffer)
{
	json_document *document CLEANUP_JSON = NULL;
	shipopt_record *record CLEANUP_RECORD = NULL;
	if (json_document_parse_padded(buffer->data, buffer->length, &document, NULL) < 0 ||
		record_decode_value(SHIPOPT_RECORD_SHIPMENT, json_root(document), &record) < 0 ||
		record_keep_source(record, json_root(document)) < 0)
		return -1;
	return (int64_t)shipopt_record_count(record, SHIPOPT_SHIPMENT_RATES);
}

static double now_us(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static double measure(int64_t (*function)(const struct buffer *), const struct buffer *buffer)
{
	double best = 1e9;
	for (int run = 0; run < RUNS; run++) {
		int64_t sum = 0;
		double begin = now_us();
		for (int i = 0; i < ROUNDS; i++)
			sum += function(buffer);
		double each = (now_us() - begin) / ROUNDS;
		if (sum <= 0)
			return -1;
		best = each < best ? each : best;
	}
	return best;
}

int main(void)
{
	struct buffer buffer;
	buffer_init_padded(&buffer, BUFFER_LIMIT_DEFAULT, JSON_PADDING);
	if (make_shipment(&buffer) < 0)
		return 1;
	printf("shipment %zu bytes, %d rates\n", buffer.length, RATES);
	printf("parse           %6.2f us\n", measure(parse_only, &buffer));
	printf("parse, extract  %6.2f us\n", measure(parse_and_extract, &buffer));
	printf("whole record    %6.2f us\n", measure(decode_record, &buffer));
	buffer_done(&buffer);
	json_stock_clear();
	return 0;
}
