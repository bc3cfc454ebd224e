/* SPDX-License-Identifier: MIT */

/*
 * custom_operation: the bulk executor with an operation of your own.
 *
 *	$ custom_operation orders.csv weights.jsonl
 *	303 orders, 2 failed, heaviest 193.00 oz
 *
 * shipopt_bulk_call() reads any source, works on a bounded number of orders at once and writes any sink, as a buying
 * run does. The program decides what is done with an order. Here it reads the weight. The callback gets a request and
 * answers it once, now or later, from any thread. So the work may also be a message to another service.
 */
#include <inttypes.h>
#include <shipopt/shipopt.h>
#include <stdio.h>

struct totals {
	int64_t orders, failed, heaviest;
};

/* Requests may overlap: nothing here is shared. */
static void weigh(void *userdata, shipopt_request *request)
{
	const shipopt_record *parcel = shipopt_record_child(shipopt_request_record(request), SHIPOPT_SHIPMENT_PARCEL);
	int64_t weight = shipopt_record_number(parcel, SHIPOPT_PARCEL_WEIGHT, 0); /* millionths of an ounce */
	(void)userdata;
	if (weight > 0)
		shipopt_request_complete(request, weight);
	else
		shipopt_request_fail(request, SHIPOPT_EINVAL,
			"the parcel weighs nothing"); /* this item fails, the rest go on */
}

/* Items never overlap: this is the place to add up. */
static void on_item(void *userdata, const shipopt_item *item)
{
	struct totals *totals = userdata;
	totals->orders++;
	if (shipopt_item_status(item) < 0) {
		totals->failed++;
		fprintf(stderr, "line %" PRId64 ", order %s: %s\n", shipopt_item_line(item), shipopt_item_key(item),
			shipopt_error_text(shipopt_item_error(item)));
	} else if (shipopt_item_value(item) > totals->heaviest) {
		totals->heaviest = shipopt_item_value(item);
	}
}

int main(int argc, char **argv)
{
	struct totals totals = {0};
	shipopt_runtime *runtime = NULL;
	shipopt_bulk_config *config = NULL;
	shipopt_bulk *bulk = NULL;
	shipopt_source *source = NULL;
	shipopt_sink *sink = NULL;
	shipopt_run *run = NULL;
	shipopt_error *error = NULL;
	if (argc != 3) {
		fprintf(stderr, "usage: custom_operation ORDERS.csv OUT.jsonl\n");
		return 2;
	}
	int r = shipopt_runtime_new(NULL, &runtime, &error);
	r = r < 0 ? r : shipopt_source_open_csv(argv[1], NULL, &source, &error);
	r = r < 0 ? r : shipopt_sink_open_json_lines(argv[2], &sink, &error);
	r = r < 0 ? r : shipopt_bulk_config_new(&config);
	r = r < 0 ? r : shipopt_bulk_config_set_int(config, SHIPOPT_BULK_MAX_IN_FLIGHT, 64);
	r = r < 0 ? r : shipopt_bulk_config_set_item(config, on_item, &totals);
	/* Calls of the program need neither a carrier nor a store. */
	r = r < 0 ? r : shipopt_bulk_new(runtime, NULL, NULL, config, &bulk, &error);
	r = r < 0 ? r : shipopt_bulk_call(bulk, source, sink, weigh, NULL, NULL, NULL, &run);
	if (r >= 0) {
		source = NULL; /* the run's now */
		r = shipopt_op_wait(shipopt_run_op(run), -1);
	}
	if (r < 0)
		fprintf(stderr, "custom_operation: %s\n",
			shipopt_error_text(run ? shipopt_op_error(shipopt_run_op(run)) : error));
	else
		printf("%" PRId64 " orders, %" PRId64 " failed, heaviest %" PRId64 ".%02" PRId64 " oz\n", totals.orders,
			totals.failed, totals.heaviest / 1000000, totals.heaviest / 10000 % 100);
	shipopt_run_unref(run);
	shipopt_error_unref(error);
	shipopt_bulk_free(bulk);
	shipopt_bulk_config_free(config);
	if (sink && shipopt_sink_close(sink, NULL) < 0) /* the last write may fail too */
		fprintf(stderr, "custom_operation: %s may be incomplete\n", argv[2]);
	shipopt_sink_free(sink);
	shipopt_source_free(source);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0;
}
