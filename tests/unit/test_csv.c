/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/text.h"
#include "orders/source.h"
#include "orders/source_csv.h"
#include "orders/source_table.h"
#include "json/json.h"
#include "temporary.h"

static const size_t block_sizes[] = {1, 2, 3, 7, 65536};

static char path[TEMPORARY_PATH_SIZE];

/* In memory: tens of thousands of files on a disk take their time. */
static int descriptor;

static int make_path(void **state)
{
	descriptor = memfd_create("orders", MFD_CLOEXEC);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", descriptor);
	return descriptor < 0;
}

static int remove_path(void **state)
{
	return close(descriptor);
}

/* ---- rows -------------------------------------------------------------------------------------------------- */

/* Rows as text: "line:cell|cell;", a problem as its number in front. */
static void describe_rows(struct row_format format, size_t block_bytes, struct buffer *text)
{
	struct row_reader reader;
	shipopt_source_config *config = NULL;
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, "columns_max", "4"), 0);
	assert_int_equal(shipopt_source_config_set(config, "line_max_bytes", "256"), 0);
	assert_int_equal(row_reader_open(&reader, path, format, block_bytes, config, NULL), 0);
	shipopt_source_config_free(config);
	int r;
	while ((r = row_reader_next(&reader, NULL)) == 1) {
		if (reader.problem)
			buffer_append_format(text, "!%d@%lld ", reader.problem, (long long)reader.problem_offset);
		buffer_append_format(text, "%lld:", (long long)reader.row_line);
		for (size_t i = 0; i < reader.cells_kept; i++) {
			buffer_append_text(text, i ? "|" : "");
			buffer_append(text, reader.text.data + reader.cells[i].begin, reader.cells[i].length);
		}
		buffer_append_text(text, ";");
	}
	assert_int_equal(r, 0);
	assert_int_equal(row_reader_next(&reader, NULL), 0);
	row_reader_close(&reader);
}

static void assert_rows(struct row_format format, const char *input, size_t length, const char *expected)
{
	temporary_write(path, input, length);
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		struct buffer text;
		buffer_init(&text, 1 << 20);
		describe_rows(format, block_sizes[i], &text);
		for (size_t j = 0; j < text.length; j++) /* NULs can be seen */
			text.data[j] = text.data[j] ? text.data[j] : '0';
		if (!text_equal(buffer_text(&text), expected))
			fail_msg("\"%s\" in blocks of %zu gave\n%s\nnot\n%s", input, block_sizes[i], buffer_text(&text),
				expected);
		buffer_done(&text);
	}
	assert_int_equal(mem_live_count(), 0);
}

#define CASE(input, expected)                      \
	{                                          \
		input, sizeof(input) - 1, expected \
	}

static void csv_rows_are_the_same_whatever_the_block_size(void **state)
{
	static const struct {
		const char *input;
		size_t length;
		const char *expected;
	} cases[] = {
		CASE("", ""),
		CASE("\n", ""),
		CASE("\n\r\n\r\r\n", ""),
		CASE("\xef\xbb\xbf", ""),
		CASE("a", "1:a;"),
		CASE("a,b\n", "1:a|b;"),
		CASE("a,b\r\nc,d\r\n", "1:a|b;2:c|d;"),
		CASE("a,b\rc,d\r", "1:a|b;2:c|d;"),
		CASE("a\n\n\nb", "1:a;4:b;"),
		CASE("a\r\r\nb", "1:a;3:b;"),
		CASE("a\n   \nb", "1:a;3:b;"),
		CASE("a,b\n,\n", "1:a|b;2:|;"),
		CASE(",\n,", "1:|;2:|;"),
		CASE("\"\"\n", "1:;"),
		CASE("\"\",\"\"", "1:|;"),
		CASE("\"a,b\",c", "1:a,b|c;"),
		CASE("\"a\"\"b\"\"\",c", "1:a\"b\"|c;"),
		CASE("\"\"\"\"", "1:\";"),
		CASE("\"a\nb\",c\nd,e", "1:a\nb|c;3:d|e;"),
		CASE("\"a\r\nb\r\n\",c\r\nd", "1:a\r\nb\r\n|c;4:d;"),
		CASE("\"a\rb\",c\nd", "1:a\rb|c;3:d;"),
		CASE("12\" pipe,5'\" b\n", "1:12\" pipe|5'\" b;"),
		CASE(" \"a\",b", "1: \"a\"|b;"),
		CASE("\"a\"x,b\nc", "!4@3 1:ax|b;2:c;"),
		CASE("\"a\" ,b\nc", "!4@3 1:a |b;2:c;"),
		CASE("\"a\"x\"y,z\"\nc", "!4@3 1:ax\"y|z\";2:c;"),
		CASE("a\n\"b,c\nd\n", "1:a;!5@9 2:b,c\nd\n;"),
		CASE("a,\"", "!5@3 1:a|;"),
		CASE("a\0b,c\nd", "!3@1 1:a0b|c;2:d;"),
		CASE("\0\nd", "!3@0 1:0;2:d;"),
		CASE("\"a\0\",c\nd", "!3@2 1:a0|c;2:d;"),
		CASE("1,2,3,4\n1,2,3,4,5,6\nx", "1:1|2|3|4;!2@16 2:1|2|3|4;3:x;"),
		CASE("\xef\xbb\xbf\"a\",b\n\xef\xbb\xbf", "1:a|b;2:\xef\xbb\xbf;"),
		CASE("\xef\xbb", "1:\xef\xbb;"),
		CASE("\xef\xbbx", "1:\xef\xbbx;"),
		CASE("\xef\xbb\xbf\r\n\r\na", "3:a;"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_rows(FORMAT_CSV, cases[i].input, cases[i].length, cases[i].expected);
}

static void tsv_rows_know_no_quotes(void **state)
{
	static const struct {
		const char *input;
		size_t length;
		const char *expected;
	} cases[] = {
		CASE("a\tb\r\n\"c\t\"\"\n", "1:a|b;2:\"c|\"\";"),
		CASE("a,b\t\"", "1:a,b|\";"),
		CASE("\t\t\n", "1:||;"),
		CASE("1\t2\t3\t4\t5", "!2@8 1:1|2|3|4;"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_rows(FORMAT_TSV, cases[i].input, cases[i].length, cases[i].expected);
}

static void lines_are_taken_whole(void **state)
{
	assert_rows(FORMAT_LINES, "{\"a\":\"b,\tc\"}\r\n\n  \n{}", 20, "1:{\"a\":\"b,\tc\"};4:{};");
	assert_rows(FORMAT_LINES, "a\0b\nc", 5, "!3@1 1:a0b;2:c;");
}

static void a_row_of_the_bound_passes_and_one_byte_more_does_not(void **state)
{
	char text[600];
	for (size_t over = 0; over < 2; over++) {
		memset(text, 'v', sizeof(text));
		memcpy(text, "k,", 2);
		memcpy(text + 256 + over, "\nnext,x\n", 9);
		temporary_write(path, text, strlen(text));
		for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
			struct buffer rows;
			buffer_init(&rows, 1 << 20);
			describe_rows(FORMAT_CSV, block_sizes[i], &rows);
			assert_int_equal(strncmp(buffer_text(&rows), "!1@", 3) == 0, over);
			assert_non_null(strstr(buffer_text(&rows), over ? " 1:k;2:next|x;" : ";2:next|x;"));
			buffer_done(&rows);
		}
	}
	assert_int_equal(mem_live_count(), 0);
}

static void an_overlong_quoted_cell_hides_no_rows(void **state)
{
	struct buffer text;
	buffer_init(&text, 1 << 20);
	buffer_append_text(&text, "\"");
	for (int i = 0; i < 100; i++)
		buffer_append_text(&text, "stolen,row\n");
	buffer_append_text(&text, "\",x\nnext,y");
	temporary_write(path, text.data, text.length);
	buffer_clear(&text);
	describe_rows(FORMAT_CSV, 7, &text);
	assert_non_null(strstr(buffer_text(&text), "!1@"));
	assert_non_null(strstr(buffer_text(&text), " 1:;102:next|y;"));
	buffer_done(&text);
}

/* ---- orders of a file -------------------------------------------------------------------------------------- */

static shipopt_source *open_text(const char *text, struct row_format format, size_t block_bytes)
{
	shipopt_source *source = NULL;
	shipopt_error *error = NULL;
	temporary_write(path, text, strlen(text));
	int r = table_source_open(path, format, block_bytes, NULL, &source, &error);
	if (r < 0)
		fail_msg("%s", shipopt_error_message(error));
	return source;
}

/* The name of the temporary file is not known to the tests: they compare what follows it. */
static const char *after_name(const shipopt_error *error)
{
	const char *message = shipopt_error_message(error);
	assert_non_null(message);
	const char *line = strstr(message, " line ");
	return line ? line + 1 : message;
}

static shipopt_order *next_order(shipopt_source *source)
{
	shipopt_order *order = NULL;
	assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
	return order;
}

static void assert_order_failed(shipopt_source *source, const char *key, int64_t line, int status, const char *message,
	const char *input)
{
	shipopt_order *order = next_order(source);
	assert_int_equal(order->status, status);
	assert_string_equal(shipopt_order_key(order), key);
	assert_int_equal(order->line, line);
	assert_string_equal(after_name(order->error), message);
	assert_string_equal(order->input, input);
	shipopt_order_free(order);
}

static void assert_end(shipopt_source *source)
{
	shipopt_order *order = NULL;
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_END);
	shipopt_source_free(source);
	assert_int_equal(mem_live_count(), 0);
}

static void columns_set_the_order_and_its_shipment(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		shipopt_source *source =
			open_text("\xef\xbb\xbf Order_Key ,service,carrier,MAX_RATE,tracking_code,piece,to_name,"
				  "weight_oz,item2_quantity\r\n"
				  " a-1 ,Ground,UPS,12.50,1Z,3,\"Straße 5, \"\"B\"\"\",10.5,4\r\n"
				  "b,,,,,,,,\r\n",
				FORMAT_CSV, block_sizes[i]);
		shipopt_order *order = next_order(source);
		assert_int_equal(order->status, 0);
		assert_string_equal(order->key, "a-1");
		assert_string_equal(order->service, "Ground");
		assert_string_equal(order->carrier, "UPS");
		assert_string_equal(order->tracking_code, "1Z");
		assert_int_equal(order->max_rate, 12500000);
		assert_int_equal(order->piece, 3);
		assert_int_equal(order->line, 2);
		assert_non_null(order->input);
		const shipopt_record *to = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_TO_ADDRESS);
		assert_string_equal(shipopt_record_text(to, SHIPOPT_ADDRESS_NAME), "Straße 5, \"B\"");
		const shipopt_record *parcel = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_PARCEL);
		assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, -1), 10500000);
		shipopt_order_free(order);
		order = next_order(source);
		assert_int_equal(order->status, 0);
		assert_int_equal(order->piece, 1);
		assert_null(order->shipment);
		assert_null(order->service);
		shipopt_order_free(order);
		assert_end(source);
	}
}

static void a_generation_is_a_column(void **state)
{
	shipopt_order *order = NULL;
	shipopt_source *source = open_text("order_key,generation\na,2\nb,\nc,10000\n", FORMAT_CSV, 64);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
	assert_int_equal(order->generation, 2);
	shipopt_order_free(order);
	assert_int_equal(source_next(source, &order, NULL), SOURCE_ORDER);
	assert_int_equal(order->generation, 0);
	shipopt_order_free(order);
	assert_order_failed(source, "c", 4, SHIPOPT_EPARSE,
		"line 4, column \"generation\": 10000 is not between 0 and 9999", "c,10000");
	assert_end(source);
}

static void bad_rows_name_line_column_and_value(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		shipopt_source *source = open_text("order_key,weight_oz,max_rate,piece\n"
						   "a,abc,,\n"
						   "b,1,x,\n"
						   "\"c\nc\",1,-1,\n"
						   "d,1,,0\n"
						   "e,1,,1.5\n"
						   ",1,,\n"
						   "g,1\n"
						   "h,1,,1,5,6\n"
						   "i,\"1\"2,,\n"
						   "\"\"\"j\xff\",1,,\n"
						   "k,\"\"\"\xc3(\",,\n"
						   "l,1,,1\n"
						   "l2,1,-1,\n"
						   "\"m,1,,\nx",
			FORMAT_CSV, block_sizes[i]);
		assert_order_failed(source, "a", 2, SHIPOPT_EPARSE,
			"line 2, column \"weight_oz\": \"abc\" is not a number", "a,abc,,");
		assert_order_failed(source, "b", 3, SHIPOPT_EPARSE,
			"line 3, column \"max_rate\": \"x\" is not an amount", "b,1,x,");
		assert_order_failed(source, "", 4, SHIPOPT_EPARSE,
			"line 4, column \"order_key\": the key \"c\\u000ac\" has \\u000a at offset 1, a character that cannot be seen: take it out",
			"\"c\nc\",1,-1,");
		assert_order_failed(source, "d", 6, SHIPOPT_EPARSE,
			"line 6, column \"piece\": 0 is not between 1 and 9999", "d,1,,0");
		assert_order_failed(source, "e", 7, SHIPOPT_EPARSE,
			"line 7, column \"piece\": \"1.5\" is not an integer", "e,1,,1.5");
		assert_order_failed(source, "", 8, SHIPOPT_EPARSE, "line 8, column \"order_key\" is empty", ",1,,");
		assert_order_failed(source, "g", 9, SHIPOPT_EPARSE, "line 9: the row has 2 cells, the header has 4",
			"g,1");
		assert_order_failed(source, "h", 10, SHIPOPT_EPARSE, "line 10: the row has 6 cells, the header has 4",
			"h,1,,1,5,6");
		assert_order_failed(source, "i", 11, SHIPOPT_EPARSE,
			"line 11: text after the closing quote of cell 2, at offset 103 of the file", "i,\"1\"2,,");
		assert_order_failed(source, "", 12, SHIPOPT_EENCODING,
			"line 12, column \"order_key\": byte 0xff at offset 111 of the file is not UTF-8",
			"\"\"\"j?\",1,,");
		assert_order_failed(source, "k", 13, SHIPOPT_EENCODING,
			"line 13, column \"weight_oz\": byte 0xc3 at offset 123 of the file is not UTF-8",
			"k,\"\"\"?(\",,");
		shipopt_order *good = next_order(source);
		assert_int_equal(good->status, 0);
		shipopt_order_free(good);
		assert_order_failed(source, "l2", 15, SHIPOPT_EPARSE, "line 15, column \"max_rate\": -1 is below 0",
			"l2,1,-1,");
		assert_order_failed(source, "", 16, SHIPOPT_EPARSE,
			"line 16: the quote that opens cell 1 in line 16 is never closed: the rest of the file belongs to that cell",
			"\"m,1,,\nx");
		assert_end(source);
	}
}

static void assert_header(const char *text, size_t length, int status, const char *message)
{
	temporary_write(path, text, length);
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		shipopt_source *source = NULL;
		shipopt_error *error = NULL;
		assert_int_equal(table_source_open(path, FORMAT_CSV, block_sizes[i], NULL, &source, &error), status);
		assert_null(source);
		if (!strstr(shipopt_error_message(error), message))
			fail_msg("\"%s\" is not in \"%s\"", message, shipopt_error_message(error));
		shipopt_error_unref(error);
	}
	assert_int_equal(mem_live_count(), 0);
}

#define ASSERT_HEADER(text, status, message) assert_header(text, sizeof(text) - 1, status, message)

static void assert_keys(const char *text, const char *const *keys)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		shipopt_source *source = open_text(text, FORMAT_CSV, block_sizes[i]);
		for (size_t j = 0; keys[j]; j++) {
			shipopt_order *order = next_order(source);
			if (order->status < 0)
				fail_msg("%s", shipopt_error_message(order->error));
			assert_string_equal(order->key, keys[j]);
			shipopt_order_free(order);
		}
		assert_end(source);
	}
}

static void keys_that_look_the_same_are_one_key(void **state)
{
	static const char *const numbers[] = {"1001", "1001", "1001", "1001", "1001", NULL};
	static const char *const accents[] = {"Caf\u00e9-7", "Caf\u00e9-7", NULL};
	assert_keys(
		"order_key,to_name\r\n1001,a\r\n1001\u00a0,a\r\n\u200b1001,a\r\n1001\ufeff,a\r\n\"\t\u30001001\u2028\",a\r\n",
		numbers);
	assert_keys("order_key\nCaf\u00e9-7\nCafe\u0301-7\n", accents);
}

static void headers_are_trimmed_of_what_cannot_be_seen(void **state)
{
	static const char *const key[] = {"A-1", NULL};
	assert_keys("\ufeff\ufefforder_key,to_name\nA-1,x\n", key); /* two byte order marks */
	assert_keys("\u00a0Order_Key\u200b,to_zip\u00a0\nA-1,80203\n", key);
	shipopt_source *source =
		open_text("order_key,to_zip\u00a0,to_state,weight_oz,piece,carrier,service\n"
			  "A-1,80203\u00a0,\u00a0AP\u200b,\u00a012.5\u202f,2\u00a0,UPS\u00a0,\ufeffGround\n",
			FORMAT_CSV, 7);
	shipopt_order *order = next_order(source);
	assert_int_equal(order->status, 0);
	const shipopt_record *to = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_TO_ADDRESS);
	assert_string_equal(shipopt_record_text(to, SHIPOPT_ADDRESS_ZIP), "80203");
	assert_string_equal(shipopt_record_text(to, SHIPOPT_ADDRESS_STATE), "AP");
	const shipopt_record *parcel = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_PARCEL);
	assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, -1), 12500000);
	assert_int_equal(order->piece, 2);
	assert_string_equal(order->carrier, "UPS");
	assert_string_equal(order->service, "Ground");
	shipopt_order_free(order);
	assert_end(source);
}

static void keys_in_doubt_are_refused_with_what_is_wrong_with_them(void **state)
{
	char text[512], message[128], long_key[ORDER_KEY_BYTES_MAX + 2];
	memset(long_key, 'k', sizeof(long_key));
	long_key[sizeof(long_key) - 1] = '\0';
	snprintf(text, sizeof(text),
		"order_key,weight_oz\n10\u200b01,1\n\u00a0,1\n1001,1\n1001.0,1\n1002.,1\n1001.5,1\n1,1\u00a02\n%s,1\n",
		long_key);
	shipopt_source *source = open_text(text, FORMAT_CSV, 65536);
	assert_order_failed(source, "", 2, SHIPOPT_EPARSE,
		"line 2, column \"order_key\": the key \"10\\u200b01\" has \\u200b at offset 2, a character that cannot be seen: take it out",
		"10\u200b01,1");
	assert_order_failed(source, "", 3, SHIPOPT_EPARSE, "line 3, column \"order_key\" is empty", "\u00a0,1");
	shipopt_order *order = next_order(source);
	assert_int_equal(order->status, 0);
	shipopt_order_free(order);
	/* Programs that keep numbers as floating-point numbers write 1001 so. */
	assert_order_failed(source, "1001.0", 5, SHIPOPT_EPARSE,
		"line 5, column \"order_key\": \"1001.0\" is a whole number written as a fraction: write it without "
		"the point",
		"1001.0,1");
	assert_order_failed(source, "1002.", 6, SHIPOPT_EPARSE,
		"line 6, column \"order_key\": \"1002.\" is a whole number written as a fraction: write it without "
		"the point",
		"1002.,1");
	order = next_order(source);
	assert_int_equal(order->status, 0);
	assert_string_equal(order->key, "1001.5");
	shipopt_order_free(order);
	assert_order_failed(source, "1", 8, SHIPOPT_EPARSE,
		"line 8, column \"weight_oz\": \"1\\u00a02\" is not a number", "1,1\u00a02");
	snprintf(text, sizeof(text), "%s,1", long_key);
	snprintf(message, sizeof(message), "line 9, column \"order_key\": the key has %d bytes, the limit is %d",
		ORDER_KEY_BYTES_MAX + 1, ORDER_KEY_BYTES_MAX);
	assert_order_failed(source, "", 9, SHIPOPT_ETOOLARGE, message, text);
	assert_end(source);
}

static void headers_are_refused_with_their_reason(void **state)
{
	ASSERT_HEADER("", SHIPOPT_EPARSE, "is empty");
	ASSERT_HEADER("\xef\xbb\xbf\r\n\n", SHIPOPT_EPARSE, "is empty");
	ASSERT_HEADER("order_key,to_nme\n", SHIPOPT_EPARSE,
		"line 1, column \"to_nme\" is not known; did you mean \"to_name\"?");
	ASSERT_HEADER("key\n", SHIPOPT_EPARSE, "column \"key\" is not known");
	ASSERT_HEADER("order_key,item3_quantitty\n", SHIPOPT_EPARSE, "did you mean \"item3_quantity\"?");
	ASSERT_HEADER("order_key,weight\n", SHIPOPT_EPARSE, "did you mean \"weight_oz\"?");
	ASSERT_HEADER("order_key,qqqqqqqqqqqqqqqqqqqqqqqq\n", SHIPOPT_EPARSE, "known are order_key");
	ASSERT_HEADER("order_key,to_name,order_key\n", SHIPOPT_EPARSE,
		"column \"order_key\" is in the header twice, as number 1 and 3");
	ASSERT_HEADER("order_key,to_name,To_Name\n", SHIPOPT_EPARSE,
		"column \"to_name\" is in the header twice, as number 2 and 3");
	ASSERT_HEADER("order_key,,to_name\n", SHIPOPT_EPARSE, "column 2 has no name");
	ASSERT_HEADER("to_name,to_zip\n", SHIPOPT_EPARSE, "column \"order_key\" is missing");
	ASSERT_HEADER("order_key,\xff\n", SHIPOPT_EENCODING, "byte 0xff at offset 10");
	ASSERT_HEADER("order_key,to_zip,to_zip\u00a0\n", SHIPOPT_EPARSE,
		"column \"to_zip\" is in the header twice, as number 2 and 3");
	ASSERT_HEADER("order_key,to\u200b_zip\n", SHIPOPT_EPARSE,
		"column \"to\\u200b_zip\" is not known; did you mean \"to_zip\"?");
	ASSERT_HEADER("order_key\0\n", SHIPOPT_EPARSE, "a NUL byte at offset 9");
	ASSERT_HEADER("\xff\xfeo\0r\0", SHIPOPT_EENCODING, "is UTF-16: save it as UTF-8");
	ASSERT_HEADER("order_key,\"to_name", SHIPOPT_EPARSE, "never closed");
	ASSERT_HEADER("order_key,option_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n",
		SHIPOPT_EPARSE, "the limit is 63");
}

static void too_many_columns_are_one_failed_item(void **state)
{
	shipopt_source_config *config = NULL;
	shipopt_source *source = NULL;
	assert_int_equal(shipopt_source_config_new(&config), 0);
	assert_int_equal(shipopt_source_config_set(config, "columns_max", "2"), 0);
	temporary_write(path, "order_key,to_name\na,b,c\nd,e\n", strlen("order_key,to_name\na,b,c\nd,e\n"));
	assert_int_equal(shipopt_source_open_csv(path, config, &source, NULL), 0);
	assert_order_failed(source, "a", 2, SHIPOPT_ETOOLARGE,
		"line 2: the row has 3 cells, the limit is 2 (setting columns_max)", "a,b,c");
	shipopt_order_free(next_order(source));
	shipopt_source_config_free(config);
	assert_end(source);
}

static void missing_files_and_folders_say_why(void **state)
{
	shipopt_source *source = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_source_open_csv("/nonexistent/orders.csv", NULL, &source, &error), SHIPOPT_EIO);
	assert_string_equal(shipopt_error_message(error),
		"cannot open \"/nonexistent/orders.csv\": No such file or directory");
	shipopt_error_unref(TAKE(error));
	assert_int_equal(shipopt_source_open_json_lines("/tmp", NULL, &source, &error), SHIPOPT_EIO);
	assert_string_equal(shipopt_error_message(error), "cannot read \"/tmp\": Is a directory");
	shipopt_error_unref(TAKE(error));
	assert_int_equal(shipopt_source_open_tsv(NULL, NULL, &source, NULL), SHIPOPT_EINVAL);
	assert_int_equal(mem_live_count(), 0);
}

static void inputs_are_cut_between_characters(void **state)
{
	struct buffer text;
	buffer_init(&text, 1 << 20);
	buffer_append_text(&text, "order_key,to_name\nk,");
	while (text.length < 18 + ORDER_INPUT_BYTES_MAX + 100)
		buffer_append_text(&text, "€");
	buffer_append_text(&text, ",extra\n");
	shipopt_source *source = open_text(text.data, FORMAT_CSV, 65536);
	buffer_done(&text);
	shipopt_order *order = next_order(source);
	assert_int_equal(order->status, SHIPOPT_EPARSE);
	assert_in_range(strlen(order->input), ORDER_INPUT_BYTES_MAX - 3, ORDER_INPUT_BYTES_MAX);
	assert_true(text_is_utf8(order->input, strlen(order->input), NULL));
	shipopt_order_free(order);
	assert_end(source);
}

/* ---- JSON lines -------------------------------------------------------------------------------------------- */

static shipopt_source *open_json(const char *text, size_t block_bytes)
{
	shipopt_source *source = NULL;
	temporary_write(path, text, strlen(text));
	assert_int_equal(json_lines_source_open(path, block_bytes, NULL, &source, NULL), 0);
	return source;
}

static void json_lines_take_the_same_names(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(block_sizes); i++) {
		shipopt_source *source = open_json(
			"\xef\xbb\xbf"
			"{\"order_key\":\"a\",\"weight_oz\":10.50,\"piece\":2,\"max_rate\":\"5\",\"to_residential\":true,\"service\":null}\n"
			"\n"
			"{\"weight_oz\": 3, \"order_key\": 17, \"shipment\": {\"to_address\":{\"name\":\"é\"},\"parcel\":{\"weight\":1}}}\r\n",
			block_sizes[i]);
		shipopt_order *order = next_order(source);
		assert_int_equal(order->status, 0);
		assert_string_equal(order->key, "a");
		assert_int_equal(order->piece, 2);
		assert_int_equal(order->max_rate, 5000000);
		assert_null(order->service);
		const shipopt_record *parcel = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_PARCEL);
		assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, -1), 10500000);
		shipopt_order_free(order);
		order = next_order(source);
		assert_int_equal(order->status, 0);
		assert_string_equal(order->key, "17");
		assert_int_equal(order->line, 3);
		parcel = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_PARCEL);
		assert_int_equal(shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, -1), 3000000);
		const shipopt_record *to = shipopt_record_child(order->shipment, SHIPOPT_SHIPMENT_TO_ADDRESS);
		assert_string_equal(shipopt_record_text(to, SHIPOPT_ADDRESS_NAME), "é");
		shipopt_order_free(order);
		json_stock_clear();
		assert_end(source);
	}
}

static void bad_json_lines_are_failed_items(void **state)
{
	shipopt_source *source = open_json("{\"order_key\":\"a\",\"to_nme\":1}\n"
					   "{\"order_key\":\"b\",\"to_name\":[1]}\n"
					   "{\"order_key\":\"c\",\"shipment\":5}\n"
					   "{\"order_key\":\"d\",\"order_key\":\"e\"}\n"
					   "{\"to_name\":\"x\"}\n"
					   "[]\n"
					   "{\"order_key\":\"f\",\"to_name\":\"a\\u0000b\"}\n"
					   "\xff\n"
					   "{\"order_key\":\"g\"",
		65536);
	assert_order_failed(source, "a", 1, SHIPOPT_EPARSE,
		"line 1, column \"to_nme\" is not known; did you mean \"to_name\"?",
		"{\"order_key\":\"a\",\"to_nme\":1}");
	assert_order_failed(source, "b", 2, SHIPOPT_EPARSE,
		"line 2, column \"to_name\" is an object or a list, not a text or number",
		"{\"order_key\":\"b\",\"to_name\":[1]}");
	assert_order_failed(source, "c", 3, SHIPOPT_EPARSE, "line 3, column \"shipment\": not an object",
		"{\"order_key\":\"c\",\"shipment\":5}");
	assert_order_failed(source, "d", 4, SHIPOPT_EPARSE, "line 4, column \"order_key\" is given twice",
		"{\"order_key\":\"d\",\"order_key\":\"e\"}");
	assert_order_failed(source, "", 5, SHIPOPT_EPARSE, "line 5, column \"order_key\" is missing or empty",
		"{\"to_name\":\"x\"}");
	assert_order_failed(source, "", 6, SHIPOPT_EPARSE, "line 6: the line is not a JSON object", "[]");
	assert_order_failed(source, "f", 7, SHIPOPT_EPARSE,
		"line 7, column \"to_name\" has a NUL character in its text",
		"{\"order_key\":\"f\",\"to_name\":\"a\\u0000b\"}");
	assert_order_failed(source, "", 8, SHIPOPT_EENCODING,
		"line 8: byte 0xff at offset 184 of the file is not UTF-8", "?");
	shipopt_order *order = next_order(source);
	assert_int_equal(order->status, SHIPOPT_EPARSE);
	shipopt_order_free(order);
	json_stock_clear();
	assert_end(source);
}

static void a_json_number_is_a_key_only_as_a_plain_integer(void **state)
{
	static const char *const refused[] = {"1001.0", "1e3", "1E3", "1001.5", "-0", "-1.0", "true", "false"};
	static const char *const keys[][2] = {{"1001", "1001"}, {"-5", "-5"}, {"0", "0"},
		{"12345678901234567", "12345678901234567"}, {"\"1001\\u00a0\"", "1001"}, {"\"\\ufeff1001\"", "1001"},
		{"\"Cafe\\u0301\"", "Caf\u00e9"}, {"\"1e3\"", "1e3"}};
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		char text[64], message[128];
		snprintf(text, sizeof(text), "{\"order_key\":%s,\"to_name\":\"a\"}", refused[i]);
		snprintf(message, sizeof(message), "line 1, column \"order_key\": %s is not a text or a plain integer",
			refused[i]);
		shipopt_source *source = open_json(text, 65536);
		assert_order_failed(source, refused[i], 1, SHIPOPT_EPARSE, message, text);
		json_stock_clear();
		assert_end(source);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char text[64];
		snprintf(text, sizeof(text), "{\"order_key\":%s}", keys[i][0]);
		shipopt_source *source = open_json(text, 65536);
		shipopt_order *order = next_order(source);
		assert_int_equal(order->status, 0);
		assert_string_equal(order->key, keys[i][1]);
		shipopt_order_free(order);
		json_stock_clear();
		assert_end(source);
	}
	shipopt_source *source = open_json("{\"order_key\":\"10\\u200b01\"}", 65536);
	assert_order_failed(source, "", 1, SHIPOPT_EPARSE,
		"line 1, column \"order_key\": the key \"10\\u200b01\" has \\u200b at offset 2, a character that cannot be seen: take it out",
		"{\"order_key\":\"10\\u200b01\"}");
	json_stock_clear();
	assert_end(source);
}

static void json_lines_without_a_line_are_no_orders(void **state)
{
	assert_end(open_json("", 65536));
	assert_end(open_json("\r\n  \n", 65536));
}

/* ---- bounds, estimates, faults, chance --------------------------------------------------------------------- */

static void estimates_come_from_bytes(void **state)
{
	struct buffer text;
	buffer_init(&text, 1 << 20);
	buffer_append_text(&text, "order_key\n");
	for (int i = 0; i < 1000; i++)
		buffer_append_format(&text, "%08d\n", i);
	shipopt_source *source = open_text(text.data, FORMAT_CSV, 100);
	buffer_done(&text);
	assert_int_equal(source_expected(source), -1);
	for (int i = 0; i < 1000; i++) {
		shipopt_order_free(next_order(source));
		assert_in_range(source_expected(source), 999, 1001);
	}
	assert_int_equal(source_next(source, NULL, NULL), SOURCE_END);
	assert_int_equal(source_expected(source), 1000);
	assert_end(source);
}

static long resident_bytes(void)
{
	long size, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");
	if (file) {
		if (fscanf(file, "%ld %ld", &size, &resident) != 2)
			resident = 0;
		fclose(file);
	}
	return resident * sysconf(_SC_PAGESIZE);
}

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t n = write(fd, bytes, length);
		if (n <= 0)
			abort();
		bytes += n;
		length -= (size_t)n;
	}
}

static void *write_long_line(void *argument)
{
	char block[65536];
	int fd = open(argument, O_WRONLY);
	memset(block, 'x', sizeof(block));
	write_all(fd, "order_key,to_name\nlong,", 23);
	for (size_t i = 0; i < 100000000 / sizeof(block); i++)
		write_all(fd, block, sizeof(block));
	write_all(fd, "\nshort,y\n", 9);
	close(fd);
	return NULL;
}

static void a_line_of_100_megabytes_is_not_held(void **state)
{
	char pipe_path[TEMPORARY_PATH_SIZE];
	pthread_t writer;
	shipopt_source *source = NULL;
	temporary_path(pipe_path);
	unlink(pipe_path);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	assert_int_equal(pthread_create(&writer, NULL, write_long_line, pipe_path), 0);
	assert_int_equal(shipopt_source_open_csv(pipe_path, NULL, &source, NULL), 0);
	assert_int_equal(source_expected(source), -1);
	long before = resident_bytes();
	shipopt_order *order = next_order(source);
	long growth = resident_bytes() - before;
	assert_int_equal(order->status, SHIPOPT_ETOOLARGE);
	assert_string_equal(order->key, "long");
	assert_string_equal(after_name(order->error),
		"line 2: the row has 99942405 bytes, the limit is 1048576 (setting line_max_bytes)");
	assert_int_equal(strlen(order->input), ORDER_INPUT_BYTES_MAX);
	shipopt_order_free(order);
	order = next_order(source);
	assert_int_equal(order->status, 0);
	assert_string_equal(order->key, "short");
	shipopt_order_free(order);
	assert_int_equal(pthread_join(writer, NULL), 0);
	unlink(pipe_path);
	print_message("resident memory grew by %ld KiB\n", growth / 1024);
	assert_true(growth < 8 << 20);
	assert_end(source);
}

static char *source_file(const char *relative)
{
	static char text[1024];
	snprintf(text, sizeof(text), "%s/%s", SOURCE_ROOT, relative);
	return access(text, R_OK) == 0 ? text : NULL;
}

static void the_example_file_reads_without_failures(void **state)
{
	char *file = source_file("examples/orders.csv");
	assert_non_null(file);
	shipopt_source *source = NULL;
	shipopt_order *order = NULL;
	assert_int_equal(shipopt_source_open_csv(file, NULL, &source, NULL), 0);
	int count = 0;
	for (; source_next(source, &order, NULL) == SOURCE_ORDER; count++) {
		if (order->status < 0 && !text_has_prefix(order->key, "bad-"))
			fail_msg("%s", shipopt_error_message(order->error));
		assert_non_null(order->shipment);
		shipopt_order_free(order);
	}
	assert_true(count >= 300);
	assert_end(source);
}

static void a_file_without_a_header_is_told_so(void **state)
{
	const char *folder = getenv("SHIPOPT_SHARED");
	char file[1024];
	snprintf(file, sizeof(file), "%s%s/orders/orders_16col.tsv", folder ? folder : SOURCE_ROOT,
		folder ? "" : "/../shared");
	if (access(file, R_OK) < 0) {
		print_message("the positional file is not here: skipped\n");
		return;
	}
	shipopt_source *source = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_source_open_tsv(file, NULL, &source, &error), SHIPOPT_EPARSE);
	assert_non_null(
		strstr(shipopt_error_message(error), "orders_16col.tsv line 1, column \"california\" is not known"));
	assert_non_null(strstr(shipopt_error_message(error), "the first line must be a header"));
	shipopt_error_unref(error);
	assert_int_equal(mem_live_count(), 0);
}

/* Reads everything; tells how it ended. */
static int drain(const char *file, int is_json)
{
	shipopt_source *source = NULL;
	shipopt_order *order = NULL;
	shipopt_error *error = NULL;
	int r = is_json ? json_lines_source_open(file, 64, NULL, &source, &error)
			: table_source_open(file, FORMAT_CSV, 64, NULL, &source, &error);
	for (int n = 0; r == 0 && (r = source_next(source, &order, &error)) == SOURCE_ORDER; r = 0, n++) {
		assert_true(order->status < 0 || order->key);
		assert_true(!order->input || text_is_utf8(order->input, strlen(order->input), NULL));
		const char *message = shipopt_error_message(order->error);
		assert_true(!message || text_is_utf8(message, strlen(message), NULL));
		shipopt_order_free(order);
		assert_true(n < 100000);
	}
	const char *message = shipopt_error_message(error);
	assert_true(!message || text_is_utf8(message, strlen(message), NULL));
	shipopt_error_unref(error);
	shipopt_source_free(source);
	return r;
}

#ifdef SHIPOPT_FAULTS
static void every_failure_ends_the_stream_and_leaks_nothing(void **state)
{
	static const char csv[] = "order_key,to_name,weight_oz,max_rate\na,\"b\nc\",1,2\nd,e,f,g\nh\n\"";
	static const char json[] =
		"{\"order_key\":\"a\",\"shipment\":{\"parcel\":{\"weight\":1}},\"to_name\":\"n\"}\n{}\n{";
	for (int is_json = 0; is_json < 2; is_json++) {
		temporary_write(path, is_json ? json : csv, is_json ? sizeof(json) - 1 : sizeof(csv) - 1);
		for (long passes = 0;; passes++) {
			json_stock_clear();
			fault_arm(passes);
			int r = drain(path, is_json);
			bool fired = fault_fired();
			fault_arm(-1);
			json_stock_clear();
			assert_int_equal(mem_live_count(), 0);
			/* An error object that could not be made is no failure of the stream. */
			assert_true(r == 0 || (fired && (r == SHIPOPT_ENOMEM || r == SHIPOPT_EIO)));
			if (!fired) {
				assert_true(passes > 40);
				break;
			}
		}
	}
}
#endif

static void mutate(struct random *random, char *text, size_t *length, size_t size)
{
	static const char bytes[] = ",\"\n\r\t\0 a1\xff\xc3\xa9{}:[]\\";
	for (uint64_t count = 1 + random_below(random, 4); count > 0; count--) {
		size_t at = (size_t)random_below(random, *length);
		switch (random_below(random, 3)) {
		case 0: text[at] = bytes[random_below(random, sizeof(bytes) - 1)]; break;
		case 1:
			memmove(text + at, text + at + 1, *length - at - 1);
			*length -= *length > 1;
			break;
		default:
			if (*length == size)
				break;
			memmove(text + at + 1, text + at, *length - at);
			text[at] = bytes[random_below(random, sizeof(bytes) - 1)];
			++*length;
		}
	}
}

static void mutated_files_are_errors_or_failed_items(void **state)
{
	static const char csv[] =
		"order_key,to_name,weight_oz,piece\r\na,\"b \"\"c\"\", d\",1.5,1\r\nb,é,2,\r\n\"c\nd\",,,3\n";
	static const char json[] =
		"{\"order_key\":\"a\",\"to_name\":\"b\",\"piece\":2}\n{\"order_key\":1,\"shipment\":{}}\n";
	struct random seeds, random;
	random_init_system(&seeds);
	uint64_t seed = random_u64(&seeds);
	print_message("seed %llu\n", (unsigned long long)seed);
	random_init(&random, seed);
	for (int i = 0; i < 20000; i++) {
		int is_json = i % 4 == 0;
		char text[256];
		size_t length = is_json ? sizeof(json) - 1 : sizeof(csv) - 1;
		memcpy(text, is_json ? json : csv, length);
		mutate(&random, text, &length, sizeof(text));
		temporary_write(path, text, length);
		int r = drain(path, is_json);
		if (r != 0 && r != SHIPOPT_EPARSE && r != SHIPOPT_EENCODING)
			fail_msg("case %d ended with %d", i, r);
	}
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(csv_rows_are_the_same_whatever_the_block_size),
		cmocka_unit_test(a_generation_is_a_column),
		cmocka_unit_test(tsv_rows_know_no_quotes),
		cmocka_unit_test(lines_are_taken_whole),
		cmocka_unit_test(a_row_of_the_bound_passes_and_one_byte_more_does_not),
		cmocka_unit_test(an_overlong_quoted_cell_hides_no_rows),
		cmocka_unit_test(columns_set_the_order_and_its_shipment),
		cmocka_unit_test(bad_rows_name_line_column_and_value),
		cmocka_unit_test(keys_that_look_the_same_are_one_key),
		cmocka_unit_test(headers_are_trimmed_of_what_cannot_be_seen),
		cmocka_unit_test(keys_in_doubt_are_refused_with_what_is_wrong_with_them),
		cmocka_unit_test(headers_are_refused_with_their_reason),
		cmocka_unit_test(too_many_columns_are_one_failed_item),
		cmocka_unit_test(missing_files_and_folders_say_why),
		cmocka_unit_test(inputs_are_cut_between_characters),
		cmocka_unit_test(json_lines_take_the_same_names),
		cmocka_unit_test(bad_json_lines_are_failed_items),
		cmocka_unit_test(a_json_number_is_a_key_only_as_a_plain_integer),
		cmocka_unit_test(json_lines_without_a_line_are_no_orders),
		cmocka_unit_test(estimates_come_from_bytes),
		cmocka_unit_test(a_line_of_100_megabytes_is_not_held),
		cmocka_unit_test(the_example_file_reads_without_failures),
		cmocka_unit_test(a_file_without_a_header_is_told_so),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failure_ends_the_stream_and_leaks_nothing),
#endif
		cmocka_unit_test(mutated_files_are_errors_or_failed_items),
	};
	return cmocka_run_group_tests_name("csv", tests, make_path, remove_path);
}
