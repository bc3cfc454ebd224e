/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_CONFIG
#include "config/check.h"

#include <string.h>

#include "base/text.h"

int check_currency(const char *text, shipopt_error **ret_error)
{
	if (strlen(text) == 3 && strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == 3)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL,
		"\"%.64s\" is not a currency code of three capital letters, such as USD", text);
}

/* What is wrong with one name; NULL if nothing is. */
static const char *check_service_fault(const char *name, size_t length)
{
	text_trim(&name, &length);
	const char *slash = memchr(name, '/', length);
	if (length == 0)
		return "is empty";
	return slash == name || (slash && slash == name + length - 1) ? "has no text on one side of its \"/\"" : NULL;
}

int check_services(const char *text, shipopt_error **ret_error)
{
	size_t place = 1;
	for (const char *p = text; *text; place++) {
		size_t length = strcspn(p, ",");
		const char *fault = check_service_fault(p, length);
		if (fault)
			return error_set(ret_error, SHIPOPT_EINVAL, "name %zu of the list (\"%.*s\") %s", place,
				(int)MIN(length, (size_t)64), p, fault);
		if (p[length] == '\0')
			break;
		p += length + 1;
	}
	return 0;
}
