/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "base/text.h"
#include "pool/connection/connection.h"

/*
 * Whether a user has changed a session. The pool knows it without asking the server, from three sources:
 *
 *   command tags   SET, LISTEN, PREPARE, DECLARE CURSOR and LOAD say what they did. After DO and CALL, which may do
 *                  anything, the session counts as changed. LOCK TABLE, SET LOCAL and SET CONSTRAINTS end with their
 *                  transaction. DISCARD ALL and DEALLOCATE ALL drop our prepared statements too
 *   the text       what no tag shows: temporary objects, set_config(), advisory locks, setseed() (pool/query/sql.c)
 *   parameters     those that the server reports (time zone, encoding, role, …), also when a function changed them
 *
 * A function of the database may still take an advisory lock, make a temporary table or change a setting that is not
 * reported. Applications that call such functions set reset to 2.
 */
static const char *const reported[] = {"application_name", "client_encoding", "DateStyle",
	"default_transaction_read_only", "IntervalStyle", "is_superuser", "session_authorization",
	"standard_conforming_strings", "TimeZone", "search_path" /* the last: before version 18 it is not reported */};

static uint64_t session_state_fingerprint(const PGconn *pg)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
	size_t count = ARRAY_SIZE(reported) - (PQserverVersion(pg) < 180000);
	for (size_t i = 0; i < count; i++) {
		const char *value = PQparameterStatus(pg, reported[i]);
		for (; value && *value; value++)
			sum = (sum ^ (unsigned char)*value) * UINT64_C(0x100000001b3);
		sum = (sum ^ 0xff) * UINT64_C(0x100000001b3); /* no byte of UTF-8 */
	}
	return sum;
}

void session_state_keep(struct connection *connection)
{
	connection->parameters = session_state_fingerprint(connection->pg);
}

void session_state_note(struct connection *connection, const struct shipopt_query *query, const PGresult *result)
{
	static const char *const dirties[] = {"LISTEN", "DECLARE CURSOR", "LOAD", "DO", "CALL"};
	const char *tag = PQcmdStatus((PGresult *)(uintptr_t)result);
	if (query->sql->marks & SQL_DIRTIES)
		connection->is_dirty = true;
	if (!(query->sql->marks & SQL_ONE_SHOT)) /* SELECT, INSERT, … */
		return;
	for (size_t i = 0; i < ARRAY_SIZE(dirties); i++)
		connection->is_dirty = connection->is_dirty || strcmp(tag, dirties[i]) == 0;
	if (strcmp(tag, "SET") == 0 && !(query->sql->marks & SQL_IS_LOCAL))
		connection->is_dirty = true;
	if (strcmp(tag, "PREPARE") == 0)
		connection->is_dirty = connection->has_foreign_statements = true;
	if (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0)
		connection->has_lost_statements = true;
}

void session_state_settle(struct connection *connection)
{
	if (connection->has_lost_statements) {
		prepared_cache_clear(&connection->statements);
		connection->has_lost_statements = connection->has_foreign_statements = false;
	}
	/* Inside of a transaction it may still be undone. */
	if (!connection->is_dirty && PQtransactionStatus(connection->pg) == PQTRANS_IDLE)
		connection->is_dirty = session_state_fingerprint(connection->pg) != connection->parameters;
}
