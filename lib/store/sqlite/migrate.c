/* SPDX-License-Identifier: MIT */
#include "store/sqlite/migrate.h"

#include <stddef.h>
#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"

static int migrate_prepare(struct database *database, const char *sql, sqlite3_stmt **ret_statement,
	shipopt_error **ret_error)
{
	int code = fault_point() ? SQLITE_NOMEM : sqlite3_prepare_v2(database->handle, sql, -1, ret_statement, NULL);
	return code == SQLITE_OK ? 0 : database_error(database, code, ret_error);
}

/* Keeps what the row said before. */
#define MARK(text) "needs_person = 1, reason = " text " || coalesce('; ' || a.reason, '') "

/* ---- keys -------------------------------------------------------------------------------------------------- */

#define SAME_ORDER(a, b)                                                                                     \
#a ".tenant_id = " #b ".tenant_id AND " #a ".provider = " #b ".provider AND " #a ".account = " #b    \
	   ".account AND " #a ".mode = " #b ".mode AND " #a ".piece = " #b ".piece AND " #a ".purpose = " #b \
	   ".purpose "

struct migrate_keys {
	sqlite3_stmt *all, *respell, *mark_twins, *mark_refused;
};

/* Row ?1 is b. Generations stay together: another order's must not become the newest of this one. */
static const struct migrate_text {
	size_t offset;
	const char *sql;
} migrate_key_texts[] = {
	{offsetof(struct migrate_keys, all), "SELECT id, order_key FROM ledger ORDER BY id"},
	{offsetof(struct migrate_keys, respell),
		"UPDATE ledger AS a SET order_key = ?2 FROM ledger AS b WHERE b.id = ?1 AND " SAME_ORDER(a,
			b) "AND a.order_key = b.order_key AND NOT EXISTS (SELECT 1 FROM ledger AS c WHERE " SAME_ORDER(c,
			b) "AND c.order_key = ?2)"},
	{offsetof(struct migrate_keys, mark_twins),
		"UPDATE ledger AS a SET " MARK(
			"'ledger row ' || CASE a.order_key WHEN ?2 THEN b.id ELSE (SELECT min(c.id) FROM "
			"ledger AS c WHERE " SAME_ORDER(c,
				b) "AND c.order_key = ?2) END || ' has the same order key in another spelling: "
				   "see at the carrier which of them was bought and settle both (shipopt_ledger_resolve)'") "FROM ledger AS b WHERE b.id = ?1 AND " SAME_ORDER(a,
			b) "AND a.order_key IN (b.order_key, ?2) AND a.needs_person = 0"},
	/* Not where there is a label: then nothing is left to do. */
	{offsetof(struct migrate_keys, mark_refused),
		"UPDATE ledger AS a SET " MARK(
			"'no order can have this order key any more (invisible characters): see at the carrier "
			"whether it was bought and settle it (shipopt_ledger_resolve)'") "WHERE id = ?1 AND state NOT IN (5, 6, 9, 10, 11)"},
};

static int migrate_key_run(struct database *database, sqlite3_stmt *statement, int64_t id, const char *key,
	shipopt_error **ret_error)
{
	sqlite3_bind_int64(statement, 1, id);
	if (key)
		bind_text(statement, 2, key);
	int r = database_step(database, statement, ret_error);
	sqlite3_clear_bindings(statement);
	return r;
}

static int migrate_key(struct database *database, const struct migrate_keys *keys, int64_t id, const char *stored,
	shipopt_error **ret_error)
{
	char *key = NULL;
	int r = stored ? unicode_key(stored, strlen(stored), &key, NULL) : SHIPOPT_ENOMEM;
	if (r == SHIPOPT_ENOMEM)
		return r;
	if (r < 0)
		return migrate_key_run(database, keys->mark_refused, id, NULL, ret_error);
	if (!text_equal(key, stored)) {
		r = migrate_key_run(database, keys->respell, id, key, ret_error);
		if (r == 0 && sqlite3_changes(database->handle) == 0)
			r = migrate_key_run(database, keys->mark_twins, id, key, ret_error);
	}
	mem_free(key);
	return r;
}

static int migrate_keys_run(struct database *database, shipopt_error **ret_error)
{
	struct migrate_keys keys = {0};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(migrate_key_texts); i++)
		r = migrate_prepare(database, migrate_key_texts[i].sql,
			(sqlite3_stmt **)((char *)&keys + migrate_key_texts[i].offset), ret_error);
	while (r == 0 && (r = database_step(database, keys.all, ret_error)) == 1)
		r = migrate_key(database, &keys, sqlite3_column_int64(keys.all, 0), column_text(keys.all, 1),
			ret_error);
	sqlite3_finalize(keys.all);
	sqlite3_finalize(keys.respell);
	sqlite3_finalize(keys.mark_twins);
	sqlite3_finalize(keys.mark_refused);
	return r;
}

/* ---- shipments --------------------------------------------------------------------------------------------- */

#define SAME_SHIPMENT "b.provider = a.provider AND b.account = a.account AND b.shipment_id = a.shipment_id "
#define MARK_SHARED(others)                                                                                                      \
	MARK("'ledger row ' || (SELECT min(b.id) FROM ledger AS b WHERE " SAME_SHIPMENT others                                   \
	     ") || ' has the same shipment, "                                                                                    \
	     "one label for several orders: see whose it is and settle them (shipopt_ledger_resolve); the others are bought in " \
	     "a new generation (shipopt_order_set_generation)'")                                                                 \
	"WHERE a.shipment_id IS NOT NULL AND EXISTS (SELECT 1 FROM ledger AS b WHERE " SAME_SHIPMENT others ")"
#define OTHER_ROW "AND b.mode = a.mode AND b.id <> a.id"

/* clang-format off */
int migrate_version_1(struct database *database, shipopt_error **ret_error)
{
	int r = migrate_keys_run(database, ret_error);
	return r < 0 ? r
		     : database_run(database,
			       "CREATE INDEX ledger_shipments ON ledger (provider, account, mode, shipment_id);"
			       "UPDATE ledger AS a SET duplicate = id WHERE shipment_id IS NOT NULL AND EXISTS "
			       "(SELECT 1 FROM ledger AS b WHERE " SAME_SHIPMENT "AND b.mode = a.mode AND b.id < a.id);"
			       "UPDATE ledger AS a SET " MARK_SHARED(OTHER_ROW) ";"
			       "DROP INDEX ledger_shipments;"
			       "CREATE UNIQUE INDEX ledger_shipment ON ledger (provider, account, mode, shipment_id, duplicate) "
			       "WHERE shipment_id IS NOT NULL",
			       ret_error);
}
/* clang-format on */

/* ---- modes ------------------------------------------------------------------------------------------------- */

/* A guessed mode is "test". Rows that were not guessed have the other one: nothing is written beside guessed rows. */
#define SURE "b.mode_guessed = 0 AND b.mode = ?1 "
#define GUESSED "b.mode_guessed = 1 AND b.mode = 'test' "
#define SAME_KEY                                                                               \
	"b.tenant_id = a.tenant_id AND b.provider = a.provider AND b.account = a.account AND " \
	"b.order_key = a.order_key AND b.piece = a.piece AND b.purpose = a.purpose AND "
#define MARK_SAME_KEY(others)                                                                                       \
	MARK("'ledger row ' || (SELECT min(b.id) FROM ledger AS b WHERE " SAME_KEY others                           \
	     ") || ' has the same order key, and one "                                                              \
	     "of the two had a mode that was guessed: see at the carrier which of them was bought and settle both " \
	     "(shipopt_ledger_resolve)'")                                                                           \
	"WHERE EXISTS (SELECT 1 FROM ledger AS b WHERE " SAME_KEY others ")"

/* ?1: the confirmed mode. */
static const char *const migrate_confirm_texts[] = {
	"UPDATE ledger AS a SET duplicate = id WHERE mode_guessed = 1 AND EXISTS (SELECT 1 FROM ledger AS b WHERE " SAME_SHIPMENT
	"AND " SURE ")",
	"UPDATE ledger AS a SET " MARK_SHARED("AND " SURE) " AND a.mode_guessed = 1",
	"UPDATE ledger AS a SET " MARK_SHARED("AND " GUESSED) " AND a.mode_guessed = 0 AND a.mode = ?1",
	"UPDATE ledger AS a SET " MARK_SAME_KEY(GUESSED) " AND a.mode_guessed = 0 AND a.mode = ?1",
	"UPDATE ledger AS a SET mode_guessed = 0, " MARK_SAME_KEY(SURE) " AND a.mode_guessed = 1",
	"UPDATE ledger SET mode = ?1, mode_guessed = 0 WHERE mode_guessed = 1",
	"DELETE FROM account",
	"INSERT INTO account (provider, account, mode, tenant_id) SELECT DISTINCT provider, account, mode, tenant_id FROM ledger",
};

static int migrate_confirm(struct database *database, const char *mode, shipopt_error **ret_error)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(migrate_confirm_texts); i++) {
		sqlite3_stmt *statement = NULL;
		r = migrate_prepare(database, migrate_confirm_texts[i], &statement, ret_error);
		if (r == 0 && sqlite3_bind_parameter_count(statement) > 0)
			bind_text(statement, 1, mode);
		r = r < 0 ? r : database_step(database, statement, ret_error);
		sqlite3_finalize(statement);
	}
	return r;
}

int migrate_confirm_mode(struct database *database, const char *mode, shipopt_error **ret_error)
{
	int64_t guessed = 0;
	int r = database_number(database, "SELECT EXISTS (SELECT 1 FROM ledger WHERE mode_guessed = 1)", &guessed,
		ret_error);
	if (r < 0 || !guessed)
		return r;
	r = database_run(database, "BEGIN IMMEDIATE", ret_error);
	if (r < 0)
		return r;
	r = migrate_confirm(database, mode, ret_error);
	r = r < 0 ? r : database_run(database, "COMMIT", ret_error);
	if (r < 0)
		database_rollback(database);
	return r;
}
