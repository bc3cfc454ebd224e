/* SPDX-License-Identifier: MIT */
#include "label.h"

#include <shipopt/error.h>
#include <string.h>

#include "base/hash.h"
#include "base/text.h"

#define PNG_WIDTH 64
#define PNG_HEIGHT 96
#define PNG_ROW_BYTES (1 + PNG_WIDTH / 8) /* a filter byte before each row */
#define PNG_DATA_BYTES (PNG_ROW_BYTES * PNG_HEIGHT)

static void put_u32(unsigned char *out, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		out[i] = (unsigned char)(value >> (24 - 8 * i));
}

/* CRC of PNG chunks: ISO 3309, as in the PNG specification, annex D. */
static uint32_t crc32_of(const unsigned char *bytes, size_t length)
{
	uint32_t crc = UINT32_MAX;
	for (size_t i = 0; i < length; i++) {
		crc ^= bytes[i];
		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
	}
	return ~crc;
}

/* Adler-32, RFC 1950. */
static uint32_t adler32_of(const unsigned char *bytes, size_t length)
{
	uint32_t a = 1, b = 0;
	for (size_t i = 0; i < length; i++) {
		a = (a + bytes[i]) % 65521;
		b = (b + a) % 65521;
	}
	return b << 16 | a;
}

static int append_chunk(struct buffer *buffer, const char *type, const unsigned char *data, size_t length)
{
	unsigned char chunk[4 + PNG_DATA_BYTES + 16], number[4];
	memcpy(chunk, type, 4);
	if (length > 0)
		memcpy(chunk + 4, data, length);
	put_u32(number, (uint32_t)length);
	int r = buffer_append(buffer, number, 4);
	r = r < 0 ? r : buffer_append(buffer, chunk, 4 + length);
	put_u32(number, crc32_of(chunk, 4 + length));
	return r < 0 ? r : buffer_append(buffer, number, 4);
}

/* One bit a pixel, grey, one stored deflate block. */
static int append_png(struct buffer *buffer, uint64_t bars)
{
	static const unsigned char signature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
	unsigned char header[13] = {0}, data[2 + 5 + PNG_DATA_BYTES + 4] = {0x78, 0x01, 1};
	unsigned char *rows = data + 7;
	put_u32(header, PNG_WIDTH);
	put_u32(header + 4, PNG_HEIGHT);
	header[8] = 1; /* bit depth; colour type 0 is grey */
	for (int i = 0; i < 2; i++) {
		data[3 + i] = (unsigned char)(PNG_DATA_BYTES >> (8 * i));
		data[5 + i] = (unsigned char)~data[3 + i];
	}
	for (size_t y = 0; y < PNG_HEIGHT; y++)
		memcpy(rows + y * PNG_ROW_BYTES + 1, &bars, sizeof(bars));
	for (size_t y = 0; y < PNG_HEIGHT; y += 16)
		memset(rows + y * PNG_ROW_BYTES + 1, 0xff, PNG_WIDTH / 8);
	for (size_t y = 0; y < PNG_HEIGHT; y++)
		rows[y * PNG_ROW_BYTES] = 0;
	put_u32(rows + PNG_DATA_BYTES, adler32_of(rows, PNG_DATA_BYTES));
	int r = buffer_append(buffer, signature, sizeof(signature));
	r = r < 0 ? r : append_chunk(buffer, "IHDR", header, sizeof(header));
	r = r < 0 ? r : append_chunk(buffer, "IDAT", data, sizeof(data));
	return r < 0 ? r : append_chunk(buffer, "IEND", NULL, 0);
}

/* A page of four by six inches with the name on it; the table holds the offset of each object. */
static int append_pdf(struct buffer *buffer, const char *name)
{
	size_t offsets[6], text_length = strlen(name) + strlen("BT /F1 12 Tf 20 400 Td () Tj ET");
	int r = buffer_append_text(buffer, "%PDF-1.4\n");
	for (int i = 1; r == 0 && i <= 5; i++) {
		offsets[i] = buffer->length;
		r = buffer_append_format(buffer, "%d 0 obj\n", i);
		switch (r == 0 ? i : 0) {
		case 1: r = buffer_append_text(buffer, "<</Type/Catalog/Pages 2 0 R>>"); break;
		case 2: r = buffer_append_text(buffer, "<</Type/Pages/Kids[3 0 R]/Count 1>>"); break;
		case 3:
			r = buffer_append_text(buffer,
				"<</Type/Page/Parent 2 0 R/MediaBox[0 0 288 432]/Contents 4 0 R"
				"/Resources<</Font<</F1 5 0 R>>>>>>");
			break;
		case 4:
			r = buffer_append_format(buffer,
				"<</Length %zu>>\nstream\nBT /F1 12 Tf 20 400 Td (%s) Tj ET\nendstream", text_length,
				name);
			break;
		case 5: r = buffer_append_text(buffer, "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>"); break;
		}
		if (r == 0)
			r = buffer_append_text(buffer, "\nendobj\n");
	}
	size_t table = buffer->length;
	if (r == 0)
		r = buffer_append_text(buffer, "xref\n0 6\n0000000000 65535 f \n");
	for (int i = 1; r == 0 && i <= 5; i++)
		r = buffer_append_format(buffer, "%010zu 00000 n \n", offsets[i]);
	return r < 0
		? r
		: buffer_append_format(buffer, "trailer\n<</Size 6/Root 1 0 R>>\nstartxref\n%zu\n%%%%EOF\n", table);
}

int label_file(const char *name, struct buffer *buffer, const char **ret_content_type)
{
	size_t length = strlen(name);
	const char *end = length > 4 ? name + length - 4 : "";
	if (!text_has_prefix(name, "pl_") || strspn(name, "pl_0123456789abcdef") != length - strlen(end))
		return SHIPOPT_ENOTFOUND;
	if (strcmp(end, ".png") == 0) {
		*ret_content_type = "image/png";
		return append_png(buffer, hash_bytes(name, length, 0));
	}
	if (strcmp(end, ".pdf") == 0) {
		*ret_content_type = "application/pdf";
		return append_pdf(buffer, name);
	}
	if (strcmp(end, ".zpl") == 0) {
		*ret_content_type = "application/zpl";
		return buffer_append_format(buffer, "^XA\n^FO50,50^ADN,36,20^FD%s^FS\n^XZ\n", name);
	}
	return SHIPOPT_ENOTFOUND;
}
