/* SPDX-License-Identifier: MIT */

/*
 * track_codes: where are these parcels?
 *
 *	$ SHIPOPT_CARRIER_API_KEY=EZTK… track_codes EZ1000000001 EZ2000000002 EZ4000000004
 *	EZ4000000004     delivered          7 events
 *
 * A bulk run without a store. A callback source gives the codes, and each has one result. The run sends 32 requests at
 * a time and its memory does not depend on the number of codes.
 */
#include <shipopt/shipopt.h>
#include <stdio.h>

struct codes {
	char **next; /* NULL at the end, as argv is */
	int failed;
};

/* Fills the order it is given: 1 for one more, 0 at the end. One call at a time; it may block, to read a socket say. */
static int next_order(void *userdata, shipopt_order *order)
{
	struct codes *codes = userdata;
	if (!*codes->next)
		return 0;
	int r = shipopt_order_set_key(order, *codes->next, NULL);
	r = r < 0 ? r : shipopt_order_set_tracking_code(order, *codes->next, NULL);
	codes->next++;
	return r < 0 ? r : 1;
}

/* Items of one run never overlap, so the counter needs no lock. */
static void on_item(void *userdata, const shipopt_item *item)
{
	struct codes *codes = userdata;
	if (shipopt_item_status(item) < 0) {
		codes->failed++;
		fprintf(stderr, "%-22s %s\n", shipopt_item_key(item), shipopt_error_text(shipopt_item_error(item)));
		return;
	}
	const shipopt_record *tracker = shipopt_item_record(item);
	const char *status = shipopt_record_text(tracker, SHIPOPT_TRACKER_STATUS);
	printf("%-22s %-18s %zu events\n", shipopt_item_key(item), status ? status : "unknown",
		shipopt_record_count(tracker, SHIPOPT_TRACKER_TRACKING_DETAILS));
}

static int track(shipopt_runtime *runtime, shipopt_carrier *carrier, struct codes *codes, shipopt_error **ret_error)
{
	shipopt_bulk_config *config = NULL;
	shipopt_bulk *bulk = NULL;
	shipopt_source *source = NULL;
	shipopt_run *run = NULL;
	int r = shipopt_bulk_config_new(&config);
	r = r < 0 ? r : shipopt_bulk_config_set_item(config, on_item, codes);
	r = r < 0 ? r : shipopt_bulk_new(runtime, carrier, NULL, config, &bulk, ret_error);
	r = r < 0 ? r : shipopt_source_new_callback(next_order, codes, &source);
	r = r < 0 ? r : shipopt_bulk_track(bulk, source, NULL, NULL, NULL, &run);
	if (r >= 0) {
		r = shipopt_op_wait(shipopt_run_op(run), -1); /* the run has taken the source over */
		if (r < 0)
			*ret_error = shipopt_error_ref(shipopt_op_error(shipopt_run_op(run)));
	} else {
		shipopt_source_free(source);
	}
	shipopt_run_unref(run);
	shipopt_bulk_free(bulk);
	shipopt_bulk_config_free(config);
	return r;
}

int main(int argc, char **argv)
{
	shipopt_runtime *runtime = NULL;
	shipopt_carrier_config *config = NULL;
	shipopt_carrier *carrier = NULL;
	shipopt_error *error = NULL;
	if (argc < 2) {
		fprintf(stderr, "usage: track_codes TRACKING_CODE ...\n");
		return 2;
	}
	struct codes codes = {.next = argv + 1};
	int r = shipopt_runtime_new(NULL, &runtime, &error);
	r = r < 0 ? r : shipopt_carrier_config_new(&config);
	r = r < 0 ? r : shipopt_carrier_config_from_env(config);
	r = r < 0 ? r : shipopt_carrier_new(runtime, config, &carrier, &error);
	r = r < 0 ? r : track(runtime, carrier, &codes, &error);
	if (r < 0)
		fprintf(stderr, "track_codes: %s\n", error ? shipopt_error_text(error) : shipopt_error_description(r));
	shipopt_error_unref(error);
	shipopt_carrier_free(carrier);
	shipopt_carrier_config_free(config);
	shipopt_runtime_close(runtime, -1);
	shipopt_runtime_free(runtime);
	return r < 0 || codes.failed > 0;
}
