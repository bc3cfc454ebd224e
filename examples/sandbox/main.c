/* SPDX-License-Identifier: MIT */

/*
 * shipopt-sandbox: an EasyPost-compatible carrier on this machine, with faults on request.
 *
 * It makes up addresses, rates, labels and trackers, keeps them in memory, and answers with the shapes and status codes
 * of the real service. No network, no account, no money: for the quick start, tests and benchmarks. Any key that begins
 * with "EZ" is good. It is also the judge of the tests: it shares nothing with the carrier client but the JSON reader
 * and counts every request, connection and label itself.
 *
 *	$ shipopt-sandbox --port 8080 --latency-ms 100-300 --lost-answer 0.05
 *	listening on http://127.0.0.1:8080
 *	$ curl -u EZTK1: http://127.0.0.1:8080/v2/trackers -d '{"tracker":{"tracking_code":"EZ4000000004"}}'
 *	$ curl http://127.0.0.1:8080/sandbox/counts
 *
 * Beside the API, never faulted, counted or asking for a key:
 *	GET  /sandbox/counts   requests by class, connections, labels, duplicates, money, creations that had a service, carrier or
 *	                       insurance; ?brief=1 without the maps
 *	GET  /sandbox/labels   every label ever charged, one JSON object a line
 *	POST /sandbox/faults   {"lost-answer": 0, "error-rate": {"500": 0.1}, "reset": true}: the settings of --help
 *	POST /sandbox/reset    forgets objects and counts; the faults stay
 *
 * What the real service does and this does not: batches, orders, pickups, insurance fees, webhooks, gzip. Where no
 * recording shows a status or code (a purchase that fails, an unknown rate, a limit passed) the answer is our choice.
 *
 * Ends on SIGTERM and SIGINT with status 0; 2 for bad options, 1 when it cannot listen.
 */
#include <pthread.h>
#include <shipopt/error.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "server.h"

#define FILE_MAX ((size_t)1 << 20)

static int usage(void)
{
	struct buffer faults;
	buffer_init(&faults, 65536);
	faults_describe(&faults);
	printf("usage: shipopt-sandbox [options]\n"
	       "An EasyPost-compatible carrier on this machine. Prints \"listening on URL\" when it is ready;\nthe base URL of the API is that with /v2 behind it, and any key that begins with EZ is good.\n\n"
	       "  --port N\n      0, the default: any free port of 127.0.0.1\n"
	       "  --tls CERTIFICATE KEY\n      serve HTTPS with these PEM files\n"
	       "  --seed N\n      of ids and faults (default 1)\n"
	       "\nFaults, also by POST /sandbox/faults while it runs:\n%s",
		buffer_text(&faults));
	buffer_done(&faults);
	return 0;
}

static char *read_file(const char *path)
{
	struct buffer content;
	char bytes[4096];
	size_t length;
	FILE *file = fopen(path, "rb");
	if (!file) {
		fprintf(stderr, "shipopt-sandbox: cannot read %s\n", path);
		return NULL;
	}
	buffer_init(&content, FILE_MAX);
	while ((length = fread(bytes, 1, sizeof(bytes), file)) > 0)
		if (buffer_append(&content, bytes, length) < 0)
			break;
	fclose(file);
	char *text = buffer_take(&content);
	buffer_done(&content);
	return text;
}

/* Consumes one option and its values. Returns how many arguments, or 0 for a bad one. */
static int read_option(struct server_options *options, char **arguments, int left)
{
	const char *name = arguments[0], *value = left > 1 ? arguments[1] : NULL;
	int64_t number;
	if (!text_has_prefix(name, "--"))
		return 0;
	if (faults_is_switch(name + 2))
		return faults_set(&options->faults, name + 2, "true") == 0 ? 1 : 0;
	if (!value)
		return 0;
	if (strcmp(name, "--port") == 0 && text_parse_i64(value, &number) == 0 && number >= 0 && number <= 65535) {
		options->port = (uint16_t)number;
		return 2;
	}
	if (strcmp(name, "--seed") == 0 && text_parse_i64(value, &number) == 0) {
		options->seed = (uint64_t)number;
		return 2;
	}
	if (strcmp(name, "--tls") == 0 && left > 2 && !options->certificate) {
		options->certificate = read_file(value);
		options->key = read_file(arguments[2]);
		return options->certificate && options->key ? 3 : 0;
	}
	return faults_set(&options->faults, name + 2, value) == 0 ? 2 : 0;
}

static int serve(const struct server_options *options)
{
	struct server *server;
	sigset_t signals;
	int number;
	/* Blocked before any thread is there, so that only sigwait sees them. */
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	int r = server_start(options, &server);
	if (r < 0) {
		fprintf(stderr, "shipopt-sandbox: cannot listen on port %u: %s\n", options->port,
			shipopt_error_description(r));
		return 1;
	}
	printf("listening on %s\n", server_url(server));
	fflush(stdout);
	sigwait(&signals, &number);
	server_stop(server);
	return 0;
}

int main(int argc, char **argv)
{
	struct server_options options = {.seed = 1};
	int status = 0;
	faults_init(&options.faults);
	for (int i = 1, used; status == 0 && i < argc; i += used) {
		if (strcmp(argv[i], "--help") == 0)
			return usage();
		used = read_option(&options, argv + i, argc - i);
		if (used == 0) {
			fprintf(stderr, "shipopt-sandbox: bad option or value: %s %s (see --help)\n", argv[i],
				i + 1 < argc ? argv[i + 1] : "");
			status = 2;
			break;
		}
	}
	if (status == 0)
		status = serve(&options);
	mem_free((char *)(uintptr_t)options.certificate);
	mem_free((char *)(uintptr_t)options.key);
	return status;
}
