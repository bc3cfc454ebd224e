/* SPDX-License-Identifier: MIT */
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "http/http.h"
#include "sandbox_process.h"

/*
 * The HTTP engine against the sandbox carrier with a latency of 333 ms: requests a second and CPU time of the
 * client's thread for each, with 16 to 1,000 requests always in flight; and beside it, in the same run, the same
 * with a bare curl_multi_poll loop, the usual way to use libcurl. Both POST a small address over kept-alive
 * connections, opened before the time counts, and read the whole answer. "once" is with `send_once`, as purchases are
 * sent: head and body then leave in two steps. The rate is bounded by in flight / latency.
 */
#define ROUNDS 6 /* measured requests for each one in flight */
#define AUTHORIZATION "Bearer EZTKbenchmark"
#define FLIGHT_MAX 1000

static const char body[] =
	"{\"address\":{\"name\":\"PUBLIC LIBRARY\",\"street1\":\"476 5TH AVE\",\"city\":\"NEW YORK\","
	"\"state\":\"NY\",\"zip\":\"10018\",\"country\":\"US\",\"phone\":\"2125550100\"}}";

static int64_t clock_us(clockid_t id)
{
	struct timespec now;
	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t wall_us, cpu_us;

static void measure_begin(void)
{
	wall_us = -clock_us(CLOCK_MONOTONIC);
	cpu_us = -clock_us(CLOCK_THREAD_CPUTIME_ID);
}

static void measure_end(const char *name, size_t flight, size_t count, size_t failed)
{
	wall_us += clock_us(CLOCK_MONOTONIC);
	cpu_us += clock_us(CLOCK_THREAD_CPUTIME_ID);
	printf("http %-15s in flight %4zu: %7.0f requests/s, %6.1f us CPU each, %zu failed\n", name, flight,
		(double)count * 1e6 / (double)wall_us, (double)cpu_us / (double)count, failed);
	fflush(stdout);
}

/* --- the engine --- */

static struct reactor *reactor;
static struct http_engine *engine;
static struct http_request requests[FLIGHT_MAX];
static size_t to_send, in_flight, failures;

static void send_one(struct http_request *request)
{
	to_send--;
	if (http_send(engine, request) < 0)
		abort();
	in_flight++;
}

static void on_done(struct http_request *request)
{
	in_flight--;
	failures += request->status != 0 || request->http_status / 100 != 2;
	http_request_clear(request);
	if (to_send > 0)
		send_one(request);
	else if (in_flight == 0)
		reactor_wake(reactor); /* or the rest of this turn would wait for more */
}

static void run_engine(size_t flight, size_t count)
{
	to_send = count;
	for (size_t i = 0; i < flight && to_send > 0; i++)
		send_one(&requests[i]);
	while (in_flight > 0)
		reactor_turn(reactor, -1);
}

static void bench_engine(const char *url, size_t flight, bool send_once)
{
	struct http_options options = {.connections_max = FLIGHT_MAX};
	shipopt_error *error = NULL;
	if (http_engine_new(reactor, &options, &engine, &error) < 0) {
		fprintf(stderr, "%s\n", shipopt_error_message(error));
		exit(1);
	}
	for (size_t i = 0; i < flight; i++)
		requests[i] = (struct http_request){.method = "POST",
			.url = url,
			.authorization = AUTHORIZATION,
			.body = body,
			.body_length = sizeof(body) - 1,
			.send_once = send_once,
			.done = on_done};
	run_engine(flight, flight);
	failures = 0;
	measure_begin();
	run_engine(flight, flight * ROUNDS);
	measure_end(send_once ? "engine, once" : "engine", flight, flight * ROUNDS, failures);
	struct http_statistics statistics;
	http_engine_statistics(engine, &statistics);
	printf("http %-15s in flight %4zu: %llu connections opened, %llu found unclean\n", "", flight,
		(unsigned long long)statistics.connections_opened, (unsigned long long)statistics.connections_unclean);
	http_engine_free(engine);
}

/* --- a bare loop --- */

static size_t on_write(char *bytes, size_t size, size_t count, void *userdata)
{
	return size * count;
}

/* `flight` at once until `count` are answered; all handles are out of the multi afterwards. */
static void run_bare(CURLM *multi, CURL **handles, size_t flight, size_t count)
{
	size_t started = 0, answered = 0;
	while (started < flight)
		curl_multi_add_handle(multi, handles[started++]);
	while (answered < count) {
		int running, left;
		CURLMsg *message;
		curl_multi_perform(multi, &running);
		while ((message = curl_multi_info_read(multi, &left))) {
			long status = 0;
			CURL *easy = message->easy_handle;
			curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
			failures += message->data.result != CURLE_OK || status / 100 != 2;
			answered++;
			curl_multi_remove_handle(multi, easy);
			if (started < count) {
				curl_multi_add_handle(multi, easy);
				started++;
			}
		}
		if (answered < count)
			curl_multi_poll(multi, NULL, 0, 1000, NULL);
	}
}

static void bench_bare(const char *url, size_t flight)
{
	static CURL *handles[FLIGHT_MAX];
	CURLM *multi = curl_multi_init();
	struct curl_slist *headers = curl_slist_append(NULL, "Authorization: " AUTHORIZATION);
	headers = curl_slist_append(headers, "Content-Type: application/json");
	curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)FLIGHT_MAX);
	for (size_t i = 0; i < flight; i++) {
		handles[i] = curl_easy_init();
		curl_easy_setopt(handles[i], CURLOPT_URL, url);
		curl_easy_setopt(handles[i], CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(handles[i], CURLOPT_POSTFIELDS, body);
		curl_easy_setopt(handles[i], CURLOPT_WRITEFUNCTION, on_write);
		curl_easy_setopt(handles[i], CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(handles[i], CURLOPT_PROXY, "");
	}
	run_bare(multi, handles, flight, flight);
	failures = 0;
	measure_begin();
	run_bare(multi, handles, flight, flight * ROUNDS);
	measure_end("curl_multi_poll", flight, flight * ROUNDS, failures);
	for (size_t i = 0; i < flight; i++)
		curl_easy_cleanup(handles[i]);
	curl_multi_cleanup(multi);
	curl_slist_free_all(headers);
}

int main(void)
{
	static const size_t flights[] = {16, 64, 256, 1000};
	static const char *const latency[] = {"--latency-ms", "333", NULL};
	struct sandbox sandbox;
	char url[160];
	if (!getenv("SHIPOPT_SANDBOX") || sandbox_start(&sandbox, latency) < 0 || reactor_new(NULL, &reactor) < 0) {
		fprintf(stderr, "SHIPOPT_SANDBOX must name the sandbox program\n");
		return 1;
	}
	snprintf(url, sizeof(url), "%s/v2/addresses", sandbox.url);
	for (size_t i = 0; i < ARRAY_SIZE(flights); i++) {
		bench_engine(url, flights[i], false);
		bench_engine(url, flights[i], true);
		bench_bare(url, flights[i]);
	}
	reactor_free(reactor);
	return sandbox_stop(&sandbox) == 0 ? 0 : 1;
}
