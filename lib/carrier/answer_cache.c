/* SPDX-License-Identifier: MIT */
#include "carrier/answer_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/text.h"
#include "cache/load/load.h"

#define IDENTITY_FORM "answer-1\n"
#define IDENTITY_DIGITS 32
/* A quote that lacks a carrier, because it failed to rate just then, is good for this part of the time. */
#define QUOTE_PARTIAL 10
#define TAG_SIZE (TAG_NAME_MAX + 1)

_Static_assert(sizeof(((shipopt_carrier *)0)->identity) == ANSWER_IDENTITY_SIZE, "the client has room for it");

int answer_identity(const struct provider *provider, const char *base_url, const char *authorization,
	char ret_identity[ANSWER_IDENTITY_SIZE])
{
	char digest[HASH_HEX_SIZE];
	struct buffer text;
	buffer_init(&text, BUFFER_LIMIT_DEFAULT);
	/* A URL has no line break, so the two cannot run together. */
	int r = buffer_append_format(&text, IDENTITY_FORM "%s\n%s", base_url, authorization);
	r = r < 0 ? r : hash_sha256_hex(text.data, text.length, digest);
	if (text.data)
		mem_cleanse(text.data, text.length);
	buffer_done(&text);
	if (r == 0)
		snprintf(ret_identity, ANSWER_IDENTITY_SIZE, "%.24s:%.*s", provider->name, IDENTITY_DIGITS, digest);
	return r;
}

/* "/shipments/shp_1/buy?x" → "shipments", "shp_1". */
struct path_parts {
	const char *collection, *id;
	size_t collection_length, id_length; /* 0: there is none */
};

static struct path_parts answer_cache_split(const char *path)
{
	struct path_parts parts = {.collection = path + (*path == '/')};
	parts.collection_length = strcspn(parts.collection, "/?");
	parts.id = parts.collection + parts.collection_length;
	parts.id += *parts.id == '/';
	parts.id_length = strcspn(parts.id, "/?");
	if (parts.collection[parts.collection_length] != '/')
		parts.id_length = 0;
	return parts;
}

/* Whether the path names what it seems to. Servers and libcurl take empty and dot segments out, and then another name
 * is meant than the one that answers are kept and forgotten by. */
static bool answer_cache_is_canonical(const char *path)
{
	const char *segment = path;
	while (*segment == '/') {
		size_t length = strcspn(segment + 1, "/?");
		if (strspn(segment + 1, ".%2eE") >= length)
			return false;
		segment += 1 + length;
	}
	const char *collection = path + (*path == '/');
	return collection[strcspn(collection, "/?%")] != '%';
}

/* False if it is too long for a tag; then only that of the identity is there. */
static bool answer_cache_make_tag(const struct path_parts *parts, const char *id, size_t id_length, char tag[TAG_SIZE])
{
	int length = snprintf(tag, TAG_SIZE, "%.*s%s%.*s", (int)parts->collection_length, parts->collection,
		id_length ? "/" : "", (int)id_length, id);
	return length > 0 && length < TAG_SIZE;
}

static bool answer_cache_is_tracker(const struct path_parts *parts)
{
	return parts->collection_length == 8 && memcmp(parts->collection, "trackers", 8) == 0;
}

static bool answer_cache_is_quote(const struct answer_question *question)
{
	struct path_parts parts = answer_cache_split(question->path);
	return question->content && !answer_cache_is_tracker(&parts);
}

/* ---- questions --------------------------------------------------------------------------------------------- */

int64_t answer_ttl_ms(const shipopt_carrier *carrier, const struct answer_question *question)
{
	struct path_parts parts = answer_cache_split(question->path);
	if (!question->content && !answer_cache_is_canonical(question->path))
		return 0;
	return settings_number(&carrier->settings,
		answer_cache_is_tracker(&parts) ? CARRIER_TRACKER_TTL_MS
			: question->content     ? CARRIER_QUOTE_TTL_MS
						: CARRIER_CACHE_TTL_MS);
}

size_t answer_key(const struct answer_question *question, char ret_key[ANSWER_KEY_SIZE])
{
	const char *kind = !question->content ? "" : answer_cache_is_quote(question) ? "quote:" : "tracker:";
	int length = snprintf(ret_key, ANSWER_KEY_SIZE, "%s:%s%s", question->identity, kind,
		question->content ? question->content : question->path);
	ASSERT(length > 0 && length < ANSWER_KEY_SIZE);
	return (size_t)length;
}

void answer_options(const shipopt_carrier *carrier, const struct answer_question *question,
	struct shipopt_cache_options *ret_options)
{
	char tag[TAG_SIZE];
	struct path_parts parts = answer_cache_split(question->path);
	options_init(ret_options);
	ret_options->ttl_ms = answer_ttl_ms(carrier, question);
	ret_options->wants_negative_detail = true;
	ret_options->timeout_ms = SHIPOPT_CACHE_FOREVER; /* a waiting call has a timer */
	shipopt_cache_options_add_tag(ret_options, question->identity);
	if (answer_cache_is_quote(question))
		shipopt_cache_options_add_tag(ret_options, "quotes");
	else if (!question->content && answer_cache_make_tag(&parts, parts.id, parts.id_length, tag))
		shipopt_cache_options_add_tag(ret_options, tag);
}

/* ---- answers ----------------------------------------------------------------------------------------------- */

void answer_pass_on(shipopt_load *load)
{
	static _Thread_local struct {
		bool is_active;
		shipopt_load *next;
	} passing;
	if (passing.is_active) {
		passing.next = load;
		return;
	}
	passing.is_active = true;
	for (; load; load = TAKE(passing.next))
		shipopt_load_abandon(load);
	passing.is_active = false;
}

/* The id of what was answered, or NULL. */
static const char *answer_id(const struct exchange *exchange)
{
	const char *id = NULL;
	if (exchange->status == 0 && exchange->document)
		id = json_get_text(exchange_answer(exchange), "id");
	return text_is_empty(id) ? NULL : id;
}

static bool answer_cache_is_partial(const shipopt_record *quote)
{
	size_t count = shipopt_record_count(quote, SHIPOPT_SHIPMENT_MESSAGES);
	for (size_t i = 0; i < count; i++) {
		const shipopt_record *message = shipopt_record_item(quote, SHIPOPT_SHIPMENT_MESSAGES, i);
		if (text_equal(shipopt_record_text(message, SHIPOPT_MESSAGE_TYPE), "rate_error"))
			return true;
	}
	return shipopt_record_count(quote, SHIPOPT_SHIPMENT_RATES) == 0;
}

/* Adds the tag of the object that was answered: its id may differ from the one in the path, or was not known before. */
static void answer_cache_name_object(shipopt_load *load, const struct path_parts *parts,
	const struct exchange *exchange)
{
	const char *id = answer_id(exchange);
	char tag[TAG_SIZE];
	if (id && answer_cache_make_tag(parts, id, strlen(id), tag))
		load_add_tag(load, tag);
}

static void answer_cache_store_success(shipopt_load *load, const struct provider *provider,
	const struct answer_question *question, const struct exchange *exchange)
{
	struct path_parts parts = answer_cache_split(question->path);
	const struct buffer *body = &exchange->http.response;
	if (answer_cache_is_quote(question)) {
		struct shipopt_cache_options *options = load_options(load);
		if (answer_cache_is_partial(exchange->record))
			options->ttl_ms = MAX(options->ttl_ms / QUOTE_PARTIAL, 1);
	} else {
		if (parts.id_length)
			answer_cache_name_object(load, &parts, exchange);
		if (exchange->document && provider->is_open(question->path, exchange_answer(exchange)))
			load_drop(load);
	}
	shipopt_load_complete(load, buffer_text(body), body->length, NULL);
}

/* Whatever is made in the collection may be what there was not, under a reference. */
static void answer_cache_store_not_found(shipopt_load *load, const struct answer_question *question, const char *code)
{
	struct shipopt_cache_options options = *load_options(load);
	struct path_parts parts = answer_cache_split(question->path);
	char tag[TAG_SIZE];
	options.ttl_ms = OPTION_UNSET; /* that of the question is meant for an answer */
	if (parts.id_length && answer_cache_make_tag(&parts, "", 0, tag))
		shipopt_cache_options_add_tag(&options, tag);
	load_not_found(load, code, strnlen(code, ANSWER_CODE_BYTES_MAX), &options);
}

/* A failure of the sending call alone: another call may succeed. */
static bool answer_cache_is_own_failure(const struct exchange *exchange)
{
	switch (exchange->status) {
	case SHIPOPT_ECANCELED:
	case SHIPOPT_ENOMEM:
	case SHIPOPT_EAGAIN:
	case SHIPOPT_ESHUTDOWN: return true;
	case SHIPOPT_EINDOUBT: return exchange->is_canceled;
	case SHIPOPT_ETIMEDOUT:
		return exchange->timeout_ms != 0 || exchange->deadline_us != 0; /* another limit than the client's */
	default: return exchange->status == 0; /* no answer to be kept, as it is no 200 */
	}
}

void answer_store(shipopt_load *load, const struct provider *provider, const struct answer_question *question,
	const struct exchange *exchange)
{
	bool is_cached = exchange->http_status == 200 || (exchange->http_status == 201 && question->content);
	if (exchange->status == 0 && is_cached)
		answer_cache_store_success(load, provider, question, exchange);
	else if (exchange->status == SHIPOPT_ENOTFOUND && shipopt_error_carrier_code(exchange->error) &&
		!question->content)
		answer_cache_store_not_found(load, question, shipopt_error_carrier_code(exchange->error));
	else if (answer_cache_is_own_failure(exchange))
		answer_pass_on(load);
	else
		load_fail(load, exchange->status, shipopt_error_ref(exchange->error));
}

/* ---- writes ------------------------------------------------------------------------------------------------ */

/* Collections whose writes change nothing but the object and their lists. */
static const char *const answer_collections[ANSWER_COLLECTIONS] = {"shipments", "trackers", "addresses", "parcels",
	"customs_infos", "customs_items"};

static bool answer_cache_changes_only_itself(const struct path_parts *parts)
{
	for (size_t i = 0; i < ANSWER_COLLECTIONS; i++)
		if (strlen(answer_collections[i]) == parts->collection_length &&
			memcmp(answer_collections[i], parts->collection, parts->collection_length) == 0)
			return true;
	return false;
}

size_t answer_hold_collections(shipopt_cache *cache, struct tag *ret_tags[ANSWER_COLLECTIONS])
{
	size_t count = 0;
	for (size_t i = 0; i < ANSWER_COLLECTIONS; i++)
		if (tags_acquire(&cache->tags, answer_collections[i], &ret_tags[count]) == 0)
			count++;
	return count;
}

/* The API itself has said no: nothing was changed but, at most, by an earlier call for the same object. */
static bool answer_cache_is_refused(const struct exchange *exchange)
{
	return exchange->is_envelope && (exchange->blame == BLAME_ORDER || exchange->blame == BLAME_ACCOUNT);
}

static void answer_cache_invalidate(const shipopt_carrier *carrier, const struct exchange *exchange,
	bool keeps_returned)
{
	struct path_parts parts = answer_cache_split(buffer_text(&exchange->call.path));
	char own[TAG_SIZE], returned[TAG_SIZE], lists[TAG_SIZE];
	const char *id = answer_id(exchange);
	/* Without an id in the path something new was made, whatever came of it. */
	bool is_known = answer_cache_is_canonical(buffer_text(&exchange->call.path)) &&
		answer_cache_changes_only_itself(&parts) &&
		(!parts.id_length || id || answer_cache_is_refused(exchange)) &&
		answer_cache_make_tag(&parts, parts.id, parts.id_length, own) &&
		answer_cache_make_tag(&parts, "", 0, lists) &&
		answer_cache_make_tag(&parts, id ? id : "", id ? strlen(id) : 0, returned);
	if (!is_known) {
		shipopt_cache_remove_tag(carrier->cache, exchange->identity ? exchange->identity : carrier->identity);
		return;
	}
	shipopt_cache_remove_tag(carrier->cache, lists);
	if (parts.id_length)
		shipopt_cache_remove_tag(carrier->cache, own);
	if (id && !keeps_returned && strcmp(returned, own) != 0)
		shipopt_cache_remove_tag(carrier->cache, returned);
}

void answer_invalidate(const shipopt_carrier *carrier, const struct exchange *exchange)
{
	answer_cache_invalidate(carrier, exchange, false);
}

void answer_invalidate_others(const shipopt_carrier *carrier, const struct exchange *exchange, shipopt_load *load)
{
	struct path_parts parts = answer_cache_split(buffer_text(&exchange->call.path));
	/* The answer gets its tag first, so that an invalidation by somebody else in the meantime is not overlooked. */
	if (load)
		answer_cache_name_object(load, &parts, exchange);
	answer_cache_invalidate(carrier, exchange, true);
}
