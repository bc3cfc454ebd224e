/* SPDX-License-Identifier: MIT */
#include "pool/conninfo.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static const char *const defaults[][2] = {
	{"keepalives", "1"},
	{"keepalives_idle", "30"},
	{"keepalives_interval", "10"},
	{"keepalives_count", "3"},
	{"tcp_user_timeout", "30000"},
	{"client_encoding", "UTF8"},
	{"fallback_application_name", "libshipopt"},
};

static bool is_given(const struct conninfo *conninfo, const char *keyword)
{
	for (size_t i = 0; i < conninfo->count; i++)
		if (text_equal(conninfo->keywords[i], keyword))
			return true;
	return false;
}

static void add(struct conninfo *conninfo, const char *keyword, const char *value)
{
	ASSERT(conninfo->count < CONNINFO_KEYWORDS_MAX);
	conninfo->keywords[conninfo->count] = keyword;
	conninfo->values[conninfo->count++] = value;
}

int conninfo_init(struct conninfo *conninfo, const char *setting, const char *text, shipopt_error **ret_error)
{
	char *message = NULL;
	*conninfo = (struct conninfo){.options = PQconninfoParse(text ? text : "", &message)};
	if (!conninfo->options) {
		/* libpq's message may quote the string, password and all. */
		bool is_memory = message == NULL;
		PQfreemem(message);
		return is_memory ? SHIPOPT_ENOMEM
				 : error_set(ret_error, SHIPOPT_EPARSE,
					   "pool setting %s: it is neither a connection URL nor a list of keywords and "
					   "values that this libpq knows", setting);
	}
	for (PQconninfoOption *option = conninfo->options; option->keyword; option++)
		if (!text_is_empty(option->val))
			add(conninfo, option->keyword, option->val);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (!is_given(conninfo, defaults[i][0]))
			add(conninfo, defaults[i][0], defaults[i][1]);
	return 0;
}

static bool is_secret(const char *keyword)
{
	return text_equal(keyword, "password") || text_equal(keyword, "sslpassword");
}

void conninfo_done(struct conninfo *conninfo)
{
	for (PQconninfoOption *option = conninfo->options; option && option->keyword; option++)
		if (option->val && is_secret(option->keyword))
			mem_cleanse(option->val, strlen(option->val));
	PQconninfoFree(TAKE(conninfo->options));
}

static void blank(char *text, const char *secret)
{
	size_t length = strlen(secret);
	for (char *place = text; length && (place = strstr(place, secret));)
		memset(place, '*', length);
}

void conninfo_redact(const struct conninfo *conninfo, char *text)
{
	const char *secrets[2] = {"", ""}; /* the longer one first, as the other may be a part of it */
	for (size_t i = 0; i < conninfo->count; i++) {
		if (!is_secret(conninfo->keywords[i]))
			continue;
		bool is_longer = strlen(conninfo->values[i]) > strlen(secrets[0]);
		secrets[1] = is_longer ? secrets[0] : conninfo->values[i];
		secrets[0] = is_longer ? conninfo->values[i] : secrets[0];
	}
	blank(text, secrets[0]);
	blank(text, secrets[1]);
}

void conninfo_redact_word(char *text, const char *secret)
{
	if (!text_is_empty(secret))
		blank(text, secret);
}
