/* SPDX-License-Identifier: MIT */
#include "base/secret.h"

#include <openssl/evp.h>
#include <shipopt/error.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

#define BASE64_GROUP 4

struct secret_form {
	struct secret_form *next; /* not longer than this one */
	size_t length;
	bool is_base64;
	const char *bytes;
	size_t borders
		[]; /* of each prefix: how long its longest proper part is that both begins and ends it; then the bytes */
};

static size_t secret_form_size(size_t length)
{
	return sizeof(struct secret_form) + length * (sizeof(size_t) + 1);
}

static void secret_form_free(struct secret_form *form)
{
	mem_cleanse(form, secret_form_size(form->length));
	mem_free(form);
}

static struct secret_form *secret_form_new(const char *bytes, size_t length)
{
	struct secret_form *form = mem_alloc_zero(secret_form_size(length));
	if (!form)
		return NULL;
	char *copy = (char *)(form->borders + length);
	memcpy(copy, bytes, length);
	form->bytes = copy;
	form->length = length;
	for (size_t i = 1, border = 0; i < length; i++) {
		while (border && bytes[border] != bytes[i])
			border = form->borders[border - 1];
		border += bytes[border] == bytes[i];
		form->borders[i] = border;
	}
	return form;
}

/* ---- the set ------------------------------------------------------------------------------------------------- */

void secret_forms_init(struct secret_forms *forms, size_t length_min)
{
	*forms = (struct secret_forms){.length_min = length_min};
}

void secret_forms_done(struct secret_forms *forms)
{
	for (struct secret_form *form; (form = forms->first);) {
		forms->first = form->next;
		secret_form_free(form);
	}
}

static int secret_forms_insert(struct secret_forms *forms, const char *bytes, size_t length, bool is_base64)
{
	if (length == 0 || length < forms->length_min)
		return 0;
	struct secret_form *form = secret_form_new(bytes, length);
	if (!form)
		return SHIPOPT_ENOMEM;
	form->is_base64 = is_base64;
	struct secret_form **place = &forms->first;
	while (*place && (*place)->length > length)
		place = &(*place)->next;
	form->next = *place;
	*place = form;
	return 0;
}

int secret_forms_add(struct secret_forms *forms, const char *secret)
{
	size_t length = secret ? strlen(secret) : 0;
	text_trim(&secret, &length);
	return secret_forms_insert(forms, secret, length, false);
}

int secret_forms_add_basic(struct secret_forms *forms, const char *user, const char *password)
{
	size_t user_length = strlen(user), password_length = strlen(password),
	       length = user_length + 1 + password_length;
	char *pair = mem_alloc(length + 1);
	char *encoded = mem_alloc(length / 3 * BASE64_GROUP + 1);
	int r = pair && encoded ? 0 : SHIPOPT_ENOMEM;
	if (r == 0) {
		memcpy(pair, user, user_length);
		pair[user_length] = ':';
		memcpy(pair + user_length + 1, password, password_length + 1);
		int encoded_length =
			EVP_EncodeBlock((unsigned char *)encoded, (const unsigned char *)pair, (int)(length / 3 * 3));
		r = secret_forms_insert(forms, encoded, (size_t)encoded_length, true);
		mem_cleanse(pair, length);
		mem_cleanse(encoded, (size_t)encoded_length);
	}
	mem_free(pair);
	mem_free(encoded);
	return r;
}

/* ---- the search ---------------------------------------------------------------------------------------------- */

static bool secret_is_base64_character(char c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '/' ||
		c == '-' || c == '_' || c == '=';
}

/* Blanks an occurrence; where the search goes on. */
static size_t secret_form_blank_at(const struct secret_form *form, char *bytes, size_t length, size_t begin, size_t end)
{
	size_t end_most = form->is_base64 ? MIN(end + BASE64_GROUP, length) : end;
	while (end < end_most && secret_is_base64_character(bytes[end]))
		end++;
	memset(bytes + begin, '*', end - begin);
	return end;
}

static void secret_form_blank_literal(const struct secret_form *form, char *bytes, size_t length)
{
	const char *found;
	for (size_t at = 0; (found = memmem(bytes + at, length - at, form->bytes, form->length));) {
		size_t begin = (size_t)(found - bytes);
		at = secret_form_blank_at(form, bytes, length, begin, begin + form->length);
	}
}

static int secret_hex_digit(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

static bool secret_hex_byte(const char *digits, char *ret_byte)
{
	int high = secret_hex_digit(digits[0]), low = high < 0 ? -1 : secret_hex_digit(digits[1]);
	if (low >= 0)
		*ret_byte = (char)(high << 4 | low);
	return low >= 0;
}

/* Reads one byte in whatever way it is spelled; `left` > 0. How many bytes that takes: 1 if it is not escaped. */
static size_t secret_spelled_byte(const char *text, size_t left, char *ret_byte)
{
	static const char controls[] = "b\bf\fn\nr\rt\t";
	*ret_byte = text[0];
	if (text[0] == '%' && left >= 3 && secret_hex_byte(text + 1, ret_byte))
		return 3;
	if (text[0] != '\\' || left < 2)
		return 1;
	if (text[1] == 'u' && left >= 6 && memcmp(text + 2, "00", 2) == 0 && secret_hex_byte(text + 4, ret_byte))
		return 6;
	*ret_byte = text[1];
	for (const char *control = controls; *control; control += 2)
		if (control[0] == text[1])
			*ret_byte = control[1];
	return 2;
}

/* Where the next backslash and the next percent sign are; the length of the text when there is none. */
struct escapes {
	size_t backslash, percent;
};

static size_t secret_place_of(char c, const char *bytes, size_t length, size_t from)
{
	const char *found = from < length ? memchr(bytes + from, c, length - from) : NULL;
	return found ? (size_t)(found - bytes) : length;
}

static size_t secret_escapes_next(struct escapes *escapes, const char *bytes, size_t length, size_t from)
{
	if (escapes->backslash < from)
		escapes->backslash = secret_place_of('\\', bytes, length, from);
	if (escapes->percent < from)
		escapes->percent = secret_place_of('%', bytes, length, from);
	return MIN(escapes->backslash, escapes->percent);
}

/* Where the text stands after `count` more spelled bytes. */
static size_t secret_spelled_skip(const char *bytes, size_t length, size_t at, size_t count)
{
	char byte;
	while (count--)
		at += secret_spelled_byte(bytes + at, length - at, &byte);
	return at;
}

/* Occurrences that spell at least one byte with an escape. `matched` bytes of the form stand from `begin` to `at`, and
 * `escape` is the last known escape; while it lies behind `begin`, there is none in between, and the search leaps to
 * the next one. */
static void secret_form_blank_escaped(const struct secret_form *form, char *bytes, size_t length,
	struct escapes escapes)
{
	size_t begin = 0, at = 0, matched = 0, escape = secret_escapes_next(&escapes, bytes, length, 0);
	while (at < length && escape < length) {
		char byte;
		if (escape > at && escape - at >= form->length) {
			begin = at = escape - (form->length - 1);
			matched = 0;
		}
		size_t width = secret_spelled_byte(bytes + at, length - at, &byte);
		if (width > 1)
			escape = at;
		while (matched && form->bytes[matched] != byte) {
			size_t border = form->borders[matched - 1];
			begin = secret_spelled_skip(bytes, length, begin, matched - border);
			matched = border;
		}
		at += width;
		if (form->bytes[matched] == byte)
			matched++;
		else
			begin = at;
		if (matched == form->length) {
			begin = at = secret_form_blank_at(form, bytes, length, begin, at);
			matched = 0;
		}
		if (begin > escape)
			escape = secret_escapes_next(&escapes, bytes, length, at);
	}
}

void secret_blank(char *bytes, size_t length, const struct secret_forms *forms)
{
	struct escapes escapes = {0, 0};
	if (!forms || !forms->first || length == 0)
		return;
	escapes.backslash = secret_place_of('\\', bytes, length, 0);
	escapes.percent = secret_place_of('%', bytes, length, 0);
	for (const struct secret_form *form = forms->first; form; form = form->next) {
		secret_form_blank_literal(form, bytes, length);
		secret_form_blank_escaped(form, bytes, length, escapes);
	}
}

void secret_blank_text(char *text, const struct secret_forms *forms)
{
	secret_blank(text, strlen(text), forms);
}
