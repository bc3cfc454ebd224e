/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CACHE
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "cache/load/load.h"
#include "cache/options.h"

/*
 * A memo: a function with a name, whose results are in a cache under keys that begin with the name. The automatic key
 * is `name(3:abc,0:,)`. The lengths tell apart lists of arguments that would be equal when joined. NULL is "-".
 */
#define KEY_MAX 4096
#define NAME_MAX_BYTES 256

struct shipopt_memo {
	shipopt_cache *cache; /* a reference */
	char *name;
	shipopt_memo_call_fn call;
	shipopt_memo_key_fn key;
	void *userdata;
	bool has_options;
	shipopt_cache_options options;
};

int shipopt_memo_new(shipopt_cache *cache, const char *name, shipopt_memo_call_fn call, shipopt_memo_key_fn key,
	void *userdata, const shipopt_cache_options *options, shipopt_memo **ret_memo)
{
	int r = cache_check_handle(cache);
	if (r < 0 || !name || !*name || strlen(name) > NAME_MAX_BYTES || !call || !ret_memo)
		return r < 0 ? r : SHIPOPT_EINVAL;
	shipopt_memo *memo = mem_alloc_zero(sizeof(*memo));
	char *copy = mem_copy_text(name);
	if (!memo || !copy) {
		mem_free(memo);
		mem_free(copy);
		return SHIPOPT_ENOMEM;
	}
	memo->cache = cache_ref(cache);
	memo->name = copy;
	memo->call = call;
	memo->key = key;
	memo->userdata = userdata;
	memo->has_options = options != NULL;
	if (options)
		memo->options = *options;
	*ret_memo = memo;
	return 0;
}

void shipopt_memo_free(shipopt_memo *memo)
{
	if (!memo || memo->cache->generation != fork_generation())
		return;
	cache_unref(memo->cache);
	mem_free(memo->name);
	mem_free(memo);
}

static int memo_append_arguments(struct buffer *key, const char *const *arguments, size_t count)
{
	int r = buffer_append_byte(key, '(');
	for (size_t i = 0; r == 0 && i < count; i++) {
		const char *argument = arguments[i] ? arguments[i] : "";
		r = buffer_append_format(key, arguments[i] ? "%zu:" : "-", strlen(argument));
		r = r < 0 ? r : buffer_append_text(key, argument);
		r = r < 0 ? r : buffer_append_byte(key, ',');
	}
	return r < 0 ? r : buffer_append_byte(key, ')');
}

static int memo_append_own(const shipopt_memo *memo, struct buffer *key, const char *const *arguments, size_t count)
{
	int r = buffer_append_byte(key, '=');
	r = r < 0 ? r : buffer_reserve(key, KEY_MAX - key->length);
	if (r < 0)
		return r;
	size_t room = KEY_MAX - key->length;
	size_t length = memo->key(memo->userdata, arguments, count, key->data + key->length, room);
	if (length == 0 || length > room)
		return SHIPOPT_EINVAL;
	key->length += length;
	return 0;
}

static int memo_make_key(const shipopt_memo *memo, const char *const *arguments, size_t count, struct buffer *key)
{
	buffer_init(key, KEY_MAX);
	int r = buffer_append_text(key, memo->name);
	if (r == 0)
		r = memo->key ? memo_append_own(memo, key, arguments, count)
			      : memo_append_arguments(key, arguments, count);
	if (r < 0)
		buffer_done(key);
	return r;
}

static int memo_check(const shipopt_memo *memo, const char *const *arguments, size_t count)
{
	if (!memo || (!arguments && count))
		return SHIPOPT_EINVAL;
	return cache_check(memo->cache, "", 1);
}

struct memo_call {
	const shipopt_memo *memo;
	const char *const *arguments;
	size_t count;
};

static int memo_load(void *userdata, shipopt_load *token)
{
	const struct memo_call *call = userdata;
	return call->memo->call(call->memo->userdata, call->arguments, call->count, token);
}

int shipopt_memo_call(shipopt_memo *memo, const char *const *arguments, size_t argument_count,
	shipopt_value **ret_value, shipopt_error **ret_error)
{
	int r = memo_check(memo, arguments, argument_count);
	if (r < 0 || !ret_value)
		return r < 0 ? r : SHIPOPT_EINVAL;
	struct buffer key;
	r = memo_make_key(memo, arguments, argument_count, &key);
	if (r < 0)
		return error_set(ret_error, r, "memo %.64s: no key for %zu arguments: %s", memo->name, argument_count,
			shipopt_error_description(r));
	struct memo_call call = {memo, arguments, argument_count};
	r = load_read_through(memo->cache, key.data, key.length, memo_load, &call,
		memo->has_options ? &memo->options : NULL, REFRESH_IN_CALL, ret_value, ret_error);
	buffer_done(&key);
	return r;
}

int shipopt_memo_forget(shipopt_memo *memo, const char *const *arguments, size_t argument_count)
{
	int r = memo_check(memo, arguments, argument_count);
	if (r < 0)
		return r;
	struct buffer key;
	r = memo_make_key(memo, arguments, argument_count, &key);
	if (r < 0)
		return r;
	r = shipopt_cache_remove(memo->cache, key.data, key.length);
	buffer_done(&key);
	return r;
}

int shipopt_memo_forget_all(shipopt_memo *memo)
{
	int r = memo_check(memo, NULL, 0);
	if (r < 0)
		return r;
	char prefix[NAME_MAX_BYTES + 2];
	size_t length = strlen(memo->name);
	memcpy(prefix, memo->name, length);
	prefix[length] = memo->key ? '=' : '(';
	prefix[length + 1] = '\0';
	return shipopt_cache_remove_prefix(memo->cache, prefix);
}
