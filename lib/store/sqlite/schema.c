/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/sqlite/schema.h"

#include "store/sqlite/migrate.h"

/* One text a version. States are the numbers of enum ledger_state. Amounts are millionths. In version 1 `sent` counts
 * the purchases of the current shipment that are not proven to have bought nothing; version 2 has `unproven` for
 * that. */
static const char *const migrations[SCHEMA_VERSION] = {
	"CREATE TABLE ledger ("
	"id INTEGER PRIMARY KEY,"
	"tenant_id TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL, mode TEXT NOT NULL,"
	"order_key TEXT NOT NULL, piece INTEGER NOT NULL CHECK (piece >= 1), purpose TEXT NOT NULL,"
	"generation INTEGER NOT NULL CHECK (generation >= 1),"
	"state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 11),"
	"held_from INTEGER NOT NULL DEFAULT 0 CHECK (held_from IN (0, 1, 2)),"
	"token INTEGER NOT NULL, lease_until_ms INTEGER NOT NULL, owner TEXT,"
	"fingerprint TEXT, request TEXT,"
	"shipment_id TEXT, rate_id TEXT, carrier TEXT, service TEXT,"
	"currency TEXT, amount INTEGER NOT NULL DEFAULT 0, ceiling INTEGER NOT NULL DEFAULT 0,"
	"buying_at_ms INTEGER NOT NULL DEFAULT 0, first_buying_at_ms INTEGER NOT NULL DEFAULT 0,"
	"attempts INTEGER NOT NULL DEFAULT 0, sent INTEGER NOT NULL DEFAULT 0,"
	"budget TEXT, reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),"
	"tracking_code TEXT, label_url TEXT, paid INTEGER NOT NULL DEFAULT 0,"
	"reason TEXT, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL, result TEXT,"
	"UNIQUE (tenant_id, provider, account, mode, order_key, piece, purpose, generation),"
	"CHECK (sent = 0 OR state IN (3, 4, 5, 6, 9, 10, 11)), CHECK (reserved = 0 OR state IN (3, 4))"
	") STRICT;"
	"CREATE INDEX ledger_state ON ledger (tenant_id, state, id);"
	"CREATE INDEX ledger_page ON ledger (tenant_id, id);"
	"CREATE TABLE budget ("
	"tenant_id TEXT NOT NULL, name TEXT NOT NULL, currency TEXT NOT NULL,"
	"limit_amount INTEGER NOT NULL, reserved INTEGER NOT NULL CHECK (reserved >= 0), spent INTEGER NOT NULL,"
	"updated_at_ms INTEGER NOT NULL, PRIMARY KEY (tenant_id, name, currency)"
	") STRICT, WITHOUT ROWID;"
	"CREATE TABLE audit ("
	"id INTEGER PRIMARY KEY, tenant_id TEXT NOT NULL, ledger_id INTEGER NOT NULL REFERENCES ledger (id),"
	"at_ms INTEGER NOT NULL, actor TEXT NOT NULL, reason TEXT NOT NULL,"
	"old_state INTEGER NOT NULL, new_state INTEGER NOT NULL, tracking_code TEXT"
	") STRICT;"
	"CREATE INDEX audit_ledger ON audit (tenant_id, ledger_id, id);"
	/* Written after a commit that failed: see writer.c. */
	"CREATE TABLE settle (count INTEGER NOT NULL) STRICT;"
	"INSERT INTO settle VALUES (0);",

	/* `unproven`: purchases of the shipment that are not proven to have bought nothing. Where version 1 had any in
	 * flight, the settle time is the default of that version. `duplicate`: 0, or the row's own id where an older
	 * row has its shipment. Version 1 also failed a row when a repeat was refused, which says nothing about the
	 * purchase before it: such a row is in doubt, and its shipment is looked up before anything is sent. */
	"CREATE TABLE ledger_2 ("
	"id INTEGER PRIMARY KEY,"
	"tenant_id TEXT NOT NULL, provider TEXT NOT NULL, account TEXT NOT NULL, mode TEXT NOT NULL,"
	"order_key TEXT NOT NULL, piece INTEGER NOT NULL CHECK (piece >= 1), purpose TEXT NOT NULL,"
	"generation INTEGER NOT NULL CHECK (generation >= 1),"
	"state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 11),"
	"held_from INTEGER NOT NULL DEFAULT 0 CHECK (held_from IN (0, 1, 2)),"
	"token INTEGER NOT NULL, lease_until_ms INTEGER NOT NULL, owner TEXT, base_url TEXT,"
	"fingerprint TEXT, request TEXT,"
	"shipment_id TEXT, rate_id TEXT, carrier TEXT, service TEXT,"
	"currency TEXT, amount INTEGER NOT NULL DEFAULT 0,"
	"ceiling INTEGER NOT NULL DEFAULT 0, approved INTEGER NOT NULL DEFAULT 0, approved_currency TEXT,"
	"insurance INTEGER NOT NULL DEFAULT 0, fee INTEGER NOT NULL DEFAULT 0,"
	"buying_at_ms INTEGER NOT NULL DEFAULT 0, first_buying_at_ms INTEGER NOT NULL DEFAULT 0,"
	"settle_ms INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,"
	"sent INTEGER NOT NULL DEFAULT 0, unproven INTEGER NOT NULL DEFAULT 0,"
	"exists_seen INTEGER NOT NULL DEFAULT 0, needs_person INTEGER NOT NULL DEFAULT 0, refusal TEXT,"
	"budget TEXT, reserved INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),"
	"tracking_code TEXT, label_url TEXT, paid INTEGER NOT NULL DEFAULT 0,"
	"reason TEXT, created_at_ms INTEGER NOT NULL, updated_at_ms INTEGER NOT NULL,"
	"duplicate INTEGER NOT NULL DEFAULT 0, mode_guessed INTEGER NOT NULL DEFAULT 0, result TEXT,"
	"UNIQUE (tenant_id, provider, account, mode, order_key, piece, purpose, generation),"
	"CHECK (unproven BETWEEN 0 AND sent), CHECK (unproven = 0 OR state IN (2, 3, 4)),"
	"CHECK (state NOT IN (3, 4) OR unproven > 0), CHECK (reserved = 0 OR state IN (3, 4))"
	") STRICT;"
	"INSERT INTO ledger_2 (id, tenant_id, provider, account, mode, order_key, piece, purpose, generation, state, held_from,"
	"token, lease_until_ms, owner, fingerprint, request, shipment_id, rate_id, carrier, service, currency, amount, ceiling,"
	"approved, approved_currency, buying_at_ms, first_buying_at_ms, settle_ms, attempts, sent, unproven, budget, reserved,"
	"tracking_code, label_url, paid, reason, created_at_ms, updated_at_ms, mode_guessed, result) "
	"SELECT id, tenant_id, provider, account, mode, order_key, piece, purpose, generation, state, held_from,"
	"token, lease_until_ms, owner, fingerprint, request, shipment_id, rate_id, carrier, service, currency, amount, ceiling,"
	"amount, currency, buying_at_ms, first_buying_at_ms, iif(state IN (3, 4), 120000, 0), attempts,"
	"iif(state IN (3, 4), max(sent, 1), sent), iif(state IN (3, 4), max(sent, 1), 0), budget, reserved,"
	"tracking_code, label_url, max(paid, 0), reason, created_at_ms, updated_at_ms, mode = 'test', result FROM ledger;"
	"DROP TABLE ledger;"
	"ALTER TABLE ledger_2 RENAME TO ledger;"
	"UPDATE ledger SET state = 4, sent = 1, unproven = 1, settle_ms = 120000, reason = 'a repeated purchase was refused, "
	"which does not prove that the one before it bought nothing' || coalesce('; ' || reason, '') "
	"WHERE state = 7 AND attempts > 1 AND shipment_id IS NOT NULL;"
	"CREATE INDEX ledger_state ON ledger (tenant_id, state, id);"
	"CREATE INDEX ledger_page ON ledger (tenant_id, id);"
	"CREATE INDEX ledger_guessed ON ledger (id) WHERE mode_guessed = 1;"
	"CREATE INDEX ledger_person ON ledger (tenant_id, id) WHERE needs_person = 1;"
	"CREATE TABLE account ("
	"provider TEXT NOT NULL, account TEXT NOT NULL, mode TEXT NOT NULL, tenant_id TEXT NOT NULL,"
	"PRIMARY KEY (provider, account, mode, tenant_id)"
	") STRICT, WITHOUT ROWID;"
	"INSERT INTO account SELECT DISTINCT provider, account, mode, tenant_id FROM ledger;",

	/* Which rule chose the stored rates of earlier versions is not known. */
	"ALTER TABLE ledger ADD COLUMN rate_choice TEXT;"
	"DROP INDEX ledger_person;"
	"CREATE INDEX ledger_person ON ledger (tenant_id, id) WHERE needs_person = 1 OR exists_seen = 1;",
};

static int schema_read_version(struct database *database, int64_t *ret_version, shipopt_error **ret_error)
{
	int64_t application = 0, version = 0, tables = 0;
	int r = database_number(database, "PRAGMA application_id", &application, ret_error);
	r = r < 0 ? r : database_number(database, "PRAGMA user_version", &version, ret_error);
	r = r < 0 ? r : database_number(database, "SELECT count(*) FROM sqlite_schema", &tables, ret_error);
	if (r < 0)
		return r;
	if (application != SCHEMA_APPLICATION_ID && (application || version || tables))
		return error_set(ret_error, SHIPOPT_EDATABASE,
			"%s is a database of another program (application id %lld)", database->path,
			(long long)application);
	if (version < 0 || version > SCHEMA_VERSION)
		return error_set(ret_error, SHIPOPT_EDATABASE,
			"%s has schema version %lld; this library knows versions up to %d: open it with a newer library",
			database->path, (long long)version, SCHEMA_VERSION);
	*ret_version = version;
	return 0;
}

int schema_check(struct database *database, shipopt_error **ret_error)
{
	int64_t version;
	/* One snapshot, because another process may be creating the file. */
	int r = database_run(database, "BEGIN", ret_error);
	r = r < 0 ? r : schema_read_version(database, &version, ret_error);
	database_rollback(database);
	return r;
}

static int schema_migrate_from(struct database *database, int64_t version, shipopt_error **ret_error)
{
	for (; version < SCHEMA_VERSION; version++) {
		int r = database_run(database, migrations[version], ret_error);
		if (r == 0 && version == 1)
			r = migrate_version_1(database, ret_error);
		if (r < 0)
			return r;
	}
	return database_run_format(database, ret_error, "PRAGMA application_id = %d; PRAGMA user_version = %d",
		SCHEMA_APPLICATION_ID, SCHEMA_VERSION);
}

int schema_migrate(struct database *database, shipopt_error **ret_error)
{
	int64_t version = 0;
	int r = database_number(database, "PRAGMA user_version", &version, ret_error);
	if (r < 0 || version == SCHEMA_VERSION)
		return r;
	r = database_run(database, "BEGIN IMMEDIATE", ret_error);
	if (r < 0)
		return r;
	/* Another process may have been faster. */
	r = schema_read_version(database, &version, ret_error);
	if (r == 0 && version < SCHEMA_VERSION)
		r = schema_migrate_from(database, version, ret_error);
	r = r < 0 ? r : database_run(database, "COMMIT", ret_error);
	if (r < 0)
		database_rollback(database);
	return r;
}
