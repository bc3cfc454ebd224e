/* SPDX-License-Identifier: MIT */
#include "../cached_read_fixture.h"

/* Reads that are answered from the cache, in virtual time over the world of sim/world.h. */

#define MANY 100

struct told {
	shipopt_op *op;
	int count, status, is_cached, http_status;
	int64_t done_us;
	char tracking_code[32], carrier_code[32];
};
static struct told told[MANY];

static void on_done(void *userdata, shipopt_op *op)
{
	struct told *one = userdata;
	const char *code = shipopt_record_text(shipopt_op_record(op), SHIPOPT_SHIPMENT_TRACKING_CODE);
	const char *carrier_code = shipopt_error_carrier_code(shipopt_op_error(op));
	one->count++;
	one->status = shipopt_op_status(op);
	one->is_cached = shipopt_op_is_cached(op);
	one->http_status = (int)shipopt_op_value(op);
	one->done_us = clock_now_us();
	snprintf(one->tracking_code, sizeof(one->tracking_code), "%s", code ? code : "");
	snprintf(one->carrier_code, sizeof(one->carrier_code), "%s", carrier_code ? carrier_code : "");
}

static void start_reads(size_t first, size_t count, const char *id)
{
	for (size_t i = first; i < first + count; i++) {
		told[i] = (struct told){0};
		assert_int_equal(shipopt_carrier_shipment_retrieve(process.carrier, id, on_done, &told[i], &told[i].op),
			0);
		assert_int_equal(told[i].count, 0); /* never from inside the call */
	}
}

static void end_reads(size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		shipopt_op_wait(told[i].op, -1);
		assert_int_equal(told[i].count, 1);
		shipopt_op_unref(TAKE(told[i].op));
	}
}

/* One read to its end. */
static struct told *read_one(const char *id)
{
	start_reads(0, 1, id);
	end_reads(0, 1);
	return &told[0];
}

/* The same as a raw call with options. */
static struct told *read_with(const char *path, const shipopt_call_config *config)
{
	told[0] = (struct told){0};
	assert_int_equal(shipopt_carrier_call(process.carrier, "GET", path, NULL, config, on_done, &told[0],
				 &told[0].op),
		0);
	end_reads(0, 1);
	return &told[0];
}

static void a_kept_answer_comes_without_a_request_and_dies_in_time(void **state)
{
	shipopt_op *first, *second;
	begin(0, "carrier.cache_ttl_ms=1000");
	make_shipment(true);
	assert_int_equal(shipopt_carrier_shipment_retrieve(process.carrier, "shp_0", NULL, NULL, &first), 0);
	assert_int_equal(shipopt_op_wait(first, -1), 0);
	assert_int_equal(shipopt_carrier_shipment_retrieve(process.carrier, "shp_0", NULL, NULL, &second), 0);
	assert_int_equal(shipopt_op_wait(second, -1), 0);
	assert_int_equal(reads(), 1);
	assert_int_equal(shipopt_op_is_cached(first), 0);
	assert_int_equal(shipopt_op_is_cached(second), 1);
	assert_int_equal(shipopt_op_value(second), 200);
	assert_string_equal(shipopt_op_json(first), shipopt_op_json(second));
	assert_string_equal(shipopt_record_source(shipopt_op_record(first)),
		shipopt_record_source(shipopt_op_record(second)));
	int64_t requests;
	assert_int_equal(shipopt_carrier_stat(process.carrier, SHIPOPT_CARRIER_STAT_REQUESTS, &requests), 0);
	assert_int_equal(requests, 1);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_HITS), 1);
	shipopt_op_unref(first);
	shipopt_op_unref(second);
	pass_ms(999);
	assert_int_equal(read_one("shp_0")->is_cached, 1);
	pass_ms(2);
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	assert_int_equal(reads(), 2);
	/* The raw call asks the same question. */
	assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 1);
	finish();
}

static void of_a_hundred_that_ask_at_once_one_sends(void **state)
{
	begin(0, NULL);
	make_shipment(true);
	start_reads(0, MANY, "shp_0");
	end_reads(0, MANY);
	for (size_t i = 0; i < MANY; i++) {
		assert_int_equal(told[i].status, 0);
		assert_string_equal(told[i].tracking_code, "TRK000001");
		assert_int_equal(told[i].is_cached, 0);
	}
	assert_int_equal(reads(), 1);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_COALESCED), MANY - 1);
	finish();
}

static void a_shipment_without_postage_is_told_to_all_who_wait_and_not_kept(void **state)
{
	begin(0, NULL);
	make_shipment(false);
	start_reads(0, 10, "shp_0");
	end_reads(0, 10);
	assert_int_equal(reads(), 1);
	assert_int_equal(told[9].status, 0);
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	assert_int_equal(reads(), 2);
	finish();
}

static void when_the_one_who_leads_is_canceled_another_leads(void **state)
{
	begin(0, NULL);
	make_shipment(true);
	for (int sent = 0; sent < 2; sent++) {
		int64_t before = reads();
		start_reads(0, 10, "shp_0");
		for (int i = 0; sent && i < 3; i++)
			sim_turn(&process, 1000); /* it is on the wire */
		assert_int_equal(reads(), before + sent);
		assert_int_equal(shipopt_op_cancel(told[0].op), 0);
		assert_int_equal(shipopt_op_cancel(told[1].op), 0);
		end_reads(0, 10);
		assert_int_equal(told[0].status, SHIPOPT_ECANCELED);
		assert_int_equal(told[1].status, SHIPOPT_ECANCELED);
		for (size_t i = 2; i < 10; i++)
			assert_string_equal(told[i].tracking_code, "TRK000001");
		assert_int_equal(reads(), before + 1 + sent);
		assert_int_equal(shipopt_cache_clear(cache), 0);
	}
	/* All of them. */
	start_reads(0, MANY, "shp_0");
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(shipopt_op_cancel(told[MANY - 1 - i].op), 0);
	end_reads(0, MANY);
	for (size_t i = 0; i < MANY; i++)
		assert_int_equal(told[i].status, SHIPOPT_ECANCELED);
	assert_int_equal(read_one("shp_0")->status, 0);
	finish();
}

static void each_keeps_its_own_time_limit(void **state)
{
	shipopt_call_config *config;
	script[0] = (struct world_step){WORLD_READ, FAULT_HANG, 0};
	begin(1, "carrier.timeout_ms=5000 carrier.attempts_max=2 carrier.retry_base_ms=1");
	make_shipment(true);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set_int(config, SHIPOPT_CALL_TIMEOUT_MS, 50), 0);
	/* One in a hurry waits for one that is not. */
	start_reads(0, 1, "shp_0");
	told[1] = (struct told){0};
	int64_t begun_us = clock_now_us();
	assert_int_equal(shipopt_carrier_call(process.carrier, "GET", "/shipments/shp_0", NULL, config, on_done,
				 &told[1], &told[1].op),
		0);
	end_reads(0, 2);
	assert_int_equal(told[1].status, SHIPOPT_ETIMEDOUT);
	assert_in_range(told[1].done_us - begun_us, 50000, 60000);
	assert_int_equal(told[0].status, 0); /* the second try */
	shipopt_call_config_free(config);
	finish();
	/* And the other way round: his hurry is not theirs. */
	script[0] = script[1] = (struct world_step){WORLD_READ, FAULT_HANG, 0};
	begin(1, "carrier.timeout_ms=5000 carrier.attempts_max=1");
	make_shipment(true);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set_int(config, SHIPOPT_CALL_TIMEOUT_MS, 50), 0);
	told[0] = (struct told){0};
	assert_int_equal(shipopt_carrier_call(process.carrier, "GET", "/shipments/shp_0", NULL, config, on_done,
				 &told[0], &told[0].op),
		0);
	start_reads(1, 3, "shp_0");
	end_reads(0, 4);
	assert_int_equal(told[0].status, SHIPOPT_ETIMEDOUT);
	for (size_t i = 1; i < 4; i++)
		assert_int_equal(told[i].status, 0);
	assert_int_equal(reads(), 2);
	shipopt_call_config_free(config);
	finish();
}

static void a_failure_is_told_to_all_who_wait_and_not_kept(void **state)
{
	static const struct {
		enum world_fault fault;
		int status, http_status;
	} cases[] = {
		{FAULT_401, SHIPOPT_EAUTH, 401},
		{FAULT_402, SHIPOPT_EPAYMENT, 402},
		{FAULT_429, SHIPOPT_ERATELIMIT, 429},
		{FAULT_500, SHIPOPT_ESERVER, 500},
		{FAULT_503, SHIPOPT_ESERVER, 503},
		{FAULT_REFUSED, SHIPOPT_EREFUSED, 422},
		{FAULT_BARE_404, SHIPOPT_EPROTOCOL, 404},
		{FAULT_GARBAGE, SHIPOPT_EPROTOCOL, 200},
		{FAULT_TRUNCATED, SHIPOPT_EPROTOCOL, 0},
		{FAULT_LOST_BEFORE, SHIPOPT_ENETWORK, 0},
	};
	for (size_t c = 0; c < ARRAY_SIZE(cases); c++) {
		script[0] = (struct world_step){WORLD_READ, cases[c].fault, -1};
		begin(1, "carrier.attempts_max=1");
		make_shipment(true);
		start_reads(0, 5, "shp_0");
		end_reads(0, 5);
		assert_int_equal(reads(), 1);
		for (size_t i = 0; i < 5; i++) {
			if (told[i].status != cases[c].status && cases[c].fault != FAULT_TRUNCATED)
				fail_msg("%s: %s", world_fault_name(cases[c].fault),
					shipopt_error_name(told[i].status));
			assert_int_equal(told[i].status, told[0].status);
			assert_string_equal(told[i].carrier_code, told[0].carrier_code);
		}
		pass_ms(60000);
		assert_int_equal(read_one("shp_0")->status, 0);
		assert_int_equal(reads(), 2);
		finish();
	}
}

static void that_there_is_no_such_object_is_kept_for_a_short_time(void **state)
{
	script[0] = (struct world_step){WORLD_READ, FAULT_404, 0};
	begin(1, NULL);
	make_shipment(true);
	start_reads(0, 2, "shp_0");
	end_reads(0, 2);
	assert_int_equal(told[0].status, SHIPOPT_ENOTFOUND);
	assert_string_equal(told[0].carrier_code, "NOT_FOUND");
	assert_int_equal(told[1].status, SHIPOPT_ENOTFOUND);
	assert_int_equal(told[1].http_status, 404);
	assert_string_equal(told[1].carrier_code, "NOT_FOUND");
	read_one("shp_0");
	assert_int_equal(told[0].status, SHIPOPT_ENOTFOUND);
	assert_string_equal(told[0].carrier_code, "NOT_FOUND"); /* also of an answer that was kept */
	assert_int_equal(told[0].http_status, 404);
	assert_int_equal(told[0].is_cached, 1);
	assert_int_equal(reads(), 1);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_NOT_FOUND_HITS), 1);
	pass_ms(5001);
	assert_int_equal(read_one("shp_0")->status, 0);
	finish();
}

static void call(const char *method, const char *path, const char *json, int status)
{
	shipopt_op *op;
	assert_int_equal(shipopt_carrier_call(process.carrier, method, path, json, NULL, NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), status);
	shipopt_op_unref(op);
}

static void a_write_makes_what_it_touches_dead_and_nothing_else(void **state)
{
	begin(0, NULL);
	make_shipment(true);
	make_shipment(true);
	read_one("shp_0");
	read_one("shp_1");
	call("POST", "/shipments/shp_0/rerate", "{}", 0);
	assert_int_equal(read_one("shp_1")->is_cached, 1);
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	/* Also when it is refused: it may have been the second try. */
	call("POST", "/shipments/shp_0/buy", "{\"rate\":{\"id\":\"rate_0_3_0_4500000_USD\"}}", SHIPOPT_EREFUSED);
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	assert_int_equal(read_one("shp_1")->is_cached, 1);
	finish();
	/* Of unknown outcome: nothing of this account is believed. */
	script[0] = (struct world_step){WORLD_RERATE, FAULT_LOST_AFTER, 0};
	script[1] = (struct world_step){WORLD_RERATE, FAULT_REFUSED_CONNECTION, 0};
	begin(2, "carrier.attempts_max=1");
	make_shipment(true);
	make_shipment(true);
	read_one("shp_0");
	read_one("shp_1");
	call("POST", "/shipments/shp_0/rerate", "{}", SHIPOPT_EINDOUBT);
	assert_int_equal(read_one("shp_1")->is_cached, 0);
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	/* Never sent: nothing has changed. */
	call("POST", "/shipments/shp_0/rerate", "{}", SHIPOPT_ECONNECT);
	assert_int_equal(read_one("shp_0")->is_cached, 1);
	finish();
}

/* As one who asks by a reference before he makes it; the world takes this name for one. */
static void what_was_not_there_is_looked_for_again_once_something_was_made(void **state)
{
	begin(0, NULL);
	assert_int_equal(read_one("shp_0x")->status, SHIPOPT_ENOTFOUND);
	assert_int_equal(read_one("shp_0x")->status, SHIPOPT_ENOTFOUND);
	assert_int_equal(told[0].is_cached, 1);
	call("POST", "/shipments", "{\"shipment\":{\"reference\":\"r\"}}", 0);
	assert_int_equal(read_with("/shipments/shp_0x", NULL)->status, 0);
	finish();
}

static void a_path_that_may_mean_another_object_is_not_kept(void **state)
{
	static const char *const paths[] = {"/shipments/shp_0/", "/shipments//shp_0", "/./shipments/shp_0",
		"/shipments/../shipments/shp_0", "/shipments/%2e/shp_0", "/%73hipments/shp_0"};
	struct answer_question question = {.identity = "i"};
	const char *unpaid = "{\"object\":\"Shipment\",\"id\":\"shp_0\",\"postage_label\":null}";
	json_document *document;
	begin(0, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		question.path = paths[i];
		assert_int_equal(answer_ttl_ms(process.carrier, &question), 0);
	}
	question.path = "/shipments/shp_0?x=/../";
	assert_int_equal(answer_ttl_ms(process.carrier, &question), 60000);
	question.path = "/shipments/our%20reference";
	assert_int_equal(answer_ttl_ms(process.carrier, &question), 60000);
	/* Nor is a shipment without postage, wherever it was found. */
	assert_int_equal(json_document_parse(unpaid, strlen(unpaid), &document, NULL), 0);
	assert_true(process.carrier->provider->is_open("/v2/shipments/shp_0", json_root(document)));
	json_document_free(document);
	finish();
}

/* A reference may stand in for the id: what is read by one name is known by the other, too. */
static void an_answer_is_known_by_its_own_id_as_well(void **state)
{
	script[0] = script[1] = (struct world_step){WORLD_READ, FAULT_OTHER_BODY, 0};
	begin(2, NULL);
	make_shipment(true);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 0);
		assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 1);
		assert_int_equal(shipopt_cache_remove_tag(cache, i ? "shipments/shp_0" : "shipments/shp_999999"), 0);
	}
	assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 0);
	finish();
}

/* Neither as it comes nor, where a raw call has put it into the cache, from there. */
static void an_answer_about_another_object_is_neither_handed_out_nor_kept(void **state)
{
	shipopt_op *op;
	script[0] = script[1] = script[2] = (struct world_step){WORLD_READ, FAULT_OTHER_BODY, 0};
	begin(3, "carrier.attempts_max=1");
	make_shipment(true);
	assert_int_equal(shipopt_carrier_shipment_retrieve(process.carrier, "shp_0", NULL, NULL, &op), 0);
	assert_int_equal(shipopt_op_wait(op, -1), SHIPOPT_EPROTOCOL);
	assert_null(shipopt_op_record(op));
	assert_null(shipopt_op_json(op));
	assert_non_null(strstr(shipopt_error_message(shipopt_op_error(op)), "\"shp_999999\", while \"shp_0\""));
	shipopt_op_unref(op);
	assert_int_equal(read_one("shp_0")->status, SHIPOPT_EPROTOCOL);
	assert_int_equal(told[0].is_cached, 0);
	assert_int_equal(read_with("/shipments/shp_0", NULL)->status, 0);
	assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 1);
	assert_string_equal(read_one("shp_0")->tracking_code, "TRK000001");
	assert_int_equal(told[0].is_cached, 0);
	finish();
}

static void what_is_read_while_a_write_goes_on_is_not_kept(void **state)
{
	shipopt_op *write;
	begin(0, NULL);
	make_shipment(true);
	sim_world.latency_us = 100000;
	assert_int_equal(shipopt_carrier_shipment_rerate(process.carrier, "shp_0", NULL, NULL, &write), 0);
	for (int i = 0; i < 20 && clock_now_us() % 1000000 < 50000; i++)
		sim_turn(&process, 10000);
	start_reads(0, 3, "shp_0");
	assert_int_equal(shipopt_op_wait(write, -1), 0);
	shipopt_op_unref(write);
	/* The read is still on the wire; who asks now gets another. */
	start_reads(3, 1, "shp_0");
	end_reads(0, 4);
	assert_int_equal(reads(), 2);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(told[i].status, 0);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_LOADS_DROPPED), 1);
	assert_int_equal(read_one("shp_0")->is_cached, 1);
	finish();
}

static int look_for_key(void *userdata, shipopt_value *value)
{
	char key[ANSWER_KEY_SIZE];
	assert_true(shipopt_value_key_length(value) < sizeof(key));
	memcpy(key, shipopt_value_key(value), shipopt_value_key_length(value));
	key[shipopt_value_key_length(value)] = '\0';
	assert_null(strstr(key, "EZTK"));
	assert_non_null(strstr(key, ":/shipments/shp_0"));
	++*(int *)userdata;
	return 0;
}

static void accounts_and_servers_never_share(void **state)
{
	int keys = 0;
	shipopt_call_config *config;
	begin(0, NULL);
	make_shipment(true);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	read_one("shp_0");
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, "EZTKanother"), 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 1);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_BASE_URL, "http://other.invalid/v2"), 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	shipopt_call_config_free(config);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_BASE_URL, "http://other.invalid/v2"), 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	assert_int_equal(reads(), 4);
	/* The same credential, said twice, is the same. */
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_BASE_URL, "http://carrier.invalid/v2/"), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_API_KEY, "EZTKsimulated"), 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 1);
	/* Another query is another question. */
	assert_int_equal(read_with("/shipments/shp_0?a=1", NULL)->is_cached, 0);
	assert_int_equal(shipopt_cache_visit(cache, 0, look_for_key, &keys), 5);
	assert_int_equal(keys, 5);
	shipopt_call_config_free(config);
	finish();
}

static void a_call_can_refresh_the_answer_or_leave_the_cache_alone(void **state)
{
	shipopt_call_config *config;
	begin(0, NULL);
	make_shipment(true);
	assert_int_equal(shipopt_call_config_new(&config), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_CACHE, "none"), 0);
	read_with("/shipments/shp_0", config);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_STORED), 0);
	assert_int_equal(shipopt_call_config_set(config, SHIPOPT_CALL_CACHE, "refresh"), 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	assert_int_equal(reads(), 3);
	assert_int_equal(read_with("/shipments/shp_0", NULL)->is_cached, 1);
	/* One that was on the wire before is not good enough, and is not kept. */
	assert_int_equal(shipopt_cache_clear(cache), 0);
	start_reads(1, 1, "shp_0");
	assert_int_equal(read_with("/shipments/shp_0", config)->is_cached, 0);
	end_reads(1, 1);
	assert_int_equal(reads(), 5);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_LOADS_DROPPED), 1);
	shipopt_call_config_free(config);
	finish();
	begin(0, "carrier.cache_ttl_ms=0");
	make_shipment(true);
	read_one("shp_0");
	assert_int_equal(read_one("shp_0")->is_cached, 0);
	assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_STORED) + stat_of(SHIPOPT_CACHE_STAT_MISSES), 0);
	finish();
}

static void a_stale_answer_is_handed_out_while_one_call_refreshes_it(void **state)
{
	script[0] = (struct world_step){WORLD_READ, FAULT_NONE, 0};
	script[1] = (struct world_step){WORLD_READ, FAULT_NONE, 0};
	script[2] = (struct world_step){WORLD_READ, FAULT_500, 0};
	sim_begin(1);
	sim_world.script = script;
	sim_world.script_count = 3;
	assert_int_equal(try_cache_new(1000), 0);
	sim_configure = use_cache;
	sim_open(&process, "carrier.attempts_max=1");
	make_shipment(true);
	read_one("shp_0");
	pass_ms(1500);
	start_reads(0, 3, "shp_0");
	end_reads(0, 3);
	assert_int_equal(told[0].is_cached, 0);
	assert_int_equal(told[1].is_cached, 1);
	assert_true(told[1].done_us < told[0].done_us);
	assert_int_equal(reads(), 2);
	/* If the refresh fails the old answer has to do. */
	pass_ms(1500);
	assert_int_equal(read_one("shp_0")->status, 0);
	assert_int_equal(told[0].is_cached, 1);
	assert_string_equal(told[0].tracking_code, "TRK000001");
	assert_int_equal(reads(), 3);
	finish();
}

static void keep_by_hand(const char *path, const char *json)
{
	char key[ANSWER_KEY_SIZE];
	struct answer_question question = {.identity = process.carrier->identity, .path = path};
	size_t length = answer_key(&question, key);
	assert_int_equal(shipopt_cache_put(cache, key, length, json, strlen(json), NULL), 0);
}

static void what_cannot_be_read_is_as_if_it_were_not_there(void **state)
{
	begin(0, NULL);
	make_shipment(true);
	keep_by_hand("/shipments/shp_0", "<html>");
	assert_int_equal(read_one("shp_0")->status, 0);
	assert_int_equal(told[0].is_cached, 0);
	assert_string_equal(told[0].tracking_code, "TRK000001");
	finish();
}

/* Whatever the cache says of the shipment: the purchase reads it at the carrier. */
static void a_purchase_is_never_decided_by_a_kept_answer(void **state)
{
	static const enum world_fault faults[] = {FAULT_LOST_BEFORE, FAULT_LOST_AFTER, FAULT_HANG_LATE,
		FAULT_500_AFTER};
	static const char *const lies[] = {
		"{\"id\":\"shp_0\",\"object\":\"Shipment\",\"tracking_code\":\"TRK000042\",\"postage_label\":{\"id\":\"pl_1\"},"
		"\"selected_rate\":{\"id\":\"rate_0_1_1\",\"rate\":\"5.25\",\"currency\":\"USD\"},\"rates\":[]}",
		"{\"id\":\"shp_0\",\"object\":\"Shipment\",\"rates\":[]}",
	};
	for (size_t f = 0; f < ARRAY_SIZE(faults); f++)
		for (size_t lie = 0; lie < ARRAY_SIZE(lies); lie++) {
			script[0] = (struct world_step){WORLD_BUY, faults[f], 5000};
			begin(1, NULL);
			keep_by_hand("/shipments/shp_0", lies[lie]);
			assert_int_equal(sim_buy(&process, 1), 0);
			assert_int_equal(process.results[0].status, 0);
			assert_true(reads() > 0);
			assert_int_equal(stat_of(SHIPOPT_CACHE_STAT_HITS) + stat_of(SHIPOPT_CACHE_STAT_MISSES), 0);
			assert_int_equal(sim_world.labels, 1);
			assert_int_equal(sim_compare(), 0);
			finish();
		}
	/* And it tells the cache what it has changed. */
	begin(0, NULL);
	assert_int_equal(read_one("shp_0")->status, SHIPOPT_ENOTFOUND);
	assert_int_equal(read_one("shp_0")->is_cached, 1);
	assert_int_equal(sim_buy(&process, 1), 0);
	assert_string_equal(read_one("shp_0")->tracking_code, "TRK000001");
	assert_int_equal(told[0].is_cached, 0);
	finish();
}

static void the_runtime_can_close_with_calls_that_wait(void **state)
{
	script[0] = (struct world_step){WORLD_READ, FAULT_HANG, 0};
	begin(1, NULL);
	make_shipment(true);
	start_reads(0, 20, "shp_0");
	assert_int_equal(shipopt_runtime_close(process.runtime, 10), SHIPOPT_ETIMEDOUT);
	end_reads(0, 20);
	for (size_t i = 0; i < 20; i++)
		assert_int_equal(told[i].status, SHIPOPT_ECANCELED);
	assert_int_equal(reads(), 1);
	finish();
}

static void never_told(void *userdata, int outcome, shipopt_value *value, shipopt_load *load,
	const shipopt_error *error)
{
	fail();
}

static void a_load_of_the_hosts_own_is_waited_for_and_can_outlive_the_client(void **state)
{
	char key[ANSWER_KEY_SIZE];
	shipopt_value *value = NULL;
	shipopt_load *load = NULL;
	begin(0, NULL);
	make_shipment(true);
	struct answer_question question = {.identity = process.carrier->identity, .path = "/shipments/shp_0"};
	size_t length = answer_key(&question, key);
	for (int closes = 0; closes < 2; closes++) {
		assert_int_equal(shipopt_cache_get_or_begin(cache, key, length, NULL, never_told, NULL, &value, &load),
			SHIPOPT_CACHE_LEAD);
		start_reads(0, 3, "shp_0");
		sim_turn(&process, 1000);
		if (closes)
			assert_int_equal(shipopt_runtime_close(process.runtime, 10), SHIPOPT_ETIMEDOUT);
		else
			shipopt_load_abandon(load);
		end_reads(0, 3);
		assert_int_equal(told[2].status, closes ? SHIPOPT_ECANCELED : 0);
		assert_int_equal(shipopt_cache_clear(cache), 0);
	}
	sim_close(&process);
	shipopt_load_abandon(load); /* those who left are asked to lead, one after the other, and pass it on */
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_kept_answer_comes_without_a_request_and_dies_in_time),
		cmocka_unit_test(of_a_hundred_that_ask_at_once_one_sends),
		cmocka_unit_test(a_shipment_without_postage_is_told_to_all_who_wait_and_not_kept),
		cmocka_unit_test(when_the_one_who_leads_is_canceled_another_leads),
		cmocka_unit_test(each_keeps_its_own_time_limit),
		cmocka_unit_test(a_failure_is_told_to_all_who_wait_and_not_kept),
		cmocka_unit_test(that_there_is_no_such_object_is_kept_for_a_short_time),
		cmocka_unit_test(a_write_makes_what_it_touches_dead_and_nothing_else),
		cmocka_unit_test(what_was_not_there_is_looked_for_again_once_something_was_made),
		cmocka_unit_test(a_path_that_may_mean_another_object_is_not_kept),
		cmocka_unit_test(an_answer_is_known_by_its_own_id_as_well),
		cmocka_unit_test(an_answer_about_another_object_is_neither_handed_out_nor_kept),
		cmocka_unit_test(what_is_read_while_a_write_goes_on_is_not_kept),
		cmocka_unit_test(accounts_and_servers_never_share),
		cmocka_unit_test(a_call_can_refresh_the_answer_or_leave_the_cache_alone),
		cmocka_unit_test(a_stale_answer_is_handed_out_while_one_call_refreshes_it),
		cmocka_unit_test(what_cannot_be_read_is_as_if_it_were_not_there),
		cmocka_unit_test(a_purchase_is_never_decided_by_a_kept_answer),
		cmocka_unit_test(the_runtime_can_close_with_calls_that_wait),
		cmocka_unit_test(a_load_of_the_hosts_own_is_waited_for_and_can_outlive_the_client),
	};
	return cmocka_run_group_tests_name("cached reads", tests, NULL, NULL);
}
