/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CARRIER
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "carrier/call_op.h"

/* What one raw call does otherwise than its client. */

struct shipopt_call_config {
	struct settings settings;
};

SETTINGS_PUBLIC_NEW(call)
SETTINGS_PUBLIC_FREE(call)
SETTINGS_PUBLIC(call)

static int call_config_set_key(struct call_op *self, const char *key)
{
	self->authorization = carrier_authorization(key);
	if (!self->authorization)
		return SHIPOPT_ENOMEM;
	int r = carrier_key_forms(key, &self->secrets, &self->exchange.error);
	if (r < 0)
		return r;
	self->exchange.authorization = self->authorization;
	self->exchange.secrets = &self->secrets;
	return 0;
}

static int call_config_set_url(struct call_op *self, const char *url)
{
	int r = http_check_url(url, &self->exchange.error);
	if (r < 0)
		return r;
	size_t length = strlen(url);
	while (length && url[length - 1] == '/')
		length--;
	self->base_url = mem_copy_bytes(url, length);
	if (!self->base_url)
		return SHIPOPT_ENOMEM;
	self->exchange.base_url = self->base_url;
	return 0;
}

static int call_config_cache_mode(const struct settings *settings)
{
	const char *text = settings_text(settings, CALL_CACHE);
	return text_equal(text, "none")       ? CALL_CACHE_MODE_NONE
		: text_equal(text, "refresh") ? CALL_CACHE_MODE_REFRESH
					      : CALL_CACHE_MODE_USE;
}

int call_op_apply(struct call_op *self, const shipopt_call_config *config)
{
	const struct settings *settings = config ? &config->settings : NULL;
	if (!settings)
		return 0;
	const char *key = settings_text(settings, CALL_API_KEY), *url = settings_text(settings, CALL_BASE_URL);
	int64_t call_timeout_ms = settings_number(settings, CALL_CALL_TIMEOUT_MS);
	int r = settings_check(settings, &self->exchange.error);
	r = r == 0 && key ? call_config_set_key(self, key) : r;
	r = r == 0 && url ? call_config_set_url(self, url) : r;
	if (r < 0)
		return r;
	self->exchange.timeout_ms = settings_number(settings, CALL_TIMEOUT_MS);
	self->cache_mode = call_config_cache_mode(settings);
	if (call_timeout_ms)
		self->exchange.deadline_us = call_op_deadline_us(call_timeout_ms);
	if (!key && !url)
		return 0;
	const shipopt_carrier *carrier = self->carrier;
	self->exchange.identity = self->identity;
	return answer_identity(carrier->provider, self->base_url ? self->base_url : carrier->base_url,
		self->authorization ? self->authorization : carrier->authorization, self->identity);
}
