/* SPDX-License-Identifier: MIT */
#include "cmocka_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../sim/sim.h"
#include "base/clock.h"
#include "base/memory.h"
#include "carrier/exchange.h"
#include "json/json.h"
#include "runtime/runtime_private.h"

/* One call from the wish to the answer, in virtual time over the world of sim/world.h. */

struct attempt {
	struct exchange exchange;
	int done;
	int64_t done_us;
};

static struct sim_process process;
static struct world_step script[16];

static void on_done(struct exchange *exchange)
{
	struct attempt *attempt = CONTAINER_OF(exchange, struct attempt, exchange);
	attempt->done++;
	attempt->done_us = clock_now_us();
}

static void begin(size_t steps, const char *settings)
{
	sim_begin(1);
	sim_world.script = script;
	sim_world.script_count = steps;
	sim_open(&process, settings);
}

static void finish(void)
{
	sim_close(&process);
	sim_end();
	json_stock_clear();
	assert_int_equal(mem_live_count(), 0);
}

static void fill_script(size_t from, size_t count, enum world_call call, enum world_fault fault, int64_t ms)
{
	for (size_t i = from; i < from + count; i++)
		script[i] = (struct world_step){call, fault, ms};
}

/* A shipment to buy and to read: shp_0, made without the script. */
static void make_shipment(void)
{
	struct world_visit visit;
	uint64_t used = sim_world.script_used;
	sim_world.script_used = ~UINT64_C(0);
	world_arrive(&sim_world, "POST", "/shipments", "{\"shipment\":{\"reference\":\"r\"}}", &visit);
	sim_world.script_used = used;
}

static void prepare(struct attempt *attempt, enum world_call call)
{
	const struct provider *provider = process.carrier->provider;
	memset(attempt, 0, sizeof(*attempt));
	exchange_init(&attempt->exchange);
	attempt->exchange.done = on_done;
	int r = call == WORLD_BUY
		? provider->buy_shipment(&attempt->exchange.call, "shp_0", "rate_0_1_0_4500000_USD", -1)
		: provider->retrieve_shipment(&attempt->exchange.call, "shp_0");
	assert_int_equal(r, 0);
}

static void turn_until_done(struct attempt *attempt)
{
	for (int i = 0; i < 100000 && !attempt->done; i++)
		sim_turn(&process, -1);
	assert_int_equal(attempt->done, 1);
}

static int run(struct attempt *attempt, enum world_call call)
{
	prepare(attempt, call);
	assert_int_equal(exchange_start(process.carrier, &attempt->exchange), 0);
	assert_int_equal(attempt->done, 0);
	turn_until_done(attempt);
	return attempt->exchange.status;
}

static void what_reads_is_repeated_and_what_buys_only_when_nothing_was_done(void **state)
{
	static const struct {
		enum world_fault fault;
		int read_attempts, buy_attempts, buy;
	} cases[] = {
		{FAULT_NONE, 1, 1, 0},
		{FAULT_REFUSED_CONNECTION, 2, 2, 0},
		{FAULT_LOST_BEFORE, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_HANG, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_TRUNCATED, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_GARBAGE, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_EMPTY, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_500, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_503, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_408, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_409, 2, 1, SHIPOPT_EINDOUBT},
		{FAULT_429, 2, 2, 0},
		{FAULT_401, 1, 1, SHIPOPT_EAUTH},
		{FAULT_402, 1, 1, SHIPOPT_EPAYMENT},
		{FAULT_404, 1, 1, SHIPOPT_ENOTFOUND},
		{FAULT_BARE_404, 1, 1, SHIPOPT_EINDOUBT}, /* a proxy's word is not the API's */
		{FAULT_REFUSED, 1, 1, SHIPOPT_EREFUSED},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attempt attempt;
		script[0] = (struct world_step){WORLD_READ, cases[i].fault, 0};
		script[1] = (struct world_step){WORLD_BUY, cases[i].fault, 0};
		begin(2, NULL);
		make_shipment();
		run(&attempt, WORLD_READ);
		if ((int)attempt.exchange.attempts != cases[i].read_attempts)
			fail_msg("%s: read %u times", world_fault_name(cases[i].fault), attempt.exchange.attempts);
		assert_int_equal(attempt.exchange.status == 0, attempt.exchange.record != NULL);
		exchange_clear(&attempt.exchange);
		int status = run(&attempt, WORLD_BUY);
		if (status != cases[i].buy || (int)attempt.exchange.attempts != cases[i].buy_attempts)
			fail_msg("%s: bought %u times, %s", world_fault_name(cases[i].fault), attempt.exchange.attempts,
				shipopt_error_name(status));
		assert_int_equal(status == 0, attempt.exchange.error == NULL);
		if (status == SHIPOPT_EINDOUBT)
			assert_true(attempt.exchange.maybe_sent);
		exchange_clear(&attempt.exchange);
		finish();
	}
}

static void attempts_are_bounded_and_the_patient_get_more(void **state)
{
	struct attempt attempt;
	fill_script(0, 16, WORLD_READ, FAULT_500, 0);
	begin(16, "carrier.attempts_max=2 carrier.breaker_window=10000");
	make_shipment();
	assert_int_equal(run(&attempt, WORLD_READ), SHIPOPT_ESERVER);
	assert_int_equal(attempt.exchange.attempts, 2);
	exchange_clear(&attempt.exchange);
	prepare(&attempt, WORLD_READ);
	attempt.exchange.patient = true;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, 0); /* the script was over first */
	assert_int_equal(attempt.exchange.attempts, 15);
	exchange_clear(&attempt.exchange);
	finish();
	/* A server that is not there at all is reported soon, also to the patient. */
	fill_script(0, 16, WORLD_READ, FAULT_REFUSED_CONNECTION, 0);
	begin(16, "carrier.attempts_max=2");
	make_shipment();
	prepare(&attempt, WORLD_READ);
	attempt.exchange.patient = true;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, SHIPOPT_ECONNECT);
	assert_int_equal(attempt.exchange.attempts, 2);
	assert_false(attempt.exchange.maybe_sent);
	exchange_clear(&attempt.exchange);
	finish();
}

static void without_a_retry_token_a_call_fails_and_a_patient_one_waits(void **state)
{
	for (int patient = 0; patient < 2; patient++) {
		struct attempt attempt;
		fill_script(0, 1, WORLD_READ, FAULT_500, 0);
		begin(1, "carrier.retry_budget=0");
		make_shipment();
		prepare(&attempt, WORLD_READ);
		attempt.exchange.patient = patient;
		assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
		turn_until_done(&attempt);
		assert_int_equal(attempt.exchange.status, patient ? 0 : SHIPOPT_ESERVER);
		exchange_clear(&attempt.exchange);
		finish();
	}
}

static void a_call_ends_at_its_deadline_in_every_state(void **state)
{
	static const struct {
		enum world_fault fault;
		int64_t ms;
	} cases[] = {{FAULT_HANG, 0}, {FAULT_429, 3600000}, {FAULT_500, 0}, {FAULT_503, 3600000}};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (int64_t ms = 1; ms < 30000; ms = ms * 3 / 2 + 1) {
			struct attempt attempt;
			fill_script(0, 16, WORLD_READ, cases[i].fault, cases[i].ms);
			begin(16, "carrier.breaker_window=10000");
			make_shipment();
			int64_t deadline_us = clock_now_us() + ms * 1000;
			prepare(&attempt, WORLD_READ);
			attempt.exchange.patient = true;
			attempt.exchange.deadline_us = deadline_us;
			assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
			turn_until_done(&attempt);
			if (attempt.exchange.status == 0 || attempt.done_us > deadline_us + 2000)
				fail_msg("%s, deadline %lld ms: %s, %lld us late", world_fault_name(cases[i].fault),
					(long long)ms, shipopt_error_name(attempt.exchange.status),
					(long long)(attempt.done_us - deadline_us));
			exchange_clear(&attempt.exchange);
			finish();
		}
	}
}

static void a_purchase_is_not_sent_after_its_deadline(void **state)
{
	struct attempt attempt;
	begin(0, NULL);
	make_shipment();
	prepare(&attempt, WORLD_BUY);
	attempt.exchange.deadline_us = clock_now_us() + 1000;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	clock_advance_us(1000);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, SHIPOPT_ETIMEDOUT);
	assert_false(attempt.exchange.maybe_sent);
	assert_int_equal(sim_world.calls[WORLD_BUY], 0);
	exchange_clear(&attempt.exchange);
	finish();
}

static void a_purchase_on_the_wire_is_waited_for_beyond_its_deadline(void **state)
{
	struct attempt attempt;
	begin(0, NULL);
	make_shipment();
	prepare(&attempt, WORLD_BUY);
	attempt.exchange.deadline_us = clock_now_us() + 1000;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, 0);
	exchange_clear(&attempt.exchange);
	finish();
}

static void canceling_tells_what_may_have_been_done(void **state)
{
	for (int turns = 0; turns < 6; turns++) {
		for (int call = WORLD_BUY; call <= WORLD_READ; call++) {
			struct attempt attempt;
			begin(0, NULL);
			make_shipment();
			prepare(&attempt, (enum world_call)call);
			assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
			for (int i = 0; i < turns; i++)
				sim_turn(&process, 0);
			bool sent = sim_world.calls[call] > 0;
			exchange_cancel(&attempt.exchange);
			exchange_cancel(&attempt.exchange);
			assert_int_equal(attempt.done, 0);
			turn_until_done(&attempt);
			assert_int_equal(attempt.exchange.status,
				sent && call == WORLD_BUY ? SHIPOPT_EINDOUBT : SHIPOPT_ECANCELED);
			assert_int_equal(attempt.exchange.maybe_sent, sent);
			exchange_cancel(&attempt.exchange);
			exchange_clear(&attempt.exchange);
			finish();
		}
	}
}

static void a_full_queue_refuses_calls_and_lets_the_patient_wait(void **state)
{
	struct attempt tries[4];
	begin(0, "carrier.queue_max=1 carrier.concurrency_max=1");
	make_shipment();
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		prepare(&tries[i], WORLD_READ);
		tries[i].exchange.patient = i == 2;
		if (i == 3)
			assert_int_equal(exchange_start(process.carrier, &tries[i].exchange), SHIPOPT_EAGAIN);
		else
			assert_int_equal(exchange_start(process.carrier, &tries[i].exchange), 0);
		sim_turn(&process, 0); /* the first is on the wire, the second waits */
		sim_turn(&process, 0);
	}
	turn_until_done(&tries[0]);
	turn_until_done(&tries[1]);
	turn_until_done(&tries[2]);
	assert_int_equal(tries[3].done, 0);
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		assert_int_equal(tries[i].exchange.status, 0);
		exchange_clear(&tries[i].exchange);
	}
	finish();
}

static void an_answer_says_whose_fault_it_is_and_whether_the_api_wrote_it(void **state)
{
	static const struct {
		enum world_fault fault;
		enum blame blame;
		bool is_envelope;
		int http_status, answers; /* that count as the API's */
	} cases[] = {
		{FAULT_NONE, BLAME_NONE, false, 200, 1},
		{FAULT_REFUSED, BLAME_ORDER, true, 422, 1},
		{FAULT_404, BLAME_ORDER, true, 404, 1},
		{FAULT_BARE_404, BLAME_CONFIGURATION, false, 404, 0},
		{FAULT_401, BLAME_ACCOUNT, true, 401, 1},
		{FAULT_402, BLAME_ACCOUNT, true, 402, 1},
		{FAULT_GARBAGE, BLAME_CONFIGURATION, false, 200, 0},
		{FAULT_EMPTY, BLAME_CARRIER, false, 200, 0},
		{FAULT_500, BLAME_CARRIER, true, 500, 1},
		{FAULT_503, BLAME_CARRIER, false, 503, 0},
		{FAULT_409, BLAME_PASSING, true, 409, 1},
		{FAULT_429, BLAME_PASSING, true, 429, 1},
		{FAULT_LOST_BEFORE, BLAME_CARRIER, false, 0, 0},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attempt attempt;
		fill_script(0, 1, WORLD_READ, cases[i].fault, -1);
		begin(1, "carrier.attempts_max=1");
		make_shipment();
		run(&attempt, WORLD_READ);
		if (attempt.exchange.blame != cases[i].blame || attempt.exchange.is_envelope != cases[i].is_envelope ||
			attempt.exchange.http_status != cases[i].http_status ||
			(int)process.carrier->answers != cases[i].answers)
			fail_msg("%s: blame %d, envelope %d, HTTP %d, %d answers", world_fault_name(cases[i].fault),
				(int)attempt.exchange.blame, attempt.exchange.is_envelope, attempt.exchange.http_status,
				(int)process.carrier->answers);
		exchange_clear(&attempt.exchange);
		finish();
	}
}

static void what_is_not_the_api_is_reported_soon_also_to_the_patient(void **state)
{
	struct attempt attempt;
	fill_script(0, 16, WORLD_READ, FAULT_GARBAGE, 0);
	begin(16, "carrier.attempts_max=3");
	make_shipment();
	prepare(&attempt, WORLD_READ);
	attempt.exchange.patient = true;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, SHIPOPT_EPROTOCOL);
	assert_int_equal(attempt.exchange.attempts, 3);
	assert_non_null(strstr(shipopt_error_message(attempt.exchange.error),
		"not JSON, it begins \"<html>maintenance</html>\""));
	assert_non_null(strstr(shipopt_error_message(attempt.exchange.error), "is the base URL right?"));
	exchange_clear(&attempt.exchange);
	finish();
}

static void assert_error_says(const struct attempt *attempt, const char *part)
{
	const char *message = shipopt_error_message(attempt->exchange.error);
	if (!message || !strstr(message, part))
		fail_msg("\"%s\" is not in \"%s\"", part, message ? message : "");
}

static void a_pause_that_outlasts_a_call_ends_it_at_once(void **state)
{
	static const struct {
		enum world_fault fault;
		int status;
		const char *words;
	} cases[] = {
		{FAULT_429, SHIPOPT_ERATELIMIT,
			"GET /shipments/shp_0: HTTP 429 RATE_LIMITED: as the script says; the carrier asks to wait"},
		{FAULT_503, SHIPOPT_EUNAVAILABLE, "GET /shipments/shp_0: HTTP 503: the answer is not JSON, it begins"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attempt first, waiting, later, other, patient;
		fill_script(0, 1, WORLD_READ, cases[i].fault, 3600000);
		begin(1, "carrier.concurrency_max=1 carrier.queue_timeout_ms=0");
		make_shipment();
		int64_t now_us = clock_now_us();
		prepare(&first, WORLD_READ);
		first.exchange.deadline_us = now_us + 60 * 1000000;
		prepare(&waiting, WORLD_READ);
		waiting.exchange.deadline_us = now_us + 60 * 1000000;
		prepare(&patient, WORLD_READ);
		patient.exchange.deadline_us = now_us + 60 * 1000000;
		patient.exchange.patience_us = now_us + INT64_C(2) * 3600 * 1000000;
		assert_int_equal(exchange_start(process.carrier, &first.exchange), 0);
		assert_int_equal(exchange_start(process.carrier, &waiting.exchange), 0);
		assert_int_equal(exchange_start(process.carrier, &patient.exchange), 0);
		turn_until_done(&first);
		turn_until_done(&waiting);
		prepare(&later, WORLD_READ);
		later.exchange.deadline_us = now_us + 60 * 1000000;
		assert_int_equal(exchange_start(process.carrier, &later.exchange), 0);
		assert_int_equal(later.done, 0);
		turn_until_done(&later);
		struct attempt *tries[] = {&first, &waiting, &later};
		for (size_t j = 0; j < ARRAY_SIZE(tries); j++) {
			assert_int_equal(tries[j]->exchange.status, cases[i].status);
			assert_true(tries[j]->done_us < now_us + 1000000);
			assert_error_says(tries[j], cases[i].words);
			assert_error_says(tries[j], "UTC (3600 s)");
			assert_error_says(tries[j], "; that is longer than the 60 s that this call has left");
			assert_int_equal(shipopt_error_retry_after_ms(tries[j]->exchange.error), 3600000);
			assert_int_equal(strstr(shipopt_error_message(tries[j]->exchange.error), "nothing was sent") ==
					NULL,
				j == 0);
			assert_int_equal(tries[j]->exchange.attempts, j == 0);
			assert_int_equal(shipopt_error_http_status(tries[j]->exchange.error),
				j == 0 ? first.exchange.http_status : 0);
			exchange_clear(&tries[j]->exchange);
		}
		assert_int_equal(patient.done, 0);
		/* Other endpoint classes go on. */
		run(&other, WORLD_BUY);
		assert_int_equal(other.exchange.status, 0);
		exchange_clear(&other.exchange);
		/* Its deadline is one of sending; the pause does not outlast its patience. */
		turn_until_done(&patient);
		assert_int_equal(patient.exchange.status, SHIPOPT_ETIMEDOUT);
		assert_error_says(&patient,
			"GET /shipments/shp_0: nothing was sent; another call failed: GET /shipments/shp_0: HTTP ");
		assert_error_says(&patient, "it was not sent within 60 s: the carrier asked for a pause");
		exchange_clear(&patient.exchange);
		finish();
	}
}

static void a_pause_that_outlasts_the_queue_timeout_ends_a_call_without_a_deadline(void **state)
{
	for (int outlasts = 0; outlasts < 2; outlasts++) {
		struct attempt attempt;
		fill_script(0, 1, WORLD_READ, FAULT_429, outlasts ? 601000 : 599000);
		begin(1, "carrier.queue_timeout_ms=600000");
		make_shipment();
		int64_t now_us = clock_now_us();
		assert_int_equal(run(&attempt, WORLD_READ), outlasts ? SHIPOPT_ERATELIMIT : 0);
		assert_int_equal(attempt.done_us - now_us > 590 * 1000000, !outlasts);
		exchange_clear(&attempt.exchange);
		finish();
	}
}

static void a_pause_of_days_counts_whole_where_the_lane_pauses_for_one(void **state)
{
	const int64_t hour_us = INT64_C(3600000000);
	fill_script(0, 1, WORLD_READ, FAULT_429, 48 * hour_us / 1000);
	begin(1, "carrier.queue_timeout_ms=0");
	make_shipment();
	for (int i = 0; i < 3; i++) {
		struct attempt attempt;
		int64_t begun_us = clock_now_us();
		prepare(&attempt, WORLD_READ);
		attempt.exchange.deadline_us = begun_us + (i < 2 ? 36 : 72) * hour_us;
		assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
		turn_until_done(&attempt);
		assert_int_equal(attempt.exchange.status, i < 2 ? SHIPOPT_ERATELIMIT : 0);
		assert_int_equal(attempt.done_us - begun_us > hour_us, i == 2);
		exchange_clear(&attempt.exchange);
	}
	/* The lane is open again, and what was asked for then is forgotten. */
	struct attempt attempt;
	assert_int_equal(run(&attempt, WORLD_READ), 0);
	exchange_clear(&attempt.exchange);
	finish();
}

static void a_call_that_runs_out_of_time_tells_its_last_answer(void **state)
{
	struct attempt attempt;
	fill_script(0, 2, WORLD_READ, FAULT_503, 5000);
	begin(2, NULL);
	make_shipment();
	prepare(&attempt, WORLD_READ);
	attempt.exchange.patient = true;
	attempt.exchange.deadline_us = clock_now_us() + 7000000;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.attempts, 2);
	assert_int_equal(attempt.exchange.status, SHIPOPT_EUNAVAILABLE);
	assert_int_equal(attempt.exchange.http_status, 503);
	assert_error_says(&attempt, "GET /shipments/shp_0: HTTP 503");
	assert_null(strstr(shipopt_error_message(attempt.exchange.error), "nothing was sent"));
	exchange_clear(&attempt.exchange);
	finish();
	/* So does one that is canceled while it waits. */
	fill_script(0, 1, WORLD_READ, FAULT_503, 5000);
	begin(1, NULL);
	make_shipment();
	prepare(&attempt, WORLD_READ);
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	while (attempt.exchange.state != EXCHANGE_WAITING || attempt.exchange.attempts == 0)
		sim_turn(&process, -1);
	exchange_cancel(&attempt.exchange);
	turn_until_done(&attempt);
	assert_int_equal(attempt.exchange.status, SHIPOPT_ECANCELED);
	assert_error_says(&attempt, "HTTP 503");
	assert_error_says(&attempt, "; it was canceled");
	assert_null(strstr(shipopt_error_message(attempt.exchange.error), "nothing was sent"));
	exchange_clear(&attempt.exchange);
	finish();
}

static void a_success_leaves_no_error_of_the_tries_before(void **state)
{
	struct attempt attempt;
	fill_script(0, 2, WORLD_READ, FAULT_409, 0);
	begin(2, NULL);
	make_shipment();
	assert_int_equal(run(&attempt, WORLD_READ), 0);
	assert_int_equal(attempt.exchange.attempts, 3);
	assert_null(attempt.exchange.error);
	assert_int_equal(attempt.exchange.http_status, 200);
	exchange_clear(&attempt.exchange);
	finish();
}

static void a_group_counts_at_once_and_keeps_the_last_problem(void **state)
{
	struct attempt attempt;
	struct call_group group;
	int64_t problem_ms = -1;
	fill_script(0, 1, WORLD_READ, FAULT_REFUSED_CONNECTION, 0);
	fill_script(1, 1, WORLD_READ, FAULT_500, 0);
	fill_script(2, 1, WORLD_READ, FAULT_REFUSED, 0);
	begin(3, NULL);
	make_shipment();
	call_group_init(&group, 1);
	prepare(&attempt, WORLD_READ);
	attempt.exchange.group = &group;
	assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
	assert_null(call_group_problem(&group, &problem_ms));
	assert_int_equal(problem_ms, -1);
	while (group.retries == 0)
		sim_turn(&process, -1);
	/* The call goes on, and the first attempt can be seen. */
	assert_int_equal(attempt.done, 0);
	assert_int_equal(group.requests, 1);
	assert_int_equal(group.answers, 0);
	assert_false(carrier_was_reached(process.carrier));
	shipopt_error *problem = call_group_problem(&group, &problem_ms);
	assert_int_equal(shipopt_error_code(problem), SHIPOPT_ECONNECT);
	assert_true(problem_ms > 0);
	shipopt_error_unref(problem);
	turn_until_done(&attempt);
	assert_int_equal(group.requests, 3);
	assert_int_equal(group.retries, 2);
	assert_int_equal(group.answers, 2);
	assert_true(carrier_was_reached(process.carrier));
	/* A refusal is the order's affair; the problem before it stays. */
	assert_int_equal(attempt.exchange.status, SHIPOPT_EREFUSED);
	problem = call_group_problem(&group, NULL);
	assert_int_equal(shipopt_error_http_status(problem), 500);
	shipopt_error_unref(problem);
	int64_t answers = 0;
	assert_int_equal(shipopt_carrier_stat(process.carrier, SHIPOPT_CARRIER_STAT_ANSWERS, &answers), 0);
	assert_int_equal(answers, 2);
	assert_int_equal(process.carrier->single_calls.requests, 0);
	exchange_clear(&attempt.exchange);
	call_group_done(&group);
	finish();
}

/* ---- the log ------------------------------------------------------------------------------------------------ */

static struct {
	int count;
	int levels[256];
	char lines[256][1024];
} log_book;

static void on_log(void *userdata, int level, const char *line)
{
	assert_true(log_book.count < 256);
	log_book.levels[log_book.count] = level;
	snprintf(log_book.lines[log_book.count++], sizeof(log_book.lines[0]), "%s", line);
}

static int count_lines(int level, const char *part)
{
	int count = 0;
	for (int i = 0; i < log_book.count; i++)
		count += log_book.levels[i] == level && strstr(log_book.lines[i], part) != NULL;
	return count;
}

static void begin_logged(size_t steps, const char *settings)
{
	begin(steps, settings);
	make_shipment();
	log_book.count = 0;
	runtime_set_log(process.runtime, SHIPOPT_LOG_DEBUG, on_log, NULL);
}

static void failures_are_logged_at_once_and_once_a_second(void **state)
{
	static const struct {
		enum world_fault fault;
		int level;
		const char *line;
	} cases[] = {
		{FAULT_REFUSED_CONNECTION, SHIPOPT_LOG_WARNING, "carrier: no connection: "},
		{FAULT_HANG, SHIPOPT_LOG_WARNING, "carrier: answer lost: "},
		{FAULT_LOST_AFTER, SHIPOPT_LOG_WARNING, "carrier: answer lost: "},
		{FAULT_429, SHIPOPT_LOG_WARNING,
			"carrier: too many requests: GET /shipments/shp_0: HTTP 429 RATE_LIMITED"},
		{FAULT_500, SHIPOPT_LOG_WARNING, "carrier: the server failed: GET /shipments/shp_0: HTTP 500"},
		{FAULT_GARBAGE, SHIPOPT_LOG_WARNING,
			"carrier: not an answer of the API: GET /shipments/shp_0: HTTP 200"},
		{FAULT_REFUSED, SHIPOPT_LOG_DEBUG, "carrier: GET /shipments/shp_0: HTTP 422 in "},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct attempt tries[2];
		fill_script(0, 2, WORLD_READ, cases[i].fault, 10);
		begin_logged(2, "carrier.attempts_max=1 carrier.timeout_ms=300");
		for (size_t j = 0; j < 2; j++) {
			prepare(&tries[j], WORLD_READ);
			assert_int_equal(exchange_start(process.carrier, &tries[j].exchange), 0);
		}
		for (size_t j = 0; j < 2; j++) {
			turn_until_done(&tries[j]);
			exchange_clear(&tries[j].exchange);
		}
		int expected = cases[i].level == SHIPOPT_LOG_DEBUG ? 2 : 1;
		if (count_lines(cases[i].level, cases[i].line) != expected)
			fail_msg("%s: %d lines \"%s\", first of all \"%s\"", world_fault_name(cases[i].fault),
				count_lines(cases[i].level, cases[i].line), cases[i].line, log_book.lines[0]);
		assert_int_equal(count_lines(SHIPOPT_LOG_DEBUG, "carrier: GET /shipments/shp_0: "), 2);
		finish();
	}
}

static void a_line_says_how_many_like_it_were_left_out(void **state)
{
	struct attempt tries[4];
	fill_script(0, 4, WORLD_READ, FAULT_500, 0);
	begin_logged(4, "carrier.attempts_max=1");
	for (size_t i = 0; i < 4; i++) {
		if (i == 3)
			clock_advance_us(CARRIER_LOG_INTERVAL_US);
		run(&tries[i], WORLD_READ);
		exchange_clear(&tries[i].exchange);
	}
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "carrier: the server failed: "), 2);
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, " (2 lines of this kind left out)"), 1);
	finish();
}

static void each_change_of_the_breaker_is_logged(void **state)
{
	struct attempt tries[12];
	fill_script(0, 10, WORLD_READ, FAULT_REFUSED_CONNECTION, 0);
	begin_logged(10,
		"carrier.attempts_max=1 carrier.breaker_window=10 carrier.concurrency_max=1 "
		"carrier.breaker_open_ms=5000");
	for (size_t i = 0; i < 10; i++) {
		run(&tries[i], WORLD_READ);
		exchange_clear(&tries[i].exchange);
	}
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "carrier: circuit breaker open: "), 1);
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "nothing is sent for 5000 ms"), 1);
	assert_int_equal(run(&tries[10], WORLD_READ), SHIPOPT_EUNAVAILABLE);
	assert_error_says(&tries[10], "; another call failed: the world failed it; ");
	exchange_clear(&tries[10].exchange);
	clock_advance_us(5000000);
	for (size_t i = 0; i < 3; i++) { /* the probes */
		assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "circuit breaker closed"), 0);
		assert_int_equal(run(&tries[11], WORLD_READ), 0);
		exchange_clear(&tries[11].exchange);
		assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "carrier: circuit breaker half open: "), 1);
	}
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING, "carrier: circuit breaker closed: "), 1);
	finish();
}

static void a_retry_is_logged_as_a_warning_if_it_waits_long(void **state)
{
	struct attempt attempt;
	fill_script(0, 1, WORLD_READ, FAULT_500, 0);
	fill_script(1, 1, WORLD_READ, FAULT_503, 30000);
	begin_logged(2, NULL);
	assert_int_equal(run(&attempt, WORLD_READ), 0);
	exchange_clear(&attempt.exchange);
	assert_int_equal(count_lines(SHIPOPT_LOG_INFO, "carrier: GET /shipments/shp_0: retry in "), 1);
	assert_int_equal(count_lines(SHIPOPT_LOG_WARNING,
				 "carrier: GET /shipments/shp_0: retry in 30000 ms, after attempt 2"),
		1);
	finish();
}

static void an_unsent_call_says_what_held_it_back(void **state)
{
	struct attempt tries[11];
	fill_script(0, 10, WORLD_READ, FAULT_REFUSED_CONNECTION, 0);
	begin(10, "carrier.attempts_max=1 carrier.breaker_window=10");
	make_shipment();
	for (size_t i = 0; i < 10; i++) {
		run(&tries[i], WORLD_READ);
		exchange_clear(&tries[i].exchange);
	}
	prepare(&tries[10], WORLD_READ);
	tries[10].exchange.patient = true;
	tries[10].exchange.deadline_us = clock_now_us() + 250000;
	assert_int_equal(exchange_start(process.carrier, &tries[10].exchange), 0);
	turn_until_done(&tries[10]);
	assert_int_equal(tries[10].exchange.status, SHIPOPT_ETIMEDOUT);
	assert_error_says(&tries[10], "; another call failed: the world failed it; ");
	assert_error_says(&tries[10],
		"; it was not sent within 250 ms: the circuit breaker is open, as the carrier keeps failing");
	exchange_clear(&tries[10].exchange);
	finish();
}

static void a_canceled_write_that_was_sent_is_in_doubt_where_the_owner_asks_for_it(void **state)
{
	for (int asks = 0; asks < 2; asks++) {
		for (int is_waiting = 0; is_waiting < 2; is_waiting++) {
			struct attempt attempt;
			fill_script(0, 1, WORLD_RERATE, is_waiting ? FAULT_500 : FAULT_HANG, 0);
			begin(1, "carrier.retry_base_ms=60000 carrier.retry_cap_ms=60000");
			make_shipment();
			prepare(&attempt, WORLD_READ);
			exchange_clear(&attempt.exchange);
			carrier_call_init(&attempt.exchange.call);
			assert_int_equal(process.carrier->provider->rerate_shipment(&attempt.exchange.call, "shp_0"),
				0);
			attempt.exchange.cancel_is_doubt = asks;
			assert_int_equal(exchange_start(process.carrier, &attempt.exchange), 0);
			while (sim_world.calls[WORLD_RERATE] == 0 ||
				(is_waiting && attempt.exchange.state != EXCHANGE_DELAYED))
				sim_turn(&process, -1);
			exchange_cancel(&attempt.exchange);
			turn_until_done(&attempt);
			assert_int_equal(attempt.exchange.status, asks ? SHIPOPT_EINDOUBT : SHIPOPT_ECANCELED);
			assert_int_equal(shipopt_error_code(attempt.exchange.error), attempt.exchange.status);
			exchange_clear(&attempt.exchange);
			finish();
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_answer_says_whose_fault_it_is_and_whether_the_api_wrote_it),
		cmocka_unit_test(what_is_not_the_api_is_reported_soon_also_to_the_patient),
		cmocka_unit_test(a_pause_that_outlasts_a_call_ends_it_at_once),
		cmocka_unit_test(a_pause_that_outlasts_the_queue_timeout_ends_a_call_without_a_deadline),
		cmocka_unit_test(a_pause_of_days_counts_whole_where_the_lane_pauses_for_one),
		cmocka_unit_test(a_call_that_runs_out_of_time_tells_its_last_answer),
		cmocka_unit_test(a_group_counts_at_once_and_keeps_the_last_problem),
		cmocka_unit_test(failures_are_logged_at_once_and_once_a_second),
		cmocka_unit_test(a_line_says_how_many_like_it_were_left_out),
		cmocka_unit_test(each_change_of_the_breaker_is_logged),
		cmocka_unit_test(a_retry_is_logged_as_a_warning_if_it_waits_long),
		cmocka_unit_test(an_unsent_call_says_what_held_it_back),
		cmocka_unit_test(a_canceled_write_that_was_sent_is_in_doubt_where_the_owner_asks_for_it),
		cmocka_unit_test(a_success_leaves_no_error_of_the_tries_before),
		cmocka_unit_test(what_reads_is_repeated_and_what_buys_only_when_nothing_was_done),
		cmocka_unit_test(attempts_are_bounded_and_the_patient_get_more),
		cmocka_unit_test(without_a_retry_token_a_call_fails_and_a_patient_one_waits),
		cmocka_unit_test(a_call_ends_at_its_deadline_in_every_state),
		cmocka_unit_test(a_purchase_is_not_sent_after_its_deadline),
		cmocka_unit_test(a_purchase_on_the_wire_is_waited_for_beyond_its_deadline),
		cmocka_unit_test(canceling_tells_what_may_have_been_done),
		cmocka_unit_test(a_full_queue_refuses_calls_and_lets_the_patient_wait),
	};
	cmocka_set_test_filter(getenv("FILTER"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
