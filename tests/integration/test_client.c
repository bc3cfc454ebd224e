/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <pthread.h>
#include <shipopt/client.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/memory.h"
#include "sandbox_process.h"

/* The short way: a client made from the environment or a configuration, against the sandbox carrier. */

#define HEADER \
	"order_key,to_name,to_street1,to_city,to_state,to_zip,to_country,from_name,from_street1,from_city,from_state,from_zip,from_country,weight_oz\n"
#define ROW(key, weight) \
	key ",A,388 Townsend St,San Francisco,CA,94107,US,B,417 Montgomery St,San Francisco,CA,94104,US," weight "\n"

struct place {
	struct sandbox sandbox;
	char folder[64], orders[96], results[96];
};

struct seen {
	int items, failed, already;
	char message[512];
};

static void set_variable(const char *name, const char *format, const char *value)
{
	char text[256];
	snprintf(text, sizeof(text), format, value);
	assert_int_equal(setenv(name, text, 1), 0);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void write_orders(const struct place *place, const char *rows)
{
	char text[1024];
	assert_true(snprintf(text, sizeof(text), "%s%s", HEADER, rows) < (int)sizeof(text));
	write_file(place->orders, text);
}

static void place_start(struct place *place, const char *const *options)
{
	memset(place, 0, sizeof(*place));
	assert_int_equal(sandbox_start(&place->sandbox, options), 0);
	snprintf(place->folder, sizeof(place->folder), "/tmp/shipopt-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->orders, sizeof(place->orders), "%s/orders.csv", place->folder);
	snprintf(place->results, sizeof(place->results), "%s/labels.jsonl", place->folder);
	set_variable("SHIPOPT_CARRIER_BASE_URL", "%s/v2", place->sandbox.url);
	set_variable("SHIPOPT_CARRIER_API_KEY", "%s", "EZTKclient");
	set_variable("SHIPOPT_STORE_URL", "sqlite:%s/ship.db", place->folder);
}

static void place_stop(struct place *place)
{
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", place->folder);
	assert_int_equal(system(command), 0);
	assert_int_equal(sandbox_stop(&place->sandbox), 0);
	unsetenv("SHIPOPT_CARRIER_BASE_URL");
	unsetenv("SHIPOPT_CARRIER_API_KEY");
	unsetenv("SHIPOPT_STORE_URL");
	assert_int_equal(mem_live_count(), 0);
}

static shipopt_client *open_client(void)
{
	shipopt_client *client = NULL;
	shipopt_error *error = NULL;
	if (shipopt_client_open_from_env(&client, &error) < 0)
		fail_msg("%s", shipopt_error_message(error));
	return client;
}

static void close_client(shipopt_client *client)
{
	assert_int_equal(shipopt_client_close(client, -1), 0);
	shipopt_client_free(client);
}

static void see_item(void *userdata, const shipopt_item *item)
{
	struct seen *seen = userdata;
	seen->items++;
	seen->already += shipopt_item_status(item) == SHIPOPT_ALREADY;
	if (shipopt_item_status(item) >= 0)
		return;
	seen->failed++;
	snprintf(seen->message, sizeof(seen->message), "%s", shipopt_error_message(shipopt_item_error(item)));
}

static int buy(shipopt_client *client, const struct place *place, struct seen *seen)
{
	shipopt_error *error = NULL;
	*seen = (struct seen){0};
	int r = shipopt_client_buy_file(client, place->orders, place->results, see_item, seen, &error);
	if (r < 0)
		fail_msg("%s", shipopt_error_message(error));
	if (r > 0)
		print_message("%d failed, such as: %s\n", seen->failed, seen->message);
	return r;
}

/* ---- buying ------------------------------------------------------------------------------------------------ */

static void a_file_is_bought_once_however_often_it_is_given(void **state)
{
	struct place place;
	struct seen seen;
	place_start(&place, NULL);
	write_orders(&place, ROW("a", "10") ROW("b", "20"));
	shipopt_client *client = open_client();
	assert_int_equal(buy(client, &place, &seen), 0);
	assert_int_equal(seen.items, 2);
	assert_int_equal(seen.already, 0);
	assert_int_equal(buy(client, &place, &seen), 0);
	assert_int_equal(seen.items, 2);
	assert_int_equal(seen.already, 2);
	assert_int_equal(access(place.results, R_OK), 0);
	close_client(client);
	client = open_client();
	assert_int_equal(buy(client, &place, &seen), 0);
	assert_int_equal(seen.already, 2);
	assert_int_equal(sandbox_count(&place.sandbox, "labels"), 2);
	close_client(client);
	place_stop(&place);
}

static void orders_without_a_label_are_counted_and_say_why(void **state)
{
	struct place place;
	struct seen seen;
	place_start(&place, NULL);
	write_orders(&place, ROW("a", "10") ROW("b", "heavy") ROW("c", "-1"));
	shipopt_client *client = open_client();
	assert_int_equal(buy(client, &place, &seen), 2);
	assert_int_equal(seen.failed, 2);
	assert_non_null(strstr(seen.message, "weight"));
	close_client(client);
	place_stop(&place);
}

static void files_that_cannot_be_used_are_named(void **state)
{
	struct place place;
	shipopt_error *error = NULL;
	place_start(&place, NULL);
	shipopt_client *client = open_client();
	assert_int_equal(shipopt_client_buy_file(client, "/none/orders.csv", NULL, NULL, NULL, &error), SHIPOPT_EIO);
	assert_non_null(strstr(shipopt_error_message(error), "/none/orders.csv"));
	shipopt_error_unref(error);
	write_orders(&place, ROW("a", "10"));
	assert_int_equal(shipopt_client_buy_file(client, place.orders, "/none/out.csv", NULL, NULL, &error),
		SHIPOPT_EIO);
	assert_non_null(strstr(shipopt_error_message(error), "/none/out.csv"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_client_buy_file(client, place.orders, "/none/out.csv", NULL, NULL, NULL), SHIPOPT_EIO);
	assert_int_equal(shipopt_client_buy_file(client, NULL, NULL, NULL, NULL, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "orders_path"));
	shipopt_error_unref(error);
	assert_int_equal(sandbox_count(&place.sandbox, "labels"), 0);
	close_client(client);
	place_stop(&place);
}

static void the_ending_of_a_name_says_what_the_file_holds(void **state)
{
	struct place place;
	struct seen seen = {0};
	place_start(&place, NULL);
	snprintf(place.orders, sizeof(place.orders), "%s/orders.jsonl", place.folder);
	write_file(place.orders, "{\"order_key\":\"a\",\"to_zip\":\"94107\"}\n{\"order_key\":\"b\"}\n");
	shipopt_client *client = open_client();
	assert_int_equal(buy(client, &place, &seen), 2);
	snprintf(place.orders, sizeof(place.orders), "%s/orders.tsv", place.folder);
	write_file(place.orders, "order_key\tto_zip\nc\t94107\n");
	assert_int_equal(buy(client, &place, &seen), 1);
	assert_non_null(strstr(seen.message, "to_address"));
	close_client(client);
	place_stop(&place);
}

struct inner {
	shipopt_client *client;
	const struct place *place;
	int status;
};

static void buy_inside(void *userdata, const shipopt_item *item)
{
	struct inner *inner = userdata;
	shipopt_client *second = NULL;
	shipopt_error *error = NULL;
	inner->status = shipopt_client_buy_file(inner->client, inner->place->orders, NULL, NULL, NULL, &error);
	assert_non_null(error);
	shipopt_error_unref(error);
	assert_int_equal(shipopt_client_open_from_env(&second, NULL), SHIPOPT_EDEADLK);
}

static void a_callback_cannot_wait_for_a_file(void **state)
{
	struct place place;
	place_start(&place, NULL);
	write_orders(&place, ROW("a", "10"));
	struct inner inner = {.client = open_client(), .place = &place};
	assert_int_equal(shipopt_client_buy_file(inner.client, place.orders, NULL, buy_inside, &inner, NULL), 0);
	assert_int_equal(inner.status, SHIPOPT_EDEADLK);
	close_client(inner.client);
	place_stop(&place);
}

static void *close_now(void *userdata)
{
	shipopt_client_close(userdata, 0);
	return NULL;
}

struct stopper {
	shipopt_client *client;
	pthread_t thread;
	atomic_int is_started;
};

static void stop_at_first_item(void *userdata, const shipopt_item *item)
{
	struct stopper *stopper = userdata;
	if (!atomic_exchange(&stopper->is_started, 1))
		assert_int_equal(pthread_create(&stopper->thread, NULL, close_now, stopper->client), 0);
}

static void closing_the_client_ends_the_wait(void **state)
{
	struct place place;
	shipopt_error *error = NULL;
	place_start(&place, NULL);
	FILE *file = fopen(place.orders, "w");
	assert_non_null(file);
	fputs(HEADER, file);
	for (int i = 0; i < 2000; i++)
		fprintf(file,
			"k%d,A,388 Townsend St,San Francisco,CA,94107,US,B,417 Montgomery St,San Francisco,CA,94104,US,1\n",
			i);
	assert_int_equal(fclose(file), 0);
	struct stopper stopper = {.client = open_client()};
	assert_int_equal(shipopt_client_buy_file(stopper.client, place.orders, place.results, stop_at_first_item,
				 &stopper, &error),
		SHIPOPT_ECANCELED);
	assert_non_null(error);
	shipopt_error_unref(error);
	assert_true(atomic_load(&stopper.is_started));
	pthread_join(stopper.thread, NULL);
	shipopt_client_free(stopper.client);
	place_stop(&place);
}

/* ---- opening ----------------------------------------------------------------------------------------------- */

static void what_is_missing_or_wrong_is_named(void **state)
{
	shipopt_client *client = NULL;
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_client_open(NULL, &client, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "api_key"));
	shipopt_error_unref(error);
	setenv("SHIPOPT_BULK_MAX_IN_FLIGHT", "many", 1);
	assert_int_equal(shipopt_client_open_from_env(&client, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "SHIPOPT_BULK_MAX_IN_FLIGHT"));
	shipopt_error_unref(error);
	unsetenv("SHIPOPT_BULK_MAX_IN_FLIGHT");
	setenv("SHIPOPT_CARRIER_API_KEY", "EZTKclient", 1);
	setenv("SHIPOPT_STORE_URL", "sqlite:/none/ship.db", 1);
	assert_int_equal(shipopt_client_open_from_env(&client, &error), SHIPOPT_EDATABASE);
	assert_non_null(strstr(shipopt_error_message(error), "/none"));
	shipopt_error_unref(error);
	unsetenv("SHIPOPT_STORE_URL");
	unsetenv("SHIPOPT_CARRIER_API_KEY");
	assert_null(client);
	assert_int_equal(shipopt_client_open(NULL, NULL, &error), SHIPOPT_EINVAL);
	assert_non_null(strstr(shipopt_error_message(error), "ret_client"));
	shipopt_error_unref(error);
	assert_int_equal(shipopt_client_close(NULL, 0), SHIPOPT_EINVAL);
	shipopt_client_free(NULL);
	shipopt_client_config_free(NULL);
}

static int64_t count_bought(shipopt_store *store)
{
	shipopt_op *op = NULL;
	assert_int_equal(shipopt_ledger_count(store, SHIPOPT_LEDGER_STATE_BOUGHT, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), 0);
	int64_t count = shipopt_op_value(op);
	shipopt_op_unref(op);
	return count;
}

static void a_configuration_lends_the_parts_and_is_copied(void **state)
{
	struct place place;
	struct seen seen = {0};
	shipopt_client_config *config = NULL;
	shipopt_client *client = NULL;
	place_start(&place, NULL);
	unsetenv("SHIPOPT_CARRIER_API_KEY");
	assert_int_equal(shipopt_client_config_new(&config), 0);
	assert_int_equal(shipopt_client_config_from_env(config), 0);
	assert_int_equal(shipopt_runtime_config_set(shipopt_client_config_runtime(config), "workers", "2"), 0);
	assert_int_equal(shipopt_carrier_config_set(shipopt_client_config_carrier(config), "api_key", "EZTKlent"), 0);
	assert_int_equal(shipopt_store_config_set(shipopt_client_config_store(config), "tenant", "east"), 0);
	assert_int_equal(shipopt_source_config_set(shipopt_client_config_source(config), "columns_max", "14"), 0);
	assert_int_equal(shipopt_bulk_config_set_item(shipopt_client_config_bulk(config), see_item, &seen), 0);
	assert_null(shipopt_client_config_error(config));
	assert_int_equal(shipopt_client_open(config, &client, NULL), 0);
	shipopt_client_config_free(config);
	write_orders(&place, ROW("a", "10"));
	assert_int_equal(shipopt_client_buy_file(client, place.orders, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(seen.items, 1);
	assert_int_equal(shipopt_runtime_thread_count(shipopt_client_runtime(client), SHIPOPT_THREADS_WORKER), 2);
	assert_int_equal(count_bought(shipopt_client_store(client)), 1);
	shipopt_store *other = NULL;
	assert_int_equal(shipopt_store_view(shipopt_client_store(client), "default", &other, NULL), 0);
	assert_int_equal(count_bought(other), 0);
	shipopt_store_free(other);
	write_file(place.orders, "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o\n");
	shipopt_error *error = NULL;
	assert_int_equal(shipopt_client_buy_file(client, place.orders, NULL, NULL, NULL, &error), SHIPOPT_ETOOLARGE);
	assert_non_null(strstr(shipopt_error_message(error), "14"));
	shipopt_error_unref(error);
	assert_ptr_equal(shipopt_client_bulk(NULL), NULL);
	assert_non_null(shipopt_client_bulk(client));
	assert_non_null(shipopt_client_carrier(client));
	close_client(client);
	place_stop(&place);
}

static void the_configured_callback_is_called_where_a_call_has_none(void **state)
{
	struct place place;
	struct seen configured = {0}, given = {0};
	shipopt_client_config *config = NULL;
	shipopt_client *client = NULL;
	place_start(&place, NULL);
	write_orders(&place, ROW("a", "10"));
	assert_int_equal(shipopt_client_config_new(&config), 0);
	assert_int_equal(shipopt_client_config_from_env(config), 0);
	assert_int_equal(shipopt_bulk_config_set_item(shipopt_client_config_bulk(config), see_item, &configured), 0);
	assert_int_equal(shipopt_client_open(config, &client, NULL), 0);
	shipopt_client_config_free(config);
	assert_int_equal(shipopt_client_buy_file(client, place.orders, NULL, NULL, NULL, NULL), 0);
	assert_int_equal(shipopt_client_buy_file(client, place.orders, NULL, see_item, &given, NULL), 0);
	assert_int_equal(configured.items, 1);
	assert_int_equal(given.items, 1);
	close_client(client);
	place_stop(&place);
}

struct progress {
	int calls;
	int64_t done;
};

static void see_progress(void *userdata, shipopt_run *run)
{
	struct progress *progress = userdata;
	shipopt_run *held = shipopt_run_ref(run);
	assert_ptr_equal(held, run);
	assert_int_equal(shipopt_run_stat(held, SHIPOPT_RUN_STAT_DONE, &progress->done), 0);
	progress->calls++;
	shipopt_run_unref(held);
}

static void the_last_progress_report_has_all_items(void **state)
{
	struct place place;
	struct progress progress = {0};
	shipopt_client_config *config = NULL;
	shipopt_client *client = NULL;
	place_start(&place, NULL);
	write_orders(&place, ROW("a", "10") ROW("b", "11") ROW("c", "12"));
	assert_int_equal(shipopt_client_config_new(&config), 0);
	assert_int_equal(shipopt_client_config_from_env(config), 0);
	assert_int_equal(shipopt_bulk_config_set_progress(shipopt_client_config_bulk(config), see_progress, &progress),
		0);
	assert_int_equal(shipopt_bulk_config_set_progress(NULL, see_progress, &progress), SHIPOPT_EINVAL);
	assert_int_equal(shipopt_client_open(config, &client, NULL), 0);
	shipopt_client_config_free(config);
	assert_int_equal(shipopt_client_buy_file(client, place.orders, NULL, NULL, NULL, NULL), 0);
	assert_true(progress.calls >= 1);
	assert_int_equal(progress.done, 3);
	close_client(client);
	place_stop(&place);
}

#ifdef SHIPOPT_FAULTS
static void every_failure_on_the_way_of_opening_is_returned_with_an_error(void **state)
{
	struct place place;
	long points = 0;
	bool fired = true;
	place_start(&place, NULL);
	for (; fired; points++) {
		shipopt_client *client = NULL;
		shipopt_error *error = NULL;
		fault_arm(points);
		int r = shipopt_client_open_from_env(&client, &error);
		fired = fault_fired();
		fault_arm(-1);
		if (r >= 0)
			assert_int_equal(shipopt_client_close(client, -1), 0);
		else if (client || shipopt_error_code(error) != r)
			fail_msg("point %ld: %s, but the error is %s", points, shipopt_error_name(r),
				shipopt_error_text(error));
		shipopt_error_unref(error);
		shipopt_client_free(client);
		for (int i = 0; mem_live_count() > 0 && i < 2000; i++)
			usleep(1000); /* threads end by themselves */
		if (mem_live_count() != 0)
			fail_msg("point %ld: %llu blocks are left", points, (unsigned long long)mem_live_count());
	}
	assert_true(points > 50);
	place_stop(&place);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_is_bought_once_however_often_it_is_given),
		cmocka_unit_test(orders_without_a_label_are_counted_and_say_why),
		cmocka_unit_test(files_that_cannot_be_used_are_named),
		cmocka_unit_test(the_ending_of_a_name_says_what_the_file_holds),
		cmocka_unit_test(a_callback_cannot_wait_for_a_file),
		cmocka_unit_test(closing_the_client_ends_the_wait),
		cmocka_unit_test(what_is_missing_or_wrong_is_named),
		cmocka_unit_test(a_configuration_lends_the_parts_and_is_copied),
		cmocka_unit_test(the_configured_callback_is_called_where_a_call_has_none),
		cmocka_unit_test(the_last_progress_report_has_all_items),
#ifdef SHIPOPT_FAULTS
		cmocka_unit_test(every_failure_on_the_way_of_opening_is_returned_with_an_error),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
