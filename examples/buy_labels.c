/* SPDX-License-Identifier: MIT */

/*
 * buy_labels: an orders file becomes bought labels.
 *
 *	$ export SHIPOPT_CARRIER_API_KEY=EZTK…
 *	$ buy_labels --orders orders.csv --store sqlite:ship.db --out labels.csv
 *
 * Each order is bought once. The purchase ledger in the store has every purchase before it is sent. Stop the program at any moment
 * and run the same command again: it continues, and buys nothing twice.
 *
 * Exit status: 0 every order was bought, or failed for a reason of its own (a bad row, a refused address); 1 the run could not
 * start or go on, or something is left to do: the message says what; 2 bad usage.
 *
 * Threads: the library has its own. The item callbacks of one run never overlap, so what they collect needs no lock. The main thread
 * reads it after the run. During the run it reads only flags and counters.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <shipopt/shipopt.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TICK_MS 100
#define PROBLEM_SHOWN_MS 10000 /* a problem is shown for so long */
#define REASONS_MAX 20         /* failed orders that the summary names; the out file has all */
#define STRANDED_MAX 5         /* failures in a row that are no order's own end the run */
#define KEY_FILE_BYTES 1024
#define PREFLIGHT_MS 60000 /* the carrier must answer in this time before the first order */

struct options {
	const char *orders, *store, *out, *carrier_url, *api_key_file, *max_in_flight, *spend_limit;
	char services[4096];
	int rates_only;
};

/* Why one order did not end well. */
struct reason {
	int64_t line;
	int status;
	char key[64], text[300];
};

struct job {
	struct options options;
	shipopt_client *client;
	shipopt_source *source;
	shipopt_sink *sink;
	shipopt_run *run;
	/* Written by the item callback, read once the run is done. */
	struct reason reasons[REASONS_MAX];
	size_t reason_count;
	int64_t not_own; /* failed for no reason of the order's own */
	int64_t limited; /* failed as a spend limit or a price limit would be passed */
	int stranded;
	shipopt_error *stop_error;
	atomic_int must_stop; /* set by the item callback after stop_error was written */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = 1;
}

/* ---- options ----------------------------------------------------------------------------------------------- */

static int usage(FILE *to, int status)
{
	fprintf(to,
		"usage: buy_labels --orders FILE --store sqlite:FILE --out FILE [options]\n"
		"Buys a shipping label for each order of a CSV, TSV (.tsv) or JSON lines (.jsonl) file, once.\n\n"
		"  --orders FILE         the orders; - is standard input (CSV)\n"
		"  --store URL           where the purchase ledger is kept, such as sqlite:ship.db\n"
		"  --out FILE            one line for each order (CSV, or JSON lines for .jsonl); made new by each run\n"
		"  --carrier-url URL     base URL of the API, such as http://127.0.0.1:8080/v2\n"
		"  --api-key-file FILE   file with the API key; or environment SHIPOPT_CARRIER_API_KEY\n"
		"  --max-in-flight N     orders at work at once (default 16)\n"
		"  --service NAME ...    buy the first of these that has a rate: \"Ground\" or \"USPS/Priority\";\n"
		"                        default: the cheapest rate\n"
		"  --spend-limit AMOUNT  most to spend from this store, over all runs\n"
		"  --rates-only          choose and store rates, buy nothing; a later run buys what was chosen\n"
		"  --help\n\n"
		"The environment variables SHIPOPT_CARRIER_*, SHIPOPT_STORE_*, SHIPOPT_SOURCE_* and SHIPOPT_BULK_* set\n"
		"what options do not; their names and defaults are in <shipopt/carrier.h>, <shipopt/store.h> and <shipopt/bulk.h>.\n\n"
		"Exit status: 0 all orders bought, or failed for a reason of their own; 1 something is left to do, the\n"
		"message says what; 2 bad usage.\n");
	return status;
}

static int add_service(struct options *options, const char *name)
{
	size_t used = strlen(options->services);
	int n = snprintf(options->services + used, sizeof(options->services) - used, "%s%s", used ? "," : "", name);
	return n > 0 && (size_t)n < sizeof(options->services) - used ? 0 : -1;
}

/* The place of an option's value, NULL for an unknown option. */
static const char **option_value(struct options *options, const char *name)
{
	const struct {
		const char *name, **value;
	} known[] = {
		{"--orders", &options->orders},
		{"--store", &options->store},
		{"--out", &options->out},
		{"--carrier-url", &options->carrier_url},
		{"--api-key-file", &options->api_key_file},
		{"--max-in-flight", &options->max_in_flight},
		{"--spend-limit", &options->spend_limit},
	};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(known[i].name, name) == 0)
			return known[i].value;
	return NULL;
}

/* 0; 1: --help was asked for; -1: a message was printed. */
static int parse_options(struct options *options, int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		const char *name = argv[i], **value = option_value(options, name);
		if (strcmp(name, "--help") == 0)
			return 1;
		if (strcmp(name, "--rates-only") == 0) {
			options->rates_only = 1;
			continue;
		}
		int takes_value = value || strcmp(name, "--service") == 0;
		if (!takes_value || i + 1 >= argc || strncmp(argv[i + 1], "--", 2) == 0) {
			fprintf(stderr,
				takes_value ? "buy_labels: %s needs a value\n" : "buy_labels: unknown option %s\n",
				name);
			return -1;
		}
		if (value) {
			*value = argv[++i];
			continue;
		}
		while (i + 1 < argc && strncmp(argv[i + 1], "--", 2) != 0)
			if (add_service(options, argv[++i]) < 0) {
				fprintf(stderr, "buy_labels: too many services\n");
				return -1;
			}
	}
	if (options->orders && options->store && options->out)
		return 0;
	fprintf(stderr, "buy_labels: --orders, --store and --out are required; see --help\n");
	return -1;
}

/* ---- items ------------------------------------------------------------------------------------------------- */

/* 1 if what failed lies in the order itself: running again would not help it. The library's codes tell that apart: what the
 * carrier refuses for what the order says is SHIPOPT_EREFUSED or SHIPOPT_ENOTFOUND; an account, a base URL, a busy or a failing
 * carrier have codes of their own. */
static int is_own_reason(int status)
{
	switch (status) {
	case SHIPOPT_EINVAL:
	case SHIPOPT_ETYPE:
	case SHIPOPT_EPARSE:
	case SHIPOPT_EENCODING:
	case SHIPOPT_ETOOLARGE:
	case SHIPOPT_EREFUSED:
	case SHIPOPT_ENORATE:
	case SHIPOPT_ECONFLICT:
	case SHIPOPT_ENOTFOUND: return 1;
	default: return 0;
	}
}

static void keep_reason(struct job *job, const shipopt_item *item)
{
	struct reason *reason = &job->reasons[job->reason_count++];
	reason->line = shipopt_item_line(item);
	reason->status = shipopt_item_status(item);
	snprintf(reason->key, sizeof(reason->key), "%s", shipopt_item_key(item));
	snprintf(reason->text, sizeof(reason->text), "%s", shipopt_error_message(shipopt_item_error(item)));
}

/* What fails every order alike (a bad certificate, no connection) must not fail ten thousand of them one by one. Refused keys,
 * missing funds and wrong addresses end the run by themselves. */
static void stop_if_pointless(struct job *job, const shipopt_item *item)
{
	int status = shipopt_item_status(item);
	if (status == SHIPOPT_EAUTH || status == SHIPOPT_EPAYMENT)
		return;
	if (status != SHIPOPT_ETLS && ++job->stranded < STRANDED_MAX)
		return;
	if (atomic_load(&job->must_stop))
		return;
	job->stop_error = shipopt_error_ref(shipopt_item_error(item));
	atomic_store(&job->must_stop, 1);
}

static void on_item(void *userdata, const shipopt_item *item)
{
	struct job *job = userdata;
	int status = shipopt_item_status(item);
	if (status >= 0)
		job->stranded = 0;
	if (status >= 0 || status == SHIPOPT_ECANCELED)
		return;
	if (job->reason_count < REASONS_MAX)
		keep_reason(job, item);
	if (is_own_reason(status) || status == SHIPOPT_EINDOUBT || status == SHIPOPT_EHELD)
		return;
	if (status == SHIPOPT_ELIMIT) {
		job->limited++;
		return;
	}
	job->not_own++;
	stop_if_pointless(job, item);
}

/* ---- setting up: each step says what failed; nothing is sent to the carrier before the run starts -------------------------- */

static int fail_with(const char *what, const char *message)
{
	fprintf(stderr, "buy_labels: %s: %s\nbuy_labels: nothing was sent to the carrier, nothing was bought\n", what,
		message);
	return 1;
}

static int fail(const char *what, const shipopt_error *error, int code)
{
	return fail_with(what, error ? shipopt_error_text(error) : shipopt_error_description(code));
}

static int has_ending(const char *path, const char *ending)
{
	size_t length = strlen(path), tail = strlen(ending);
	return length > tail && strcmp(path + length - tail, ending) == 0;
}

static int open_orders(struct job *job)
{
	const char *path = job->options.orders;
	shipopt_source_config *config = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_source_config_new(&config), status = 0;
	if (r >= 0 && (r = shipopt_source_config_from_env(config)) < 0)
		status = fail("a setting of the environment", shipopt_source_config_error(config), r);
	else if (r >= 0) {
		r = has_ending(path, ".tsv") ? shipopt_source_open_tsv(path, config, &job->source, &error)
			: has_ending(path, ".jsonl")
			? shipopt_source_open_json_lines(path, config, &job->source, &error)
			: shipopt_source_open_csv(path, config, &job->source, &error);
	}
	if (r < 0 && status == 0)
		status = fail("cannot read the orders", error, r);
	shipopt_error_unref(error);
	shipopt_source_config_free(config);
	return status;
}

/* The key in the file, without the end of its line. */
static int read_key(const char *path, char *ret_key, size_t size)
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
	char what[512];
	snprintf(what, sizeof(what), "cannot use the API key file %s", path);
	return fail_with(what, code ? strerror(code) : "it is empty");
}

/* Settings of the environment first; options replace them. A configuration keeps its first error, and shipopt_client_open()
 * returns it, so the setters need no check each. */
static void set_options(struct job *job, shipopt_client_config *config, const char *key)
{
	const struct options *options = &job->options;
	shipopt_carrier_config *carrier = shipopt_client_config_carrier(config);
	shipopt_bulk_config *bulk = shipopt_client_config_bulk(config);
	shipopt_client_config_from_env(config);
	shipopt_store_config_set(shipopt_client_config_store(config), SHIPOPT_STORE_URL, options->store);
	if (options->carrier_url)
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_BASE_URL, options->carrier_url);
	if (key[0])
		shipopt_carrier_config_set(carrier, SHIPOPT_CARRIER_API_KEY, key);
	if (options->max_in_flight)
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_MAX_IN_FLIGHT, options->max_in_flight);
	if (options->spend_limit)
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_SPEND_LIMIT, options->spend_limit);
	if (options->services[0]) {
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_RATE_CHOICE, "services");
		shipopt_bulk_config_set(bulk, SHIPOPT_BULK_SERVICES, options->services);
	}
	shipopt_bulk_config_set_item(bulk, on_item, job);
}

static int open_client(struct job *job)
{
	char key[KEY_FILE_BYTES] = "";
	if (job->options.api_key_file && read_key(job->options.api_key_file, key, sizeof(key)) != 0)
		return 1;
	shipopt_client_config *config = NULL;
	shipopt_error *error = NULL;
	int r = shipopt_client_config_new(&config);
	if (r >= 0) {
		set_options(job, config, key);
		r = shipopt_client_open(config, &job->client, &error);
	}
	memset(key, 0, sizeof(key));
	int status = r < 0 ? fail("cannot start", error, r) : 0;
	shipopt_error_unref(error);
	shipopt_client_config_free(config);
	return status;
}

/*
 * One harmless read before the first order finds a wrong address, a refused key or a bad certificate. The program reports it at
 * once; a run would wait for the carrier to come back. What passes by itself (a failing server, a short pause) does not stop the
 * program; a pause of hours does.
 */
static int is_passing(int status, const shipopt_error *error)
{
	switch (status) {
	case SHIPOPT_ERATELIMIT:
	case SHIPOPT_EUNAVAILABLE: return shipopt_error_retry_after_ms(error) <= PREFLIGHT_MS;
	case SHIPOPT_ESERVER:
	case SHIPOPT_EBUSY:
	case SHIPOPT_EREFUSED: /* the read itself: what orders get may differ */
	case SHIPOPT_EPAYMENT: return 1;
	case SHIPOPT_EPROTOCOL: /* a carrier without trackers says so in the API's words; a wrong URL ends the run at its first order */
		return shipopt_error_http_status(error) == 404 && shipopt_error_carrier_code(error);
	default: return 0;
	}
}

static int wait_for_answer(shipopt_op *op)
{
	for (int waited_ms = 0; waited_ms < PREFLIGHT_MS && !interrupted; waited_ms += TICK_MS) {
		shipopt_op_wait(op, TICK_MS); /* the operation may end between this line and the next */
		if (shipopt_op_is_done(op))
			return shipopt_op_status(op);
	}
	shipopt_op_cancel(op);
	return shipopt_op_wait(op, -1);
}

static int reach_carrier(struct job *job)
{
	shipopt_op *op = NULL;
	int status = 0;
	int r = shipopt_carrier_call(shipopt_client_carrier(job->client), "GET", "/trackers?page_size=1", NULL, NULL,
		NULL, NULL, &op);
	if (r >= 0)
		r = wait_for_answer(op);
	if (r < 0 && !is_passing(r, shipopt_op_error(op))) {
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

static int open_out(struct job *job)
{
	const char *path = job->options.out;
	shipopt_error *error = NULL;
	int r = has_ending(path, ".jsonl") ? shipopt_sink_open_json_lines(path, &job->sink, &error)
					   : shipopt_sink_open_csv(path, 1, &job->sink, &error);
	int status = r < 0 ? fail("cannot write the results", error, r) : 0;
	shipopt_error_unref(error);
	return status;
}

static int start_run(struct job *job)
{
	shipopt_bulk *bulk = shipopt_client_bulk(job->client);
	int r = job->options.rates_only ? shipopt_bulk_rate(bulk, job->source, job->sink, NULL, NULL, &job->run)
					: shipopt_bulk_buy(bulk, job->source, job->sink, NULL, NULL, &job->run);
	if (r < 0)
		return fail("cannot start the run", NULL, r);
	job->source = NULL; /* the run has taken it over */
	return 0;
}

/* ---- while it runs ----------------------------------------------------------------------------------------- */

static int64_t number(const struct job *job, int stat)
{
	int64_t value = 0;
	shipopt_run_stat(job->run, stat, &value);
	return value;
}

/* "; last problem: …" while something keeps failing, so that a run that waits for the carrier says so. */
static void print_problem(const struct job *job)
{
	shipopt_error *problem = NULL;
	int64_t age_ms = number(job, SHIPOPT_RUN_STAT_PROBLEM_AGE_MS);
	if (age_ms < 0 || age_ms > PROBLEM_SHOWN_MS || shipopt_run_problem(job->run, &problem) < 0)
		return;
	fprintf(stderr, "; last problem: %.100s", shipopt_error_message(problem));
	shipopt_error_unref(problem);
}

/* "[#####-----] 120 bought, 1 failed, 0 in doubt, 24.1/s, 0:08 left". The end of the bar is an estimate: the file is read piece by
 * piece. */
static void print_progress(const struct job *job, int on_terminal)
{
	int64_t elapsed = number(job, SHIPOPT_RUN_STAT_ELAPSED_MS), eta = number(job, SHIPOPT_RUN_STAT_ETA_MS);
	int64_t settled = number(job, SHIPOPT_RUN_STAT_DONE) + number(job, SHIPOPT_RUN_STAT_ALREADY);
	char bar[] = "[--------------------] ", left[48] = "";
	if (eta >= 0) {
		snprintf(left, sizeof(left), ", %" PRId64 ":%02" PRId64 " left", eta / 60000, eta / 1000 % 60);
		memset(bar + 1, '#', (size_t)(20 * elapsed / (elapsed + eta + 1)));
	}
	fprintf(stderr, "%s%s%" PRId64 " %s, %" PRId64 " failed, %" PRId64 " in doubt, %.1f/s%s",
		on_terminal ? "\r" : "", on_terminal && eta >= 0 ? bar : "", settled,
		job->options.rates_only ? "rated" : "bought", number(job, SHIPOPT_RUN_STAT_FAILED),
		number(job, SHIPOPT_RUN_STAT_IN_DOUBT) + number(job, SHIPOPT_RUN_STAT_SETTLING),
		(double)number(job, SHIPOPT_RUN_STAT_ITEMS_PER_1000_S) / 1000.0, left);
	print_problem(job);
	fputs(on_terminal ? "\033[K" : "\n", stderr);
	fflush(stderr);
}

static int64_t ended_items(const struct job *job)
{
	return number(job, SHIPOPT_RUN_STAT_DONE) + number(job, SHIPOPT_RUN_STAT_ALREADY) +
		number(job, SHIPOPT_RUN_STAT_FAILED) + number(job, SHIPOPT_RUN_STAT_HELD) +
		number(job, SHIPOPT_RUN_STAT_IN_DOUBT);
}

/* Waits for the end; shows progress; turns Ctrl-C and a pointless run into a cancel. Returns the run's status. */
static int watch(struct job *job)
{
	int on_terminal = isatty(STDERR_FILENO), canceled = 0;
	int64_t shown_ms = 0, shown_ended = -1;
	for (;;) {
		shipopt_op_wait(shipopt_run_op(job->run), TICK_MS);
		if (shipopt_op_is_done(shipopt_run_op(job->run))) {
			if (on_terminal)
				fprintf(stderr, "\r\033[K");
			return shipopt_op_status(shipopt_run_op(job->run));
		}
		if (!canceled && (interrupted || atomic_load(&job->must_stop))) {
			canceled = 1;
			fprintf(stderr, "%sbuy_labels: stopping; purchases on the wire are waited for%s\n",
				on_terminal ? "\r\033[K" : "",
				interrupted ? " (Ctrl-C again ends at once: that is safe too)" : "");
			shipopt_op_cancel(shipopt_run_op(job->run));
		}
		/* On a terminal the line moves. A log gets a line for each second in which something ended or failed, otherwise
		 * one for every ten seconds. */
		int64_t since_ms = number(job, SHIPOPT_RUN_STAT_ELAPSED_MS) - shown_ms, ended = ended_items(job);
		int64_t problem_ms = number(job, SHIPOPT_RUN_STAT_PROBLEM_AGE_MS);
		int has_news = ended != shown_ended || (problem_ms >= 0 && problem_ms < since_ms);
		if (since_ms >= (on_terminal ? TICK_MS : has_news ? 1000 : 10000)) {
			shown_ms += since_ms;
			shown_ended = ended;
			print_progress(job, on_terminal);
		}
	}
}

/* ---- afterwards -------------------------------------------------------------------------------------------- */

static void print_reasons(const struct job *job)
{
	for (size_t i = 0; i < job->reason_count; i++) {
		const struct reason *reason = &job->reasons[i];
		const char *kind = reason->status == SHIPOPT_EINDOUBT ? "in doubt"
			: reason->status == SHIPOPT_EHELD             ? "held"
								      : "failed";
		printf("  %s: line %" PRId64 ", order %s: %s\n", kind, reason->line,
			reason->key[0] ? reason->key : "(no key)", reason->text);
	}
	int64_t all = number(job, SHIPOPT_RUN_STAT_FAILED) + number(job, SHIPOPT_RUN_STAT_IN_DOUBT) +
		number(job, SHIPOPT_RUN_STAT_HELD);
	if (all > (int64_t)job->reason_count)
		printf("  and %" PRId64 " more, all in %s\n", all - (int64_t)job->reason_count, job->options.out);
}

static void print_spend(const char *carrier, const char *currency, int64_t labels, int64_t amount)
{
	char text[SHIPOPT_MONEY_TEXT_SIZE];
	shipopt_money_format(amount, currency, text, sizeof(text));
	printf("  spent: %s %s %s for %" PRId64 " label%s\n", carrier, text, currency, labels, labels == 1 ? "" : "s");
}

static void print_money(const struct job *job)
{
	const char *carrier, *currency;
	int64_t labels, amount;
	for (size_t i = 0; shipopt_run_spend(job->run, i, &carrier, &currency, &labels, &amount) >= 0; i++)
		print_spend(carrier, currency, labels, amount);
}

static void print_summary(const struct job *job)
{
	printf("%" PRId64 " orders in %.1f s, %" PRId64 " requests to the carrier\n",
		number(job, SHIPOPT_RUN_STAT_READ), (double)number(job, SHIPOPT_RUN_STAT_ELAPSED_MS) / 1000.0,
		number(job, SHIPOPT_RUN_STAT_REQUESTS));
	if (number(job, SHIPOPT_RUN_STAT_P50_US) > 0)
		printf("  time of an order: p50 %.0f ms, p95 %.0f ms, p99 %.0f ms\n",
			(double)number(job, SHIPOPT_RUN_STAT_P50_US) / 1000.0,
			(double)number(job, SHIPOPT_RUN_STAT_P95_US) / 1000.0,
			(double)number(job, SHIPOPT_RUN_STAT_P99_US) / 1000.0);
	print_money(job);
	print_reasons(job);
	printf("  results: %s   ledger: %s\n", job->options.out, job->options.store);
	if (job->options.rates_only)
		printf("0 bought, %" PRId64 " rated", number(job, SHIPOPT_RUN_STAT_DONE));
	else
		printf("%" PRId64 " bought", number(job, SHIPOPT_RUN_STAT_DONE));
	printf(", %" PRId64 " already bought, %" PRId64 " failed, %" PRId64 " in doubt, %" PRId64 " held",
		number(job, SHIPOPT_RUN_STAT_ALREADY), number(job, SHIPOPT_RUN_STAT_FAILED),
		number(job, SHIPOPT_RUN_STAT_IN_DOUBT), number(job, SHIPOPT_RUN_STAT_HELD));
	if (number(job, SHIPOPT_RUN_STAT_CANCELED) > 0)
		printf(", %" PRId64 " not begun", number(job, SHIPOPT_RUN_STAT_CANCELED));
	printf("\n");
	fflush(stdout);
}

/* Ledger rows that no run goes on with: also those of earlier runs and of orders that are not in the file. -1: not known. */
static int64_t count_for_person(const struct job *job)
{
	shipopt_op *op = NULL;
	int r = shipopt_ledger_count(shipopt_client_store(job->client), SHIPOPT_LEDGER_NEEDS_PERSON, NULL, NULL, &op);
	if (r >= 0)
		r = shipopt_op_wait(op, -1);
	int64_t count = r < 0 ? -1 : shipopt_op_value(op);
	shipopt_op_unref(op);
	return count;
}

/* The exit status, and what to do about what is left. */
static int verdict(const struct job *job, int run_status)
{
	int must_stop = atomic_load(&job->must_stop), status = 0;
	int64_t for_person = count_for_person(job);
	if (must_stop) {
		fprintf(stderr, "buy_labels: stopped, because every order failed alike: %s\nbuy_labels: %s\n",
			shipopt_error_message(job->stop_error), shipopt_error_advice(job->stop_error));
		status = 1;
	} else if (interrupted) {
		fprintf(stderr,
			"buy_labels: interrupted; run the same command again to go on, nothing is bought twice\n");
		status = 1;
	} else if (run_status < 0) {
		const shipopt_error *error = shipopt_op_error(shipopt_run_op(job->run));
		fprintf(stderr, "buy_labels: the run ended early: %s\nbuy_labels: %s\n", shipopt_error_message(error),
			shipopt_error_advice(error));
		status = 1;
	}
	if (number(job, SHIPOPT_RUN_STAT_IN_DOUBT) > 0) {
		fprintf(stderr,
			"buy_labels: the outcome of the purchases in doubt is not known yet;"
			" run the same command again later: they are looked up, not bought again\n");
		status = 1;
	}
	if (number(job, SHIPOPT_RUN_STAT_HELD) > 0) {
		fprintf(stderr,
			"buy_labels: held orders wait for you: correct the row, or settle them in the ledger\n");
		status = 1;
	}
	if (for_person > 0) {
		fprintf(stderr,
			"buy_labels: %" PRId64
			" ledger rows wait for a person: look them up at the carrier and settle them"
			" (shipopt_ledger_list with SHIPOPT_LEDGER_NEEDS_PERSON, shipopt_ledger_resolve)\n",
			for_person);
		status = 1;
	}
	if (job->limited > 0) {
		fprintf(stderr, "buy_labels: a limit stopped %" PRId64 " orders: raise it and run again\n",
			job->limited);
		status = 1;
	}
	if (job->not_own > 0 && status == 0) {
		fprintf(stderr,
			"buy_labels: some orders failed for no reason of their own; run the same command again\n");
		status = 1;
	}
	return status;
}

static int buy(struct job *job)
{
	int status = open_orders(job);
	if (status == 0)
		status = open_client(job);
	if (status == 0)
		status = reach_carrier(job);
	if (status == 0)
		status = open_out(job);
	if (status == 0)
		status = start_run(job);
	if (status != 0)
		return status;
	int run_status = watch(job);
	print_summary(job);
	return verdict(job, run_status);
}

int main(int argc, char **argv)
{
	static struct job job;
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
	int r = parse_options(&job.options, argc, argv);
	if (r != 0)
		return r > 0 ? usage(stdout, 0) : 2;
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	int status = buy(&job);
	shipopt_run_unref(job.run);
	shipopt_error_unref(job.stop_error);
	shipopt_error *error = NULL;
	if (job.sink && shipopt_sink_close(job.sink, &error) < 0) {
		fprintf(stderr, "buy_labels: %s\nbuy_labels: the ledger in %s is complete\n", shipopt_error_text(error),
			job.options.store);
		status = 1;
	}
	shipopt_error_unref(error);
	shipopt_sink_free(job.sink);
	shipopt_source_free(job.source);
	shipopt_client_close(job.client, 10000);
	shipopt_client_free(job.client);
	return status;
}
