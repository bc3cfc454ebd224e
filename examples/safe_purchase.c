/* SPDX-License-Identifier: MIT */

/*
 * safe_purchase: one label, bought once.
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… safe_purchase sqlite:ship.db order-4711
 *	bought: 9400100000000000000000, 8.12 USD
 *	$ safe_purchase sqlite:ship.db order-4711
 *	bought before: 9400100000000000000000, 8.12 USD
 *
 * For one order key there is one label: if this program is killed at any moment, if the carrier's answer is lost, if
 * two processes do the same at once. The ledger in the store has every purchase before it is sent. If an outcome is
 * unknown, the library looks it up and does not buy again.
 */
#include <shipopt/shipopt.h>
#include <stdio.h>

static int make_order(const char *key, shipopt_order **ret_order, shipopt_error **ret_error)
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
		r = shipopt_record_set_column(shipment, columns[i][0], columns[i][1], ret_error);
	if (r >= 0)
		r = shipopt_order_new(key, &order, ret_error);
	if (r >= 0)
		r = shipopt_order_set_shipment(order, shipment, ret_error);
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
		/* The text has the advice: SHIPOPT_EINDOUBT, for one, means "run it again later". */
		fprintf(stderr, "safe_purchase: %s\n", shipopt_error_text(shipopt_op_error(op)));
		return status;
	}
	const shipopt_record *shipment = shipopt_op_record(op);
	const shipopt_record *rate = shipopt_record_child(shipment, SHIPOPT_SHIPMENT_SELECTED_RATE);
	const char *code = shipopt_record_text(shipment, SHIPOPT_SHIPMENT_TRACKING_CODE);
	const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
	char price[SHIPOPT_MONEY_TEXT_SIZE];
	shipopt_money_format(shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0), currency, price, sizeof(price));
	printf("%s: %s, %s %s\n", shipopt_op_value(op) ? "bought before" : "bought", code ? code : "?", price,
		currency ? currency : "?");
	return 0;
}

static int purchase(shipopt_bulk *bulk, const char *key)
{
	shipopt_order *order = NULL;
	shipopt_op *op = NULL;
	shipopt_error *error = NULL;
	int r = make_order(key, &order, &error);
	if (r >= 0)
		r = shipopt_bulk_purchase(bulk, order, NULL, NULL, &op);
	if (r >= 0)
		r = report(op, shipopt_op_wait(op, -1));
	else
		fprintf(stderr, "safe_purchase: %s\n",
			error ? shipopt_error_text(error) : shipopt_error_description(r));
	shipopt_error_unref(error);
	shipopt_op_unref(op);
	shipopt_order_free(order);
	return r;
}

int main(int argc, char **argv)
{
	shipopt_client_config *config = NULL;
	shipopt_client *client = NULL;
	shipopt_error *error = NULL;
	if (argc != 3) {
		fprintf(stderr, "usage: safe_purchase sqlite:FILE ORDER_KEY\n");
		return 2;
	}
	int r = shipopt_client_config_new(&config);
	if (r >= 0) { /* a configuration keeps its first error, which shipopt_client_open() returns */
		shipopt_client_config_from_env(config);
		shipopt_store_config_set(shipopt_client_config_store(config), SHIPOPT_STORE_URL, argv[1]);
		r = shipopt_client_open(config, &client, &error);
	}
	if (r >= 0)
		r = purchase(shipopt_client_bulk(client), argv[2]);
	else
		fprintf(stderr, "safe_purchase: %s\n", shipopt_error_text(error));
	shipopt_error_unref(error);
	shipopt_client_close(client, -1); /* waits for the library's threads to end */
	shipopt_client_free(client);      /* every _free accepts NULL */
	shipopt_client_config_free(config);
	return r < 0;
}
