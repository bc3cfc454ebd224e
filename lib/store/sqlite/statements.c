/* SPDX-License-Identifier: MIT */
#include "store/sqlite/statements.h"

#define KEY                                                                                                  \
	"tenant_id = ?1 AND provider = ?2 AND account = ?3 AND mode = ?4 AND order_key = ?5 AND piece = ?6 " \
	"AND purpose = ?7"
/* In the order of enum row_column. */
#define ROW                                                                                                  \
	"id, generation, state, fingerprint, request, shipment_id, rate_id, carrier, service, currency, "    \
	"amount, ceiling, buying_at_ms, first_buying_at_ms, attempts, tracking_code, label_url, paid, "      \
	"budget, reason, lease_until_ms, wall_ms(), result, token, sent, unproven, settle_ms, exists_seen, " \
	"needs_person, refusal, base_url, approved, approved_currency, insurance, fee, rate_choice"
/* In the order of enum find_column. */
#define FIND                                                                                             \
	"SELECT id, generation, state, token, lease_until_ms, wall_ms(), held_from, sent, shipment_id, " \
	"amount, currency, budget, reserved, unproven, exists_seen, needs_person, fee FROM ledger WHERE "
/* A run does not finish these by sending the shipment again. In the words of the index ledger_person, which is for
 * them. */
#define NEEDS_PERSON "needs_person = 1 OR exists_seen = 1"
/* In the order of SHIPOPT_LEDGER_FIELD_…. */
#define LIST                                                                                                         \
	"SELECT id, order_key, piece, purpose, generation, state, provider, account, mode, mode_guessed, base_url, " \
	"shipment_id, carrier, service, amount, currency, insurance, fee, approved, approved_currency, ceiling, "    \
	"attempts, sent, unproven, buying_at_ms, exists_seen, " NEEDS_PERSON                                         \
	", reason, refusal, tracking_code, label_url, paid, updated_at_ms FROM ledger "

#define MOVE(set)                                                                                   \
	"UPDATE ledger SET " set "updated_at_ms = wall_ms(), token = token + ?4, lease_until_ms = " \
	"CASE WHEN ?4 THEN 0 WHEN ?5 > 0 THEN wall_ms() + ?5 ELSE lease_until_ms END "              \
	"WHERE id = ?1 AND token = ?2 AND state = ?3 RETURNING " ROW
/* Back to planned: nothing of the shipment is kept. */
#define NO_SHIPMENT                                                                                            \
	"state = 1, held_from = 0, shipment_id = NULL, rate_id = NULL, carrier = NULL, service = NULL, "       \
	"base_url = NULL, currency = NULL, amount = 0, insurance = 0, fee = 0, budget = NULL, reason = NULL, " \
	"refusal = NULL, rate_choice = NULL, "                                                                 \
	"sent = 0, unproven = 0, settle_ms = 0, exists_seen = 0, needs_person = 0, duplicate = 0, "
#define NO_APPROVAL "ceiling = 0, approved = 0, approved_currency = NULL, "

const char *const statement_texts[STATEMENT_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_SETTLE] = "UPDATE settle SET count = count + 1",

	[SQL_FIND] = FIND KEY " AND generation = ?8",
	[SQL_FIND_NEWEST] = FIND KEY " ORDER BY generation DESC LIMIT 1",
	[SQL_FIND_ID] = FIND "id = ?2 AND tenant_id = ?1",
	[SQL_READ] = "SELECT " ROW " FROM ledger WHERE id = ?1",

	[SQL_FIND_SHIPMENT] = "SELECT id, order_key FROM ledger WHERE provider = ?1 AND account = ?2 AND mode = ?3 "
			      "AND shipment_id = ?4 AND id <> ?5 LIMIT 1",
	[SQL_ACCOUNT_OWNER] = "SELECT tenant_id FROM account WHERE provider = ?1 AND account = ?2 AND mode = ?3 "
			      "ORDER BY tenant_id <> ?4 LIMIT 1",
	[SQL_ACCOUNT_ADD] = "INSERT INTO account (provider, account, mode, tenant_id) VALUES (?1, ?2, ?3, ?4)",
	[SQL_GUESSED] = "SELECT EXISTS (SELECT 1 FROM ledger WHERE mode_guessed = 1)",

	[SQL_INSERT] =
		"INSERT INTO ledger (tenant_id, provider, account, mode, order_key, piece, purpose, generation, "
		"state, fingerprint, request, token, lease_until_ms, owner, created_at_ms, updated_at_ms) VALUES "
		"(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 1, ?9, ?10, ?13, wall_ms() + ?11, ?12, wall_ms(), wall_ms()) "
		"RETURNING " ROW,
	[SQL_LEASE] =
		"UPDATE ledger SET token = token + 1, lease_until_ms = wall_ms() + ?4, owner = ?5, "
		"base_url = CASE WHEN shipment_id IS NULL THEN NULL ELSE coalesce(base_url, ?6) END, buying_at_ms = min(buying_at_ms, wall_ms()) "
		"WHERE id = ?1 AND token = ?2 AND state = ?3 RETURNING " ROW,

	[SQL_PLAN] = MOVE(NO_SHIPMENT
		"fingerprint = ?6, request = ?7, ceiling = CASE WHEN ?8 THEN ceiling ELSE 0 END, approved = CASE WHEN ?8 "
		"THEN approved ELSE 0 END, approved_currency = CASE WHEN ?8 THEN approved_currency ELSE NULL END, "),
	[SQL_CREATE] = MOVE(
		"state = 2, shipment_id = ?6, rate_id = ?7, carrier = ?8, service = ?9, currency = ?10, "
		"base_url = coalesce(?13, base_url), amount = ?11, ceiling = CASE WHEN ?12 > 0 THEN ?12 ELSE ceiling END, "
		"approved = CASE WHEN ?12 > 0 THEN ?11 ELSE approved END, "
		"approved_currency = CASE WHEN ?12 > 0 THEN ?10 ELSE approved_currency END, rate_choice = ?14, "
		"reason = NULL, "),
	[SQL_BUY] = MOVE(
		"state = 3, amount = ?6, currency = ?7, budget = ?8, reserved = ?9, "
		"ceiling = CASE WHEN ?10 > 0 THEN ?10 ELSE ceiling END, "
		"approved = CASE WHEN ?10 > 0 THEN ?6 ELSE approved END, "
		"approved_currency = CASE WHEN ?10 > 0 THEN ?7 ELSE approved_currency END, "
		"shipment_id = coalesce(?11, shipment_id), rate_id = coalesce(?12, rate_id), "
		"carrier = coalesce(?13, carrier), service = coalesce(?14, service), "
		"request = coalesce(?15, request), base_url = coalesce(?19, base_url), insurance = ?16, fee = ?17, settle_ms = max(settle_ms, ?18), "
		"buying_at_ms = wall_ms(), first_buying_at_ms = CASE first_buying_at_ms WHEN 0 THEN wall_ms() "
		"ELSE first_buying_at_ms END, attempts = attempts + 1, sent = sent + 1, unproven = unproven + 1, "
		"rate_choice = coalesce(?20, rate_choice), reason = NULL, "),
	[SQL_PROVE] = MOVE("state = CASE WHEN unproven > 1 THEN 4 ELSE 2 END, reason = ?6, "
			   "reserved = CASE WHEN unproven > 1 THEN reserved ELSE 0 END, unproven = unproven - 1, "),
	[SQL_DOUBT] =
		MOVE("state = 4, reason = ?6, refusal = coalesce(refusal, ?7), unproven = max(unproven - ?8, ?9), "
		     "exists_seen = max(exists_seen, ?9), needs_person = max(needs_person, ?10), "),
	[SQL_BOUGHT] =
		MOVE("state = 5, tracking_code = ?6, label_url = ?7, paid = ?8, result = ?9, reserved = 0, fee = ?11, "
		     "unproven = 0, exists_seen = 0, needs_person = 0, held_from = 0, reason = ?10, "),
	[SQL_FAIL] = MOVE("state = 7, reason = ?6, reserved = 0, unproven = 0, needs_person = 0, held_from = 0, "),
	[SQL_HOLD] = MOVE("held_from = state, state = 8, reason = ?6, shipment_id = coalesce(?7, shipment_id), "
			  "base_url = coalesce(?8, base_url), needs_person = ?9, "),
	[SQL_UNHOLD] = MOVE("state = held_from, held_from = 0, reason = NULL, "),
	[SQL_REPLAN] = MOVE(NO_SHIPMENT NO_APPROVAL),
	[SQL_UNBUY] =
		MOVE("state = 2, reason = ?6, reserved = 0, sent = 1, unproven = 1, exists_seen = 0, needs_person = 0, "
		     "refusal = NULL, "),
	[SQL_CONFIRM] = MOVE("needs_person = 0, reason = ?6, label_url = iif(tracking_code IS ?7, label_url, NULL), "
			     "result = iif(tracking_code IS ?7, result, NULL), tracking_code = ?7, "),
	[SQL_RENEW] = MOVE(""),
	[SQL_DOCUMENT] = MOVE("state = 6, "),
	[SQL_VOID] = MOVE("state = ?6, reason = ?7, "),

	[SQL_BUDGET_READ] = "SELECT reserved, spent FROM budget WHERE tenant_id = ?1 AND name = ?2 AND currency = ?3",
	[SQL_BUDGET_WRITE] =
		"INSERT INTO budget (tenant_id, name, currency, reserved, spent, limit_amount, updated_at_ms) "
		"VALUES (?1, ?2, ?3, ?4, ?5, coalesce(?6, 0), wall_ms()) ON CONFLICT (tenant_id, name, currency) DO UPDATE "
		"SET reserved = ?4, spent = ?5, limit_amount = coalesce(?6, limit_amount), updated_at_ms = wall_ms()",
	[SQL_AUDIT] =
		"INSERT INTO audit (tenant_id, ledger_id, at_ms, actor, reason, old_state, new_state, tracking_code) "
		"VALUES (?1, ?2, wall_ms(), ?3, ?4, ?5, ?6, ?7)",

	[SQL_LIST] = LIST "WHERE tenant_id = ?1 AND id > ?2 ORDER BY id LIMIT ?3",
	[SQL_LIST_STATE] = LIST "WHERE tenant_id = ?1 AND state = ?4 AND id > ?2 ORDER BY id LIMIT ?3",
	[SQL_LIST_PERSON] = LIST "WHERE tenant_id = ?1 AND (" NEEDS_PERSON ") AND id > ?2 ORDER BY id LIMIT ?3",
	[SQL_COUNT] = "SELECT count(*) FROM ledger WHERE tenant_id = ?1",
	[SQL_COUNT_STATE] = "SELECT count(*) FROM ledger WHERE tenant_id = ?1 AND state = ?4",
	[SQL_COUNT_PERSON] = "SELECT count(*) FROM ledger WHERE tenant_id = ?1 AND (" NEEDS_PERSON ")",
};
