/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/text.h"
#include "json/json.h"

void json_writer_init(struct json_writer *writer, struct buffer *buffer)
{
	*writer = (struct json_writer){.buffer = buffer};
}

static void json_writer_put(struct json_writer *writer, const char *bytes, size_t length)
{
	if (writer->status == 0)
		writer->status = buffer_append(writer->buffer, bytes, length);
}

/* In front of each value and key: the comma, if something stands before it. */
static void json_writer_separate(struct json_writer *writer)
{
	if (writer->status < 0)
		return;
	if (writer->comma[writer->depth])
		json_writer_put(writer, ",", 1);
	writer->comma[writer->depth] = true;
}

static void json_writer_begin_container(struct json_writer *writer, const char *bracket)
{
	json_writer_separate(writer);
	if (writer->status == 0 && writer->depth == JSON_DEPTH_MAX)
		writer->status = SHIPOPT_ETOOLARGE;
	json_writer_put(writer, bracket, 1);
	if (writer->status == 0)
		writer->comma[++writer->depth] = false;
}

static void json_writer_end_container(struct json_writer *writer, const char *bracket)
{
	json_writer_put(writer, bracket, 1);
	if (writer->status < 0)
		return;
	ASSERT(writer->depth > 0);
	writer->depth--;
}

void json_begin_object(struct json_writer *writer)
{
	json_writer_begin_container(writer, "{");
}

void json_end_object(struct json_writer *writer)
{
	json_writer_end_container(writer, "}");
}

void json_begin_array(struct json_writer *writer)
{
	json_writer_begin_container(writer, "[");
}

void json_end_array(struct json_writer *writer)
{
	json_writer_end_container(writer, "]");
}

static void json_writer_put_escape(struct json_writer *writer, unsigned char c)
{
	static const char hex[] = "0123456789abcdef";
	static const char named[] = "\bb\ff\nn\rr\tt\"\"\\\\";
	char escape[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
	for (size_t i = 0; i + 1 < sizeof(named); i += 2) {
		if ((unsigned char)named[i] != c)
			continue;
		escape[1] = named[i + 1];
		json_writer_put(writer, escape, 2);
		return;
	}
	json_writer_put(writer, escape, sizeof(escape));
}

static void json_writer_put_string(struct json_writer *writer, const char *text, size_t length)
{
	if (writer->status == 0 && !text_is_utf8(text, length, NULL))
		writer->status = SHIPOPT_EENCODING;
	json_writer_put(writer, "\"", 1);
	size_t plain = 0;
	for (size_t i = 0; i < length && writer->status == 0; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c >= 0x20 && c != '"' && c != '\\')
			continue;
		json_writer_put(writer, text + plain, i - plain);
		json_writer_put_escape(writer, c);
		plain = i + 1;
	}
	json_writer_put(writer, text + plain, length - plain);
	json_writer_put(writer, "\"", 1);
}

void json_write_key(struct json_writer *writer, const char *key)
{
	json_writer_separate(writer);
	json_writer_put_string(writer, key, strlen(key));
	json_writer_put(writer, ":", 1);
	writer->comma[writer->depth] = false;
}

void json_write_bytes(struct json_writer *writer, const char *text, size_t length)
{
	json_writer_separate(writer);
	json_writer_put_string(writer, text, length);
}

void json_write_text(struct json_writer *writer, const char *text)
{
	if (text)
		json_write_bytes(writer, text, strlen(text));
	else
		json_write_null(writer);
}

void json_write_raw(struct json_writer *writer, const char *json, size_t length)
{
	json_writer_separate(writer);
	json_writer_put(writer, json, length);
}

void json_write_i64(struct json_writer *writer, int64_t value)
{
	json_writer_separate(writer);
	if (writer->status == 0)
		writer->status = buffer_append_format(writer->buffer, "%lld", (long long)value);
}

void json_write_decimal(struct json_writer *writer, int64_t millionths)
{
	char text[DECIMAL_TEXT_SIZE];
	decimal_format(millionths, 0, text);
	json_write_raw(writer, text, strlen(text));
}

void json_write_bool(struct json_writer *writer, bool value)
{
	json_write_raw(writer, value ? "true" : "false", value ? 4 : 5);
}

void json_write_null(struct json_writer *writer)
{
	json_write_raw(writer, "null", 4);
}

void json_member_text(struct json_writer *writer, const char *key, const char *text)
{
	json_write_key(writer, key);
	json_write_text(writer, text);
}

void json_member_i64(struct json_writer *writer, const char *key, int64_t value)
{
	json_write_key(writer, key);
	json_write_i64(writer, value);
}

void json_member_bool(struct json_writer *writer, const char *key, bool value)
{
	json_write_key(writer, key);
	json_write_bool(writer, value);
}

int json_writer_finish(struct json_writer *writer)
{
	ASSERT(writer->status < 0 || writer->depth == 0);
	return writer->status;
}
