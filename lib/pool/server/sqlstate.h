/* SPDX-License-Identifier: MIT */
#ifndef POOL_SERVER_SQLSTATE_H
#define POOL_SERVER_SQLSTATE_H

#include "base/macro.h"

/*
 * SQLSTATE, the five-character error code of the server (PostgreSQL manual, appendix A). The first two characters are
 * the class. This file has names for the codes that the pool acts on, and maps every code to one of the library's
 * codes.
 */
#define SQLSTATE_SIZE 6

#define SQLSTATE_PROTOCOL_VIOLATION "08P01"
#define SQLSTATE_FEATURE_NOT_SUPPORTED "0A000" /* also: the plan of a prepared statement is out of date */
#define SQLSTATE_READ_ONLY_TRANSACTION "25006"
#define SQLSTATE_FAILED_TRANSACTION "25P02"
#define SQLSTATE_UNKNOWN_STATEMENT "26000"
#define SQLSTATE_UNKNOWN_DATABASE "3D000"
#define SQLSTATE_SERIALIZATION_FAILURE "40001"
#define SQLSTATE_DEADLOCK "40P01"
#define SQLSTATE_NO_PRIVILEGE "42501"
#define SQLSTATE_DUPLICATE_STATEMENT "42P05"
#define SQLSTATE_LOCK_NOT_AVAILABLE "55P03"
#define SQLSTATE_QUERY_CANCELED "57014"

/* All accept NULL, which is no SQLSTATE. */
bool sqlstate_is(const char *sqlstate, const char *name);
/* A conflict of transactions: the whole transaction may succeed when it is repeated. */
bool sqlstate_is_conflict(const char *sqlstate);
/* A prepared statement is missing, out of date or there already. */
bool sqlstate_is_prepared_problem(const char *sqlstate);
/* The server, or a pooler, ends the connection. */
bool sqlstate_ends_connection(const char *sqlstate);
/* The library's code for a failed statement. A canceled one is SHIPOPT_ECANCELED. */
int sqlstate_code(const char *sqlstate);
/* The library's code for a failed connect. SHIPOPT_EAUTH and SHIPOPT_ENOTFOUND do not heal with time; SHIPOPT_ENETWORK
 * may. */
int sqlstate_connect_code(const char *sqlstate);

#endif
