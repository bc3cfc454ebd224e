/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include <string.h>

#include "base/text.h"
#include "store/ledger.h"
#include "store/store_op.h"

/* The public calls of <shipopt/ledger.h>: they check their arguments and start an operation. */

#define LIST_LIMIT_MAX 1000
#define TEXT_MAX_BYTES 4096

/* --- arguments --- */

static int ledger_call_check_state(int state, shipopt_error **ret_error)
{
	if ((state >= 0 && state <= SHIPOPT_LEDGER_STATE_VOID_REFUSED) || state == SHIPOPT_LEDGER_NEEDS_PERSON)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL,
		"argument state: %d is not a state (1 to %d), 0 or SHIPOPT_LEDGER_NEEDS_PERSON", state,
		SHIPOPT_LEDGER_STATE_VOID_REFUSED);
}

static int ledger_call_check_number(const char *name, int64_t value, int64_t min, int64_t max,
	shipopt_error **ret_error)
{
	if (value >= min && value <= max)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL, "argument %s: %lld is not within %lld and %lld", name,
		(long long)value, (long long)min, (long long)max);
}

static int ledger_call_check_text(const char *name, const char *text, bool is_required, shipopt_error **ret_error)
{
	size_t length = text ? strlen(text) : 0, offset = 0;
	if (is_required && length == 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "argument %s is missing: 1 to %d bytes", name,
			TEXT_MAX_BYTES);
	if (length > TEXT_MAX_BYTES)
		return error_set(ret_error, SHIPOPT_EINVAL, "argument %s has %zu bytes, more than %d", name, length,
			TEXT_MAX_BYTES);
	if (!text_is_utf8(text ? text : "", length, &offset))
		return error_set(ret_error, SHIPOPT_EENCODING, "argument %s is not UTF-8 at byte %zu", name, offset);
	return 0;
}

static int ledger_call_check_resolved_state(int state, shipopt_error **ret_error)
{
	if (state == SHIPOPT_LEDGER_STATE_BOUGHT || state == SHIPOPT_LEDGER_STATE_FAILED ||
		state == SHIPOPT_LEDGER_STATE_PLANNED)
		return 0;
	return error_set(ret_error, SHIPOPT_EINVAL, "argument state: %d (%s) is not bought, failed or planned", state,
		ledger_state_name(state));
}

/* --- calls --- */

/* Starts the operation, or one that fails with what the checks found. */
static int ledger_call_start(shipopt_store *store, const struct backend_query *query, int status, shipopt_error *error,
	shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	return status < 0 ? store_op_refuse(store, status, error, done, userdata, ret_op)
			  : store_op_start(store, query, done, userdata, ret_op);
}

int shipopt_ledger_list(shipopt_store *store, int state, int64_t after, int64_t limit, shipopt_done_fn done,
	void *userdata, shipopt_op **ret_op)
{
	const struct backend_query query = {.work.kind = BACKEND_LIST, .state = state, .after = after, .limit = limit};
	shipopt_error *error = NULL;
	if (!store)
		return SHIPOPT_EINVAL;
	int r = ledger_call_check_state(state, &error);
	r = r < 0 ? r : ledger_call_check_number("after", after, 0, INT64_MAX, &error);
	r = r < 0 ? r : ledger_call_check_number("limit", limit, 1, LIST_LIMIT_MAX, &error);
	return ledger_call_start(store, &query, r, error, done, userdata, ret_op);
}

int shipopt_ledger_count(shipopt_store *store, int state, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	const struct backend_query query = {.work.kind = BACKEND_COUNT, .state = state};
	shipopt_error *error = NULL;
	if (!store)
		return SHIPOPT_EINVAL;
	int r = ledger_call_check_state(state, &error);
	return ledger_call_start(store, &query, r, error, done, userdata, ret_op);
}

int shipopt_ledger_resolve(shipopt_store *store, int64_t row, int state, const char *tracking_code, const char *actor,
	const char *reason, shipopt_done_fn done, void *userdata, shipopt_op **ret_op)
{
	const struct backend_query query = {.work.kind = BACKEND_RESOLVE,
		.state = state,
		.row = row,
		.tracking_code = tracking_code,
		.actor = actor,
		.reason = reason};
	shipopt_error *error = NULL;
	if (!store)
		return SHIPOPT_EINVAL;
	int r = ledger_call_check_number("row", row, 1, INT64_MAX, &error);
	r = r < 0 ? r : ledger_call_check_resolved_state(state, &error);
	r = r < 0
		? r
		: ledger_call_check_text("tracking_code", tracking_code, state == SHIPOPT_LEDGER_STATE_BOUGHT, &error);
	r = r < 0 ? r : ledger_call_check_text("actor", actor, true, &error);
	r = r < 0 ? r : ledger_call_check_text("reason", reason, true, &error);
	return ledger_call_start(store, &query, r, error, done, userdata, ret_op);
}
