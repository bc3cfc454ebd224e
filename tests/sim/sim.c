/* SPDX-License-Identifier: MIT */
#include "sim.h"

#include "cmocka_test.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "orders/order.h"

#define AFTERMATH_US INT64_C(3600000000)

sim_run_fn sim_run;
void (*sim_configure)(struct sim_process *process);
struct world sim_world;
struct memory_database sim_database;
static struct random system_random;

/* In place of libcrypto's, which the library asks for jitter seeds. */
int RAND_bytes(unsigned char *bytes, int length)
{
	for (int i = 0; i < length; i++)
		bytes[i] = (unsigned char)random_u64(&system_random);
	return 1;
}

/* Whose row it is that buys the shipment: only one ever may. */
const struct memory_row *sim_row_of(size_t shipment)
{
	char id[32];
	snprintf(id, sizeof(id), "shp_%zu", shipment);
	for (size_t i = 0; i < sim_database.ledger.row_count; i++)
		if (text_equal(sim_database.ledger.rows[i].row.shipment_id, id))
			return &sim_database.ledger.rows[i];
	return NULL;
}

void sim_note_buyer(struct world *world, const struct world_purchase *purchase)
{
	const struct memory_row *row = sim_row_of(purchase->shipment);
	world->shipments[purchase->shipment].buyer = row ? row->row.id : -1;
}

void sim_begin(uint64_t seed)
{
	random_init(&system_random, seed);
	clock_set_virtual(true);
	world_init(&sim_world, seed + 1);
	sim_world.on_buy = sim_note_buyer;
	memory_database_init(&sim_database, seed + 2);
	fake_http_world = &sim_world;
	memory_database = &sim_database;
	sim_run = shipopt_bulk_buy;
	sim_configure = NULL;
}

void sim_end(void)
{
	world_done(&sim_world);
	memory_database_done(&sim_database);
	clock_set_virtual(false);
}

/* ---- processes --------------------------------------------------------------------------------------------- */

static void see_item(void *userdata, const shipopt_item *item)
{
	struct sim_process *process = userdata;
	uint64_t index = shipopt_item_index(item);
	process->items++;
	world_note(&sim_world, index << 8 | (uint8_t)-shipopt_item_status(item));
	if (index >= SIM_ITEMS_MAX)
		return;
	struct sim_result *result = &process->results[index];
	const shipopt_error *error = shipopt_item_error(item);
	const char *message = shipopt_error_message(error);
	if (shipopt_item_status(item) < 0 && shipopt_error_code(error) != shipopt_item_status(item))
		fail_msg("%s ends with %s, and its error is %s", shipopt_item_key(item),
			shipopt_error_name(shipopt_item_status(item)), shipopt_error_text(error));
	result->times++;
	result->status = shipopt_item_status(item);
	result->attempts = shipopt_item_attempts(item);
	result->amount = shipopt_item_amount(item);
	result->has_tracking_code = shipopt_item_tracking_code(item) != NULL;
	snprintf(result->message, sizeof(result->message), "%s", message ? message : "");
}

static int set_one(struct sim_process *process, char *word)
{
	char *dot = strchr(word, '.'), *equal = strchr(word, '=');
	assert_true(dot && equal && dot < equal);
	*dot = *equal = '\0';
	if (strcmp(word, "carrier") == 0)
		return shipopt_carrier_config_set(process->carrier_config, dot + 1, equal + 1);
	return shipopt_bulk_config_set(process->bulk_config, dot + 1, equal + 1);
}

static int set_all(struct sim_process *process, const char *settings)
{
	char copy[1024], *rest = copy, *word;
	int r = 0;
	snprintf(copy, sizeof(copy), "%s", settings ? settings : "");
	while (r == 0 && (word = strsep(&rest, " ")))
		if (*word)
			r = set_one(process, word);
	return r;
}

int sim_try_open(struct sim_process *process, const char *settings)
{
	*process = (struct sim_process){.run_status = SHIPOPT_EAGAIN};
	int r = runtime_new_simulated(&process->runtime);
	r = r < 0 ? r : shipopt_carrier_config_new(&process->carrier_config);
	r = r < 0 ? r : shipopt_bulk_config_new(&process->bulk_config);
	r = r < 0 ? r
		  : shipopt_carrier_config_set(process->carrier_config, SHIPOPT_CARRIER_BASE_URL,
			    "http://carrier.invalid/v2");
	r = r < 0 ? r : shipopt_carrier_config_set(process->carrier_config, SHIPOPT_CARRIER_API_KEY, "EZTKsimulated");
	r = r < 0 ? r : set_all(process, settings);
	r = r < 0 ? r : shipopt_bulk_config_set_item(process->bulk_config, see_item, process);
	if (r == 0 && sim_configure)
		sim_configure(process);
	r = r < 0 ? r : shipopt_carrier_new(process->runtime, process->carrier_config, &process->carrier, NULL);
	r = r < 0 ? r : shipopt_store_open(process->runtime, "sqlite:memory", NULL, &process->store, NULL);
	return r < 0 ? r
		     : shipopt_bulk_new(process->runtime, process->carrier, process->store, process->bulk_config,
			       &process->bulk, NULL);
}

void sim_open(struct sim_process *process, const char *settings)
{
	assert_int_equal(sim_try_open(process, settings), 0);
}

void sim_close(struct sim_process *process)
{
	shipopt_run_unref(TAKE(process->run));
	shipopt_bulk_free(TAKE(process->bulk));
	shipopt_store_free(TAKE(process->store));
	shipopt_carrier_free(TAKE(process->carrier));
	shipopt_bulk_config_free(TAKE(process->bulk_config));
	shipopt_carrier_config_free(TAKE(process->carrier_config));
	if (process->runtime)
		assert_int_equal(shipopt_runtime_close(process->runtime, 1000), 0);
	shipopt_runtime_free(TAKE(process->runtime));
}

void sim_crash(struct sim_process *process)
{
	*process = (struct sim_process){0};
}

/* ---- orders ------------------------------------------------------------------------------------------------ */

static const char *const columns[][2] = {
	{"to_company", "Boston Public Library"},
	{"to_street1", "700 Boylston St"},
	{"to_city", "Boston"},
	{"to_state", "MA"},
	{"to_zip", "02116"},
	{"to_country", "US"},
	{"from_company", "New York Public Library"},
	{"from_street1", "476 5th Ave"},
	{"from_city", "New York"},
	{"from_state", "NY"},
	{"from_zip", "10018"},
	{"from_country", "US"},
	{"length_in", "10"},
	{"width_in", "8"},
	{"height_in", "4"},
};

shipopt_order *sim_order(const char *key, int weight)
{
	char text[32];
	shipopt_order *order = NULL;
	shipopt_record *shipment = NULL;
	int r = shipopt_order_new(key, &order, NULL);
	r = r < 0 ? r : shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(columns); i++)
		r = shipopt_record_set_column(shipment, columns[i][0], columns[i][1], NULL);
	snprintf(text, sizeof(text), "%d.5", weight);
	r = r < 0 ? r : shipopt_record_set_column(shipment, "weight_oz", text, NULL);
	r = r < 0 ? r : shipopt_order_set_shipment(order, shipment, NULL);
	if (r < 0) {
		shipopt_record_free(shipment);
		shipopt_order_free(order);
		return NULL;
	}
	return order;
}

void sim_insure(shipopt_order *order, int64_t value)
{
	assert_int_equal(shipopt_record_set_money(order->shipment, SHIPOPT_SHIPMENT_INSURANCE, value, NULL), 0);
}

int sim_start(struct sim_process *process, shipopt_order **orders, size_t count)
{
	shipopt_source *source = NULL;
	process->items = 0;
	memset(process->results, 0, sizeof(process->results));
	int r = shipopt_source_new_array(orders, count, &source, NULL);
	if (r < 0) {
		for (size_t i = 0; i < count; i++)
			shipopt_order_free(orders[i]);
		return r;
	}
	r = sim_run(process->bulk, source, NULL, NULL, NULL, &process->run);
	if (r < 0)
		shipopt_source_free(source);
	return r;
}

void sim_start_orders(struct sim_process *process, size_t count)
{
	shipopt_order *orders[SIM_ITEMS_MAX];
	char key[32];
	for (size_t i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "o-%zu", i);
		orders[i] = sim_order(key, 1 + (int)i);
	}
	assert_int_equal(sim_start(process, orders, count), 0);
}

/* ---- turning ----------------------------------------------------------------------------------------------- */

void sim_turn(struct sim_process *process, int64_t max_us)
{
	struct reactor *reactor;
	assert_int_equal(runtime_reactor(process->runtime, &reactor), 0);
	reactor_turn(reactor, max_us);
}

bool sim_is_over(struct sim_process *process)
{
	return shipopt_op_is_done(shipopt_run_op(process->run));
}

int sim_finish(struct sim_process *process)
{
	process->run_status = shipopt_op_wait(shipopt_run_op(process->run), -1);
	shipopt_run_unref(TAKE(process->run));
	return process->run_status;
}

int sim_wait(struct sim_process *process)
{
	return sim_finish(process);
}

int sim_buy(struct sim_process *process, size_t count)
{
	sim_start_orders(process, count);
	return sim_wait(process);
}

/* ---- the books --------------------------------------------------------------------------------------------- */

/* What the row may say was charged: what the carrier says, if that can be believed. A person who settled it saw no
 * price. */
static bool price_agrees(const struct memory_row *row, const struct world_shipment *shipment)
{
	int64_t charged = world_charged(shipment, row->row.currency);
	return row->row.paid == charged || (row->is_by_person && row->row.paid == 0);
}

/* Also one that was given back. */
static bool has_label(const struct memory_row *row)
{
	int state = row->row.state;
	return state == LEDGER_STATE_BOUGHT || state == LEDGER_STATE_DOCUMENTED || state >= LEDGER_STATE_VOID_REQUESTED;
}

/* One row beside what the carrier made of it. A label is only allowed where the row admits one: bought, or open. */
static bool row_agrees(const struct memory_row *row, int *labels_open)
{
	const struct ledger_row *stored = &row->row;
	const struct world_shipment *shipment = world_find(&sim_world, stored->shipment_id);
	char tracking_code[32] = "";
	int made = world_labels_of(&sim_world, stored->id);
	bool is_bought = has_label(row);
	bool agrees = made <= 1 && (made == 0 || (shipment && shipment->labels == 1));
	if (agrees && made)
		snprintf(tracking_code, sizeof(tracking_code), "TRK%06d", shipment->label_number);
	if (is_bought)
		agrees = agrees && made == 1 && text_equal(stored->tracking_code, tracking_code) &&
			price_agrees(row, shipment);
	else if (stored->unproven == 0)
		agrees = made == 0;
	*labels_open += is_bought ? 0 : made;
	if (!agrees)
		print_error(
			"%s is %s with %s, %s at %lld (sent %lld, unproven %lld); the carrier made %d labels, %s at %lld\n",
			row->order_key, ledger_state_name(stored->state),
			stored->shipment_id ? stored->shipment_id : "no shipment",
			stored->tracking_code ? stored->tracking_code : "nothing", (long long)stored->paid,
			(long long)stored->sent, (long long)stored->unproven, made, tracking_code,
			(long long)(shipment && made ? world_charged(shipment, stored->currency) : 0));
	return agrees;
}

size_t sim_compare(void)
{
	size_t differences = 0, bought = 0;
	int labels_open = 0;
	/* What is still under way in the world comes to its end first. */
	clock_advance_us(AFTERMATH_US);
	world_catch_up(&sim_world);
	for (size_t i = 0; i < sim_database.ledger.row_count; i++) {
		const struct memory_row *row = &sim_database.ledger.rows[i];
		differences += !row_agrees(row, &labels_open);
		bought += has_label(row);
	}
	if ((size_t)(sim_world.labels - labels_open) != bought) {
		print_error("%zu rows bought, %d labels made, %d of them in doubt\n", bought, sim_world.labels,
			labels_open);
		differences++;
	}
	return differences;
}
