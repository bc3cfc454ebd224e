/* SPDX-License-Identifier: MIT */
#include <shipopt/runtime.h>
#include <shipopt/version.h>

const char *shipopt_version(void)
{
	return SHIPOPT_VERSION_STRING;
}

int shipopt_version_number(void)
{
	return SHIPOPT_VERSION_MAJOR * 10000 + SHIPOPT_VERSION_MINOR * 100 + SHIPOPT_VERSION_MICRO;
}
