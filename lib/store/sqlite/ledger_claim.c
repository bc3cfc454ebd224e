/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "base/random.h"
#include "base/text.h"
#include "store/sqlite/ledger_sql.h"

/* Claims: to whom the account belongs, which row it is, and whether the row is free. */

#define TOKEN_START_MAX (INT64_MAX >> 1) /* leaves as many to count up */

static int ledger_claim_insert_row(struct database *database, struct ledger_request *request, int64_t generation,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int64_t token;
	int r = random_bytes(&token, sizeof(token));
	if (r < 0)
		return error_set(ret_error, r, "%s: no random numbers", database->path);
	token = (token & TOKEN_START_MAX) + 1;
	r = database_statement(database, SQL_INSERT, &statement, ret_error);
	if (r < 0)
		return r;
	ledger_bind_key(statement, &request->key);
	sqlite3_bind_int64(statement, 8, generation);
	bind_text(statement, 9, request->fingerprint);
	bind_text(statement, 10, request->request);
	sqlite3_bind_int64(statement, 11, request->lease_ms);
	bind_text(statement, 12, request->owner);
	sqlite3_bind_int64(statement, 13, token);
	r = ledger_take_row(database, statement, request, &request->claimed_token, ret_error);
	if (r == 0)
		request->created_row = true;
	return r;
}

static int ledger_claim_lease_row(struct database *database, struct ledger_request *request,
	const struct ledger_found *found, shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_LEASE, &statement, ret_error);
	if (r < 0)
		return r;
	sqlite3_bind_int64(statement, 1, found->id);
	sqlite3_bind_int64(statement, 2, found->token);
	sqlite3_bind_int(statement, 3, found->facts.state);
	sqlite3_bind_int64(statement, 4, request->lease_ms);
	bind_text(statement, 5, request->owner);
	bind_text(statement, 6, request->base_url);
	return ledger_take_row(database, statement, request, &request->claimed_token, ret_error);
}

/* Ends the token of a process that still works on the row. */
static int ledger_claim_end_token(struct database *database, const struct ledger_found *found,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	int r = ledger_move_statement(database, SQL_RENEW, found, true, 0, &statement, ret_error);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r == 0)
		return error_set(ret_error, SHIPOPT_EINTERNAL, "%s: a ledger row changed under the writer",
			database->path);
	return r < 0 ? r : MIN(database_step(database, statement, ret_error), 0);
}

/* Makes a generation that does not exist. The first one is always made. A later one must follow the newest one
 * directly, and that one must be over. From then on nothing is sent for the older one, unless a caller asks for that
 * generation. */
static int claim_new(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	int64_t generation = request->key.generation, newest = 0;
	struct ledger_found found;
	bool is_over = true;
	if (generation > 1) {
		sqlite3_stmt *statement;
		int r = ledger_find(database, &request->key, 0, &found, &statement, ret_error);
		if (r < 0)
			return r;
		newest = r == 1 ? found.generation : 0;
		is_over = r == 0 || ledger_allows_next_generation(&found.facts);
		sqlite3_reset(statement);
	}
	if (newest > 0 && generation == newest + 1 && is_over && ledger_needs_lease(found.facts.state)) {
		if (ledger_is_leased(&found.facts))
			return ledger_answer(database, request, &found, LEDGER_OUTCOME_BUSY, ret_error);
		int r = ledger_claim_end_token(database, &found, ret_error);
		if (r < 0)
			return r;
	}
	if (generation > newest + 1)
		request->status = error_set(&request->error, SHIPOPT_EINVAL,
			"ledger: generation %lld of order %s would leave a gap: the next one is %lld",
			(long long)generation, request->key.order_key, (long long)newest + 1);
	else if (!is_over)
		request->status = error_set(&request->error, SHIPOPT_ESTATE,
			"ledger: generation %lld of order %s is %s (row %lld); settle it before you ask for another one",
			(long long)newest, request->key.order_key, ledger_state_name(found.facts.state),
			(long long)found.id);
	return request->status < 0 ? 0 : ledger_claim_insert_row(database, request, newest + 1, ret_error);
}

/* One account belongs to one tenant, because rows of two tenants could have the same shipments. Accounts that several
 * tenants shared in a store of an earlier version stay with all of them. */
static int ledger_claim_check_account(struct database *database, struct ledger_request *request,
	shipopt_error **ret_error)
{
	const struct ledger_key *key = &request->key;
	const char *const texts[] = {key->provider, key->account, key->mode, key->tenant};
	sqlite3_stmt *statement;
	int r = database_statement(database, SQL_ACCOUNT_OWNER, &statement, ret_error);
	for (int i = 0; r == 0 && i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, i + 1, texts[i]);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r == 1) {
		bool is_ours = text_equal(column_text(statement, 0), key->tenant);
		sqlite3_reset(statement);
		if (!is_ours)
			request->status = error_set(&request->error, SHIPOPT_ECONFLICT,
				"ledger: account \"%s\" (%s) belongs to another tenant of this store; give this tenant's account a name "
				"of its own (carrier setting account)",
				key->account, key->mode);
		return 0;
	}
	r = r < 0 ? r : database_statement(database, SQL_ACCOUNT_ADD, &statement, ret_error);
	for (int i = 0; r == 0 && i < (int)ARRAY_SIZE(texts); i++)
		bind_text(statement, i + 1, texts[i]);
	return r < 0 ? r : database_step(database, statement, ret_error);
}

/* An earlier version guessed the mode of its rows from the API key. Nothing is bought while the store has such rows,
 * until a person confirms their mode. Once there are none, the question is not asked again: no new row has a guessed
 * mode. */
static int ledger_claim_check_guessed(struct database *database, struct ledger_request *request,
	shipopt_error **ret_error)
{
	sqlite3_stmt *statement;
	if (database->has_no_guessed)
		return 0;
	int r = database_statement(database, SQL_GUESSED, &statement, ret_error);
	r = r < 0 ? r : database_step(database, statement, ret_error);
	if (r < 0)
		return r;
	database->has_no_guessed = sqlite3_column_int(statement, 0) == 0;
	sqlite3_reset(statement);
	if (!database->has_no_guessed)
		request->status = error_set(&request->error, SHIPOPT_ESTATE,
			"%s has rows of an earlier version that call their mode \"test\" for every API key that does not begin with EZAK; "
			"open the store once with the setting confirm_mode=test, or confirm_mode=production if they were real purchases",
			database->path);
	return 0;
}

static int claim_found(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	struct ledger_found found;
	sqlite3_stmt *statement;
	int r = ledger_find(database, &request->key, request->key.generation, &found, &statement, ret_error);
	if (r < 0)
		return r;
	if (r == 0)
		return claim_new(database, request, ret_error);
	sqlite3_reset(statement);
	if (!ledger_needs_lease(found.facts.state))
		return ledger_answer(database, request, &found, LEDGER_OUTCOME_OK, ret_error);
	if (ledger_is_leased(&found.facts) && request->token != found.token)
		return ledger_answer(database, request, &found, LEDGER_OUTCOME_BUSY, ret_error);
	return ledger_claim_lease_row(database, request, &found, ret_error);
}

int ledger_claim(struct database *database, struct ledger_request *request, shipopt_error **ret_error)
{
	int r = ledger_claim_check_guessed(database, request, ret_error);
	if (r == 0 && request->status == 0)
		r = ledger_claim_check_account(database, request, ret_error);
	return r < 0 || request->status < 0 ? r : claim_found(database, request, ret_error);
}
