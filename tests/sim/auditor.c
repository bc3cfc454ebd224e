/* SPDX-License-Identifier: MIT */
#include "auditor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static struct auditor *the_auditor;

void auditor_breach(struct auditor *auditor, const struct memory_row *row, const char *format, ...)
{
	va_list arguments;
	if (auditor->is_broken)
		return;
	auditor->is_broken = true;
	printf("seed %llu, step %llu, %.3f s: ", (unsigned long long)auditor->seed, (unsigned long long)auditor->step,
		(double)clock_now_us() / 1e6);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\n");
	const struct world_shipment *shipment = row ? world_find(&sim_world, row->row.shipment_id) : NULL;
	if (shipment)
		printf("  the carrier: %d labels, replicas know of it %.3f s\n", shipment->labels,
			shipment->stale_until_us == INT64_MAX ? -1.0 : (double)shipment->stale_until_us / 1e6);
	if (row)
		printf("  %s is %s: %s, sent %lld, unproven %lld%s%s, amount %lld, ceiling %lld, reason: %s\n",
			row->order_key, ledger_state_name(row->row.state),
			row->row.shipment_id ? row->row.shipment_id : "no shipment", (long long)row->row.sent,
			(long long)row->row.unproven, row->row.exists_seen ? ", exists" : "",
			row->row.needs_person ? ", for a person" : "", (long long)row->row.amount,
			(long long)row->row.ceiling, row->row.reason ? row->row.reason : "none");
}

size_t auditor_index(const char *order_key)
{
	size_t index = strtoul(order_key + 2, NULL, 10);
	return MIN(index, (size_t)AUDITOR_ORDERS_MAX - 1);
}

struct auditor_approval *auditor_approval(struct auditor *auditor, int64_t row)
{
	return &auditor->approvals[MIN((size_t)row - 1, (size_t)AUDITOR_ROWS_MAX - 1)];
}

static struct auditor_shipment *shipment_of(struct auditor *auditor, size_t shipment)
{
	if (shipment >= auditor->shipment_capacity) {
		size_t capacity = shipment * 2 + 16;
		auditor->shipments = realloc(auditor->shipments, capacity * sizeof(*auditor->shipments));
		if (!auditor->shipments)
			abort();
		memset(auditor->shipments + auditor->shipment_capacity, 0,
			(capacity - auditor->shipment_capacity) * sizeof(*auditor->shipments));
		auditor->shipment_capacity = capacity;
	}
	return &auditor->shipments[shipment];
}

/* ---- labels ------------------------------------------------------------------------------------------------ */

/* Or is about to be: there is a label all the same. */
static bool is_given_back(const struct memory_row *row)
{
	int state = row->row.state;
	return state == LEDGER_STATE_VOID_REQUESTED || state == LEDGER_STATE_VOIDED ||
		state == LEDGER_STATE_VOID_REFUSED;
}

static bool is_bought(const struct memory_row *row)
{
	int state = row->row.state;
	return state == LEDGER_STATE_BOUGHT || state == LEDGER_STATE_DOCUMENTED || is_given_back(row);
}

static bool admits_label(const struct memory_row *row)
{
	int state = row->row.state;
	return state == LEDGER_STATE_BUYING || state == LEDGER_STATE_IN_DOUBT || is_bought(row) ||
		(state == LEDGER_STATE_CREATED && row->row.unproven > 0);
}

static void look_at_labels(struct auditor *auditor)
{
	for (size_t i = 0; i < sim_world.shipment_count; i++) {
		const struct world_shipment *shipment = &sim_world.shipments[i];
		bool is_buying = world_is_buying(&sim_world, i);
		if (shipment->labels == 0 && !is_buying)
			continue;
		const struct memory_row *row = sim_row_of(i);
		if (shipment->labels > 1)
			auditor_breach(auditor, row, "shp_%zu has %d labels", i, shipment->labels);
		else if (!row || row->row.id != shipment->buyer)
			auditor_breach(auditor, row, "shp_%zu %s, and the row that sent it has forgotten it", i,
				shipment->labels ? "has a label" : "is being bought");
		else if (!admits_label(row))
			auditor_breach(auditor, row, "shp_%zu %s", i,
				shipment->labels ? "has a label" : "is being bought");
	}
}

/* ---- budgets ----------------------------------------------------------------------------------------------- */

/* What the carrier charged above the rate. */
static int64_t surcharge_of(const struct memory_row *row)
{
	return is_bought(row) ? MAX(row->row.paid - row->row.amount, 0) : 0;
}

int64_t auditor_surcharges(int64_t *ret_amount)
{
	int64_t count = 0;
	for (size_t i = 0; i < sim_database.ledger.row_count; i++) {
		int64_t surcharge = surcharge_of(&sim_database.ledger.rows[i]);
		count += surcharge > 0;
		*ret_amount += surcharge;
	}
	return count;
}

static void look_at_row(struct auditor *auditor, const struct memory_row *row)
{
	const struct ledger_row *stored = &row->row;
	bool is_open = stored->state == LEDGER_STATE_BUYING || stored->state == LEDGER_STATE_IN_DOUBT;
	int64_t price = stored->paid ? stored->paid : stored->amount;
	bool is_short = row->reserved < stored->amount + stored->fee;
	if (stored->budget && is_open &&
		(is_short || (stored->sent == 1 && row->reserved > stored->amount + stored->fee)))
		auditor_breach(auditor, row, "%lld reserved for %lld and %lld", (long long)row->reserved,
			(long long)stored->amount, (long long)stored->fee);
	const struct world_shipment *shipment = world_find(&sim_world, stored->shipment_id);
	if (stored->budget && is_open && shipment && shipment->labels > 0 &&
		shipment->price > row->reserved - stored->fee)
		auditor_breach(auditor, row, "%lld reserved for a label at %lld", (long long)row->reserved,
			(long long)shipment->price);
	if (stored->budget && is_bought(row) && !row->is_by_person && row->spent != price + stored->fee)
		auditor_breach(auditor, row, "%lld counted for %lld and %lld", (long long)row->spent, (long long)price,
			(long long)stored->fee);
}

static int64_t look_at_budgets(struct auditor *auditor)
{
	int64_t reserved = 0, spent = 0, committed = 0;
	for (size_t i = 0; i < sim_database.ledger.row_count; i++) {
		look_at_row(auditor, &sim_database.ledger.rows[i]);
		reserved += sim_database.ledger.rows[i].reserved;
		spent += sim_database.ledger.rows[i].spent;
	}
	for (size_t i = 0; i < sim_database.ledger.budget_count; i++)
		committed += sim_database.ledger.budgets[i].reserved + sim_database.ledger.budgets[i].spent;
	if (committed != reserved + spent)
		auditor_breach(auditor, NULL, "the budgets say %lld, their rows %lld", (long long)committed,
			(long long)(reserved + spent));
	return committed;
}

/* ---- approvals --------------------------------------------------------------------------------------------- */

static bool is_same_order(const struct auditor_order *a, const struct auditor_order *b)
{
	return a->content == b->content && a->max_rate == b->max_rate;
}

static void approve(struct auditor *auditor, const struct ledger_request *request)
{
	size_t index = auditor_index(request->key.order_key);
	const struct auditor_order *order = &auditor->process->orders[index];
	struct auditor_approval *approval = auditor_approval(auditor, request->row.id);
	bool is_known = approval->is_given && is_same_order(&approval->order, order);
	bool is_chosen_again = auditor->process->rates_again && request->rate_id && request->ceiling > 0;
	if (is_known && request->ceiling > 0 && request->row.unproven > 1)
		auditor_breach(auditor, NULL, "%s: approved again while a purchase is unproven",
			request->key.order_key);
	if (is_known && !is_chosen_again)
		return;
	int64_t amount = request->row.amount;
	*approval = (struct auditor_approval){.is_given = true,
		.order = *order,
		.ceiling = order->max_rate ? order->max_rate
					   : amount + amount / 100 * auditor->process->ceiling_percent + 100,
		.currency = text_equal(request->row.currency, "CAD") ? "CAD" : "USD"};
}

/* An approval is lost only where the order has changed. */
static void plan(struct auditor *auditor, const struct ledger_request *request)
{
	size_t index = auditor_index(request->key.order_key);
	struct auditor_approval *approval = auditor_approval(auditor, request->row.id);
	if (!is_same_order(&approval->order, &auditor->process->orders[index]))
		approval->is_given = false;
}

void auditor_resolved(struct auditor *auditor, const struct memory_row *row)
{
	const struct world_shipment *shipment = world_find(&sim_world, row->row.shipment_id);
	if (row->row.state == LEDGER_STATE_PLANNED)
		auditor_approval(auditor, row->row.id)->is_given = false;
	if (shipment && row->row.state == LEDGER_STATE_CREATED) {
		shipment_of(auditor, (size_t)(shipment - sim_world.shipments))->counted = 1;
	}
	auditor->committed = look_at_budgets(auditor);
	world_note(&sim_world, (uint64_t)row->row.id << 8 | (uint64_t)row->row.state);
}

/* ---- the ledger -------------------------------------------------------------------------------------------- */

static void write_down(struct auditor *auditor, const struct ledger_request *request, const struct memory_row *row)
{
	const struct world_shipment *shipment = world_find(&sim_world, request->row.shipment_id);
	if (!shipment) {
		auditor_breach(auditor, row, "a purchase of no shipment");
		return;
	}
	struct auditor_shipment *bought = shipment_of(auditor, (size_t)(shipment - sim_world.shipments));
	if (request->row.sent == 1) {
		/* Another row may have had it before: the carrier gave it to this one now. */
		bought->counted = 0;
		bought->content = auditor->process->orders[auditor_index(row->order_key)].content;
		bought->insurance = request->insurance;
	}
	bought->written++;
	if (++bought->counted > AUDITOR_SENDS_MAX)
		auditor_breach(auditor, row, "%d purchases of one shipment", bought->counted);
}

static void reserve(struct auditor *auditor, const struct ledger_request *request)
{
	const struct memory_row *row = &sim_database.ledger.rows[request->row.id - 1];
	write_down(auditor, request, row);
	int64_t committed = look_at_budgets(auditor);
	if (request->budget && committed > auditor->committed && committed > request->budget_limit)
		auditor_breach(auditor, row, "%lld reserved and spent of %lld", (long long)committed,
			(long long)request->budget_limit);
	if (request->budget_limit != auditor->process->spend_limit)
		auditor_breach(auditor, row, "reserved under another limit");
	approve(auditor, request);
}

static void fail(struct auditor *auditor, const struct ledger_request *request)
{
	const struct world_shipment *shipment = world_find(&sim_world, request->row.shipment_id);
	const struct memory_row *row = &sim_database.ledger.rows[request->row.id - 1];
	if (shipment && shipment->buyer == request->row.id &&
		(shipment->labels > 0 || world_is_buying(&sim_world, (size_t)(shipment - sim_world.shipments))))
		auditor_breach(auditor, row, "failed, and it has a label or will have one");
}

static void say(const struct auditor *auditor, const struct ledger_request *request)
{
	static const char *const names[] = {"", "claim", "plan", "create", "buy", "prove", "doubt", "bought", "fail",
		"hold", "reopen", "renew", "release", "document", "void"};
	const struct ledger_row *row = &request->row;
	if (auditor->is_verbose)
		printf("%10.3f s: %s %s: %s, %s, sent %lld, unproven %lld; %s\n", (double)clock_now_us() / 1e6,
			names[request->operation], request->key.order_key, ledger_state_name(row->state),
			row->shipment_id ? row->shipment_id : "no shipment", (long long)row->sent,
			(long long)row->unproven, row->reason ? row->reason : "");
}

static void observe(struct memory_database *database, const struct ledger_request *request)
{
	struct auditor *auditor = the_auditor;
	say(auditor, request);
	world_note(&sim_world,
		(uint64_t)request->operation << 32 | (uint64_t)request->row.id << 8 | (uint64_t)request->row.state);
	switch (request->operation) {
	case LEDGER_OP_BUY: reserve(auditor, request); break;
	case LEDGER_OP_CREATE: approve(auditor, request); break;
	case LEDGER_OP_PLAN: plan(auditor, request); break;
	case LEDGER_OP_FAIL: fail(auditor, request); break;
	default: break;
	}
	auditor->committed = look_at_budgets(auditor);
}

/* ---- purchases that are sent ------------------------------------------------------------------------------- */

static void look_at_price(struct auditor *auditor, const struct memory_row *row, const struct world_purchase *purchase)
{
	const struct auditor_approval *approval = auditor_approval(auditor, row->row.id);
	if (!approval->is_given)
		auditor_breach(auditor, row, "a purchase at %lld %s that nobody approved", (long long)purchase->price,
			purchase->currency);
	else if (purchase->price > approval->ceiling || strcmp(purchase->currency, approval->currency) != 0)
		auditor_breach(auditor, row, "a purchase at %lld %s, with %lld %s approved", (long long)purchase->price,
			purchase->currency, (long long)approval->ceiling, approval->currency);
	const struct auditor_order *order = &auditor->process->orders[auditor_index(row->order_key)];
	if (order->max_rate && purchase->price > order->max_rate)
		auditor_breach(auditor, row, "a purchase at %lld, above the max_rate %lld", (long long)purchase->price,
			(long long)order->max_rate);
}

/* A process whose lease another one took over because of a wrong clock may send what it had written down. */
static void look_at_state(struct auditor *auditor, const struct memory_row *row)
{
	bool may_be_over = auditor->has_wrong_clocks && admits_label(row);
	if (row->row.state != LEDGER_STATE_BUYING && !may_be_over)
		auditor_breach(auditor, row, "a purchase is sent");
}

static void on_buy(struct world *world, const struct world_purchase *purchase)
{
	struct auditor *auditor = the_auditor;
	struct auditor_shipment *sent = shipment_of(auditor, purchase->shipment);
	const struct memory_row *row = sim_row_of(purchase->shipment);
	sim_note_buyer(world, purchase);
	if (!row) {
		auditor_breach(auditor, NULL, "a purchase of shp_%zu is sent, which no row has", purchase->shipment);
		return;
	}
	look_at_state(auditor, row);
	look_at_price(auditor, row, purchase);
	sent->sends += purchase->has_left;
	auditor->sends += purchase->has_left;
	if (sent->sends > sent->written)
		auditor_breach(auditor, row, "sent %d times, and written down %d times", sent->sends, sent->written);
	if (auditor->process->is_rate_only)
		auditor_breach(auditor, row, "a rate run sends a purchase");
	if (auditor->process->orders[auditor_index(row->order_key)].content != sent->content)
		auditor_breach(auditor, row, "a purchase is sent for other content");
	if (MAX(purchase->insurance, 0) != sent->insurance)
		auditor_breach(auditor, row, "insured at %lld, and %lld before", (long long)purchase->insurance,
			(long long)sent->insurance);
}

/* ---- results ----------------------------------------------------------------------------------------------- */

static bool was_sent(struct auditor *auditor, const struct memory_row *row)
{
	const struct world_shipment *shipment = world_find(&sim_world, row->row.shipment_id);
	return shipment && shipment_of(auditor, (size_t)(shipment - sim_world.shipments))->sends > 0;
}

/* What may be bought is never reported as what was not. A `buying` that the database did not confirm is never sent. */
static bool is_true(struct auditor *auditor, const struct sim_result *result, const struct memory_row *row)
{
	bool is_open = row &&
		(row->row.state == LEDGER_STATE_BUYING || row->row.state == LEDGER_STATE_IN_DOUBT ||
			row->row.unproven > 0);
	bool may_have_label = row && (is_bought(row) || (is_open && was_sent(auditor, row)));
	switch (result->status) {
	case SHIPOPT_OK:
	case SHIPOPT_ALREADY: return !is_open;
	case SHIPOPT_EINDOUBT: /* also where the database did not say that it has written the label or the proof down */
		return is_open || (row && (is_bought(row) || row->row.sent > 0) && sim_database.permille > 0);
	case SHIPOPT_EREFUSED: return !may_have_label || row->row.needs_person;
	case SHIPOPT_EBUSY: /* a row whose refund is under way can be leased */
		return !may_have_label || is_given_back(row);
	case SHIPOPT_ECONFLICT:
	case SHIPOPT_ESTATE: /* given back, or another generation was asked for too early: the message names the state */
	case SHIPOPT_ECANCELED: /* the run ended before this order */ return true;
	case SHIPOPT_ETIMEDOUT: /* the process stood still before it had read the row, or the row has not been bought */
	case SHIPOPT_EDATABASE: /* the row could not be read, or it has not been bought */
		return result->attempts == 0 || !may_have_label;
	default: return !may_have_label;
	}
}

void auditor_results(struct auditor *auditor, const struct sim_process *process, size_t orders, bool was_alone)
{
	for (size_t i = 0; i < orders; i++) {
		const struct sim_result *result = &process->results[i];
		char key[32];
		snprintf(key, sizeof(key), "o-%zu", i);
		const struct memory_row *row = memory_ledger_find(&sim_database.ledger, key);
		if (result->times != 1)
			auditor_breach(auditor, row, "%s is reported %d times", key, result->times);
		if (result->status < 0 && result->status != SHIPOPT_ECANCELED && !*result->message)
			auditor_breach(auditor, row, "%s is reported as %s without a reason", key,
				shipopt_error_name(result->status));
		if (was_alone && !is_true(auditor, result, row))
			auditor_breach(auditor, row, "%s is reported as %s: %s", key,
				shipopt_error_name(result->status), result->message);
	}
}

void auditor_look(struct auditor *auditor)
{
	auditor->step++;
	if (auditor->trace == sim_world.trace)
		return;
	world_catch_up(&sim_world);
	look_at_labels(auditor);
	look_at_budgets(auditor);
	auditor->trace = sim_world.trace;
}

void auditor_begin(struct auditor *auditor, uint64_t seed)
{
	*auditor = (struct auditor){.seed = seed};
	the_auditor = auditor;
	sim_world.on_buy = on_buy;
	sim_database.observe = observe;
}

void auditor_end(struct auditor *auditor)
{
	free(auditor->shipments);
	the_auditor = NULL;
}
