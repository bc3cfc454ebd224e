/* SPDX-License-Identifier: MIT */
#define ERROR_DOMAIN SHIPOPT_DOMAIN_STORE

#include "store/ledger.h"

#include <string.h>

#include "base/memory.h"
#include "base/text.h"

const char *ledger_state_name(int state)
{
	static const char *const names[] = {"unknown", "planned", "created", "buying", "in doubt", "bought",
		"documented", "failed", "held", "void requested", "voided", "void refused"};
	return state > 0 && (size_t)state < ARRAY_SIZE(names) ? names[state] : names[0];
}

const char *shipopt_ledger_state_name(int state)
{
	return ledger_state_name(state);
}

void ledger_row_done(struct ledger_row *row)
{
	char *const texts[] = {row->fingerprint, row->request, row->shipment_id, row->rate_id, row->carrier,
		row->service, row->currency, row->tracking_code, row->label_url, row->budget, row->reason, row->result,
		row->approved_currency, row->refusal, row->base_url, row->rate_choice};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		mem_free(texts[i]);
	*row = (struct ledger_row){0};
}

void ledger_request_clear(struct ledger_request *request)
{
	ledger_row_done(&request->row);
	shipopt_error_unref(TAKE(request->error));
	request->status = 0;
	request->created_row = false;
	request->claimed_token = request->budget_more = request->budget_used = 0;
}

struct named_text {
	const char *name, *text;
};

static int ledger_check_text(const struct named_text *text, size_t minimum, size_t maximum, shipopt_error **ret_error)
{
	size_t length = text->text ? strlen(text->text) : 0, offset = 0;
	if (length < minimum)
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: %s is missing", text->name);
	if (length > maximum)
		return error_set(ret_error, SHIPOPT_ETOOLARGE, "ledger: %s has %zu bytes, more than %zu", text->name,
			length, maximum);
	if (!text_is_utf8(text->text ? text->text : "", length, &offset))
		return error_set(ret_error, SHIPOPT_EENCODING, "ledger: %s is not UTF-8 at byte %zu", text->name,
			offset);
	return 0;
}

static int ledger_check_key(const struct ledger_key *key, bool is_claim, shipopt_error **ret_error)
{
	const struct named_text texts[] = {{"the tenant", key->tenant}, {"the provider", key->provider},
		{"the account", key->account}, {"the mode", key->mode}, {"the order key", key->order_key},
		{"the purpose", key->purpose}};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int r = ledger_check_text(&texts[i], 1, LEDGER_KEY_MAX, ret_error);
		if (r < 0)
			return r;
	}
	if (key->piece < 1)
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: piece %lld is not 1 or more",
			(long long)key->piece);
	/* Without the generation, a token of one row could fit another row. */
	if (key->generation < (is_claim ? 0 : 1))
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: generation %lld is out of range (%d or more)",
			(long long)key->generation, is_claim ? 0 : 1);
	return 0;
}

static int ledger_check_texts(const struct ledger_request *request, shipopt_error **ret_error)
{
	const struct named_text texts[] = {{"the owner", request->owner}, {"the fingerprint", request->fingerprint},
		{"the request", request->request}, {"the shipment id", request->shipment_id},
		{"the rate id", request->rate_id}, {"the carrier", request->carrier}, {"the service", request->service},
		{"the currency", request->currency}, {"the budget", request->budget},
		{"the tracking code", request->tracking_code}, {"the label URL", request->label_url},
		{"the reason", request->reason}, {"the refusal", request->refusal}, {"the base URL", request->base_url},
		{"the rate choice", request->rate_choice}};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int r = ledger_check_text(&texts[i], 0, LEDGER_TEXT_MAX, ret_error);
		if (r < 0)
			return r;
	}
	return 0;
}

static int ledger_check_numbers(const struct ledger_request *request, shipopt_error **ret_error)
{
	bool needs_lease = request->operation == LEDGER_OP_CLAIM || request->operation == LEDGER_OP_RENEW;
	if (request->lease_ms < (needs_lease ? 1 : 0) || request->lease_ms > LEDGER_LEASE_MAX_MS)
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: a lease of %lld ms is not between 1 and %d",
			(long long)request->lease_ms, LEDGER_LEASE_MAX_MS);
	const int64_t amounts[] = {request->amount, request->ceiling, request->insurance, request->fee,
		request->budget_limit, request->paid};
	bool is_negative = request->settle_ms < 0;
	for (size_t i = 0; i < ARRAY_SIZE(amounts); i++)
		is_negative = is_negative || amounts[i] < 0;
	if (is_negative)
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: a negative amount");
	return 0;
}

static int ledger_check_operation(const struct ledger_request *request, shipopt_error **ret_error)
{
	int state = request->state;
	switch (request->operation) {
	case LEDGER_OP_CREATE:
		return text_is_empty(request->shipment_id)
			? error_set(ret_error, SHIPOPT_EINVAL, "ledger: the shipment id is missing")
			: 0;
	case LEDGER_OP_VOID:
		if (state != LEDGER_STATE_VOID_REQUESTED && state != LEDGER_STATE_VOIDED &&
			state != LEDGER_STATE_VOID_REFUSED)
			return error_set(ret_error, SHIPOPT_EINVAL, "ledger: a void cannot lead to state %d (%s)",
				state, ledger_state_name(state));
		return 0;
	case LEDGER_OP_CLAIM:
	case LEDGER_OP_PLAN:
	case LEDGER_OP_BUY:
	case LEDGER_OP_PROVE:
	case LEDGER_OP_DOUBT:
	case LEDGER_OP_BOUGHT:
	case LEDGER_OP_FAIL:
	case LEDGER_OP_HOLD:
	case LEDGER_OP_REOPEN:
	case LEDGER_OP_RENEW:
	case LEDGER_OP_RELEASE:
	case LEDGER_OP_DOCUMENT: return 0;
	}
	return error_set(ret_error, SHIPOPT_EINVAL, "ledger: no operation %d", (int)request->operation);
}

static bool ledger_is_within(const char *text, size_t maximum)
{
	return !text || (strlen(text) <= maximum && text_is_utf8(text, strlen(text), NULL));
}

/* A purchase that was made is recorded in any case. Texts that do not fit are dropped. */
static void ledger_relax_bought(struct ledger_request *request)
{
	const char **const texts[] = {&request->tracking_code, &request->label_url, &request->reason};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (!ledger_is_within(*texts[i], LEDGER_TEXT_MAX))
			*texts[i] = NULL;
	if (!ledger_is_within(request->result, LEDGER_RESULT_MAX))
		request->result = NULL;
	request->paid = MAX(request->paid, 0);
	request->fee = MAX(request->fee, 0);
}

int ledger_request_check(struct ledger_request *request, const char *tenant, shipopt_error **ret_error)
{
	if (request->key.tenant && strcmp(request->key.tenant, tenant) != 0)
		return error_set(ret_error, SHIPOPT_EINVAL, "ledger: this view of the store is of another tenant");
	request->key.tenant = tenant;
	if (request->operation == LEDGER_OP_BOUGHT)
		ledger_relax_bought(request);
	int r = ledger_check_operation(request, ret_error);
	r = r < 0 ? r : ledger_check_key(&request->key, request->operation == LEDGER_OP_CLAIM, ret_error);
	r = r < 0 ? r : ledger_check_numbers(request, ret_error);
	return r < 0 ? r : ledger_check_texts(request, ret_error);
}
