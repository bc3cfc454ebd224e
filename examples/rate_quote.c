/* SPDX-License-Identifier: MIT */

/*
 * rate_quote: what would this parcel cost? One call, nothing bought.
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… rate_quote
 *	USPS   GroundAdvantage      8.12 USD   3 days
 *
 * A shipment is a record: its fields have numbers and types. The carrier answers with the same shipment and a list of
 * rates. The call is asynchronous; this program waits for it.
 */
#include <inttypes.h>
#include <shipopt/shipopt.h>
#include <stdio.h>

static int make_shipment(shipopt_record **ret_shipment)
{
	/* The column names of order files are the shortest way to fill a shipment; setters by field do the same. */
	static const char *const columns[][2] = {
		{"from_company", "New York Public Library"},
		{"from_street1", "476 5th Ave"},
		{"from_city", "New York"},
		{"from_state", "NY"},
		{"from_zip", "10018"},
		{"from_country", "US"},
		{"to_company", "Museum of Science"},
		{"to_street1", "1 Science Park"},
		{"to_city", "Boston"},
		{"to_state", "MA"},
		{"to_zip", "02114"},
		{"to_country", "US"},
		{"length_in", "6"},
		{"width_in", "6"},
		{"height_in", "5"},
		{"weight_oz", "30.5"},
	};
	shipopt_record *shipment = NULL;
	int r = shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment);
	for (size_t i = 0; r >= 0 && i < sizeof(columns) / sizeof(columns[0]); i++)
		r = shipopt_record_set_column(shipment, columns[i][0], columns[i][1], NULL);
	if (r < 0)
		shipopt_record_free(shipment);
	else
		*ret_shipment = shipment; /* outputs are written on success only */
	return r;
}

static void print_rates(const shipopt_record *shipment)
{
	for (size_t i = 0; i < shipopt_record_count(shipment, SHIPOPT_SHIPMENT_RATES); i++) {
		const shipopt_record *rate = shipopt_record_item(shipment, SHIPOPT_SHIPMENT_RATES, i);
		int64_t price = shipopt_record_number(rate, SHIPOPT_RATE_RATE, 0); /* millionths, never a float */
		int64_t days = shipopt_record_number(rate, SHIPOPT_RATE_DELIVERY_DAYS, -1);
		const char *carrier = shipopt_record_text(rate, SHIPOPT_RATE_CARRIER);
		const char *service = shipopt_record_text(rate, SHIPOPT_RATE_SERVICE);
		const char *currency = shipopt_record_text(rate, SHIPOPT_RATE_CURRENCY);
		char text[SHIPOPT_MONEY_TEXT_SIZE];
		shipopt_money_format(price, currency, text, sizeof(text));
		printf("%-6s %-28s %9s %s", carrier ? carrier : "?", service ? service : "?", text,
			currency ? currency : "?");
		if (days >= 0) /* -1: the carrier does not say */
			printf("   %" PRId64 " days", days);
		printf("\n");
	}
}

static int quote(shipopt_carrier *carrier)
{
	shipopt_record *shipment = NULL;
	shipopt_op *op = NULL;
	int r = make_shipment(&shipment);
	if (r >= 0)
		r = shipopt_carrier_shipment_create(carrier, shipment, NULL, NULL,
			&op); /* copied: the record stays ours */
	if (r >= 0)
		r = shipopt_op_wait(op, -1);
	if (r >= 0)
		print_rates(shipopt_op_record(op)); /* borrowed from the operation */
	else
		fprintf(stderr, "rate_quote: %s\n",
			op ? shipopt_error_text(shipopt_op_error(op)) : shipopt_error_description(r));
	shipopt_op_unref(op);
	shipopt_record_free(shipment);
	return r;
}

int main(void)
{
	shipopt_runtime *runtime = NULL;
	shipopt_carrier_config *config = NULL;
	shipopt_carrier *carrier = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_runtime_new(NULL, &runtime, &error);
	if (r >= 0)
		r = shipopt_carrier_config_new(&config);
	if (r >= 0)
		r = shipopt_carrier_config_from_env(config); /* SHIPOPT_CARRIER_API_KEY, SHIPOPT_CARRIER_BASE_URL, … */
	if (r >= 0)
		r = shipopt_carrier_new(runtime, config, &carrier, &error);
	if (r >= 0)
		r = quote(carrier);
	else
		fprintf(stderr, "rate_quote: %s\n", error ? shipopt_error_text(error) : shipopt_error_description(r));
	shipopt_error_unref(error);
	shipopt_carrier_free(carrier);
	shipopt_carrier_config_free(config);
	shipopt_runtime_close(runtime, -1); /* the only call that blocks until all threads are gone */
	shipopt_runtime_free(runtime);
	return r < 0;
}
