/* SPDX-License-Identifier: MIT */
#include <shipopt/features.h>
#include <shipopt/runtime.h>
#include <shipopt/version.h>

#include "base/macro.h"
#include "base/text.h"

const char *shipopt_version(void)
{
	return SHIPOPT_VERSION_STRING;
}

int shipopt_version_number(void)
{
	return SHIPOPT_VERSION_MAJOR * 10000 + SHIPOPT_VERSION_MINOR * 100 + SHIPOPT_VERSION_MICRO;
}

int shipopt_has_feature(const char *name)
{
	static const struct {
		const char *name;
		int is_built;
	} features[] = {
		{"carrier", SHIPOPT_HAVE_CARRIER},
		{"sqlite", SHIPOPT_HAVE_SQLITE},
		{"postgres", SHIPOPT_HAVE_POSTGRES},
		{"faults", SHIPOPT_HAVE_FAULTS},
	};
	for (size_t i = 0; name && i < ARRAY_SIZE(features); i++)
		if (text_equal(name, features[i].name))
			return features[i].is_built;
	return 0;
}
