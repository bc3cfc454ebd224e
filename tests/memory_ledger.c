/* SPDX-License-Identifier: MIT */
#include "memory_ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"

#define BIT(state) (1u << (state))
#define PLANNED BIT(LEDGER_STATE_PLANNED)
#define CREATED BIT(LEDGER_STATE_CREATED)
#define BUYING BIT(LEDGER_STATE_BUYING)
#define IN_DOUBT BIT(LEDGER_STATE_IN_DOUBT)
#define BOUGHT BIT(LEDGER_STATE_BOUGHT)
#define DOCUMENTED BIT(LEDGER_STATE_DOCUMENTED)
#define FAILED BIT(LEDGER_STATE_FAILED)
#define HELD BIT(LEDGER_STATE_HELD)
#define VOID_REFUSED BIT(LEDGER_STATE_VOID_REFUSED)
#define VOIDED BIT(LEDGER_STATE_VOIDED)

/* The rules: from which states, to which, and what must hold beside. */
static const struct rule {
	unsigned from;
	int to; /* 0: as it is, or by the operation */
	bool needs_token;
	bool needs_proven; /* nothing unproven, and nobody is asked */
	bool leases;
} rules[] = {
	[LEDGER_OP_PLAN] = {PLANNED | CREATED | FAILED | HELD, LEDGER_STATE_PLANNED, true, true, false},
	[LEDGER_OP_CREATE] = {PLANNED | CREATED, LEDGER_STATE_CREATED, true, true, false},
	[LEDGER_OP_BUY] = {PLANNED | CREATED | BUYING | IN_DOUBT, LEDGER_STATE_BUYING, true, false, true},
	[LEDGER_OP_PROVE] = {BUYING, 0, true, false, false},
	[LEDGER_OP_DOUBT] = {BUYING | IN_DOUBT, LEDGER_STATE_IN_DOUBT, true, false, false},
	[LEDGER_OP_BOUGHT] = {CREATED | BUYING | IN_DOUBT | FAILED, LEDGER_STATE_BOUGHT, true, false, false},
	[LEDGER_OP_FAIL] = {PLANNED | CREATED | BUYING, LEDGER_STATE_FAILED, true, false, false},
	[LEDGER_OP_HOLD] = {PLANNED | CREATED, LEDGER_STATE_HELD, true, true, false},
	[LEDGER_OP_REOPEN] = {HELD | FAILED, 0, true, false, false},
	[LEDGER_OP_RENEW] = {~0u, 0, true, false, true},
	[LEDGER_OP_RELEASE] = {~0u, 0, true, false, false},
	[LEDGER_OP_DOCUMENT] = {BOUGHT, LEDGER_STATE_DOCUMENTED, false, false, false},
	[LEDGER_OP_VOID] = {0, 0, false, false, false},
};

/* ---- memory ------------------------------------------------------------------------------------------------ */

static char *copy(const char *text)
{
	char *copied = text ? strdup(text) : NULL;
	if (text && !copied)
		abort();
	return copied;
}

static void *grown(void *array, size_t count, size_t *capacity, size_t size)
{
	if (count < *capacity)
		return array;
	*capacity = *capacity ? *capacity * 2 : 16;
	void *larger = realloc(array, *capacity * size);
	if (!larger)
		abort();
	return larger;
}

#define ROW_TEXTS 16
static void list_texts(struct ledger_row *row, char ***texts)
{
	char **const all[ROW_TEXTS] = {&row->fingerprint, &row->request, &row->shipment_id, &row->rate_id,
		&row->carrier, &row->service, &row->currency, &row->tracking_code, &row->label_url, &row->budget,
		&row->reason, &row->result, &row->approved_currency, &row->refusal, &row->base_url, &row->rate_choice};
	memcpy(texts, all, sizeof(all));
}

static void row_free(struct ledger_row *row)
{
	char **texts[ROW_TEXTS];
	list_texts(row, texts);
	for (size_t i = 0; i < ROW_TEXTS; i++)
		free(*texts[i]);
}

static void set(char **slot, const char *text)
{
	char *copied = copy(text);
	free(*slot);
	*slot = copied;
}

/* Into the library's memory. */
static int hand_out(const struct ledger_row *row, struct ledger_row *ret_row)
{
	struct ledger_row given = *row;
	char **texts[ROW_TEXTS];
	int r = 0;
	list_texts(&given, texts);
	for (size_t i = 0; i < ROW_TEXTS; i++) {
		const char *text = *texts[i];
		*texts[i] = r == 0 ? mem_copy_text(text) : NULL;
		if (text && !*texts[i])
			r = SHIPOPT_ENOMEM;
	}
	given.now_ms = clock_wall_ms();
	if (r < 0)
		ledger_row_done(&given);
	else
		*ret_row = given;
	return r;
}

void memory_ledger_init(struct memory_ledger *ledger)
{
	*ledger = (struct memory_ledger){.next_token = 1000};
}

void memory_ledger_done(struct memory_ledger *ledger)
{
	for (size_t i = 0; i < ledger->row_count; i++) {
		row_free(&ledger->rows[i].row);
		free(ledger->rows[i].key);
		free(ledger->rows[i].order_key);
	}
	for (size_t i = 0; i < ledger->budget_count; i++)
		free(ledger->budgets[i].key);
	free(ledger->rows);
	free(ledger->budgets);
}

/* ---- finding ----------------------------------------------------------------------------------------------- */

static void join_key(const struct ledger_key *key, char *text, size_t size)
{
	snprintf(text, size, "%s\n%s\n%s\n%s\n%s\n%lld\n%s", key->tenant, key->provider, key->account, key->mode,
		key->order_key, (long long)key->piece, key->purpose);
}

static struct memory_row *find(struct memory_ledger *ledger, const struct ledger_key *key, int64_t generation)
{
	char text[4096];
	struct memory_row *newest = NULL;
	join_key(key, text, sizeof(text));
	for (size_t i = 0; i < ledger->row_count; i++) {
		struct memory_row *row = &ledger->rows[i];
		if (strcmp(row->key, text) != 0 || (generation && row->generation != generation))
			continue;
		if (!newest || row->generation > newest->generation)
			newest = row;
	}
	return newest;
}

const struct memory_row *memory_ledger_find(const struct memory_ledger *ledger, const char *order_key)
{
	const struct memory_row *newest = NULL;
	for (size_t i = 0; i < ledger->row_count; i++) {
		const struct memory_row *row = &ledger->rows[i];
		if (row->piece == 1 && strcmp(row->order_key, order_key) == 0 &&
			(!newest || row->generation > newest->generation))
			newest = row;
	}
	return newest;
}

size_t memory_ledger_count(const struct memory_ledger *ledger, int state)
{
	size_t count = 0;
	for (size_t i = 0; i < ledger->row_count; i++)
		count += state == 0 || ledger->rows[i].row.state == state;
	return count;
}

/* ---- budgets ----------------------------------------------------------------------------------------------- */

static struct memory_budget *budget_of(struct memory_ledger *ledger, const char *tenant, const char *name,
	const char *currency)
{
	char text[2048];
	if (!name || !currency)
		return NULL;
	snprintf(text, sizeof(text), "%s\n%s\n%s", tenant, name, currency);
	for (size_t i = 0; i < ledger->budget_count; i++)
		if (strcmp(ledger->budgets[i].key, text) == 0)
			return &ledger->budgets[i];
	ledger->budgets =
		grown(ledger->budgets, ledger->budget_count, &ledger->budget_capacity, sizeof(*ledger->budgets));
	struct memory_budget *budget = &ledger->budgets[ledger->budget_count++];
	*budget = (struct memory_budget){.key = copy(text)};
	return budget;
}

const struct memory_budget *memory_ledger_budget(const struct memory_ledger *ledger, const char *name)
{
	for (size_t i = 0; i < ledger->budget_count; i++) {
		const char *begin = strchr(ledger->budgets[i].key, '\n') + 1;
		if (strncmp(begin, name, strlen(name)) == 0 && begin[strlen(name)] == '\n')
			return &ledger->budgets[i];
	}
	return NULL;
}

static void settle(struct memory_ledger *ledger, const char *tenant, struct memory_row *row, int64_t spent)
{
	struct memory_budget *budget = budget_of(ledger, tenant, row->row.budget, row->row.currency);
	if (budget) {
		budget->reserved = MAX(budget->reserved - row->reserved, 0);
		budget->spent += spent;
		row->spent += spent;
	}
	row->reserved = 0;
}

static bool is_over(struct memory_ledger *ledger, struct ledger_request *request, struct memory_row *row,
	int64_t amount, const char *currency)
{
	struct memory_budget *budget = budget_of(ledger, request->key.tenant, request->budget, currency);
	bool same = text_equal(request->budget, row->row.budget) && text_equal(currency, row->row.currency);
	bool keeps = row->row.unproven > 0 && text_equal(currency, row->row.currency);
	int64_t more = (keeps ? MAX(amount, row->reserved) : amount) - (same ? row->reserved : 0);
	bool over = budget && more > 0 && request->budget_limit > 0 &&
		budget->reserved + budget->spent + more > request->budget_limit;
	request->budget_more = over ? more : 0;
	request->budget_used = over ? budget->reserved + budget->spent : 0;
	return over;
}

/* ---- what each operation writes ---------------------------------------------------------------------------- */

static void forget_shipment(struct memory_row *row)
{
	struct ledger_row *r = &row->row;
	char **const texts[] = {&r->shipment_id, &r->rate_id, &r->carrier, &r->service, &r->currency, &r->budget,
		&r->reason, &r->refusal, &r->base_url, &r->rate_choice};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		set(texts[i], NULL);
	r->amount = r->insurance = r->fee = 0;
	r->sent = r->unproven = r->settle_ms = r->exists_seen = r->needs_person = 0;
	row->held_from = 0;
}

static void forget_approval(struct ledger_row *row)
{
	row->ceiling = row->approved = 0;
	set(&row->approved_currency, NULL);
}

static void approve(struct ledger_row *row, int64_t ceiling, int64_t amount, const char *currency)
{
	row->ceiling = ceiling;
	row->approved = amount;
	set(&row->approved_currency, currency);
}

static void set_if(char **slot, const char *text)
{
	if (text)
		set(slot, text);
}

static void write_created(const struct ledger_request *request, struct ledger_row *row)
{
	set(&row->shipment_id, request->shipment_id);
	set(&row->rate_id, request->rate_id);
	set(&row->carrier, request->carrier);
	set(&row->service, request->service);
	set(&row->currency, request->currency);
	set(&row->rate_choice, request->rate_choice);
	set(&row->reason, NULL);
	set_if(&row->base_url, request->base_url);
	row->amount = request->amount;
	if (request->ceiling > 0)
		approve(row, request->ceiling, request->amount, request->currency);
}

static void write_buying(struct memory_ledger *ledger, const struct ledger_request *request, struct memory_row *found)
{
	struct ledger_row *row = &found->row;
	int64_t amount = request->amount ? request->amount : row->amount;
	const char *currency = request->currency ? request->currency : row->currency;
	bool keeps = !request->budget && row->unproven > 0;
	int64_t before = row->unproven > 0 && text_equal(currency, row->currency) ? found->reserved : 0;
	int64_t reserved = MAX(amount + request->fee, before);
	settle(ledger, request->key.tenant, found, 0);
	set_if(&row->currency, request->currency);
	if (!keeps)
		set(&row->budget, request->budget);
	set(&row->reason, NULL);
	set_if(&row->shipment_id, request->shipment_id);
	set_if(&row->rate_id, request->rate_id);
	set_if(&row->carrier, request->carrier);
	set_if(&row->service, request->service);
	set_if(&row->rate_choice, request->rate_choice);
	set_if(&row->request, request->request);
	set_if(&row->base_url, request->base_url);
	struct memory_budget *budget = budget_of(ledger, request->key.tenant, row->budget, row->currency);
	if (budget) {
		budget->reserved += reserved;
		budget->limit = keeps ? budget->limit : request->budget_limit;
	}
	found->reserved = row->budget ? reserved : 0;
	row->amount = amount;
	if (request->ceiling > 0)
		approve(row, request->ceiling, amount, row->currency);
	row->insurance = request->insurance;
	row->fee = request->fee;
	row->settle_ms = MAX(row->settle_ms, request->settle_ms);
	row->buying_at_ms = clock_wall_ms();
	row->first_buying_at_ms = row->first_buying_at_ms ? row->first_buying_at_ms : row->buying_at_ms;
	row->attempts++;
	row->sent++;
	row->unproven++;
}

static void write_bought(struct memory_ledger *ledger, const struct ledger_request *request, struct memory_row *found)
{
	struct ledger_row *row = &found->row;
	settle(ledger, request->key.tenant, found, (request->paid ? request->paid : row->amount) + request->fee);
	set(&row->tracking_code, request->tracking_code);
	set(&row->label_url, request->label_url);
	set(&row->result, request->result);
	set(&row->reason, request->reason);
	row->paid = request->paid;
	row->fee = request->fee;
	row->unproven = row->exists_seen = row->needs_person = 0;
	found->held_from = 0;
}

static void write_doubt(const struct ledger_request *request, struct ledger_row *row)
{
	set(&row->reason, request->reason);
	if (!row->refusal)
		set(&row->refusal, request->refusal);
	row->unproven -= request->proven;
	if (request->exists_seen && row->unproven == 0)
		row->unproven = 1;
	row->exists_seen = row->exists_seen || request->exists_seen;
	row->needs_person = row->needs_person || request->needs_person;
}

static void write_proof(struct memory_ledger *ledger, const struct ledger_request *request, struct memory_row *found)
{
	struct ledger_row *row = &found->row;
	row->unproven--;
	row->state = row->unproven > 0 ? LEDGER_STATE_IN_DOUBT : LEDGER_STATE_CREATED;
	if (row->unproven == 0)
		settle(ledger, request->key.tenant, found, 0);
	set(&row->reason, request->reason);
}

static void write(struct memory_ledger *ledger, const struct ledger_request *request, struct memory_row *found)
{
	struct ledger_row *row = &found->row;
	switch (request->operation) {
	case LEDGER_OP_PLAN:
		forget_shipment(found);
		if (!request->keep_approval)
			forget_approval(row);
		set(&row->fingerprint, request->fingerprint);
		set(&row->request, request->request);
		break;
	case LEDGER_OP_CREATE: write_created(request, row); break;
	case LEDGER_OP_BUY: write_buying(ledger, request, found); break;
	case LEDGER_OP_BOUGHT: write_bought(ledger, request, found); break;
	case LEDGER_OP_FAIL:
		settle(ledger, request->key.tenant, found, 0);
		row->unproven = row->needs_person = 0;
		found->held_from = 0;
		set(&row->reason, request->reason);
		break;
	case LEDGER_OP_PROVE: write_proof(ledger, request, found); break;
	case LEDGER_OP_HOLD:
		found->held_from = row->state;
		set(&row->reason, request->reason);
		set_if(&row->shipment_id, request->shipment_id);
		set_if(&row->base_url, request->base_url);
		row->needs_person = request->needs_person;
		break;
	case LEDGER_OP_REOPEN:
		if (row->state == LEDGER_STATE_HELD) {
			row->state = found->held_from;
			found->held_from = 0;
			set(&row->reason, NULL);
		} else {
			forget_shipment(found);
			forget_approval(row);
			row->state = LEDGER_STATE_PLANNED;
		}
		break;
	case LEDGER_OP_DOUBT: write_doubt(request, row); break;
	case LEDGER_OP_VOID:
		row->state = request->state;
		set(&row->reason, request->reason);
		break;
	default: break;
	}
}

/* ---- operations -------------------------------------------------------------------------------------------- */

static bool buy_is_allowed(const struct ledger_request *request, const struct ledger_row *row)
{
	if (row->sent >= LEDGER_SENDS_MAX || row->exists_seen || row->needs_person)
		return false;
	if (row->state == LEDGER_STATE_PLANNED)
		return request->shipment_id && request->rate_id;
	return row->shipment_id && (!request->shipment_id || strcmp(request->shipment_id, row->shipment_id) == 0);
}

static bool is_allowed(const struct ledger_request *request, const struct memory_row *found)
{
	const struct rule *rule = &rules[request->operation];
	const struct ledger_row *row = &found->row;
	unsigned from = rule->from;
	if (request->operation == LEDGER_OP_VOID)
		from = request->state == LEDGER_STATE_VOID_REQUESTED ? BOUGHT | DOCUMENTED | VOID_REFUSED
								     : BIT(LEDGER_STATE_VOID_REQUESTED);
	if (request->operation == LEDGER_OP_DOUBT && request->exists_seen && row->sent)
		from |= CREATED;
	if (!(from & BIT(row->state)) || (rule->needs_proven && (row->unproven || row->needs_person)))
		return false;
	bool has_newest = row->state == LEDGER_STATE_BUYING && row->unproven;
	switch (request->operation) {
	case LEDGER_OP_BUY: return buy_is_allowed(request, row);
	case LEDGER_OP_PROVE: return row->unproven > 0;
	case LEDGER_OP_DOUBT:
		return (!request->proven || has_newest) && row->unproven + request->exists_seen > request->proven;
	case LEDGER_OP_FAIL:
		return (!request->proven || has_newest) && row->unproven == request->proven && !row->needs_person;
	case LEDGER_OP_BOUGHT: return row->state != LEDGER_STATE_CREATED || row->unproven;
	case LEDGER_OP_REOPEN:
		return !row->needs_person &&
			(!request->state ||
				request->state ==
					(row->state == LEDGER_STATE_HELD ? found->held_from : LEDGER_STATE_PLANNED));
	default: return true;
	}
}

/* Another row has the shipment that the request brings. */
static bool is_shared(const struct memory_ledger *ledger, const struct ledger_request *request,
	const struct memory_row *found)
{
	bool brings = request->operation == LEDGER_OP_CREATE || request->operation == LEDGER_OP_BUY ||
		request->operation == LEDGER_OP_HOLD;
	for (size_t i = 0; brings && request->shipment_id && i < ledger->row_count; i++)
		if (&ledger->rows[i] != found && text_equal(ledger->rows[i].row.shipment_id, request->shipment_id))
			return true;
	return false;
}

static void look(struct ledger_request *request, const struct memory_row *found, int outcome)
{
	int r = hand_out(&found->row, &request->row);
	request->status = r < 0 ? r : outcome;
}

static void lease(struct memory_row *row, const struct ledger_request *request, bool leases)
{
	bool release = request->release || request->operation == LEDGER_OP_RELEASE;
	row->token += release;
	if (release)
		row->row.lease_until_ms = 0;
	else if (leases && request->lease_ms > 0)
		row->row.lease_until_ms = clock_wall_ms() + request->lease_ms;
}

static void transition(struct memory_ledger *ledger, struct ledger_request *request)
{
	const struct rule *rule = &rules[request->operation];
	struct memory_row *found = find(ledger, &request->key, request->key.generation);
	if (!found) {
		request->status = error_set(&request->error, SHIPOPT_ENOTFOUND, "no such row");
		return;
	}
	if (rule->needs_token && request->token != found->token) {
		look(request, found, LEDGER_OUTCOME_LOST);
		return;
	}
	if (!is_allowed(request, found)) {
		look(request, found, LEDGER_OUTCOME_REFUSED);
		return;
	}
	if (request->operation == LEDGER_OP_BUY) {
		const char *currency = request->currency ? request->currency : found->row.currency;
		if (request->budget && !currency) {
			request->status = error_set(&request->error, SHIPOPT_EINVAL, "a budget without a currency");
			return;
		}
	}
	if (is_shared(ledger, request, found)) {
		error_set(&request->error, SHIPOPT_EPROTOCOL, "another order has this shipment");
		look(request, found, LEDGER_OUTCOME_SHARED);
		return;
	}
	if (request->operation == LEDGER_OP_BUY) {
		const char *currency = request->currency ? request->currency : found->row.currency;
		if (is_over(ledger, request, found,
			    (request->amount ? request->amount : found->row.amount) + request->fee, currency)) {
			look(request, found, LEDGER_OUTCOME_OVER_LIMIT);
			return;
		}
	}
	/* What may fail comes first: the row as it will be is tried out on a copy. */
	struct ledger_row trial;
	if (hand_out(&found->row, &trial) < 0) {
		request->status = SHIPOPT_ENOMEM;
		return;
	}
	ledger_row_done(&trial);
	write(ledger, request, found);
	found->row.state = rule->to ? rule->to : found->row.state;
	lease(found, request, rule->leases);
	look(request, found, LEDGER_OUTCOME_OK);
	if (request->status < 0) /* one failure at a time */
		look(request, found, LEDGER_OUTCOME_OK);
}

static void insert(struct memory_ledger *ledger, struct ledger_request *request, int64_t generation)
{
	char text[4096];
	join_key(&request->key, text, sizeof(text));
	ledger->rows = grown(ledger->rows, ledger->row_count, &ledger->row_capacity, sizeof(*ledger->rows));
	struct memory_row *row = &ledger->rows[ledger->row_count];
	*row = (struct memory_row){.key = copy(text),
		.order_key = copy(request->key.order_key),
		.piece = request->key.piece,
		.generation = generation,
		.token = ledger->next_token};
	row->row = (struct ledger_row){.id = (int64_t)ledger->row_count + 1,
		.generation = generation,
		.state = LEDGER_STATE_PLANNED,
		.fingerprint = copy(request->fingerprint),
		.request = copy(request->request),
		.lease_until_ms = clock_wall_ms() + request->lease_ms};
	look(request, row, LEDGER_OUTCOME_OK);
	if (request->status < 0) {
		row_free(&row->row);
		free(row->key);
		free(row->order_key);
		return;
	}
	ledger->next_token += 1000000;
	ledger->row_count++;
	request->claimed_token = row->token;
	request->created_row = true;
}

static bool is_leased(const struct memory_row *row)
{
	int64_t left_ms = row->row.lease_until_ms - clock_wall_ms();
	return left_ms > 0 && left_ms <= LEDGER_LEASE_MAX_MS;
}

static bool needs_lease(const struct memory_row *row)
{
	return !(BIT(row->row.state) & (BOUGHT | DOCUMENTED | VOIDED | VOID_REFUSED));
}

static void claim(struct memory_ledger *ledger, struct ledger_request *request)
{
	struct memory_row *found = find(ledger, &request->key, request->key.generation);
	if (!found) {
		struct memory_row *newest = request->key.generation > 1 ? find(ledger, &request->key, 0) : NULL;
		int64_t last = newest ? newest->generation : 0;
		bool is_over = !newest ||
			BIT(newest->row.state) & (BOUGHT | DOCUMENTED | FAILED | VOIDED | VOID_REFUSED) ||
			(newest->row.state == LEDGER_STATE_CREATED && newest->row.unproven);
		if (request->key.generation > last + 1)
			request->status = error_set(&request->error, SHIPOPT_EINVAL, "a gap between generations");
		else if (!is_over)
			request->status =
				error_set(&request->error, SHIPOPT_ESTATE, "the generation before it is open");
		else if (newest && needs_lease(newest) && is_leased(newest))
			look(request, newest, LEDGER_OUTCOME_BUSY);
		else {
			if (newest && needs_lease(newest)) {
				newest->token++;
				newest->row.lease_until_ms = 0;
			}
			insert(ledger, request, last + 1);
		}
		return;
	}
	if (!needs_lease(found)) {
		look(request, found, LEDGER_OUTCOME_OK);
		return;
	}
	if (is_leased(found) && request->token != found->token) {
		look(request, found, LEDGER_OUTCOME_BUSY);
		return;
	}
	struct memory_row before = *found;
	found->row.buying_at_ms = MIN(found->row.buying_at_ms, clock_wall_ms());
	set_if(&found->row.base_url, found->row.base_url || !found->row.shipment_id ? NULL : request->base_url);
	found->token++;
	found->row.lease_until_ms = clock_wall_ms() + request->lease_ms;
	look(request, found, LEDGER_OUTCOME_OK);
	if (request->status < 0) {
		found->token = before.token;
		found->row.lease_until_ms = before.row.lease_until_ms;
		return;
	}
	request->claimed_token = found->token;
}

/* ---- a person ---------------------------------------------------------------------------------------------- */

static void write_unbought(struct memory_row *found)
{
	found->row.state = LEDGER_STATE_CREATED;
	found->row.sent = found->row.unproven = 1;
	found->row.exists_seen = found->row.needs_person = 0;
	set(&found->row.refusal, NULL);
}

/* The tenant is the first line of the key. */
static void write_resolved(struct memory_ledger *ledger, struct memory_row *found, int state, const char *tracking_code)
{
	char tenant[LEDGER_KEY_MAX + 1];
	struct ledger_row *row = &found->row;
	snprintf(tenant, sizeof(tenant), "%.*s", (int)strcspn(found->key, "\n"), found->key);
	bool is_bought = state == LEDGER_STATE_BOUGHT;
	settle(ledger, tenant, found, is_bought ? MAX(found->reserved, row->amount) : 0);
	if (is_bought) {
		row->state = LEDGER_STATE_BOUGHT;
		set(&row->tracking_code, tracking_code);
		row->paid = row->fee = 0;
		row->unproven = row->exists_seen = row->needs_person = 0;
		found->held_from = 0;
		found->is_by_person = true;
	} else if (BIT(row->state) & (BUYING | IN_DOUBT)) {
		write_unbought(found);
	} else if (state == LEDGER_STATE_FAILED) {
		row->state = LEDGER_STATE_FAILED;
		row->unproven = row->needs_person = 0;
		found->held_from = 0;
	} else {
		forget_shipment(found);
		forget_approval(row);
		row->state = LEDGER_STATE_PLANNED;
	}
}

static bool may_resolve(const struct ledger_row *row, int state)
{
	bool waits = (BIT(row->state) & (PLANNED | CREATED)) && row->needs_person && !row->unproven;
	switch (state) {
	case LEDGER_STATE_BOUGHT:
		return BIT(row->state) & (BUYING | IN_DOUBT | HELD | FAILED) ||
			(row->state == LEDGER_STATE_CREATED && row->unproven);
	case LEDGER_STATE_FAILED: return BIT(row->state) & (BUYING | IN_DOUBT | HELD) || waits;
	case LEDGER_STATE_PLANNED: return BIT(row->state) & (HELD | FAILED) || waits;
	default: return false;
	}
}

int memory_ledger_resolve(struct memory_ledger *ledger, int64_t row, int state, const char *tracking_code,
	const char *reason)
{
	if (row < 1 || (size_t)row > ledger->row_count)
		return SHIPOPT_ENOTFOUND;
	struct memory_row *found = &ledger->rows[row - 1];
	int64_t left_ms = found->row.lease_until_ms - clock_wall_ms();
	if (!may_resolve(&found->row, state))
		return SHIPOPT_ESTATE;
	if (left_ms > 0 && left_ms <= LEDGER_LEASE_MAX_MS)
		return SHIPOPT_EBUSY;
	write_resolved(ledger, found, state, tracking_code);
	set(&found->row.reason, reason);
	found->row.lease_until_ms = 0;
	found->token++;
	return 0;
}

int memory_ledger_move(struct memory_ledger *ledger, int64_t row, enum ledger_operation operation, int state)
{
	struct memory_row *found = &ledger->rows[row - 1];
	const struct ledger_request request = {.operation = operation, .state = state};
	if (!is_allowed(&request, found))
		return SHIPOPT_ESTATE;
	write(ledger, &request, found);
	found->row.state = rules[operation].to ? rules[operation].to : found->row.state;
	return 0;
}

void memory_ledger_apply(struct memory_ledger *ledger, struct ledger_request *request)
{
	if (request->operation == LEDGER_OP_CLAIM)
		claim(ledger, request);
	else
		transition(ledger, request);
}
