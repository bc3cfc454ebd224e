/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "buy_labels.h"

#define KEY_FILE_BYTES 1024
#define PREFLIGHT_MS 60000 /* the carrier must answer in this time before the first order */

/* Says what failed before anything was sent. Takes over `error`. */
static int job_fail(const char *what, int code, shipopt_error *error)
{
	fprintf(stderr, "buy_labels: %s: %s\nbuy_labels: nothing was sent to the carrier, nothing was bought\n", what,
		error ? shipopt_error_text(error) : shipopt_error_description(code));
	shipopt_error_unref(error);
	return 1;
}

static int job_has_ending(const char *path, const char *ending)
{
	size_t length = strlen(path), tail = strlen(ending);
	return length > tail && strcmp(path + length - tail, ending) == 0;
}

static int job_open_orders(struct job *job, const shipopt_source_config *config)
{
	const char *path = job->options.orders;
	shipopt_error *error = NULL;
	int r = job_has_ending(path, ".tsv")     ? shipopt_source_open_tsv(path, config, &job->source, &error)
		: job_has_ending(path, ".jsonl") ? shipopt_source_open_json_lines(path, config, &job->source, &error)
						 : shipopt_source_open_csv(path, config, &job->source, &error);
	return r < 0 ? job_fail("cannot read the orders", r, error) : 0;
}

/* Reads the key without the end of its line. */
static int job_read_key(const char *path, char *ret_key, size_t size)
{
	errno = 0;
	FILE *file = fopen(path, "r");
	size_t length = file ? fread(ret_key, 1, size - 1, file) : 0;
	int code = errno;
	if (file)
		fclose(file);
	while (length > 0 && isspace((unsigned char)ret_key[length - 1]))
		length--;
	ret_key[length] = '\0';
	if (length > 0)
		return 0;
	fprintf(stderr, "buy_labels: cannot use the API key file %s: %s\n", path,
		code ? strerror(code) : "it is empty");
	return 1;
}

/* The environment first, then the options. A configuration keeps its first error, and shipopt_client_open() returns
 * it. */
static int job_configure(struct job *job, shipopt_client_config *config)
{
	const struct options *options = &job->options;
	shipopt_carrier_config *carrier = shipopt_client_config_carrier(config);
	shipopt_bulk_config *bulk = shipopt_client_config_bulk(config);
	char key[KEY_FILE_BYTES] = "";
	if (options->api_key_file && job_read_key(options->api_key_file, key, sizeof(key)) != 0)
		return 1;
	shipopt_client_config_from_env(config);
	shipopt_store_config_set(shipopt_client_config_store(config), SHIPOPT_STORE_URL, options->store);
	if (options->carrier_url)
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_BASE_URL, options->carrier_url);
	if (key[0])
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_API_KEY, key);
	memset(key, 0, sizeof(key));
	if (options->max_in_flight)
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_MAX_IN_FLIGHT, options->max_in_flight);
	if (options->spend_limit)
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_SPEND_LIMIT, options->spend_limit);
	if (options->services[0]) {
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_RATE_CHOICE, "services");
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_SERVICES, options->services);
	}
	shipopt_bulk_config_set_item(bulk, verdict_add, &job->verdict);
	return 0;
}

static int job_open_client(struct job *job)
{
	shipopt_client_config *config = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_client_config_new(&config);
	if (r < 0)
		return job_fail("cannot start", r, NULL);
	int status = job_configure(job, config);
	if (status == 0) /* before the store, so that a wrong name makes no store */
		status = job_open_orders(job, shipopt_client_config_source(config));
	if (status == 0 && (r = shipopt_client_open(config, &job->client, &error)) < 0)
		status = job_fail("cannot start", r, error);
	shipopt_client_config_free(config);
	return status;
}

/* ---- the carrier --------------------------------------------------------------------------------------------- */

/*
 * One harmless read before the first order reports a wrong address, a refused key or a bad certificate at once.
 * Problems that may pass while a run goes on (a failing server, a short pause for too many requests) do not stop it
 * here; a pause of hours does.
 */
static int job_may_pass(int status, const shipopt_error *error)
{
	switch (status) {
	case SHIPOPT_ERATELIMIT:
	case SHIPOPT_EUNAVAILABLE: return shipopt_error_retry_after_ms(error) <= PREFLIGHT_MS;
	case SHIPOPT_ESERVER:
	case SHIPOPT_EBUSY:
	case SHIPOPT_EREFUSED: /* of this read; the answers to orders may differ */
	case SHIPOPT_EPAYMENT: return 1;
	case SHIPOPT_EPROTOCOL: /* the API of a carrier without trackers; a wrong URL ends the run at its first order */
		return shipopt_error_http_status(error) == 404 && shipopt_error_carrier_code(error);
	default: return 0;
	}
}

static int job_wait_for_answer(shipopt_op *op)
{
	for (int waited_ms = 0; waited_ms < PREFLIGHT_MS && !interrupted; waited_ms += TICK_MS) {
		shipopt_op_wait(op, TICK_MS);
		if (shipopt_op_is_done(op))
			return shipopt_op_status(op);
	}
	shipopt_op_cancel(op);
	return shipopt_op_wait(op, -1);
}

static int job_reach_carrier(struct job *job)
{
	shipopt_op *op = NULL;
	int status = 0;
	int r = shipopt_carrier_call(shipopt_client_carrier(job->client), "GET", "/trackers?page_size=1", NULL, NULL,
		NULL, NULL, &op);
	if (r >= 0)
		r = job_wait_for_answer(op);
	if (r < 0 && !job_may_pass(r, shipopt_op_error(op))) {
		const shipopt_error *error = shipopt_op_error(op);
		fprintf(stderr,
			"buy_labels: cannot work with the carrier: %s\nbuy_labels: %s\nbuy_labels: no order was sent to the"
			" carrier, nothing was bought\n",
			shipopt_error_message(error),
			r == SHIPOPT_ECANCELED ? "Run the same command again later." : shipopt_error_advice(error));
		status = 1;
	}
	shipopt_op_unref(op);
	return status;
}

/* ---- the run ------------------------------------------------------------------------------------------------- */

static int job_open_out(struct job *job)
{
	const char *path = job->options.out;
	shipopt_error *error = NULL;
	int r = job_has_ending(path, ".jsonl") ? shipopt_sink_open_json_lines(path, &job->sink, &error)
					       : shipopt_sink_open_csv(path, 1, &job->sink, &error);
	return r < 0 ? job_fail("cannot write the results", r, error) : 0;
}

static int job_start_run(struct job *job)
{
	shipopt_bulk *bulk = shipopt_client_bulk(job->client);
	int r = job->options.rates_only ? shipopt_bulk_rate(bulk, job->source, job->sink, NULL, NULL, &job->run)
					: shipopt_bulk_buy(bulk, job->source, job->sink, NULL, NULL, &job->run);
	if (r < 0)
		return job_fail("cannot start the run", r, NULL);
	job->source = NULL; /* the run owns it */
	return 0;
}

int job_start(struct job *job)
{
	int status = job_open_client(job);
	if (status == 0)
		status = job_reach_carrier(job);
	if (status == 0)
		status = job_open_out(job);
	return status == 0 ? job_start_run(job) : status;
}

int job_end(struct job *job)
{
	int status = 0;
	shipopt_run_unref(job->run);
	if (job->sink && shipopt_sink_close(job->sink, NULL) < 0) {
		fprintf(stderr, "buy_labels: %s may be incomplete; the ledger in %s is not\n", job->options.out,
			job->options.store);
		status = 1;
	}
	shipopt_sink_free(job->sink);
	shipopt_source_free(job->source);
	if (job->client)
		shipopt_client_close(job->client, 10000);
	shipopt_client_free(job->client);
	return status;
}
