/* SPDX-License-Identifier: MIT */

/*
 * safe_purchase: one label, bought once.
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… safe_purchase sqlite:ship.db order-4711
 *	bought: 9400100000000000000000, 8.12 USD
 *	$ safe_purchase sqlite:ship.db order-4711
 *	bought before: 9400100000000000000000, 8.12 USD
 *
 * The order key is the promise: for one key there is one label, if this program is killed at any moment, if the carrier's
 * answer is lost, if two processes do the same at once. The ledger in the store remembers what was asked before it is asked;
 * what is not known is looked up, never bought again.
 */
#include <inttypes.h>
#include <shipopt/shipopt.h>
#include <stdio.h>

/* An error object has the detail; where a code says it all there is none. */
static const char *reason(const shipopt_error *error, int code)
{
	const char *message = shipopt_error_message(error);
	return message ? message : shipopt_error_description(code);
}

static int make_order(const char *key, shipopt_order **ret_order)
{
	static const char *const columns[][2] = {
		{"from_company", "Harold Washington Library Center"},
		{"from_street1", "400 S State St"},
		{"from_city", "Chicago"},
		{"from_state", "IL"},
		{"from_zip", "60605"},
		{"from_country", "US"},
		{"to_company", "Field Museum"},
		{"to_street1", "1400 S DuSable Lake Shore Dr"},
		{"to_city", "Chicago"},
		{"to_state", "IL"},
		{"to_zip", "60605"},
		{"to_country", "US"},
		{"length_in", "14"},
		{"width_in", "12"},
		{"height_in", "8"},
		{"weight_oz", "55"},
	};
	shipopt_record *shipment = NULL;
	shipopt_order *order = NULL;
	int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment);
	for (size_t i = 0; r >= 0 && i < sizeof(columns) / sizeof(columns[0]); i++)
		r = shipopt_record_set_column(shipment, columns[i][0], columns[i][1], NULL);
	if (r >= 0)
		r = shipopt_order_new(key, &order, NULL);
	if (r >= 0)
		r = shipopt_order_set_shipment(order, shipment, NULL);
	if (r >= 0) {
		*ret_order = order; /* the shipment is the order's now */
		return r;
	}
	shipopt_record_free(shipment);
	shipopt_order_free(order);
	return r;
}

static int report(const shipopt_op *op, int status)
{
	if (status < 0) {
		/* The advice says what to do: SHIPOPT_EINDOUBT, for one, is no failure but "ask again later". */
		fprintf(stderr, "safe_purchase: %s\n", shipopt_error_text(shipopt_op_error(op)));
		return status;
	}
	const shipopt_record *shipment = shipopt_op_record(op);
	const shipopt_record *rate = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE);
	const char *code = shipopt_record_text(shipment, SHIPOPT_SHIPMENT_TRACKING_CODE);
	const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	int64_t price = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0);
	printf("%s: %s, %" PRId64 ".%02" PRId64 " %s\n", shipopt_op_value(op) ? "bought before" : "bought",
		code ? code : "?", price / 1000000, price / 10000 % 100, currency ? currency : "?");
	return 0;
}

static int purchase(shipopt_bulk *bulk, const char *key)
{
	shipopt_order *order = NULL;
	shipopt_op *op = NULL;
	int r = make_order(key, &order);
	if (r >= 0)
		r = shipopt_bulk_purchase(bulk, order, NULL, NULL, &op);
	if (r >= 0)
		r = report(op, shipopt_op_wait(op, -1));
	else
		fprintf(stderr, "safe_purchase: %s\n", shipopt_error_description(r));
	shipopt_op_unref(op);
	shipopt_order_free(order);
	return r;
}

int main(int argc, char **argv)
{
	shipopt_runtime *runtime = NULL;
	shipopt_carrier_config *config = NULL;
	shipopt_carrier *carrier = NULL;
	shipopt_store *store = NULL;
	shipopt_bulk *bulk = NULL;
	shipopt_error *error = NULL;
	if (argc != 3) {
		fprintf(stderr, "usage: safe_purchase sqlite:FILE ORDER_KEY\n");
		return 2;
	}
	int r = shipopt_runtime_new(NULL, &runtime, NULL);
	r = r < 0 ? r : shipopt_carrier_config_new(&config);
	r = r < 0 ? r : shipopt_carrier_config_from_env(config);
	r = r < 0 ? r : shipopt_carrier_new(runtime, config, &carrier, &error);
	r = r < 0 ? r : shipopt_store_open(runtime, argv[1], NULL, &store, &error);
	r = r < 0 ? r : shipopt_bulk_new(runtime, carrier, store, NULL, &bulk, &error);
	if (r < 0)
		fprintf(stderr, "safe_purchase: %s\n", reason(error, r));
	else
		r = purchase(bulk, argv[2]);
	shipopt_error_unref(error);
	shipopt_bulk_free(bulk); /* every _free accepts NULL */
	shipopt_store_free(store);
	shipopt_carrier_free(carrier);
	shipopt_carrier_config_free(config);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0;
}
