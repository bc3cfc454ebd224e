/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CONFIG

#include "pool/server/conninfo.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* The maximum of a text that is searched for secrets. The buffers that take the result are much shorter. */
#define SAID_BYTES_MAX ((size_t)65536)

static const char *const defaults[][2] = {
	{"keepalives", "1"},
	{"keepalives_idle", "30"},
	{"keepalives_interval", "10"},
	{"keepalives_count", "3"},
	{"tcp_user_timeout", "30000"},
	{"client_encoding", "UTF8"},
	{"fallback_application_name", "libshipopt"},
};

static bool conninfo_is_given(const struct conninfo *conninfo, const char *keyword)
{
	for (size_t i = 0; i < conninfo->count; i++)
		if (text_equal(conninfo->keywords[i], keyword))
			return true;
	return false;
}

static void conninfo_add(struct conninfo *conninfo, const char *keyword, const char *value)
{
	ASSERT(conninfo->count < CONNINFO_KEYWORDS_MAX);
	conninfo->keywords[conninfo->count] = keyword;
	conninfo->values[conninfo->count++] = value;
}

/* libpq says which keywords are secret, also new ones. Those that it does not mark are found by name. */
static bool conninfo_is_secret(const PQconninfoOption *option)
{
	return text_equal(option->dispchar, "*") || text_has_prefix(option->keyword, "scram_");
}

/* ---- strings that libpq would misread ---------------------------------------------------------------- */

static bool conninfo_is_port(const char *text, size_t length)
{
	int64_t port = 0;
	text_trim(&text, &length);
	for (size_t i = 0; i < length && port <= UINT16_MAX; i++)
		port = text[i] >= '0' && text[i] <= '9' ? port * 10 + text[i] - '0' : INT64_MAX / 16;
	return length == 0 || (port > 0 && port <= UINT16_MAX);
}

/* An abstract socket begins with "@". */
static bool conninfo_is_host(const char *text, size_t length)
{
	return length < 2 || !memchr(text + 1, '@', length - 1);
}

static bool conninfo_each_is(const char *list, bool (*is_good)(const char *text, size_t length))
{
	for (;; list++) {
		size_t length = strcspn(list, ",");
		if (!is_good(list, length))
			return false;
		list += length;
		if (!*list)
			return true;
	}
}

static bool conninfo_is_url(const char *text)
{
	return text_has_prefix(text, "postgresql://") || text_has_prefix(text, "postgres://");
}

/* In a URL one "@" may end user and password, with no "/" before it. The part after the "?" has other rules. */
static bool conninfo_has_stray_at(const char *text)
{
	if (!conninfo_is_url(text))
		return false;
	const char *begin = strstr(text, "://") + 3, *at = strchr(begin, '@'), *slash = strchr(begin, '/');
	if (!at)
		return false;
	const char *rest = slash && slash < at ? slash : at + 1;
	return memchr(rest, '@', strcspn(rest, "?")) != NULL;
}

/* What is wrong, or NULL. */
static const char *conninfo_find_fault(const char *text, const PQconninfoOption *options)
{
	if (conninfo_has_stray_at(text))
		return "the URL has an \"@\" or \"/\" in the user or password that is not percent-encoded (as %40 or %2F)";
	for (const PQconninfoOption *option = options; option->keyword; option++) {
		if (text_is_empty(option->val))
			continue;
		bool is_host_list = text_equal(option->keyword, "host") || text_equal(option->keyword, "hostaddr");
		if (is_host_list && !conninfo_each_is(option->val, conninfo_is_host))
			return "a host contains \"@\"; in a URL, percent-encode it in the user and password (as %40)";
		if (text_equal(option->keyword, "port") && !conninfo_each_is(option->val, conninfo_is_port))
			return "a port is not a number from 1 to 65535; in a URL, percent-encode \"/\" in the user and password (as %2F)";
		if (text_equal(option->keyword, "dbname") && conninfo_is_url(option->val))
			return "dbname is a connection URL; give the URL itself as the setting";
	}
	return NULL;
}

/* ---- life ---------------------------------------------------------------------------------------------------- */

int conninfo_init(struct conninfo *conninfo, const char *setting, const char *text, shipopt_error **ret_error)
{
	char *message = NULL;
	text = text ? text : "";
	*conninfo = (struct conninfo){.options = PQconninfoParse(text, &message)};
	secret_forms_init(&conninfo->secrets, SECRET_MESSAGE_BYTES_MIN);
	if (!conninfo->options) {
		/* libpq's message may quote the string, password and all. */
		bool is_memory = message == NULL;
		PQfreemem(message);
		return is_memory ? SHIPOPT_ENOMEM
				 : error_set(ret_error, SHIPOPT_EPARSE,
					   "pool setting %s: it is neither a connection URL nor a list of keywords and "
					   "values that this libpq knows",
					   setting);
	}
	const char *fault = conninfo_find_fault(text, conninfo->options);
	if (fault) {
		conninfo_done(conninfo);
		return error_set(ret_error, SHIPOPT_EPARSE, "pool setting %s: %s", setting, fault);
	}
	for (PQconninfoOption *option = conninfo->options; option->keyword; option++)
		if (!text_is_empty(option->val))
			conninfo_add(conninfo, option->keyword, option->val);
	for (size_t i = 0; i < ARRAY_SIZE(defaults); i++)
		if (!conninfo_is_given(conninfo, defaults[i][0]))
			conninfo_add(conninfo, defaults[i][0], defaults[i][1]);
	int r = 0;
	for (PQconninfoOption *option = conninfo->options; r == 0 && option->keyword; option++)
		if (conninfo_is_secret(option))
			r = secret_forms_add(&conninfo->secrets, option->val);
	if (r < 0)
		conninfo_done(conninfo);
	return r;
}

void conninfo_done(struct conninfo *conninfo)
{
	secret_forms_done(&conninfo->secrets);
	for (PQconninfoOption *option = conninfo->options; option && option->keyword; option++)
		if (option->val && conninfo_is_secret(option))
			mem_cleanse(option->val, strlen(option->val));
	PQconninfoFree(TAKE(conninfo->options));
}

/* ---- messages of others ----------------------------------------------------------------------------------------- */

void conninfo_copy_said(const struct conninfo *conninfo, PGconn *pg, const char *said, char *text, size_t size)
{
	struct secret_forms own; /* the password may be from elsewhere, such as a password file */
	size_t length = said ? strnlen(said, SAID_BYTES_MAX) : 0;
	char *whole = mem_copy_bytes(said, length);
	secret_forms_init(&own, SECRET_MESSAGE_BYTES_MIN);
	int r = !whole ? SHIPOPT_ENOMEM : pg ? secret_forms_add(&own, PQpass(pg)) : 0;
	if (r == 0) {
		secret_blank(whole, length, &conninfo->secrets);
		secret_blank(whole, length, &own);
	}
	snprintf(text, size, "%.*s", (int)size - 1, r == 0 ? whole : "the message is left out: out of memory");
	secret_forms_done(&own);
	mem_free_secret(whole);
}
