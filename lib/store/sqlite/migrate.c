/* SPDX-License-Identifier: MIT */
#include "store/sqlite/migrate.h"

#include <string.h>

#include "base/fault.h"
#include "base/memory.h"
#include "base/text.h"
#include "base/unicode.h"

static int migrate_prepare(struct database *database, const char *sql, sqlite3_stmt **ret_statement, shipopt_error **ret_error)
{
	int code = fault_point() ? SQLITE_NOMEM : sqlite3_prepare_v2(database->handle, sql, -1, ret_statement, NULL);
	return code == SQLITE_OK ? 0 : database_error(database, code, ret_error);
}

/* ---- keys -------------------------------------------------------------------------------------------------- */

struct migrate_keys {
	sqlite3_stmt *all, *rename, *mark;
};

/* Row `id` keeps its spelling, as another row has `key`: a person decides which of them counts. */
static int migrate_mark_twins(struct database *database, const struct migrate_keys *keys, int64_t id, const char *key,
	shipopt_error **ret_error)
{
	sqlite3_bind_int64(keys->mark, 1, id);
	bind_text(keys->mark, 2, key);
	int r = database_step(database, keys->mark, ret_error);
	sqlite3_clear_bindings(keys->mark);
	return r;
}

static int migrate_key(struct database *database, const struct migrate_keys *keys, int64_t id, const char *stored,
	shipopt_error **ret_error)
{
	char *key = NULL;
	/* A key that is not allowed today stays as it is: no order can have it any more. */
	int r = unicode_key(stored, strlen(stored), &key, NULL);
	if (r < 0 || text_equal(key, stored)) {
		mem_free(key);
		return r == SHIPOPT_ENOMEM ? r : 0;
	}
	sqlite3_bind_int64(keys->rename, 1, id);
	bind_text(keys->rename, 2, key);
	r = database_step(database, keys->rename, ret_error);
	if (r == 0 && sqlite3_changes(database->handle) == 0)
		r = migrate_mark_twins(database, keys, id, key, ret_error);
	sqlite3_clear_bindings(keys->rename);
	mem_free(key);
	return r;
}

static int migrate_keys_prepare(struct database *database, struct migrate_keys *keys, shipopt_error **ret_error)
{
	int r = migrate_prepare(database, "SELECT id, order_key FROM ledger ORDER BY id", &keys->all, ret_error);
	r = r < 0 ? r : migrate_prepare(database, "UPDATE OR IGNORE ledger SET order_key = ?2 WHERE id = ?1", &keys->rename,
				ret_error);
	return r < 0 ? r
		     : migrate_prepare(database,
			       "UPDATE ledger AS a SET needs_person = 1, reason = 'its key and that of another ledger row are the same "
			       "order key, spelled differently: keep one of them (shipopt_ledger_resolve)' FROM ledger AS b "
			       "WHERE b.id = ?1 AND (a.id = ?1 OR (a.tenant_id = b.tenant_id AND a.provider = b.provider AND "
			       "a.account = b.account AND a.mode = b.mode AND a.order_key = ?2 AND a.piece = b.piece AND "
			       "a.purpose = b.purpose))",
			       &keys->mark, ret_error);
}

static int migrate_keys_run(struct database *database, shipopt_error **ret_error)
{
	struct migrate_keys keys = {0};
	int r = migrate_keys_prepare(database, &keys, ret_error);
	while (r == 0 && (r = database_step(database, keys.all, ret_error)) == 1)
		r = migrate_key(database, &keys, sqlite3_column_int64(keys.all, 0), column_text(keys.all, 1), ret_error);
	sqlite3_finalize(keys.all);
	sqlite3_finalize(keys.rename);
	sqlite3_finalize(keys.mark);
	return r;
}

/* ---- shipments --------------------------------------------------------------------------------------------- */

#define SAME_SHIPMENT                                                                                         \
	"b.provider = a.provider AND b.account = a.account AND b.mode = a.mode AND b.shipment_id = a.shipment_id"

int migrate_version_1(struct database *database, shipopt_error **ret_error)
{
	int r = migrate_keys_run(database, ret_error);
	return r < 0 ? r
		     : database_run(database,
			       "CREATE INDEX ledger_shipments ON ledger (provider, account, mode, shipment_id);"
			       "UPDATE ledger AS a SET is_duplicate = 1 WHERE shipment_id IS NOT NULL AND EXISTS "
			       "(SELECT 1 FROM ledger AS b WHERE " SAME_SHIPMENT " AND b.id < a.id);"
			       "UPDATE ledger AS a SET needs_person = 1, reason = 'its shipment also belongs to another ledger row: one "
			       "label for several orders (shipopt_ledger_resolve)' WHERE shipment_id IS NOT NULL AND EXISTS "
			       "(SELECT 1 FROM ledger AS b WHERE " SAME_SHIPMENT " AND b.id <> a.id);"
			       "DROP INDEX ledger_shipments;"
			       "CREATE UNIQUE INDEX ledger_shipment ON ledger (provider, account, mode, shipment_id) "
			       "WHERE shipment_id IS NOT NULL AND is_duplicate = 0",
			       ret_error);
}

/* ---- modes ------------------------------------------------------------------------------------------------- */

static int migrate_confirm(struct database *database, const char *mode, shipopt_error **ret_error)
{
	sqlite3_stmt *statement = NULL;
	int r = migrate_prepare(
		database, "UPDATE OR IGNORE ledger SET mode = ?1, mode_guessed = 0 WHERE mode_guessed = 1", &statement, ret_error);
	if (r < 0)
		return r;
	bind_text(statement, 1, mode);
	r = database_step(database, statement, ret_error);
	sqlite3_finalize(statement);
	return r < 0 ? r
		     : database_run(database,
			       "UPDATE ledger SET mode_guessed = 0, needs_person = 1, reason = 'a row of the confirmed mode has the same "
			       "order key: keep one of them (shipopt_ledger_resolve)' WHERE mode_guessed = 1;"
			       "INSERT OR IGNORE INTO account SELECT DISTINCT provider, account, mode, tenant_id FROM ledger",
			       ret_error);
}

int migrate_confirm_mode(struct database *database, const char *mode, shipopt_error **ret_error)
{
	int64_t guessed = 0;
	int r = database_number(database, "SELECT EXISTS (SELECT 1 FROM ledger WHERE mode_guessed = 1)", &guessed, ret_error);
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
