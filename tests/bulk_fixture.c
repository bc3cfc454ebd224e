/* SPDX-License-Identifier: MIT */
#include "bulk_fixture.h"

#include "cmocka_test.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/text.h"
#include "json/json.h"

static void must(int status, const shipopt_error *error, const char *what)
{
	if (status < 0)
		fail_msg("%s: %s: %s", what, shipopt_error_name(status), error ? shipopt_error_message(error) : "");
}

void fixture_start(struct bulk_fixture *fixture, const char *const *sandbox_options)
{
	memset(fixture, 0, sizeof(*fixture));
	assert_int_equal(sandbox_start(&fixture->sandbox, sandbox_options), 0);
	snprintf(fixture->folder, sizeof(fixture->folder), "/tmp/shipopt-test-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	snprintf(fixture->store_url, sizeof(fixture->store_url), "sqlite:%s/ship.db", fixture->folder);
}

static void set_one(struct bulk_fixture *fixture, char *word)
{
	char *dot = strchr(word, '.'), *equal = strchr(word, '=');
	assert_true(dot && equal && dot < equal);
	*dot = *equal = '\0';
	if (strcmp(word, "carrier") == 0)
		must(shipopt_carrier_config_set(fixture->carrier_config, dot + 1, equal + 1),
			shipopt_carrier_config_error(fixture->carrier_config), word);
	else
		must(shipopt_bulk_config_set(fixture->bulk_config, dot + 1, equal + 1),
			shipopt_bulk_config_error(fixture->bulk_config), word);
}

static void set_all(struct bulk_fixture *fixture, const char *settings)
{
	char copy[1024], *rest = copy, *word;
	snprintf(copy, sizeof(copy), "%s", settings ? settings : "");
	while ((word = strsep(&rest, " ")))
		if (*word)
			set_one(fixture, word);
}

void fixture_open_handles(struct bulk_fixture *fixture, const char *settings)
{
	shipopt_error *error = NULL;
	char base_url[160];
	must(shipopt_runtime_new(NULL, &fixture->runtime, NULL), NULL, "runtime");
	must(shipopt_carrier_config_new(&fixture->carrier_config), NULL, "carrier config");
	must(shipopt_bulk_config_new(&fixture->bulk_config), NULL, "bulk config");
	snprintf(base_url, sizeof(base_url), "%s/v2", fixture->sandbox.url);
	must(shipopt_carrier_config_set(fixture->carrier_config, SHIPOPT_CARRIER_BASE_URL, base_url), NULL, "base_url");
	must(shipopt_carrier_config_set(fixture->carrier_config, SHIPOPT_CARRIER_API_KEY, "EZTKtest"), NULL, "api_key");
	must(shipopt_carrier_config_set_cache(fixture->carrier_config, fixture->cache), NULL, "cache");
	set_all(fixture, settings);
	must(shipopt_carrier_new(fixture->runtime, fixture->carrier_config, &fixture->carrier, &error), error,
		"carrier");
	must(shipopt_store_open(fixture->runtime, fixture->store_url, NULL, &fixture->store, &error), error, "store");
}

void fixture_open_bulk(struct bulk_fixture *fixture)
{
	shipopt_error *error = NULL;
	must(shipopt_bulk_new(fixture->runtime, fixture->carrier, fixture->store, fixture->bulk_config, &fixture->bulk,
		     &error),
		error, "bulk");
}

void fixture_open(struct bulk_fixture *fixture, const char *settings)
{
	fixture_open_handles(fixture, settings);
	fixture_open_bulk(fixture);
}

void fixture_close(struct bulk_fixture *fixture)
{
	shipopt_bulk_free(TAKE(fixture->bulk));
	shipopt_store_free(TAKE(fixture->store));
	shipopt_carrier_free(TAKE(fixture->carrier));
	shipopt_bulk_config_free(TAKE(fixture->bulk_config));
	shipopt_carrier_config_free(TAKE(fixture->carrier_config));
	if (fixture->runtime)
		must(shipopt_runtime_close(fixture->runtime, 10000), NULL, "close");
	shipopt_runtime_free(TAKE(fixture->runtime));
}

void fixture_stop(struct bulk_fixture *fixture)
{
	static const char *const files[] = {"ship.db", "ship.db-wal", "ship.db-shm", "out.csv", "out.jsonl",
		"orders.csv"};
	fixture_close(fixture);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];
		snprintf(path, sizeof(path), "%s/%s", fixture->folder, files[i]);
		unlink(path);
	}
	rmdir(fixture->folder);
	assert_int_equal(sandbox_stop(&fixture->sandbox), 0);
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

void fixture_fill_order(shipopt_order *order, const char *prefix, size_t number)
{
	char text[64];
	shipopt_record *shipment;
	snprintf(text, sizeof(text), "%s-%zu", prefix, number);
	assert_int_equal(shipopt_order_set_key(order, text, NULL), 0);
	assert_int_equal(shipopt_record_new(SHIPOPT_RECORD_SHIPMENT, &shipment), 0);
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		assert_int_equal(shipopt_record_set_column(shipment, columns[i][0], columns[i][1], NULL), 0);
	snprintf(text, sizeof(text), "%zu.5", 1 + number % 150);
	assert_int_equal(shipopt_record_set_column(shipment, "weight_oz", text, NULL), 0);
	assert_int_equal(shipopt_order_set_shipment(order, shipment, NULL), 0);
}

shipopt_order *fixture_order(const char *prefix, size_t number)
{
	shipopt_order *order;
	assert_int_equal(shipopt_order_new("x", &order, NULL), 0);
	fixture_fill_order(order, prefix, number);
	return order;
}

struct generator {
	size_t next, count, every;
	char prefix[32], planted[32];
};

/* One at a time, and freed with the last order: a test has one or two. */
static int generate(void *userdata, shipopt_order *order)
{
	struct generator *generator = userdata;
	if (generator->next == generator->count)
		return 0;
	bool is_planted = generator->every && generator->next % generator->every == 0;
	fixture_fill_order(order, is_planted ? generator->planted : generator->prefix, generator->next++);
	return 1;
}

static struct generator generators[64];
static size_t generator_next;

shipopt_source *fixture_orders_planted(size_t count, const char *prefix, const char *planted, size_t every)
{
	shipopt_source *source;
	struct generator *generator = &generators[generator_next++ % ARRAY_SIZE(generators)];
	*generator = (struct generator){.count = count, .every = every};
	snprintf(generator->prefix, sizeof(generator->prefix), "%s", prefix);
	snprintf(generator->planted, sizeof(generator->planted), "%s", planted);
	assert_int_equal(shipopt_source_new_callback(generate, generator, &source), 0);
	return source;
}

shipopt_source *fixture_orders(size_t count, const char *prefix)
{
	return fixture_orders_planted(count, prefix, "", 0);
}

/* ---- runs -------------------------------------------------------------------------------------------------- */

static int64_t stat_of(shipopt_run *run, int stat)
{
	int64_t value = -1;
	assert_int_equal(shipopt_run_stat(run, stat, &value), 0);
	return value;
}

void fixture_collect(shipopt_run *run, struct fixture_result *result)
{
	memset(result, 0, sizeof(*result));
	result->status = shipopt_op_wait(shipopt_run_op(run), -1);
	result->done = stat_of(run, SHIPOPT_RUN_STAT_DONE);
	result->already = stat_of(run, SHIPOPT_RUN_STAT_ALREADY);
	result->failed = stat_of(run, SHIPOPT_RUN_STAT_FAILED);
	result->in_doubt = stat_of(run, SHIPOPT_RUN_STAT_IN_DOUBT);
	result->held = stat_of(run, SHIPOPT_RUN_STAT_HELD);
	result->canceled = stat_of(run, SHIPOPT_RUN_STAT_CANCELED);
	result->requests = stat_of(run, SHIPOPT_RUN_STAT_REQUESTS);
	result->elapsed_ms = stat_of(run, SHIPOPT_RUN_STAT_ELAPSED_MS);
	if (result->status < 0) {
		const char *message = shipopt_error_message(shipopt_op_error(shipopt_run_op(run)));
		snprintf(result->message, sizeof(result->message), "%s", message ? message : "");
	}
	shipopt_run_unref(run);
}

void fixture_run(struct bulk_fixture *fixture, fixture_run_fn start, shipopt_source *source,
	struct fixture_result *ret_result)
{
	shipopt_run *run;
	struct fixture_result ignored;
	must(start(fixture->bulk, source, NULL, NULL, NULL, &run), NULL, "run");
	fixture_collect(run, ret_result ? ret_result : &ignored);
}

void fixture_buy(struct bulk_fixture *fixture, shipopt_source *source, struct fixture_result *ret_result)
{
	fixture_run(fixture, shipopt_bulk_buy, source, ret_result);
}

/* ---- the books --------------------------------------------------------------------------------------------- */

int64_t fixture_ledger_count(struct bulk_fixture *fixture, int state)
{
	shipopt_op *op;
	must(shipopt_ledger_count(fixture->store, state, NULL, NULL, &op), NULL, "ledger count");
	must(shipopt_op_wait(op, -1), shipopt_op_error(op), "ledger count");
	int64_t count = shipopt_op_value(op);
	shipopt_op_unref(op);
	return count;
}

int64_t fixture_ledger_count_asked(struct bulk_fixture *fixture)
{
	char path[128];
	sqlite3 *database;
	sqlite3_stmt *statement;
	snprintf(path, sizeof(path), "%s/ship.db", fixture->folder);
	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database,
				 "SELECT count(*) FROM ledger WHERE state = 4 AND needs_person = 1", -1, &statement,
				 NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	int64_t count = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return count;
}

static sqlite3 *open_ledger(struct bulk_fixture *fixture)
{
	sqlite3 *database;
	char path[128];
	snprintf(path, sizeof(path), "%s/ship.db", fixture->folder);
	assert_int_equal(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
	/* The ledger has no index by tracking code, and its rows are long. */
	assert_int_equal(sqlite3_exec(database,
				 "CREATE TEMP TABLE bought AS SELECT tracking_code, paid, order_key FROM ledger "
				 "WHERE state IN (5, 6); CREATE INDEX temp.bought_by_code ON bought (tracking_code)",
				 NULL, NULL, NULL),
		SQLITE_OK);
	return database;
}

/* The row of a label, by its tracking code: 1 if it is there and agrees. */
static bool row_agrees(sqlite3 *database, struct json_value label)
{
	sqlite3_stmt *statement;
	const char *tracking_code = json_get_text(label, "tracking_code"), *rate = json_get_text(label, "rate");
	int64_t amount = -1;
	assert_int_equal(sqlite3_prepare_v2(database, "SELECT paid, order_key FROM bought WHERE tracking_code = ?", -1,
				 &statement, NULL),
		SQLITE_OK);
	sqlite3_bind_text(statement, 1, tracking_code ? tracking_code : "", -1, SQLITE_STATIC);
	bool found = sqlite3_step(statement) == SQLITE_ROW;
	decimal_parse(rate ? rate : "", rate ? strlen(rate) : 0, &amount);
	bool agrees = found && sqlite3_column_int64(statement, 0) == amount &&
		text_equal((const char *)sqlite3_column_text(statement, 1), json_get_text(label, "reference"));
	if (!agrees)
		print_error("label %s of %s at %s: %s\n", tracking_code, json_get_text(label, "reference"), rate,
			found ? "the row differs" : "no row");
	sqlite3_finalize(statement);
	return agrees;
}

static size_t compare_lines(sqlite3 *database, char *lines, size_t *ret_labels)
{
	size_t differences = 0;
	char *line;
	while ((line = strsep(&lines, "\n"))) {
		json_document *document;
		if (!*line)
			continue;
		assert_int_equal(json_document_parse(line, strlen(line), &document, NULL), 0);
		differences += !row_agrees(database, json_root(document));
		json_document_free(document);
		(*ret_labels)++;
	}
	return differences;
}

size_t fixture_compare(struct bulk_fixture *fixture)
{
	struct buffer lines;
	size_t labels = 0;
	sqlite3 *database = open_ledger(fixture);
	sqlite3_stmt *statement;
	buffer_init(&lines, (size_t)256 << 20);
	assert_int_equal(sandbox_get(&fixture->sandbox, "/sandbox/labels", &lines), 200);
	char *text = buffer_take(&lines);
	size_t differences = compare_lines(database, text, &labels);
	mem_free(text);
	buffer_done(&lines);
	assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM ledger WHERE state IN (5, 6)", -1,
				 &statement, NULL),
		SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	if ((size_t)sqlite3_column_int64(statement, 0) != labels) {
		print_error("%lld rows bought, %zu labels\n", (long long)sqlite3_column_int64(statement, 0), labels);
		differences++;
	}
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return differences;
}
