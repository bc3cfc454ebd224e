/* SPDX-License-Identifier: MIT */
#include "pool/server/sqlstate.h"

#include <shipopt/error.h>

#include "base/text.h"

/* The first entry whose text begins the SQLSTATE decides. */
static const struct {
	const char *prefix;
	int code;
} sqlstate_codes[] = {
	{SQLSTATE_QUERY_CANCELED, SHIPOPT_ECANCELED},
	{"57P", SHIPOPT_ENETWORK}, /* operator intervention: shutdown, crash */
	{"08", SHIPOPT_ENETWORK},  /* connection exception */
	{"40", SHIPOPT_EBUSY},     /* transaction rollback */
	{"23", SHIPOPT_ECONFLICT}, /* integrity constraint violation */
	{"22", SHIPOPT_EINVAL},    /* data exception */
	{SQLSTATE_NO_PRIVILEGE, SHIPOPT_EAUTH},
	{"42", SHIPOPT_EINVAL},       /* syntax error or access rule violation */
	{"28", SHIPOPT_EAUTH},        /* invalid authorization specification */
	{"25", SHIPOPT_ESTATE},       /* invalid transaction state */
	{"0A", SHIPOPT_EUNSUPPORTED}, /* feature not supported */
	{SQLSTATE_LOCK_NOT_AVAILABLE, SHIPOPT_EBUSY},
};

bool sqlstate_is(const char *sqlstate, const char *name)
{
	return text_equal(sqlstate, name);
}

bool sqlstate_is_conflict(const char *sqlstate)
{
	return sqlstate_is(sqlstate, SQLSTATE_SERIALIZATION_FAILURE) || sqlstate_is(sqlstate, SQLSTATE_DEADLOCK);
}

bool sqlstate_is_prepared_problem(const char *sqlstate)
{
	return sqlstate_is(sqlstate, SQLSTATE_FEATURE_NOT_SUPPORTED) ||
		sqlstate_is(sqlstate, SQLSTATE_UNKNOWN_STATEMENT) ||
		sqlstate_is(sqlstate, SQLSTATE_DUPLICATE_STATEMENT);
}

bool sqlstate_ends_connection(const char *sqlstate)
{
	return sqlstate && (text_has_prefix(sqlstate, "57P") || text_has_prefix(sqlstate, "08"));
}

int sqlstate_code(const char *sqlstate)
{
	for (size_t i = 0; sqlstate && i < ARRAY_SIZE(sqlstate_codes); i++)
		if (text_has_prefix(sqlstate, sqlstate_codes[i].prefix))
			return sqlstate_codes[i].code;
	return SHIPOPT_EDATABASE;
}

int sqlstate_connect_code(const char *sqlstate)
{
	if (sqlstate_is(sqlstate, SQLSTATE_UNKNOWN_DATABASE))
		return SHIPOPT_ENOTFOUND;
	if (sqlstate && (text_has_prefix(sqlstate, "28") || sqlstate_is(sqlstate, SQLSTATE_NO_PRIVILEGE)))
		return SHIPOPT_EAUTH;
	return SHIPOPT_ENETWORK;
}
