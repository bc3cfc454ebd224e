/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/call_op.h"

struct shipopt_call_options {
	int64_t timeout_ms;
	char *api_key, *base_url;
	int cache_mode;
};

int shipopt_call_options_new(shipopt_call_options **ret_options)
{
	shipopt_call_options *options = ret_options ? mem_alloc_zero(sizeof(*options)) : NULL;
	if (!options)
		return ret_options ? SHIPOPT_ENOMEM : SHIPOPT_EINVAL;
	*ret_options = options;
	return 0;
}

void shipopt_call_options_free(shipopt_call_options *options)
{
	if (!options)
		return;
	mem_free_secret(options->api_key);
	mem_free(options->base_url);
	mem_free(options);
}

int shipopt_call_options_set_timeout_ms(shipopt_call_options *options, int64_t timeout_ms)
{
	const struct setting *setting = &carrier_settings.settings[CARRIER_TIMEOUT_MS];
	if (!options || (timeout_ms != 0 && (timeout_ms < setting->minimum || timeout_ms > setting->maximum)))
		return SHIPOPT_EINVAL;
	options->timeout_ms = timeout_ms;
	return 0;
}

static int options_copy_checked(const char *text, int64_t length_max, char **ret_copy)
{
	if (text && ((int64_t)strlen(text) > length_max || strpbrk(text, "\r\n") || text_is_empty(text)))
		return SHIPOPT_EINVAL;
	char *copy = mem_copy_text(text);
	if (text && !copy)
		return SHIPOPT_ENOMEM;
	*ret_copy = copy;
	return 0;
}

int shipopt_call_options_set_api_key(shipopt_call_options *options, const char *key)
{
	char *copy = NULL;
	int r = options ? options_copy_checked(key, carrier_settings.settings[CARRIER_API_KEY].maximum, &copy)
			: SHIPOPT_EINVAL;
	if (r < 0)
		return r;
	mem_free_secret(options->api_key);
	options->api_key = copy;
	return 0;
}

int shipopt_call_options_set_base_url(shipopt_call_options *options, const char *url)
{
	char *copy = NULL;
	if (!options || (url && http_check_url(url, NULL) < 0))
		return SHIPOPT_EINVAL;
	int r = options_copy_checked(url, carrier_settings.settings[CARRIER_BASE_URL].maximum, &copy);
	if (r < 0)
		return r;
	for (size_t length = copy ? strlen(copy) : 0; length && copy[length - 1] == '/'; length--)
		copy[length - 1] = '\0';
	mem_free(options->base_url);
	options->base_url = copy;
	return 0;
}

int shipopt_call_options_set_cache(shipopt_call_options *options, int mode)
{
	if (!options || mode < SHIPOPT_CALL_CACHE_USE || mode > SHIPOPT_CALL_CACHE_NONE)
		return SHIPOPT_EINVAL;
	options->cache_mode = mode;
	return 0;
}

int call_op_apply(struct call_op *self, const shipopt_call_options *options)
{
	if (!options)
		return 0;
	self->exchange.timeout_ms = options->timeout_ms;
	self->cache_mode = options->cache_mode;
	if (options->api_key) {
		self->authorization = carrier_authorization(options->api_key);
		int r = self->authorization ? carrier_key_forms(options->api_key, &self->secrets, NULL)
					    : SHIPOPT_ENOMEM;
		if (r < 0)
			return r;
		self->exchange.authorization = self->authorization;
		self->exchange.secrets = &self->secrets;
	}
	if (options->base_url) {
		self->base_url = mem_copy_text(options->base_url);
		if (!self->base_url)
			return SHIPOPT_ENOMEM;
		self->exchange.base_url = self->base_url;
	}
	if (!options->api_key && !options->base_url)
		return 0;
	const shipopt_carrier *carrier = self->carrier;
	self->exchange.identity = self->identity;
	return answer_identity(carrier->provider, self->base_url ? self->base_url : carrier->base_url,
		self->authorization ? self->authorization : carrier->authorization, self->identity);
}
